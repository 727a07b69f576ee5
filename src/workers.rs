//! Workers: what a pool is built from.

mod once;

use core::fmt;
use core::num::NonZeroUsize;

pub use once::{Once, once};

/// Which worker of a pool this is. Ids count from 1.
///
/// `Display` writes the number and honours width and alignment, so
/// `format!("worker {id:>2}: ")` lines up to 99 workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(NonZeroUsize);

impl WorkerId {
    /// The id of the worker with this index; `index` is less than `usize::MAX`.
    #[expect(dead_code, reason = "`run_workers` is to come")]
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
