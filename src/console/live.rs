//! The live rows of a console: frames of rows, and the bytes that draw them.

mod cells;
mod changes;
mod classic;
pub(crate) mod custom;
mod ended;
pub(crate) mod frame;
mod layout;
mod line;
pub(crate) mod painter;
mod row;
mod running;
pub(crate) mod theme;

#[cfg(test)]
pub(crate) mod emulator;
#[cfg(test)]
mod screen;
