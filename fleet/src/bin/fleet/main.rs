//! The command `fleet`: see the documentation of the library.

mod arguments;
mod job;
mod up;

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use active_status::Console;
use active_status::console::Clock;
use active_status_fleet::engine::{Engine, Pairs, QueueOptions};
use active_status_fleet::{Address, NodeOptions, run_board, run_node, since_1970};
use arguments::{Command, USAGE};
use async_signal::{Signal, Signals};
use job::Checksum;
use smol::future::FutureExt;
use smol::stream::StreamExt;

type Failure = Box<dyn Error>;

fn main() -> ExitCode {
    let command = match Command::parse(env::args_os().skip(1)) {
        Ok(command) => command,
        Err(problem) => {
            say(format_args!("{problem}\n\n{}", USAGE.trim_end()));
            return ExitCode::from(2);
        }
    };
    match smol::block_on(run(command)) {
        Ok(code) => code,
        // The reader of the output closed the pipe.
        Err(error) if is_closed_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            say(error);
            ExitCode::FAILURE
        }
    }
}

fn is_closed_pipe(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Reports something on standard error, even if that is closed.
fn say(text: impl fmt::Display) {
    let _closed = writeln!(io::stderr(), "fleet: {text}");
}

async fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Up { path, up } => up.run(&path).await,
        Command::Board { queue } => show_board(QueueOptions::new(queue)).await,
        Command::Feed { path, queue } => {
            let engine = engine(QueueOptions::new(queue), "feed")?;
            feed(&engine, &path, |line| say(line)).await
        }
        Command::Work { root, queue, node, name, quiet } => {
            work(engine(queue, &name)?, &root, *node, quiet).await
        }
        Command::Results { queue } => {
            print_results(&engine(QueueOptions::new(queue), "results")?).await
        }
        Command::Drop { queue, keep } => {
            if engine(QueueOptions::new(queue), "drop")?.drop(keep).await? {
                return Ok(ExitCode::SUCCESS);
            }
            Err("the queue is not settled: items still wait for a result".into())
        }
        Command::Help => {
            io::stdout().write_all(USAGE.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Returns an engine for the server of the environment.
fn engine(queue: QueueOptions, node: &str) -> Result<Engine, Failure> {
    let address = env::var("FLEET_REDIS")
        .map_err(|_| "FLEET_REDIS is not set, for example to redis://user@host")?;
    let mut address: Address = address.parse().map_err(|error| format!("FLEET_REDIS: {error}"))?;
    if let Some(file) = env::var_os("FLEET_PASSWORD_FILE") {
        address = address.with_password_file(Path::new(&file))?;
    }
    Ok(Engine::new(address, queue, node)?.with_report(|message| say(message)))
}

/// Queues the files below a folder, and prints what there is to say.
async fn feed(
    engine: &Engine,
    root: &Path,
    print: impl Fn(fmt::Arguments<'_>),
) -> Result<ExitCode, Failure> {
    if let Some(warning) = engine.prepare().await? {
        print(format_args!("{warning}"));
    }
    let mut unreadable = 0;
    let files = job::files(root, |path, error| {
        unreadable += 1;
        print(format_args!("{}: {error}", path.display()));
    });
    let files = files.map_err(|error| format!("{}: {error}", root.display()))?;
    let mut fed = 0;
    for files in files.chunks(1_000) {
        let items: Vec<_> = files.iter().map(|file| (file.clone(), file.clone())).collect();
        fed += engine.feed(&items).await?;
    }
    let known = files.len() as u64 - fed;
    print(format_args!("queued {fed} files, {known} were known"));
    Ok(if unreadable == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Shows all nodes until a signal.
async fn show_board(queue: QueueOptions) -> Result<ExitCode, Failure> {
    let stop = stop_signal()?;
    // What began before this process has a time on this clock.
    let console = Console::auto().clock(Clock::new(since_1970())).open();
    let board = console.board().clone();
    let engine = engine(queue, "board")?.with_report(move |message| board.println(message));
    let shown = async { run_board(&engine, console.board(), |_| false).await.map(drop) };
    let stopped = async {
        stop.await;
        Ok(())
    };
    let result = shown.or(stopped).await;
    console.shutdown();
    result?;
    Ok(ExitCode::SUCCESS)
}

/// Computes sums until a signal asks the node to stop.
async fn work(
    engine: Engine,
    root: &Path,
    mut node: NodeOptions,
    quiet: bool,
) -> Result<ExitCode, Failure> {
    let checksum = Checksum::new(root).map_err(|error| format!("{}: {error}", root.display()))?;
    if !quiet {
        node = node.console(Console::auto());
    }
    let stop = stop_signal()?;
    let summary = run_node(
        engine,
        node,
        async |entry, row| {
            let (checksum, path, row) = (checksum.clone(), entry.payload.clone(), row.clone());
            // Reading and hashing block.
            smol::unblock(move || checksum.hash(&path, &row)).await
        },
        stop,
    );
    let summary = summary.await?;
    say(format_args!("{} results, {} errors", summary.results, summary.errors));
    Ok(ExitCode::SUCCESS)
}

/// Waits for a signal that asks the process to end.
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut signals = Signals::new([Signal::Term, Signal::Int, Signal::Hup])?;
    Ok(async move {
        signals.next().await;
    })
}

/// Prints the results on standard output, and the reasons of dead items on standard error.
async fn print_results(engine: &Engine) -> Result<ExitCode, Failure> {
    let results = all(async |cursor| engine.results(cursor).await).await?;
    let dead = all(async |cursor| engine.dead(cursor).await).await?;
    let mut output = BufWriter::new(io::stdout().lock());
    for (file, sum) in &results {
        job::write_sum(&mut output, file, sum)?;
    }
    output.flush()?;
    for (file, reason) in &dead {
        let (file, reason) = (String::from_utf8_lossy(file), String::from_utf8_lossy(reason));
        say(format_args!("{file}: {reason}"));
    }
    Ok(if dead.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Collects all pages, in the order of the items.
async fn all<E: Into<Failure>>(
    page: impl AsyncFn(u64) -> Result<(u64, Pairs), E>,
) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, Failure> {
    let mut found = BTreeMap::new();
    let mut cursor = 0;
    loop {
        let (next, pairs) = page(cursor).await.map_err(Into::into)?;
        found.extend(pairs);
        if next == 0 {
            return Ok(found);
        }
        cursor = next;
    }
}
