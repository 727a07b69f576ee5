//! Standard streams that lead elsewhere for a while.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::stdio::{dup2_stderr, dup2_stdout};

/// One of the two standard streams that are written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// The descriptors belong to the whole process, and so does this.
static WAYS: Mutex<Ways> = Mutex::new(Ways {
    out: Way::new(),
    err: Way::new(),
    diversions: 0,
    released: 0,
    released_by_panics: 0,
});

struct Ways {
    out: Way,
    err: Way,
    /// How many there have been.
    diversions: u64,
    /// How many of standard error ended.
    released: u64,
    /// How many of these a panic dropped.
    released_by_panics: u64,
}

/// The way of a stream.
struct Way {
    /// Where it led before the first diversion, while there is one.
    original: Option<OwnedFd>,
    /// Where it was led since, by the number of the diversion. It leads to
    /// the last of them.
    diversions: Vec<(u64, OwnedFd)>,
}

/// Leads a stream elsewhere. When it is dropped, the stream leads where it
/// would without it, whatever was diverted before and since.
#[derive(Debug)]
pub(crate) struct Diversion {
    stream: Stream,
    number: u64,
}

impl Diversion {
    pub(crate) fn new(stream: Stream, to: OwnedFd) -> io::Result<Self> {
        #[cfg(panic = "abort")]
        release_at_panic();
        stream.flush();
        let mut ways = ways();
        let number = ways.diversions;
        ways.diversions += 1;
        ways.of(stream).divert(stream, number, to)?;
        Ok(Self { stream, number })
    }
}

impl Drop for Diversion {
    fn drop(&mut self) {
        self.stream.flush();
        let mut ways = ways();
        ways.of(self.stream).release(self.stream, self.number);
        if self.stream == Stream::Err {
            ways.released += 1;
            ways.released_by_panics += u64::from(thread::panicking());
        }
    }
}

/// Ends all diversions at the next panic: it aborts, so that nothing is dropped
/// and nobody reads its message elsewhere.
#[cfg(panic = "abort")]
fn release_at_panic() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            for stream in [Stream::Out, Stream::Err] {
                if let Ok(original) = original(stream) {
                    let _ = stream.lead(original.as_fd());
                }
            }
            before(panic);
        }));
    });
}

/// Where a stream leads when nobody has diverted it.
pub(crate) fn original(stream: Stream) -> io::Result<OwnedFd> {
    match &ways().of(stream).original {
        Some(original) => original.try_clone(),
        None => stream.duplicate(),
    }
}

pub(crate) fn is_diverted(stream: Stream) -> bool {
    ways().of(stream).original.is_some()
}

/// How many diversions of standard error ended, and how many of these by panics.
pub(crate) fn released() -> (u64, u64) {
    let ways = ways();
    (ways.released, ways.released_by_panics)
}

fn ways() -> MutexGuard<'static, Ways> {
    WAYS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ways {
    fn of(&mut self, stream: Stream) -> &mut Way {
        match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        }
    }
}

impl Way {
    const fn new() -> Self {
        Self { original: None, diversions: Vec::new() }
    }

    fn divert(&mut self, stream: Stream, number: u64, to: OwnedFd) -> io::Result<()> {
        let original = if self.original.is_none() { Some(stream.duplicate()?) } else { None };
        stream.lead(to.as_fd())?;
        self.original = original.or(self.original.take());
        self.diversions.push((number, to));
        Ok(())
    }

    fn release(&mut self, stream: Stream, number: u64) {
        self.diversions.retain(|diversion| diversion.0 != number);
        let last = self.diversions.last().map(|last| &last.1);
        if let Some(before) = last.or(self.original.as_ref()) {
            // It led there once, so it can again.
            let _ = stream.lead(before.as_fd());
        }
        if self.diversions.is_empty() {
            self.original = None;
        }
    }
}

impl Stream {
    fn duplicate(self) -> io::Result<OwnedFd> {
        match self {
            Self::Out => io::stdout().as_fd().try_clone_to_owned(),
            Self::Err => io::stderr().as_fd().try_clone_to_owned(),
        }
    }

    fn lead(self, to: BorrowedFd<'_>) -> io::Result<()> {
        let lead = || match self {
            Self::Out => dup2_stdout(to),
            Self::Err => dup2_stderr(to),
        };
        Ok(rustix::io::retry_on_intr(lead)?)
    }

    /// What was printed goes where the stream leads now.
    fn flush(self) {
        if self == Self::Out {
            // If it cannot be written, it is lost with or without us.
            let _ = io::stdout().flush();
        }
    }
}
