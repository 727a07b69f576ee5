//! Models of the whole merge, polled while other threads wake its children.
//! `wake/models.rs` explains how they are run and what they detect.

use core::cell::{Cell, RefCell};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::Wake;

use futures_core::Stream;
use loom::future::block_on;
use loom::model::Builder;
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use loom::thread;

use crate::pool::merge::Merge;

/// Runs a model as `wake/models.rs` does.
fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(run);
}

/// A child that yields one item per `send`.
struct Child {
    sent: loom::sync::Arc<AtomicUsize>,
    yielded: usize,
    seen: Rc<Seen>,
}

/// What a child records on the merge's thread.
#[derive(Default)]
struct Seen {
    waker: RefCell<Option<Waker>>,
    polls: Cell<usize>,
}

/// The other end of a child, for another thread.
struct Sender {
    sent: loom::sync::Arc<AtomicUsize>,
    waker: Waker,
}

impl Sender {
    fn send(self) {
        // Relaxed: the wake must publish it.
        self.sent.fetch_add(1, Relaxed);
        self.waker.wake();
    }
}

impl Child {
    fn new() -> Self {
        let sent = loom::sync::Arc::new(AtomicUsize::new(0));
        Self { sent, yielded: 0, seen: Rc::default() }
    }

    /// Returns the sender of a child that was polled.
    fn sender(&self) -> Sender {
        let waker = self.seen.waker.borrow().clone().expect("the child was polled");
        Sender { sent: self.sent.clone(), waker }
    }
}

impl Stream for Child {
    type Item = ();

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<()>> {
        self.seen.polls.set(self.seen.polls.get() + 1);
        self.seen.waker.borrow_mut().get_or_insert_with(|| cx.waker().clone());
        if self.sent.load(Relaxed) == self.yielded {
            return Poll::Pending;
        }
        self.yielded += 1;
        Poll::Ready(Some(()))
    }
}

/// A parent that counts its wakes.
struct Parent(AtomicUsize);

impl Wake for Parent {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Returns a waiting merge of idle children, with their senders and its parent.
fn waiting(count: usize) -> (Merge<Child>, Vec<Sender>, Arc<Parent>) {
    let mut merge: Merge<Child> = (0..count).map(|_| Child::new()).collect();
    let parent = Arc::new(Parent(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&parent));
    let polled = Pin::new(&mut merge).poll_next(&mut Context::from_waker(&waker));
    assert_eq!(polled, Poll::Pending);
    let senders = merge.iter().map(|(_, child)| child.sender()).collect();
    (merge, senders, parent)
}

/// Waits for the next item as an executor does.
fn next(merge: &mut Merge<Child>) -> Option<()> {
    block_on(core::future::poll_fn(|cx| {
        let polled = Pin::new(&mut *merge).poll_next(cx);
        if polled.is_pending() {
            // The merge may have yielded: other threads run.
            thread::yield_now();
        }
        polled
    }))
}

#[test]
fn items_of_two_threads_arrive() {
    model(|| {
        let (mut merge, senders, _) = waiting(2);
        for sender in senders {
            thread::spawn(move || sender.send());
        }
        assert_eq!([next(&mut merge), next(&mut merge)], [Some(()), Some(())]);
    });
}

#[test]
fn a_wake_during_a_take_is_contention() {
    static FOUND: AtomicBool = AtomicBool::new(false);
    model(|| {
        let (mut merge, senders, _) = waiting(2);
        for sender in senders {
            thread::spawn(move || sender.send());
        }
        assert_eq!([next(&mut merge), next(&mut merge)], [Some(()), Some(())]);
        FOUND.fetch_or(merge.contention.is_found(), SeqCst);
    });
    assert!(FOUND.load(SeqCst), "some interleaving must find it");
}

#[test]
fn an_item_arrives_beside_a_push() {
    model(|| {
        let (mut merge, mut senders, parent) = waiting(1);
        let sender = senders.remove(0);
        let thread = thread::spawn(move || sender.send());
        let pushed = Child::new();
        pushed.sent.store(1, Relaxed);
        merge.push(pushed);
        assert_eq!([next(&mut merge), next(&mut merge)], [Some(()), Some(())]);
        thread.join().unwrap();
        assert_eq!(parent.0.load(SeqCst), 1, "the push or the child wakes the parent");
    });
}

#[test]
fn a_merge_ends_if_its_last_child_is_removed_in_a_wake() {
    model(|| {
        let (mut merge, mut senders, parent) = waiting(1);
        let sender = senders.remove(0);
        let thread = thread::spawn(move || sender.send());
        let key = merge.keys().next().unwrap();
        assert!(merge.remove(key));
        assert_eq!(next(&mut merge), None);
        thread.join().unwrap();
        assert_eq!(parent.0.load(SeqCst), 1, "the removal or the child wakes the parent");
    });
}

#[test]
fn a_stale_wake_costs_one_poll_and_no_item() {
    model(|| {
        let (mut merge, mut senders, _) = waiting(1);
        let stale = senders.remove(0);
        let thread = thread::spawn(move || stale.send());
        let key = merge.keys().next().unwrap();
        assert!(merge.remove(key));
        let key = merge.push(Child::new());
        let successor = merge.get(key).unwrap();
        let seen = Rc::clone(&successor.seen);
        let waker = Waker::noop();
        assert!(Pin::new(&mut merge).poll_next(&mut Context::from_waker(waker)).is_pending());
        let sender = merge.get(key).unwrap().sender();
        let other = thread::spawn(move || sender.send());
        assert_eq!(next(&mut merge), Some(()));
        thread.join().unwrap();
        other.join().unwrap();
        // The first poll, one per wake, and no other.
        assert!(seen.polls.get() <= 3, "{} polls", seen.polls.get());
    });
}

#[test]
fn the_waker_of_the_last_poll_is_woken() {
    model(|| {
        let (mut merge, mut senders, first) = waiting(1);
        let sender = senders.remove(0);
        let thread = thread::spawn(move || sender.send());
        let last = Arc::new(Parent(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&last));
        let polled = Pin::new(&mut merge).poll_next(&mut Context::from_waker(&waker));
        thread.join().unwrap();
        let woken = last.0.load(SeqCst);
        assert!(polled.is_ready() || woken > 0, "the last parent is never woken");
        drop((merge, waker));
        assert_eq!((Arc::strong_count(&first), Arc::strong_count(&last)), (1, 1));
    });
}

#[test]
fn a_merge_may_be_dropped_while_its_children_wake() {
    model(|| {
        let (merge, senders, parent) = waiting(2);
        let threads: Vec<_> =
            senders.into_iter().map(|sender| thread::spawn(move || sender.send())).collect();
        drop(merge);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(Arc::strong_count(&parent), 1);
        assert!(parent.0.load(SeqCst) <= 1);
    });
}
