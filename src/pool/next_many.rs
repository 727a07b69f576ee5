//! Many items at once.

use alloc::vec::Vec;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use futures_core::Stream;

use crate::pool::merge::Merge;

impl<S: Stream> Merge<S> {
    /// Waits for items, and takes up to `limit` of those that are ready then:
    /// see [`poll_next_many`](Self::poll_next_many). Gives their number, which is
    /// 0 if the merge has ended or `limit` is 0.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, no item was taken.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::Merge;
    /// use futures::{executor::block_on, stream};
    ///
    /// let mut merge: Merge<_> = (0..4).map(|n| stream::iter([n, n + 10])).collect();
    /// let mut items = Vec::new();
    /// assert_eq!(block_on(merge.next_many(&mut items, 5)), 5);
    /// assert_eq!(block_on(merge.next_many(&mut items, 5)), 3);
    /// assert_eq!(block_on(merge.next_many(&mut items, 5)), 0);
    /// assert_eq!(items, [0, 1, 2, 3, 10, 11, 12, 13]);
    /// ```
    pub fn next_many<'a>(
        &'a mut self,
        items: &'a mut Vec<S::Item>,
        limit: usize,
    ) -> NextMany<'a, S> {
        NextMany { merge: self, items, limit }
    }
}

/// The future of [`Merge::next_many`].
#[must_use = "futures do nothing unless polled"]
pub struct NextMany<'a, S: Stream> {
    merge: &'a mut Merge<S>,
    items: &'a mut Vec<S::Item>,
    limit: usize,
}

impl<S: Stream> Future for NextMany<'_, S> {
    type Output = usize;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let Self { merge, items, limit } = &mut *self;
        merge.poll_next_many(cx, items, *limit)
    }
}

impl<S: Stream> fmt::Debug for NextMany<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextMany")
            .field("merge", &self.merge)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
