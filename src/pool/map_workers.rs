//! The commonest pool: one asynchronous function for each item.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::pool::merge::Merge;
use crate::pool::queue::WorkQueue;
use crate::pool::{WorkerId, run_workers};

/// Calls an asynchronous function for each item, with the given number of workers.
///
/// Yields the results in the order of completion, each with the id of the worker
/// that computed it. An item is taken only when a worker is free and the merge is
/// polled. So at most `count` items are in progress, however slow the consumer is,
/// and the items may come from an endless iterator. Nothing is spawned. With no
/// workers the merge ends at once, and takes no item.
///
/// [`WorkQueue::map_workers`] does the same for the items of a stream.
/// [`StatusOptions::map_workers`](crate::StatusOptions::map_workers) also gives each
/// worker a row on a board.
///
/// `stream::iter(items).map(function).buffer_unordered(count)` of `futures` is
/// shorter if the results need no worker, no board, and no fair shares.
///
/// # Panics
///
/// A panic of the function propagates to the caller, and ends its worker. Its item
/// is lost. The merge remains usable.
///
/// # Examples
///
/// ```
/// use active_status::map_workers;
/// use futures::StreamExt;
///
/// async fn fetch(url: &str) -> usize {
///     url.len()
/// }
///
/// # futures::executor::block_on(async {
/// let urls = ["https://a.example", "https://bcd.example"];
/// let mut pages = map_workers(8, urls, async |url| fetch(url).await);
/// let mut sum = 0;
/// while let Some((_worker, length)) = pages.next().await {
///     sum += length;
/// }
/// assert_eq!(sum, 17 + 19);
/// # });
/// ```
///
/// On several threads: the function spawns, and the workers bound the number of
/// tasks.
///
/// ```
/// use active_status::map_workers;
/// use futures::StreamExt;
///
/// # tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(async {
/// let sums = map_workers(4, 1..=10_u64, async |n| {
///     tokio::spawn(async move { (1..=n).sum::<u64>() }).await.unwrap()
/// });
/// let sums: Vec<u64> = sums.map(|(_, sum)| sum).collect().await;
/// assert_eq!(sums.iter().sum::<u64>(), 220);
/// # });
/// ```
pub fn map_workers<I, R, F>(
    count: usize,
    items: I,
    function: F,
) -> Merge<impl Stream<Item = (WorkerId, R)>>
where
    I: IntoIterator,
    F: AsyncFn(I::Item) -> R,
{
    WorkQueue::new(FromIter::new(items)).map_workers(count, function)
}

impl<S: Stream> WorkQueue<S> {
    /// Calls an asynchronous function for each item, with the given number of
    /// workers; see [`map_workers`].
    ///
    /// The queue remains usable, to push items and to close it.
    ///
    /// # Examples
    ///
    /// Stop on the first error, and complete what is in progress:
    ///
    /// ```
    /// use active_status::WorkQueue;
    /// use futures::{StreamExt, stream};
    ///
    /// # futures::executor::block_on(async {
    /// let numbers = WorkQueue::new(stream::iter(0..));
    /// let mut checked = numbers.map_workers(4, async |n| if n < 10 { Ok(n) } else { Err(n) });
    /// let mut passed = 0;
    /// while let Some((_worker, check)) = checked.next().await {
    ///     match check {
    ///         Ok(_) => passed += 1,
    ///         Err(_) => numbers.close(),
    ///     }
    /// }
    /// assert_eq!(passed, 10);
    /// # });
    /// ```
    pub fn map_workers<R, F>(
        &self,
        count: usize,
        function: F,
    ) -> Merge<impl Stream<Item = (WorkerId, R)> + use<S, R, F>>
    where
        F: AsyncFn(S::Item) -> R,
    {
        let function = Arc::new(function);
        run_workers(count, |id| worker(self.clone(), Arc::clone(&function), id))
    }
}

/// Returns a worker that calls a function for each item that it takes from a queue.
fn worker<S, R, F>(
    items: WorkQueue<S>,
    function: Arc<F>,
    id: WorkerId,
) -> impl Stream<Item = (WorkerId, R)>
where
    S: Stream,
    F: AsyncFn(S::Item) -> R,
{
    map_items(items, move |item| {
        let function = Arc::clone(&function);
        async move { (id, function(item).await) }
    })
}

/// Returns the items of a queue, each passed to a function that returns a future.
fn map_items<S, C, F>(items: WorkQueue<S>, call: C) -> MapItems<WorkQueue<S>, C, F>
where
    S: Stream,
    C: FnMut(S::Item) -> F,
    F: Future,
{
    MapItems { items, call, running: None }
}

pin_project! {
    /// The stream of [`map_items`].
    struct MapItems<Q, C, F> {
        items: Q,
        call: C,
        #[pin]
        running: Option<F>,
    }
}

impl<Q, C, F> Stream for MapItems<Q, C, F>
where
    Q: Stream + Unpin,
    C: FnMut(Q::Item) -> F,
    F: Future,
{
    type Item = F::Output;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        let mut this = self.project();
        if this.running.is_none() {
            let Some(item) = ready!(Pin::new(this.items).poll_next(cx)) else {
                return Poll::Ready(None);
            };
            this.running.set(Some((this.call)(item)));
        }
        let running = this.running.as_mut().as_pin_mut().expect("it was set above");
        let output = ready!(running.poll(cx));
        this.running.set(None);
        Poll::Ready(Some(output))
    }
}

/// The items of an iterator, as a stream.
pub(crate) struct FromIter<I>(I);

impl<I: Iterator> FromIter<I> {
    pub(crate) fn new(items: impl IntoIterator<IntoIter = I>) -> Self {
        Self(items.into_iter())
    }

    /// Returns the number of items, if it is known.
    pub(crate) fn exact_len(&self) -> Option<usize> {
        let (least, most) = self.0.size_hint();
        most.filter(|&most| most == least)
    }
}

/// The iterator is not pinned.
impl<I> Unpin for FromIter<I> {}

impl<I: Iterator> Stream for FromIter<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }
}
