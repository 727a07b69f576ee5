//! What a job's handles and the events share: the job's latest state.

use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::board::event::{Change, JobId, Outcome, Progress, ProgressChange, Row, Status};
use crate::board::job::position::{MAX_POSITION, Word};
use crate::board::job::rate::{Format, Meter, ProgressSnapshot};
use crate::board::lock::ignore_poison;

/// The latest state of one job. Many write, one reads.
///
/// Updates merge: texts and the like replace each other, ticks add up. An update
/// that returns `true` finds nothing queued, and its caller queues the cell.
pub(crate) struct Cell {
    id: JobId,
    word: Word,
    /// How many handles the job has.
    handles: AtomicUsize,
    state: Mutex<State>,
}

/// What is not in the word. No foreign code runs while it is locked.
struct State {
    added: Duration,
    /// The row at first, until it is read.
    row: Option<Row>,
    /// What was written and not read, but for the progress.
    news: Change,
    /// Whether anything was written and not read, ticks apart.
    changed: bool,
    /// Whether the progress was started, completed or cleared since it was read.
    progress_changed: bool,
    /// Whether there is progress to show, and of how much.
    counting: Option<Option<u64>>,
    /// The position that was read last.
    position_read: u64,
    meter: Meter,
    format: Option<Format>,
    detached: bool,
    end: Option<End>,
}

/// How, when and where a job ended.
struct End {
    at: Duration,
    /// `None` once it was read, or if it is not to be.
    outcome: Option<Outcome>,
    position: u64,
}

impl Cell {
    /// The cell of a job that is added now.
    pub(crate) fn new(id: JobId, added: Duration, row: Row, format: Option<Format>) -> Self {
        let counting = row.progress.as_ref().map(|progress| progress.total);
        let state = State {
            added,
            row: Some(row),
            news: Change::default(),
            changed: false,
            progress_changed: false,
            counting,
            position_read: 0,
            meter: Meter::new(added),
            format,
            detached: false,
            end: None,
        };
        Self { id, word: Word::new(), handles: AtomicUsize::new(0), state: Mutex::new(state) }
    }

    pub(crate) fn id(&self) -> JobId {
        self.id
    }

    /// The job has one more handle.
    pub(crate) fn add_handle(&self) {
        self.handles.fetch_add(1, Relaxed);
    }

    /// A handle goes; whether it is the last. That one sees all that was written
    /// with the others.
    pub(crate) fn drop_handle(&self) -> bool {
        self.handles.fetch_sub(1, AcqRel) == 1
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        ignore_poison(self.state.lock())
    }
}

/// The writers' side.
impl Cell {
    /// Adds to the position.
    #[inline]
    pub(crate) fn tick(&self, count: u64) -> bool {
        if count == 0 { self.touch_progress() } else { self.word.add(count) }
    }

    /// Replaces the position.
    pub(crate) fn set_position(&self, position: u64) -> bool {
        self.word.set(position);
        if position == 0 { self.touch_progress() } else { self.word.queue() }
    }

    /// Shows the position though it may be 0.
    #[cold]
    fn touch_progress(&self) -> bool {
        self.write(|state, _| {
            state.counting.get_or_insert(None);
            state.progress_changed = true;
        })
    }

    pub(crate) fn set_prefix(&self, prefix: String) -> bool {
        self.write(|state, _| state.news.prefix.replace(prefix))
    }

    pub(crate) fn set_text(&self, text: String) -> bool {
        self.write(|state, _| state.news.text.replace(text))
    }

    pub(crate) fn set_status(&self, status: Status) -> bool {
        self.write(|state, _| state.news.status = Some(status))
    }

    /// Starts to count anew at 0.
    pub(crate) fn start_progress(&self, total: Option<u64>, now: Duration) -> bool {
        self.write(|state, word| {
            word.set(0);
            state.counting = Some(total.map(|total| total.min(MAX_POSITION)));
            state.meter = Meter::new(now);
            state.progress_changed = true;
        })
    }

    /// Moves the position to the total, if there is one.
    pub(crate) fn complete_progress(&self) -> bool {
        self.write(|state, word| {
            if let Some(Some(total)) = state.counting {
                word.set(total);
            }
            state.progress_changed = true;
        })
    }

    /// Shows no progress until the next start or tick.
    pub(crate) fn clear_progress(&self) -> bool {
        self.write(|state, word| {
            word.set(0);
            state.counting = None;
            state.progress_changed = true;
        })
    }

    /// Lets the job live without handles.
    pub(crate) fn detach(&self) -> bool {
        self.write(|state, _| {
            state.detached = true;
            state.news.detached = true;
        })
    }

    /// Ends the job, unless it has ended. Without an outcome the reader is not
    /// told.
    pub(crate) fn end(&self, at: Duration, outcome: Option<Outcome>) -> bool {
        let mut state = self.lock();
        let first = state.end.is_none();
        let is_news = first && outcome.is_some();
        if first {
            state.end = Some(End { at, outcome, position: self.word.position() });
        }
        is_news
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.lock().end.is_some()
    }

    /// Whether the job ends with its last handle.
    pub(crate) fn ends_with_its_handles(&self) -> bool {
        let state = self.lock();
        state.end.is_none() && !state.detached
    }

    /// Writes to the state, unless the job has ended. What the write returns is
    /// dropped without the lock.
    fn write<T>(&self, write: impl FnOnce(&mut State, &Word) -> T) -> bool {
        let mut state = self.lock();
        if state.end.is_some() {
            return false;
        }
        state.changed = true;
        let _replaced = write(&mut state, &self.word);
        drop(state);
        self.word.queue()
    }
}

/// The reader's side: one reader only.
impl Cell {
    /// When the job was added, and its row; once.
    pub(crate) fn read_row(&self, now: Duration) -> Option<(Duration, Row)> {
        let mut state = self.lock();
        let at = state.added;
        let mut row = state.row.take()?;
        let Some(progress) = &mut row.progress else { return Some((at, row)) };
        let snapshot = state.meter.look(progress.position, progress.total, now);
        let format = state.format.clone();
        drop(state);
        progress.text = self.put_into_words(format, &snapshot);
        Some((at, row))
    }

    /// The news that was queued.
    pub(crate) fn read(&self, now: Duration) -> Change {
        self.word.take();
        self.read_change(self.lock(), now)
    }

    /// What was not read so far, queued or not; `None` if that is nothing.
    pub(crate) fn read_rest(&self, now: Duration) -> Option<Change> {
        let state = self.lock();
        state.has_news(self.word.position()).then(|| self.read_change(state, now))
    }

    /// When and how the job ended; `None` if it did not, or this was read.
    /// Ticks queue nothing from here on.
    pub(crate) fn read_end(&self) -> Option<(Duration, Outcome)> {
        let mut state = self.lock();
        let end = state.end.as_mut()?;
        let read = (end.at, end.outcome.take()?);
        let format = state.format.take();
        drop(state);
        drop(format);
        self.word.queue();
        Some(read)
    }

    fn read_change(&self, mut state: MutexGuard<'_, State>, now: Duration) -> Change {
        let mut change = mem::take(&mut state.news);
        state.changed = false;
        // The reset of a position is written under the lock, so it is read there.
        let position = state.last_position(self.word.position());
        let moved = mem::replace(&mut state.position_read, position) != position;
        if position > 0 {
            state.counting.get_or_insert(None);
        }
        if !mem::take(&mut state.progress_changed) && !moved {
            return change;
        }
        let Some(total) = state.counting else {
            change.progress = ProgressChange::Cleared;
            return change;
        };
        let snapshot = state.meter.look(position, total, now);
        let format = state.format.clone();
        drop(state);
        let text = self.put_into_words(format, &snapshot);
        change.progress = Progress { position, total, text }.into();
        change
    }

    /// Runs the format, which is given up after a panic.
    fn put_into_words(
        &self,
        format: Option<Format>,
        snapshot: &ProgressSnapshot,
    ) -> Option<String> {
        let format = format?;
        catch_unwind(AssertUnwindSafe(|| format(snapshot))).unwrap_or_else(|_| {
            let _broken = self.lock().format.take();
            None
        })
    }
}

impl State {
    fn has_news(&self, position: u64) -> bool {
        self.changed || self.last_position(position) != self.position_read
    }

    /// The position that counts, with this one in the word: ticks after the end
    /// do not.
    fn last_position(&self, position: u64) -> u64 {
        self.end.as_ref().map_or(position, |end| end.position)
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cell")
            .field("id", &self.id)
            .field("word", &self.word)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Duration;

    use super::{Cell, JobId, Row};

    // Rule 1
    #[test]
    fn a_tick_takes_no_lock() {
        let id = JobId::new(1).expect("ids count from 1");
        let cell = Arc::new(Cell::new(id, Duration::ZERO, Row::default(), None));
        let locked = cell.lock();
        let (sender, ticked) = mpsc::channel();
        thread::spawn({
            let cell = Arc::clone(&cell);
            move || sender.send([cell.tick(1), cell.tick(1 << 40)])
        });
        // If it waits for the lock, it does so as long as this does.
        assert_eq!(ticked.recv_timeout(Duration::from_secs(60)), Ok([true, false]));
        drop(locked);
        assert_eq!(cell.word.position(), 1 + (1 << 40));
    }
}
