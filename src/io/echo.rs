//! The echo of typed keys, which is off while a live console draws if the program wants that.

use std::io::Read;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::board::lock::ignore_poison;
use crate::io::{stdio, terminal};

/// Waits for the end of the process, however it ends, and restores the modes.
const GUARD: &str = "trap '' INT QUIT HUP TERM TSTP TTIN TTOU
modes=$(stty -g <&2) && echo ready && { read -r _; stty \"$modes\" <&2; }";

static ECHO: Mutex<Echo> = Mutex::new(Echo { off: None, pauses: 0 });

struct Echo {
    off: Option<Off>,
    /// The number of suspensions, during which keys are echoed.
    pauses: usize,
}

struct Off {
    modes: Termios,
    guard: Child,
}

fn lock() -> MutexGuard<'static, Echo> {
    ignore_poison(ECHO.lock())
}

/// Turns the echo off until the value is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct EchoOff(());

impl EchoOff {
    /// `None` if the process is in the background, or no guard could restore the modes.
    pub(crate) fn new() -> Option<Self> {
        let stderr = stdio::stderr().ok().filter(|_| terminal::is_foreground())?;
        let modes = tcgetattr(&stderr).ok()?;
        let mut guard = Command::new("sh")
            .args(["-c", GUARD])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr.as_fd().try_clone_to_owned().ok()?)
            .spawn()
            .ok()?;
        let mut ready = [0];
        guard.stdout.take()?.read_exact(&mut ready).ok()?;
        let mut echo = lock();
        echo.off = Some(Off { modes, guard });
        echo.apply();
        Some(Self(()))
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        let Some(Off { modes, mut guard }) = lock().off.take() else { return };
        set(&modes);
        drop(guard.stdin.take());
        // It restores the same modes.
        let _ = guard.wait();
    }
}

impl Echo {
    fn apply(&self) {
        let Some(Off { modes, .. }) = &self.off else { return };
        let mut modes = modes.clone();
        modes.local_modes.set(LocalModes::ECHO, self.pauses > 0);
        set(&modes);
    }
}

fn set(modes: &Termios) {
    if let Ok(stderr) = stdio::stderr()
        && terminal::is_foreground()
    {
        // A terminal that is gone needs no echo.
        let _ = tcsetattr(&stderr, OptionalActions::Now, modes);
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
