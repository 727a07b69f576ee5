//! Pinned storage that never moves a child.
#![expect(unsafe_code, reason = "children are stored in raw memory, at a fixed address")]

use alloc::alloc::{alloc, dealloc, handle_alloc_error, realloc};
use alloc::vec::Vec;
use core::alloc::Layout;
use core::iter;
use core::marker::PhantomData;
use core::mem;
use core::option;
use core::pin::Pin;
use core::ptr::NonNull;
use core::slice;

use crate::pool::wake::{Borrowed, Wakers};

/// The largest number of slots in a chunk: one per bit of a word.
const MOST: usize = usize::BITS as usize;

/// The present chunk of a merge without blocks. It is never written.
static NO_CHUNK: Header =
    Header { ready: 0, occupied: 0, usable: 0, wakers: None, end: nothing, capacity: 0, fresh: 0 };

/// # Safety
///
/// None: the function does nothing.
unsafe fn nothing(_: NonNull<Header>) {}

/// A chunk of up to 64 slots. Each is empty or holds a child that is pinned there from
/// [`insert`](Blocks::insert) to its drop.
///
/// The chunk is one allocation, whose address is stored here. It begins with all that
/// a poll of its children needs besides them.
pub(super) struct Slots<S> {
    chunk: Chunk,
    /// For auto traits, variance and drop check: the slots own and drop children.
    children: PhantomData<S>,
}

/// The chunk, without the type of its children. Since the type that implements `Drop`
/// has no parameter, children may borrow a value that is dropped before them, as in a
/// `Vec`, if their own drop does not access it. A drop that does is rejected:
///
/// ```compile_fail,E0597
/// struct Looks<'a>(&'a str);
///
/// impl Drop for Looks<'_> {
///     fn drop(&mut self) {
///         println!("{}", self.0);
///     }
/// }
///
/// let mut merge = active_status::Merge::new();
/// let word = String::from("gone");
/// merge.push(Looks(&word));
/// ```
struct Chunk {
    header: NonNull<Header>,
}

/// The start of a chunk's allocation, before its slots. One bit of a word is one slot.
struct Header {
    /// The children that are to be polled. Their slots are occupied.
    ready: usize,
    occupied: usize,
    /// The slots that may receive a child once they are empty.
    usable: usize,
    /// `None` only in `NO_CHUNK`.
    wakers: Option<Wakers>,
    /// Drops the children, then the wakers, and frees the chunk.
    end: unsafe fn(NonNull<Header>),
    /// The number of slots.
    capacity: u8,
    /// Slots from this one on never held a child.
    fresh: u8,
}

impl Header {
    /// Returns the first slots, as a mask.
    fn first(capacity: usize) -> usize {
        usize::MAX.checked_shr((MOST - capacity) as u32).unwrap_or(0)
    }

    fn vacant(&self) -> usize {
        self.usable & !self.occupied
    }
}

// SAFETY: it owns its children and their memory, and nothing else.
unsafe impl<S: Send> Send for Slots<S> {}
// SAFETY: `&Slots` gives only `&S`.
unsafe impl<S: Sync> Sync for Slots<S> {}

impl<S> Slots<S> {
    /// The offset of the slots from the start of the chunk.
    const START: usize = size_of::<Header>().next_multiple_of(align_of::<S>());

    /// Allocates an empty chunk of `capacity` slots, at most 64.
    ///
    /// # Panics
    ///
    /// If they take more than `isize::MAX` bytes.
    fn new(capacity: usize, wakers: Wakers) -> Self {
        let layout = Self::layout(capacity);
        // SAFETY: the layout contains a header and is not empty.
        let chunk = unsafe { alloc(layout) };
        let Some(header) = NonNull::new(chunk.cast::<Header>()) else { handle_alloc_error(layout) };
        let first = Header {
            ready: 0,
            occupied: 0,
            usable: Header::first(capacity),
            wakers: Some(wakers),
            end: Self::end,
            capacity: capacity as u8,
            fresh: 0,
        };
        // SAFETY: the allocation is new, large enough and aligned.
        unsafe { header.write(first) };
        Self { chunk: Chunk { header }, children: PhantomData }
    }

    /// Allocates the chunk anew, with another number of slots. It has no children, and its
    /// slots count as never used.
    ///
    /// # Panics
    ///
    /// If the chunk has children, or if the slots take more than `isize::MAX` bytes.
    fn resize(&mut self, capacity: usize) {
        assert_eq!(self.header().occupied, 0, "the chunk has no children");
        let (before, after) = (Self::layout(self.capacity()), Self::layout(capacity));
        let chunk = self.chunk.header.as_ptr().cast();
        // SAFETY: the chunk was allocated with the first layout; the second one contains a
        // header and has the same alignment. The header may be moved.
        let chunk = unsafe { realloc(chunk, before, after.size()) };
        let Some(header) = NonNull::new(chunk.cast::<Header>()) else { handle_alloc_error(after) };
        self.chunk.header = header;
        let header = self.header_mut();
        header.usable = Header::first(capacity);
        (header.capacity, header.fresh) = (capacity as u8, 0);
    }

    fn layout(capacity: usize) -> Layout {
        assert!(capacity <= MOST, "a chunk has at most 64 slots");
        let header = Layout::new::<Header>();
        let layout = Layout::array::<S>(capacity).and_then(|slots| header.extend(slots));
        let (layout, start) = layout.expect("a chunk is no larger than isize::MAX");
        debug_assert_eq!(start, Self::START);
        layout
    }

    /// Returns the address of a slot. Its place is less than the capacity.
    #[inline]
    fn slot(&self, place: usize) -> NonNull<S> {
        // SAFETY: the callers checked the place.
        unsafe { slot(self.chunk.header, place) }
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: `new` wrote it, and it lives as long as the chunk.
        unsafe { self.chunk.header.as_ref() }
    }

    #[inline]
    fn header_mut(&mut self) -> &mut Header {
        // SAFETY: as in `header`, and `&mut self` is exclusive.
        unsafe { self.chunk.header.as_mut() }
    }

    /// Returns the occupied slots, one bit per slot.
    #[inline]
    pub(super) fn occupied(&self) -> usize {
        self.header().occupied
    }

    /// Returns the slots that may receive a child, one bit per slot.
    #[inline]
    pub(super) fn vacant(&self) -> usize {
        self.header().vacant()
    }

    /// Returns the number of slots.
    pub(super) fn capacity(&self) -> usize {
        usize::from(self.header().capacity)
    }

    /// Returns whether no slot ever held a child.
    pub(super) fn is_fresh(&self) -> bool {
        self.header().fresh == 0
    }

    /// Returns whether a slot is occupied.
    #[inline]
    fn has(&self, place: usize) -> bool {
        place < MOST && self.occupied() & (1 << place) != 0
    }

    /// Returns the child in a slot.
    pub(super) fn get(&self, place: usize) -> Option<&S> {
        self.has(place).then(|| {
            // SAFETY: the slot is occupied.
            unsafe { self.slot(place).as_ref() }
        })
    }

    /// Returns the children with their places.
    pub(super) fn iter(&self) -> SlotsIter<'_, S> {
        SlotsIter { slots: Some(self), left: self.occupied() }
    }

    fn iter_pin_mut(&mut self) -> SlotsIterMut<'_, S> {
        SlotsIterMut { first: self.slot(0), left: self.occupied(), children: PhantomData }
    }

    /// Drops all children, even after the drop of one panics.
    fn clear(&mut self) {
        /// Resumes after a panic.
        struct Rest<'a, S>(&'a mut Slots<S>);
        impl<S> Drop for Rest<'_, S> {
            fn drop(&mut self) {
                self.0.clear();
            }
        }
        while self.occupied() != 0 {
            let place = self.occupied().trailing_zeros() as usize;
            let rest = Rest(self);
            // SAFETY: `&mut self` is exclusive.
            unsafe { remove::<S>(rest.0.chunk.header, place, || {}) };
            mem::forget(rest);
        }
    }

    /// Drops the children of a chunk and its wakers, and frees it.
    ///
    /// # Safety
    ///
    /// `header` is of a chunk of a `Slots<S>`. It is not used afterwards.
    unsafe fn end(header: NonNull<Header>) {
        /// Frees the chunk, even if the drop of a child panics.
        struct Memory<S>(NonNull<Header>, PhantomData<S>);
        impl<S> Drop for Memory<S> {
            fn drop(&mut self) {
                // SAFETY: the header is there until the end of this function.
                let capacity = usize::from(unsafe { self.0.as_ref() }.capacity);
                // SAFETY: nothing accesses the header afterwards.
                unsafe { self.0.drop_in_place() };
                let layout = Slots::<S>::layout(capacity);
                // SAFETY: it was allocated with this layout. The children are dropped,
                // or leaked by a second panic, which aborts.
                unsafe { dealloc(self.0.as_ptr().cast(), layout) };
            }
        }
        let _memory = Memory::<S>(header, PhantomData);
        let slots = Self { chunk: Chunk { header }, children: PhantomData };
        mem::ManuallyDrop::new(slots).clear();
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: the chunk is not freed yet.
        let end = unsafe { self.header.as_ref() }.end;
        // SAFETY: `end` is of the type of the children in these slots.
        unsafe { end(self.header) }
    }
}

/// Returns the address of a slot.
///
/// # Safety
///
/// The header is of a chunk of children of this type, and has more slots than `place`.
#[inline]
unsafe fn slot<S>(header: NonNull<Header>, place: usize) -> NonNull<S> {
    // SAFETY: the slots begin at that offset of the allocation.
    let slots = unsafe { header.byte_add(Slots::<S>::START) }.cast::<S>();
    // SAFETY: the caller checked the place.
    unsafe { slots.add(place) }
}

/// Drops the child in a slot in place, as [`Blocks::remove_present`] documents.
///
/// # Safety
///
/// The header is of a chunk of children of this type, which the caller may change.
#[inline]
unsafe fn remove<S>(mut header: NonNull<Header>, place: usize, vacate: impl FnOnce()) -> bool {
    // SAFETY: by the contract of this function.
    let words = unsafe { header.as_mut() };
    let bit = 1 << (place % MOST);
    if words.occupied & bit == 0 {
        return false;
    }
    let was_full = words.vacant() == 0;
    words.occupied &= !bit;
    words.ready &= !bit;
    let is_empty = words.occupied == 0;
    if was_full && words.vacant() != 0 {
        vacate();
    }
    // SAFETY: the slot was occupied.
    let child = unsafe { slot::<S>(header, place % MOST) };
    // SAFETY: as above, and the child is not accessed afterwards.
    unsafe { child.drop_in_place() };
    is_empty
}

/// The chunks of a merge, one per block of children, and the chunk of the present block.
pub(super) struct Blocks<S> {
    /// The chunk of the block `index`, or `NO_CHUNK` if there is no such block.
    present: Present,
    index: usize,
    /// Most merges have one block: this one, which then costs no allocation.
    first: Option<Slots<S>>,
    others: Vec<Slots<S>>,
    /// The number of blocks.
    len: usize,
}

/// A second pointer to a chunk that [`Blocks`] owns. The poll of a child begins with it,
/// and finds everything there.
struct Present(NonNull<Header>);

// SAFETY: it is used through `Blocks` alone, which also owns the chunk.
unsafe impl Send for Present {}
// SAFETY: as above.
unsafe impl Sync for Present {}

impl<S> Blocks<S> {
    pub(super) fn new() -> Self {
        let present = Present(NonNull::from(&NO_CHUNK));
        Self { present, index: 0, first: None, others: Vec::new(), len: 0 }
    }

    /// Reserves memory for exactly this many more blocks.
    pub(super) fn reserve_exact(&mut self, blocks: usize) {
        self.others.reserve_exact(blocks.saturating_sub(usize::from(self.first.is_none())));
    }

    /// Reserves memory for at least this many more blocks.
    pub(super) fn reserve(&mut self, blocks: usize) {
        self.others.reserve(blocks.saturating_sub(usize::from(self.first.is_none())));
    }

    pub(super) fn shrink_to_fit(&mut self) {
        self.others.shrink_to_fit();
    }

    /// Returns how many blocks there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds a block of this many slots.
    pub(super) fn push(&mut self, capacity: usize, wakers: Wakers) {
        let slots = Slots::new(capacity, wakers);
        if self.first.is_none() {
            self.first = Some(slots);
        } else {
            self.others.push(slots);
        }
        self.len += 1;
        self.enter(self.index);
    }

    #[inline]
    pub(super) fn get(&self, block: usize) -> Option<&Slots<S>> {
        match block.checked_sub(1) {
            None => self.first.as_ref(),
            Some(other) => self.others.get(other),
        }
    }

    /// The slots must not be replaced by others: `present` points to them.
    #[inline]
    fn get_mut(&mut self, block: usize) -> Option<&mut Slots<S>> {
        match block.checked_sub(1) {
            None => self.first.as_mut(),
            Some(other) => self.others.get_mut(other),
        }
    }

    /// Makes a block the present one.
    #[inline]
    pub(super) fn enter(&mut self, block: usize) {
        self.index = block;
        let header = self.get(block).map(|slots| slots.chunk.header);
        self.present.0 = header.unwrap_or(NonNull::from(&NO_CHUNK));
    }

    /// Returns the index of the present block.
    #[inline]
    pub(super) fn index(&self) -> usize {
        self.index
    }

    #[inline]
    fn present(&self) -> &Header {
        // SAFETY: it is the chunk of a block, or static.
        unsafe { self.present.0.as_ref() }
    }

    /// Returns the ready children of the present block.
    #[inline]
    pub(super) fn ready(&self) -> usize {
        self.present().ready
    }

    /// Takes a child of the present block out of the ready ones.
    #[inline]
    pub(super) fn unmark_present(&mut self, place: usize) {
        if self.ready() != 0 {
            // SAFETY: it is the chunk of a block, for it has a ready child, and `&mut self` is
            // exclusive.
            unsafe { self.present.0.as_mut() }.ready &= !(1 << place);
        }
    }

    /// Returns the child in a slot of the present block, pinned, and its waker.
    #[inline]
    pub(super) fn present_child(&mut self, place: usize) -> Option<(Pin<&mut S>, Borrowed<'_>)> {
        let header = self.present();
        if place >= MOST || header.occupied & (1 << place) == 0 {
            return None;
        }
        // SAFETY: only the chunk without slots, and so without children, has no wakers.
        let waker = unsafe { header.wakers.as_ref().unwrap_unchecked() }.borrow(place);
        // SAFETY: the slot is occupied, and so there.
        let mut child = unsafe { slot::<S>(self.present.0, place) };
        // SAFETY: as above, and `&mut self` is exclusive.
        let child = unsafe { child.as_mut() };
        // SAFETY: it is not moved until it is dropped in place, and its memory is not freed
        // before.
        Some((unsafe { Pin::new_unchecked(child) }, waker))
    }

    /// Adds children to the ready ones, except those that are gone.
    #[inline]
    pub(super) fn mark(&mut self, block: usize, children: usize) -> Marked {
        let Some(slots) = self.get_mut(block) else { return Marked { live: 0, first: false } };
        let header = slots.header_mut();
        let (before, live) = (header.ready, children & header.occupied);
        header.ready |= live;
        Marked { live, first: before == 0 && live != 0 }
    }

    /// Takes a child out of the ready ones. Returns whether none is left of its block.
    pub(super) fn unmark(&mut self, block: usize, place: usize) -> bool {
        let Some(slots) = self.get_mut(block) else { return false };
        let header = slots.header_mut();
        let before = header.ready;
        header.ready &= !(1 << place);
        before == 1 << place
    }

    /// Takes all children of a block out of the ready ones.
    pub(super) fn unmark_all(&mut self, block: usize) {
        if let Some(slots) = self.get_mut(block) {
            slots.header_mut().ready = 0;
        }
    }

    /// Stores a child in the first vacant slot.
    ///
    /// # Panics
    ///
    /// If there is no such slot.
    pub(super) fn insert(&mut self, block: usize, child: S) -> Inserted {
        let slots = self.get_mut(block).filter(|slots| slots.vacant() != 0);
        let slots = slots.expect("a vacancy is in a block");
        let place = slots.vacant().trailing_zeros() as usize;
        // SAFETY: the slot exists and is empty.
        unsafe { slots.slot(place).write(child) };
        let header = slots.header_mut();
        header.occupied |= 1 << place;
        let is_reused = place < usize::from(header.fresh);
        header.fresh = header.fresh.max(place as u8 + 1);
        Inserted { place, is_reused, is_full: header.vacant() == 0 }
    }

    /// Fills the slots of a fresh chunk, as far as there are slots and children.
    ///
    /// # Panics
    ///
    /// If the chunk has no slot or held a child before, or if the iterator panics; the
    /// children that it yielded before are stored.
    pub(super) fn fill(&mut self, block: usize, first: S, others: &mut impl Iterator<Item = S>) {
        let slots = self.get_mut(block).filter(|slots| slots.is_fresh() && slots.capacity() > 0);
        let slots = slots.expect("the chunk never held a child");
        let (capacity, start) = (slots.capacity(), slots.slot(0));
        let mut filled = FillOnDrop { header: slots.header_mut(), count: 0 };
        let mut next = Some(first);
        while let Some(child) = next {
            // SAFETY: the slot exists, for the count is less than the capacity.
            let slot = unsafe { start.add(filled.count) };
            // SAFETY: it is empty.
            unsafe { slot.write(child) };
            filled.count += 1;
            next = if filled.count < capacity { others.next() } else { None };
        }
    }

    /// Notes that a slot receives no child any more once it is empty.
    pub(super) fn retire(&mut self, block: usize, place: usize) {
        if let Some(slots) = self.get_mut(block) {
            slots.header_mut().usable &= !(1 << place);
        }
    }

    /// Returns the child in a slot, pinned.
    pub(super) fn get_pin_mut(&mut self, block: usize, place: usize) -> Option<Pin<&mut S>> {
        let slots = self.get_mut(block).filter(|slots| slots.has(place))?;
        // SAFETY: the slot is occupied.
        let child = unsafe { slots.slot(place).as_mut() };
        // SAFETY: as in `present_child`.
        Some(unsafe { Pin::new_unchecked(child) })
    }

    /// Takes the child out of a slot. Calls `vacate` as [`remove_present`](Self::remove_present)
    /// does.
    pub(super) fn take(&mut self, block: usize, place: usize, vacate: impl FnOnce()) -> Option<S>
    where
        S: Unpin,
    {
        let slots = self.get_mut(block).filter(|slots| slots.has(place))?;
        // SAFETY: the slot is occupied. It is not dropped by `remove`, which takes it for a
        // slot of `ManuallyDrop`, of the same layout.
        let child = unsafe { slots.slot(place).read() };
        // SAFETY: the chunk stores children of this layout, and `&mut self` is exclusive.
        unsafe { remove::<mem::ManuallyDrop<S>>(slots.chunk.header, place, vacate) };
        Some(child)
    }

    /// Drops a child of the present block in place, if it is there. Returns whether none is
    /// left in the block.
    ///
    /// Before the drop begins, the slot is empty, and if the block had no vacant slot
    /// before, `vacate` is called.
    #[inline]
    pub(super) fn remove_present(&mut self, place: usize, vacate: impl FnOnce()) -> bool {
        if self.present().occupied == 0 {
            return false;
        }
        // SAFETY: it is the chunk of a block of this type, for it has a child, and
        // `&mut self` is exclusive.
        unsafe { remove::<S>(self.present.0, place, vacate) }
    }

    /// As [`remove_present`](Self::remove_present), for any block.
    pub(super) fn remove(&mut self, block: usize, place: usize, vacate: impl FnOnce()) -> bool {
        let Some(slots) = self.get_mut(block) else { return false };
        // SAFETY: it is the chunk of a block of this type, and `&mut self` is exclusive.
        unsafe { remove::<S>(slots.chunk.header, place, vacate) }
    }

    /// Allocates the chunk of a block without children anew.
    pub(super) fn resize(&mut self, block: usize, capacity: usize) {
        if let Some(slots) = self.get_mut(block) {
            slots.resize(capacity);
        }
        self.enter(self.index);
    }

    /// Drops all children and frees the slots, even after the drop of a child panics.
    pub(super) fn clear(&mut self) {
        self.clear_from(0);
    }

    fn clear_from(&mut self, block: usize) {
        /// Resumes after a panic.
        struct Rest<'a, S>(&'a mut Blocks<S>, usize);
        impl<S> Drop for Rest<'_, S> {
            fn drop(&mut self) {
                self.0.clear_from(self.1);
            }
        }
        for block in block..self.len() {
            let rest = Rest(self, block);
            if let Some(slots) = rest.0.get_mut(block) {
                slots.clear();
            }
            rest.0.resize(block, 0);
            mem::forget(rest);
        }
    }

    pub(super) fn iter(&self) -> BlocksIter<'_, S> {
        self.first.iter().chain(&self.others)
    }

    pub(super) fn iter_mut(&mut self) -> BlocksIterMut<'_, S> {
        BlocksIterMut(self.first.iter_mut().chain(&mut self.others))
    }
}

/// Counts the children of a chunk that is being filled, even if their iterator panics.
struct FillOnDrop<'a> {
    header: &'a mut Header,
    /// How many slots have a child, from the first one on.
    count: usize,
}

impl Drop for FillOnDrop<'_> {
    fn drop(&mut self) {
        self.header.occupied = Header::first(self.count);
        self.header.fresh = self.count as u8;
    }
}

/// The children of a block that were added to the ready ones.
pub(super) struct Marked {
    /// Those that are not gone.
    pub(super) live: usize,
    /// Whether these are the first ready ones of their block.
    pub(super) first: bool,
}

/// The place of a new child.
pub(super) struct Inserted {
    pub(super) place: usize,
    /// Whether another child was there before.
    pub(super) is_reused: bool,
    /// Whether the block has no more vacant slots.
    pub(super) is_full: bool,
}

/// The chunks of a merge.
pub(super) type BlocksIter<'a, S> =
    iter::Chain<option::Iter<'a, Slots<S>>, slice::Iter<'a, Slots<S>>>;

/// The children of each chunk of a merge, pinned.
pub(super) struct BlocksIterMut<'a, S>(
    iter::Chain<option::IterMut<'a, Slots<S>>, slice::IterMut<'a, Slots<S>>>,
);

impl<'a, S> Iterator for BlocksIterMut<'a, S> {
    type Item = SlotsIterMut<'a, S>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(Slots::iter_pin_mut)
    }
}

/// The children of a chunk.
pub(super) struct SlotsIter<'a, S> {
    slots: Option<&'a Slots<S>>,
    /// The slots that are left, one bit per slot.
    left: usize,
}

impl<S> SlotsIter<'_, S> {
    pub(super) const fn none() -> Self {
        Self { slots: None, left: 0 }
    }
}

impl<'a, S> Iterator for SlotsIter<'a, S> {
    type Item = (usize, &'a S);

    fn next(&mut self) -> Option<Self::Item> {
        let place = next_place(&mut self.left)?;
        Some((place, self.slots?.get(place)?))
    }
}

/// The children of a chunk, pinned.
pub(super) struct SlotsIterMut<'a, S> {
    first: NonNull<S>,
    /// The occupied slots that are left, one bit per slot.
    left: usize,
    children: PhantomData<&'a mut S>,
}

// SAFETY: it gives out each `&mut S` once, and nothing else.
unsafe impl<S: Send> Send for SlotsIterMut<'_, S> {}
// SAFETY: `&SlotsIterMut` gives out nothing.
unsafe impl<S: Sync> Sync for SlotsIterMut<'_, S> {}

impl<S> SlotsIterMut<'_, S> {
    pub(super) const fn none() -> Self {
        Self { first: NonNull::dangling(), left: 0, children: PhantomData }
    }
}

impl<'a, S> Iterator for SlotsIterMut<'a, S> {
    type Item = (usize, Pin<&'a mut S>);

    fn next(&mut self) -> Option<Self::Item> {
        let place = next_place(&mut self.left)?;
        // SAFETY: the slot is in the chunk, which the iterator borrows.
        let slot = unsafe { self.first.add(place) };
        // SAFETY: the slot is occupied, and is given out once, for it left `left`.
        let child = unsafe { &mut *slot.as_ptr() };
        // SAFETY: as in `get_pin_mut`.
        Some((place, unsafe { Pin::new_unchecked(child) }))
    }
}

/// Takes the lowest bit out of a word.
const fn next_place(word: &mut usize) -> Option<usize> {
    if *word == 0 {
        return None;
    }
    let place = word.trailing_zeros() as usize;
    *word &= *word - 1;
    Some(place)
}
