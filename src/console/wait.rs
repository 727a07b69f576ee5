//! Noticing that the process was stopped, as by Ctrl-Z, without a signal handler.

use std::time::Duration;

/// Whoever wakes this much too late was stopped meanwhile, or starved.
const LATE: Duration = Duration::from_secs(1);

/// A thread's wait until this time, by a clock that goes on while it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    until: Duration,
}

impl Wait {
    /// A wait that begins now and takes this long.
    pub(crate) fn new(now: Duration, time: Duration) -> Self {
        Self { until: now.saturating_add(time) }
    }

    /// How long it still takes.
    pub(crate) fn left(self, now: Duration) -> Duration {
        self.until.saturating_sub(now)
    }

    /// Whether it should have been over long ago.
    pub(crate) fn is_overdue(self, now: Duration) -> bool {
        now.saturating_sub(self.until) > LATE
    }
}
