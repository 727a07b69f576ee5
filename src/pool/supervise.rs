//! Workers that are built again when they fail.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;

use crate::pool::worker_events::{Panic, catch};

/// Builds a worker again when it ends or panics, as often as a policy says.
///
/// Wraps a constructor of workers into one for [`run_workers`](crate::run_workers).
/// The new worker takes the place of the one that failed: its id, its key, and its
/// turn. The wrapped constructor is called in the first turn of the worker, and its
/// panics are failures too.
///
/// The policy is asked after each failure, when the failed worker has been dropped:
///
/// - `Some(future)` restarts the worker when the future is ready. The future is the
///   time that the worker rests: a timer of the executor, or
///   [`ready(())`](std::future::ready). It is dropped with the next item of the worker.
/// - `None` ends the worker as it failed: a worker that ended is over, and a panic
///   continues.
///
/// A worker fails at most once per turn, and a restart costs it one turn. So workers
/// that fail all the time delay the others no more than any busy worker does.
///
/// A worker whose end is no failure has a policy that returns `None` for
/// [`Cause::Ended`].
///
/// # Panics
///
/// A panic of the policy or of its future is the worker's own, and is not caught.
///
/// # Unwind safety
///
/// As with [`with_events`](crate::workers::with_events): the program must judge what
/// a worker that panicked shared with others.
///
/// # Examples
///
/// A panic costs one item, and no worker:
///
/// ```
/// use std::future::ready;
///
/// use active_status::workers::{Cause, supervise};
/// use active_status::{WorkQueue, run_workers};
/// use futures::{StreamExt, executor::block_on, stream};
///
/// # std::panic::set_hook(Box::new(|_| {}));
/// let numbers = WorkQueue::new(stream::iter(0..10));
/// let workers = supervise(
///     |_| numbers.clone().map(|n| 100 / n),
///     |failure| match failure.cause {
///         Cause::Panicked(_) => Some(ready(())),
///         _ => None,
///     },
/// );
/// let results: Vec<u32> = block_on(run_workers(2, workers).collect());
/// assert_eq!(results.len(), 9);
/// ```
pub fn supervise<A, S, B, C, P>(
    constructor: C,
    policy: P,
) -> impl FnMut(A) -> Supervised<A, S, B, C, P>
where
    A: Clone,
    S: Stream,
    B: Future,
    C: FnMut(A) -> S + Clone,
    P: FnMut(Failure<'_, A>) -> Option<B> + Clone,
{
    move |worker| Supervised {
        lives: Lives::new(worker, constructor.clone()),
        policy: policy.clone(),
    }
}

/// Builds a worker again when it yields an error, ends or panics, as often as a
/// policy says.
///
/// As [`supervise`], for workers that yield results: an `Err` is a failure. It is
/// passed to the policy, and is yielded only if the policy returns `None`. Then it is
/// the last item of the worker.
///
/// # Examples
///
/// A connection that is opened again with growing pauses, and given up after five
/// failures in a row:
///
/// ```
/// use std::time::Duration;
///
/// use active_status::workers::try_supervise;
/// use active_status::testing::VirtualClock;
/// use active_status::run_workers;
/// use futures::{FutureExt, StreamExt, stream};
///
/// let clock = VirtualClock::new();
/// let connections = std::cell::Cell::new(0);
/// let workers = try_supervise(
///     |_id| {
///         connections.set(connections.get() + 1);
///         let first = connections.get() == 1;
///         stream::iter(first.then_some(Ok("hello")).into_iter().chain([Err("reset")]))
///     },
///     |failure| {
///         let pause = failure.backoff(Duration::from_secs(1), Duration::from_secs(5));
///         (failure.consecutive < 5).then(|| clock.sleep(pause))
///     },
/// );
/// let mut pool = run_workers(1, workers);
/// assert_eq!(pool.next().now_or_never(), Some(Some(Ok("hello"))));
/// let mut pauses = Vec::new();
/// let last = loop {
///     if let Some(last) = pool.next().now_or_never() {
///         break last;
///     }
///     let until = clock.next_timer().unwrap();
///     pauses.push((until - clock.now()).as_secs());
///     clock.set(until);
/// };
/// assert_eq!(last, Some(Err("reset")));
/// pauses.retain(|&pause| pause > 0);
/// assert_eq!(pauses, [1, 2, 4, 5]);
/// ```
pub fn try_supervise<A, S, T, E, B, C, P>(
    constructor: C,
    policy: P,
) -> impl FnMut(A) -> TrySupervised<A, S, B, C, P>
where
    A: Clone,
    S: Stream<Item = Result<T, E>>,
    B: Future,
    C: FnMut(A) -> S + Clone,
    P: FnMut(Failure<'_, A, E>) -> Option<B> + Clone,
{
    move |worker| TrySupervised {
        lives: Lives::new(worker, constructor.clone()),
        policy: policy.clone(),
    }
}

/// A failure of a worker, about which a policy decides; see [`supervise`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Failure<'a, A, E = Infallible> {
    /// The argument of the constructor, such as the id of the worker.
    pub worker: &'a A,
    /// Why the worker failed.
    pub cause: &'a Cause<E>,
    /// How often the worker has failed, this failure included.
    pub failures: u32,
    /// How often the worker has failed since its last item, this failure included.
    pub consecutive: u32,
}

impl<A, E> Clone for Failure<'_, A, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A, E> Copy for Failure<'_, A, E> {}

impl<A, E> Failure<'_, A, E> {
    /// Returns how long to rest: `first` after the first failure in a row, twice as long
    /// after each one that follows, and never longer than `most`.
    pub fn backoff(&self, first: Duration, most: Duration) -> Duration {
        let doublings = self.consecutive.saturating_sub(1);
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        first.saturating_mul(factor).min(most)
    }
}

/// Why a worker failed.
///
/// `Display` writes the reason for a log or a row.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause<E = Infallible> {
    /// The worker ended.
    Ended,
    /// The worker yielded an error; only with [`try_supervise`].
    Failed(E),
    /// The worker or its constructor panicked, or the drop of a worker that had
    /// ended.
    Panicked(Panic),
}

impl<E: fmt::Display> fmt::Display for Cause<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("ended"),
            Self::Failed(error) => error.fmt(f),
            Self::Panicked(panic) => write!(f, "panicked: {panic}"),
        }
    }
}

pin_project! {
    /// The stream of [`supervise`].
    #[must_use = "streams do nothing unless polled"]
    pub struct Supervised<A, S, B, C, P> {
        #[pin]
        lives: Lives<A, S, B, C>,
        policy: P,
    }
}

pin_project! {
    /// The stream of [`try_supervise`].
    #[must_use = "streams do nothing unless polled"]
    pub struct TrySupervised<A, S, B, C, P> {
        #[pin]
        lives: Lives<A, S, B, C>,
        policy: P,
    }
}

pin_project! {
    /// A worker, and those that follow it in its place.
    struct Lives<A, S, B, C> {
        worker: A,
        constructor: C,
        // `None` before the first turn, and while the worker rests.
        #[pin]
        stream: Option<S>,
        // Dropped with the next item, so that it can undo what it showed.
        #[pin]
        rest: Option<B>,
        rests: bool,
        failures: u32,
        consecutive: u32,
        // True while a turn runs, and afterwards if it panicked.
        over: bool,
    }
}

impl<A, S, B, C> Lives<A, S, B, C> {
    fn new(worker: A, constructor: C) -> Self {
        Self {
            worker,
            constructor,
            stream: None,
            rest: None,
            rests: false,
            failures: 0,
            consecutive: 0,
            over: false,
        }
    }
}

impl<A: Clone, S: Stream, B: Future, C: FnMut(A) -> S> Lives<A, S, B, C> {
    /// Polls for an item. `check` separates items from failures. The error is the failure
    /// with which the worker ends.
    #[inline]
    fn poll_item<T, E>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        check: impl FnOnce(S::Item) -> Result<T, E>,
        policy: impl FnOnce(Failure<'_, A, E>) -> Option<B>,
    ) -> Poll<Result<Option<T>, Cause<E>>> {
        let mut this = self.project();
        if *this.over {
            return Poll::Ready(Ok(None));
        }
        *this.over = true;
        if *this.rests {
            let rest = this.rest.as_mut().as_pin_mut().expect("it was set at the failure");
            if rest.poll(cx).is_pending() {
                *this.over = false;
                return Poll::Pending;
            }
            *this.rests = false;
        }
        let polled = catch(|| {
            if this.stream.is_none() {
                let stream = (this.constructor)(this.worker.clone());
                this.stream.set(Some(stream));
            }
            let stream = this.stream.as_mut().as_pin_mut().expect("it was built above");
            stream.poll_next(cx)
        });
        let mut cause = match polled {
            Ok(Poll::Pending) => {
                *this.over = false;
                return Poll::Pending;
            }
            Ok(Poll::Ready(Some(item))) => match check(item) {
                Ok(item) => {
                    if *this.consecutive != 0 {
                        *this.consecutive = 0;
                        this.rest.set(None);
                    }
                    *this.over = false;
                    return Poll::Ready(Ok(Some(item)));
                }
                Err(error) => Cause::Failed(error),
            },
            Ok(Poll::Ready(None)) => Cause::Ended,
            Err(panic) => Cause::Panicked(panic),
        };
        if let Err(panic) = catch(|| this.stream.set(None))
            && matches!(cause, Cause::Ended)
        {
            cause = Cause::Panicked(panic);
        }
        *this.failures = this.failures.saturating_add(1);
        *this.consecutive = this.consecutive.saturating_add(1);
        let failure = Failure {
            worker: this.worker,
            cause: &cause,
            failures: *this.failures,
            consecutive: *this.consecutive,
        };
        this.rest.set(None);
        let Some(rest) = policy(failure) else { return Poll::Ready(Err(cause)) };
        this.rest.set(Some(rest));
        *this.rests = true;
        *this.over = false;
        // One failure per turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<A, S, B, C, P> Stream for Supervised<A, S, B, C, P>
where
    A: Clone,
    S: Stream,
    B: Future,
    C: FnMut(A) -> S,
    P: FnMut(Failure<'_, A>) -> Option<B>,
{
    type Item = S::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        Poll::Ready(match ready!(this.lives.poll_item(cx, Ok::<_, Infallible>, this.policy)) {
            Ok(item) => item,
            Err(Cause::Panicked(panic)) => panic.resume(),
            Err(Cause::Ended) => None,
            Err(Cause::Failed(never)) => match never {},
        })
    }
}

impl<A, S, T, E, B, C, P> Stream for TrySupervised<A, S, B, C, P>
where
    A: Clone,
    S: Stream<Item = Result<T, E>>,
    B: Future,
    C: FnMut(A) -> S,
    P: FnMut(Failure<'_, A, E>) -> Option<B>,
{
    type Item = Result<T, E>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T, E>>> {
        let this = self.project();
        Poll::Ready(match ready!(this.lives.poll_item(cx, |item| item, this.policy)) {
            Ok(item) => item.map(Ok),
            Err(Cause::Panicked(panic)) => panic.resume(),
            Err(Cause::Ended) => None,
            Err(Cause::Failed(error)) => Some(Err(error)),
        })
    }
}

impl<A, S, B, C, P> FusedStream for Supervised<A, S, B, C, P>
where
    Self: Stream,
{
    fn is_terminated(&self) -> bool {
        self.lives.over
    }
}

impl<A, S, B, C, P> FusedStream for TrySupervised<A, S, B, C, P>
where
    Self: Stream,
{
    fn is_terminated(&self) -> bool {
        self.lives.over
    }
}

impl<A, S, B, C> Lives<A, S, B, C> {
    fn fmt_as(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("failures", &self.failures)
            .field("consecutive", &self.consecutive)
            .field("resting", &self.rests)
            .field("ended", &self.over)
            .finish_non_exhaustive()
    }
}

impl<A, S, B, C, P> fmt::Debug for Supervised<A, S, B, C, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lives.fmt_as("Supervised", f)
    }
}

impl<A, S, B, C, P> fmt::Debug for TrySupervised<A, S, B, C, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lives.fmt_as("TrySupervised", f)
    }
}
