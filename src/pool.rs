//! Pools of workers.

mod join;
mod key;
mod keyed;
mod merge;
#[cfg(all(test, active_status_loom))]
mod models;
mod next_many;
mod once;
mod ready;
mod slots;
mod tree;
mod wake;

use core::fmt;
use core::num::NonZeroUsize;

use futures_core::Stream;

pub use join::{Join, TryJoin};
pub use key::Key;
pub use keyed::Keyed;
pub use merge::Merge;
pub use next_many::NextMany;
pub use once::{Once, once};

/// Runs so many workers side by side, and merges what they yield.
///
/// Each worker is a stream, built by the constructor from its id. The
/// constructor is called here and now, in order, from worker 1 on; nothing is
/// polled before the merge is. The merge ends when all workers have ended, which
/// is at once if there are none.
///
/// All workers are polled by the task that polls the merge. Work that blocks or
/// takes long belongs on a pool of threads (`smol::unblock`,
/// `tokio::task::spawn_blocking`), whose result the worker awaits.
///
/// # Panics
///
/// If the constructor does; the workers it has built are dropped.
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
///     // A clone each: `recv` wakes one worker an item.
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

/// Which worker of a pool this is. Ids count from 1.
///
/// `Display` writes the number and honours width and alignment, so
/// `format!("worker {id:>2}: ")` lines up to 99 workers.
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
    /// The id of the worker with this index; `index` is less than `usize::MAX`.
    pub(crate) const fn from_index(index: usize) -> Self {
        Self(NonZeroUsize::MIN.saturating_add(index))
    }

    /// The id, counted from 1.
    pub const fn get(self) -> usize {
        self.0.get()
    }

    /// The index, counted from 0: for `Vec`s with a place a worker.
    pub const fn index(self) -> usize {
        self.0.get() - 1
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
