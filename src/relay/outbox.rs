//! The sender of batches.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::mem;
use std::time::Duration;

use super::batch::{BOOTS, Batch, NAME, SIZE};
use super::{LINE, clean_outcome, clean_output};
use crate::board::event::{Change, Event, JobId, Outcome, Progress, ProgressChange, Row, Unit};
use crate::plain_text::plain_text;

/// The maximum number of events that wait for the next batch.
const WAITING: usize = 4_096;

/// The minimum number of bytes of a batch as JSON, into which every event fits: four texts
/// and an output of 4 KiB, in which each character may be escaped.
const SIZE_MIN: usize = 48 << 10;
/// The maximum number of bytes of a batch without its events and jobs.
const HEAD: usize = 1_024;

/// The time between two key batches of a board without rows, and the number of rows that
/// adds as much.
const KEY_INTERVAL: Duration = Duration::from_secs(5);
const KEY_ROWS: u128 = 1_000;

/// Collects the events of a board into batches, for a way that may lose, repeat or reorder
/// them, such as datagrams or a stream that is trimmed.
///
/// Every 5 s there is a key batch, which holds all jobs that run and so repairs what got
/// lost; with many rows it is less often, by 5 s per 1,000 rows. The first batch is a key
/// batch as well.
///
/// A batch has at most 1 MiB as JSON, or another [size](Self::with_batch_size). Events that do not fit wait for the next batch, and the
/// jobs of a key are divided among several batches. At most 4,096 events wait. Beyond them,
/// those that wait are dropped, and the next batch is a key batch. Texts and lines of more
/// than 4 KiB are cut, and their control characters are removed.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use active_status::board;
/// use active_status::relay::{Batch, Outbox, Received};
/// use active_status::testing::VirtualClock;
///
/// // In one process:
/// let clock = VirtualClock::new();
/// let (sender, mut events) = clock.board();
/// let mut outbox = Outbox::new("h1");
/// let job = sender.add_job("copy: ");
/// events.drain().for_each(|event| outbox.push(event));
/// let batch = outbox.batch(clock.now(), Duration::from_secs(1)).to_json()?;
///
/// // In another one:
/// let (board, mut events) = board();
/// let mut relay = board.relay("h1");
/// assert_eq!(relay.receive(Batch::from_json(&batch)?), Received::Applied);
/// assert_eq!(relay.receive(Batch::from_json(&batch)?), Received::Late);
/// assert_eq!(events.drain().count(), 1);
/// # drop(job);
/// # Ok::<(), active_status::relay::BatchError>(())
/// ```
#[derive(Debug)]
pub struct Outbox {
    node: String,
    boot: u64,
    /// The maximum number of bytes of a batch.
    size: usize,
    /// The number of the last batch.
    seq: u64,
    /// The jobs that run after all events that were pushed, with the time of their start.
    rows: BTreeMap<JobId, (Duration, Row)>,
    events: VecDeque<Event>,
    /// When the last key was begun; `None` if the next batch must begin one.
    key: Option<Duration>,
    /// The id with which the next part of the key begins.
    rest: Option<JobId>,
}

impl Outbox {
    /// Creates an outbox for a process, with the name of the sender. A name of more than
    /// 64 bytes is cut.
    ///
    /// A random number identifies the process, so that two processes of one name differ.
    pub fn new(node: impl AsRef<str>) -> Self {
        let node = node.as_ref();
        let ellipsis = if node.len() > NAME { '…'.len_utf8() } else { 0 };
        Self {
            node: plain_text(node, NAME - ellipsis),
            boot: RandomState::new().build_hasher().finish() % BOOTS,
            size: SIZE,
            seq: 0,
            rows: BTreeMap::new(),
            events: VecDeque::new(),
            key: None,
            rest: None,
        }
    }

    /// Sets the maximum number of bytes of a batch as JSON, for a way that takes no larger
    /// messages. It is at least 48 KiB, and at most 1 MiB, which is the default.
    pub const fn with_batch_size(mut self, bytes: usize) -> Self {
        self.size = if bytes < SIZE_MIN { SIZE_MIN } else { bytes };
        self.size = if bytes > SIZE { SIZE } else { self.size };
        self
    }

    /// Adds an event to the next batch.
    ///
    /// All events of the board must be pushed, in their order.
    pub fn push(&mut self, mut event: Event) {
        shorten(&mut event);
        match &event {
            Event::Added { at, job, row } => {
                self.rows.insert(*job, (*at, row.clone()));
            }
            Event::Changed { job, change, .. } => {
                if let Some((_, row)) = self.rows.get_mut(job) {
                    row.apply(change);
                }
            }
            Event::Ended { job, .. } => {
                self.rows.remove(job);
            }
            Event::Closed { .. } => self.rows.clear(),
            Event::Line { .. } => {}
            // A partial line is shown on its own board only.
            Event::Partial { .. } => return,
        }
        if self.events.len() >= WAITING {
            self.skip();
        }
        self.events.push_back(event);
    }

    /// Returns the events since the last batch as a batch, which may be empty.
    ///
    /// `now` is the time on the clock of the board, as [`Events::now`](crate::Events::now)
    /// returns it, and `next` the time until the next batch.
    pub fn batch(&mut self, now: Duration, next: Duration) -> Batch {
        self.batch_within(self.size - HEAD, now, next)
    }

    fn batch_within(&mut self, mut room: usize, now: Duration, next: Duration) -> Batch {
        self.seq += 1;
        let mut batch = Batch::new(self.node.clone(), self.boot, self.seq, now, next);
        while let Some(event) = self.events.pop_front() {
            if !take(&mut room, &event) {
                // A key holds what runs after all events, so it waits for them.
                self.events.push_front(event);
                return batch;
            }
            batch.events.push(event);
        }
        if self.key.is_none_or(|last| now.saturating_sub(last) >= self.key_interval()) {
            self.key = Some(now);
            self.rest = self.rest.or(JobId::new(1));
        }
        if let Some(first) = self.rest {
            self.add_key(&mut batch, first, room);
        }
        batch
    }

    /// Adds a part of the key, as far as there is room.
    fn add_key(&mut self, batch: &mut Batch, first: JobId, mut room: usize) {
        let mut key = Vec::new();
        self.rest = None;
        for (&job, (at, row)) in self.rows.range(first..) {
            let event = Event::Added { at: *at, job, row: row.clone() };
            if !take(&mut room, &event) {
                self.rest = Some(job);
                break;
            }
            key.push(event);
        }
        if self.rest != Some(first) {
            batch.key = Some(key);
            batch.from = Some(first).filter(|first| first.get() > 1);
            batch.to = self.rest.and_then(|rest| JobId::new(rest.get() - 1));
        }
    }

    /// Returns `true` if events wait for a batch, or jobs that did not fit into the last one.
    /// The next batch may be made at once.
    pub fn has_more(&self) -> bool {
        !self.events.is_empty() || self.rest.is_some()
    }

    /// Drops the events since the last batch, for example because there is no receiver. The
    /// next batch is a key batch.
    pub fn skip(&mut self) {
        self.events.clear();
        (self.key, self.rest) = (None, None);
    }

    fn key_interval(&self) -> Duration {
        let rows = self.rows.len() as u128;
        let nanos = KEY_INTERVAL.as_nanos() * (KEY_ROWS + rows) / KEY_ROWS;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// Takes the room for an event in the JSON of a batch, if it fits.
fn take(room: &mut usize, event: &Event) -> bool {
    struct Length(usize);

    impl io::Write for Length {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut length = Length(",".len());
    // This cannot fail: there are no maps with invalid keys.
    let _ = serde_json::to_writer(&mut length, event);
    room.checked_sub(length.0).map(|left| *room = left).is_some()
}

/// Bounds an event, so that every event fits into a batch.
fn shorten(event: &mut Event) {
    match event {
        Event::Added { row, .. } => {
            shorten_text(&mut row.prefix);
            shorten_text(&mut row.text);
            row.output = clean_output(mem::take(&mut row.output));
            row.progress.as_mut().map(shorten_progress);
        }
        Event::Changed { change, .. } => {
            let Change { prefix, text, output, progress, .. } = change;
            prefix.as_mut().map(shorten_text);
            text.as_mut().map(shorten_text);
            *output = output.take().map(clean_output);
            if let ProgressChange::Set(progress) = progress {
                shorten_progress(progress);
            }
        }
        Event::Ended { outcome, .. } => {
            *outcome = clean_outcome(mem::replace(outcome, Outcome::Finished));
        }
        Event::Line { text, .. } => shorten_text(text),
        Event::Partial { .. } | Event::Closed { .. } => {}
    }
}

fn shorten_progress(progress: &mut Progress) {
    progress.text.as_mut().map(shorten_text);
    if let Unit::Named(word) = &mut progress.unit {
        shorten_text(word.to_mut());
    }
}

fn shorten_text(text: &mut String) {
    if text.len() > LINE || text.chars().any(char::is_control) {
        *text = plain_text(text, LINE);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::prelude::any;
    use proptest::{collection, proptest};

    use super::Outbox;
    use crate::board::board;
    use crate::board::event::{Event, JobId, Outcome, Row};

    const AT: Duration = Duration::from_secs(1);

    proptest! {
        #[test]
        fn parts_of_keys_have_the_effect_of_a_whole_one(
            steps in collection::vec(any::<(u8, u8)>(), 0..100),
            room in 300_usize..2_000,
        ) {
            let (board, mut events) = board();
            let mut relay = board.relay("h1");
            let mut outbox = Outbox::new("h1");
            let mut rows: BTreeMap<JobId, Row> = BTreeMap::new();
            let mut ids = (1..).filter_map(JobId::new);
            for (step, which) in steps {
                let one = rows.keys().nth(usize::from(which) % rows.len().max(1)).copied();
                match (step % 8, one) {
                    (0..=3, _) => {
                        let (job, row) = (ids.next().expect("an id"), Row::new(which.to_string()));
                        rows.insert(job, row.clone());
                        outbox.push(Event::Added { at: AT, job, row });
                    }
                    (4, Some(job)) => {
                        rows.remove(&job);
                        outbox.push(Event::Ended { at: AT, job, outcome: Outcome::Finished });
                    }
                    (5, _) => outbox.skip(),
                    (_, _) => {
                        let batch = outbox.batch_within(room, AT, AT);
                        // Some batches get lost.
                        if which % 4 > 0 {
                            relay.receive(batch);
                        }
                    }
                }
            }
            outbox.skip();
            loop {
                relay.receive(outbox.batch_within(room, AT, AT));
                if !outbox.has_more() {
                    break;
                }
            }
            let mut here: BTreeMap<JobId, Row> = BTreeMap::new();
            for event in events.drain() {
                match event {
                    Event::Added { job, row, .. } => drop(here.insert(job, row)),
                    Event::Ended { job, .. } => drop(here.remove(&job)),
                    _ => {}
                }
            }
            let sorted = |rows: BTreeMap<JobId, Row>, label: &str| {
                let mut rows: Vec<_> =
                    rows.into_values().map(|row| format!("{label}{}", row.prefix)).collect();
                rows.sort();
                rows
            };
            assert_eq!(sorted(here, ""), sorted(rows, "h1 "));
        }
    }
}
