//! The fuzzer's input for relays: whatever other processes send, a board gets a sequence of
//! events that makes sense, with plain texts and within the limits.

use std::collections::BTreeSet;
use std::time::Duration;

use active_status::relay::{Batch, BatchError, RelayOptions, RelaysOptions};
use active_status::testing::VirtualClock;
use active_status::{Event, Events, JobId, Outcome};

/// The limits, which are small so that inputs reach them.
const TEXT: usize = 32;
const JOBS: usize = 4;
const PER_SECOND: u32 = 5;
/// The maximum length of an input. A longer one could exceed the backlog at which a relay
/// waits for the reader of the board.
const MOST: usize = 65_536;

/// Reads lines of JSON on a relay.
pub(crate) fn read_lines(bytes: &[u8]) {
    if bytes.len() > MOST {
        return;
    }
    let (board, mut events) = VirtualClock::new().board();
    let options = RelayOptions::new("h").text(TEXT).jobs(JOBS).per_second(PER_SECOND);
    let lines = bytes.split(|&byte| byte == b'\n').count() as u64;
    // An error is that of a run in a format of the future.
    assert!(board.relay(options).read(bytes).is_ok_and(|invalid| invalid <= lines) || lines > 0);
    let mut shown = Shown::default();
    shown.read(&mut events);
    shown.check(0, 1);
}

/// Receives the lines that are objects as batches. The bytes of other lines let time pass,
/// check, pardon, and read the events.
pub(crate) fn receive_batches(bytes: &[u8]) {
    let clock = VirtualClock::new();
    let (board, mut events) = clock.board();
    let options = RelaysOptions::new().senders(3).text(TEXT).jobs(JOBS).per_second(PER_SECOND);
    let mut relays = board.relays(options);
    let mut shown = Shown::default();
    let (mut seconds, mut checks) = (0, 1);
    for line in bytes.split(|&byte| byte == b'\n') {
        if line.first() == Some(&b'{') {
            relays.receive(line);
            assert!(relays.nodes() <= 3);
            continue;
        }
        for byte in line {
            match byte {
                b's' | b'm' => {
                    let time = if *byte == b's' { 1 } else { 60 };
                    seconds += time;
                    checks += 1;
                    clock.advance(Duration::from_secs(time));
                    relays.check();
                }
                b'p' => relays.pardon(),
                b'r' => shown.read(&mut events),
                _ => {}
            }
        }
    }
    drop(relays);
    shown.read(&mut events);
    shown.check(seconds, checks);
}

/// Reads a batch, writes it and reads it again.
pub(crate) fn read_batch(bytes: &[u8]) {
    // Times of more than twelve days are rounded.
    let head = |batch: &Batch| (batch.node().to_owned(), batch.boot(), batch.seq(), batch.is_key());
    let Ok(batch) = Batch::from_json(bytes) else { return };
    match batch.to_json() {
        Ok(json) => assert_eq!(Batch::from_json(&json).as_ref().map(head), Ok(head(&batch))),
        Err(error) => assert!(matches!(error, BatchError::TooLarge(_)), "{error}"),
    }
}

/// What a board has shown.
#[derive(Default)]
struct Shown {
    running: BTreeSet<JobId>,
    /// All ids that were used.
    ids: BTreeSet<JobId>,
    lines: usize,
}

impl Shown {
    fn read(&mut self, events: &mut Events) {
        for event in events.drain() {
            match event {
                Event::Added { job, row, .. } => {
                    assert!(self.ids.insert(job), "an id is used once");
                    self.running.insert(job);
                    assert!(self.running.len() <= JOBS);
                    plain(&row.prefix, TEXT + 3);
                    plain(&row.text, TEXT + 3);
                    assert!(!row.pinned);
                }
                Event::Changed { job, change, .. } => {
                    assert!(self.running.contains(&job), "changes are of running jobs");
                    // The mark of a silent sender, with a label of its whole name.
                    change.prefix.iter().for_each(|prefix| plain(prefix, TEXT + 64 + 3));
                    change.text.iter().for_each(|text| plain(text, TEXT + 3));
                }
                Event::Ended { job, outcome, .. } => {
                    assert!(self.running.remove(&job), "a running job ends once");
                    if let Outcome::Failed(message) = &outcome {
                        message.lines().for_each(|line| plain(line, 4_096 + 3));
                    }
                }
                Event::Line { text, .. } => {
                    self.lines += 1;
                    plain(&text, 4_096 + 3);
                }
                _ => {}
            }
        }
    }

    /// Checks the state after relays that existed for some time were dropped.
    fn check(&self, seconds: u64, checks: usize) {
        assert!(self.running.is_empty(), "jobs are lost at the end");
        let limit = (10 + seconds as usize) * PER_SECOND as usize;
        // A check counts in two lines what was omitted, and a relay in one per row or line.
        let counted = 2 * checks + self.ids.len();
        assert!(self.ids.len() + self.lines <= 2 * limit + counted);
    }
}

fn plain(text: &str, bytes: usize) {
    assert!(text.len() <= bytes, "{text:?}");
    assert!(!text.chars().any(|char| char.is_control() || char == '\u{202e}'), "{text:?}");
}

#[cfg(test)]
mod tests {
    use std::fs;

    fn corpus(name: &str) -> Vec<Vec<u8>> {
        let folder = format!("{}/fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
        // The published package does not contain the corpus.
        let Ok(inputs) = fs::read_dir(folder) else { return Vec::new() };
        inputs.map(|input| fs::read(input.expect("a file").path()).expect("a file")).collect()
    }

    #[test]
    fn the_inputs_of_the_fuzzer_break_no_relay() {
        corpus("relay_read").iter().for_each(|input| super::read_lines(input));
        corpus("relays").iter().for_each(|input| super::receive_batches(input));
        corpus("batch").iter().for_each(|input| super::read_batch(input));
    }
}
