//! Pools whose workers come and go: orders from anywhere, and when a pool ends.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use active_status::status::report_restarts;
use active_status::testing::{Screen, VirtualClock};
use active_status::workers::{
    Failure, Pool, PoolHandle, Stopped, Worker, WorkerEvent, WorkerState, supervise, try_supervise,
    until_stopped, with_events,
};
use active_status::{
    Board, Event, Events, Job, Outcome, StatusOptions, Theme, WorkQueue, board, run_workers,
};
use futures::stream::FusedStream;
use futures::{FutureExt, Stream, StreamExt, stream};

use crate::support::{Child, Handle, Parent, Step, child, panic_of, within_a_minute};

/// Yields the id of its worker for ever.
fn endless(worker: Worker) -> impl Stream<Item = usize> + Unpin {
    stream::repeat(worker.id().get())
}

/// Yields the id of its worker until it is asked to stop.
fn stoppable(worker: Worker) -> impl Stream<Item = usize> + Unpin {
    let items = stream::repeat(worker.id().get());
    items.take_until(worker.stopped())
}

/// A constructor of workers that follow these steps, and the handles of those it built.
type Built = Rc<RefCell<Vec<Handle>>>;

fn scripted(steps: &'static [Step]) -> (impl FnMut(Worker) -> Child, Built) {
    let built = Built::default();
    let handles = Rc::clone(&built);
    let constructor = move |worker: Worker| {
        let (child, handle) = child(worker.id().get(), steps);
        handles.borrow_mut().push(handle);
        child
    };
    (constructor, built)
}

fn ids(handle: &PoolHandle) -> Vec<usize> {
    handle.workers().iter().map(|worker| worker.id().get()).collect()
}

fn states(handle: &PoolHandle) -> Vec<WorkerState> {
    handle.workers().iter().map(Worker::state).collect()
}

/// Takes the given number of items, and returns the workers that yielded them, sorted.
fn set_of(parent: &Parent, pool: &mut (impl Stream<Item = usize> + Unpin), n: usize) -> Vec<usize> {
    let mut items = parent.items(pool, n);
    items.sort_unstable();
    items
}

#[track_caller]
fn assert_waits<S: Stream + Unpin>(parent: &Parent, pool: &mut S)
where
    S::Item: std::fmt::Debug,
{
    let items = parent.drain(pool);
    assert!(items.is_empty(), "{items:?}");
    assert!(parent.poll(pool).is_pending(), "the pool has ended");
}

// The pool itself.

#[test]
fn a_pool_yields_in_the_order_of_a_plain_merge() {
    let lengths = |id: usize| id % 4;
    let worker = |id: usize| stream::iter(0..lengths(id)).map(move |n| (id, n));
    let mut plain = run_workers(70, |id| worker(id.get()));
    let mut pool = Pool::with_workers(70, |id: Worker| worker(id.id().get()));
    let _handle = pool.handle();
    let parent = Parent::new();
    assert_eq!(parent.drain(&mut plain), parent.drain(&mut pool));
}

#[test]
fn the_constructor_is_called_at_once_for_the_first_workers() {
    let (constructor, built) = scripted(&[Step::Item]);
    let pool = Pool::with_workers(3, constructor);
    assert_eq!(built.borrow().len(), 3);
    assert_eq!(ids(&pool.handle()), [1, 2, 3]);
    drop(pool);
    assert!(built.borrow().iter().all(|handle| handle.polls() == 0 && handle.drops() == 1));
}

#[test]
fn a_pool_without_workers_ends_at_once() {
    let mut pool = Pool::new(endless);
    let handle = pool.handle();
    assert_eq!(Parent::new().poll(&mut pool), Poll::Ready(None));
    assert!(pool.is_terminated());
    assert!(handle.add().is_none(), "the end is final");
    assert!(handle.is_empty());
}

#[test]
fn a_worker_added_before_the_first_poll_keeps_the_pool() {
    let mut pool = Pool::new(endless);
    assert_eq!(pool.handle().add().unwrap().id().get(), 1);
    assert_eq!(Parent::new().items(&mut pool, 2), [1, 1]);
}

#[test]
fn a_pool_ends_with_its_last_worker() {
    let (constructor, _built) = scripted(&[Step::Item, Step::End]);
    let mut pool = Pool::with_workers(2, constructor);
    let handle = pool.handle();
    let parent = Parent::new();
    assert_eq!(parent.drain(&mut pool), [1, 2]);
    assert_eq!(parent.poll(&mut pool), Poll::Ready(None));
    assert!(handle.add().is_none());
    handle.resize(3);
    assert_eq!(handle.len(), 0);
    assert_eq!(parent.poll(&mut pool), Poll::Ready(None));
}

#[test]
fn a_worker_is_dropped_with_its_last_item_and_the_pool_ends() {
    let mut pool = Pool::with_workers(2, |worker: Worker| {
        active_status::once(async move { worker.id().get() })
    });
    let parent = Parent::new();
    assert_eq!(parent.drain(&mut pool), [1, 2]);
    assert!(pool.is_terminated());
}

#[test]
fn workers_and_constructors_need_not_be_send_or_unpin() {
    let count = Rc::new(Cell::new(0));
    let mut pool = Pool::with_workers(2, |_: Worker| {
        let count = Rc::clone(&count);
        stream::unfold(count, async |count| {
            count.set(count.get() + 1);
            (count.get() <= 4).then(|| (count.get(), count))
        })
    });
    assert_eq!(Parent::new().drain(&mut pool), [1, 2, 3, 4]);
}

#[test]
fn handles_are_send_and_sync_whatever_the_workers_are() {
    fn check<T: Send + Sync + 'static>(_: &T) {}
    let pool = Pool::with_workers(1, |_: Worker| stream::repeat(Rc::new(())));
    let handle = pool.handle();
    check(&handle);
    check(&handle.workers().remove(0));
    let stopped: Stopped = handle.workers()[0].stopped();
    check(&stopped);
}

// Orders.

#[test]
fn an_order_wakes_a_parked_pool() {
    let mut pool = Pool::with_workers(1, |_: Worker| stream::pending::<usize>());
    let handle = pool.handle();
    let parent = Parent::new();
    assert_waits(&parent, &mut pool);
    parent.take_wakes();
    handle.add().unwrap();
    assert_eq!(parent.take_wakes(), 1);
    assert_waits(&parent, &mut pool);
    handle.workers()[0].abort();
    assert_eq!(parent.take_wakes(), 1);
    assert_waits(&parent, &mut pool);
    assert_eq!(ids(&handle), [2]);
    handle.stop();
    assert!(parent.take_wakes() > 0);
}

#[test]
fn an_added_worker_among_100_busy_ones_waits_for_166_items_at_most() {
    for offset in 0..100 {
        let mut pool = Pool::with_workers(100, endless);
        let handle = pool.handle();
        let parent = Parent::new();
        parent.items(&mut pool, 300 + offset);
        handle.add().unwrap();
        let items = parent.items(&mut pool, 300);
        let waited = items.iter().position(|&id| id == 101).unwrap();
        assert!(waited <= 166, "{waited} items of others came first");
    }
}

#[test]
fn an_added_worker_waits_three_rounds_even_if_the_merge_grows() {
    let mut pool = Pool::with_workers(1, endless);
    let handle = pool.handle();
    let parent = Parent::new();
    for count in 1..200 {
        parent.items(&mut pool, count % 7);
        let added = handle.add().unwrap().id().get();
        let items = parent.items(&mut pool, 3 * count + 1);
        assert!(items.contains(&added), "worker {added} waits");
    }
}

#[test]
fn an_aborted_worker_yields_nothing_after_its_last_item() {
    for offset in 0..100 {
        let (constructor, built) = scripted(&[Step::Item]);
        let mut pool = Pool::with_workers(100, constructor);
        let parent = Parent::new();
        parent.items(&mut pool, 300 + offset);
        let aborted = pool.handle().workers().remove(40);
        aborted.abort();
        assert!(!parent.items(&mut pool, 200).contains(&41));
        assert_eq!((built.borrow()[40].drops(), aborted.state()), (1, WorkerState::Gone));
    }
}

#[test]
fn handles_do_not_change_the_order_of_items() {
    let run = |meddle: bool| {
        let mut pool = Pool::with_workers(10, |worker: Worker| {
            let id = worker.id().get();
            stream::iter(0..20).map(move |n| (id, n))
        });
        let handle = pool.handle();
        let parent = Parent::new();
        let mut items = Vec::new();
        while let Poll::Ready(Some(item)) = poll_on(&parent, &mut pool) {
            items.push(item);
            if meddle {
                handle.resume();
                handle.resize(handle.len());
                let (_, _) = (handle.workers(), handle.clone());
            }
        }
        items
    };
    assert_eq!(run(false), run(true));
}

/// Polls until the pool is ready or waits.
fn poll_on<S: Stream + Unpin>(parent: &Parent, pool: &mut S) -> Poll<Option<S::Item>> {
    loop {
        parent.take_wakes();
        match parent.poll(pool) {
            Poll::Pending if parent.take_wakes() > 0 => {}
            polled => return polled,
        }
    }
}

#[test]
fn ids_are_never_reused() {
    let mut pool = Pool::with_workers(2, endless).stay_open();
    let handle = pool.handle();
    let parent = Parent::new();
    for round in 0..5 {
        handle.workers().iter().for_each(Worker::abort);
        handle.resize(2);
        assert_eq!(set_of(&parent, &mut pool, 2), [2 * round + 3, 2 * round + 4]);
        assert_eq!(ids(&handle), [2 * round + 3, 2 * round + 4]);
    }
}

// Sizes.

#[test]
fn resize_adds_workers_or_stops_the_newest() {
    let mut pool = Pool::with_workers(2, stoppable);
    let handle = pool.handle();
    let parent = Parent::new();
    handle.resize(4);
    assert_eq!(handle.len(), 4);
    parent.items(&mut pool, 8);
    assert_eq!(set_of(&parent, &mut pool, 4), [1, 2, 3, 4]);
    handle.resize(1);
    assert_eq!(set_of(&parent, &mut pool, 3), [1, 1, 1]);
    assert_eq!(ids(&handle), [1]);
}

#[test]
fn resize_counts_only_workers_that_were_not_asked_to_stop() {
    let (constructor, _built) = scripted(&[Step::Idle]);
    let mut pool = Pool::with_workers(3, constructor);
    let handle = pool.handle();
    handle.workers()[0].stop();
    handle.resize(3);
    assert_eq!(ids(&handle), [1, 2, 3, 4]);
    handle.resize(1);
    let stopping = |worker: &Worker| worker.state() == WorkerState::Stopping;
    assert_eq!(handle.workers().iter().filter(|&worker| stopping(worker)).count(), 2);
    assert_eq!(ids(&handle), [1, 2, 3], "worker 4 was not built yet");
    assert_waits(&Parent::new(), &mut pool);
}

#[test]
fn a_pool_that_stays_open_is_resized_to_0_and_back_200_times() {
    let mut pool = Pool::new(stoppable).stay_open();
    let handle = pool.handle();
    let parent = Parent::new();
    for round in 0..200 {
        assert_waits(&parent, &mut pool);
        handle.resize(3);
        let mut seen = set_of(&parent, &mut pool, 9);
        seen.dedup();
        assert_eq!(seen, [1, 2, 3].map(|id| 3 * round + id));
        handle.resize(0);
        assert_waits(&parent, &mut pool);
        assert!(handle.is_empty());
    }
}

#[test]
fn a_resize_to_0_ends_a_pool_that_does_not_stay_open() {
    let mut pool = Pool::with_workers(2, stoppable);
    let parent = Parent::new();
    parent.items(&mut pool, 2);
    pool.handle().resize(0);
    assert_eq!(poll_on(&parent, &mut pool), Poll::Ready(None));
}

#[test]
fn workers_that_are_not_built_yet_are_gone_at_once() {
    let (constructor, built) = scripted(&[Step::Item]);
    let mut pool = Pool::new(constructor).stay_open();
    let handle = pool.handle();
    let [stopped, aborted] = [handle.add().unwrap(), handle.add().unwrap()];
    stopped.stop();
    aborted.abort();
    assert_eq!([stopped.state(), aborted.state()], [WorkerState::Gone; 2]);
    handle.resize(5);
    handle.resize(0);
    assert!(handle.is_empty());
    assert_waits(&Parent::new(), &mut pool);
    assert!(built.borrow().is_empty());
}

// Pauses.

#[test]
fn a_paused_worker_is_not_polled_until_it_is_resumed() {
    let (constructor, built) = scripted(&[Step::Item]);
    let mut pool = Pool::with_workers(2, constructor);
    let handle = pool.handle();
    let parent = Parent::new();
    parent.items(&mut pool, 4);
    let paused = handle.workers().remove(0);
    paused.pause();
    assert_eq!(paused.state(), WorkerState::Pausing);
    assert_eq!(parent.items(&mut pool, 3), [2, 2, 2]);
    assert_eq!(paused.state(), WorkerState::Paused);
    let polls = built.borrow()[0].polls();
    built.borrow()[0].wake();
    assert_eq!(parent.items(&mut pool, 3), [2, 2, 2]);
    assert_eq!(built.borrow()[0].polls(), polls);
    paused.resume();
    assert_eq!(paused.state(), WorkerState::Running);
    assert!(parent.items(&mut pool, 3).contains(&1));
}

#[test]
fn a_worker_at_an_item_is_polled_until_it_yields() {
    let (constructor, built) = scripted(&[Step::Idle, Step::WakeIdle, Step::Idle, Step::Item]);
    let mut pool = Pool::with_workers(1, constructor);
    let worker = pool.handle().workers().remove(0);
    let parent = Parent::new();
    assert_waits(&parent, &mut pool);
    worker.pause();
    built.borrow()[0].wake();
    assert_waits(&parent, &mut pool);
    assert_eq!((worker.state(), built.borrow()[0].polls()), (WorkerState::Pausing, 3));
    built.borrow()[0].wake();
    assert_eq!(parent.items(&mut pool, 1), [1]);
    assert_waits(&parent, &mut pool);
    assert_eq!((worker.state(), built.borrow()[0].polls()), (WorkerState::Paused, 4));
}

#[test]
fn a_paused_worker_holds_no_lock() {
    let (open, gate) = async_channel::bounded::<()>(1);
    let lock = futures::lock::Mutex::new(());
    let mut pool = Pool::with_workers(2, |worker: Worker| {
        let (id, gate, lock) = (worker.id().get(), &gate, &lock);
        stream::iter(0..3).then(move |n| async move {
            let _held = lock.lock().await;
            if (id, n) == (1, 0) {
                gate.recv().await.unwrap();
            }
            id
        })
    });
    let parent = Parent::new();
    assert!(poll_on(&parent, &mut pool).is_pending());
    pool.handle().workers()[0].pause();
    open.try_send(()).unwrap();
    assert_eq!(parent.drain(&mut pool), [1, 2, 2, 2]);
}

#[test]
fn workers_that_are_added_to_a_paused_pool_begin_paused() {
    let (constructor, built) = scripted(&[Step::Item]);
    let mut pool = Pool::with_workers(1, constructor);
    let handle = pool.handle();
    handle.pause();
    let added = handle.add().unwrap();
    assert_eq!(added.state(), WorkerState::Paused);
    let parent = Parent::new();
    assert_waits(&parent, &mut pool);
    assert_eq!(states(&handle), [WorkerState::Paused; 2]);
    assert!(built.borrow().iter().all(|handle| handle.polls() == 0));
    handle.resume();
    assert_eq!(set_of(&parent, &mut pool, 2), [1, 2]);
    assert_eq!(states(&handle), [WorkerState::Running; 2]);
    handle.add().unwrap().pause();
    assert_eq!(states(&handle)[2], WorkerState::Paused, "it is not built yet");
}

#[test]
fn a_resume_in_time_leaves_no_trace_of_a_pause() {
    let mut pool = Pool::with_workers(2, endless);
    let handle = pool.handle();
    let parent = Parent::new();
    parent.items(&mut pool, 2);
    for _ in 0..10 {
        handle.pause();
        handle.resume();
        assert_eq!(parent.items(&mut pool, 4), [1, 2, 1, 2]);
    }
}

#[test]
fn many_pauses_of_a_parked_pool_leave_one_order() {
    let (constructor, built) = scripted(&[Step::Item, Step::Idle]);
    let mut pool = Pool::with_workers(1, constructor);
    let handle = pool.handle();
    let parent = Parent::new();
    assert_eq!(parent.items(&mut pool, 1), [1]);
    handle.pause();
    assert_waits(&parent, &mut pool);
    for _ in 0..50_000 {
        handle.resume();
        handle.pause();
    }
    handle.resume();
    assert_waits(&parent, &mut pool);
    assert_eq!(built.borrow()[0].polls(), 2);
}

// Stops.

#[test]
fn a_worker_that_is_asked_to_stop_completes_its_item() {
    let (begun, done) = (Cell::new(0), Cell::new(0));
    let mut pool = Pool::with_workers(2, |worker: Worker| {
        let (begun, done) = (&begun, &done);
        stream::repeat(()).take_until(worker.stopped()).then(move |()| async move {
            begun.set(begun.get() + 1);
            let mut woken = false;
            std::future::poll_fn(|cx| {
                cx.waker().wake_by_ref();
                if std::mem::replace(&mut woken, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            done.set(done.get() + 1);
        })
    });
    let mut pool = pin!(&mut pool);
    let parent = Parent::new();
    let _ = pool.as_mut().poll_next(&mut Context::from_waker(parent.waker()));
    assert!(begun.get() > done.get());
    pool.handle().stop();
    parent.drain(&mut pool);
    assert!(pool.is_terminated());
    assert_eq!((begun.get(), done.get()), (2, 2));
}

#[test]
fn a_stop_reaches_a_worker_that_only_looks_at_its_handle() {
    let mut pool = Pool::with_workers(1, |worker: Worker| {
        stream::poll_fn(move |_| {
            if worker.is_stopping() { Poll::Ready(None::<usize>) } else { Poll::Pending }
        })
    });
    let handle = pool.handle();
    let parent = Parent::new();
    assert_waits(&parent, &mut pool);
    handle.stop();
    assert_eq!(poll_on(&parent, &mut pool), Poll::Ready(None));
}

#[test]
fn a_stop_resumes_and_later_pauses_do_nothing() {
    let mut pool = Pool::with_workers(2, stoppable);
    let handle = pool.handle();
    let parent = Parent::new();
    handle.pause();
    assert_waits(&parent, &mut pool);
    let worker = handle.workers().remove(0);
    worker.stop();
    worker.pause();
    assert_eq!(worker.state(), WorkerState::Stopping);
    assert_waits(&parent, &mut pool);
    assert_eq!(ids(&handle), [2]);
    handle.stop();
    handle.pause();
    assert!(handle.add().is_none());
    assert_eq!(poll_on(&parent, &mut pool), Poll::Ready(None));
}

#[test]
fn a_stop_does_not_end_a_worker_that_ignores_it() {
    let mut pool = Pool::with_workers(1, endless);
    let handle = pool.handle();
    handle.stop();
    handle.stop();
    assert_eq!(Parent::new().items(&mut pool, 3), [1, 1, 1]);
    assert_eq!(states(&handle), [WorkerState::Stopping]);
    handle.abort();
    assert_eq!(poll_on(&Parent::new(), &mut pool), Poll::Ready(None));
}

#[test]
fn an_abort_drops_a_worker_in_any_state() {
    let (constructor, built) = scripted(&[Step::Item, Step::Idle]);
    let mut pool = Pool::with_workers(4, constructor).stay_open();
    let handle = pool.handle();
    let parent = Parent::new();
    let [idle, pausing, paused, stopping] = handle.workers().try_into().unwrap();
    paused.pause();
    assert_eq!(parent.items(&mut pool, 3), [1, 2, 4]);
    assert_waits(&parent, &mut pool);
    pausing.pause();
    stopping.stop();
    let all = [&idle, &pausing, &paused, &stopping];
    let states =
        [WorkerState::Running, WorkerState::Pausing, WorkerState::Paused, WorkerState::Stopping];
    assert_eq!(all.map(Worker::state), states);
    all.into_iter().for_each(Worker::abort);
    assert_eq!(all.map(Worker::state), [WorkerState::Stopping; 4]);
    assert_waits(&parent, &mut pool);
    assert_eq!(all.map(Worker::state), [WorkerState::Gone; 4]);
    assert!(built.borrow().iter().all(|handle| handle.drops() == 1));
    assert!(handle.is_empty());
}

#[test]
fn orders_to_a_worker_that_is_gone_do_nothing() {
    let (constructor, _built) = scripted(&[Step::Item, Step::End]);
    let mut pool = Pool::with_workers(1, constructor);
    let worker = pool.handle().workers().remove(0);
    let parent = Parent::new();
    assert_eq!(parent.drain(&mut pool), [1]);
    for order in [Worker::pause, Worker::resume, Worker::stop, Worker::abort] {
        order(&worker);
        assert_eq!((worker.state(), worker.is_stopping()), (WorkerState::Gone, true));
    }
    assert_eq!((worker.items(), worker.polls()), (1, 2));
    assert_eq!(worker.stopped().now_or_never(), Some(()));
}

// Orders from within.

#[test]
fn a_worker_may_stop_itself_in_its_poll() {
    let mut pool = Pool::with_workers(2, |worker: Worker| {
        let stopped = worker.stopped();
        let numbers = stream::iter(0..).inspect(move |&n| {
            if n == 2 && worker.id().get() == 1 {
                worker.stop();
            }
        });
        numbers.take_until(stopped).take(5)
    });
    assert_eq!(Parent::new().drain(&mut pool), [0, 0, 1, 1, 2, 2, 3, 4]);
}

#[test]
fn a_worker_may_abort_its_pool_in_its_poll() {
    let handle = OnceLock::<PoolHandle>::new();
    let mut pool = Pool::with_workers(3, |worker: Worker| {
        let handle = &handle;
        stream::iter(0..).inspect(move |&n| {
            if n == 2 && worker.id().get() == 2 {
                handle.get().unwrap().abort();
            }
        })
    });
    handle.set(pool.handle()).unwrap();
    assert_eq!(Parent::new().drain(&mut pool), [0, 0, 0, 1, 1, 1, 2, 2]);
    assert!(pool.is_terminated());
}

#[test]
fn a_constructor_may_add_workers() {
    let handle = OnceLock::<PoolHandle>::new();
    let mut pool = Pool::new(|worker: Worker| {
        let id = worker.id().get();
        if id < 5 {
            handle.get().unwrap().add().unwrap();
        }
        stream::iter([id])
    });
    handle.set(pool.handle()).unwrap();
    handle.get().unwrap().add().unwrap();
    assert_eq!(Parent::new().drain(&mut pool), [1, 2, 3, 4, 5]);
}

#[test]
fn a_constructor_that_always_adds_starves_no_worker() {
    let handle = OnceLock::<PoolHandle>::new();
    let mut pool = Pool::new(|worker: Worker| {
        handle.get().unwrap().add().unwrap();
        stream::repeat(worker.id().get())
    });
    handle.set(pool.handle()).unwrap();
    handle.get().unwrap().add().unwrap();
    let items = Parent::new().items(&mut pool, 100);
    assert!(items.iter().filter(|&&id| id == 1).count() > 5, "{items:?}");
}

#[test]
fn a_constructor_may_stop_and_abort_its_worker() {
    let mut pool = Pool::with_workers(4, |worker: Worker| {
        match worker.id().get() {
            1 => worker.abort(),
            2 => worker.stop(),
            3 => worker.pause(),
            _ => {}
        }
        stoppable(worker)
    });
    let handle = pool.handle();
    assert_eq!(Parent::new().items(&mut pool, 3), [4, 4, 4]);
    assert_eq!(ids(&handle), [3, 4]);
}

#[test]
fn a_watcher_sees_every_change_and_may_give_orders() {
    let (constructor, _built) = scripted(&[Step::Item]);
    let mut pool = Pool::with_workers(1, constructor);
    let handle = pool.handle();
    let worker = handle.workers().remove(0);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    worker.watch(move |worker| {
        log.lock().unwrap().push(worker.state());
        if worker.state() == WorkerState::Paused {
            worker.resume();
            handle.stop();
        }
    });
    let parent = Parent::new();
    parent.items(&mut pool, 1);
    worker.pause();
    parent.items(&mut pool, 1);
    worker.abort();
    assert_eq!(poll_on(&parent, &mut pool), Poll::Ready(None));
    use WorkerState::{Gone, Paused, Pausing, Running, Stopping};
    assert_eq!(*seen.lock().unwrap(), [Pausing, Paused, Running, Stopping, Stopping, Gone]);
    assert_eq!(Arc::strong_count(&seen), 1, "the watcher was dropped with its worker");
    let never = Arc::clone(&seen);
    worker.watch(move |_| never.lock().unwrap().clear());
    assert_eq!(Arc::strong_count(&seen), 1);
}

#[test]
fn a_drop_of_a_worker_may_give_orders() {
    struct AddsOnDrop(Arc<OnceLock<PoolHandle>>);
    impl Drop for AddsOnDrop {
        fn drop(&mut self) {
            self.0.get().unwrap().add();
        }
    }
    let handle = Arc::new(OnceLock::new());
    let mut pool = Pool::with_workers(1, |worker: Worker| {
        let adds = AddsOnDrop(Arc::clone(&handle));
        stream::iter([worker.id().get()]).inspect(move |_| {
            let _ = &adds;
        })
    });
    assert!(handle.set(pool.handle()).is_ok());
    assert_eq!(Parent::new().items(&mut pool, 4), [1, 2, 3, 4]);
}

// The end.

#[test]
fn an_open_pool_ends_when_it_is_asked_to_stop() {
    for order in [PoolHandle::stop, PoolHandle::abort] {
        let mut pool = Pool::new(endless).stay_open();
        let (handle, parent) = (pool.handle(), Parent::new());
        assert_waits(&parent, &mut pool);
        parent.take_wakes();
        order(&handle);
        assert_eq!(parent.take_wakes(), 1);
        assert_eq!(parent.poll(&mut pool), Poll::Ready(None));
        assert!(handle.add().is_none());
    }
}

#[test]
fn an_open_pool_ends_with_its_last_handle() {
    let mut pool = Pool::with_workers(1, stoppable).stay_open();
    let (first, parent) = (pool.handle(), Parent::new());
    let second = first.clone();
    let worker = first.workers().remove(0);
    worker.stop();
    assert_waits(&parent, &mut pool);
    drop(first);
    assert_waits(&parent, &mut pool);
    parent.take_wakes();
    drop(second);
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.poll(&mut pool), Poll::Ready(None));
    drop(worker);
    assert_eq!(parent.poll(&mut pool), Poll::Ready(None));
}

#[test]
fn the_last_handle_does_not_stop_the_workers() {
    let mut pool = Pool::with_workers(1, stoppable).stay_open();
    drop(pool.handle());
    assert_eq!(Parent::new().items(&mut pool, 3), [1, 1, 1]);
}

#[test]
fn handles_outlive_the_pool_and_do_nothing() {
    let (constructor, built) = scripted(&[Step::Item]);
    let mut pool = Pool::with_workers(2, constructor).stay_open();
    let handle = pool.handle();
    Parent::new().items(&mut pool, 2);
    let unborn = handle.add().unwrap();
    let workers = handle.workers();
    let stopped = workers[0].stopped();
    drop(pool);
    assert!(handle.add().is_none());
    handle.resize(3);
    handle.pause();
    handle.resume();
    handle.stop();
    handle.abort();
    assert_eq!((handle.len(), handle.workers().len()), (0, 0));
    assert!(workers.iter().all(|worker| worker.state() == WorkerState::Gone));
    assert_eq!(unborn.state(), WorkerState::Gone);
    assert_eq!(stopped.now_or_never(), Some(()));
    assert!(built.borrow().iter().all(|handle| handle.drops() == 1));
}

#[test]
fn a_pool_may_be_dropped_in_the_middle_of_a_stop() {
    let (constructor, built) = scripted(&[Step::Item, Step::Idle]);
    let mut pool = Pool::with_workers(3, constructor);
    let (handle, parent) = (pool.handle(), Parent::new());
    parent.items(&mut pool, 3);
    handle.stop();
    handle.workers()[0].abort();
    assert_waits(&parent, &mut pool);
    handle.workers()[0].abort();
    drop(pool);
    assert!(built.borrow().iter().all(|handle| handle.drops() == 1));
    assert_eq!(parent.held(), 0);
}

#[test]
fn nothing_is_left_behind() {
    let token = Arc::new(());
    let held = Arc::clone(&token);
    let mut pool = Pool::with_workers(3, move |worker: Worker| {
        let (item, watched) = (Arc::clone(&held), Arc::clone(&held));
        worker.watch(move |_| assert!(Arc::strong_count(&watched) > 1));
        stream::repeat(item).take_until(worker.stopped())
    });
    let (handle, parent) = (pool.handle(), Parent::new());
    drop(parent.items(&mut pool, 5));
    assert_eq!(Arc::strong_count(&token), 2 + 6);
    handle.resize(1);
    handle.resize(2);
    drop(parent.items(&mut pool, 5));
    assert_eq!(Arc::strong_count(&token), 2 + 4);
    let waits = handle.workers()[0].stopped();
    handle.stop();
    assert!(parent.drain(&mut pool).is_empty());
    assert_eq!(Arc::strong_count(&token), 2, "the constructor has one");
    drop((pool, waits));
    assert_eq!((Arc::strong_count(&token), parent.held()), (1, 0));
}

#[test]
fn a_stop_wakes_those_that_wait_for_it() {
    let pool = Pool::with_workers(1, endless);
    let worker = pool.handle().workers().remove(0);
    let (parent, other) = (Parent::new(), Parent::new());
    let mut waits = pin!(worker.stopped());
    let dropped = {
        let mut dropped = Box::pin(worker.stopped());
        assert!(dropped.poll_unpin(&mut Context::from_waker(other.waker())).is_pending());
        dropped
    };
    assert!(waits.as_mut().poll(&mut Context::from_waker(parent.waker())).is_pending());
    drop(dropped);
    worker.stop();
    assert_eq!((parent.take_wakes(), other.take_wakes()), (1, 0));
    assert!(waits.poll(&mut Context::from_waker(parent.waker())).is_ready());
    assert_eq!((parent.held(), other.held()), (0, 0));
}

// Panics.

#[test]
fn a_panic_of_a_first_constructor_goes_to_the_caller() {
    let (mut constructor, built) = scripted(&[Step::Item]);
    let build = |worker: Worker| {
        assert!(worker.id().get() < 3, "constructor");
        constructor(worker)
    };
    assert_eq!(panic_of(|| Pool::with_workers(5, build)), "constructor");
    assert_eq!(built.borrow().iter().map(Handle::drops).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn a_panic_of_a_later_constructor_costs_its_worker() {
    let mut pool = Pool::with_workers(1, |worker: Worker| {
        assert!(worker.id().get() != 2, "constructor");
        endless(worker)
    });
    let (handle, parent) = (pool.handle(), Parent::new());
    let panics = handle.add().unwrap();
    handle.resize(3);
    let panicked = panic_of(|| {
        loop {
            let _ = parent.poll(&mut pool);
        }
    });
    assert_eq!((&*panicked, panics.state()), ("constructor", WorkerState::Gone));
    parent.items(&mut pool, 4);
    assert_eq!(set_of(&parent, &mut pool, 2), [1, 3]);
}

#[test]
fn a_panic_of_a_worker_leaves_the_pool_usable() {
    let (panics, _) = child(0, &[Step::Item, Step::Panic]);
    let mut panics = Some(panics);
    let mut pool = Pool::with_workers(2, move |worker: Worker| match panics.take() {
        Some(panics) => panics.left_stream(),
        None => endless(worker).right_stream(),
    });
    let (handle, parent) = (pool.handle(), Parent::new());
    assert_eq!(parent.items(&mut pool, 2), [0, 2]);
    assert_eq!(panic_of(|| parent.poll(&mut pool)), "poll");
    assert_eq!(parent.items(&mut pool, 2), [2, 2]);
    assert_eq!(ids(&handle), [2]);
}

#[test]
fn a_drop_that_panics_in_an_abort_loses_no_order() {
    let mut pool = Pool::with_workers(2, |worker: Worker| {
        let (worker, _) = child(worker.id().get(), &[Step::Item]);
        if worker.number() == 1 { worker.panics_on_drop() } else { worker }
    });
    let (handle, parent) = (pool.handle(), Parent::new());
    parent.items(&mut pool, 2);
    handle.workers().iter().for_each(Worker::abort);
    let added = handle.add().unwrap();
    let panicked = panic_of(|| {
        loop {
            let _ = parent.poll(&mut pool);
        }
    });
    assert_eq!(panicked, "drop");
    assert_eq!(parent.items(&mut pool, 2), [3, 3]);
    assert_eq!((ids(&handle), added.state()), (vec![3], WorkerState::Running));
}

// With the other parts of a pool.

#[test]
fn ends_of_workers_that_come_and_go_are_items() {
    let (constructor, _built) = scripted(&[Step::Item, Step::Panic]);
    let mut pool = Pool::with_workers(1, with_events(constructor));
    pool.handle().add().unwrap();
    let events = Parent::new().drain(&mut pool);
    let text =
        |(worker, event): (Worker, WorkerEvent<usize>)| format!("{}: {event:?}", worker.id());
    let mut events: Vec<String> = events.into_iter().map(text).collect();
    events.sort();
    let panic = "Panicked(Panic(\"poll\"))";
    let expected = ["1: Item(1)", &format!("1: {panic}"), "2: Item(2)", &format!("2: {panic}")];
    assert_eq!(events, expected);
}

/// Builds a worker that fails after each item, whose restarts take the given number of
/// seconds and are counted.
fn failing(
    clock: &VirtualClock,
    rest: u64,
    lives: &Rc<Cell<u32>>,
) -> impl FnMut(Worker) -> Box<dyn Stream<Item = usize> + Unpin> + use<> {
    let (clock, lives) = (clock.clone(), Rc::clone(lives));
    let constructor = move |worker: Worker| {
        lives.set(lives.get() + 1);
        let steps: &[Step] =
            if worker.is_stopping() { &[Step::End] } else { &[Step::Item, Step::Panic] };
        child(worker.id().get(), steps).0
    };
    let policy = until_stopped(move |failure: Failure<'_, Worker>| {
        assert!(!failure.worker.is_stopping());
        Some(clock.sleep(Duration::from_secs(rest)))
    });
    let mut supervised = supervise(constructor, policy);
    move |worker| Box::new(Box::pin(supervised(worker)))
}

#[test]
fn a_stop_cuts_the_rest_of_a_failed_worker_short() {
    let (clock, lives) = (VirtualClock::new(), Rc::default());
    let mut pool = Pool::with_workers(1, failing(&clock, 60, &lives));
    let (handle, parent) = (pool.handle(), Parent::new());
    assert_eq!(parent.items(&mut pool, 1), [1]);
    assert_waits(&parent, &mut pool);
    parent.take_wakes();
    handle.stop();
    assert!(parent.take_wakes() > 0);
    assert_eq!(poll_on(&parent, &mut pool), Poll::Ready(None));
    assert_eq!(lives.get(), 2, "the constructor sees that the worker is stopping");
}

#[test]
fn a_worker_that_fails_after_its_stop_is_not_built_again() {
    let policy = until_stopped(|_: Failure<'_, Worker>| Some(ready(())));
    let lives = Cell::new(0);
    let constructor = |_: Worker| {
        lives.set(lives.get() + 1);
        child(0, &[Step::Item, Step::Idle, Step::End]).0
    };
    let mut pool = Pool::with_workers(1, supervise(constructor, policy));
    let (handle, parent) = (pool.handle(), Parent::new());
    assert_eq!(parent.items(&mut pool, 1), [0]);
    assert_waits(&parent, &mut pool);
    handle.stop();
    assert_eq!(poll_on(&parent, &mut pool), Poll::Ready(None));
    assert_eq!(lives.get(), 1);
}

#[test]
fn a_failed_worker_pauses_after_its_next_item() {
    let (clock, lives) = (VirtualClock::new(), Rc::default());
    let mut pool = Pool::with_workers(1, failing(&clock, 1, &lives));
    let (handle, parent) = (pool.handle(), Parent::new());
    assert_eq!(parent.items(&mut pool, 1), [1]);
    assert_waits(&parent, &mut pool);
    handle.pause();
    assert_eq!(states(&handle), [WorkerState::Pausing]);
    clock.advance(Duration::from_secs(1));
    assert_eq!(parent.items(&mut pool, 1), [1]);
    assert_waits(&parent, &mut pool);
    assert_eq!(states(&handle), [WorkerState::Paused]);
    handle.abort();
    assert_eq!(poll_on(&parent, &mut pool), Poll::Ready(None));
    assert_eq!(lives.get(), 2);
}

#[test]
fn an_aborted_worker_returns_its_task() {
    let queue = WorkQueue::new(stream::iter([7]));
    let mut pool = Pool::with_workers(1, |worker: Worker| {
        queue.tasks().then(move |task| {
            let first = worker.id().get() == 1;
            async move {
                if first {
                    pending::<()>().await;
                }
                (task.attempt(), task.done())
            }
        })
    });
    let (handle, parent) = (pool.handle(), Parent::new());
    assert_waits(&parent, &mut pool);
    handle.add().unwrap();
    handle.workers()[0].abort();
    assert_eq!(parent.drain(&mut pool), [(2, 7)]);
}

// On a board.

/// The rows of a board after the events so far.
struct Rows {
    events: Events,
    screen: Screen,
}

impl Rows {
    fn new(clock: &VirtualClock) -> (Board, Self) {
        let (board, events) = clock.board();
        (board, Self { events, screen: Screen::new(70, 20).with_theme(Theme::classic()) })
    }

    fn show(&mut self) -> Vec<String> {
        self.screen.show(&mut self.events).rows().to_vec()
    }
}

// Rule 7
#[test]
fn a_row_shows_what_the_pool_does_with_its_worker() {
    let (board, mut rows) = Rows::new(&VirtualClock::new());
    let (mut constructor, built) = scripted(&[Step::Idle, Step::Item, Step::Idle]);
    let workers = StatusOptions::new().wrap_worker(&board, |worker, job| {
        job.set_text("item 1");
        constructor(worker)
    });
    let mut pool = Pool::with_workers(1, workers);
    let (worker, parent) = (pool.handle().workers().remove(0), Parent::new());
    assert_waits(&parent, &mut pool);
    assert_eq!(rows.show(), ["worker  1: item 1"]);
    worker.pause();
    assert_eq!(rows.show(), ["worker  1: (pausing) item 1"]);
    built.borrow()[0].wake();
    assert_eq!(parent.drain(&mut pool), [1]);
    assert_eq!(rows.show(), ["worker  1: (paused) item 1"]);
    worker.resume();
    assert_eq!(rows.show(), ["worker  1: item 1"]);
    worker.stop();
    assert_eq!(rows.show(), ["worker  1: (stopping) item 1"]);
    worker.abort();
    assert_eq!(poll_on(&parent, &mut pool), Poll::Ready(None));
    let row = rows.show().remove(0);
    assert!(row.starts_with("worker  1: item 1 "), "{row}");
}

// Rule 7
#[test]
fn a_row_that_ends_loses_its_mark() {
    let (board, mut rows) = Rows::new(&VirtualClock::new());
    let workers = StatusOptions::new().wrap_worker(&board, |worker, job| {
        let id = worker.id().get();
        worker.stop();
        stream::poll_fn(move |_| {
            if id == 1 {
                job.fail("no disk");
                return Poll::Pending;
            }
            Poll::Ready(None::<()>)
        })
    });
    let mut pool = Pool::with_workers(2, workers);
    let _handle = pool.handle();
    assert!(poll_on(&Parent::new(), &mut pool).is_pending());
    assert_eq!(rows.show(), ["worker  1: waiting ✘ no disk", "worker  2: done ✔"]);
}

#[test]
fn a_new_prefix_keeps_the_mark() {
    let (board, mut rows) = Rows::new(&VirtualClock::new());
    let workers = StatusOptions::new().wrap_worker(&board, |worker: Worker, job: Job| {
        worker.pause();
        job.set_prefix("a.example: ");
        endless(worker)
    });
    let mut pool = Pool::with_workers(1, workers);
    assert_waits(&Parent::new(), &mut pool);
    assert_eq!(rows.show(), ["a.example: (paused) waiting"]);
    pool.handle().resume();
    assert_eq!(rows.show(), ["a.example: waiting"]);
}

#[test]
fn a_worker_that_begins_paused_has_the_mark_at_once() {
    let (board, mut rows) = Rows::new(&VirtualClock::new());
    let workers = StatusOptions::new().wrap_worker(&board, |worker, _| endless(worker));
    let mut pool = Pool::new(workers).stay_open();
    let handle = pool.handle();
    handle.pause();
    handle.add().unwrap();
    assert_waits(&Parent::new(), &mut pool);
    assert_eq!(rows.show(), ["worker  1: (paused) waiting"]);
}

// Rule 7
#[test]
fn a_row_shows_the_lives_of_its_worker() {
    let clock = VirtualClock::new();
    let (board, mut rows) = Rows::new(&clock);
    let constructor = |(worker, job): (Worker, Job)| {
        let items = stream::iter([Ok(1), Err("connection reset by peer")]);
        let items = items.inspect(move |_| job.set_text("item 1"));
        items.take_until(worker.stopped())
    };
    let policy = report_restarts(until_stopped(|_: Failure<'_, (Worker, Job), &str>| {
        Some(clock.sleep(Duration::from_secs(1)))
    }));
    let mut supervised = try_supervise(constructor, policy);
    let workers = StatusOptions::new().wrap_worker(&board, |worker, job| supervised((worker, job)));
    let mut pool = Pool::with_workers(1, workers);
    let (handle, parent) = (pool.handle(), Parent::new());
    assert_eq!(parent.drain(&mut pool), [Ok(1)]);
    assert_eq!(rows.show(), ["worker  1: restarting (1): connection reset by peer"]);
    handle.pause();
    let pausing = "worker  1: (pausing) restarting (1): connection reset by peer";
    assert_eq!(rows.show(), [pausing]);
    clock.advance(Duration::from_secs(1));
    assert_eq!(parent.drain(&mut pool), [Ok(1)]);
    assert_eq!(rows.show(), ["worker  1: (paused) (restarted 1) item 1"]);
    handle.resume();
    parent.drain(&mut pool);
    let resting = "worker  1: (restarted 1) restarting (2): connection reset by peer";
    assert_eq!(rows.show(), [resting]);
    handle.stop();
    assert_eq!(poll_on(&parent, &mut pool), Poll::Ready(None));
    assert_eq!(rows.show(), ["worker  1: (restarted 2) done ✔"], "the stop cuts the rest short");
}

#[test]
fn every_worker_that_comes_and_goes_has_its_outcome() {
    let (board, mut events) = board();
    let workers = StatusOptions::new().wrap_worker(&board, |worker, job: Job| {
        let id = worker.id().get();
        assert!(id != 5, "constructor");
        let items = stream::iter(0..).take_until(worker.stopped());
        items.inspect(move |&n: &u32| match id {
            1 if n == 2 => panic!("poll"),
            2 if n == 2 => job.fail("no disk"),
            _ => {}
        })
    });
    let mut pool = Pool::with_workers(4, workers);
    let (handle, parent) = (pool.handle(), Parent::new());
    parent.items(&mut pool, 8);
    assert_eq!(panic_of(|| parent.poll(&mut pool)), "poll");
    parent.items(&mut pool, 3);
    handle.add().unwrap();
    assert_eq!(panic_of(|| parent.items(&mut pool, 9)), "constructor");
    handle.workers()[1].abort();
    parent.items(&mut pool, 3);
    handle.stop();
    parent.drain(&mut pool);
    let outcomes: BTreeMap<usize, Outcome> = events
        .drain()
        .filter_map(|event| match event {
            Event::Ended { job, outcome, .. } => Some((job.get() as usize, outcome)),
            _ => None,
        })
        .collect();
    let failed = Outcome::Failed("no disk".into());
    let expected = [
        (1, Outcome::Panicked),
        (2, failed),
        (3, Outcome::Cancelled),
        (4, Outcome::Finished),
        (5, Outcome::Panicked),
    ];
    assert_eq!(outcomes, BTreeMap::from(expected));
}

#[test]
fn the_last_of_two_threads_that_give_orders_marks_the_row() {
    for _ in 0..200 {
        let (board, mut rows) = Rows::new(&VirtualClock::new());
        let workers = StatusOptions::new().wrap_worker(&board, |worker, _| endless(worker));
        let pool = Pool::with_workers(1, workers);
        let worker = pool.handle().workers().remove(0);
        let other = worker.clone();
        let thread = thread::spawn(move || (0..20).for_each(|_| other.resume()));
        (0..20).for_each(|_| worker.pause());
        thread.join().unwrap();
        let mark = if worker.state() == WorkerState::Pausing { "(pausing) " } else { "" };
        assert_eq!(rows.show(), [format!("worker  1: {mark}waiting")]);
    }
}

// Threads.

#[test]
fn handles_on_three_threads_lose_no_item_and_no_wake() {
    within_a_minute(|| {
        let queue = WorkQueue::new(stream::iter(0..20_000_u32));
        let mut pool = Pool::with_workers(4, |worker: Worker| {
            queue.tasks().take_until(worker.stopped()).then(async |task| task.done())
        })
        .stay_open();
        let threads: Vec<_> = (0..3_usize)
            .map(|number| {
                let handle = pool.handle();
                thread::spawn(move || {
                    for turn in 0..2_000 {
                        match (turn + number) % 5 {
                            0 => handle.pause(),
                            1 => handle.resume(),
                            2 => handle.resize(1 + turn % 6),
                            3 => handle.workers().iter().take(1).for_each(Worker::abort),
                            _ => drop(handle.add()),
                        }
                    }
                    handle.resume();
                    handle.resize(4);
                })
            })
            .collect();
        let mut items: Vec<u32> = futures::executor::block_on(pool.by_ref().collect());
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        items.sort_unstable();
        assert_eq!(items, Vec::from_iter(0..20_000));
    });
}

#[test]
fn a_pool_runs_in_a_spawned_task_and_is_controlled_from_another() {
    within_a_minute(|| {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let served = Arc::new(AtomicUsize::new(0));
        let pool = Pool::new(|worker: Worker| {
            stream::repeat(()).take_until(worker.stopped()).then(|()| tokio::task::yield_now())
        })
        .stay_open();
        let (handle, count) = (pool.handle(), Arc::clone(&served));
        let items = runtime.spawn(pool.for_each(move |()| {
            count.fetch_add(1, SeqCst);
            ready(())
        }));
        runtime.block_on(async {
            handle.resize(3);
            while served.load(SeqCst) < 100 {
                tokio::task::yield_now().await;
            }
            handle.stop();
            items.await.unwrap();
        });
    });
}

#[test]
fn a_panic_in_the_middle_of_orders_keeps_the_others() {
    let handle = OnceLock::<PoolHandle>::new();
    let mut pool = Pool::new(|worker: Worker| {
        assert!(worker.id().get().is_multiple_of(2), "odd");
        endless(worker)
    })
    .stay_open();
    handle.set(pool.handle()).unwrap();
    handle.get().unwrap().resize(6);
    let parent = Parent::new();
    let (mut panics, mut items) = (0, Vec::new());
    while items.len() < 30 {
        match catch_unwind(AssertUnwindSafe(|| parent.poll(&mut pool))) {
            Ok(Poll::Ready(item)) => items.extend(item),
            Ok(Poll::Pending) => assert!(parent.take_wakes() > 0, "an order was lost"),
            Err(_) => panics += 1,
        }
    }
    assert_eq!((panics, ids(handle.get().unwrap())), (3, vec![2, 4, 6]));
    assert!(items.iter().filter(|&&id| id == 6).count() > 5, "{items:?}");
}
