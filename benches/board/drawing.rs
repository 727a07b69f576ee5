//! What it costs to draw our board.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use active_status::{
    Change, Console, Event, Job, JobId, JobOptions, Model, Progress, Row, board_with_clock,
};

use crate::peers::TOTAL;
use crate::time::{cpu, until};

/// Prints what it costs to fold events, to lay out a frame, and to do both and
/// write the bytes.
pub(crate) fn print(short: bool) {
    let time = Duration::from_millis(if short { 5 } else { 500 });
    println!("drawing on 80 × 24, of which 20 jobs have changed, ns\n");
    let heads = ["fold an event", "frame", "console: a frame", "of it encode"];
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
    println!("\n20 jobs at 50 Hz, 5 s of the board's time: {writes} writes, {bytes} bytes");
}

fn id(number: usize) -> JobId {
    JobId::new(number as u64 + 1).expect("ids count from 1")
}

fn model(jobs: usize) -> Model {
    let mut model = Model::new();
    for number in 0..jobs {
        let progress = Progress { total: Some(TOTAL), ..Progress::default() };
        let prefix = format!("job {number}: ");
        let row = Row { prefix, progress: Some(progress), ..Row::default() };
        let event = Event::Added { job: id(number), at: Duration::ZERO, row };
        model.apply(&event, Duration::ZERO);
    }
    model
}

fn change(job: usize, number: u64) -> Event {
    let progress = Progress { position: number, total: Some(TOTAL), text: None };
    let text = Some(format!("item {number}"));
    let change = Change { text, progress: Some(Some(progress)), ..Change::default() };
    Event::Changed { job: id(job), change }
}

/// Jobs in an order of no pattern.
fn scattered(number: u64, jobs: usize) -> usize {
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as usize % jobs
}

fn fold(jobs: usize, time: Duration) -> f64 {
    let mut model = model(jobs);
    let events: Vec<Event> =
        (0..10_000).map(|number| change(scattered(number, jobs), number)).collect();
    let before = cpu();
    let calls = until(time, |number| {
        model.apply(&events[number as usize % events.len()], Duration::from_micros(number));
    });
    (cpu() - before).as_nanos() as f64 / calls as f64
}

fn frame(jobs: usize, time: Duration) -> f64 {
    let model = model(jobs);
    let before = cpu();
    let calls = until(time, |_| {
        black_box(model.frame(80, 24, Duration::from_millis(10)));
    });
    (cpu() - before).as_nanos() as f64 / calls as f64
}

/// Tells of each write.
struct Tells(Sender<usize>);

impl Write for Tells {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.send(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A board in memory whose time passes by hand.
struct ByHand {
    jobs: Vec<Job>,
    time: Arc<AtomicU64>,
    run: Pin<Box<dyn Future<Output = ()>>>,
    written: Receiver<usize>,
}

impl ByHand {
    fn new(jobs: usize) -> Self {
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
        let console = Console::live().size(80, 24).clock(clock).output(Tells(sender));
        let add = |number| board.add_job(JobOptions::from(format!("job {number}: ")).total(TOTAL));
        let jobs = (0..jobs).map(add).collect();
        Self { jobs, time, run: Box::pin(console.run(events, sleep)), written }
    }

    /// Lets time pass and draws, if it is time to.
    fn pass(&mut self, time: Duration) {
        self.time.fetch_add(time.as_nanos() as u64, Relaxed);
        self.poll();
    }

    fn poll(&mut self) {
        assert!(self.run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }

    fn update(&self, job: usize, number: u64) {
        self.jobs[job].tick();
        self.jobs[job].set_text(format_args!("item {number}"));
    }
}

/// The ns of a frame of which 20 rows have changed, from the events to the bytes.
fn console(jobs: usize, time: Duration) -> f64 {
    let mut board = ByHand::new(jobs);
    let mut spent = Duration::ZERO;
    let frames = until(time, |number| {
        // Those on the screen: they had news last.
        (0..20).for_each(|job| board.update(job, number));
        let before = cpu();
        board.pass(Duration::from_millis(100));
        spent += cpu() - before;
        // It is written by another thread, which may be behind.
        while board.written.recv_timeout(Duration::from_millis(1)).is_err() {
            board.poll();
        }
    });
    spent.as_nanos() as f64 / frames as f64
}

/// The writes and bytes of so many seconds of the board's time.
fn virtual_seconds(jobs: usize, hertz: u64, seconds: u64) -> (usize, usize) {
    let mut board = ByHand::new(jobs);
    let mut written = Vec::new();
    for number in 0..hertz * seconds {
        (0..jobs).for_each(|job| board.update(job, number));
        board.pass(Duration::from_secs(1) / hertz as u32);
        written.extend(board.written.recv_timeout(Duration::from_millis(2)));
    }
    (written.len(), written.iter().sum())
}
