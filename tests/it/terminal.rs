//! Consoles on a real terminal: a pseudo-terminal that is the stderr of a child
//! process.

use std::fs::{self, File};
use std::future::pending;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::panic::{self, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use active_status::{Console, Job, JobOptions, OpenBoard, board, console};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use rustix::termios::{LocalModes, tcgetattr};
use smol::Timer;

use crate::harness::classic_auto;
use crate::pty::{self, interrupt, pseudo_terminal, this_program};
use crate::support::within_a_minute;

/// The variable that selects the part of a child process, run by the test `child`.
pub(crate) const PART: &str = "ACTIVE_STATUS_PART";

/// The variable with the script of a shell.
const SCRIPT: &str = "ACTIVE_STATUS_SCRIPT";

/// The variable that selects the part of a job of a shell. In the shell it is the command.
const JOB: &str = "ACTIVE_STATUS_JOB";

/// The variable with the path of the socket of a test.
const SOCKET: &str = "ACTIVE_STATUS_SOCKET";

/// The prompt of a shell.
const PROMPT: &str = "prompt> ";

/// Runs a part in a child process, which has a terminal. It does nothing otherwise.
#[test]
fn child() {
    let board = || classic_auto().open();
    match std::env::var(PART).as_deref() {
        Ok("copy") => copy(Console::auto().open()),
        Ok("copy on stdout") => copy(Console::auto().stdout().open()),
        Ok("wide") => wide(board()),
        Ok("flood") => flood(board()),
        Ok("wait") => wait(board()),
        Ok("count") => count(board()),
        Ok("huge") => huge(board()),
        Ok("worker panics") => worker_panics(board()),
        Ok("main panics") => main_panics(),
        Ok("session") => session(),
        Ok("background") => background(board()),
        Ok("job control") => job_control(board()),
        Ok("job control without echo") => job_control(classic_auto().echo(false).open()),
        Ok("two boards") => two_boards(board()),
        Ok("stray output") => stray_output(board()),
        Ok("suspend") => suspend(board()),
        Ok("suspend a future") => suspend_a_future(),
        Ok("end in a suspension") => end_in_a_suspension(board()),
        Ok("end in a suspended future") => end_in_a_suspended_future(board()),
        Ok("drop a suspended future") => drop_a_suspended_future(board()),
        Ok("end in a panic hook") => end_in_a_panic_hook(),
        Ok("abort in a panic hook") => abort_in_a_panic_hook(),
        Ok("close while suspended") => close_while_suspended(board()),
        Ok("suspend on two threads") => suspend_on_two_threads(&board()),
        Ok("without echo") => without_echo(),
        Ok("exit without echo") => exit_without_echo(),
        Ok("panic without echo") => panic_without_echo(),
        Ok("exit") => exit(&board()),
        Ok("a thread") => on_a_thread(board()),
        Ok("an executor") => on_an_executor(),
        _ => return,
    }
    std::process::exit(0);
}

fn copy(board: OpenBoard) {
    let job = board.add_job("copy: ");
    job.set_text("a.txt");
    job.fail("no space");
    board.shutdown();
    say("done");
}

fn wide(board: OpenBoard) {
    let job = board.add_job("copy: ");
    job.set_text("a name that is longer than the screen is wide");
    say("ready");
    let _ = io::stdin().read(&mut [0]);
    board.shutdown();
}

/// Writes more than a terminal accepts while it is not read.
fn flood(board: OpenBoard) {
    let job = board.add_job("flood: ");
    for number in 0..10_000 {
        board.println(format_args!("line {number}"));
        job.set_text(number);
    }
    say("done");
    board.shutdown();
}

/// Waits until stdin ends.
fn wait(board: OpenBoard) {
    let _job = board.add_job("wait: ");
    let _ = io::stdin().read(&mut [0]);
}

/// Shows the number of bytes from stdin in each row, and then prints it.
fn count(board: OpenBoard) {
    let jobs: Vec<_> = (1..=4).map(|number| board.add_job(format!("job {number}: "))).collect();
    (1..=20).for_each(|number| board.println(format_args!("line {number}")));
    for number in (21..).take_while(|_| matches!(io::stdin().read(&mut [0]), Ok(1))) {
        jobs.iter().for_each(|job| job.set_text(format_args!("{number} and something more")));
        board.println(format_args!("line {number}"));
    }
    jobs.iter().for_each(Job::finish);
}

/// Ten megabytes in one update.
fn huge(board: OpenBoard) {
    let job = board.add_job("read: ");
    job.set_text("ten megabytes ".repeat(10 << 16));
    job.finish();
}

fn worker_panics(board: OpenBoard) {
    let _others = ["one: ", "two: "].map(|prefix| board.add_job(prefix));
    let job = board.add_job("job: ");
    let worker = thread::spawn(move || {
        job.set_text("starts");
        panic!("as it does");
    });
    assert!(worker.join().is_err());
    board.shutdown();
}

fn main_panics() {
    let panicked = catch_unwind(|| {
        let board = classic_auto().open();
        let _job = board.add_job("job: ");
        board.println("a line");
        panic!("as it does");
    });
    assert!(panicked.is_err());
}

/// Becomes a shell that runs a script in a session on the terminal, or the commands that are
/// typed on it. The part of its jobs is another.
fn session() {
    rustix::process::setsid().expect("a session");
    rustix::process::ioctl_tiocsctty(io::stderr()).expect("its terminal");
    let typed = || io::stderr().as_fd().try_clone_to_owned().expect("the terminal");
    let mut shell = Command::new("sh");
    match std::env::var(SCRIPT) {
        Ok(script) => shell.args(["-c", &script]),
        Err(_) => shell.arg("-i").stdin(typed()),
    };
    let part = std::env::var(JOB).expect("a part");
    let job = format!("'{}' --exact terminal::child --nocapture", this_file());
    panic!("{}", shell.env(PART, part).env(JOB, job).env("PS1", PROMPT).exec());
}

/// The path of this program.
fn this_file() -> String {
    let program = std::env::current_exe().expect("this program");
    program.into_os_string().into_string().expect("a name in UTF-8")
}

/// Shows a row, and for each byte of the test another text and a line, also behind a shell.
fn job_control(board: OpenBoard) {
    let mut test = UnixStream::connect(std::env::var_os(SOCKET).expect("a path")).expect("a test");
    let job = board.add_job("job: ");
    board.flush();
    let mut number = [0];
    while test.read(&mut number).is_ok_and(|count| count == 1) {
        job.set_text(format_args!("text {}", number[0]));
        board.println(format_args!("line {}", number[0]));
        board.flush();
        test.write_all(&number).expect("a test");
    }
    job.finish();
    board.shutdown();
}

/// Updates its row for each line of stdin, then prints two lines.
fn background(board: OpenBoard) {
    let job = board.add_job("job: ");
    let count = io::stdin().lines().inspect(|_| job.tick()).count();
    job.clear_progress();
    job.set_text(count);
    (0..2).for_each(|number| board.println(format_args!("line {number}")));
    job.finish();
    board.shutdown();
    say("done");
}

/// Shows a row without echo, then waits to be killed or to end.
fn without_echo() {
    let board = classic_auto().echo(false).open();
    let _job = board.add_job("job: ");
    board.flush();
    say("ready");
    read_byte();
    board.suspend(|| {
        say("suspended");
        read_byte();
    });
    say("resumed");
    read_byte();
}

fn exit_without_echo() {
    let board = classic_auto().echo(false).open();
    let _job = board.add_job("job: ");
    board.flush();
    say("ready");
    read_byte();
    std::process::exit(0);
}

fn panic_without_echo() {
    let panicked = catch_unwind(|| {
        let board = classic_auto().echo(false).open();
        let _job = board.add_job("job: ");
        board.flush();
        say("ready");
        read_byte();
        panic!("as it does");
    });
    assert!(panicked.is_err());
    say("caught");
    read_byte();
}

/// Exits right after a message.
fn exit(board: &OpenBoard) {
    let _job = board.add_job("job: ");
    board.println("error: no such file");
    board.flush();
    std::process::exit(0);
}

fn read_byte() {
    let _ = io::stdin().read(&mut [0]);
}

/// The second board comes and goes while the first is shown.
fn two_boards(first: OpenBoard) {
    let one = first.add_job("one: ");
    read_byte();
    let second = classic_auto().open();
    let two = second.add_job("two: ");
    two.finish();
    second.println("of the second");
    second.shutdown();
    one.finish();
    first.shutdown();
}

/// Prints lines while a board draws rows, as with `eprintln!`.
fn stray_output(board: OpenBoard) {
    let job = board.add_job("copy: ");
    board.flush();
    for number in 1..=3 {
        let _ = writeln!(io::stderr(), "stray {number}");
        job.set_text(number);
        board.flush();
    }
    job.finish();
    board.shutdown();
}

/// Asks a question, nested and with a panic, while its job goes on.
fn suspend(board: OpenBoard) {
    let job = board.add_job("job: ");
    read_byte();
    board.suspend(|| {
        let _ = write!(io::stderr(), "Continue? ");
        read_byte();
        board.println("meanwhile");
        job.set_text("goes on");
        console::suspend(|| {
            let _ = writeln!(io::stderr(), "yes");
        });
    });
    read_byte();
    assert!(catch_unwind(|| console::suspend(|| resume_unwind(Box::new("as it does")))).is_err());
    job.finish();
    board.shutdown();
}

fn suspend_a_future() {
    let (board, events) = board();
    let work = async move {
        let job = board.add_job("job: ");
        smol::unblock(read_byte).await;
        console::suspend_async(async {
            let _ = write!(io::stderr(), "Continue? ");
            smol::unblock(read_byte).await;
            board.println("meanwhile");
            job.set_text("goes on");
            let _ = writeln!(io::stderr(), "yes");
        })
        .await;
        smol::unblock(read_byte).await;
        job.finish();
    };
    smol::block_on(classic_auto().run_while(events, Timer::after, work));
}

/// Answers a question, and ends the board before the suspension.
fn end_in_a_suspension(board: OpenBoard) {
    let _job = board.add_job("job: ");
    board.flush();
    console::suspend(|| {
        let _ = writeln!(io::stderr(), "Continue? no");
        board.shutdown();
        let _ = writeln!(io::stderr(), "stopped");
    });
}

fn end_in_a_suspended_future(board: OpenBoard) {
    let _job = board.add_job("job: ");
    board.flush();
    smol::block_on(console::suspend_async(async {
        let _ = writeln!(io::stderr(), "Continue? no");
        smol::future::yield_now().await;
        board.shutdown();
        let _ = writeln!(io::stderr(), "stopped");
    }));
}

/// The board belongs to a future that is dropped while it is suspended.
fn drop_a_suspended_future(board: OpenBoard) {
    let _job = board.add_job("job: ");
    board.flush();
    let question = console::suspend_async(async move {
        let _board = board;
        let _ = writeln!(io::stderr(), "Continue? no");
        pending::<()>().await;
    });
    assert_eq!(smol::block_on(smol::future::poll_once(question)), None);
    let _ = writeln!(io::stderr(), "stopped");
}

/// A hook that was installed before the console shuts the board down.
fn end_in_a_panic_hook() {
    static BOARD: Mutex<Option<OpenBoard>> = Mutex::new(None);
    panic::set_hook(Box::new(|_| {
        let _ = writeln!(io::stderr(), "Continue? no");
        drop(BOARD.lock().expect("no panics").take());
        let _ = writeln!(io::stderr(), "stopped");
    }));
    let board = classic_auto().open();
    let _job = board.add_job("job: ");
    board.flush();
    *BOARD.lock().expect("no panics") = Some(board);
    assert!(thread::spawn(|| panic!("as it does")).join().is_err());
}

/// What a panic does in a program that aborts, while other threads update the board.
fn abort_in_a_panic_hook() {
    panic::set_hook(Box::new(|panic| {
        let _ = writeln!(io::stderr(), "{panic}");
        std::process::abort();
    }));
    let board = classic_auto().open();
    let job = board.add_job(JobOptions::from("job: ").total(9));
    board.flush();
    thread::spawn(move || {
        for number in 0.. {
            job.set_text(number);
            thread::yield_now();
        }
    });
    panic!("as it does");
}

/// Another thread shuts the board down while a question is asked.
fn close_while_suspended(board: OpenBoard) {
    let _job = board.add_job("job: ");
    board.flush();
    let closing = console::suspend(|| {
        let _ = write!(io::stderr(), "Continue? ");
        board.close();
        let closing = thread::spawn(|| board.shutdown());
        read_byte();
        let _ = writeln!(io::stderr(), "no");
        closing
    });
    closing.join().expect("no panic");
    let _ = writeln!(io::stderr(), "stopped");
}

/// The suspensions of two threads overlap, and the board is flushed in between.
fn suspend_on_two_threads(board: &OpenBoard) {
    let job = board.add_job("job: ");
    board.flush();
    let barrier = &Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            console::suspend(|| barrier.wait());
            job.set_text("goes on");
            board.flush();
            barrier.wait();
        });
        console::suspend(|| {
            barrier.wait();
            let _ = write!(io::stderr(), "Continue? ");
            barrier.wait();
            let _ = writeln!(io::stderr(), "yes");
        });
    });
    job.finish();
}

/// Draws every second until stdin ends.
fn on_a_thread(board: OpenBoard) {
    board.show_elapsed();
    let _ = io::stdin().read(&mut [0]);
}

fn on_an_executor() {
    let (board, events) = board();
    board.show_elapsed();
    let work = smol::unblock(|| io::stdin().read(&mut [0]));
    let _ = smol::block_on(classic_auto().run_while(events, Timer::after, work));
}

/// Prints a word on stdout, for the test.
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
    /// Starts a part on a terminal of the given size, with the given variables.
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

    /// Reads the terminal up to and including `text`.
    fn read_until(&mut self, text: &str) -> String {
        let mut seen = Vec::new();
        while !seen.ends_with(text.as_bytes()) {
            let mut byte = [0];
            self.terminal.read_exact(&mut byte).expect("more");
            seen.extend(byte);
        }
        String::from_utf8(seen).expect("whole characters")
    }

    /// The status of the process, and everything it wrote to the terminal until then.
    fn end(mut self) -> (ExitStatus, String) {
        drop(self.process.stdin.take());
        let mut bytes = Vec::new();
        // Some systems report an error once the other side is closed.
        let _ = self.terminal.read_to_end(&mut bytes);
        let status = self.process.wait().expect("its status");
        (status, String::from_utf8(bytes).expect("whole characters"))
    }
}

fn command(part: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = this_program();
    command.args(["--exact", "terminal::child", "--nocapture"]);
    command.env(PART, part).envs(variables.iter().copied());
    command
}

/// The text on a screen of the given size after `bytes`.
pub(crate) fn screen(bytes: &str, (columns, rows): (u16, u16)) -> String {
    let mut terminal = avt::Terminal::with_scrollback(columns.into(), rows.into(), None).unwrap();
    terminal.feed(bytes);
    terminal.screen().text().join("\n").trim_end().to_string()
}

/// The bytes that the part `copy` writes.
fn copied(variables: &'static [(&str, &str)]) -> String {
    within_a_minute(|| {
        let (status, bytes) = Scene::start("copy", (40, 10), variables).end();
        assert!(status.success());
        bytes
    })
}

// Rule 22
#[test]
fn on_a_terminal_the_board_is_live_and_colored() {
    let bytes = copied(&[]);
    assert_eq!(screen(&bytes, (40, 10)), "✗ copy  a.txt  no space");
    assert!(bytes.contains("\u{1b}[?2026h") && bytes.contains("\u{1b}[31m"), "{bytes:?}");
}

// Rule 22
#[test]
fn standard_output_may_be_the_terminal_of_the_board() {
    let (bytes, errors) = within_a_minute(|| {
        let (mut terminal, stdout) = pseudo_terminal((40, 10));
        let mut command = command("copy on stdout", &[]);
        let process = command.stdout(stdout).stderr(Stdio::piped()).spawn().expect("a process");
        // It holds the other side of the terminal.
        drop(command);
        let mut bytes = Vec::new();
        // Some systems report an error once the other side is closed.
        let _ = terminal.read_to_end(&mut bytes);
        let output = process.wait_with_output().expect("its output");
        assert!(output.status.success());
        (String::from_utf8(bytes).expect("text"), output.stderr)
    });
    let screen = screen(&bytes, (40, 10));
    assert!(screen.contains("✗ copy  a.txt  no space"), "{screen}");
    assert!(bytes.contains("\u{1b}[?2026h") && errors.is_empty(), "{bytes:?}");
}

// Rule 22
#[test]
fn without_color_the_board_is_still_live() {
    let bytes = copied(&[("NO_COLOR", "1")]);
    assert_eq!(screen(&bytes, (40, 10)), "✗ copy  a.txt  no space");
    assert!(bytes.contains("\u{1b}[?2026h") && !bytes.contains("\u{1b}[31m"), "{bytes:?}");
}

#[test]
fn in_a_locale_that_is_not_utf_8_the_board_is_in_ascii() {
    let bytes = copied(&[("LC_ALL", "C")]);
    assert_eq!(screen(&bytes, (40, 10)), "x copy  a.txt  no space");
}

// Rule 22
#[test]
fn a_dumb_terminal_ci_and_accessible_make_the_board_plain() {
    for variables in [&[("TERM", "dumb")], &[("CI", "true")], &[("ACCESSIBLE", "1")]] {
        let bytes = copied(variables);
        assert!(!bytes.contains('\u{1b}'), "{variables:?}: {bytes:?}");
        assert!(bytes.contains("copy: a.txt (failed): no space\r\n"), "{bytes:?}");
    }
}

#[test]
fn the_size_of_the_terminal_is_used() {
    within_a_minute(|| {
        let mut scene = Scene::start("wide", (20, 5), &[]);
        scene.hear("ready");
        // The first frame may be drawn before the job has its text.
        let bytes = scene.read_until("a name") + &scene.read_until("\u{1b}[?2026l");
        assert_eq!(screen(&bytes, (20, 5)), "copy: a name that …");
        assert!(scene.end().0.success());
    });
}

// Rule 19
#[test]
fn an_unread_terminal_blocks_no_worker() {
    within_a_minute(|| {
        let mut scene = Scene::start("flood", (40, 10), &[]);
        // Nothing is read before the work is done.
        scene.hear("done");
        let (status, bytes) = scene.end();
        assert!(status.success());
        let screen = screen(&bytes, (40, 10));
        let mut lines = screen.lines();
        assert!((0..10_000).all(|number| lines.next() == Some(&format!("line {number}"))));
        assert_eq!(lines.next(), Some("flood: 9999 … abandoned"));
    });
}

// Rules 16, 21
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
        assert!(bytes.rfind("\u{1b}[m") > bytes.rfind("\u{1b}[1m"), "text stays bold");
    });
}

// Rule 18
#[test]
fn a_resized_terminal_shows_each_row_once() {
    within_a_minute(|| {
        let mut scene = Scene::start("count", (60, 20), &[]);
        let mut terminal = avt::Terminal::with_scrollback(60, 20, None).unwrap();
        let sizes = [(30, 20), (12, 20), (90, 20), (20, 20), (14, 24), (60, 20)];
        for (number, (columns, rows)) in (21..).zip(sizes) {
            pty::resize(&scene.terminal, (columns, rows));
            terminal.resize(columns.into(), rows.into());
            let stdin = scene.process.stdin.as_mut().expect("its stdin");
            stdin.write_all(b"x").expect("a reader");
            terminal.feed(scene.read_until(&format!("line {number}")).as_str());
            terminal.feed(scene.read_until("\u{1b}[?2026l").as_str());
        }
        terminal.feed(scene.end().1.as_str());
        let lines = (1..=26).map(|number| format!("line {number}"));
        let rows = (1..=4).map(|job| format!("job {job}: 26 and something more ✔"));
        let lines: Vec<String> = lines.chain(rows).collect();
        assert_eq!(terminal.screen().text().join("\n").trim_end(), lines.join("\n"));
    });
}

#[test]
fn a_terminal_of_one_cell_shows_each_line_once() {
    within_a_minute(|| {
        let (status, bytes) = Scene::start("copy", (1, 1), &[]).end();
        assert!(status.success());
        assert_eq!(screen(&bytes, (1, 1)), "✗ copy  a.txt\n    no space");
    });
}

#[test]
fn ten_megabytes_in_one_update_are_one_row() {
    within_a_minute(|| {
        let (status, bytes) = Scene::start("huge", (40, 10), &[]).end();
        assert!(status.success());
        assert_eq!(screen(&bytes, (40, 10)), "read: ten megabytes ten megabytes te… ✔");
        assert!(bytes.len() < 1_000, "{} bytes", bytes.len());
    });
}

#[test]
fn a_vanished_terminal_does_not_stop_the_work() {
    within_a_minute(|| {
        let mut scene = Scene::start("count", (40, 10), &[]);
        scene.read_until("\u{1b}[?2026l");
        let Scene { mut process, terminal, .. } = scene;
        drop(terminal);
        let mut stdin = process.stdin.take().expect("its stdin");
        (0..100).for_each(|_| stdin.write_all(b"x").expect("a reader"));
        drop(stdin);
        assert!(process.wait().expect("its status").success());
    });
}

/// The screen after a part that panics with a backtrace, and the bytes.
fn after_a_panic(part: &str) -> (String, String) {
    let variables = [("RUST_BACKTRACE", "1"), ("RUST_LIB_BACKTRACE", "0")];
    let (status, bytes) = Scene::start(part, (100, 20), &variables).end();
    assert!(status.success());
    (screen(&bytes, (100, 20)), bytes)
}

// Rule 21
#[test]
fn the_message_of_a_panic_is_whole_and_above_the_next_frame() {
    within_a_minute(|| {
        for part in ["worker panics", "main panics"].repeat(3) {
            let (screen, bytes) = after_a_panic(part);
            let message = screen.split_once("panicked at").expect(&screen).1;
            let (message, rows) = message.split_once("note: Some details").expect(&screen);
            assert!(message.contains("\nas it does\n"), "{screen}");
            let frames = message.lines().filter_map(|line| line.trim_start().split_once(": "));
            let numbers = frames.filter_map(|(number, _)| number.parse::<usize>().ok());
            let numbers: Vec<usize> = numbers.collect();
            assert!(numbers.len() > 2 && numbers.iter().copied().eq(0..numbers.len()), "{screen}");
            assert_eq!(rows.matches("job: ").count(), 1, "{screen}");
            assert_eq!(screen.matches("job: ").count(), 1, "no copy above: {screen}\n{bytes:?}");
        }
    });
}

/// Whether no thread of a process is running, as far as the system reports it.
fn is_asleep(process: Pid) -> bool {
    let tasks = fs::read_dir(format!("/proc/{}/task", process.as_raw_pid()));
    tasks.into_iter().flatten().flatten().all(|task| {
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        stat.rsplit(')').next().is_none_or(|rest| !rest.starts_with(" R"))
    })
}

/// The screen after a process was stopped for some seconds, as by Ctrl-Z, while
/// another one wrote `shell`, and has drawn again.
fn after_a_stop(part: &str, variables: &[(&str, &str)], shell: &str) -> String {
    let mut scene = Scene::start(part, (40, 10), variables);
    let mut bytes = scene.read_until("\u{1b}[?2026l");
    let process = Pid::from_child(&scene.process);
    // A stop during a write looks like a stalled terminal.
    while !is_asleep(process) {
        thread::yield_now();
    }
    kill_process(process, Signal::STOP).expect("a process to stop");
    let stopped = waitpid(Some(process), WaitOptions::UNTRACED).expect("a child");
    assert!(stopped.expect("a status").1.stopped());
    let (sender, frames) = mpsc::channel();
    let reader = thread::spawn(move || {
        // Frames written before the stop arrive first.
        for _ in 0..2 {
            let frame = scene.read_until("\u{1b}[?2026l");
            let _ = sender.send(frame);
        }
        scene
    });
    // A stopped process writes nothing; earlier frames may still arrive.
    while let Ok(frame) = frames.recv_timeout(Duration::from_secs(4)) {
        bytes += &frame;
    }
    bytes += shell;
    kill_process(process, Signal::CONT).expect("a process to go on");
    bytes += &frames.iter().collect::<String>();
    let scene = reader.join().expect("frames");
    bytes += &scene.end().1;
    screen(&bytes, (40, 10))
}

#[test]
fn after_a_stop_the_board_continues_below_the_shell() {
    within_a_minute(|| {
        let parts = ["a thread", "an executor"];
        let after = |part| after_a_stop(part, &[], "$ fg\r\n");
        let scenes = parts.map(|part| thread::spawn(move || after(part)));
        for (part, scene) in parts.iter().zip(scenes) {
            let screen = scene.join().expect("a screen");
            let lines: Vec<&str> = screen.lines().collect();
            assert_eq!(lines.len(), 3, "{part}: {screen}");
            assert!(lines[0].starts_with("elapsed time: "), "{part}: {screen}");
            assert_eq!(lines[1], "$ fg", "{part}: {screen}");
            assert!(lines[2].starts_with("elapsed time: "), "{part}: {screen}");
        }
    });
}

#[test]
fn after_a_stop_without_a_shell_the_board_is_drawn_in_place() {
    within_a_minute(|| {
        let variables = [(JOB, "a thread"), (SCRIPT, "eval \"exec $ACTIVE_STATUS_JOB\"")];
        let screen = after_a_stop("session", &variables, "");
        assert_eq!(screen.matches("elapsed time: ").count(), 1, "{screen}");
    });
}

#[test]
fn a_board_is_live_in_the_foreground_of_a_session() {
    let seen = in_a_session("copy", "eval \"$ACTIVE_STATUS_JOB\"");
    assert!(seen.contains('\x1b'), "no live board");
    assert_eq!(screen(&seen, (80, 24)), "✗ copy  a.txt  no space");
}

// Rule 21
#[test]
fn a_flushed_line_is_shown_before_the_process_exits() {
    within_a_minute(|| {
        for _ in 0..5 {
            let (_, bytes) = Scene::start("exit", (40, 10), &[]).end();
            assert_eq!(screen(&bytes, (40, 10)), "error: no such file\njob:");
        }
    });
}

/// Sends a byte to a process that waits for one.
fn go_on(scene: &mut Scene) {
    scene.process.stdin.as_mut().expect("its stdin").write_all(b"x").expect("a reader");
}

// Rule 16
#[test]
fn a_second_board_prints_lines_above_the_rows_of_the_first() {
    within_a_minute(|| {
        let mut scene = Scene::start("two boards", (40, 10), &[]);
        let first = scene.read_until("\u{1b}[?2026l");
        go_on(&mut scene);
        let (status, rest) = scene.end();
        assert!(status.success());
        let shown = screen(&(first + &rest), (40, 10));
        assert_eq!(shown, "two: (finished)\nof the second\n1 done in 0s\none: ✔");
    });
}

#[test]
fn a_suspended_board_leaves_the_terminal_to_a_prompt() {
    within_a_minute(|| {
        for part in ["suspend", "suspend a future"] {
            let mut scene = Scene::start(part, (40, 10), &[]);
            let mut bytes = scene.read_until("\u{1b}[?2026l");
            assert_eq!(screen(&bytes, (40, 10)), "job:");
            go_on(&mut scene);
            bytes += &scene.read_until("Continue? ");
            assert_eq!(screen(&bytes, (40, 10)), "Continue?", "{part}");
            go_on(&mut scene);
            bytes += &scene.read_until("goes on");
            bytes += &scene.read_until("\u{1b}[?2026l");
            let shown = screen(&bytes, (40, 10));
            assert_eq!(shown, "Continue? yes\nmeanwhile\njob: goes on", "{part}");
            go_on(&mut scene);
            let (status, rest) = scene.end();
            assert!(status.success());
            let shown = screen(&(bytes + &rest), (40, 10));
            assert_eq!(shown, "Continue? yes\nmeanwhile\njob: goes on ✔", "{part}");
        }
    });
}

/// The screen after a part on a small terminal.
fn played(part: &'static str) -> String {
    within_a_minute(move || {
        let (status, bytes) = Scene::start(part, (40, 10), &[]).end();
        assert!(status.success(), "{part}: {bytes:?}");
        screen(&bytes, (40, 10))
    })
}

// Rule 21
#[test]
fn a_board_may_end_inside_of_a_suspension() {
    for part in ["end in a suspension", "end in a suspended future", "drop a suspended future"] {
        let expected = "Continue? no\njob: … abandoned\nstopped";
        assert_eq!(played(part), expected, "{part}");
    }
}

// Rule 21
#[test]
fn a_board_may_end_inside_of_a_panic_hook() {
    assert_eq!(played("end in a panic hook"), "Continue? no\njob: … abandoned\nstopped");
}

// Rule 21
#[test]
fn a_panic_that_aborts_leaves_its_message_and_no_rows() {
    within_a_minute(|| {
        for _ in 0..3 {
            let (status, bytes) = Scene::start("abort in a panic hook", (100, 20), &[]).end();
            assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()));
            let screen = screen(&bytes, (100, 20));
            assert!(screen.starts_with("panicked at"), "{screen}");
            assert!(screen.ends_with(":\nas it does"), "{screen}");
            assert_eq!(screen.matches("job:").count(), 0, "{screen}");
            assert!(bytes.ends_with("as it does\r\n"), "nothing is drawn over it: {bytes:?}");
        }
    });
}

// Rule 21
#[test]
fn a_board_that_closes_while_suspended_is_drawn_afterwards() {
    within_a_minute(|| {
        let mut scene = Scene::start("close while suspended", (40, 10), &[]);
        let mut bytes = scene.read_until("Continue? ");
        go_on(&mut scene);
        bytes += &scene.end().1;
        let shown = screen(&bytes, (40, 10));
        assert_eq!(shown, "Continue? no\njob: … abandoned\nstopped");
    });
}

#[test]
fn rows_return_after_the_last_of_several_suspensions() {
    assert_eq!(played("suspend on two threads"), "Continue? yes\njob: goes on ✔");
}

fn echoes(scene: &Scene) -> bool {
    let modes = tcgetattr(&scene.terminal).expect("its modes");
    modes.local_modes.contains(LocalModes::ECHO)
}

#[test]
fn without_echo_the_modes_are_restored_by_a_panic_and_an_exit() {
    within_a_minute(|| {
        for (part, word) in [("panic without echo", Some("caught")), ("exit without echo", None)] {
            let mut scene = Scene::start(part, (40, 10), &[]);
            scene.hear("ready");
            assert!(!echoes(&scene), "{part}");
            // Other C libraries leave the modes to the guard, which is a moment later.
            if cfg!(target_env = "gnu") {
                children(&scene.process).for_each(|guard| {
                    kill_process(guard, Signal::KILL).expect("a guard");
                });
            }
            go_on(&mut scene);
            if let Some(word) = word {
                // The process goes on, so it has restored them itself.
                scene.hear(word);
                assert!(echoes(&scene), "{part}");
                go_on(&mut scene);
            }
            scene.process.wait().expect("its status");
            while !cfg!(target_env = "gnu") && !echoes(&scene) {
                thread::yield_now();
            }
            assert!(echoes(&scene), "{part}");
        }
    });
}

/// The child processes of a process, as far as the system reports them.
fn children(parent: &Child) -> impl Iterator<Item = Pid> {
    let parent = parent.id().to_string();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(move |process| {
        let stat = fs::read_to_string(process.path().join("stat")).ok()?;
        // The name of the program is in parentheses, before the state.
        let is_child = stat.rsplit(')').next()?.split(' ').nth(2)? == parent;
        let number = process.file_name().to_str()?.parse().ok()?;
        is_child.then(|| Pid::from_raw(number)).flatten()
    })
}

/// A shell with job control on a terminal, and the board that it starts.
struct JobControl {
    shell: Scene,
    job: UnixStream,
    /// Everything that the terminal has received.
    seen: String,
}

impl JobControl {
    /// Starts the shell, and a part in its foreground.
    fn start(part: &str) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("active-status-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let listener = UnixListener::bind(&path).expect("a socket");
        let variables = [(JOB, part), (SOCKET, path.to_str().expect("a name in UTF-8"))];
        let mut shell = Scene::start("session", (40, 20), &variables);
        let mut seen = shell.read_until(PROMPT);
        writeln!(shell.terminal, "eval \"${JOB}\"").expect("a terminal");
        let job = listener.accept().expect("a board").0;
        fs::remove_file(path).expect("the socket");
        seen += &shell.read_until("\u{1b}[?2026l");
        Self { shell, job, seen }
    }

    /// Types a text, and reads the terminal until it shows another.
    fn type_until(&mut self, text: &str, until: &str) {
        self.shell.terminal.write_all(text.as_bytes()).expect("a terminal");
        self.seen += &self.shell.read_until(until);
    }

    /// Waits until the terminal echoes what is typed, or no longer does.
    fn wait_for_echo(&self, on: bool) {
        while echoes(&self.shell) != on {
            thread::yield_now();
        }
    }

    /// Makes the board show a number, and waits until it is shown, or has waited in vain.
    fn update(&mut self, number: u8) {
        self.job.write_all(&[number]).expect("a board");
        self.job.read_exact(&mut [0]).expect("an answer");
    }

    /// Ends the board, then the shell, and returns the lines on the screen.
    fn end(mut self) -> Vec<String> {
        drop(self.job);
        self.seen += &self.shell.read_until(PROMPT);
        self.shell.terminal.write_all(b"exit\n").expect("a terminal");
        self.seen += &self.shell.end().1;
        let screen = screen(&self.seen, (40, 20));
        screen.lines().filter(|line| !line.is_empty()).map(String::from).collect()
    }
}

// Rule 16
#[test]
fn a_board_that_is_sent_to_the_background_returns_below() {
    let lines = within_a_minute(|| {
        let mut shell = JobControl::start("job control");
        shell.update(1);
        shell.type_until("\x1a", PROMPT);
        shell.type_until("bg\n", PROMPT);
        let before = shell.seen.len();
        shell.update(2);
        shell.type_until("echo typed >&2\n", PROMPT);
        shell.update(3);
        assert!(!shell.seen[before..].contains("\u{1b}"), "{:?}", &shell.seen[before..]);
        shell.type_until("fg\n", "text 3");
        shell.end()
    });
    let text = lines.join("\n");
    let shown = text.split_once("line 1\n").expect(&text).1;
    // The row of the time before, and everything that the shell has written.
    let (before, shown) = shown.split_once(&format!("{PROMPT}bg\n")).expect(&text);
    assert!(before.starts_with("job: text 1\n"), "{text}");
    assert!(shown.contains(&format!("{PROMPT}echo typed >&2\ntyped\n{PROMPT}fg\n")), "{text}");
    let end = format!("line 2\nline 3\njob: text 3 ✔\n{PROMPT}exit");
    assert!(shown.ends_with(&end), "{text}");
    assert_eq!(text.matches("job: text").count(), 2, "{text}");
}

#[test]
fn without_echo_a_stop_restores_the_modes_until_the_board_is_back() {
    within_a_minute(|| {
        let mut shell = JobControl::start("job control without echo");
        assert!(!echoes(&shell.shell), "while rows are shown");
        for number in [1, 2] {
            shell.type_until("\x1a", PROMPT);
            shell.wait_for_echo(true);
            shell.type_until("fg\n", "\n");
            shell.update(number);
            // The next frame turns it off.
            shell.wait_for_echo(false);
        }
        // In the background, the shell keeps its modes.
        shell.type_until("\x1a", PROMPT);
        shell.wait_for_echo(true);
        shell.type_until("bg\n", PROMPT);
        shell.update(3);
        assert!(echoes(&shell.shell), "in the background");
        shell.type_until("fg\n", "text 3");
        shell.wait_for_echo(false);
        shell.type_until("\x03", PROMPT);
        shell.wait_for_echo(true);
    });
}

#[test]
fn without_echo_the_modes_are_restored_however_the_process_ends() {
    within_a_minute(|| {
        for kill in [false, true] {
            let mut scene = Scene::start("without echo", (40, 10), &[]);
            assert!(echoes(&scene));
            scene.hear("ready");
            assert!(!echoes(&scene), "while rows are shown");
            go_on(&mut scene);
            scene.hear("suspended");
            assert!(echoes(&scene), "while a prompt may ask");
            go_on(&mut scene);
            scene.hear("resumed");
            assert!(!echoes(&scene), "after the prompt");
            if kill {
                kill_process(Pid::from_child(&scene.process), Signal::KILL).expect("a process");
            } else {
                go_on(&mut scene);
            }
            scene.process.wait().expect("its status");
            // The guard of a process that was killed restores them a moment later.
            while !echoes(&scene) {
                thread::yield_now();
            }
            let restored = "\u{1b}[m\u{1b}[?7h";
            if kill {
                scene.read_until(restored);
            } else {
                let bytes = scene.end().1;
                assert!(!bytes.contains(restored), "a whole frame needs no more: {bytes:?}");
            }
        }
    });
}

/// What a terminal shows of a part and its shell, which runs a script.
fn in_a_session(part: &'static str, script: &'static str) -> String {
    within_a_minute(move || {
        let variables = [(JOB, part), (SCRIPT, script)];
        let (status, seen) = Scene::start("session", (80, 24), &variables).end();
        assert!(status.success(), "{seen:?}");
        seen
    })
}

/// What a terminal shows of the part `background` behind a shell with job control.
fn in_the_background(script: &'static str) -> String {
    in_a_session("background", script)
}

// Rule 16
#[test]
fn a_board_in_the_background_erases_nothing() {
    let seen = in_the_background(
        "set -m; echo before >&2; yes '' | head -n 400000 | eval \"$ACTIVE_STATUS_JOB\" & wait $!
         echo after >&2",
    );
    assert!(!seen.contains("\x1b[1A") && !seen.contains("\x1b[2A"), "{seen:?}");
    let shown = screen(&seen, (80, 24));
    assert_eq!(shown, "before\nline 0\nline 1\njob: 400000 ✔\nafter");
}

// Rule 16
#[test]
fn a_terminal_that_stops_background_output_does_not_stop_the_work() {
    let seen = in_the_background(
        "stty tostop <&2; set -m; echo before >&2; yes '' | head -n 400000 | \
         eval \"$ACTIVE_STATUS_JOB\" & wait $! && echo after >&2",
    );
    assert_eq!(screen(&seen, (80, 24)), "before\nafter");
}

// Rules 22, 23
#[test]
fn stderr_in_a_file_holds_lines_without_escapes() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stderr in a file");
    let file = File::create(&path).expect("a file");
    let output = command("copy", &[]).stderr(file).output().expect("a process");
    assert!(output.status.success());
    assert!(
        !String::from_utf8_lossy(&output.stdout).contains("copy: "),
        "stdout is not for the board"
    );
    let lines = std::fs::read_to_string(&path).expect("text");
    assert_eq!(lines, "copy: a.txt (failed): no space\n0 done, 1 failed in 0s\n");
}

// Rule 21
#[test]
fn a_closed_pipe_as_stderr_does_not_stop_the_work() {
    within_a_minute(|| {
        let (reader, stderr) = io::pipe().expect("a pipe");
        drop(reader);
        let output = command("copy", &[]).stderr(stderr).output().expect("a process");
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains("done"));
    });
}

// Rule 21
#[test]
fn a_closed_stderr_does_not_stop_the_work() {
    within_a_minute(|| {
        let program = std::env::current_exe().expect("this program");
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec \"$0\" --exact terminal::child --nocapture 2>&-"]).arg(program);
        let output = shell.env(PART, "copy").output().expect("a shell");
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains("done"));
    });
}

// Rule 16
#[cfg(target_os = "linux")]
#[test]
fn stray_output_is_kept_and_hinted_at_once() {
    within_a_minute(|| {
        let size = (100, 30);
        let (status, bytes) = Scene::start("stray output", size, &[]).end();
        assert!(status.success());
        let shown = screen(&bytes, size);
        let lines: Vec<&str> = shown.lines().filter(|line| line.contains("stray ")).collect();
        assert_eq!(lines, ["stray 1", "stray 2", "stray 3"], "{shown}");
        assert_eq!(shown.matches("`Capture` prints it above them").count(), 1, "{shown}");
    });
}
