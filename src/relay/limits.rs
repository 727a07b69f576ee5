//! The limits on rows and lines.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::board::lock::ignore_poison;

/// The maximum number of bytes of the texts of all jobs.
const BYTES: usize = 16 << 20;

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

/// The limits that one relay or several relays share.
#[derive(Debug)]
pub(crate) struct Limits(Mutex<Rest>);

/// What may still be added.
#[derive(Debug)]
struct Rest {
    jobs: usize,
    /// The number of bytes of texts.
    bytes: usize,
    bucket: Bucket,
}

impl Limits {
    pub(crate) fn new(jobs: usize, per_second: u32, now: Duration) -> Arc<Self> {
        let bucket = Bucket::new(per_second, now);
        Arc::new(Self(Mutex::new(Rest { jobs, bytes: BYTES, bucket })))
    }

    /// Returns a permit for a job with texts of the given number of bytes, if there is one.
    pub(crate) fn permit(self: &Arc<Self>, bytes: usize) -> Option<Permit> {
        let mut rest = self.lock();
        let jobs = rest.jobs.checked_sub(1)?;
        rest.bytes = rest.bytes.checked_sub(bytes)?;
        rest.jobs = jobs;
        Some(Permit { limits: Arc::clone(self), bytes })
    }

    /// Returns `true` if another row or line may be shown.
    pub(crate) fn admit(&self, now: Duration) -> bool {
        self.lock().bucket.take(now)
    }

    fn lock(&self) -> MutexGuard<'_, Rest> {
        ignore_poison(self.0.lock())
    }
}

/// A permit for a running job.
#[derive(Debug)]
pub(crate) struct Permit {
    limits: Arc<Limits>,
    bytes: usize,
}

impl Permit {
    /// Changes the number of bytes of the texts. Returns `false` if that is too much.
    pub(crate) fn resize(&mut self, bytes: usize) -> bool {
        let mut rest = self.limits.lock();
        let Some(left) = (rest.bytes + self.bytes).checked_sub(bytes) else { return false };
        rest.bytes = left;
        self.bytes = bytes;
        true
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut rest = self.limits.lock();
        rest.jobs += 1;
        rest.bytes += self.bytes;
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
