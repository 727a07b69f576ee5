//! Where the messages of panics go.

use std::time::Duration;

#[cfg(all(unix, feature = "capture"))]
use crate::io::redirect::{self, Stream};

/// How long a panic may take to unwind.
pub(crate) const UNWINDING: Duration = Duration::from_secs(1);

/// Tells whether the messages of panics go to standard error as it was. Look
/// often.
#[derive(Debug)]
pub(crate) struct Panics {
    /// How often what diverted standard error had ended at the last look, and how
    /// often by panics.
    #[cfg(all(unix, feature = "capture"))]
    seen: (u64, u64),
    /// When there was one more.
    #[cfg(all(unix, feature = "capture"))]
    saw: Option<Duration>,
}

#[cfg(all(unix, feature = "capture"))]
impl Panics {
    pub(crate) fn new() -> Self {
        Self { seen: redirect::released(), saw: None }
    }

    /// Whether the message of a panic since the last look went elsewhere: it is of
    /// a thread that has ended, and what diverted standard error may have, too.
    pub(crate) fn went_elsewhere(&mut self, now: Duration) -> bool {
        let released = redirect::released().0 != self.seen.0;
        self.are_elsewhere(now) || released
    }

    /// Whether the message of a panic of this moment went elsewhere: standard
    /// error is diverted, or was until the panic dropped what diverted it.
    pub(crate) fn are_elsewhere(&mut self, now: Duration) -> bool {
        let released = redirect::released();
        if std::mem::replace(&mut self.seen, released).1 != released.1 {
            self.saw = Some(now);
        }
        let lately = self.saw.is_some_and(|saw| now.saturating_sub(saw) < UNWINDING);
        lately || redirect::is_diverted(Stream::Err)
    }
}

#[cfg(not(all(unix, feature = "capture")))]
impl Panics {
    pub(crate) fn new() -> Self {
        Self {}
    }

    /// Nothing is ever diverted.
    pub(crate) fn went_elsewhere(&mut self, _now: Duration) -> bool {
        false
    }

    /// Nothing is ever diverted.
    pub(crate) fn are_elsewhere(&mut self, _now: Duration) -> bool {
        false
    }
}
