//! Parallel iterators of rayon that count their items on a job.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rayon::iter::plumbing::{
    Consumer, Folder, Producer, ProducerCallback, UnindexedConsumer, bridge,
};
use rayon::iter::{IndexedParallelIterator, ParallelIterator};

use crate::board::Board;
use crate::board::job::{Job, JobOptions};
use crate::console::builder::Console;
use crate::console::open::OpenBoard;

/// Progress of any parallel iterator of rayon, as the row of a job.
///
/// The methods are those of [`ProgressIterator`](super::ProgressIterator): they count on
/// the only row of a board, on a new row, or on a row that exists. The job finishes when all
/// items were processed. If the iterator stops early, as `find_any` and `try_for_each` do,
/// or if it never runs, the job is cancelled.
///
/// Requires the feature `rayon`.
///
/// # Examples
///
/// ```
/// use active_status::progress::ParallelProgressIterator;
/// use active_status::{Event, Outcome, board};
/// use rayon::prelude::*;
///
/// let (board, mut events) = board();
/// let sum: u64 = (1..=1_000_u64).into_par_iter().progress_on(&board, "add: ").sum();
/// assert_eq!(sum, 500_500);
///
/// let Some(Event::Ended { outcome, .. }) = events.drain().last() else { unreachable!() };
/// assert_eq!(outcome, Outcome::Finished);
/// ```
pub trait ParallelProgressIterator: ParallelIterator {
    /// Shows a bar on standard error until the iterator ends or is dropped.
    ///
    /// Rate and time left are shown unless the options have another style.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::progress::ParallelProgressIterator;
    /// use rayon::prelude::*;
    ///
    /// let squares = (1..=100_u64).into_par_iter().progress("square: ").map(|n| n * n);
    /// assert_eq!(squares.sum::<u64>(), 338_350);
    /// ```
    fn progress(self, options: impl Into<JobOptions>) -> ParallelProgress<Self> {
        let board = Console::auto().open();
        let iter = self.progress_on(&board, options);
        ParallelProgress { board: Some(board), ..iter }
    }

    /// Adds a row to a board, which counts the items.
    ///
    /// Rate and time left are shown unless the options have another style.
    fn progress_on(
        self,
        board: &impl AsRef<Board>,
        options: impl Into<JobOptions>,
    ) -> ParallelProgress<Self> {
        let total = self.opt_len().and_then(|len| u64::try_from(len).ok());
        let options = options.into().for_items(total);
        self.progress_with(board.as_ref().add_job(options))
    }

    /// Counts the items on a job. The job keeps its total, if it has one.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::progress::ParallelProgressIterator;
    /// use active_status::{JobOptions, board};
    /// use rayon::prelude::*;
    ///
    /// let (board, events) = board();
    /// let job = board.add_job(JobOptions::new().prefix("square: ").total(100));
    /// (0..100).into_par_iter().progress_with(job.clone()).for_each(|_| ());
    /// assert_eq!(job.position(), 100);
    /// # drop(events);
    /// ```
    fn progress_with(self, job: Job) -> ParallelProgress<Self> {
        ParallelProgress { iter: self, job, board: None }
    }
}

impl<I: ParallelIterator> ParallelProgressIterator for I {}

/// The parallel iterator returned by [`ParallelProgressIterator`].
#[derive(Debug)]
#[must_use = "iterators do nothing unless iterated"]
pub struct ParallelProgress<I> {
    iter: I,
    // Dropped before the board, so that the last frame shows the end.
    job: Job,
    board: Option<OpenBoard>,
}

impl<I: ParallelIterator> ParallelIterator for ParallelProgress<I> {
    type Item = I::Item;

    fn drive_unindexed<C: UnindexedConsumer<I::Item>>(self, consumer: C) -> C::Result {
        let stopped = Arc::default();
        let Self { iter, job, board } = self;
        let counting =
            Counting { inner: consumer, job: job.clone(), stopped: Arc::clone(&stopped) };
        let result = iter.drive_unindexed(counting);
        end(job, &stopped, board);
        result
    }

    fn opt_len(&self) -> Option<usize> {
        self.iter.opt_len()
    }
}

impl<I: IndexedParallelIterator> IndexedParallelIterator for ParallelProgress<I> {
    fn len(&self) -> usize {
        self.iter.len()
    }

    fn drive<C: Consumer<I::Item>>(self, consumer: C) -> C::Result {
        bridge(self, consumer)
    }

    fn with_producer<P: ProducerCallback<I::Item>>(self, callback: P) -> P::Output {
        // The length is known, so the position alone says whether all items were processed.
        let Self { iter, job, board } = self;
        let (first, len) = (job.position(), iter.len() as u64);
        let output = iter.with_producer(Callback { inner: callback, job: job.clone() });
        let stopped = AtomicBool::new(job.position() < first.saturating_add(len));
        end(job, &stopped, board);
        output
    }
}

/// Ends the job of an iterator that has run, then the board.
fn end(job: Job, stopped: &AtomicBool, board: Option<OpenBoard>) {
    if !stopped.load(Relaxed) {
        job.complete();
    }
    drop(job);
    drop(board);
}

/// A consumer, or its folder, that counts the items that pass.
struct Counting<C> {
    inner: C,
    job: Job,
    /// Set once no more items are wanted.
    stopped: Arc<AtomicBool>,
}

impl<C> Counting<C> {
    fn with<D>(&self, inner: D) -> Counting<D> {
        Counting { inner, job: self.job.clone(), stopped: Arc::clone(&self.stopped) }
    }

    fn note(&self, full: bool) -> bool {
        if full {
            self.stopped.store(true, Relaxed);
        }
        full
    }
}

impl<T, C: Consumer<T>> Consumer<T> for Counting<C> {
    type Folder = Counting<C::Folder>;
    type Reducer = C::Reducer;
    type Result = C::Result;

    fn split_at(self, index: usize) -> (Self, Self, C::Reducer) {
        let Self { inner, job, stopped } = self;
        let (left, right, reducer) = inner.split_at(index);
        let left = Self { inner: left, job, stopped };
        let right = left.with(right);
        (left, right, reducer)
    }

    fn into_folder(self) -> Self::Folder {
        let Self { inner, job, stopped } = self;
        Counting { inner: inner.into_folder(), job, stopped }
    }

    fn full(&self) -> bool {
        self.note(self.inner.full())
    }
}

impl<T, C: UnindexedConsumer<T>> UnindexedConsumer<T> for Counting<C> {
    fn split_off_left(&self) -> Self {
        self.with(self.inner.split_off_left())
    }

    fn to_reducer(&self) -> C::Reducer {
        self.inner.to_reducer()
    }
}

impl<T, F: Folder<T>> Folder<T> for Counting<F> {
    type Result = F::Result;

    fn consume(self, item: T) -> Self {
        let Self { inner, job, stopped } = self;
        let inner = inner.consume(item);
        job.tick();
        Self { inner, job, stopped }
    }

    fn complete(self) -> F::Result {
        self.inner.complete()
    }

    fn full(&self) -> bool {
        self.note(self.inner.full())
    }
}

struct Callback<P> {
    inner: P,
    job: Job,
}

impl<T, P: ProducerCallback<T>> ProducerCallback<T> for Callback<P> {
    type Output = P::Output;

    fn callback<Q: Producer<Item = T>>(self, producer: Q) -> P::Output {
        self.inner.callback(CountingProducer { inner: producer, job: self.job })
    }
}

/// A producer whose items are counted when they are taken.
struct CountingProducer<P> {
    inner: P,
    job: Job,
}

impl<P: Producer> Producer for CountingProducer<P> {
    type Item = P::Item;
    type IntoIter = CountingIter<P::IntoIter>;

    fn into_iter(self) -> Self::IntoIter {
        CountingIter { inner: self.inner.into_iter(), job: self.job }
    }

    fn min_len(&self) -> usize {
        self.inner.min_len()
    }

    fn max_len(&self) -> usize {
        self.inner.max_len()
    }

    fn split_at(self, index: usize) -> (Self, Self) {
        let (left, right) = self.inner.split_at(index);
        let right = Self { inner: right, job: self.job.clone() };
        (Self { inner: left, job: self.job }, right)
    }

    fn fold_with<F: Folder<P::Item>>(self, folder: F) -> F {
        let counting = Counting { inner: folder, job: self.job, stopped: Arc::default() };
        self.inner.fold_with(counting).inner
    }
}

/// A part of the items.
struct CountingIter<I> {
    inner: I,
    job: Job,
}

impl<I: Iterator> Iterator for CountingIter<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.inner.next().inspect(|_| self.job.tick())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl<I: DoubleEndedIterator> DoubleEndedIterator for CountingIter<I> {
    fn next_back(&mut self) -> Option<I::Item> {
        self.inner.next_back().inspect(|_| self.job.tick())
    }
}

impl<I: ExactSizeIterator> ExactSizeIterator for CountingIter<I> {}
