//! A line of waiting tasks, which are woken one by one.

use std::collections::VecDeque;
use std::task::Waker;

use crate::pool::lock::{Mutex, MutexGuard, lock};

/// Tasks that wait, in the order in which they began to. Wakers are cloned, woken
/// and dropped outside of the lock.
pub(super) struct Waiters {
    line: Mutex<Line>,
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
        Self { line: Mutex::new(Line { next: 0, waiting: VecDeque::new() }) }
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
    }

    /// Leaves the line. Returns whether the task was woken since it entered.
    pub(super) fn leave(&self, place: &mut Place) -> bool {
        let Some(ticket) = place.ticket.take() else { return false };
        let mut line = self.line();
        let waiter = line.find(ticket).and_then(|index| line.waiting.remove(index));
        drop(line);
        waiter.is_none()
    }

    /// Wakes the task that has waited longest, which thereby leaves the line.
    pub(super) fn wake_one(&self) {
        let first = self.line().waiting.pop_front();
        if let Some((_, waker)) = first {
            waker.wake();
        }
    }

    /// Wakes all tasks.
    pub(super) fn wake_all(&self) {
        let all = std::mem::take(&mut self.line().waiting);
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
