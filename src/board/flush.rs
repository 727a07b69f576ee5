//! Waiting until the reader of a board has shown everything that precedes a flush.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use crate::board::alarm::Alarm;

/// A mark in the queue of a board. It is dropped once everything before it has been
/// shown.
#[derive(Debug)]
pub(crate) struct Mark(Arc<Alarm>);

/// The wait for a mark.
#[derive(Debug)]
pub(crate) struct Wait(Arc<Alarm>);

/// Creates a mark and the wait for it.
pub(crate) fn mark() -> (Mark, Wait) {
    let dropped = Arc::<Alarm>::default();
    (Mark(Arc::clone(&dropped)), Wait(dropped))
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.0.ring();
    }
}

impl Wait {
    /// Waits until the mark is dropped, for at most the given time. Returns `true` if it
    /// was.
    pub(crate) fn wait(self, time: Duration) -> bool {
        self.0.sleep(Some(time))
    }
}

thread_local! {
    /// Whether the reader on this thread has events that it has not shown yet.
    static BEHIND: Cell<bool> = const { Cell::new(false) };
}

/// Calls `read` for a reader that has shown all earlier events, unless it is `behind`.
pub(crate) fn read<T>(behind: bool, read: impl FnOnce() -> T) -> T {
    BEHIND.set(behind);
    let result = read();
    BEHIND.set(false);
    result
}

/// Returns `true` if the reader on this thread is behind.
pub(crate) fn is_behind() -> bool {
    BEHIND.get()
}
