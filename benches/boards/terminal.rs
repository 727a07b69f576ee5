//! This program again, as a process of its own whose stderr is a terminal that
//! nobody sees.

use std::env;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Tells a process which part it plays.
const PART: &str = "ACTIVE_STATUS_BENCH";

/// The part of this process; `None` if it is the first one.
pub(crate) fn part() -> Option<String> {
    env::var(PART).ok()
}

/// Starts a part on a terminal of this size. What the terminal is sent is read
/// from the file.
pub(crate) fn start(part: &str, size: (u16, u16)) -> (Child, File) {
    let (terminal, stderr) = pseudo_terminal(size);
    let child = command(part).stderr(stderr).spawn().expect("a process");
    (child, terminal)
}

/// A part of this program. What it says on stdout is read.
pub(crate) fn command(part: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("this program"));
    for name in ["CI", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "LC_ALL", "LC_CTYPE", "LANG"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm-256color").env(PART, part);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// What a process says on stdout until its end.
pub(crate) fn said(mut child: Child) -> String {
    let mut said = String::new();
    child.stdout.take().expect("its stdout").read_to_string(&mut said).expect("text");
    let status = child.wait().expect("its status");
    assert!(status.success(), "{status}: {said}");
    said
}

/// The two sides of a terminal.
fn pseudo_terminal((columns, rows): (u16, u16)) -> (File, OwnedFd) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&ours).expect("its other side");
    unlockpt(&ours).expect("its other side unlocked");
    let name = ptsname(&ours, Vec::new()).expect("its name");
    let name = name.into_string().expect("its name in UTF-8");
    let theirs = File::options().read(true).write(true).open(name).expect("its other side");
    let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&theirs, size).expect("its size");
    (ours.into(), theirs.into())
}
