//! Children are not moved, and may borrow.

use std::cell::{Cell, RefCell};
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use active_status::{Merge, once};
use futures::stream::{self, Stream};

use crate::support::{Parent, panic_of};

/// A child that must not move: it remembers the address of its first poll, and counts
/// later polls and drops at another address.
struct Anchored {
    place: Cell<usize>,
    seen: Rc<Seen>,
    _pinned: PhantomPinned,
}

#[derive(Default)]
struct Seen {
    polls: Cell<usize>,
    drops: Cell<usize>,
    moves: Cell<usize>,
    /// The number of items left, after which the child ends. -1: the poll panics.
    left: Cell<i32>,
}

impl Anchored {
    fn new(left: i32) -> (Self, Rc<Seen>) {
        let seen = Rc::new(Seen { left: Cell::new(left), ..Seen::default() });
        (Self { place: Cell::new(0), seen: seen.clone(), _pinned: PhantomPinned }, seen)
    }

    fn look(&self) {
        let here = std::ptr::from_ref(self).addr();
        let before = self.place.replace(here);
        if before != 0 && before != here {
            self.seen.moves.set(self.seen.moves.get() + 1);
        }
    }
}

impl Stream for Anchored {
    type Item = ();

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> {
        self.look();
        self.seen.polls.set(self.seen.polls.get() + 1);
        let left = self.seen.left.get();
        assert!(left >= 0, "poll");
        self.seen.left.set(left - 1);
        Poll::Ready((left > 0).then_some(()))
    }
}

impl Drop for Anchored {
    fn drop(&mut self) {
        self.look();
        self.seen.drops.set(self.seen.drops.get() + 1);
    }
}

fn anchored(count: usize, left: i32) -> (Merge<Anchored>, Vec<Rc<Seen>>) {
    let mut merge = Merge::new().with_budget(u32::MAX);
    let push = |_| {
        let (child, seen) = Anchored::new(left);
        merge.push(child);
        seen
    };
    let seen = (0..count).map(push).collect();
    (merge, seen)
}

#[track_caller]
fn assert_dropped_in_place(seen: &[Rc<Seen>]) {
    for seen in seen {
        assert!(seen.polls.get() > 0, "no place to compare with");
        assert_eq!((seen.drops.get(), seen.moves.get()), (1, 0));
    }
}

#[test]
fn a_child_stays_in_place_from_push_to_drop() {
    let (mut merge, seen) = anchored(3, 1_000);
    let parent = Parent::new();
    let mut others = Vec::new();
    for _ in 0..200 {
        parent.items(&mut merge, 5);
        for _ in 0..30 {
            let (child, seen) = Anchored::new(10);
            merge.push(child);
            others.push(seen);
        }
        merge = Box::new(merge).with_budget(32);
    }
    parent.items(&mut merge, 12_000);
    drop(merge);
    assert_dropped_in_place(&seen);
    assert_dropped_in_place(&others);
}

#[test]
fn a_child_that_ends_is_dropped_in_place() {
    let (mut merge, seen) = anchored(100, 2);
    assert_eq!(Parent::new().drain(&mut merge).len(), 200);
    assert_dropped_in_place(&seen);
}

#[test]
fn a_removed_child_is_dropped_in_place() {
    let (mut merge, seen) = anchored(100, 2);
    Parent::new().items(&mut merge, 100);
    let keys: Vec<_> = merge.keys().collect();
    assert!(keys.into_iter().all(|key| merge.remove(key)));
    assert_dropped_in_place(&seen);
}

#[test]
fn cleared_children_are_dropped_in_place() {
    let (mut merge, seen) = anchored(100, 2);
    Parent::new().items(&mut merge, 100);
    merge.clear();
    assert_dropped_in_place(&seen);
}

#[test]
fn a_child_that_panics_is_dropped_in_place() {
    let (mut merge, seen) = anchored(3, 1);
    let parent = Parent::new();
    parent.items(&mut merge, 3);
    seen[1].left.set(-1);
    assert_eq!(panic_of(|| parent.drain(&mut merge)), "poll");
    assert_eq!((seen[1].drops.get(), seen[1].moves.get()), (1, 0));
}

#[test]
fn get_pin_mut_returns_the_child_in_place() {
    let mut merge = Merge::new();
    let key = merge.push(Anchored::new(2).0);
    Parent::new().items(&mut merge, 1);
    let place = merge.get(key).unwrap().place.get();
    let child = merge.get_pin_mut(key).unwrap();
    assert_eq!(std::ptr::from_ref(&*child).addr(), place);
}

#[test]
fn a_merge_of_pinned_children_is_unpin() {
    fn assert_unpin<T: Unpin>(_: &T) {}
    assert_unpin(&anchored(1, 1).0);
}

#[test]
fn children_may_be_async_blocks() {
    let greet = |name: &'static str| once(async move { format!("hello {name}") });
    let mut merge: Merge<_> = ["ada", "grace"].into_iter().map(greet).collect();
    assert_eq!(Parent::new().drain(&mut merge), ["hello ada", "hello grace"]);
}

#[test]
fn children_may_borrow_from_locals() {
    let words = [String::from("a"), String::from("b")];
    let heard = RefCell::new(Vec::new());
    let worker = |word| {
        let heard = &heard;
        once(async move { heard.borrow_mut().push(word) })
    };
    let mut merge: Merge<_> = words.iter().map(worker).collect();
    assert_eq!(Parent::new().drain(&mut merge).len(), 2);
    drop(merge);
    assert_eq!(heard.into_inner(), ["a", "b"]);
}

#[test]
fn children_may_borrow_from_later_locals() {
    let mut merge = Merge::new();
    let words = [String::from("a"), String::from("b")];
    merge.push(stream::iter(words.iter()));
    merge.push(stream::iter(&words[1..]));
    assert_eq!(Parent::new().items(&mut merge, 2), ["a", "b"]);
}

#[test]
fn children_of_different_lifetimes_share_a_merge() {
    fn join<'a>(mut merge: Merge<stream::Iter<std::slice::Iter<'a, u8>>>, late: &'a [u8]) {
        merge.push(stream::iter(late));
        assert_eq!(Parent::new().drain(&mut merge), [&1, &3, &2]);
    }
    static EARLY: [u8; 2] = [1, 2];
    let late = vec![3];
    join([stream::iter(&EARLY)].into_iter().collect(), &late);
}

/// A child with the alignment of a page.
#[repr(align(4096))]
struct Aligned(u8);

impl Stream for Aligned {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<usize>> {
        self.0 += 1;
        Poll::Ready((self.0 < 3).then_some(std::ptr::from_ref(&*self).addr()))
    }
}

#[test]
fn children_are_aligned() {
    let mut merge: Merge<_> = (0..3).map(|_| Aligned(0)).collect();
    merge.extend((0..70).map(|_| Aligned(0)));
    let places = Parent::new().drain(&mut merge);
    assert_eq!(places.len(), 2 * 73);
    assert!(places.iter().all(|place| place.is_multiple_of(4096)));
}

#[test]
fn zero_sized_children_are_aligned() {
    #[repr(align(256))]
    struct Nothing;
    impl Stream for Nothing {
        type Item = usize;
        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<usize>> {
            Poll::Ready(Some(std::ptr::from_ref(&*self).addr()))
        }
    }
    let mut merge: Merge<_> = (0..70).map(|_| Nothing).collect();
    let places = Parent::new().items(&mut merge, 70);
    assert!(places.iter().all(|place| place.is_multiple_of(256)));
}
