//! The children of a pool's merge: its workers, and one that waits for orders.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::pool::dynamic::state::Shared;
use crate::pool::dynamic::worker::{ABORT, PAUSE, Worker};

pin_project! {
    /// A child of a pool's merge.
    #[project = Projected]
    pub(super) enum Member<S> {
        /// A worker.
        Seat {
            #[pin]
            stream: S,
            // Whether the last poll was pending.
            is_at_item: bool,
            // Declared after the stream, and therefore dropped after it.
            exit: Exit,
        },
        /// Yields `None` when there are orders, and ends with the pool.
        Orders { shared: Arc<Shared> },
    }
}

/// Reports that a worker is gone.
pub(super) struct Exit {
    worker: Worker,
}

impl Exit {
    pub(super) fn new(worker: Worker) -> Self {
        Self { worker }
    }

    /// Decides about a worker that is to pause or to be dropped. Returns `None` if it is
    /// polled nevertheless.
    #[cold]
    fn halt<T>(&self, is_at_item: bool) -> Option<Poll<Option<T>>> {
        if self.worker.record().flags() & ABORT != 0 {
            return Some(Poll::Ready(None));
        }
        let is_held = !is_at_item && self.worker.shared().hold(self.worker.record());
        is_held.then_some(Poll::Pending)
    }
}

impl Drop for Exit {
    fn drop(&mut self) {
        self.worker.shared().remove(self.worker.record());
    }
}

impl<S: Stream> Stream for Member<S> {
    type Item = Option<S::Item>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.project() {
            Projected::Seat { stream, is_at_item, exit } => {
                let record = exit.worker.record();
                if record.flags() & (PAUSE | ABORT) != 0
                    && let Some(halted) = exit.halt(*is_at_item)
                {
                    return halted;
                }
                match stream.poll_next(cx) {
                    Poll::Ready(Some(item)) => {
                        *is_at_item = false;
                        record.count_item();
                        Poll::Ready(Some(Some(item)))
                    }
                    Poll::Ready(None) => {
                        record.count_poll();
                        Poll::Ready(None)
                    }
                    Poll::Pending => {
                        *is_at_item = true;
                        record.count_poll();
                        Poll::Pending
                    }
                }
            }
            Projected::Orders { shared } => {
                shared.poll_orders(cx).map(|has_orders| has_orders.then_some(None))
            }
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Seat { stream, .. } => stream.size_hint(),
            Self::Orders { .. } => (0, None),
        }
    }
}
