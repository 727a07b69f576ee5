//! The ends of workers as items.

use std::panic::panic_any;
use std::rc::Rc;
use std::task::Poll;

use active_status::workers::{Panic, WorkerEvent, with_events};
use active_status::{Merge, WorkerId, run_workers};
use futures::stream::FusedStream;
use futures::{Stream, StreamExt, stream};

use crate::support::{Parent, Step, child, panic_of};

/// The events of one worker, as text.
fn events_of<S: Stream<Item = usize>>(worker: S) -> Vec<String> {
    let mut worker = Some(worker);
    let mut pool = run_workers(1, with_events(|_| worker.take().unwrap()));
    let text = |(id, event): (WorkerId, WorkerEvent<usize>)| format!("{id}: {event:?}");
    Parent::new().drain(&mut pool).into_iter().map(text).collect()
}

// The end.

#[test]
fn a_worker_yields_its_items_and_one_end() {
    let (worker, _) = child(7, &[Step::Item, Step::WakeIdle, Step::Item, Step::End]);
    assert_eq!(events_of(worker), ["1: Item(7)", "1: Item(7)", "1: Ended"]);
}

#[test]
fn a_worker_that_panics_yields_the_panic_last() {
    let (worker, _) = child(7, &[Step::Item, Step::Panic]);
    assert_eq!(events_of(worker), ["1: Item(7)", "1: Panicked(Panic(\"poll\"))"]);
}

#[test]
fn the_other_workers_go_on_after_a_panic() {
    let mut pool = run_workers(
        3,
        with_events(|id: WorkerId| {
            stream::iter(0..3).inspect(move |&n| assert!(id.get() != 2 || n != 1, "poison"))
        }),
    );
    let events = Parent::new().drain(&mut pool);
    let ends = |id: usize| {
        events.iter().filter(move |(worker, event)| {
            worker.get() == id && !matches!(event, WorkerEvent::Item(_))
        })
    };
    assert!(matches!(ends(1).collect::<Vec<_>>()[..], [(_, WorkerEvent::Ended)]));
    assert!(matches!(ends(2).collect::<Vec<_>>()[..], [(_, WorkerEvent::Panicked(_))]));
    assert_eq!(events.into_iter().filter_map(|(_, event)| event.into_item()).count(), 7);
}

#[test]
fn a_worker_is_dropped_before_its_end_is_yielded() {
    for last in [Step::End, Step::Panic] {
        let (worker, handle) = child(0, &[Step::Item, last]);
        let mut worker = Some(worker);
        let mut wrapped = with_events(|_| worker.take().unwrap())(WorkerId::new(1).unwrap());
        let parent = Parent::new();
        assert!(parent.poll(&mut wrapped).is_ready());
        assert_eq!(handle.drops(), 0);
        assert!(matches!(parent.poll(&mut wrapped), Poll::Ready(Some(_))));
        assert_eq!(handle.drops(), 1);
        assert!(wrapped.is_terminated());
        assert!(matches!(parent.poll(&mut wrapped), Poll::Ready(None)));
    }
}

#[test]
fn any_clonable_value_may_stand_for_a_worker() {
    let mut wrap = with_events(|name: &str| stream::iter([name.len()]));
    let mut pool: Merge<_> = ["a", "bcd"].into_iter().map(&mut wrap).collect();
    let items = Parent::new().drain(&mut pool);
    let items: Vec<_> =
        items.into_iter().filter_map(|(name, event)| Some((name, event.into_item()?))).collect();
    assert_eq!(items, [("a", 1), ("bcd", 3)]);
}

#[test]
fn the_size_hint_counts_the_end() {
    let mut wrapped = with_events(|()| stream::iter([1, 2]))(());
    assert_eq!(wrapped.size_hint(), (1, Some(3)));
    assert_eq!(Parent::new().drain(&mut wrapped).len(), 3);
    assert_eq!(wrapped.size_hint(), (0, Some(0)));
}

// Drops that panic.

#[test]
fn a_drop_that_panics_after_an_end_is_a_panic() {
    let (worker, _) = child(0, &[Step::End]);
    assert_eq!(events_of(worker.panics_on_drop()), ["1: Panicked(Panic(\"drop\"))"]);
}

#[test]
fn after_a_panic_the_panic_of_the_drop_does_not_count() {
    let (worker, _) = child(0, &[Step::Panic]);
    assert_eq!(events_of(worker.panics_on_drop()), ["1: Panicked(Panic(\"poll\"))"]);
}

// Panics.

#[test]
fn without_events_a_panic_goes_to_the_caller() {
    let (panics, _) = child(0, &[Step::Panic]);
    let (goes_on, _) = child(1, &[Step::Item, Step::End]);
    let mut pool: Merge<_> = [panics, goes_on].into_iter().collect();
    let parent = Parent::new();
    assert_eq!(panic_of(|| parent.poll(&mut pool)), "poll");
    assert_eq!(parent.drain(&mut pool), [1]);
}

fn panic_with(payload: impl std::any::Any + Send) -> Panic {
    let mut payload = Some(payload);
    let worker = stream::poll_fn(|_| -> Poll<Option<()>> { panic_any(payload.take().unwrap()) });
    let mut worker = Some(worker);
    let mut wrapped = with_events(|()| worker.take().unwrap())(());
    match Parent::new().drain(&mut wrapped).pop() {
        Some(((), WorkerEvent::Panicked(panic))) => panic,
        event => panic!("no panic: {event:?}"),
    }
}

#[test]
fn a_panic_has_a_message() {
    assert_eq!(panic_with("text").message(), "text");
    assert_eq!(panic_with(String::from("owned")).to_string(), "owned");
    assert_eq!(panic_with(7).message(), "a panic without a message");
}

#[test]
fn a_panic_can_be_taken_apart_and_resumed() {
    assert_eq!(panic_with(7_u32).into_inner().downcast_ref::<u32>(), Some(&7));
    assert_eq!(panic_of(|| panic_with("again").resume()), "again");
}

#[test]
fn a_worker_need_not_be_unpin_or_send() {
    let mut pool = run_workers(
        1,
        with_events(|_| {
            stream::unfold(Rc::new(0), async |n| (*n < 2).then(|| (*n, Rc::new(*n + 1))))
        }),
    );
    assert_eq!(Parent::new().drain(&mut pool).len(), 3);
}
