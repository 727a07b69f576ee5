//! Live rows on a terminal.

#[cfg(test)]
pub(crate) mod emulator;
pub(crate) mod frame;
pub(crate) mod painter;
mod row;
#[cfg(test)]
mod screen;
pub(crate) mod theme;
