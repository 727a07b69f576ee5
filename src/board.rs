//! The board.

pub(crate) mod event;
