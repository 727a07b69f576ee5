//! Live rows on a terminal.

pub(crate) mod frame;
pub(crate) mod painter;
mod row;
#[cfg(test)]
mod screen;
pub(crate) mod theme;
