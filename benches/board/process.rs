//! Child processes: this program again, with a terminal as stderr.

use std::env;
use std::fs::File;
use std::io::Read;
use std::process::{Child, Command, Stdio};

use crate::pty::{pseudo_terminal, this_program};

/// The variable that names the part of a child process.
pub(crate) const PART: &str = "ACTIVE_STATUS_BENCH";

/// Returns the part of this process, or `None` in the parent.
pub(crate) fn part() -> Option<String> {
    env::var(PART).ok()
}

/// Starts a part on a terminal of the given size, and returns the file that reads its
/// output.
pub(crate) fn start(part: &str, size: (u16, u16)) -> (Child, File) {
    let (terminal, stderr) = pseudo_terminal(size);
    let child = command(part).stderr(stderr).spawn().expect("a process");
    (child, terminal)
}

/// Returns the command of a part. Its stdout is piped.
pub(crate) fn command(part: &str) -> Command {
    let mut command = this_program();
    command.env("RUST_BACKTRACE", "1");
    command.env("TERM", "xterm-256color").env(PART, part).stdin(Stdio::null());
    command
}

/// Makes this process the leader of a session on the terminal that is its stderr, if its
/// command says so. Such a process is in the foreground.
pub(crate) fn lead_session() {
    if env::var_os(SESSION).is_some() {
        rustix::process::setsid().expect("a session");
        rustix::process::ioctl_tiocsctty(std::io::stderr()).expect("its terminal");
    }
}

/// The variable of a process that leads a session.
pub(crate) const SESSION: &str = "ACTIVE_STATUS_SESSION";

/// Returns what a process wrote to stdout.
pub(crate) fn stdout_of(mut child: Child) -> String {
    let mut text = String::new();
    child.stdout.take().expect("its stdout").read_to_string(&mut text).expect("text");
    let status = child.wait().expect("its status");
    assert!(status.success(), "{status}: {text}");
    text
}
