//! The sending half of a board, which adds jobs and prints lines.

pub(crate) mod alarm;
mod channel;
pub(crate) mod clock;
pub(crate) mod event;
pub(crate) mod events;
pub(crate) mod flush;
pub(crate) mod job;
pub(crate) mod lock;
pub(crate) mod model;
mod notify;
mod partial;
#[cfg(feature = "relay")]
pub(crate) mod relayed;
mod room;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use channel::{Link, Message};
use clock::monotonic;
use events::Events;
use job::{Job, JobOptions};

/// Creates a board, and returns its sending half and the stream of its events.
///
/// Most programs pass the events to a [`Console`](crate::Console), which shows them.
/// Memory is bounded even if the events are never read.
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

/// Creates a board that reads the time from the given clock, so that tests need not wait.
///
/// The clock returns the time since an arbitrary start, and should never go backwards.
/// The board reads it when a job is added, starts to count or ends, when the board
/// closes, and when an event is read.
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

/// The sending half of a board. Clones refer to the same board.
///
/// Its methods never fail, and only [`println_blocking`](Self::println_blocking),
/// [`println_async`](Self::println_async), [`flush`](Self::flush) and, for a log that falls
/// behind, [`println`](Self::println) wait. They do nothing
/// once the board is closed or its [`Events`] are dropped.
///
/// The board closes when [`close`](Self::close) is called, or when its last handle is
/// dropped: the last `Board`, [`Job`] or [`BoardWriter`].
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
    /// Adds a job, which is shown as a row.
    ///
    /// A string becomes the prefix of the row; [`JobOptions`] has more settings.
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
    /// At most 65,536 lines or 16 MiB of them are queued. Beyond that limit, a call blocks
    /// while a console on a thread writes the board as a log, so that the log is whole, as
    /// with the standard `println!`. If the output of the log accepts nothing for 2 s, and
    /// with any other reader at once, the newest lines are omitted until all queued lines have
    /// been read; then a line such as `… 12 lines not shown` takes their place.
    /// [`println_blocking`](Self::println_blocking) and
    /// [`println_async`](Self::println_async) wait for room whatever the reader is.
    ///
    /// If the process exits immediately afterwards, the lines are lost: see
    /// [`flush`](Self::flush).
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

    /// Prints one or more lines above the rows, and blocks while there is no room for them.
    /// None of them is omitted.
    ///
    /// There is room once the reader takes lines. If the events are not read, this blocks
    /// until the board closes or its events are dropped. Each line waits separately, so
    /// lines of several threads may be interleaved.
    pub fn println_blocking(&self, text: impl fmt::Display) {
        for line in lines(&job::format(text)) {
            self.link.print_blocking(line);
        }
    }

    /// Prints one or more lines above the rows, and waits while there is no room for them.
    /// None of them is omitted.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the lines that it has not printed yet are not printed.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::{Event, board};
    ///
    /// # futures::executor::block_on(async {
    /// let (board, mut events) = board();
    /// board.println_async("one\ntwo").await;
    /// assert!(matches!(events.try_recv(), Some(Event::Line { text, .. }) if text == "one"));
    /// # });
    /// ```
    pub fn println_async(&self, text: impl fmt::Display) -> PrintLines {
        let text = job::format(text);
        let lines = lines(&text).map(String::from).collect();
        PrintLines { board: self.clone(), lines }
    }

    /// Blocks until all earlier updates and lines have been shown, for at most 2 s.
    ///
    /// Call this before the program exits without a shutdown, because a console draws within
    /// 100 ms and not immediately. If the board is closed or its events were dropped, this
    /// returns immediately. It must not be called on the thread that runs the console.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use active_status::Console;
    ///
    /// let board = Console::auto().open();
    /// board.println("error: no such file");
    /// board.flush();
    /// std::process::exit(1);
    /// ```
    pub fn flush(&self) {
        let (mark, wait) = flush::mark();
        self.link.send(Message::Mark(mark));
        wait.wait(FLUSH);
    }

    /// Returns a writer that prints its lines above the rows, for loggers. A partial line is
    /// shown below the rows until it ends.
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
    /// let Some(Event::Partial { text, .. }) = events.try_recv() else { unreachable!() };
    /// assert_eq!(text, "disk is ");
    /// writeln!(log, "full").unwrap();
    /// let Some(Event::Line { text, .. }) = events.try_recv() else { unreachable!() };
    /// assert_eq!(text, "disk is full");
    /// ```
    pub fn writer(&self) -> BoardWriter {
        BoardWriter { board: self.clone(), number: self.link.add_writer(), is_partial: false }
    }

    /// Closes the board.
    ///
    /// Updates made before the call still arrive. Later updates do nothing, except that
    /// ticks may count until their job is read for the last time. Running jobs
    /// are [abandoned](crate::Outcome::Abandoned), or finished if they were
    /// [detached](Job::detach).
    pub fn close(&self) {
        self.link.close();
    }

    fn print(&self, text: &str) {
        self.link.print(text);
    }

    /// Prints a line. Returns `false` if the board is closed.
    #[cfg(all(unix, feature = "capture"))]
    pub(crate) fn try_print(&self, line: &str) -> bool {
        self.link.print(line)
    }

    /// Returns `true` if the board is closed or its events were dropped.
    #[cfg(all(unix, feature = "capture"))]
    pub(crate) fn is_closed(&self) -> bool {
        self.link.is_closed()
    }
}

/// The maximum time that a flush waits.
const FLUSH: Duration = Duration::from_secs(2);

/// Returns the lines of a text, without their line endings.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line))
}

/// The future returned by [`Board::println_async`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct PrintLines {
    board: Board,
    lines: VecDeque<String>,
}

impl Future for PrintLines {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        while let Some(line) = this.lines.front() {
            ready!(this.board.link.poll_print(line, cx));
            this.lines.pop_front();
        }
        Poll::Ready(())
    }
}

/// A writer that prints the lines written to it above the rows of its board.
///
/// A line is printed when its newline is written, or when the writer is dropped or the board
/// closed; flushing does not end a line. Until then, a live console shows the partial line
/// below the rows. If several writers have one, that of the writer that has written last is
/// shown. Bytes that are not UTF-8 are replaced. A partial line longer than 16 MiB is
/// printed as a line. Writing never fails, and waits only as [`Board::println`] does.
///
/// A writer keeps its board open until [`Board::close`] is called.
#[derive(Debug)]
pub struct BoardWriter {
    board: Board,
    /// The number of the writer on its board.
    number: u64,
    /// Whether the board has a partial line of this writer.
    is_partial: bool,
}

impl BoardWriter {
    /// The maximum number of bytes in a partial line.
    const MOST: usize = 16 << 20;

    /// Prints the partial line, followed by `bytes`.
    fn print(&mut self, bytes: &[u8]) {
        if mem::take(&mut self.is_partial) {
            self.board.link.print_partial(self.number, bytes);
        } else {
            self.board.print(&String::from_utf8_lossy(bytes));
        }
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
        if !rest.is_empty() {
            self.is_partial = true;
            if self.board.link.append_partial(self.number, rest) > Self::MOST {
                self.print(&[]);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for BoardWriter {
    fn drop(&mut self) {
        if self.is_partial {
            self.print(&[]);
        }
    }
}
