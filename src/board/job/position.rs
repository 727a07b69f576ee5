//! A position, and whether an update is queued, in one atomic integer.

use core::sync::atomic::Ordering::{AcqRel, Relaxed};

#[cfg(all(test, active_status_loom))]
use loom::sync::atomic::AtomicU64;
#[cfg(not(all(test, active_status_loom)))]
use std::sync::atomic::AtomicU64;

/// Set while an update is queued.
const QUEUED: u64 = 1;

/// Set while the position is above the maximum.
const FULL: u64 = 1 << 63;

/// The maximum position: 2^62.
pub(crate) const MAX_POSITION: u64 = 1 << 62;

/// A position and, in the lowest bit, whether an update of the job is queued.
///
/// The writer that sets the bit queues the update. The reader takes the update off the
/// queue, clears the bit and then reads: a write that it does not see finds the bit clear
/// and queues another update.
#[derive(Debug)]
pub(crate) struct AtomicPosition(AtomicU64);

impl AtomicPosition {
    /// Creates a position of 0 with no update queued.
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds to the position. Returns `true` if the caller must queue an update.
    #[inline]
    pub(crate) fn add(&self, count: u64) -> bool {
        let before = if count < 1 << 32 {
            self.0.fetch_add(count << 1, Relaxed)
        } else {
            self.update(|position| position.saturating_add(count))
        };
        // One comparison for the usual case: queued, and not full.
        before & (FULL | QUEUED) != QUEUED && self.added(before)
    }

    /// Completes an addition that found no update queued or went past the maximum.
    #[cold]
    fn added(&self, before: u64) -> bool {
        if before & FULL != 0 {
            // Additions that come before the end of this one each add less than 2^32 to
            // 2^62, which does not overflow.
            self.update(|position| position);
        }
        before & QUEUED == 0 && self.queue()
    }

    /// Marks an update as queued. Returns `true` if the caller must queue it.
    pub(crate) fn queue(&self) -> bool {
        self.0.fetch_or(QUEUED, AcqRel) & QUEUED == 0
    }

    /// Marks the update as taken off the queue, before the reader reads it.
    pub(crate) fn take(&self) {
        self.0.fetch_and(!QUEUED, AcqRel);
    }

    /// Sets the position.
    pub(crate) fn set(&self, position: u64) {
        self.update(|_| position);
    }

    /// Returns the position.
    pub(crate) fn position(&self) -> u64 {
        (self.0.load(Relaxed) >> 1).min(MAX_POSITION)
    }

    /// Changes the position and keeps the bit. Returns the old value.
    fn update(&self, change: impl Fn(u64) -> u64) -> u64 {
        let next = |word| Some(change(word >> 1).min(MAX_POSITION) << 1 | word & QUEUED);
        match self.0.fetch_update(Relaxed, Relaxed, next) {
            Ok(word) | Err(word) => word,
        }
    }
}

#[cfg(all(test, not(active_status_loom)))]
mod tests {
    use super::{AtomicPosition, MAX_POSITION};

    #[test]
    fn only_the_first_addition_after_a_take_is_queued() {
        let position = AtomicPosition::new();
        assert!(position.add(3));
        assert!(!position.add(4));
        position.take();
        assert_eq!(position.position(), 7);
        assert!(position.add(1));
    }

    #[test]
    fn an_addition_of_any_size_is_queued_once() {
        for count in [0, 1, (1 << 32) - 1, 1 << 32, u64::MAX] {
            let position = AtomicPosition::new();
            assert!(position.add(count), "{count}");
            assert!(!position.add(count), "{count}");
        }
    }

    // Rule 6
    #[test]
    fn positions_stop_at_the_highest() {
        let position = AtomicPosition::new();
        position.set(MAX_POSITION - 1);
        for count in [1, 1, (1 << 32) - 1, 1 << 32, u64::MAX] {
            position.add(count);
            assert_eq!(position.position(), MAX_POSITION, "{count}");
        }
        position.set(u64::MAX);
        assert_eq!(position.position(), MAX_POSITION);
    }

    #[test]
    fn additions_past_the_highest_position_keep_the_bit() {
        let position = AtomicPosition::new();
        position.set(MAX_POSITION);
        assert!(position.add(1));
        assert!(!position.add(u64::MAX));
        assert!(!position.add(1));
        position.take();
        assert!(position.add(1));
    }

    #[test]
    fn a_new_position_keeps_the_bit() {
        let position = AtomicPosition::new();
        position.set(5);
        assert!(position.queue());
        position.set(6);
        assert!(!position.queue());
        assert_eq!(position.position(), 6);
    }
}

/// Model-checks the position, a text and the queue. The reader reads whenever an update
/// is queued, and once more at the end; by then it has read everything that was written.
#[cfg(all(test, active_status_loom))]
mod models {
    use loom::sync::atomic::AtomicUsize;
    use loom::sync::atomic::Ordering::{AcqRel, Acquire};
    use loom::sync::{Arc, Mutex};
    use loom::thread;

    use super::AtomicPosition;

    struct Job {
        position: AtomicPosition,
        text: Mutex<u64>,
        queued: AtomicUsize,
    }

    impl Job {
        fn tick(&self, count: u64) {
            if self.position.add(count) {
                self.send();
            }
        }

        fn set_text(&self, text: u64) {
            *self.text.lock().unwrap() = text;
            if self.position.queue() {
                self.send();
            }
        }

        fn send(&self) {
            let waiting = self.queued.fetch_add(1, AcqRel);
            assert_eq!(waiting, 0, "at most one update is queued");
        }

        /// Returns the text and the position, if an update is queued.
        fn read(&self) -> Option<(u64, u64)> {
            if self.queued.load(Acquire) == 0 {
                return None;
            }
            self.queued.fetch_sub(1, AcqRel);
            self.position.take();
            let text = *self.text.lock().unwrap();
            Some((text, self.position.position()))
        }
    }

    /// Runs the writers while the reader reads twice. Returns what it has read once they
    /// are done and nothing is queued.
    fn last_read(writers: Vec<fn(&Job)>) -> (u64, u64) {
        let position = AtomicPosition::new();
        let job = Arc::new(Job { position, text: Mutex::new(0), queued: AtomicUsize::new(0) });
        let write = |writer: fn(&Job)| {
            let job = job.clone();
            thread::spawn(move || writer(&job))
        };
        let writers: Vec<_> = writers.into_iter().map(write).collect();
        let mut last = job.read();
        last = job.read().or(last);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        while let Some(read) = job.read() {
            last = Some(read);
        }
        last.expect("something was written")
    }

    // Rule 2
    #[test]
    fn no_tick_is_lost() {
        loom::model(|| {
            let twice: fn(&Job) = |job| (0..2).for_each(|_| job.tick(1));
            let once: fn(&Job) = |job| job.tick(1);
            assert_eq!(last_read(vec![twice, once]), (0, 3));
        });
    }

    // Rule 2
    #[test]
    fn no_text_is_lost() {
        loom::model(|| {
            let text: fn(&Job) = |job| job.set_text(7);
            let tick: fn(&Job) = |job| job.tick(1);
            assert_eq!(last_read(vec![text, tick]), (7, 1));
        });
    }

    #[test]
    fn no_addition_of_any_size_is_lost() {
        loom::model(|| {
            let large: fn(&Job) = |job| job.tick(1 << 32);
            let small: fn(&Job) = |job| job.tick(1);
            assert_eq!(last_read(vec![large, small]), (0, (1 << 32) + 1));
        });
    }
}
