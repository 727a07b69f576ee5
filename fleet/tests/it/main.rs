//! The queue and the commands, with a server per test.

mod commands;
mod engine;
#[cfg(feature = "tls")]
mod tls;
