//! Items with the key of the child that yielded them.

use alloc::vec::Vec;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use futures_core::{FusedStream, Stream};

use crate::pool::key::Key;
use crate::pool::merge::Merge;
use crate::pool::next_many::KeyedNextMany;

/// The stream of [`Merge::keyed`].
#[must_use = "streams do nothing unless polled"]
pub struct Keyed<S> {
    merge: Merge<S>,
}

impl<S> Keyed<S> {
    pub(super) const fn new(merge: Merge<S>) -> Self {
        Self { merge }
    }

    /// Returns the merge itself.
    pub const fn get_ref(&self) -> &Merge<S> {
        &self.merge
    }

    /// Returns the merge itself, to push and remove children.
    pub const fn get_mut(&mut self) -> &mut Merge<S> {
        &mut self.merge
    }

    /// Returns the merge, whose items come without keys.
    pub fn into_inner(self) -> Merge<S> {
        self.merge
    }
}

impl<S> Keyed<S> {
    /// Also reports when a child leaves: the item of the stream is `(key, None)` once for a
    /// child that ended or panicked, and `(key, Some(item))` otherwise.
    ///
    /// So a map of keys can follow the children of the merge. A child that is removed by
    /// its key is not reported. The child is dropped before its end is reported, so an
    /// ignored end keeps no memory.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::Merge;
    /// use futures::{StreamExt, executor::block_on, stream};
    /// use std::collections::HashMap;
    ///
    /// let mut merge = Merge::new();
    /// let mut names = HashMap::new();
    /// for (name, length) in [("short", 1), ("long", 3)] {
    ///     names.insert(merge.push(stream::iter(0..length)), name);
    /// }
    ///
    /// let mut log = Vec::new();
    /// let mut events = merge.keyed().with_ends();
    /// block_on(async {
    ///     while let Some((key, item)) = events.next().await {
    ///         match item {
    ///             Some(item) => log.push(format!("{} {item}", names[&key])),
    ///             None => log.push(format!("{} ended", names.remove(&key).unwrap())),
    ///         }
    ///     }
    /// });
    /// assert_eq!(log, ["short 0", "short ended", "long 0", "long 1", "long 2", "long ended"]);
    /// assert!(names.is_empty());
    /// ```
    pub fn with_ends(self) -> KeyedEnds<S> {
        KeyedEnds { merge: self.merge }
    }
}

impl<S: Stream> Keyed<S> {
    /// As [`Merge::next_many`], with keys.
    pub fn next_many<'a>(
        &'a mut self,
        items: &'a mut Vec<(Key, S::Item)>,
        limit: usize,
    ) -> KeyedNextMany<'a, S> {
        KeyedNextMany::new(self, items, limit)
    }

    /// As [`Merge::poll_next_many`], with keys.
    pub fn poll_next_many(
        &mut self,
        cx: &mut Context<'_>,
        items: &mut Vec<(Key, S::Item)>,
        limit: usize,
    ) -> Poll<usize> {
        self.merge.poll_many(cx, limit, |merge, item| items.push((merge.polled_key(), item)))
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

/// The stream of [`Keyed::with_ends`].
#[must_use = "streams do nothing unless polled"]
pub struct KeyedEnds<S> {
    merge: Merge<S>,
}

impl<S> KeyedEnds<S> {
    /// Returns the merge itself.
    pub const fn get_ref(&self) -> &Merge<S> {
        &self.merge
    }

    /// Returns the merge itself, to push and remove children.
    pub const fn get_mut(&mut self) -> &mut Merge<S> {
        &mut self.merge
    }

    /// Returns the merge, whose items come without keys and ends.
    pub fn into_inner(self) -> Merge<S> {
        let mut merge = self.merge;
        merge.ended = None;
        merge
    }
}

impl<S: Stream> Stream for KeyedEnds<S> {
    type Item = (Key, Option<S::Item>);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.merge.poll_event(cx)
    }

    /// Returns one end per child, in addition to the bounds of the merge.
    fn size_hint(&self) -> (usize, Option<usize>) {
        let ends = self.merge.len().saturating_add(usize::from(self.merge.ended.is_some()));
        let (low, high) = self.merge.size_hint();
        (low.saturating_add(ends), high.and_then(|high| high.checked_add(ends)))
    }
}

impl<S: Stream> FusedStream for KeyedEnds<S> {
    fn is_terminated(&self) -> bool {
        self.merge.is_terminated() && self.merge.ended.is_none()
    }
}

impl<S> fmt::Debug for Keyed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed").field("merge", &self.merge).finish()
    }
}

impl<S> fmt::Debug for KeyedEnds<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedEnds").field("merge", &self.merge).finish()
    }
}
