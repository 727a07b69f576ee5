//! The rules of the board, the algorithm of the merge, a comparison with other crates,
//! their names here, boards of several processes, and recipes for pools.

#[cfg(feature = "std")]
/// What the board means, how it draws, and what it survives: the contract of everything
/// around [`board`](crate::board()).
///
#[doc = include_str!("guide/pictures/show-80.html")]
#[doc = ""]
#[doc = include_str!("guide/pictures/show-50.html")]
#[doc = ""]
#[doc = include_str!("guide/board.md")]
pub mod board {}

#[doc = include_str!("guide/compare.md")]
pub mod compare {}

#[doc = include_str!("guide/merge.md")]
pub mod merge {}

#[cfg(feature = "std")]
#[doc = include_str!("guide/migrate.md")]
///
/// [`Theme::classic`](crate::Theme::classic) draws rows as the Clojure library does:
///
#[doc = include_str!("guide/pictures/classic-80.html")]
pub mod migrate {}

#[cfg(feature = "relay")]
#[doc = include_str!("guide/processes.md")]
pub mod processes {}

#[cfg(feature = "std")]
#[doc = include_str!("guide/recipes.md")]
pub mod recipes {}
