//! The standard streams without redirection.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

#[cfg(all(unix, feature = "capture"))]
use crate::io::redirect::{StandardStream, original};

/// A standard stream that a console draws on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Target {
    /// Standard error.
    #[default]
    Err,
    /// Standard output.
    Out,
}

/// Whether the console that draws on the terminal does so on standard output.
static ON_STDOUT: AtomicBool = AtomicBool::new(false);

/// Sets the stream on which a console draws on the terminal.
pub(crate) fn set_terminal(stream: Target) {
    ON_STDOUT.store(stream == Target::Out, Relaxed);
}

/// Returns the stream on which a console draws on the terminal; standard error without one.
pub(crate) fn terminal() -> std::io::Result<Standard> {
    open(if ON_STDOUT.load(Relaxed) { Target::Out } else { Target::Err })
}

/// Returns standard error, even while it is redirected.
#[cfg(all(unix, feature = "capture"))]
pub(crate) fn stderr() -> std::io::Result<Standard> {
    open(Target::Err)
}

/// A standard stream.
#[cfg(all(unix, feature = "capture"))]
pub(crate) type Standard = std::fs::File;

/// Returns a stream, even while it is redirected.
#[cfg(all(unix, feature = "capture"))]
pub(crate) fn open(stream: Target) -> std::io::Result<Standard> {
    let stream = match stream {
        Target::Err => StandardStream::Err,
        Target::Out => StandardStream::Out,
    };
    original(stream).map(Into::into)
}

#[cfg(not(all(unix, feature = "capture")))]
pub(crate) use unredirected::{Standard, open};

#[cfg(not(all(unix, feature = "capture")))]
mod unredirected {
    use std::io::{self, IsTerminal, Stderr, Stdout, Write};

    use super::Target;

    /// A standard stream, which is never redirected without the feature `capture`.
    #[derive(Debug)]
    pub(crate) enum Standard {
        Err(Stderr),
        Out(Stdout),
    }

    /// Returns a stream.
    pub(crate) fn open(stream: Target) -> io::Result<Standard> {
        Ok(match stream {
            Target::Err => Standard::Err(io::stderr()),
            Target::Out => Standard::Out(io::stdout()),
        })
    }

    impl Standard {
        pub(crate) fn is_terminal(&self) -> bool {
            match self {
                Self::Err(stream) => stream.is_terminal(),
                Self::Out(stream) => stream.is_terminal(),
            }
        }
    }

    impl Write for Standard {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self {
                Self::Err(stream) => stream.write(bytes),
                Self::Out(stream) => stream.write(bytes),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            match self {
                Self::Err(stream) => stream.flush(),
                Self::Out(stream) => stream.flush(),
            }
        }
    }

    #[cfg(unix)]
    impl std::os::fd::AsFd for Standard {
        fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
            match self {
                Self::Err(stream) => stream.as_fd(),
                Self::Out(stream) => stream.as_fd(),
            }
        }
    }

    #[cfg(windows)]
    impl std::os::windows::io::AsHandle for Standard {
        fn as_handle(&self) -> std::os::windows::io::BorrowedHandle<'_> {
            match self {
                Self::Err(stream) => stream.as_handle(),
                Self::Out(stream) => stream.as_handle(),
            }
        }
    }
}
