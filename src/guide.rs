//! The rules of the board, the algorithm of the merge, and a comparison with other
//! crates.

#[cfg(feature = "std")]
#[doc = include_str!("guide/board.md")]
pub mod board {}

#[doc = include_str!("guide/compare.md")]
pub mod compare {}

#[doc = include_str!("guide/merge.md")]
pub mod merge {}
