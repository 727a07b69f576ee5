//! How a merge is polled: which child is next, and what comes of its poll.

use core::mem;
use core::task::{Context, Poll};

use futures_core::Stream;

use crate::pool::key::Key;
use crate::pool::merge::Merge;
use crate::pool::ready::{self, Ahead};
use crate::pool::wake::Park;

/// What one call has seen of the present round.
///
/// In a fruitless round no child yields an item or ends, and each polled child wakes
/// itself during its poll. Such children wait for other tasks, so the merge yields to
/// the executor, even if its budget is not spent.
#[derive(Clone, Copy)]
struct Round {
    /// Whether the round began in this call.
    is_whole: bool,
    is_fruitless: bool,
}

impl Round {
    /// The round in which a call begins.
    const PRESENT: Self = Self { is_whole: false, is_fruitless: true };

    /// A round that begins in a call.
    const WHOLE: Self = Self { is_whole: true, is_fruitless: true };

    /// Begins a new round, unless the last one was whole and fruitless.
    #[inline]
    const fn begin(&mut self) -> bool {
        let begins = !(self.is_whole & self.is_fruitless);
        *self = Self::WHOLE;
        begins
    }
}

/// The end of a search for the next item.
enum Step<T> {
    /// The child that was polled last yielded an item.
    Item(T),
    /// No child is ready.
    Idle,
    /// The child that was polled last ended, and `poll_event` reports it.
    Ended,
    /// Children are ready, but the executor has a turn first: the budget is spent, a
    /// whole round was [fruitless](Round), or the executor may have
    /// [refused](crate::pool::coop::Coop) a child.
    Yield,
}

impl<S> Merge<S> {
    /// Moves woken children into the ready set.
    #[inline]
    fn take_wakes(&mut self) {
        self.inbox.take(|block, woken| self.ready.mark(block, woken));
    }

    /// Takes the wakes before a child poll, unless there is contention. If more have
    /// arrived when it is done, there is: only code of the merge ran, so another thread
    /// sent them.
    #[inline(never)]
    fn take_wakes_before_child(&mut self) {
        if self.contention.is_found() {
            return;
        }
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
        self.ready.ahead().is_some()
    }

    /// Returns the key of the child that was polled last.
    pub(super) fn polled_key(&self) -> Key {
        let (block, place) = self.ready.taken();
        self.generations.key(ready::join(block, place))
    }
}

impl<S: Stream> Merge<S> {
    /// Polls the child that the cursor passed last, at this place. One that ends or panics is
    /// dropped, and so is one that says after an item that no further one follows: a `once`
    /// leaves with its output.
    #[inline(always)]
    fn poll_child(&mut self, place: usize) -> Poll<Option<S::Item>> {
        // The guard computes the place again, which costs less than keeping it meanwhile.
        let evict = EvictOnDrop { merge: self };
        let Some((mut child, waker)) = evict.merge.ready.blocks.present_child(place) else {
            mem::forget(evict);
            missing();
        };
        let polled = child.as_mut().poll_next(&mut Context::from_waker(&waker));
        match polled {
            Poll::Ready(None) => drop(evict),
            Poll::Ready(Some(_)) if child.size_hint().1 == Some(0) => drop(evict),
            Poll::Ready(Some(_)) => mem::forget(evict),
            Poll::Pending => {
                let place = evict.merge.ready.place();
                evict.merge.ready.blocks.unmark_present(place);
                mem::forget(evict);
            }
        }
        polled
    }

    /// Moves the cursor past the next child to poll, if one is ready, and returns its place in the
    /// present block. Otherwise the result says why there is none.
    #[inline(always)]
    fn next_child(&mut self, round: &mut Round) -> Result<usize, Step<S::Item>> {
        loop {
            if let Some(ahead) = self.ready.ahead() {
                return Ok(self.ready.take(ahead));
            }
            if self.contention.is_found() && self.take_wakes_after_block() {
                continue;
            }
            let Some(next) = self.ready.next() else { return Err(Step::Idle) };
            if next.begins_round && !round.begin() {
                return Err(Step::Yield);
            }
            self.ready.advance(next);
            self.inbox.count_pass();
        }
    }

    /// Goes on after the poll of a child that yielded no item. Returns `false` if the
    /// executor may have refused the child.
    #[inline(always)]
    fn go_on(&mut self, is_pending: bool, round: &mut Round) -> bool {
        if is_pending && self.coop.may_have_refused() {
            self.keep_turn();
            return false;
        }
        if self.inbox.has_wakes() {
            self.take_wakes_before_child();
            round.is_fruitless &= is_pending && self.ready.is_taken_ready();
        } else {
            round.is_fruitless = false;
        }
        true
    }

    /// Polls ready children until one yields an item. The call began with `before` polls
    /// left in the budget.
    #[inline(always)]
    fn step(&mut self, cx: &Context<'_>, before: u32, round: &mut Round) -> Step<S::Item> {
        loop {
            if self.budget.is_spent() && !self.budget.may_go_on(before, cx.waker()) {
                return Step::Yield;
            }
            let place = match self.next_child(round) {
                Ok(place) => place,
                Err(step) => return step,
            };
            self.budget.spend();
            let is_pending = match self.poll_child(place) {
                Poll::Ready(Some(item)) => return Step::Item(item),
                Poll::Ready(None) => false,
                Poll::Pending => true,
            };
            if !self.go_on(is_pending, round) {
                return Step::Yield;
            }
            if !is_pending && self.notes_ends {
                return Step::Ended;
            }
        }
    }

    /// Leaves the child that was polled ready, and the cursor before it.
    #[cold]
    fn keep_turn(&mut self) {
        let (block, place) = self.ready.taken();
        self.ready.mark(block, 1 << place);
        self.ready.step_back();
        // The child is polled again, which is another pass for the merges in it.
        self.inbox.count_pass();
    }

    /// Ends or parks the merge, since no child is ready. Returns `None` if a child
    /// was woken in the meantime.
    #[inline]
    fn rest(&mut self, cx: &Context<'_>) -> Option<Poll<()>> {
        if self.len == 0 && !self.stays_open {
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

    /// Yields to the executor if a child is ready.
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

    /// Implements `poll_next`.
    ///
    /// Chooses between three ways without a separate stack frame.
    #[inline]
    pub(super) fn poll_item(&mut self, cx: &Context<'_>) -> Poll<Option<S::Item>> {
        if self.budget.is_spent() || self.inbox.has_wakes() {
            unlikely();
            self.poll_turn(cx)
        } else if let Some(ahead) = self.ready.ahead() {
            self.poll_present(cx, ahead, Round::PRESENT)
        } else {
            unlikely();
            self.poll_round(cx)
        }
    }

    /// Begins a new round in the present block, if it alone has ready children.
    #[inline(never)]
    fn poll_round(&mut self, cx: &Context<'_>) -> Poll<Option<S::Item>> {
        if !self.contention.is_found()
            && let Some(ahead) = self.ready.repeat()
        {
            self.inbox.count_pass();
            self.poll_present(cx, ahead, Round::WHOLE)
        } else {
            self.poll_turn(cx)
        }
    }

    /// Takes wakes and moves the cursor, as far as there is need, before the short way.
    /// Leaves everything unusual to the long way.
    #[inline(never)]
    fn poll_turn(&mut self, cx: &Context<'_>) -> Poll<Option<S::Item>> {
        let mut round = Round::PRESENT;
        if !self.budget.is_spent() && !self.contention.is_found() {
            if self.inbox.has_wakes() {
                self.take_wakes();
                if self.inbox.has_wakes() {
                    self.contention.find();
                    return self.poll_on(cx, self.budget.left(), round);
                }
            }
            if self.ready.ahead().is_none()
                && let Some(next) = self.ready.next()
            {
                if next.begins_round {
                    round = Round::WHOLE;
                }
                self.ready.advance(next);
                self.inbox.count_pass();
            }
            if let Some(ahead) = self.ready.ahead() {
                return self.poll_present(cx, ahead, round);
            }
        }
        self.poll_on(cx, self.budget.left(), round)
    }

    /// The short way, for a ready child of the present block. The budget is not spent.
    #[inline(never)]
    fn poll_present(
        &mut self,
        cx: &Context<'_>,
        ahead: Ahead,
        round: Round,
    ) -> Poll<Option<S::Item>> {
        self.budget.spend();
        let place = self.ready.take(ahead);
        match self.poll_child(place) {
            Poll::Ready(Some(item)) => Poll::Ready(Some(item)),
            Poll::Ready(None) => self.poll_after(cx, false, round),
            Poll::Pending => self.poll_after(cx, true, round),
        }
    }

    /// The rest of the short way, if its child yielded no item.
    #[inline(never)]
    fn poll_after(
        &mut self,
        cx: &Context<'_>,
        is_pending: bool,
        mut round: Round,
    ) -> Poll<Option<S::Item>> {
        if !self.go_on(is_pending, &mut round) {
            return self.yield_now(cx).map(|()| None);
        }
        if !is_pending && self.notes_ends {
            return Poll::Pending;
        }
        if !self.ready.any()
            && !self.inbox.has_wakes()
            && !self.contention.is_found()
            && let Some(rest) = self.rest(cx)
        {
            return rest.map(|()| None);
        }
        self.poll_on(cx, self.budget.left() + 1, round)
    }

    /// The long way.
    #[inline(never)]
    fn poll_on(
        &mut self,
        cx: &Context<'_>,
        before: u32,
        mut round: Round,
    ) -> Poll<Option<S::Item>> {
        loop {
            if self.inbox.has_wakes() {
                self.take_wakes_before_child();
            }
            match self.step(cx, before, &mut round) {
                Step::Item(item) => return Poll::Ready(Some(item)),
                Step::Ended => return Poll::Pending,
                Step::Yield => return self.yield_now(cx).map(|()| None),
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

    /// As [`poll_keyed`](Self::poll_keyed), and `None` once for a child that ended or
    /// panicked.
    pub(super) fn poll_event(&mut self, cx: &Context<'_>) -> Poll<Option<(Key, Option<S::Item>)>> {
        let mut event = self.ended.take();
        let mut polled = Poll::Pending;
        if event.is_none() {
            polled = NoteEnds::begin(self).merge.poll_keyed(cx);
            if polled.is_pending() {
                event = self.ended.take();
            }
        }
        match event {
            Some(key) => Poll::Ready(Some((key, None))),
            None => polled.map(|next| next.map(|(key, item)| (key, Some(item)))),
        }
    }

    /// Polls for up to `limit` items, and gives each to `add` with the merge.
    /// Returns their number, as `poll_next_many` documents.
    pub(super) fn poll_many(
        &mut self,
        cx: &Context<'_>,
        limit: usize,
        mut add: impl FnMut(&Self, S::Item),
    ) -> Poll<usize> {
        let (before, mut round, mut added) = (self.budget.left(), Round::PRESENT, 0);
        while added < limit {
            if self.inbox.has_wakes() {
                self.take_wakes_before_child();
            }
            match self.step(cx, before, &mut round) {
                Step::Item(item) => {
                    round.is_fruitless = false;
                    add(self, item);
                    added += 1;
                }
                _ if added > 0 => break,
                Step::Ended => unreachable!("ends are noted in `poll_event` alone"),
                Step::Yield => return self.yield_now(cx).map(|()| 0),
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

/// Moves the branch that calls it out of the way of the others.
#[cold]
#[inline]
const fn unlikely() {}

/// Panics, since a ready child is not in its slot. Outlined to keep the poll of a child
/// short.
#[cold]
#[inline(never)]
fn missing() -> ! {
    unreachable!("a ready child is in its slot")
}

/// Lets a merge note ends, until it is dropped or a child panics.
struct NoteEnds<'a, S> {
    merge: &'a mut Merge<S>,
}

impl<'a, S> NoteEnds<'a, S> {
    const fn begin(merge: &'a mut Merge<S>) -> Self {
        merge.notes_ends = true;
        Self { merge }
    }
}

impl<S> Drop for NoteEnds<'_, S> {
    fn drop(&mut self) {
        self.merge.notes_ends = false;
    }
}

/// Drops the child that the cursor passed last, which ended, or panicked while it was polled
/// or asked.
struct EvictOnDrop<'a, S> {
    merge: &'a mut Merge<S>,
}

impl<S> Drop for EvictOnDrop<'_, S> {
    fn drop(&mut self) {
        let merge = &mut *self.merge;
        if merge.notes_ends {
            merge.ended = Some(merge.polled_key());
        }
        merge.evict_present(merge.ready.place());
    }
}
