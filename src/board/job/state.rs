//! The state of a job, shared by its handles and the reader.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::board::event::{Change, JobId, Outcome, Progress, ProgressChange, Row, Status};
use crate::board::job::position::{AtomicPosition, MAX_POSITION};
use crate::board::job::rate::{Meter, ProgressSnapshot};
use crate::board::job::style::ProgressStyle;
use crate::board::lock::ignore_poison;

/// The latest state of one job, with many writers and one reader.
///
/// Updates merge: a text replaces the one before it, ticks add up. A write returns `true`
/// if no update of the job was queued; the caller then queues one.
pub(crate) struct JobState {
    id: JobId,
    parent: Option<JobId>,
    position: AtomicPosition,
    /// The number of handles.
    handles: AtomicUsize,
    fields: Mutex<Fields>,
}

/// The state apart from the position. No foreign code runs while it is locked.
struct Fields {
    added: Duration,
    /// The initial row, until it is read.
    row: Option<Row>,
    text: String,
    /// Whether the text was set since the last read.
    text_changed: bool,
    /// The updates that have not been read, except for the text and the progress.
    pending: Change,
    /// Whether there are updates that have not been read, apart from ticks.
    changed: bool,
    /// Whether the progress was started, completed or cleared since the last read.
    progress_changed: bool,
    /// The total of the progress, if the job counts.
    counting: Option<Option<u64>>,
    /// The position at which the work was complete, although there may be no total.
    completed_at: Option<u64>,
    /// The position at the last read.
    position_read: u64,
    meter: Meter,
    style: ProgressStyle,
    detached: bool,
    /// `None` unless the prefix may be marked.
    marks: Option<Box<Marks>>,
    /// The last lines of output.
    output: VecDeque<String>,
    /// The maximum number of these lines.
    most_output: usize,
    /// Whether there was output since the last read.
    output_changed: bool,
    end: Option<Ended>,
}

/// What precedes the text of a worker's row.
struct Marks {
    prefix: String,
    /// What the pool does with the worker, until the job ends.
    state: &'static str,
    restarts: u32,
    initial_text: String,
}

impl Marks {
    fn marked_prefix(&self) -> String {
        match self.restarts {
            0 => format!("{}{}", self.prefix, self.state),
            restarts => format!("{}{}(restarted {restarts}) ", self.prefix, self.state),
        }
    }
}

/// The end of a job: its time, its outcome and the last position.
struct Ended {
    at: Duration,
    /// `None` once it was read, and if the board was closed before the end.
    outcome: Option<Outcome>,
    position: u64,
}

impl JobState {
    /// Creates the state of a new job.
    pub(crate) fn new(
        id: JobId,
        added: Duration,
        row: Row,
        style: ProgressStyle,
        most_output: usize,
    ) -> Self {
        let parent = row.parent;
        let counting = row.progress.as_ref().map(|progress| progress.total);
        let fields = Fields {
            added,
            text: row.text.clone(),
            text_changed: false,
            row: Some(row),
            pending: Change::default(),
            changed: false,
            progress_changed: false,
            counting,
            completed_at: None,
            position_read: 0,
            meter: Meter::new(added),
            style,
            detached: false,
            marks: None,
            output: VecDeque::new(),
            most_output,
            output_changed: false,
            end: None,
        };
        Self {
            id,
            parent,
            position: AtomicPosition::new(),
            handles: AtomicUsize::new(0),
            fields: Mutex::new(fields),
        }
    }

    pub(crate) fn id(&self) -> JobId {
        self.id
    }

    /// Adds one to the number of handles.
    pub(crate) fn add_handle(&self) {
        self.handles.fetch_add(1, Relaxed);
    }

    /// Subtracts one from the number of handles. Returns `true` for the last handle,
    /// which sees all writes of the others.
    pub(crate) fn drop_handle(&self) -> bool {
        self.handles.fetch_sub(1, AcqRel) == 1
    }

    /// Returns `true` if there is one handle.
    pub(crate) fn has_one_handle(&self) -> bool {
        self.handles.load(Relaxed) == 1
    }

    fn lock(&self) -> MutexGuard<'_, Fields> {
        ignore_poison(self.fields.lock())
    }
}

/// Methods for the getters.
impl JobState {
    /// Returns the progress at `now`, or at the end of the job.
    pub(crate) fn snapshot(&self, now: Duration) -> ProgressSnapshot {
        let fields = self.lock();
        let now = fields.end.as_ref().map_or(now, |end| end.at);
        let position = fields.last_position(self.position.position());
        // The meter of the reader observes only what is read.
        fields.meter.clone().observe(position, fields.counting.flatten(), now)
    }

    pub(crate) fn position(&self) -> u64 {
        self.lock().last_position(self.position.position())
    }

    pub(crate) fn total(&self) -> Option<u64> {
        self.lock().counting.flatten()
    }

    /// Returns the job of which this one is a subtask.
    pub(crate) fn parent(&self) -> Option<JobId> {
        self.parent
    }

    pub(crate) fn text(&self) -> String {
        self.lock().text.clone()
    }
}

/// Methods for the writers.
impl JobState {
    /// Adds to the position.
    #[inline]
    pub(crate) fn tick(&self, count: u64) -> bool {
        if count == 0 { self.touch_progress() } else { self.position.add(count) }
    }

    /// Sets the position.
    pub(crate) fn set_position(&self, position: u64) -> bool {
        self.position.set(position);
        if position == 0 { self.touch_progress() } else { self.position.queue() }
    }

    /// Shows the position even if it is 0.
    #[cold]
    fn touch_progress(&self) -> bool {
        self.write(|fields, _| {
            fields.counting.get_or_insert(None);
            fields.progress_changed = true;
        })
    }

    pub(crate) fn set_prefix(&self, mut prefix: String) -> bool {
        self.write(|fields, _| {
            if let Some(marks) = &mut fields.marks {
                marks.prefix = prefix;
                prefix = marks.marked_prefix();
            }
            fields.pending.prefix.replace(prefix)
        })
    }

    /// Lets marks follow the prefix of a new job.
    pub(crate) fn allow_marks(&self, prefix: String, initial_text: String) {
        let marks = Marks { prefix, state: "", restarts: 0, initial_text };
        self.lock().marks = Some(Box::new(marks));
    }

    /// Sets what the pool does with the worker, as a mark after the prefix.
    pub(crate) fn mark_state(&self, state: &'static str) -> bool {
        self.write(|fields, _| {
            if let Some(marks) = &mut fields.marks {
                marks.state = state;
                fields.pending.prefix = Some(marks.marked_prefix());
            }
        })
    }

    /// Sets the number of restarts, and the text that a new row starts with.
    pub(crate) fn mark_restarts(&self, restarts: u32) -> bool {
        self.write(|fields, _| match &mut fields.marks {
            Some(marks) => {
                marks.restarts = restarts;
                fields.pending.prefix = Some(marks.marked_prefix());
                fields.text = marks.initial_text.clone();
                fields.text_changed = true;
            }
            None => {
                fields.text = format!("restarted ({restarts})");
                fields.text_changed = true;
            }
        })
    }

    pub(crate) fn set_text(&self, text: String) -> bool {
        self.write(|fields, _| {
            fields.text_changed = true;
            mem::replace(&mut fields.text, text)
        })
    }

    pub(crate) fn set_status(&self, status: Status) -> bool {
        self.write(|fields, _| fields.pending.status = Some(status))
    }

    /// Sets the style. The style before it is dropped after the lock is released.
    pub(crate) fn set_style(&self, style: ProgressStyle) -> bool {
        self.write(|fields, _| {
            fields.progress_changed |= fields.counting.is_some();
            mem::replace(&mut fields.style, style)
        })
    }

    /// Starts counting from 0.
    pub(crate) fn start_progress(&self, total: Option<u64>, now: Duration) -> bool {
        self.write(|fields, position| {
            position.set(0);
            fields.counting = Some(total.map(|total| total.min(MAX_POSITION)));
            fields.meter = Meter::new(now);
            fields.progress_changed = true;
        })
    }

    /// Sets the total, and keeps the position and the rate.
    pub(crate) fn set_total(&self, total: Option<u64>) -> bool {
        self.write(|fields, _| {
            fields.counting = Some(total.map(|total| total.min(MAX_POSITION)));
            fields.progress_changed = true;
        })
    }

    /// Adds to the total, which is 0 if it is unknown.
    pub(crate) fn add_to_total(&self, count: u64) -> bool {
        self.write(|fields, _| {
            let total = fields.counting.flatten().unwrap_or(0).saturating_add(count);
            fields.counting = Some(Some(total.min(MAX_POSITION)));
            fields.progress_changed = true;
        })
    }

    /// Sets the position to 0, and restarts the rate and the elapsed time.
    pub(crate) fn reset(&self, now: Duration) -> bool {
        self.write(|fields, position| {
            if position.position() > 0 {
                fields.counting.get_or_insert(None);
            }
            position.set(0);
            fields.meter = Meter::new(now);
            fields.progress_changed = true;
        })
    }

    /// Records that the work is complete at the current position.
    pub(crate) fn complete_here(&self) {
        self.lock().completed_at = Some(self.position.position());
    }

    /// Sets the position to the total, if it is known.
    pub(crate) fn complete_progress(&self) -> bool {
        self.write(|fields, position| {
            if let Some(Some(total)) = fields.counting {
                position.set(total);
            }
            fields.progress_changed = true;
        })
    }

    /// Clears the progress until the next start or tick.
    pub(crate) fn clear_progress(&self) -> bool {
        self.write(|fields, position| {
            position.set(0);
            fields.counting = None;
            fields.progress_changed = true;
        })
    }

    /// Merges a change of a job of another board.
    #[cfg(feature = "relay")]
    pub(crate) fn relay(&self, change: &Change) -> bool {
        self.write(|fields, _| fields.pending.merge(change))
    }

    /// Adds a line to the last lines of output.
    pub(crate) fn add_output(&self, line: String) -> bool {
        self.write(|fields, _| {
            fields.output_changed = true;
            fields.output.push_back(line);
            (fields.output.len() > fields.most_output).then(|| fields.output.pop_front())
        })
    }

    /// Returns `true` if lines of output are kept.
    pub(crate) fn keeps_output(&self) -> bool {
        self.lock().most_output > 0
    }

    /// Lets the job run without handles.
    pub(crate) fn detach(&self) -> bool {
        self.write(|fields, _| {
            fields.detached = true;
            fields.pending.detached = true;
        })
    }

    /// Ends the job, unless it has already ended. Without an outcome there is no event.
    pub(crate) fn end(&self, at: Duration, outcome: Option<Outcome>) -> bool {
        let fields = &mut *self.lock();
        let first = fields.end.is_none();
        let queue = first && outcome.is_some();
        if first {
            if let Some(marks) = &mut fields.marks
                && !marks.state.is_empty()
            {
                marks.state = "";
                fields.pending.prefix = Some(marks.marked_prefix());
                fields.changed = true;
            }
            fields.end = Some(Ended { at, outcome, position: self.position.position() });
        }
        queue
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.lock().end.is_some()
    }

    /// Returns how the job ends if its last handle is dropped without a panic; `None` if it
    /// has ended or runs without handles.
    pub(crate) fn outcome_without_handles(&self) -> Option<Outcome> {
        let fields = self.lock();
        let position = self.position.position();
        let reached = fields.counting.flatten().is_some_and(|total| position >= total);
        let complete = reached || fields.completed_at == Some(position);
        let outcome = if complete { Outcome::Finished } else { Outcome::Cancelled };
        (fields.end.is_none() && !fields.detached).then_some(outcome)
    }

    /// Writes to the fields, unless the job has ended. The value that `write` returns is
    /// dropped after the lock is released.
    fn write<T>(&self, write: impl FnOnce(&mut Fields, &AtomicPosition) -> T) -> bool {
        let mut fields = self.lock();
        if fields.end.is_some() {
            return false;
        }
        fields.changed = true;
        let _replaced = write(&mut fields, &self.position);
        drop(fields);
        self.position.queue()
    }
}

/// Methods for the one reader.
impl JobState {
    /// Returns the time at which the job was added, and its row; `None` after the first
    /// call.
    pub(crate) fn read_row(&self, now: Duration) -> Option<(Duration, Row)> {
        let mut fields = self.lock();
        let at = fields.added;
        let mut row = fields.row.take()?;
        let Some(progress) = &mut row.progress else { return Some((at, row)) };
        let snapshot = fields.meter.observe(progress.position, progress.total, now);
        let style = fields.style.clone();
        drop(fields);
        *progress = self.style_progress(&style, &snapshot);
        Some((at, row))
    }

    /// Reads the update that was queued.
    pub(crate) fn read(&self, now: Duration) -> Change {
        self.position.take();
        self.read_change(self.lock(), now)
    }

    /// Reads the remaining updates, queued or not. Returns `None` if there are none.
    pub(crate) fn read_rest(&self, now: Duration) -> Option<Change> {
        let fields = self.lock();
        fields.is_pending(self.position.position()).then(|| self.read_change(fields, now))
    }

    /// Returns the time and the outcome of the end; `None` before the end and after the
    /// first call. Afterwards, ticks queue no more updates.
    pub(crate) fn read_end(&self) -> Option<(Duration, Outcome)> {
        let mut fields = self.lock();
        let end = fields.end.as_mut()?;
        let read = (end.at, end.outcome.take()?);
        let style = mem::take(&mut fields.style);
        drop(fields);
        drop(style);
        self.position.queue();
        Some(read)
    }

    fn read_change(&self, mut fields: MutexGuard<'_, Fields>, now: Duration) -> Change {
        let mut change = mem::take(&mut fields.pending);
        if mem::take(&mut fields.text_changed) {
            change.text = Some(fields.text.clone());
        }
        if mem::take(&mut fields.output_changed) {
            change.output = Some(fields.output.iter().cloned().collect());
        }
        fields.changed = false;
        // A reset of the position is written under the lock, so it is read under the
        // lock.
        let position = fields.last_position(self.position.position());
        let moved = mem::replace(&mut fields.position_read, position) != position;
        if position > 0 {
            fields.counting.get_or_insert(None);
        }
        let relayed = !change.progress.is_unchanged();
        if (!mem::take(&mut fields.progress_changed) && !moved) || relayed {
            return change;
        }
        let Some(total) = fields.counting else {
            change.progress = ProgressChange::Cleared;
            return change;
        };
        let snapshot = fields.meter.observe(position, total, now);
        let style = fields.style.clone();
        drop(fields);
        change.progress = self.style_progress(&style, &snapshot).into();
        change
    }

    /// Applies the style, and replaces it with the default if it panics.
    fn style_progress(&self, style: &ProgressStyle, snapshot: &ProgressSnapshot) -> Progress {
        catch_unwind(AssertUnwindSafe(|| style.apply(snapshot))).unwrap_or_else(|_| {
            let _broken = mem::take(&mut self.lock().style);
            Progress::new(snapshot.position, snapshot.total)
        })
    }
}

impl Fields {
    fn is_pending(&self, position: u64) -> bool {
        self.changed || self.last_position(position) != self.position_read
    }

    /// Returns the position at which the job ended, or else the given one.
    fn last_position(&self, position: u64) -> u64 {
        self.end.as_ref().map_or(position, |end| end.position)
    }
}

impl fmt::Debug for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobState")
            .field("id", &self.id)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Duration;

    use super::{JobId, JobState, Row};

    // Rule 1
    #[test]
    fn a_tick_takes_no_lock() {
        let id = JobId::new(1).expect("ids count from 1");
        let state =
            Arc::new(JobState::new(id, Duration::ZERO, Row::default(), Default::default(), 0));
        let locked = state.lock();
        let (sender, ticked) = mpsc::channel();
        thread::spawn({
            let state = Arc::clone(&state);
            move || sender.send([state.tick(1), state.tick(1 << 40)])
        });
        // A tick that took the lock would wait until this times out.
        assert_eq!(ticked.recv_timeout(Duration::from_secs(60)), Ok([true, false]));
        drop(locked);
        assert_eq!(state.position.position(), 1 + (1 << 40));
    }
}
