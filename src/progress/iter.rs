//! Iterators that count their items on a job.

use std::fmt;
use std::iter::FusedIterator;

use crate::board::Board;
use crate::board::job::{Job, JobOptions};
use crate::console::builder::Console;
use crate::console::open::OpenBoard;

/// Progress of any iterator, as the row of a job.
///
/// The row counts the items, one tick per item. If the size hint of the iterator is exact,
/// it is the total. The job finishes when the iterator ends, or when it is dropped after its
/// last item; if it is dropped earlier, by a `break` or a `?`, the job is cancelled. If the
/// job has other handles, they keep it running; it has finished if no tick follows before
/// the last of them is dropped.
///
/// | | counts on |
/// |---|---|
/// | [`progress`](Self::progress) | the only row of a board that it opens and shuts down |
/// | [`progress_on`](Self::progress_on) | a new row of a board |
/// | [`progress_with`](Self::progress_with) | a row that exists |
pub trait ProgressIterator: Iterator + Sized {
    /// Shows a bar on standard error until the iterator ends or is dropped.
    ///
    /// This opens a board with [`Console::auto`] and shuts it down at the end of the
    /// loop. Rate and time left are shown unless the options have another style. Lines that
    /// the loop prints with `println!` may be overwritten by the bar; those that it prints
    /// on the board of [`progress_on`](Self::progress_on) appear above it.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::progress::ProgressIterator;
    ///
    /// let mut sum = 0;
    /// for number in (1..=1_000).progress("add: ") {
    ///     sum += number;
    /// }
    /// assert_eq!(sum, 500_500);
    /// ```
    fn progress(self, options: impl Into<JobOptions>) -> ProgressIter<Self> {
        let board = Console::auto().open();
        let iter = self.progress_on(&board, options);
        ProgressIter { board: Some(board), ..iter }
    }

    /// Adds a row to a board, which counts the items.
    ///
    /// Rate and time left are shown unless the options have another style.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::Outcome;
    /// use active_status::progress::ProgressIterator;
    /// use active_status::testing::{Screen, VirtualClock};
    ///
    /// let (board, mut events) = VirtualClock::new().board();
    /// let mut screen = Screen::new(80, 10);
    /// for name in ["a.txt", "b.txt", "c.txt"].into_iter().progress_on(&board, "copy: ") {
    ///     board.println(name);
    /// }
    /// screen.show(&mut events);
    /// assert_eq!(screen.scrollback(), ["a.txt", "b.txt", "c.txt"]);
    /// assert_eq!(screen.model().counts().finished, 1);
    /// ```
    fn progress_on(
        self,
        board: &impl AsRef<Board>,
        options: impl Into<JobOptions>,
    ) -> ProgressIter<Self> {
        let total = match self.size_hint() {
            (least, Some(most)) if least == most => u64::try_from(least).ok(),
            _ => None,
        };
        let options = options.into().for_items(total);
        self.progress_with(board.as_ref().add_job(options))
    }

    /// Counts the items on a job. The job keeps its total, if it has one.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::progress::ProgressIterator;
    /// use active_status::{JobOptions, board};
    ///
    /// let (board, events) = board();
    /// let job = board.add_job(JobOptions::new().prefix("even: ").total(100));
    /// let even = (0..100).progress_with(job.clone()).filter(|number| number % 2 == 0);
    /// assert_eq!(even.count(), 50);
    /// assert_eq!(job.position(), 100);
    /// # drop(events);
    /// ```
    fn progress_with(self, job: Job) -> ProgressIter<Self> {
        ProgressIter { iter: self, job, board: None }
    }
}

impl<I: Iterator> ProgressIterator for I {}

/// The iterator returned by [`ProgressIterator`].
#[must_use = "iterators do nothing unless iterated"]
pub struct ProgressIter<I> {
    iter: I,
    // Dropped before the board, so that the last frame shows the end.
    job: Job,
    /// The board that only this iterator uses, until the end.
    board: Option<OpenBoard>,
}

impl<I> ProgressIter<I> {
    /// Returns the job.
    pub const fn job(&self) -> &Job {
        &self.job
    }

    fn count<T>(&mut self, item: Option<T>) -> Option<T> {
        match &item {
            Some(_) => self.job.tick(),
            None => {
                self.job.complete();
                self.board = None;
            }
        }
        item
    }
}

impl<I: Iterator> Iterator for ProgressIter<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        let item = self.iter.next();
        self.count(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.iter.size_hint()
    }
}

impl<I: DoubleEndedIterator> DoubleEndedIterator for ProgressIter<I> {
    fn next_back(&mut self) -> Option<I::Item> {
        let item = self.iter.next_back();
        self.count(item)
    }
}

impl<I: ExactSizeIterator> ExactSizeIterator for ProgressIter<I> {
    fn len(&self) -> usize {
        self.iter.len()
    }
}

impl<I: FusedIterator> FusedIterator for ProgressIter<I> {}

impl<I: fmt::Debug> fmt::Debug for ProgressIter<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgressIter")
            .field("iter", &self.iter)
            .field("job", &self.job)
            .finish_non_exhaustive()
    }
}
