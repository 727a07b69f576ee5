//! Consoles: what shows a board.

pub(crate) mod builder;
mod clock;
mod driver;
mod environment;
pub(crate) mod live;
mod output;
mod plain;
mod text;
mod thread;
mod view;
mod wait;
