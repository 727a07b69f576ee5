//! The fair merge.

use alloc::vec::Vec;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use futures_core::{FusedStream, Stream};

use crate::pool::budget::Budget;
use crate::pool::contention::Contention;
use crate::pool::coop::Coop;
use crate::pool::iter::{Iter, IterMut, IterPinMut};
use crate::pool::join::{Join, TryJoin};
use crate::pool::key::{Generations, Key};
use crate::pool::keyed::Keyed;
use crate::pool::next_many::NextMany;
use crate::pool::ready::{self, ReadySet, split};
use crate::pool::slots::Slots;
use crate::pool::tree::Tree;
use crate::pool::wake::Inbox;

/// The largest number of slots in a chunk.
const CHUNK: usize = usize::BITS as usize;

/// The largest number of blocks whose wakers share an allocation: one waker that outlives
/// the merge keeps as much memory alive.
const SLAB: usize = 64;

/// The largest number of children that a size hint asks: an outer merge asks for one
/// per item.
const HINTS: usize = 64;

/// A stream of the items of many streams, in equal shares.
///
/// Items are yielded as they become ready. The merge ends when all of its children have
/// ended, unless it [stays open](Self::stay_open); a [`push`](Self::push) revives it. A
/// child is dropped when it ends, or with an item after which its `size_hint` has the
/// upper bound 0: a [`once`](crate::once) leaves [`len`](Self::len) together with its
/// output. The [guide](crate::guide) explains how the merge
/// [works](crate::guide::merge) and how it [compares](crate::guide::compare) with other
/// crates.
///
/// Children need not be `Unpin`: each is pinned where it is pushed and is not
/// moved until it is dropped. Children may borrow. The merge itself is always
/// `Unpin`.
///
/// # Fairness
///
/// - **Bounded bypass**: after a child is woken, every other child is polled at
///   most once before it. Under contention, that is while other threads wake
///   children as fast as they are polled and for up to 64 blocks afterwards,
///   children of the same block of 64 may be polled twice. A child that is pushed
///   in the middle of a round may be polled first in the next round.
/// - **Equal shares**: the item counts of children that are always ready never
///   differ by more than one. Items come in the order of the children's places,
///   round after round, whatever the order of wakes.
/// - **Bounded work**: one `poll_next` polls at most [`budget`](Self::budget)
///   children, including those that are pending and those that end.
/// - **Cooperation**: after `budget` child polls without a `Pending` from the merge, the
///   merge wakes its task and returns `Pending` once, so that any executor can run
///   other tasks. It also does so after a round in which no child yields an item or
///   ends and each polled child wakes itself: a worker that yields until another task
///   has run is polled once per turn of the executor.
/// - **On tokio**: tokio makes channels and other resources pending after 128 operations
///   per poll of a task. With the feature `tokio`, or
///   [`with_coop_check`](Self::with_coop_check), a child that is refused for this reason
///   keeps its turn, so that shares are equal whatever the consumer, the children and
///   other merges of the task spend. Without it, shares are equal as long as the task
///   spends at most 128 operations between two yields of the merge: with the default
///   budget, up to three per item besides those of the merge. If it spends more, shares
///   differ, and channels may starve.
///
/// A `Pending` for the sake of the budget does not mean that nothing is ready.
/// Hence `now_or_never` may return `None` (call it again), `ready_chunks` may end a
/// chunk, `forward` flushes, and `select!` may take its `default` branch.
///
/// In nested merges only the outermost yields for its budget, with two exceptions: an
/// inner merge that spends its whole budget in one `poll_next`, and one that a child
/// drains in a loop.
///
/// New children are polled within the budget too: until 10,000 idle children have been
/// polled for the first time, the executor has 312 turns. Fill a merge a while before it
/// must react, or set a larger budget for the first round.
///
/// # Deadlocks
///
/// The merge polls its children only while it is polled. If the code that handles an item
/// waits for something that a child holds, such as a lock or a permit, both wait forever,
/// as with every stream of concurrent work. Either the children release what they hold
/// before they yield, or the consumer keeps the merge polled while it waits, for example
/// with `select!`:
///
/// ```
/// use active_status::{once, run_workers};
/// use futures::future::{Either, select};
/// use futures::{StreamExt, executor::block_on, lock::Mutex, pending};
///
/// let shared = Mutex::new(0);
/// block_on(async {
///     let mut workers = run_workers(3, |id| {
///         let shared = &shared;
///         once(async move {
///             let mut sum = shared.lock().await;
///             // Other work, while the lock is held.
///             wake_and_wait().await;
///             *sum += id.get();
///         })
///     });
///     workers.next().await;
///     // Another worker may hold the lock by now, so `shared.lock().await` alone deadlocks.
///     let mut lock = shared.lock();
///     let sum = loop {
///         match select(lock, workers.next()).await {
///             Either::Left((sum, _)) => break *sum,
///             Either::Right((_, waiting)) => lock = waiting,
///         }
///     };
///     assert!(sum > 0);
///     workers.join().await;
/// });
/// assert_eq!(shared.into_inner(), 6);
///
/// async fn wake_and_wait() {
///     futures::future::poll_fn(|cx| {
///         cx.waker().wake_by_ref();
///         std::task::Poll::Ready(())
///     })
///     .await;
///     pending!();
/// }
/// ```
///
/// # Cost
///
/// A poll costs time in proportion to the ready children; idle children cost
/// nothing. No item allocates. Besides the stream itself, a child takes two bytes, in
/// blocks of 64, and four more once a place of its block is reused. A block without
/// children frees their memory, except for one block, so that a merge whose size varies
/// a little does not allocate. About three bytes per child remain until
/// [`shrink_to_fit`](Self::shrink_to_fit) or the drop of the merge, which drops the
/// children in the order of their places. A waker that outlives
/// the merge keeps at most nine kilobytes.
///
/// # Wakers
///
/// The wakers of children are `Send + Sync`, and may outlive the child, the merge
/// and the thread. They do nothing once the merge is dropped. They take no lock and
/// never wait. A thread that the system suspends in the middle of a wake can delay
/// the wakes of the 63 neighbors, and those of all children if the merge is parked,
/// until it runs again.
///
/// # Cancel safety
///
/// `poll_next` returns an item as soon as it has one. A future that awaits the
/// next item may be dropped at any time, and no item is lost.
///
/// # Panics
///
/// A child that panics in `poll_next`, or in the `size_hint` after an item, is dropped,
/// and the panic propagates to the caller. The merge remains usable, and ends when the
/// other children have ended. If the drop of that child panics too, the process aborts.
/// If a child's drop panics after its last item, that item is lost.
///
/// # Examples
///
/// ```
/// use active_status::Merge;
/// use futures::{StreamExt, executor::block_on, stream};
///
/// let workers = [vec![1, 4], vec![2], vec![3, 5]];
/// let merge: Merge<_> = workers.into_iter().map(stream::iter).collect();
/// assert_eq!(block_on(merge.collect::<Vec<_>>()), [1, 2, 3, 4, 5]);
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct Merge<S> {
    /// First, so that it is dropped first: the parent's waker is released
    /// before the drop of any child runs.
    pub(super) inbox: Inbox,
    pub(super) ready: ReadySet<S>,
    /// The blocks with an empty slot.
    vacancies: Tree,
    /// The block that last lost all of its children. It keeps its chunk, so that a merge
    /// whose size varies a little does not allocate.
    spare: usize,
    pub(super) generations: Generations,
    /// The number of children.
    pub(super) len: usize,
    /// How many more children were announced.
    expected: usize,
    pub(super) budget: Budget,
    pub(super) contention: Contention,
    pub(super) coop: Coop,
    /// Whether the merge is pending while it has no children.
    pub(super) stays_open: bool,
    /// Whether `poll_event` is running, which reports `ended`.
    pub(super) notes_ends: bool,
    /// The last child that ended or panicked and was not reported yet.
    pub(super) ended: Option<Key>,
    /// Whether `poll_next` returned `None` last.
    pub(super) terminated: bool,
}

/// Children are pinned in their chunks; nothing in the merge itself is.
impl<S> Unpin for Merge<S> {}

impl<S> Merge<S> {
    /// Creates a merge without children, which ends at once.
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// Creates a merge without children whose first `children` children are stored
    /// in chunks of exact sizes. More may be pushed.
    ///
    /// # Panics
    ///
    /// Panics if the memory besides the children themselves, one or two words per block
    /// of 64, exceeds `isize::MAX` bytes.
    pub fn with_capacity(children: usize) -> Self {
        let blocks = children.div_ceil(CHUNK);
        let inbox = Inbox::new(blocks.clamp(1, SLAB));
        let mut ready = ReadySet::new();
        ready.blocks.reserve_exact(blocks);
        Self {
            inbox,
            ready,
            vacancies: Tree::new(),
            spare: 0,
            generations: Generations::new(),
            len: 0,
            expected: children,
            budget: Budget::new(),
            contention: Contention::new(),
            coop: Coop::new(),
            stays_open: false,
            notes_ends: false,
            ended: None,
            terminated: false,
        }
    }

    /// Sets the number of children that are polled before the merge yields to the
    /// executor. The default is 32. 0 counts as 1; with `u32::MAX` the merge yields only
    /// if all children that it polls in a round wake themselves.
    pub fn with_budget(mut self, children: u32) -> Self {
        self.budget.set_limit(children);
        self
    }

    /// Returns the number of children that are polled before the merge yields to the
    /// executor.
    pub const fn budget(&self) -> u32 {
        self.budget.limit()
    }

    /// Sets how the merge checks whether its task has cooperative budget left, for executors
    /// that limit the operations of a task: on tokio,
    /// `tokio::task::coop::has_budget_remaining`, which the feature `tokio` sets for every
    /// merge.
    ///
    /// The merge checks after each child poll that is pending. If the task has no budget
    /// left, the executor may have refused the child, so the merge yields, and polls that
    /// child first afterwards. A child that was pending for another reason is polled once more.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::Merge;
    /// use tokio::task::coop::has_budget_remaining;
    ///
    /// let merge = Merge::new().with_coop_check(has_budget_remaining);
    /// # let _: Merge<futures::stream::Empty<()>> = merge;
    /// ```
    pub fn with_coop_check(mut self, has_budget: fn() -> bool) -> Self {
        self.coop = Coop::ask(has_budget);
        self
    }

    /// Returns the number of children that have not ended.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Returns whether the merge has no children.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a child, and wakes the task that waits for the merge. The child
    /// takes the place of one that ended, if there is such a place.
    pub fn push(&mut self, child: S) -> Key {
        let block = self.vacancies.first().unwrap_or_else(|| self.add_block());
        self.add_chunk(block);
        let parent = self.unpark();
        let new = self.ready.blocks.insert(block, child);
        if new.is_full {
            self.vacancies.remove(block);
        } else {
            self.vacancies.insert(block);
        }
        let index = ready::join(block, new.place);
        if new.is_reused && !self.generations.renew(index) {
            self.ready.blocks.retire(block, new.place);
        }
        self.ready.mark(block, 1 << new.place);
        self.len += 1;
        self.expected = self.expected.saturating_sub(1);
        self.terminated = false;
        drop(parent);
        self.generations.key(index)
    }

    /// Drops a child in place. Returns whether it was there: `false` for a child
    /// that ended or was removed before.
    ///
    /// Takes constant time. If it was the last child, the merge has ended, and the
    /// task that waits for it is woken.
    pub fn remove(&mut self, key: Key) -> bool {
        let found = self.contains(key);
        if found {
            let _parent = if self.len == 1 { self.unpark() } else { WakeOnDrop(None) };
            let (block, place) = split(key.index);
            self.evict(block, place);
        }
        found
    }

    /// Removes a child and returns it, unless it has ended or been removed. Like
    /// [`remove`](Self::remove), for children that may be moved: those that are `Unpin`,
    /// as every `Pin<Box<_>>` is.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::Merge;
    /// use futures::{StreamExt, executor::block_on, stream};
    ///
    /// let mut merge = Merge::new();
    /// let key = merge.push(stream::iter([1, 2, 3]));
    /// assert_eq!(block_on(merge.next()), Some(1));
    /// let rest = merge.extract(key).unwrap();
    /// assert!(merge.is_empty());
    /// assert_eq!(block_on(rest.collect::<Vec<_>>()), [2, 3]);
    /// ```
    pub fn extract(&mut self, key: Key) -> Option<S>
    where
        S: Unpin,
    {
        if !self.contains(key) {
            return None;
        }
        let _parent = if self.len == 1 { self.unpark() } else { WakeOnDrop(None) };
        let (block, place) = split(key.index);
        self.take_out(block, place)
    }

    /// Takes the first child of a block, with its key.
    pub(super) fn take_first(&mut self, block: usize) -> Option<(Key, S)>
    where
        S: Unpin,
    {
        let (place, _) = self.ready.blocks.get(block)?.iter().next()?;
        let key = self.generations.key(ready::join(block, place));
        Some((key, self.take_out(block, place)?))
    }

    fn take_out(&mut self, block: usize, place: usize) -> Option<S>
    where
        S: Unpin,
    {
        self.ready.unmark(block, place);
        let child = self.ready.blocks.take(block, place, || self.vacancies.insert(block))?;
        self.len -= 1;
        if self.ready.blocks.get(block).is_some_and(|slots| slots.occupied() == 0) {
            self.keep_spare(block);
        }
        Some(child)
    }

    /// Drops all children for which `keep` returns `false`, in place.
    ///
    /// Children that stay are not polled for it. If none stays, the task that waits for
    /// the merge is woken.
    pub fn retain(&mut self, mut keep: impl FnMut(Key, &S) -> bool) {
        for block in 0..self.ready.blocks.len() {
            let mut left = self.ready.blocks.get(block).map_or(0, Slots::occupied);
            while left != 0 {
                let place = left.trailing_zeros() as usize;
                left &= left - 1;
                let key = self.generations.key(ready::join(block, place));
                if self.get(key).is_some_and(|child| !keep(key, child)) {
                    self.remove(key);
                }
            }
        }
    }

    /// Drops all children, and wakes the task that waits for the merge.
    ///
    /// If the drop of a child panics, the others are dropped nevertheless, and the
    /// panic propagates.
    pub fn clear(&mut self) {
        let _parent = self.unpark();
        self.len = 0;
        self.ready.unmark_all();
        for block in 0..self.ready.blocks.len() {
            self.generations.restart(block);
            if self.generations.is_exhausted(block) {
                self.vacancies.remove(block);
            } else {
                self.vacancies.insert(block);
            }
        }
        self.ready.blocks.clear();
    }

    /// Frees memory that the present children do not need.
    ///
    /// The merge itself frees the memory of children as they leave, in blocks of up to 64,
    /// except for one block and about three bytes per child of the largest number at a
    /// time. This frees that block, and if the merge is empty also the bytes.
    pub fn shrink_to_fit(&mut self) {
        self.free_chunk(self.spare);
        self.generations.shrink_to_fit();
        self.ready.blocks.shrink_to_fit();
        if self.len > 0 {
            return;
        }
        let _parent = self.unpark();
        for block in 0..self.ready.blocks.len() {
            self.generations.restart(block);
        }
        self.inbox = Inbox::new(1);
        self.ready = ReadySet::new();
        self.vacancies = Tree::new();
    }

    /// Returns whether the child has neither ended nor been removed.
    pub fn contains(&self, key: Key) -> bool {
        self.get(key).is_some()
    }

    /// Returns the child, unless it has ended or been removed.
    pub fn get(&self, key: Key) -> Option<&S> {
        let (block, place) = split(key.index);
        let child = self.ready.blocks.get(block)?.get(place)?;
        (self.generations.key(key.index) == key).then_some(child)
    }

    /// Returns the pinned child, unless it has ended or been removed.
    ///
    /// Since the caller is likely to change the child, the merge polls it even if
    /// it is not woken, and the task that waits for the merge is woken.
    pub fn get_pin_mut(&mut self, key: Key) -> Option<Pin<&mut S>> {
        if !self.contains(key) {
            return None;
        }
        let (block, place) = split(key.index);
        let parent = self.unpark();
        self.ready.mark(block, 1 << place);
        drop(parent);
        self.ready.blocks.get_pin_mut(block, place)
    }

    /// Iterates over the keys of all children, in the order of their places.
    pub fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.iter().map(|(key, _)| key)
    }

    /// Iterates over all children with their keys, in the order of their places.
    pub fn iter(&self) -> Iter<'_, S> {
        Iter::new(&self.generations, self.ready.blocks.iter())
    }

    /// Iterates over all children mutably, with their keys, in the order of their places.
    ///
    /// As after [`get_pin_mut`](Self::get_pin_mut), the merge polls all children even if
    /// they are not woken.
    pub fn iter_mut(&mut self) -> IterMut<'_, S>
    where
        S: Unpin,
    {
        IterMut::new(self.iter_pin_mut())
    }

    /// Iterates over all pinned children mutably, with their keys, in the order of their
    /// places.
    ///
    /// As after [`get_pin_mut`](Self::get_pin_mut), the merge polls all children even if
    /// they are not woken.
    pub fn iter_pin_mut(&mut self) -> IterPinMut<'_, S> {
        let parent = self.unpark();
        for block in 0..self.ready.blocks.len() {
            self.ready.mark(block, usize::MAX);
        }
        drop(parent);
        IterPinMut::new(&self.generations, self.ready.blocks.iter_mut())
    }

    /// Sets whether the merge stays open while it has no children: it is then pending, and
    /// the next [`push`](Self::push) wakes the task that waits for it. By default, the
    /// merge ends.
    ///
    /// # Examples
    ///
    /// A server that waits for its first connection:
    ///
    /// ```
    /// use active_status::Merge;
    /// use futures::{FutureExt, StreamExt, stream};
    ///
    /// let mut connections = Merge::new();
    /// connections.stay_open(true);
    /// assert_eq!(connections.next().now_or_never(), None);
    /// connections.push(stream::iter(["request"]));
    /// assert_eq!(connections.next().now_or_never(), Some(Some("request")));
    /// connections.stay_open(false);
    /// assert_eq!(connections.next().now_or_never(), Some(None));
    /// ```
    pub fn stay_open(&mut self, open: bool) {
        let _parent = if self.len == 0 && !open { self.unpark() } else { WakeOnDrop(None) };
        self.stays_open = open;
    }

    /// Pairs each item with the key of the child that yielded it.
    ///
    /// # Examples
    ///
    /// The first answer wins, and its worker is stopped:
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
        Keyed::new(self)
    }

    /// Waits until all workers have ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::{once, run_workers};
    /// use std::cell::Cell;
    ///
    /// let sum = Cell::new(0);
    /// let pool = run_workers(4, |id| {
    ///     let sum = &sum;
    ///     once(async move { sum.set(sum.get() + id.get()) })
    /// });
    /// futures::executor::block_on(pool.join());
    /// assert_eq!(sum.get(), 10);
    /// ```
    pub fn join(self) -> Join<S>
    where
        S: Stream<Item = ()>,
    {
        Join::new(self)
    }

    /// Waits until all workers have ended, or until the first one fails.
    ///
    /// The workers that are still running are dropped with the future, which an `.await`
    /// does as soon as it returns.
    ///
    /// # Errors
    ///
    /// Returns the error of the worker that failed first.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::{once, run_workers};
    ///
    /// let pool = run_workers(4, |id| {
    ///     once(async move { if id.get() == 3 { Err("worker 3 failed") } else { Ok(()) } })
    /// });
    /// assert_eq!(futures::executor::block_on(pool.try_join()), Err("worker 3 failed"));
    /// ```
    pub fn try_join<E>(self) -> TryJoin<S>
    where
        S: Stream<Item = Result<(), E>>,
    {
        TryJoin::new(self)
    }

    /// Adds a block, which is no vacancy yet.
    fn add_block(&mut self) -> usize {
        let block = self.ready.blocks.len();
        // As many blocks of wakers as will be needed, or an eighth more.
        let room = self.expected.div_ceil(CHUNK).max(block / 8).clamp(1, SLAB);
        let capacity = self.capacity(block);
        let wakers = self.inbox.wakers(block, room);
        self.ready.push(capacity, wakers);
        self.vacancies.grow(block + 1);
        if self.generations.is_exhausted(block) {
            return self.add_block();
        }
        block
    }

    /// Returns the number of slots of a new block: exact if the number of children to
    /// come is known, and twice as large as the block before otherwise.
    fn capacity(&self, block: usize) -> usize {
        if self.expected > 0 {
            return self.expected.min(CHUNK);
        }
        let before = block.checked_sub(1).and_then(|before| self.ready.blocks.get(before));
        before.map_or(0, |before| 2 * before.capacity()).clamp(Self::FIRST_CHUNK, CHUNK)
    }

    /// The number of slots in the first chunk of a merge whose size is not known in
    /// advance: as `Vec` does.
    const FIRST_CHUNK: usize = if size_of::<S>() <= 1024 { 4 } else { 1 };

    /// Allocates the chunk of a block that has none, for as many children as there are or
    /// are announced.
    fn add_chunk(&mut self, block: usize) {
        if self.ready.blocks.get(block).is_some_and(|slots| slots.capacity() == 0) {
            let children = self.len.max(self.expected).min(CHUNK);
            let capacity = children.next_power_of_two().clamp(Self::FIRST_CHUNK, CHUNK);
            self.ready.blocks.resize(block, capacity);
        }
    }

    /// Frees the chunk of a block without children.
    fn free_chunk(&mut self, block: usize) {
        if !self.is_spare(block) {
            return;
        }
        self.ready.blocks.resize(block, 0);
        self.generations.restart(block);
        if self.generations.is_exhausted(block) {
            self.vacancies.remove(block);
        } else {
            self.vacancies.insert(block);
        }
    }

    /// Returns whether a block has slots and no children.
    fn is_spare(&self, block: usize) -> bool {
        let slots = self.ready.blocks.get(block);
        slots.is_some_and(|slots| slots.occupied() == 0 && slots.capacity() > 0)
    }

    /// Keeps the chunk of a block that lost its last child, or that of the present spare
    /// block if it comes earlier, and frees the other one.
    #[inline(never)]
    fn keep_spare(&mut self, block: usize) {
        let (kept, freed) = (self.spare.min(block), self.spare.max(block));
        if kept == freed || !self.is_spare(self.spare) {
            self.spare = block;
            return;
        }
        self.spare = kept;
        self.free_chunk(freed);
    }

    /// Takes the merge out of its parked state, if it is parked. The result wakes
    /// the task that waits for the merge at the end of its scope.
    fn unpark(&mut self) -> WakeOnDrop {
        let ready = &mut self.ready;
        WakeOnDrop(self.inbox.unpark(|block, woken| ready.mark(block, woken)))
    }

    /// Drops a child, after the merge has forgotten it.
    fn evict(&mut self, block: usize, place: usize) {
        self.ready.unmark(block, place);
        self.len -= 1;
        if self.ready.blocks.remove(block, place, || self.vacancies.insert(block)) {
            self.keep_spare(block);
        }
    }

    /// As [`evict`](Self::evict), for a child of the present block.
    #[inline]
    pub(super) fn evict_present(&mut self, place: usize) {
        self.len -= 1;
        let block = self.ready.blocks.index();
        if self.ready.blocks.remove_present(place, || self.vacancies.insert(block)) {
            self.keep_spare(block);
        }
    }
}

impl<S: Stream> Merge<S> {
    /// Waits for items, and takes up to `limit` of those that are ready: see
    /// [`poll_next_many`](Self::poll_next_many). The output is the number of items
    /// taken, which is 0 if the merge has ended or `limit` is 0.
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
        NextMany::new(self, items, limit)
    }

    /// Polls for up to `limit` items that are ready, and appends them to `items` in
    /// the order in which `poll_next` would return them. This saves a
    /// call through the layers of the task for each item.
    ///
    /// - `Ready(n)` with `n` above 0: `n` items were appended. If `n` is less than
    ///   `limit`, either no more items are ready or the [budget](Self::budget) is
    ///   spent, which also bounds the child polls of one call.
    /// - `Ready(0)`: the merge has ended, or `limit` is 0.
    /// - `Pending`: no item was appended; the task will be woken.
    ///
    /// If a child panics, the items appended before the panic are kept.
    pub fn poll_next_many(
        &mut self,
        cx: &mut Context<'_>,
        items: &mut Vec<S::Item>,
        limit: usize,
    ) -> Poll<usize> {
        self.poll_many(cx, limit, |_, item| items.push(item))
    }
}

impl<S: Stream> Stream for Merge<S> {
    type Item = S::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.get_mut().poll_item(cx)
    }

    /// Returns the sums of the children's bounds.
    ///
    /// Asks at most 64 children, and none after one without an upper bound: the lower
    /// bound counts those that were asked, and with more children there is no upper bound. A
    /// merge that [stays open](Self::stay_open) has none either.
    fn size_hint(&self) -> (usize, Option<usize>) {
        let (mut low, mut high) = (0_usize, 0_usize);
        for (asked, (_, child)) in self.iter().enumerate() {
            if asked == HINTS {
                return (low, None);
            }
            let (child_low, child_high) = child.size_hint();
            low = low.saturating_add(child_low);
            match child_high.and_then(|child| high.checked_add(child)) {
                Some(sum) => high = sum,
                None => return (low, None),
            }
        }
        (low, Some(high).filter(|_| !self.stays_open))
    }
}

/// Terminated after `poll_next` returned `None`, until a child is pushed.
impl<S: Stream> FusedStream for Merge<S> {
    fn is_terminated(&self) -> bool {
        self.terminated
    }
}

impl<S> Default for Merge<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> FromIterator<S> for Merge<S> {
    fn from_iter<I: IntoIterator<Item = S>>(children: I) -> Self {
        let children = children.into_iter();
        let mut merge = Self::with_capacity(children.size_hint().0);
        merge.extend(children);
        merge
    }
}

impl<S> Extend<S> for Merge<S> {
    fn extend<I: IntoIterator<Item = S>>(&mut self, children: I) {
        let mut children = children.into_iter();
        let announced = children.size_hint().0;
        self.ready.blocks.reserve(announced.div_ceil(CHUNK));
        self.expected = self.expected.max(announced);
        while let Some(child) = children.next() {
            if self.vacancies.first().is_some() {
                self.push(child);
                continue;
            }
            let _parent = self.unpark();
            let block = self.add_block();
            let fill = CountOnDrop { merge: self, block };
            fill.merge.ready.blocks.fill(block, child, &mut children);
        }
    }
}

impl<S> fmt::Debug for Merge<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merge")
            .field("len", &self.len)
            .field("budget", &self.budget())
            .field("terminated", &self.terminated)
            .finish_non_exhaustive()
    }
}

/// Counts the children of a new block, even if their iterator panics.
struct CountOnDrop<'a, S> {
    merge: &'a mut Merge<S>,
    block: usize,
}

impl<S> Drop for CountOnDrop<'_, S> {
    fn drop(&mut self) {
        let Self { merge, block } = self;
        let slots = merge.ready.blocks.get(*block);
        let (children, vacant) = slots.map_or((0, 0), |slots| (slots.occupied(), slots.vacant()));
        // They fill the first slots.
        let count = (usize::BITS - children.leading_zeros()) as usize;
        merge.ready.mark(*block, children);
        merge.len += count;
        merge.expected = merge.expected.saturating_sub(count);
        merge.terminated &= count == 0;
        if vacant != 0 {
            merge.vacancies.insert(*block);
        }
    }
}

/// Wakes the parent at the end of a scope, even if the drop of a child panics there.
struct WakeOnDrop(Option<Waker>);

impl Drop for WakeOnDrop {
    fn drop(&mut self) {
        if let Some(parent) = self.0.take() {
            parent.wake();
        }
    }
}

#[cfg(all(test, not(active_status_loom)))]
mod tests {
    use alloc::rc::Rc;
    use core::cell::Cell;
    use core::iter;
    use core::mem;

    use futures::stream;

    use super::*;

    #[test]
    fn a_place_without_unused_keys_is_not_reused() {
        let mut merge = Merge::new();
        let worn = merge.push(0);
        merge.remove(worn);
        merge.generations.wear_out(worn.index);
        let last = merge.push(1);
        assert_eq!((last.index, last.generation), (worn.index, u32::MAX));
        merge.remove(last);
        let next = merge.push(2);
        assert_ne!(next.index, worn.index);
        merge.clear();
        assert_ne!(merge.push(3).index, worn.index);
        assert!(!merge.contains(worn) && !merge.contains(last));
    }

    /// Returns a merge of 100 children under contention. They always have an item, except
    /// for the one at this place, which waits. Its waker comes with the merge.
    fn contended(idle: usize) -> (Merge<impl Stream<Item = usize>>, Waker) {
        let waker = Rc::new(Cell::new(None));
        let child = |place| {
            let (waker, mut waited) = (waker.clone(), place != idle);
            stream::poll_fn(move |cx| {
                if mem::replace(&mut waited, true) {
                    return Poll::Ready(Some(place));
                }
                waker.set(Some(cx.waker().clone()));
                Poll::Pending
            })
        };
        let children: Vec<_> = (0..100).map(child).collect();
        let mut merge = children.into_iter().collect::<Merge<_>>().with_budget(u32::MAX);
        items(&mut merge, 99);
        merge.contention.find();
        (merge, waker.take().unwrap())
    }

    fn items<S: Stream<Item = usize>>(merge: &mut Merge<S>, count: usize) -> Vec<usize> {
        let cx = &mut Context::from_waker(Waker::noop());
        let next = || match Pin::new(&mut *merge).poll_next(cx) {
            Poll::Ready(Some(item)) => item,
            _ => panic!("no child is ready"),
        };
        iter::repeat_with(next).take(count).collect()
    }

    #[test]
    fn under_contention_only_the_own_block_is_polled_twice() {
        let (mut merge, woken) = contended(40);
        assert_eq!(items(&mut merge, 10), Vec::from_iter(0..10));
        woken.wake();
        let before = items(&mut merge, 130);
        let places = (10..40).chain(41..100).chain(0..41);
        assert_eq!(before, Vec::from_iter(places));
    }

    #[test]
    fn under_contention_a_block_ahead_is_polled_in_the_same_round() {
        let (mut merge, woken) = contended(70);
        assert_eq!(items(&mut merge, 10), Vec::from_iter(0..10));
        woken.wake();
        assert_eq!(items(&mut merge, 61), Vec::from_iter(10..71));
    }

    #[test]
    fn contention_ends_after_64_blocks_without_a_wake() {
        let (mut merge, woken) = contended(40);
        items(&mut merge, 99 * 32 - 37);
        assert!(merge.contention.is_found(), "63 blocks were polled");
        items(&mut merge, 37 + 11);
        assert!(!merge.contention.is_found());
        woken.wake();
        assert_eq!(items(&mut merge, 30), Vec::from_iter(11..41));
    }

    #[test]
    fn wakes_by_the_polling_thread_are_no_contention() {
        let (mut merge, woken) = contended(40);
        merge.contention = Contention::new();
        for _ in 0..1_000 {
            woken.wake_by_ref();
            items(&mut merge, 7);
            assert!(!merge.contention.is_found());
        }
    }

    #[test]
    fn wakes_by_the_polling_thread_do_not_prolong_contention() {
        let (mut merge, woken) = contended(40);
        for _ in 0..10 * 100 * 64 {
            woken.wake_by_ref();
            items(&mut merge, 1);
        }
        assert!(!merge.contention.is_found());
    }

    #[test]
    fn a_known_number_of_children_gets_exact_chunks() {
        let capacities = |merge: &Merge<u8>| -> Vec<usize> {
            merge.ready.blocks.iter().map(Slots::capacity).collect()
        };
        let known: Merge<u8> = (0..CHUNK as u8 + 7).collect();
        assert_eq!(capacities(&known), [CHUNK, 7]);
        let mut unknown = Merge::new();
        unknown.extend((0..100).filter(|_| true));
        assert_eq!(capacities(&unknown), [4, 8, 16, 32, CHUNK]);
    }
}
