//! Three child processes with a row each on the board of their parent. One of them is
//! killed.
//!
//! ```sh
//! cargo run --features relay --example children
//! ```

use std::io::{self, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, thread};

use active_status::{Board, Console, OpenBoard};
use smol::Timer;

fn main() -> io::Result<()> {
    match env::args().nth(1) {
        Some(name) => child(&name),
        None => parent(),
    }
}

/// Starts the children and shows their boards.
fn parent() -> io::Result<()> {
    let board = Console::auto().open();
    let started: io::Result<Vec<Started>> =
        (1..=3).map(|number| start(board.board(), number)).collect();
    let mut children = started?;
    smol::block_on(Timer::after(Duration::from_millis(700)));
    children[1].0.kill()?;
    for ((mut child, reader), number) in children.into_iter().zip(1..) {
        let status = child.wait()?;
        reader.join().expect("no panic")?;
        board.board().println(format_args!("child {number} ended: {status}"));
    }
    board.shutdown();
    Ok(())
}

type Started = (std::process::Child, thread::JoinHandle<io::Result<u64>>);

/// Starts a child, and a thread that relays its events.
fn start(board: &Board, number: u32) -> io::Result<Started> {
    let mut child =
        Command::new(env::current_exe()?).arg(number.to_string()).stdout(Stdio::piped()).spawn()?;
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let relay = board.relay(format!("child {number}"));
    let reader = thread::spawn(move || relay.read(output));
    Ok((child, reader))
}

/// Works, and writes the events of its board to its standard output.
fn child(name: &str) -> io::Result<()> {
    let board: OpenBoard = Console::json().output(io::stdout()).open();
    let job = board.board().add_job("copy: ");
    job.set_text(format_args!("part-{name}.tar"));
    job.start_progress(50);
    for _ in 0..50 {
        smol::block_on(Timer::after(Duration::from_millis(30)));
        job.tick();
    }
    job.finish();
    board.shutdown();
    Ok(())
}
