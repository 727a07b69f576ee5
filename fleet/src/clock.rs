//! The clock of the package.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[expect(clippy::disallowed_methods, reason = "the only clock of this package")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Returns a clock that never goes backwards and starts at the time of day, so that what
/// began on other machines before this process has a time on it.
#[expect(clippy::disallowed_methods, reason = "the only clock of this package")]
pub fn since_1970() -> impl Fn() -> Duration + Send + Sync + Clone + 'static {
    let start = now();
    let day = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    move || day + start.elapsed()
}
