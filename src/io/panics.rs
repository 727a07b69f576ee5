//! Detecting whether panic messages are redirected.

use std::time::Duration;

#[cfg(all(unix, feature = "capture"))]
use crate::io::redirect::{self, StandardStream};

/// The maximum time that a panic takes to unwind.
pub(crate) const UNWINDING: Duration = Duration::from_secs(1);

/// Detects whether panic messages are printed to the original standard error. It has to
/// be checked frequently.
#[derive(Debug)]
pub(crate) struct Panics {
    /// The numbers of ended redirects at the last check: of all of them, and of those
    /// that panics dropped.
    #[cfg(all(unix, feature = "capture"))]
    seen: (u64, u64),
    /// The time at which a check found a further redirect that a panic dropped.
    #[cfg(all(unix, feature = "capture"))]
    saw: Option<Duration>,
}

#[cfg(all(unix, feature = "capture"))]
impl Panics {
    pub(crate) fn new() -> Self {
        Self { seen: redirect::ended(), saw: None }
    }

    /// Returns `true` if the message of a panic since the last check was redirected. The
    /// thread of the panic and the redirect may be gone by now.
    pub(crate) fn was_redirected(&mut self, now: Duration) -> bool {
        let ended = redirect::ended().0 != self.seen.0;
        self.is_redirected(now) || ended
    }

    /// Returns `true` if the message of a panic that is unwinding was redirected:
    /// standard error is redirected, or was until the panic dropped the redirect.
    pub(crate) fn is_redirected(&mut self, now: Duration) -> bool {
        let ended = redirect::ended();
        if std::mem::replace(&mut self.seen, ended).1 != ended.1 {
            self.saw = Some(now);
        }
        let lately = self.saw.is_some_and(|saw| now.saturating_sub(saw) < UNWINDING);
        lately || redirect::is_redirected(StandardStream::Err)
    }
}

#[cfg(not(all(unix, feature = "capture")))]
impl Panics {
    pub(crate) fn new() -> Self {
        Self {}
    }

    /// Returns `false`: nothing is redirected without the feature `capture`.
    pub(crate) fn was_redirected(&mut self, _now: Duration) -> bool {
        false
    }

    /// Returns `false`: nothing is redirected without the feature `capture`.
    pub(crate) fn is_redirected(&mut self, _now: Duration) -> bool {
        false
    }
}
