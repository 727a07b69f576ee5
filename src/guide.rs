//! The rules of the board, the algorithm of the merge, a comparison with other crates,
//! their names here, and recipes for pools.

#[cfg(feature = "std")]
#[doc = include_str!("guide/board.md")]
pub mod board {}

#[doc = include_str!("guide/compare.md")]
pub mod compare {}

#[doc = include_str!("guide/merge.md")]
pub mod merge {}

#[cfg(feature = "std")]
#[doc = include_str!("guide/migrate.md")]
pub mod migrate {}

#[cfg(feature = "std")]
#[doc = include_str!("guide/recipes.md")]
pub mod recipes {}
