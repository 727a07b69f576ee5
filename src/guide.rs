//! Pages to read: what the board means, how the merge compares with others, and
//! how it works.

#[cfg(feature = "std")]
#[doc = include_str!("guide/board.md")]
pub mod board {}

#[doc = include_str!("guide/compare.md")]
pub mod compare {}

#[doc = include_str!("guide/merge.md")]
pub mod merge {}
