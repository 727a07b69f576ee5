//! Pools whose workers come and go while they run.

#[cfg(all(test, active_status_loom))]
mod models;
mod seat;
mod state;
mod until_stopped;
mod worker;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};

use crate::pool::dynamic::seat::{Exit, Member};
use crate::pool::dynamic::state::{Order, Shared};
use crate::pool::merge::Merge;

pub use until_stopped::{UntilStopped, until_stopped};
pub use worker::{Stopped, Worker, WorkerState};

/// A pool whose workers are added, paused and stopped while it runs.
///
/// As the merge that [`run_workers`](crate::run_workers) returns, a pool is a stream of
/// the items of its workers, in equal shares. Its constructor receives a [`Worker`], the
/// handle to one worker. A [`PoolHandle`] controls the pool from anywhere: from other
/// tasks and threads, from the workers, and from the constructor.
///
/// A handle does not touch the workers. It leaves an order for the task that polls the
/// pool, and wakes it. So constructors, items and drops of workers stay on that task, and
/// neither the workers nor the constructor need to be `Send`. An order is carried out
/// within one round: after each other worker has yielded at most once. An order costs the
/// workers nothing.
///
/// The pool ends when its last worker has ended and no other is to start. With
/// [`stay_open`](Self::stay_open), it also waits until it is asked to
/// [stop](PoolHandle::stop) or its last handle is dropped. The end is final:
/// [`add`](PoolHandle::add) returns `None` from then on. Dropping the pool drops its
/// workers.
///
/// If it suffices to change how many items are processed at a time, a
/// [`WorkQueue`](crate::WorkQueue) with its own `pause` and `close` is simpler.
///
/// # Fairness
///
/// As [`Merge`]. A worker that is added has its first turn within two rounds, or within
/// three if the merge has no place for it. An item costs about 40 instructions more than
/// with `run_workers` (November 2026, x86-64).
///
/// # Panics
///
/// A panic of a worker propagates to the caller, as with [`Merge`]: the worker is gone, and
/// the pool remains usable. If the constructor panics, its worker is gone, and the panic
/// propagates to the caller of [`with_workers`](Self::with_workers) or, for a worker that
/// was added, to the task that polls the pool, which remains usable.
///
/// # Examples
///
/// A worker stops between two items, so that no item is lost:
///
/// ```
/// use active_status::workers::{Pool, Worker};
/// use futures::{StreamExt, executor::block_on, stream};
///
/// let mut pool = Pool::with_workers(2, |worker: Worker| {
///     let numbers = stream::repeat(worker.id().get());
///     numbers.take_until(worker.stopped()).then(async |number| number)
/// });
/// let handle = pool.handle();
/// block_on(async {
///     assert_eq!(pool.next().await, Some(1));
///     assert_eq!(pool.next().await, Some(2));
///     handle.workers()[0].stop();
///     assert_eq!(pool.next().await, Some(2));
///     assert_eq!(handle.len(), 1);
///     handle.stop();
///     assert_eq!(pool.next().await, None);
/// });
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct Pool<S, C> {
    /// The workers, and the child that waits for orders.
    members: Merge<Member<S>>,
    constructor: C,
    shared: Arc<Shared>,
}

/// Workers are pinned in the merge, and the constructor is not pinned.
impl<S, C> Unpin for Pool<S, C> {}

impl<S, C: FnMut(Worker) -> S> Pool<S, C> {
    /// Creates a pool without workers, which ends at once unless workers are added before
    /// it is polled or it [stays open](Self::stay_open).
    pub fn new(constructor: C) -> Self {
        Self::with_workers(0, constructor)
    }

    /// Creates a pool with the given number of workers, which are built at once, in the
    /// order of their ids.
    ///
    /// # Panics
    ///
    /// If the constructor panics. The workers built before are dropped.
    pub fn with_workers(count: usize, constructor: C) -> Self {
        // Room for a few more: a worker for which the merge adds a block waits for a round
        // more.
        let members = Merge::with_capacity(count.saturating_add(count / 8 + 2));
        let mut pool = Self { members, constructor, shared: Arc::default() };
        pool.shared.resize(count);
        pool.build_workers();
        pool.members.push(Member::Orders { shared: Arc::clone(&pool.shared) });
        pool
    }

    /// Keeps the pool open while it has no workers, until it is asked to
    /// [stop](PoolHandle::stop) or its last [`PoolHandle`] is dropped.
    ///
    /// A handle that a worker or the constructor keeps keeps the pool open, too.
    pub fn stay_open(self) -> Self {
        self.shared.stay_open();
        self
    }

    /// Returns a handle, with which the pool is controlled from anywhere.
    pub fn handle(&self) -> PoolHandle {
        PoolHandle::new(&self.shared)
    }

    /// Builds the workers that were added. Those that are added meanwhile wait for the
    /// next call.
    fn build_workers(&mut self) {
        for _ in 0..self.shared.unborn() {
            let Some(record) = self.shared.next_unborn() else { return };
            let worker = Worker::new(record);
            let exit = Exit::new(worker.clone());
            let id = worker.id();
            let stream = (self.constructor)(worker);
            let key = self.members.push(Member::Seat { stream, is_at_item: false, exit });
            self.shared.set_key(id, key);
        }
    }

    /// Carries out the orders that wait. If a constructor or a drop panics, the next poll
    /// carries out the rest.
    #[cold]
    #[inline(never)]
    fn obey(&mut self) {
        while let Some((key, is_aborted)) = self.shared.next_visit() {
            if is_aborted {
                self.members.remove(key);
            } else {
                // Polls the worker in its turn.
                let _worker = self.members.get_pin_mut(key);
            }
        }
        self.build_workers();
    }
}

impl<S: Stream, C: FnMut(Worker) -> S> Stream for Pool<S, C> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        loop {
            match ready!(Pin::new(&mut self.members).poll_next(cx)) {
                Some(Some(item)) => return Poll::Ready(Some(item)),
                // The child that waits for orders has some.
                Some(None) => self.obey(),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl<S: Stream, C: FnMut(Worker) -> S> FusedStream for Pool<S, C> {
    fn is_terminated(&self) -> bool {
        self.members.is_terminated()
    }
}

impl<S, C> Drop for Pool<S, C> {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl<S, C> fmt::Debug for Pool<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt_as("Pool", f)
    }
}

/// Controls a [`Pool`] from anywhere.
///
/// Clones control the same pool. No method waits, and all may be called from the workers,
/// their constructor, their drops, and watchers. After the end of the pool they do nothing.
///
/// # Examples
///
/// A paused pool holds its workers between two items:
///
/// ```
/// use active_status::workers::{Pool, Worker, WorkerState};
/// use futures::{FutureExt, StreamExt, stream};
///
/// let mut pool = Pool::with_workers(2, |worker: Worker| stream::repeat(worker.id().get()));
/// let handle = pool.handle();
/// handle.pause();
/// assert_eq!(pool.next().now_or_never(), None);
/// assert!(handle.workers().iter().all(|worker| worker.state() == WorkerState::Paused));
/// handle.resume();
/// assert_eq!(pool.next().now_or_never(), Some(Some(1)));
/// ```
pub struct PoolHandle {
    shared: Arc<Shared>,
}

impl PoolHandle {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.add_handle();
        Self { shared: Arc::clone(shared) }
    }

    /// Adds a worker, which is built within one round. Returns `None` once the pool was
    /// asked to stop or has ended.
    ///
    /// The id of the worker is one that no other worker of the pool has had. In a pool that
    /// is paused it begins paused.
    pub fn add(&self) -> Option<Worker> {
        self.shared.add().map(Worker::new)
    }

    /// Adds workers, or asks the newest ones to stop, until the given number of workers
    /// remains that was not asked to stop.
    ///
    /// Workers that were not built yet are gone at once. In a pool that was asked to stop,
    /// no worker is added.
    pub fn resize(&self, workers: usize) {
        self.shared.resize(workers);
    }

    /// Pauses all workers, those that are added later included; see [`Worker::pause`].
    pub fn pause(&self) {
        self.shared.order_all(Order::Pause);
    }

    /// Resumes all workers that are paused or pausing.
    pub fn resume(&self) {
        self.shared.order_all(Order::Resume);
    }

    /// Asks all workers to stop, resumes those that are paused, and refuses new ones.
    ///
    /// The pool ends when its workers have ended; see [`Worker::stop`].
    pub fn stop(&self) {
        self.shared.order_all(Order::Stop);
    }

    /// Drops all workers and refuses new ones, so that the pool ends; see
    /// [`Worker::abort`].
    pub fn abort(&self) {
        self.shared.order_all(Order::Abort);
    }

    /// Returns handles to the workers that are not gone, in the order of their ids.
    pub fn workers(&self) -> Vec<Worker> {
        self.shared.records().into_iter().map(Worker::new).collect()
    }

    /// Returns the number of workers that are not gone, including those that are not built
    /// yet.
    pub fn len(&self) -> usize {
        self.shared.len()
    }

    /// Returns whether all workers are gone.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Clone for PoolHandle {
    fn clone(&self) -> Self {
        Self::new(&self.shared)
    }
}

impl Drop for PoolHandle {
    fn drop(&mut self) {
        self.shared.drop_handle();
    }
}

impl fmt::Debug for PoolHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt_as("PoolHandle", f)
    }
}
