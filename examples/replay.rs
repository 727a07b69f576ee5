//! Records a run in a file and plays it again, at any speed and width.
//!
//! ```sh
//! cargo run --features json --example replay -- [FILE] [--speed N] [--width N]
//! ```
//!
//! An existing file is played. If the file does not exist, a run is recorded first.
//! Without FILE, a run is recorded in a temporary file and played at ten times its
//! speed.

use std::fs::{self, File};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::time::Duration;
use std::{cell::RefCell, env};

use active_status::record::{read_records, replay};
use active_status::{
    Board, Console, Event, JobOptions, ProgressStyle, Status, board, once, run_workers, tee,
    wrap_with_status,
};
use smol::Timer;

const USAGE: &str = "usage: replay [FILE] [--speed N] [--width N]";

#[derive(Default)]
struct Arguments {
    file: Option<PathBuf>,
    speed: Option<f64>,
    width: Option<u16>,
}

fn main() -> ExitCode {
    let Some(arguments) = arguments() else {
        say(USAGE);
        return ExitCode::from(2);
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("replay: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Option<Arguments> {
    let mut found = Arguments::default();
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--speed" => found.speed = arguments.next()?.parse().ok().filter(|&speed| speed > 0.0),
            "--width" => found.width = arguments.next()?.parse().ok(),
            option if option.starts_with('-') => return None,
            file => found.file = Some(file.into()),
        }
    }
    Some(found)
}

fn say(text: impl std::fmt::Display) {
    let _closed = writeln!(io::stderr(), "{text}");
}

fn run(arguments: &Arguments) -> io::Result<()> {
    let Some(file) = &arguments.file else {
        let file = env::temp_dir().join(format!("active-status-{}.jsonl", process::id()));
        let shown = record(&file).and_then(|()| show(&file, 10.0, arguments.width));
        fs::remove_file(&file)?;
        return shown;
    };
    if !file.exists() {
        record(file)?;
    }
    show(file, arguments.speed.unwrap_or(1.0), arguments.width)
}

/// Runs the work with its board on the screen and in the file.
fn record(path: &Path) -> io::Result<()> {
    let (board, events) = board();
    let [screen, file] = tee(events);
    let screen = Console::auto().start(screen);
    let file = Console::json().output(File::create(path)?).start(file);
    smol::block_on(work(&board));
    board.close();
    screen.shutdown();
    file.shutdown();
    Ok(())
}

async fn work(board: &Board) {
    let total = JobOptions::new().prefix("all: ").pinned(true).total(12);
    let total = &board.add_job(total.style(ProgressStyle::bar().eta()));
    let parcels = &RefCell::new(1..=12_u64);
    let workers = wrap_with_status(board, |job| {
        once(async move {
            while let Some(parcel) = { parcels.borrow_mut().next() } {
                job.set_text(format_args!("parcel {parcel}"));
                job.start_progress(8);
                for _ in 0..8 {
                    Timer::after(Duration::from_millis(20 + 5 * parcel)).await;
                    job.tick();
                }
                if parcel == 7 {
                    board.println("parcel 7: the label is torn");
                    job.set_status(Status::Warning);
                }
                total.tick();
            }
            job.clear_progress();
        })
    });
    run_workers(3, workers).join().await;
    total.finish();
}

/// Plays the run in a file.
fn show(path: &Path, speed: f64, width: Option<u16>) -> io::Result<()> {
    let replay = replay(read(path)?, Timer::after).with_speed(speed);
    let console = Console::auto().clock(replay.clock());
    let console = match width {
        Some(width) => console.size(width, 24),
        None => console,
    };
    smol::block_on(console.run(replay, Timer::after));
    Ok(())
}

/// Reads the events in a file, and reports the lines that are not valid.
fn read(path: &Path) -> io::Result<Vec<Event>> {
    let mut events = Vec::new();
    for event in read_records(BufReader::new(File::open(path)?)) {
        match event {
            Ok(event) => events.push(event),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                say(format_args!("{}: {error}", path.display()));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(events)
}
