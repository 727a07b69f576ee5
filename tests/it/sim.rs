//! Orders of events from a seed, and chaos in pools that they bring about.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::time::Duration;

use active_status::status::report_restarts;
use active_status::testing::{Chance, Sim};
use active_status::workers::{
    Cause, Failure, Pool, PoolHandle, Worker, WorkerEvent, supervise, until_stopped, with_events,
};
use active_status::{Event, Job, JobId, Outcome, StatusOptions, WorkQueue};
use futures::stream::FusedStream;
use futures::{Stream, StreamExt, stream};

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
    /// The workers whose end and whose row have not both been seen, with the outcome.
    ends: BTreeMap<usize, Outcome>,
    /// The worker of each row that has not ended.
    rows: BTreeMap<JobId, usize>,
    counts: Counts,
    /// The least and the most bytes that were allocated after the first tenth.
    bytes: Option<(isize, isize)>,
}

#[derive(Debug, Default, PartialEq)]
struct Counts {
    failures: u32,
    /// The workers that were built.
    built: u32,
    ended: u32,
    panicked: u32,
    /// The rows of workers that were aborted.
    cancelled: u32,
    orders: u32,
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

    /// Notes how a worker or its row ended. The two must agree.
    fn end(&mut self, worker: usize, outcome: Outcome) {
        match self.ends.remove(&worker) {
            Some(other) => assert_eq!(other, outcome, "worker {worker}"),
            None => assert_eq!(self.ends.insert(worker, outcome), None),
        }
    }

    /// Notes what a worker yielded. Returns whether it is an item.
    fn worker_event(&mut self, worker: &Worker, event: WorkerEvent<u32>, items: u32) -> bool {
        match event {
            WorkerEvent::Item(item) => {
                self.item(item, items);
                return true;
            }
            WorkerEvent::Ended => {
                self.counts.ended += 1;
                self.end(worker.id().get(), Outcome::Finished);
            }
            WorkerEvent::Panicked(_) => {
                self.counts.panicked += 1;
                self.end(worker.id().get(), Outcome::Panicked);
            }
        }
        false
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Added { job, row, .. } => {
                self.rows.insert(job, row.prefix.parse().unwrap());
            }
            Event::Ended { job, outcome, .. } => {
                let worker = self.rows.remove(&job).expect("a row ends once");
                match outcome {
                    Outcome::Cancelled => self.counts.cancelled += 1,
                    outcome => self.end(worker, outcome),
                }
            }
            _ => {}
        }
    }
}

/// Does the given number of items in a pool whose workers panic at random, are restarted or
/// given up once in `gives_up` failures, and find more items, while workers are added,
/// paused, stopped and aborted and the queue is paused.
fn chaos(seed: u64, items: u32, gives_up: u64) -> Log {
    let done = Vec::with_capacity(2 * items as usize);
    let log = RefCell::new(Log { done, ..Log::default() });
    let queue = WorkQueue::new(stream::iter(0..items));
    let (log_ref, queue) = (&log, &queue);
    let mut sim = Sim::new(seed);
    let (board, events) = sim.clock().board();
    let chance = sim.chance();

    let chances = chance.clone();
    let constructor = move |(worker, job): (Worker, Job)| {
        let chance = chances.clone();
        let tasks = queue.tasks().take_until(worker.stopped());
        tasks.then(move |task| {
            let (chance, job) = (chance.clone(), job.clone());
            async move {
                job.set_text(*task);
                chance.hesitate(MOMENT).await;
                if chance.one_in(20) {
                    log_ref.borrow_mut().counts.failures += 1;
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
    let policy = until_stopped(move |failure: Failure<'_, (Worker, Job)>| {
        let panicked = matches!(failure.cause, Cause::Panicked(_));
        (panicked && !chances.one_in(gives_up)).then(|| chances.hesitate(MOMENT))
    });
    let mut supervised = supervise(constructor, report_restarts(policy));
    let rows = StatusOptions::new().prefix(|id| id.to_string());
    let rows = rows.wrap_worker(&board, move |worker, job| {
        log_ref.borrow_mut().counts.built += 1;
        supervised((worker, job))
    });
    let workers = 1 + chance.random(8) as usize;
    let mut pool = Pool::with_workers(workers, with_events(rows)).stay_open();
    let handle = pool.handle();
    let chances = chance.clone();
    sim.spawn(async move {
        while let Some((worker, event)) = pool.next().await {
            if log_ref.borrow_mut().worker_event(&worker, event, items) && chances.one_in(16) {
                chances.hesitate(MOMENT).await;
            }
        }
        board.close();
    });
    sim.spawn(async move {
        while !queue.is_terminated() {
            log_ref.borrow_mut().counts.orders += 1;
            give_order(&chance, &handle, queue);
            chance.hesitate(4 * MOMENT).await;
            queue.resume();
            chance.hesitate(4 * MOMENT).await;
        }
        handle.stop();
    });
    sim.spawn(async move {
        let mut events = events;
        while let Some(event) = events.next().await {
            log_ref.borrow_mut().event(event);
        }
    });
    assert_eq!(sim.run(), 0, "seed {seed}: a wake was lost");
    drop(sim);
    log.into_inner()
}

/// Gives a random order to a pool or its queue. Some order leads to an end of every pause.
fn give_order(chance: &Chance, handle: &PoolHandle, queue: &WorkQueue<impl Stream<Item = u32>>) {
    let mut workers = handle.workers();
    let index = chance.random(workers.len() as u64) as usize;
    let worker = (!workers.is_empty()).then(|| workers.swap_remove(index));
    match chance.random(8) {
        0 => handle.resize(chance.random(9) as usize),
        1 => drop(handle.add().expect("the pool is open")),
        2 => worker.iter().for_each(Worker::pause),
        3 => worker.iter().for_each(Worker::stop),
        4 => worker.iter().for_each(Worker::abort),
        5 => handle.pause(),
        6 => handle.resume(),
        _ => queue.pause(),
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
    assert!(log.ends.is_empty() && log.rows.is_empty(), "seed {seed}: {:?}", log.ends);
    let Counts { built, ended, panicked, cancelled, .. } = log.counts;
    assert_eq!(built, ended + panicked + cancelled, "seed {seed}");
    log
}

#[test]
fn every_item_is_done_once_in_every_order() {
    let mut total = Counts::default();
    for seed in 0..300 {
        let counts = check(seed, 60, 30).counts;
        total.failures += counts.failures;
        total.panicked += counts.panicked;
        total.cancelled += counts.cancelled;
        total.ended += counts.ended;
    }
    let Counts { failures, panicked, cancelled, ended, .. } = total;
    assert!(failures > 500 && panicked > 10 && cancelled > 50 && ended > 500, "{total:?}");
}

#[test]
fn the_same_seed_is_the_same_run() {
    let run = |seed| Log { bytes: None, ..chaos(seed, 200, 30) };
    assert_eq!(run(11), run(11));
    assert_ne!(run(11).done, run(12).done);
}

#[test]
fn chaos_over_a_million_items_needs_no_more_memory() {
    let log = check(5, 1_000_000, 100);
    let Counts { failures, panicked, cancelled, ended, .. } = log.counts;
    assert!(failures > 10_000 && panicked > 100, "{:?}", log.counts);
    assert!(cancelled > 100 && ended > 1_000, "{:?}", log.counts);
    let (least, most) = log.bytes.unwrap();
    assert!(most - least < 32_768, "{} bytes, {:?}", most - least, log.counts);
}
