//! The row of one job, and how it changes with time.

use core::time::Duration;

use crate::board::event::{Change, Outcome, Row, Status};

/// How long a row stays bold after its last update.
pub(crate) const BOLD: Duration = Duration::from_secs(1);

/// The ages at which a row shows for how long it has not been updated.
pub(crate) const STEPS: [Duration; 6] = [
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(120),
    Duration::from_secs(300),
];

/// From this age on, the row shows it again at each multiple.
pub(crate) const LONG: Duration = Duration::from_secs(600);

/// How often a row that shows elapsed time changes.
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// The row of one job, running or completed.
#[derive(Clone, Debug)]
pub(crate) struct JobRow {
    /// The latest values. The end of the job may have changed the status.
    pub(crate) data: Row,
    /// How often the position changed, which turns the spinner.
    pub(crate) turns: usize,
    /// When the job was added.
    pub(crate) added: Duration,
    /// When the row was last updated; the end is an update.
    pub(crate) updated: Duration,
    /// The end of the job, once it has ended.
    pub(crate) end: Option<End>,
}

/// When a job ended, and how.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) at: Duration,
    /// `None` if the close of the board finished the job.
    pub(crate) outcome: Option<Outcome>,
}

impl JobRow {
    pub(crate) fn new(data: Row, added: Duration) -> Self {
        Self { data, turns: 0, added, updated: added, end: None }
    }

    pub(crate) fn change(&mut self, change: &Change, at: Duration) {
        let position = |row: &Row| row.progress.as_ref().map(|progress| progress.position);
        let before = position(&self.data);
        self.data.apply(change);
        let moved = position(&self.data) != before;
        self.turns = self.turns.wrapping_add(usize::from(moved));
        self.updated = at;
    }

    pub(crate) fn end(&mut self, outcome: Option<Outcome>, at: Duration) {
        match outcome {
            Some(Outcome::Failed(_) | Outcome::Panicked) => self.data.status = Status::Error,
            Some(Outcome::Cancelled) => self.data.status = Status::Warning,
            Some(Outcome::Finished | Outcome::Abandoned) | None => {}
        }
        self.updated = at;
        self.end = Some(End { at, outcome });
    }

    /// Whether the last update is old.
    pub(crate) fn is_dim(&self, now: Duration) -> bool {
        self.updated.saturating_add(BOLD) <= now
    }

    /// How long the job has been running, or ran until its end.
    pub(crate) fn elapsed(&self, now: Duration) -> Duration {
        self.end.as_ref().map_or(now, |end| end.at).saturating_sub(self.added)
    }

    /// Whether the row shows for how long it has not been updated.
    pub(crate) fn shows_silence(&self) -> bool {
        !(self.data.pinned || self.data.finishes_at_close() || self.end.is_some())
    }

    /// For how long the row has not been updated, as it shows it: the last step that
    /// passed.
    pub(crate) fn silence(&self, now: Duration) -> Option<Duration> {
        let age = now.saturating_sub(self.updated);
        if !self.shows_silence() {
            None
        } else if age >= LONG {
            Some(age - modulo(age, LONG))
        } else {
            STEPS.into_iter().rev().find(|&step| step <= age)
        }
    }
}

/// A time modulo a period of whole seconds.
pub(crate) fn modulo(time: Duration, period: Duration) -> Duration {
    Duration::new(time.as_secs() % period.as_secs(), time.subsec_nanos())
}
