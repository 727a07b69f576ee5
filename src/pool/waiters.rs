//! A line of waiting tasks, which are woken one by one.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Waker;

#[cfg(all(test, active_status_loom))]
use loom::sync::atomic::AtomicUsize;
#[cfg(not(all(test, active_status_loom)))]
use std::sync::atomic::AtomicUsize;

use crate::pool::lock::{Mutex, MutexGuard, lock};

/// Tasks that wait, in the order in which they began to. Wakers are cloned, woken
/// and dropped outside of the lock.
pub(super) struct Waiters {
    line: Mutex<Line>,
    /// The length of the line, written under its lock.
    len: AtomicUsize,
}

struct Line {
    /// The ticket of the next task that enters the line.
    next: u64,
    /// In the order of the tickets.
    waiting: VecDeque<(u64, Waker)>,
}

/// The place of one task in the line: none, or its ticket, which stays here when
/// the task is woken.
#[derive(Default)]
pub(super) struct Place {
    ticket: Option<u64>,
}

impl Waiters {
    pub(super) fn new() -> Self {
        let line = Mutex::new(Line { next: 0, waiting: VecDeque::new() });
        Self { line, len: AtomicUsize::new(0) }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        lock(&self.line)
    }

    /// Enters the line at its end. A task that is in the line keeps its place.
    pub(super) fn enter(&self, place: &mut Place, waker: &Waker) {
        let mut waker = waker.clone();
        let mut line = self.line();
        if let Some(index) = place.ticket.and_then(|ticket| line.find(ticket)) {
            std::mem::swap(&mut line.waiting[index].1, &mut waker);
            drop(line);
            return;
        }
        place.ticket = Some(line.next);
        let ticket = line.next;
        line.next += 1;
        line.waiting.push_back((ticket, waker));
        self.len.store(line.waiting.len(), Relaxed);
    }

    /// Leaves the line. Returns whether the task was woken since it entered.
    #[inline]
    pub(super) fn leave(&self, place: &mut Place) -> bool {
        place.ticket.take().is_some_and(|ticket| self.take_out(ticket).is_none())
    }

    fn take_out(&self, ticket: u64) -> Option<(u64, Waker)> {
        let mut line = self.line();
        let index = line.find(ticket)?;
        let waiter = line.waiting.remove(index);
        self.len.store(line.waiting.len(), Relaxed);
        drop(line);
        waiter
    }

    /// Wakes the task that has waited longest, which thereby leaves the line.
    pub(super) fn wake_one(&self) {
        let mut line = self.line();
        let first = line.waiting.pop_front();
        self.len.store(line.waiting.len(), Relaxed);
        drop(line);
        if let Some((_, waker)) = first {
            waker.wake();
        }
    }

    /// As [`wake_one`](Self::wake_one), and takes no lock if the line is empty.
    ///
    /// The caller must have held a lock since there was a reason to wake, and each task
    /// must take that lock and check for a reason after it has entered the line. Then
    /// either this sees the task, or the task sees the reason.
    #[inline]
    pub(super) fn wake_one_after_lock(&self) {
        if self.len.load(Relaxed) > 0 {
            self.wake_one();
        }
    }

    /// Wakes all tasks.
    pub(super) fn wake_all(&self) {
        let mut line = self.line();
        let all = std::mem::take(&mut line.waiting);
        self.len.store(0, Relaxed);
        drop(line);
        all.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

impl Line {
    /// Returns the index of the waiter with this ticket.
    fn find(&self, ticket: u64) -> Option<usize> {
        self.waiting.binary_search_by_key(&ticket, |&(ticket, _)| ticket).ok()
    }
}

#[cfg(all(test, not(active_status_loom)))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    /// Returns a task's place, its waker and the count of its wakes.
    fn task() -> (Place, Waker, Arc<Count>) {
        let count = Arc::new(Count::default());
        (Place::default(), Waker::from(Arc::clone(&count)), count)
    }

    fn wakes(count: &Count) -> usize {
        count.0.load(Relaxed)
    }

    #[test]
    fn a_task_polled_again_keeps_its_place() {
        let waiters = Waiters::new();
        let (mut first, first_waker, first_wakes) = task();
        let (mut second, second_waker, second_wakes) = task();
        waiters.enter(&mut first, &first_waker);
        waiters.enter(&mut second, &second_waker);
        waiters.enter(&mut first, &first_waker);
        waiters.wake_one();
        assert_eq!([wakes(&first_wakes), wakes(&second_wakes)], [1, 0]);
        waiters.wake_one();
        waiters.wake_one();
        assert_eq!([wakes(&first_wakes), wakes(&second_wakes)], [1, 1]);
    }

    #[test]
    fn leaving_returns_whether_the_task_was_woken() {
        let waiters = Waiters::new();
        let (mut place, waker, _) = task();
        assert!(!waiters.leave(&mut place), "it never entered");
        waiters.enter(&mut place, &waker);
        assert!(!waiters.leave(&mut place), "it still waited");
        waiters.enter(&mut place, &waker);
        waiters.wake_one();
        assert!(waiters.leave(&mut place));
        assert!(!waiters.leave(&mut place), "it has left");
    }

    #[test]
    fn the_latest_waker_of_a_task_is_woken() {
        let waiters = Waiters::new();
        let (mut place, waker, old) = task();
        waiters.enter(&mut place, &waker);
        drop(waker);
        let (_, waker, new) = task();
        waiters.enter(&mut place, &waker);
        assert_eq!(Arc::strong_count(&old), 1, "the line holds its waker");
        waiters.wake_all();
        assert_eq!([wakes(&old), wakes(&new)], [0, 1]);
    }
}
