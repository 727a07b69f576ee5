//! Pinned storage that never moves a child.
#![expect(unsafe_code, reason = "children live in raw memory, at a fixed place")]

use alloc::alloc::{alloc, dealloc, handle_alloc_error};
use core::alloc::Layout;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::pin::Pin;
use core::ptr::{self, NonNull};

/// How many slots a chunk has at most: one for each bit of a word.
const MOST: usize = usize::BITS as usize;

/// A chunk of up to 64 slots, each empty or with a child that is pinned there
/// from [`insert`](Self::insert) to its drop.
///
/// The chunk is one allocation, and two words here: where it is and which slots
/// are occupied.
pub(super) struct Slots<S> {
    chunk: Chunk,
    /// For auto traits, variance and drop check: we own and drop children.
    children: PhantomData<S>,
}

/// The chunk, without the type of its children. So the type with a `Drop` of
/// its own has no parameter, and children may borrow what is dropped before
/// they are if their own drop does not look at it, as in a `Vec`. One whose drop
/// looks at it is refused:
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

/// What stands at the start of a chunk's allocation, before its slots.
struct Header {
    /// Drops the children in the occupied slots, then frees the chunk.
    end: unsafe fn(NonNull<Header>, usize),
    /// How many slots there are.
    capacity: u8,
    /// Slots from here on never had a child.
    fresh: u8,
}

// SAFETY: it owns its children and the memory they are in, and nothing else.
unsafe impl<S: Send> Send for Slots<S> {}
// SAFETY: `&Slots` gives `&S` and no more.
unsafe impl<S: Sync> Sync for Slots<S> {}

impl<S> Slots<S> {
    /// Where the slots begin, from the start of the chunk.
    const START: usize = size_of::<Header>().next_multiple_of(align_of::<S>());

    /// An empty chunk with so many slots, 1 to 64.
    ///
    /// # Panics
    ///
    /// If there are more than `isize::MAX` bytes of them.
    pub(super) fn new(capacity: usize) -> Self {
        assert!((1..=MOST).contains(&capacity), "a chunk has 1 to 64 slots");
        let layout = Self::layout(capacity);
        // SAFETY: the layout has a header in it.
        let chunk = unsafe { alloc(layout) };
        let Some(header) = NonNull::new(chunk.cast::<Header>()) else { handle_alloc_error(layout) };
        let first = Header { end: Self::end, capacity: capacity as u8, fresh: 0 };
        // SAFETY: it is ours, large enough and aligned.
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

    /// Where a slot is. Its place is less than the capacity.
    #[inline]
    fn slot(&self, place: usize) -> NonNull<S> {
        // SAFETY: the slots begin there, in the same allocation.
        let slots = unsafe { self.chunk.header.byte_add(Self::START) }.cast::<S>();
        // SAFETY: callers have checked the place.
        unsafe { slots.add(place) }
    }

    fn header(&self) -> &Header {
        // SAFETY: it was written by `new` and lives as long as the chunk.
        unsafe { self.chunk.header.as_ref() }
    }

    fn header_mut(&mut self) -> &mut Header {
        // SAFETY: as in `header`, and `&mut self` makes it ours alone.
        unsafe { self.chunk.header.as_mut() }
    }

    /// The occupied slots, a bit each.
    #[inline]
    pub(super) fn occupied(&self) -> usize {
        self.chunk.occupied
    }

    /// The empty slots, a bit each.
    pub(super) fn vacant(&self) -> usize {
        !self.chunk.occupied & (usize::MAX >> (MOST - self.capacity()))
    }

    /// How many slots there are.
    pub(super) fn capacity(&self) -> usize {
        usize::from(self.header().capacity)
    }

    /// Puts a child in an empty slot. Tells whether the slot had one before.
    ///
    /// # Panics
    ///
    /// If there is no such slot, or if it is occupied.
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

    /// Puts children in the slots of a chunk that never had one, as far as
    /// there are slots and children.
    ///
    /// # Panics
    ///
    /// If the chunk had a child, or if the iterator panics; children that it
    /// gave before are in.
    pub(super) fn fill(&mut self, children: &mut impl Iterator<Item = S>) {
        assert_eq!(self.header().fresh, 0, "the chunk is fresh");
        for place in 0..self.capacity() {
            let Some(child) = children.next() else { break };
            // SAFETY: the slot exists and is empty.
            unsafe { self.slot(place).write(child) };
            self.chunk.occupied |= 1 << place;
            self.header_mut().fresh = place as u8 + 1;
        }
    }

    /// The child in a slot.
    pub(super) fn get(&self, place: usize) -> Option<&S> {
        self.has(place).then(|| {
            // SAFETY: the slot is occupied.
            unsafe { self.slot(place).as_ref() }
        })
    }

    /// The child in a slot, pinned.
    #[inline]
    pub(super) fn get_pin_mut(&mut self, place: usize) -> Option<Pin<&mut S>> {
        self.has(place).then(|| {
            // SAFETY: the slot is occupied.
            let child = unsafe { self.slot(place).as_mut() };
            // SAFETY: it is not moved until `remove` or our end drop it there,
            // and its memory is not freed before that.
            unsafe { Pin::new_unchecked(child) }
        })
    }

    #[inline]
    fn has(&self, place: usize) -> bool {
        place < MOST && self.chunk.occupied & (1 << place) != 0
    }

    /// Drops the child in a slot, where it is. Tells whether there was one.
    ///
    /// The slot is empty before the child's drop begins.
    pub(super) fn remove(&mut self, place: usize) -> bool {
        let had = self.has(place);
        if had {
            self.chunk.occupied &= !(1 << place);
            // SAFETY: the child was there, and is not looked at any more.
            unsafe { ptr::drop_in_place(self.slot(place).as_ptr()) };
        }
        had
    }

    /// Drops all children, also those after one whose drop panics.
    pub(super) fn clear(&mut self) {
        /// Goes on where a panic left off.
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

    /// The end of a chunk.
    ///
    /// # Safety
    ///
    /// `header` is of a chunk that a `Slots<S>` made, with children in exactly
    /// these slots. It is not used after.
    unsafe fn end(header: NonNull<Header>, occupied: usize) {
        /// Frees the chunk, also if a child's drop panics.
        struct Memory(NonNull<Header>, Layout);
        impl Drop for Memory {
            fn drop(&mut self) {
                // SAFETY: it was allocated with this layout; the children are
                // gone, or leaked by a second panic, which aborts.
                unsafe { dealloc(self.0.as_ptr().cast(), self.1) };
            }
        }
        let slots = Self { chunk: Chunk { header, occupied }, children: PhantomData };
        let mut slots = ManuallyDrop::new(slots);
        let _memory = Memory(header, Self::layout(slots.capacity()));
        slots.clear();
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: the header is there until now.
        let end = unsafe { self.header.as_ref() }.end;
        // SAFETY: `end` is of the type whose children are in these slots.
        unsafe { end(self.header, self.occupied) }
    }
}
