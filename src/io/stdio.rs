//! Standard error without redirection.

#[cfg(all(unix, feature = "capture"))]
use crate::io::redirect::{StandardStream, original};

/// Returns standard error, even while it is redirected.
#[cfg(all(unix, feature = "capture"))]
pub(crate) fn stderr() -> std::io::Result<std::fs::File> {
    original(StandardStream::Err).map(Into::into)
}

/// Returns standard error, which is never redirected without the feature `capture`.
#[cfg(not(all(unix, feature = "capture")))]
pub(crate) fn stderr() -> std::io::Result<std::io::Stderr> {
    Ok(std::io::stderr())
}
