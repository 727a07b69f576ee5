//! Items with the key of the child that yielded them.

use core::pin::Pin;
use core::task::{Context, Poll};

use futures_core::{FusedStream, Stream};

use crate::pool::key::Key;
use crate::pool::merge::Merge;

/// The stream of [`Merge::keyed`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Keyed<S> {
    merge: Merge<S>,
}

impl<S> Keyed<S> {
    pub(super) const fn new(merge: Merge<S>) -> Self {
        Self { merge }
    }

    /// The merge itself.
    pub const fn get_ref(&self) -> &Merge<S> {
        &self.merge
    }

    /// The merge itself, to push and remove children.
    pub const fn get_mut(&mut self) -> &mut Merge<S> {
        &mut self.merge
    }

    /// Returns the merge, whose items come without keys.
    pub fn into_inner(self) -> Merge<S> {
        self.merge
    }
}

impl<S: Stream> Stream for Keyed<S> {
    type Item = (Key, S::Item);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.merge.poll_keyed(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.merge.size_hint()
    }
}

impl<S: Stream> FusedStream for Keyed<S> {
    fn is_terminated(&self) -> bool {
        self.merge.is_terminated()
    }
}
