//! Models of the wake side. Loom runs each under the interleavings of its
//! threads, and under the values that a weak memory may show:
//!
//! ```sh
//! RUSTFLAGS="--cfg active_status_loom" cargo test --release --lib models
//! ```
//!
//! A lost wake fails as a deadlock: the task waits and nobody is left to run. A
//! missing ordering fails as a race on a cell, a lost reference as a leak.

use core::cell::{Cell, RefCell};
use core::task::{Context, Poll};
use std::sync::Arc;
use std::task::Wake;

use loom::future::block_on;
use loom::model::Builder;
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use loom::thread;

use super::{Inbox, Park, Waker, Wakers};

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
        if inbox.has_news() {
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
        let mut inbox = Inbox::new();
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
        let mut inbox = Inbox::new();
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
        let mut inbox = Inbox::new();
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
        let mut inbox = Inbox::new();
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
        let mut inbox = Inbox::new();
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
        let mut inbox = Inbox::new();
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
        let mut inbox = Inbox::new();
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
        let mut inbox = Inbox::new();
        let wakers = inbox.wakers(0, 1);
        let parent = Parent::new();
        let task = Waker::from(Arc::clone(&parent));
        assert_eq!(inbox.park(&task), Park::Parked);
        let waker = keep(&wakers, 0);
        let thread = thread::spawn(move || waker.wake());
        if let Some(parent) = inbox.unpark(|_, _| {}) {
            parent.wake();
        }
        thread.join().unwrap();
        assert_eq!(parent.wakes(), 1);
    });
}

#[test]
fn a_merge_dropped_while_a_child_wakes_it_lets_its_parent_go() {
    model(|| {
        let mut inbox = Inbox::new();
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
        let mut inbox = Inbox::new();
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
