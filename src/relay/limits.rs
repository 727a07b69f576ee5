//! The limit on rows and lines per second.

use std::time::Duration;

/// Ten seconds' worth may arrive at once.
const BURST: u64 = 10;

/// A bucket of permits that fills with time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    per_second: u32,
    /// The permits, in billionths.
    permits: u128,
    /// When the permits were last counted.
    at: Duration,
}

impl Bucket {
    /// Creates a full bucket.
    pub(crate) fn new(per_second: u32, now: Duration) -> Self {
        Self { per_second, permits: Self::most(per_second), at: now }
    }

    fn most(per_second: u32) -> u128 {
        u128::from(u64::from(per_second) * BURST) * 1_000_000_000
    }

    /// Takes a permit, if there is one.
    pub(crate) fn take(&mut self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.at).as_nanos() * u128::from(self.per_second);
        self.at = self.at.max(now);
        self.permits = (self.permits + passed).min(Self::most(self.per_second));
        let Some(left) = self.permits.checked_sub(1_000_000_000) else { return false };
        self.permits = left;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Bucket;
    use std::time::Duration;

    #[test]
    fn ten_seconds_worth_is_admitted_at_once_and_then_the_rate() {
        let mut bucket = Bucket::new(3, Duration::from_secs(5));
        let mut taken = |now| (0..100).filter(|_| bucket.take(now)).count();
        assert_eq!(taken(Duration::from_secs(5)), 30);
        assert_eq!(taken(Duration::from_secs(6)), 3);
        assert_eq!(taken(Duration::from_millis(6_500)), 1);
        assert_eq!(taken(Duration::from_secs(7)), 2, "halves add up");
        assert_eq!(taken(Duration::from_secs(4)), 0, "a clock that goes backwards");
        assert_eq!(taken(Duration::MAX), 30);
    }
}
