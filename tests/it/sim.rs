//! Orders of events from a seed, and chaos in pools that they bring about.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::time::Duration;

use active_status::testing::Sim;
use active_status::workers::{Failure, WorkerEvent, supervise, with_events};
use active_status::{
    Event, Events, Job, JobId, Outcome, WorkQueue, WorkerId, run_workers, wrap_with_status,
};
use futures::{StreamExt, stream};

use crate::allocator;

const MOMENT: Duration = Duration::from_millis(5);

#[test]
fn a_task_that_waits_for_ever_is_counted() {
    let mut sim = Sim::new(7);
    sim.spawn(std::future::pending());
    sim.spawn(sim.chance().hesitate(MOMENT));
    sim.spawn(std::future::pending());
    assert_eq!(sim.run(), 2);
}

#[test]
fn the_clock_advances_only_when_every_task_waits() {
    let times = RefCell::new(Vec::new());
    let mut sim = Sim::new(7);
    let mut sim_of = |seconds| {
        let (clock, times) = (sim.clock().clone(), &times);
        sim.spawn(async move {
            clock.sleep(Duration::from_secs(seconds)).await;
            times.borrow_mut().push((seconds, clock.now().as_secs()));
        });
    };
    (1..=3).rev().for_each(&mut sim_of);
    assert_eq!(sim.run(), 0);
    drop(sim);
    assert_eq!(times.into_inner(), [(1, 1), (2, 2), (3, 3)]);
}

#[test]
fn a_timer_that_is_over_but_held_does_not_stop_the_clock() {
    let mut sim = Sim::new(7);
    let clock = sim.clock().clone();
    sim.spawn(async move {
        let _unused = clock.sleep(Duration::from_secs(1));
        clock.sleep(Duration::from_secs(2)).await;
    });
    assert_eq!(sim.run(), 0);
}

#[test]
fn a_task_may_be_polled_without_a_wake() {
    let polls = Cell::new(0);
    let mut sim = Sim::new(7);
    sim.spawn(std::future::poll_fn(|_| {
        polls.set(polls.get() + 1);
        std::task::Poll::Pending
    }));
    let clock = sim.clock().clone();
    sim.spawn(async move {
        for _ in 0..100 {
            clock.sleep(MOMENT).await;
        }
    });
    assert_eq!(sim.run(), 1);
    drop(sim);
    assert!(polls.get() > 2, "{} polls", polls.get());
}

#[test]
fn random_numbers_are_below_their_limit() {
    let chance = Sim::new(7).chance();
    let mut seen = [0; 6];
    (0..6_000).for_each(|_| seen[chance.random(6) as usize] += 1);
    assert!(seen.iter().all(|&count| count > 800), "{seen:?}");
    assert_eq!((chance.random(1), chance.random(0)), (0, 0));
}

/// What came of a run, to compare it with another.
#[derive(Debug, Default, PartialEq)]
struct Log {
    /// The items in the order in which they were done.
    done: Vec<u32>,
    /// The workers that ended, with whether they panicked.
    ends: BTreeMap<usize, bool>,
    failures: u32,
    /// The outcomes of the rows, in the order of their ids.
    outcomes: BTreeMap<JobId, Outcome>,
    /// The least and the most bytes that were allocated after the first tenth.
    bytes: Option<(isize, isize)>,
}

impl Log {
    /// Notes that an item is done, and the memory in use after a tenth of them.
    fn item(&mut self, item: u32, items: u32) {
        self.done.push(item);
        if self.done.len() > items as usize / 10 {
            let now = allocator::bytes();
            let (least, most) = self.bytes.unwrap_or((now, now));
            self.bytes = Some((least.min(now), most.max(now)));
        }
    }

    /// Notes that a worker ended.
    fn end(&mut self, id: WorkerId, panicked: bool) {
        assert_eq!(self.ends.insert(id.get(), panicked), None, "worker {id} ended twice");
    }
}

/// Does the given number of items, with workers that panic at random, are restarted or
/// given up once in `gives_up` failures, and find more items, while the queue is paused and
/// resumed.
fn chaos(seed: u64, items: u32, gives_up: u64) -> Log {
    let done = Vec::with_capacity(2 * items as usize);
    let log = RefCell::new(Log { done, ..Log::default() });
    let over = Cell::new(false);
    let queue = WorkQueue::new(stream::iter(0..items));
    let (log_ref, over, queue) = (&log, &over, &queue);
    let mut sim = Sim::new(seed);
    let (board, events) = sim.clock().board();
    let chance = sim.chance();
    let workers = 1 + chance.random(8) as usize;

    let chances = chance.clone();
    let constructor = move |job: Job| {
        let chance = chances.clone();
        queue.tasks().then(move |task| {
            let (chance, job) = (chance.clone(), job.clone());
            async move {
                job.set_text(*task);
                chance.hesitate(MOMENT).await;
                if chance.one_in(20) {
                    log_ref.borrow_mut().failures += 1;
                    // Without a message on standard error.
                    resume_unwind(Box::new("chaos"));
                }
                if *task < items && chance.one_in(10) {
                    task.push(items + *task);
                }
                task.done()
            }
        })
    };
    let chances = chance.clone();
    let policy = move |failure: Failure<'_, Job>| {
        let panicked = !failure.cause.to_string().starts_with("ended");
        (panicked && !chances.one_in(gives_up)).then(|| chances.hesitate(MOMENT))
    };
    let rows = wrap_with_status(&board, supervise(constructor, policy));
    let mut pool = run_workers(workers, with_events(rows));
    let chances = chance.clone();
    sim.spawn(async move {
        while let Some((id, event)) = pool.next().await {
            match event {
                WorkerEvent::Item(item) => {
                    log_ref.borrow_mut().item(item, items);
                    if chances.one_in(16) {
                        chances.hesitate(MOMENT).await;
                    }
                }
                WorkerEvent::Ended => log_ref.borrow_mut().end(id, false),
                WorkerEvent::Panicked(_) => log_ref.borrow_mut().end(id, true),
            }
        }
        // What is left when every worker was given up.
        let mut rest = queue.tasks();
        while let Some(task) = rest.next().await {
            log_ref.borrow_mut().done.push(task.done());
        }
        over.set(true);
        board.close();
    });
    sim.spawn(async move {
        while !over.get() {
            queue.pause();
            chance.hesitate(MOMENT).await;
            queue.resume();
            chance.hesitate(4 * MOMENT).await;
        }
    });
    sim.spawn(read(events, log_ref));
    assert_eq!(sim.run(), 0, "seed {seed}: a wake was lost");
    drop(sim);
    log.into_inner()
}

async fn read(mut events: Events, log: &RefCell<Log>) {
    while let Some(event) = events.next().await {
        if let Event::Ended { job, outcome, .. } = event {
            let twice = log.borrow_mut().outcomes.insert(job, outcome);
            assert_eq!(twice, None, "a job ended twice");
        }
    }
}

/// Checks that every item is done once, and every row says how its worker ended.
fn check(seed: u64, items: u32, gives_up: u64) -> Log {
    let log = chaos(seed, items, gives_up);
    let mut done = log.done.clone();
    done.sort_unstable();
    done.dedup();
    assert_eq!(done.len(), log.done.len(), "seed {seed}: an item was done twice");
    assert_eq!(done[..items as usize], Vec::from_iter(0..items), "seed {seed}");
    let outcomes = log.outcomes.values();
    let panicked: Vec<bool> = outcomes.map(|outcome| *outcome == Outcome::Panicked).collect();
    assert_eq!(panicked, Vec::from_iter(log.ends.values().copied()), "seed {seed}");
    log
}

#[test]
fn every_item_is_done_once_in_every_order() {
    let mut failures = 0;
    let mut given_up = 0;
    for seed in 0..300 {
        let log = check(seed, 60, 30);
        failures += log.failures;
        given_up += log.ends.values().filter(|&&panicked| panicked).count();
    }
    assert!(failures > 500 && given_up > 10, "{failures} failures, {given_up} given up");
}

#[test]
fn the_same_seed_is_the_same_run() {
    let run = |seed| Log { bytes: None, ..chaos(seed, 200, 30) };
    assert_eq!(run(11), run(11));
    assert_ne!(run(11).done, run(12).done);
}

#[test]
fn a_million_items_with_panics_and_restarts_need_no_more_memory() {
    let log = check(5, 1_000_000, u64::MAX);
    assert!(log.failures > 10_000, "{} failures", log.failures);
    let (least, most) = log.bytes.unwrap();
    assert!(most - least < 8_192, "{} bytes", most - least);
}
