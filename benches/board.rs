//! What an update costs who makes it, beside five peers, while a board is drawn;
//! and what it costs to draw ours.
//!
//! `cargo bench --bench board`; with `-- --test`, a short run of all of it.
//!
//! What is measured is the time on the processor of the threads that make the
//! updates, all of it: with the frames that some peers draw in there.
#![expect(clippy::print_stdout, reason = "the tables are what it is for")]

mod boards;

fn main() {
    #[cfg(unix)]
    unix::main();
}

/// A terminal and the time of a thread are things of Unix.
#[cfg(unix)]
mod unix {
    use std::future::{Future, poll_fn};
    use std::hint::black_box;
    use std::io::{self, Write};
    use std::pin::Pin;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use std::sync::mpsc::{self, Receiver, Sender};
    use std::sync::{Arc, Barrier};
    use std::task::{Context, Poll, Waker};
    use std::time::{Duration, Instant};
    use std::{env, thread};

    use active_status::{
        Change, Console, Event, Job, JobId, JobOptions, Model, Progress, Row, board_with_clock,
    };
    use rustix::time::{ClockId, clock_gettime};

    use crate::boards::terminal::{part, said, start};
    use crate::boards::{Clx, Indicatif, Kdam, Nutmeg, Ours, Peer, Prodash, TOTAL};

    pub(crate) fn main() {
        if let Some(part) = part() {
            return play(&part);
        }
        let short = env::args().any(|argument| argument == "--test");
        updates(short);
        drawing(short);
    }

    /// The jobs and threads of a measurement.
    const SIZES: [(usize, usize); 7] =
        [(1, 1), (1, 4), (20, 1), (20, 2), (20, 4), (1_000, 1), (100_000, 1)];

    type Measure = fn(&str, usize, usize, Duration) -> Option<f64>;

    /// Ours first, then the peers.
    const PEERS: [(&str, Measure); 6] = [
        (Ours::NAME, measure::<Ours>),
        (Indicatif::NAME, measure::<Indicatif>),
        (Prodash::NAME, measure::<Prodash>),
        (Nutmeg::NAME, measure::<Nutmeg>),
        (Kdam::NAME, measure::<Kdam>),
        (Clx::NAME, measure::<Clx>),
    ];

    /// Prints what an update costs, each in a process of its own.
    fn updates(short: bool) {
        let (runs, millis) = if short { (1, 10) } else { (3, 400) };
        for update in ["tick", "text", "status"] {
            println!("{update}: ns a call, and how many times ours\n");
            print!("{:>8} {:>8}", "jobs", "threads");
            PEERS.iter().for_each(|(name, _)| print!("{name:>20}"));
            println!();
            for (jobs, threads) in SIZES {
                if short && jobs > 1_000 {
                    continue;
                }
                let mut best = [f64::INFINITY; PEERS.len()];
                for _ in 0..runs {
                    for (best, (name, _)) in best.iter_mut().zip(PEERS) {
                        let part = format!("{update} {name} {jobs} {threads} {millis}");
                        let rows = if jobs < 100 { 24 } else { 1_100 };
                        *best = best.min(nanos(&part, rows).unwrap_or(f64::INFINITY));
                    }
                }
                print!("{jobs:>8} {threads:>8}");
                best.iter().for_each(|&nanos| print!("{:>20}", cell(nanos, best[0])));
                println!();
            }
            println!();
        }
    }

    fn cell(nanos: f64, ours: f64) -> String {
        match nanos {
            f64::INFINITY => "–".into(),
            nanos if nanos < 100.0 => format!("{nanos:.1} ({:.1}×)", nanos / ours),
            nanos => format!("{nanos:.0} ({:.1}×)", nanos / ours),
        }
    }

    /// Has another process measure; `None` if there is nothing to measure.
    fn nanos(part: &str, rows: u16) -> Option<f64> {
        let (child, mut terminal) = start(part, (80, rows));
        // A terminal whose other side is closed gives an error.
        let read = move || io::copy(&mut terminal, &mut io::sink());
        let reader = thread::spawn(read);
        let said = said(child);
        let _ = reader.join();
        said.trim().parse().ok()
    }

    /// Measures in this process.
    fn play(part: &str) {
        let [update, name, jobs, threads, millis] = part.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{part}")
        };
        let (_, measure) = PEERS.into_iter().find(|peer| peer.0 == name).expect("a peer");
        let number = |text: &str| text.parse().expect("a number");
        let time = Duration::from_millis(number(millis) as u64);
        if let Some(nanos) = measure(update, number(jobs), number(threads), time) {
            println!("{nanos}");
        }
    }

    /// The ns of one update; `None` if this peer has none of the kind, or takes too
    /// long for so many jobs.
    fn measure<P: Peer>(update: &str, jobs: usize, threads: usize, time: Duration) -> Option<f64> {
        let has_room = jobs <= 1_000 || [Ours::NAME, Prodash::NAME].contains(&P::NAME);
        if !has_room || (update == "status" && !P::HAS_STATUS) {
            return None;
        }
        let (board, jobs) = P::open(jobs);
        let update: fn(&P::Job, u64) = match update {
            "tick" => |job, _| P::tick(job),
            "text" => P::text,
            _ => P::status,
        };
        let nanos = on_threads(&jobs, threads, time, update);
        board.close(jobs);
        Some(nanos)
    }

    /// The ns of one update, made on so many threads: each has jobs of its own, as
    /// far as there are.
    fn on_threads<J: Sync>(jobs: &[J], threads: usize, time: Duration, update: fn(&J, u64)) -> f64 {
        let start = Barrier::new(threads);
        let (calls, nanos) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for thread in 0..threads {
                let (start, calls, nanos) = (&start, &calls, &nanos);
                scope.spawn(move || {
                    let first = thread % jobs.len();
                    let mut mine = jobs[first..].iter().step_by(threads).cycle();
                    start.wait();
                    let before = cpu();
                    calls.fetch_add(
                        until(time, |number| update(mine.next().unwrap(), number)),
                        Relaxed,
                    );
                    nanos.fetch_add((cpu() - before).as_nanos() as u64, Relaxed);
                });
            }
        });
        nanos.into_inner() as f64 / calls.into_inner() as f64
    }

    /// Calls this for so long. How often it did.
    fn until(time: Duration, mut call: impl FnMut(u64)) -> u64 {
        let began = now();
        let (mut number, mut batch) = (0, 1);
        loop {
            let before = now();
            for _ in 0..batch {
                call(number);
                number += 1;
            }
            let after = now();
            if after - began >= time {
                return number;
            }
            if after - before < Duration::from_millis(1) {
                batch *= 2;
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a bench")]
    fn now() -> Instant {
        Instant::now()
    }

    /// The time that this thread was on a processor.
    fn cpu() -> Duration {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }

    /// Prints what it costs to fold events, to lay out a frame, and to do both and
    /// write the bytes.
    fn drawing(short: bool) {
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
            let add =
                |number| board.add_job(JobOptions::from(format!("job {number}: ")).total(TOTAL));
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
}
