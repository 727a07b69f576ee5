//! Many items per poll.

use alloc::vec::Vec;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use futures_core::Stream;

use crate::pool::key::Key;
use crate::pool::keyed::Keyed;
use crate::pool::merge::Merge;

/// The future of [`Merge::next_many`].
#[must_use = "futures do nothing unless polled"]
pub struct NextMany<'a, S: Stream> {
    merge: &'a mut Merge<S>,
    items: &'a mut Vec<S::Item>,
    limit: usize,
}

impl<'a, S: Stream> NextMany<'a, S> {
    pub(super) const fn new(
        merge: &'a mut Merge<S>,
        items: &'a mut Vec<S::Item>,
        limit: usize,
    ) -> Self {
        Self { merge, items, limit }
    }
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

/// The future of [`Keyed::next_many`].
#[must_use = "futures do nothing unless polled"]
pub struct KeyedNextMany<'a, S: Stream> {
    keyed: &'a mut Keyed<S>,
    items: &'a mut Vec<(Key, S::Item)>,
    limit: usize,
}

impl<'a, S: Stream> KeyedNextMany<'a, S> {
    pub(super) const fn new(
        keyed: &'a mut Keyed<S>,
        items: &'a mut Vec<(Key, S::Item)>,
        limit: usize,
    ) -> Self {
        Self { keyed, items, limit }
    }
}

impl<S: Stream> Future for KeyedNextMany<'_, S> {
    type Output = usize;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let Self { keyed, items, limit } = &mut *self;
        keyed.poll_next_many(cx, items, *limit)
    }
}

impl<S: Stream> fmt::Debug for KeyedNextMany<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedNextMany")
            .field("keyed", &self.keyed)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
