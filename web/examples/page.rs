//! Shows a run in a browser: a run of this example, beside the terminal, or a recorded
//! one.
//!
//! ```sh
//! cargo run --package active-status-web --example page -- \
//!     [FILE] [--speed N] [--listen ADDRESS] [--token-file FILE]
//! ```
//!
//! The page stays until the program is interrupted.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fmt};

use active_status::record::{read_records, replay};
use active_status::{
    Board, Console, Event, JobOptions, Outcome, ProgressStyle, Status, board, once, run_workers,
    tee, wrap_with_status,
};
use active_status_web::{Page, PageOptions, Token};
use smol::Timer;

const USAGE: &str = "usage: page [FILE] [--speed N] [--listen ADDRESS] [--token-file FILE]";

struct Arguments {
    file: Option<PathBuf>,
    speed: f64,
    listen: String,
    token_file: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Some(arguments) = arguments() else {
        say(USAGE);
        return ExitCode::from(2);
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("page: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Option<Arguments> {
    let listen = "127.0.0.1:8080".to_owned();
    let mut found = Arguments { file: None, speed: 1.0, listen, token_file: None };
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--speed" => {
                found.speed = arguments.next()?.parse().ok().filter(|&speed| speed > 0.0)?;
            }
            "--listen" => found.listen = arguments.next()?,
            "--token-file" => found.token_file = Some(arguments.next()?.into()),
            option if option.starts_with('-') => return None,
            file => found.file = Some(file.into()),
        }
    }
    Some(found)
}

fn say(text: impl fmt::Display) {
    let _closed = writeln!(io::stderr(), "{text}");
}

fn run(arguments: &Arguments) -> io::Result<()> {
    let mut options = PageOptions::new();
    if let Some(file) = &arguments.token_file {
        options = options.token(Token::read(file)?);
    }
    let listener = TcpListener::bind(&arguments.listen)?;
    let Some(file) = &arguments.file else {
        let (board, events) = board();
        let [screen, events] = tee(events);
        let (page, feed) = options.title("release").build(events, Timer::after);
        serve(&page, listener)?;
        let screen = Console::auto().start(screen);
        let feed = smol::spawn(feed);
        smol::block_on(work(&board));
        board.close();
        screen.shutdown();
        smol::block_on(feed);
        return wait();
    };
    let replay = replay(read(file)?, Timer::after).with_speed(arguments.speed);
    let title = file.file_stem().unwrap_or_default().to_string_lossy();
    let (page, feed) = options.title(title).clock(replay.clock()).build(replay, Timer::after);
    serve(&page, listener)?;
    smol::block_on(feed);
    wait()
}

/// Serves the page in the background.
fn serve(page: &Page, listener: TcpListener) -> io::Result<()> {
    let address = listener.local_addr()?;
    smol::spawn(page.serve(listener)?).detach();
    say(format_args!("the board is at http://{address}/"));
    Ok(())
}

/// Keeps the page of a run that ended.
fn wait() -> io::Result<()> {
    say("the run has ended; Ctrl-C ends the page");
    smol::block_on(std::future::pending())
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

/// Six workers that pack and upload forty parts in half a minute.
async fn work(board: &Board) {
    const PARTS: u64 = 40;
    board.show_elapsed();
    let total = JobOptions::new().prefix("all parts: ").pinned(true).total(PARTS);
    let total = &board.add_job(total.style(ProgressStyle::bar().eta()));
    let parts = &RefCell::new((1..=PARTS).collect::<VecDeque<u64>>());
    let workers = wrap_with_status(board, |job| {
        once(async move {
            while let Some(part) = { parts.borrow_mut().pop_front() } {
                let size = 40 + part * 37 % 60;
                job.set_text(format_args!("packing part-{part:02}.tar.zst"));
                job.start_progress(size);
                for _ in 0..size {
                    Timer::after(Duration::from_millis(30 + part * 13 % 40)).await;
                    job.tick();
                }
                let upload = board.add_job(format!("upload {part}: "));
                upload.set_text(format_args!("part-{part:02}.tar.zst"));
                match part % 11 {
                    0 => upload.end(Outcome::Failed("connection reset by peer".into())),
                    _ => upload.finish(),
                }
                if part % 7 == 0 {
                    board.println(format_args!("part {part}: the checksum was computed twice"));
                    job.set_status(Status::Warning);
                }
                total.tick();
            }
            job.clear_progress();
        })
    });
    run_workers(6, workers).join().await;
    total.finish();
}
