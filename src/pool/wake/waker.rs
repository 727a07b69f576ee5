//! The wakers of children.
#![expect(unsafe_code, reason = "the lock-free part of the merge")]

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::ptr::{self, NonNull};
use core::task::{RawWaker, RawWakerVTable, Waker};

use crate::pool::wake::list::{Block, CHILDREN};
use crate::pool::wake::slab::Slab;
use crate::pool::wake::sync::{Ordering, release};

/// The wakers of a block of children.
pub(in crate::pool) struct Wakers {
    pub(super) block: NonNull<Block>,
}

// SAFETY: it is a counted reference to a block, which is made to be shared.
unsafe impl Send for Wakers {}
// SAFETY: as above.
unsafe impl Sync for Wakers {}

impl Wakers {
    /// Borrows the waker of a child, without touching a reference count.
    #[inline]
    pub(in crate::pool) fn borrow(&self, child: usize) -> Borrowed<'_> {
        debug_assert!(child < CHILDREN);
        // SAFETY: a block is at least CHILDREN bytes long.
        let data = unsafe { self.block.byte_add(child % CHILDREN) };
        // SAFETY: the vtable takes a block's address plus a child's number. The waker
        // is never dropped and does not outlive `self`, which holds a reference.
        let waker = unsafe { Waker::new(data.as_ptr().cast(), &VTABLE) };
        Borrowed { waker: ManuallyDrop::new(waker), wakers: PhantomData }
    }
}

impl Drop for Wakers {
    fn drop(&mut self) {
        drop(Reference(self.block));
    }
}

/// A waker that does not own a reference.
pub(in crate::pool) struct Borrowed<'a> {
    waker: ManuallyDrop<Waker>,
    wakers: PhantomData<&'a Wakers>,
}

impl Deref for Borrowed<'_> {
    type Target = Waker;

    #[inline]
    fn deref(&self) -> &Waker {
        &self.waker
    }
}

/// Returns the number of the present pass of the merge whose child has this waker, or `None` for
/// the waker of another executor. A nested merge distinguishes the polls of the outer one
/// by it.
pub(in crate::pool) fn pass_of(waker: &Waker) -> Option<usize> {
    if !ptr::eq(waker.vtable(), &raw const VTABLE) {
        return None;
    }
    // SAFETY: a waker with this vtable has data of this crate.
    let (block, _) = unsafe { locate(waker.data()) };
    // SAFETY: the waker keeps it alive.
    let block = unsafe { block.as_ref() };
    // SAFETY: the block's slab keeps it alive.
    let shared = unsafe { &*block.shared };
    // Relaxed: the thread that polls the merge also polls its children.
    Some(shared.passes.load(Ordering::Relaxed))
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// # Safety
///
/// `data` is of a waker with this vtable.
unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: by the contract of this function.
    let (block, _) = unsafe { locate(data) };
    // SAFETY: the waker's reference keeps it alive.
    let references = unsafe { &block.as_ref().references };
    // Relaxed: the caller has a reference already.
    if references.fetch_add(1, Ordering::Relaxed) > isize::MAX as usize {
        abort();
    }
    RawWaker::new(data, &VTABLE)
}

/// # Safety
///
/// `data` is of a waker with this vtable, which the caller consumes.
unsafe fn wake(data: *const ()) {
    // SAFETY: by the contract of this function.
    let (block, child) = unsafe { locate(data) };
    // Released at the end, even if the parent's waker panics.
    let reference = Reference(block);
    // SAFETY: the reference keeps it alive.
    unsafe { reference.0.as_ref() }.wake(child);
}

/// # Safety
///
/// `data` is of a waker with this vtable, which stays alive during the call.
unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: by the contract of this function.
    let (block, child) = unsafe { locate(data) };
    // SAFETY: the waker's reference keeps it alive.
    unsafe { block.as_ref() }.wake(child);
}

/// # Safety
///
/// `data` is of a waker with this vtable, which the caller consumes.
unsafe fn drop_waker(data: *const ()) {
    // SAFETY: by the contract of this function.
    let (block, _) = unsafe { locate(data) };
    drop(Reference(block));
}

/// Returns the block, and the number of the child in it, that the data of a waker encode.
///
/// # Safety
///
/// `data` is of a waker with this vtable.
#[inline]
unsafe fn locate(data: *const ()) -> (NonNull<Block>, usize) {
    let child = data.addr() % align_of::<Block>();
    // SAFETY: the data is the block's address, a multiple of its alignment,
    // plus the number, which is less; it has the block's provenance.
    let block = unsafe { data.byte_sub(child) };
    // SAFETY: a block's address is not null.
    (unsafe { NonNull::new_unchecked(block.cast_mut().cast()) }, child)
}

/// A counted reference to a block, released when dropped.
struct Reference(NonNull<Block>);

impl Drop for Reference {
    fn drop(&mut self) {
        // SAFETY: the reference keeps it alive.
        let references = unsafe { &(*self.0.as_ptr()).references };
        if !release(references, 1) {
            return;
        }
        // SAFETY: the block holds its slab until the release below.
        let block = unsafe { self.0.as_ref() };
        // For the models: the end of the block is as exclusive as a write.
        block.link.with_mut(|_| {});
        // SAFETY: the hold of the block ends with its last reference.
        unsafe { Slab::release(block.slab, 1) };
    }
}

/// Aborts the process, since the reference count would overflow: wakers were leaked.
#[cold]
fn abort() -> ! {
    #[cfg(feature = "std")]
    std::process::abort();
    #[cfg(not(feature = "std"))]
    {
        /// Panics when it is dropped by a panic, which aborts.
        struct Twice;
        impl Drop for Twice {
            fn drop(&mut self) {
                panic!("too many wakers");
            }
        }
        let _twice = Twice;
        panic!("too many wakers");
    }
}

#[cfg(all(test, unix, feature = "std", not(active_status_loom)))]
mod tests {
    use super::*;
    use crate::pool::wake::Inbox;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    /// Set in the process that runs the test below once more.
    const AGAIN: &str = "ACTIVE_STATUS_TEST_REFERENCES";

    #[test]
    fn an_overflow_of_the_reference_count_aborts() {
        if std::env::var_os(AGAIN).is_some() {
            let wakers = Inbox::new(1).wakers(0, 1);
            // SAFETY: the wakers hold the block.
            let references = unsafe { &wakers.block.as_ref().references };
            references.store(isize::MAX as usize + 1, Ordering::Relaxed);
            core::mem::forget(Waker::clone(&wakers.borrow(0)));
            std::process::exit(0);
        }
        let name = "pool::wake::waker::tests::an_overflow_of_the_reference_count_aborts";
        let mut again = Command::new(std::env::current_exe().unwrap());
        let status = again.args([name, "--exact"]).env(AGAIN, "1").output().unwrap().status;
        assert_eq!(status.signal(), Some(6), "SIGABRT, not {status}");
    }
}
