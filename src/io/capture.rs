//! What others write to the terminal, as lines of a board.

use std::borrow::Cow;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::os::fd::OwnedFd;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{tcgetwinsize, tcsetwinsize};

use crate::board::Board;
use crate::io::redirect::{Diversion, Stream};
use crate::io::stdio;

/// How long a line without an end is waited for.
const PATIENCE: Duration = Duration::from_millis(100);

/// How much is read at once.
const CHUNK: usize = 16 << 10;

/// The most bytes of a line that wait for its end.
const MOST: usize = 16 << 20;

/// What the guard writes last, so that the thread knows that it has read all.
/// It is looked for only then.
const END: &[u8] = b"\0active-status: the end of a capture\0";

impl Board {
    /// Prints above the rows what anybody writes to the terminal meanwhile:
    /// `println!` and `eprintln!`, libraries in other languages, processes that
    /// are started, and the messages of panics.
    ///
    /// Standard output and standard error are captured where they are terminals,
    /// so what goes to a file or a pipe still goes there. Neither is if standard
    /// error is no terminal, for then no board is on it. Those who write see a
    /// terminal of the same size, and keep their colours. A [`Console`] draws on
    /// the real one, also if it is opened later; one that was given another
    /// [`output`] that leads to the terminal would be captured too.
    ///
    /// [`Console`]: crate::Console
    /// [`output`]: crate::Console::output
    ///
    /// Lines come in the order in which they were written. A line without an end
    /// waits 0.1 s for it. Of a line that was written over and over, with a
    /// carriage return, the last state comes when it ends. Two threads that write
    /// parts of a line at the same time get a mixed one, as on any terminal;
    /// `println!` writes lines whole, up to 1,024 bytes.
    ///
    /// The capture ends when the guard is dropped, also by a panic; then all that
    /// was written is on the board. It is a matter of the whole process: of two,
    /// the newer one has what is written until it ends. A process that goes on
    /// writes to the terminal from then on. What is written after the board
    /// closed goes to the terminal too. What is written just before the process
    /// is killed or exits, with the guard not dropped, may be lost; where panics
    /// abort, their messages come below the board.
    ///
    /// It needs the feature `capture` and a Unix system.
    ///
    /// # Errors
    ///
    /// Those of the system, which has to give a pseudo-terminal and a thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::Console;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let board = Console::auto().open();
    /// let capture = board.capture()?;
    /// println!("this is printed above the rows");
    /// drop(capture);
    /// board.shutdown();
    /// # Ok(())
    /// # }
    /// ```
    pub fn capture(&self) -> io::Result<Capture<'_>> {
        let terminal = stdio::stderr()?;
        let mut streams = Vec::new();
        if terminal.is_terminal() {
            streams.extend(io::stdout().is_terminal().then_some(Stream::Out));
            streams.extend(io::stderr().is_terminal().then_some(Stream::Err));
        }
        let running = match streams[..] {
            [] => None,
            _ => Some(Running::start(self, &streams, terminal)?),
        };
        Ok(Capture { _board: self, running })
    }
}

/// The guard of [`Board::capture`].
///
/// It borrows the board, so that nothing is captured for a board that was shut
/// down.
#[derive(Debug)]
#[must_use = "the capture ends when this is dropped"]
pub struct Capture<'a> {
    _board: &'a Board,
    /// `None` if there was nothing to capture.
    running: Option<Running>,
}

impl Drop for Capture<'_> {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.end();
        }
    }
}

/// A capture that has something to do.
#[derive(Debug)]
struct Running {
    diversions: Vec<Diversion>,
    /// Where the streams lead, to write the end of all.
    end: File,
    ending: Arc<AtomicBool>,
    reader: JoinHandle<Reader>,
}

impl Running {
    /// Leads these streams to a thread that prints on the board.
    fn start(board: &Board, streams: &[Stream], terminal: File) -> io::Result<Self> {
        let pair = Pair::like(&terminal)?;
        let (to, end) = (pair.open()?, pair.open()?);
        let ending = Arc::new(AtomicBool::new(false));
        let reader = Reader {
            board: board.clone(),
            captured: pair.reader,
            terminal,
            part: Vec::new(),
            ending: Arc::clone(&ending),
        };
        let thread = thread::Builder::new().name("active-status capture".into());
        let reader = thread.spawn(|| reader.run())?;
        let mut running = Self { diversions: Vec::new(), end: end.into(), ending, reader };
        for &stream in streams {
            match to.try_clone().and_then(|to| Diversion::new(stream, to)) {
                Ok(diversion) => running.diversions.push(diversion),
                Err(error) => {
                    running.end();
                    return Err(error);
                }
            }
        }
        Ok(running)
    }

    /// Ends it: all that was written until now is printed.
    fn end(mut self) {
        self.diversions.clear();
        self.ending.store(true, Ordering::Release);
        if self.end.write_all(&[END, b"\n"].concat()).is_ok()
            && let Ok(reader) = self.reader.join()
        {
            drop(self.end);
            reader.pass_on();
        }
    }
}

/// A pseudo-terminal: a side to read, and the name of the side to write to.
struct Pair {
    reader: File,
    name: CString,
}

impl Pair {
    /// As large as this terminal. Lines come out with a return before their end.
    fn like(terminal: &File) -> io::Result<Self> {
        let reader = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&reader)?;
        unlockpt(&reader)?;
        let pair = Self { name: ptsname(&reader, Vec::new())?, reader: reader.into() };
        tcsetwinsize(pair.open()?, tcgetwinsize(terminal)?)?;
        Ok(pair)
    }

    fn open(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(rustix::fs::open(&self.name, flags, Mode::empty())?)
    }
}

/// What the thread has.
#[derive(Debug)]
struct Reader {
    board: Board,
    captured: File,
    /// The real one.
    terminal: File,
    /// A line whose end has not come.
    part: Vec<u8>,
    /// The end of all comes.
    ending: Arc<AtomicBool>,
}

impl Reader {
    /// Reads until the end.
    fn run(mut self) -> Self {
        let mut bytes = vec![0; CHUNK];
        loop {
            if self.waited_for_rest() {
                self.print_part();
            }
            match self.captured.read(&mut bytes) {
                Ok(0) => return self,
                Ok(count) if self.take(&bytes[..count]) => return self,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self,
            }
        }
    }

    /// Whether there is a part of a line and no reason to wait for the rest.
    fn waited_for_rest(&self) -> bool {
        if self.part.is_empty() || self.is_ending() {
            return false;
        }
        let overwritten = self.part.contains(&b'\r');
        self.board.is_closed() || (!overwritten && !self.is_readable(PATIENCE))
    }

    /// Takes what was read; whether the end of all was there.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let mut ended = false;
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.part.extend_from_slice(piece);
            if ended {
                // Somebody else wrote it since.
                self.pass_part();
            } else if let Some(last) = self.is_ending().then(|| before_end(&self.part)).flatten() {
                self.part.truncate(last);
                self.print_part();
                ended = true;
            } else if piece.ends_with(b"\n") || self.part.len() > MOST {
                self.print_part();
            }
        }
        ended
    }

    /// Prints what is there of a line, or passes it on if the board is closed.
    fn print_part(&mut self) {
        if self.part.is_empty() {
            return;
        }
        let line = shown(&self.part);
        // It may wake somebody, whose panics are not ours.
        let printed = panic::catch_unwind(AssertUnwindSafe(|| self.board.try_print(&line)));
        if printed.unwrap_or(true) {
            self.part.clear();
        } else {
            self.pass_part();
        }
    }

    fn pass_part(&mut self) {
        // As if it had been written there: who wrote it cannot be told.
        let _ = self.terminal.write_all(&self.part);
        self.part.clear();
    }

    /// Passes on what others write who have not ended, if there are any.
    fn pass_on(self) {
        let Self { mut captured, mut terminal, .. } = self;
        if !is_ready(&captured, PollFlags::HUP, Duration::ZERO) {
            let thread = thread::Builder::new().name("active-status capture".into());
            // Without a thread they write to nobody.
            let _ = thread.spawn(move || io::copy(&mut captured, &mut terminal));
        }
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    fn is_readable(&self, patience: Duration) -> bool {
        is_ready(&self.captured, PollFlags::IN, patience)
    }
}

/// Waits until a file is ready for this, or for this long. In doubt it is.
fn is_ready(file: &File, flags: PollFlags, patience: Duration) -> bool {
    let mut files = [PollFd::new(file, flags)];
    let patience = Timespec::try_from(patience).expect("a short time");
    let ready = poll(&mut files, Some(&patience));
    ready.is_err() || files[0].revents().contains(flags)
}

/// What a terminal shows of a line in the end.
fn shown(line: &[u8]) -> Cow<'_, str> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let returns = line.iter().rev().take_while(|&&byte| byte == b'\r').count();
    let line = &line[..line.len() - returns];
    let last = line.rsplit(|&byte| byte == b'\r').next().unwrap_or_default();
    String::from_utf8_lossy(last)
}

/// How much of a line comes before the end of all.
fn before_end(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Some(line.strip_suffix(END)?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_line_that_is_overwritten_the_last_state_is_shown() {
        for (line, expected) in [
            (&b"one\n"[..], "one"),
            (b"one", "one"),
            (b"\n", ""),
            (b"one\r\n", "one"),
            (b"1%\r2%\r\n", "2%"),
            (b"\r1%\r2%", "2%"),
            (b"\xffone\n", "\u{fffd}one"),
        ] {
            assert_eq!(shown(line), expected, "{line:?}");
        }
    }

    #[test]
    fn the_end_is_found_behind_a_line_without_one() {
        let ends = |line: &[&[u8]]| before_end(&line.concat());
        assert_eq!(ends(&[b"one", END, b"\n"]), Some(3));
        assert_eq!(ends(&[b"one", END, b"\r\n"]), Some(3));
        assert_eq!(ends(&[END, b"\n"]), Some(0));
        assert_eq!(ends(&[END]), None);
        assert_eq!(ends(&[END, b"one\n"]), None);
    }
}
