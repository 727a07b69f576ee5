//! Recorded runs: events as lines of JSON, and replays.

#[cfg(feature = "json")]
mod json;
mod replay;

#[cfg(feature = "json")]
pub(crate) use json::write;
#[cfg(feature = "json")]
pub use json::{Records, read_records};
pub use replay::{Replay, replay, replay_with_clock};
