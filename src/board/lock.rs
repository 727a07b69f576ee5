//! Locks that ignore poisoning.

use std::sync::{LockResult, PoisonError};

/// Returns the guard of a lock, even if a thread panicked while it held the lock.
///
/// The data behind every lock of the crate stays valid at each point where a thread may
/// panic.
pub(crate) fn ignore_poison<T>(locked: LockResult<T>) -> T {
    locked.unwrap_or_else(PoisonError::into_inner)
}
