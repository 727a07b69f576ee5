//! The events of a board, as plain data.

use core::fmt;
use core::num::NonZeroU64;
use core::time::Duration;
use std::borrow::Cow;

#[cfg(feature = "serde")]
use serde::{Deserialize, Serialize};

/// The number of a job, unique on its board. Each board counts from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
pub struct JobId(NonZeroU64);

impl JobId {
    /// Creates an id with the given number. Returns `None` for 0.
    ///
    /// This is for code that merges the events of several boards and gives their jobs new
    /// ids.
    pub const fn new(id: u64) -> Option<Self> {
        match NonZeroU64::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// Returns the id as a number, which is at least 1.
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The status of a job, which determines the color of its row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Status {
    /// Nothing to report. The row has no color.
    #[default]
    Normal,
    /// Green by default.
    Success,
    /// Yellow by default.
    Warning,
    /// Red by default.
    Error,
}

/// The result of a job, reported when it ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(Serialize, Deserialize),
    serde(tag = "outcome", content = "message", rename_all = "lowercase")
)]
#[non_exhaustive]
pub enum Outcome {
    /// The job completed. The row keeps its status.
    Finished,
    /// The job failed for the given reason. The status of the row becomes
    /// [`Status::Error`].
    Failed(String),
    /// The job was cancelled, or its last handle was dropped before its position reached its
    /// total. The status of the row becomes [`Status::Warning`].
    Cancelled,
    /// The last handle was dropped while its thread was unwinding. The status of the row
    /// becomes [`Status::Error`].
    Panicked,
    /// The board closed while the job was running. The row keeps its status.
    Abandoned,
    /// The process that ran the job is gone, or is not heard any more. How the job ended is
    /// unknown. The status of the row becomes [`Status::Warning`].
    Lost,
}

impl Outcome {
    /// Returns `true` if the last lines of output of the job are printed above its row.
    pub(crate) const fn keeps_output(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Panicked)
    }
}

/// `Ok` converts to [`Outcome::Finished`], `Err` to [`Outcome::Failed`] with the text of
/// the error.
impl<T, E: fmt::Display> From<&Result<T, E>> for Outcome {
    fn from(result: &Result<T, E>) -> Self {
        match result {
            Ok(_) => Self::Finished,
            Err(error) => Self::Failed(error.to_string()),
        }
    }
}

/// The number of running jobs, and of ended jobs by [`Outcome`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Counts {
    /// Jobs that are running.
    pub running: usize,
    /// Jobs that [finished](Outcome::Finished), including those that the close of
    /// the board finished.
    pub finished: usize,
    /// Jobs that [failed](Outcome::Failed).
    pub failed: usize,
    /// Jobs that were [cancelled](Outcome::Cancelled).
    pub cancelled: usize,
    /// Jobs that [panicked](Outcome::Panicked).
    pub panicked: usize,
    /// Jobs that were [abandoned](Outcome::Abandoned).
    pub abandoned: usize,
    /// Jobs that were [lost](Outcome::Lost).
    pub lost: usize,
}

impl Counts {
    /// Counts a job that ended with `outcome`.
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        *match outcome {
            Outcome::Finished => &mut self.finished,
            Outcome::Failed(_) => &mut self.failed,
            Outcome::Cancelled => &mut self.cancelled,
            Outcome::Panicked => &mut self.panicked,
            Outcome::Abandoned => &mut self.abandoned,
            Outcome::Lost => &mut self.lost,
        } += 1;
    }
}

/// The progress of a job: its position and, if known, its total.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[non_exhaustive]
pub struct Progress {
    /// The amount done, in the job's unit.
    pub position: u64,
    /// The total amount; `None` if it is unknown.
    pub total: Option<u64>,
    /// The unit of position and total.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Unit::is_items"))]
    pub unit: Unit,
    /// The amount done per second, in thousandths; `None` if the row shows no rate.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub rate: Option<u64>,
    /// The time left in seconds, rounded up; `None` if the row shows no time left.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub seconds_left: Option<u64>,
    /// The text that the row shows instead of position and total, which a closure of the
    /// program has [returned](crate::ProgressStyle::custom).
    pub text: Option<String>,
}

/// The unit in which positions, totals and rates are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Unit {
    /// Numbers alone: `3/1,200`.
    #[default]
    Items,
    /// Bytes in powers of 1,024: `3.1/49.4 MiB`.
    Bytes,
    /// Bytes in powers of 1,000: `3.2/51.8 MB`.
    DecimalBytes,
    /// A word that follows the numbers: `3/1,200 files`.
    Named(Cow<'static, str>),
}

impl Unit {
    /// Returns `true` if numbers have no unit.
    pub const fn is_items(&self) -> bool {
        matches!(self, Self::Items)
    }
}

impl Progress {
    /// Creates the progress at a position, with the total if it is known.
    pub fn new(position: u64, total: impl Into<Option<u64>>) -> Self {
        Self { position, total: total.into(), ..Self::default() }
    }

    /// Sets the unit.
    pub fn with_unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// Sets the amount done per second, in thousandths.
    pub fn with_rate(mut self, rate: impl Into<Option<u64>>) -> Self {
        self.rate = rate.into();
        self
    }

    /// Sets the time left in seconds.
    pub fn with_seconds_left(mut self, seconds: impl Into<Option<u64>>) -> Self {
        self.seconds_left = seconds.into();
        self
    }

    /// Sets the text.
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Returns how many of `parts` equal parts are done, rounded down and at most
    /// `parts`. Returns `None` if there is no total or it is 0.
    pub(crate) fn done_of(&self, parts: u64) -> Option<u64> {
        let done = u128::from(self.position) * u128::from(parts);
        let done = done.checked_div(u128::from(self.total?))?;
        Some(done.min(parts.into()) as u64)
    }
}

/// The state of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize), serde(default))]
#[non_exhaustive]
pub struct Row {
    /// The words before the text, including the separator.
    pub prefix: String,
    /// A description of what the job is doing.
    pub text: String,
    /// The status, which determines the color of the row.
    pub status: Status,
    /// Whether the row stays below the others while the job is running.
    pub pinned: bool,
    /// Whether the row shows the time since it was added, after its text.
    pub elapsed: bool,
    /// The progress; `None` if the job does not count.
    pub progress: Option<Progress>,
    /// Whether the job was [detached](crate::Job::detach), so that the close of the board
    /// finishes it. It is `false` in every row that a board adds.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "core::ops::Not::not"))]
    pub detached: bool,
    /// Whether the row leaves no trace if its job [finishes](Outcome::Finished).
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "core::ops::Not::not"))]
    pub transient: bool,
    /// The name of the look that a theme may have for the row; empty for the usual one.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "String::is_empty"))]
    pub look: String,
    /// The job of which this one is a subtask. Its row is shown below that of the other,
    /// and indented by one level.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub parent: Option<JobId>,
    /// Where the row is among the others.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Place::is_last"))]
    pub place: Place,
    /// The last lines of output, which are shown below the row while the job is running.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub output: Vec<String>,
}

/// Where a row is among the others, when it is added.
///
/// If the row of the other job is not shown, the row is the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Place {
    /// Below the rows that were added before, or below those of the same
    /// [parent](Row::parent).
    #[default]
    Last,
    /// Directly above the row of a job.
    Above(JobId),
    /// Directly below the row of a job and the rows of its subtasks.
    Below(JobId),
}

impl Place {
    /// Returns `true` for [`Place::Last`].
    pub const fn is_last(&self) -> bool {
        matches!(self, Self::Last)
    }
}

impl Row {
    /// Creates a row that has only a prefix.
    pub fn new(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..Self::default() }
    }

    /// Sets the text.
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// Sets the status.
    pub const fn with_status(mut self, status: Status) -> Self {
        self.status = status;
        self
    }

    /// Sets whether the row stays below the others while the job is running.
    pub const fn with_pinned(mut self, pinned: bool) -> Self {
        self.pinned = pinned;
        self
    }

    /// Sets whether the row shows the time since it was added.
    pub const fn with_elapsed(mut self, elapsed: bool) -> Self {
        self.elapsed = elapsed;
        self
    }

    /// Sets the progress.
    pub fn with_progress(mut self, progress: impl Into<Option<Progress>>) -> Self {
        self.progress = progress.into();
        self
    }

    /// Sets whether the row leaves no trace if its job finishes.
    pub const fn with_transient(mut self, transient: bool) -> Self {
        self.transient = transient;
        self
    }

    /// Makes the row that of a subtask.
    pub fn with_parent(mut self, parent: impl Into<Option<JobId>>) -> Self {
        self.parent = parent.into();
        self
    }

    /// Sets where the row is among the others.
    pub const fn with_place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// Sets the last lines of output.
    pub fn with_output(mut self, lines: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.output = lines.into_iter().map(Into::into).collect();
        self
    }

    /// Applies a change of the job to its row.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::event::{Change, Row};
    ///
    /// let mut row = Row::new("copy: ").with_text("a.txt");
    /// row.apply(&Change::default().with_text("b.txt"));
    /// assert_eq!(row, Row::new("copy: ").with_text("b.txt"));
    /// ```
    pub fn apply(&mut self, change: &Change) {
        if let Some(prefix) = &change.prefix {
            self.prefix.clone_from(prefix);
        }
        if let Some(text) = &change.text {
            self.text.clone_from(text);
        }
        if let Some(status) = change.status {
            self.status = status;
        }
        match &change.progress {
            ProgressChange::Unchanged => {}
            ProgressChange::Cleared => self.progress = None,
            ProgressChange::Set(progress) => self.progress = Some(progress.clone()),
        }
        if let Some(output) = &change.output {
            self.output.clone_from(output);
        }
        self.detached |= change.detached;
    }

    /// Returns `true` if the row leaves no trace after this outcome.
    pub(crate) fn vanishes(&self, outcome: &Outcome) -> bool {
        self.transient && *outcome == Outcome::Finished
    }

    /// Returns `true` if the close of the board finishes the job instead of abandoning
    /// it.
    pub(crate) const fn finishes_at_close(&self) -> bool {
        self.detached || self.elapsed
    }
}

/// The fields of a row that were updated, with their new values.
///
/// Values are absolute: if two changes of a job set the same field, the newer value
/// counts. A change without fields means that the job was updated with the values that it
/// already had, which also ends its silence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize), serde(default))]
#[non_exhaustive]
pub struct Change {
    /// The new prefix.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub prefix: Option<String>,
    /// The new text.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub text: Option<String>,
    /// The new status.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub status: Option<Status>,
    /// The new progress.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "ProgressChange::is_unchanged"))]
    pub progress: ProgressChange,
    /// Whether the job was [detached](crate::Job::detach), so that it runs without
    /// handles until the close of the board finishes it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "core::ops::Not::not"))]
    pub detached: bool,
    /// The new last lines of output, which replace those before.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub output: Option<Vec<String>>,
}

impl Change {
    /// Sets the new prefix.
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Sets the new text.
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Sets the new status.
    pub const fn with_status(mut self, status: Status) -> Self {
        self.status = Some(status);
        self
    }

    /// Sets the new progress: a [`Progress`], or `None` to clear it.
    pub fn with_progress(mut self, progress: impl Into<ProgressChange>) -> Self {
        self.progress = progress.into();
        self
    }

    /// Sets whether the job was detached.
    pub const fn with_detached(mut self, detached: bool) -> Self {
        self.detached = detached;
        self
    }

    /// Sets the new last lines of output.
    pub fn with_output(mut self, lines: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.output = Some(lines.into_iter().map(Into::into).collect());
        self
    }

    /// Merges a newer change of the same job into this one.
    pub(crate) fn merge(&mut self, newer: &Self) {
        fn replace<T: Clone>(old: &mut Option<T>, newer: &Option<T>) {
            if newer.is_some() {
                old.clone_from(newer);
            }
        }
        replace(&mut self.prefix, &newer.prefix);
        replace(&mut self.text, &newer.text);
        replace(&mut self.status, &newer.status);
        replace(&mut self.output, &newer.output);
        if !newer.progress.is_unchanged() {
            self.progress.clone_from(&newer.progress);
        }
        self.detached |= newer.detached;
    }
}

/// The progress in a [`Change`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(Serialize, Deserialize),
    serde(untagged, from = "Option<Progress>")
)]
#[non_exhaustive]
pub enum ProgressChange {
    /// The progress did not change.
    #[default]
    Unchanged,
    /// The progress was cleared, so the row no longer shows it.
    Cleared,
    /// The progress was set to this value.
    Set(Progress),
}

impl ProgressChange {
    /// Returns `true` if the progress did not change.
    pub const fn is_unchanged(&self) -> bool {
        matches!(self, Self::Unchanged)
    }
}

impl From<Progress> for ProgressChange {
    fn from(progress: Progress) -> Self {
        Self::Set(progress)
    }
}

/// `None` converts to [`ProgressChange::Cleared`].
impl From<Option<Progress>> for ProgressChange {
    fn from(progress: Option<Progress>) -> Self {
        progress.map_or(Self::Cleared, Self::Set)
    }
}

/// Something that happened on a board: a job was added, changed or ended; a line was
/// printed, or a part of it; the board closed.
///
/// A job is added once and ends at most once, with its changes in between. The last event
/// is [`Event::Closed`]. The close [abandons](Outcome::Abandoned) the jobs that are still
/// running, but finishes those that were [detached](Row::detached) or show the
/// [elapsed](Row::elapsed) time.
///
/// # Times
///
/// Times are on the board's clock. An added job, an ended job and the close have the time
/// of the call. Changes and lines have the time at which they were taken from the board,
/// because pending updates merge into one change. An event may therefore be older than
/// the one before it.
///
/// # JSON
///
/// With the feature `serde`, an event serializes as one flat map, so the format must be
/// self-describing. One example of each kind in JSON:
///
/// ```json
/// {"event":"added","at":0.05,"job":1,"prefix":"copy: ","text":"","status":"normal","pinned":false,"elapsed":false,"progress":null}
/// {"event":"changed","at":0.1,"job":1,"text":"a.txt","progress":{"position":3,"total":5,"text":null}}
/// {"event":"ended","at":0.25,"job":1,"outcome":"failed","message":"no disk"}
/// {"event":"partial","at":0.28,"text":"a printed "}
/// {"event":"line","at":0.3,"text":"a printed line"}
/// {"event":"closed","at":0.3}
/// ```
///
/// A run that `Console::json` records begins with a header, which is not an event.
///
/// - `at` is in seconds, exact to the nanosecond for the first twelve days.
/// - An `added` event has `"transient":true` if its row is transient, `"look":"download"` if it
///   names a look, `"parent":1` if its job is a subtask of job 1, and `"place":{"above":1}` or
///   `"place":{"below":1}` if the row was inserted there.
/// - `output` is an array of the last lines of output of a job.
/// - `status` is `normal`, `success`, `warning` or `error`.
/// - A `changed` event has only the fields that were updated: `prefix`, `text`, `status`,
///   `progress` (`null` if it was cleared), `output` and `detached` (always `true`).
/// - `progress` has a `unit` (`bytes`, `decimal_bytes` or `{"named":"files"}`), a `rate` in
///   thousandths per second and `seconds_left` if the style of the job has them.
/// - `outcome` is `finished`, `failed`, `cancelled`, `panicked`, `abandoned` or `lost`;
///   only `failed` has a `message`.
///
/// Readers should ignore unknown fields, as this crate does.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use active_status::{Event, board_with_clock};
///
/// let (board, mut events) = board_with_clock(|| Duration::from_secs(7));
/// board.println("hello");
/// let event = events.try_recv().unwrap();
/// assert_eq!(event, Event::Line { at: Duration::from_secs(7), text: "hello".into() });
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(Serialize, Deserialize),
    serde(tag = "event", rename_all = "lowercase")
)]
#[non_exhaustive]
pub enum Event {
    /// A job was added.
    Added {
        /// When the job was added.
        #[cfg_attr(feature = "serde", serde(with = "seconds"))]
        at: Duration,
        /// The id of the job.
        job: JobId,
        /// The initial row.
        #[cfg_attr(feature = "serde", serde(flatten))]
        row: Row,
    },
    /// A job was updated.
    Changed {
        /// When the change was taken from the board.
        #[cfg_attr(feature = "serde", serde(with = "seconds"))]
        at: Duration,
        /// The id of the job.
        job: JobId,
        /// The updates since the last change of the job.
        #[cfg_attr(feature = "serde", serde(flatten))]
        change: Change,
    },
    /// A job ended.
    Ended {
        /// When the job ended.
        #[cfg_attr(feature = "serde", serde(with = "seconds"))]
        at: Duration,
        /// The id of the job.
        job: JobId,
        /// The outcome of the job.
        #[cfg_attr(feature = "serde", serde(flatten))]
        outcome: Outcome,
    },
    /// A line was printed.
    Line {
        /// When the line was taken from the board.
        #[cfg_attr(feature = "serde", serde(with = "seconds"))]
        at: Duration,
        /// The line, without a newline.
        text: String,
    },
    /// The partial line of a [writer](crate::Board::writer) changed.
    Partial {
        /// When the change was taken from the board.
        #[cfg_attr(feature = "serde", serde(with = "seconds"))]
        at: Duration,
        /// The first 1 KiB of the partial line; empty once it has ended.
        text: String,
    },
    /// The board closed. This is the last event.
    Closed {
        /// When the board closed.
        #[cfg_attr(feature = "serde", serde(with = "seconds"))]
        at: Duration,
    },
}

impl Event {
    /// Returns the time of the event on the board's clock.
    pub const fn at(&self) -> Duration {
        match self {
            Self::Added { at, .. }
            | Self::Changed { at, .. }
            | Self::Ended { at, .. }
            | Self::Line { at, .. }
            | Self::Partial { at, .. }
            | Self::Closed { at } => *at,
        }
    }

    /// Returns the id of the job that the event is about; `None` for lines and the close.
    pub const fn job(&self) -> Option<JobId> {
        match self {
            Self::Added { job, .. } | Self::Changed { job, .. } | Self::Ended { job, .. } => {
                Some(*job)
            }
            Self::Line { .. } | Self::Partial { .. } | Self::Closed { .. } => None,
        }
    }
}

/// Serializes a time as a number of seconds.
#[cfg(feature = "serde")]
pub(crate) mod seconds {
    use core::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        // This rounds once. `as_secs_f64` adds two rounded parts, which shows in the
        // digits.
        to.serialize_f64(time.as_nanos() as f64 / 1e9)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(from)?;
        match Duration::try_from_secs_f64(seconds) {
            Ok(time) => Ok(time),
            Err(_) if seconds > 0.0 => Ok(Duration::MAX),
            Err(_) => Err(D::Error::custom("a time must not be negative")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Progress;

    #[test]
    fn no_more_than_all_parts_are_done() {
        for (position, total, done) in [
            (0, Some(3), Some(0)),
            (1, Some(3), Some(333)),
            (3, Some(3), Some(1_000)),
            (4, Some(3), Some(1_000)),
            (u64::MAX, Some(u64::MAX), Some(1_000)),
            (u64::MAX / 2, Some(u64::MAX), Some(499)),
            (5, Some(0), None),
            (5, None, None),
        ] {
            assert_eq!(Progress::new(position, total).done_of(1_000), done, "{position}/{total:?}");
        }
    }
}
