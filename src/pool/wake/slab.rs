//! The memory of blocks of wakers.
#![expect(unsafe_code, reason = "the lock-free part of the merge")]

use alloc::alloc::{alloc, dealloc, handle_alloc_error};
use core::alloc::Layout;
use core::ptr::{self, NonNull};

use crate::pool::wake::list::{Block, Shared};
use crate::pool::wake::sync::{AtomicBool, AtomicPtr, AtomicUsize, Cell, Ordering, acquire};

/// The head of an allocation with several blocks behind it, which is freed when
/// the merge and all wakers of all of its blocks are gone.
pub(super) struct Slab {
    /// How many blocks have a reference, and one for the inbox. In the first slab
    /// also one for each other slab.
    holds: AtomicUsize,
    /// How many blocks there are.
    blocks: usize,
    /// The first slab of the merge: perhaps this one.
    first: NonNull<First>,
    /// The slab made before. Only the inbox looks at it.
    pub(super) next: Cell<Option<NonNull<Slab>>>,
}

/// The head of the first slab.
#[repr(C)]
pub(super) struct First {
    slab: Slab,
    pub(super) shared: Shared,
}

impl First {
    /// A first slab with room for so many blocks, held once.
    pub(super) fn new(blocks: usize) -> NonNull<Self> {
        let first = Slab::allocate::<Self>(blocks);
        let slab = Slab { holds: AtomicUsize::new(1), blocks, first, next: Cell::new(None) };
        let shared = Shared {
            head: AtomicPtr::new(ptr::null_mut()),
            parent: Cell::new(None),
            done: AtomicBool::new(false),
            _apart: [0; 64],
            passes: AtomicUsize::new(0),
        };
        // SAFETY: it is ours, large enough and aligned.
        unsafe { first.write(Self { slab, shared }) };
        first
    }
}

impl Slab {
    /// Another slab with room for so many blocks, held once.
    ///
    /// # Safety
    ///
    /// The first slab is held.
    pub(super) unsafe fn new(
        first: NonNull<First>,
        blocks: usize,
        next: NonNull<Self>,
    ) -> NonNull<Self> {
        let slab = Self::allocate::<Self>(blocks);
        // SAFETY: it is held.
        let holds = unsafe { &(*first.as_ptr()).slab.holds };
        // Relaxed: who calls has a hold already.
        holds.fetch_add(1, Ordering::Relaxed);
        let holds = AtomicUsize::new(1);
        // SAFETY: it is ours, large enough and aligned.
        unsafe { slab.write(Self { holds, blocks, first, next: Cell::new(Some(next)) }) };
        slab
    }

    /// Memory for a head of type `H` and so many blocks.
    fn allocate<H>(blocks: usize) -> NonNull<H> {
        let layout = Self::layout::<H>(blocks);
        // SAFETY: the layout has a head in it.
        let slab = unsafe { alloc(layout) };
        NonNull::new(slab.cast()).unwrap_or_else(|| handle_alloc_error(layout))
    }

    /// What is allocated. The blocks are aligned by hand, within: allocators take
    /// several times as long for a large alignment.
    fn layout<H>(blocks: usize) -> Layout {
        let slack = align_of::<Block>().saturating_sub(align_of::<H>());
        let size = size_of::<Block>().checked_mul(blocks);
        let size = size.and_then(|size| size.checked_add(size_of::<H>() + slack));
        let layout = size.map(|size| Layout::from_size_align(size, align_of::<H>()));
        layout.and_then(Result::ok).expect("a slab is no larger than isize::MAX")
    }

    /// Whether it is the first.
    fn is_first(&self) -> bool {
        ptr::eq(self.first.as_ptr().cast(), self)
    }

    /// Makes a block of the slab, with one reference, and holds the slab for it.
    ///
    /// # Safety
    ///
    /// The slab is held. It has a block `place`, which was not made before.
    pub(super) unsafe fn hand_out(
        slab: NonNull<Self>,
        place: usize,
        index: usize,
    ) -> NonNull<Block> {
        // SAFETY: it is held.
        let head = unsafe { slab.as_ref() };
        // Relaxed: who calls has a hold already.
        head.holds.fetch_add(1, Ordering::Relaxed);
        let size = if head.is_first() { size_of::<First>() } else { size_of::<Self>() };
        let after = slab.addr().get() + size;
        let start = after.next_multiple_of(align_of::<Block>()) - slab.addr().get();
        // SAFETY: the layout has room for the blocks from there on.
        let first = unsafe { slab.byte_add(start) }.cast::<Block>();
        // SAFETY: as above.
        let block = unsafe { first.add(place) };
        let new = Block {
            ready: AtomicUsize::new(0),
            references: AtomicUsize::new(1),
            link: Cell::new(ptr::null_mut()),
            // SAFETY: the first slab is held as long as this one.
            shared: unsafe { &raw const (*head.first.as_ptr()).shared },
            slab,
            index,
        };
        // SAFETY: nobody has seen the block yet.
        unsafe { block.write(new) };
        block
    }

    /// Gives up a hold, and frees the slab with the last.
    ///
    /// # Safety
    ///
    /// The caller has that hold, and nothing in the slab is used after.
    pub(super) unsafe fn release(slab: NonNull<Self>) {
        // SAFETY: it is held.
        let holds = unsafe { &(*slab.as_ptr()).holds };
        // Release: what we did in the slab lies before its end.
        if holds.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // Acquire: what the others did lies before its end.
        acquire(holds);
        // SAFETY: nobody else is left, so it is ours.
        let head = unsafe { slab.as_ref() };
        // For the models: the end is as exclusive as a write.
        head.next.with_mut(|_| {});
        let (first, blocks) = (head.first, head.blocks);
        if head.is_first() {
            // SAFETY: as above. For the models, too.
            unsafe { &(*first.as_ptr()).shared }.parent.with_mut(|_| {});
            // SAFETY: as above, and this is what was allocated.
            unsafe { Self::free(first, blocks) };
        } else {
            // SAFETY: as above, and this is what was allocated.
            unsafe { Self::free(slab, blocks) };
            // SAFETY: the slab had a hold on the first.
            unsafe { Self::release(first.cast()) };
        }
    }

    /// # Safety
    ///
    /// The slab was allocated with a head of this type and so many blocks, and is
    /// not used after.
    unsafe fn free<H>(slab: NonNull<H>, blocks: usize) {
        // SAFETY: by our own contract. Blocks have nothing to drop.
        unsafe { slab.drop_in_place() };
        // SAFETY: as above.
        unsafe { dealloc(slab.as_ptr().cast(), Self::layout::<H>(blocks)) };
    }
}
