//! Wakers for the children of a merge, and the lock-free list of woken children.
//!
//! Children are grouped in blocks, one child per bit of a word. A child's waker is
//! the address of its block plus its number in the block, so that a child needs no
//! node and no allocation:
//!
//! ```text
//!            Shared                       Block (one cache line, 64 children)
//! merge ──▶ ┌────────┐ ◀──────────────── ┌──────────────────────────────────┐
//!           │ head ──┼──▶ Block ──▶ …    │ ready: …00100   references  link │
//!           │ parent │   (woken blocks,  └──────────────────────────────────┘
//!           └────────┘    newest first)    ▲ block + 2: the third child's waker
//! ```
//!
//! A wake sets the child's bit. The wake that finds the word zero pushes the block
//! on the list. The merge takes the whole list with one swap, so that a pointer
//! cannot return while another thread compares it (no ABA).
//!
//! `head` is null while the merge is awake, [`PARKED`](list) while it waits, or the
//! first block of the list. The thread that replaces `PARKED` owns the parent's waker
//! until it sets `done`: it takes the waker out, sets `done`, and only then wakes the
//! parent. Hence no foreign code runs in an intermediate state, and no thread waits for
//! another.
//!
//! Loom runs the models in `wake/models.rs`. A comment at each atomic operation
//! states what its ordering is for; weaker orderings fail the models.

mod list;
#[cfg(all(test, active_status_loom))]
mod models;
mod slab;
mod sync;
mod waker;

pub(super) use list::{Inbox, Park};
pub(super) use waker::{Borrowed, Wakers, pass_of};
