//! Futures that wait until all workers have ended.

use core::pin::Pin;
use core::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::pool::merge::Merge;

/// The future of [`Merge::join`]: ready when all workers have ended.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Join<S> {
    workers: Merge<S>,
}

impl<S> Join<S> {
    pub(super) const fn new(workers: Merge<S>) -> Self {
        Self { workers }
    }
}

impl<S: Stream<Item = ()>> Future for Join<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(()) = ready!(Pin::new(&mut self.workers).poll_next(cx)) {}
        Poll::Ready(())
    }
}

/// The future of [`Merge::try_join`]: ready when all workers have ended or one has failed.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct TryJoin<S> {
    workers: Merge<S>,
}

impl<S> TryJoin<S> {
    pub(super) const fn new(workers: Merge<S>) -> Self {
        Self { workers }
    }
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
