//! An oracle for merges: a simple model that executes the same operations as a merge.
//! `merge_property.rs` generates the operations, and so does the fuzzer in `fuzz/`.
//!
//! The children log their polls and drops. The model replays that log, and checks for
//! each poll whether that child may be next and what the poll must return. It
//! knows the order of places (from `keys`) and nothing about blocks, so it leaves
//! open only what the contract leaves open: whether a child pushed in the middle of a
//! round is polled in that round or the next, and whether a stale wake costs a
//! poll.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt::{Debug, Display};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::{iter, thread};

use active_status::Merge;
use active_status::merge::{Key, KeyedEnds};
use futures::Stream;
use futures::stream::FusedStream;

use crate::support::Parent;

/// One poll of a child: the children that it wakes first, and the result of the poll.
#[derive(Clone, Debug)]
pub(crate) struct Act {
    pub(crate) wakes: Vec<usize>,
    /// Whether another thread wakes them while the child waits for that thread.
    pub(crate) on_thread: bool,
    pub(crate) then: Then,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Item,
    Pending,
    /// Pending because the task has no budget left, as the check of the merge says.
    Refused,
    End,
    Panic,
}

/// The polls of a child, after which it ends, and the effects of its drop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    pub(crate) acts: VecDeque<Act>,
    /// Whether its size hint gives the number of polls left as the upper bound.
    pub(crate) hints: bool,
    pub(crate) wakes_on_drop: Vec<usize>,
    /// True at most once per test case, because two panics at a time abort.
    pub(crate) panics_on_drop: bool,
}

impl Life {
    fn next(&mut self) -> Act {
        let end = Act { wakes: Vec::new(), on_thread: false, then: Then::End };
        self.acts.pop_front().unwrap_or(end)
    }

    /// Returns `true` if the drop may panic. It would abort if the poll panics as well.
    pub(crate) fn may_panic_on_drop(&self) -> bool {
        self.acts.iter().all(|act| act.then != Then::Panic)
    }
}

/// An operation on the merge. Children are numbered in the order of their pushes, modulo
/// their count.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Poll,
    /// Polls for at most this many items.
    PollMany(usize),
    /// Polls for an item or the end of a child.
    PollEnds,
    Push(Life),
    /// Extends the merge by `count` children, after which the iterator may panic.
    Extend {
        count: usize,
        panics: bool,
    },
    Wake {
        name: usize,
        on_thread: bool,
    },
    Remove(usize),
    Extract(usize),
    /// Keeps the children whose bit is set, by their number modulo the number of bits.
    Retain(usize),
    GetPinMut(usize),
    StayOpen(bool),
    Clear,
}

/// Executes the operations on a merge with this budget and capacity, then drops the
/// merge.
pub(crate) fn follow(
    budget: u32,
    announced: usize,
    ops: impl IntoIterator<Item = Op>,
) -> Result<(), String> {
    let mut pair = Pair::new(budget, announced);
    for op in ops {
        pair.step(op)?;
        pair.compare()?;
    }
    pair.end()
}

#[derive(Default)]
struct World {
    log: RefCell<Vec<Noted>>,
    wakers: RefCell<Vec<Option<Waker>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Noted {
    Polled(usize),
    Dropped(usize),
}

impl World {
    fn wake(&self, targets: &[usize], on_thread: bool) {
        let wakers: Vec<Waker> = {
            let wakers = self.wakers.borrow();
            let waker = |target: &usize| wakers[target % wakers.len()].clone();
            targets.iter().filter_map(waker).collect()
        };
        let wake = || wakers.into_iter().for_each(Waker::wake);
        if on_thread { thread::scope(|scope| scope.spawn(wake).join().unwrap()) } else { wake() }
    }
}

thread_local! {
    /// Whether the task has budget left.
    static HAS_BUDGET: Cell<bool> = const { Cell::new(true) };
}

struct Child {
    id: usize,
    life: Life,
    world: Rc<World>,
}

impl Stream for Child {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        self.world.log.borrow_mut().push(Noted::Polled(self.id));
        self.world.wakers.borrow_mut()[self.id] = Some(cx.waker().clone());
        let act = self.life.next();
        self.world.wake(&act.wakes, act.on_thread);
        HAS_BUDGET.set(act.then != Then::Refused);
        match act.then {
            Then::Item => Poll::Ready(Some(self.id)),
            Then::Pending | Then::Refused => Poll::Pending,
            Then::End => Poll::Ready(None),
            Then::Panic => resume_unwind(Box::new("poll")),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.life.hints.then_some(self.life.acts.len()))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.world.log.borrow_mut().push(Noted::Dropped(self.id));
        self.world.wake(&self.life.wakes_on_drop, false);
        if self.life.panics_on_drop {
            resume_unwind(Box::new("drop"));
        }
    }
}

/// The result of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Item(usize),
    /// The number of items returned by `poll_next_many`.
    Items(usize),
    /// The end of a child, reported by `with_ends`.
    End(usize),
    /// Pending, with the cursor before the child that was refused.
    Refused,
    Pending,
    Ended,
    Panicked,
}

/// How often an operation may wake the parent of a parked merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rouse {
    No,
    /// At most once, by a stale wake.
    Perhaps,
    Once,
}

struct Model {
    /// The children by number, including those that are gone.
    children: Vec<Known>,
    /// The present children, in the order of their places.
    live: Vec<usize>,
    /// The possible states of the round. In most cases the contract allows only one.
    rounds: Vec<Round>,
    /// The number of stale wakes: each may cost one poll.
    stale: usize,
    budget: usize,
    spent: usize,
    /// The children that were woken in the current poll.
    woken: Vec<usize>,
    parked: bool,
    terminated: bool,
    stays_open: bool,
    /// Whether the current poll reports ends.
    notes_ends: bool,
    /// The child whose end the next poll for ends reports.
    noted: Option<usize>,
}

struct Known {
    key: Key,
    life: Life,
    live: bool,
    ready: bool,
    polled: bool,
}

/// The progress of a round.
#[derive(Clone, Debug, PartialEq)]
struct Round {
    /// The children that the cursor has not passed, in the order of their places.
    ahead: Vec<usize>,
    /// The children that the cursor has passed.
    behind: Vec<usize>,
    /// The children of `ahead` that were pushed since the round began. They may be polled
    /// in this round or in the next.
    fresh: Vec<usize>,
}

impl Round {
    fn push(&mut self, id: usize, live: &[usize]) {
        let place = |id: usize| live.iter().position(|&other| other == id);
        // If the child is next to the cursor, it may be on either side of it. Being in
        // both `fresh` and `ahead` expresses that.
        if self.behind.iter().any(|&other| place(other) > place(id)) {
            self.behind.push(id);
            self.behind.sort_by_key(|&id| place(id));
        } else {
            self.ahead.push(id);
            self.ahead.sort_by_key(|&id| place(id));
            self.fresh.push(id);
        }
    }

    fn forget(&mut self, id: usize) {
        for all in [&mut self.ahead, &mut self.behind, &mut self.fresh] {
            all.retain(|&other| other != id);
        }
    }

    fn next(mut self) -> Self {
        self.behind.append(&mut self.ahead);
        Self { ahead: self.behind, behind: Vec::new(), fresh: Vec::new() }
    }

    /// Returns the round after the poll of this child, if the ready children allow that
    /// poll.
    fn turn(self, id: usize, ready: impl Fn(usize) -> bool) -> Option<Self> {
        let must = |other: &usize| ready(*other) && !self.fresh.contains(other);
        let Some(at) = self.ahead.iter().position(|&other| other == id) else {
            let all_had_theirs = !self.ahead.iter().any(must);
            return all_had_theirs.then(|| self.next()).and_then(|next| next.turn(id, ready));
        };
        if self.ahead[..at].iter().any(must) {
            return None;
        }
        let mut round = self;
        round.behind.extend(round.ahead.drain(..=at));
        round.fresh.retain(|other| round.ahead.contains(other));
        Some(round)
    }

    /// Moves the cursor back before the child that it passed last.
    fn step_back(&mut self) {
        self.ahead.splice(0..0, self.behind.pop());
    }
}

impl Model {
    fn new(budget: u32) -> Self {
        Self {
            children: Vec::new(),
            live: Vec::new(),
            rounds: vec![Round { ahead: vec![], behind: vec![], fresh: vec![] }],
            stale: 0,
            budget: budget.max(1) as usize,
            spent: 0,
            woken: Vec::new(),
            parked: false,
            terminated: false,
            stays_open: false,
            notes_ends: false,
            noted: None,
        }
    }

    /// Adds a child whose place is after those of `below` others.
    fn push(&mut self, key: Key, below: usize, life: Life) {
        let id = self.children.len();
        self.live.insert(below, id);
        self.rounds.iter_mut().for_each(|round| round.push(id, &self.live));
        self.children.push(Known { key, life, live: true, ready: true, polled: false });
        self.terminated = false;
    }

    fn wake(&mut self, targets: &[usize]) -> Rouse {
        let mut rouse = Rouse::No;
        for target in targets {
            let target = target % self.children.len();
            let child = &mut self.children[target];
            if child.polled && child.live {
                child.ready = true;
                self.woken.push(target);
                rouse = Rouse::Once;
            } else if child.polled {
                self.stale += 1;
                rouse = rouse.max(Rouse::Perhaps);
            }
        }
        rouse
    }

    /// Drops a child. Returns whether the drop panics, and how it wakes the parent.
    fn drop_child(&mut self, id: usize) -> (bool, Rouse) {
        self.forget(id);
        let life = mem::take(&mut self.children[id].life);
        (life.panics_on_drop, self.wake(&life.wakes_on_drop))
    }

    fn forget(&mut self, id: usize) {
        self.live.retain(|&other| other != id);
        self.rounds.iter_mut().for_each(|round| round.forget(id));
        self.children[id].live = false;
    }

    fn clear(&mut self) -> bool {
        let gone = self.live.clone();
        gone.iter().for_each(|&id| self.forget(id));
        gone.into_iter().filter(|&id| self.drop_child(id).0).count() > 0
    }

    /// Returns `true` if this child may be polled next. If so, the cursor passes it.
    fn turn(&mut self, id: usize) -> bool {
        if !self.children[id].ready && self.stale == 0 {
            return false;
        }
        self.stale -= usize::from(!self.children[id].ready);
        let rounds = mem::take(&mut self.rounds).into_iter();
        let turn = |round: Round| round.turn(id, |id| self.children[id].ready);
        self.rounds = rounds.filter_map(turn).collect();
        self.rounds.dedup();
        !self.rounds.is_empty()
    }

    /// Replays one poll of the merge in which these children were polled and the
    /// parent was woken `wakes` times. `many` holds the items and the limit of a
    /// `poll_next_many`.
    fn poll(
        &mut self,
        polled: &[usize],
        wakes: usize,
        mut many: Option<(&mut Vec<usize>, usize)>,
    ) -> Result<Outcome, String> {
        let done = |items: &Vec<usize>, rest: usize| match (rest, wakes) {
            (0, 0) => Ok(Outcome::Items(items.len())),
            _ => Err(format!("{rest} more polls and {wakes} wakes after {items:?}")),
        };
        if let Some((items, 0)) = many {
            return done(items, polled.len());
        }
        self.parked = false;
        self.woken.clear();
        // The polls since the last one that yielded an item or an end, or whose child did
        // not wake itself.
        let mut fruitless: Vec<usize> = Vec::new();
        let mut polled = polled.iter();
        loop {
            let any_ready = self.ready().next().is_some();
            let spent = self.spent >= self.budget;
            let Some(&id) = polled.next() else {
                if let Some((items, _)) = &many
                    && !items.is_empty()
                {
                    if any_ready && !spent && fruitless.is_empty() && self.stale == 0 {
                        return Err("a ready child was not polled for its item".into());
                    }
                    return done(items, 0);
                }
                if self.live.is_empty() && !self.stays_open {
                    self.terminated = true;
                    return Ok(Outcome::Ended);
                }
                let fruitless =
                    self.ready().all(|id| fruitless.contains(&id) || self.woken.contains(&id))
                        && !fruitless.is_empty()
                        || self.stale > 0;
                let yields = (spent || fruitless && wakes == 1)
                    && (any_ready || self.stale > 0 && wakes == 1);
                if any_ready && !yields {
                    return Err("a ready child was not polled".into());
                }
                if wakes != usize::from(yields) {
                    return Err(format!("{wakes} wakes, yields: {yields}"));
                }
                self.spent = 0;
                self.parked = !yields;
                return Ok(Outcome::Pending);
            };
            if spent || !self.children[id].live {
                return Err(format!("child {id} was polled; budget spent: {spent}"));
            }
            if !self.turn(id) {
                return Err(format!("child {id} was polled out of order"));
            }
            self.spent += 1;
            let outcome = self.poll_child(id);
            if outcome.is_none() && self.children[id].live && self.children[id].ready {
                fruitless.push(id);
                // One poll is in the round in which the call began, and one in a complete
                // round.
                if fruitless.iter().filter(|&&other| other == id).count() > 2 {
                    return Err(format!("child {id} was polled in two fruitless rounds"));
                }
            } else {
                fruitless.clear();
            }
            match (outcome, &mut many) {
                (None, _) => {}
                (Some(Outcome::Refused), Some((items, _))) if !items.is_empty() => {
                    return done(items, polled.len());
                }
                (Some(Outcome::Refused), _) => {
                    let rest = polled.len();
                    if rest > 0 || wakes != 1 {
                        return Err(format!("{rest} more polls and {wakes} wakes after a refusal"));
                    }
                    self.spent = 0;
                    return Ok(Outcome::Pending);
                }
                (Some(Outcome::Item(id)), Some((items, limit))) => {
                    items.push(id);
                    if items.len() == *limit {
                        return done(items, polled.len());
                    }
                }
                (Some(outcome), _) => {
                    let rest = polled.len();
                    let wrong = rest > 0 || wakes > 0;
                    let text = || format!("{rest} more polls and {wakes} wakes after {outcome:?}");
                    return if wrong { Err(text()) } else { Ok(outcome) };
                }
            }
        }
    }

    fn ready(&self) -> impl Iterator<Item = usize> {
        self.live.iter().copied().filter(|&id| self.children[id].ready)
    }

    fn poll_child(&mut self, id: usize) -> Option<Outcome> {
        let child = &mut self.children[id];
        child.polled = true;
        child.ready = false;
        let act = child.life.next();
        self.wake(&act.wakes);
        let child = &mut self.children[id];
        let is_last = act.then == Then::Item && child.life.hints && child.life.acts.is_empty();
        if self.notes_ends && (is_last || matches!(act.then, Then::End | Then::Panic)) {
            self.noted = Some(id);
        }
        match act.then {
            Then::Item if is_last => {
                let panics = self.drop_child(id).0;
                Some(if panics { Outcome::Panicked } else { Outcome::Item(id) })
            }
            Then::Item => {
                child.ready = true;
                Some(Outcome::Item(id))
            }
            Then::Pending => None,
            Then::Refused => {
                child.ready = true;
                self.rounds.iter_mut().for_each(Round::step_back);
                Some(Outcome::Refused)
            }
            Then::End if self.drop_child(id).0 => Some(Outcome::Panicked),
            Then::End => self.noted.take_if(|_| self.notes_ends).map(Outcome::End),
            Then::Panic => {
                self.drop_child(id);
                Some(Outcome::Panicked)
            }
        }
    }
}

/// A merge, its model and its parent.
struct Pair {
    merge: KeyedEnds<Child>,
    model: Model,
    parent: Parent,
    world: Rc<World>,
}

impl Pair {
    fn new(budget: u32, announced: usize) -> Self {
        let merge = Merge::with_capacity(announced).with_budget(budget);
        let merge = merge.with_coop_check(|| HAS_BUDGET.get());
        Self {
            merge: merge.keyed().with_ends(),
            model: Model::new(budget),
            parent: Parent::new(),
            world: Rc::default(),
        }
    }

    fn child(&self, life: Life) -> Child {
        self.world.wakers.borrow_mut().push(None);
        let id = self.world.wakers.borrow().len() - 1;
        Child { id, life, world: self.world.clone() }
    }

    /// Returns a child's number and key.
    fn named(&self, name: usize) -> Option<(usize, Key)> {
        let id = name.checked_rem(self.model.children.len())?;
        Some((id, self.model.children[id].key))
    }

    fn step(&mut self, op: Op) -> Result<(), String> {
        self.parent.take_wakes();
        let parked = self.model.parked;
        let rouse = match op {
            Op::Poll => return self.poll(None),
            Op::PollMany(limit) => return self.poll(Some(limit)),
            Op::PollEnds => return self.poll_ends(),
            Op::Push(life) => self.push(life)?,
            Op::Extend { count, panics } => self.extend(count, panics)?,
            Op::Wake { .. } if self.model.children.is_empty() => Rouse::No,
            Op::Wake { name, on_thread } => {
                self.world.wake(&[name], on_thread);
                self.model.wake(&[name])
            }
            Op::Remove(name) => self.remove(name, |merge, key| merge.remove(key))?,
            Op::Extract(name) => self.remove(name, |merge, key| merge.extract(key).is_some())?,
            Op::Retain(kept) => self.retain(kept)?,
            Op::StayOpen(open) => {
                self.merge.get_mut().stay_open(open);
                self.model.stays_open = open;
                let ends = !open && self.model.live.is_empty();
                if ends { Rouse::Once } else { Rouse::No }
            }
            Op::GetPinMut(name) => self.get_pin_mut(name)?,
            Op::Clear => self.clear()?,
        };
        let wakes = self.parent.take_wakes();
        let expected = match rouse {
            Rouse::Once if parked => 1..=1,
            Rouse::Perhaps if parked => 0..=1,
            _ => 0..=0,
        };
        if !expected.contains(&wakes) {
            return Err(format!("{wakes} wakes, not {expected:?}"));
        }
        self.model.parked = parked && wakes == 0;
        Ok(())
    }

    fn poll(&mut self, limit: Option<usize>) -> Result<(), String> {
        self.world.log.borrow_mut().clear();
        let mut items = Vec::new();
        let Self { merge, parent, .. } = self;
        let merge = merge.get_mut();
        let polled = catch_unwind(AssertUnwindSafe(|| match limit {
            None => parent.poll(merge).map(|item| item.map_or(Outcome::Ended, Outcome::Item)),
            Some(limit) => {
                let cx = &mut Context::from_waker(parent.waker());
                merge.poll_next_many(cx, &mut items, limit).map(|count| {
                    let ended = count == 0 && limit > 0;
                    if ended { Outcome::Ended } else { Outcome::Items(count) }
                })
            }
        }));
        let polled = polled.map_err(drop);
        let mut expected_items = Vec::new();
        let many = limit.map(|limit| (&mut expected_items, limit));
        self.compare_poll(polled, many)?;
        same("the items", items, expected_items)
    }

    fn poll_ends(&mut self) -> Result<(), String> {
        self.world.log.borrow_mut().clear();
        let Self { merge, parent, .. } = self;
        let polled = catch_unwind(AssertUnwindSafe(|| parent.poll(merge)));
        let id = |key| self.model.children.iter().position(|child| child.key == key);
        let outcome = |event| match event {
            None => Outcome::Ended,
            Some((_, Some(id))) => Outcome::Item(id),
            Some((key, None)) => Outcome::End(id(key).unwrap()),
        };
        let key = if let Ok(Poll::Ready(Some((key, Some(item))))) = polled {
            Some((key, self.model.children[item].key))
        } else {
            None
        };
        let polled = polled.map(|polled| polled.map(outcome)).map_err(drop);
        same("the key of an item", key.map(|(is, _)| is), key.map(|(_, says)| says))?;
        if let Some(id) = self.model.noted.take() {
            return same("a noted end", polled, Ok(Poll::Ready(Outcome::End(id))));
        }
        self.model.notes_ends = true;
        let compared = self.compare_poll(polled, None);
        self.model.notes_ends = false;
        compared
    }

    /// Compares the result of a poll, or its panic, with that of the model.
    fn compare_poll(
        &mut self,
        polled: Result<Poll<Outcome>, ()>,
        many: Option<(&mut Vec<usize>, usize)>,
    ) -> Result<(), String> {
        let outcome = match polled {
            Ok(Poll::Ready(outcome)) => outcome,
            Ok(Poll::Pending) => Outcome::Pending,
            Err(()) => Outcome::Panicked,
        };
        let log = mem::take(&mut *self.world.log.borrow_mut());
        let id = |noted| if let Noted::Polled(id) = noted { Some(id) } else { None };
        let polled: Vec<usize> = log.into_iter().filter_map(id).collect();
        let expected = self.model.poll(&polled, self.parent.take_wakes(), many);
        same(format!("a poll that polled {polled:?}"), Ok(outcome), expected)
    }

    fn push(&mut self, life: Life) -> Result<Rouse, String> {
        let child = self.child(life.clone());
        let key = self.merge.get_mut().push(child);
        self.note(key, life)?;
        Ok(Rouse::Once)
    }

    fn note(&mut self, key: Key, life: Life) -> Result<(), String> {
        let keys: Vec<Key> = self.merge.get_mut().keys().collect();
        let below = keys.iter().position(|&other| other == key);
        let below = below.ok_or("keys() lacks the new child")?;
        self.model.push(key, below, life);
        Ok(())
    }

    /// Extends the merge by children that are pending once and then end.
    fn extend(&mut self, count: usize, panics: bool) -> Result<Rouse, String> {
        let wait = Act { wakes: Vec::new(), on_thread: false, then: Then::Pending };
        let life = Life { acts: [wait].into(), ..Life::default() };
        let mut children = (0..count).map(|_| self.child(life.clone())).collect::<Vec<_>>();
        let first = self.model.children.len();
        let extended = catch_unwind(AssertUnwindSafe(|| {
            if panics {
                let mut children = children.drain(..);
                let source = || children.next().or_else(|| resume_unwind(Box::new("source")));
                self.merge.get_mut().extend(iter::from_fn(source));
            } else {
                self.merge.get_mut().extend(children);
            }
        }));
        same("whether the extension panics", extended.is_err(), panics)?;
        for id in first..first + count {
            let merge = self.merge.get_ref();
            let (key, _) = merge.iter().find(|(_, child)| child.id == id).unwrap();
            let live = |key: &Key| merge.get(*key).is_some_and(|child| child.id <= id);
            let keys: Vec<Key> = merge.keys().filter(live).collect();
            let below = keys.iter().position(|&other| other == key).unwrap();
            self.model.push(key, below, life.clone());
        }
        Ok(if count > 0 { Rouse::Once } else { Rouse::No })
    }

    fn remove(
        &mut self,
        name: usize,
        remove: impl FnOnce(&mut Merge<Child>, Key) -> bool,
    ) -> Result<Rouse, String> {
        let Some((id, key)) = self.named(name) else { return Ok(Rouse::No) };
        let live = self.model.children[id].live;
        let removed = catch_unwind(AssertUnwindSafe(|| remove(self.merge.get_mut(), key)));
        if !live {
            same("a removal of one that is gone", removed.ok(), Some(false))?;
            return Ok(Rouse::No);
        }
        let (panics, rouse) = self.model.drop_child(id);
        same("a removal", removed.ok(), (!panics).then_some(true))?;
        let last = self.model.live.is_empty();
        Ok(if last { Rouse::Once } else { rouse })
    }

    fn retain(&mut self, kept: usize) -> Result<Rouse, String> {
        let keeps = |id: usize| kept & 1 << (id % usize::BITS as usize) != 0;
        let retained = catch_unwind(AssertUnwindSafe(|| {
            self.merge.get_mut().retain(|_, child| keeps(child.id));
        }));
        let mut rouse = Rouse::No;
        let mut panics = false;
        for id in self.model.live.clone() {
            if !keeps(id) && !panics {
                let (panicked, woken) = self.model.drop_child(id);
                panics = panicked;
                let is_last = self.model.live.is_empty();
                rouse = rouse.max(if is_last { Rouse::Once } else { woken });
            }
        }
        same("whether retain panics", retained.is_err(), panics)?;
        Ok(rouse)
    }

    fn get_pin_mut(&mut self, name: usize) -> Result<Rouse, String> {
        let Some((id, key)) = self.named(name) else { return Ok(Rouse::No) };
        let found = self.merge.get_mut().get_pin_mut(key).map(|child| child.id);
        let child = &mut self.model.children[id];
        same("get_pin_mut", found, child.live.then_some(id))?;
        child.ready |= child.live;
        Ok(if child.live { Rouse::Once } else { Rouse::No })
    }

    fn clear(&mut self) -> Result<Rouse, String> {
        let cleared = catch_unwind(AssertUnwindSafe(|| self.merge.get_mut().clear()));
        same("whether clear panics", cleared.is_err(), self.model.clear())?;
        Ok(Rouse::Once)
    }

    /// Compares the public state of the merge with the model.
    fn compare(&self) -> Result<(), String> {
        let live = self.model.live.clone();
        same("len", self.merge.get_ref().len(), live.len())?;
        same("is_empty", self.merge.get_ref().is_empty(), live.is_empty())?;
        same("is_terminated", self.merge.get_ref().is_terminated(), self.model.terminated)?;
        same(
            "iter",
            self.merge.get_ref().iter().map(|(_, child)| child.id).collect::<Vec<_>>(),
            live,
        )?;
        for child in &self.model.children {
            same("contains", self.merge.get_ref().contains(child.key), child.live)?;
        }
        same("whether the parent's waker is held", self.parent.held() > 0, self.model.parked)
    }

    /// Drops the merge before the wakers of its children.
    fn end(self) -> Result<(), String> {
        let live: Vec<Noted> = self.model.live.iter().copied().map(Noted::Dropped).collect();
        self.world.log.borrow_mut().clear();
        let _ = catch_unwind(AssertUnwindSafe(move || drop(self.merge)));
        same("the children dropped with the merge", &*self.world.log.borrow(), &live)?;
        same("the parent's wakers held after the merge", self.parent.held(), 0)?;
        self.parent.take_wakes();
        let wakers = mem::take(&mut *self.world.wakers.borrow_mut());
        wakers.into_iter().flatten().for_each(Waker::wake);
        same("wakes after the merge", self.parent.take_wakes(), 0)
    }
}

/// Compares a value of the merge with that of the model.
fn same<T: PartialEq + Debug>(what: impl Display, is: T, says: T) -> Result<(), String> {
    if is == says { Ok(()) } else { Err(format!("{what}: {is:?}, expected {says:?}")) }
}
