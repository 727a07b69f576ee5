//! Models of the wake side. Loom runs each under the interleavings of its threads, and
//! under the values that a weak memory model allows:
//!
//! ```sh
//! RUSTFLAGS="--cfg active_status_loom" cargo test --release --lib models
//! ```
//!
//! A lost wake fails as a deadlock: the task waits and no thread is left to run. A
//! missing ordering fails as a race on a cell. References that are never released are leaks, which
//! the sanitizers detect.
//!
//! Each of these bugs was seeded into `wake/`, and fails a model here or in
//! `../models.rs`. The model in the table is one of those that fail.
//!
//! | bug | model |
//! |---|---|
//! | `wake` returns early on a plain load that finds the bit set | `a_stale_wake_costs_…` |
//! | `park` swaps `PARKED` in, without checking the list | `writes_before_a_wake_…` |
//! | the link is read after the swap to 0 | `a_block_pushed_again_…` |
//! | `ready.fetch_or` only Release | `a_merge_unparked_by_a_push_…` |
//! | `ready.fetch_or` only Acquire; `ready.swap` only Release | `a_stale_wake_costs_…` |
//! | `ready.swap` only Acquire | `a_merge_unparked_by_a_push_…` |
//! | the push only Release, or only Acquire | `the_latest_parent_is_woken` |
//! | the take Relaxed | `the_latest_parent_is_woken` |
//! | the parking Relaxed | `the_latest_parent_is_woken` |
//! | `done` stored or loaded Relaxed, or stored before the parent is taken | `a_merge_unparked_by_a_push_…` |
//! | `done` is not reset | `a_block_pushed_again_…` |
//! | a block's references released Relaxed, its last one found with a Relaxed load, or no fence at its end | `a_block_that_ends_in_a_wake_…` |
//! | a slab's holds released Relaxed, the last ones found with a Relaxed load, or no fence at its end | `a_slab_is_freed_once_…` |
//! | blocks do not hold their slab | `a_slab_is_freed_once_…` |
//! | slabs do not hold the first one | `the_first_slab_is_freed_…` |
//! | a clone is not counted | `clones_dropped_with_the_merge_…` |
//! | `PARKED` becomes a link | `the_latest_parent_is_woken` |
//! | a waker's parent is taken for the merge's | `an_unpark_during_a_wake_…` |
//! | `Busy` is handled as `Parked` | `a_merge_unparked_by_a_push_…` |
//! | `unpark` forgets what was woken meanwhile | `an_unpark_during_a_wake_…` |
//! | dropping leaves `PARKED`, or takes a parent that a waker owns | `a_merge_dropped_during_…` |
//! | a changed parent is not stored | `the_latest_parent_is_woken` |

use core::cell::{Cell, RefCell};
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::task::Wake;

use loom::future::block_on;
use loom::model::Builder;
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use loom::thread;

use crate::pool::wake::{Inbox, Park, Wakers};

/// Runs a model under every interleaving with at most three preemptions, or with
/// `LOOM_MAX_PREEMPTIONS` if it is set.
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

/// Returns a waker that a child stores.
fn keep(wakers: &Wakers, child: usize) -> Waker {
    Waker::clone(&wakers.borrow(child))
}

/// What a merge does in one poll: takes the wakes, and parks unless `all` is true.
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
fn a_block_pushed_again_during_a_take_loses_no_child() {
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
fn a_child_woken_by_two_threads_sees_their_writes() {
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
        // A child checks only after a wake, as a merge polls it only then.
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
fn writes_before_a_wake_are_seen_after_it() {
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
fn the_latest_parent_is_woken() {
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
        assert!(last.is_ready() || parents[1].wakes() > 0, "the second parent is never woken");
        drop((inbox, wakers));
        assert_eq!(parents.map(|parent| Arc::strong_count(&parent)), [1, 1]);
    });
}

#[test]
fn a_parent_is_woken_once_per_parking() {
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
fn an_unpark_during_a_wake_wakes_the_parent_once() {
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
        assert_eq!(marks, 1, "the child's wake is taken once");
    });
}

#[test]
fn a_merge_unparked_by_a_push_receives_later_wakes() {
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
fn a_merge_dropped_during_a_wake_releases_its_parent() {
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
fn clones_dropped_with_the_merge_free_the_block_once() {
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
fn a_block_that_ends_in_a_wake_is_freed_once() {
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
fn a_slab_is_freed_once_by_its_last_hold() {
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
fn a_stale_wake_costs_one_mark_and_hides_no_wake() {
    model(|| {
        let mut inbox = Inbox::new(1);
        let wakers = inbox.wakers(0, 1);
        let (stale, child) = (keep(&wakers, 0), keep(&wakers, 0));
        let done = loom::sync::Arc::new(AtomicUsize::new(0));
        thread::spawn(move || stale.wake());
        thread::spawn({
            let done = done.clone();
            move || {
                done.store(1, Relaxed);
                child.wake();
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
