//! A stream of one future's output.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;

/// Turns a future into a worker: a stream that yields the future's output once.
///
/// The same as `futures::stream::once`, without a dependency on `futures`. The
/// future is dropped as soon as it is ready.
///
/// # Examples
///
/// Workers may borrow. The `async move` block takes what the worker needs, by value
/// or as a reference that is made outside the block.
///
/// ```
/// use active_status::{once, run_workers};
/// use futures::StreamExt;
///
/// let data = vec![10, 20, 30];
/// let pool = run_workers(3, |id| {
///     let data = &data;
///     once(async move { data[id.index()] })
/// });
/// let sum = futures::executor::block_on(pool.fold(0, |sum, n| async move { sum + n }));
/// assert_eq!(sum, 60);
/// ```
pub fn once<F: Future>(future: F) -> Once<F> {
    Once { future: Some(future) }
}

pin_project! {
    /// The stream of [`once`].
    #[must_use = "streams do nothing unless polled"]
    pub struct Once<F> {
        #[pin]
        future: Option<F>,
    }
}

impl<F: Future> Stream for Once<F> {
    type Item = F::Output;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        let mut future = self.project().future;
        let Some(running) = future.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        let output = ready!(running.poll(cx));
        future.set(None);
        Poll::Ready(Some(output))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::from(self.future.is_some());
        (left, Some(left))
    }
}

impl<F: Future> FusedStream for Once<F> {
    fn is_terminated(&self) -> bool {
        self.future.is_none()
    }
}

impl<F> fmt::Debug for Once<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("done", &self.future.is_none()).finish()
    }
}
