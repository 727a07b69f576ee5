//! Items with the key of the child that gave them.

use core::pin::Pin;
use core::task::{Context, Poll};

use futures_core::{FusedStream, Stream};

use crate::pool::key::Key;
use crate::pool::merge::Merge;

impl<S> Merge<S> {
    /// The same stream, with each item the key of the child that gave it.
    ///
    /// # Examples
    ///
    /// The first answer decides, and its worker is stopped:
    ///
    /// ```
    /// use active_status::Merge;
    /// use futures::{StreamExt, executor::block_on, stream};
    ///
    /// let mut merge = Merge::new();
    /// let slow = merge.push(stream::pending().boxed());
    /// let fast = merge.push(stream::repeat("here").boxed());
    ///
    /// let mut keyed = merge.keyed();
    /// let (key, answer) = block_on(keyed.next()).unwrap();
    /// assert_eq!((key, answer), (fast, "here"));
    /// keyed.get_mut().remove(key);
    /// assert!(keyed.get_ref().contains(slow) && !keyed.get_ref().contains(fast));
    /// ```
    pub fn keyed(self) -> Keyed<S> {
        Keyed { merge: self }
    }
}

/// The stream of [`Merge::keyed`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Keyed<S> {
    merge: Merge<S>,
}

impl<S> Keyed<S> {
    /// The merge.
    pub const fn get_ref(&self) -> &Merge<S> {
        &self.merge
    }

    /// The merge, to push and remove children.
    pub const fn get_mut(&mut self) -> &mut Merge<S> {
        &mut self.merge
    }

    /// The merge, whose items come without keys.
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
