//! Where the halves meet: a worker that keeps a job up to date.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;

use crate::board::Board;
use crate::board::event::{Outcome, Status};
use crate::board::job::{Job, JobOptions, format};
use crate::pool::WorkerId;
use crate::progress::ProgressStyle;

/// Gives each worker of a pool a job: wraps a constructor of workers into one for
/// [`run_workers`](crate::run_workers).
///
/// Each worker gets a row `worker  1: waiting`. The constructor is handed the job
/// of the row and may tell it what it does; its stream's items pass unchanged.
/// How the row ends is said at [`WithStatus`].
///
/// # Examples
///
/// ```
/// use active_status::{board, once, run_workers, wrap_with_status};
/// use futures::StreamExt;
///
/// # futures::executor::block_on(async {
/// let (board, events) = board();
/// let workers = wrap_with_status(&board, |job| {
///     once(async move {
///         job.set_text("counting to three");
///         3
///     })
/// });
/// let items: Vec<u32> = run_workers(2, workers).collect().await;
/// assert_eq!(items, [3, 3]);
/// # drop(events);
/// # });
/// ```
pub fn wrap_with_status<S, C>(
    board: &Board,
    constructor: C,
) -> impl FnMut(WorkerId) -> WithStatus<S> + use<S, C>
where
    S: Stream,
    C: FnMut(Job) -> S,
{
    wrap_with_status_options(board, StatusOptions::new(), constructor)
}

/// As [`wrap_with_status`], with options.
///
/// # Examples
///
/// ```
/// use active_status::{Job, StatusOptions, board, run_workers, wrap_with_status_options};
/// use futures::{StreamExt, stream};
///
/// # futures::executor::block_on(async {
/// let (board, events) = board();
/// let options = StatusOptions::new()
///     .prefix(|id| format!("hasher {id}: "))
///     .on_item(|job: &Job, file: &&str| job.set_text(format_args!("hashed {file}")));
/// let workers = wrap_with_status_options(&board, options, |_| stream::iter(["a", "b"]));
/// assert_eq!(run_workers(2, workers).count().await, 4);
/// # drop(events);
/// # });
/// ```
pub fn wrap_with_status_options<S, F, C>(
    board: &Board,
    options: StatusOptions<F>,
    mut constructor: C,
) -> impl FnMut(WorkerId) -> WithStatus<S, F> + use<S, F, C>
where
    S: Stream,
    F: OnItem<S::Item> + Clone,
    C: FnMut(Job) -> S,
{
    let board = board.clone();
    move |id| {
        let job = board.add_job(options.job(id));
        // In this order, so that a constructor that panics ends the row so.
        let stream = constructor(job.clone());
        let on_item = options.on_item.clone();
        let complete_text = options.complete_text.clone();
        WithStatus { stream, on_item, complete_text, row: OpenRow::new(job) }
    }
}

/// How [`wrap_with_status_options`] keeps the rows of its workers.
///
/// By default a row is `worker  1: waiting` at first (the id in two columns) and
/// says `done` when its worker has ended.
#[derive(Clone)]
#[must_use = "options do nothing until workers are wrapped with them"]
pub struct StatusOptions<F = ()> {
    prefix: Arc<dyn Fn(WorkerId) -> String + Send + Sync>,
    initial_text: String,
    complete_text: String,
    style: ProgressStyle,
    on_item: F,
}

impl StatusOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self {
            prefix: Arc::new(|id| format!("worker {id:>2}: ")),
            initial_text: "waiting".to_owned(),
            complete_text: DONE.to_owned(),
            style: ProgressStyle::bar(),
            on_item: (),
        }
    }

    /// Calls this with each item and the worker's job.
    ///
    /// A closure names the types it takes: `|job: &Job, item: &Item| ..`. Each
    /// worker has a clone of it.
    pub fn on_item<I, G>(self, on_item: G) -> StatusOptions<G>
    where
        G: FnMut(&Job, &I) + Clone,
    {
        self.map(|()| on_item)
    }
}

impl StatusOptions<FailOnErr> {
    /// Calls this with each item and the worker's job.
    ///
    /// A closure names the types it takes: `|job: &Job, item: &Item| ..`. Each
    /// worker has a clone of it.
    pub fn on_item<I, G>(self, on_item: G) -> StatusOptions<FailOnErr<G>>
    where
        G: FnMut(&Job, &I) + Clone,
    {
        self.map(|FailOnErr(())| FailOnErr(on_item))
    }
}

impl<F> StatusOptions<F> {
    /// What stands before the text, its separator included.
    pub fn prefix(mut self, prefix: impl Fn(WorkerId) -> String + Send + Sync + 'static) -> Self {
        self.prefix = Arc::new(prefix);
        self
    }

    /// The text until the worker says something.
    pub fn initial_text(mut self, text: impl fmt::Display) -> Self {
        self.initial_text = format(text);
        self
    }

    /// The text once the worker has ended.
    pub fn complete_text(mut self, text: impl fmt::Display) -> Self {
        self.complete_text = format(text);
        self
    }

    /// How the progress of the workers is put into words: a [`ProgressStyle`] or a
    /// closure, as for [`JobOptions::style`].
    pub fn style(mut self, style: impl Into<ProgressStyle>) -> Self {
        self.style = style.into();
        self
    }

    /// An `Err` turns the row red. If the worker yields nothing after it, it has
    /// failed: whether it then ends or is dropped, as by
    /// [`try_join`](crate::Merge::try_join).
    pub fn fail_on_err(self) -> StatusOptions<FailOnErr<F>> {
        self.map(FailOnErr)
    }

    fn map<G>(self, map: impl FnOnce(F) -> G) -> StatusOptions<G> {
        let Self { prefix, initial_text, complete_text, style, on_item } = self;
        StatusOptions { prefix, initial_text, complete_text, style, on_item: map(on_item) }
    }

    fn job(&self, id: WorkerId) -> JobOptions {
        let row = JobOptions::from((self.prefix)(id)).text(&self.initial_text);
        row.style(self.style.clone())
    }
}

impl Default for StatusOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl<F> fmt::Debug for StatusOptions<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusOptions")
            .field("initial_text", &self.initial_text)
            .field("complete_text", &self.complete_text)
            .field("style", &self.style)
            .finish_non_exhaustive()
    }
}

/// The text of a worker that has ended.
const DONE: &str = "done";

pin_project! {
    /// A stream that keeps a job up to date.
    ///
    /// Items, size hints and ends pass unchanged. However many clones of the job
    /// there are, the job ends with the stream:
    ///
    /// - **Finished**, with the [complete text](Self::complete_text), when the
    ///   stream ends, or has yielded an item after which its size hint says that
    ///   no more come.
    /// - **Failed**, if it is to [fail on `Err`](Self::fail_on_err) and the last
    ///   item was one, whether the stream then ends or is dropped.
    /// - **Panicked**, if a poll of the stream panicked.
    /// - **Cancelled**, if it is dropped before any of these.
    ///
    /// The stream may end its job itself: the first end wins. It is dropped before
    /// the job is ended, so that its destructor can do so too.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::{Event, Outcome, WithStatus, board};
    /// use futures::{StreamExt, stream};
    ///
    /// # futures::executor::block_on(async {
    /// let (board, mut events) = board();
    /// let numbers = WithStatus::new(stream::iter([1, 2, 3]), board.add_job("numbers: "));
    /// assert_eq!(numbers.count().await, 3);
    ///
    /// let Some(Event::Ended { outcome, .. }) = events.drain().last() else { unreachable!() };
    /// assert_eq!(outcome, Outcome::Finished);
    /// # });
    /// ```
    #[must_use = "streams do nothing unless polled"]
    pub struct WithStatus<S, F = ()> {
        #[pin]
        stream: S,
        on_item: F,
        complete_text: String,
        // Below the stream: it is dropped after it.
        row: OpenRow,
    }
}

impl<S> WithStatus<S> {
    /// The stream, and the job that it is to keep up to date.
    pub fn new(stream: S, job: Job) -> Self {
        let complete_text = DONE.to_owned();
        Self { stream, on_item: (), complete_text, row: OpenRow::new(job) }
    }
}

impl<S, F> WithStatus<S, F> {
    /// The text once the stream has ended; `done` by default.
    pub fn complete_text(mut self, text: impl fmt::Display) -> Self {
        self.complete_text = format(text);
        self
    }

    /// An `Err` turns the row red, and is the failure of the job if it is the
    /// last item.
    pub fn fail_on_err(self) -> WithStatus<S, FailOnErr<F>> {
        let Self { stream, on_item, complete_text, row } = self;
        WithStatus { stream, on_item: FailOnErr(on_item), complete_text, row }
    }

    /// The job.
    pub const fn job(&self) -> &Job {
        &self.row.job
    }

    /// The stream.
    pub const fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream, without its job. The job goes on, or is cancelled if it has no
    /// other handle.
    pub fn into_inner(self) -> S {
        let Self { stream, mut row, .. } = self;
        row.let_go = true;
        stream
    }
}

impl<S: Stream, F: OnItem<S::Item>> Stream for WithStatus<S, F> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        this.row.polling = true;
        let polled = this.stream.as_mut().poll_next(cx);
        match &polled {
            Poll::Ready(Some(item)) => {
                this.row.failure = this.on_item.on_item(&this.row.job, item);
                if this.stream.size_hint().1 == Some(0) {
                    this.row.complete(this.complete_text);
                }
            }
            Poll::Ready(None) => this.row.complete(this.complete_text),
            Poll::Pending => {}
        }
        this.row.polling = false;
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

impl<S: FusedStream, F: OnItem<S::Item>> FusedStream for WithStatus<S, F> {
    fn is_terminated(&self) -> bool {
        self.stream.is_terminated()
    }
}

impl<S: fmt::Debug, F> fmt::Debug for WithStatus<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithStatus")
            .field("stream", &self.stream)
            .field("job", &self.row.job)
            .finish_non_exhaustive()
    }
}

/// A row that is ended at the latest when this is dropped. If it was ended, the
/// first end has won.
struct OpenRow {
    job: Job,
    /// Why the job fails if nothing comes after the last item.
    failure: Option<String>,
    /// Set while the stream is polled; it stays so if that panics.
    polling: bool,
    /// Whether the job goes on without us.
    let_go: bool,
}

impl OpenRow {
    fn new(job: Job) -> Self {
        Self { job, failure: None, polling: false, let_go: false }
    }

    /// The stream has ended.
    fn complete(&mut self, text: &str) {
        match self.failure.take() {
            Some(message) => self.job.fail(message),
            None => {
                self.job.set_text(text);
                self.job.finish();
            }
        }
    }
}

impl Drop for OpenRow {
    fn drop(&mut self) {
        if !self.let_go {
            self.job.end(match self.failure.take() {
                _ if self.polling => Outcome::Panicked,
                Some(message) => Outcome::Failed(message),
                None => Outcome::Cancelled,
            });
        }
    }
}

/// What a [`WithStatus`] does with each item: nothing for `()`, what a closure
/// `FnMut(&Job, &Item)` does, and for [`FailOnErr`] of either to look for an `Err`
/// as well.
///
/// It is sealed: these are all.
pub trait OnItem<I>: sealed::OnItem<I> {}

impl<I, F: sealed::OnItem<I>> OnItem<I> for F {}

/// Looks for an `Err` among the items: see [`StatusOptions::fail_on_err`].
#[derive(Clone, Copy, Debug, Default)]
pub struct FailOnErr<F = ()>(F);

mod sealed {
    use super::{FailOnErr, Job, Status, fmt, format};

    pub trait OnItem<I> {
        /// Looks at an item. Why the job fails if it was the last.
        fn on_item(&mut self, job: &Job, item: &I) -> Option<String>;
    }

    impl<I> OnItem<I> for () {
        fn on_item(&mut self, _: &Job, _: &I) -> Option<String> {
            None
        }
    }

    impl<I, F: FnMut(&Job, &I)> OnItem<I> for F {
        fn on_item(&mut self, job: &Job, item: &I) -> Option<String> {
            self(job, item);
            None
        }
    }

    impl<T, E: fmt::Display, F: OnItem<Result<T, E>>> OnItem<Result<T, E>> for FailOnErr<F> {
        fn on_item(&mut self, job: &Job, item: &Result<T, E>) -> Option<String> {
            self.0.on_item(job, item);
            let message = format(item.as_ref().err()?);
            job.set_status(Status::Error);
            Some(message)
        }
    }
}
