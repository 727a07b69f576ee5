//! What the board promises, how the merge works, and how it compares.

#[cfg(feature = "std")]
#[doc = include_str!("guide/board.md")]
pub mod board {}

#[doc = include_str!("guide/compare.md")]
pub mod compare {}

#[doc = include_str!("guide/merge.md")]
pub mod merge {}
