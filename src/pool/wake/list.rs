//! The list of woken blocks, and the merge's end of it.
#![expect(unsafe_code, reason = "the lock-free part of the merge")]

use core::mem;
use core::ptr::{self, NonNull};
use core::task::Waker;

use crate::pool::wake::slab::{First, Slab};
use crate::pool::wake::sync::{AtomicBool, AtomicPtr, AtomicUsize, Cell, Ordering};
use crate::pool::wake::waker::Wakers;

/// The number of children per block: one per bit of a word.
pub(super) const CHILDREN: usize = usize::BITS as usize;

/// The value of `head` while the merge waits. It is never dereferenced.
const PARKED: *mut Block = ptr::without_provenance_mut(1);

/// What the wakers of up to [`CHILDREN`] children share.
///
/// The alignment gives each block its own cache line, and leaves the low bits of the
/// address for the number of a child.
#[repr(align(64))]
pub(super) struct Block {
    /// One bit per child: woken since the merge took the list.
    pub(super) ready: AtomicUsize,
    /// The number of wakers and handles that point here.
    pub(super) references: AtomicUsize,
    /// The next block of the list. Written before the push by the thread that changed
    /// `ready` from zero; read by the merge before it swaps `ready` to zero.
    pub(super) link: Cell<*mut Block>,
    /// Where the list is. The slab keeps it alive.
    pub(super) shared: *const Shared,
    /// The slab that contains this block.
    pub(super) slab: NonNull<Slab>,
    /// The index of the block in its merge.
    pub(super) index: usize,
}

const _: () = assert!(align_of::<Block>() >= CHILDREN, "a child's number fits the low bits");
const _: () = assert!(size_of::<Block>() >= 64, "blocks do not share a cache line");

impl Block {
    /// Sets the child's bit, and pushes the block unless it is on the list.
    ///
    /// Always a read-modify-write: a plain load could find the bit set before the
    /// caller's writes are visible, and the wake would be lost.
    pub(super) fn wake(&self, child: usize) {
        // Release: publishes the caller's writes with the bit. Acquire: the merge's
        // read of `link` happens before this finds zero.
        let before = self.ready.fetch_or(1 << child, Ordering::AcqRel);
        if before == 0 {
            // SAFETY: the slab of this block keeps it alive.
            unsafe { &*self.shared }.push(self);
        }
    }
}

/// What a merge and its blocks share. It is part of the first slab.
#[repr(C)]
pub(super) struct Shared {
    /// Null, [`PARKED`] or the list of woken blocks.
    pub(super) head: AtomicPtr<Block>,
    /// The parent's waker. It belongs to the merge, except from when a thread replaces
    /// `PARKED` until that thread sets `done`.
    pub(super) parent: Cell<Option<Waker>>,
    /// Set by the thread that replaced `PARKED`, after its access to `parent`.
    pub(super) done: AtomicBool,
    /// Keeps `passes` on another cache line: the merge writes it often, and should not
    /// take the line that wakers on other threads write.
    pub(super) _apart: [u8; 64],
    /// How many passes the merge has begun. Children that are merges read it.
    pub(super) passes: AtomicUsize,
}

impl Shared {
    /// Pushes a block whose `ready` the caller changed from zero.
    fn push(&self, block: &Block) {
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            let next = if head == PARKED { ptr::null_mut() } else { head };
            block.link.with_mut(|link| {
                // SAFETY: only the thread that changed `ready` from zero writes here,
                // and the merge read the link before `ready` could be zero again.
                unsafe { *link = next }
            });
            // Release: publishes the link. Acquire: synchronizes with parking, which
            // wrote the parent's waker.
            match self.head.compare_exchange_weak(
                head,
                ptr::from_ref(block).cast_mut(),
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(PARKED) => return self.wake_parent(),
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Wakes the parent that the merge stored when it parked. The caller replaced
    /// `PARKED`.
    fn wake_parent(&self) {
        let parent = self.parent.with_mut(|parent| {
            // SAFETY: the thread that replaced PARKED owns the cell until it sets
            // `done`.
            unsafe { (*parent).take() }
        });
        // Release: returns the cell. Foreign code runs last.
        self.done.store(true, Ordering::Release);
        if let Some(parent) = parent {
            parent.wake();
        }
    }
}

/// The owner of the parent's waker, as far as the merge knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parent {
    /// The merge.
    Merge,
    /// The thread that replaces `PARKED`, which was there at the last access.
    Parked,
    /// The thread that replaced `PARKED`, until it sets `done`.
    Waker,
}

/// The result of parking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(in crate::pool) enum Park {
    /// The next wake of a child wakes the parent.
    Parked,
    /// Children were woken in the meantime and have to be taken.
    Woken,
    /// Another thread is about to wake the previous parent. Try again later.
    Busy,
}

/// The merge's end of the list.
pub(in crate::pool) struct Inbox {
    first: NonNull<First>,
    parent: Parent,
    /// The latest slab, which links to all earlier ones. The inbox holds each of them,
    /// so that every block on the list is alive.
    slabs: NonNull<Slab>,
    /// The number of blocks of that slab that are not in use yet.
    pub(super) spare: usize,
}

// SAFETY: blocks are accessed through `&mut self` alone, and their contents are made
// to be shared with wakers on other threads. `parent` has one owner at a time, handed
// over through `head` and `done`, and may be used and dropped on any thread.
unsafe impl Send for Inbox {}
// SAFETY: `&self` gives loads of `head` and of `passes`, which are atomic.
unsafe impl Sync for Inbox {}

impl Inbox {
    /// Creates an inbox with room for `room` blocks of children.
    pub(in crate::pool) fn new(room: usize) -> Self {
        let first = First::new(room);
        Self { first, parent: Parent::Merge, slabs: first.cast(), spare: room }
    }

    #[inline]
    fn shared(&self) -> &Shared {
        // SAFETY: the inbox holds the slab.
        unsafe { &(*self.first.as_ptr()).shared }
    }

    /// Creates the wakers of a block of children, for which [`take`](Self::take) passes
    /// this index. If there is no room left, allocates it for `room` blocks.
    pub(in crate::pool) fn wakers(&mut self, index: usize, room: usize) -> Wakers {
        if self.spare == 0 {
            let room = room.max(1);
            // SAFETY: the inbox holds the first slab.
            self.slabs = unsafe { Slab::new(self.first, room, self.slabs) };
            // Set last, since the allocation may panic.
            self.spare = room;
        }
        self.spare -= 1;
        // SAFETY: the inbox holds the slab, and this block of it is not in use.
        Wakers { block: unsafe { Slab::hand_out(self.slabs, self.spare, index) } }
    }

    /// Counts a pass of the cursor over a block. No child is polled twice in a
    /// pass, so a nested merge distinguishes one poll from the next by the number.
    #[inline]
    pub(in crate::pool) fn count_pass(&mut self) {
        let passes = &self.shared().passes;
        passes.store(passes.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Returns whether children were woken since the last `take`, or the merge is parked: one
    /// relaxed load.
    #[inline]
    pub(in crate::pool) fn has_wakes(&self) -> bool {
        !self.shared().head.load(Ordering::Relaxed).is_null()
    }

    /// Takes the list, and passes the index of each block and its woken children to
    /// `woken`. Afterwards the merge is awake: wakes are collected, and the parent is not
    /// woken.
    #[inline]
    pub(in crate::pool) fn take(&mut self, mut woken: impl FnMut(usize, usize)) {
        // Acquire: synchronizes with the pushes, which wrote the links.
        let mut list = self.shared().head.swap(ptr::null_mut(), Ordering::Acquire);
        if self.parent == Parent::Parked {
            self.parent = if list == PARKED { Parent::Merge } else { Parent::Waker };
        }
        if list == PARKED {
            return;
        }
        while let Some(block) = NonNull::new(list) {
            // SAFETY: only blocks of this inbox are on its list, and it holds their
            // slabs.
            let block = unsafe { block.as_ref() };
            // Read before the swap, after which the block may be pushed again.
            list = block.link.with(|link| {
                // SAFETY: no thread writes the link while `ready` is not zero.
                unsafe { *link }
            });
            // Acquire: synchronizes with the wakes. Release: the read of the link
            // happens before the next push.
            woken(block.index, block.ready.swap(0, Ordering::AcqRel));
        }
    }

    /// Lets the next wake of a child wake `parent`, unless children were woken since the
    /// last [`take`](Self::take), which must precede it.
    #[inline]
    pub(in crate::pool) fn park(&mut self, parent: &Waker) -> Park {
        debug_assert_ne!(self.parent, Parent::Parked);
        if self.parent == Parent::Waker {
            // Acquire: receives the cell back.
            if !self.shared().done.load(Ordering::Acquire) {
                return Park::Busy;
            }
            self.shared().done.store(false, Ordering::Relaxed);
            self.parent = Parent::Merge;
        }
        let same = self.shared().parent.with(|named| {
            // SAFETY: the merge owns the cell.
            unsafe { &*named }.as_ref().is_some_and(|named| named.will_wake(parent))
        });
        // Foreign code runs in no intermediate state: the clone before the cell
        // changes, the drop of the previous waker after parking.
        let _before = if same {
            None
        } else {
            let parent = parent.clone();
            self.shared().parent.with_mut(|named| {
                // SAFETY: the merge owns the cell.
                unsafe { (*named).replace(parent) }
            })
        };
        // Release: publishes the cell.
        let parked = self.shared().head.compare_exchange(
            ptr::null_mut(),
            PARKED,
            Ordering::Release,
            Ordering::Relaxed,
        );
        if parked.is_err() {
            return Park::Woken;
        }
        self.parent = Parent::Parked;
        Park::Parked
    }

    /// If the merge is parked, takes the list, and returns the parent's waker for the
    /// caller to wake. `None` if the merge is awake, or if another thread is waking the
    /// parent.
    pub(in crate::pool) fn unpark(&mut self, woken: impl FnMut(usize, usize)) -> Option<Waker> {
        if self.parent != Parent::Parked {
            return None;
        }
        self.take(woken);
        self.take_parent()
    }

    /// Takes the parent's waker, if the merge owns it.
    fn take_parent(&mut self) -> Option<Waker> {
        if self.parent != Parent::Merge {
            return None;
        }
        self.shared().parent.with_mut(|parent| {
            // SAFETY: the merge owns the cell.
            unsafe { (*parent).take() }
        })
    }
}

/// Releases the parent's waker, even if wakers of children are still alive.
impl Drop for Inbox {
    fn drop(&mut self) {
        if self.parent == Parent::Parked {
            // Later wakes do not find PARKED, and what they push is never read. Relaxed:
            // this thread does not read it either, and if the parent's waker is still
            // here, no other thread accessed it.
            let list = self.shared().head.swap(ptr::null_mut(), Ordering::Relaxed);
            if list == PARKED {
                self.parent = Parent::Merge;
            }
        }
        let parent = self.take_parent();
        let mut slabs = Some(self.slabs);
        while let Some(slab) = slabs {
            // SAFETY: the inbox holds each slab of the chain until its release.
            let head = unsafe { slab.as_ref() };
            slabs = head.next.with(|next| {
                // SAFETY: no thread writes it.
                unsafe { *next }
            });
            // The holds of the blocks that were not handed out go with it. Only the
            // latest slab has any.
            let unused = mem::take(&mut self.spare);
            // SAFETY: as above, and this releases these holds.
            unsafe { Slab::release(slab, 1 + unused) };
        }
        drop(parent);
    }
}

#[cfg(all(test, feature = "std", not(active_status_loom)))]
mod tests {
    use super::*;

    #[test]
    fn no_block_is_used_twice_after_a_slab_was_too_large() {
        let mut inbox = Inbox::new(1);
        let first = inbox.wakers(0, 1);
        let large = std::panic::AssertUnwindSafe(|| drop(inbox.wakers(1, usize::MAX)));
        assert!(std::panic::catch_unwind(large).is_err());
        assert_eq!(inbox.spare, 0);
        assert_ne!(inbox.wakers(1, 1).block, first.block);
    }
}
