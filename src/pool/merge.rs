//! The fair merge.

use alloc::vec::Vec;
use core::fmt;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use futures_core::{FusedStream, Stream};

use crate::pool::key::{Generations, Key};
use crate::pool::ready::{self, Turns, places, split};
use crate::pool::slots::Slots;
use crate::pool::tree::Tree;
use crate::pool::wake::{self, Inbox, Park, Wakers};

/// How many children one `poll_next` polls at most, unless told otherwise.
const BUDGET: u32 = 32;

/// How many slots a chunk has at most.
const CHUNK: usize = usize::BITS as usize;

/// How many slots the first chunk has when it is not known how many children
/// will come.
const FIRST_CHUNK: usize = 4;

/// After how many looks a rush is over. If it goes on, it begins anew.
const RUSH: u8 = 64;

/// Many streams as one, fair to each of them.
///
/// Items come as they are ready. The merge ends when all of its children have
/// ended; [`push`](Self::push) brings it back. The [guide](crate::guide) says how
/// it [works](crate::guide::merge) and how it [compares](crate::guide::compare).
///
/// Children need not be `Unpin`: they are pinned where they are put, and never
/// moved until they are dropped. They may borrow, and the merge itself is
/// always `Unpin`.
///
/// # Fairness
///
/// - **Bounded bypass**: once a child was woken, every other child is polled at
///   most once before it. While other threads wake children as fast as these are
///   polled, and for up to 64 blocks after, those in its block of 64 may be polled
///   twice. One that is pushed in the middle of a round may have its first turn in
///   the next.
/// - **Equal shares**: among children that are always ready, the numbers of
///   items never differ by more than one. Items come in order of place, round
///   after round, whatever the order of wakes.
/// - **Bounded work**: one `poll_next` polls at most [`budget`](Self::budget)
///   children, and counts those that are pending and those that end.
/// - **Cooperation**: after `budget` child polls without a `Pending`, the merge
///   wakes itself and returns `Pending` once, so that the executor has its turn
///   on any executor. On tokio this keeps shares equal too, as long as the task
///   spends no more than 128 of tokio's cooperative operations in between: at
///   the default budget, up to three an item besides the merge.
///
/// A `Pending` for the budget's sake does not mean that nothing is ready. So
/// `now_or_never` may say `None` (call it again), `ready_chunks` ends a chunk,
/// `forward` flushes, `select!` may take its `default`.
///
/// In a merge of merges only the outermost returns such a `Pending`, but for one
/// that has polled `budget` children in one `poll_next`, or that a child loops
/// over: that one does too, so that the loop ends.
///
/// # Cost
///
/// A poll costs what the ready children cost: idle children cost nothing,
/// however many. No item allocates. A child takes two bytes beside the stream
/// itself, in blocks of 64, and four more once a place in its block was taken
/// twice; memory follows the greatest number of children at a time, and is given
/// back when the merge is dropped.
///
/// # Wakers
///
/// The wakers that children get are `Send + Sync` and may outlive the child,
/// the merge and the thread; when the merge is gone they do nothing. They take
/// no lock and never wait. But a thread that the system stops in the middle of
/// a wake can delay the wakes of the 63 neighbours, and if the merge is parked
/// those of all children, until it runs again.
///
/// # Cancel safety
///
/// `poll_next` gives an item as soon as it has one. A future that awaits the
/// next item may be dropped at any time, and no item is lost.
///
/// # Panics
///
/// A child that panics in `poll_next` is dropped, and the panic goes on to who
/// polled the merge. The merge can be used further, and ends when the other
/// children have ended. If the child's drop panics too, the process aborts.
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
    /// before any child's drop runs.
    inbox: Inbox,
    turns: Turns<Home<S>>,
    /// The blocks with an empty slot.
    vacancies: Tree,
    generations: Generations,
    /// How many children there are.
    len: usize,
    /// How many more children were announced when the merge was made.
    expected: usize,
    budget: u32,
    /// The number of polls at which the budget is spent.
    spent: usize,
    /// The poll by the merge above in which this one last got a new budget.
    renewed: Option<usize>,
    /// Not 0 in a rush: another thread wakes children as fast as they are polled.
    /// Then the merge looks for news after each block and not before each child,
    /// for every look moves cache lines between cores. So many looks are left of
    /// the rush.
    pub(super) rush: u8,
    /// Whether `None` was the last that was said.
    terminated: bool,
}

/// A child: its block and its place there.
type Child = (usize, usize);

/// Where a block of children lives.
struct Home<S> {
    /// Dropped before the wakers that the children may have been lent.
    slots: Slots<S>,
    wakers: Wakers,
}

/// Children are pinned in chunks of their own; nothing in the merge itself is.
impl<S> Unpin for Merge<S> {}

impl<S> Merge<S> {
    /// A merge without children. It ends at once.
    pub fn new() -> Self {
        Self::with_room(1)
    }

    fn with_room(blocks: usize) -> Self {
        Self {
            inbox: Inbox::new(blocks),
            turns: Turns::new(),
            vacancies: Tree::new(),
            generations: Generations::new(),
            len: 0,
            expected: 0,
            budget: BUDGET,
            spent: BUDGET as usize,
            renewed: None,
            rush: 0,
            terminated: false,
        }
    }

    /// A merge without children, for so many of them: they will stand in chunks
    /// of exact sizes. More may come.
    ///
    /// # Panics
    ///
    /// If what they need besides their own memory, a word or two for each block of
    /// 64, is more than `isize::MAX` bytes.
    pub fn with_capacity(children: usize) -> Self {
        let blocks = children.div_ceil(CHUNK);
        let mut merge = Self::with_room(blocks.max(1));
        merge.expected = children;
        merge.turns.reserve_exact(blocks);
        merge
    }

    /// Sets how many children are polled before the executor has a turn. The
    /// default is 32. 0 means 1, and with `u32::MAX` the merge never yields.
    pub fn budget(mut self, children: u32) -> Self {
        self.budget = children.max(1);
        self.renew_budget();
        self
    }

    /// How many children there are: those that have not ended.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no children.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a child, and wakes the task that waits for the merge. The child
    /// takes the place of one that ended, if there is such a place.
    pub fn push(&mut self, child: S) -> Key {
        let block = self.vacancies.first().unwrap_or_else(|| self.add_block());
        let parent = self.unpark();
        let vacant = self.vacant(block);
        let place = vacant.trailing_zeros() as usize;
        if vacant == 1 << place {
            self.vacancies.remove(block);
        }
        let index = ready::join(block, place);
        let home = self.turns.get_mut(block).expect("vacancies are in blocks");
        if home.slots.insert(place, child) {
            self.generations.renew(index);
        }
        self.turns.mark(block, 1 << place);
        self.len += 1;
        self.expected = self.expected.saturating_sub(1);
        self.terminated = false;
        drop(parent);
        self.generations.key(index)
    }

    /// Drops a child, where it is. Tells whether it was there: `false` for one
    /// that ended or was removed before.
    ///
    /// Takes the same time however many children there are. If it was the last
    /// one, the task that waits for the merge is woken, for the merge has ended.
    pub fn remove(&mut self, key: Key) -> bool {
        let there = self.contains(key);
        if there {
            let _parent = if self.len == 1 { self.unpark() } else { WakeOnDrop(None) };
            let (block, place) = split(key.index);
            self.evict(block, place);
        }
        there
    }

    /// Drops all children, and wakes the task that waits for the merge.
    ///
    /// If a child's drop panics, the others are dropped all the same, and the
    /// panic goes on.
    pub fn clear(&mut self) {
        let _parent = self.unpark();
        self.len = 0;
        self.turns.unmark_all();
        for block in 0..self.turns.len() {
            let slots = &self.turns.get(block).expect("below the length").slots;
            if (slots.vacant() | slots.occupied()) & !self.generations.retired(block) != 0 {
                self.vacancies.insert(block);
            }
        }
        clear_all(&mut self.turns.iter_mut());
    }

    /// Whether the child is still there.
    pub fn contains(&self, key: Key) -> bool {
        self.get(key).is_some()
    }

    /// The child, if it is still there.
    pub fn get(&self, key: Key) -> Option<&S> {
        let (block, place) = split(key.index);
        let child = self.turns.get(block)?.slots.get(place)?;
        (self.generations.key(key.index) == key).then_some(child)
    }

    /// The child, if it is still there. It will be polled, whether it was woken
    /// or not, for who asks for it is likely to change it; the task that waits
    /// for the merge is woken.
    pub fn get_pin_mut(&mut self, key: Key) -> Option<Pin<&mut S>> {
        if !self.contains(key) {
            return None;
        }
        let (block, place) = split(key.index);
        let parent = self.unpark();
        self.turns.mark(block, 1 << place);
        drop(parent);
        self.turns.get_mut(block)?.slots.get_pin_mut(place)
    }

    /// The keys of all children, in order of place.
    pub fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.iter().map(|(key, _)| key)
    }

    /// All children with their keys, in order of place.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &S)> {
        self.turns.iter().enumerate().flat_map(move |(block, home)| {
            places(home.slots.occupied()).filter_map(move |place| {
                let key = self.generations.key(ready::join(block, place));
                Some((key, home.slots.get(place)?))
            })
        })
    }

    /// Adds a block: of the exact size if it is known how many children will
    /// come, else twice as large as the last.
    fn add_block(&mut self) -> usize {
        let block = self.turns.len();
        let capacity = match block.checked_sub(1).and_then(|last| self.turns.get(last)) {
            _ if self.expected > 0 => self.expected.min(CHUNK),
            Some(last) => (2 * last.slots.capacity()).clamp(FIRST_CHUNK, CHUNK),
            None => FIRST_CHUNK,
        };
        let slots = Slots::new(capacity);
        // As many blocks of wakers as will be needed, or an eighth more.
        let room = self.expected.div_ceil(CHUNK).max(block / 8);
        let wakers = self.inbox.wakers(block, room);
        self.turns.push(Home { slots, wakers });
        self.vacancies.grow(block + 1);
        self.vacancies.insert(block);
        block
    }

    /// The slots of a block that may get a child.
    fn vacant(&self, block: usize) -> usize {
        let vacant = self.turns.get(block).map_or(0, |home| home.slots.vacant());
        vacant & !self.generations.retired(block)
    }

    /// Marks as ready the children that were woken.
    fn fold(&mut self) {
        self.inbox.take(|block, woken| mark_live(&mut self.turns, block, woken));
    }

    /// Folds what there is, before the poll of a child. If more has come in
    /// meanwhile, there is a rush: no code but ours ran here, so another thread
    /// wakes children.
    #[inline(never)]
    fn fold_before_child(&mut self) {
        self.fold();
        if self.inbox.has_news() {
            self.rush = RUSH;
        }
    }

    /// Folds what there is, in a rush, and comes nearer to its end, whether there
    /// is news or not: it may be of this very thread. Whether a child of the
    /// present block has its turn to come.
    #[inline(never)]
    fn fold_after_block(&mut self) -> bool {
        self.rush -= 1;
        if self.inbox.has_news() {
            self.fold();
        }
        self.turns.is_open()
    }

    #[inline]
    fn is_spent(&self) -> bool {
        self.inbox.polls() == self.spent
    }

    fn renew_budget(&mut self) {
        self.spent = self.inbox.polls().wrapping_add(self.budget as usize);
    }

    /// Whether a poll of the merge, which began at this number of polls, may go
    /// on although the budget is spent.
    ///
    /// A merge in a merge leaves it to the one above to yield: it gets a new
    /// budget each time that one polls it, less what this poll has spent. Not
    /// more often, for a child that loops over a merge of its own would never
    /// end.
    #[cold]
    fn may_go_on(&mut self, began: usize, parent: &Waker) -> bool {
        if self.budget == u32::MAX {
            self.renew_budget();
            return true;
        }
        let above = wake::polls_above(parent);
        if above.is_some() && above != self.renewed {
            self.renewed = above;
            self.spent = began.wrapping_add(self.budget as usize);
        }
        !self.is_spent()
    }

    /// If the merge is parked, it no longer is, and the result wakes the task
    /// that waits for it, at the end of its scope.
    fn unpark(&mut self) -> WakeOnDrop {
        let turns = &mut self.turns;
        WakeOnDrop(self.inbox.unpark(|block, woken| mark_live(turns, block, woken)))
    }

    /// Drops a child. All that the merge knows of it is forgotten before.
    fn evict(&mut self, block: usize, place: usize) {
        self.turns.unmark(block, place);
        self.len -= 1;
        if self.generations.retired(block) & (1 << place) == 0 {
            self.vacancies.insert(block);
        }
        if let Some(home) = self.turns.get_mut(block) {
            home.slots.remove(place);
        }
    }
}

impl<S: Stream> Merge<S> {
    /// Polls a child, which is there. One that ends or panics is dropped.
    #[inline]
    fn poll_child(&mut self, (block, place): Child) -> Poll<Option<S::Item>> {
        let evict = EvictOnDrop { merge: self, block, place };
        let home = evict.merge.turns.get_mut(block).expect("a ready child has a home");
        let child = home.slots.get_pin_mut(place).expect("a ready child is there");
        let polled = child.poll_next(&mut Context::from_waker(&home.wakers.lend(place)));
        match polled {
            Poll::Ready(None) => drop(evict),
            Poll::Ready(Some(_)) => mem::forget(evict),
            Poll::Pending => {
                evict.merge.turns.unmark(block, place);
                mem::forget(evict);
            }
        }
        polled
    }

    /// Gives children their turns until one has an item. The budget is not spent.
    #[inline]
    fn step(&mut self) -> Step<S::Item> {
        loop {
            if self.rush == 0 && self.inbox.has_news() {
                self.fold_before_child();
            }
            let child = loop {
                if let Some(child) = self.turns.take() {
                    break child;
                }
                if self.rush > 0 && self.fold_after_block() {
                    continue;
                }
                if !self.turns.advance() {
                    return Step::Idle;
                }
            };
            self.inbox.count_poll();
            if let Poll::Ready(Some(item)) = self.poll_child(child) {
                return Step::Item(item);
            }
            if self.is_spent() {
                return Step::Spent;
            }
        }
    }

    /// No child is ready: the merge has ended, or waits for the next wake.
    /// `None` if a child was woken meanwhile.
    #[inline(never)]
    fn rest(&mut self, cx: &Context<'_>) -> Option<Poll<()>> {
        if self.len == 0 {
            self.terminated = true;
            return Some(Poll::Ready(()));
        }
        let park = self.inbox.park(cx.waker());
        if park == Park::Woken {
            return None;
        }
        self.renew_budget();
        if park == Park::Busy {
            cx.waker().wake_by_ref();
        }
        Some(Poll::Pending)
    }

    /// The budget is spent: if a child is ready, the executor has its turn and
    /// then the merge again.
    #[cold]
    fn yield_now(&mut self, cx: &Context<'_>) -> Poll<()> {
        loop {
            if self.inbox.has_news() {
                self.fold();
            }
            if self.turns.any() {
                self.renew_budget();
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Some(rest) = self.rest(cx) {
                return rest;
            }
        }
    }

    #[inline]
    fn poll_turn(&mut self, cx: &Context<'_>) -> Poll<Option<S::Item>> {
        let began = self.inbox.polls();
        if self.is_spent() && !self.may_go_on(began, cx.waker()) {
            return self.yield_now(cx).map(|()| None);
        }
        loop {
            match self.step() {
                Step::Item(item) => return Poll::Ready(Some(item)),
                Step::Spent if self.may_go_on(began, cx.waker()) => {}
                Step::Spent => return self.yield_now(cx).map(|()| None),
                Step::Idle => {
                    if let Some(rest) = self.rest(cx) {
                        return rest.map(|()| None);
                    }
                }
            }
        }
    }

    /// As `poll_next`, with the key of the child that gave the item.
    pub(crate) fn poll_keyed(&mut self, cx: &Context<'_>) -> Poll<Option<(Key, S::Item)>> {
        self.poll_turn(cx).map(|next| {
            let item = next?;
            let (block, place) = self.turns.taken();
            Some((self.generations.key(ready::join(block, place)), item))
        })
    }

    /// Polls for up to `limit` items at once: those that are ready. They are
    /// added to `items` in the order in which `poll_next` would give them, which
    /// saves a trip through the task an item.
    ///
    /// - `Ready(n)` with `n` above 0: so many items were added. Fewer than
    ///   `limit` means that no more are ready, or that the [budget](Self::budget)
    ///   is spent, which is also the most that one call polls.
    /// - `Ready(0)`: the merge has ended, or `limit` is 0.
    /// - `Pending`: no item was added; the task will be woken.
    ///
    /// If a child panics, the items that were added before are in `items`.
    pub fn poll_next_many(
        &mut self,
        cx: &mut Context<'_>,
        items: &mut Vec<S::Item>,
        limit: usize,
    ) -> Poll<usize> {
        let (before, began) = (items.len(), self.inbox.polls());
        let mut spent = self.is_spent() && !self.may_go_on(began, cx.waker());
        while items.len() - before < limit && !spent {
            match self.step() {
                Step::Item(item) => items.push(item),
                Step::Spent => {}
                Step::Idle if items.len() > before => break,
                Step::Idle => {
                    if let Some(rest) = self.rest(cx) {
                        return rest.map(|()| 0);
                    }
                }
            }
            spent = self.is_spent() && !self.may_go_on(began, cx.waker());
        }
        match items.len() - before {
            0 if limit > 0 => self.yield_now(cx).map(|()| 0),
            added => Poll::Ready(added),
        }
    }
}

/// What came of giving children their turns.
enum Step<T> {
    /// An item, from the child that had its turn.
    Item(T),
    /// No child is ready.
    Idle,
    /// The budget is spent.
    Spent,
}

impl<S: Stream> Stream for Merge<S> {
    type Item = S::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.get_mut().poll_turn(cx)
    }

    /// The sums of the children's bounds. Asks each child.
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.iter().fold((0, Some(0)), |(low, high), (_, child)| {
            let (child_low, child_high) = child.size_hint();
            let high = high.zip(child_high).and_then(|(sum, child)| sum.checked_add(child));
            (low.saturating_add(child_low), high)
        })
    }
}

/// Terminated once it has said `None`, until a child is pushed.
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
        self.turns.reserve(children.size_hint().0.div_ceil(CHUNK));
        while self.vacancies.first().is_some() {
            let Some(child) = children.next() else { return };
            self.push(child);
        }
        let mut children = children.peekable();
        while children.peek().is_some() {
            let _parent = self.unpark();
            let block = self.add_block();
            let fill = CountOnDrop { merge: self, block };
            if let Some(home) = fill.merge.turns.get_mut(block) {
                home.slots.fill(&mut children);
            }
        }
    }
}

impl<S> fmt::Debug for Merge<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merge")
            .field("len", &self.len)
            .field("budget", &self.budget)
            .field("terminated", &self.terminated)
            .finish_non_exhaustive()
    }
}

/// Marks woken children as ready, but for those that are gone: a waker may
/// outlive its child.
#[inline]
fn mark_live<S>(turns: &mut Turns<Home<S>>, block: usize, woken: usize) {
    let live = turns.get(block).map_or(0, |home| home.slots.occupied());
    turns.mark(block, woken & live);
}

/// Drops the children of all these homes, also after a child whose drop panics.
fn clear_all<'a, S: 'a>(homes: &mut dyn Iterator<Item = &'a mut Home<S>>) {
    /// Goes on where a panic left off.
    struct Rest<'i, 'a, S>(&'i mut dyn Iterator<Item = &'a mut Home<S>>);
    impl<S> Drop for Rest<'_, '_, S> {
        fn drop(&mut self) {
            clear_all(self.0);
        }
    }
    let rest = Rest(homes);
    for home in &mut *rest.0 {
        home.slots.clear();
    }
    mem::forget(rest);
}

/// Drops a child that ended, or that panicked while it was polled.
struct EvictOnDrop<'a, S> {
    merge: &'a mut Merge<S>,
    block: usize,
    place: usize,
}

impl<S> Drop for EvictOnDrop<'_, S> {
    fn drop(&mut self) {
        self.merge.evict(self.block, self.place);
    }
}

/// Counts the children of a new block, also if their iterator panics.
struct CountOnDrop<'a, S> {
    merge: &'a mut Merge<S>,
    block: usize,
}

impl<S> Drop for CountOnDrop<'_, S> {
    fn drop(&mut self) {
        let Self { merge, block } = self;
        let children = merge.turns.get(*block).map_or(0, |home| home.slots.occupied());
        let count = children.count_ones() as usize;
        merge.turns.mark(*block, children);
        merge.len += count;
        merge.expected = merge.expected.saturating_sub(count);
        merge.terminated &= count == 0;
        if merge.vacant(*block) == 0 {
            merge.vacancies.remove(*block);
        }
    }
}

/// Wakes the parent at the end of a scope, also if a child's drop panics there.
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

    use futures::stream;

    use super::*;

    #[test]
    fn a_place_whose_keys_are_used_up_gets_no_other_child() {
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

    /// A merge of 100 children that always have an item and are in a rush, but
    /// for the one at this place, which waits. Its waker comes with it.
    fn rushing(idle: usize) -> (Merge<impl Stream<Item = usize>>, Waker) {
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
        let mut merge = children.into_iter().collect::<Merge<_>>().budget(u32::MAX);
        items(&mut merge, 99);
        merge.rush = RUSH;
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
    fn in_a_rush_a_child_waits_for_two_polls_of_those_in_its_block_and_one_of_others() {
        let (mut merge, woken) = rushing(40);
        assert_eq!(items(&mut merge, 10), Vec::from_iter(0..10));
        woken.wake();
        let before = items(&mut merge, 130);
        let places = (10..40).chain(41..100).chain(0..41);
        assert_eq!(before, Vec::from_iter(places));
    }

    #[test]
    fn in_a_rush_a_child_of_a_block_to_come_is_served_in_the_same_round() {
        let (mut merge, woken) = rushing(70);
        assert_eq!(items(&mut merge, 10), Vec::from_iter(0..10));
        woken.wake();
        assert_eq!(items(&mut merge, 61), Vec::from_iter(10..71));
    }

    #[test]
    fn a_rush_ends_when_blocks_pass_without_a_wake() {
        let (mut merge, woken) = rushing(40);
        let rounds = usize::from(RUSH) / 2;
        items(&mut merge, 99 * rounds - 37);
        assert_eq!(merge.rush, 1, "it looked once before each block");
        items(&mut merge, 37 + 11);
        assert_eq!(merge.rush, 0);
        woken.wake();
        assert_eq!(items(&mut merge, 30), Vec::from_iter(11..41));
    }

    #[test]
    fn wakes_by_the_thread_that_polls_make_no_rush() {
        let (mut merge, woken) = rushing(40);
        merge.rush = 0;
        for _ in 0..1_000 {
            woken.wake_by_ref();
            items(&mut merge, 7);
            assert_eq!(merge.rush, 0);
        }
    }

    #[test]
    fn wakes_by_the_thread_that_polls_do_not_keep_a_rush_up() {
        let (mut merge, woken) = rushing(40);
        for _ in 0..10 * 100 * usize::from(RUSH) {
            woken.wake_by_ref();
            items(&mut merge, 1);
        }
        assert_eq!(merge.rush, 0);
    }

    #[test]
    fn known_numbers_of_children_get_exact_chunks() {
        let capacities = |merge: &Merge<u8>| -> Vec<usize> {
            merge.turns.iter().map(|home| home.slots.capacity()).collect()
        };
        let known: Merge<u8> = (0..CHUNK as u8 + 7).collect();
        assert_eq!(capacities(&known), [CHUNK, 7]);
        let mut unknown = Merge::new();
        unknown.extend((0..100).filter(|_| true));
        assert_eq!(capacities(&unknown), [4, 8, 16, 32, CHUNK]);
    }
}
