//! Who writes to the terminal of the process: consoles, panics, or code that asked for it.
//!
//! A console draws with a [`Permit`]. While somebody else uses the terminal there are no
//! permits, and the use begins by erasing the rows of the console. The next frame is drawn
//! below whatever was written.

use std::io::Write;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Condvar, Mutex, MutexGuard, Once};
use std::task::Waker;
use std::thread;
use std::time::Duration;

use crate::board::lock::ignore_poison;
#[cfg(all(unix, feature = "capture"))]
use crate::io::redirect::{StandardStream, is_redirected};
use crate::io::stdio;

/// How long a use of the terminal waits for a frame that is being written.
const PATIENCE: Duration = Duration::from_secs(1);

static STATE: Mutex<State> = Mutex::new(State {
    permits: 0,
    uses: 0,
    ended_uses: 0,
    panics: 0,
    erase: Vec::new(),
    waker: None,
});

static CHANGED: Condvar = Condvar::new();

struct State {
    /// The number of frames that are being drawn or written.
    permits: usize,
    /// The number of other uses in progress.
    uses: usize,
    /// The number of other uses that have ended.
    ended_uses: u64,
    /// The number of panics that the hook has seen.
    panics: u64,
    /// The bytes that erase the rows on the screen.
    erase: Vec<u8>,
    /// Wakes the console, to redraw its rows after a use.
    waker: Option<Waker>,
}

fn lock() -> MutexGuard<'static, State> {
    ignore_poison(STATE.lock())
}

/// The permission to draw and write one frame.
#[derive(Debug)]
pub(crate) struct Permit {
    /// The bytes that erase the frame, once it is written.
    erase: Vec<u8>,
}

impl Permit {
    /// A permit, unless somebody else is using the terminal.
    pub(crate) fn new() -> Option<Self> {
        let mut state = lock();
        (state.uses == 0).then(|| Self::from_state(&mut state))
    }

    /// A permit even if somebody else is using the terminal.
    pub(crate) fn forced() -> Self {
        Self::from_state(&mut lock())
    }

    fn from_state(state: &mut State) -> Self {
        state.permits += 1;
        Self { erase: std::mem::take(&mut state.erase) }
    }

    /// Sets the bytes that erase the frame after it has been written.
    pub(crate) fn set_erase(&mut self, erase: Vec<u8>) {
        self.erase = erase;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = lock();
        state.permits -= 1;
        state.erase = std::mem::take(&mut self.erase);
        CHANGED.notify_all();
    }
}

/// Registers the waker of the console that draws on the terminal.
pub(crate) fn register(waker: &Waker) {
    let waker = waker.clone();
    let _previous = lock().waker.replace(waker);
}

/// The number of uses of the terminal that have ended. After a change, the rows of a
/// console have been erased or are above other output.
pub(crate) fn ended_uses() -> u64 {
    lock().ended_uses
}

/// The number of panics that the hook has seen.
pub(crate) fn panics() -> u64 {
    lock().panics
}

/// A use of the terminal by something other than a console.
#[derive(Debug)]
pub(crate) struct Use(());

impl Use {
    /// Waits until no frame is being written, at most for one second, and erases the rows.
    pub(crate) fn begin() -> Self {
        let mut state = lock();
        state.uses += 1;
        let busy = |state: &mut State| state.permits > 0;
        state = ignore_poison(CHANGED.wait_timeout_while(state, PATIENCE, busy)).0;
        let erase = std::mem::take(&mut state.erase);
        if state.permits == 0
            && !erase.is_empty()
            && is_foreground()
            && let Ok(mut stderr) = stdio::stderr()
        {
            // Without it the rows stay above what is written.
            let _ = stderr.write_all(&erase);
        }
        Self(())
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        let mut state = lock();
        state.uses -= 1;
        state.ended_uses += 1;
        let waker = state.waker.clone();
        CHANGED.notify_all();
        drop(state);
        if let Some(waker) = waker {
            // A foreign waker may panic, and this may run within a panic.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| waker.wake()));
        }
    }
}

/// Installs a panic hook, once per process, that calls the previous hook with the terminal
/// in use: no frame is drawn while it prints the message.
pub(crate) fn install_panic_hook() {
    static ONCE: Once = Once::new();
    // A panicking thread cannot install a hook.
    if thread::panicking() {
        return;
    }
    ONCE.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            lock().panics += 1;
            #[cfg(all(panic = "abort", unix, feature = "capture"))]
            crate::io::redirect::restore();
            let terminal = (!is_stderr_redirected()).then(Use::begin);
            previous(info);
            if cfg!(panic = "abort") {
                // No frame is drawn over the message before the process aborts.
                std::mem::forget(terminal);
            }
        }));
    });
}

#[cfg(all(unix, feature = "capture"))]
fn is_stderr_redirected() -> bool {
    is_redirected(StandardStream::Err)
}

#[cfg(not(all(unix, feature = "capture")))]
fn is_stderr_redirected() -> bool {
    false
}

/// Whether the process is in the foreground of its terminal, or has no such terminal.
#[cfg(unix)]
pub(crate) fn is_foreground() -> bool {
    let Ok(stderr) = stdio::stderr() else { return true };
    let group = rustix::termios::tcgetpgrp(&stderr);
    group.map_or(true, |group| group == rustix::process::getpgrp())
}

/// Whether the process is in the foreground of its terminal, or has no such terminal.
#[cfg(not(unix))]
pub(crate) fn is_foreground() -> bool {
    true
}

/// Whether the terminal stops a background process that writes (`stty tostop`).
#[cfg(unix)]
pub(crate) fn stops_background_output() -> bool {
    use rustix::termios::{LocalModes, tcgetattr};
    let Ok(stderr) = stdio::stderr() else { return false };
    tcgetattr(&stderr).is_ok_and(|modes| modes.local_modes.contains(LocalModes::TOSTOP))
}

/// Whether the terminal stops a background process that writes (`stty tostop`).
#[cfg(not(unix))]
pub(crate) fn stops_background_output() -> bool {
    false
}
