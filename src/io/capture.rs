//! Capturing output: bytes written to the terminal become lines of a board.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::mem;
use std::os::fd::OwnedFd;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{tcgetwinsize, tcsetwinsize};

use crate::board::Board;
use crate::io::redirect::{Redirect, StandardStream};
use crate::io::stdio;

/// The time for which a partial line waits for its end.
const PARTIAL_LINE: Duration = Duration::from_millis(100);

/// How long the rows of a program that redraws them wait for the next redraw.
const REDRAW: Duration = Duration::from_secs(1);

/// The most rows that are held back for a redraw.
const MOST_ROWS: usize = 64;

/// The maximum number of bytes per read.
const CHUNK: usize = 16 << 10;

/// The maximum number of bytes in a partial line.
const LONGEST: usize = 16 << 20;

/// The guard writes this last, so that the reader knows when it has read everything. The
/// reader looks for it only once the capture is ending.
const END: &[u8] = b"\0active-status: the end of a capture\0";

/// A guard that prints everything written to the terminal above the rows of a board,
/// until it is dropped.
///
/// This includes `println!` and `eprintln!`, libraries in other languages, child
/// processes, and panic messages.
///
/// Standard output and standard error are captured if they are terminals, so output to a
/// file or a pipe is unaffected. If standard error is not a terminal, neither is
/// captured, because no board is drawn then. Captured code still sees a terminal of the
/// same size, and keeps its colors; after a resize it sees the new size once it has written
/// or a frame was drawn. A [`Console`] draws on the real terminal, even if it
/// is opened later. A console whose [`output`] is set to a writer that leads to the
/// terminal would be captured too.
///
/// [`Console`]: crate::Console
/// [`output`]: crate::Console::output
///
/// Lines keep the order in which they were written. A partial line waits 0.1 s for its
/// end. A line that is rewritten with carriage returns is printed once, in its last
/// state, when it ends. So are the rows of a child that moves the cursor up to redraw
/// them, after a second without a redraw. Partial lines that two threads write at the same time are mixed,
/// as on any terminal; `println!` writes lines of up to 1,024 bytes as a whole.
///
/// When the guard has been dropped, even by a panic, everything written before has been
/// printed on the board. The redirect applies to the whole process. If several captures
/// exist, the newest receives the output. Child processes that outlive the capture then
/// write to the terminal, and so does everything after the board has closed. Output may
/// be lost if it is written just before the process is killed, or exits without dropping
/// the guard. With `panic = "abort"`, the panic message is printed below the rows.
///
/// The guard borrows the board, so it cannot outlive the board.
///
/// # Examples
///
/// ```
/// use active_status::{Console, capture::Capture};
///
/// # fn main() -> std::io::Result<()> {
/// let board = Console::auto().open();
/// let capture = Capture::start(&board)?;
/// println!("this is printed above the rows");
/// drop(capture);
/// board.shutdown();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "the capture ends when the guard is dropped"]
pub struct Capture<'a> {
    _board: &'a Board,
    /// `None` if neither stream is a terminal.
    active: Option<ActiveCapture>,
}

impl<'a> Capture<'a> {
    /// Starts capturing standard output and standard error.
    ///
    /// # Errors
    ///
    /// Returns an error if the system cannot provide a pseudo-terminal or a thread.
    pub fn start(board: &'a impl AsRef<Board>) -> io::Result<Self> {
        let board = board.as_ref();
        let terminal = stdio::stderr()?;
        let mut streams = Vec::new();
        if terminal.is_terminal() {
            streams.extend(io::stdout().is_terminal().then_some(StandardStream::Out));
            streams.extend(io::stderr().is_terminal().then_some(StandardStream::Err));
        }
        let active = match streams[..] {
            [] => None,
            _ => Some(ActiveCapture::start(board, &streams, terminal)?),
        };
        Ok(Self { _board: board, active })
    }
}

impl Drop for Capture<'_> {
    fn drop(&mut self) {
        if let Some(active) = self.active.take() {
            active.end();
        }
    }
}

/// A capture of at least one stream.
#[derive(Debug)]
struct ActiveCapture {
    redirects: Vec<Redirect>,
    /// The side that the streams write to, for writing [`END`].
    writer: File,
    ending: Arc<AtomicBool>,
    reader: JoinHandle<Reader>,
}

impl ActiveCapture {
    /// Redirects the streams to a thread that prints on the board.
    fn start(board: &Board, streams: &[StandardStream], terminal: File) -> io::Result<Self> {
        let pair = PtyPair::like(&terminal)?;
        let (to, writer) = (pair.open()?, pair.open()?);
        let ending = Arc::new(AtomicBool::new(false));
        let reader = Reader {
            board: board.clone(),
            captured: pair.reader,
            terminal,
            partial: Vec::new(),
            rows: VecDeque::new(),
            ending: Arc::clone(&ending),
        };
        let thread = thread::Builder::new().name("active-status capture".into());
        let reader = thread.spawn(|| reader.run())?;
        let mut active = Self { redirects: Vec::new(), writer: writer.into(), ending, reader };
        for &stream in streams {
            match to.try_clone().and_then(|to| Redirect::new(stream, to)) {
                Ok(redirect) => active.redirects.push(redirect),
                Err(error) => {
                    active.end();
                    return Err(error);
                }
            }
        }
        Ok(active)
    }

    /// Restores the streams, and waits until all output so far has been printed.
    fn end(mut self) {
        self.redirects.clear();
        self.ending.store(true, Ordering::Release);
        if self.writer.write_all(&[END, b"\n"].concat()).is_ok()
            && let Ok(reader) = self.reader.join()
        {
            drop(self.writer);
            reader.forward_rest();
        }
    }
}

/// A pseudo-terminal: the side to read from, and the name of the side to write to.
struct PtyPair {
    reader: File,
    name: CString,
}

impl PtyPair {
    /// Opens a pseudo-terminal of the size of `terminal`, which turns `\n` into `\r\n`.
    fn like(terminal: &File) -> io::Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        // Set atomically where possible, so that a process that another thread starts
        // does not inherit it.
        #[cfg(any(target_os = "android", target_os = "freebsd", target_os = "linux"))]
        let flags = flags | OpenptFlags::CLOEXEC;
        let reader = openpt(flags)?;
        fcntl_setfd(&reader, FdFlags::CLOEXEC)?;
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

/// Reads captured output and prints it, on a separate thread.
#[derive(Debug)]
struct Reader {
    board: Board,
    captured: File,
    terminal: File,
    /// The partial line read so far.
    partial: Vec<u8>,
    /// Lines that the program may redraw.
    rows: VecDeque<Vec<u8>>,
    ending: Arc<AtomicBool>,
}

impl Reader {
    /// Prints lines until the capture ends.
    fn run(mut self) -> Self {
        let mut bytes = vec![0; CHUNK];
        loop {
            if self.is_partial_line_due() {
                self.print_partial();
            }
            if !self.rows.is_empty() && !self.is_readable(REDRAW) {
                self.print_rows();
            }
            let read = self.captured.read(&mut bytes);
            self.follow_size();
            match read {
                Ok(0) => return self,
                Ok(count) if self.take(&bytes[..count]) => return self,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self,
            }
        }
    }

    /// Returns `true` if a partial line is to be printed now, instead of waiting for its
    /// rest.
    fn is_partial_line_due(&self) -> bool {
        if self.partial.is_empty() || self.is_ending() {
            return false;
        }
        let rewritten = self.partial.contains(&b'\r') || last_move_up(&self.partial).is_some();
        self.board.is_closed() || (!rewritten && !self.is_readable(PARTIAL_LINE))
    }

    /// Prints the lines that these bytes complete. Returns `true` if the bytes contain
    /// [`END`].
    fn take(&mut self, bytes: &[u8]) -> bool {
        let mut ended = false;
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if ended {
                // A child process wrote this after the end.
                self.forward_partial();
            } else if let Some(last) = self.is_ending().then(|| find_end(&self.partial)).flatten() {
                self.partial.truncate(last);
                self.complete_line();
                self.print_rows();
                ended = true;
            } else if piece.ends_with(b"\n") || self.partial.len() > LONGEST {
                self.complete_line();
            }
        }
        ended
    }

    /// Prints the line read so far, or holds it back if the program may redraw it.
    fn complete_line(&mut self) {
        if let Some((rows, end)) = last_move_up(&self.partial) {
            // The program draws over what it has written from there on.
            self.rows.truncate(self.rows.len().saturating_sub(rows));
            self.partial.drain(..end);
        } else if !erases(&self.partial) {
            self.print_rows();
            return self.print_partial();
        }
        self.rows.push_back(mem::take(&mut self.partial));
        if self.rows.len() > MOST_ROWS
            && let Some(row) = self.rows.pop_front()
        {
            self.print(&row);
        }
    }

    /// Prints the rows that were held back.
    fn print_rows(&mut self) {
        while let Some(row) = self.rows.pop_front() {
            self.print(&row);
        }
    }

    /// Prints the line read so far.
    fn print_partial(&mut self) {
        if !self.partial.is_empty() {
            self.print_rows();
            let line = mem::take(&mut self.partial);
            self.print(&line);
        }
    }

    /// Prints a line, or forwards it if the board is closed.
    fn print(&mut self, line: &[u8]) {
        let text = last_state(line);
        // Printing may wake a foreign waker, whose panics must not end this thread.
        let printed = panic::catch_unwind(AssertUnwindSafe(|| self.board.try_print(&text)));
        if !printed.unwrap_or(true) {
            // An error cannot be reported: the writer is unknown.
            let _ = self.terminal.write_all(line);
        }
    }

    /// Gives the pseudo-terminal the size of the terminal, which the console does as well
    /// before it draws.
    fn follow_size(&self) {
        if let (Ok(size), Ok(before)) = (tcgetwinsize(&self.terminal), tcgetwinsize(&self.captured))
            && (size.ws_col, size.ws_row) != (before.ws_col, before.ws_row)
        {
            let _ = tcsetwinsize(&self.captured, size);
        }
    }

    fn forward_partial(&mut self) {
        // An error cannot be reported, because the writer is unknown.
        let _ = self.terminal.write_all(&self.partial);
        self.partial.clear();
    }

    /// Forwards the output of child processes that outlive the capture.
    fn forward_rest(self) {
        let Self { mut captured, mut terminal, .. } = self;
        if !is_ready(&captured, PollFlags::HUP, Duration::ZERO) {
            let thread = thread::Builder::new().name("active-status capture".into());
            // Without a thread, their output is lost.
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

/// Waits until a file is ready, for at most `patience`. An error counts as ready.
fn is_ready(file: &File, flags: PollFlags, patience: Duration) -> bool {
    let mut files = [PollFd::new(file, flags)];
    let patience = Timespec::try_from(patience).expect("a short time");
    let ready = poll(&mut files, Some(&patience));
    ready.is_err() || files[0].revents().contains(flags)
}

/// Returns the text that a terminal shows after a line was rewritten.
fn last_state(line: &[u8]) -> Cow<'_, str> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let returns = line.iter().rev().take_while(|&&byte| byte == b'\r').count();
    let line = &line[..line.len() - returns];
    let last = line.rsplit(|&byte| byte == b'\r').next().unwrap_or_default();
    String::from_utf8_lossy(last)
}

/// The last sequences in a line that move the cursor up: the number of rows, and the end of
/// the last sequence.
fn last_move_up(line: &[u8]) -> Option<(usize, usize)> {
    let moves = sequences(line).filter(|(_, kind, _)| matches!(kind, b'A' | b'F'));
    moves.fold(None, |up, (number, _, end)| {
        Some((up.map_or(0, |(rows, _)| rows) + number.max(1), end))
    })
}

/// Whether a line erases, as the rows of a program do that redraws them.
fn erases(line: &[u8]) -> bool {
    sequences(line).any(|(_, kind, _)| matches!(kind, b'J' | b'K'))
}

/// The control sequences of a line: the number, the kind, and the end of each.
fn sequences(line: &[u8]) -> impl Iterator<Item = (usize, u8, usize)> {
    let starts = line.windows(2).enumerate().filter(|(_, start)| start == b"\x1b[");
    starts.filter_map(|(at, _)| {
        let body = &line[at + 2..];
        let digits = body.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = str::from_utf8(&body[..digits]).ok()?.parse().unwrap_or(0);
        Some((number, *body.get(digits)?, at + 2 + digits + 1))
    })
}

/// Returns the number of bytes before [`END`], if the line ends with it.
fn find_end(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Some(line.strip_suffix(END)?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rewritten_line_is_shown_in_its_last_state() {
        for (line, expected) in [
            (&b"one\n"[..], "one"),
            (b"one", "one"),
            (b"\n", ""),
            (b"one\r\n", "one"),
            (b"1%\r2%\r\n", "2%"),
            (b"\r1%\r2%", "2%"),
            (b"\xffone\n", "\u{fffd}one"),
        ] {
            assert_eq!(last_state(line), expected, "{line:?}");
        }
    }

    #[test]
    fn sequences_that_move_up_or_erase_are_found() {
        for (line, up, erased) in [
            (&b"one\n"[..], None, false),
            (b"\x1b[32mone\x1b[m\n", None, false),
            (b"\x1b[2Kone\n", None, true),
            (b"\x1b[2Aone\n", Some((2, 4)), false),
            (b"\x1b[Aone\n", Some((1, 3)), false),
            (b"two\r\x1b[1A\x1b[1A\x1b[Kone\n", Some((2, 12)), true),
            (b"\x1b[", None, false),
        ] {
            assert_eq!((last_move_up(line), erases(line)), (up, erased), "{line:?}");
        }
    }

    #[test]
    fn the_end_is_found_behind_a_partial_line() {
        let find = |line: &[&[u8]]| find_end(&line.concat());
        assert_eq!(find(&[b"one", END, b"\n"]), Some(3));
        assert_eq!(find(&[b"one", END, b"\r\n"]), Some(3));
        assert_eq!(find(&[END, b"\n"]), Some(0));
        assert_eq!(find(&[END]), None);
        assert_eq!(find(&[END, b"one\n"]), None);
    }
}
