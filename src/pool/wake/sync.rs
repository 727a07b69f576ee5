//! The primitives of the lock-free part, which loom replaces in its models.

#[cfg(not(all(test, active_status_loom)))]
use core::sync::atomic::fence;
#[cfg(not(any(all(test, active_status_loom), feature = "portable-atomic")))]
pub(super) use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
#[cfg(all(test, active_status_loom))]
pub(super) use loom::cell::UnsafeCell as Cell;
#[cfg(all(test, active_status_loom))]
use loom::sync::atomic::fence;
#[cfg(all(test, active_status_loom))]
pub(super) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
#[cfg(all(not(all(test, active_status_loom)), feature = "portable-atomic"))]
pub(super) use portable_atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

/// An `UnsafeCell` with loom's interface.
#[cfg(not(all(test, active_status_loom)))]
pub(super) struct Cell<T>(core::cell::UnsafeCell<T>);

#[cfg(not(all(test, active_status_loom)))]
impl<T> Cell<T> {
    pub(super) const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    #[inline]
    pub(super) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    #[inline]
    pub(super) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}

/// Takes the caller's share off a count. Returns whether nothing is left.
#[inline]
pub(super) fn release(count: &AtomicUsize, share: usize) -> bool {
    // Acquire: if nothing else is left, no other thread can add to the count any more, and
    // what the others did before they released their shares happens before this.
    if count.load(Ordering::Acquire) == share {
        return true;
    }
    // Release: what this thread did happens before the end.
    if count.fetch_sub(share, Ordering::Release) != share {
        return false;
    }
    // Acquire: what the other threads did happens before the end.
    acquire(count);
    true
}

/// Synchronizes with the other threads that released this count.
#[inline]
fn acquire(count: &AtomicUsize) {
    if cfg!(active_status_tsan) {
        // ThreadSanitizer does not support fences.
        let _ = count.load(Ordering::Acquire);
    } else {
        fence(Ordering::Acquire);
    }
}
