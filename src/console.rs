//! The board on a terminal.

#[cfg_attr(not(test), expect(dead_code, reason = "`Console` is to come"))]
mod ansi;
pub(crate) mod frame;
#[cfg(test)]
mod screen;
mod text;
