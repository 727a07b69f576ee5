//! Results in the order of their items, with bounded memory.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;

use crate::pool::lock::{Mutex, lock};

/// Numbers the items of a stream, so that the results of a pool can be put in their
/// order.
///
/// The stream yields each item with its number. The workers pass the number on with
/// the result, and [`Reorder::in_order`] yields the results in the order of the
/// numbers. Results that are early wait in memory. To bound it, the stream hands out
/// an item only while it and the oldest result that is still missing are less than
/// `width` items apart. So at most `width` items are in progress or waiting. 0 counts
/// as 1, which means one item at a time.
///
/// Choose a width of several times the number of workers, so that a slow item does
/// not hold up the other workers.
///
/// Every number must come back. A number that never does, since its worker panicked
/// or filtered it out, holds back the results after it until the results end, and
/// stops the items once `width` of them are out. [`WorkQueue::tasks`] hand out again
/// the item of a worker that panicked.
///
/// [`WorkQueue::tasks`]: crate::WorkQueue::tasks
///
/// # Examples
///
/// ```
/// use active_status::WorkQueue;
/// use active_status::workers::reorder;
/// use futures::{StreamExt, stream};
///
/// # futures::executor::block_on(async {
/// let (numbered, order) = reorder(stream::iter(["a", "b", "c"]), 16);
/// let results = WorkQueue::new(numbered)
///     .map_workers(4, async |(number, text)| (number, text.to_uppercase()));
/// let mut results = order.in_order(results.map(|(_worker, result)| result));
/// assert_eq!(results.by_ref().collect::<Vec<_>>().await, ["A", "B", "C"]);
/// # });
/// ```
pub fn reorder<S: Stream>(stream: S, width: usize) -> (Numbered<S>, Reorder) {
    let window = Arc::new(Mutex::new(Window { given: 0, open: false, waiter: None }));
    let width = u64::try_from(width).unwrap_or(u64::MAX).max(1);
    let numbered = Numbered { stream, next: 0, limit: width, width, window: Arc::clone(&window) };
    (numbered, Reorder { window: Gate { window } })
}

/// What both ends share.
struct Window {
    /// The number of results given, and so the oldest number that is missing.
    given: u64,
    /// Whether the results are gone, so that nothing holds back the items.
    open: bool,
    /// The task that waits to hand out an item.
    waiter: Option<Waker>,
}

/// The end of the results. Its drop lets all items pass.
struct Gate {
    window: Arc<Mutex<Window>>,
}

impl Gate {
    fn change(&self, change: impl FnOnce(&mut Window)) {
        let mut window = lock(&self.window);
        change(&mut window);
        let waiter = window.waiter.take();
        drop(window);
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.change(|window| window.open = true);
    }
}

pin_project! {
    /// The items with their numbers; see [`reorder`].
    #[must_use = "streams do nothing unless polled"]
    pub struct Numbered<S> {
        #[pin]
        stream: S,
        // The number of the next item.
        next: u64,
        // The number that may not be handed out, as of the last check.
        limit: u64,
        width: u64,
        window: Arc<Mutex<Window>>,
    }
}

impl<S: Stream> Stream for Numbered<S> {
    type Item = (u64, S::Item);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        if this.next >= this.limit {
            let mut waker = Some(cx.waker().clone());
            let mut window = lock(this.window);
            *this.limit =
                if window.open { u64::MAX } else { window.given.saturating_add(*this.width) };
            if this.next >= this.limit {
                // The waker that it replaces is dropped outside of the lock.
                std::mem::swap(&mut window.waiter, &mut waker);
                drop(window);
                return Poll::Pending;
            }
        }
        let item = ready!(this.stream.poll_next(cx));
        Poll::Ready(item.map(|item| {
            let number = *this.next;
            *this.next += 1;
            (number, item)
        }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

impl<S: FusedStream> FusedStream for Numbered<S> {
    fn is_terminated(&self) -> bool {
        self.stream.is_terminated()
    }
}

impl<S: fmt::Debug> fmt::Debug for Numbered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Numbered")
            .field("stream", &self.stream)
            .field("next", &self.next)
            .field("width", &self.width)
            .finish_non_exhaustive()
    }
}

/// Puts results in the order of their items; see [`reorder`].
///
/// Once it is dropped, nothing holds back the items any more.
#[must_use = "items are held back until their results are put in order"]
pub struct Reorder {
    window: Gate,
}

impl Reorder {
    /// Returns the results in the order of their numbers, without the numbers.
    ///
    /// Of several results with one number the first counts.
    pub fn in_order<S, T>(self, results: S) -> InOrder<S, T>
    where
        S: Stream<Item = (u64, T)>,
    {
        InOrder { results, ended: false, early: BTreeMap::new(), next: 0, window: self.window }
    }
}

impl fmt::Debug for Reorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reorder").finish_non_exhaustive()
    }
}

pin_project! {
    /// The stream of [`Reorder::in_order`].
    #[must_use = "streams do nothing unless polled"]
    pub struct InOrder<S, T> {
        #[pin]
        results: S,
        ended: bool,
        // The results that came before their turn.
        early: BTreeMap<u64, T>,
        next: u64,
        window: Gate,
    }
}

impl<S: Stream<Item = (u64, T)>, T> Stream for InOrder<S, T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut this = self.project();
        let (number, result) = loop {
            if let Some(early) = this.early.first_entry()
                && (*this.ended || early.key() == this.next)
            {
                break early.remove_entry();
            }
            if *this.ended {
                return Poll::Ready(None);
            }
            match ready!(this.results.as_mut().poll_next(cx)) {
                Some((number, result)) if number == *this.next => break (number, result),
                Some((number, result)) if number > *this.next => {
                    this.early.entry(number).or_insert(result);
                }
                Some(_) => {}
                None => *this.ended = true,
            }
        };
        *this.next = number.saturating_add(1);
        this.window.change(|window| window.given = *this.next);
        Poll::Ready(Some(result))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let early = self.early.len();
        let more = if self.ended { Some(0) } else { self.results.size_hint().1 };
        (early, more.and_then(|more| more.checked_add(early)))
    }
}

impl<S: Stream<Item = (u64, T)>, T> FusedStream for InOrder<S, T> {
    fn is_terminated(&self) -> bool {
        self.ended && self.early.is_empty()
    }
}

impl<S: fmt::Debug, T> fmt::Debug for InOrder<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InOrder")
            .field("results", &self.results)
            .field("next", &self.next)
            .field("early", &self.early.len())
            .finish_non_exhaustive()
    }
}
