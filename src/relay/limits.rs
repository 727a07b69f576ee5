//! The limits on rows and lines.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::board::lock::ignore_poison;

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

/// A limit that a row or line exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// That of its relay.
    Sender,
    /// That over several relays.
    Common,
}

/// The limits over several relays.
#[derive(Debug)]
pub(crate) struct Common(Mutex<Limits>);

#[derive(Debug)]
struct Limits {
    /// The number of jobs that may be added.
    jobs: usize,
    bucket: Bucket,
    /// The number of rows and lines that were omitted and not yet counted in a line.
    omitted: u64,
}

impl Common {
    pub(crate) fn new(jobs: usize, per_second: u32, now: Duration) -> Arc<Self> {
        let bucket = Bucket::new(per_second, now);
        Arc::new(Self(Mutex::new(Limits { jobs, bucket, omitted: 0 })))
    }

    /// Returns a permit for a job, if there is one.
    pub(crate) fn permit(self: &Arc<Self>) -> Option<Permit> {
        let mut limits = self.lock();
        limits.jobs = limits.jobs.checked_sub(1)?;
        Some(Permit(Arc::clone(self)))
    }

    /// Returns `true` if another row or line may be shown.
    pub(crate) fn admit(&self, now: Duration) -> bool {
        self.lock().bucket.take(now)
    }

    /// Counts rows and lines as omitted.
    pub(crate) fn omit(&self, count: u64) {
        self.lock().omitted += count;
    }

    /// Returns the number of omitted rows and lines since the last call.
    pub(crate) fn take_omitted(&self) -> u64 {
        mem::take(&mut self.lock().omitted)
    }

    fn lock(&self) -> MutexGuard<'_, Limits> {
        ignore_poison(self.0.lock())
    }
}

/// A permit for a running job.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Common>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.lock().jobs += 1;
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
