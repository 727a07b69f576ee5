//! The list of woken blocks, and the merge's end of it.
#![expect(unsafe_code, reason = "the lock-free part of the merge")]

use core::ptr::{self, NonNull};
use core::task::Waker;

use crate::pool::wake::slab::{First, Slab};
use crate::pool::wake::sync::{AtomicBool, AtomicPtr, AtomicUsize, Cell, Ordering};
use crate::pool::wake::waker::Wakers;

/// How many children share a block: one for each bit of a word.
pub(super) const CHILDREN: usize = usize::BITS as usize;

/// What `head` is while the merge waits. Never followed.
const PARKED: *mut Block = ptr::without_provenance_mut(1);

/// What the wakers of up to [`CHILDREN`] children share.
///
/// The alignment gives it a cache line of its own, and leaves the low bits of
/// its address to a child's number.
#[repr(align(64))]
pub(super) struct Block {
    /// A bit a child: woken since the merge last looked.
    pub(super) ready: AtomicUsize,
    /// How many wakers and handles point here.
    pub(super) references: AtomicUsize,
    /// The next block of the list. Written by who turned `ready` from zero,
    /// before it pushes; read by the merge, before it swaps `ready` to zero.
    pub(super) link: Cell<*mut Block>,
    /// Where the list is. The slab keeps it.
    pub(super) shared: *const Shared,
    /// The slab that this block stands in.
    pub(super) slab: NonNull<Slab>,
    /// Which block of its merge this is.
    pub(super) index: usize,
}

const _: () = assert!(align_of::<Block>() >= CHILDREN, "a child's number fits the low bits");
const _: () = assert!(size_of::<Block>() >= 64, "blocks do not share a cache line");

impl Block {
    /// Sets the child's bit, and puts the block on the list if it is not there.
    ///
    /// Always a read-modify-write: a plain load that finds the bit set may be
    /// older than what the caller has to tell, and its wake would be lost.
    pub(super) fn wake(&self, child: usize) {
        // Release: what the caller did before goes with the bit. Acquire: the
        // merge's look at `link` lies before the zero that we find.
        let before = self.ready.fetch_or(1 << child, Ordering::AcqRel);
        if before == 0 {
            // SAFETY: the slab we stand in keeps it alive.
            unsafe { &*self.shared }.push(self);
        }
    }
}

/// What a merge and its blocks share. It stands in the first slab.
#[repr(C)]
pub(super) struct Shared {
    /// Null, [`PARKED`] or the list of woken blocks.
    pub(super) head: AtomicPtr<Block>,
    /// Whom to wake. The merge's, but for the time from when a waker replaces
    /// `PARKED` to when that waker sets `done`.
    pub(super) parent: Cell<Option<Waker>>,
    /// Set by who replaced `PARKED`, once it is through with `parent`.
    pub(super) done: AtomicBool,
    /// Puts `passes` on another cache line: the merge writes it often, and must
    /// not take the line that the wakers of other threads write.
    pub(super) _apart: [u8; 64],
    /// How many passes the merge has begun. Children that are merges read it.
    pub(super) passes: AtomicUsize,
}

impl Shared {
    /// Puts a block on the list. The caller turned its `ready` from zero.
    fn push(&self, block: &Block) {
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            let next = if head == PARKED { ptr::null_mut() } else { head };
            block.link.with_mut(|link| {
                // SAFETY: only who turned `ready` from zero writes here, and
                // the merge has read the link before that was possible again.
                unsafe { *link = next }
            });
            // Release: the link goes with the block. Acquire: with PARKED comes
            // the parent's waker.
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

    /// Wakes whom the merge named when it parked. The caller replaced `PARKED`.
    fn wake_parent(&self) {
        let parent = self.parent.with_mut(|parent| {
            // SAFETY: who replaced PARKED owns the cell until it sets `done`.
            unsafe { (*parent).take() }
        });
        // Release: the cell goes back with it. Foreign code comes last.
        self.done.store(true, Ordering::Release);
        if let Some(parent) = parent {
            parent.wake();
        }
    }
}

/// Who owns the parent's waker, as far as the merge knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parent {
    /// The merge.
    Ours,
    /// Who replaces `PARKED`, which the merge put there when it last looked.
    Parked,
    /// Who replaced `PARKED`, until it sets `done`.
    Lent,
}

/// What came of parking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(in crate::pool) enum Park {
    /// The next wake of a child wakes the parent.
    Parked,
    /// Children were woken meanwhile: look again.
    Woken,
    /// Another thread is just about to wake the parent named last: come back.
    Busy,
}

/// The merge's end of the list.
pub(in crate::pool) struct Inbox {
    first: NonNull<First>,
    parent: Parent,
    /// The slab made last, and behind it all others. Each is held, so that
    /// whatever is on the list is alive.
    slabs: NonNull<Slab>,
    /// How many blocks of that slab were not handed out.
    pub(super) spare: usize,
}

// SAFETY: the blocks are followed through `&mut self` alone; what is behind
// them is made to be shared with the wakers of other threads. `parent` has one
// owner at a time, handed over through `head` and `done`, and may be used and
// dropped on any thread.
unsafe impl Send for Inbox {}
// SAFETY: `&self` gives loads of `head` and of `passes`, both atomic.
unsafe impl Sync for Inbox {}

impl Inbox {
    /// An inbox with room for so many blocks of children.
    pub(in crate::pool) fn new(room: usize) -> Self {
        let first = First::new(room);
        Self { first, parent: Parent::Ours, slabs: first.cast(), spare: room }
    }

    #[inline]
    fn shared(&self) -> &Shared {
        // SAFETY: we hold the slab.
        unsafe { &(*self.first.as_ptr()).shared }
    }

    /// Wakers for a new block of children, which [`take`](Self::take) will
    /// name by this index. If there is no room, it is made for so many blocks.
    pub(in crate::pool) fn wakers(&mut self, index: usize, room: usize) -> Wakers {
        if self.spare == 0 {
            let room = room.max(1);
            // SAFETY: we hold the first slab.
            self.slabs = unsafe { Slab::new(self.first, room, self.slabs) };
            // Last, for a slab that would be too large panics.
            self.spare = room;
        }
        self.spare -= 1;
        // SAFETY: we hold the slab, and this block of it was not handed out.
        Wakers { block: unsafe { Slab::hand_out(self.slabs, self.spare, index) } }
    }

    /// Counts a pass of the cursor over a block. No child is polled twice in a
    /// pass, so the number tells a child that is a merge one poll from the next.
    #[inline]
    pub(in crate::pool) fn count_pass(&mut self) {
        let passes = &self.shared().passes;
        passes.store(passes.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Whether there is something to take: one relaxed load.
    #[inline]
    pub(in crate::pool) fn has_wakes(&self) -> bool {
        !self.shared().head.load(Ordering::Relaxed).is_null()
    }

    /// Takes the list: each block's index, and which of its children were
    /// woken. From then on the merge is awake: wakes are gathered and nobody is
    /// called.
    pub(in crate::pool) fn take(&mut self, mut woken: impl FnMut(usize, usize)) {
        // Acquire: the links come with the list.
        let mut list = self.shared().head.swap(ptr::null_mut(), Ordering::Acquire);
        if self.parent == Parent::Parked {
            self.parent = if list == PARKED { Parent::Ours } else { Parent::Lent };
        }
        if list == PARKED {
            return;
        }
        while let Some(block) = NonNull::new(list) {
            // SAFETY: only our own blocks go on our list, and we hold their
            // slabs.
            let block = unsafe { block.as_ref() };
            // Before the swap: after it, the block may be pushed again.
            list = block.link.with(|link| {
                // SAFETY: nobody writes the link while `ready` is not zero.
                unsafe { *link }
            });
            // Acquire: what was done before a wake comes with its bit. Release:
            // our look at the link lies before the next push.
            woken(block.index, block.ready.swap(0, Ordering::AcqRel));
        }
    }

    /// Has the next wake of a child wake `parent`, unless there is news.
    ///
    /// [`take`](Self::take) comes before it.
    pub(in crate::pool) fn park(&mut self, parent: &Waker) -> Park {
        debug_assert_ne!(self.parent, Parent::Parked);
        if self.parent == Parent::Lent {
            // Acquire: the cell comes back with it.
            if !self.shared().done.load(Ordering::Acquire) {
                return Park::Busy;
            }
            self.shared().done.store(false, Ordering::Relaxed);
            self.parent = Parent::Ours;
        }
        let same = self.shared().parent.with(|named| {
            // SAFETY: the cell is ours.
            unsafe { &*named }.as_ref().is_some_and(|named| named.will_wake(parent))
        });
        // Foreign code runs with nothing half done: the clone before the cell
        // changes, the drop of the waker named before once we are parked.
        let _before = if same {
            None
        } else {
            let parent = parent.clone();
            self.shared().parent.with_mut(|named| {
                // SAFETY: the cell is ours.
                unsafe { (*named).replace(parent) }
            })
        };
        // Release: the cell goes with the token.
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

    /// If the merge is parked, takes what there is, and gives the parent's
    /// waker to whom it falls to wake it. `None` if the merge is awake, or if
    /// another thread is waking the parent.
    pub(in crate::pool) fn unpark(&mut self, woken: impl FnMut(usize, usize)) -> Option<Waker> {
        if self.parent != Parent::Parked {
            return None;
        }
        self.take(woken);
        self.take_parent()
    }

    /// The parent's waker, if it is ours.
    fn take_parent(&mut self) -> Option<Waker> {
        if self.parent != Parent::Ours {
            return None;
        }
        self.shared().parent.with_mut(|parent| {
            // SAFETY: the cell is ours.
            unsafe { (*parent).take() }
        })
    }
}

/// Releases the parent's waker, however many wakers of children live on.
impl Drop for Inbox {
    fn drop(&mut self) {
        // Later wakes find no token, and nobody follows what they push.
        // Relaxed: nor do we, and a parent that is still ours was never away.
        let list = self.shared().head.swap(ptr::null_mut(), Ordering::Relaxed);
        if self.parent == Parent::Parked && list == PARKED {
            self.parent = Parent::Ours;
        }
        let parent = self.take_parent();
        let mut slabs = Some(self.slabs);
        while let Some(slab) = slabs {
            // SAFETY: we hold each slab of the chain, until the release.
            let head = unsafe { slab.as_ref() };
            slabs = head.next.with(|next| {
                // SAFETY: nobody writes it.
                unsafe { *next }
            });
            // SAFETY: as above, and this is our hold on it.
            unsafe { Slab::release(slab) };
        }
        drop(parent);
    }
}

#[cfg(all(test, feature = "std", not(active_status_loom)))]
mod tests {
    use super::*;

    #[test]
    fn no_block_is_handed_out_twice_after_a_slab_was_too_large() {
        let mut inbox = Inbox::new(1);
        let first = inbox.wakers(0, 1);
        let large = std::panic::AssertUnwindSafe(|| drop(inbox.wakers(1, usize::MAX)));
        assert!(std::panic::catch_unwind(large).is_err());
        assert_eq!(inbox.spare, 0);
        assert_ne!(inbox.wakers(1, 1).block, first.block);
    }
}
