//! Recorded runs.

#[cfg(feature = "json")]
pub(crate) mod json;
pub(crate) mod replay;
