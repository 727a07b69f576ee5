//! The boards that are compared: one row per job, each with a text and a bar, drawn on
//! stderr at the default rate of each library.

use std::fmt::Write;
use std::io;
use std::sync::{Arc, Mutex};

use active_status::{Console, Job, JobOptions, OpenBoard, Status};
use clx::progress::{ProgressJob, ProgressJobBuilder, ProgressStatus};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use kdam::{Bar, BarBuilder, BarExt};
use prodash::messages::MessageLevel;
use prodash::render::line;
use prodash::tree::{Item, Root};

/// The total of each job, which no bench reaches.
pub(crate) const TOTAL: u64 = 1 << 32;

/// A kind of board.
pub(crate) trait Peer: Sized {
    const NAME: &str;
    /// Whether a job has a status to set.
    const HAS_STATUS: bool = false;
    type Job: Send + Sync;

    /// Opens a board with the given number of jobs, and starts drawing it.
    fn open(jobs: usize) -> (Self, Vec<Self::Job>);
    /// Advances the position by one.
    fn tick(job: &Self::Job);
    /// Sets a formatted text.
    fn text(job: &Self::Job, number: u64);
    /// Sets one of two statuses.
    fn status(_job: &Self::Job, _number: u64) {}
    /// Prints a line above the rows. Returns `false` if the library cannot.
    fn print(&self, _jobs: &[Self::Job], _line: &str) -> bool {
        false
    }
    /// Draws the last frame.
    fn close(self, jobs: Vec<Self::Job>);
}

/// Returns true for half of the numbers, without a period.
const fn changes(number: u64) -> bool {
    number.count_ones() & 1 == 0
}

pub(crate) struct ActiveStatus(OpenBoard);

impl Peer for ActiveStatus {
    const NAME: &str = "active-status";
    const HAS_STATUS: bool = true;
    type Job = Job;

    fn open(jobs: usize) -> (Self, Vec<Job>) {
        let board = Console::auto().open();
        let add = |number| board.add_job(JobOptions::from(format!("job {number}: ")).total(TOTAL));
        let jobs = (0..jobs).map(add).collect();
        (Self(board), jobs)
    }

    #[inline]
    fn tick(job: &Job) {
        job.tick();
    }

    #[inline]
    fn text(job: &Job, number: u64) {
        job.set_text(format_args!("item {number}"));
    }

    #[inline]
    fn status(job: &Job, number: u64) {
        job.set_status(if changes(number) { Status::Normal } else { Status::Warning });
    }

    fn print(&self, _jobs: &[Job], line: &str) -> bool {
        self.0.println(line);
        true
    }

    fn close(self, jobs: Vec<Job>) {
        jobs.iter().for_each(Job::finish);
        self.0.shutdown();
    }
}

pub(crate) struct Indicatif(MultiProgress);

impl Peer for Indicatif {
    const NAME: &str = "indicatif";
    type Job = ProgressBar;

    fn open(jobs: usize) -> (Self, Vec<ProgressBar>) {
        let board = MultiProgress::new();
        let style =
            ProgressStyle::with_template("{prefix}{msg} {bar:30} {percent:>3}% - {pos}/{len}");
        let style = style.expect("a template");
        let add = |number| {
            let bar = ProgressBar::new(TOTAL).with_style(style.clone());
            board.add(bar.with_prefix(format!("job {number}: ")))
        };
        let jobs = (0..jobs).map(add).collect();
        (Self(board), jobs)
    }

    #[inline]
    fn tick(job: &ProgressBar) {
        job.inc(1);
    }

    #[inline]
    fn text(job: &ProgressBar, number: u64) {
        job.set_message(format!("item {number}"));
    }

    fn print(&self, _jobs: &[ProgressBar], line: &str) -> bool {
        self.0.println(line).is_ok()
    }

    fn close(self, jobs: Vec<ProgressBar>) {
        jobs.iter().for_each(ProgressBar::abandon);
        drop(self.0);
    }
}

pub(crate) struct Prodash {
    root: Arc<Root>,
    render: line::JoinHandle,
}

impl Peer for Prodash {
    const NAME: &str = "prodash";
    type Job = Item;

    fn open(jobs: usize) -> (Self, Vec<Item>) {
        let root = Root::new();
        let add = |number| {
            let item = root.add_child(format!("job {number}"));
            item.init(Some(TOTAL as usize), None);
            item
        };
        let jobs = (0..jobs).map(add).collect();
        let size = terminal_size::terminal_size_of(io::stderr());
        let options = line::Options {
            terminal_dimensions: size.map_or((80, 24), |(columns, rows)| (columns.0, rows.0)),
            frames_per_second: 10.0,
            ..line::Options::default()
        };
        let render = line::render(io::stderr(), Arc::downgrade(&root), options);
        (Self { root, render }, jobs)
    }

    #[inline]
    fn tick(job: &Item) {
        job.inc();
    }

    #[inline]
    fn text(job: &Item, number: u64) {
        job.set_name(format!("item {number}"));
    }

    fn print(&self, jobs: &[Item], line: &str) -> bool {
        jobs[0].message(MessageLevel::Info, line);
        true
    }

    fn close(self, jobs: Vec<Item>) {
        drop(jobs);
        self.render.shutdown_and_wait();
        drop(self.root);
    }
}

/// The updating thread draws the view, which knows no jobs.
pub(crate) struct Nutmeg(Arc<nutmeg::View<Rows>>);

#[derive(Default)]
pub(crate) struct Rows(Vec<(String, u64)>);

impl nutmeg::Model for Rows {
    fn render(&mut self, _width: usize) -> String {
        let mut rows = String::new();
        for (number, (text, position)) in self.0.iter().enumerate() {
            let (percent, bar) = (position * 100 / TOTAL, "░".repeat(30));
            let _ = writeln!(rows, "job {number}: {text} {bar} {percent:>3}% - {position}/{TOTAL}");
        }
        rows
    }
}

pub(crate) struct NutmegRow(Arc<nutmeg::View<Rows>>, usize);

impl Peer for Nutmeg {
    const NAME: &str = "nutmeg";
    type Job = NutmegRow;

    fn open(jobs: usize) -> (Self, Vec<NutmegRow>) {
        let options = nutmeg::Options::new().destination(nutmeg::Destination::Stderr);
        let rows = Rows(vec![Default::default(); jobs]);
        let view = Arc::new(nutmeg::View::new(rows, options));
        let jobs = (0..jobs).map(|number| NutmegRow(view.clone(), number)).collect();
        (Self(view), jobs)
    }

    #[inline]
    fn tick(job: &NutmegRow) {
        job.0.update(|rows| rows.0[job.1].1 += 1);
    }

    #[inline]
    fn text(job: &NutmegRow, number: u64) {
        job.0.update(|rows| rows.0[job.1].0 = format!("item {number}"));
    }

    fn print(&self, _jobs: &[NutmegRow], line: &str) -> bool {
        self.0.message(format!("{line}\n"));
        true
    }

    fn close(self, jobs: Vec<NutmegRow>) {
        drop(jobs);
        drop(self.0);
    }
}

pub(crate) struct Kdam;

impl Peer for Kdam {
    const NAME: &str = "kdam";
    type Job = Mutex<Bar>;

    fn open(jobs: usize) -> (Self, Vec<Mutex<Bar>>) {
        let add = |number| {
            let bar = BarBuilder::default().total(TOTAL as usize).position(number as u16);
            Mutex::new(bar.desc(format!("job {number}")).build().expect("a bar"))
        };
        (Self, (0..jobs).map(add).collect())
    }

    #[inline]
    fn tick(job: &Mutex<Bar>) {
        let _ = job.lock().expect("no panics").update(1);
    }

    #[inline]
    fn text(job: &Mutex<Bar>, number: u64) {
        job.lock().expect("no panics").set_description(format!("item {number}"));
    }

    fn print(&self, jobs: &[Mutex<Bar>], line: &str) -> bool {
        jobs[0].lock().expect("no panics").write(line).is_ok()
    }

    fn close(self, jobs: Vec<Mutex<Bar>>) {
        for job in jobs {
            let _ = job.lock().expect("no panics").refresh();
        }
    }
}

/// The library has one board per process.
pub(crate) struct Clx;

impl Peer for Clx {
    const NAME: &str = "clx";
    const HAS_STATUS: bool = true;
    type Job = Arc<ProgressJob>;

    fn open(jobs: usize) -> (Self, Vec<Arc<ProgressJob>>) {
        let body = "{{ message }} {{ progress_bar(width=30) }} {{ cur }}/{{ total }}";
        let add = |number| {
            let job =
                ProgressJobBuilder::new().body(body).prop("message", &format!("job {number}"));
            job.progress_current(0).progress_total(TOTAL as usize).start()
        };
        (Self, (0..jobs).map(add).collect())
    }

    #[inline]
    fn tick(job: &Arc<ProgressJob>) {
        job.increment(1);
    }

    #[inline]
    fn text(job: &Arc<ProgressJob>, number: u64) {
        job.message(&format!("item {number}"));
    }

    #[inline]
    fn status(job: &Arc<ProgressJob>, number: u64) {
        job.set_status(if changes(number) {
            ProgressStatus::Running
        } else {
            ProgressStatus::Pending
        });
    }

    fn close(self, jobs: Vec<Arc<ProgressJob>>) {
        jobs.iter().for_each(|job| job.set_status(ProgressStatus::Done));
        clx::progress::stop();
    }
}
