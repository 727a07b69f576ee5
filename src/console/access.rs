//! The decisions of a live console about when it may draw on the terminal of the process.

use std::fmt;
use std::time::Duration;

use crate::board::clock::monotonic;
#[cfg(unix)]
use crate::console::live::painter::AFTER_KILL;
#[cfg(unix)]
use crate::io::echo::EchoOff;
#[cfg(all(unix, feature = "capture"))]
use crate::io::redirect;
use crate::io::terminal::{self, Claim, Permit};

/// The time for which the size must be stable before rows are redrawn. Before the terminal
/// reports a new size, the rows are not where the size says.
const SETTLE: Duration = Duration::from_millis(300);

/// The same if the terminal may report a new size late. A drag that pauses must not be
/// taken for its end: rows would be drawn for a size that has already changed.
const SETTLE_LATE: Duration = Duration::from_secs(1);

/// The time between two attempts to draw while the size changes.
const RETRY: Duration = Duration::from_millis(100);

/// The same while the process is in the background.
const BACKGROUND_RETRY: Duration = Duration::from_millis(500);

/// The same while other code uses the terminal.
const IN_USE_RETRY: Duration = Duration::from_millis(100);

/// The answer to a request to draw.
#[derive(Debug)]
pub(crate) enum Turn {
    /// A frame may be drawn, and written while the permit exists.
    Draw(Option<Permit>),
    /// Try again after this time.
    Wait(Duration),
    /// Nothing may be written from now on.
    Never,
}

/// The state of a live console's access to the shared terminal.
pub(crate) struct Access {
    claim: Claim,
    #[cfg(unix)]
    echo: Option<EchoOff>,
    is_foreground: fn() -> bool,
    now: Box<dyn Fn() -> Duration + Send + Sync>,
    /// The last size seen, and when it changed, if it has not been stable since.
    size: Option<(u16, u16)>,
    resized: Option<Duration>,
    /// The time for which the size must be stable.
    settle: Duration,
    /// Whether the process was in the background at the last attempt.
    background: bool,
    /// The number of other uses of the terminal before the last frame.
    uses: u64,
    /// The number of panics before this console, if a hook counts them.
    panics: Option<u64>,
    /// Whether other code has written below the rows since the last frame.
    strays: bool,
}

impl Access {
    pub(crate) fn new(claim: Claim, panic_hook: bool, echo: bool, reports_late: bool) -> Self {
        #[cfg(not(unix))]
        let _ = echo;
        if panic_hook {
            terminal::install_panic_hook();
        }
        Self {
            claim,
            #[cfg(unix)]
            echo: if echo { None } else { EchoOff::new(AFTER_KILL) },
            is_foreground: terminal::is_foreground,
            now: Box::new(monotonic()),
            size: None,
            settle: if reports_late { SETTLE_LATE } else { SETTLE },
            resized: None,
            background: false,
            uses: terminal::ended_uses(),
            panics: panic_hook.then(terminal::panics),
            strays: false,
        }
    }

    /// Creates an access in the foreground, with a clock.
    #[cfg(test)]
    pub(crate) fn for_test(
        reports_late: bool,
        now: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Self {
        let access = Self::new(Claim::for_test(), false, true, reports_late);
        Self { is_foreground: || true, now: Box::new(now), ..access }
    }

    /// Returns `true` if the hook has seen a panic, and so decides where the next frame
    /// is drawn.
    pub(crate) fn sees_panics(&self) -> bool {
        self.panics.is_some_and(|before| before != terminal::panics())
    }

    /// Returns `true` if a frame is due because the rows were erased or other consoles
    /// have printed.
    pub(crate) fn is_due(&self) -> bool {
        self.uses != terminal::ended_uses() || self.claim.has_lines()
    }

    /// Takes the lines of other consoles, to be printed above the rows.
    pub(crate) fn take_lines(&self) -> Vec<String> {
        self.claim.take_lines()
    }

    /// Asks for a frame on a screen of the given size, on which rows are drawn or not.
    pub(crate) fn ask(&mut self, size: (u16, u16), drawn: bool, last: bool) -> Turn {
        let now = (self.now)();
        if self.size.replace(size).is_some_and(|before| before != size) {
            self.resized = Some(now);
            #[cfg(all(unix, feature = "capture"))]
            redirect::resize(size);
        }
        if !(self.is_foreground)() {
            self.background = true;
            if !last {
                return Turn::Wait(BACKGROUND_RETRY);
            }
            if terminal::stops_background_output() {
                return Turn::Never;
            }
        }
        let settles = self.resized.is_some_and(|at| now.saturating_sub(at) < self.settle);
        if settles && drawn && !self.background {
            return Turn::Wait(RETRY);
        }
        match Permit::new() {
            Some(permit) => {
                #[cfg(unix)]
                self.echo.iter().for_each(EchoOff::keep);
                self.strays |= terminal::take_strays() && drawn;
                Turn::Draw(Some(permit))
            }
            None => Turn::Wait(IN_USE_RETRY),
        }
    }

    /// Returns `true` if other code has written below the rows since the last frame without
    /// announcing it.
    pub(crate) fn take_strays(&mut self) -> bool {
        std::mem::take(&mut self.strays) && !self.background && self.uses == terminal::ended_uses()
    }

    /// Prepares for a frame. Returns `true` if its rows must be below everything on the
    /// screen.
    pub(crate) fn draws_below(&mut self) -> bool {
        let uses = terminal::ended_uses();
        let used = std::mem::replace(&mut self.uses, uses) != uses;
        let settles = self.resized.take().is_some_and(|at| (self.now)() < at + self.settle);
        std::mem::take(&mut self.background) | used | settles
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("size", &self.size).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;

    /// Creates an access with a clock to set, in milliseconds.
    fn access() -> (Arc<AtomicU64>, Access) {
        let time = Arc::new(AtomicU64::new(0));
        let read = Arc::clone(&time);
        (time, Access::for_test(false, move || Duration::from_millis(read.load(Relaxed))))
    }

    // Rule 18
    #[test]
    fn rows_are_redrawn_once_the_size_is_stable() {
        let (time, mut access) = access();
        for (at, columns, draws) in [
            (0, 80, true),
            (100, 70, false),
            (300, 60, false),
            (599, 60, false),
            (600, 60, true),
            (700, 60, true),
            (800, 61, false),
        ] {
            time.store(at, Relaxed);
            let turn = access.ask((columns, 24), true, false);
            assert_eq!(matches!(turn, Turn::Draw(_)), draws, "at {at} ms: {turn:?}");
            if draws {
                assert!(!access.draws_below());
            }
        }
        let turn = access.ask((62, 24), false, false);
        assert!(matches!(turn, Turn::Draw(_)), "without rows on the screen: {turn:?}");
    }

    // Rule 16
    #[test]
    fn after_the_background_rows_are_drawn_below() {
        let (_, mut access) = access();
        access.is_foreground = || false;
        assert!(matches!(access.ask((80, 24), true, false), Turn::Wait(_)));
        access.is_foreground = || true;
        assert!(matches!(access.ask((80, 24), true, false), Turn::Draw(_)));
        assert!(access.draws_below());
        assert!(!access.draws_below());
    }
}
