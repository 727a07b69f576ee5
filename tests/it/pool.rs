//! Pools of workers on several executors, and equal shares on tokio.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{pending, ready};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::thread;

use active_status::workers::{Failure, supervise};
use active_status::{Merge, WorkerId, once, run_workers};
use futures::{FutureExt, Stream, StreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::support::{Child, Handle, Parent, Step, child, panic_of, within_a_minute};

#[test]
fn the_constructor_is_called_at_once_and_in_order() {
    let mut ids = Vec::new();
    let pool = run_workers(130, |id| {
        ids.push(id);
        stream::empty::<()>()
    });
    assert_eq!(pool.len(), 130);
    assert!(ids.iter().map(|id| id.get()).eq(1..=130));
    assert!(ids.iter().map(|id| id.index()).eq(0..130));
}

#[test]
fn workers_alternate_in_the_order_of_their_ids() {
    let mut pool = run_workers(3, stream::repeat);
    let ids = Parent::new().items(&mut pool, 6);
    assert_eq!(ids.iter().map(|id| id.get()).collect::<Vec<_>>(), [1, 2, 3, 1, 2, 3]);
}

#[test]
fn a_pool_without_workers_ends_at_once() {
    let mut pool = run_workers(0, |_| -> stream::Empty<()> { panic!("no worker is to be built") });
    assert_eq!(Parent::new().poll(&mut pool), Poll::Ready(None));
}

/// A pool of workers with these steps, and their handles.
fn scripted(count: usize, steps: &[Step]) -> (Merge<Child>, Vec<Handle>) {
    let mut handles = Vec::new();
    let pool = run_workers(count, |id| {
        let (worker, handle) = child(id.index(), steps);
        handles.push(handle);
        worker
    });
    (pool, handles)
}

#[test]
fn no_worker_is_polled_before_the_pool_is() {
    let (pool, handles) = scripted(3, &[Step::Item]);
    drop(pool);
    assert!(handles.iter().all(|handle| handle.polls() == 0 && handle.drops() == 1));
}

#[test]
fn a_panicking_constructor_drops_the_built_workers() {
    let mut handles = Vec::new();
    let build = |id: WorkerId| {
        assert!(id.get() < 3, "constructor");
        let (worker, handle) = child(id.index(), &[Step::Item]);
        handles.push(handle);
        worker
    };
    assert_eq!(panic_of(|| run_workers(5, build)), "constructor");
    assert_eq!(handles.iter().map(Handle::drops).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn a_panicking_worker_does_not_stop_the_others() {
    let mut pool = run_workers(3, |id| {
        once(async move {
            assert!(id.get() != 2, "worker");
            id.get()
        })
    });
    let parent = Parent::new();
    assert_eq!(parent.items(&mut pool, 1), [1]);
    assert_eq!(panic_of(|| parent.poll(&mut pool)), "worker");
    assert_eq!(parent.drain(&mut pool), [3]);
}

#[test]
fn workers_may_borrow_from_the_caller() {
    let log = RefCell::new(Vec::new());
    let pool = run_workers(3, |id| {
        let log = &log;
        once(async move { log.borrow_mut().push(id.get()) })
    });
    assert_eq!(pool.join().now_or_never(), Some(()));
    assert_eq!(log.into_inner(), [1, 2, 3]);
}

/// Polls a future once.
fn poll<F: Future>(future: Pin<&mut F>, parent: &Parent) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(parent.waker()))
}

/// A worker without items, which ends when it is woken.
fn ends_when_woken() -> (Child, Handle) {
    child(0, &[Step::Idle, Step::End])
}

#[test]
fn join_waits_for_the_last_worker() {
    let (workers, handles): (Vec<_>, Vec<_>) = (0..3).map(|_| ends_when_woken()).unzip();
    let quiet = workers.into_iter().map(|worker| worker.map(drop));
    let mut joined = pin!(quiet.collect::<Merge<_>>().join());
    let parent = Parent::new();
    assert_eq!(poll(joined.as_mut(), &parent), Poll::Pending);
    for (number, handle) in handles.iter().enumerate() {
        assert_eq!(handle.drops(), 0);
        handle.wake();
        assert_eq!(parent.take_wakes(), 1);
        let over = poll(joined.as_mut(), &parent).is_ready();
        assert_eq!((over, handle.drops()), (number == 2, 1));
    }
}

#[test]
fn join_of_no_workers_is_ready() {
    assert_eq!(run_workers(0, |_| stream::empty()).join().now_or_never(), Some(()));
}

#[test]
fn join_yields_to_the_executor() {
    let pool = run_workers(1, |_| stream::repeat(()).take(100));
    let mut joined = pin!(pool.join());
    let parent = Parent::new();
    for _ in 0..3 {
        assert_eq!(poll(joined.as_mut(), &parent), Poll::Pending);
        assert_eq!(parent.take_wakes(), 1);
    }
    assert_eq!(poll(joined.as_mut(), &parent), Poll::Ready(()));
}

#[test]
fn dropping_a_join_drops_its_workers() {
    let (worker, handle) = ends_when_woken();
    drop([worker.map(drop)].into_iter().collect::<Merge<_>>().join());
    assert_eq!(handle.drops(), 1);
}

#[test]
fn try_join_is_ok_when_all_workers_are() {
    let pool = run_workers(3, |_| once(async { Ok::<(), String>(()) }));
    assert_eq!(pool.try_join().now_or_never(), Some(Ok(())));
}

#[test]
fn try_join_of_no_workers_is_ok() {
    let pool = run_workers(0, |_| stream::empty::<Result<(), String>>());
    assert_eq!(pool.try_join().now_or_never(), Some(Ok(())));
}

#[test]
fn try_join_stops_at_the_first_error() {
    let started = Cell::new(0);
    let pool = run_workers(5, |id| {
        let started = &started;
        once(async move {
            started.set(started.get() + 1);
            match id.get() {
                1 => pending().await,
                3 => Err("third"),
                _ => Ok(()),
            }
        })
    });
    assert_eq!(pool.try_join().now_or_never(), Some(Err("third")));
    assert_eq!(started.get(), 3);
}

#[test]
fn try_join_drops_the_workers_that_still_run() {
    let (idle, handle) = ends_when_woken();
    let mut pool: Merge<_> = [idle.map(|_| Ok(())).left_stream()].into_iter().collect();
    pool.push(stream::iter([Err("ill")]).right_stream());
    assert_eq!(pool.try_join().now_or_never(), Some(Err("ill")));
    assert_eq!(handle.drops(), 1);
}

#[test]
fn once_yields_the_output_of_its_future_once() {
    let mut worker = pin!(once(async { 7 }));
    let parent = Parent::new();
    assert_eq!(worker.size_hint(), (1, Some(1)));
    assert_eq!(parent.poll(&mut worker), Poll::Ready(Some(7)));
    assert_eq!(worker.size_hint(), (0, Some(0)));
    assert_eq!(parent.poll(&mut worker), Poll::Ready(None));
    assert_eq!(parent.poll(&mut worker), Poll::Ready(None));
}

#[test]
fn a_worker_id_honors_width_and_alignment() {
    let mut lines = Vec::new();
    let _pool = run_workers(10, |id| {
        lines.push(format!("{id:>2}|{id:<3}|{id}"));
        stream::empty::<()>()
    });
    assert_eq!([&lines[0], &lines[9]], [" 1|1  |1", "10|10 |10"]);
}

/// Eight workers take 1,000 jobs from one queue, which another thread fills.
async fn squares() {
    let (jobs, queue) = async_channel::bounded(4);
    let sender = thread::spawn(move || (0..1_000_u64).try_for_each(|job| jobs.send_blocking(job)));
    let pool = run_workers(8, |_| {
        let queue = queue.clone();
        stream::unfold(queue, async |queue| {
            let job = queue.recv().await.ok()?;
            Some((job * job, queue))
        })
    });
    let mut squares: Vec<u64> = pool.collect().await;
    squares.sort_unstable();
    assert!(squares.into_iter().eq((0..1_000).map(|job| job * job)));
    sender.join().unwrap().unwrap();
}

fn current_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

fn multi_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

#[test]
fn a_pool_runs_on_futures_block_on() {
    within_a_minute(|| futures::executor::block_on(squares()));
}

#[test]
fn a_pool_runs_on_smol() {
    within_a_minute(|| smol::block_on(smol::spawn(squares())));
}

#[test]
fn a_pool_runs_on_tokio_current_thread() {
    within_a_minute(|| current_thread().block_on(squares()));
}

#[test]
fn a_pool_runs_on_tokio_multi_thread() {
    within_a_minute(|| {
        let runtime = multi_thread();
        runtime.block_on(runtime.spawn(squares())).unwrap();
    });
}

#[test]
fn a_pool_that_is_not_send_runs_on_a_local_set() {
    within_a_minute(|| {
        let local = LocalSet::new();
        let done = local.run_until(async {
            let sum = Rc::new(Cell::new(0));
            let pool = run_workers(8, |id| {
                let sum = sum.clone();
                once(async move {
                    tokio::task::yield_now().await;
                    sum.set(sum.get() + id.get());
                })
            });
            tokio::task::spawn_local(pool.join()).await.unwrap();
            assert_eq!(sum.get(), 36);
            squares().await;
        });
        current_thread().block_on(done);
    });
}

/// A tokio channel that always has a message: each received message is sent again.
struct Full {
    number: usize,
    sender: mpsc::UnboundedSender<()>,
    receiver: mpsc::UnboundedReceiver<()>,
}

fn full(number: usize) -> Full {
    let (sender, receiver) = mpsc::unbounded_channel();
    sender.send(()).unwrap();
    Full { number, sender, receiver }
}

fn pool() -> Merge<Full> {
    run_workers(CHANNELS, |id| full(id.index()))
}

impl Stream for Full {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        let taken = self.receiver.poll_recv(cx);
        taken.map(|message| {
            self.sender.send(message?).ok()?;
            Some(self.number)
        })
    }
}

const CHANNELS: usize = 1_000;
const ROUNDS: usize = 200;

/// Takes 200 items per channel from 1,000 ready channels, and asserts that they
/// alternate. The consumer itself spends `spends` units of tokio's budget per item.
async fn shares(mut items: impl Stream<Item = usize> + Unpin, spends: usize) {
    let mut own: Vec<Full> = (0..spends).map(full).collect();
    let mut served = BTreeMap::<usize, usize>::new();
    for count in 0..CHANNELS * ROUNDS {
        let number = items.next().await.unwrap();
        assert_eq!(number, count % CHANNELS, "item {count}");
        *served.entry(number).or_default() += 1;
        for own in &mut own {
            own.next().await.unwrap();
        }
    }
    assert_eq!(served.len(), CHANNELS);
    assert!(served.values().all(|&items| items == ROUNDS));
}

#[test]
fn shares_are_equal_on_tokio_current_thread() {
    within_a_minute(|| current_thread().block_on(shares(pool(), 0)));
}

#[test]
fn shares_are_equal_if_the_consumer_spends_three_per_item() {
    within_a_minute(|| current_thread().block_on(shares(pool(), 3)));
}

#[test]
fn shares_are_equal_on_tokio_multi_thread() {
    within_a_minute(|| {
        let runtime = multi_thread();
        runtime.block_on(runtime.spawn(shares(pool(), 0))).unwrap();
    });
}

#[test]
fn shares_are_equal_on_a_local_set() {
    within_a_minute(|| {
        let local = LocalSet::new();
        let shares = local.spawn_local(shares(pool(), 0));
        current_thread().block_on(local.run_until(shares)).unwrap();
    });
}

#[test]
fn shares_are_equal_in_nested_merges() {
    within_a_minute(|| {
        let mut inner: Vec<Merge<Full>> = (0..10).map(|_| Merge::new()).collect();
        for number in 0..CHANNELS {
            inner[number % 10].push(full(number));
        }
        let outer: Merge<Merge<Full>> = inner.into_iter().collect();
        current_thread().block_on(shares(outer, 0));
    });
}

/// Runs 50 workers that never fail beside 50 that fail after every item, and asserts that
/// no worker takes turns of another: a restart costs the worker that failed one turn.
async fn shares_under_restarts() {
    let (workers, rounds) = (100, 400);
    let constructor = |id: WorkerId| {
        let items = if id.get().is_multiple_of(2) { 1 } else { usize::MAX };
        full(id.index()).take(items)
    };
    let policy = |_: Failure<'_, WorkerId>| Some(ready(()));
    let mut pool = run_workers(workers, supervise(constructor, policy));
    let mut served = vec![0_usize; workers];
    for _ in 0..workers / 2 * rounds {
        served[pool.next().await.unwrap()] += 1;
    }
    let shares = |parity: usize| served.iter().copied().skip(parity).step_by(2);
    for parity in [0, 1] {
        let (least, most) = (shares(parity).min().unwrap(), shares(parity).max().unwrap());
        assert!(most - least <= 1, "{served:?}");
    }
    let (steady, failing) = (shares(0).sum::<usize>(), shares(1).sum::<usize>());
    assert!(steady.abs_diff(2 * failing) <= 2 * workers, "{steady} and {failing}");
}

#[test]
fn shares_are_equal_under_restarts_on_tokio_current_thread() {
    within_a_minute(|| current_thread().block_on(shares_under_restarts()));
}

#[test]
fn shares_are_equal_under_restarts_on_tokio_multi_thread() {
    within_a_minute(|| {
        let runtime = multi_thread();
        runtime.block_on(runtime.spawn(shares_under_restarts())).unwrap();
    });
}
