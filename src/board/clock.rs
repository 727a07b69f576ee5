//! The clocks of boards. No other code reads the system's clocks.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A clock for event times: the time since an arbitrary start, and the rate at which it
/// passes.
///
/// A [`Console`](crate::Console) that did not create its board needs the board's clock to
/// show the exact age of its events. A closure that returns the time converts into a
/// clock, and [`Replay::clock`](crate::record::Replay::clock) returns the clock of a
/// recorded run.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use active_status::console::Clock;
///
/// let clock = Clock::new(|| Duration::from_secs(7)).with_rate(2.0);
/// assert_eq!((clock.now(), clock.rate()), (Duration::from_secs(7), 2.0));
/// ```
#[derive(Clone)]
pub struct Clock {
    source: Arc<dyn TimeSource>,
    /// The rate that overrides that of the source.
    rate: Option<f64>,
}

/// A source of time for a [`Clock`].
pub(crate) trait TimeSource: Send + Sync + 'static {
    /// Returns the time since the start.
    fn now(&self) -> Duration;

    /// Returns the rate at which the time passes, as a multiple of real time.
    fn rate(&self) -> f64 {
        1.0
    }
}

impl<F: Fn() -> Duration + Send + Sync + 'static> TimeSource for F {
    fn now(&self) -> Duration {
        self()
    }
}

impl Clock {
    /// Creates a clock that reads the time from a closure. The time should never go
    /// backwards.
    pub fn new(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self::from_source(Arc::new(now))
    }

    pub(crate) fn from_source(source: Arc<dyn TimeSource>) -> Self {
        Self { source, rate: None }
    }

    /// Creates a clock that starts at zero now.
    pub(crate) fn monotonic() -> Self {
        Self::new(monotonic())
    }

    /// Sets the rate of the clock as a multiple of real time. The default is 1.0.
    ///
    /// A console divides its waits by the rate.
    pub const fn with_rate(mut self, rate: f64) -> Self {
        self.rate = Some(rate);
        self
    }

    /// Returns the time since the start of the clock.
    pub fn now(&self) -> Duration {
        self.source.now()
    }

    /// Returns the rate of the clock as a multiple of real time.
    pub fn rate(&self) -> f64 {
        self.rate.unwrap_or_else(|| self.source.rate())
    }
}

/// Equivalent to [`Clock::new`].
impl<F: Fn() -> Duration + Send + Sync + 'static> From<F> for Clock {
    fn from(now: F) -> Self {
        Self::new(now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("now", &self.now()).field("rate", &self.rate()).finish()
    }
}

/// Returns the time on the system's clock since the Unix epoch.
#[cfg(feature = "json")]
pub(crate) fn since_epoch() -> Duration {
    #[expect(clippy::disallowed_methods, reason = "a recorded run has the time of its start")]
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

/// Returns a closure that returns the time since this call.
pub(crate) fn monotonic() -> impl Fn() -> Duration + Send + Sync + 'static {
    #[expect(clippy::disallowed_methods, reason = "this is the board's clock")]
    let start = std::time::Instant::now();
    move || start.elapsed()
}
