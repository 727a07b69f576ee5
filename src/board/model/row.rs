//! The row of one job, and how it changes with time.

use core::time::Duration;

use crate::board::event::{Change, Outcome, Row, Status};

/// The time for which a new text is emphasized, a completed row stays on the board, and a
/// row keeps its place after an update.
pub(crate) const SETTLED: Duration = Duration::from_secs(1);

/// The seconds without an update after which a row is quiet.
pub(crate) const QUIET: u64 = 10;

/// The row of one job, running or completed.
#[derive(Clone, Debug)]
pub(crate) struct JobRow {
    /// The latest values. The end of the job may have changed the status.
    pub(crate) data: Row,
    /// The number of changes of the position, which turn the spinner.
    pub(crate) turns: usize,
    /// When the job was added.
    pub(crate) added: Duration,
    /// When the row was last updated; the end is an update.
    pub(crate) updated: Duration,
    /// When the text or the status last changed; `None` if the row has no text.
    pub(crate) emphasized: Option<Duration>,
    /// A number that differs from that of all other values of prefix and text in the model.
    pub(crate) words: u64,
    /// A number that differs from that of all other states of rows in the model.
    pub(crate) revision: u64,
    /// The end of the job, once it has ended.
    pub(crate) end: Option<End>,
}

/// The end of a job: its time and its outcome.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) at: Duration,
    /// `None` if the close of the board finished the job.
    pub(crate) outcome: Option<Outcome>,
}

impl JobRow {
    pub(crate) fn new(data: Row, added: Duration, revision: u64) -> Self {
        Self {
            emphasized: (!data.text.is_empty()).then_some(added),
            data,
            turns: 0,
            added,
            updated: added,
            words: revision,
            revision,
            end: None,
        }
    }

    pub(crate) fn change(&mut self, change: &Change, at: Duration, revision: u64) {
        let new_text = change.text.as_ref().is_some_and(|text| *text != self.data.text);
        let new_prefix = change.prefix.as_ref().is_some_and(|prefix| *prefix != self.data.prefix);
        let new_status = change.status.is_some_and(|status| status != self.data.status);
        if new_text || new_prefix {
            self.words = revision;
        }
        self.revision = revision;
        let position = |row: &Row| row.progress.as_ref().map(|progress| progress.position);
        let before = position(&self.data);
        self.data.apply(change);
        let moved = position(&self.data) != before;
        self.turns = self.turns.wrapping_add(usize::from(moved));
        self.updated = at;
        if new_text || new_status {
            self.emphasized = (!self.data.text.is_empty()).then_some(at);
        }
    }

    pub(crate) fn end(&mut self, outcome: Option<Outcome>, at: Duration) {
        match outcome {
            Some(Outcome::Failed(_) | Outcome::Panicked) => self.data.status = Status::Error,
            Some(Outcome::Cancelled | Outcome::Lost) => self.data.status = Status::Warning,
            Some(Outcome::Finished | Outcome::Abandoned) | None => {}
        }
        self.updated = at;
        self.end = Some(End { at, outcome });
    }

    /// Returns `true` if the last update is a second old.
    pub(crate) fn is_settled(&self, now: Duration) -> bool {
        self.updated.saturating_add(SETTLED) <= now
    }

    /// Returns `true` if the text is emphasized because it is new.
    pub(crate) fn is_emphasized(&self, now: Duration) -> bool {
        self.emphasis().is_some_and(|at| now < at.saturating_add(SETTLED))
    }

    /// Returns when the emphasis of the text began, if the row can have one.
    pub(crate) fn emphasis(&self) -> Option<Duration> {
        self.emphasized.filter(|_| !self.data.elapsed && self.end.is_none())
    }

    /// Returns how long the job has been running, in whole seconds of the board's clock, or
    /// ran until its end.
    pub(crate) fn elapsed(&self, now: Duration) -> Duration {
        match &self.end {
            Some(end) => end.at.saturating_sub(self.added),
            None => Duration::from_secs(now.as_secs().saturating_sub(self.added.as_secs())),
        }
    }

    /// Returns `true` if the row shows that its job is running, and for how long it has not
    /// been updated.
    pub(crate) fn shows_silence(&self) -> bool {
        !(self.data.pinned || self.data.finishes_at_close() || self.end.is_some())
    }

    /// Returns the seconds since the last update once the row is quiet.
    pub(crate) fn quiet(&self, now: Duration) -> Option<u64> {
        let started = u64::from(self.updated.subsec_nanos() > 0);
        let quiet = now.as_secs().saturating_sub(self.updated.as_secs().saturating_add(started));
        (self.shows_silence() && quiet >= QUIET).then_some(quiet)
    }
}

/// Returns the time of which rows last updated until then are quiet at `now`; `None` if none
/// can be quiet.
pub(crate) fn quiet_since(now: Duration) -> Option<Duration> {
    now.as_secs().checked_sub(QUIET).map(Duration::from_secs)
}
