//! The board: the half that adds jobs and prints lines.

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

/// Creates a board: the half that jobs update, and the half that yields events.
///
/// Any code that reads the events can show the board; [`Console`](crate::Console) does.
/// Memory is bounded even if the events are not read.
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

/// Creates a board with a clock, so that a test need not wait.
///
/// The clock returns the time since some start, which should not go back. The board reads
/// it when a job is added, starts to count or ends, when the board closes, and when an
/// event is read.
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
/// Its methods never wait and never fail. They do nothing once the board is closed or the
/// [`Events`] were dropped.
///
/// The board closes with [`close`](Self::close), or when the last handle of it is dropped:
/// the last `Board`, [`Job`] or [`BoardWriter`].
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
    /// Adds a job, which is a row. A string is the prefix of the row; [`JobOptions`] have
    /// more settings.
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

    /// Adds a pinned row that shows the time since this call, until the board closes.
    pub fn show_elapsed(&self) {
        JobOptions::from("elapsed time: ").pinned(true).elapsed(true).send(&self.link);
    }

    /// Prints one or more lines above the rows.
    ///
    /// At most 65,536 lines or 16 MiB of them are pending. Beyond that the newest lines are
    /// omitted until all pending ones were read; then a line `… 12 lines not shown` stands
    /// in their place.
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

    /// Creates a writer whose lines are printed above the rows, for loggers.
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

    /// Closes the board. Updates made before the call still arrive; later ones do nothing,
    /// except that ticks may count until the last read of their job. Running jobs are
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

    /// Whether the board is closed or its events were dropped.
    #[cfg(all(unix, feature = "capture"))]
    pub(crate) fn is_closed(&self) -> bool {
        self.link.is_closed()
    }
}

/// Prints the lines that are written to it above the rows of its board.
///
/// A line is printed at its newline, or when the writer is dropped; a flush does not end
/// it. Bytes that are not UTF-8 are replaced. Lines are broken at 16 MiB. Writing never
/// fails and never waits.
///
/// The writer keeps its board open until [`Board::close`].
#[derive(Debug)]
pub struct BoardWriter {
    board: Board,
    partial: Vec<u8>,
}

impl BoardWriter {
    /// The most bytes without a newline.
    const MOST: usize = 16 << 20;

    /// Prints the partial line and these bytes.
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
