//! The handle to one worker of a pool.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::task::{Context, Poll};

#[cfg(all(test, active_status_loom))]
use loom::sync::atomic::AtomicU8;
#[cfg(not(all(test, active_status_loom)))]
use std::sync::atomic::AtomicU8;

use crate::pool::WorkerId;
use crate::pool::dynamic::state::{Order, Shared};
use crate::pool::lock::{Mutex, lock};
use crate::pool::waiters::{Place, Waiters};

/// The worker is to pause.
pub(super) const PAUSE: u8 = 1;
/// The worker is between two items, and is not polled until it is resumed.
pub(super) const HELD: u8 = 1 << 1;
/// The worker was asked to stop.
pub(super) const STOP: u8 = 1 << 2;
/// The worker is to be dropped.
pub(super) const ABORT: u8 = 1 << 3;
/// The worker was dropped, or will not be built.
pub(super) const GONE: u8 = 1 << 4;

/// What a worker shares with its handles.
pub(super) struct Record {
    id: WorkerId,
    /// Holds this record until the worker is gone.
    shared: Arc<Shared>,
    /// Written under the lock of the pool.
    flags: AtomicU8,
    /// Written by the task that polls the worker.
    items: AtomicU64,
    /// The polls without an item.
    other_polls: AtomicU64,
    /// The tasks that wait until the worker is asked to stop.
    waiters: Waiters,
    watchers: Mutex<Vec<Watcher>>,
}

type Watcher = Arc<dyn Fn(&Worker) + Send + Sync>;

impl Record {
    pub(super) fn new(id: WorkerId, shared: Arc<Shared>, flags: u8) -> Self {
        Self {
            id,
            shared,
            flags: AtomicU8::new(flags),
            items: AtomicU64::new(0),
            other_polls: AtomicU64::new(0),
            waiters: Waiters::new(),
            watchers: Mutex::new(Vec::new()),
        }
    }

    pub(super) fn id(&self) -> WorkerId {
        self.id
    }

    #[inline]
    pub(super) fn flags(&self) -> u8 {
        self.flags.load(Acquire)
    }

    pub(super) fn set_flags(&self, flags: u8) {
        self.flags.store(flags, Release);
    }

    /// Counts a poll without an item.
    #[inline]
    pub(super) fn count_poll(&self) {
        self.other_polls.store(self.other_polls.load(Relaxed) + 1, Relaxed);
    }

    #[inline]
    pub(super) fn count_item(&self) {
        self.items.store(self.items.load(Relaxed) + 1, Relaxed);
    }
}

/// A handle to one worker of a [`Pool`](crate::workers::Pool).
///
/// The constructor of the worker receives it, and [`PoolHandle`] returns others. It may
/// outlive the worker and the pool, and be used from any thread, from the worker itself and
/// from watchers.
///
/// A handle does not keep the pool open.
///
/// [`PoolHandle`]: crate::workers::PoolHandle
///
/// # Examples
///
/// ```
/// use active_status::workers::{Pool, Worker, WorkerState};
/// use futures::{FutureExt, StreamExt, stream};
///
/// let mut pool = Pool::with_workers(1, |_: Worker| stream::repeat("item"));
/// let worker = pool.handle().workers().remove(0);
/// assert_eq!(pool.next().now_or_never(), Some(Some("item")));
/// assert_eq!((worker.items(), worker.state()), (1, WorkerState::Running));
///
/// worker.abort();
/// assert_eq!(pool.next().now_or_never(), Some(None));
/// assert_eq!(worker.state(), WorkerState::Gone);
/// ```
#[derive(Clone)]
pub struct Worker {
    // One pointer: adapters clone the handle for each item.
    record: Arc<Record>,
}

/// What a worker of a [`Pool`](crate::workers::Pool) is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WorkerState {
    /// The worker is polled, or will be once it is built.
    Running,
    /// The worker was asked to pause, and completes an item.
    Pausing,
    /// The worker is between two items and is not polled.
    Paused,
    /// The worker was asked to stop, or is about to be dropped.
    Stopping,
    /// The worker has ended or was dropped.
    Gone,
}

impl Worker {
    pub(super) const fn new(record: Arc<Record>) -> Self {
        Self { record }
    }

    /// Returns the id of the worker, which no other worker of its pool has had.
    pub fn id(&self) -> WorkerId {
        self.record.id
    }

    /// Returns what the worker is doing.
    pub fn state(&self) -> WorkerState {
        match self.record.flags() {
            flags if flags & GONE != 0 => WorkerState::Gone,
            flags if flags & STOP != 0 => WorkerState::Stopping,
            flags if flags & HELD != 0 => WorkerState::Paused,
            flags if flags & PAUSE != 0 => WorkerState::Pausing,
            _ => WorkerState::Running,
        }
    }

    /// Returns whether the worker was asked to stop or is gone.
    pub fn is_stopping(&self) -> bool {
        self.record.flags() & (STOP | GONE) != 0
    }

    /// Waits until the worker is asked to stop or is gone.
    ///
    /// `source.take_until(worker.stopped()).then(f)` is a worker that takes no further item
    /// then, and completes the one at hand.
    pub fn stopped(&self) -> Stopped {
        Stopped { record: Arc::clone(&self.record), place: Place::default() }
    }

    /// Pauses the worker before its next item.
    ///
    /// A worker that is at an item is polled until it yields it, so that it does not hold
    /// locks while it is paused. A worker that waits for an item may therefore take one
    /// more. Does nothing once the worker was asked to stop.
    pub fn pause(&self) {
        self.record.shared.order(&self.record, Order::Pause);
    }

    /// Resumes the worker, if it is paused or pausing.
    pub fn resume(&self) {
        self.record.shared.order(&self.record, Order::Resume);
    }

    /// Asks the worker to stop, and resumes it if it is paused.
    ///
    /// The worker itself decides how: it sees [`stopped`](Self::stopped) or
    /// [`is_stopping`](Self::is_stopping), and is polled once for it even if nothing else
    /// wakes it. A worker that was not built yet is gone at once.
    pub fn stop(&self) {
        self.record.shared.order(&self.record, Order::Stop);
    }

    /// Drops the worker, wherever it is. It is not polled any more, unless it is being
    /// polled now.
    pub fn abort(&self) {
        self.record.shared.order(&self.record, Order::Abort);
    }

    /// Returns how many items the worker has yielded.
    pub fn items(&self) -> u64 {
        self.record.items.load(Relaxed)
    }

    /// Returns how many polls of the worker have returned.
    pub fn polls(&self) -> u64 {
        self.items() + self.record.other_polls.load(Relaxed)
    }

    /// Calls a closure after each change of the [`state`](Self::state), until the worker is
    /// gone.
    ///
    /// The closure runs on the thread that makes the change, and must not panic. It looks at
    /// the state itself: two threads may change the state and call it at the same time.
    pub fn watch(&self, watcher: impl Fn(&Self) + Send + Sync + 'static) {
        let watcher: Watcher = Arc::new(watcher);
        let mut watchers = lock(&self.record.watchers);
        if self.record.flags() & GONE == 0 {
            watchers.push(Arc::clone(&watcher));
        }
        drop(watchers);
    }

    /// Reports a change of the state to the tasks and the watchers that wait for it.
    pub(super) fn report(&self) {
        let flags = self.record.flags();
        if flags & (STOP | GONE) != 0 {
            self.record.waiters.wake_all();
        }
        let mut watchers = lock(&self.record.watchers);
        let called = if flags & GONE != 0 { mem::take(&mut *watchers) } else { watchers.clone() };
        drop(watchers);
        called.into_iter().for_each(|watcher| watcher(self));
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.record.shared
    }

    #[inline]
    pub(super) fn record(&self) -> &Arc<Record> {
        &self.record
    }
}

/// The worker itself, for [`until_stopped`](crate::workers::until_stopped).
impl AsRef<Self> for Worker {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("id", &self.id())
            .field("state", &self.state())
            .field("items", &self.items())
            .finish_non_exhaustive()
    }
}

/// The future of [`Worker::stopped`].
#[must_use = "futures do nothing unless polled"]
pub struct Stopped {
    record: Arc<Record>,
    place: Place,
}

impl Stopped {
    fn is_ready(&self) -> bool {
        self.record.flags() & (STOP | GONE) != 0
    }
}

impl Future for Stopped {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if !this.is_ready() {
            this.record.waiters.enter(&mut this.place, cx.waker());
            // The worker may have been asked before this task was in the line.
            if !this.is_ready() {
                return Poll::Pending;
            }
        }
        this.record.waiters.leave(&mut this.place);
        Poll::Ready(())
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.record.waiters.leave(&mut self.place);
    }
}

impl fmt::Debug for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopped")
            .field("worker", &self.record.id)
            .field("ready", &self.is_ready())
            .finish_non_exhaustive()
    }
}
