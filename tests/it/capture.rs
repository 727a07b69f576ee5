//! Captured and redirected output, on a pseudo-terminal that is the stdout and stderr
//! of a child process.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use active_status::capture::{Capture, redirect_output, with_output_redirected};
use active_status::{OpenBoard, board, console};

use crate::harness::classic_auto;
use crate::pty::{pseudo_terminal, this_program};
use crate::snapshot::snapshot;
use crate::support::within_a_minute;
use crate::terminal::{PART, screen};

const SIZE: (u16, u16) = (60, 20);

/// The variable with the base path of a child's files.
const BASE: &str = "ACTIVE_STATUS_BASE";

/// Runs a part in a child process, which has a terminal. It does nothing otherwise.
#[test]
fn child() {
    let Ok(part) = std::env::var(PART) else { return };
    // The harness prints its lines before this one.
    eprintln("start");
    match &*part {
        "print" => print(),
        "library" => library(),
        "process" => process(),
        "terminal" => terminal(),
        "worker panics" => worker_panics(),
        "last worker panics" => last_worker_panics(),
        "main panics" => main_panics(),
        "part of a line" => part_of_a_line(),
        "before the console" => before_the_console(),
        "after the close" => after_the_close(),
        "threads" => threads(),
        "two guards" => two_guards(),
        "survivor" => survivor(),
        "flood" => flood(),
        "suspend" => suspend(),
        "suspend twice" => suspend_twice(),
        "resize" => resized(),
        "rows of a child" => rows_of_a_child(),
        "redirect" => redirect(),
        "redirect in a capture" => redirect_in_a_capture(),
        "redirect and panic" => redirect_and_panic(),
        _ => unreachable!("no such part"),
    }
    std::process::exit(0);
}

#[expect(clippy::print_stdout, reason = "this is captured")]
fn println(line: impl std::fmt::Display) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "this is captured")]
fn eprintln(line: impl std::fmt::Display) {
    eprintln!("{line}");
}

/// A job that outlives its board.
fn open() -> (active_status::Job, OpenBoard) {
    let board = classic_auto().open();
    (board.add_job("row: "), board)
}

fn print() {
    let (job, board) = open();
    let capture = Capture::start(&board).expect("a capture");
    for number in 1..=3 {
        println(format_args!("out {number}"));
        eprintln(format_args!("err {number}"));
    }
    write!(io::stdout(), "a line in ").expect("stdout");
    io::stdout().flush().expect("stdout");
    println("two parts");
    write!(io::stdout(), "without an end").expect("stdout");
    drop(capture);
    job.finish();
    board.shutdown();
    println("not captured");
}

fn library() {
    #[expect(unsafe_code, reason = "C's stdout, which has a separate buffer")]
    mod c {
        use std::ffi::c_int;

        unsafe extern "C" {
            pub(super) safe fn putchar(character: c_int) -> c_int;
        }
    }
    let (_job, board) = open();
    let _capture = Capture::start(&board).expect("a capture");
    b"from C\n".iter().for_each(|&byte| assert_eq!(c::putchar(byte.into()), i32::from(byte)));
    read_stdin();
}

fn shell(script: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).stdin(Stdio::null());
    shell
}

fn process() {
    let (_job, board) = open();
    let capture = Capture::start(&board).expect("a capture");
    println("before");
    let status = shell("echo to stdout; echo to stderr >&2; printf 'no end'").status();
    assert!(status.expect("a shell").success());
    println("after");
    drop(capture);
    board.shutdown();
}

fn terminal() {
    let (_job, board) = open();
    let _capture = Capture::start(&board).expect("a capture");
    let script = "test -t 1 && test -t 2 && stty size <&1; printf '1%%\\r2%%\\n'";
    assert!(shell(script).status().expect("a shell").success());
}

fn worker_panics() {
    let (job, board) = open();
    let other = board.add_job("other: ");
    let capture = Capture::start(&board).expect("a capture");
    let worker = thread::Builder::new().name("worker".into());
    let worker = worker.spawn(move || {
        let _job = job;
        panic!("as it does");
    });
    assert!(worker.expect("a thread").join().is_err());
    other.set_text("goes on");
    read_stdin();
    drop(capture);
    board.shutdown();
}

/// The capture ends before the console draws again.
fn last_worker_panics() {
    let (job, board) = open();
    let capture = Capture::start(&board).expect("a capture");
    println("ready");
    read_stdin();
    board.println("drawn");
    let worker = thread::Builder::new().name("worker".into());
    let worker = worker.spawn(move || {
        let _job = job;
        panic!("as it does");
    });
    assert!(worker.expect("a thread").join().is_err());
    drop(capture);
    board.shutdown();
}

fn main_panics() {
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let board = classic_auto().open();
        let _job = board.add_job("row: ");
        let _capture = Capture::start(&board).expect("a capture");
        println("ready");
        read_stdin();
        panic!("as it does");
    }));
    assert!(panicked.is_err());
    println("after the panic");
}

fn part_of_a_line() {
    let (_job, board) = open();
    let _capture = Capture::start(&board).expect("a capture");
    write!(io::stdout(), "Continue? ").expect("stdout");
    io::stdout().flush().expect("stdout");
    read_stdin();
}

fn before_the_console() {
    let (board, events) = board();
    let capture = Capture::start(&board).expect("a capture");
    println("early");
    let running = classic_auto().start(events);
    let _job = board.add_job("row: ");
    println("late");
    drop(capture);
    running.shutdown();
}

fn after_the_close() {
    let (board, events) = board();
    let _capture = Capture::start(&board).expect("a capture");
    let running = classic_auto().start(events);
    let _job = board.add_job("row: ");
    println("open");
    read_stdin();
    running.shutdown();
    println("closed");
    write!(io::stdout(), "the last word").expect("stdout");
}

const THREADS: usize = 4;
const LINES: usize = 500;

fn threads() {
    let (_job, board) = open();
    let _capture = Capture::start(&board).expect("a capture");
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                (0..LINES).for_each(|line| println(format_args!("thread {thread} line {line}")));
            });
        }
    });
}

fn two_guards() {
    let (one, two) = (classic_auto().open(), board());
    let first = Capture::start(&one).expect("a capture");
    println("to the first");
    let second = Capture::start(&two.0).expect("another capture");
    println("to the second");
    drop(first);
    println("still to the second");
    drop(second);
    drop(one);
    println("to the terminal");
    let lines = snapshot(&mut { two.1 });
    println(format_args!("{lines:?}"));
}

fn survivor() {
    let (_job, board) = open();
    let capture = Capture::start(&board).expect("a capture");
    let mut survivor = shell("echo captured; read line; echo \"$line\"");
    let mut survivor = survivor.stdin(Stdio::piped()).spawn().expect("a shell");
    println("also captured");
    read_stdin();
    drop(capture);
    board.shutdown();
    survivor.stdin.take().expect("its stdin").write_all(b"survived\n").expect("a shell");
    assert!(survivor.wait().expect("a shell").success());
    read_stdin();
}

/// A child waits until it sees another size.
fn resized() {
    let (_job, board) = open();
    let _capture = Capture::start(&board).expect("a capture");
    println("ready");
    board.show_elapsed();
    let script = "while test \"$(stty size <&2)\" = '20 60'; do :; done; stty size <&2";
    assert!(shell(script).status().expect("a shell").success());
}

/// A child redraws its two rows twenty times.
fn rows_of_a_child() {
    let (job, board) = open();
    let capture = Capture::start(&board).expect("a capture");
    let script = "printf 'before\\n'; up=; for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do \
        printf \"$up\\033[2Kone $n\\n\\033[2Ktwo $n\\n\"; up='\\033[2A'; done; printf 'after\\n'";
    assert!(shell(script).status().expect("a shell").success());
    drop(capture);
    job.finish();
    board.shutdown();
}

fn suspend() {
    let (job, board) = open();
    let capture = Capture::start(&board).expect("a capture");
    println("captured");
    board.suspend(|| {
        let question = shell("printf 'Continue? '; read answer; echo \"$answer\"");
        { question }.stdin(Stdio::inherit()).status().expect("a shell");
    });
    println("captured again");
    drop(capture);
    job.finish();
    board.shutdown();
}

/// Suspends nested, with a panic, and until the end of the capture and of the board.
fn suspend_twice() {
    let (_job, board) = open();
    let capture = Capture::start(&board).expect("a capture");
    board.suspend(|| {
        eprintln("one");
        console::suspend(|| println("two"));
        eprintln("three");
    });
    println("captured");
    assert!(catch_unwind(|| console::suspend(|| resume_unwind(Box::new("as it does")))).is_err());
    println("captured again");
    drop(capture);
    board.flush();
    console::suspend(|| {
        println("four");
        drop(board);
        println("five");
    });
}

/// Writes more than a terminal accepts while it is not read.
fn flood() {
    let (_job, board) = open();
    let capture = Capture::start(&board).expect("a capture");
    (0..10_000).for_each(|number| println(format_args!("line {number}")));
    drop(capture);
    say("done");
    board.shutdown();
}

/// The base path at which the test expects the files.
fn base() -> PathBuf {
    std::env::var_os(BASE).expect("a base").into()
}

fn redirect() {
    let (_job, board) = open();
    for _ in 0..2 {
        let files = redirect_output(base()).expect("files");
        println("to the file");
        eprintln("to the other file");
        write!(io::stdout(), "without an end").expect("stdout");
        assert!(shell("echo of a process").status().expect("a shell").success());
        drop(files);
    }
    // A console that is opened meanwhile draws on the terminal as well.
    with_output_redirected(base(), || board.println("above the row")).expect("files");
    let late = with_output_redirected(base(), || classic_auto().open()).expect("files");
    drop(board);
    late.println("late");
    drop(late);
    println("to the terminal");
}

fn redirect_in_a_capture() {
    let (_job, board) = open();
    let capture = Capture::start(&board).expect("a capture");
    println("one");
    with_output_redirected(base(), || println("two")).expect("files");
    println("three");
    drop(capture);
}

fn redirect_and_panic() {
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let board = classic_auto().open();
        let _job = board.add_job("row: ");
        let _ = with_output_redirected(base(), || panic!("as it does"));
    }));
    assert!(panicked.is_err());
    println("to the terminal");
}

/// Waits for a byte from the test, or for the end of stdin.
fn read_stdin() {
    let _ = io::stdin().read(&mut [0]);
}

/// Sends a word to the test through stdin, which is a pipe to it in this part.
fn say(word: &str) {
    let words = io::stdin().as_fd().try_clone_to_owned().expect("another descriptor");
    File::from(words).write_all(word.as_bytes()).expect("the test hears");
}

/// A process on a terminal.
struct Scene {
    process: Child,
    terminal: File,
    bytes: String,
}

impl Scene {
    fn start(part: &str) -> Self {
        Self::start_with(part, Stdio::piped())
    }

    fn start_with(part: &str, stdin: impl Into<Stdio>) -> Self {
        let mut command = command(part);
        command.stdin(stdin);
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        let (terminal, theirs) = pseudo_terminal(SIZE);
        command.stdout(theirs.try_clone().expect("another descriptor")).stderr(theirs);
        let process = command.spawn().expect("a process");
        Self { process, terminal, bytes: String::new() }
    }

    /// Reads the terminal until `text` has arrived.
    fn read_until(mut self, text: &str) -> Self {
        while !self.bytes.contains(text) {
            let mut bytes = [0; 4_096];
            let count = self.terminal.read(&mut bytes).expect("more");
            self.bytes += std::str::from_utf8(&bytes[..count]).expect("whole characters");
        }
        self
    }

    /// Sends a byte to the process, which waits for one.
    fn go_on(mut self) -> Self {
        self.process.stdin.as_mut().expect("its stdin").write_all(b"x").expect("a reader");
        self
    }

    /// The bytes until the end of the process.
    fn end_bytes(mut self) -> String {
        drop(self.process.stdin.take());
        let mut bytes = Vec::new();
        // Some systems report an error once the other side is closed.
        let _ = self.terminal.read_to_end(&mut bytes);
        assert!(self.process.wait().expect("its status").success());
        self.bytes + std::str::from_utf8(&bytes).expect("whole characters")
    }

    /// The screen after the end of the process, from `start` on.
    fn end(mut self) -> String {
        drop(self.process.stdin.take());
        let mut bytes = Vec::new();
        // Some systems report an error once the other side is closed.
        let _ = self.terminal.read_to_end(&mut bytes);
        self.bytes += std::str::from_utf8(&bytes).expect("whole characters");
        let screen = screen(&self.bytes, SIZE);
        assert!(self.process.wait().expect("its status").success(), "{screen}");
        screen.split_once("start\n").expect("the start").1.into()
    }
}

fn command(part: &str) -> Command {
    let mut command = this_program();
    command.args(["--exact", "capture::child", "--nocapture"]);
    command.env("RUST_BACKTRACE", "0").env(PART, part);
    command
}

/// The screen after a part that runs on its own.
#[track_caller]
fn played(part: &'static str) -> String {
    within_a_minute(move || Scene::start(part).end())
}

#[test]
fn captured_lines_are_printed_whole_and_in_order() {
    let above = "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\na line in two parts\nwithout an end";
    assert_eq!(played("print"), format!("{above}\nrow: ✔\nnot captured"));
}

#[test]
fn output_of_a_library_is_printed_when_its_line_ends() {
    let screen = within_a_minute(|| Scene::start("library").read_until("from C").end());
    assert_eq!(screen, "from C\nrow: … abandoned");
}

#[test]
fn output_of_processes_is_printed_above_the_rows() {
    let above = "before\nto stdout\nto stderr\nno endafter";
    assert_eq!(played("process"), format!("{above}\nrow: … abandoned"));
}

#[test]
fn writers_see_a_terminal_of_the_same_size() {
    assert_eq!(played("terminal"), "20 60\n2%\nrow: … abandoned");
}

/// The lines of a screen, without the advice in the message of a panic.
fn without_advice(screen: &str) -> Vec<&str> {
    let advice = ["note: run with `RUST_BACKTRACE=1`", "backtrace"];
    let is_advice =
        |line: &str| line.is_empty() || advice.iter().any(|part| line.starts_with(part));
    screen.lines().filter(|line| !is_advice(line)).collect()
}

#[test]
fn the_message_of_a_panic_is_printed_above_the_rows() {
    let screen = within_a_minute(|| Scene::start("worker panics").read_until("goes on").end());
    let mut lines = without_advice(&screen);
    assert!(lines.iter().any(|line| line.contains("thread 'worker'")), "{screen}");
    assert_eq!(lines.pop(), Some("other: goes on … abandoned"));
    lines.retain(|line| !line.contains("thread 'worker'"));
    // The thread ends while its message is being captured.
    lines.sort_unstable();
    assert_eq!(lines, ["as it does", "row: ✘ panicked"]);
}

#[test]
fn a_capture_that_ends_after_a_panic_leaves_no_ghost() {
    let part = "last worker panics";
    let screen = within_a_minute(|| Scene::start(part).read_until("ready").go_on().end());
    let rows = screen.lines().filter(|line| line.starts_with("row:"));
    assert_eq!(rows.collect::<Vec<_>>(), ["row: ✘ panicked"], "{screen}");
}

#[test]
fn a_panic_restores_the_terminal_with_its_message_above() {
    let screen = within_a_minute(|| Scene::start("main panics").read_until("ready").end());
    let lines = without_advice(&screen);
    assert_eq!(lines[0], "ready");
    assert!(lines[1].contains("panicked at"), "{screen}");
    assert_eq!(lines[2..], ["as it does", "row: ✘ panicked", "after the panic"]);
}

#[test]
fn a_partial_line_is_printed_after_a_while() {
    let screen = within_a_minute(|| Scene::start("part of a line").read_until("Continue?").end());
    assert_eq!(screen, "Continue?\nrow: … abandoned");
}

#[test]
fn a_console_opened_later_draws_on_the_terminal() {
    assert_eq!(played("before the console"), "early\nlate\nrow: … abandoned");
}

#[test]
fn output_after_the_close_goes_to_the_terminal() {
    let screen = within_a_minute(|| Scene::start("after the close").read_until("open").end());
    assert_eq!(screen, "open\nrow: … abandoned\nclosed\nthe last word");
}

#[test]
fn lines_of_several_threads_stay_whole_and_in_order() {
    within_a_minute(|| {
        let scene = Scene::start("threads");
        let screen = scene.end();
        for thread in 0..THREADS {
            let own = format!("thread {thread} ");
            let found = screen.lines().filter(|line| line.starts_with(&own));
            assert!(found.eq((0..LINES).map(|line| format!("{own}line {line}"))), "{screen}");
        }
        assert_eq!(screen.lines().count(), THREADS * LINES + 1);
    });
}

#[test]
fn the_newer_of_two_guards_captures_until_its_drop() {
    let lines = r#"["| to the second", "| still to the second"]"#;
    assert_eq!(played("two guards"), format!("to the first\nto the terminal\n{lines}"));
}

#[test]
fn a_process_that_outlives_the_capture_writes_to_the_terminal() {
    let screen = within_a_minute(|| {
        let scene = Scene::start("survivor").read_until("\u{1b}[Kcaptured");
        scene.go_on().read_until("survived").end()
    });
    let mut lines: Vec<&str> = screen.lines().collect();
    lines[..2].sort_unstable();
    assert_eq!(lines, ["also captured", "captured", "row: … abandoned", "survived"]);
}

#[test]
fn an_unread_terminal_does_not_block_printing() {
    within_a_minute(|| {
        let (mut words, theirs) = io::pipe().expect("a pipe");
        let scene = Scene::start_with("flood", theirs);
        // Nothing is read before the work is done.
        words.read_exact(&mut [0; 4]).expect("a word");
        let screen = scene.end();
        let mut lines = screen.lines();
        assert!((0..10_000).all(|number| lines.next() == Some(&format!("line {number}"))));
        assert_eq!(lines.next(), Some("row: … abandoned"));
    });
}

#[test]
fn children_see_a_new_size_of_the_terminal() {
    let shown = within_a_minute(|| {
        let scene = Scene::start("resize").read_until("ready");
        crate::pty::resize(&scene.terminal, (70, 30));
        let bytes = scene.read_until("30 70");
        screen(&bytes.end_bytes(), (70, 30))
    });
    assert!(shown.contains("ready\n30 70\n"), "{shown}");
}

#[test]
fn rows_of_a_child_are_printed_in_their_last_state() {
    assert_eq!(played("rows of a child"), "before\none 20\ntwo 20\nafter\nrow: ✔");
}

#[test]
fn a_prompt_of_a_child_is_on_the_terminal_while_suspended() {
    within_a_minute(|| {
        let mut scene = Scene::start("suspend").read_until("Continue? ");
        let asked = screen(&scene.bytes, SIZE);
        assert!(asked.ends_with("Continue?"), "no rows below: {asked}");
        let stdin = scene.process.stdin.as_mut().expect("its stdin");
        stdin.write_all(b"yes\n").expect("a reader");
        let shown = scene.end();
        let mut lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.pop(), Some("row: ✔"), "{shown}");
        lines.sort_unstable();
        assert_eq!(lines, ["Continue? yes", "captured", "captured again"], "{shown}");
    });
}

#[test]
fn a_capture_goes_on_after_each_suspension() {
    let shown = played("suspend twice");
    assert_eq!(shown, "one\ntwo\nthree\ncaptured\ncaptured again\nfour\nrow: … abandoned\nfive");
}

#[test]
fn a_stdout_other_than_a_terminal_is_not_captured() {
    within_a_minute(|| {
        let (terminal, stderr) = pseudo_terminal(SIZE);
        let process = command("print").stdout(Stdio::piped()).stderr(stderr).spawn();
        let process = process.expect("a process");
        let mut bytes = String::new();
        let _ = { terminal }.read_to_string(&mut bytes);
        let output = process.wait_with_output().expect("its output");
        let stdout = String::from_utf8(output.stdout).expect("text");
        let expected = "out 1\nout 2\nout 3\na line in two parts\nwithout an end";
        assert!(stdout.contains(expected), "{stdout}");
        assert!(screen(&bytes, SIZE).contains("start\nerr 1\nerr 2\nerr 3\nrow: ✔"), "{bytes}");
    });
}

#[test]
fn nothing_is_captured_unless_stderr_is_a_terminal() {
    within_a_minute(|| {
        let (terminal, stdout) = pseudo_terminal(SIZE);
        let process = command("print").stdout(stdout).stderr(Stdio::piped()).spawn();
        let process = process.expect("a process");
        let mut bytes = String::new();
        let _ = { terminal }.read_to_string(&mut bytes);
        let output = process.wait_with_output().expect("its output");
        let stderr = String::from_utf8(output.stderr).expect("text");
        assert!(stderr.starts_with("start\nerr 1\nerr 2\nerr 3\n"), "{stderr}");
        assert!(screen(&bytes, SIZE).contains("out 1\nout 2\nout 3\n"), "{bytes}");
    });
}

/// The screen and the files after a part that writes to files.
#[track_caller]
fn written(part: &'static str) -> (String, String, String) {
    within_a_minute(move || {
        let name = format!("active-status-{}-{part}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let base = folder.join("logs/build");
        let mut command = command(part);
        command.env(BASE, &base);
        let screen = Scene::of(command).end();
        let read = |end| std::fs::read_to_string(with_end(&base, end)).expect("a file");
        let (out, err) = (read(".out"), read(".err"));
        std::fs::remove_dir_all(folder).expect("the folder of the test");
        (screen, out, err)
    })
}

fn with_end(base: &Path, end: &str) -> PathBuf {
    let mut path = base.as_os_str().to_owned();
    path.push(end);
    path.into()
}

#[test]
fn output_is_redirected_while_the_guard_lives() {
    let (screen, out, err) = written("redirect");
    assert_eq!(screen, "above the row\nrow: … abandoned\nlate\nto the terminal");
    assert_eq!(out, "to the file\nof a process\nwithout an end".repeat(2));
    assert_eq!(err, "to the other file\n".repeat(2));
}

#[test]
fn a_capture_resumes_after_a_redirection() {
    let (screen, out, err) = written("redirect in a capture");
    assert_eq!((&*out, &*err), ("two\n", ""));
    assert_eq!(screen, "one\nthree\nrow: … abandoned");
}

#[test]
fn a_panic_ends_a_redirection_with_its_message_in_the_file() {
    let (screen, _, err) = written("redirect and panic");
    assert!(err.contains("as it does"), "{err}");
    assert_eq!(screen, "row: ✘ panicked\nto the terminal");
}
