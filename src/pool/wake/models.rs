//! Models of the wake side. Loom runs each under the interleavings of its
//! threads, and under the values that a weak memory may show:
//!
//! ```sh
//! RUSTFLAGS="--cfg active_status_loom" cargo test --release --lib models
//! ```
//!
//! A lost wake fails as a deadlock: the task waits and nobody is left to run. A
//! missing ordering fails as a race on a cell, a lost reference as a leak.
//!
//! Each of these bugs was put into `wake.rs`, and fails a model here or in
//! `../models.rs`; the one named, run alone, is among those that fail.
//!
//! | bug | model |
//! |---|---|
//! | `wake` returns early on a plain load that finds the bit set | `a_wake_by_a_former_tenant_of_a_place_…` |
//! | `park` swaps the token in, without a second look at the list | `what_was_done_before_a_wake_…` |
//! | the link is read after the swap to 0 | `a_block_pushed_again_…` |
//! | `ready.fetch_or` only Release | `a_merge_unparked_by_a_push_…` |
//! | `ready.fetch_or` only Acquire; `ready.swap` only Release | `a_wake_by_a_former_tenant_of_a_place_…` |
//! | `ready.swap` only Acquire | `a_merge_unparked_by_a_push_…` |
//! | the push only Release, or only Acquire | `the_parent_named_last_is_woken` |
//! | the take Relaxed | `the_parent_named_last_is_woken` |
//! | the parking Relaxed | `the_parent_named_last_is_woken` |
//! | `done` stored or loaded Relaxed, or stored before the parent is taken | `a_merge_unparked_by_a_push_…` |
//! | `done` not taken back | `a_block_pushed_again_…` |
//! | a block's references given back Relaxed, or no fence at its end | `a_block_that_ends_in_the_wake_…` |
//! | a slab's holds given back Relaxed, or no fence at its end | `a_slab_is_freed_once_…` |
//! | blocks do not hold their slab | `a_slab_is_freed_once_…` |
//! | slabs do not hold the first one | `the_first_slab_is_freed_…` |
//! | a clone is not counted, a wake keeps its reference | `wakers_cloned_and_dropped_…`, `a_block_that_ends_in_the_wake_…` |
//! | `PARKED` becomes a link | `the_parent_named_last_is_woken` |
//! | a lent parent is taken for ours | `a_merge_that_is_unparked_…` |
//! | busy is taken for parked | `a_merge_unparked_by_a_push_…` |
//! | `unpark` forgets what was woken meanwhile | `a_merge_that_is_unparked_…` |
//! | dropping leaves the token, or takes a lent parent | `a_merge_dropped_while_…` |
//! | a parent that changed is not named anew | `the_parent_named_last_is_woken` |

use core::cell::{Cell, RefCell};
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::task::Wake;

use loom::future::block_on;
use loom::model::Builder;
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use loom::thread;

use crate::pool::wake::{Inbox, Park, Wakers};

/// Runs a model under every interleaving with at most three preemptions, or
/// with as many as `LOOM_MAX_PREEMPTIONS` says.
fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(run);
}

/// A parent that counts its wakes.
struct Parent(AtomicUsize);

impl Parent {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(0)))
    }

    fn wakes(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl Wake for Parent {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// A waker that a child keeps.
fn keep(wakers: &Wakers, child: usize) -> Waker {
    Waker::clone(&wakers.lend(child))
}

/// What a merge does in one poll: takes what there is, looks whether that is
/// all, and else parks.
fn poll(
    inbox: &mut Inbox,
    cx: &mut Context<'_>,
    mut woken: impl FnMut(usize, usize),
    mut all: impl FnMut() -> bool,
) -> Poll<()> {
    loop {
        if inbox.has_wakes() {
            inbox.take(&mut woken);
        }
        if all() {
            return Poll::Ready(());
        }
        match inbox.park(cx.waker()) {
            Park::Parked => return Poll::Pending,
            Park::Woken => {}
            Park::Busy => {
                thread::yield_now();
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}

/// Runs a merge until these children, as (block, child), were woken.
fn run_until_woken(inbox: &mut Inbox, children: &[(usize, usize)]) {
    let mut missing = children.to_vec();
    let missing = RefCell::new(&mut missing);
    block_on(core::future::poll_fn(|cx| {
        let woken = |block, word: usize| {
            missing.borrow_mut().retain(|&(b, child)| b != block || word & (1 << child) == 0);
        };
        poll(inbox, cx, woken, || missing.borrow().is_empty())
    }));
}

#[test]
fn two_children_of_a_block_woken_at_once_are_both_seen() {
    model(|| {
        let mut inbox = Inbox::new(1);
        let wakers = inbox.wakers(0, 1);
        for child in [0, 63] {
            let waker = keep(&wakers, child);
            thread::spawn(move || waker.wake());
        }
        run_until_woken(&mut inbox, &[(0, 0), (0, 63)]);
    });
}

#[test]
fn two_blocks_woken_at_once_are_both_taken() {
    model(|| {
        let mut inbox = Inbox::new(1);
        let blocks = [inbox.wakers(0, 1), inbox.wakers(1, 1)];
        for wakers in &blocks {
            let waker = keep(wakers, 5);
            thread::spawn(move || waker.wake());
        }
        run_until_woken(&mut inbox, &[(0, 5), (1, 5)]);
    });
}

#[test]
fn a_block_pushed_again_while_the_list_is_followed_loses_nobody() {
    model(|| {
        let mut inbox = Inbox::new(1);
        let blocks = [inbox.wakers(0, 1), inbox.wakers(1, 1)];
        let (first, second, other) =
            (keep(&blocks[0], 0), keep(&blocks[0], 1), keep(&blocks[1], 0));
        thread::spawn(move || {
            first.wake();
            second.wake();
        });
        thread::spawn(move || other.wake());
        run_until_woken(&mut inbox, &[(0, 0), (0, 1), (1, 0)]);
    });
}

#[test]
fn a_child_woken_by_two_threads_sees_what_both_did() {
    model(|| {
        let mut inbox = Inbox::new(1);
        let wakers = inbox.wakers(0, 1);
        let done = [AtomicUsize::new(0), AtomicUsize::new(0)].map(loom::sync::Arc::new);
        for done in &done {
            let (done, waker) = (done.clone(), keep(&wakers, 0));
            thread::spawn(move || {
                done.store(1, Relaxed);
                waker.wake();
            });
        }
        // A child looks only when it was woken, as a merge polls it only then.
        let woken = Cell::new(true);
        block_on(core::future::poll_fn(|cx| {
            poll(
                &mut inbox,
                cx,
                |_, _| woken.set(true),
                || woken.take() && done.iter().all(|done| done.load(Relaxed) == 1),
            )
        }));
    });
}

#[test]
fn what_was_done_before_a_wake_is_seen_after_it() {
    model(|| {
        let mut inbox = Inbox::new(1);
        let wakers = inbox.wakers(0, 1);
        let word = loom::sync::Arc::new(AtomicUsize::new(0));
        let waker = keep(&wakers, 0);
        thread::spawn({
            let word = word.clone();
            move || {
                word.store(7, Relaxed);
                waker.wake();
            }
        });
        run_until_woken(&mut inbox, &[(0, 0)]);
        assert_eq!(word.load(Relaxed), 7);
    });
}

#[test]
fn the_parent_named_last_is_woken() {
    model(|| {
        let mut inbox = Inbox::new(1);
        let wakers = inbox.wakers(0, 1);
        let waker = keep(&wakers, 0);
        let thread = thread::spawn(move || waker.wake());
        let seen = Cell::new(false);
        let parents = [Parent::new(), Parent::new()];
        let last = parents.each_ref().map(|parent| {
            let task = Waker::from(Arc::clone(parent));
            let cx = &mut Context::from_waker(&task);
            poll(&mut inbox, cx, |_, _| seen.set(true), || seen.get())
        })[1];
        thread.join().unwrap();
        assert!(last.is_ready() || parents[1].wakes() > 0, "the second parent sleeps for ever");
        drop((inbox, wakers));
        assert_eq!(parents.map(|parent| Arc::strong_count(&parent)), [1, 1]);
    });
}

#[test]
fn a_parent_is_woken_once_for_each_time_it_parks() {
    model(|| {
        let mut inbox = Inbox::new(1);
        let wakers = inbox.wakers(0, 1);
        let parent = Parent::new();
        let task = Waker::from(Arc::clone(&parent));
        assert_eq!(inbox.park(&task), Park::Parked);
        let threads = [0, 1].map(|child| {
            let waker = keep(&wakers, child);
            thread::spawn(move || waker.wake())
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(parent.wakes(), 1);
    });
}

#[test]
fn a_merge_that_is_unparked_while_a_child_wakes_it_is_woken_once() {
    model(|| {
        let mut inbox = Inbox::new(1);
        let wakers = inbox.wakers(0, 1);
        let parent = Parent::new();
        let task = Waker::from(Arc::clone(&parent));
        assert_eq!(inbox.park(&task), Park::Parked);
        let waker = keep(&wakers, 0);
        let thread = thread::spawn(move || waker.wake());
        let mut marks = 0;
        if let Some(parent) = inbox.unpark(|_, word| marks += word) {
            parent.wake();
        }
        thread.join().unwrap();
        assert_eq!(parent.wakes(), 1);
        inbox.take(|_, word| marks += word);
        assert_eq!(marks, 1, "the child's wake is seen by one look");
    });
}

#[test]
fn a_merge_unparked_by_a_push_hears_the_wakes_after_it() {
    model(|| {
        let mut inbox = Inbox::new(1);
        let wakers = inbox.wakers(0, 1);
        let first = Parent::new();
        assert_eq!(inbox.park(&Waker::from(first)), Park::Parked);
        let (before, after) = (keep(&wakers, 0), keep(&wakers, 1));
        thread::spawn(move || {
            before.wake();
            after.wake();
        });
        let mut seen = 0;
        drop(inbox.unpark(|_, word| seen |= word));
        let missing: Vec<_> =
            [0, 1].into_iter().filter(|child| seen & (1 << child) == 0).map(|c| (0, c)).collect();
        run_until_woken(&mut inbox, &missing);
    });
}

#[test]
fn a_merge_dropped_while_a_child_wakes_it_lets_its_parent_go() {
    model(|| {
        let mut inbox = Inbox::new(1);
        let wakers = inbox.wakers(0, 1);
        let parent = Parent::new();
        let task = Waker::from(Arc::clone(&parent));
        assert_eq!(inbox.park(&task), Park::Parked);
        drop(task);
        let threads = [0, 1].map(|child| {
            let waker = keep(&wakers, child);
            thread::spawn(move || waker.wake_by_ref())
        });
        drop((inbox, wakers));
        let before = parent.wakes();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(Arc::strong_count(&parent), 1);
        assert!(parent.wakes() <= 1 && before <= 1);
    });
}

#[test]
fn wakers_cloned_and_dropped_while_the_merge_is_dropped_free_the_block_once() {
    model(|| {
        let mut inbox = Inbox::new(1);
        let wakers = inbox.wakers(0, 1);
        let waker = keep(&wakers, 0);
        let thread = thread::spawn(move || {
            let other = waker.clone();
            drop(waker);
            other.wake_by_ref();
        });
        drop(wakers);
        drop(inbox);
        thread.join().unwrap();
    });
}

#[test]
fn a_block_that_ends_in_the_wake_of_its_last_waker_is_freed_once() {
    model(|| {
        let mut inbox = Inbox::new(1);
        let wakers = inbox.wakers(0, 1);
        let parent = Parent::new();
        assert_eq!(inbox.park(&Waker::from(Arc::clone(&parent))), Park::Parked);
        let threads =
            [keep(&wakers, 0), keep(&wakers, 1)].map(|waker| thread::spawn(move || waker.wake()));
        drop((inbox, wakers));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(Arc::strong_count(&parent), 1);
    });
}

#[test]
fn a_slab_is_freed_once_by_the_last_of_its_blocks_or_by_the_merge() {
    model(|| {
        let mut inbox = Inbox::new(2);
        let blocks = [inbox.wakers(0, 0), inbox.wakers(1, 0)];
        let threads = blocks.each_ref().map(|wakers| {
            let waker = keep(wakers, 0);
            thread::spawn(move || drop(waker))
        });
        drop(blocks);
        drop(inbox);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn the_first_slab_is_freed_after_all_others() {
    model(|| {
        let mut inbox = Inbox::new(1);
        let blocks = [inbox.wakers(0, 1), inbox.wakers(1, 1)];
        assert_eq!(inbox.park(Waker::noop()), Park::Parked);
        let waker = keep(&blocks[1], 0);
        let threads = [thread::spawn(move || waker.wake())];
        drop(blocks);
        drop(inbox);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_wake_by_a_former_tenant_of_a_place_costs_one_mark_and_hides_none() {
    model(|| {
        let mut inbox = Inbox::new(1);
        let wakers = inbox.wakers(0, 1);
        let (former, tenant) = (keep(&wakers, 0), keep(&wakers, 0));
        let done = loom::sync::Arc::new(AtomicUsize::new(0));
        thread::spawn(move || former.wake());
        thread::spawn({
            let done = done.clone();
            move || {
                done.store(1, Relaxed);
                tenant.wake();
            }
        });
        let (marks, woken) = (Cell::new(0), Cell::new(false));
        block_on(core::future::poll_fn(|cx| {
            let mark = |_, _| {
                marks.set(marks.get() + 1);
                woken.set(true);
            };
            poll(&mut inbox, cx, mark, || woken.take() && done.load(Relaxed) == 1)
        }));
        inbox.take(|_, _| marks.set(marks.get() + 1));
        assert!(marks.get() <= 2, "more marks than wakes");
    });
}
