//! What the page shows, and what each viewer has not seen of it.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, Hasher};
use std::ops::Bound::{Excluded, Included};
use std::task::Waker;
use std::time::Duration;

use active_status::event::{Change, Progress, ProgressChange, Row, plain_text};
use active_status::progress::Unit;
use active_status::{Event, JobId, Outcome, Status};
use serde::Serialize;

/// The maximum number of ended rows and lines that are kept, and of vanished rows.
const PAST: usize = 1_000;
/// The maximum lengths in bytes of a prefix, of a text, and of a printed line.
const PREFIX: usize = 256;
const TEXT: usize = 1_024;
const LINE: usize = 4_096;
/// The maximum number of lines of the message of a failure.
const LINES: usize = 16;
/// The maximum number of last lines of output below a row.
const OUTPUT: usize = 16;
/// The maximum number of items in a message.
const CHUNK: usize = 256;
/// The maximum number of viewers.
pub(crate) const VIEWERS: usize = 64;

/// The fold of the events. Every change of an item gives it the next version, so that a
/// viewer is a number: the last version that it was sent.
#[derive(Debug)]
pub(crate) struct State {
    title: String,
    /// Identifies this state in the versions that browsers send after a reconnect.
    boot: u64,
    /// The last version that was given to an item.
    version: u64,
    /// The last version that viewers may see: that of the last round of the feed.
    published: u64,
    /// All items by version.
    items: BTreeMap<u64, Item>,
    running: BTreeMap<JobId, Running>,
    /// The ended rows and lines.
    past: Kept,
    /// The rows that left no trace.
    vanished: Kept,
    /// The partial line of a writer; empty if there is none.
    partial: String,
    /// The version of the partial line.
    partial_version: u64,
    /// The number of ended jobs by outcome.
    counts: BTreeMap<&'static str, usize>,
    closed: bool,
    /// The number of heartbeats so far.
    pub(crate) beats: u64,
    pub(crate) viewers: usize,
    /// The viewers that have seen everything, by number.
    pub(crate) waiting: BTreeMap<u64, Waker>,
    /// The number of the last viewer.
    pub(crate) last_viewer: u64,
}

#[derive(Debug)]
enum Item {
    Running(JobId),
    Ended(Box<Ended>),
    Line {
        at: Duration,
        text: String,
    },
    /// A change of the partial line.
    Partial,
    /// A transient row whose job finished.
    Vanished(JobId),
    /// The close, so that viewers have a version to see.
    Closed,
}

/// The versions of items that are kept up to a limit.
#[derive(Debug, Default)]
struct Kept {
    versions: VecDeque<u64>,
    /// The version of the latest item that was dropped.
    dropped: u64,
}

impl Kept {
    /// Adds a version. Returns the oldest one if there are too many.
    fn push(&mut self, version: u64) -> Option<u64> {
        self.versions.push_back(version);
        if self.versions.len() <= PAST {
            return None;
        }
        self.dropped = self.versions.pop_front()?;
        Some(self.dropped)
    }
}

#[derive(Debug)]
struct Running {
    version: u64,
    added: Duration,
    updated: Duration,
    row: Row,
}

#[derive(Debug)]
struct Ended {
    job: JobId,
    added: Duration,
    at: Duration,
    row: Row,
    /// `None` if the close of the board finished the job.
    outcome: Option<Outcome>,
}

/// What a viewer has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The state that it has seen; `None` before its first message.
    boot: Option<u64>,
    version: u64,
    /// The dropped versions that it knows about: of the past, and of vanished rows.
    dropped: [u64; 2],
}

impl Cursor {
    /// Parses the id of the last message that a browser has received.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        let (boot, version) = id.split_once('-')?;
        let boot = Some(u64::from_str_radix(boot, 16).ok()?);
        Some(Self { boot, version: version.parse().ok()?, dropped: [0; 2] })
    }
}

#[derive(Serialize)]
struct Message<'a> {
    /// Whether the viewer starts from nothing.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    reset: bool,
    /// Whether ended rows and lines are missing before those of this message.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    gap: bool,
    /// The ranges of running jobs, if the ends of others were dropped. Their rows are gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    keep: Option<Vec<(JobId, JobId)>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    /// The time on the board, and how fast it passes.
    now: f64,
    rate: f64,
    #[serde(skip_serializing_if = "str::is_empty")]
    partial: &'a str,
    running: usize,
    counts: &'a BTreeMap<&'static str, usize>,
    closed: bool,
    items: Vec<Shown<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Shown<'a> {
    Row {
        id: JobId,
        added: f64,
        updated: f64,
        #[serde(flatten)]
        row: &'a Row,
    },
    End {
        id: JobId,
        added: f64,
        at: f64,
        #[serde(flatten)]
        row: &'a Row,
        #[serde(flatten)]
        outcome: Option<&'a Outcome>,
    },
    Line {
        at: f64,
        text: &'a str,
    },
    Vanished {
        id: JobId,
    },
}

impl State {
    pub(crate) fn new(title: &str) -> Self {
        Self {
            title: plain_text(title, PREFIX),
            boot: RandomState::new().build_hasher().finish(),
            version: 0,
            published: 0,
            items: BTreeMap::new(),
            running: BTreeMap::new(),
            past: Kept::default(),
            vanished: Kept::default(),
            partial: String::new(),
            partial_version: 0,
            counts: BTreeMap::new(),
            closed: false,
            beats: 0,
            viewers: 0,
            waiting: BTreeMap::new(),
            last_viewer: 0,
        }
    }

    pub(crate) fn apply(&mut self, event: Event) {
        match event {
            Event::Line { at, text } => {
                let text = plain_text(&text, LINE);
                self.push_past(Item::Line { at, text });
            }
            _ if self.closed => {}
            Event::Added { at, job, row } => self.add(job, at, row),
            Event::Changed { at, job, change } => self.change(job, at, change),
            Event::Ended { at, job, outcome } => self.end(job, at, Some(outcome)),
            Event::Partial { text, .. } => {
                self.partial = plain_text(&text, LINE);
                self.items.remove(&self.partial_version);
                self.partial_version = self.push(Item::Partial);
            }
            Event::Closed { at } => self.close(at),
            _ => {}
        }
    }

    /// Shows viewers everything that was applied, and returns those that wait.
    #[must_use]
    pub(crate) fn publish(&mut self) -> BTreeMap<u64, Waker> {
        self.published = self.version;
        std::mem::take(&mut self.waiting)
    }

    /// Ends the run, whether or not its board closed.
    pub(crate) fn finish(&mut self) {
        if !self.closed {
            self.closed = true;
            self.push(Item::Closed);
        }
    }

    /// Returns the next message for a viewer, or `None` if it has seen everything. The
    /// time on the board is `now`, and passes at the given rate.
    pub(crate) fn next_message(
        &self,
        cursor: &mut Cursor,
        now: Duration,
        rate: f64,
    ) -> Option<String> {
        let reset = cursor.boot != Some(self.boot);
        if reset {
            *cursor = Cursor { boot: Some(self.boot), version: 0, dropped: [0; 2] };
        } else if cursor.version >= self.published {
            return None;
        }
        let dropped = [self.past.dropped, self.vanished.dropped];
        let [gap, forgotten] =
            [0, 1].map(|kind| cursor.version.max(cursor.dropped[kind]) < dropped[kind]);
        cursor.dropped = dropped;
        let new = self.items.range((Excluded(cursor.version), Included(self.published)));
        let new: Vec<_> = new.take(CHUNK).collect();
        cursor.version = match new.last() {
            Some(&(&last, _)) if new.len() == CHUNK => last,
            _ => self.published,
        };
        let message = Message {
            reset,
            gap,
            keep: ((gap || forgotten) && !reset).then(|| self.running_ranges()),
            title: reset.then_some(&self.title),
            now: now.as_secs_f64(),
            rate,
            partial: &self.partial,
            running: self.running.len(),
            counts: &self.counts,
            closed: self.closed && cursor.version == self.version,
            items: new.into_iter().filter_map(|(_, item)| self.show(item)).collect(),
        };
        let json = serde_json::to_string(&message).unwrap_or_default();
        Some(format!("id: {:x}-{}\ndata: {json}\n\n", self.boot, cursor.version))
    }

    /// Returns `true` if the run has ended and the viewer has seen that.
    pub(crate) fn is_over(&self, cursor: &Cursor) -> bool {
        self.closed && cursor.boot == Some(self.boot) && cursor.version >= self.version
    }

    fn show<'a>(&'a self, item: &'a Item) -> Option<Shown<'a>> {
        match item {
            Item::Running(id) => {
                let Running { added, updated, row, .. } = self.running.get(id)?;
                let (added, updated) = (added.as_secs_f64(), updated.as_secs_f64());
                Some(Shown::Row { id: *id, added, updated, row })
            }
            Item::Ended(end) => {
                let Ended { job, added, at, row, outcome } = &**end;
                let (added, at) = (added.as_secs_f64(), at.as_secs_f64());
                Some(Shown::End { id: *job, added, at, row, outcome: outcome.as_ref() })
            }
            Item::Line { at, text } => Some(Shown::Line { at: at.as_secs_f64(), text }),
            Item::Vanished(id) => Some(Shown::Vanished { id: *id }),
            Item::Partial | Item::Closed => None,
        }
    }

    /// Returns the ids of the running jobs as ranges, ends included.
    fn running_ranges(&self) -> Vec<(JobId, JobId)> {
        let mut ranges: Vec<(JobId, JobId)> = Vec::new();
        for &id in self.running.keys() {
            match ranges.last_mut() {
                Some((_, last)) if last.get() + 1 == id.get() => *last = id,
                _ => ranges.push((id, id)),
            }
        }
        ranges
    }

    fn add(&mut self, job: JobId, at: Duration, mut row: Row) {
        clean_row(&mut row);
        if let Some(before) = self.running.remove(&job) {
            self.items.remove(&before.version);
        }
        let version = self.push(Item::Running(job));
        self.running.insert(job, Running { version, added: at, updated: at, row });
    }

    fn change(&mut self, job: JobId, at: Duration, mut change: Change) {
        let Some(running) = self.running.get_mut(&job) else { return };
        change.prefix = change.prefix.map(|prefix| plain_text(&prefix, PREFIX));
        change.text = change.text.map(|text| plain_text(&text, TEXT));
        change.output = change.output.map(|output| clean_output(&output));
        if let ProgressChange::Set(progress) = &mut change.progress {
            clean_progress(progress);
        }
        running.row.apply(&change);
        running.updated = at;
        self.version += 1;
        self.items.remove(&running.version);
        running.version = self.version;
        self.items.insert(self.version, Item::Running(job));
    }

    fn end(&mut self, job: JobId, at: Duration, outcome: Option<Outcome>) {
        let Some(Running { version, added, mut row, .. }) = self.running.remove(&job) else {
            return;
        };
        self.items.remove(&version);
        let (name, status) = match outcome {
            None | Some(Outcome::Finished) => ("finished", None),
            Some(Outcome::Failed(_)) => ("failed", Some(Status::Error)),
            Some(Outcome::Panicked) => ("panicked", Some(Status::Error)),
            Some(Outcome::Cancelled) => ("cancelled", Some(Status::Warning)),
            Some(Outcome::Lost) => ("lost", Some(Status::Warning)),
            Some(Outcome::Abandoned) => ("abandoned", None),
            Some(_) => ("other", None),
        };
        row.status = status.unwrap_or(row.status);
        *self.counts.entry(name).or_default() += 1;
        if row.transient && name == "finished" {
            let version = self.push(Item::Vanished(job));
            if let Some(oldest) = self.vanished.push(version) {
                self.items.remove(&oldest);
            }
            return;
        }
        let outcome = outcome.map(|outcome| match outcome {
            Outcome::Failed(message) => {
                // Each line of a message is a cause of the one before it.
                let lines = message.lines().take(LINES).map(|line| plain_text(line, TEXT));
                Outcome::Failed(lines.collect::<Vec<_>>().join("\n"))
            }
            outcome => outcome,
        });
        self.push_past(Item::Ended(Box::new(Ended { job, added, at, row, outcome })));
    }

    /// Ends every running job, the pinned ones last.
    fn close(&mut self, at: Duration) {
        let mut jobs: Vec<JobId> = self.running.keys().copied().collect();
        jobs.sort_by_key(|job| self.running[job].row.pinned);
        for job in jobs {
            let row = &self.running[&job].row;
            let finishes = row.detached || row.elapsed;
            self.end(job, at, (!finishes).then_some(Outcome::Abandoned));
        }
        self.finish();
    }

    fn push(&mut self, item: Item) -> u64 {
        self.version += 1;
        self.items.insert(self.version, item);
        self.version
    }

    fn push_past(&mut self, item: Item) {
        let version = self.push(item);
        if let Some(oldest) = self.past.push(version) {
            self.items.remove(&oldest);
        }
    }
}

fn clean_row(row: &mut Row) {
    row.prefix = plain_text(&row.prefix, PREFIX);
    row.text = plain_text(&row.text, TEXT);
    row.output = clean_output(&row.output);
    if let Some(progress) = &mut row.progress {
        clean_progress(progress);
    }
}

/// Returns the last lines of output, without controls.
fn clean_output(lines: &[String]) -> Vec<String> {
    let last = &lines[lines.len().saturating_sub(OUTPUT)..];
    last.iter().map(|line| plain_text(line, TEXT)).collect()
}

fn clean_progress(progress: &mut Progress) {
    progress.text = progress.text.take().map(|text| plain_text(&text, PREFIX));
    if let Unit::Named(word) = &mut progress.unit {
        *word = plain_text(word, PREFIX).into();
    }
}
