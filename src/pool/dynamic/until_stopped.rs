//! Restarts that end with their worker.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::pool::dynamic::worker::{Stopped, Worker};
use crate::pool::supervise::Failure;

/// Ends the restarts of a worker that is asked to stop.
///
/// Wraps a policy of [`supervise`](crate::workers::supervise) or
/// [`try_supervise`](crate::workers::try_supervise), for the workers of a
/// [`Pool`](crate::workers::Pool). A worker that fails after it was asked to stop is not
/// built again: it ends as it failed. The rest of a worker that is asked to stop is cut
/// short; its constructor is called once more then, and sees
/// [`is_stopping`](Worker::is_stopping).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use active_status::testing::VirtualClock;
/// use active_status::workers::{Pool, Worker, supervise, until_stopped};
/// use futures::{FutureExt, StreamExt, stream};
///
/// let clock = VirtualClock::new();
/// let service = |worker: Worker| {
///     stream::iter(["request"]).take_until(worker.stopped())
/// };
/// let policy = until_stopped(|_| Some(clock.sleep(Duration::from_secs(60))));
/// let mut pool = Pool::with_workers(1, supervise(service, policy));
/// assert_eq!(pool.next().now_or_never(), Some(Some("request")));
/// // The service has ended, and rests for a minute.
/// assert_eq!(pool.next().now_or_never(), None);
/// pool.handle().stop();
/// assert_eq!(pool.next().now_or_never(), Some(None));
/// ```
pub fn until_stopped<A, E, B, P>(
    mut policy: P,
) -> impl FnMut(Failure<'_, A, E>) -> Option<UntilStopped<B>> + Clone
where
    A: AsRef<Worker>,
    B: Future,
    P: FnMut(Failure<'_, A, E>) -> Option<B> + Clone,
{
    move |failure| {
        let worker = failure.worker.as_ref();
        if worker.is_stopping() {
            return None;
        }
        let stopped = worker.stopped();
        Some(UntilStopped { rest: policy(failure)?, stopped })
    }
}

pin_project! {
    /// The rest of a worker, unless it is asked to stop; see [`until_stopped`].
    #[must_use = "futures do nothing unless polled"]
    pub struct UntilStopped<B> {
        #[pin]
        rest: B,
        #[pin]
        stopped: Stopped,
    }
}

impl<B: Future> Future for UntilStopped<B> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if this.rest.poll(cx).is_ready() { Poll::Ready(()) } else { this.stopped.poll(cx) }
    }
}

impl<B> fmt::Debug for UntilStopped<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilStopped").field("stopped", &self.stopped).finish_non_exhaustive()
    }
}
