//! Wakers for the children of a merge, and the list that tells which were woken.
//!
//! This is the one lock-free file. Children stand in blocks, one for each bit
//! of a word. A child's waker is its block's address plus its number, so that
//! there is no node and no allocation a child:
//!
//! ```text
//!            Shared                       Block (one cache line, 64 children)
//! merge ──▶ ┌────────┐ ◀──────────────── ┌──────────────────────────────────┐
//!           │ head ──┼──▶ Block ──▶ …    │ ready: …00100   references  link │
//!           │ parent │   (woken blocks,  └──────────────────────────────────┘
//!           └────────┘    newest first)    ▲ block + 2: the third child's waker
//! ```
//!
//! To wake is to set the child's bit; who finds the word empty pushes the block
//! on the list. The merge takes the list whole, with one swap, so that no
//! pointer can come back while somebody compares it (no ABA).
//!
//! `head` is null while the merge is awake, [`PARKED`] while it waits, or the
//! list. Who replaces `PARKED` owns the parent's waker until it has set `done`:
//! it takes the waker out, says so, and only then calls it. So no foreign code
//! runs while anything is half done, and nobody waits for anybody.
//!
//! The models in `wake/models.rs` are run by loom. Each ordering says what it
//! is for, and weaker ones fail the models.
#![expect(unsafe_code, reason = "the lock-free part of the merge")]

use alloc::alloc::{alloc, dealloc, handle_alloc_error};
use core::alloc::Layout;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::ptr::{self, NonNull};
use core::task::{RawWaker, RawWakerVTable, Waker};

use sync::{AtomicBool, AtomicPtr, AtomicUsize, Cell, Ordering, fence};

/// How many children share a block: one for each bit of a word.
const CHILDREN: usize = usize::BITS as usize;

/// What `head` is while the merge waits. Never followed.
const PARKED: *mut Block = ptr::without_provenance_mut(1);

/// What the wakers of up to [`CHILDREN`] children share.
///
/// The alignment gives it a cache line of its own, and leaves the low bits of
/// its address to a child's number.
#[repr(align(64))]
struct Block {
    /// A bit a child: woken since the merge last looked.
    ready: AtomicUsize,
    /// How many wakers and handles point here.
    references: AtomicUsize,
    /// The next block of the list. Written by who turned `ready` from zero,
    /// before it pushes; read by the merge, before it swaps `ready` to zero.
    link: Cell<*mut Block>,
    /// Where the list is. The slab keeps it.
    shared: *const Shared,
    /// The slab that this block stands in.
    slab: NonNull<Slab>,
    /// Which block of its merge this is.
    index: usize,
}

const _: () = assert!(align_of::<Block>() >= CHILDREN, "a child's number fits the low bits");
const _: () = assert!(size_of::<Block>() >= 64, "blocks do not share a cache line");

impl Block {
    /// Sets the child's bit, and puts the block on the list if it is not there.
    ///
    /// Always a read-modify-write: a plain load that finds the bit set may be
    /// older than what the caller has to tell, and its wake would be lost.
    fn wake(&self, child: usize) {
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
struct Shared {
    /// Null, [`PARKED`] or the list of woken blocks.
    head: AtomicPtr<Block>,
    /// Whom to wake. The merge's, but for the time from when a waker replaces
    /// `PARKED` to when that waker sets `done`.
    parent: Cell<Option<Waker>>,
    /// Set by who replaced `PARKED`, once it is through with `parent`.
    done: AtomicBool,
    /// Puts `polls` on another cache line: the merge writes it often, and must
    /// not take the line that the wakers of other threads write.
    _apart: [u8; 64],
    /// How many children the merge has polled. It is here for those of them that
    /// are merges.
    polls: AtomicUsize,
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
pub(super) enum Park {
    /// The next wake of a child wakes the parent.
    Parked,
    /// Children were woken meanwhile: look again.
    Woken,
    /// Another thread is just about to wake the parent named last: come back.
    Busy,
}

/// The merge's end of the list.
pub(super) struct Inbox {
    first: NonNull<First>,
    parent: Parent,
    /// The slab made last, and behind it all others. Each is held, so that
    /// whatever is on the list is alive.
    slabs: NonNull<Slab>,
    /// How many blocks of that slab were not handed out.
    spare: usize,
}

// SAFETY: the blocks are followed through `&mut self` alone; what is behind
// them is made to be shared with the wakers of other threads. `parent` has one
// owner at a time, handed over through `head` and `done`, and may be used and
// dropped on any thread.
unsafe impl Send for Inbox {}
// SAFETY: `&self` gives loads of `head` and of `polls`, both atomic.
unsafe impl Sync for Inbox {}

impl Inbox {
    /// An inbox with room for so many blocks of children.
    pub(super) fn new(room: usize) -> Self {
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
    pub(super) fn wakers(&mut self, index: usize, room: usize) -> Wakers {
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

    /// How many polls of children were counted, modulo the size of a word.
    #[inline]
    pub(super) fn polls(&self) -> usize {
        self.shared().polls.load(Ordering::Relaxed)
    }

    /// Counts the poll of a child.
    #[inline]
    pub(super) fn count_poll(&mut self) {
        self.shared().polls.store(self.polls().wrapping_add(1), Ordering::Relaxed);
    }

    /// Whether there is something to take: one relaxed load.
    #[inline]
    pub(super) fn has_news(&self) -> bool {
        !self.shared().head.load(Ordering::Relaxed).is_null()
    }

    /// Takes the list: each block's index, and which of its children were
    /// woken. From then on the merge is awake: wakes are gathered and nobody is
    /// called.
    pub(super) fn take(&mut self, mut woken: impl FnMut(usize, usize)) {
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
    pub(super) fn park(&mut self, parent: &Waker) -> Park {
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
    pub(super) fn unpark(&mut self, woken: impl FnMut(usize, usize)) -> Option<Waker> {
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

/// The head of an allocation with several blocks behind it, which is freed when
/// the merge and all wakers of all of its blocks are gone.
struct Slab {
    /// How many blocks have a reference, and one for the inbox. In the first slab
    /// also one for each other slab.
    holds: AtomicUsize,
    /// How many blocks there are.
    blocks: usize,
    /// The first slab of the merge: perhaps this one.
    first: NonNull<First>,
    /// The slab made before. Only the inbox looks at it.
    next: Cell<Option<NonNull<Slab>>>,
}

/// The head of the first slab.
#[repr(C)]
struct First {
    slab: Slab,
    shared: Shared,
}

impl First {
    /// A first slab with room for so many blocks, held once.
    fn new(blocks: usize) -> NonNull<Self> {
        let first = Slab::allocate::<Self>(blocks);
        let slab = Slab { holds: AtomicUsize::new(1), blocks, first, next: Cell::new(None) };
        let shared = Shared {
            head: AtomicPtr::new(ptr::null_mut()),
            parent: Cell::new(None),
            done: AtomicBool::new(false),
            _apart: [0; 64],
            polls: AtomicUsize::new(0),
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
    unsafe fn new(first: NonNull<First>, blocks: usize, next: NonNull<Self>) -> NonNull<Self> {
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
    unsafe fn hand_out(slab: NonNull<Self>, place: usize, index: usize) -> NonNull<Block> {
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
    unsafe fn release(slab: NonNull<Self>) {
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

/// The wakers of a block of children.
pub(super) struct Wakers {
    block: NonNull<Block>,
}

// SAFETY: it is a reference to a block, and those are made to be shared.
unsafe impl Send for Wakers {}
// SAFETY: as above.
unsafe impl Sync for Wakers {}

impl Wakers {
    /// The waker of a child, lent: no count is touched.
    #[inline]
    pub(super) fn lend(&self, child: usize) -> Lent<'_> {
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
pub(super) struct Lent<'a> {
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
pub(super) fn polls_above(waker: &Waker) -> Option<usize> {
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
    Some(shared.polls.load(Ordering::Relaxed))
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

/// What the others did before they left this count lies before what follows.
#[inline]
fn acquire(count: &AtomicUsize) {
    if cfg!(active_status_tsan) {
        // ThreadSanitizer knows no fences.
        let _ = count.load(Ordering::Acquire);
    } else {
        fence(Ordering::Acquire);
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

/// The primitives.
#[cfg(not(all(test, active_status_loom)))]
mod sync {
    pub(super) use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, fence};

    /// An `UnsafeCell` with loom's interface.
    pub(super) struct Cell<T>(core::cell::UnsafeCell<T>);

    impl<T> Cell<T> {
        pub(super) const fn new(value: T) -> Self {
            Self(core::cell::UnsafeCell::new(value))
        }

        #[inline]
        pub(super) fn with<R>(&self, look: impl FnOnce(*const T) -> R) -> R {
            look(self.0.get())
        }

        #[inline]
        pub(super) fn with_mut<R>(&self, change: impl FnOnce(*mut T) -> R) -> R {
            change(self.0.get())
        }
    }
}

/// The primitives, watched by loom.
#[cfg(all(test, active_status_loom))]
mod sync {
    pub(super) use loom::cell::UnsafeCell as Cell;
    pub(super) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, fence};
}

#[cfg(all(test, active_status_loom))]
mod models;

#[cfg(all(test, unix, feature = "std", not(active_status_loom)))]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    /// The test below, run again as a process of its own.
    const AGAIN: &str = "ACTIVE_STATUS_TEST_REFERENCES";

    #[test]
    fn no_block_is_handed_out_twice_after_a_slab_was_too_large() {
        let mut inbox = Inbox::new(1);
        let first = inbox.wakers(0, 1);
        let large = std::panic::AssertUnwindSafe(|| drop(inbox.wakers(1, usize::MAX)));
        assert!(std::panic::catch_unwind(large).is_err());
        assert_eq!(inbox.spare, 0);
        assert_ne!(inbox.wakers(1, 1).block, first.block);
    }

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
        let name = "pool::wake::tests::more_references_than_fit_the_count_abort";
        let mut again = Command::new(std::env::current_exe().unwrap());
        let status = again.args([name, "--exact"]).env(AGAIN, "1").output().unwrap().status;
        assert_eq!(status.signal(), Some(6), "SIGABRT, not {status}");
    }
}
