//! The row of one job, and how it changes with time.

use core::time::Duration;

use crate::board::event::{Change, Outcome, Row, Status};

/// The time for which a row stays bold after an update.
pub(crate) const BOLD: Duration = Duration::from_secs(1);

/// The times without an update after which a row shows its silence.
pub(crate) const STEPS: [Duration; 6] = [
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(120),
    Duration::from_secs(300),
];

/// From this time on, a row shows its silence anew at each multiple of it.
pub(crate) const LONG: Duration = Duration::from_secs(600);

/// The interval at which a row that shows elapsed time changes.
pub(crate) const SECOND: Duration = Duration::from_secs(1);

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
            Some(Outcome::Cancelled | Outcome::Lost) => self.data.status = Status::Warning,
            Some(Outcome::Finished | Outcome::Abandoned) | None => {}
        }
        self.updated = at;
        self.end = Some(End { at, outcome });
    }

    /// Returns `true` if the row is no longer bold.
    pub(crate) fn is_dim(&self, now: Duration) -> bool {
        self.updated.saturating_add(BOLD) <= now
    }

    /// Returns how long the job has been running, or ran until its end.
    pub(crate) fn elapsed(&self, now: Duration) -> Duration {
        self.end.as_ref().map_or(now, |end| end.at).saturating_sub(self.added)
    }

    /// Returns `true` if the row shows its silence: for how long it has not been updated.
    pub(crate) fn shows_silence(&self) -> bool {
        !(self.data.pinned || self.data.finishes_at_close() || self.end.is_some())
    }

    /// Returns the silence that the row shows: the last step that passed since its last
    /// update.
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

/// Returns a time modulo a period of whole seconds.
pub(crate) fn modulo(time: Duration, period: Duration) -> Duration {
    Duration::new(time.as_secs() % period.as_secs(), time.subsec_nanos())
}
