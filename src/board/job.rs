//! A job: one row of a board, and the handle that updates it.

mod position;
pub(crate) mod rate;
pub(crate) mod state;
pub(crate) mod style;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::thread;

use crate::board::channel::{Link, Message};
use crate::board::event::{JobId, Outcome, Progress, Row, Status};
use crate::board::job::position::MAX_POSITION;
use crate::board::job::rate::Format;
use crate::board::job::state::Cell;
use crate::board::job::style::ProgressStyle;

/// A handle to one row of a board. Clones update the same row.
///
/// Every update is synchronous, never waits and never fails: any sequence of
/// calls is accepted, from any thread, whether or not the board is looked at.
/// Updates after the end of the job or the close of the board do nothing.
///
/// The job ends with [`end`](Self::end) or its short forms; the first end wins.
/// Without one it ends when the last handle is dropped: as
/// [cancelled](Outcome::Cancelled), or as [panicked](Outcome::Panicked) if the
/// thread unwinds. A job that is to live without handles is
/// [detached](Self::detach).
///
/// Updates that nobody has taken yet merge: the latest text counts, ticks add
/// up. A tick is one atomic addition; it takes no lock and does not allocate,
/// but for the first one since the news of the job was taken.
///
/// Positions and totals stop at 2^62.
///
/// # Panics
///
/// Only if the [`Display`](fmt::Display) that is given to it does.
///
/// # Examples
///
/// ```
/// use active_status::{Event, Outcome, board};
///
/// let (board, mut events) = board();
/// let job = board.add_job("copy: ");
/// job.start_progress(3);
/// job.set_text("notes.txt");
/// job.tick();
/// job.tick_by(2);
/// job.finish();
///
/// let events: Vec<Event> = events.drain().collect();
/// let Event::Added { row, .. } = &events[0] else { unreachable!() };
/// assert_eq!(row.prefix, "copy: ");
/// let Event::Changed { change, .. } = &events[1] else { unreachable!() };
/// assert_eq!(change.text.as_deref(), Some("notes.txt"));
/// let Event::Ended { outcome, .. } = &events[2] else { unreachable!() };
/// assert_eq!(outcome, &Outcome::Finished);
/// ```
#[must_use = "a job is cancelled when its last handle is dropped"]
pub struct Job {
    // Not behind one pointer: a tick is to find the cell at once.
    cell: Arc<Cell>,
    link: Arc<Link>,
}

impl Job {
    /// Adds a job to the board of this link.
    pub(crate) fn add(link: &Arc<Link>, options: JobOptions) -> Self {
        let cell = options.send(link);
        cell.add_handle();
        Self { cell, link: Arc::clone(link) }
    }

    /// Which job of its board this is.
    pub fn id(&self) -> JobId {
        self.cell.id()
    }

    /// Says what the job is doing.
    pub fn set_text(&self, text: impl fmt::Display) {
        let text = format(text);
        self.update(|cell| cell.set_text(text));
    }

    /// Replaces what stands before the text, its separator included.
    pub fn set_prefix(&self, prefix: impl fmt::Display) {
        let prefix = format(prefix);
        self.update(|cell| cell.set_prefix(prefix));
    }

    /// Says how the job is doing: the color of its row.
    pub fn set_status(&self, status: Status) {
        self.update(|cell| cell.set_status(status));
    }

    /// Starts to count at 0, up to this total; `None` if it is not known.
    ///
    /// A job that counts already starts anew.
    pub fn start_progress(&self, total: impl Into<Option<u64>>) {
        let (total, now) = (total.into(), self.link.now());
        self.update(|cell| cell.start_progress(total, now));
    }

    /// Adds 1 to the position. A job that was not
    /// [started](Self::start_progress) counts without a total.
    #[inline]
    pub fn tick(&self) {
        self.tick_by(1);
    }

    /// Adds to the position. The count may pass the total; a count of 0 shows the
    /// position.
    #[inline]
    pub fn tick_by(&self, count: u64) {
        if self.cell.tick(count) {
            self.send_news();
        }
    }

    /// Replaces the position.
    pub fn set_position(&self, position: u64) {
        self.update(|cell| cell.set_position(position));
    }

    /// Moves the position to the total. Without a total it stays.
    pub fn complete_progress(&self) {
        self.update(Cell::complete_progress);
    }

    /// Takes the progress off the row, until the next start or tick.
    pub fn clear_progress(&self) {
        self.update(Cell::clear_progress);
    }

    /// Ends the job: it did what it was to do.
    pub fn finish(&self) {
        self.end(Outcome::Finished);
    }

    /// Ends the job: it failed, and this is why.
    pub fn fail(&self, message: impl fmt::Display) {
        self.end(Outcome::Failed(format(message)));
    }

    /// Ends the job, unless it has ended. Its text and progress stay on the row.
    ///
    /// # Examples
    ///
    /// A result is an outcome:
    ///
    /// ```
    /// use active_status::{Event, Outcome, board};
    ///
    /// let (board, mut events) = board();
    /// let job = board.add_job("parse: ");
    /// job.end(&"x".parse::<u32>());
    /// job.finish();
    ///
    /// let Some(Event::Ended { outcome, .. }) = events.drain().last() else { unreachable!() };
    /// assert_eq!(outcome, Outcome::Failed("invalid digit found in string".into()));
    /// ```
    pub fn end(&self, outcome: impl Into<Outcome>) {
        let (outcome, at) = (outcome.into(), self.link.now());
        // Once the board is closed that is no news any more.
        let outcome = (!self.link.is_closed()).then_some(outcome);
        if self.cell.end(at, outcome) {
            self.link.send(Message::Ended(Arc::clone(&self.cell)));
        }
    }

    /// Whether the job was ended. The close of its board does not count.
    pub fn is_ended(&self) -> bool {
        self.cell.is_ended()
    }

    /// Lets the row stay when its handles are gone: it then finishes when the
    /// board closes.
    pub fn detach(self) {
        self.update(Cell::detach);
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("id", &self.id())
            .field("ended", &self.is_ended())
            .finish_non_exhaustive()
    }
}

impl Job {
    /// Writes to the cell, and queues it if that says so.
    fn update(&self, write: impl FnOnce(&Cell) -> bool) {
        if !self.link.is_closed() && write(&self.cell) {
            self.send_news();
        }
    }

    #[cold]
    fn send_news(&self) {
        self.link.send(Message::News(Arc::clone(&self.cell)));
    }
}

impl Clone for Job {
    fn clone(&self) -> Self {
        self.cell.add_handle();
        Self { cell: Arc::clone(&self.cell), link: Arc::clone(&self.link) }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if self.cell.drop_handle() && self.cell.ends_with_its_handles() {
            let panicked = thread::panicking();
            self.end(if panicked { Outcome::Panicked } else { Outcome::Cancelled });
        }
    }
}

/// The text of a value, as far as it goes if its `Display` gives up.
pub(crate) fn format(value: impl fmt::Display) -> String {
    // Most texts are written in parts and have room in this: one allocation.
    let mut text = String::with_capacity(32);
    let _cut_short = fmt::write(&mut text, format_args!("{value}"));
    text
}

/// How a job's row is at first.
///
/// A string is a prefix, and `()` no options at all.
///
/// # Examples
///
/// ```
/// use active_status::{Event, JobOptions, board};
///
/// let (board, mut events) = board();
/// let named = board.add_job("copy: ");
/// let plain = board.add_job(());
/// let total = board.add_job(JobOptions::new().prefix("total: ").pinned(true).total(120));
///
/// let Some(Event::Added { row, .. }) = events.drain().last() else { unreachable!() };
/// assert!(row.pinned);
/// assert_eq!(row.progress.unwrap().total, Some(120));
/// # drop((named, plain, total));
/// ```
#[derive(Clone, Default)]
#[must_use = "options do nothing until a job is added with them"]
pub struct JobOptions {
    row: Row,
    format: Option<Format>,
}

impl JobOptions {
    /// An empty row of normal status, among the others, without progress.
    pub const fn new() -> Self {
        let row = Row {
            prefix: String::new(),
            text: String::new(),
            status: Status::Normal,
            pinned: false,
            elapsed: false,
            progress: None,
            detached: false,
        };
        Self { row, format: None }
    }

    /// What stands before the text, its separator included.
    pub fn prefix(mut self, prefix: impl fmt::Display) -> Self {
        self.row.prefix = format(prefix);
        self
    }

    /// What the job is doing.
    pub fn text(mut self, text: impl fmt::Display) -> Self {
        self.row.text = format(text);
        self
    }

    /// The color of the row.
    pub const fn status(mut self, status: Status) -> Self {
        self.row.status = status;
        self
    }

    /// Whether the row stays below the others while it runs.
    pub const fn pinned(mut self, pinned: bool) -> Self {
        self.row.pinned = pinned;
        self
    }

    /// Whether the row shows the time since it was added, behind its text.
    pub const fn elapsed(mut self, elapsed: bool) -> Self {
        self.row.elapsed = elapsed;
        self
    }

    /// Starts to count at 0, up to this total; `None` if it is not known.
    pub fn total(mut self, total: impl Into<Option<u64>>) -> Self {
        let total = total.into().map(|total| total.min(MAX_POSITION));
        self.row.progress = Some(Progress { total, ..Progress::default() });
        self
    }

    /// Sets how the progress is written: a [`ProgressStyle`] or a closure.
    pub fn style(mut self, style: impl Into<ProgressStyle>) -> Self {
        self.format = style.into().into_format();
        self
    }

    /// Sends a job with these options. It has no handle.
    pub(crate) fn send(self, link: &Link) -> Arc<Cell> {
        let cell = Arc::new(Cell::new(link.next_id(), link.now(), self.row, self.format));
        link.send(Message::Added(Arc::clone(&cell)));
        cell
    }
}

impl fmt::Debug for JobOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobOptions")
            .field("row", &self.row)
            .field("styled", &self.format.is_some())
            .finish()
    }
}

/// The prefix.
impl From<String> for JobOptions {
    fn from(prefix: String) -> Self {
        let mut options = Self::new();
        options.row.prefix = prefix;
        options
    }
}

/// The prefix.
impl From<&String> for JobOptions {
    fn from(prefix: &String) -> Self {
        Self::from(prefix.clone())
    }
}

/// The prefix.
impl From<&str> for JobOptions {
    fn from(prefix: &str) -> Self {
        Self::from(prefix.to_owned())
    }
}

/// The prefix.
impl From<Cow<'_, str>> for JobOptions {
    fn from(prefix: Cow<'_, str>) -> Self {
        Self::from(prefix.into_owned())
    }
}

/// An empty row.
impl From<()> for JobOptions {
    fn from((): ()) -> Self {
        Self::new()
    }
}
