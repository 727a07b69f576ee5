//! Relaying the events of other boards: jobs of other processes on the board of this one.
//!
//! A child process writes the events of its board as lines of JSON, and its parent reads
//! them:
//!
//! ```no_run
//! use std::io::{self, BufReader};
//! use std::process::{Command, Stdio};
//! use std::thread;
//!
//! use active_status::Console;
//!
//! # fn child() {
//! // In the child:
//! let board = Console::json().output(io::stdout()).open();
//! # board.shutdown();
//! # }
//! # fn main() -> io::Result<()> {
//! // In the parent:
//! let board = Console::auto().open();
//! let mut child = Command::new("child").stdout(Stdio::piped()).spawn()?;
//! let output = BufReader::new(child.stdout.take().expect("a pipe"));
//! let relay = board.board().relay("child 1");
//! let reader = thread::spawn(move || relay.read(output));
//! child.wait()?;
//! reader.join().expect("no panic")?;
//! board.shutdown();
//! # Ok(())
//! # }
//! ```
//!
//! This works on every system, and over `ssh host program`. On Unix, [`Board::adopt`] lets
//! all descendants find the board, so that a child opens [`Console::auto`] as always. The jobs that a child leaves
//! running when its output ends are [lost](Outcome::Lost).
//!
//! Over a way that may lose, repeat or reorder messages, the sender collects its events in
//! an [`Outbox`], and the receiver applies the batches with [`Relay::receive`], or those of
//! many senders with [`Relays::receive`].
//!
//! [`guide::processes`](crate::guide::processes) says which way to use when, what is lost when,
//! and what the format is.
//!
//! [`Console::auto`]: crate::Console::auto
//!
//! Requires the feature `relay`.

#[cfg(unix)]
mod adopt;
mod batch;
mod contact;
mod limits;
mod many;
mod outbox;
mod receive;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use crate::board::Board;
use crate::board::event::{
    Change, Event, JobId, Outcome, Place, Progress, ProgressChange, Row, Status, Unit,
};
use crate::board::job::MAX_OUTPUT;
use crate::board::relayed::RelayedJob;
use crate::plain_text::plain_text;
use crate::record::read_records;
use contact::Checks;
use limits::{Bucket, Limits, Permit};
use receive::Sender;

#[cfg(unix)]
pub use adopt::Adoption;
pub use batch::{Batch, BatchError};
pub use contact::Contact;
pub use many::{Relays, RelaysOptions};
pub use outbox::Outbox;
pub use receive::Received;

/// The maximum number of messages on the board before [`Relay::read`] waits, and before texts
/// are cut to `SHORT` bytes.
const BACKLOG: usize = 4_096;
const SHORT: usize = 64;
/// The maximum number of messages on the board before rows and lines are omitted.
const FULL: usize = 16_384;
/// The maximum position, as on this board.
const MAX_POSITION: u64 = 1 << 62;
/// The maximum lengths in bytes of a label, and of a printed line, a message or an output.
const LABEL: usize = 64;
const LINE: usize = 4_096;

/// Options of a [`Relay`]. A string converts to options with this label.
#[must_use = "options do nothing until a relay has them"]
pub struct RelayOptions {
    label: String,
    jobs: usize,
    text: usize,
    per_second: u32,
    rows: Option<Box<RowFilter>>,
}

type RowFilter = dyn FnMut(&mut Row) -> bool + Send;

impl RelayOptions {
    /// Creates the default options, with the words that begin every prefix and line.
    pub fn new(label: impl AsRef<str>) -> Self {
        let label = plain_text(label.as_ref(), LABEL);
        Self { label, jobs: 10_000, text: 1_024, per_second: 2_000, rows: None }
    }

    /// Sets the maximum number of jobs that run at once. The default is 10,000.
    pub const fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs;
        self
    }

    /// Sets the maximum number of bytes of a prefix or a text. The default is 1,024.
    pub const fn text(mut self, bytes: usize) -> Self {
        self.text = bytes;
        self
    }

    /// Sets the maximum number of new rows and lines per second. Ten times as many may
    /// arrive at once. The default is 2,000.
    pub const fn per_second(mut self, count: u32) -> Self {
        self.per_second = count;
        self
    }

    /// Sets a closure that may change a row before it is added, or refuse it by returning
    /// `false`.
    ///
    /// It is given the row with its label, pinned if the other board has pinned it. Without
    /// a closure, rows are not pinned, and a pinned row that shows the elapsed time is
    /// refused.
    pub fn rows(mut self, rows: impl FnMut(&mut Row) -> bool + Send + 'static) -> Self {
        self.rows = Some(Box::new(rows));
        self
    }
}

impl From<&str> for RelayOptions {
    fn from(label: &str) -> Self {
        Self::new(label)
    }
}

impl From<String> for RelayOptions {
    fn from(label: String) -> Self {
        Self::new(label)
    }
}

impl fmt::Debug for RelayOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayOptions").field("label", &self.label).finish_non_exhaustive()
    }
}

impl Board {
    /// Creates a relay, which shows the jobs and lines of another board on this one.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::{Event, board};
    ///
    /// let (board, mut events) = board();
    /// let lines = r#"{"event":"added","at":0.5,"job":1,"prefix":"copy: "}
    /// {"event":"changed","at":0.6,"job":1,"text":"a.txt"}"#;
    /// board.relay("child").read(lines.as_bytes()).unwrap();
    ///
    /// let Some(Event::Added { row, .. }) = events.try_recv() else { unreachable!() };
    /// assert_eq!(row.prefix, "child copy: ");
    /// // The lines end without an end of the job.
    /// let lost = events.drain().last().unwrap();
    /// assert!(matches!(lost, Event::Ended { outcome: active_status::Outcome::Lost, .. }));
    /// ```
    pub fn relay(&self, options: impl Into<RelayOptions>) -> Relay {
        let options = options.into();
        let limits = Limits::new(options.jobs, options.per_second, self.now());
        Relay::new(self, options, limits, true)
    }
}

/// A relay of the events of another board, which may be of another process: see
/// [`Board::relay`].
///
/// Its rows stand together, in order, below those of this board. Prefixes and lines begin
/// with its label. Texts are [plain](plain_text). Changes of a job merge until they are
/// read, as on its own board.
///
/// Rows and lines beyond the limits of the [options](RelayOptions) are omitted, and a line
/// counts them. Memory is bounded as well, even if the board is not read: the texts of the
/// jobs that run have at most 16 MiB, the output of a job 4 KiB. While the
/// [backlog](Board::backlog) of the board is above 4,096 messages, texts are cut to 64 bytes,
/// and above 16,384 rows and lines are omitted. The last state of each row arrives
/// nevertheless.
///
/// When the relay is dropped, the jobs that run are [lost](Outcome::Lost), unless this
/// board is closed: then they are abandoned. A relay keeps its board open until
/// [`Board::close`] is called.
#[must_use = "the jobs of a relay are lost when it is dropped"]
pub struct Relay {
    board: Board,
    options: RelayOptions,
    /// The running jobs by their ids on the other board.
    jobs: BTreeMap<JobId, Relayed>,
    /// The last id that was used on this board.
    next: u64,
    /// The least difference of the times of arrival and of the events, in nanoseconds.
    delay: Option<i128>,
    /// The process that sends batches, once one was received.
    sender: Option<Sender>,
    checks: Checks,
    bucket: Bucket,
    /// The limits, which all relays of a [`Relays`] share.
    limits: Arc<Limits>,
    /// Whether this relay counts in lines what it omits.
    reports: bool,
    /// The number of rows and lines that were omitted and not yet counted in a line.
    omitted: u64,
}

/// A running job of the other board.
#[derive(Debug)]
struct Relayed {
    job: RelayedJob,
    /// When the job was added, on the clock of the other board. With its id, this
    /// identifies the job.
    added: Duration,
    /// The row as the other board shows it, made safe.
    row: Row,
    /// The prefix and the status here, if a closure has changed them.
    prefix_here: Option<String>,
    status_here: Option<Status>,
    permit: Permit,
}

impl Relay {
    fn new(board: &Board, options: RelayOptions, limits: Arc<Limits>, reports: bool) -> Self {
        let now = board.now();
        Self {
            bucket: Bucket::new(options.per_second, now),
            next: board.next_block(),
            board: board.clone(),
            options,
            jobs: BTreeMap::new(),
            delay: None,
            sender: None,
            checks: Checks(now),
            limits,
            reports,
            omitted: 0,
        }
    }

    /// Relays an event of the other board, over a way that keeps all events in order. For
    /// another way there is [`receive`](Self::receive).
    ///
    /// All events of the other board must be relayed, in their order, and no faster than this
    /// board is read: wait while its [backlog](Board::backlog) is above 4,096. An event that
    /// makes no sense has no effect. A job that is added again while it is running is lost, and
    /// then starts over.
    pub fn apply(&mut self, event: Event) {
        let at = self.time_here(event.at());
        self.apply_at(event, at);
    }

    /// Relays an event that happened at a time of this board.
    fn apply_at(&mut self, event: Event, at: Duration) {
        match event {
            Event::Added { at: added, job, row } => {
                if !self.add(job, added, at, row) {
                    self.omitted += 1;
                    if let Some(sender) = &mut self.sender {
                        sender.omitted += 1;
                    }
                }
            }
            Event::Changed { job, change, .. } => {
                let change = self.clean_change(change);
                if let Some(running) = self.jobs.get_mut(&job) {
                    running.change(&change);
                }
            }
            Event::Ended { job, outcome, .. } => {
                if let Some(running) = self.jobs.remove(&job) {
                    running.job.end(at, clean_outcome(outcome));
                }
            }
            Event::Line { text, .. } => self.print(&text),
            // A partial line of this board is its own.
            Event::Partial { .. } => {}
            Event::Closed { .. } => {
                std::mem::take(&mut self.jobs)
                    .into_values()
                    .for_each(|relayed| relayed.job.close(at));
            }
        }
    }

    /// Relays lines of JSON until they end, on this thread.
    ///
    /// Returns the number of lines that were not events, which have no effect. A line has
    /// at most 1 MiB. While more than 4,096 messages wait for the reader of this board, no
    /// lines are read, so that a child process with a full pipe merges its updates.
    ///
    /// # Errors
    ///
    /// Fails if reading fails. The jobs that run are then lost.
    pub fn read(mut self, reader: impl BufRead) -> io::Result<u64> {
        let mut invalid = 0;
        for event in read_records(reader) {
            match event {
                Ok(event) => self.apply(event),
                Err(error) if error.kind() == ErrorKind::InvalidData => invalid += 1,
                Err(error) => return Err(error),
            }
            while self.board.backlog() > BACKLOG && !self.board.is_over() {
                self.board.flush();
            }
        }
        Ok(invalid)
    }

    /// Converts a time of the other board to this board: the event with the least delay
    /// arrived at once, and none is of the future.
    fn time_here(&mut self, at: Duration) -> Duration {
        let (now, at) = (self.board.now(), at.as_nanos() as i128);
        let delay = now.as_nanos() as i128 - at;
        let delay = self.delay.map_or(delay, |least| least.min(delay));
        self.delay = Some(delay);
        let here = (at + delay).max(0).unsigned_abs().min(now.as_nanos());
        Duration::from_secs((here / 1_000_000_000) as u64)
            + Duration::from_nanos((here % 1_000_000_000) as u64)
    }

    /// Adds a job, which was added at `added` on the clock of the other board. Returns `false`
    /// if its row exceeds a limit.
    fn add(&mut self, job: JobId, added: Duration, at: Duration, row: Row) -> bool {
        if let Some(before) = self.jobs.remove(&job) {
            before.job.end(at, Outcome::Lost);
        }
        let row = self.clean_row(row);
        let mut shown = row.clone();
        if !self.accepts(&mut shown) {
            return true;
        }
        if self.jobs.len() >= self.options.jobs {
            return false;
        }
        let Some(permit) = self.limits.permit(text_bytes(&row)) else { return false };
        if !self.admit() {
            return false;
        }
        let prefix_here = (shown.prefix != row.prefix).then(|| shown.prefix.clone());
        let status_here = (shown.status != row.status).then_some(shown.status);
        let id = self.next_id();
        let relayed = RelayedJob::add(&self.board, id, at, shown);
        let relayed = Relayed { job: relayed, added, row, prefix_here, status_here, permit };
        self.jobs.insert(job, relayed);
        true
    }

    /// Returns the next id of the block of this relay, or of another block.
    fn next_id(&mut self) -> JobId {
        if self.next as u32 == u32::MAX {
            self.next = self.board.next_block();
        }
        self.next += 1;
        JobId::new(self.next).expect("a number above 2^32")
    }

    /// Lets the options change or refuse a row.
    fn accepts(&mut self, row: &mut Row) -> bool {
        if let Some(rows) = &mut self.options.rows {
            return rows(row);
        }
        let clock = row.pinned && row.elapsed;
        row.pinned = false;
        !clock
    }

    fn clean_row(&self, mut row: Row) -> Row {
        row.prefix = self.labeled(&row.prefix);
        row.text = plain_text(&row.text, self.text_limit());
        row.output = clean_output(row.output);
        row.look = plain_text(&row.look, self.text_limit());
        row.parent = row.parent.and_then(|parent| self.id_here(parent));
        row.place = match row.place {
            Place::Above(other) => self.id_here(other).map_or(Place::Last, Place::Above),
            Place::Below(other) => self.id_here(other).map_or(Place::Last, Place::Below),
            Place::Last => Place::Last,
        };
        if let Some(progress) = &mut row.progress {
            self.clean_progress(progress);
        }
        row
    }

    fn lose_jobs(&mut self, at: Duration) {
        for relayed in std::mem::take(&mut self.jobs).into_values() {
            relayed.job.end(at, Outcome::Lost);
        }
    }

    /// Returns the id on this board of a running job of the other board.
    fn id_here(&self, job: JobId) -> Option<JobId> {
        self.jobs.get(&job).map(|relayed| relayed.job.id())
    }

    /// Prints a line of the other board, or about it.
    fn print(&mut self, text: &str) {
        if self.admit() {
            let line = plain_text(&format!("{} {text}", self.options.label), LINE);
            self.board.println(line);
        } else {
            self.omitted += 1;
        }
    }

    /// Returns `true` if another row or line may be shown now, and first reports those
    /// that were omitted.
    fn admit(&mut self) -> bool {
        let now = self.board.now();
        let full = self.board.backlog() > FULL;
        if full || !self.bucket.take(now) || !self.limits.admit(now) {
            return false;
        }
        if self.reports {
            self.report_omitted();
        }
        true
    }

    fn report_omitted(&mut self) {
        let omitted = std::mem::take(&mut self.omitted);
        if omitted > 0 {
            let label = &self.options.label;
            self.board.println(format_args!("{label} … {omitted} rows and lines not shown"));
        }
    }

    fn labeled(&self, prefix: &str) -> String {
        plain_text(&format!("{} {prefix}", self.options.label), self.text_limit())
    }

    /// Returns the maximum number of bytes of a text, which is small while the reader of
    /// the board is behind.
    fn text_limit(&self) -> usize {
        let limit = if self.board.backlog() > BACKLOG { SHORT } else { usize::MAX };
        limit.min(self.options.text)
    }

    fn clean_change(&self, mut change: Change) -> Change {
        change.prefix = change.prefix.map(|prefix| self.labeled(&prefix));
        change.text = change.text.map(|text| plain_text(&text, self.text_limit()));
        change.output = change.output.map(clean_output);
        if let ProgressChange::Set(progress) = &mut change.progress {
            self.clean_progress(progress);
        }
        change
    }

    fn clean_progress(&self, progress: &mut Progress) {
        progress.position = progress.position.min(MAX_POSITION);
        progress.total = progress.total.map(|total| total.min(MAX_POSITION));
        let bytes = self.text_limit();
        progress.text = progress.text.take().map(|text| plain_text(&text, bytes));
        if let Unit::Named(word) = &mut progress.unit {
            *word = plain_text(word, bytes).into();
        }
    }
}

/// Returns the last lines of output that fit.
fn clean_output(lines: Vec<String>) -> Vec<String> {
    let mut lines = clean_lines(lines.iter().rev().map(String::as_str).take(MAX_OUTPUT));
    lines.reverse();
    lines
}

/// Returns the first lines that fit.
fn clean_lines<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut room = LINE;
    let lines = lines.map_while(|line| {
        let line = plain_text(line, room.checked_sub(1)?);
        room = room.saturating_sub(line.len() + 1);
        Some(line)
    });
    lines.collect()
}

/// Returns the number of bytes of the texts of a row.
fn text_bytes(row: &Row) -> usize {
    let progress = row.progress.as_ref().map_or(0, progress_bytes);
    row.prefix.len() + row.text.len() + progress + output_bytes(&row.output)
}

/// Returns the number of bytes of the texts of a row after a change.
fn text_bytes_after(row: &Row, change: &Change) -> usize {
    let length = |new: &Option<String>, old: &String| new.as_ref().unwrap_or(old).len();
    let progress = match &change.progress {
        ProgressChange::Unchanged => row.progress.as_ref(),
        ProgressChange::Cleared => None,
        ProgressChange::Set(progress) => Some(progress),
    };
    let output = change.output.as_ref().unwrap_or(&row.output);
    let texts = length(&change.prefix, &row.prefix) + length(&change.text, &row.text);
    texts + progress.map_or(0, progress_bytes) + output_bytes(output)
}

fn progress_bytes(progress: &Progress) -> usize {
    let unit = if let Unit::Named(word) = &progress.unit { word.len() } else { 0 };
    unit + progress.text.as_ref().map_or(0, String::len)
}

fn output_bytes(lines: &[String]) -> usize {
    lines.iter().map(|line| line.len() + size_of::<String>()).sum()
}

fn clean_outcome(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Failed(message) => {
            Outcome::Failed(clean_lines(message.lines().take(16)).join("\n"))
        }
        outcome => outcome,
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if self.reports {
            self.report_omitted();
        }
        let at = self.board.now();
        self.lose_jobs(at);
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("label", &self.options.label)
            .field("jobs", &self.jobs.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::JobId;
    use crate::board::board;

    #[test]
    fn the_ids_of_a_relay_go_on_in_another_block() {
        let (board, _events) = board();
        let (mut one, _two) = (board.relay("one"), board.relay("two"));
        one.next += u64::from(u32::MAX) - 1;
        let ids: Vec<u64> = (0..3).map(|_| one.next_id()).map(JobId::get).collect();
        let last = (1 << 32) + u64::from(u32::MAX);
        assert_eq!(ids, [last, (3 << 32) + 1, (3 << 32) + 2]);
    }
}
