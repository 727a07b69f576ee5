//! Relays of many senders.

use std::collections::BTreeMap;
use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::batch::{Batch, BatchError};
use super::contact::{Checks, Contact};
use super::limits::Limits;
use super::receive::Received;
use super::{LABEL, Relay, RelayOptions, RowFilter};
use crate::board::Board;
use crate::board::event::Row;
use crate::board::lock::ignore_poison;
use crate::plain_text::plain_text;

/// The minimum time between two lines that count what was omitted.
const REPORTS: Duration = Duration::from_secs(1);

/// Options of [`Relays`].
#[must_use = "options do nothing until relays have them"]
pub struct RelaysOptions {
    senders: usize,
    jobs: usize,
    per_second: u32,
    text: usize,
    rows: Option<Arc<Mutex<RowFilter>>>,
}

impl RelaysOptions {
    /// Creates the default options.
    pub const fn new() -> Self {
        Self { senders: 1_024, jobs: 20_000, per_second: 5_000, text: 1_024, rows: None }
    }

    /// Sets the maximum number of senders. The default is 1,024.
    pub const fn senders(mut self, senders: usize) -> Self {
        self.senders = senders;
        self
    }

    /// Sets the maximum number of jobs of all senders that run at once. The default is
    /// 20,000. Each sender has at most 10,000 of them.
    pub const fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs;
        self
    }

    /// Sets the maximum number of new rows and lines of all senders per second. Ten times as
    /// many may arrive at once. The default is 5,000. Each sender has at most 2,000 of them.
    pub const fn per_second(mut self, count: u32) -> Self {
        self.per_second = count;
        self
    }

    /// Sets the maximum number of bytes of a prefix or a text. The default is 1,024.
    pub const fn text(mut self, bytes: usize) -> Self {
        self.text = bytes;
        self
    }

    /// Sets a closure that may change a row before it is added, or refuse it: see
    /// [`RelayOptions::rows`].
    pub fn rows(mut self, rows: impl FnMut(&mut Row) -> bool + Send + 'static) -> Self {
        self.rows = Some(Arc::new(Mutex::new(rows)));
        self
    }
}

impl Default for RelaysOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RelaysOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelaysOptions")
            .field("senders", &self.senders)
            .field("jobs", &self.jobs)
            .field("per_second", &self.per_second)
            .finish_non_exhaustive()
    }
}

impl Board {
    /// Creates relays of many senders, which show the jobs and lines of other boards on
    /// this one.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use active_status::relay::{Outbox, Received, RelaysOptions};
    /// use active_status::{Event, board};
    ///
    /// let (board, mut events) = board();
    /// let mut relays = board.relays(RelaysOptions::new());
    /// for node in ["h1", "h2"] {
    ///     let (sender, mut events) = active_status::board();
    ///     let mut outbox = Outbox::new(node);
    ///     let _job = sender.add_job("copy: ");
    ///     events.drain().for_each(|event| outbox.push(event));
    ///     let batch = outbox.batch(sender.now(), Duration::from_secs(1)).to_json()?;
    ///     assert_eq!(relays.receive(&batch), Received::Applied);
    /// }
    /// let prefixes = events.drain().filter_map(|event| match event {
    ///     Event::Added { row, .. } => Some(row.prefix),
    ///     _ => None,
    /// });
    /// assert_eq!(prefixes.collect::<Vec<_>>(), ["h1 copy: ", "h2 copy: "]);
    /// # Ok::<(), active_status::relay::BatchError>(())
    /// ```
    pub fn relays(&self, options: RelaysOptions) -> Relays {
        let now = self.now();
        Relays {
            board: self.clone(),
            limits: Limits::new(options.jobs, options.per_second, now),
            options,
            senders: BTreeMap::new(),
            checks: Checks(now),
            refused: 0,
            reported: now,
        }
    }
}

/// Relays of many senders of batches, in other processes: see [`Board::relays`].
///
/// Each sender has a [`Relay`], whose label is the name of its node. What is true of a relay
/// is true of each of them, except for the processes of one name:
///
/// - A new process follows the one that has its name, whose jobs are lost at once.
/// - If the process that was followed speaks again, both live. It then has the label
///   `name~1f3a`, with digits of its number. A further process of this name follows
///   neither of them.
///
/// Rows and lines beyond the limits of the [options](RelaysOptions) are omitted, as are
/// batches of further senders, and [`check`](Self::check) counts them in a line. A sender that
/// is [lost](Contact::Lost) gives way to a new one.
#[must_use = "the jobs of relays are lost when they are dropped"]
pub struct Relays {
    board: Board,
    options: RelaysOptions,
    limits: Arc<Limits>,
    /// The senders by the numbers of their processes.
    senders: BTreeMap<u64, Relay>,
    checks: Checks,
    /// The number of batches of further senders that were not yet counted in a line.
    refused: u64,
    /// The time of the last lines that count what was omitted.
    reported: Duration,
}

impl Relays {
    /// Relays a batch as JSON of any sender: see [`Relay::receive`].
    ///
    /// While [`Board::backlog`] is above 4,096, the caller should not take more batches.
    pub fn receive(&mut self, bytes: &[u8]) -> Received {
        match Batch::from_json(bytes) {
            Ok(batch) => self.receive_batch(batch),
            Err(BatchError::Version(_)) => Received::Foreign,
            Err(_) => Received::Invalid,
        }
    }

    fn receive_batch(&mut self, batch: Batch) -> Received {
        let now = self.board.now();
        match self.senders.get(&batch.boot) {
            Some(relay) if relay.contact() == Contact::Lost && relay.expects(&batch) => {
                let label = self.label(&batch);
                self.relabel(batch.boot, label);
            }
            Some(_) => {}
            None => {
                if !self.add(&batch, now) {
                    self.refused += 1;
                    return Received::Full;
                }
            }
        }
        let relay = self.senders.get_mut(&batch.boot);
        relay.map_or(Received::Full, |relay| relay.receive(batch))
    }

    /// Finds out which senders are still heard: see [`Relay::check`]. Call it about every
    /// second.
    ///
    /// If this was not called for more than 1.5 s, all senders are
    /// [pardoned](Self::pardon) first.
    pub fn check(&mut self) {
        let now = self.board.now();
        if self.checks.begin(now) {
            self.pardon();
        }
        for relay in self.senders.values_mut() {
            relay.check_at(now);
        }
        self.report(now);
    }

    /// Does not count the time until now as silence of any sender, because this receiver or
    /// the way to it did not work.
    pub fn pardon(&mut self) {
        self.senders.values_mut().for_each(Relay::pardon);
    }

    /// Returns the number of senders that are not lost.
    pub fn nodes(&self) -> usize {
        self.live().count()
    }

    fn live(&self) -> impl Iterator<Item = &Relay> {
        self.senders.values().filter(|relay| relay.contact() != Contact::Lost)
    }

    /// Adds the sender of a batch. Returns `false` if there are too many.
    fn add(&mut self, batch: &Batch, now: Duration) -> bool {
        let mut same = self.senders.iter_mut().filter(|(_, relay)| {
            relay.contact() != Contact::Lost && relay.node() == Some(batch.node())
        });
        if let (Some((_, followed)), None) = (same.next(), same.next()) {
            followed.lose_sender(now);
        }
        let label = self.label(batch);
        if self.senders.len() < self.options.senders {
            let mut options = RelayOptions::new("").text(self.options.text);
            if let Some(rows) = &self.options.rows {
                let rows = Arc::clone(rows);
                options = options.rows(move |row| ignore_poison(rows.lock())(row));
            }
            let relay = Relay::new(&self.board, options, Arc::clone(&self.limits), false);
            self.senders.insert(batch.boot, relay);
        } else {
            // The ids of the relay go on, so that senders do not use up the blocks of ids.
            let lost = self.senders.iter().filter(|(_, relay)| relay.contact() == Contact::Lost);
            let oldest = lost.min_by_key(|(_, relay)| relay.since()).map(|(&boot, _)| boot);
            let Some(mut relay) = oldest.and_then(|boot| self.senders.remove(&boot)) else {
                return false;
            };
            relay.forget();
            self.senders.insert(batch.boot, relay);
        }
        self.relabel(batch.boot, label);
        true
    }

    /// Returns the label of a sender that is not shown.
    fn label(&self, batch: &Batch) -> String {
        let name = plain_text(batch.node(), LABEL);
        let held = self.live().any(|relay| relay.options.label == name);
        if !held && !name.trim().is_empty() {
            return name;
        }
        let digits = format!("~{:04x}", batch.boot & 0xffff);
        plain_text(&name, LABEL - digits.len() - '…'.len_utf8()) + &digits
    }

    fn relabel(&mut self, boot: u64, label: String) {
        if let Some(relay) = self.senders.get_mut(&boot) {
            relay.options.label = label;
        }
    }

    /// Counts in lines what was omitted.
    fn report(&mut self, now: Duration) {
        if now.saturating_sub(self.reported) < REPORTS {
            return;
        }
        self.reported = now;
        let omitted = self.senders.values_mut().filter_map(|relay| {
            let omitted = mem::take(&mut relay.omitted);
            (omitted > 0).then_some((omitted, &relay.options.label))
        });
        let omitted: Vec<_> = omitted.collect();
        let count: u64 = omitted.iter().map(|(omitted, _)| omitted).sum();
        let more = "rows and lines not shown";
        match omitted[..] {
            [] => {}
            [(count, label)] => self.board.println(format_args!("{label} … {count} {more}")),
            _ => self.board.println(format_args!("{} nodes … {count} {more}", omitted.len())),
        }
        let refused = mem::take(&mut self.refused);
        if refused > 0 {
            let nodes = self.options.senders;
            let more = format_args!("… {refused} batches of more than {nodes} nodes not shown");
            self.board.println(more);
        }
    }
}

impl Drop for Relays {
    fn drop(&mut self) {
        self.reported = Duration::ZERO;
        self.report(Duration::MAX);
    }
}

impl fmt::Debug for Relays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relays").field("senders", &self.senders).finish_non_exhaustive()
    }
}
