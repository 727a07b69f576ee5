//! The programs, and the table of what they take.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::pty::{pseudo_terminal, this_program};
use crate::tree::Tree;

/// The variable that names the part of a child process.
pub(crate) const PART: &str = "ACTIVE_STATUS_BENCH";

/// What is measured, in the order of the rows.
const PROGRAMS: [Program; 5] =
    [Program::Threads, Program::Log, Program::Board, Program::Sha256sum, Program::Xargs];

#[derive(Clone, Copy)]
enum Program {
    /// The loop on threads without a board.
    Threads,
    /// The example, whose standard error is not a terminal.
    Log,
    /// The example with a live board.
    Board,
    /// One process.
    Sha256sum,
    /// Several processes at a time, of 50 files each.
    Xargs,
}

/// What one run took.
#[derive(Clone, Copy)]
struct Taken {
    cpu: Duration,
    wall: Duration,
}

pub(crate) fn print(short: bool) {
    if short {
        println!("a short run: the files are few, and the figures mean nothing\n");
    }
    let (rounds, share) = if short { (1, 100) } else { (15, 1) };
    let trees = [
        ("9,600 files of up to 16 KiB", Tree::new("small", 9_600 / share, 16 << 10)),
        ("8 files of up to 128 MiB", Tree::new("large", 8, (128 << 20) / share)),
    ];
    println!("The shortest of {rounds} runs each, and the ratio to the loop on threads.\n");
    for (name, tree) in &trees {
        let mut best = [Taken { cpu: Duration::MAX, wall: Duration::MAX }; PROGRAMS.len()];
        for _ in 0..rounds {
            for (best, program) in best.iter_mut().zip(PROGRAMS) {
                let taken = program.run(&tree.path);
                best.cpu = best.cpu.min(taken.cpu);
                best.wall = best.wall.min(taken.wall);
            }
        }
        println!("{name:<32}  processor            wall clock");
        for (taken, program) in best.iter().zip(PROGRAMS) {
            let ratio = |time: Duration, loop_time: Duration| time.div_duration_f64(loop_time);
            println!(
                "  {:<28} {:>8.3} s  {:>5.2} × {:>8.3} s  {:>5.2} ×",
                program.name(),
                taken.cpu.as_secs_f64(),
                ratio(taken.cpu, best[0].cpu),
                taken.wall.as_secs_f64(),
                ratio(taken.wall, best[0].wall),
            );
        }
        println!();
    }
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Threads => "loop on threads",
            Self::Log => "checksum, log",
            Self::Board => "checksum, live board",
            Self::Sha256sum => "sha256sum",
            Self::Xargs => "xargs -P CORES sha256sum",
        }
    }

    /// Runs the program on a folder to its end.
    fn run(self, folder: &Path) -> Taken {
        match self {
            Self::Threads => take(part("threads", folder).stderr(Stdio::null())),
            Self::Log => take(part("checksum", folder).stderr(Stdio::null())),
            Self::Board => {
                let (terminal, stderr) = pseudo_terminal((80, 24));
                let reader = thread::spawn(move || drain(terminal));
                let taken = take(part("checksum", folder).stderr(stderr));
                reader.join().expect("the reader of the terminal");
                taken
            }
            Self::Sha256sum => take(&mut shell("find . -type f -exec sha256sum {} +", folder)),
            Self::Xargs => take(&mut shell(
                "find . -type f -print0 | xargs -0 -n 50 -P \"$(getconf _NPROCESSORS_ONLN)\" sha256sum",
                folder,
            )),
        }
    }
}

/// This program as another process.
fn part(name: &str, folder: &Path) -> Command {
    let mut command = this_program();
    command.env(PART, name).arg(folder);
    command
}

fn shell(script: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).current_dir(folder);
    command
}

/// Runs a command and measures it with all of its processes.
#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn take(command: &mut Command) -> Taken {
    let (cpu, start) = (cpu_of_children(), Instant::now());
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    let wall = start.elapsed();
    assert!(status.expect("a process").success(), "{command:?}");
    Taken { cpu: cpu_of_children() - cpu, wall }
}

fn cpu_of_children() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the usage of children");
    let microseconds =
        usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(microseconds.unsigned_abs())
}

/// Reads until the terminal has no other side.
fn drain(mut terminal: File) {
    let mut bytes = [0; 64 * 1024];
    loop {
        match terminal.read(&mut bytes) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
