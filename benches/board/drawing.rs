//! The cost of drawing this board.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use active_status::event::{Change, Progress, Row};
use active_status::model::{Frame, Model};
use active_status::{Console, Event, Job, JobId, JobOptions, board_with_clock};

use crate::peers::TOTAL;
use crate::time::{cpu, until};

/// Prints the cost of folding an event, of laying out a frame, and of a whole frame
/// including the bytes.
pub(crate) fn print(short: bool) {
    let time = Duration::from_millis(if short { 5 } else { 500 });
    println!("drawing 20 changed jobs on 80 × 24, ns\n");
    let heads = ["fold an event", "layout", "whole frame", "encoding"];
    print!("{:>8}", "jobs");
    heads.iter().for_each(|head| print!("{head:>20}"));
    println!();
    for jobs in [20, 1_000, 100_000] {
        if short && jobs > 1_000 {
            continue;
        }
        let (fold, frame) = (fold(jobs, time), frame(jobs, time));
        let console = console(jobs, time);
        let encode = console - 20.0 * fold - frame;
        println!("{jobs:>8}{fold:>20.0}{frame:>20.0}{console:>20.0}{encode:>20.0}");
    }
    let (writes, bytes) = virtual_seconds(20, 50, 5);
    println!("\n20 jobs at 50 Hz, 5 s of board time: {writes} writes, {bytes} bytes");
    println!("\nbytes per frame of 20 jobs on 80 × 24, ten frames per second\n");
    for (what, update) in UPDATES {
        println!("{what:28}{:>8}", bytes_per_frame(update));
    }
}

/// What happens to a job between two frames.
type Update = fn(&Job, u64);
const UPDATES: [(&str, Update); 4] = [
    ("nothing new", |_, _| {}),
    ("new counts", |job, _| job.tick()),
    ("new texts", |job, number| job.set_text(format_args!("item {number}"))),
    ("new texts, counts and bars", |job, number| {
        job.tick_by(40);
        job.set_text(format_args!("item {number}"));
    }),
];

fn id(number: usize) -> JobId {
    JobId::new(number as u64 + 1).expect("ids count from 1")
}

fn model(jobs: usize) -> Model {
    let mut model = Model::new();
    for number in 0..jobs {
        let row = Row::new(format!("job {number}: ")).with_progress(Progress::new(0, TOTAL));
        model.apply(&Event::Added { at: Duration::ZERO, job: id(number), row });
    }
    model
}

fn change(job: usize, number: u64) -> Event {
    let change = Change::default().with_text(format!("item {number}"));
    let change = change.with_progress(Progress::new(number, TOTAL));
    Event::Changed { at: Duration::from_micros(number), job: id(job), change }
}

/// Returns jobs in pseudorandom order.
fn scattered(number: u64, jobs: usize) -> usize {
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as usize % jobs
}

fn fold(jobs: usize, time: Duration) -> f64 {
    let mut model = model(jobs);
    let events: Vec<Event> =
        (0..10_000).map(|number| change(scattered(number, jobs), number)).collect();
    let before = cpu();
    let calls = until(time, |number| {
        model.apply(&events[number as usize % events.len()]);
    });
    (cpu() - before).as_nanos() as f64 / calls as f64
}

fn frame(jobs: usize, time: Duration) -> f64 {
    let model = model(jobs);
    let before = cpu();
    let calls = until(time, |_| {
        black_box(Frame::new(&model, 80, 24, Duration::from_millis(10)));
    });
    (cpu() - before).as_nanos() as f64 / calls as f64
}

/// Reports the size of each write.
struct Writes(Sender<usize>);

impl Write for Writes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.send(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A board in memory on a clock that the bench advances.
struct Manual {
    jobs: Vec<Job>,
    time: Arc<AtomicU64>,
    run: Pin<Box<dyn Future<Output = ()>>>,
    written: Receiver<usize>,
}

impl Manual {
    fn new(jobs: usize, total: u64) -> Self {
        let time = Arc::new(AtomicU64::new(0));
        let read = time.clone();
        let clock = move || Duration::from_nanos(read.load(Relaxed));
        let sleep = {
            let clock = clock.clone();
            move |length| {
                let (clock, until) = (clock.clone(), clock() + length);
                poll_fn(move |_| if clock() < until { Poll::Pending } else { Poll::Ready(()) })
            }
        };
        let (sender, written) = mpsc::channel();
        let (board, events) = board_with_clock(clock.clone());
        let console = Console::live().size(80, 24).color(true).clock(clock).output(Writes(sender));
        let add = |number| board.add_job(JobOptions::from(format!("job {number}: ")).total(total));
        let jobs = (0..jobs).map(add).collect();
        Self { jobs, time, run: Box::pin(console.run(events, sleep)), written }
    }

    /// Advances the clock and draws the frame that is due.
    fn pass(&mut self, time: Duration) {
        self.time.fetch_add(time.as_nanos() as u64, Relaxed);
        self.poll();
    }

    fn poll(&mut self) {
        assert!(self.run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }

    /// Waits for a frame, and returns its bytes. Another thread writes it, and may be late.
    fn wait(&mut self) -> usize {
        loop {
            if let Ok(bytes) = self.written.recv_timeout(Duration::from_millis(1)) {
                return bytes;
            }
            self.poll();
        }
    }

    fn update(&self, job: usize, number: u64) {
        self.jobs[job].tick();
        self.jobs[job].set_text(format_args!("item {number}"));
    }
}

/// Measures the ns per frame in which 20 rows have changed, from events to bytes.
fn console(jobs: usize, time: Duration) -> f64 {
    let mut board = Manual::new(jobs, TOTAL);
    let mut spent = Duration::ZERO;
    let frames = until(time, |number| {
        // The visible rows are those with the latest updates.
        (0..20).for_each(|job| board.update(job, number));
        let before = cpu();
        board.pass(Duration::from_millis(100));
        spent += cpu() - before;
        board.wait();
    });
    spent.as_nanos() as f64 / frames as f64
}

/// Counts the writes and bytes of the given number of seconds of board time.
fn virtual_seconds(jobs: usize, hertz: u64, seconds: u64) -> (usize, usize) {
    let mut board = Manual::new(jobs, TOTAL);
    let mut written = Vec::new();
    for number in 0..hertz * seconds {
        (0..jobs).for_each(|job| board.update(job, number));
        board.pass(Duration::from_secs(1) / hertz as u32);
        written.extend(board.written.recv_timeout(Duration::from_millis(2)));
    }
    (written.len(), written.iter().sum())
}

/// Returns the mean number of bytes of the frames of five seconds.
fn bytes_per_frame(update: Update) -> usize {
    // By then the columns have their widths. Jobs are quiet only after ten seconds.
    const BEFORE: u64 = 40;
    const FRAMES: u64 = 50;
    let mut board = Manual::new(20, 4_000);
    let mut bytes = 0;
    for number in 0..BEFORE + FRAMES {
        board.jobs.iter().for_each(|job| update(job, 100 + number));
        board.pass(Duration::from_millis(100));
        let written = board.wait();
        bytes += if number < BEFORE { 0 } else { written };
    }
    bytes / FRAMES as usize
}
