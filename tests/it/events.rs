//! Events: the ways to read them.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use active_status::{Event, Events, Job, board, board_with_clock};
use futures::future::poll_fn;
use futures::stream::FusedStream;
use futures::{FutureExt, StreamExt};

use crate::snapshot::{tell, told};
use crate::support::Parent;

#[test]
fn a_reader_that_waits_is_woken_once() {
    let (board, mut events) = board();
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut events), Poll::Pending);
    assert_eq!(parent.take_wakes(), 0);
    let job = board.add_job("a: ");
    assert_eq!(parent.take_wakes(), 1);
    job.tick();
    board.println("x");
    assert_eq!(parent.take_wakes(), 0);
    assert_eq!(parent.drain(&mut events).len(), 3);
}

#[test]
fn every_kind_of_message_wakes() {
    type Say = fn(&active_status::Board, &active_status::Job);
    let table: [(Say, usize); 8] = [
        (|board, _| board.println("x"), 1),
        (|board, _| drop(board.add_job("b: ")), 1),
        (|board, _| board.close(), 1),
        (|_, job| job.tick(), 1),
        (|_, job| job.set_text("x"), 1),
        (|_, job| job.set_position(3), 1),
        (|_, job| job.finish(), 1),
        (|_, job| _ = job.is_ended(), 0),
    ];
    for (number, (say, wakes)) in table.into_iter().enumerate() {
        let (board, mut events) = board();
        let job = board.add_job("a: ");
        let parent = Parent::new();
        assert_eq!(parent.drain(&mut events).len(), 1);
        say(&board, &job);
        assert_eq!(parent.take_wakes(), wakes, "row {number}");
    }
}

#[test]
fn the_last_handle_wakes() {
    let (board, mut events) = board();
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut events), Poll::Pending);
    drop(board);
    assert_eq!(parent.take_wakes(), 1);
}

#[test]
fn a_reader_that_moved_is_woken_where_it_is() {
    let (board, mut events) = board();
    let (old, new) = (Parent::new(), Parent::new());
    assert_eq!(old.poll(&mut events), Poll::Pending);
    assert_eq!(new.poll(&mut events), Poll::Pending);
    board.println("x");
    assert_eq!((old.take_wakes(), new.take_wakes()), (0, 1));
    assert_eq!(old.held(), 0);
}

// Rules 3, 21
#[test]
fn the_stream_ends_after_the_close_and_stays_so() {
    let (board, mut events) = board();
    board.println("x");
    drop(board);
    let parent = Parent::new();
    assert!(matches!(parent.poll(&mut events), Poll::Ready(Some(Event::Line { .. }))));
    assert!(!events.is_terminated());
    assert!(matches!(parent.poll(&mut events), Poll::Ready(Some(Event::Closed { .. }))));
    assert!(events.is_terminated());
    assert_eq!(parent.poll(&mut events), Poll::Ready(None));
    assert_eq!(parent.poll(&mut events), Poll::Ready(None));
}

#[test]
fn a_blocked_reader_is_woken_from_another_thread() {
    let (board, mut events) = board();
    let reader = thread::spawn(move || {
        std::iter::from_fn(|| events.recv_blocking()).map(|event| tell(&event)).collect()
    });
    let job = board.add_job("a: ");
    job.finish();
    drop((board, job));
    let told: Vec<String> = reader.join().unwrap();
    assert_eq!(told, ["1 added: a: ", "1 finished", "closed"]);
}

// Rule 2
#[test]
fn readiness_takes_nothing() {
    let (board, mut events) = board();
    assert_eq!(events.ready().now_or_never(), None);
    let job = board.add_job("a: ");
    assert_eq!(events.ready().now_or_never(), Some(true));
    job.tick();
    assert_eq!(events.ready().now_or_never(), Some(true));
    job.tick();
    assert_eq!(told(&mut events), ["1 added: a: ", "1: 2"]);
    assert_eq!(events.ready().now_or_never(), None);
}

#[test]
fn readiness_ends_with_the_events() {
    let (board, mut events) = board();
    drop(board);
    assert_eq!(events.ready().now_or_never(), Some(true));
    assert_eq!(told(&mut events), ["closed"]);
    assert_eq!(events.ready().now_or_never(), Some(false));
}

#[test]
fn waiting_for_readiness_is_woken() {
    let (board, mut events) = board();
    let parent = Parent::new();
    let mut ready = Box::pin(futures::stream::once(events.ready()));
    assert_eq!(parent.poll(&mut ready), Poll::Pending);
    board.println("x");
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.poll(&mut ready), Poll::Ready(Some(true)));
}

// Rule 2
#[test]
fn a_drain_ends_though_a_worker_goes_on() {
    let (board, mut events) = board();
    let job = board.add_job("a: ");
    job.tick();
    let mut taken = 0;
    for event in events.drain() {
        job.tick();
        board.println(tell(&event));
        taken += 1;
    }
    assert_eq!(taken, 2);
    assert_eq!(told(&mut events), ["| 1 added: a: ", "1: 3", "| 1: 2"]);
}

#[test]
fn the_stream_leaves_others_their_turn_though_a_worker_goes_on() {
    let (board, mut events) = board();
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut events), Poll::Pending);
    board.println("one");
    board.println("two");
    parent.take_wakes();
    for turn in [2, 2, 2] {
        for _ in 0..turn {
            assert!(matches!(parent.poll(&mut events), Poll::Ready(Some(Event::Line { .. }))));
            board.println("another");
        }
        assert_eq!(parent.poll(&mut events), Poll::Pending);
        assert_eq!(parent.take_wakes(), 1);
    }
    assert_eq!(parent.items(&mut events, 2).len(), 2);
    assert_eq!(parent.poll(&mut events), Poll::Pending);
    assert_eq!(parent.take_wakes(), 0);
}

#[test]
fn all_that_was_said_before_the_close_comes_in_one_turn() {
    let (board, mut events) = board();
    let parent = Parent::new();
    board.println("one");
    assert!(parent.poll(&mut events).is_ready());
    board.println("two");
    board.println("three");
    board.close();
    let rest = [(); 4].map(|()| parent.poll(&mut events));
    assert_eq!(rest.iter().filter(|polled| polled.is_pending()).count(), 0, "{rest:?}");
}

/// A board on which two jobs always have news: to read that of one ticks the
/// other. It ends after a thousand, so that a test that reads on fails.
fn always_news() -> (Vec<Job>, Events) {
    let jobs = Arc::new(OnceLock::<[Job; 2]>::new());
    let (clock, looks) = (Arc::clone(&jobs), AtomicUsize::new(0));
    let (board, events) = board_with_clock(move || {
        if looks.fetch_add(1, Ordering::Relaxed) < 1_000 {
            clock.get().into_iter().flatten().for_each(Job::tick);
        }
        Duration::ZERO
    });
    let both = [board.add_job("a: "), board.add_job("b: ")];
    jobs.set(both.clone()).expect("only once");
    both[0].tick();
    (both.into(), events)
}

#[test]
fn forwarding_leaves_others_their_turn_though_workers_go_on() {
    let (_jobs, events) = always_news();
    let (sink, mine) = async_channel::unbounded();
    let mut forward = events.forward(sink);
    for _ in 0..10 {
        assert_eq!((&mut forward).now_or_never(), None);
        let turn = std::iter::from_fn(|| mine.try_recv().ok()).count();
        assert!((1..10).contains(&turn), "{turn} events in a turn");
    }
}

#[test]
fn a_dropped_drain_leaves_the_rest() {
    let (board, mut events) = board();
    let job = board.add_job("a: ");
    job.tick();
    job.finish();
    assert_eq!(events.drain().next().map(|event| tell(&event)).unwrap(), "1 added: a: ");
    assert_eq!(told(&mut events), ["1: 1", "1 finished"]);
}

/// A timer by hand: how long each rest is to be, and which are over.
#[derive(Clone, Default)]
struct Timer(Arc<Mutex<Rests>>);

#[derive(Default)]
struct Rests {
    begun: Vec<Duration>,
    over: usize,
}

impl Timer {
    fn sleep(&self) -> impl FnMut(Duration) -> Pin<Box<dyn Future<Output = ()>>> + use<> {
        let timer = self.clone();
        move |time| {
            let number = {
                let mut rests = timer.0.lock().unwrap();
                rests.begun.push(time);
                rests.begun.len()
            };
            let timer = timer.clone();
            let over = move |_: &mut Context<'_>| match timer.0.lock().unwrap().over >= number {
                true => Poll::Ready(()),
                false => Poll::Pending,
            };
            Box::pin(poll_fn(over))
        }
    }

    fn rests(&self) -> usize {
        self.0.lock().unwrap().begun.len()
    }

    /// Ends the rest that goes on.
    fn fire(&self) {
        let mut rests = self.0.lock().unwrap();
        rests.over = rests.begun.len();
    }
}

// Rule 2
#[test]
fn a_sampled_stream_looks_at_once_and_then_rests() {
    let (board, events) = board();
    let timer = Timer::default();
    let parent = Parent::new();
    let mut events = Box::pin(events.sampled(Duration::from_millis(100), timer.sleep()));
    assert_eq!(parent.poll(&mut events), Poll::Pending);
    assert_eq!(timer.rests(), 0);

    let job = board.add_job("a: ");
    job.tick();
    assert_eq!(parent.take_wakes(), 1);
    let told = |events: Vec<Event>| events.iter().map(tell).collect::<Vec<_>>();
    assert_eq!(told(parent.drain(&mut events)), ["1 added: a: ", "1: 1"]);
    assert_eq!(timer.0.lock().unwrap().begun, [Duration::from_millis(100)]);

    job.tick();
    job.tick();
    assert_eq!(parent.poll(&mut events), Poll::Pending);
    assert_eq!(parent.take_wakes(), 0);
    timer.fire();
    assert_eq!(told(parent.drain(&mut events)), ["1: 3"]);
}

#[test]
fn a_sampled_stream_does_not_rest_while_there_is_nothing() {
    let (board, events) = board();
    let timer = Timer::default();
    let parent = Parent::new();
    let mut events = Box::pin(events.sampled(Duration::from_millis(100), timer.sleep()));
    board.println("x");
    assert_eq!(parent.drain(&mut events).len(), 1);
    timer.fire();
    assert_eq!(parent.poll(&mut events), Poll::Pending);
    assert_eq!(timer.rests(), 1);
    board.println("x");
    assert_eq!(parent.take_wakes(), 1);
}

#[test]
fn a_sampled_stream_rests_though_a_worker_goes_on() {
    let (board, events) = board();
    let timer = Timer::default();
    let parent = Parent::new();
    let mut events = Box::pin(events.sampled(Duration::from_millis(100), timer.sleep()));
    let job = board.add_job("a: ");
    let mut taken = 0;
    while let Poll::Ready(Some(_)) = parent.poll(&mut events) {
        job.tick();
        taken += 1;
    }
    assert_eq!((taken, timer.rests()), (1, 1));
}

#[test]
fn a_sampled_stream_ends_without_a_rest() {
    let (board, events) = board();
    let timer = Timer::default();
    let parent = Parent::new();
    let mut events = Box::pin(events.sampled(Duration::from_millis(100), timer.sleep()));
    let job = board.add_job("a: ");
    job.tick();
    job.finish();
    drop((board, job));
    assert_eq!(parent.items(&mut events, 4).len(), 4);
    assert!(events.is_terminated());
    assert_eq!(parent.poll(&mut events), Poll::Ready(None));
    assert_eq!(timer.rests(), 0);
}

#[test]
fn forwarded_events_merge_while_the_channel_is_full() {
    let (board, events) = board();
    let (sink, mine) = async_channel::bounded(1);
    let mut forward = events.forward(sink);
    let job = board.add_job("a: ");
    assert_eq!((&mut forward).now_or_never(), None);
    board.println("next");
    assert_eq!((&mut forward).now_or_never(), None);
    (0..10).for_each(|_| job.tick());
    job.finish();
    drop((board, job));
    let mut told = Vec::new();
    while (&mut forward).now_or_never().is_none() {
        told.push(tell(&mine.try_recv().unwrap()));
    }
    told.extend(mine.try_recv().map(|event| tell(&event)));
    assert_eq!(told, ["1 added: a: ", "| next", "1: 10", "1 finished", "closed"]);
    assert!(mine.is_closed());
}

// Rule 3
#[test]
fn forwarding_ends_with_its_receiver() {
    let (board, events) = board();
    let (sink, mine) = async_channel::unbounded();
    let mut forward = events.forward(sink);
    drop(mine);
    board.println("nobody listens");
    assert_eq!((&mut forward).now_or_never(), Some(()));
}

// Rule 3
#[test]
fn events_of_a_thread_arrive_on_an_executor() {
    let (board, events) = board();
    let worker = thread::spawn(move || {
        let job = board.add_job("a: ");
        (0..10_000).for_each(|_| job.tick());
        job.finish();
    });
    let told: Vec<Event> = smol::block_on(events.collect());
    worker.join().unwrap();
    let last: Vec<String> = told[told.len() - 3..].iter().map(tell).collect();
    assert_eq!(last, ["1: 10000", "1 finished", "closed"]);
}
