//! Waiting until the reader of a board has shown everything that precedes a flush.

use std::cell::Cell;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::board::lock::ignore_poison;

/// The state that both sides share: whether the mark has been dropped.
type Shared = Arc<(Mutex<bool>, Condvar)>;

/// A mark in the queue of a board. It is dropped once everything before it has been
/// shown.
#[derive(Debug)]
pub(crate) struct Mark(Shared);

/// The wait for a mark.
#[derive(Debug)]
pub(crate) struct Wait(Shared);

/// Creates a mark and the wait for it.
pub(crate) fn mark() -> (Mark, Wait) {
    let shared = Shared::default();
    (Mark(Arc::clone(&shared)), Wait(shared))
}

impl Drop for Mark {
    fn drop(&mut self) {
        *ignore_poison(self.0.0.lock()) = true;
        self.0.1.notify_all();
    }
}

impl Wait {
    /// Waits until the mark is dropped, for at most the given time. Returns `true` if it
    /// was.
    pub(crate) fn wait(self, time: Duration) -> bool {
        let (dropped, changed) = &*self.0;
        let dropped = ignore_poison(dropped.lock());
        let waited = changed.wait_timeout_while(dropped, time, |dropped| !*dropped);
        *ignore_poison(waited).0
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
