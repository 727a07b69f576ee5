//! The system's allocator, which counts what each thread asks it for. The bench
//! of memory counts by this file too.
#![expect(unsafe_code, reason = "who counts what an allocator does has to be one")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<isize> = const { Cell::new(0) };
}

/// How often this thread has asked for memory.
pub(crate) fn allocations() -> usize {
    ALLOCATIONS.get()
}

/// The bytes that this thread has asked for and not given back.
pub(crate) fn bytes() -> isize {
    BYTES.get()
}

struct Counting;

impl Counting {
    fn count(allocations: usize, bytes: usize, freed: usize) {
        ALLOCATIONS.set(ALLOCATIONS.get() + allocations);
        BYTES.set(BYTES.get() + bytes as isize - freed as isize);
    }
}

// SAFETY: `System` does all the work, and is asked for what we are asked for. The
// counts need no memory and no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count(1, layout.size(), 0);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        Self::count(0, 0, layout.size());
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count(1, size, layout.size());
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(memory, layout, size) }
    }
}
