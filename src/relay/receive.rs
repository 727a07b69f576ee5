//! The receiver of batches.

use std::collections::{BTreeSet, VecDeque};
use std::mem;
use std::time::Duration;

use super::batch::Batch;
use super::contact::{Contact, Silence};
use super::{LABEL, Relay, Relayed, text_bytes_after};
use crate::board::event::{Change, Event, JobId, Outcome, ProgressChange, Row, Status};
use crate::plain_text::plain_text;

/// The maximum number of former processes of a sender that are remembered.
const FORMER: usize = 16;

/// What [`Relay::receive`] or [`Relays::receive`](super::Relays::receive) did with a batch.
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
    /// The batch is of a sender with another name, of a process that another process of this
    /// name has followed, or in another version of the format. It had no effect.
    Foreign,
    /// The bytes are not a batch. They had no effect.
    Invalid,
    /// The batch is of another sender than those that fit the limit. It had no effect.
    Full,
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
    /// The number of rows beyond the limits that were in the last key batch or came later.
    pub(super) omitted: u64,
    /// The number of these rows in the parts of the present key.
    omitted_in_key: u64,
    silence: Silence,
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
            self.repair(key, (batch.from, batch.to), now, time_here);
        }
        match batch.seq - last - 1 {
            0 => Received::Applied,
            missing => Received::Gap(missing),
        }
    }

    /// Notes the process and the number of a batch, and loses the jobs of its predecessor.
    fn follow(&mut self, batch: &Batch, now: Duration) {
        let mut former = VecDeque::new();
        let silence = Silence::new(now, batch.next);
        match &mut self.sender {
            Some(sender) if sender.boot == batch.boot => {
                sender.seq = batch.seq;
                let before = mem::replace(&mut sender.silence, silence).contact();
                if before != Contact::Heard {
                    self.print("is heard again");
                }
                if before == Contact::Silent {
                    self.show_heard();
                }
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
        self.sender =
            Some(Sender { node, boot, seq, former, omitted: 0, omitted_in_key: 0, silence });
    }

    /// Finds out whether the sender of the batches is still heard. Call it about every
    /// second.
    ///
    /// A batch announces when the sender speaks again. After three times that, at least 3 s
    /// and at most 30 s, the sender is [`Silent`](Contact::Silent): its rows become yellow,
    /// their label reads `h1 (silent)`, and a line says so. After 30 s more the jobs are
    /// [lost](Outcome::Lost). The next batch ends the silence. It finds the same rows if
    /// they were not lost; otherwise the next key batch adds new ones.
    ///
    /// If this was not called for more than 1.5 s, for example because this process was
    /// stopped, then the sender was not silent but not listened to: see
    /// [`pardon`](Self::pardon).
    ///
    /// A relay that [reads](Self::read) needs no check: the end of its input is the loss.
    pub fn check(&mut self) -> Contact {
        let now = self.board.now();
        if self.checks.begin(now) {
            self.pardon();
        }
        self.check_at(now)
    }

    pub(super) fn check_at(&mut self, now: Duration) -> Contact {
        let Some(sender) = &mut self.sender else { return Contact::Heard };
        match sender.silence.check(now) {
            Some(Contact::Silent) => {
                self.print("is silent");
                self.show_silent();
            }
            Some(Contact::Lost) => {
                self.print("is lost");
                self.lose_jobs(now);
            }
            _ => {}
        }
        self.contact()
    }

    /// Does not count the time until now as silence, because this receiver or the way to it
    /// did not work.
    pub fn pardon(&mut self) {
        let now = self.board.now();
        if let Some(sender) = &mut self.sender {
            sender.silence.pardon(now);
        }
    }

    pub(super) fn contact(&self) -> Contact {
        self.sender.as_ref().map_or(Contact::Heard, |sender| sender.silence.contact())
    }

    /// Returns the name of the sender.
    pub(super) fn node(&self) -> Option<&str> {
        self.sender.as_ref().map(|sender| &*sender.node)
    }

    /// Returns the time of the last batch, or of the last change of the contact.
    pub(super) fn since(&self) -> Option<Duration> {
        self.sender.as_ref().map(|sender| sender.silence.since())
    }

    /// Returns `true` if the batch follows the last one of its sender.
    pub(super) fn expects(&self, batch: &Batch) -> bool {
        let later = |sender: &Sender| sender.node == batch.node && sender.seq < batch.seq;
        self.sender.as_ref().is_some_and(later)
    }

    /// Forgets a sender that is lost.
    pub(super) fn forget(&mut self) {
        self.sender = None;
    }

    /// Loses the jobs because another process has followed the sender.
    pub(super) fn lose_sender(&mut self, now: Duration) {
        self.lose_jobs(now);
        if let Some(sender) = &mut self.sender {
            sender.silence.lose(now);
        }
    }

    /// Marks the rows of a silent sender.
    fn show_silent(&mut self) {
        let label = &self.options.label;
        for relayed in self.jobs.values_mut() {
            let prefix = relayed.prefix_here.as_ref().unwrap_or(&relayed.row.prefix);
            let rest = prefix.strip_prefix(label.as_str()).unwrap_or(prefix).trim_start();
            let prefix = plain_text(&format!("{label} (silent) {rest}"), LABEL + self.options.text);
            let change = Change::default().with_prefix(prefix).with_status(Status::Warning);
            relayed.job.change(&change);
        }
    }

    /// Shows the rows as they were before the silence.
    fn show_heard(&mut self) {
        for relayed in self.jobs.values_mut() {
            let prefix = relayed.prefix_here.as_ref().unwrap_or(&relayed.row.prefix);
            let status = relayed.status_here.unwrap_or(relayed.row.status);
            relayed.job.change(&Change::default().with_prefix(prefix).with_status(status));
        }
    }

    /// Makes the rows of a range of ids equal to those of a key batch.
    fn repair(
        &mut self,
        key: Vec<Event>,
        (from, to): (Option<JobId>, Option<JobId>),
        now: Duration,
        time_here: impl Fn(Duration) -> Duration,
    ) {
        let running: BTreeSet<JobId> = key.iter().filter_map(Event::job).collect();
        let inside =
            |job: JobId| from.is_none_or(|from| from <= job) && to.is_none_or(|to| job <= to);
        let gone = |job: &JobId| inside(*job) && !running.contains(job);
        for job in self.jobs.keys().copied().filter(gone).collect::<Vec<_>>() {
            if let Some(relayed) = self.jobs.remove(&job) {
                relayed.job.end(now, Outcome::Lost);
            }
        }
        // The rows beyond the limits are in every key batch, but counted once.
        let mut omitted: u64 = 0;
        for event in key {
            let Event::Added { at, job, row } = event else { continue };
            match self.jobs.get(&job) {
                Some(known) if known.added == at => self.correct(job, row),
                _ => omitted += u64::from(!self.add(job, at, time_here(at), row)),
            }
        }
        let Some(sender) = &mut self.sender else { return };
        sender.omitted_in_key = omitted + if from.is_some() { sender.omitted_in_key } else { 0 };
        if to.is_none() {
            let omitted = sender.omitted_in_key;
            let before = mem::replace(&mut sender.omitted, omitted);
            self.omitted += omitted.saturating_sub(before);
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
    /// Applies a change, unless its texts are too much.
    pub(super) fn change(&mut self, change: &Change) {
        if !self.permit.resize(text_bytes_after(&self.row, change)) {
            return;
        }
        self.row.apply(change);
        if change.prefix.is_some() {
            self.prefix_here = None;
        }
        if change.status.is_some() {
            self.status_here = None;
        }
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
