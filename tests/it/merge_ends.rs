//! Ends, sizes, size hints and auto traits of a merge.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use active_status::Merge;
use futures::stream::{self, FusedStream};
use futures::{Stream, StreamExt};

use crate::support::{Child, Handle, NO_ITEMS, Parent, Step, child, children};

#[test]
fn an_empty_merge_ends_every_time_it_is_polled() {
    let mut merge = Merge::<Child>::new();
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut merge), Poll::Ready(None));
    assert_eq!(parent.poll(&mut merge), Poll::Ready(None));
    assert_eq!(parent.take_wakes(), 0);
}

#[test]
fn a_merge_ends_when_no_child_is_left() {
    let (children, handles) = children(3, &[Step::Item, Step::End]);
    let mut merge: Merge<Child> = children.into_iter().collect();
    let parent = Parent::new();
    assert_eq!(parent.items(&mut merge, 3), [0, 1, 2]);
    for _ in 0..3 {
        assert_eq!(parent.poll(&mut merge), Poll::Ready(None));
    }
    assert!(handles.iter().all(|handle| handle.polls() == 2));
}

#[test]
fn an_idle_child_keeps_the_merge_alive() {
    let mut merge: Merge<Child> = children(3, &[Step::End]).0.into_iter().collect();
    let key = merge.push(child(3, &[Step::Idle]).0);
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    assert!(merge.contains(key));
    assert_eq!(merge.len(), 1);
}

#[test]
fn an_ended_child_is_dropped_before_the_next_poll() {
    let (ending, ended) = child(0, &[Step::End]);
    let dropped_in_time = Cell::new(false);
    let look = stream::poll_fn(|_| {
        dropped_in_time.set(ended.drops() == 1);
        Poll::Ready(Some(1))
    });
    let mut merge = Merge::new();
    merge.push(ending.left_stream());
    merge.push(look.right_stream());
    assert_eq!(Parent::new().poll(&mut merge), Poll::Ready(Some(1)));
    drop(merge);
    assert!(dropped_in_time.get());
}

#[test]
fn an_ended_child_is_not_polled_when_its_waker_wakes() {
    let (children, handles) = children(3, &[Step::End]);
    let mut merge: Merge<Child> = children.into_iter().collect();
    merge.push(child(3, &[Step::Idle]).0);
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    handles.iter().for_each(Handle::wake);
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    assert!(handles.iter().all(|handle| handle.polls() == 1 && handle.drops() == 1));
}

#[test]
fn all_children_may_end_in_one_call() {
    for size in [0, 1, 2, 63, 64, 65, 4_096, 4_097] {
        let (children, handles) = children(size, &[Step::End]);
        let mut merge = children.into_iter().collect::<Merge<_>>().with_budget(u32::MAX);
        assert_eq!(Parent::new().poll(&mut merge), Poll::Ready(None), "{size} children");
        assert!(handles.iter().all(|handle| handle.drops() == 1));
    }
}

#[test]
fn a_merge_is_terminated_only_after_none() {
    let mut merge = Merge::new();
    assert!(!merge.is_terminated(), "empty, but `None` was not returned");
    merge.push(child(0, &[Step::Item, Step::Idle, Step::End]).0);
    let parent = Parent::new();
    assert!(parent.poll(&mut merge).is_ready());
    assert!(!merge.is_terminated());
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    assert!(!merge.is_terminated());
    merge.clear();
    assert!(!merge.is_terminated());
    assert_eq!(parent.poll(&mut merge), Poll::Ready(None));
    assert!(merge.is_terminated());
}

#[test]
fn a_push_after_the_end_revives_the_merge() {
    let mut merge = Merge::new();
    let parent = Parent::new();
    for number in 0..3 {
        assert_eq!(parent.poll(&mut merge), Poll::Ready(None));
        merge.push(child(number, &[Step::Item, Step::End]).0);
        assert!(!merge.is_terminated());
        assert_eq!(parent.poll(&mut merge), Poll::Ready(Some(number)));
    }
    assert_eq!(parent.drain(&mut merge), NO_ITEMS);
    assert!(merge.is_terminated());
}

#[test]
fn every_item_arrives_once_and_in_order() {
    for size in [1, 2, 63, 64, 65, 4_096, 4_097] {
        let workers =
            (0..size).map(|number| stream::iter((0..number % 5).map(move |item| (number, item))));
        let mut merge: Merge<_> = workers.collect();
        let mut next = vec![0; size];
        for (number, item) in Parent::new().drain(&mut merge) {
            assert_eq!(item, next[number]);
            next[number] += 1;
        }
        assert!(
            merge.is_terminated()
                && next.iter().enumerate().all(|(number, &count)| count == number % 5)
        );
    }
}

#[test]
fn children_pushed_one_by_one_are_all_served() {
    for with_capacity in [0, 1, 64, 5_000] {
        let mut merge = Merge::with_capacity(with_capacity);
        let parent = Parent::new();
        for number in 0..4_100 {
            merge.push(child(number, &[Step::Idle, Step::Item, Step::End]).0);
        }
        assert_eq!(merge.len(), 4_100);
        let handles: Vec<Handle> = (4_100..4_200)
            .map(|number| {
                let (child, handle) = child(number, &[Step::Sent]);
                merge.push(child);
                handle
            })
            .collect();
        assert_eq!(parent.drain(&mut merge), NO_ITEMS);
        handles.iter().for_each(Handle::send);
        assert!(parent.drain(&mut merge).into_iter().eq(4_100..4_200));
    }
}

/// A small child: a number, and where to leave its waker.
struct Small<'a> {
    number: u32,
    polls: &'a Cell<usize>,
    wakers: &'a RefCell<Vec<(u32, Waker)>>,
}

impl Stream for Small<'_> {
    type Item = u32;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u32>> {
        self.polls.set(self.polls.get() + 1);
        let mut wakers = self.wakers.borrow_mut();
        if let Some(at) = wakers.iter().position(|(number, _)| *number == self.number) {
            wakers.swap_remove(at);
            return Poll::Ready(Some(self.number));
        }
        if matches!(
            self.number,
            0 | 63 | 64 | 4_095 | 4_096 | 262_143 | 262_144 | 524_288 | 999_999
        ) {
            wakers.push((self.number, cx.waker().clone()));
        }
        Poll::Pending
    }
}

#[test]
fn a_million_idle_children_cost_no_polls() {
    let (polls, wakers) = (Cell::new(0), RefCell::new(Vec::new()));
    let small = |number| Small { number, polls: &polls, wakers: &wakers };
    let mut merge = (0..1_000_000).map(small).collect::<Merge<_>>().with_budget(u32::MAX);
    let parent = Parent::new();
    assert_eq!(parent.drain(&mut merge), [0_u32; 0]);
    assert_eq!(polls.replace(0), 1_000_000);
    wakers.borrow().iter().rev().for_each(|(_, waker)| waker.wake_by_ref());
    assert_eq!(parent.take_wakes(), 1);
    let woken = parent.drain(&mut merge);
    assert_eq!(woken, [0, 63, 64, 4_095, 4_096, 262_143, 262_144, 524_288, 999_999]);
    assert_eq!(polls.get(), 2 * woken.len());
}

/// A zero-sized child that always has an item.
struct Nothing;

impl Stream for Nothing {
    type Item = ();

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> {
        Poll::Ready(Some(()))
    }
}

#[test]
fn children_may_be_zero_sized() {
    let mut merge: Merge<Nothing> = (0..200).map(|_| Nothing).collect();
    assert_eq!(Parent::new().items(&mut merge, 1_000).len(), 1_000);
    let last = merge.keys().last().unwrap();
    assert!(merge.remove(last));
    assert_eq!(merge.len(), 199);
}

#[test]
fn zero_sized_children_are_dropped_once_each() {
    thread_local!(static DROPS: Cell<usize> = const { Cell::new(0) });
    struct Counted;
    impl Stream for Counted {
        type Item = ();
        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> {
            Poll::Ready(None)
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            DROPS.set(DROPS.get() + 1);
        }
    }
    let mut merge = (0..100).map(|_| Counted).collect::<Merge<_>>().with_budget(40);
    assert_eq!(Parent::new().poll(&mut merge), Poll::Pending);
    assert_eq!(DROPS.get(), 40);
    drop(merge);
    assert_eq!(DROPS.get(), 100);
}

#[test]
fn children_may_be_huge() {
    struct Huge([usize; 8_192]);
    impl Stream for Huge {
        type Item = usize;
        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<usize>> {
            self.0[8_191] += 1;
            Poll::Ready((self.0[8_191] < 3).then_some(self.0[0]))
        }
    }
    let mut merge = Merge::new();
    for number in 0..66 {
        let mut words = [0; 8_192];
        words[0] = number;
        merge.push(Huge(words));
    }
    assert!(Parent::new().drain(&mut merge).into_iter().eq((0..2).flat_map(|_| 0..66)));
}

/// A child with a given size hint.
struct Sized_(usize, Option<usize>);

impl Stream for Sized_ {
    type Item = ();

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> {
        Poll::Pending
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0, self.1)
    }
}

#[test]
fn size_hints_are_summed() {
    const MAX: usize = usize::MAX;
    type Hint = (usize, Option<usize>);
    let cases: [(&[Hint], Hint); 7] = [
        (&[], (0, Some(0))),
        (&[(2, Some(3))], (2, Some(3))),
        (&[(2, Some(3)), (5, Some(7))], (7, Some(10))),
        (&[(2, Some(3)), (5, None)], (7, None)),
        (&[(MAX, Some(MAX)), (0, Some(0))], (MAX, Some(MAX))),
        (&[(MAX, Some(MAX)), (1, Some(1))], (MAX, None)),
        (&[(1, None), (MAX, None)], (1, None)),
    ];
    for (children, expected) in cases {
        let merge: Merge<Sized_> = children.iter().map(|&(low, high)| Sized_(low, high)).collect();
        assert_eq!(merge.size_hint(), expected, "{children:?}");
    }
}

#[test]
fn a_size_hint_asks_at_most_64_children() {
    let sum = |count| (0..count).map(|_| Sized_(1, Some(2))).collect::<Merge<_>>().size_hint();
    assert_eq!([sum(64), sum(65), sum(1_000)], [(64, Some(128)), (64, None), (64, None)]);
}

#[test]
fn the_size_hint_counts_remaining_items() {
    let mut merge: Merge<_> = [stream::iter(0..3), stream::iter(0..1)].into_iter().collect();
    let parent = Parent::new();
    for left in (0..4).rev() {
        parent.items(&mut merge, 1);
        assert_eq!(merge.size_hint(), (left, Some(left)));
    }
}

#[test]
fn a_merge_is_debug_even_if_its_children_are_not() {
    let never = |_| stream::poll_fn(|_| Poll::<Option<()>>::Pending);
    let text = format!("{:?}", (0..7).map(never).collect::<Merge<_>>());
    assert!(text.starts_with("Merge") && text.contains("len: 7"), "{text}");
}

#[test]
fn default_is_an_empty_merge() {
    let merge = Merge::<Child>::default();
    assert!(merge.is_empty());
    assert_eq!(merge.len(), 0);
}

/// Whether a type is `Send` or `Sync`: the inherent constant takes precedence where
/// its bound holds.
struct Is<T>(PhantomData<T>);

trait IsNot {
    const SEND: bool = false;
    const SYNC: bool = false;
}

impl<T> IsNot for Is<T> {}

impl<T: Send> Is<T> {
    const SEND: bool = true;
}

impl<T: Sync> Is<T> {
    const SYNC: bool = true;
}

#[test]
fn a_merge_is_send_and_sync_as_its_children_are() {
    type Both = Merge<stream::Empty<()>>;
    type Neither = Merge<stream::Empty<Rc<()>>>;
    type OnlySend = Merge<stream::Iter<std::iter::Once<Cell<()>>>>;
    const {
        assert!(Is::<Both>::SEND && Is::<Both>::SYNC);
        assert!(!Is::<Neither>::SEND && !Is::<Neither>::SYNC);
        assert!(Is::<OnlySend>::SEND && !Is::<OnlySend>::SYNC);
    }
}

#[test]
fn one_call_finds_an_item_behind_many_ended_children() {
    let mut merge = Merge::new().with_budget(u32::MAX);
    merge.extend(children(200, &[Step::End]).0);
    merge.push(child(200, &[Step::Item, Step::End]).0);
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut merge), Poll::Ready(Some(200)));
    assert_eq!(parent.poll(&mut merge), Poll::Ready(None));
}

#[test]
fn the_length_does_not_depend_on_the_order_of_ends() {
    let (mut merge, parent) = (Merge::new(), Parent::new());
    let ends = [2, 0, 3, 1].map(|_| Rc::new(Cell::new(false)));
    for end in &ends {
        let end = end.clone();
        merge.push(stream::poll_fn(move |cx: &mut Context<'_>| {
            cx.waker().wake_by_ref();
            if end.get() { Poll::Ready(None::<()>) } else { Poll::Pending }
        }));
    }
    for (gone, number) in (1..).zip([2, 0, 3, 1]) {
        ends[number].set(true);
        let _ = parent.poll(&mut merge);
        assert_eq!(merge.len(), 4 - gone);
    }
    assert_eq!(parent.poll(&mut merge), Poll::Ready(None));
}
