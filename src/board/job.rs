//! A job: the handle that updates one row of a board.

mod position;
pub(crate) mod rate;
pub(crate) mod state;
pub(crate) mod style;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::board::channel::{Link, Message};
use crate::board::event::{JobId, Outcome, Place, Progress, Row, Status};
use crate::board::job::position::MAX_POSITION;
use crate::board::job::rate::ProgressSnapshot;
use crate::board::job::state::JobState;
use crate::board::job::style::ProgressStyle;

/// A handle to one row of a board. Clones update the same row.
///
/// Updates never wait and never fail. Any sequence of calls is accepted, from any thread,
/// whether or not the board is shown. Updates after the end of the job or the close of the
/// board do nothing.
///
/// A job ends when [`end`](Self::end), [`finish`](Self::finish), [`fail`](Self::fail) or
/// [`cancel`](Self::cancel) is called; only the first call counts. Otherwise it ends when
/// its last handle is dropped: as [panicked](Outcome::Panicked) if the thread is unwinding,
/// as [finished](Outcome::Finished) if the position has reached the total, even a total
/// of 0, and as [cancelled](Outcome::Cancelled) otherwise. So a loop that counts to the
/// total has finished, and one that `?` leaves half-way was cancelled. A
/// [detached](Self::detach) job runs without handles.
///
/// Pending updates merge: only the latest text counts, and ticks add up. A tick is one
/// atomic addition. It takes no lock, and allocates only if no other update of its job is
/// pending.
///
/// Positions and totals saturate at 2^62.
///
/// The getters return the values at the time of the call, not those of the last frame, and
/// after the end those of the end. They take a lock of this job, which no console holds
/// while it draws.
///
/// # Panics
///
/// Methods that take a [`Display`](fmt::Display) argument panic if its implementation
/// panics.
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
    // Kept beside `link` instead of behind one pointer, so that a tick reaches it
    // directly.
    state: Arc<JobState>,
    link: Arc<Link>,
}

impl Job {
    /// Adds a job to the board of this link.
    pub(crate) fn add(link: &Arc<Link>, options: JobOptions) -> Self {
        let state = options.send(link);
        state.add_handle();
        Self { state, link: Arc::clone(link) }
    }

    /// Returns the id of the job, which is unique on its board.
    pub fn id(&self) -> JobId {
        self.state.id()
    }

    /// Sets the text, which says what the job is doing.
    pub fn set_text(&self, text: impl fmt::Display) {
        let text = format(text);
        self.update(|state| state.set_text(text));
    }

    /// Sets the prefix: the words before the text, including the separator.
    pub fn set_prefix(&self, prefix: impl fmt::Display) {
        let prefix = format(prefix);
        self.update(|state| state.set_prefix(prefix));
    }

    /// Sets the status, which determines the color of the row.
    pub fn set_status(&self, status: Status) {
        self.update(|state| state.set_status(status));
    }

    /// Shows one or more lines of output below the row, while the job is running.
    ///
    /// The row shows the last [`output_lines`](JobOptions::output_lines) of them; by default
    /// that is none, and this does nothing. Lines of output take the room that rows leave on
    /// the screen. If the job fails or panics, its last lines are printed above the rows, as
    /// [`Board::println`](crate::Board::println) does, and in a log above the line of the
    /// failure. After any other end they are gone. Of a line, 4,096 bytes are kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::JobOptions;
    /// use active_status::testing::{Screen, VirtualClock};
    ///
    /// let (board, mut events) = VirtualClock::new().board();
    /// let mut screen = Screen::new(60, 10);
    /// let build = board.add_job(JobOptions::new().prefix("build: ").output_lines(2));
    /// for line in ["Compiling libc", "Compiling rustix", "Compiling smol"] {
    ///     build.print_output(line);
    /// }
    /// let rows = screen.show(&mut events).rows();
    /// assert_eq!(rows[1..], ["    Compiling rustix", "    Compiling smol"]);
    ///
    /// build.fail("exit status 101");
    /// let rows = screen.show(&mut events).rows();
    /// assert_eq!(rows.len(), 1);
    /// assert_eq!(screen.scrollback(), ["Compiling rustix", "Compiling smol"]);
    /// ```
    pub fn print_output(&self, text: impl fmt::Display) {
        if !self.state.keeps_output() {
            return;
        }
        for line in format(text).lines() {
            let mut end = line.len().min(LONGEST_OUTPUT);
            while !line.is_char_boundary(end) {
                end -= 1;
            }
            let line = line[..end].to_owned();
            self.update(|state| state.add_output(line));
        }
    }

    /// Starts counting from 0 up to `total`, or without a total if it is `None`.
    ///
    /// A job that is already counting starts over.
    pub fn start_progress(&self, total: impl Into<Option<u64>>) {
        let (total, now) = (total.into(), self.link.now());
        self.update(|state| state.start_progress(total, now));
    }

    /// Sets the total, or removes it if it is `None`. Position, rate and elapsed time stay.
    ///
    /// The total may be below the position. A job that does not count starts to.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::{JobOptions, board};
    ///
    /// let (board, events) = board();
    /// let job = board.add_job(JobOptions::new().total(10));
    /// job.tick_by(4);
    /// job.set_total(20);
    /// assert_eq!((job.position(), job.total()), (4, Some(20)));
    /// job.set_total(None);
    /// assert_eq!((job.position(), job.total()), (4, None));
    /// # drop(events);
    /// ```
    pub fn set_total(&self, total: impl Into<Option<u64>>) {
        let total = total.into();
        self.update(|state| state.set_total(total));
    }

    /// Adds `count` to the total, for work that is discovered on the way. An unknown total
    /// counts as 0.
    ///
    /// # Examples
    ///
    /// A crawler whose total grows with each page:
    ///
    /// ```
    /// use active_status::{JobOptions, board};
    ///
    /// let (board, events) = board();
    /// let job = board.add_job(JobOptions::new().prefix("crawl: ").total(1));
    /// for links in [3, 2, 0, 0, 0, 0] {
    ///     job.inc_total(links);
    ///     job.tick();
    /// }
    /// assert_eq!((job.position(), job.total()), (6, Some(6)));
    /// # drop(events);
    /// ```
    pub fn inc_total(&self, count: u64) {
        self.update(|state| state.add_to_total(count));
    }

    /// Sets the position to 0, and restarts the rate and the elapsed time. The total, the
    /// text and the style stay.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::{JobOptions, board};
    ///
    /// let (board, events) = board();
    /// let job = board.add_job(JobOptions::new().prefix("attempt 1: ").total(10));
    /// job.tick_by(4);
    /// job.set_prefix("attempt 2: ");
    /// job.reset();
    /// assert_eq!((job.position(), job.total()), (0, Some(10)));
    /// # drop(events);
    /// ```
    pub fn reset(&self) {
        let now = self.link.now();
        self.update(|state| state.reset(now));
    }

    /// Sets the style in which the progress is written, as [`JobOptions::style`] does.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::progress::ProgressSnapshot;
    /// use active_status::testing::{Screen, VirtualClock};
    /// use active_status::{JobOptions, ProgressStyle};
    ///
    /// let (board, mut events) = VirtualClock::new().board();
    /// let job = board.add_job(JobOptions::new().prefix("read: ").style(ProgressStyle::bytes()));
    /// job.tick_by(2);
    /// job.set_style(|progress: &ProgressSnapshot| format!("page {}", progress.position));
    /// let mut screen = Screen::new(80, 24);
    /// let rows = screen.show(&mut events).rows();
    /// assert!(rows[0].contains("page 2"), "{rows:?}");
    /// ```
    pub fn set_style(&self, style: impl Into<ProgressStyle>) {
        let style = style.into();
        self.update(|state| state.set_style(style));
    }

    /// Adds 1 to the position. Without [`start_progress`](Self::start_progress), the job
    /// counts without a total.
    #[inline]
    pub fn tick(&self) {
        self.tick_by(1);
    }

    /// Adds `count` to the position, which may exceed the total. A count of 0 makes the
    /// row show the position.
    #[inline]
    pub fn tick_by(&self, count: u64) {
        if self.state.tick(count) {
            self.send_update();
        }
    }

    /// Sets the position, which may exceed the total. Without
    /// [`start_progress`](Self::start_progress), the job counts without a total.
    pub fn set_position(&self, position: u64) {
        self.update(|state| state.set_position(position));
    }

    /// Sets the position to the total, if there is one.
    pub fn complete_progress(&self) {
        self.update(JobState::complete_progress);
    }

    /// Removes the progress from the row until the next start or tick.
    pub fn clear_progress(&self) {
        self.update(JobState::clear_progress);
    }

    /// Ends the job as [finished](Outcome::Finished).
    pub fn finish(&self) {
        self.end(Outcome::Finished);
    }

    /// Sets the text, and ends the job as [finished](Outcome::Finished).
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::{Outcome, board};
    ///
    /// let (board, events) = board();
    /// let job = board.add_job("import: ");
    /// job.finish_with(format_args!("{} rows", 12));
    /// assert_eq!(job.text(), "12 rows");
    /// assert!(job.is_ended());
    /// # drop(events);
    /// ```
    pub fn finish_with(&self, text: impl fmt::Display) {
        self.set_text(text);
        self.finish();
    }

    /// Ends the job as [cancelled](Outcome::Cancelled).
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::{Event, Outcome, board};
    ///
    /// let (board, mut events) = board();
    /// let job = board.add_job("upload: ");
    /// job.cancel();
    /// let Some(Event::Ended { outcome, .. }) = events.drain().last() else { unreachable!() };
    /// assert_eq!(outcome, Outcome::Cancelled);
    /// ```
    pub fn cancel(&self) {
        self.end(Outcome::Cancelled);
    }

    /// Ends the job as [failed](Outcome::Failed), with `message` as the reason.
    pub fn fail(&self, message: impl fmt::Display) {
        self.end(Outcome::Failed(format(message)));
    }

    /// Ends the job with an outcome, unless it has already ended. The row keeps its text
    /// and progress.
    ///
    /// # Examples
    ///
    /// A result converts to an outcome:
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
        // After the close there is no event for the outcome.
        let outcome = (!self.link.is_closed()).then_some(outcome);
        if self.state.end(at, outcome) {
            self.link.send(Message::Ended(Arc::clone(&self.state)));
        }
    }

    /// Returns the position.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::{JobOptions, board};
    ///
    /// let (board, events) = board();
    /// let job = board.add_job(JobOptions::new().text("waiting").total(10));
    /// job.tick_by(4);
    /// job.set_text("a.txt");
    /// assert_eq!((job.position(), job.total(), job.text()), (4, Some(10), "a.txt".into()));
    /// # drop(events);
    /// ```
    pub fn position(&self) -> u64 {
        self.state.position()
    }

    /// Returns the total; `None` if it is unknown. [`position`](Self::position) has an example.
    pub fn total(&self) -> Option<u64> {
        self.state.total()
    }

    /// Returns the text. [`position`](Self::position) has an example.
    pub fn text(&self) -> String {
        self.state.text()
    }

    /// Returns the time since the progress was started or reset, or else since the job was
    /// added, until the end of the job.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use active_status::JobOptions;
    /// use active_status::testing::VirtualClock;
    ///
    /// let clock = VirtualClock::new();
    /// let (board, events) = clock.board();
    /// let job = board.add_job(JobOptions::new().total(12));
    /// clock.advance(Duration::from_secs(2));
    /// job.tick_by(3);
    /// assert_eq!(job.elapsed(), Duration::from_secs(2));
    /// assert_eq!(job.rate(), Some(1.5));
    /// assert_eq!(job.eta(), Some(Duration::from_secs(6)));
    ///
    /// job.finish();
    /// clock.advance(Duration::from_secs(2));
    /// assert_eq!(job.elapsed(), Duration::from_secs(2));
    /// # drop(events);
    /// ```
    pub fn elapsed(&self) -> Duration {
        self.snapshot().elapsed
    }

    /// Returns the amount done per second, mostly over the last ten seconds; `None` if it
    /// is unknown.
    ///
    /// The rate is an average over the times at which updates were read, and this call.
    /// [`elapsed`](Self::elapsed) has an example.
    pub fn rate(&self) -> Option<f64> {
        self.snapshot().rate
    }

    /// Returns the time left at this [rate](Self::rate); `None` if it is unknown.
    /// [`elapsed`](Self::elapsed) has an example.
    pub fn eta(&self) -> Option<Duration> {
        self.snapshot().eta()
    }

    fn snapshot(&self) -> ProgressSnapshot {
        self.state.snapshot(self.link.now())
    }

    /// Records that the work is complete: the job finishes if its last handle is dropped
    /// before the position changes.
    pub(crate) fn complete_here(&self) {
        self.state.complete_here();
    }

    /// As [`complete_here`](Self::complete_here), and the job finishes now if this is its
    /// only handle.
    pub(crate) fn complete(&self) {
        self.complete_here();
        if self.state.has_one_handle() {
            self.finish();
        }
    }

    /// Returns `true` if the job has ended. The close of the board does not count as an
    /// end.
    pub fn is_ended(&self) -> bool {
        self.state.is_ended()
    }

    /// Drops this handle, and lets the job run without handles until the close of the
    /// board finishes it.
    pub fn detach(self) {
        self.update(JobState::detach);
    }
}

// For `with_status`.
impl Job {
    /// Lets marks follow the prefix, which is that of this new job.
    pub(crate) fn allow_marks(&self, prefix: String, initial_text: String) {
        self.state.allow_marks(prefix, initial_text);
    }

    /// Sets what the pool does with the worker, as a mark after the prefix until the job
    /// ends.
    pub(crate) fn mark_state(&self, state: &'static str) {
        self.update(|job| job.mark_state(state));
    }

    /// Marks the prefix with the number of restarts, and sets the initial text; without
    /// marks, sets a text that says so.
    pub(crate) fn mark_restarts(&self, restarts: u32) {
        self.update(|state| state.mark_restarts(restarts));
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
    /// Writes to the state, and queues an update unless one is already queued.
    fn update(&self, write: impl FnOnce(&JobState) -> bool) {
        if !self.link.is_closed() && write(&self.state) {
            self.send_update();
        }
    }

    #[cold]
    fn send_update(&self) {
        self.link.send(Message::Updated(Arc::clone(&self.state)));
    }
}

impl Clone for Job {
    fn clone(&self) -> Self {
        self.state.add_handle();
        Self { state: Arc::clone(&self.state), link: Arc::clone(&self.link) }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if self.state.drop_handle()
            && let Some(outcome) = self.state.outcome_without_handles()
        {
            self.end(if thread::panicking() { Outcome::Panicked } else { outcome });
        }
    }
}

/// The maximum number of lines of output that a job keeps.
pub(crate) const MAX_OUTPUT: usize = 64;

/// The maximum number of bytes in a line of output, which is more than a screen is wide.
const LONGEST_OUTPUT: usize = 4_096;

/// Formats a value, up to the point where its `Display` returns an error.
pub(crate) fn format(value: impl fmt::Display) -> String {
    // Most texts are written in parts and fit, so they take one allocation.
    let mut text = String::with_capacity(32);
    let _cut_short = fmt::write(&mut text, format_args!("{value}"));
    text
}

/// The settings of a new job.
///
/// A string converts to options with that prefix, and `()` to the default options.
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
    /// `None` for the default.
    style: Option<ProgressStyle>,
    output_lines: usize,
}

impl JobOptions {
    /// Creates options for a row that is empty and not pinned, with the status
    /// [`Status::Normal`] and without progress.
    pub const fn new() -> Self {
        let row = Row {
            prefix: String::new(),
            text: String::new(),
            status: Status::Normal,
            pinned: false,
            elapsed: false,
            progress: None,
            detached: false,
            transient: false,
            look: String::new(),
            parent: None,
            place: Place::Last,
            output: Vec::new(),
        };
        Self { row, style: None, output_lines: 0 }
    }

    /// Sets the prefix: the words before the text, including the separator.
    pub fn prefix(mut self, prefix: impl fmt::Display) -> Self {
        self.row.prefix = format(prefix);
        self
    }

    /// Sets the text, which says what the job is doing.
    pub fn text(mut self, text: impl fmt::Display) -> Self {
        self.row.text = format(text);
        self
    }

    /// Sets the status, which determines the color of the row.
    pub const fn status(mut self, status: Status) -> Self {
        self.row.status = status;
        self
    }

    /// Sets whether the row stays below the others while the job is running.
    pub const fn pinned(mut self, pinned: bool) -> Self {
        self.row.pinned = pinned;
        self
    }

    /// Sets whether the row shows the time since it was added, after its text.
    pub const fn elapsed(mut self, elapsed: bool) -> Self {
        self.row.elapsed = elapsed;
        self
    }

    /// Sets whether the row leaves no trace if the job finishes.
    ///
    /// The row disappears when the job [finishes](Outcome::Finished); after any other
    /// outcome it stays. A log has no line for the finish. The job is counted like any
    /// other.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::JobOptions;
    /// use active_status::testing::{Screen, VirtualClock};
    ///
    /// let (board, mut events) = VirtualClock::new().board();
    /// let mut screen = Screen::new(40, 10);
    /// let fetch = |page: &str| board.add_job(JobOptions::from(page).transient(true));
    /// let (good, bad) = (fetch("a.example"), fetch("b.example"));
    /// good.finish();
    /// bad.fail("not found");
    ///
    /// let rows = screen.show(&mut events).rows();
    /// assert_eq!(rows.len(), 1);
    /// assert!(rows[0].contains("b.example") && rows[0].contains("not found"));
    /// assert_eq!(screen.model().counts().finished, 1);
    /// ```
    pub const fn transient(mut self, transient: bool) -> Self {
        self.row.transient = transient;
        self
    }

    /// Makes the job a subtask of another job of the same board: its row is indented by one
    /// level, below the row of the other and the subtasks that were added before.
    ///
    /// There is one level: a subtask of a subtask is shown like one of the same job. The
    /// jobs end independently of each other.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::JobOptions;
    /// use active_status::testing::{Screen, VirtualClock};
    ///
    /// let (board, mut events) = VirtualClock::new().board();
    /// let build = board.add_job("build");
    /// let test = board.add_job("test");
    /// let compile = board.add_job(JobOptions::new().prefix("rustc").subtask_of(&build));
    ///
    /// let mut screen = Screen::new(40, 10);
    /// let rows = screen.show(&mut events).rows();
    /// for (row, prefix) in rows.iter().zip(["build", "rustc", "test"]) {
    ///     assert!(row.contains(prefix), "{row}");
    /// }
    /// # drop((build, compile, test));
    /// ```
    pub fn subtask_of(mut self, job: &Job) -> Self {
        self.row.parent = Some(job.state.parent().unwrap_or(job.id()));
        self
    }

    /// Inserts the row directly above that of another running job of the same board.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::JobOptions;
    /// use active_status::testing::{Screen, VirtualClock};
    ///
    /// let (board, mut events) = VirtualClock::new().board();
    /// let last = board.add_job("last");
    /// let first = board.add_job(JobOptions::new().prefix("first").above(&last));
    /// let second = board.add_job(JobOptions::new().prefix("second").below(&first));
    ///
    /// let mut screen = Screen::new(40, 10);
    /// let rows = screen.show(&mut events).rows();
    /// for (row, prefix) in rows.iter().zip(["first", "second", "last"]) {
    ///     assert!(row.contains(prefix), "{row}");
    /// }
    /// # drop((first, second, last));
    /// ```
    pub fn above(mut self, job: &Job) -> Self {
        self.row.place = Place::Above(job.id());
        self
    }

    /// Inserts the row directly below that of another running job of the same board and
    /// its subtasks. [`above`](Self::above) has an example.
    pub fn below(mut self, job: &Job) -> Self {
        self.row.place = Place::Below(job.id());
        self
    }

    /// Gives the row the look of this name, if the theme of a console has one:
    /// [`Theme::look`](crate::Theme::look), which has an example. The name is part of the events,
    /// so that it also applies to a recorded or relayed job.
    pub fn look(mut self, name: impl fmt::Display) -> Self {
        self.row.look = format(name);
        self
    }

    /// Shows up to the given number of lines of [output](Job::print_output) below the row,
    /// at most 64. The default is 0. [`print_output`](Job::print_output) has an example.
    pub const fn output_lines(mut self, lines: usize) -> Self {
        self.output_lines = if lines < MAX_OUTPUT { lines } else { MAX_OUTPUT };
        self
    }

    /// Makes the job count from 0 up to `total`, or without a total if it is `None`.
    pub fn total(mut self, total: impl Into<Option<u64>>) -> Self {
        let total = total.into().map(|total| total.min(MAX_POSITION));
        self.row.progress = Some(Progress { total, ..Progress::default() });
        self
    }

    /// Sets the style in which the progress is written: a [`ProgressStyle`] or a closure.
    pub fn style(mut self, style: impl Into<ProgressStyle>) -> Self {
        self.style = Some(style.into());
        self
    }

    /// Sets the total of an iterator, and shows the rate and the time left, unless the
    /// options have others.
    pub(crate) fn for_items(mut self, total: Option<u64>) -> Self {
        self.style.get_or_insert_with(|| ProgressStyle::bar().rate().eta());
        if self.row.progress.is_some() { self } else { self.total(total) }
    }

    /// Adds a job with these options and without a handle.
    pub(crate) fn send(self, link: &Link) -> Arc<JobState> {
        let Self { row, style, output_lines } = self;
        let state =
            JobState::new(link.next_id(), link.now(), row, style.unwrap_or_default(), output_lines);
        let state = Arc::new(state);
        link.send(Message::Added(Arc::clone(&state)));
        state
    }
}

impl fmt::Debug for JobOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobOptions")
            .field("row", &self.row)
            .field("style", &self.style)
            .field("output_lines", &self.output_lines)
            .finish()
    }
}

/// Options with this prefix.
impl From<String> for JobOptions {
    fn from(prefix: String) -> Self {
        let mut options = Self::new();
        options.row.prefix = prefix;
        options
    }
}

/// Options with this prefix.
impl From<&String> for JobOptions {
    fn from(prefix: &String) -> Self {
        Self::from(prefix.clone())
    }
}

/// Options with this prefix.
impl From<&str> for JobOptions {
    fn from(prefix: &str) -> Self {
        Self::from(prefix.to_owned())
    }
}

/// Options with this prefix.
impl From<Cow<'_, str>> for JobOptions {
    fn from(prefix: Cow<'_, str>) -> Self {
        Self::from(prefix.into_owned())
    }
}

/// The default options.
impl From<()> for JobOptions {
    fn from((): ()) -> Self {
        Self::new()
    }
}
