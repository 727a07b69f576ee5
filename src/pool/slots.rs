//! Pinned storage that never moves a child.
#![expect(unsafe_code, reason = "children are stored in raw memory, at a fixed address")]

use alloc::alloc::{alloc, dealloc, handle_alloc_error};
use core::alloc::Layout;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::pin::Pin;
use core::ptr::{self, NonNull};

/// The largest number of slots in a chunk: one per bit of a word.
const MOST: usize = usize::BITS as usize;

/// The header of slots without a chunk. It is never written.
static NO_CHUNK: Header = Header { end: nothing, capacity: 0, fresh: 0 };

/// # Safety
///
/// None: the function does nothing.
unsafe fn nothing(_: NonNull<Header>, _: usize) {}

/// A chunk of up to 64 slots. Each is empty or holds a child that is pinned there from
/// [`insert`](Self::insert) to its drop.
///
/// The chunk is one allocation; its address and the set of occupied slots are stored
/// here.
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
    occupied: usize,
}

/// The start of a chunk's allocation, before its slots.
struct Header {
    /// Drops the children in the occupied slots, then frees the chunk.
    end: unsafe fn(NonNull<Header>, usize),
    /// The number of slots.
    capacity: u8,
    /// Slots from this one on never held a child.
    fresh: u8,
}

// SAFETY: it owns its children and their memory, and nothing else.
unsafe impl<S: Send> Send for Slots<S> {}
// SAFETY: `&Slots` gives only `&S`.
unsafe impl<S: Sync> Sync for Slots<S> {}

impl<S> Slots<S> {
    /// The offset of the slots from the start of the chunk.
    const START: usize = size_of::<Header>().next_multiple_of(align_of::<S>());

    /// Slots without a chunk, and without memory.
    pub(super) fn none() -> Self {
        let header = NonNull::from(&NO_CHUNK);
        Self { chunk: Chunk { header, occupied: 0 }, children: PhantomData }
    }

    /// Allocates an empty chunk of `capacity` slots, 1 to 64.
    ///
    /// # Panics
    ///
    /// If they take more than `isize::MAX` bytes.
    pub(super) fn new(capacity: usize) -> Self {
        assert!((1..=MOST).contains(&capacity), "a chunk has 1 to 64 slots");
        let layout = Self::layout(capacity);
        // SAFETY: the layout contains a header and is not empty.
        let chunk = unsafe { alloc(layout) };
        let Some(header) = NonNull::new(chunk.cast::<Header>()) else { handle_alloc_error(layout) };
        let first = Header { end: Self::end, capacity: capacity as u8, fresh: 0 };
        // SAFETY: the allocation is new, large enough and aligned.
        unsafe { header.write(first) };
        Self { chunk: Chunk { header, occupied: 0 }, children: PhantomData }
    }

    fn layout(capacity: usize) -> Layout {
        let header = Layout::new::<Header>();
        let layout = Layout::array::<S>(capacity).and_then(|slots| header.extend(slots));
        let (layout, start) = layout.expect("a chunk is no larger than isize::MAX");
        debug_assert_eq!(start, Self::START);
        layout
    }

    /// Returns the address of a slot. Its place is less than the capacity.
    #[inline]
    fn slot(&self, place: usize) -> NonNull<S> {
        // SAFETY: the slots begin at that offset of the allocation.
        let slots = unsafe { self.chunk.header.byte_add(Self::START) }.cast::<S>();
        // SAFETY: the callers checked the place.
        unsafe { slots.add(place) }
    }

    fn header(&self) -> &Header {
        // SAFETY: `new` wrote it, and it lives as long as the chunk, or it is static.
        unsafe { self.chunk.header.as_ref() }
    }

    fn header_mut(&mut self) -> &mut Header {
        debug_assert!(self.header().capacity > 0, "there is a chunk");
        // SAFETY: as in `header`, and `&mut self` is exclusive. The callers found a slot,
        // so this is not the static header.
        unsafe { self.chunk.header.as_mut() }
    }

    /// Returns the occupied slots, one bit per slot.
    #[inline]
    pub(super) fn occupied(&self) -> usize {
        self.chunk.occupied
    }

    /// Returns the empty slots, one bit per slot.
    pub(super) fn vacant(&self) -> usize {
        let places = usize::MAX.checked_shr((MOST - self.capacity()) as u32).unwrap_or(0);
        !self.chunk.occupied & places
    }

    /// Returns the number of slots, which is 0 without a chunk.
    pub(super) fn capacity(&self) -> usize {
        usize::from(self.header().capacity)
    }

    /// Stores a child in an empty slot. Returns whether the slot held one before.
    ///
    /// # Panics
    ///
    /// If the slot does not exist or is occupied.
    pub(super) fn insert(&mut self, place: usize, child: S) -> bool {
        assert!(place < MOST && self.vacant() & (1 << place) != 0, "the slot is empty");
        // SAFETY: the slot exists and is empty.
        unsafe { self.slot(place).write(child) };
        self.chunk.occupied |= 1 << place;
        let header = self.header_mut();
        let second = place < usize::from(header.fresh);
        header.fresh = header.fresh.max(place as u8 + 1);
        second
    }

    /// Fills the slots of a chunk that never held a child, as far as there are slots and
    /// children.
    ///
    /// # Panics
    ///
    /// If the chunk held a child before, or if the iterator panics; the children that it
    /// yielded before are stored.
    pub(super) fn fill(&mut self, children: &mut impl Iterator<Item = S>) {
        assert_eq!(self.header().fresh, 0, "the chunk never held a child");
        for place in 0..self.capacity() {
            let Some(child) = children.next() else { break };
            // SAFETY: the slot exists and is empty.
            unsafe { self.slot(place).write(child) };
            self.chunk.occupied |= 1 << place;
            self.header_mut().fresh = place as u8 + 1;
        }
    }

    /// Returns the child in a slot.
    pub(super) fn get(&self, place: usize) -> Option<&S> {
        self.has(place).then(|| {
            // SAFETY: the slot is occupied.
            unsafe { self.slot(place).as_ref() }
        })
    }

    /// Returns the child in a slot, pinned.
    #[inline]
    pub(super) fn get_pin_mut(&mut self, place: usize) -> Option<Pin<&mut S>> {
        self.has(place).then(|| {
            // SAFETY: the slot is occupied.
            let child = unsafe { self.slot(place).as_mut() };
            // SAFETY: it is not moved until `remove` or `end` drop it in place, and
            // its memory is not freed before.
            unsafe { Pin::new_unchecked(child) }
        })
    }

    /// Returns the children with their places.
    pub(super) const fn iter(&self) -> SlotsIter<'_, S> {
        SlotsIter { slots: Some(self), left: self.chunk.occupied }
    }

    /// Returns the children with their places, pinned.
    pub(super) fn iter_pin_mut(&mut self) -> SlotsIterMut<'_, S> {
        SlotsIterMut { first: self.slot(0), left: self.chunk.occupied, children: PhantomData }
    }

    /// Takes the child out of a slot.
    pub(super) fn take(&mut self, place: usize) -> Option<S>
    where
        S: Unpin,
    {
        self.has(place).then(|| {
            self.chunk.occupied &= !(1 << place);
            // SAFETY: the slot was occupied, and may be moved from since its child is
            // `Unpin`. It counts as empty from here on.
            unsafe { self.slot(place).read() }
        })
    }

    /// Returns whether a slot is occupied.
    #[inline]
    pub(super) fn has(&self, place: usize) -> bool {
        place < MOST && self.chunk.occupied & (1 << place) != 0
    }

    /// Drops the child in a slot in place. Returns whether there was one.
    ///
    /// The slot is empty before the drop begins.
    pub(super) fn remove(&mut self, place: usize) -> bool {
        let had = self.has(place);
        if had {
            self.chunk.occupied &= !(1 << place);
            // SAFETY: the slot was occupied, and the child is not accessed afterwards.
            unsafe { ptr::drop_in_place(self.slot(place).as_ptr()) };
        }
        had
    }

    /// Drops all children, even after the drop of one panics.
    pub(super) fn clear(&mut self) {
        /// Resumes after a panic.
        struct Rest<'a, S>(&'a mut Slots<S>);
        impl<S> Drop for Rest<'_, S> {
            fn drop(&mut self) {
                self.0.clear();
            }
        }
        while self.chunk.occupied != 0 {
            let place = self.chunk.occupied.trailing_zeros() as usize;
            let rest = Rest(self);
            rest.0.remove(place);
            core::mem::forget(rest);
        }
    }

    /// Drops the children of a chunk and frees it.
    ///
    /// # Safety
    ///
    /// `header` is of a chunk of a `Slots<S>`, with children in exactly these slots. It
    /// is not used afterwards.
    unsafe fn end(header: NonNull<Header>, occupied: usize) {
        /// Frees the chunk, even if the drop of a child panics.
        struct Memory(NonNull<Header>, Layout);
        impl Drop for Memory {
            fn drop(&mut self) {
                // SAFETY: it was allocated with this layout. The children are dropped,
                // or leaked by a second panic, which aborts.
                unsafe { dealloc(self.0.as_ptr().cast(), self.1) };
            }
        }
        let slots = Self { chunk: Chunk { header, occupied }, children: PhantomData };
        let mut slots = ManuallyDrop::new(slots);
        let _memory = Memory(header, Self::layout(slots.capacity()));
        slots.clear();
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

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: the chunk is not freed yet, or the header is static.
        let end = unsafe { self.header.as_ref() }.end;
        // SAFETY: `end` is of the type of the children in these slots.
        unsafe { end(self.header, self.occupied) }
    }
}
