//! The console on a real terminal: a pseudo-terminal that a process of its own
//! has for stderr.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};

use active_status::{Console, LiveBoard};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::within_a_minute;

/// Tells a process which part to play; `child` is the test that plays it.
pub(crate) const PART: &str = "ACTIVE_STATUS_PART";

/// The part of another process, which has a terminal. Here it does nothing.
#[test]
fn child() {
    let board = || Console::auto().open();
    match std::env::var(PART).as_deref() {
        Ok("copy") => copy(board()),
        Ok("wide") => wide(board()),
        Ok("flood") => flood(board()),
        Ok("wait") => wait(board()),
        _ => return,
    }
    std::process::exit(0);
}

fn copy(board: LiveBoard) {
    let job = board.add_job("copy: ");
    job.set_text("a.txt");
    job.fail("no space");
    board.shutdown();
    say("done");
}

fn wide(board: LiveBoard) {
    let job = board.add_job("copy: ");
    job.set_text("a name that is longer than the screen is wide");
    say("ready");
    let _ = io::stdin().read(&mut [0]);
    board.shutdown();
}

/// More than a terminal takes before somebody reads.
fn flood(board: LiveBoard) {
    let job = board.add_job("flood: ");
    for number in 0..10_000 {
        board.println(format_args!("line {number}"));
        job.set_text(number);
    }
    say("done");
    board.shutdown();
}

/// Waits for ever, or for the end of stdin.
fn wait(board: LiveBoard) {
    let _job = board.add_job("wait: ");
    let _ = io::stdin().read(&mut [0]);
}

/// Tells the test, on stdout.
#[expect(clippy::print_stdout, reason = "the way to the test")]
fn say(word: &str) {
    println!("\n{word}");
}

/// A process whose stderr is a terminal.
struct Scene {
    process: Child,
    words: BufReader<std::process::ChildStdout>,
    terminal: File,
}

impl Scene {
    /// Starts a part on a terminal of this size, with these variables.
    fn start(part: &str, size: (u16, u16), variables: &[(&str, &str)]) -> Self {
        let (terminal, stderr) = pseudo_terminal(size);
        let mut process = command(part, variables);
        let mut process = process.stderr(stderr).spawn().expect("a process");
        let words = BufReader::new(process.stdout.take().expect("its stdout"));
        Self { process, words, terminal }
    }

    /// Waits for a word on stdout.
    fn hear(&mut self, word: &str) {
        let heard = self.words.by_ref().lines().map(|line| line.expect("a line"));
        assert!(heard.into_iter().any(|line| line == word), "it did not say {word:?}");
    }

    /// Reads the terminal until this comes.
    fn read_until(&mut self, text: &str) -> String {
        let mut seen = String::new();
        while !seen.contains(text) {
            let mut bytes = [0; 4_096];
            let count = self.terminal.read(&mut bytes).expect("more");
            seen += std::str::from_utf8(&bytes[..count]).expect("ASCII");
        }
        seen
    }

    /// What the terminal was sent until the end of the process.
    fn end(mut self) -> (ExitStatus, String) {
        drop(self.process.stdin.take());
        let mut bytes = Vec::new();
        // A terminal whose other side is closed gives an error on some systems.
        let _ = self.terminal.read_to_end(&mut bytes);
        let status = self.process.wait().expect("its status");
        (status, String::from_utf8(bytes).expect("whole characters"))
    }
}

fn command(part: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "terminal::child", "--nocapture"]);
    let colours = ["CI", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"];
    for name in colours.into_iter().chain(["LC_ALL", "LC_CTYPE", "LANG"]) {
        command.env_remove(name);
    }
    command.env("TERM", "xterm").env(PART, part).envs(variables.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// The two sides of a terminal.
pub(crate) fn pseudo_terminal((columns, rows): (u16, u16)) -> (File, OwnedFd) {
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

/// What is on a screen of this size after these bytes.
pub(crate) fn screen(bytes: &str, (columns, rows): (u16, u16)) -> String {
    let mut terminal = avt::Terminal::with_scrollback(columns.into(), rows.into(), None).unwrap();
    terminal.feed(bytes);
    terminal.screen().text().join("\n").trim_end().to_string()
}

/// The bytes that the part `copy` sends.
fn copied(variables: &'static [(&str, &str)]) -> String {
    within_a_minute(|| {
        let (status, bytes) = Scene::start("copy", (40, 10), variables).end();
        assert!(status.success());
        bytes
    })
}

#[test]
fn on_a_terminal_the_board_is_live_and_coloured() {
    let bytes = copied(&[]);
    assert_eq!(screen(&bytes, (40, 10)), "copy: a.txt ✘ no space");
    assert!(bytes.contains("\u{1b}[?2026h") && bytes.contains("\u{1b}[31m"), "{bytes:?}");
}

#[test]
fn without_colour_the_board_is_still_live() {
    let bytes = copied(&[("NO_COLOR", "1")]);
    assert_eq!(screen(&bytes, (40, 10)), "copy: a.txt ✘ no space");
    assert!(bytes.contains("\u{1b}[?2026h") && !bytes.contains("\u{1b}[31m"), "{bytes:?}");
}

#[test]
fn in_a_locale_that_is_not_utf_8_the_board_is_in_ascii() {
    let bytes = copied(&[("LC_ALL", "C")]);
    assert_eq!(screen(&bytes, (40, 10)), "copy: a.txt x no space");
}

#[test]
fn on_a_dumb_terminal_in_ci_and_if_lines_are_to_stay_the_board_is_plain() {
    for variables in [&[("TERM", "dumb")], &[("CI", "true")], &[("ACCESSIBLE", "1")]] {
        let bytes = copied(variables);
        assert!(!bytes.contains('\u{1b}'), "{variables:?}: {bytes:?}");
        assert!(bytes.contains("copy: a.txt (failed after 0s): no space\r\n"), "{bytes:?}");
    }
}

#[test]
fn the_terminal_is_asked_for_its_size() {
    within_a_minute(|| {
        let mut scene = Scene::start("wide", (20, 5), &[]);
        scene.hear("ready");
        let bytes = scene.read_until("\u{1b}[?2026l");
        assert_eq!(screen(&bytes, (20, 5)), "copy: a name that …");
        assert!(scene.end().0.success());
    });
}

#[test]
fn a_terminal_that_nobody_reads_keeps_no_worker_waiting() {
    within_a_minute(|| {
        let mut scene = Scene::start("flood", (40, 10), &[]);
        // Not a byte is read until the work is done.
        scene.hear("done");
        let (status, bytes) = scene.end();
        assert!(status.success());
        let screen = screen(&bytes, (40, 10));
        let mut lines = screen.lines();
        assert!((0..10_000).all(|number| lines.next() == Some(&format!("line {number}"))));
        assert_eq!(lines.next(), Some("flood: 9999 … abandoned"));
    });
}

/// The signal of Ctrl-C, or that of `kill` where processes are started to ignore
/// the first, as a shell does with those in its background.
fn interrupt() -> Signal {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let int = 1 << (Signal::INT.as_raw() - 1);
    if ignored.is_some_and(|mask| mask & int != 0) { Signal::TERM } else { Signal::INT }
}

#[test]
fn an_interrupt_leaves_the_terminal_as_it_was() {
    within_a_minute(|| {
        let mut scene = Scene::start("wait", (40, 10), &[]);
        let mut bytes = scene.read_until("\u{1b}[?2026l");
        let signal = interrupt();
        kill_process(Pid::from_child(&scene.process), signal).expect("a process to end");
        let (status, rest) = scene.end();
        bytes += &rest;
        assert_eq!(status.signal(), Some(signal.as_raw()));
        assert_eq!(screen(&bytes, (40, 10)), "wait:");
        let times = |sequence| bytes.matches(sequence).count();
        assert_eq!(times("\u{1b}[?25l"), 0, "the cursor was hidden");
        assert_eq!(times("\u{1b}[?7l"), times("\u{1b}[?7h"), "lines do not wrap");
        assert!(bytes.rfind("\u{1b}[0m") > bytes.rfind("\u{1b}[1m"), "text stays bold");
    });
}

#[test]
fn a_stderr_that_nobody_reads_any_more_does_not_stop_the_work() {
    within_a_minute(|| {
        let (reader, stderr) = io::pipe().expect("a pipe");
        drop(reader);
        let output = command("copy", &[]).stderr(stderr).output().expect("a process");
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains("done"));
    });
}

#[test]
fn a_stderr_that_is_closed_does_not_stop_the_work() {
    within_a_minute(|| {
        let program = std::env::current_exe().expect("this program");
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec \"$0\" --exact terminal::child --nocapture 2>&-"]).arg(program);
        let output = shell.env(PART, "copy").output().expect("a shell");
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains("done"));
    });
}
