//! Mutexes, which loom replaces in its models.

use std::sync::PoisonError;

#[cfg(all(test, active_status_loom))]
pub(super) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(all(test, active_status_loom)))]
pub(super) use std::sync::{Mutex, MutexGuard};

/// Locks a mutex, even if a thread panicked while it held the lock: no code of
/// the caller runs under the locks of the pool, so what they guard is complete.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
