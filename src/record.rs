//! Recorded runs: events as lines of JSON, and replays.

#[cfg(feature = "json")]
mod json;
mod replay;

#[cfg(feature = "json")]
pub(crate) use json::Recorder;
#[cfg(feature = "json")]
pub use json::{Header, Records, read_records};
pub use replay::{Replay, replay, replay_with_clock};
