//! Pools of workers.

mod budget;
mod contention;
mod coop;
#[cfg(feature = "std")]
mod dynamic;
mod iter;
mod join;
mod key;
mod keyed;
#[cfg(feature = "std")]
mod lock;
#[cfg(feature = "std")]
mod map_workers;
mod merge;
#[cfg(all(test, active_status_loom))]
mod models;
mod next_many;
mod once;
mod poll;
#[cfg(feature = "std")]
mod queue;
mod ready;
#[cfg(feature = "std")]
mod remote;
#[cfg(feature = "std")]
mod reorder;
mod slots;
#[cfg(feature = "std")]
mod supervise;
mod tree;
#[cfg(feature = "std")]
mod waiters;
mod wake;
#[cfg(feature = "std")]
mod worker_events;

use core::fmt;
use core::num::NonZeroUsize;

use futures_core::Stream;

#[cfg(feature = "std")]
pub use dynamic::{Pool, PoolHandle, Stopped, UntilStopped, Worker, WorkerState, until_stopped};
pub use iter::{IntoIter, Iter, IterMut, IterPinMut};
pub use join::{Join, TryJoin};
pub use key::Key;
pub use keyed::{Keyed, KeyedEnds};
#[cfg(feature = "std")]
pub(crate) use map_workers::FromIter;
#[cfg(feature = "std")]
pub use map_workers::map_workers;
pub use merge::Merge;
pub use next_many::{KeyedNextMany, NextMany};
pub use once::{Once, once};
#[cfg(feature = "std")]
pub use queue::{Task, Tasks, WorkQueue};
#[cfg(feature = "std")]
pub use remote::{Driver, Remote, remote};
#[cfg(feature = "std")]
pub use reorder::{InOrder, Numbered, Reorder, reorder};
#[cfg(feature = "std")]
pub use supervise::{Cause, Failure, Supervised, TrySupervised, supervise, try_supervise};
#[cfg(feature = "std")]
pub use worker_events::{Panic, WithEvents, WorkerEvent, with_events};

/// Runs `count` workers concurrently, and merges their items into one stream.
///
/// Each worker is a stream. The constructor builds it from the worker's id; it is
/// called at once, in the order of the ids, before anything is polled. The merge
/// ends when all workers have ended; with no workers it ends at once.
///
/// The task that polls the merge polls all workers. Blocking or long computations
/// belong on a thread pool (`smol::unblock`, `tokio::task::spawn_blocking`), whose
/// result the worker awaits.
///
/// # Panics
///
/// If the constructor panics. The workers built before are dropped.
///
/// # Examples
///
/// Three workers share a queue of jobs.
///
/// ```
/// use active_status::{once, run_workers};
/// use futures::StreamExt;
///
/// let (jobs, queue) = async_channel::unbounded();
/// for job in 1..=10 {
///     jobs.try_send(job).unwrap();
/// }
/// drop(jobs);
///
/// let results = run_workers(3, |id| {
///     // One clone per worker: `recv` wakes one of them per item.
///     let queue = queue.clone();
///     futures::stream::unfold(queue, async |queue| {
///         let job = queue.recv().await.ok()?;
///         Some((job * job, queue))
///     })
/// });
/// let mut squares: Vec<u64> = futures::executor::block_on(results.collect());
/// squares.sort_unstable();
/// assert_eq!(squares, [1, 4, 9, 16, 25, 36, 49, 64, 81, 100]);
/// ```
pub fn run_workers<S: Stream>(count: usize, constructor: impl FnMut(WorkerId) -> S) -> Merge<S> {
    (0..count).map(WorkerId::from_index).map(constructor).collect()
}

/// The id of a worker in its pool. Ids count from 1.
///
/// `Display` writes the number and honors width and alignment, so that
/// `format!("worker {id:>2}: ")` aligns up to 99 workers.
///
/// # Examples
///
/// ```
/// let mut seen = Vec::new();
/// let pool = active_status::run_workers(2, |id| {
///     seen.push((id.get(), id.index(), format!("worker {id:>2}:")));
///     futures::stream::empty::<()>()
/// });
/// assert_eq!(pool.len(), 2);
/// assert_eq!(seen, [(1, 0, "worker  1:".into()), (2, 1, "worker  2:".into())]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(NonZeroUsize);

impl WorkerId {
    /// The worker id with this number, or `None` for 0. Pools number their workers
    /// themselves; this is for tests of a constructor.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::WorkerId;
    ///
    /// let greeting = |id: WorkerId| format!("worker {id}");
    /// assert_eq!(WorkerId::new(1).map(greeting), Some("worker 1".into()));
    /// assert_eq!(WorkerId::new(0), None);
    /// ```
    pub const fn new(id: usize) -> Option<Self> {
        match NonZeroUsize::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The id of the worker with this index, which is less than `usize::MAX`.
    pub(crate) const fn from_index(index: usize) -> Self {
        Self(NonZeroUsize::MIN.saturating_add(index))
    }

    /// The number of the worker, counted from 1.
    pub const fn get(self) -> usize {
        self.0.get()
    }

    /// The index of the worker, counted from 0: for a `Vec` with one element per
    /// worker.
    pub const fn index(self) -> usize {
        self.0.get() - 1
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
