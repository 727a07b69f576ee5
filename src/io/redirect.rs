//! Redirecting the standard streams of the process.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard};
use std::thread;

use rustix::stdio::{dup2_stderr, dup2_stdout};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::board::lock::ignore_poison;

/// A standard stream that can be redirected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StandardStream {
    Out,
    Err,
}

/// The redirects of this process. This is global because file descriptors belong to the
/// whole process.
static REDIRECTS: Mutex<Redirects> = Mutex::new(Redirects {
    out: Target::new(),
    err: Target::new(),
    pauses: 0,
    created: 0,
    ended: 0,
    ended_by_panics: 0,
});

struct Redirects {
    out: Target,
    err: Target,
    /// The number of pauses, during which the streams lead to their original files.
    pauses: usize,
    /// The number of redirects created so far.
    created: u64,
    /// The number of redirects of standard error that have ended.
    ended: u64,
    /// The number of those that a panic dropped.
    ended_by_panics: u64,
}

/// The file that a standard stream writes to.
struct Target {
    /// The file before the first redirect; `None` without redirects.
    original: Option<OwnedFd>,
    /// The active redirects with their numbers. The last one is in effect.
    stack: Vec<(u64, OwnedFd)>,
}

/// Redirects a standard stream until it is dropped.
///
/// Redirects may be dropped in any order: the newest active one is in effect.
#[derive(Debug)]
pub(crate) struct Redirect {
    stream: StandardStream,
    number: u64,
}

impl Redirect {
    pub(crate) fn new(stream: StandardStream, to: OwnedFd) -> io::Result<Self> {
        // The panic hook restores the streams before the process aborts.
        #[cfg(panic = "abort")]
        crate::io::terminal::install_panic_hook();
        stream.flush();
        let mut redirects = redirects();
        let number = redirects.created;
        redirects.created += 1;
        let paused = redirects.pauses > 0;
        redirects.of(stream).push(stream, number, to, paused)?;
        Ok(Self { stream, number })
    }
}

impl Drop for Redirect {
    fn drop(&mut self) {
        self.stream.flush();
        let mut redirects = redirects();
        let paused = redirects.pauses > 0;
        redirects.of(self.stream).remove(self.stream, self.number, paused);
        if self.stream == StandardStream::Err {
            redirects.ended += 1;
            redirects.ended_by_panics += u64::from(thread::panicking());
        }
    }
}

/// Returns the file that a stream writes to when it is not redirected.
pub(crate) fn original(stream: StandardStream) -> io::Result<OwnedFd> {
    match &redirects().of(stream).original {
        Some(original) => original.try_clone(),
        None => stream.duplicate(),
    }
}

/// Gives the terminals that the streams are redirected to a size, in columns and rows.
pub(crate) fn resize((columns, rows): (u16, u16)) {
    let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
    let redirects = redirects();
    for (_, target) in redirects.out.stack.iter().chain(&redirects.err.stack) {
        // A file has no size.
        let _ = tcsetwinsize(target, size);
    }
}

/// Returns `true` if a stream is redirected, and no pause lets it lead to its original file.
pub(crate) fn is_redirected(stream: StandardStream) -> bool {
    let mut redirects = redirects();
    redirects.pauses == 0 && redirects.of(stream).original.is_some()
}

/// Returns the number of redirects of standard error that have ended, and the number of
/// those that a panic dropped.
pub(crate) fn ended() -> (u64, u64) {
    let redirects = redirects();
    (redirects.ended, redirects.ended_by_panics)
}

fn redirects() -> MutexGuard<'static, Redirects> {
    ignore_poison(REDIRECTS.lock())
}

impl Redirects {
    fn of(&mut self, stream: StandardStream) -> &mut Target {
        match stream {
            StandardStream::Out => &mut self.out,
            StandardStream::Err => &mut self.err,
        }
    }
}

impl Target {
    const fn new() -> Self {
        Self { original: None, stack: Vec::new() }
    }

    fn push(
        &mut self,
        stream: StandardStream,
        number: u64,
        to: OwnedFd,
        paused: bool,
    ) -> io::Result<()> {
        let original = if self.original.is_none() { Some(stream.duplicate()?) } else { None };
        if !paused {
            stream.point_at(to.as_fd())?;
        }
        self.original = original.or(self.original.take());
        self.stack.push((number, to));
        Ok(())
    }

    fn remove(&mut self, stream: StandardStream, number: u64, paused: bool) {
        self.stack.retain(|redirect| redirect.0 != number);
        self.apply(stream, paused);
        if self.stack.is_empty() {
            self.original = None;
        }
    }
}

impl Target {
    /// Points the stream at the newest redirect, or at the original file.
    fn apply(&self, stream: StandardStream, paused: bool) {
        let newest = self.stack.last().map(|newest| &newest.1).filter(|_| !paused);
        if let Some(target) = newest.or(self.original.as_ref()) {
            // This cannot fail, because the stream pointed at this file before.
            let _ = stream.point_at(target.as_fd());
        }
    }
}

/// Lets the standard streams lead to their original files until it is dropped.
#[derive(Debug)]
pub(crate) struct Pause(());

impl Pause {
    pub(crate) fn begin() -> Self {
        count_pauses(|pauses| pauses + 1);
        Self(())
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        count_pauses(|pauses| pauses - 1);
    }
}

fn count_pauses(count: impl FnOnce(usize) -> usize) {
    StandardStream::Out.flush();
    let mut redirects = redirects();
    redirects.pauses = count(redirects.pauses);
    let paused = redirects.pauses > 0;
    for stream in [StandardStream::Out, StandardStream::Err] {
        redirects.of(stream).apply(stream, paused);
    }
}

impl StandardStream {
    fn duplicate(self) -> io::Result<OwnedFd> {
        match self {
            Self::Out => io::stdout().as_fd().try_clone_to_owned(),
            Self::Err => io::stderr().as_fd().try_clone_to_owned(),
        }
    }

    fn point_at(self, file: BorrowedFd<'_>) -> io::Result<()> {
        let duplicate = || match self {
            Self::Out => dup2_stdout(file),
            Self::Err => dup2_stderr(file),
        };
        Ok(rustix::io::retry_on_intr(duplicate)?)
    }

    /// Writes buffered output to the file that the stream points at now.
    fn flush(self) {
        if self == Self::Out {
            // Output that cannot be written would be lost anyway.
            let _ = io::stdout().flush();
        }
    }
}
