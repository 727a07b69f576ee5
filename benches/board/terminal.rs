//! What only a terminal shows: each peer is a process whose stderr is a terminal
//! of its own, with an emulator behind it that wraps rows anew when it is resized.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{env, process};

use avt::Terminal;
use rustix::process::{Pid, Signal, kill_process};

use crate::peers::{Clx, Indicatif, Kdam, Nutmeg, Ours, Peer, Prodash};
use crate::process::{command, said};
use crate::pty;
use crate::time::{now, rest};

/// So many jobs say something and count on.
const JOBS: usize = 20;
/// So often a second.
const HERTZ: u32 = 50;

type Act = fn(&str);

/// Ours first, then the peers.
const PEERS: [(&str, Act); 6] = [
    (Ours::NAME, act::<Ours>),
    (Indicatif::NAME, act::<Indicatif>),
    (Prodash::NAME, act::<Prodash>),
    (Nutmeg::NAME, act::<Nutmeg>),
    (Kdam::NAME, act::<Kdam>),
    (Clx::NAME, act::<Clx>),
];

/// What is measured, and what a peer comes to.
type Measure = fn(&str, Pace) -> String;
const MEASURES: [(&str, Measure); 9] = [
    ("longest pause of a worker, terminal stalled 3 s", pause),
    ("writes in 5 s (Linux), bytes", writes),
    ("rows left behind in 2 s, 30 columns × 40 rows", left_behind_in_a_narrow_one),
    ("rows left behind in 2 s, 80 columns × 10 rows", left_behind_in_a_low_one),
    ("120 → 50 → 120 columns: rows of job 3, all rows", resized),
    ("Ctrl-C: end, cursor", interrupted),
    ("stop and go on: of 3 lines of the shell", stopped),
    ("a stray println!, 2 s later: kept, rows of job 3", stray),
    ("stderr in a file: lines, bytes, escapes", to_a_file),
];

pub(crate) fn print(short: bool) {
    let pace = Pace(if short { 25 } else { 1 });
    println!("{JOBS} jobs, each with a text and a tick, {HERTZ} times a second\n");
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

/// Plays a part in this process.
pub(crate) fn play(part: &str) {
    let (name, part) = part.split_once(' ').expect("a peer and a part");
    let (_, act) = PEERS.into_iter().find(|peer| peer.0 == name).expect("a peer");
    act(part);
}

/// How much shorter all times are than in a full run.
#[derive(Clone, Copy)]
struct Pace(u32);

impl Pace {
    fn millis(self, millis: u64) -> Duration {
        Duration::from_millis(millis) / self.0
    }
}

/// Works for so long, and ends as it is told.
fn act<P: Peer>(part: &str) {
    let (millis, end) = part.split_once(' ').expect("a time and an end");
    let time = Duration::from_millis(millis.parse().expect("a number"));
    let (board, jobs) = P::open(JOBS);
    let before = system_writes();
    let longest = work::<P>(&jobs, time);
    let writes = system_writes().zip(before).map(|(after, before)| after - before);
    match end {
        // As it is, with all rows on the screen.
        "leave" => process::exit(0),
        "stray" => {
            println!("a stray line");
            work::<P>(&jobs, time);
            process::exit(0);
        }
        _ => board.close(jobs),
    }
    println!("{} {}", longest.as_micros(), writes.unwrap_or_default());
}

/// Works for so long. The longest time that a round of updates took.
fn work<P: Peer>(jobs: &[P::Job], time: Duration) -> Duration {
    let began = now();
    let mut longest = Duration::ZERO;
    loop {
        let start = now();
        if start - began >= time {
            return longest;
        }
        for (number, job) in (0..).zip(jobs) {
            P::text(job, number);
            P::tick(job);
        }
        longest = longest.max(now() - start);
        rest((start + Duration::from_secs(1) / HERTZ).saturating_duration_since(now()));
    }
}

/// How many times this process has called `write`, if the system tells.
fn system_writes() -> Option<u64> {
    let counts = fs::read_to_string("/proc/self/io").ok()?;
    let line = counts.lines().find_map(|line| line.strip_prefix("syscw: "))?;
    line.parse().ok()
}

fn pause(name: &str, pace: Pace) -> String {
    let scene = Scene::start(name, pace, 5_000, "close", (80, 24));
    rest(pace.millis(1_000));
    scene.stall(true);
    rest(pace.millis(3_000));
    scene.stall(false);
    let (said, _) = scene.end();
    let micros: f64 = said.split(' ').next().and_then(|word| word.parse().ok()).expect("a time");
    format!("{:.1} ms", micros / 1_000.0)
}

fn writes(name: &str, pace: Pace) -> String {
    let (said, seen) = Scene::start(name, pace, 5_000, "close", (80, 40)).end();
    let writes = said.trim().split(' ').nth(1).unwrap_or_default();
    format!("{writes}, {}", seen.bytes.len())
}

fn left_behind_in_a_narrow_one(name: &str, pace: Pace) -> String {
    left_behind(name, pace, (30, 40))
}

fn left_behind_in_a_low_one(name: &str, pace: Pace) -> String {
    left_behind(name, pace, (80, 10))
}

/// Rows above the screen, though no job has ended.
fn left_behind(name: &str, pace: Pace, size: (u16, u16)) -> String {
    let (_, seen) = Scene::start(name, pace, 2_000, "leave", size).end();
    let gone = seen.lines().len() - usize::from(size.1);
    let shown = seen.lines().split_off(gone);
    let shown = (0..JOBS).filter(|job| shown.iter().any(|line| rows_of(line, *job) > 0)).count();
    format!("{gone} ({shown} jobs seen)")
}

fn resized(name: &str, pace: Pace) -> String {
    let scene = Scene::start(name, pace, 3_000, "leave", (120, 40));
    for columns in [110, 100, 90, 80, 70, 60, 50, 60, 70, 80, 90, 100, 110, 120] {
        rest(pace.millis(150));
        scene.resize((columns, 40));
    }
    let lines = scene.end().1.lines();
    let filled = lines.iter().filter(|line| !line.trim().is_empty()).count();
    format!("{}, {filled}", lines.iter().map(|line| rows_of(line, 3)).sum::<usize>())
}

fn interrupted(name: &str, pace: Pace) -> String {
    let scene = Scene::start(name, pace, 3_000, "leave", (80, 24));
    rest(pace.millis(1_000));
    scene.signal(pty::interrupt());
    let began = now();
    let (_, seen) = scene.end();
    let end = if now() - began < pace.millis(1_000) { "ends" } else { "goes on" };
    let hidden = seen.bytes.rfind("\x1b[?25l") > seen.bytes.rfind("\x1b[?25h");
    format!("{end}, {}", if hidden { "hidden" } else { "shown" })
}

/// What a shell says while the process is stopped.
fn stopped(name: &str, pace: Pace) -> String {
    let scene = Scene::start(name, pace, 4_000, "leave", (80, 40));
    rest(pace.millis(1_000));
    scene.signal(Signal::STOP);
    rest(pace.millis(500));
    let mut shell = scene.shell.try_clone().map(File::from).expect("the terminal");
    write!(shell, "\r\nstopped 1\r\nstopped 2\r\nstopped 3\r\n").expect("a terminal");
    drop(shell);
    rest(pace.millis(1_000));
    scene.signal(Signal::CONT);
    let lines = scene.end().1.lines();
    let kept = (1..=3).filter(|line| lines.iter().any(|it| it.trim() == format!("stopped {line}")));
    format!("{} kept", kept.count())
}

fn stray(name: &str, pace: Pace) -> String {
    let lines = Scene::with(name, pace, 2_000, "stray", (80, 40), true).end().1.lines();
    let kept = lines.iter().any(|line| line.contains("a stray line"));
    let rows: usize = lines.iter().map(|line| rows_of(line, 3)).sum();
    format!("{}, {rows}", if kept { "yes" } else { "no" })
}

fn to_a_file(name: &str, pace: Pace) -> String {
    let path = env::temp_dir().join(format!("active-status-{}", process::id()));
    let file = File::create(&path).expect("a file");
    let part = format!("terminal {name} {} close", pace.millis(2_000).as_millis());
    said(command(&part).stderr(file).spawn().expect("a process"));
    let text = String::from_utf8_lossy(&fs::read(&path).expect("the file")).into_owned();
    let _ = fs::remove_file(&path);
    format!("{}, {}, {}", text.lines().count(), text.len(), text.matches('\x1b').count())
}

/// How often a line has the start of this job's row: rows may be glued.
fn rows_of(line: &str, job: usize) -> usize {
    let starts = |name: String| {
        let rest = line.split(name.as_str()).skip(1);
        rest.filter(|rest| !rest.starts_with(|c: char| c.is_ascii_digit())).count()
    };
    starts(format!("job {job}")).max(starts(format!("item {job}")))
}

/// A process on a terminal.
struct Scene {
    child: Child,
    /// The side of the terminal that processes have.
    shell: OwnedFd,
    seen: Arc<Mutex<Seen>>,
    reader: JoinHandle<()>,
}

/// What the terminal was sent.
struct Seen {
    bytes: String,
    terminal: Terminal,
    /// Nothing is read.
    stalled: bool,
}

impl Scene {
    /// Starts a peer that works for so long, with its stdout in our hands.
    fn start(name: &str, pace: Pace, millis: u64, end: &str, size: (u16, u16)) -> Self {
        Self::with(name, pace, millis, end, size, false)
    }

    /// Starts a peer, perhaps with its stdout on the terminal too.
    fn with(
        name: &str,
        pace: Pace,
        millis: u64,
        end: &str,
        size: (u16, u16),
        stdout: bool,
    ) -> Self {
        let (ours, shell) = pty::pseudo_terminal(size);
        let theirs = || shell.try_clone().expect("the terminal");
        let part = format!("terminal {name} {} {end}", pace.millis(millis).as_millis());
        let mut command = command(&part);
        if stdout {
            command.stdout(theirs());
        }
        let child = command.stderr(theirs()).spawn().expect("a process");
        drop(command);
        let (columns, rows) = (usize::from(size.0), usize::from(size.1));
        let terminal = Terminal::with_scrollback(columns, rows, None).expect("a size");
        let seen = Seen { bytes: String::new(), terminal, stalled: false };
        let seen = Arc::new(Mutex::new(seen));
        let reader = thread::spawn({
            let seen = seen.clone();
            move || read(ours, &seen)
        });
        Self { child, shell, seen, reader }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no panics")
    }

    fn stall(&self, stalled: bool) {
        self.lock().stalled = stalled;
    }

    fn resize(&self, (columns, rows): (u16, u16)) {
        let mut seen = self.lock();
        seen.terminal.resize(columns.into(), rows.into());
        pty::resize(&self.shell, (columns, rows));
    }

    fn signal(&self, signal: Signal) {
        let _gone = kill_process(Pid::from_child(&self.child), signal);
    }

    /// What the process says, and what the terminal was sent until its end.
    fn end(mut self) -> (String, Seen) {
        let mut said = String::new();
        if let Some(mut stdout) = self.child.stdout.take() {
            stdout.read_to_string(&mut said).expect("text");
        }
        self.child.wait().expect("its status");
        drop(self.shell);
        self.reader.join().expect("no panics");
        let seen = Arc::into_inner(self.seen).expect("the reader has ended");
        (said, seen.into_inner().expect("no panics"))
    }
}

impl Seen {
    /// The rows of the screen, and those above that scrolled away.
    fn lines(&self) -> Vec<String> {
        self.terminal.screen().all_lines().map(|line| line.text()).collect()
    }
}

/// Plays what comes until the last process has closed the terminal.
fn read(mut terminal: File, seen: &Mutex<Seen>) {
    let mut buffer = [0; 4_096];
    let mut left = Vec::new();
    loop {
        if seen.lock().expect("no panics").stalled {
            rest(Duration::from_millis(1));
            continue;
        }
        // A terminal whose other side is closed gives an error.
        let Ok(count @ 1..) = terminal.read(&mut buffer) else { return };
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
