//! The wakers of children.
#![expect(unsafe_code, reason = "the lock-free part of the merge")]

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::ptr::{self, NonNull};
use core::task::{RawWaker, RawWakerVTable, Waker};

use crate::pool::wake::list::{Block, CHILDREN};
use crate::pool::wake::slab::Slab;
use crate::pool::wake::sync::{Ordering, acquire};

/// The wakers of a block of children.
pub(in crate::pool) struct Wakers {
    pub(super) block: NonNull<Block>,
}

// SAFETY: it is a reference to a block, and those are made to be shared.
unsafe impl Send for Wakers {}
// SAFETY: as above.
unsafe impl Sync for Wakers {}

impl Wakers {
    /// The waker of a child, lent: no count is touched.
    #[inline]
    pub(in crate::pool) fn lend(&self, child: usize) -> Lent<'_> {
        debug_assert!(child < CHILDREN);
        // SAFETY: a block is at least CHILDREN bytes long.
        let data = unsafe { self.block.byte_add(child % CHILDREN) };
        // SAFETY: our vtable takes a block's address plus a child's number. The
        // waker is never dropped and does not outlive `self`, which holds the
        // reference.
        let waker = unsafe { Waker::new(data.as_ptr().cast(), &VTABLE) };
        Lent { waker: ManuallyDrop::new(waker), wakers: PhantomData }
    }
}

impl Drop for Wakers {
    fn drop(&mut self) {
        drop(Reference(self.block));
    }
}

/// A waker without a reference of its own.
pub(in crate::pool) struct Lent<'a> {
    waker: ManuallyDrop<Waker>,
    wakers: PhantomData<&'a Wakers>,
}

impl Deref for Lent<'_> {
    type Target = Waker;

    #[inline]
    fn deref(&self) -> &Waker {
        &self.waker
    }
}

/// If the waker is of a merge's child: the [number of polls](Inbox::polls) of that
/// merge. Who is polled with it is a merge in a merge, and the number tells one
/// poll by the merge above from the next.
pub(in crate::pool) fn pass_of(waker: &Waker) -> Option<usize> {
    if !ptr::eq(waker.vtable(), &raw const VTABLE) {
        return None;
    }
    // SAFETY: a waker with our vtable has our data.
    let (block, _) = unsafe { locate(waker.data()) };
    // SAFETY: the waker keeps it alive.
    let block = unsafe { block.as_ref() };
    // SAFETY: the block's slab keeps it alive.
    let shared = unsafe { &*block.shared };
    // Relaxed: a child is polled by the thread that polls the merge.
    Some(shared.passes.load(Ordering::Relaxed))
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// # Safety
///
/// `data` is of a waker of ours.
unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: by our own contract.
    let (block, _) = unsafe { locate(data) };
    // SAFETY: the waker's reference keeps it alive.
    let references = unsafe { &block.as_ref().references };
    // Relaxed: who clones has a reference already.
    if references.fetch_add(1, Ordering::Relaxed) > isize::MAX as usize {
        abort();
    }
    RawWaker::new(data, &VTABLE)
}

/// # Safety
///
/// `data` is of a waker of ours, which the caller gives away.
unsafe fn wake(data: *const ()) {
    // SAFETY: by our own contract.
    let (block, child) = unsafe { locate(data) };
    // Given back at the end, also if the parent's waker panics.
    let reference = Reference(block);
    // SAFETY: the reference keeps it alive.
    unsafe { reference.0.as_ref() }.wake(child);
}

/// # Safety
///
/// `data` is of a waker of ours, which the caller keeps meanwhile.
unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: by our own contract.
    let (block, child) = unsafe { locate(data) };
    // SAFETY: the waker's reference keeps it alive.
    unsafe { block.as_ref() }.wake(child);
}

/// # Safety
///
/// `data` is of a waker of ours, which the caller gives away.
unsafe fn drop_waker(data: *const ()) {
    // SAFETY: by our own contract.
    let (block, _) = unsafe { locate(data) };
    drop(Reference(block));
}

/// The block and the child's number in the data of a waker.
///
/// # Safety
///
/// `data` is of a waker of ours.
#[inline]
unsafe fn locate(data: *const ()) -> (NonNull<Block>, usize) {
    let child = data.addr() % align_of::<Block>();
    // SAFETY: the data is the block's address, a multiple of its alignment,
    // plus the number, which is less; it has the block's provenance.
    let block = unsafe { data.byte_sub(child) };
    // SAFETY: a block's address is not null.
    (unsafe { NonNull::new_unchecked(block.cast_mut().cast()) }, child)
}

/// One counted reference to a block, given back when dropped.
struct Reference(NonNull<Block>);

impl Drop for Reference {
    fn drop(&mut self) {
        // SAFETY: the reference keeps it alive.
        let references = unsafe { &(*self.0.as_ptr()).references };
        // Release: what we did with the block lies before its end.
        if references.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // Acquire: what the others did lies before its end.
        acquire(references);
        // SAFETY: it lives in the slab, which it holds until the release.
        let block = unsafe { self.0.as_ref() };
        // For the models: the end is as exclusive as a write.
        block.link.with_mut(|_| {});
        // SAFETY: the block's hold, which goes with its last reference.
        unsafe { Slab::release(block.slab) };
    }
}

/// More references than fit the count: so many wakers were leaked.
#[cold]
fn abort() -> ! {
    #[cfg(feature = "std")]
    std::process::abort();
    #[cfg(not(feature = "std"))]
    {
        /// Panics while it is dropped by a panic, which aborts.
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

    /// The test below, run again as a process of its own.
    const AGAIN: &str = "ACTIVE_STATUS_TEST_REFERENCES";

    #[test]
    fn more_references_than_fit_the_count_abort() {
        if std::env::var_os(AGAIN).is_some() {
            let wakers = Inbox::new(1).wakers(0, 1);
            // SAFETY: the wakers hold the block.
            let references = unsafe { &wakers.block.as_ref().references };
            references.store(isize::MAX as usize + 1, Ordering::Relaxed);
            core::mem::forget(Waker::clone(&wakers.lend(0)));
            std::process::exit(0);
        }
        let name = "pool::wake::waker::tests::more_references_than_fit_the_count_abort";
        let mut again = Command::new(std::env::current_exe().unwrap());
        let status = again.args([name, "--exact"]).env(AGAIN, "1").output().unwrap().status;
        assert_eq!(status.signal(), Some(6), "SIGABRT, not {status}");
    }
}
