//! The board: where jobs are added and lines printed.

mod channel;
pub(crate) mod clock;
pub(crate) mod event;
pub(crate) mod events;
pub(crate) mod job;
pub(crate) mod lock;
pub(crate) mod model;
mod notify;
pub(crate) mod unpark;

use std::fmt;
use std::io;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use channel::Link;
use clock::monotonic;
use events::Events;
use job::{Job, JobOptions};

/// A new board: the half that is told what happens, and the half that tells it.
///
/// The board is no more than these two. Whoever takes the events may show them:
/// [`Console`](crate::Console) does. Memory is bounded also if nobody takes them.
///
/// # Examples
///
/// ```
/// use active_status::{Event, board};
///
/// let (board, mut events) = board();
/// let job = board.add_job("copy: ");
/// job.set_text("notes.txt");
/// job.finish();
/// drop((board, job));
///
/// while let Some(event) = events.recv_blocking() {
///     match event {
///         Event::Added { row, .. } => assert_eq!(row.prefix, "copy: "),
///         Event::Changed { change, .. } => assert_eq!(change.text.unwrap(), "notes.txt"),
///         _ => {}
///     }
/// }
/// ```
pub fn board() -> (Board, Events) {
    board_with_clock(monotonic())
}

/// A new board whose clock is yours, so that a test need not wait for time.
///
/// The clock gives the time since some start; it should not go back. It is read
/// when a job is added, started or ended, when the board closes, and when news
/// is taken.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use active_status::{Event, board_with_clock};
///
/// let (board, mut events) = board_with_clock(|| Duration::from_secs(7));
/// board.close();
/// assert_eq!(events.try_recv(), Some(Event::Closed { at: Duration::from_secs(7) }));
/// ```
pub fn board_with_clock(now: impl Fn() -> Duration + Send + Sync + 'static) -> (Board, Events) {
    let (link, receiver, shared) = channel::channel(now);
    (Board { link }, Events::new(receiver, shared))
}

/// The sending half of a board. Clones are the same board.
///
/// No method waits or fails. After the close, and after the [`Events`] were
/// dropped, they do nothing.
///
/// The board closes when it is told to, or when no handle of it is left: no
/// `Board`, no [`Job`], no [`BoardWriter`].
#[derive(Clone, Debug)]
pub struct Board {
    link: Arc<Link>,
}

impl AsRef<Board> for Board {
    fn as_ref(&self) -> &Board {
        self
    }
}

impl Board {
    /// Adds a job: a row. A string is its prefix; [`JobOptions`] say more.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::{JobOptions, board};
    ///
    /// let (board, events) = board();
    /// let plain = board.add_job("copy: ");
    /// let counting = board.add_job(JobOptions::new().prefix("pack: ").total(12));
    /// assert_eq!((plain.id().get(), counting.id().get()), (1, 2));
    /// # drop(events);
    /// ```
    pub fn add_job(&self, options: impl Into<JobOptions>) -> Job {
        Job::add(&self.link, options.into())
    }

    /// Adds a pinned row that shows the time since this call, until the board
    /// closes.
    pub fn show_elapsed(&self) {
        JobOptions::from("elapsed time: ").pinned(true).elapsed(true).send(&self.link);
    }

    /// Prints a line, or several, above the rows.
    ///
    /// At most 65,536 lines or 16 MiB of them wait to be taken. Beyond that the
    /// newest are left out, until all that wait were taken; a line
    /// `… 12 lines not shown` then stands in their place.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::{Event, board};
    ///
    /// let (board, mut events) = board();
    /// board.println("one\ntwo");
    /// for expected in ["one", "two"] {
    ///     let Some(Event::Line { text, .. }) = events.try_recv() else { unreachable!() };
    ///     assert_eq!(text, expected);
    /// }
    /// ```
    pub fn println(&self, text: impl fmt::Display) {
        self.print(&job::format(text));
    }

    /// A writer whose lines are printed above the rows, for loggers.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Write;
    ///
    /// use active_status::{Event, board};
    ///
    /// let (board, mut events) = board();
    /// let mut log = board.writer();
    /// write!(log, "disk is ").unwrap();
    /// assert_eq!(events.try_recv(), None);
    /// writeln!(log, "full").unwrap();
    /// let Some(Event::Line { text, .. }) = events.try_recv() else { unreachable!() };
    /// assert_eq!(text, "disk is full");
    /// ```
    pub fn writer(&self) -> BoardWriter {
        BoardWriter { board: self.clone(), partial: Vec::new() }
    }

    /// Closes the board: what was said so far is still told, what comes later is
    /// not, but for ticks, which may count until then. Jobs that run are
    /// [abandoned](crate::Outcome::Abandoned).
    pub fn close(&self) {
        self.link.close();
    }

    fn print(&self, text: &str) {
        self.link.print(text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)));
    }

    /// Prints a line; `false` if the board is closed.
    #[cfg(all(unix, feature = "capture"))]
    pub(crate) fn try_print(&self, line: &str) -> bool {
        self.link.print(std::iter::once(line))
    }

    /// Whether nobody will take what is said now.
    #[cfg(all(unix, feature = "capture"))]
    pub(crate) fn is_closed(&self) -> bool {
        self.link.is_closed()
    }
}

/// Prints what is written to it above the rows of its board, a line at a time.
///
/// A line waits for its newline, or for the drop of the writer; a flush does not
/// end it. Bytes that are not UTF-8 are replaced. Lines are broken at 16 MiB.
/// Writing never fails and never waits.
///
/// The writer keeps its board open until [`Board::close`].
#[derive(Debug)]
pub struct BoardWriter {
    board: Board,
    partial: Vec<u8>,
}

impl BoardWriter {
    /// The most bytes that wait for their newline.
    const MOST: usize = 16 << 20;

    /// Prints these bytes behind those that wait.
    fn print(&mut self, bytes: &[u8]) {
        let mut line = mem::take(&mut self.partial);
        line.extend_from_slice(bytes);
        self.board.print(&String::from_utf8_lossy(&line));
    }
}

impl io::Write for BoardWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let rest = match bytes.iter().rposition(|&byte| byte == b'\n') {
            Some(newline) => {
                self.print(&bytes[..newline]);
                &bytes[newline + 1..]
            }
            None => bytes,
        };
        self.partial.extend_from_slice(rest);
        if self.partial.len() > Self::MOST {
            self.print(&[]);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for BoardWriter {
    fn drop(&mut self) {
        if !self.partial.is_empty() {
            self.print(&[]);
        }
    }
}
