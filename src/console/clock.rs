//! The time on the board, for its console.

use std::fmt;
use std::time::Duration;

use crate::board::clock::Clock;

/// The time on a board, exact or estimated.
///
/// A console without the board's clock runs a separate clock, aligned to the time of an
/// event: the one that arrived with the least delay.
pub(crate) struct BoardTime {
    clock: Clock,
    /// Whether `clock` is the board's clock.
    exact: bool,
    /// The time on `clock` when that event arrived, and the time of the event.
    aligned: Option<(Duration, Duration)>,
    /// A time that has passed, because a timer for it has ended.
    reached: Duration,
}

impl BoardTime {
    /// Creates a time on the given clock, or else an estimated one.
    pub(crate) fn new(clock: Option<Clock>) -> Self {
        let exact = clock.is_some();
        let clock = clock.unwrap_or_else(Clock::monotonic);
        Self { clock, exact, aligned: None, reached: Duration::ZERO }
    }

    /// Returns the time on the board. It never goes backwards, except at the first event.
    pub(crate) fn now(&self) -> Duration {
        self.at(self.clock.now()).max(self.reached)
    }

    /// Returns the real time until the board reaches `time`.
    pub(crate) fn until(&self, time: Duration) -> Duration {
        let (left, rate) = (time.saturating_sub(self.now()), self.clock.rate());
        if rate == 1.0 {
            return left;
        }
        Duration::try_from_secs_f64(left.as_secs_f64() / rate).unwrap_or(Duration::MAX)
    }

    /// Records that an event with this time has arrived.
    pub(crate) fn observe(&mut self, at: Duration) {
        if self.exact {
            return;
        }
        let now = self.clock.now();
        if self.aligned.is_none() || at > self.at(now) {
            self.aligned = Some((now, at));
        }
    }

    /// Records that a timer for this time has ended.
    pub(crate) fn reach(&mut self, time: Duration) {
        self.reached = self.reached.max(time);
    }

    /// Returns the time on the board when `clock` reads `now`.
    fn at(&self, now: Duration) -> Duration {
        match self.aligned {
            Some((then, at)) => at.saturating_add(now.saturating_sub(then)),
            None => now,
        }
    }
}

impl fmt::Debug for BoardTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoardTime").field("now", &self.now()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Returns the seconds on a clock, to be set, and an exact time on it.
    fn exact() -> (Arc<AtomicU64>, BoardTime) {
        let set = Arc::new(AtomicU64::new(0));
        let read = Arc::clone(&set);
        (set, BoardTime::new(Some(Clock::new(move || seconds(read.load(Relaxed))))))
    }

    /// Returns the seconds on a clock, to be set, and an estimated time on it.
    fn estimate() -> (Arc<AtomicU64>, BoardTime) {
        let (set, time) = exact();
        (set, BoardTime { exact: false, ..time })
    }

    #[test]
    fn a_clock_of_the_board_is_exact() {
        let (clock, mut time) = exact();
        clock.store(5, Relaxed);
        time.observe(seconds(100));
        assert_eq!(time.now(), seconds(5));
    }

    #[test]
    fn an_estimate_follows_the_event_with_the_least_delay() {
        let (clock, mut time) = estimate();
        for (now, at, expected) in [
            (10, 3, 3),   // the first event: the board is at 3 or later
            (12, 4, 5),   // delayed by a second or more
            (13, 20, 20), // less delayed
            (14, 20, 21),
        ] {
            clock.store(now, Relaxed);
            time.observe(seconds(at));
            assert_eq!(time.now(), seconds(expected), "at {now}");
        }
    }

    #[test]
    fn a_time_whose_timer_has_ended_has_passed() {
        let (_, mut time) = exact();
        time.reach(seconds(2));
        assert_eq!(time.now(), seconds(2));
    }

    #[test]
    fn waits_are_divided_by_the_rate() {
        for (rate, wait) in [(1.0, seconds(6)), (4.0, seconds(6) / 4), (0.5, seconds(12))] {
            let clock = Clock::new(|| seconds(1)).with_rate(rate);
            assert_eq!(BoardTime::new(Some(clock)).until(seconds(7)), wait);
        }
        let endless = Clock::new(|| seconds(1)).with_rate(f64::INFINITY);
        assert_eq!(BoardTime::new(Some(endless)).until(seconds(7)), Duration::ZERO);
    }

    #[test]
    fn the_longest_time_does_not_overflow() {
        let (clock, mut time) = estimate();
        time.observe(Duration::MAX);
        clock.store(9, Relaxed);
        assert_eq!(time.now(), Duration::MAX);
    }
}
