//! Waiting for workers that have nothing to say but that they ended.

use core::pin::Pin;
use core::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::pool::merge::Merge;

impl<S> Merge<S> {
    /// Waits until all workers have ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::{once, run_workers};
    /// use std::cell::Cell;
    ///
    /// let sum = Cell::new(0);
    /// let pool = run_workers(4, |id| {
    ///     let sum = &sum;
    ///     once(async move { sum.set(sum.get() + id.get()) })
    /// });
    /// futures::executor::block_on(pool.join());
    /// assert_eq!(sum.get(), 10);
    /// ```
    pub fn join(self) -> Join<S>
    where
        S: Stream<Item = ()>,
    {
        Join { workers: self }
    }

    /// Waits until all workers have ended, or until the first fails.
    ///
    /// The workers that still run then are dropped with the future, which is
    /// where it was awaited.
    ///
    /// # Errors
    ///
    /// The error of the worker that failed first.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::{once, run_workers};
    ///
    /// let pool = run_workers(4, |id| {
    ///     once(async move { if id.get() == 3 { Err("worker 3 is ill") } else { Ok(()) } })
    /// });
    /// assert_eq!(futures::executor::block_on(pool.try_join()), Err("worker 3 is ill"));
    /// ```
    pub fn try_join<E>(self) -> TryJoin<S>
    where
        S: Stream<Item = Result<(), E>>,
    {
        TryJoin { workers: self }
    }
}

/// The future of [`Merge::join`]: every worker has ended.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Join<S> {
    workers: Merge<S>,
}

impl<S: Stream<Item = ()>> Future for Join<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(()) = ready!(Pin::new(&mut self.workers).poll_next(cx)) {}
        Poll::Ready(())
    }
}

/// The future of [`Merge::try_join`]: every worker has ended, or one failed.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct TryJoin<S> {
    workers: Merge<S>,
}

impl<S: Stream<Item = Result<(), E>>, E> Future for TryJoin<S> {
    type Output = Result<(), E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        while let Some(result) = ready!(Pin::new(&mut self.workers).poll_next(cx)) {
            if result.is_err() {
                return Poll::Ready(result);
            }
        }
        Poll::Ready(Ok(()))
    }
}
