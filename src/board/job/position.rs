//! A position and whether news of it is queued, packed in one word.

use core::sync::atomic::Ordering::{AcqRel, Relaxed};

#[cfg(all(test, active_status_loom))]
use loom::sync::atomic::AtomicU64;
#[cfg(not(all(test, active_status_loom)))]
use std::sync::atomic::AtomicU64;

/// Set while news is queued.
const QUEUED: u64 = 1;

/// Set in a word whose position has gone past the highest.
const FULL: u64 = 1 << 63;

/// The highest position: 2^62.
pub(crate) const MAX_POSITION: u64 = 1 << 62;

/// A position above a bit that says whether news is queued.
///
/// Whoever sets the bit queues the news. The reader takes the news off the
/// queue, clears the bit and only then reads: what it does not see finds the
/// bit clear and is queued anew.
#[derive(Debug)]
pub(crate) struct Word(AtomicU64);

impl Word {
    /// Position 0, nothing queued.
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds to the position. Whether the caller has to queue the news.
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

    /// What is left to do after an addition to a word that was not queued, or full.
    #[cold]
    fn added(&self, before: u64) -> bool {
        if before & FULL != 0 {
            // Each addition that comes before this one ends adds less than
            // 2^32 to 2^62: there is no overflow.
            self.update(|position| position);
        }
        before & QUEUED == 0 && self.queue()
    }

    /// Marks the news as queued. Whether the caller has to queue it.
    pub(crate) fn queue(&self) -> bool {
        self.0.fetch_or(QUEUED, AcqRel) & QUEUED == 0
    }

    /// Marks the news as taken, before the reader reads it.
    pub(crate) fn take(&self) {
        self.0.fetch_and(!QUEUED, AcqRel);
    }

    /// Replaces the position.
    pub(crate) fn set(&self, position: u64) {
        self.update(|_| position);
    }

    /// The position.
    pub(crate) fn position(&self) -> u64 {
        (self.0.load(Relaxed) >> 1).min(MAX_POSITION)
    }

    /// Changes the position and keeps the bit. The word as it was.
    fn update(&self, change: impl Fn(u64) -> u64) -> u64 {
        let next = |word| Some(change(word >> 1).min(MAX_POSITION) << 1 | word & QUEUED);
        match self.0.fetch_update(Relaxed, Relaxed, next) {
            Ok(word) | Err(word) => word,
        }
    }
}

#[cfg(all(test, not(active_status_loom)))]
mod tests {
    use super::{MAX_POSITION, Word};

    #[test]
    fn only_the_first_addition_since_the_last_take_is_queued() {
        let word = Word::new();
        assert!(word.add(3));
        assert!(!word.add(4));
        word.take();
        assert_eq!(word.position(), 7);
        assert!(word.add(1));
    }

    #[test]
    fn an_addition_of_any_size_is_queued_once() {
        for count in [0, 1, (1 << 32) - 1, 1 << 32, u64::MAX] {
            let word = Word::new();
            assert!(word.add(count), "{count}");
            assert!(!word.add(count), "{count}");
        }
    }

    // Rule 6
    #[test]
    fn positions_stop_at_the_highest() {
        let word = Word::new();
        word.set(MAX_POSITION - 1);
        for count in [1, 1, (1 << 32) - 1, 1 << 32, u64::MAX] {
            word.add(count);
            assert_eq!(word.position(), MAX_POSITION, "{count}");
        }
        word.set(u64::MAX);
        assert_eq!(word.position(), MAX_POSITION);
    }

    #[test]
    fn additions_past_the_highest_position_leave_the_bit_alone() {
        let word = Word::new();
        word.set(MAX_POSITION);
        assert!(word.add(1));
        assert!(!word.add(u64::MAX));
        assert!(!word.add(1));
        word.take();
        assert!(word.add(1));
    }

    #[test]
    fn a_new_position_does_not_change_what_is_queued() {
        let word = Word::new();
        word.set(5);
        assert!(word.queue());
        word.set(6);
        assert!(!word.queue());
        assert_eq!(word.position(), 6);
    }
}

/// A word, what else the cell holds, and the queue, under the model checker. The
/// reader reads when news is queued and once more at the end; what it has read
/// by then is to be all that was written.
#[cfg(all(test, active_status_loom))]
mod models {
    use loom::sync::atomic::AtomicUsize;
    use loom::sync::atomic::Ordering::{AcqRel, Acquire};
    use loom::sync::{Arc, Mutex};
    use loom::thread;

    use super::Word;

    struct Cell {
        word: Word,
        text: Mutex<u64>,
        queued: AtomicUsize,
    }

    impl Cell {
        fn tick(&self, count: u64) {
            if self.word.add(count) {
                self.send();
            }
        }

        fn set_text(&self, text: u64) {
            *self.text.lock().unwrap() = text;
            if self.word.queue() {
                self.send();
            }
        }

        fn send(&self) {
            let waiting = self.queued.fetch_add(1, AcqRel);
            assert_eq!(waiting, 0, "at most one piece of news is queued");
        }

        /// Reads if there is news: the text and the position.
        fn read(&self) -> Option<(u64, u64)> {
            if self.queued.load(Acquire) == 0 {
                return None;
            }
            self.queued.fetch_sub(1, AcqRel);
            self.word.take();
            let text = *self.text.lock().unwrap();
            Some((text, self.word.position()))
        }
    }

    /// Lets writers write while the reader reads twice. What it has read when
    /// they are done and nothing is queued any more.
    fn last_read(writers: Vec<fn(&Cell)>) -> (u64, u64) {
        let word = Word::new();
        let cell = Arc::new(Cell { word, text: Mutex::new(0), queued: AtomicUsize::new(0) });
        let write = |writer: fn(&Cell)| {
            let cell = cell.clone();
            thread::spawn(move || writer(&cell))
        };
        let writers: Vec<_> = writers.into_iter().map(write).collect();
        let mut last = cell.read();
        last = cell.read().or(last);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        while let Some(read) = cell.read() {
            last = Some(read);
        }
        last.expect("something was written")
    }

    // Rule 2
    #[test]
    fn no_tick_is_lost() {
        loom::model(|| {
            let twice: fn(&Cell) = |cell| (0..2).for_each(|_| cell.tick(1));
            let once: fn(&Cell) = |cell| cell.tick(1);
            assert_eq!(last_read(vec![twice, once]), (0, 3));
        });
    }

    // Rule 2
    #[test]
    fn no_text_is_lost() {
        loom::model(|| {
            let text: fn(&Cell) = |cell| cell.set_text(7);
            let tick: fn(&Cell) = |cell| cell.tick(1);
            assert_eq!(last_read(vec![text, tick]), (7, 1));
        });
    }

    #[test]
    fn no_addition_of_any_size_is_lost() {
        loom::model(|| {
            let large: fn(&Cell) = |cell| cell.tick(1 << 32);
            let small: fn(&Cell) = |cell| cell.tick(1);
            assert_eq!(last_read(vec![large, small]), (0, (1 << 32) + 1));
        });
    }
}
