//! A board together with the console that shows it.

use std::fmt;

use crate::board::job::{Job, JobOptions};
use crate::board::{Board, BoardWriter};
use crate::console::thread::ConsoleHandle;
use crate::io::suspend::suspend;

/// A [`Board`] together with the console that shows it, returned by
/// [`Console::open`](crate::Console::open).
///
/// Dropping it closes the board and draws the last frame, as
/// [`shutdown`](Self::shutdown) does. Functions that need a board accept
/// `&OpenBoard` as well, because it implements `AsRef<Board>`.
///
/// # Examples
///
/// ```
/// use active_status::Console;
///
/// let board = Console::auto().open();
/// let job = board.add_job("copy: ");
/// job.set_text("notes.txt");
/// board.shutdown();
/// job.set_text("too late to be shown");
/// assert_eq!(job.text(), "notes.txt");
/// ```
#[derive(Debug)]
#[must_use = "the board is closed when this is dropped"]
pub struct OpenBoard {
    board: Board,
    /// Dropped after the board has been closed. Its drop waits for the last frame.
    console: ConsoleHandle,
}

impl OpenBoard {
    pub(crate) fn new(board: Board, console: ConsoleHandle) -> Self {
        Self { board, console }
    }

    /// Returns the board, which can be cloned and outlives its console.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Adds a job, as [`Board::add_job`] does.
    pub fn add_job(&self, options: impl Into<JobOptions>) -> Job {
        self.board.add_job(options)
    }

    /// Adds a row with the elapsed time, as [`Board::show_elapsed`] does.
    pub fn show_elapsed(&self) {
        self.board.show_elapsed();
    }

    /// Prints lines above the rows, as [`Board::println`] does.
    pub fn println(&self, text: impl fmt::Display) {
        self.board.println(text);
    }

    /// Returns a writer that prints lines above the rows, as [`Board::writer`] does.
    pub fn writer(&self) -> BoardWriter {
        self.board.writer()
    }

    /// Blocks until all earlier updates and lines have been shown, as [`Board::flush`] does.
    pub fn flush(&self) {
        self.board.flush();
    }

    /// Runs `work` without rows on the terminal, as [`suspend`](crate::console::suspend) does.
    pub fn suspend<T>(&self, work: impl FnOnce() -> T) -> T {
        suspend(work)
    }

    /// Closes the board, as [`Board::close`] does. The console still draws the last
    /// frame.
    pub fn close(&self) {
        self.board.close();
    }

    /// Closes the board, and waits until everything before the close has been drawn, but
    /// gives up after 2 s without progress by the terminal.
    ///
    /// This blocks the thread. Async code should use
    /// [`Console::run_while`](crate::Console::run_while) instead.
    pub fn shutdown(self) {}
}

impl AsRef<Board> for OpenBoard {
    fn as_ref(&self) -> &Board {
        &self.board
    }
}

impl Drop for OpenBoard {
    fn drop(&mut self) {
        // The console is stopped first, because that records whether this thread is
        // panicking.
        self.console.stop();
        self.board.close();
    }
}
