//! The cost of an update for the thread that makes it.
//!
//! The bench measures the processor time of the updating threads, including the frames
//! that some peers draw on them.

use std::io;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use crate::peers::{ActiveStatus, Clx, Indicatif, Kdam, Nutmeg, Peer, Prodash};
use crate::process::{start, stdout_of};
use crate::time::{cpu, until};

/// The jobs and threads of a measurement.
const SIZES: [(usize, usize); 7] =
    [(1, 1), (1, 4), (20, 1), (20, 2), (20, 4), (1_000, 1), (100_000, 1)];

type Measure = fn(&str, usize, usize, Duration) -> Option<f64>;

/// This crate first, then the peers.
const PEERS: [(&str, Measure); 6] = [
    (ActiveStatus::NAME, measure::<ActiveStatus>),
    (Indicatif::NAME, measure::<Indicatif>),
    (Prodash::NAME, measure::<Prodash>),
    (Nutmeg::NAME, measure::<Nutmeg>),
    (Kdam::NAME, measure::<Kdam>),
    (Clx::NAME, measure::<Clx>),
];

/// Prints the cost of an update, measured in one process per peer.
pub(crate) fn print(short: bool) {
    let (runs, millis) = if short { (1, 10) } else { (3, 400) };
    for update in ["tick", "text", "status"] {
        println!("{update}: ns per call, and the ratio to this crate\n");
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
                    let part = format!("updates {update} {name} {jobs} {threads} {millis}");
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

fn cell(nanos: f64, baseline: f64) -> String {
    match nanos {
        f64::INFINITY => "–".into(),
        nanos if nanos < 100.0 => format!("{nanos:.1} ({:.1}×)", nanos / baseline),
        nanos => format!("{nanos:.0} ({:.1}×)", nanos / baseline),
    }
}

/// Measures in a child process; `None` if the peer has no such update.
fn nanos(part: &str, rows: u16) -> Option<f64> {
    let (child, mut terminal) = start(part, (80, rows));
    // Reading from a terminal fails once its other side is closed.
    let read = move || io::copy(&mut terminal, &mut io::sink());
    let reader = thread::spawn(read);
    let text = stdout_of(child);
    let _ = reader.join();
    text.trim().parse().ok()
}

/// Measures in this process and prints the result.
pub(crate) fn run_part(part: &str) {
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

/// Measures the ns per update; `None` if the peer has no such update, or is too slow
/// for the given number of jobs.
fn measure<P: Peer>(update: &str, jobs: usize, threads: usize, time: Duration) -> Option<f64> {
    let has_room = jobs <= 1_000 || [ActiveStatus::NAME, Prodash::NAME].contains(&P::NAME);
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

/// Measures the ns per update on the given number of threads, each with separate jobs
/// if there are enough.
fn on_threads<J: Sync>(jobs: &[J], threads: usize, time: Duration, update: fn(&J, u64)) -> f64 {
    let start = Barrier::new(threads);
    let (calls, nanos) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for thread in 0..threads {
            let (start, calls, nanos) = (&start, &calls, &nanos);
            scope.spawn(move || {
                let first = thread % jobs.len();
                let mut jobs = jobs[first..].iter().step_by(threads).cycle();
                start.wait();
                let before = cpu();
                calls
                    .fetch_add(until(time, |number| update(jobs.next().unwrap(), number)), Relaxed);
                nanos.fetch_add((cpu() - before).as_nanos() as u64, Relaxed);
            });
        }
    });
    nanos.into_inner() as f64 / calls.into_inner() as f64
}
