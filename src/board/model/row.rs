//! The state of one job, and what of its row depends on the time.

use core::time::Duration;

use crate::board::event::{Change, Outcome, Row, Status};

/// How long after its last news a row stays bold.
pub(crate) const BOLD: Duration = Duration::from_secs(1);

/// The ages at which a row says that there is no news of it.
pub(crate) const STEPS: [Duration; 6] = [
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(120),
    Duration::from_secs(300),
];

/// From this age on, a row says so each time that it passes again.
pub(crate) const LONG: Duration = Duration::from_secs(600);

/// How often a row that shows elapsed time changes.
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// The state of one job.
#[derive(Clone, Debug)]
pub(crate) struct JobRow {
    /// What the job said last. Its end may have changed the status.
    pub(crate) data: Row,
    /// How often the position changed: where a spinner stands.
    pub(crate) turns: usize,
    /// When it was added.
    pub(crate) added: Duration,
    /// When there was news of it for the last time; its end is news.
    pub(crate) news: Duration,
    /// Its end, if it ended.
    pub(crate) end: Option<End>,
}

/// When a job ended, and how.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) at: Duration,
    /// `None`: it finished because the board closed; no one said how it did.
    pub(crate) outcome: Option<Outcome>,
}

impl JobRow {
    pub(crate) fn new(data: Row, added: Duration) -> Self {
        Self { data, turns: 0, added, news: added, end: None }
    }

    pub(crate) fn change(&mut self, change: &Change, at: Duration) {
        let position = |row: &Row| row.progress.as_ref().map(|progress| progress.position);
        let before = position(&self.data);
        self.data.apply(change);
        let moved = position(&self.data) != before;
        self.turns = self.turns.wrapping_add(usize::from(moved));
        self.news = at;
    }

    pub(crate) fn end(&mut self, outcome: Option<Outcome>, at: Duration) {
        match outcome {
            Some(Outcome::Failed(_) | Outcome::Panicked) => self.data.status = Status::Error,
            Some(Outcome::Cancelled) => self.data.status = Status::Warning,
            Some(Outcome::Finished | Outcome::Abandoned) | None => {}
        }
        self.news = at;
        self.end = Some(End { at, outcome });
    }

    /// Whether its last news is old.
    pub(crate) fn is_dim(&self, now: Duration) -> bool {
        self.news.saturating_add(BOLD) <= now
    }

    /// How long it has run or, if it has ended, did run.
    pub(crate) fn elapsed(&self, now: Duration) -> Duration {
        self.end.as_ref().map_or(now, |end| end.at).saturating_sub(self.added)
    }

    /// Whether it says so if there is no news of it.
    pub(crate) fn gives_hints(&self) -> bool {
        !(self.data.pinned || self.data.finishes_at_close() || self.end.is_some())
    }

    /// How long there has been no news of it, as far as the row says so: the
    /// last step that passed.
    pub(crate) fn silence(&self, now: Duration) -> Option<Duration> {
        let age = now.saturating_sub(self.news);
        if !self.gives_hints() {
            None
        } else if age >= LONG {
            Some(age - modulo(age, LONG))
        } else {
            STEPS.into_iter().rev().find(|&step| step <= age)
        }
    }
}

/// What is left of a time after whole periods; a period is in whole seconds.
pub(crate) fn modulo(time: Duration, period: Duration) -> Duration {
    Duration::new(time.as_secs() % period.as_secs(), time.subsec_nanos())
}
