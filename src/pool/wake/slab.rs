//! The memory of blocks of wakers.
#![expect(unsafe_code, reason = "the lock-free part of the merge")]

use alloc::alloc::{alloc, dealloc, handle_alloc_error};
use core::alloc::Layout;
use core::ptr::{self, NonNull};

use crate::pool::wake::list::{Block, Shared};
use crate::pool::wake::sync::{AtomicBool, AtomicPtr, AtomicUsize, Cell, Ordering, release};

/// The header of an allocation that contains several blocks. It is freed when the merge
/// and all wakers of its blocks are dropped.
pub(super) struct Slab {
    /// The number of blocks with a reference or not handed out yet, plus one for the inbox.
    /// In the first slab also one per other slab.
    holds: AtomicUsize,
    /// The number of blocks.
    blocks: usize,
    /// The first slab of the merge, possibly this one.
    first: NonNull<First>,
    /// The previous slab. Only the inbox reads it.
    pub(super) next: Cell<Option<NonNull<Slab>>>,
}

/// The header of the first slab.
#[repr(C)]
pub(super) struct First {
    slab: Slab,
    pub(super) shared: Shared,
}

impl First {
    /// Allocates a first slab for `blocks` blocks, held once and by each of them.
    pub(super) fn new(blocks: usize) -> NonNull<Self> {
        let first = Slab::allocate::<Self>(blocks);
        let holds = AtomicUsize::new(1 + blocks);
        let slab = Slab { holds, blocks, first, next: Cell::new(None) };
        let shared = Shared {
            head: AtomicPtr::new(ptr::null_mut()),
            parent: Cell::new(None),
            done: AtomicBool::new(false),
            _apart: [0; 64],
            passes: AtomicUsize::new(0),
        };
        // SAFETY: the allocation is new, large enough and aligned.
        unsafe { first.write(Self { slab, shared }) };
        first
    }
}

impl Slab {
    /// Allocates another slab for `blocks` blocks, held once and by each of them.
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
        // Relaxed: the caller has a hold already.
        holds.fetch_add(1, Ordering::Relaxed);
        let holds = AtomicUsize::new(1 + blocks);
        // SAFETY: the allocation is new, large enough and aligned.
        unsafe { slab.write(Self { holds, blocks, first, next: Cell::new(Some(next)) }) };
        slab
    }

    /// Allocates a header of type `H` and `blocks` blocks.
    fn allocate<H>(blocks: usize) -> NonNull<H> {
        let layout = Self::layout::<H>(blocks);
        // SAFETY: the layout contains a header and is not empty.
        let slab = unsafe { alloc(layout) };
        NonNull::new(slab.cast()).unwrap_or_else(|| handle_alloc_error(layout))
    }

    /// Returns the layout of the allocation. The blocks are aligned within it by hand, since
    /// allocators are several times slower for a large alignment.
    fn layout<H>(blocks: usize) -> Layout {
        let slack = align_of::<Block>().saturating_sub(align_of::<H>());
        let size = size_of::<Block>().checked_mul(blocks);
        let size = size.and_then(|size| size.checked_add(size_of::<H>() + slack));
        let layout = size.map(|size| Layout::from_size_align(size, align_of::<H>()));
        layout.and_then(Result::ok).expect("a slab is no larger than isize::MAX")
    }

    /// Returns whether this is the first slab.
    fn is_first(&self) -> bool {
        ptr::eq(self.first.as_ptr().cast(), self)
    }

    /// Initializes a block of the slab with one reference, which takes over the block's
    /// hold on the slab.
    ///
    /// # Safety
    ///
    /// The slab is held, and its block `place` exists and was not handed out.
    pub(super) unsafe fn hand_out(
        slab: NonNull<Self>,
        place: usize,
        index: usize,
    ) -> NonNull<Block> {
        // SAFETY: it is held.
        let head = unsafe { slab.as_ref() };
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
        // SAFETY: no other reference to the block exists.
        unsafe { block.write(new) };
        block
    }

    /// Releases holds, and frees the slab with the last one.
    ///
    /// # Safety
    ///
    /// The caller owns this number of holds, and does not use the slab afterwards.
    pub(super) unsafe fn release(slab: NonNull<Self>, count: usize) {
        // SAFETY: it is held.
        let holds = unsafe { &(*slab.as_ptr()).holds };
        if !release(holds, count) {
            return;
        }
        // SAFETY: this was the last hold.
        let head = unsafe { slab.as_ref() };
        // For the models: deallocation is as exclusive as a write.
        head.next.with_mut(|_| {});
        let (first, blocks) = (head.first, head.blocks);
        if head.is_first() {
            // SAFETY: as above. For the models as well.
            unsafe { &(*first.as_ptr()).shared }.parent.with_mut(|_| {});
            // SAFETY: as above, with the layout of the allocation.
            unsafe { Self::free(first, blocks) };
        } else {
            // SAFETY: as above, with the layout of the allocation.
            unsafe { Self::free(slab, blocks) };
            // SAFETY: the slab had a hold on the first one.
            unsafe { Self::release(first.cast(), 1) };
        }
    }

    /// # Safety
    ///
    /// The slab was allocated with a header of this type and `blocks` blocks, and is not
    /// used afterwards.
    unsafe fn free<H>(slab: NonNull<H>, blocks: usize) {
        // SAFETY: by the contract of this function. Blocks need no drop.
        unsafe { slab.drop_in_place() };
        // SAFETY: as above.
        unsafe { dealloc(slab.as_ptr().cast(), Self::layout::<H>(blocks)) };
    }
}
