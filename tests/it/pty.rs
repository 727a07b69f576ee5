//! Pseudo-terminals, and this program again as a process that may have one. The
//! bench of the board looks at terminals by this file too.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Variables by which a terminal differs from the next.
const VARIABLES: [&str; 8] =
    ["ACCESSIBLE", "CI", "CLICOLOR_FORCE", "FORCE_COLOR", "LANG", "LC_ALL", "LC_CTYPE", "NO_COLOR"];

/// This program, for a usual terminal. Its stdin and stdout are pipes to here.
pub(crate) fn this_program() -> Command {
    this_program_in(env::current_exe().expect("this program"))
}

/// Another program, which runs this one.
pub(crate) fn this_program_in(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for name in VARIABLES {
        command.env_remove(name);
    }
    command.env("TERM", "xterm").stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// The two sides of a terminal: the one that people see, and that of processes.
pub(crate) fn pseudo_terminal(size: (u16, u16)) -> (File, OwnedFd) {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    fcntl_setfd(&controller, FdFlags::CLOEXEC).expect("its flags");
    grantpt(&controller).expect("its other side");
    unlockpt(&controller).expect("its other side unlocked");
    let name = ptsname(&controller, Vec::new()).expect("its name");
    let name = name.into_string().expect("its name in UTF-8");
    let theirs = File::options().read(true).write(true).open(name).expect("its other side");
    let theirs = OwnedFd::from(theirs);
    resize(&theirs, size);
    (controller.into(), theirs)
}

/// Gives a terminal a size, by either side.
pub(crate) fn resize(terminal: &impl AsFd, (columns, rows): (u16, u16)) {
    let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).expect("its size");
}

/// The signal of Ctrl-C, or that of `kill` where processes are started to ignore
/// the first, as a shell does with those in its background.
pub(crate) fn interrupt() -> Signal {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let int = 1 << (Signal::INT.as_raw() - 1);
    if ignored.is_some_and(|mask| mask & int != 0) { Signal::TERM } else { Signal::INT }
}
