//! Models of a pool whose handles are used on another thread.
//! `../wake/models.rs` explains how they are run. A lost wake fails as a deadlock.
//!
//! Each of these bugs was seeded, and fails a model. The model in the table is one of those
//! that fail.
//!
//! | bug | model |
//! |---|---|
//! | an order does not wake the pool | `a_pause_beside_a_resume_…` |
//! | the waker is stored in another lock than the check for orders | `a_worker_is_resumed_…` |
//! | no check after a task began to wait for a stop | `a_task_that_begins_to_wait_…` |
//! | a stop wakes no task | `a_task_that_begins_to_wait_…` |
//! | a resume leaves no order for a worker that is held | `a_worker_is_resumed_…` |
//! | a worker is held without a check under the lock | `a_worker_is_resumed_…` |
//! | the last handle does not wake the pool | `the_last_handle_…` |
//! | the end of the last worker does not wake the pool | `a_worker_is_gone_…` |
//! | the end is decided, but not recorded | `a_worker_is_promised_…` |
//! | the drop of the pool forgets workers, or does not refuse new ones | `a_worker_is_gone_…` |

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use loom::future::block_on;
use loom::model::Builder;
use loom::thread;

use crate::pool::dynamic::{Pool, PoolHandle, Worker, WorkerState};

/// Runs a model under every interleaving with at most three preemptions.
fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(run);
}

/// Yields the given number of items, then waits until its worker is asked to stop.
struct Items {
    left: usize,
    stopped: crate::pool::Stopped,
}

impl Stream for Items {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        if self.left > 0 {
            self.left -= 1;
            return Poll::Ready(Some(self.left));
        }
        Pin::new(&mut self.stopped).poll(cx).map(|()| None)
    }
}

/// Returns a pool whose workers yield the given number of items, with its handle.
fn pool(workers: usize, items: usize) -> (Pool<Items, impl FnMut(Worker) -> Items>, PoolHandle) {
    let constructor = move |worker: Worker| Items { left: items, stopped: worker.stopped() };
    let pool = Pool::with_workers(workers, constructor);
    let handle = pool.handle();
    (pool, handle)
}

/// Waits for the next item.
fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    block_on(std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)))
}

/// Polls once, without a task to wake.
fn poll<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn an_added_worker_is_built_by_a_pool_that_parks() {
    model(|| {
        let (pool, handle) = pool(0, 1);
        let mut pool = pool.stay_open();
        let thread = thread::spawn(move || (handle.add(), handle));
        assert_eq!(next(&mut pool), Some(0));
        thread.join().unwrap();
    });
}

#[test]
fn a_worker_is_promised_and_built_or_refused() {
    model(|| {
        let (mut pool, handle) = pool(0, 1);
        let thread = thread::spawn(move || handle.add());
        let first = next(&mut pool);
        let added = thread.join().unwrap();
        match (first, added) {
            (None, None) => {}
            (Some(0), Some(worker)) => assert_eq!(worker.items(), 1),
            end => panic!("{end:?}"),
        }
    });
}

#[test]
fn a_stop_reaches_a_worker_that_begins_to_wait_for_it() {
    model(|| {
        let (mut pool, handle) = pool(1, 0);
        let thread = thread::spawn(move || handle.stop());
        assert_eq!(next(&mut pool), None);
        thread.join().unwrap();
    });
}

#[test]
fn a_task_that_begins_to_wait_for_a_stop_is_woken() {
    model(|| {
        let (pool, handle) = pool(1, 0);
        let worker = handle.workers().remove(0);
        let waits = thread::spawn(move || block_on(worker.stopped()));
        handle.stop();
        waits.join().unwrap();
        drop(pool);
    });
}

#[test]
fn a_worker_is_resumed_while_it_is_held() {
    model(|| {
        let (mut pool, handle) = pool(1, 1);
        let worker = handle.workers().remove(0);
        worker.pause();
        let thread = thread::spawn(move || worker.resume());
        assert_eq!(next(&mut pool), Some(0));
        thread.join().unwrap();
        assert_eq!(handle.workers()[0].state(), WorkerState::Running);
    });
}

#[test]
fn a_pause_beside_a_resume_leaves_no_worker_held() {
    model(|| {
        let (mut pool, handle) = pool(1, 2);
        let worker = handle.workers().remove(0);
        let thread = thread::spawn(move || {
            worker.pause();
            worker.resume();
        });
        assert_eq!([next(&mut pool), next(&mut pool)], [Some(1), Some(0)]);
        thread.join().unwrap();
    });
}

#[test]
fn an_aborted_worker_ends_a_pool_that_parks() {
    model(|| {
        let (mut pool, handle) = pool(1, 0);
        let thread = thread::spawn(move || handle.workers().iter().for_each(Worker::abort));
        assert_eq!(next(&mut pool), None);
        thread.join().unwrap();
    });
}

#[test]
fn the_last_handle_ends_an_open_pool_that_parks() {
    model(|| {
        let (pool, handle) = pool(0, 0);
        let mut pool = pool.stay_open();
        let thread = thread::spawn(move || drop(handle));
        assert_eq!(next(&mut pool), None);
        thread.join().unwrap();
    });
}

#[test]
fn a_worker_is_gone_when_the_pool_is_dropped_beside_an_order() {
    model(|| {
        let (mut pool, handle) = pool(1, 0);
        assert!(poll(&mut pool).is_pending());
        let [first, other] = [handle.workers().remove(0), handle.workers().remove(0)];
        let thread = thread::spawn(move || {
            other.stop();
            handle.add()
        });
        drop(pool);
        let added = thread.join().unwrap();
        assert_eq!(first.state(), WorkerState::Gone);
        assert!(added.is_none_or(|worker| worker.state() == WorkerState::Gone));
    });
}
