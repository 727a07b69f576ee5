//! Everything that a board can show, in ten seconds: bars, a spinner, warnings,
//! failures, a panic, a cancelled job, long and wide texts, printed lines, pinned
//! rows, and more rows than fit on the screen.
//!
//! ```sh
//! cargo run --release --example show -- [--plain] [--classic] [--no-color] [--seed N]
//! cargo run --features json --example show -- --record FILE
//! ```
//!
//! The seed determines the speed of each job. The example `replay` plays a recorded
//! run at other widths and speeds. With the feature `capture`, the message of the
//! panic appears above the rows.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, thread};

use active_status::console::ConsoleHandle;
use active_status::{
    Board, Console, Events, Job, JobOptions, Merge, Outcome, ProgressStyle, Status, Theme, board,
    once, run_workers, wrap_with_status,
};
use smol::Timer;

const USAGE: &str = "usage: show [--plain] [--classic] [--no-color] [--seed N] [--record FILE]
(--record needs the feature json, and a writable file)";

/// The packages that the pool compiles.
const PACKAGES: [&str; 16] = [
    "cfg-if", "libc", "memchr", "serde", "itoa", "ryu", "log", "regex", "bytes", "rustix",
    "anstyle", "smol", "syn", "quote", "tracing", "app",
];

/// The number of files uploaded at once.
const UPLOADS: usize = 32;

fn main() -> ExitCode {
    let (board, events) = board();
    let Some((running, seed)) = arguments(events) else {
        let _closed = writeln!(io::stderr(), "{USAGE}");
        return ExitCode::from(2);
    };
    {
        // The message of the panic appears above the rows.
        #[cfg(all(unix, feature = "capture"))]
        let _capture = active_status::capture::Capture::start(&board);
        smol::block_on(Show::new(&board, seed).run());
    }
    board.close();
    running.into_iter().for_each(ConsoleHandle::shutdown);
    ExitCode::SUCCESS
}

/// Starts the consoles that the arguments ask for, and returns them with the seed.
fn arguments(events: Events) -> Option<(Vec<ConsoleHandle>, u64)> {
    let (mut console, mut color, mut seed, mut file) = (Console::auto(), true, 1, None);
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--plain" => console = Console::plain().into(),
            "--classic" => console = Console::auto().theme(Theme::classic()),
            "--no-color" => color = false,
            "--seed" => seed = arguments.next()?.parse().ok()?,
            "--record" if cfg!(feature = "json") => {
                file = Some(File::create(arguments.next()?).ok()?);
            }
            _ => return None,
        }
    }
    let console = if color { console } else { console.color(false) };
    Some((start(console, file, events), seed))
}

#[cfg(feature = "json")]
fn start(console: Console, file: Option<File>, events: Events) -> Vec<ConsoleHandle> {
    let Some(file) = file else { return vec![console.start(events)] };
    let [screen, record] = active_status::tee(events);
    vec![console.start(screen), Console::json().output(file).start(record)]
}

#[cfg(not(feature = "json"))]
fn start(console: Console, _: Option<File>, events: Events) -> Vec<ConsoleHandle> {
    vec![console.start(events)]
}

/// The jobs and the state that they share.
struct Show<'a> {
    board: &'a Board,
    /// The pinned job that counts all others.
    total: Job,
    failed: Cell<u32>,
    random: Cell<u64>,
}

impl<'a> Show<'a> {
    fn new(board: &'a Board, seed: u64) -> Self {
        let total = JobOptions::new().prefix("release: ").pinned(true);
        let total = total.total((PACKAGES.len() + UPLOADS + 7) as u64);
        let total = board.add_job(total.style(ProgressStyle::bar().eta()));
        board.show_elapsed();
        Self { board, total, failed: Cell::new(0), random: Cell::new(seed) }
    }

    async fn run(self) {
        self.board.println("releasing app 1.4.0");
        let stages: [Pin<Box<dyn Future<Output = ()> + '_>>; 9] = [
            Box::pin(self.compile()),
            Box::pin(self.download()),
            Box::pin(self.scan()),
            Box::pin(self.lint()),
            Box::pin(self.translate()),
            Box::pin(self.test()),
            Box::pin(self.parse()),
            Box::pin(self.wait_for_review()),
            Box::pin(self.upload()),
        ];
        stages.into_iter().map(once).collect::<Merge<_>>().join().await;
        self.total.set_text(format_args!("{} failed", self.failed.get()));
        self.total.set_status(Status::Warning);
        self.total.finish();
    }

    /// A pool of four workers, with one row per worker.
    async fn compile(&self) {
        let packages = PACKAGES.map(|package| (package, self.between(20, 60)));
        let packages = &RefCell::new(VecDeque::from(packages));
        let workers = wrap_with_status(self.board, |job| {
            once(async move {
                while let Some((package, units)) = { packages.borrow_mut().pop_front() } {
                    job.set_text(format_args!("compiling {package}"));
                    self.count(&job, units, units * 45).await;
                    self.total.tick();
                }
                job.clear_progress();
            })
        });
        run_workers(4, workers).join().await;
    }

    /// Bytes, their rate and the time left.
    async fn download(&self) {
        let size = self.between(40 << 20, 60 << 20);
        let style = ProgressStyle::bytes().rate().eta();
        let job = self.add(JobOptions::new().prefix("download: ").text("corpus.tar").style(style));
        job.start_progress(size);
        for _ in 0..100 {
            rest(40).await;
            job.tick_by(size / 100);
        }
        job.complete_progress();
        self.end(&job, Outcome::Finished);
    }

    /// A count without a total, shown as a spinner.
    async fn scan(&self) {
        let folders = ["src", "tests", "benches", "examples", "target", "docs"];
        let folders = folders.map(|folder| (folder, self.between(15, 30)));
        let job = self.add("scan: ");
        job.start_progress(None);
        for (folder, looks) in folders {
            job.set_text(folder);
            for _ in 0..looks {
                job.tick_by(looks);
                rest(50).await;
            }
        }
        self.end(&job, Outcome::Finished);
    }

    /// A warning, with a printed line.
    async fn lint(&self) {
        let job = self.add("lint: ");
        job.set_text("checking 214 files");
        rest(1_500).await;
        self.board.println("src/parse.rs:17: this branch is unreachable");
        job.set_text("1 warning");
        job.set_status(Status::Warning);
        rest(2_500).await;
        self.end(&job, Outcome::Finished);
    }

    /// Characters that are two columns wide.
    async fn translate(&self) {
        let job = self.add("translate: ");
        let texts =
            ["「東京スカイツリー」へようこそ", "안녕하세요, 세계", "Grüße aus Köln 🍺", "家族 👪"];
        for text in texts {
            job.set_text(text);
            self.count(&job, 20, 1_000).await;
        }
        job.set_status(Status::Success);
        self.end(&job, Outcome::Finished);
    }

    /// A failure whose message is longer than a row.
    async fn test(&self) {
        let job = self.add("test: ");
        job.set_text(
            "net::a_client_retries_three_times_before_it_reports_that_the_server_is_unavailable",
        );
        rest(3_000).await;
        let why = "expected status 200 within three attempts, but got 503 Service Unavailable \
                   from the registry";
        self.end(&job, Outcome::Failed(why.into()));
    }

    /// A thread that panics, which ends its job.
    async fn parse(&self) {
        rest(4_200).await;
        let job = self.add("parse: ");
        job.set_text("the manual");
        let parser = move || {
            let _job = job;
            panic!("a chapter without a heading");
        };
        let thread = thread::Builder::new().name("parser".into()).spawn(parser);
        let panicked = thread.is_ok_and(|thread| thread.join().is_err());
        self.failed.set(self.failed.get() + u32::from(panicked));
        self.total.tick();
    }

    /// A cancelled job: its handle is dropped.
    async fn wait_for_review(&self) {
        let job = self.add("review: ");
        job.set_text("waiting for an answer");
        rest(5_500).await;
        drop(job);
        self.total.tick();
    }

    /// More rows than fit on the screen.
    async fn upload(&self) {
        let uploads: Vec<_> = (1..=UPLOADS)
            .map(|number| (number, self.between(10, 40), self.between(1_000, 3_500)))
            .collect();
        rest(6_000).await;
        let uploads = uploads.into_iter().map(|(number, parts, millis)| {
            let job = self.add(format!("upload {number:>2}: "));
            once(async move {
                job.set_text(format_args!("part-{number:02}.tar.gz"));
                self.count(&job, parts, millis).await;
                let outcome = match number % 11 {
                    0 => Outcome::Failed("connection reset".into()),
                    _ => Outcome::Finished,
                };
                self.end(&job, outcome);
            })
        });
        uploads.collect::<Merge<_>>().join().await;
    }

    fn add(&self, options: impl Into<JobOptions>) -> Job {
        self.board.add_job(options)
    }

    /// Ends a job and counts it.
    fn end(&self, job: &Job, outcome: Outcome) {
        if outcome != Outcome::Finished {
            self.failed.set(self.failed.get() + 1);
        }
        job.end(outcome);
        self.total.tick();
    }

    /// Counts up to a total within the given number of milliseconds.
    async fn count(&self, job: &Job, total: u64, millis: u64) {
        job.start_progress(total);
        for _ in 0..total {
            rest(millis / total).await;
            job.tick();
        }
    }

    /// Returns a pseudorandom number, which depends only on the seed.
    fn between(&self, least: u64, most: u64) -> u64 {
        let next = self.random.get().wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        self.random.set(next);
        least + (next >> 33) % (most - least + 1)
    }
}

async fn rest(millis: u64) {
    Timer::after(Duration::from_millis(millis)).await;
}
