//! Measures what a record costs on its way from one board to another, a board of many
//! senders, and the memory of floods that are not read.
//!
//! `cargo bench --features relay --bench relay` takes half a minute. With `-- --test` it
//! makes a short run.
#![expect(clippy::print_stdout, reason = "it prints a table")]

#[cfg(unix)]
#[expect(dead_code, reason = "the bench of the board uses the rest")]
mod time;

/// Does nothing outside of Unix, whose thread clocks it needs.
fn main() {
    #[cfg(unix)]
    measure::print(std::env::args().any(|argument| argument == "--test"));
}

#[cfg(unix)]
mod measure {
    use std::fs;
    use std::hint::black_box;
    use std::time::Duration;

    use active_status::event::Change;
    use active_status::relay::{Batch, Outbox, Received, RelayOptions, RelaysOptions};
    use active_status::testing::VirtualClock;
    use active_status::{Event, Events, Job, JobId, JobOptions, Outcome, ProgressStyle, board};

    use crate::time::cpu;

    const SECOND: Duration = Duration::from_secs(1);
    /// The senders, and the jobs of each. Each job changes once per second.
    const SENDERS: usize = 100;
    const JOBS: usize = 100;

    pub(crate) fn print(short: bool) {
        if short {
            println!("a short run: the figures mean nothing\n");
        }
        flood(if short { 10_000 } else { 2_000_000 });
        records(if short { 2 } else { 60 });
        forged(if short { 10 } else { 5_000 });
    }

    /// A sender, whose jobs change.
    struct Sender {
        events: Events,
        outbox: Outbox,
        jobs: Vec<Job>,
    }

    impl Sender {
        fn new(clock: &VirtualClock, number: usize) -> Self {
            let (board, events) = clock.board();
            let style = ProgressStyle::bytes();
            let add = |job: usize| {
                let options = JobOptions::new().prefix(format!("worker {job:2}: "));
                board.add_job(options.total(1_000_000).style(style.clone()))
            };
            let jobs = (1..=JOBS).map(add).collect();
            Self { events, outbox: Outbox::new(format!("node-{number}")), jobs }
        }

        fn work(&self, round: u64) {
            for job in &self.jobs {
                job.set_text(format_args!("part-{round:05}.tar.gz"));
                job.tick();
            }
        }

        fn batch(&mut self, now: Duration) -> Vec<u8> {
            self.events.drain().for_each(|event| self.outbox.push(event));
            self.outbox.batch(now, SECOND).to_json().expect("a batch of an outbox fits")
        }
    }

    /// Times of the steps of all records, per record.
    #[derive(Default)]
    struct Steps {
        make: Duration,
        parse: Duration,
        relay: Duration,
        read: Duration,
        /// Parsing the same bytes into values of serde_json.
        peer: Duration,
    }

    fn timed<T>(step: &mut Duration, work: impl FnOnce() -> T) -> T {
        let before = cpu();
        let result = work();
        *step += cpu() - before;
        result
    }

    fn records(rounds: u64) {
        let clock = VirtualClock::new();
        let mut senders: Vec<_> = (0..SENDERS).map(|one| Sender::new(&clock, one)).collect();
        let (board, mut events) = clock.board();
        let mut relays = board.relays(RelaysOptions::new());
        let mut singles: Vec<_> =
            (0..SENDERS).map(|one| board.relay(RelayOptions::new(format!("node-{one}")))).collect();
        // The first batches add the rows.
        let is_row = |event: &Event| matches!(event, Event::Added { .. });
        let (mut steps, mut bytes, mut received, mut rows) = (Steps::default(), 0, 0, 0);
        let mut receiver = Duration::ZERO;
        reset_peak();
        for round in 0..rounds {
            clock.advance(SECOND);
            for (sender, single) in senders.iter_mut().zip(&mut singles) {
                sender.work(round);
                let json = timed(&mut steps.make, || sender.batch(clock.now()));
                let batch = timed(&mut steps.parse, || Batch::from_json(&json).expect("a batch"));
                timed(&mut steps.relay, || single.receive(batch));
                timed(&mut steps.peer, || {
                    black_box(serde_json::from_slice::<serde_json::Value>(&json).expect("JSON"))
                });
                let result = timed(&mut receiver, || relays.receive(&json));
                received += u64::from(result == Received::Applied);
                bytes += json.len();
                // Half of the events are those of the single relay.
                rows +=
                    timed(&mut steps.read, || events.drain().map(black_box).filter(is_row).count());
            }
            relays.check();
        }
        assert_eq!((received, rows), (rounds * SENDERS as u64, 2 * SENDERS * JOBS));
        let records = rounds * (SENDERS * JOBS) as u64;
        let micros = |time: Duration| time.as_secs_f64() * 1e6 / records as f64;
        let read = steps.read / 2;
        println!("{SENDERS} senders of {JOBS} jobs, {} B per record\n", bytes as u64 / records);
        let all = steps.make + steps.parse + steps.relay + read;
        for (name, time) in [
            ("make: push, batch, JSON", steps.make),
            ("parse", steps.parse),
            ("relay", steps.relay),
            ("read from the board", read),
            ("in all", all),
            ("serde_json alone, into values", steps.peer),
        ] {
            let ratio = time.as_secs_f64() / steps.peer.as_secs_f64();
            println!("{name:32}{:>8.2} µs per record {ratio:>8.2}×", micros(time));
        }
        let per_second = 1e6 / (micros(receiver) + micros(read));
        println!("\n`Relays` and the reader of the board: {per_second:.0} records per second");
        println!("peak of the memory of both sides: {} MB\n", peak());
    }

    /// Relays a flood to a board that is not read.
    fn flood(jobs: u64) {
        let (board, events) = board();
        let mut relay = board.relay(RelayOptions::new("flood").per_second(u32::MAX));
        reset_peak();
        let mut time = Duration::ZERO;
        timed(&mut time, || {
            let job = |id| JobId::new(id).expect("ids count from 1");
            for id in 1..=jobs {
                let row = active_status::event::Row::new("copy: ").with_text("part.tar.gz");
                relay.apply(Event::Added { at: SECOND, job: job(id), row });
                let change = Change::default().with_text("other.tar.gz");
                relay.apply(Event::Changed { at: SECOND, job: job(id), change });
                if id % 2 == 0 {
                    let outcome = Outcome::Finished;
                    relay.apply(Event::Ended { at: SECOND, job: job(id / 2), outcome });
                    relay.apply(Event::Line { at: SECOND, text: "a line".into() });
                }
            }
        });
        let (ends, backlog) = (jobs / 2, board.backlog());
        println!("a flood of {jobs} jobs, {ends} ends and {ends} lines that is not read\n");
        println!("{:.1} s, {backlog} messages wait, peak: {} MB\n", time.as_secs_f64(), peak());
        drop((relay, events));
    }

    /// Relays batches of 1 MiB with the longest texts, each of another sender, to a board that
    /// is not read.
    fn forged(batches: u64) {
        let (board, events) = board();
        let mut relays = board.relays(RelaysOptions::new().per_second(u32::MAX));
        let long = "x".repeat(2_000);
        let text = format!(r#""prefix":"{long}","text":"{long}","output":["{long}","{long}"]"#);
        let rows = (1..=128).map(|job| format!(r#"{{"event":"added","at":0,"job":{job},{text}}}"#));
        let rows = rows.collect::<Vec<_>>().join(",");
        reset_peak();
        let mut time = Duration::ZERO;
        timed(&mut time, || {
            for boot in 0..batches {
                let node = boot % 3_000;
                let head =
                    format!(r#""v":1,"node":"h{node}","boot":{boot},"seq":1,"at":0,"next":1"#);
                relays.receive(format!("{{{head},\"events\":[{rows}]}}").as_bytes());
                if boot % 100 == 0 {
                    relays.check();
                }
            }
        });
        let (nodes, backlog) = (relays.nodes(), board.backlog());
        println!("{batches} forged senders with a batch of 1 MiB each, not read\n");
        let seconds = time.as_secs_f64();
        println!("{seconds:.1} s, {nodes} nodes, {backlog} messages wait, peak: {} MB", peak());
        drop((relays, events));
    }

    /// Forgets the peak of the memory, where the system can.
    fn reset_peak() {
        let _ = fs::write("/proc/self/clear_refs", "5");
    }

    /// Returns the peak of the resident memory in MB; 0 where the system does not say.
    fn peak() -> u64 {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok());
        kilobytes.unwrap_or(0_u64) / 1_000
    }
}
