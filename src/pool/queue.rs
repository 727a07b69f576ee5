//! Work that several workers share.

#[cfg(all(test, active_status_loom))]
mod models;

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::task::{Context, Poll, Wake, Waker};

use futures_core::{FusedStream, Stream};

#[cfg(all(test, active_status_loom))]
use loom::sync::atomic::AtomicBool;
#[cfg(not(all(test, active_status_loom)))]
use std::sync::atomic::AtomicBool;

use crate::pool::lock::{Mutex, MutexGuard, lock};
use crate::pool::waiters::{Place, Waiters};

/// The items of a stream, shared by the workers of a pool: each item goes to one
/// of the clones.
///
/// The queue polls its stream, the source, only when a worker asks for an item.
/// So with `n` workers at most `n` items are taken and not yet processed, however
/// slow the consumer of the pool is. Any stream can be a source; it need not be
/// `Unpin` or `Clone`.
///
/// Items that are [pushed](Self::push) wait in memory, and are handed out before
/// the source is polled. A push never waits: a bounded queue that is fed by its own
/// workers deadlocks.
///
/// An item wakes one worker, the one that has waited longest. The worker that takes
/// it wakes the next one if there may be more items.
///
/// The clones themselves yield the items, each item once. If a worker panics or is
/// dropped, the item that it was processing is lost. [`tasks`](Self::tasks) returns
/// a stream of [`Task`]s instead, which return to the queue unless they are
/// [done](Task::done).
///
/// The queue ends, for all clones, when the source has ended, no pushed item is
/// left, and no task is in hand. To keep it open, let the source be the receiver of
/// a channel, or [`stream::pending`] and call [`close`](Self::close).
///
/// # Weights
///
/// A worker that is itself the source of a queue has one turn per round for each clone of
/// that queue in the merge:
///
/// ```
/// use active_status::{Merge, WorkQueue};
/// use futures::{StreamExt, executor::block_on, stream};
///
/// let [heavy, light] = ['h', 'l'].map(|name| WorkQueue::new(stream::repeat(name)));
/// let pool: Merge<_> = [heavy.clone(), heavy.clone(), heavy, light].into_iter().collect();
/// assert_eq!(block_on(pool.take(8).collect::<String>()), "hhhlhhhl");
/// ```
///
/// # Cancel safety
///
/// A clone that is dropped while it waits loses no item: it wakes another clone if
/// it was woken itself.
///
/// # Panics
///
/// If the source panics, the panic propagates to the worker that polled it. The
/// queue then ends as if it were [closed](Self::close).
///
/// # Examples
///
/// ```
/// use active_status::{WorkQueue, run_workers};
/// use futures::{StreamExt, executor::block_on, stream};
///
/// let numbers = WorkQueue::new(stream::iter(1..=100));
/// let squares = run_workers(4, |_| numbers.clone().map(|n| n * n));
/// assert_eq!(block_on(squares.collect::<Vec<u32>>()).len(), 100);
/// ```
///
/// A crawler: its workers discover new pages, a page whose fetch fails is tried
/// again, and the pool ends when no page is left.
///
/// ```
/// use std::cell::RefCell;
/// use std::collections::HashSet;
///
/// use active_status::{WorkQueue, run_workers};
/// use futures::{StreamExt, executor::block_on, stream};
///
/// /// The links of a page. Page 7 is not available.
/// async fn fetch(page: u32) -> Option<[u32; 2]> {
///     (page != 7).then_some([page * 2, page * 2 + 1])
/// }
///
/// let seen = RefCell::new(HashSet::from([1]));
/// let pages = WorkQueue::new(stream::iter([1]));
/// let crawl = run_workers(8, |_| {
///     pages.tasks().then(async |page| {
///         if page.attempt() > 3 {
///             return Err(page.done());
///         }
///         // If the page is not available, the drop of the task returns it to the queue.
///         let Some(links) = fetch(*page).await else { return Ok(None) };
///         for link in links {
///             if link < 100 && seen.borrow_mut().insert(link) {
///                 page.push(link);
///             }
///         }
///         Ok(Some(page.done()))
///     })
/// });
/// let results: Vec<Result<Option<u32>, u32>> = block_on(crawl.collect());
/// assert_eq!(results.iter().filter(|page| matches!(page, Ok(Some(_)))).count(), 84);
/// assert_eq!(results.iter().find_map(|page| page.err()), Some(7));
/// ```
///
/// [`stream::pending`]: https://docs.rs/futures/0.3/futures/stream/fn.pending.html
#[must_use = "streams do nothing unless polled"]
pub struct WorkQueue<S: Stream> {
    taker: Taker<S>,
}

/// The items of a [`WorkQueue`] as [`Task`]s, which return to the queue unless they
/// are done.
///
/// Clones share the items with each other and with the queue.
///
/// # Examples
///
/// ```
/// use active_status::WorkQueue;
/// use futures::{StreamExt, executor::block_on, stream};
///
/// let queue = WorkQueue::new(stream::iter(["a"]));
/// let mut tasks = queue.tasks();
/// block_on(async {
///     // A task that is dropped is handed out again.
///     drop(tasks.next().await);
///     let task = tasks.next().await.unwrap();
///     assert_eq!((*task, task.attempt()), ("a", 2));
///     assert_eq!(task.done(), "a");
///     assert!(tasks.next().await.is_none());
/// });
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct Tasks<S: Stream> {
    taker: Taker<S>,
}

/// An item of a [`WorkQueue`] that is in hand.
///
/// Dereferences to the item. A task that is dropped before it is
/// [done](Self::done), be it by `?`, a panic or the drop of its worker, returns to
/// the queue and is handed out again, with its [`attempt`](Self::attempt) one
/// higher. The queue does not end while a task is in hand. In particular, a task
/// that is leaked with [`mem::forget`] keeps it from ending.
#[must_use = "a task that is dropped is handed out again"]
pub struct Task<T> {
    /// `None` once done.
    entry: Option<Entry<T>>,
    items: Arc<Items<T>>,
}

/// An item that is queued or in hand.
struct Entry<T> {
    item: T,
    /// How often the item has been handed out before.
    returns: u32,
}

/// One clone of a queue, which may wait for an item.
struct Taker<S: Stream> {
    shared: Arc<Shared<S>>,
    place: Place,
}

/// What the clones of a queue share.
struct Shared<S: Stream> {
    items: Arc<Items<S::Item>>,
    /// The source while [`Source::Here`].
    source: Mutex<Option<Pin<Box<S>>>>,
    /// Wakes [`Line`].
    waker: Waker,
}

/// What tasks share with their queue: everything but the source.
struct Items<T> {
    state: Mutex<State<T>>,
    line: Arc<Line>,
}

/// What the waker of the source reaches. It is `Send` even if the items are not.
struct Line {
    /// Whether the source was woken since its last poll began.
    woken: AtomicBool,
    waiters: Waiters,
}

struct State<T> {
    source: Source,
    /// Whether the last poll of the source returned an item, or there was none.
    more: bool,
    /// Items that were pushed or returned.
    queued: VecDeque<Entry<T>>,
    /// The number of tasks in hand.
    in_hand: usize,
    paused: bool,
    /// Whether no item will be handed out any more.
    over: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Here,
    /// A worker polls it, outside of any lock.
    Away,
    Gone,
}

impl<S: Stream> WorkQueue<S> {
    /// Creates a queue of the items of a stream.
    pub fn new(stream: S) -> Self {
        let line = Arc::new(Line { woken: AtomicBool::new(false), waiters: Waiters::new() });
        let state = State {
            source: Source::Here,
            more: true,
            queued: VecDeque::new(),
            in_hand: 0,
            paused: false,
            over: false,
        };
        let waker = Waker::from(Arc::clone(&line));
        let items = Arc::new(Items { state: Mutex::new(state), line });
        let source = Mutex::new(Some(Box::pin(stream)));
        let shared = Arc::new(Shared { items, source, waker });
        Self { taker: Taker { shared, place: Place::default() } }
    }

    /// Returns the items as tasks, which are handed out again unless they are done.
    pub fn tasks(&self) -> Tasks<S> {
        Tasks { taker: self.taker.clone() }
    }

    /// Adds an item, which is handed out before the next item of the source.
    ///
    /// After the end of the queue, the item can only be had from
    /// [`take_left`](Self::take_left).
    pub fn push(&self, item: S::Item) {
        self.items().push(item);
    }

    /// Ends the queue: no item is handed out any more, and the source is dropped.
    ///
    /// Queued items stay in [`take_left`](Self::take_left). Tasks in hand may still
    /// be [done](Task::done); those that are dropped join the items that are left.
    ///
    /// # Examples
    ///
    /// On the first error no more items are handed out, and those in progress are
    /// completed:
    ///
    /// ```
    /// use active_status::{WorkQueue, run_workers};
    /// use futures::{StreamExt, executor::block_on, stream};
    ///
    /// let numbers = WorkQueue::new(stream::iter(1..));
    /// let mut checks = run_workers(4, |_| {
    ///     numbers.clone().map(|n| if n == 6 { Err("six") } else { Ok(n) })
    /// });
    /// let mut passed = Vec::new();
    /// block_on(async {
    ///     while let Some(check) = checks.next().await {
    ///         match check {
    ///             Ok(number) => passed.push(number),
    ///             Err(_) => numbers.close(),
    ///         }
    ///     }
    /// });
    /// assert_eq!(passed, [1, 2, 3, 4, 5]);
    /// ```
    pub fn close(&self) {
        let mut state = self.items().state();
        state.over = true;
        let mut source = None;
        // If the source is away, the worker that polls it drops it.
        if state.source == Source::Here {
            state.source = Source::Gone;
            source = lock(&self.taker.shared.source).take();
        }
        drop(state);
        self.items().line.waiters.wake_all();
        drop(source);
    }

    /// Stops handing out items until [`resume`](Self::resume). Items in hand are
    /// not affected. Tasks that return and items that are pushed are queued.
    pub fn pause(&self) {
        self.items().state().paused = true;
    }

    /// Continues to hand out items.
    pub fn resume(&self) {
        let mut state = self.items().state();
        state.paused = false;
        self.items().pass_on(state);
    }

    /// Removes and returns the queued items: those that were pushed, and tasks that
    /// returned.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::WorkQueue;
    /// use futures::stream;
    ///
    /// let queue = WorkQueue::new(stream::iter([1, 2]));
    /// queue.push(3);
    /// queue.close();
    /// assert_eq!(queue.take_left(), [3]);
    /// ```
    pub fn take_left(&self) -> Vec<S::Item> {
        let mut state = self.items().state();
        let left = mem::take(&mut state.queued);
        self.items().end_if_complete(state);
        left.into_iter().map(|entry| entry.item).collect()
    }

    /// Returns the number of items that were pushed or returned, and wait. Items that the
    /// source has not yet yielded do not count.
    pub fn queued(&self) -> usize {
        self.items().state().queued.len()
    }

    /// Returns the number of tasks in hand. Items that a clone of the queue itself yielded
    /// do not count.
    pub fn in_hand(&self) -> usize {
        self.items().state().in_hand
    }

    fn items(&self) -> &Items<S::Item> {
        &self.taker.shared.items
    }
}

impl<S: Stream> Taker<S> {
    fn poll(&mut self, cx: &Context<'_>, lease: bool) -> Poll<Option<Entry<S::Item>>> {
        let items = &self.shared.items;
        let (taken, pass_on) = self.shared.take(lease);
        if taken.is_pending() {
            items.line.waiters.enter(&mut self.place, cx.waker());
            // What came before this worker entered the line woke another one, or none.
            items.pass_on(items.state());
        } else {
            // Before another worker is woken: this one may still be the first in line,
            // if it was polled without having been woken.
            items.line.waiters.leave(&mut self.place);
            if pass_on {
                // `take` held the lock of the state.
                items.line.waiters.wake_one_after_lock();
            }
        }
        taken
    }
}

impl<S: Stream> Shared<S> {
    /// Takes an item, if there is one. `lease` says whether it is a task. The flag says
    /// whether another worker is to be woken, since there may be more items.
    fn take(&self, lease: bool) -> (Poll<Option<Entry<S::Item>>>, bool) {
        let items = &*self.items;
        let mut state = items.state();
        loop {
            if state.over {
                return (Poll::Ready(None), false);
            }
            if state.paused {
                return (Poll::Pending, false);
            }
            if let Some(entry) = state.queued.pop_front() {
                state.in_hand += usize::from(lease);
                return (Poll::Ready(Some(entry)), state.may_yield(&items.line));
            }
            if !state.may_poll(&items.line) {
                return (Poll::Pending, false);
            }
            state.source = Source::Away;
            drop(state);
            match self.poll_source() {
                Poll::Ready(Some((item, mut returned))) => {
                    let entry = Entry { item, returns: 0 };
                    if returned.over || returned.paused {
                        returned.queued.push_front(entry);
                        state = returned;
                        continue;
                    }
                    // Under the lock with which the source returned: the worker that polls
                    // it next may find its end, and must then find this task in hand.
                    returned.in_hand += usize::from(lease);
                    return (Poll::Ready(Some(entry)), returned.may_yield(&items.line));
                }
                Poll::Ready(None) => {}
                Poll::Pending => return (Poll::Pending, false),
            }
            state = items.state();
        }
    }

    /// Polls the source, which this worker has taken, and returns it or drops it.
    /// An item comes with the lock in which the source was returned.
    #[expect(clippy::type_complexity, reason = "a private function with one caller")]
    fn poll_source(&self) -> Poll<Option<(S::Item, MutexGuard<'_, State<S::Item>>)>> {
        let items = &*self.items;
        let ending = EndOnUnwind(self);
        // No other thread takes this lock while the source is away, and neither does the
        // source itself, however it uses the queue.
        let mut held = lock(&self.source);
        let source = held.as_mut().expect("the source is there until it ends");
        items.line.woken.swap(false, AcqRel);
        let polled = source.as_mut().poll_next(&mut Context::from_waker(&self.waker));
        if matches!(polled, Poll::Ready(None)) {
            let source = held.take();
            drop(held);
            drop(source);
            mem::forget(ending);
            let mut state = items.state();
            state.source = Source::Gone;
            items.end_if_complete(state);
            return Poll::Ready(None);
        }
        drop(held);
        let mut state = items.state();
        state.more = polled.is_ready();
        if state.over {
            // The queue was closed meanwhile.
            state.source = Source::Gone;
            drop(state);
            let source = lock(&self.source).take();
            drop(source);
            state = items.state();
        } else {
            state.source = Source::Here;
        }
        mem::forget(ending);
        polled.map(|item| item.map(|item| (item, state)))
    }
}

impl<T> Items<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        lock(&self.state)
    }

    /// Wakes a worker, if there may be an item for it.
    fn pass_on(&self, state: MutexGuard<'_, State<T>>) {
        let more =
            state.over || !state.paused && (!state.queued.is_empty() || state.may_poll(&self.line));
        drop(state);
        if more {
            self.line.waiters.wake_one_after_lock();
        }
    }

    /// Ends the queue, if nothing is left that could hold an item.
    fn end_if_complete(&self, mut state: MutexGuard<'_, State<T>>) {
        if state.source == Source::Gone && state.queued.is_empty() && state.in_hand == 0 {
            state.over = true;
            drop(state);
            self.line.waiters.wake_all();
        }
    }

    fn push(&self, item: T) {
        let mut state = self.state();
        state.queued.push_back(Entry { item, returns: 0 });
        self.pass_on(state);
    }
}

impl<T> State<T> {
    /// Returns whether there may be something for a worker: an item, or the end.
    fn may_yield(&self, line: &Line) -> bool {
        self.over || !self.paused && (!self.queued.is_empty() || self.may_poll(line))
    }

    /// Returns whether the source is here, and may have an item.
    fn may_poll(&self, line: &Line) -> bool {
        self.source == Source::Here && (self.more || line.woken.load(Acquire))
    }
}

/// Drops the source and ends the queue if the source panics.
struct EndOnUnwind<'a, S: Stream>(&'a Shared<S>);

impl<S: Stream> Drop for EndOnUnwind<'_, S> {
    fn drop(&mut self) {
        let Shared { items, source, .. } = self.0;
        let source = lock(source).take();
        drop(source);
        let mut state = items.state();
        state.source = Source::Gone;
        state.over = true;
        drop(state);
        items.line.waiters.wake_all();
    }
}

impl Wake for Line {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // If it was woken before, that wake has woken a worker.
        if !self.woken.swap(true, AcqRel) {
            self.waiters.wake_one();
        }
    }
}

impl<T> Task<T> {
    /// Takes the item, which is then done: it will not be handed out again.
    pub fn done(mut self) -> T {
        let entry = self.entry.take().expect("the task is in hand");
        let mut state = self.items.state();
        state.in_hand -= 1;
        self.items.end_if_complete(state);
        entry.item
    }

    /// Returns how often the item has been handed out, this time included.
    pub fn attempt(&self) -> u32 {
        self.entry().returns.saturating_add(1)
    }

    /// Adds an item to the queue; see [`WorkQueue::push`].
    pub fn push(&self, item: T) {
        self.items.push(item);
    }

    fn entry(&self) -> &Entry<T> {
        self.entry.as_ref().expect("the task is in hand")
    }
}

impl<T> Deref for Task<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.entry().item
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if let Some(mut entry) = self.entry.take() {
            entry.returns = entry.returns.saturating_add(1);
            let mut state = self.items.state();
            state.in_hand -= 1;
            state.queued.push_back(entry);
            self.items.pass_on(state);
        }
    }
}

impl<S: Stream> Stream for WorkQueue<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.taker.poll(cx, false).map(|entry| Some(entry?.item))
    }
}

impl<S: Stream> Stream for Tasks<S> {
    type Item = Task<S::Item>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let entry = std::task::ready!(self.taker.poll(cx, true));
        let items = &self.taker.shared.items;
        Poll::Ready(entry.map(|entry| Task { entry: Some(entry), items: Arc::clone(items) }))
    }
}

/// Terminated once the queue has ended, for all clones.
impl<S: Stream> FusedStream for WorkQueue<S> {
    fn is_terminated(&self) -> bool {
        self.items().state().over
    }
}

/// Terminated once the queue has ended, for all clones.
impl<S: Stream> FusedStream for Tasks<S> {
    fn is_terminated(&self) -> bool {
        self.taker.shared.items.state().over
    }
}

impl<S: Stream> Clone for WorkQueue<S> {
    fn clone(&self) -> Self {
        Self { taker: self.taker.clone() }
    }
}

impl<S: Stream> Clone for Tasks<S> {
    fn clone(&self) -> Self {
        Self { taker: self.taker.clone() }
    }
}

impl<S: Stream> Clone for Taker<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), place: Place::default() }
    }
}

impl<S: Stream> Drop for Taker<S> {
    fn drop(&mut self) {
        let items = &self.shared.items;
        if items.line.waiters.leave(&mut self.place) {
            items.line.waiters.wake_one();
        }
    }
}

impl<S: Stream> fmt::Debug for WorkQueue<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.items().fmt_as("WorkQueue", f)
    }
}

impl<S: Stream> fmt::Debug for Tasks<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.taker.shared.items.fmt_as("Tasks", f)
    }
}

impl<T> Items<T> {
    fn fmt_as(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        let (queued, in_hand) = (state.queued.len(), state.in_hand);
        let (paused, ended) = (state.paused, state.over);
        drop(state);
        f.debug_struct(name)
            .field("queued", &queued)
            .field("in_hand", &in_hand)
            .field("paused", &paused)
            .field("ended", &ended)
            .finish_non_exhaustive()
    }
}

impl<T: fmt::Debug> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("item", &self.entry().item)
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}
