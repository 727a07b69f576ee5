//! The standard streams of the process.

#[cfg(all(unix, feature = "capture"))]
pub(crate) mod capture;
#[cfg(unix)]
pub(crate) mod echo;
#[cfg(all(unix, feature = "capture"))]
pub(crate) mod files;
pub(crate) mod panics;
#[cfg(all(unix, feature = "relay"))]
pub(crate) mod parent;
#[cfg(all(unix, feature = "capture"))]
pub(crate) mod redirect;
pub(crate) mod stdio;
mod strays;
pub(crate) mod suspend;
pub(crate) mod terminal;
