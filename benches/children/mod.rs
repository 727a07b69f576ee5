//! Children that are polled by hand, and a loop that only polls them.

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures::{Stream, StreamExt};

use crate::peers::{Child, Peer};

/// The lower bound: a loop over the children without readiness, panics or pushes.
pub(crate) struct Bare;

pub(crate) struct Loop<S> {
    children: Vec<Option<S>>,
    cursor: usize,
    left: usize,
}

impl Peer for Bare {
    const NAME: &str = "bare loop";
    type Merge<S: Child> = Loop<S>;

    fn merge<S: Child>(children: Vec<S>) -> Loop<S> {
        let left = children.len();
        Loop { children: children.into_iter().map(Some).collect(), cursor: 0, left }
    }
}

impl<S: Child> Stream for Loop<S> {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        for _ in 0..self.children.len() {
            let at = self.cursor;
            self.cursor = if at + 1 == self.children.len() { 0 } else { at + 1 };
            match self.children[at].as_mut().map(|child| child.poll_next_unpin(cx)) {
                Some(Poll::Ready(Some(item))) => return Poll::Ready(Some(item)),
                Some(Poll::Ready(None)) => {
                    self.children[at] = None;
                    self.left -= 1;
                }
                Some(Poll::Pending) | None => {}
            }
        }
        if self.left == 0 { Poll::Ready(None) } else { Poll::Pending }
    }
}

pub(crate) fn poll<S: Stream + Unpin>(merge: &mut S) -> Poll<Option<S::Item>> {
    merge.poll_next_unpin(&mut Context::from_waker(Waker::noop()))
}

/// Takes the given number of items, polling again after each `Pending`.
pub(crate) fn take<S: Stream + Unpin>(merge: &mut S, mut items: usize) {
    while items > 0 {
        if let Poll::Ready(item) = poll(merge) {
            black_box(item);
            items -= 1;
        }
    }
}

/// A child that yields an item at every poll.
pub(crate) struct Ready(pub(crate) usize);

impl Stream for Ready {
    type Item = usize;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<usize>> {
        Poll::Ready(Some(self.0))
    }
}

/// A child that yields an item after a signal.
pub(crate) struct Signaled(usize, Rc<Signal>);

#[derive(Default)]
pub(crate) struct Signal {
    ready: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Signal {
    pub(crate) fn send(&self) {
        self.ready.set(true);
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}

impl Stream for Signaled {
    type Item = usize;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        if self.1.ready.take() {
            return Poll::Ready(Some(self.0));
        }
        match &mut *self.1.waker.borrow_mut() {
            Some(waker) => waker.clone_from(cx.waker()),
            empty => *empty = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

/// Returns a merge of children that wait for a signal, and the signals in pseudorandom
/// order.
pub(crate) fn signaled<P: Peer>(n: usize) -> (P::Merge<Signaled>, Vec<Rc<Signal>>) {
    let mut signals: Vec<Rc<Signal>> = (0..n).map(|_| Rc::default()).collect();
    let mut merge =
        P::merge(signals.iter().cloned().enumerate().map(|(i, s)| Signaled(i, s)).collect());
    for signal in &signals {
        while signal.waker.borrow().is_none() {
            assert!(poll(&mut merge).is_pending());
        }
    }
    shuffle(&mut signals);
    (merge, signals)
}

/// Shuffles in a pseudorandom order that is always the same.
pub(crate) fn shuffle<T>(items: &mut [T]) {
    let mut random = 1_u64;
    for last in (1..items.len()).rev() {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        items.swap(last, (random >> 33) as usize % (last + 1));
    }
}

/// A child that yields one item.
pub(crate) struct Once(pub(crate) Option<usize>);

impl Stream for Once {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<usize>> {
        Poll::Ready(self.0.take())
    }
}
