//! Exclusive use of the terminal of the process, by one console or by other code.
//!
//! One console draws, with a [`Permit`] per frame. While other code uses the terminal, no
//! permits are given, and such a use begins by erasing the rows of the console. The next
//! frame is drawn below the output of that code.

use std::cell::Cell;
use std::io::{self, Write};
use std::marker::PhantomData;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Condvar, Mutex, MutexGuard, Once};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use crate::board::lock::ignore_poison;
#[cfg(all(unix, feature = "capture"))]
use crate::io::redirect::{StandardStream, is_redirected};
use crate::io::stdio;
use crate::io::strays::Strays;

/// The maximum time that a use of the terminal waits for a frame that is being written.
const PATIENCE: Duration = Duration::from_secs(1);

static STATE: Mutex<State> = Mutex::new(State::new());

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
    /// Whether a console draws on the terminal.
    claimed: bool,
    /// The waker of that console, once it has drawn. It is woken to redraw the rows after
    /// a use.
    waker: Option<Waker>,
    /// Lines of other consoles, to be printed above its rows.
    lines: Vec<String>,
    /// The wakers of futures that wait until no frame is being written.
    waiting: Vec<Waker>,
    /// The writes to the terminal by code that does not announce them, while a console
    /// draws on it and the system reports them.
    strays: Option<Strays>,
}

impl State {
    const fn new() -> Self {
        Self {
            permits: 0,
            uses: 0,
            ended_uses: 0,
            panics: 0,
            erase: Vec::new(),
            claimed: false,
            waker: None,
            lines: Vec::new(),
            waiting: Vec::new(),
            strays: None,
        }
    }

    /// Returns whether anything was written since the last call.
    fn take_strays(&self) -> bool {
        self.strays.as_ref().is_some_and(Strays::take)
    }

    /// The same for the holder of a permit. A frame that is still being written is reported
    /// as well, so the reports beside it say nothing.
    fn take_strays_before_frame(&self) -> bool {
        self.take_strays() && self.permits == 1
    }
}

/// Returns whether other code has written to the terminal since the last frame, and has not
/// announced that. The caller has a permit for the next frame.
pub(crate) fn take_strays() -> bool {
    lock().take_strays_before_frame()
}

/// The maximum number of bytes in lines that wait for the console that draws.
const LINES_AHEAD: usize = 1 << 20;

/// The right to draw on the terminal, which one console holds at a time.
#[derive(Debug)]
pub(crate) struct Claim(());

impl Claim {
    /// Returns the claim of a console that draws on this stream, unless another console
    /// holds it.
    pub(crate) fn new(stream: stdio::Target) -> Option<Self> {
        let mut state = lock();
        if std::mem::replace(&mut state.claimed, true) {
            return None;
        }
        stdio::set_terminal(stream);
        state.strays = stdio::terminal().ok().and_then(|terminal| Strays::watch(&terminal));
        Some(Self(()))
    }

    #[cfg(test)]
    pub(crate) fn for_test() -> Self {
        Self(())
    }

    pub(crate) fn has_lines(&self) -> bool {
        !lock().lines.is_empty()
    }

    pub(crate) fn take_lines(&self) -> Vec<String> {
        let lines = std::mem::take(&mut lock().lines);
        CHANGED.notify_all();
        lines
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut state = lock();
        state.claimed = false;
        state.strays = None;
        let _waker = state.waker.take();
        let lines = std::mem::take(&mut state.lines);
        CHANGED.notify_all();
        drop(state);
        for line in lines {
            write_line(&line);
        }
    }
}

/// Writes a line to standard error. An error is ignored, because it cannot be reported.
fn write_line(line: &str) {
    if let Ok(mut stderr) = stdio::terminal() {
        let _ = writeln!(stderr, "{line}");
    }
}

/// A writer whose lines appear above the rows of the console that draws on the terminal, or
/// directly on the terminal if there is none.
#[derive(Debug, Default)]
pub(crate) struct LinesAbove {
    partial: Vec<u8>,
}

impl Write for LinesAbove {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if let Some(line) = self.partial.strip_suffix(b"\n") {
                print_above(String::from_utf8_lossy(line).into_owned());
                self.partial.clear();
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn print_above(line: String) {
    let full = |state: &mut State| {
        state.waker.is_some() && state.lines.iter().map(String::len).sum::<usize>() > LINES_AHEAD
    };
    let mut state = ignore_poison(CHANGED.wait_while(lock(), full));
    let Some(waker) = state.waker.clone() else {
        drop(state);
        return write_line(&line);
    };
    state.lines.push(line);
    drop(state);
    wake(&waker);
}

/// Wakes a foreign waker, whose panics must not end the caller.
fn wake(waker: &Waker) {
    let _ = panic::catch_unwind(AssertUnwindSafe(|| waker.wake_by_ref()));
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
    /// Returns a permit, unless other code is using the terminal.
    pub(crate) fn new() -> Option<Self> {
        let mut state = lock();
        (state.uses == 0).then(|| Self::from_state(&mut state))
    }

    /// Returns a permit, even if other code is using the terminal.
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
        // The frame itself.
        state.take_strays();
        state.erase = std::mem::take(&mut self.erase);
        let waiting = std::mem::take(&mut state.waiting);
        CHANGED.notify_all();
        drop(state);
        waiting.iter().for_each(wake);
    }
}

/// Registers the waker of the console that draws on the terminal.
pub(crate) fn register(waker: &Waker) {
    let waker = waker.clone();
    let _previous = lock().waker.replace(waker);
}

/// Returns the number of uses of the terminal that have ended. If it has changed, the
/// rows of a console have been erased or are above other output.
pub(crate) fn ended_uses() -> u64 {
    lock().ended_uses
}

/// Returns the number of panics that the hook has seen.
pub(crate) fn panics() -> u64 {
    lock().panics
}

/// A use of the terminal by code other than a console.
#[derive(Debug)]
pub(crate) struct Use(());

impl Use {
    /// Waits for at most one second until no frame is being written, and erases the rows.
    pub(crate) fn begin() -> Self {
        let mut state = lock();
        state.uses += 1;
        let busy = |state: &mut State| state.permits > 0;
        state = ignore_poison(CHANGED.wait_timeout_while(state, PATIENCE, busy)).0;
        if state.permits == 0 {
            erase_rows(&mut state);
        }
        Self(())
    }

    /// Announces the use. It begins when [`poll_begin`](Self::poll_begin) is ready.
    pub(crate) fn announce() -> Self {
        lock().uses += 1;
        Self(())
    }

    /// Polls until no frame is being written, then erases the rows.
    pub(crate) fn poll_begin(&self, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut state = lock();
        if state.permits > 0 {
            state.waiting.push(waker);
            return Poll::Pending;
        }
        erase_rows(&mut state);
        Poll::Ready(())
    }
}

/// Erases the rows of the console. If that fails, they stay above the other output.
fn erase_rows(state: &mut State) {
    let erase = std::mem::take(&mut state.erase);
    if !erase.is_empty()
        && is_foreground()
        && let Ok(mut stderr) = stdio::terminal()
    {
        let _ = stderr.write_all(&erase);
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        let mut state = lock();
        state.uses -= 1;
        state.ended_uses += 1;
        state.take_strays();
        let waker = state.waker.clone();
        CHANGED.notify_all();
        drop(state);
        waker.iter().for_each(wake);
    }
}

thread_local! {
    /// The number of uses whose code this thread is running.
    static INSIDE: Cell<usize> = const { Cell::new(0) };
}

/// Marks the thread as running the code of a use, until it is dropped. A console that this
/// code ends cannot wait for the end of the use: it draws its last frame at once.
#[derive(Debug)]
pub(crate) struct Inside(PhantomData<*const ()>);

impl Inside {
    pub(crate) fn enter() -> Self {
        INSIDE.set(INSIDE.get() + 1);
        Self(PhantomData)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(INSIDE.get() - 1);
    }
}

/// Returns `true` if this thread is running the code of a use.
pub(crate) fn is_inside_use() -> bool {
    INSIDE.get() > 0
}

/// Installs a panic hook, once per process. The hook marks the terminal as in use while
/// it calls the previous hook, so that no frame is drawn while that prints the message.
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
            // Nothing is dropped before the process aborts, so the message would never leave
            // the redirect.
            #[cfg(all(panic = "abort", unix, feature = "capture"))]
            std::mem::forget(crate::io::redirect::Pause::begin());
            let terminal = (!is_stderr_redirected()).then(Use::begin);
            let inside = terminal.as_ref().map(|_| Inside::enter());
            previous(info);
            drop(inside);
            if cfg!(panic = "abort") {
                // This prevents frames from being drawn over the message before the
                // process aborts.
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

/// Returns `true` if the process is in the foreground of its terminal, or has no
/// terminal.
#[cfg(unix)]
pub(crate) fn is_foreground() -> bool {
    let Ok(stderr) = stdio::terminal() else { return true };
    let group = rustix::termios::tcgetpgrp(&stderr);
    group.map_or(true, |group| group == rustix::process::getpgrp())
}

/// Returns `true`: the process counts as in the foreground.
#[cfg(not(unix))]
pub(crate) fn is_foreground() -> bool {
    true
}

/// Returns `true` if a shell may have written to the terminal while the process was stopped.
/// A shell with job control starts its jobs in process groups other than that of the session.
#[cfg(unix)]
pub(crate) fn has_shell() -> bool {
    use rustix::process::{getpgrp, getsid};
    let controls = stdio::terminal().is_ok_and(|stderr| rustix::termios::tcgetpgrp(stderr).is_ok());
    !controls || getsid(None) != Ok(getpgrp())
}

/// Returns `true`: another program may have used the terminal.
#[cfg(not(unix))]
pub(crate) fn has_shell() -> bool {
    true
}

/// Returns `true` if the terminal stops background processes that write (`stty tostop`).
#[cfg(unix)]
pub(crate) fn stops_background_output() -> bool {
    use rustix::termios::{LocalModes, tcgetattr};
    let Ok(stderr) = stdio::terminal() else { return false };
    tcgetattr(&stderr).is_ok_and(|modes| modes.local_modes.contains(LocalModes::TOSTOP))
}

/// Returns `false`: the terminal does not stop background processes.
#[cfg(not(unix))]
pub(crate) fn stops_background_output() -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::{State, Strays};
    use crate::io::strays::terminal;

    #[test]
    fn a_frame_that_is_still_being_written_is_not_stray_output() {
        let (_keys, mut terminal) = terminal();
        let mut state = State::new();
        state.strays = Strays::watch(&terminal);
        for (permits, strays) in [(2, false), (1, true)] {
            state.permits = permits;
            std::io::Write::write_all(&mut terminal, b"a frame\n").expect("a terminal");
            assert_eq!(state.take_strays_before_frame(), strays, "{permits}");
            assert!(!state.take_strays_before_frame());
        }
    }
}
