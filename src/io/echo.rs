//! The echo of typed keys, which is off while a live console draws if the program wants that.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::board::lock::ignore_poison;
use crate::io::{stdio, terminal};

/// Turns the echo off, and restores the modes when the process ends, however it ends, and
/// when Ctrl-Z stops it. Modes that another program has changed since are left alone. A process
/// that ends without a line on standard input was killed: its last frame may be incomplete, so
/// `$1` is written. The shell waits for `read`, because signals interrupt `wait` in every shell.
const GUARD: &str = r#"trap '' INT QUIT HUP TERM TSTP TTIN TTOU
on=$(stty -g <&2) && stty -echo <&2 && off=$(stty -g <&2) || exit
restore() { [ "$(stty -g <&2)" != "$off" ] || stty "$on" <&2; }
exec 3<&0
(read -r end) <&3 &
trap restore TSTP
echo ready
while wait $!; end=$?; [ $end -gt 128 ]; do :; done
restore
[ $end = 0 ] || printf %s "$1" >&2"#;

static ECHO: Mutex<Echo> = Mutex::new(Echo { guard: None, pauses: 0 });

struct Echo {
    /// The process that restores the modes, while the echo is off.
    guard: Option<Child>,
    /// The number of suspensions, during which keys are echoed.
    pauses: usize,
}

fn lock() -> MutexGuard<'static, Echo> {
    ignore_poison(ECHO.lock())
}

thread_local! {
    /// Touched by the thread that turns the echo off.
    static AT_EXIT: AtExit = const { AtExit };
}

/// Restores the echo when its thread ends, which with most C libraries includes an exit of
/// the process on this thread. The guard restores the modes only after the exit, when a
/// shell may have read them already. A console that goes on turns the echo off again.
struct AtExit;

impl Drop for AtExit {
    fn drop(&mut self) {
        if lock().guard.is_some() {
            set_echo(true);
        }
    }
}

/// Turns the echo off until the value is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct EchoOff(());

impl EchoOff {
    /// `None` if there is no echo, if the process is in the background, or if no guard could
    /// restore the modes. If the process is killed, the guard writes `after_kill` to the terminal.
    pub(crate) fn new(after_kill: &str) -> Option<Self> {
        let stderr = stdio::terminal().ok().filter(|_| terminal::is_foreground())?;
        tcgetattr(&stderr).ok().filter(is_echo_on)?;
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "sh", after_kill])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr.as_fd().try_clone_to_owned().ok()?)
            .spawn()
            .ok()?;
        let mut ready = [0];
        guard.stdout.take()?.read_exact(&mut ready).ok()?;
        lock().guard = Some(guard);
        AT_EXIT.with(|_| ());
        Some(Self(()))
    }

    /// Turns the echo off again if a shell has turned it on, as after Ctrl-Z and `fg`.
    pub(crate) fn keep(&self) {
        lock().apply();
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        let Some(mut guard) = lock().guard.take() else { return };
        set_echo(true);
        if let Some(mut stdin) = guard.stdin.take() {
            let _ = writeln!(stdin);
        }
        let _ = guard.wait();
    }
}

impl Echo {
    fn apply(&self) {
        if self.guard.is_some() {
            set_echo(self.pauses > 0);
        }
    }
}

fn is_echo_on(modes: &Termios) -> bool {
    modes.local_modes.contains(LocalModes::ECHO)
}

/// Turns the echo on or off, unless the process is in the background.
fn set_echo(on: bool) {
    if let Ok(stderr) = stdio::terminal()
        && let Ok(mut modes) = tcgetattr(&stderr)
        && is_echo_on(&modes) != on
        && terminal::is_foreground()
    {
        modes.local_modes.set(LocalModes::ECHO, on);
        // A terminal that is gone needs no echo.
        let _ = tcsetattr(&stderr, OptionalActions::Now, &modes);
    }
}

/// Turns the echo on while a console is suspended.
#[derive(Debug)]
pub(crate) struct EchoPause(());

impl EchoPause {
    pub(crate) fn begin() -> Self {
        count(1);
        Self(())
    }
}

impl Drop for EchoPause {
    fn drop(&mut self) {
        count(-1);
    }
}

fn count(change: isize) {
    let mut echo = lock();
    echo.pauses = echo.pauses.saturating_add_signed(change);
    echo.apply();
}
