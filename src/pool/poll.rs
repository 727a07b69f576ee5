//! How a merge is polled: which child is next, and what comes of its poll.

use core::mem;
use core::task::{Context, Poll};

use futures_core::Stream;

use crate::pool::key::Key;
use crate::pool::merge::{Merge, mark_live};
use crate::pool::ready;
use crate::pool::wake::Park;

/// The result of polling children until something happens.
enum Step<T> {
    /// The child that was polled last yielded an item.
    Item(T),
    /// No child is ready.
    Idle,
    /// The budget is spent.
    Spent,
    /// A whole round brought nothing: see [`Round`].
    Fruitless,
    /// The executor may have refused the child that was polled last: see
    /// [`Coop`](crate::pool::coop::Coop).
    Refused,
}

/// What one call has seen of the present round.
///
/// In a fruitless round no child yields an item or ends, and each polled child wakes
/// itself during its poll. Such children wait for other tasks, so the merge yields to
/// the executor, even if its budget is not spent.
struct Round {
    /// Whether the round began in this call.
    is_whole: bool,
    is_fruitless: bool,
}

impl Round {
    const fn new() -> Self {
        Self { is_whole: false, is_fruitless: true }
    }

    /// Begins a new round, unless the last one was whole and fruitless.
    const fn begin(&mut self) -> bool {
        let begins = !self.is_whole || !self.is_fruitless;
        *self = Self { is_whole: true, is_fruitless: true };
        begins
    }
}

impl<S> Merge<S> {
    /// Moves woken children into the ready set.
    fn take_wakes(&mut self) {
        self.inbox.take(|block, woken| mark_live(&mut self.ready, block, woken));
    }

    /// Takes the wakes before a child poll. If more have arrived when it is done,
    /// there is contention: only code of the merge ran, so another thread sent them.
    #[inline(never)]
    fn take_wakes_before_child(&mut self) {
        self.take_wakes();
        if self.inbox.has_wakes() {
            self.contention.find();
        }
    }

    /// Takes the wakes after a block, under contention. Returns whether a ready child
    /// of that block is ahead of the cursor.
    #[inline(never)]
    fn take_wakes_after_block(&mut self) -> bool {
        self.contention.count_block();
        if self.inbox.has_wakes() {
            self.take_wakes();
        }
        self.ready.is_open()
    }
}

impl<S: Stream> Merge<S> {
    /// Polls a child, which is there. One that ends or panics is dropped, and so is one
    /// that says after an item that no further one follows: a `once` leaves with its
    /// output.
    #[inline]
    fn poll_child(&mut self, (block, place): (usize, usize)) -> Poll<Option<S::Item>> {
        let evict = EvictOnDrop { merge: self, block, place };
        let children = evict.merge.ready.get_mut(block).expect("a ready child is in a block");
        let mut child = children.slots.get_pin_mut(place).expect("a ready child is in its slot");
        let waker = children.wakers.borrow(place);
        let polled = child.as_mut().poll_next(&mut Context::from_waker(&waker));
        match polled {
            Poll::Ready(None) => drop(evict),
            Poll::Ready(Some(_)) if child.size_hint().1 == Some(0) => drop(evict),
            Poll::Ready(Some(_)) => mem::forget(evict),
            Poll::Pending => {
                evict.merge.ready.unmark(block, place);
                mem::forget(evict);
            }
        }
        polled
    }

    /// Polls ready children until one yields an item. The budget is not spent.
    #[inline]
    fn step(&mut self, round: &mut Round) -> Step<S::Item> {
        let mut pending = None;
        loop {
            if !self.contention.is_found() && self.inbox.has_wakes() {
                self.take_wakes_before_child();
            }
            if let Some((block, place)) = pending {
                round.is_fruitless &= self.ready.contains(block, place);
            }
            if self.budget.is_spent() {
                return Step::Spent;
            }
            let child = loop {
                if let Some(child) = self.ready.take() {
                    break child;
                }
                if self.contention.is_found() && self.take_wakes_after_block() {
                    continue;
                }
                let Some(next) = self.ready.next() else { return Step::Idle };
                if next.begins_round && !round.begin() {
                    return Step::Fruitless;
                }
                self.ready.advance(next);
                self.inbox.count_pass();
            };
            self.budget.spend();
            match self.poll_child(child) {
                Poll::Ready(Some(item)) => {
                    round.is_fruitless = false;
                    return Step::Item(item);
                }
                Poll::Ready(None) => round.is_fruitless = false,
                Poll::Pending if self.coop.may_have_refused() => {
                    self.keep_turn(child);
                    return Step::Refused;
                }
                Poll::Pending => pending = Some(child),
            }
        }
    }

    /// Leaves a child ready that was pending, and the cursor before it.
    #[cold]
    fn keep_turn(&mut self, (block, place): (usize, usize)) {
        self.ready.mark(block, 1 << place);
        self.ready.step_back(place);
        // The child is polled again, which is another pass for the merges in it.
        self.inbox.count_pass();
    }

    /// Ends or parks the merge, since no child is ready. Returns `None` if a child
    /// was woken in the meantime.
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
        self.budget.renew();
        if park == Park::Busy {
            cx.waker().wake_by_ref();
        }
        Some(Poll::Pending)
    }

    /// Yields to the executor if a child is ready, since the budget is spent, a
    /// round was fruitless, or the executor may have refused a child.
    #[cold]
    fn yield_now(&mut self, cx: &Context<'_>) -> Poll<()> {
        loop {
            if self.inbox.has_wakes() {
                self.take_wakes();
            }
            if self.ready.any() {
                self.budget.renew();
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Some(rest) = self.rest(cx) {
                return rest;
            }
        }
    }

    /// The `poll_next` of the merge.
    #[inline]
    pub(super) fn poll_item(&mut self, cx: &Context<'_>) -> Poll<Option<S::Item>> {
        let (before, mut round) = (self.budget.left(), Round::new());
        loop {
            if self.budget.is_spent() && !self.budget.may_go_on(before, cx.waker()) {
                return self.yield_now(cx).map(|()| None);
            }
            match self.step(&mut round) {
                Step::Item(item) => return Poll::Ready(Some(item)),
                Step::Spent => {}
                Step::Fruitless | Step::Refused => return self.yield_now(cx).map(|()| None),
                Step::Idle => {
                    if let Some(rest) = self.rest(cx) {
                        return rest.map(|()| None);
                    }
                }
            }
        }
    }

    /// As [`poll_item`](Self::poll_item), with the key of the child.
    pub(super) fn poll_keyed(&mut self, cx: &Context<'_>) -> Poll<Option<(Key, S::Item)>> {
        self.poll_item(cx).map(|next| next.map(|item| (self.polled_key(), item)))
    }

    /// The key of the child that was polled last.
    fn polled_key(&self) -> Key {
        let (block, place) = self.ready.taken();
        self.generations.key(ready::join(block, place))
    }

    /// Polls for up to `limit` items, and gives each to `add` with the merge.
    /// Returns their number, as `poll_next_many` documents.
    pub(super) fn poll_many(
        &mut self,
        cx: &Context<'_>,
        limit: usize,
        mut add: impl FnMut(&Self, S::Item),
    ) -> Poll<usize> {
        let (before, mut round, mut added) = (self.budget.left(), Round::new(), 0);
        while added < limit {
            if self.budget.is_spent() && !self.budget.may_go_on(before, cx.waker()) {
                if added == 0 {
                    return self.yield_now(cx).map(|()| 0);
                }
                break;
            }
            match self.step(&mut round) {
                Step::Item(item) => {
                    add(self, item);
                    added += 1;
                }
                Step::Spent => {}
                Step::Idle | Step::Fruitless | Step::Refused if added > 0 => break,
                Step::Fruitless | Step::Refused => return self.yield_now(cx).map(|()| 0),
                Step::Idle => {
                    if let Some(rest) = self.rest(cx) {
                        return rest.map(|()| 0);
                    }
                }
            }
        }
        Poll::Ready(added)
    }
}

/// Drops a child that ended, or that panicked while it was polled or asked.
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
