//! This program again, as a process of its own whose stderr is a terminal.

use std::env;
use std::fs::File;
use std::io::Read;
use std::process::{Child, Command, Stdio};

use crate::pty::{pseudo_terminal, this_program};

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
    let mut command = this_program();
    command.env("TERM", "xterm-256color").env(PART, part).stdin(Stdio::null());
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
