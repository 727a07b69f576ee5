//! The receiver of batches.

use std::collections::{BTreeSet, VecDeque};
use std::mem;
use std::time::Duration;

use super::batch::Batch;
use super::{Relay, Relayed};
use crate::board::event::{Change, Event, JobId, Outcome, ProgressChange, Row};

/// The maximum number of former processes of a sender that are remembered.
const FORMER: usize = 16;

/// What [`Relay::receive`] did with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Received {
    /// The batch follows the last one, and was applied.
    Applied,
    /// The batch was applied, but this number of batches before it are missing. The next
    /// key batch repairs the rows; this one may be it.
    Gap(u64),
    /// The batch is repeated, or a later one came first. It had no effect.
    Late,
    /// The batch is of a sender with another name, or of a process that another process of
    /// this name has followed. It had no effect.
    Foreign,
}

/// The process whose batches a relay applies.
#[derive(Debug)]
pub(super) struct Sender {
    node: String,
    boot: u64,
    /// The number of the last batch.
    seq: u64,
    /// The processes that this one has followed, latest last.
    former: VecDeque<u64>,
    /// The number of rows of the last key batch beyond the limits.
    omitted: u64,
}

impl Relay {
    /// Relays a batch of the other board. Batches may be missing, repeated or out of order.
    ///
    /// A batch is applied once, in the order of the numbers. Events of jobs whose start got
    /// lost have no effect. A key batch then adds the jobs that this relay does not know,
    /// corrects the others, and ends those that no longer run as [lost](Outcome::Lost),
    /// since their outcome is not known.
    ///
    /// The first batch determines the name of the sender. When another process speaks under
    /// this name, the jobs of the former one are lost at once, and its late batches have no
    /// effect.
    ///
    /// The times of the other board are converted by the time of the batch: it arrived at
    /// once, and none is of the future. Limits apply as to events, and a closure that
    /// refused a [row](super::RelayOptions::rows) is asked again with each key batch.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::board;
    /// use active_status::relay::{Batch, Received};
    ///
    /// let (board, mut events) = board();
    /// let mut relay = board.relay("h1");
    /// let mut receive = |json: &str| Batch::from_json(json.as_bytes()).map(|one| relay.receive(one));
    /// let one = r#"{"v":1,"node":"h1","boot":7,"seq":1,"at":0,"next":1,"key":[]}"#;
    /// let four = r#"{"v":1,"node":"h1","boot":7,"seq":4,"at":3,"next":1,"events":[]}"#;
    /// assert_eq!(receive(one)?, Received::Applied);
    /// assert_eq!(receive(four)?, Received::Gap(2));
    /// assert_eq!(receive(one)?, Received::Late);
    /// # Ok::<(), active_status::relay::BatchError>(())
    /// ```
    pub fn receive(&mut self, batch: Batch) -> Received {
        let now = self.board.now();
        let last = match &self.sender {
            Some(sender) if sender.node != batch.node || sender.former.contains(&batch.boot) => {
                return Received::Foreign;
            }
            Some(sender) if sender.boot == batch.boot => sender.seq,
            _ => 0,
        };
        if batch.seq <= last {
            return Received::Late;
        }
        self.follow(&batch, now);
        let time_here = |at| now.saturating_sub(batch.at.saturating_sub(at));
        for event in batch.events {
            let at = time_here(event.at());
            self.apply_at(event, at);
        }
        if let Some(key) = batch.key {
            self.repair(key, now, time_here);
        }
        match batch.seq - last - 1 {
            0 => Received::Applied,
            missing => Received::Gap(missing),
        }
    }

    /// Notes the process and the number of a batch, and loses the jobs of its predecessor.
    fn follow(&mut self, batch: &Batch, now: Duration) {
        let mut former = VecDeque::new();
        match &mut self.sender {
            Some(sender) if sender.boot == batch.boot => {
                sender.seq = batch.seq;
                return;
            }
            Some(sender) => {
                former = mem::take(&mut sender.former);
                former.push_back(sender.boot);
                if former.len() > FORMER {
                    former.pop_front();
                }
            }
            None => {}
        }
        self.lose_jobs(now);
        let (node, boot, seq) = (batch.node.clone(), batch.boot, batch.seq);
        self.sender = Some(Sender { node, boot, seq, former, omitted: 0 });
    }

    /// Makes the rows equal to those of a key batch.
    fn repair(&mut self, key: Vec<Event>, now: Duration, time_here: impl Fn(Duration) -> Duration) {
        let running: BTreeSet<JobId> = key.iter().filter_map(Event::job).collect();
        let gone = |job: &JobId| !running.contains(job);
        for job in self.jobs.keys().copied().filter(gone).collect::<Vec<_>>() {
            if let Some(relayed) = self.jobs.remove(&job) {
                relayed.job.end(now, Outcome::Lost);
            }
        }
        let mut omitted: u64 = 0;
        for event in key {
            let Event::Added { at, job, row } = event else { continue };
            match self.jobs.get(&job) {
                Some(known) if known.added == at => self.correct(job, row),
                _ => {
                    // The rows beyond the limits are in every key batch, but counted once.
                    let before = self.omitted;
                    self.add(job, at, time_here(at), row);
                    if self.omitted > before {
                        self.omitted = before;
                        omitted += 1;
                    }
                }
            }
        }
        if let Some(sender) = &mut self.sender {
            self.omitted += omitted.saturating_sub(mem::replace(&mut sender.omitted, omitted));
        }
    }

    /// Changes what differs in the row of a running job.
    fn correct(&mut self, job: JobId, row: Row) {
        let row = self.clean_row(row);
        if let Some(known) = self.jobs.get_mut(&job) {
            let change = difference(&known.row, row);
            if change != Change::default() {
                known.change(&change);
            }
        }
    }
}

impl Relayed {
    pub(super) fn change(&mut self, change: &Change) {
        self.row.apply(change);
        self.job.change(change);
    }
}

/// Returns the change from a row to another one of the same job.
fn difference(from: &Row, to: Row) -> Change {
    Change {
        prefix: (to.prefix != from.prefix).then_some(to.prefix),
        text: (to.text != from.text).then_some(to.text),
        status: (to.status != from.status).then_some(to.status),
        output: (to.output != from.output).then_some(to.output),
        detached: to.detached && !from.detached,
        progress: match to.progress == from.progress {
            true => ProgressChange::Unchanged,
            false => to.progress.into(),
        },
    }
}
