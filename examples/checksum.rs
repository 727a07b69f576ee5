//! Hashes every file of a folder with a pool of workers, and shows a status board.
//!
//! ```sh
//! cargo run --release --example checksum -- [--workers N] [PATH]
//! ```
//!
//! Standard output receives one line per file, in the format that `sha256sum -c`
//! reads inside PATH. The board is on standard error. Symbolic links are not
//! followed, and special files are skipped. A file or folder that cannot be read
//! becomes a failed row; the other files are hashed, and the exit status is 1.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::{env, fmt, thread};

use active_status::{Board, Console, Job, JobOptions, ProgressStyle, StatusOptions, run_workers};
use async_channel::Receiver;
use sha2::{Digest as _, Sha256};
use smol::stream::{self, StreamExt};

const USAGE: &str = "usage: checksum [--workers N] [PATH]";

pub(crate) fn main() -> ExitCode {
    let arguments = match Arguments::parse(env::args_os().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            complain(format_args!("{problem}\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    let board = Console::auto().open();
    let result = smol::block_on(checksum(arguments, board.board()));
    board.shutdown();
    match result {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failures) => {
            complain(format_args!("could not read everything: {failures} failed"));
            ExitCode::FAILURE
        }
        // The reader of the lines closed the pipe.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("standard output: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints the checksums of a folder, and returns the number of files and folders
/// that could not be read.
async fn checksum(arguments: Arguments, board: &Board) -> io::Result<usize> {
    let style = ProgressStyle::bytes().rate().eta();
    let total = board.add_job(JobOptions::new().prefix("total: ").pinned(true).style(style));
    board.show_elapsed();

    let folder = Arc::<Path>::from(arguments.folder);
    let (entries, unreadable) = smol::unblock({
        let (folder, total) = (Arc::clone(&folder), total.clone());
        move || walk(&folder, |files| total.set_text(format_args!("{files} files found")))
    })
    .await;
    for unreadable in &unreadable {
        unreadable.show(board);
    }
    let mut failures = unreadable.len();

    let files = entries.len();
    total.set_text(format_args!("0/{files} files"));
    total.start_progress(entries.iter().map(|entry| entry.size).fold(0, u64::saturating_add));
    let (sender, receiver) = async_channel::unbounded();
    for batch in batches(entries) {
        sender.try_send(batch).expect("the channel is open and has no limit");
    }
    drop(sender);

    // The rows of the workers leave no trace; those of failures stay.
    let options = StatusOptions::new().style(ProgressStyle::bytes()).transient(true);
    let pool = options.wrap(board, |_, job| {
        let (folder, total) = (Arc::clone(&folder), total.clone());
        let worker = Worker { folder, batches: receiver.clone(), job, total };
        stream::unfold(worker, |worker| async move {
            let hashed = worker.next().await?;
            Some((hashed, worker))
        })
    });
    let mut pool = run_workers(arguments.workers, pool);
    let mut done = 0;
    while let Some(hashed) = pool.next().await {
        print(&hashed.lines, board)?;
        hashed.unreadable.iter().for_each(|unreadable| unreadable.show(board));
        failures += hashed.unreadable.len();
        done += hashed.files;
        total.set_text(format_args!("{done}/{files} files"));
    }
    total.finish();
    Ok(failures)
}

struct Arguments {
    workers: usize,
    folder: PathBuf,
}

impl Arguments {
    fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut workers = None;
        let mut folders = Vec::new();
        while let Some(argument) = arguments.next() {
            if argument == "--workers" {
                let number = arguments.next().and_then(|number| number.to_str()?.parse().ok());
                workers = Some(number.ok_or("--workers takes a number above 0")?);
            } else if argument == "--" {
                folders.extend(arguments.by_ref());
            } else if argument.as_encoded_bytes().starts_with(b"-") {
                return Err(format!("there is no option {}", argument.display()));
            } else {
                folders.push(argument);
            }
        }
        if folders.len() > 1 {
            return Err("only one PATH is taken".into());
        }
        Ok(Self {
            workers: workers.map_or_else(default_workers, NonZeroUsize::get),
            folder: folders.pop().unwrap_or_else(|| ".".into()).into(),
        })
    }
}

fn default_workers() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// A regular file.
struct Entry {
    /// The path below the folder.
    name: PathBuf,
    /// The size in bytes when the folder was searched.
    size: u64,
}

/// A file or folder that could not be read.
struct Unreadable {
    path: PathBuf,
    error: io::Error,
}

impl Unreadable {
    fn show(&self, board: &Board) {
        board.add_job(format!("{}: ", self.path.display())).fail(&self.error);
    }
}

/// Finds the regular files in a folder and below it. Reports the number found so far
/// once per folder.
fn walk(folder: &Path, found: impl Fn(usize)) -> (Vec<Entry>, Vec<Unreadable>) {
    let mut entries = Vec::new();
    let mut unreadable = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(name) = folders.pop() {
        let path = folder.join(&name);
        let children = match fs::read_dir(&path) {
            Ok(children) => children,
            Err(error) => {
                unreadable.push(Unreadable { path, error });
                continue;
            }
        };
        for child in children {
            let child = match child {
                Ok(child) => child,
                Err(error) => {
                    unreadable.push(Unreadable { path, error });
                    break;
                }
            };
            let name = name.join(child.file_name());
            match child.metadata() {
                Ok(child) if child.is_dir() => folders.push(name),
                Ok(child) if child.is_file() => entries.push(Entry { name, size: child.len() }),
                Ok(_) => {}
                Err(error) => unreadable.push(Unreadable { path: folder.join(name), error }),
            }
        }
        found(entries.len());
    }
    (entries, unreadable)
}

/// Groups files so that a batch has at most 256 files, and at most 4 MiB unless it is a
/// single file. To pass a small file to another thread costs more than to hash it.
fn batches(entries: Vec<Entry>) -> Vec<Vec<Entry>> {
    let mut batches: Vec<Vec<Entry>> = Vec::new();
    let mut bytes = 0_u64;
    for entry in entries {
        bytes = bytes.saturating_add(entry.size);
        match batches.last_mut() {
            Some(batch) if batch.len() < 256 && bytes <= 4 << 20 => batch.push(entry),
            _ => {
                bytes = entry.size;
                batches.push(vec![entry]);
            }
        }
    }
    batches
}

/// What became of a batch.
#[derive(Default)]
struct Hashed {
    files: usize,
    /// The lines that `sha256sum` prints.
    lines: Vec<u8>,
    unreadable: Vec<Unreadable>,
}

/// Hashes one batch after another until the channel is empty.
#[derive(Clone)]
struct Worker {
    folder: Arc<Path>,
    batches: Receiver<Vec<Entry>>,
    job: Job,
    total: Job,
}

impl Worker {
    async fn next(&self) -> Option<Hashed> {
        let batch = self.batches.recv().await.ok()?;
        let worker = self.clone();
        // Reading and hashing block, so they run on the thread pool of smol.
        let hash_all = move || {
            let mut buffer = vec![0; 64 * 1024];
            let mut hashed = Hashed { files: batch.len(), ..Hashed::default() };
            for entry in &batch {
                let path = worker.folder.join(&entry.name);
                match worker.hash(&path, entry, &mut buffer) {
                    Ok(digest) => push_line(&mut hashed.lines, &digest, &entry.name),
                    Err(error) => hashed.unreadable.push(Unreadable { path, error }),
                }
            }
            hashed
        };
        Some(smol::unblock(hash_all).await)
    }

    fn hash(&self, path: &Path, entry: &Entry, buffer: &mut [u8]) -> io::Result<Digest> {
        self.job.set_text(entry.name.display());
        self.job.start_progress(entry.size);
        let mut file = File::open(path)?;
        let mut hasher = Sha256::new();
        loop {
            match file.read(buffer) {
                Ok(0) => return Ok(hasher.finalize().into()),
                Ok(length) => {
                    hasher.update(&buffer[..length]);
                    self.job.tick_by(length as u64);
                    self.total.tick_by(length as u64);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

pub(crate) type Digest = [u8; 32];

/// Appends the line that `sha256sum` prints. A name with a newline, a return or a
/// backslash is escaped, and the line then starts with a backslash.
fn push_line(lines: &mut Vec<u8>, digest: &Digest, name: &Path) {
    // `sha256sum` reads standard input for `-`.
    let name = if name == Path::new("-") { Path::new("./-") } else { name };
    let name = name.as_os_str().as_encoded_bytes();
    if name.iter().any(|byte| matches!(byte, b'\\' | b'\n' | b'\r')) {
        lines.push(b'\\');
    }
    lines.extend(hex(digest));
    lines.extend(b"  ");
    for part in name.split_inclusive(|byte| matches!(byte, b'\\' | b'\n' | b'\r')) {
        match part.split_last() {
            Some((b'\\', part)) => lines.extend([part, br"\\"].concat()),
            Some((b'\n', part)) => lines.extend([part, br"\n"].concat()),
            Some((b'\r', part)) => lines.extend([part, br"\r"].concat()),
            _ => lines.extend(part),
        }
    }
    lines.push(b'\n');
}

pub(crate) fn hex(digest: &Digest) -> [u8; 64] {
    let mut digits = [0; 64];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(digest) {
        pair[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
        pair[1] = b"0123456789abcdef"[usize::from(byte & 15)];
    }
    digits
}

/// Prints lines on standard output, or above the board if both are on a terminal.
fn print(lines: &[u8], board: &Board) -> io::Result<()> {
    if !(io::stdout().is_terminal() && io::stderr().is_terminal()) {
        return io::stdout().write_all(lines);
    }
    if !lines.is_empty() {
        board.println(String::from_utf8_lossy(lines).trim_end_matches('\n'));
    }
    Ok(())
}

/// Reports a problem on standard error, even if standard error is closed.
fn complain(problem: impl fmt::Display) {
    let _closed = writeln!(io::stderr(), "checksum: {problem}");
}
