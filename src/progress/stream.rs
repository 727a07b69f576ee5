//! A stream that counts its items on a job.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;

use crate::board::job::Job;

/// Counts the items of a stream as the progress of a job, with one tick per item.
///
/// Items, size hints and termination are those of the inner stream. A job without
/// [`start_progress`](Job::start_progress) counts without a total. When the stream ends,
/// the count is shown even if it is 0.
///
/// The job finishes when the stream ends, unless other handles to it exist: then it has
/// finished if no tick follows before the last of them is dropped. If the adapter is dropped
/// earlier with the last handle, the job was cancelled.
///
/// [`with_step`](ReportProgress::with_step) makes the reports less frequent, and
/// [`with_text`](ReportProgress::with_text) reports the count as the text of the job.
///
/// # Examples
///
/// ```
/// use active_status::{JobOptions, board, report_progress};
/// use active_status::testing::{Screen, VirtualClock};
/// use futures::{StreamExt, stream};
///
/// # futures::executor::block_on(async {
/// let (board, mut events) = VirtualClock::new().board();
/// let job = board.add_job(JobOptions::new().prefix("records: ").total(4));
/// let mut records = report_progress(stream::iter(["a", "b", "c"]), job.clone());
/// assert_eq!(records.by_ref().count().await, 3);
///
/// let mut screen = Screen::new(80, 24);
/// let rows = screen.show(&mut events).rows();
/// assert!(rows[0].ends_with(" 75%  3/4"), "{rows:?}");
/// # });
/// ```
///
/// A text every thousand items:
///
/// ```
/// use active_status::testing::{Screen, VirtualClock};
/// use active_status::report_progress;
/// use futures::{FutureExt, StreamExt, stream};
///
/// let (board, mut events) = VirtualClock::new().board();
/// let job = board.add_job("import: ");
/// let mut records = report_progress(stream::iter(0..2_500), job.clone())
///     .with_step(1_000)
///     .with_text(|count| format!("{count} records"));
///
/// let mut screen = Screen::new(80, 24);
/// assert_eq!(records.by_ref().take(1_700).count().now_or_never(), Some(1_700));
/// assert_eq!(screen.show(&mut events).rows(), ["⠋ import  1000 records"]);
/// assert_eq!(records.by_ref().count().now_or_never(), Some(800));
/// assert_eq!(screen.show(&mut events).rows(), ["⠋ import  2500 records"]);
/// ```
pub const fn report_progress<S: Stream>(stream: S, job: Job) -> ReportProgress<S> {
    let count = Count { job, items: 0, reported: 0, step: 1, report: None };
    ReportProgress { stream, count }
}

pin_project! {
    /// The stream returned by [`report_progress`](crate::report_progress).
    #[derive(Debug)]
    #[must_use = "streams do nothing unless polled"]
    pub struct ReportProgress<S> {
        #[pin]
        stream: S,
        count: Count,
    }
}

impl<S> ReportProgress<S> {
    /// Sets the number of items per report. The last report comes at the end: when the
    /// stream ends, when its size hint rules out another item, or when it is dropped.
    ///
    /// The default is 1, and 0 counts as 1. A tick costs a few nanoseconds, so larger
    /// steps are for counts that should advance in steps and for texts that are expensive
    /// to format.
    pub const fn with_step(mut self, items: u64) -> Self {
        self.count.step = items;
        self
    }

    /// Reports the count as the [text](Job::set_text) of the job instead of as its
    /// progress.
    pub fn with_text<T: fmt::Display>(
        mut self,
        text: impl Fn(u64) -> T + Send + Sync + 'static,
    ) -> Self {
        self.count.report = Some(Box::new(move |job, items| job.set_text(text(items))));
        self
    }

    /// Returns a reference to the inner stream.
    pub const fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Returns the inner stream, whose further items are not counted.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: Stream> Stream for ReportProgress<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        let item = ready!(this.stream.as_mut().poll_next(cx));
        match item {
            Some(_) => this.count.add(this.stream.size_hint().1 == Some(0)),
            None => {
                this.count.report();
                this.count.job.complete();
            }
        }
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

impl<S: FusedStream> FusedStream for ReportProgress<S> {
    fn is_terminated(&self) -> bool {
        self.stream.is_terminated()
    }
}

/// A function that reports a number of items on a job.
type Report = Box<dyn Fn(&Job, u64) + Send + Sync>;

/// The number of items, and how many of them have been reported. Dropping it reports the
/// rest.
struct Count {
    job: Job,
    items: u64,
    reported: u64,
    /// The number of items per report.
    step: u64,
    /// `None` if items are reported as ticks.
    report: Option<Report>,
}

impl Count {
    /// Counts an item, which may be the last one.
    fn add(&mut self, last: bool) {
        self.items = self.items.saturating_add(1);
        if last || self.items - self.reported >= self.step {
            self.report();
        }
        if last {
            self.job.complete_here();
        }
    }

    fn report(&mut self) {
        let new = self.items - self.reported;
        self.reported = self.items;
        match &self.report {
            Some(report) => report(&self.job, self.items),
            None => self.job.tick_by(new),
        }
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        if self.items > self.reported {
            self.report();
        }
    }
}

impl fmt::Debug for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Count")
            .field("job", &self.job)
            .field("items", &self.items)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}
