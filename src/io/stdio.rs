//! Standard output and standard error, also while they lead elsewhere.

#[cfg(all(unix, feature = "capture"))]
use crate::io::redirect::{Stream, original};

/// Standard error as it is when nobody has diverted it.
#[cfg(all(unix, feature = "capture"))]
pub(crate) fn stderr() -> std::io::Result<std::fs::File> {
    original(Stream::Err).map(Into::into)
}

/// Standard error as it is when nobody has diverted it.
#[cfg(not(all(unix, feature = "capture")))]
pub(crate) fn stderr() -> std::io::Result<std::io::Stderr> {
    Ok(std::io::stderr())
}
