//! The effects that only a terminal shows. Each peer runs in a process with its own
//! terminal as stderr, whose emulator reflows lines when it is resized.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{env, process};

use avt::Terminal;
use rustix::process::{Pid, Signal, kill_process};

use crate::peers::{ActiveStatus, Clx, Indicatif, Kdam, Nutmeg, Peer, Prodash};
use crate::process::{PART, SESSION, command, stdout_of};
use crate::pty;
use crate::time::{now, sleep};

/// The number of jobs that are updated.
const JOBS: usize = 20;
/// The texts of a job are the numbers that leave this remainder.
const NUMBERS: u64 = 100;
/// Runs of a measurement whose result differs from run to run.
const RUNS: usize = 5;
/// Rounds of updates per second.
const HERTZ: u32 = 50;

type Act = fn(&str);

/// This crate first, then the peers.
const PEERS: [(&str, Act); 6] = [
    (ActiveStatus::NAME, act::<ActiveStatus>),
    (Indicatif::NAME, act::<Indicatif>),
    (Prodash::NAME, act::<Prodash>),
    (Nutmeg::NAME, act::<Nutmeg>),
    (Kdam::NAME, act::<Kdam>),
    (Clx::NAME, act::<Clx>),
];

/// A measurement, which returns the result of a peer.
type Measure = fn(&str, Pace) -> String;
const MEASURES: [(&str, Measure); 15] = [
    ("longest pause of a worker, terminal stalled 3 s", pause),
    ("writes in 5 s (Linux), bytes", writes),
    ("rows left behind in 2 s, 30 columns × 40 rows", left_behind_in_a_narrow_one),
    ("rows left behind in 2 s, 80 columns × 10 rows", left_behind_in_a_low_one),
    ("120 → 50 → 120 columns: rows of job 3, all rows", resized),
    ("the same, size reported 100 ms late", resized_late),
    ("the same in tmux, 8 changes per second", resized_in_tmux),
    ("a worker panics: messages whole, of 5", panicked),
    ("1,800 lines and the end at 15 kB/s: arrived", ended_slowly),
    ("Ctrl-C at 10 kB/s: modes or styles left, of 5", interrupted_slowly),
    ("Ctrl-C: end, cursor", interrupted),
    ("stop and continue: of 3 lines of the shell", stopped),
    ("in the background: of 3 lines of the shell", in_the_background),
    ("a stray println!, 2 s later: kept, rows of job 3", stray),
    ("stderr in a file: lines, bytes, escapes", to_a_file),
];

pub(crate) fn print(short: bool) {
    let pace = Pace(if short { 25 } else { 1 });
    println!("{JOBS} jobs, each with a text and a tick, {HERTZ} times per second\n");
    print!("{:50}", "");
    PEERS.iter().for_each(|(name, _)| print!("{name:>20}"));
    println!();
    for (what, measure) in MEASURES {
        print!("{what:50}");
        for (name, _) in PEERS {
            print!("{:>20}", measure(name, pace));
            let _ = std::io::stdout().flush();
        }
        println!();
    }
}

/// Runs a part in this process, or in the background of this process as its shell.
pub(crate) fn run_part(part: &str) {
    if let Some(part) = part.strip_prefix(BEHIND_A_SHELL) {
        return run_in_the_background(part);
    }
    let (name, part) = part.split_once(' ').expect("a peer and a part");
    let (_, act) = PEERS.into_iter().find(|peer| peer.0 == name).expect("a peer");
    act(part);
}

/// The factor by which a short run divides all times.
#[derive(Clone, Copy)]
struct Pace(u32);

impl Pace {
    fn millis(self, millis: u64) -> Duration {
        Duration::from_millis(millis) / self.0
    }
}

/// Updates the jobs for the given time, and ends in the given way.
fn act<P: Peer>(part: &str) {
    let (millis, end) = part.split_once(' ').expect("a time and an end");
    let time = Duration::from_millis(millis.parse().expect("a number"));
    let (board, jobs) = P::open(if end == "lines" { 1 } else { JOBS });
    let before = system_writes();
    let longest = work::<P>(&jobs, time);
    let writes = system_writes().zip(before).map(|(after, before)| after - before);
    match end {
        // Leaves all rows on the screen.
        "leave" => process::exit(0),
        "panic" => {
            let worker = thread::spawn(|| panic!("a worker panics"));
            assert!(worker.join().is_err());
            work::<P>(&jobs, time);
            process::exit(0);
        }
        "lines" => {
            let printed = (0..1_800).all(|number| {
                board.print(&jobs, &format!("line {number} of the lines that arrive in the end"))
            });
            board.close(jobs);
            println!("{printed}");
            return;
        }
        "stray" => {
            println!("a stray line");
            work::<P>(&jobs, time);
            process::exit(0);
        }
        _ => board.close(jobs),
    }
    println!("{} {}", longest.as_micros(), writes.unwrap_or_default());
}

/// Updates the jobs for the given time, and returns the longest round.
fn work<P: Peer>(jobs: &[P::Job], time: Duration) -> Duration {
    let began = now();
    let mut longest = Duration::ZERO;
    for round in 0.. {
        let start = now();
        if start - began >= time {
            break;
        }
        for (number, job) in (0..).zip(jobs) {
            P::text(job, round * NUMBERS + number);
            P::tick(job);
        }
        longest = longest.max(now() - start);
        sleep((start + Duration::from_secs(1) / HERTZ).saturating_duration_since(now()));
    }
    longest
}

/// Returns the number of `write` calls of this process, where the system counts them.
fn system_writes() -> Option<u64> {
    let counts = fs::read_to_string("/proc/self/io").ok()?;
    let line = counts.lines().find_map(|line| line.strip_prefix("syscw: "))?;
    line.parse().ok()
}

fn pause(name: &str, pace: Pace) -> String {
    let scene = Scene::start(name, pace, 5_000, "close", (80, 24));
    sleep(pace.millis(1_000));
    scene.stall(true);
    sleep(pace.millis(3_000));
    scene.stall(false);
    let (text, _) = scene.end();
    let micros: f64 = text.split(' ').next().and_then(|word| word.parse().ok()).expect("a time");
    format!("{:.1} ms", micros / 1_000.0)
}

fn writes(name: &str, pace: Pace) -> String {
    let (text, seen) = Scene::start(name, pace, 5_000, "close", (80, 40)).end();
    let writes = text.trim().split(' ').nth(1).unwrap_or_default();
    format!("{writes}, {}", seen.bytes.len())
}

fn left_behind_in_a_narrow_one(name: &str, pace: Pace) -> String {
    left_behind(name, pace, (30, 40))
}

fn left_behind_in_a_low_one(name: &str, pace: Pace) -> String {
    left_behind(name, pace, (80, 10))
}

/// Counts the rows above the screen, although no job has ended.
fn left_behind(name: &str, pace: Pace, size: (u16, u16)) -> String {
    let (_, seen) = Scene::start(name, pace, 2_000, "leave", size).end();
    let gone = seen.lines().len() - usize::from(size.1);
    let shown = seen.lines().split_off(gone);
    let shown = (0..JOBS).filter(|job| shown.iter().any(|line| rows_of(line, *job) > 0)).count();
    format!("{gone} ({shown} jobs seen)")
}

fn resized(name: &str, pace: Pace) -> String {
    resized_after(name, pace, 0)
}

fn resized_late(name: &str, pace: Pace) -> String {
    resized_after(name, pace, 100)
}

/// Counts rows after a drag, when the terminal reports its size after the given time.
fn resized_after(name: &str, pace: Pace, late: u64) -> String {
    let scene = Scene::start(name, pace, 3_000, "leave", (120, 40));
    for columns in [110, 100, 90, 80, 70, 60, 50, 60, 70, 80, 90, 100, 110, 120] {
        sleep(pace.millis(150 - late));
        scene.lock().terminal.resize(columns, 40);
        sleep(pace.millis(late));
        pty::resize(&scene.shell, (columns as u16, 40));
    }
    let lines = scene.end().1.lines();
    let filled = lines.iter().filter(|line| !line.trim().is_empty()).count();
    format!("{}, {filled}", lines.iter().map(|line| rows_of(line, 3)).sum::<usize>())
}

/// The same in tmux, which knows the size before the program does.
fn resized_in_tmux(name: &str, pace: Pace) -> String {
    let server = format!("active-status-{}", process::id());
    let tmux = |arguments: &[&str]| {
        let mut tmux = pty::this_program_in("tmux");
        tmux.env_remove("TMUX").env("LC_ALL", "C.UTF-8").args(["-L", &server]).args(arguments);
        tmux.output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let part = format!("terminal {name} {} leave", pace.millis(3_000).as_millis());
    let program = env::current_exe().expect("this program");
    let run =
        format!("{PART}='{part}' '{}'; tmux -L {server} wait-for -S done; cat", program.display());
    let new = ["-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "40", &run];
    if tmux(&new).is_err() {
        return "no tmux".to_owned();
    }
    let lines = || -> std::io::Result<String> {
        for columns in [110, 100, 90, 80, 70, 60, 50, 60, 70, 80, 90, 100, 110, 120] {
            sleep(pace.millis(125));
            tmux(&["resize-window", "-x", &columns.to_string(), "-y", "40"])?;
        }
        tmux(&["wait-for", "done"])?;
        tmux(&["capture-pane", "-p", "-S", "-"])
    }();
    let _ = tmux(&["kill-server"]);
    let lines = lines.expect("tmux");
    let filled = lines.lines().filter(|line| !line.trim().is_empty()).count();
    format!("{}, {filled}", lines.lines().map(|line| rows_of(line, 3)).sum::<usize>())
}

fn interrupted(name: &str, pace: Pace) -> String {
    let scene = Scene::start(name, pace, 3_000, "leave", (80, 24));
    sleep(pace.millis(1_000));
    scene.signal(pty::interrupt());
    let began = now();
    let (_, seen) = scene.end();
    let end = if now() - began < pace.millis(1_000) { "ends" } else { "continues" };
    let hidden = seen.bytes.rfind("\x1b[?25l") > seen.bytes.rfind("\x1b[?25h");
    format!("{end}, {}", if hidden { "hidden" } else { "shown" })
}

/// Counts the messages of a panic that are on the screen with the whole backtrace.
fn panicked(name: &str, pace: Pace) -> String {
    let whole = (0..RUNS).filter(|_| {
        let lines = Scene::start(name, pace, 500, "panic", (100, 60)).end().1.lines();
        let message = lines.iter().position(|line| line.contains("panicked at"));
        let lines = message.map_or(&[][..], |at| &lines[at..]);
        let has = |text: &str| lines.iter().any(|line| line.trim_start().starts_with(text));
        has("a worker panics") && has("0: ") && has("1: ") && has("note: Some details")
    });
    whole.count().to_string()
}

/// Counts the lines that arrive at a terminal that takes longer to read than they to print.
fn ended_slowly(name: &str, pace: Pace) -> String {
    let scene = Scene::start(name, pace, 300, "lines", (80, 24));
    scene.lock().rate = Some(15_000 * pace.0 as usize);
    let (printed, seen) = scene.end();
    if printed.trim() != "true" {
        return "–".to_owned();
    }
    seen.lines().iter().filter(|line| line.contains("of the lines that")).count().to_string()
}

/// Counts the runs after which wrapping is off or a style is on. The system drops the output
/// that the terminal has not read when Ctrl-C is typed.
fn interrupted_slowly(name: &str, pace: Pace) -> String {
    let left = (0..RUNS).filter(|run| {
        let mut scene = Scene::start_in_session(name, pace, 3_000, "leave", (80, 24));
        scene.lock().rate = Some(10_000);
        sleep(pace.millis(1_000 + 37 * *run as u64));
        scene.keys.write_all(b"\x03").expect("a terminal");
        // A program that was started to ignore Ctrl-C ends by another signal.
        scene.signal(pty::interrupt());
        let bytes = scene.end().1.bytes;
        let wraps = bytes.rfind("\x1b[?7h") >= bytes.rfind("\x1b[?7l");
        let reset = bytes.rfind("\x1b[0m").max(bytes.rfind("\x1b[m"));
        let styles = bytes.match_indices("\x1b[").filter(|(at, _)| {
            let body = &bytes[at + 2..];
            let end = body.find(|c: char| !(c.is_ascii_digit() || c == ';'));
            end.is_some_and(|end| end > 0 && body[end..].starts_with('m'))
        });
        let styled = styles.last().is_some_and(|(at, _)| Some(at) > reset);
        !wraps || styled
    });
    left.count().to_string()
}

/// Counts the lines that a shell writes while the process is stopped.
fn stopped(name: &str, pace: Pace) -> String {
    let scene = Scene::start(name, pace, 4_000, "leave", (80, 40));
    sleep(pace.millis(1_000));
    scene.signal(Signal::STOP);
    sleep(pace.millis(500));
    let mut shell = scene.shell.try_clone().map(File::from).expect("the terminal");
    write!(shell, "\r\nstopped 1\r\nstopped 2\r\nstopped 3\r\n").expect("a terminal");
    drop(shell);
    sleep(pace.millis(1_000));
    scene.signal(Signal::CONT);
    let lines = scene.end().1.lines();
    let kept = (1..=3).filter(|line| lines.iter().any(|it| it.trim() == format!("stopped {line}")));
    format!("{} kept", kept.count())
}

/// The beginning of the name of a part that is started by a shell, in its background.
const BEHIND_A_SHELL: &str = "shell ";

/// Counts the lines that a shell writes while the process is in its background.
fn in_the_background(name: &str, pace: Pace) -> String {
    let name = format!("{BEHIND_A_SHELL}{name}");
    let lines = Scene::start_in_session(&name, pace, 3_000, "leave", (80, 40)).end().1.lines();
    let kept = (1..=3).filter(|line| lines.iter().any(|it| it.trim() == format!("typed {line}")));
    format!("{} kept", kept.count())
}

/// Runs a part in the background of this session, and writes lines meanwhile.
fn run_in_the_background(part: &str) {
    let mut child = command(&format!("terminal {part}"));
    child.env_remove(SESSION).process_group(0);
    let mut child = child.spawn().expect("a process");
    let time = part.split(' ').nth(1).and_then(|time| time.parse().ok()).expect("a time");
    for line in 1..=3 {
        sleep(Duration::from_millis(time) / 4);
        writeln!(std::io::stderr(), "typed {line}").expect("a terminal");
    }
    child.wait().expect("its status");
}

fn stray(name: &str, pace: Pace) -> String {
    let on_terminal = |command: &mut Command, terminal: &OwnedFd| {
        command.stdout(terminal.try_clone().expect("the terminal"));
    };
    let lines = Scene::with(name, pace, 2_000, "stray", (80, 40), on_terminal).end().1.lines();
    let kept = lines.iter().any(|line| line.contains("a stray line"));
    let rows: usize = lines.iter().map(|line| rows_of(line, 3)).sum();
    format!("{}, {rows}", if kept { "yes" } else { "no" })
}

fn to_a_file(name: &str, pace: Pace) -> String {
    let path = env::temp_dir().join(format!("active-status-{}", process::id()));
    let file = File::create(&path).expect("a file");
    let part = format!("terminal {name} {} close", pace.millis(2_000).as_millis());
    stdout_of(command(&part).stderr(file).spawn().expect("a process"));
    let text = String::from_utf8_lossy(&fs::read(&path).expect("the file")).into_owned();
    let _ = fs::remove_file(&path);
    format!("{}, {}, {}", text.lines().count(), text.len(), text.matches('\x1b').count())
}

/// Counts the rows of a job in a line, which may hold several.
fn rows_of(line: &str, job: usize) -> usize {
    let starts = |name: &str| {
        let numbers = line.split(name).skip(1).filter_map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest[..end].parse::<u64>().ok()
        });
        numbers.filter(|number| number % NUMBERS == job as u64).count()
    };
    starts("job ").max(starts("item "))
}

/// A process on a terminal.
struct Scene {
    child: Child,
    /// The end of the terminal that the processes have.
    shell: OwnedFd,
    /// The end of the terminal that has the keyboard.
    keys: File,
    seen: Arc<Mutex<Seen>>,
    reader: JoinHandle<()>,
}

/// The output that the terminal received.
struct Seen {
    bytes: String,
    terminal: Terminal,
    /// Whether reading is paused.
    stalled: bool,
    /// The maximum number of bytes that are read per second.
    rate: Option<usize>,
}

impl Scene {
    /// Starts a peer that runs for the given time, with its stdout piped.
    fn start(name: &str, pace: Pace, millis: u64, end: &str, size: (u16, u16)) -> Self {
        Self::with(name, pace, millis, end, size, |_, _| {})
    }

    /// Starts a peer in the foreground of a session, which receives what is typed.
    fn start_in_session(name: &str, pace: Pace, millis: u64, end: &str, size: (u16, u16)) -> Self {
        Self::with(name, pace, millis, end, size, |command, _| {
            command.env(SESSION, "1");
        })
    }

    /// Starts a peer whose command is changed, given the terminal.
    fn with(
        name: &str,
        pace: Pace,
        millis: u64,
        end: &str,
        size: (u16, u16),
        change: impl FnOnce(&mut Command, &OwnedFd),
    ) -> Self {
        let (reading, shell) = pty::pseudo_terminal(size);
        let writing = || shell.try_clone().expect("the terminal");
        let part = format!("terminal {name} {} {end}", pace.millis(millis).as_millis());
        let mut command = command(&part);
        change(&mut command, &shell);
        let keys = reading.try_clone().expect("the terminal");
        let child = command.stderr(writing()).spawn().expect("a process");
        drop(command);
        let (columns, rows) = (usize::from(size.0), usize::from(size.1));
        let terminal = Terminal::with_scrollback(columns, rows, None).expect("a size");
        let seen = Seen { bytes: String::new(), terminal, stalled: false, rate: None };
        let seen = Arc::new(Mutex::new(seen));
        let reader = thread::spawn({
            let seen = seen.clone();
            move || read(reading, &seen)
        });
        Self { child, shell, keys, seen, reader }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no panics")
    }

    fn stall(&self, stalled: bool) {
        self.lock().stalled = stalled;
    }

    fn signal(&self, signal: Signal) {
        let _gone = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Waits for the process, and returns its stdout and the output of the terminal.
    fn end(mut self) -> (String, Seen) {
        let mut text = String::new();
        if let Some(mut stdout) = self.child.stdout.take() {
            stdout.read_to_string(&mut text).expect("text");
        }
        self.child.wait().expect("its status");
        drop(self.shell);
        self.reader.join().expect("no panics");
        let seen = Arc::into_inner(self.seen).expect("the reader has ended");
        (text, seen.into_inner().expect("no panics"))
    }
}

impl Seen {
    /// Returns the lines of the scrollback and of the screen.
    fn lines(&self) -> Vec<String> {
        self.terminal.screen().all_lines().map(|line| line.text()).collect()
    }
}

/// Feeds the emulator until the last process has closed the terminal.
fn read(mut terminal: File, seen: &Mutex<Seen>) {
    let mut buffer = [0; 4_096];
    let mut left = Vec::new();
    loop {
        if seen.lock().expect("no panics").stalled {
            sleep(Duration::from_millis(1));
            continue;
        }
        // Reading from a terminal fails once its other side is closed.
        let rate = seen.lock().expect("no panics").rate;
        let most = rate.map_or(buffer.len(), |rate| rate / 100).min(buffer.len());
        let Ok(count @ 1..) = terminal.read(&mut buffer[..most]) else { return };
        if rate.is_some() {
            sleep(Duration::from_millis(10));
        }
        left.extend_from_slice(&buffer[..count]);
        let whole = match std::str::from_utf8(&left) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let text: Vec<u8> = left.drain(..whole).collect();
        let text = String::from_utf8(text).expect("whole characters");
        let mut seen = seen.lock().expect("no panics");
        seen.terminal.feed(text.as_str());
        seen.bytes += &text;
    }
}
