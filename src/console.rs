//! The parts of a [`Console`](crate::Console): its handle, its futures and its kinds.

mod access;
pub(crate) mod builder;
mod clock;
mod driver;
mod environment;
pub(crate) mod live;
mod numbers;
pub(crate) mod open;
mod output;
mod plain;
mod text;
mod thread;
mod view;
mod wait;

pub use crate::board::clock::Clock;
#[cfg(feature = "json")]
pub use builder::Json;
pub use builder::{Auto, Live, Plain};
pub use driver::{Run, RunWhile};
pub use live::custom::RowView;
pub use live::theme::Part;
pub use thread::ConsoleHandle;

pub use crate::io::suspend::{Suspend, suspend, suspend_async};
