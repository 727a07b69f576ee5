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
use sha2::{Digest, Sha256};
use smol::stream::{self, StreamExt};

const USAGE: &str = "usage: checksum [--workers N] [PATH]";

fn main() -> ExitCode {
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
    let total =
        board.add_job(JobOptions::new().prefix("looking for files").pinned(true).style(style));
    board.show_elapsed();

    let folder = Arc::<Path>::from(arguments.folder);
    let (entries, unreadable) = smol::unblock({
        let (folder, total) = (Arc::clone(&folder), total.clone());
        move || walk(&folder, |files| total.set_prefix(format_args!("{files} files found")))
    })
    .await;
    for unreadable in &unreadable {
        unreadable.show(board);
    }
    let mut failures = unreadable.len();

    let files = entries.len();
    total.set_prefix(format_args!("0/{files} files"));
    total.start_progress(entries.iter().map(|entry| entry.size).fold(0, u64::saturating_add));
    let (sender, receiver) = async_channel::unbounded();
    for entry in entries {
        sender.try_send(entry).expect("the channel is open and has no limit");
    }
    drop(sender);

    let options = StatusOptions::new().style(ProgressStyle::bytes());
    let pool = options.wrap(board, |_, job| {
        let (folder, total) = (Arc::clone(&folder), total.clone());
        let worker = Worker { folder, entries: receiver.clone(), job, total };
        stream::unfold(worker, |worker| async move {
            let sum = worker.next().await?;
            Some((sum, worker))
        })
    });
    let mut sums = run_workers(arguments.workers, pool);
    let mut lines = Lines::new(board);
    let mut done = 0;
    while let Some(sum) = sums.next().await {
        match sum {
            Ok(sum) => lines.print(&sum.line())?,
            Err(unreadable) => {
                unreadable.show(board);
                failures += 1;
            }
        }
        done += 1;
        total.set_prefix(format_args!("{done}/{files} files"));
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

/// Two workers per core: one hashes while the other passes its checksum on.
fn default_workers() -> usize {
    2 * thread::available_parallelism().map_or(1, NonZeroUsize::get)
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

/// Finds the regular files in a folder and below it, and reports the number found
/// so far.
fn walk(folder: &Path, found: impl Fn(usize)) -> (Vec<Entry>, Vec<Unreadable>) {
    let mut entries = Vec::new();
    let mut unreadable = Vec::new();
    let mut names = vec![PathBuf::new()];
    while let Some(name) = names.pop() {
        let path = folder.join(&name);
        match visit(&path, |child| names.push(name.join(child))) {
            Ok(Some(size)) => {
                entries.push(Entry { name, size });
                found(entries.len());
            }
            Ok(None) => {}
            Err(error) => unreadable.push(Unreadable { path, error }),
        }
    }
    (entries, unreadable)
}

/// Returns the size of a regular file, and calls `child` for each entry of a folder.
fn visit(path: &Path, mut child: impl FnMut(OsString)) -> io::Result<Option<u64>> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            child(entry?.file_name());
        }
    }
    Ok(metadata.is_file().then_some(metadata.len()))
}

/// Hashes one file after another until the channel is empty.
struct Worker {
    folder: Arc<Path>,
    entries: Receiver<Entry>,
    job: Job,
    total: Job,
}

impl Worker {
    async fn next(&self) -> Option<Result<Sum, Unreadable>> {
        let Ok(Entry { name, size }) = self.entries.recv().await else {
            self.job.clear_progress();
            return None;
        };
        self.job.set_text(file_in_folder(&name));
        self.job.start_progress(size);
        let path = self.folder.join(&name);
        let jobs = [self.job.clone(), self.total.clone()];
        // Reading and hashing block, so they run on the thread pool of smol.
        let sum = smol::unblock(move || {
            let hashed = hash(&path, |bytes| jobs.iter().for_each(|job| job.tick_by(bytes)));
            hashed.map_err(|error| Unreadable { path, error })
        });
        Some(sum.await.map(|digest| Sum { digest, name }))
    }
}

/// Puts the file name first, so that a narrow row still shows it.
fn file_in_folder(name: &Path) -> String {
    match (name.file_name(), name.parent()) {
        (Some(file), Some(folder)) if folder != "" => {
            format!("{} in {}", file.display(), folder.display())
        }
        _ => name.display().to_string(),
    }
}

fn hash(path: &Path, mut count: impl FnMut(u64)) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hex(&hasher.finalize())),
            Ok(length) => {
                hasher.update(&buffer[..length]);
                count(length as u64);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The checksum of a file.
struct Sum {
    digest: String,
    name: PathBuf,
}

impl Sum {
    /// Returns the line that `sha256sum` prints. A name with a newline, a return or a
    /// backslash is escaped, and the line then starts with a backslash.
    fn line(&self) -> Vec<u8> {
        let mut line = format!("{}  ", self.digest).into_bytes();
        // `sha256sum` reads standard input for `-`.
        let name = if self.name == Path::new("-") { Path::new("./-") } else { &self.name };
        for &byte in name.as_os_str().as_encoded_bytes() {
            match byte {
                b'\\' => line.extend(br"\\"),
                b'\n' => line.extend(br"\n"),
                b'\r' => line.extend(br"\r"),
                _ => line.push(byte),
            }
        }
        if line.contains(&b'\\') {
            line.insert(0, b'\\');
        }
        line.push(b'\n');
        line
    }
}

/// The destination of the lines: standard output, or the space above the board if
/// both are on a terminal.
enum Lines<'a> {
    Stdout(io::StdoutLock<'static>),
    Board(&'a Board),
}

impl<'a> Lines<'a> {
    fn new(board: &'a Board) -> Self {
        if io::stdout().is_terminal() && io::stderr().is_terminal() {
            Self::Board(board)
        } else {
            Self::Stdout(io::stdout().lock())
        }
    }

    fn print(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.write_all(line),
            Self::Board(board) => {
                board.println(String::from_utf8_lossy(line).trim_end_matches('\n'));
                Ok(())
            }
        }
    }
}

/// Reports a problem on standard error, even if standard error is closed.
fn complain(problem: impl fmt::Display) {
    let _closed = writeln!(io::stderr(), "checksum: {problem}");
}
