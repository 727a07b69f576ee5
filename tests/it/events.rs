//! Streams of events, and the ways of reading them.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use active_status::testing::VirtualClock;
use active_status::{Event, Events, Job, board, board_with_clock};
use futures::future::poll_fn;
use futures::stream::FusedStream;
use futures::{FutureExt, StreamExt};

use crate::harness::millis;
use crate::snapshot::{describe, snapshot};
use crate::support::Parent;

#[test]
fn a_waiting_reader_is_woken_once() {
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
fn dropping_the_last_handle_wakes() {
    let (board, mut events) = board();
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut events), Poll::Pending);
    drop(board);
    assert_eq!(parent.take_wakes(), 1);
}

#[test]
fn only_the_latest_waker_of_a_reader_is_woken() {
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
fn the_stream_is_fused_after_the_close() {
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
        std::iter::from_fn(|| events.recv_blocking()).map(|event| describe(&event)).collect()
    });
    let job = board.add_job("a: ");
    job.finish();
    drop((board, job));
    let events: Vec<String> = reader.join().unwrap();
    assert_eq!(events, ["1 added: a: ", "1 finished", "closed"]);
}

// Rule 3
#[test]
fn changes_and_lines_have_the_time_of_the_read() {
    let clock = VirtualClock::new();
    let (board, mut events) = clock.board();
    let job = board.add_job("a: ");
    job.set_text("b");
    board.println("c");
    clock.set(millis(5));
    let times: Vec<_> = events.drain().map(|event| (event.at(), event.job())).collect();
    let id = Some(job.id());
    assert_eq!(times, [(millis(0), id), (millis(5), id), (millis(5), None)]);
}

// Rule 2
#[test]
fn ready_takes_no_event() {
    let (board, mut events) = board();
    assert_eq!(events.ready().now_or_never(), None);
    let job = board.add_job("a: ");
    assert_eq!(events.ready().now_or_never(), Some(true));
    job.tick();
    assert_eq!(events.ready().now_or_never(), Some(true));
    job.tick();
    assert_eq!(snapshot(&mut events), ["1 added: a: ", "1: 2"]);
    assert_eq!(events.ready().now_or_never(), None);
}

#[test]
fn ready_is_false_after_the_end() {
    let (board, mut events) = board();
    drop(board);
    assert_eq!(events.ready().now_or_never(), Some(true));
    assert_eq!(snapshot(&mut events), ["closed"]);
    assert_eq!(events.ready().now_or_never(), Some(false));
}

#[test]
fn a_reader_that_waits_for_ready_is_woken() {
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
fn a_drain_ends_while_a_worker_ticks() {
    let (board, mut events) = board();
    let job = board.add_job("a: ");
    job.tick();
    let mut taken = 0;
    for event in events.drain() {
        job.tick();
        board.println(describe(&event));
        taken += 1;
    }
    assert_eq!(taken, 2);
    assert_eq!(snapshot(&mut events), ["| 1 added: a: ", "1: 3", "| 1: 2"]);
}

#[test]
fn the_stream_yields_to_the_executor_under_load() {
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
fn events_before_the_close_come_without_a_pending() {
    let (board, mut events) = board();
    let parent = Parent::new();
    board.println("one");
    assert!(parent.poll(&mut events).is_ready());
    board.println("two");
    board.println("three");
    board.close();
    let wait = [(); 4].map(|()| parent.poll(&mut events));
    assert_eq!(wait.iter().filter(|polled| polled.is_pending()).count(), 0, "{wait:?}");
}

/// Creates a board on which two jobs always have a pending update: reading the update of
/// one ticks the other. This stops after a thousand reads, so that a test that would
/// never end fails.
fn always_pending() -> (Vec<Job>, Events) {
    let jobs = Arc::new(OnceLock::<[Job; 2]>::new());
    let (clock, reads) = (Arc::clone(&jobs), AtomicUsize::new(0));
    let (board, events) = board_with_clock(move || {
        if reads.fetch_add(1, Ordering::Relaxed) < 1_000 {
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
fn forward_yields_to_the_executor_under_load() {
    let (_jobs, events) = always_pending();
    let (sink, received) = async_channel::unbounded();
    let mut forward = events.forward(sink);
    for _ in 0..10 {
        assert_eq!((&mut forward).now_or_never(), None);
        let turn = std::iter::from_fn(|| received.try_recv().ok()).count();
        assert!((1..10).contains(&turn), "{turn} events in a turn");
    }
}

#[test]
fn a_dropped_drain_leaves_the_rest() {
    let (board, mut events) = board();
    let job = board.add_job("a: ");
    job.tick();
    job.finish();
    assert_eq!(events.drain().next().map(|event| describe(&event)).unwrap(), "1 added: a: ");
    assert_eq!(snapshot(&mut events), ["1: 1", "1 finished"]);
}

/// A timer that is fired by hand. It records the length of each wait, and how many have
/// ended.
#[derive(Clone, Default)]
struct Timer(Arc<Mutex<Waits>>);

#[derive(Default)]
struct Waits {
    begun: Vec<Duration>,
    over: usize,
}

impl Timer {
    fn sleep(&self) -> impl FnMut(Duration) -> Pin<Box<dyn Future<Output = ()>>> + use<> {
        let timer = self.clone();
        move |time| {
            let number = {
                let mut waits = timer.0.lock().unwrap();
                waits.begun.push(time);
                waits.begun.len()
            };
            let timer = timer.clone();
            let over = move |_: &mut Context<'_>| match timer.0.lock().unwrap().over >= number {
                true => Poll::Ready(()),
                false => Poll::Pending,
            };
            Box::pin(poll_fn(over))
        }
    }

    fn waits(&self) -> usize {
        self.0.lock().unwrap().begun.len()
    }

    /// Ends all waits that have begun.
    fn fire(&self) {
        let mut waits = self.0.lock().unwrap();
        waits.over = waits.begun.len();
    }
}

// Rule 2
#[test]
fn a_sampled_stream_reads_at_once_and_then_waits() {
    let (board, events) = board();
    let timer = Timer::default();
    let parent = Parent::new();
    let mut events = Box::pin(events.sampled(Duration::from_millis(100), timer.sleep()));
    assert_eq!(parent.poll(&mut events), Poll::Pending);
    assert_eq!(timer.waits(), 0);

    let job = board.add_job("a: ");
    job.tick();
    assert_eq!(parent.take_wakes(), 1);
    let describe_all = |events: Vec<Event>| events.iter().map(describe).collect::<Vec<_>>();
    assert_eq!(describe_all(parent.drain(&mut events)), ["1 added: a: ", "1: 1"]);
    assert_eq!(timer.0.lock().unwrap().begun, [Duration::from_millis(100)]);

    job.tick();
    job.tick();
    assert_eq!(parent.poll(&mut events), Poll::Pending);
    assert_eq!(parent.take_wakes(), 0);
    timer.fire();
    assert_eq!(describe_all(parent.drain(&mut events)), ["1: 3"]);
}

#[test]
fn a_sampled_stream_sets_no_timer_while_idle() {
    let (board, events) = board();
    let timer = Timer::default();
    let parent = Parent::new();
    let mut events = Box::pin(events.sampled(Duration::from_millis(100), timer.sleep()));
    board.println("x");
    assert_eq!(parent.drain(&mut events).len(), 1);
    timer.fire();
    assert_eq!(parent.poll(&mut events), Poll::Pending);
    assert_eq!(timer.waits(), 1);
    board.println("x");
    assert_eq!(parent.take_wakes(), 1);
}

#[test]
fn a_sampled_stream_waits_while_a_worker_ticks() {
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
    assert_eq!((taken, timer.waits()), (1, 1));
}

#[test]
fn a_sampled_stream_ends_without_a_timer() {
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
    assert_eq!(timer.waits(), 0);
}

#[test]
fn updates_merge_while_the_channel_is_full() {
    let (board, events) = board();
    let (sink, received) = async_channel::bounded(1);
    let mut forward = events.forward(sink);
    let job = board.add_job("a: ");
    assert_eq!((&mut forward).now_or_never(), None);
    board.println("next");
    assert_eq!((&mut forward).now_or_never(), None);
    (0..10).for_each(|_| job.tick());
    job.finish();
    drop((board, job));
    let mut snapshot = Vec::new();
    while (&mut forward).now_or_never().is_none() {
        snapshot.push(describe(&received.try_recv().unwrap()));
    }
    snapshot.extend(received.try_recv().map(|event| describe(&event)));
    assert_eq!(snapshot, ["1 added: a: ", "| next", "1: 10", "1 finished", "closed"]);
    assert!(received.is_closed());
}

// Rule 3
#[test]
fn forward_ends_when_its_receiver_is_dropped() {
    let (board, events) = board();
    let (sink, received) = async_channel::unbounded();
    let mut forward = events.forward(sink);
    drop(received);
    board.println("unread");
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
    let events: Vec<Event> = smol::block_on(events.collect());
    worker.join().unwrap();
    let last: Vec<String> = events[events.len() - 3..].iter().map(describe).collect();
    assert_eq!(last, ["1: 10000", "1 finished", "closed"]);
}
