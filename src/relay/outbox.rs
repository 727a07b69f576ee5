//! The sender of batches.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::mem;
use std::time::Duration;

use super::batch::{BOOTS, Batch, NAME};
use crate::board::event::{Event, JobId, Row};
use crate::plain_text::plain_text;

/// The maximum number of events that wait for the next batch.
const WAITING: usize = 4_096;

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
/// At most 4,096 events wait for a batch. Beyond them, those that wait are dropped, and the
/// next batch is a key batch.
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
    /// The number of the last batch.
    seq: u64,
    /// The jobs that run after all events that were pushed, with the time of their start.
    rows: BTreeMap<JobId, (Duration, Row)>,
    events: Vec<Event>,
    /// When the last key batch was made; `None` if the next one must be a key batch.
    key: Option<Duration>,
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
            seq: 0,
            rows: BTreeMap::new(),
            events: Vec::new(),
            key: None,
        }
    }

    /// Adds an event to the next batch.
    ///
    /// All events of the board must be pushed, in their order.
    pub fn push(&mut self, event: Event) {
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
        self.events.push(event);
    }

    /// Returns the events since the last batch as a batch, which may be empty.
    ///
    /// `now` is the time on the clock of the board, and `next` the time until the next
    /// batch.
    pub fn batch(&mut self, now: Duration, next: Duration) -> Batch {
        self.seq += 1;
        let mut batch = Batch::new(self.node.clone(), self.boot, self.seq, now, next);
        batch.events = mem::take(&mut self.events);
        if self.key.is_none_or(|last| now.saturating_sub(last) >= self.key_interval()) {
            self.key = Some(now);
            let added =
                |(&job, (at, row)): (_, &(_, Row))| Event::Added { at: *at, job, row: row.clone() };
            batch.key = Some(self.rows.iter().map(added).collect());
        }
        batch
    }

    /// Drops the events since the last batch, for example because there is no receiver. The
    /// next batch is a key batch.
    pub fn skip(&mut self) {
        self.events.clear();
        self.key = None;
    }

    fn key_interval(&self) -> Duration {
        let rows = self.rows.len() as u128;
        let nanos = KEY_INTERVAL.as_nanos() * (KEY_ROWS + rows) / KEY_ROWS;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}
