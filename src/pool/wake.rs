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

mod list;
#[cfg(all(test, active_status_loom))]
mod models;
mod slab;
mod sync;
mod waker;

pub(super) use list::{Inbox, Park};
pub(super) use waker::{Wakers, pass_of};
