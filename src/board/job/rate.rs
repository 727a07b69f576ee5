//! The rate of a job: pure arithmetic on positions and times.

use std::mem;
use std::time::Duration;

/// The time constant of the average: the weight of a rate of this age is e^-1.
const MEMORY: Duration = Duration::from_secs(10);

/// Observations that are closer together than this count as one.
const STEP: Duration = Duration::from_millis(1);

/// The progress and the rate of a job, which a [`ProgressStyle`](crate::ProgressStyle)
/// formats.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ProgressSnapshot {
    /// The amount done, in the job's unit.
    pub position: u64,
    /// The total amount; `None` if it is unknown.
    pub total: Option<u64>,
    /// The time since the progress was started, or else since the job was added.
    pub elapsed: Duration,
    /// The amount done per second, mostly over the last ten seconds; `None` if it is
    /// unknown.
    pub rate: Option<f64>,
}

impl ProgressSnapshot {
    /// Returns the time left at this rate; `None` if it is unknown.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use active_status::progress::ProgressSnapshot;
    /// use active_status::testing::{Screen, VirtualClock};
    /// use active_status::{JobOptions, ProgressStyle};
    ///
    /// let clock = VirtualClock::new();
    /// let (board, mut events) = clock.board();
    /// let style = ProgressStyle::custom(|now: &ProgressSnapshot| match now.eta() {
    ///     Some(left) => format!("{} of 12, {} to go", now.position, left.as_secs()),
    ///     None => format!("{} of 12", now.position),
    /// });
    /// let job = board.add_job(JobOptions::new().prefix("copy: ").total(12).style(style));
    /// clock.advance(Duration::from_secs(2));
    /// job.tick_by(3);
    /// let mut screen = Screen::new(80, 24);
    /// let row = &screen.show(&mut events).rows()[0];
    /// assert!(row.ends_with("25%  3 of 12, 6 to go"), "{row}");
    /// ```
    pub fn eta(&self) -> Option<Duration> {
        let left = self.total?.saturating_sub(self.position);
        if left == 0 {
            return Some(Duration::ZERO);
        }
        Duration::try_from_secs_f64(left as f64 / self.rate?).ok()
    }
}

/// A meter for the rate of a position: an average of the rates between observations, in
/// which older rates weigh less.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    started: Duration,
    last: Duration,
    position: u64,
    /// The last position that was observed. While the position stays, so does the rate:
    /// the time in between counts once the position moves.
    observed: u64,
    /// The weighted sum of the rates.
    sum: f64,
    /// The sum of the weights: near 0 at first, near 1 later.
    weight: f64,
}

impl Meter {
    /// Creates a meter for a position that starts at 0 now.
    pub(crate) fn new(now: Duration) -> Self {
        Self { started: now, last: now, position: 0, observed: 0, sum: 0.0, weight: 0.0 }
    }

    /// Observes the position. A position that went backwards restarts the average.
    pub(crate) fn observe(
        &mut self,
        position: u64,
        total: Option<u64>,
        now: Duration,
    ) -> ProgressSnapshot {
        if position < self.position {
            *self = Self { started: self.started, position, observed: position, ..Self::new(now) };
        }
        let time = now.saturating_sub(self.last);
        let moved = mem::replace(&mut self.observed, position) != position;
        if moved && time >= STEP {
            self.add((position - self.position) as f64, time);
            self.last = now;
            self.position = position;
        }
        ProgressSnapshot {
            position,
            total,
            elapsed: now.saturating_sub(self.started),
            rate: (self.weight > 0.0).then(|| self.sum / self.weight),
        }
    }

    fn add(&mut self, done: f64, time: Duration) {
        let kept = (-time.as_secs_f64() / MEMORY.as_secs_f64()).exp();
        let rate = done / time.as_secs_f64();
        self.sum = self.sum * kept + rate * (1.0 - kept);
        self.weight = self.weight * kept + (1.0 - kept);
    }
}

#[cfg(test)]
mod tests {
    use super::{Meter, ProgressSnapshot};
    use std::time::Duration;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn rate(meter: &mut Meter, position: u64, now: Duration) -> f64 {
        meter.observe(position, None, now).rate.expect("time has passed")
    }

    #[test]
    fn a_constant_rate_is_exact_from_the_start() {
        let mut meter = Meter::new(ms(5_000));
        for second in 1..100 {
            let rate = rate(&mut meter, second * 7, ms(5_000 + second * 1_000));
            assert!((rate - 7.0).abs() < 1e-9, "{rate}");
        }
    }

    #[test]
    fn there_is_no_rate_before_time_has_passed() {
        let mut meter = Meter::new(ms(3));
        assert_eq!(meter.observe(9, None, ms(3)).rate, None);
    }

    #[test]
    fn the_last_seconds_weigh_most() {
        let mut meter = Meter::new(ms(0));
        rate(&mut meter, 1_000, ms(10_000));
        let slow = rate(&mut meter, 1_001, ms(40_000));
        assert!(slow < 10.0, "{slow}");
    }

    #[test]
    fn the_rate_stays_while_the_position_does() {
        let mut meter = Meter::new(ms(0));
        rate(&mut meter, 10, ms(1_000));
        let both = [rate(&mut meter, 11, ms(1_000)), rate(&mut meter, 11, ms(9_000))];
        assert_eq!(both, [10.0; 2]);
        let slower = rate(&mut meter, 12, ms(11_000));
        assert!(slower < 5.0, "{slower}");
    }

    #[test]
    fn observations_at_the_same_time_count_as_one() {
        let mut meter = Meter::new(ms(0));
        rate(&mut meter, 10, ms(1_000));
        rate(&mut meter, 15, ms(1_000));
        let even = rate(&mut meter, 20, ms(2_000));
        assert!((even - 10.0).abs() < 1e-9, "{even}");
    }

    #[test]
    fn a_position_that_went_back_restarts_the_rate() {
        let mut meter = Meter::new(ms(0));
        rate(&mut meter, 1_000, ms(1_000));
        assert_eq!(meter.observe(0, None, ms(2_000)).rate, None);
        let again = rate(&mut meter, 5, ms(3_000));
        assert!((again - 5.0).abs() < 1e-9, "{again}");
    }

    #[test]
    fn a_clock_that_goes_back_stops_the_meter_only() {
        let mut meter = Meter::new(ms(5_000));
        assert_eq!(meter.observe(9, None, ms(0)).elapsed, ms(0));
    }

    #[test]
    fn the_time_left_is_the_rest_at_this_rate() {
        let snapshot =
            |position, total, rate| ProgressSnapshot { position, total, elapsed: ms(0), rate };
        let cases = [
            (snapshot(20, Some(100), Some(10.0)), Some(ms(8_000))),
            (snapshot(100, Some(100), None), Some(ms(0))),
            (snapshot(120, Some(100), Some(1.0)), Some(ms(0))),
            (snapshot(20, None, Some(10.0)), None),
            (snapshot(20, Some(100), None), None),
            (snapshot(20, Some(100), Some(0.0)), None),
            (snapshot(0, Some(u64::MAX), Some(1e-300)), None),
        ];
        for (snapshot, eta) in cases {
            assert_eq!(snapshot.eta(), eta, "{snapshot:?}");
        }
    }
}
