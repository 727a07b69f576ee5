//! Any script of pushes, removals, wakes, items, ends and panics, against a
//! naive model.
//!
//! The children note who was polled and dropped; the model replays that log and
//! says at each poll whose turn it may be, and what must come of it. It knows
//! the order of places (from `keys`) and nothing of blocks, so it leaves open
//! only what the contract leaves open: whether a child pushed in the middle of
//! a round is served in that round or the next, and whether a wake by a former
//! tenant of a place costs a poll.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use active_status::{Key, Merge};
use futures::Stream;
use futures::stream::FusedStream;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::Parent;

/// One poll of a child: whom it wakes first, and what it returns.
#[derive(Clone, Debug)]
struct Act {
    wakes: Vec<usize>,
    then: Then,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Item,
    Pending,
    End,
    Panic,
}

/// A child's life: its polls, past which it ends, and what its drop does.
#[derive(Clone, Debug, Default)]
struct Life {
    acts: VecDeque<Act>,
    wakes_on_drop: Vec<usize>,
    panics_on_drop: bool,
}

impl Life {
    fn next(&mut self) -> Act {
        self.acts.pop_front().unwrap_or(Act { wakes: Vec::new(), then: Then::End })
    }

    /// A panic in the drop of a child that panics in its poll would abort.
    fn may_panic_on_drop(&self) -> bool {
        self.acts.iter().all(|act| act.then != Then::Panic)
    }
}

/// What the one who holds the merge does. Children are named by the order of
/// their pushes, around the corner.
#[derive(Clone, Debug)]
enum Op {
    Poll,
    Push(Life),
    Extend(usize),
    Wake(usize),
    Remove(usize),
    GetPinMut(usize),
    Clear,
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
    fn wake(&self, targets: &[usize]) {
        for target in targets {
            let waker = {
                let wakers = self.wakers.borrow();
                wakers[target % wakers.len()].clone()
            };
            waker.as_ref().map(Waker::wake_by_ref);
        }
    }
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
        self.world.wake(&act.wakes);
        match act.then {
            Then::Item => Poll::Ready(Some(self.id)),
            Then::Pending => Poll::Pending,
            Then::End => Poll::Ready(None),
            Then::Panic => resume_unwind(Box::new("poll")),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.world.log.borrow_mut().push(Noted::Dropped(self.id));
        self.world.wake(&self.life.wakes_on_drop);
        if self.life.panics_on_drop {
            resume_unwind(Box::new("drop"));
        }
    }
}

/// What a poll came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Item(usize),
    Pending,
    Ended,
    Panicked,
}

/// How often the parent of a parked merge is to be woken by an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rouse {
    No,
    /// By a former tenant's wake: at most once.
    Perhaps,
    Once,
}

struct Model {
    /// By number, those that are gone too.
    children: Vec<Known>,
    /// The children that are there, in the order of their places.
    live: Vec<usize>,
    /// Where the round may stand. Mostly the contract leaves one way.
    rounds: Vec<Round>,
    /// Wakes by children that are gone: each may cost one poll.
    stale: usize,
    budget: usize,
    spent: usize,
    parked: bool,
    terminated: bool,
}

struct Known {
    key: Key,
    life: Life,
    live: bool,
    ready: bool,
    polled: bool,
}

/// How far a round has come.
#[derive(Clone, Debug, PartialEq)]
struct Round {
    /// Those whose turn is still to come, in the order of their places.
    ahead: Vec<usize>,
    /// Those who had their turn.
    behind: Vec<usize>,
    /// Those of `ahead` pushed since the round began: their turn may be now,
    /// or in the next round.
    fresh: Vec<usize>,
}

impl Round {
    fn push(&mut self, id: usize, live: &[usize]) {
        let place = |id: usize| live.iter().position(|&other| other == id);
        // Beside the cursor it may be on either side of it: to be fresh and
        // ahead stands for both.
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

    /// The round after this child's turn, if the ready children allow it.
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
            parked: false,
            terminated: false,
        }
    }

    /// A new child, whose place is after those of so many others.
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
                rouse = Rouse::Once;
            } else if child.polled {
                self.stale += 1;
                rouse = rouse.max(Rouse::Perhaps);
            }
        }
        rouse
    }

    /// A child goes; whether its drop panics, and whom it rouses.
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

    /// Whether it may be this child's turn. If so, it has had it.
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

    /// Replays one poll of the merge: these children were polled, and the
    /// parent was woken so often.
    fn poll(&mut self, polled: &[usize], wakes: usize) -> Result<Outcome, String> {
        self.parked = false;
        let mut polled = polled.iter();
        loop {
            let any_ready = self.live.iter().any(|&id| self.children[id].ready);
            let spent = self.spent >= self.budget;
            let Some(&id) = polled.next() else {
                if self.live.is_empty() {
                    self.terminated = true;
                    return Ok(Outcome::Ended);
                }
                let yields = spent && (any_ready || self.stale > 0 && wakes == 1);
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
                return Err(format!("it was not the turn of child {id}"));
            }
            self.spent += 1;
            if let Some(outcome) = self.poll_child(id) {
                let rest = polled.len();
                let wrong = rest > 0 || wakes > 0;
                let text = || format!("{rest} more polls and {wakes} wakes after {outcome:?}");
                return if wrong { Err(text()) } else { Ok(outcome) };
            }
        }
    }

    fn poll_child(&mut self, id: usize) -> Option<Outcome> {
        let child = &mut self.children[id];
        child.polled = true;
        child.ready = false;
        let act = child.life.next();
        self.wake(&act.wakes);
        match act.then {
            Then::Item => {
                self.children[id].ready = true;
                Some(Outcome::Item(id))
            }
            Then::Pending => None,
            Then::End => self.drop_child(id).0.then_some(Outcome::Panicked),
            Then::Panic => {
                self.drop_child(id);
                Some(Outcome::Panicked)
            }
        }
    }
}

/// A merge, its model and its parent.
struct Pair {
    merge: Merge<Child>,
    model: Model,
    parent: Parent,
    world: Rc<World>,
}

impl Pair {
    fn new(budget: u32) -> Self {
        Self {
            merge: Merge::new().budget(budget),
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

    /// The number of a child, and its key.
    fn named(&self, name: usize) -> Option<(usize, Key)> {
        let id = name.checked_rem(self.model.children.len())?;
        Some((id, self.model.children[id].key))
    }

    fn step(&mut self, op: Op) -> Result<(), TestCaseError> {
        self.parent.take_wakes();
        let parked = self.model.parked;
        let rouse = match op {
            Op::Poll => return self.poll(),
            Op::Push(life) => self.push(life)?,
            Op::Extend(count) => self.extend(count)?,
            Op::Wake(_) if self.model.children.is_empty() => Rouse::No,
            Op::Wake(name) => {
                self.world.wake(&[name]);
                self.model.wake(&[name])
            }
            Op::Remove(name) => self.remove(name)?,
            Op::GetPinMut(name) => self.get_pin_mut(name)?,
            Op::Clear => self.clear()?,
        };
        let wakes = self.parent.take_wakes();
        let expected = match rouse {
            Rouse::Once if parked => 1..=1,
            Rouse::Perhaps if parked => 0..=1,
            _ => 0..=0,
        };
        prop_assert!(expected.contains(&wakes), "{wakes} wakes, not {expected:?}");
        self.model.parked = parked && wakes == 0;
        Ok(())
    }

    fn poll(&mut self) -> Result<(), TestCaseError> {
        self.world.log.borrow_mut().clear();
        let polled = catch_unwind(AssertUnwindSafe(|| self.parent.poll(&mut self.merge)));
        let outcome = match polled {
            Ok(Poll::Ready(Some(id))) => Outcome::Item(id),
            Ok(Poll::Ready(None)) => Outcome::Ended,
            Ok(Poll::Pending) => Outcome::Pending,
            Err(_) => Outcome::Panicked,
        };
        let log = mem::take(&mut *self.world.log.borrow_mut());
        let id = |noted| if let Noted::Polled(id) = noted { Some(id) } else { None };
        let polled: Vec<usize> = log.into_iter().filter_map(id).collect();
        let expected = self.model.poll(&polled, self.parent.take_wakes());
        prop_assert_eq!(expected, Ok(outcome), "children polled: {:?}", polled);
        Ok(())
    }

    fn push(&mut self, life: Life) -> Result<Rouse, TestCaseError> {
        let child = self.child(life.clone());
        let key = self.merge.push(child);
        self.note(key, life)?;
        Ok(Rouse::Once)
    }

    fn note(&mut self, key: Key, life: Life) -> Result<(), TestCaseError> {
        let keys: Vec<Key> = self.merge.keys().collect();
        let below = keys.iter().position(|&other| other == key);
        prop_assert!(below.is_some(), "keys() lacks the new child");
        self.model.push(key, below.unwrap(), life);
        Ok(())
    }

    /// Children that wait once, then end.
    fn extend(&mut self, count: usize) -> Result<Rouse, TestCaseError> {
        let wait = Act { wakes: Vec::new(), then: Then::Pending };
        let life = Life { acts: [wait].into(), ..Life::default() };
        let children: Vec<Child> = (0..count).map(|_| self.child(life.clone())).collect();
        let first = self.model.children.len();
        self.merge.extend(children);
        for id in first..first + count {
            let (key, _) = self.merge.iter().find(|(_, child)| child.id == id).unwrap();
            let live = |key: &Key| self.merge.get(*key).is_some_and(|child| child.id <= id);
            let keys: Vec<Key> = self.merge.keys().filter(live).collect();
            let below = keys.iter().position(|&other| other == key).unwrap();
            self.model.push(key, below, life.clone());
        }
        Ok(if count > 0 { Rouse::Once } else { Rouse::No })
    }

    fn remove(&mut self, name: usize) -> Result<Rouse, TestCaseError> {
        let Some((id, key)) = self.named(name) else { return Ok(Rouse::No) };
        let live = self.model.children[id].live;
        let removed = catch_unwind(AssertUnwindSafe(|| self.merge.remove(key)));
        if !live {
            prop_assert_eq!(removed.ok(), Some(false));
            return Ok(Rouse::No);
        }
        let (panics, rouse) = self.model.drop_child(id);
        prop_assert_eq!(removed.ok(), (!panics).then_some(true));
        let last = self.model.live.is_empty();
        Ok(if last { Rouse::Once } else { rouse })
    }

    fn get_pin_mut(&mut self, name: usize) -> Result<Rouse, TestCaseError> {
        let Some((id, key)) = self.named(name) else { return Ok(Rouse::No) };
        let found = self.merge.get_pin_mut(key).map(|child| child.id);
        let child = &mut self.model.children[id];
        prop_assert_eq!(found, child.live.then_some(id));
        child.ready |= child.live;
        Ok(if child.live { Rouse::Once } else { Rouse::No })
    }

    fn clear(&mut self) -> Result<Rouse, TestCaseError> {
        let cleared = catch_unwind(AssertUnwindSafe(|| self.merge.clear()));
        prop_assert_eq!(self.model.clear(), cleared.is_err());
        Ok(Rouse::Once)
    }

    /// What can be seen from outside is as the model says.
    fn compare(&self) -> Result<(), TestCaseError> {
        let live = self.model.live.clone();
        prop_assert_eq!(self.merge.len(), live.len());
        prop_assert_eq!(self.merge.is_empty(), live.is_empty());
        prop_assert_eq!(self.merge.is_terminated(), self.model.terminated);
        prop_assert_eq!(self.merge.iter().map(|(_, child)| child.id).collect::<Vec<_>>(), live);
        for child in &self.model.children {
            prop_assert_eq!(self.merge.contains(child.key), child.live);
        }
        prop_assert_eq!(self.parent.held() > 0, self.model.parked, "whether its waker is held");
        Ok(())
    }

    /// Drops the merge; its children's wakers stay.
    fn end(self) -> Result<(), TestCaseError> {
        let live: Vec<Noted> = self.model.live.iter().copied().map(Noted::Dropped).collect();
        self.world.log.borrow_mut().clear();
        let _ = catch_unwind(AssertUnwindSafe(move || drop(self.merge)));
        prop_assert_eq!(&*self.world.log.borrow(), &live);
        prop_assert_eq!(self.parent.held(), 0);
        self.parent.take_wakes();
        let wakers = mem::take(&mut *self.world.wakers.borrow_mut());
        wakers.into_iter().flatten().for_each(Waker::wake);
        prop_assert_eq!(self.parent.take_wakes(), 0);
        Ok(())
    }
}

fn any_then() -> impl Strategy<Value = Then> {
    prop_oneof![
        8 => Just(Then::Item),
        8 => Just(Then::Pending),
        2 => Just(Then::End),
        1 => Just(Then::Panic),
    ]
}

fn any_life() -> impl Strategy<Value = Life> {
    let act = (vec(any::<usize>(), 0..3), any_then()).prop_map(|(wakes, then)| Act { wakes, then });
    let wakes_on_drop = prop_oneof![3 => Just(vec![]), 1 => vec(any::<usize>(), 1..3)];
    (vec(act, 0..8), wakes_on_drop).prop_map(|(acts, wakes_on_drop)| Life {
        acts: acts.into(),
        wakes_on_drop,
        panics_on_drop: false,
    })
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        120 => Just(Op::Poll),
        40 => any_life().prop_map(Op::Push),
        3 => (0..70_usize).prop_map(Op::Extend),
        60 => any::<usize>().prop_map(Op::Wake),
        15 => any::<usize>().prop_map(Op::Remove),
        15 => any::<usize>().prop_map(Op::GetPinMut),
        2 => Just(Op::Clear),
    ]
}

/// A script in which at most one child's drop panics: two at a time abort.
fn any_script() -> impl Strategy<Value = Vec<Op>> {
    (vec(any_op(), 1..150), any::<usize>()).prop_map(|(mut ops, name)| {
        let mut lives = ops.iter_mut().filter_map(|op| match op {
            Op::Push(life) if life.may_panic_on_drop() => Some(life),
            _ => None,
        });
        if let Some(life) = lives.nth(name % 40) {
            life.panics_on_drop = true;
        }
        ops
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..<_>::default() })]

    #[test]
    fn a_merge_does_what_the_naive_model_says(
        budget in prop_oneof![0..5_u32, Just(32)],
        script in any_script(),
    ) {
        let mut pair = Pair::new(budget);
        for op in script {
            pair.step(op)?;
            pair.compare()?;
        }
        pair.end()?;
    }
}
