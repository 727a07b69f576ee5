//! The time on the board that is shown.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A clock that several may read.
pub(crate) type Now = Arc<dyn Fn() -> Duration + Send + Sync>;

/// The board's clock, as well as it is known.
///
/// Events may come from a board whose clock is out of reach. Then a clock of
/// our own counts the time since the event that was the least old when it came.
pub(crate) struct Clock {
    now: Now,
    /// Whether `now` is the board's own clock.
    exact: bool,
    /// What `now` and the board's clock said when that event came.
    known: Option<(Duration, Duration)>,
    /// A time that is known to have come.
    least: Duration,
    /// How many times as fast as time it runs.
    rate: f64,
}

impl Clock {
    /// The board's own clock.
    pub(crate) fn exact(now: Now) -> Self {
        Self { now, exact: true, known: None, least: Duration::ZERO, rate: 1.0 }
    }

    /// A clock that runs so many times as fast as time.
    pub(crate) fn rated(now: Now, rate: f64) -> Self {
        Self { rate, ..Self::exact(now) }
    }

    /// A clock that runs as fast as the board's.
    pub(crate) fn aligned(now: Now) -> Self {
        Self { exact: false, ..Self::exact(now) }
    }

    /// The time on the board. It never goes back, but for the first event.
    pub(crate) fn now(&self) -> Duration {
        self.estimate((self.now)()).max(self.least)
    }

    /// How long it takes until this time.
    pub(crate) fn time_until(&self, at: Duration) -> Duration {
        let left = at.saturating_sub(self.now());
        if self.rate == 1.0 {
            return left;
        }
        Duration::try_from_secs_f64(left.as_secs_f64() / self.rate).unwrap_or(Duration::MAX)
    }

    /// An event came that happened at this time.
    pub(crate) fn saw(&mut self, at: Duration) {
        let now = (self.now)();
        if !self.exact && (self.known.is_none() || at > self.estimate(now)) {
            self.known = Some((now, at));
        }
    }

    /// A wait for this time is over, so it has come.
    pub(crate) fn reached(&mut self, at: Duration) {
        self.least = self.least.max(at);
    }

    fn estimate(&self, now: Duration) -> Duration {
        match self.known {
            Some((then, at)) => at.saturating_add(now.saturating_sub(then)),
            None => now,
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("now", &self.now()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A clock to set.
    fn local() -> (Arc<AtomicU64>, Now) {
        let time = Arc::new(AtomicU64::new(0));
        let read = Arc::clone(&time);
        (time, Arc::new(move || seconds(read.load(Ordering::Relaxed))))
    }

    #[test]
    fn an_exact_clock_is_read_as_it_is() {
        let (time, now) = local();
        let mut clock = Clock::exact(now);
        time.store(5, Ordering::Relaxed);
        clock.saw(seconds(100));
        assert_eq!(clock.now(), seconds(5));
    }

    #[test]
    fn an_aligned_clock_counts_from_the_event_that_was_least_late() {
        let (time, now) = local();
        let mut clock = Clock::aligned(now);
        for (local, at, expected) in [
            (10, 3, 3),   // the first: the board is at 3 or later
            (12, 4, 5),   // late by a second or more
            (13, 20, 20), // not that late
            (14, 20, 21),
        ] {
            time.store(local, Ordering::Relaxed);
            clock.saw(seconds(at));
            assert_eq!(clock.now(), seconds(expected), "at {local}");
        }
    }

    #[test]
    fn a_time_that_was_waited_for_has_come() {
        let mut clock = Clock::exact(local().1);
        clock.reached(seconds(2));
        assert_eq!(clock.now(), seconds(2));
    }

    #[test]
    fn no_time_is_too_late() {
        let (time, now) = local();
        let mut clock = Clock::aligned(now);
        clock.saw(Duration::MAX);
        time.store(9, Ordering::Relaxed);
        assert_eq!(clock.now(), Duration::MAX);
    }
}
