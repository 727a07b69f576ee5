//! Items per second of one, two and four node processes, beside a plain loop that takes and
//! completes with the same scripts; the processor time per item; and the memory of the
//! server. The items do nothing.
//!
//! ```sh
//! cargo bench --package active-status-fleet
//! ```

use std::convert::Infallible;
use std::env;
use std::fmt;
use std::io::{self, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use active_status::relay::{Outbox, RelaysOptions};
use active_status::{Job, board};
use active_status_fleet::engine::{Engine, Entry, Place, QueueOptions};
use active_status_fleet::{LocalServer, NodeOptions, run_node};
use async_signal::{Signal as StopSignal, Signals};
use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};
use smol::block_on;
use smol::stream::StreamExt;

const WORKERS: usize = 4;
/// The time without an item after which a plain loop ends.
const WAIT: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    if let Ok(way) = env::var("WAY") {
        block_on(run(&way));
        return ExitCode::SUCCESS;
    }
    // `cargo bench -- --test` runs everything once, without measuring.
    let items = if env::args().any(|argument| argument == "--test") { 200 } else { 60_000 };
    say(format_args!("{items} items, {WORKERS} workers per node"));
    say(
        "in hand, processes: items/s plain, pool; µs of processor per item plain, pool; of the server",
    );
    for in_hand in [4, 100] {
        for processes in [1, 2, 4] {
            let plain = measure("plain", in_hand, processes, items);
            let pool = measure("pool", in_hand, processes, items);
            say(format_args!(
                "{in_hand:>3} {processes}: {:>6.0} {:>6.0}  {:>5.1} {:>5.1}  {:>5.1} {:>5.1}",
                plain.per_second,
                pool.per_second,
                plain.micros,
                pool.micros,
                plain.server,
                pool.server
            ));
        }
    }
    memory(items);
    events(if items > 1_000 { 80 } else { 1 });
    ExitCode::SUCCESS
}

fn say(text: impl fmt::Display) {
    let _closed = writeln!(io::stdout(), "{text}");
}

struct Figures {
    per_second: f64,
    /// Processor time of the nodes per item.
    micros: f64,
    /// That of the server.
    server: f64,
}

#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn measure(way: &str, in_hand: usize, processes: usize, items: usize) -> Figures {
    let server = LocalServer::start(false, &[]).expect("redis-server is installed");
    let engine = engine(&server.address().to_string());
    feed(&engine, items);
    let fed = server_micros(&server);
    let start = Instant::now();
    let nodes: Vec<_> = (0..processes).map(|_| spawn(way, in_hand, &server)).collect();
    block_on(async {
        while !engine.counts().await.expect("counts").are_settled() {
            smol::Timer::after(Duration::from_millis(10)).await;
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    let micros: f64 = nodes.into_iter().map(end).sum();
    let server = server_micros(&server) - fed;
    let items = items as f64;
    Figures { per_second: items / seconds, micros: micros / items, server: server / items }
}

fn engine(address: &str) -> Engine {
    let address = address.parse().expect("an address");
    Engine::new(address, QueueOptions::new("q"), "bench").expect("a queue")
}

fn feed(engine: &Engine, items: usize) {
    let item = |number| (format!("item {number}").into_bytes(), b"payload".to_vec());
    let items: Vec<_> = (0..items).map(item).collect();
    block_on(engine.feed(&items)).expect("fed");
}

fn spawn(way: &str, in_hand: usize, server: &LocalServer) -> Child {
    Command::new(env::current_exe().expect("a path"))
        .env("WAY", way)
        .env("IN_HAND", in_hand.to_string())
        .env("SERVER", server.address().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process")
}

/// Ends a node, and returns the microseconds of its processor time.
fn end(node: Child) -> f64 {
    // A plain loop may have ended.
    let _ended = kill_process(Pid::from_child(&node), Signal::TERM);
    let output = node.wait_with_output().expect("a process");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}

/// Runs a node until it is asked to end, and prints its processor time.
async fn run(way: &str) {
    let in_hand: usize = env::var("IN_HAND").expect("a number").parse().expect("a number");
    let engine = engine(&env::var("SERVER").expect("an address"));
    let mut signals = Signals::new([StopSignal::Term]).expect("signals");
    if way == "pool" {
        let options = NodeOptions::new("bench").workers(WORKERS).prefetch(in_hand - WORKERS);
        let work = async |entry: &Entry, _row: &Job| Ok::<_, Infallible>(entry.payload.clone());
        let stop = async {
            signals.next().await;
        };
        run_node(engine, options, work, stop).await.expect("it works");
    } else {
        loop {
            let entries = engine.take(in_hand, WAIT).await.expect("taken");
            if entries.is_empty() {
                break;
            }
            let results = entries.iter().map(|entry| (entry, &entry.payload[..]));
            engine.complete(results).await.expect("completed");
        }
    }
    let time = clock_gettime(ClockId::ProcessCPUTime);
    say(time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3);
}

/// Prints the memory of the server per fed item and per result.
fn memory(items: usize) {
    let server = LocalServer::start(false, &[]).expect("redis-server is installed");
    let engine = engine(&server.address().to_string());
    let mut before = used(&server);
    feed(&engine, items);
    block_on(async {
        loop {
            let entries = engine.take(500, Duration::ZERO).await.expect("taken");
            if entries.is_empty() {
                break;
            }
            let sum = [b'0'; 64];
            let results = entries.iter().map(|entry| (entry, &sum[..]));
            engine.complete(results).await.expect("completed");
        }
    });
    let after = used(&server);
    before = before.min(after);
    say(format_args!("server: {} bytes per item with its result", (after - before) / items as u64));
}

/// Publishes the events of 100 nodes with 100 jobs each, four times per second, and prints
/// what that costs.
#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn events(rounds: usize) {
    let server = LocalServer::start(false, &[]).expect("redis-server is installed");
    let node = engine(&server.address().to_string());
    let watcher = engine(&server.address().to_string());
    let before = used(&server);
    let mut nodes: Vec<_> = (0..100)
        .map(|number| {
            let (board, events) = board();
            let jobs: Vec<_> = (0..100).map(|_| board.add_job("worker: ")).collect();
            jobs.iter().for_each(|job| job.start_progress(100_000));
            (Outbox::new(format!("node {number}")), board, events, jobs)
        })
        .collect();
    let (shown, mut rows) = board();
    let mut relays = shown.relays(RelaysOptions::new());
    let (mut place, mut received, mut largest) = (Place::default(), 0, 0);
    let start = Instant::now();
    block_on(async {
        watcher.watch().await.expect("watched");
        // The first read waits at the end of the stream, which begins with a batch.
        let first = async {
            smol::Timer::after(Duration::from_millis(200)).await;
            node.publish(b"first").await
        };
        let (read, published) = smol::future::zip(watcher.batches(&mut place), first).await;
        assert!(published.expect("published").watched && read.expect("batches").len() == 1);
        for round in 0..rounds {
            watcher.watch().await.expect("watched");
            for (outbox, board, events, jobs) in &mut nodes {
                for job in jobs {
                    job.set_text(format_args!("compressing part-{round}.mov"));
                    job.tick_by(7);
                }
                events.drain().for_each(|event| outbox.push(event));
                let batch = outbox.batch(board.now(), Duration::from_millis(250));
                node.publish(&batch.to_json().expect("a batch")).await.expect("published");
            }
            while received < (round + 1) * 100 {
                for batch in watcher.batches(&mut place).await.expect("batches") {
                    relays.receive(&batch);
                    received += 1;
                }
                rows.drain().for_each(drop);
            }
            largest = largest.max(used(&server) - before);
            let next = start + Duration::from_millis(250) * (round as u32 + 1);
            smol::Timer::at(next).await;
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    let records = (rounds * 100 * 100) as f64;
    say(format_args!(
        "events: {:.0} records/s of {} nodes, {:.0} MB of the server",
        records / seconds,
        relays.nodes(),
        largest as f64 / 1e6
    ));
}

fn used(server: &LocalServer) -> u64 {
    info(server, "memory", "used_memory:").parse().expect("a number")
}

/// Returns the microseconds of the server's processor time.
fn server_micros(server: &LocalServer) -> f64 {
    let seconds = |name| info(server, "cpu", name).parse::<f64>().expect("a number");
    (seconds("used_cpu_user:") + seconds("used_cpu_sys:")) * 1e6
}

fn info(server: &LocalServer, section: &str, name: &str) -> String {
    let address = format!("redis+unix://{}/socket", server.folder().display());
    let client = redis::Client::open(address).expect("an address");
    let mut connection = client.get_connection().expect("a connection");
    let info: String = redis::cmd("INFO").arg(section).query(&mut connection).expect("a reply");
    info.lines().find_map(|line| line.strip_prefix(name)).expect("a number").to_owned()
}
