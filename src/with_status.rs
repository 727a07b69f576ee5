//! The adapter that joins the two halves: a worker that keeps its row up to date.

mod map_workers;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;

use crate::board::Board;
use crate::board::event::{Outcome, Status};
use crate::board::job::style::ProgressStyle;
use crate::board::job::{Job, JobOptions, format};
use crate::pool::{Failure, Worker, WorkerId, WorkerState};

/// Gives each worker of a pool a row on the board.
///
/// Wraps a constructor of workers into one for
/// [`run_workers`](crate::run_workers). The row of the first worker reads
/// `worker  1: waiting`. The constructor receives the [`Job`] of the row and may
/// update it. The worker's items pass through unchanged, and the row ends as
/// [`WithStatus`] describes. [`StatusOptions::wrap`] is the form with options,
/// whose constructor also receives the [`WorkerId`].
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
pub fn wrap_with_status<B, S, C>(
    board: &B,
    mut constructor: C,
) -> impl FnMut(WorkerId) -> WithStatus<S> + use<B, S, C>
where
    B: AsRef<Board>,
    S: Stream,
    C: FnMut(Job) -> S,
{
    StatusOptions::new().wrap(board, move |_, job| constructor(job))
}

/// Options for the rows of a pool's workers.
///
/// By default a row starts as `worker  1: waiting`, with the id right-aligned in
/// two columns, and reads `done` once its worker has ended.
///
/// # Examples
///
/// ```
/// use active_status::{StatusOptions, board, run_workers};
/// use futures::{StreamExt, stream};
///
/// # futures::executor::block_on(async {
/// let (board, events) = board();
/// let mut hasher = StatusOptions::new()
///     .prefix(|id| format!("hasher {id}: "))
///     .wrap(&board, |id, _job| stream::iter(["a", "b"]).take(id.get()));
/// let pool = run_workers(2, |id| {
///     hasher(id).on_item(|job, file| job.set_text(format_args!("hashed {file}")))
/// });
/// assert_eq!(pool.count().await, 3);
/// # drop(events);
/// # });
/// ```
#[derive(Clone)]
#[must_use = "options do nothing until workers are wrapped with them"]
pub struct StatusOptions<F = ()> {
    prefix: Arc<dyn Fn(WorkerId) -> String + Send + Sync>,
    initial_text: String,
    complete_text: String,
    style: ProgressStyle,
    /// `None` for the default, which depends on what uses the options.
    transient: Option<bool>,
    on_item: F,
}

impl StatusOptions {
    /// Creates the default options.
    pub fn new() -> Self {
        Self {
            prefix: Arc::new(|id| format!("worker {id:>2}: ")),
            initial_text: "waiting".to_owned(),
            complete_text: DONE.to_owned(),
            style: ProgressStyle::bar(),
            transient: None,
            on_item: (),
        }
    }

    /// Fails the job of a worker whose last item is an `Err`; see
    /// [`WithStatus::fail_on_err`].
    pub fn fail_on_err(self) -> StatusOptions<FailOnErr> {
        let Self { prefix, initial_text, complete_text, style, transient, on_item } = self;
        let on_item = FailOnErr(on_item);
        StatusOptions { prefix, initial_text, complete_text, style, transient, on_item }
    }
}

impl<F> StatusOptions<F> {
    /// Sets what precedes the text of each row, its separator included.
    pub fn prefix(mut self, prefix: impl Fn(WorkerId) -> String + Send + Sync + 'static) -> Self {
        self.prefix = Arc::new(prefix);
        self
    }

    /// Sets the text that a row starts with. The default is `waiting`.
    pub fn initial_text(mut self, text: impl fmt::Display) -> Self {
        self.initial_text = format(text);
        self
    }

    /// Sets the text of a row whose worker has ended. The default is `done`.
    pub fn complete_text(mut self, text: impl fmt::Display) -> Self {
        self.complete_text = format(text);
        self
    }

    /// Sets how the workers' progress is written: a [`ProgressStyle`] or a
    /// closure, as in [`JobOptions::style`].
    pub fn style(mut self, style: impl Into<ProgressStyle>) -> Self {
        self.style = style.into();
        self
    }

    /// Sets whether the row of a worker leaves no trace once it is done, as with
    /// [`JobOptions::transient`]. The rows of workers that fail, panic or are dropped stay.
    ///
    /// The default is `true` for [`map_workers`](Self::map_workers), and otherwise `false`.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::testing::{Screen, VirtualClock};
    /// use active_status::{StatusOptions, run_workers};
    /// use futures::{FutureExt, StreamExt, stream};
    ///
    /// let (board, mut events) = VirtualClock::new().board();
    /// let options = StatusOptions::new().transient(true).fail_on_err();
    /// let workers = options.wrap(&board, |id, _job| {
    ///     let item = if id.get() == 2 { Err("no disk") } else { Ok(()) };
    ///     stream::iter([item])
    /// });
    /// assert_eq!(run_workers(3, workers).count().now_or_never(), Some(3));
    /// let mut screen = Screen::new(60, 10);
    /// let rows = screen.show(&mut events).rows();
    /// assert_eq!(rows.len(), 1);
    /// assert!(rows[0].contains("no disk"));
    /// ```
    pub fn transient(mut self, transient: bool) -> Self {
        self.transient = Some(transient);
        self
    }

    /// Wraps a constructor of workers into one for
    /// [`run_workers`](crate::run_workers).
    ///
    /// The constructor receives the id of the worker and the job of its row.
    ///
    /// # Panics
    ///
    /// The returned closure panics if the constructor does; the row then ends as
    /// [panicked](Outcome::Panicked).
    ///
    /// # Examples
    ///
    /// A worker that fails stops the pool, and its row shows the error:
    ///
    /// ```
    /// use active_status::{StatusOptions, board, once, run_workers};
    ///
    /// # futures::executor::block_on(async {
    /// let (board, events) = board();
    /// let workers = StatusOptions::new().fail_on_err().wrap(&board, |id, job| {
    ///     once(async move {
    ///         job.set_text("checking");
    ///         if id.get() == 2 { Err("checksum mismatch") } else { Ok(()) }
    ///     })
    /// });
    /// assert_eq!(run_workers(3, workers).try_join().await, Err("checksum mismatch"));
    /// # drop(events);
    /// # });
    /// ```
    pub fn wrap<B, S, C>(
        self,
        board: &B,
        mut constructor: C,
    ) -> impl FnMut(WorkerId) -> WithStatus<S, F> + use<B, S, C, F>
    where
        B: AsRef<Board>,
        S: Stream,
        F: OnItem<S::Item> + Clone,
        C: FnMut(WorkerId, Job) -> S,
    {
        let board = board.as_ref().clone();
        move |id| {
            let job = self.add_row(&board, id);
            // The clone outlives a constructor that panics, so that its row
            // ends as panicked.
            let stream = constructor(id, job.clone());
            self.connect(stream, job)
        }
    }

    /// Wraps a constructor of workers into one for a [`Pool`](crate::workers::Pool).
    ///
    /// As [`wrap`](Self::wrap); the constructor receives the handle of the worker instead
    /// of its id. While the worker is paused or stops, a mark after the prefix of its row
    /// says so: `(pausing)`, `(paused)` or `(stopping)`. The text stays the worker's.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::StatusOptions;
    /// use active_status::testing::{Screen, VirtualClock};
    /// use active_status::workers::Pool;
    /// use futures::{FutureExt, StreamExt, stream};
    ///
    /// let (board, mut events) = VirtualClock::new().board();
    /// let mut screen = Screen::new(60, 10);
    /// let workers = StatusOptions::new().wrap_worker(&board, |worker, job| {
    ///     let items = stream::iter(1..).take_until(worker.stopped());
    ///     items.inspect(move |n| job.set_text(format_args!("item {n}")))
    /// });
    /// let mut pool = Pool::with_workers(2, workers);
    /// let handle = pool.handle();
    /// assert_eq!(pool.by_ref().take(2).count().now_or_never(), Some(2));
    ///
    /// handle.workers()[0].stop();
    /// handle.pause();
    /// assert_eq!(pool.next().now_or_never(), None);
    /// let rows = ["✓ worker  1  done", "⠋ worker  2  (paused) item 1"];
    /// assert_eq!(screen.show(&mut events).rows(), rows);
    /// ```
    pub fn wrap_worker<B, S, C>(
        self,
        board: &B,
        mut constructor: C,
    ) -> impl FnMut(Worker) -> WithStatus<S, F> + use<B, S, C, F>
    where
        B: AsRef<Board>,
        S: Stream,
        F: OnItem<S::Item> + Clone,
        C: FnMut(Worker, Job) -> S,
    {
        let board = board.as_ref().clone();
        move |worker| {
            let job = self.add_row(&board, worker.id());
            let marked = job.clone();
            worker.watch(move |worker| mark_state(worker, &marked));
            mark_state(&worker, &job);
            // As in `wrap`: the clone outlives a constructor that panics.
            let stream = constructor(worker, job.clone());
            self.connect(stream, job)
        }
    }

    /// Adds the row of a worker, whose prefix may be marked.
    fn add_row(&self, board: &Board, id: WorkerId) -> Job {
        let prefix = (self.prefix)(id);
        let job = board.add_job(self.options(prefix.clone()));
        job.allow_marks(prefix, self.initial_text.clone());
        job
    }

    /// Connects a worker with its row.
    fn connect<S>(&self, stream: S, job: Job) -> WithStatus<S, F>
    where
        F: Clone,
    {
        WithStatus {
            stream,
            on_item: self.on_item.clone(),
            complete_text: self.complete_text.clone(),
            row: OpenRow::new(job),
        }
    }

    fn job(&self, id: WorkerId) -> JobOptions {
        self.options((self.prefix)(id))
    }

    fn options(&self, prefix: String) -> JobOptions {
        let options = JobOptions::from(prefix).text(&self.initial_text);
        options.style(self.style.clone()).transient(self.transient == Some(true))
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
            .field("transient", &self.transient)
            .finish_non_exhaustive()
    }
}

/// Marks the row of a worker with the state of the worker.
fn mark_state(worker: &Worker, job: &Job) {
    loop {
        let state = worker.state();
        job.mark_state(match state {
            WorkerState::Pausing => "(pausing) ",
            WorkerState::Paused => "(paused) ",
            WorkerState::Stopping => "(stopping) ",
            WorkerState::Running | WorkerState::Gone => "",
        });
        // Another thread may have changed the state meanwhile, and marked the row before.
        if worker.state() == state {
            return;
        }
    }
}

/// Shows on the row of each worker that it restarts, and why.
///
/// Wraps a policy of [`supervise`](crate::workers::supervise) or
/// [`try_supervise`](crate::workers::try_supervise). While a worker rests, its row
/// reads `restarting (3): connection reset`, with the number of its failures and in
/// the color of [`Status::Warning`]. Then the mark `(restarted 3)` follows the prefix of
/// the row, and the row starts again with its initial text. The mark stays, even when the
/// row has ended; the status is normal again with the next item of the worker. A row that
/// no [`StatusOptions`] added has no marks: it reads `restarted (3)` until the worker sets
/// a text. A failure without a restart leaves the row as it is.
///
/// With [`until_stopped`](crate::workers::until_stopped), wrap the policy in that first:
/// `report_restarts(until_stopped(policy))`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use active_status::status::report_restarts;
/// use active_status::testing::{Screen, VirtualClock};
/// use active_status::workers::try_supervise;
/// use active_status::{Job, run_workers, wrap_with_status};
/// use futures::{FutureExt, StreamExt, stream};
///
/// let clock = VirtualClock::new();
/// let (board, mut events) = clock.board();
/// let mut screen = Screen::new(60, 10);
/// let connect = |job: Job| {
///     let id = job.id().get();
///     stream::iter([Ok(id), Err("connection reset")])
/// };
/// let policy = report_restarts(|_| Some(clock.sleep(Duration::from_secs(1))));
/// let mut pool = run_workers(1, wrap_with_status(&board, try_supervise(connect, policy)));
///
/// assert_eq!(pool.next().now_or_never(), Some(Some(Ok(1))));
/// assert_eq!(pool.next().now_or_never(), None);
/// let rows = ["! worker  1  restarting (1): connection reset"];
/// assert_eq!(screen.show(&mut events).rows(), rows);
///
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(pool.next().now_or_never(), Some(Some(Ok(1))));
/// assert_eq!(screen.show(&mut events).rows(), ["⠋ worker  1  (restarted 1) waiting"]);
/// ```
pub fn report_restarts<A, E, B, P>(
    mut policy: P,
) -> impl FnMut(Failure<'_, A, E>) -> Option<Restart<B>> + Clone
where
    A: AsRef<Job>,
    E: fmt::Display,
    B: Future,
    P: FnMut(Failure<'_, A, E>) -> Option<B> + Clone,
{
    move |failure| {
        let rest = policy(failure)?;
        let (job, failures) = (failure.worker.as_ref().clone(), failure.failures);
        job.set_status(Status::Warning);
        job.set_text(format_args!("restarting ({failures}): {}", failure.cause));
        Some(Restart { rest, job, failures })
    }
}

pin_project! {
    /// The rest of a worker, while its row shows why; see [`report_restarts`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Restart<B> {
        #[pin]
        rest: B,
        job: Job,
        failures: u32,
    }

    // With the next item of the worker, or its end.
    impl<B> PinnedDrop for Restart<B> {
        fn drop(this: Pin<&mut Self>) {
            this.job.set_status(Status::Normal);
        }
    }
}

impl<B: Future> Future for Restart<B> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        this.rest.poll(cx).map(|_| this.job.mark_restarts(*this.failures))
    }
}

impl<B> fmt::Debug for Restart<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Restart")
            .field("job", &self.job)
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}

/// The row of a worker whose constructor receives a [`Job`].
impl AsRef<Self> for Job {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// The row of a worker whose constructor receives its id and a [`Job`].
impl AsRef<Job> for (WorkerId, Job) {
    fn as_ref(&self) -> &Job {
        &self.1
    }
}

/// The row of a worker whose constructor receives its handle and a [`Job`].
impl AsRef<Job> for (Worker, Job) {
    fn as_ref(&self) -> &Job {
        &self.1
    }
}

/// The handle of a worker whose constructor receives it and a [`Job`].
impl AsRef<Worker> for (Worker, Job) {
    fn as_ref(&self) -> &Worker {
        &self.0
    }
}

/// The default text of a row whose worker has ended.
const DONE: &str = "done";

pin_project! {
    /// A stream that keeps the row of its job up to date.
    ///
    /// Items, size hints and termination are those of the inner stream. The job
    /// ends with the stream, even if other handles to it exist:
    ///
    /// - **Finished**, with the [complete text](Self::with_complete_text), when
    ///   the stream ends, or when it has yielded an item after which its size hint
    ///   rules out another.
    /// - **Failed**, with [`fail_on_err`](Self::fail_on_err), if the last item is
    ///   an `Err`, whether the stream then ends or is dropped.
    /// - **Panicked**, if a poll of the stream panics.
    /// - **Cancelled**, if the adapter is dropped before any of these.
    ///
    /// The stream may end its job itself, since the first end counts. It is dropped
    /// before the adapter ends the job, so its destructor may end the job as well.
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
        // Declared after the stream, and therefore dropped after it.
        row: OpenRow,
    }
}

impl<S> WithStatus<S> {
    /// Wraps a stream that keeps this job up to date.
    pub fn new(stream: S, job: Job) -> Self {
        let complete_text = DONE.to_owned();
        Self { stream, on_item: (), complete_text, row: OpenRow::new(job) }
    }
}

impl<S: Stream> WithStatus<S> {
    /// Calls a closure with the job and each item that passes.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::{WithStatus, board};
    /// use futures::{StreamExt, stream};
    ///
    /// # futures::executor::block_on(async {
    /// let (board, events) = board();
    /// let files = WithStatus::new(stream::iter(["a.txt", "b.txt"]), board.add_job("read: "))
    ///     .on_item(|job, file| job.set_text(file));
    /// assert_eq!(files.count().await, 2);
    /// # drop(events);
    /// # });
    /// ```
    pub fn on_item<G>(self, on_item: G) -> WithStatus<S, G>
    where
        G: FnMut(&Job, &S::Item),
    {
        self.map(|()| on_item)
    }
}

impl<S: Stream> WithStatus<S, FailOnErr> {
    /// Calls a closure with the job and each item that passes.
    pub fn on_item<G>(self, on_item: G) -> WithStatus<S, FailOnErr<G>>
    where
        G: FnMut(&Job, &S::Item),
    {
        self.map(|FailOnErr(())| FailOnErr(on_item))
    }
}

impl<S, F> WithStatus<S, F> {
    /// Sets the text of the row once the stream has ended. The default is `done`.
    pub fn with_complete_text(mut self, text: impl fmt::Display) -> Self {
        self.complete_text = format(text);
        self
    }

    /// Fails the job if the last item is an `Err`, with that error as the message.
    ///
    /// Any `Err` sets the status of the row to [`Status::Error`]. The job fails
    /// even if the stream is dropped after the `Err`, as
    /// [`try_join`](crate::Merge::try_join) does.
    pub fn fail_on_err(self) -> WithStatus<S, FailOnErr<F>> {
        self.map(FailOnErr)
    }

    fn map<G>(self, map: impl FnOnce(F) -> G) -> WithStatus<S, G> {
        let Self { stream, on_item, complete_text, row } = self;
        WithStatus { stream, on_item: map(on_item), complete_text, row }
    }

    /// Returns the job.
    pub const fn job(&self) -> &Job {
        &self.row.job
    }

    /// Returns the inner stream.
    pub const fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Returns the inner stream and releases the job, which continues through its
    /// other handles or, without any, is cancelled.
    pub fn into_inner(self) -> S {
        let Self { stream, mut row, .. } = self;
        row.released = true;
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

/// The row of a worker. Dropping it ends the job, unless it has ended before.
struct OpenRow {
    job: Job,
    /// The message that the job fails with if no other item follows.
    failure: Option<String>,
    /// True while the stream is polled, and from then on if the poll panics.
    polling: bool,
    /// Whether the job continues without the adapter.
    released: bool,
}

impl OpenRow {
    fn new(job: Job) -> Self {
        Self { job, failure: None, polling: false, released: false }
    }

    /// Ends the job of a stream that has ended.
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
        if !self.released {
            self.job.end(match self.failure.take() {
                _ if self.polling => Outcome::Panicked,
                Some(message) => Outcome::Failed(message),
                None => Outcome::Cancelled,
            });
        }
    }
}

/// What a [`WithStatus`] does with each item.
///
/// The trait is sealed. `()` does nothing, a closure `FnMut(&Job, &Item)` is
/// called, and [`FailOnErr`] of either checks for an `Err` afterwards.
pub trait OnItem<I>: sealed::OnItem<I> {}

impl<I, F: sealed::OnItem<I>> OnItem<I> for F {}

/// Checks the items for an `Err`; see [`WithStatus::fail_on_err`].
#[derive(Clone, Copy, Debug, Default)]
pub struct FailOnErr<F = ()>(F);

mod sealed {
    use super::{FailOnErr, Job, Status, fmt, format};

    pub trait OnItem<I> {
        /// Inspects an item, and returns the message that the job fails with if
        /// this item is the last.
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
