//! The limit on printed lines, and the waits for room.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock};
use std::task::Waker;
use std::time::Duration;

use crate::board::lock::ignore_poison;

/// How long a line waits for a log that makes no progress.
const PATIENCE: Duration = Duration::from_secs(2);

/// The room for printed lines between the handles of a board and its reader.
#[derive(Default)]
pub(crate) struct Room {
    lines: Mutex<Lines>,
    /// Notified when there may be room or the board has closed.
    freed: Condvar,
    log: OnceLock<Log>,
}

/// The progress of a reader that writes every line to a log, on a separate thread: a value
/// that changes when the output accepts something.
struct Log(Box<dyn Fn() -> u64 + Send + Sync>);

impl Room {
    /// Makes lines wait for the reader, as long as it makes progress.
    pub(crate) fn read_by_log(&self, progress: impl Fn() -> u64 + Send + Sync + 'static) {
        let _ = self.log.set(Log(Box::new(progress)));
    }

    pub(crate) fn lines(&self) -> MutexGuard<'_, Lines> {
        ignore_poison(self.lines.lock())
    }

    /// Waits until there is room for a text of this length, or the board `is_closed`.
    pub(crate) fn wait(&self, bytes: usize, is_closed: impl Fn() -> bool) -> MutexGuard<'_, Lines> {
        let mut lines = self.lines();
        while !is_closed() && !lines.has_room(bytes) {
            lines.blocked += 1;
            lines = ignore_poison(self.freed.wait(lines));
            lines.blocked -= 1;
        }
        lines
    }

    /// Waits like [`wait`](Self::wait) if the reader is a log, until it has made no progress
    /// for [`PATIENCE`]. Then no line waits until it takes one. Returns `true` if there is
    /// room for the text, however many lines it has.
    pub(crate) fn wait_for_log(
        &self,
        bytes: usize,
        is_closed: impl Fn() -> bool,
    ) -> (MutexGuard<'_, Lines>, bool) {
        let mut lines = self.lines();
        let Some(Log(progress)) = self.log.get() else { return (lines, false) };
        while !is_closed() && !lines.has_room(bytes) && !lines.log_is_stuck {
            let before = (progress(), lines.taken);
            lines.blocked += 1;
            let (waited, timeout) = ignore_poison(self.freed.wait_timeout(lines, PATIENCE));
            lines = waited;
            lines.blocked -= 1;
            lines.log_is_stuck = timeout.timed_out() && before == (progress(), lines.taken);
        }
        let has_room = lines.has_room(bytes);
        (lines, has_room)
    }

    /// Counts a line as taken by the reader: see [`Lines::take`].
    pub(crate) fn take(&self, bytes: usize) -> Option<String> {
        let mut lines = self.lines();
        let omitted = lines.take(bytes);
        // Not for each line: the threads that wait would contend for the lock with the reader.
        if lines.is_half_empty() {
            self.wake(lines);
        }
        omitted
    }

    /// Wakes the threads and tasks that wait for room.
    pub(crate) fn wake_all(&self) {
        self.wake(self.lines());
    }

    fn wake(&self, mut lines: MutexGuard<'_, Lines>) {
        let waiting = mem::take(&mut lines.waiting);
        // The condition variable makes a system call even if no thread waits.
        let blocked = lines.blocked > 0;
        drop(lines);
        if blocked {
            self.freed.notify_all();
        }
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// The number and size of the pending lines.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    pending: usize,
    bytes: usize,
    /// The number of omitted lines. While it is not 0, no line is admitted until all
    /// pending lines have been taken, so that one line can report the omitted ones in
    /// their place.
    omitted: u64,
    /// The number of lines that the reader has taken.
    taken: u64,
    /// Whether a line has waited for a log in vain since the last line was taken.
    log_is_stuck: bool,
    /// The number of threads that wait for room.
    blocked: usize,
    /// The tasks that wait for room.
    waiting: Vec<Waker>,
}

impl Lines {
    /// The maximum number of pending lines.
    const MOST: usize = 65_536;
    /// The maximum number of bytes in pending lines, unless a single line is longer.
    const MOST_BYTES: usize = 16 << 20;

    /// Counts a line as pending if there is room, and as omitted otherwise. Returns
    /// `true` if there was room.
    pub(crate) fn admit(&mut self, bytes: usize) -> bool {
        let admitted = self.has_room(bytes);
        if admitted {
            self.add(bytes);
        } else {
            self.omitted += 1;
        }
        admitted
    }

    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        let fits = self.pending < Self::MOST && self.bytes + bytes <= Self::MOST_BYTES;
        self.pending == 0 || (self.omitted == 0 && fits)
    }

    fn is_half_empty(&self) -> bool {
        self.pending <= Self::MOST / 2 && self.bytes <= Self::MOST_BYTES / 2
    }

    /// Counts a line as pending.
    pub(crate) fn add(&mut self, bytes: usize) {
        self.pending += 1;
        self.bytes += bytes;
    }

    /// Wakes a task once there is room.
    pub(crate) fn wake_later(&mut self, waker: Waker) {
        self.waiting.push(waker);
    }

    /// Counts a line as taken. If it was the last pending one and others were omitted,
    /// returns a line that takes their place.
    pub(crate) fn take(&mut self, bytes: usize) -> Option<String> {
        self.pending -= 1;
        self.bytes -= bytes;
        self.taken += 1;
        self.log_is_stuck = false;
        if self.pending > 0 || self.omitted == 0 {
            return None;
        }
        let omitted = mem::take(&mut self.omitted);
        let lines = if omitted == 1 { "line" } else { "lines" };
        Some(format!("… {omitted} {lines} not shown"))
    }
}
