//! Detecting without a signal handler that the process was stopped, for example by
//! Ctrl-Z.

use std::time::Duration;

/// A thread that wakes this much too late was stopped meanwhile, or starved.
const LATE: Duration = Duration::from_secs(1);

/// The wait of a thread, on a clock that advances while the process is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    until: Duration,
}

impl Wait {
    /// Creates a wait of the given length that begins now.
    pub(crate) fn new(now: Duration, time: Duration) -> Self {
        Self { until: now.saturating_add(time) }
    }

    /// Returns the remaining time.
    pub(crate) fn left(self, now: Duration) -> Duration {
        self.until.saturating_sub(now)
    }

    /// Returns `true` if the wait should have ended more than a second ago.
    pub(crate) fn is_overdue(self, now: Duration) -> bool {
        now.saturating_sub(self.until) > LATE
    }
}
