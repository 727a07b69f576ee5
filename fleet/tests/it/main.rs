//! The queue and the commands, with a server per test.

mod commands;
mod engine;
