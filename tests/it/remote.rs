//! Workers that run in separate tasks.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll};

use active_status::workers::{Driver, Remote, WorkerEvent, remote, with_events};
use active_status::{Merge, WorkQueue, run_workers};
use futures::stream::FusedStream;
use futures::{Future, FutureExt, Stream, StreamExt, stream};

use crate::support::{Parent, Step, child, panic_of, within_a_minute};

/// One poll of a driver.
fn drive<S: Stream + Unpin>(parent: &Parent, driver: &mut Driver<S>) -> Poll<()> {
    driver.poll_unpin(&mut Context::from_waker(parent.waker()))
}

#[test]
fn a_driver_is_at_most_one_item_further_than_ahead() {
    for ahead in [0, 1, 5] {
        let (worker, handle) = child(0, &[Step::Item]);
        let (mut driver, mut items) = remote(worker, ahead);
        let (driving, reading) = (Parent::new(), Parent::new());
        assert!(drive(&driving, &mut driver).is_pending());
        assert_eq!(handle.polls(), ahead + 1);
        assert_eq!(driving.take_wakes(), 0);
        assert_eq!(reading.poll(&mut items), Poll::Ready(Some(0)));
        assert_eq!(driving.take_wakes(), 1, "an item that is taken makes room");
        assert!(drive(&driving, &mut driver).is_pending());
        assert_eq!(handle.polls(), ahead + 2);
    }
}

#[test]
fn a_reader_is_woken_by_an_item_and_by_the_end() {
    let (worker, handle) = child(3, &[Step::Idle, Step::Item, Step::End]);
    let (mut driver, mut items) = remote(worker, 4);
    let (driving, reading) = (Parent::new(), Parent::new());
    assert!(reading.poll(&mut items).is_pending());
    assert!(drive(&driving, &mut driver).is_pending());
    assert_eq!(reading.take_wakes(), 0);
    handle.wake();
    assert_eq!(driving.take_wakes(), 1);
    assert!(drive(&driving, &mut driver).is_ready());
    assert_eq!(reading.take_wakes(), 1);
    assert_eq!(reading.poll(&mut items), Poll::Ready(Some(3)));
    assert_eq!(reading.poll(&mut items), Poll::Ready(None));
    assert!(items.is_terminated());
    assert_eq!(handle.drops(), 1, "the worker is dropped before the stream ends");
}

#[test]
fn a_driver_with_room_yields_to_its_executor() {
    let (mut driver, items) = remote(stream::repeat(1), usize::MAX - 1);
    let driving = Parent::new();
    for polls in 1..4 {
        assert!(drive(&driving, &mut driver).is_pending());
        assert_eq!(driving.take_wakes(), 1);
        assert!(format!("{items:?}").contains(&format!("items: {}", 32 * polls)));
    }
}

#[test]
fn a_stream_that_is_dropped_ends_its_driver() {
    let (worker, handle) = child(0, &[Step::Idle]);
    let (mut driver, items) = remote(worker, 0);
    let driving = Parent::new();
    assert!(drive(&driving, &mut driver).is_pending());
    drop(items);
    assert_eq!(driving.take_wakes(), 1);
    assert!(drive(&driving, &mut driver).is_ready());
    assert_eq!(handle.drops(), 1);
}

#[test]
fn a_stream_that_is_dropped_ends_a_driver_that_waits_for_room() {
    let (worker, handle) = child(0, &[Step::Item]);
    let (mut driver, items) = remote(worker, 0);
    let driving = Parent::new();
    assert!(drive(&driving, &mut driver).is_pending());
    drop(items);
    assert_eq!(driving.take_wakes(), 1);
    assert!(drive(&driving, &mut driver).is_ready());
    assert_eq!((handle.polls(), handle.drops()), (1, 1));
}

#[test]
fn a_stream_that_is_dropped_in_a_pending_poll_ends_its_driver() {
    let items = Rc::new(RefCell::new(None));
    let dropped = Rc::clone(&items);
    let worker = stream::poll_fn(move |_| -> Poll<Option<u32>> {
        dropped.borrow_mut().take();
        Poll::Pending
    });
    let (mut driver, stream) = remote(worker, 0);
    *items.borrow_mut() = Some(stream);
    // Nothing wakes the driver afterwards.
    assert!(drive(&Parent::new(), &mut driver).is_ready());
    assert_eq!(Rc::strong_count(&items), 1);
}

#[test]
fn a_driver_that_is_dropped_ends_its_stream_after_what_is_computed() {
    let (worker, _) = child(0, &[Step::Item]);
    let (mut driver, mut items) = remote(worker, 1);
    assert!(drive(&Parent::new(), &mut driver).is_pending());
    drop(driver);
    assert_eq!(Parent::new().drain(&mut items), [0, 0]);
    assert_eq!(Parent::new().poll(&mut items), Poll::Ready(None));

    let (driver, mut items) = remote(stream::pending::<()>(), 1);
    let reading = Parent::new();
    assert!(reading.poll(&mut items).is_pending());
    drop(driver);
    assert_eq!(reading.take_wakes(), 1);
    assert_eq!(reading.poll(&mut items), Poll::Ready(None));
}

#[test]
fn a_panic_continues_in_the_stream() {
    let (worker, handle) = child(0, &[Step::Item, Step::Panic]);
    let (mut driver, items) = remote(worker.panics_on_drop(), 8);
    assert!(drive(&Parent::new(), &mut driver).is_ready());
    assert_eq!(handle.drops(), 1);
    let mut items = Some(items);
    let mut pool = run_workers(1, with_events(|_| items.take().unwrap()));
    let events = Parent::new().drain(&mut pool);
    let [(_, WorkerEvent::Item(0)), (_, WorkerEvent::Panicked(panic))] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(panic.message(), "poll");
}

#[test]
fn a_panic_in_the_drop_of_an_ended_worker_continues_in_the_stream() {
    let (worker, _) = child(0, &[Step::End]);
    let (mut driver, mut items) = remote(worker.panics_on_drop(), 8);
    assert!(drive(&Parent::new(), &mut driver).is_ready());
    assert_eq!(panic_of(|| Parent::new().poll(&mut items)), "drop");
    assert_eq!(Parent::new().poll(&mut items), Poll::Ready(None));
}

#[test]
fn an_item_that_waits_is_dropped_with_the_stream() {
    let token = Rc::new(Cell::new(0));
    let (mut driver, items) = remote(stream::repeat(token.clone()), 3);
    assert!(drive(&Parent::new(), &mut driver).is_pending());
    drop(items);
    assert!(drive(&Parent::new(), &mut driver).is_ready());
    assert_eq!(Rc::strong_count(&token), 1);
}

#[test]
fn a_driver_is_send_if_its_worker_and_items_are() {
    fn check<T: Send>(_: &T) {}
    let (driver, items) = remote(stream::iter([Cell::new(1)]), 1);
    check(&driver);
    check(&items);
}

#[test]
fn remote_workers_on_threads_share_a_queue() {
    let items = within_a_minute(|| {
        let queue = WorkQueue::new(stream::iter(0..2_000_u32));
        let mut threads = Vec::new();
        let pool: Merge<Remote<u32>> = (0..3)
            .map(|_| {
                let (driver, items) = remote(queue.tasks().map(|task| task.done()), 2);
                threads.push(std::thread::spawn(move || futures::executor::block_on(driver)));
                items
            })
            .collect();
        let mut items: Vec<u32> = futures::executor::block_on(pool.collect());
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        items.sort_unstable();
        items
    });
    assert_eq!(items, Vec::from_iter(0..2_000));
}

#[test]
fn a_pool_of_remote_workers_runs_on_tokio_and_smol() {
    fn pool(spawn: impl Fn(Driver<stream::Iter<std::ops::Range<u32>>>)) -> Merge<Remote<u32>> {
        run_workers(2, |id| {
            let from = 10 * id.get() as u32;
            let (driver, items) = remote(stream::iter(from..from + 5), 0);
            spawn(driver);
            items
        })
    }
    async fn sum(pool: impl Future<Output = Merge<Remote<u32>>>) -> u32 {
        pool.await.fold(0, |sum, n| async move { sum + n }).await
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let on_tokio = runtime.block_on(sum(async { pool(|driver| drop(tokio::spawn(driver))) }));
    let on_smol = smol::block_on(sum(async { pool(|driver| smol::spawn(driver).detach()) }));
    assert_eq!([on_tokio, on_smol], [170, 170]);
}
