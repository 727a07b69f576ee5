//! Many items per poll, and items with keys.

use std::task::{Context, Poll};

use active_status::Merge;
use active_status::merge::Key;

use crate::support::{Child, Parent, Step, child, children, panic_of};

/// The result of one `poll_next_many`, and its items.
fn poll_many(parent: &Parent, merge: &mut Merge<Child>, limit: usize) -> (Poll<usize>, Vec<usize>) {
    let mut items = Vec::new();
    let polled = merge.poll_next_many(&mut Context::from_waker(parent.waker()), &mut items, limit);
    (polled, items)
}

fn ready(count: usize) -> Merge<Child> {
    children(count, &[Step::Item]).0.into_iter().collect()
}

#[test]
fn many_items_come_in_the_order_of_poll_next() {
    let (mut merge, parent) = (ready(3), Parent::new());
    assert_eq!(poll_many(&parent, &mut merge, 2), (Poll::Ready(2), vec![0, 1]));
    assert_eq!(poll_many(&parent, &mut merge, 4), (Poll::Ready(4), vec![2, 0, 1, 2]));
    assert_eq!(parent.items(&mut merge, 2), [0, 1]);
}

#[test]
fn poll_next_many_does_not_wait_for_more_items() {
    let parent = Parent::new();
    let steps = [Step::Item, Step::Idle];
    let mut merge: Merge<Child> = children(3, &steps).0.into_iter().collect();
    assert_eq!(poll_many(&parent, &mut merge, 9), (Poll::Ready(3), vec![0, 1, 2]));
    assert_eq!(poll_many(&parent, &mut merge, 9), (Poll::Pending, vec![]));
    assert_eq!(parent.take_wakes(), 0);
}

#[test]
fn a_pending_poll_next_many_is_woken_by_a_child() {
    let (sender, handle) = child(7, &[Step::Sent]);
    let (mut merge, parent) = (Merge::from_iter([sender]), Parent::new());
    assert_eq!(poll_many(&parent, &mut merge, 9), (Poll::Pending, vec![]));
    handle.send();
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(poll_many(&parent, &mut merge, 9), (Poll::Ready(1), vec![7]));
}

#[test]
fn poll_next_many_polls_only_ready_children() {
    let parent = Parent::new();
    let (mut all, mut handles) = children(1_000, &[Step::Sent]);
    let mut merge: Merge<Child> = all.drain(..).collect::<Merge<_>>().with_budget(u32::MAX);
    assert_eq!(poll_many(&parent, &mut merge, 9), (Poll::Pending, vec![]));
    handles[998].send();
    handles[3].send();
    assert_eq!(poll_many(&parent, &mut merge, 9), (Poll::Ready(2), vec![3, 998]));
    let busy = [handles.remove(998).polls(), handles.remove(3).polls()];
    assert_eq!(busy, [3, 3]);
    assert!(handles.iter().all(|handle| handle.polls() == 1));
}

#[test]
fn poll_next_many_polls_at_most_budget_children() {
    let (mut merge, parent) = (ready(100).with_budget(32), Parent::new());
    let (polled, items) = poll_many(&parent, &mut merge, 100);
    assert_eq!((polled, items.len()), (Poll::Ready(32), 32));
    assert_eq!(parent.take_wakes(), 0);
    assert_eq!(poll_many(&parent, &mut merge, 100), (Poll::Pending, vec![]));
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(poll_many(&parent, &mut merge, 2), (Poll::Ready(2), vec![32, 33]));
}

#[test]
fn poll_next_many_with_limit_zero_takes_no_item() {
    let (mut merge, parent) = (ready(2), Parent::new());
    assert_eq!(poll_many(&parent, &mut merge, 0), (Poll::Ready(0), vec![]));
    assert_eq!(parent.items(&mut merge, 1), [0]);
}

#[test]
fn poll_next_many_of_an_ended_merge_returns_zero() {
    let parent = Parent::new();
    let mut merge: Merge<Child> = children(2, &[Step::Item, Step::End]).0.into_iter().collect();
    assert_eq!(poll_many(&parent, &mut merge, 3), (Poll::Ready(2), vec![0, 1]));
    assert_eq!(poll_many(&parent, &mut merge, 3), (Poll::Ready(0), vec![]));
    assert!(futures::stream::FusedStream::is_terminated(&merge));
}

#[test]
fn items_taken_before_a_panic_are_kept() {
    let parent = Parent::new();
    let mut merge = Merge::from_iter([child(0, &[Step::Item]).0, child(1, &[Step::Panic]).0]);
    let mut items = Vec::new();
    let mut cx = Context::from_waker(parent.waker());
    assert_eq!(panic_of(|| merge.poll_next_many(&mut cx, &mut items, 9)), "poll");
    assert_eq!(items, [0]);
    assert_eq!(poll_many(&parent, &mut merge, 2), (Poll::Ready(2), vec![0, 0]));
}

#[test]
fn next_many_takes_no_item_until_it_is_ready() {
    let (sender, handle) = child(7, &[Step::Sent]);
    let (mut merge, parent) = (Merge::from_iter([sender]), Parent::new());
    let mut items = Vec::new();
    {
        let mut next = Box::pin(merge.next_many(&mut items, 9));
        let cx = &mut Context::from_waker(parent.waker());
        assert!(next.as_mut().poll(cx).is_pending());
        handle.send();
    }
    assert!(items.is_empty());
    assert_eq!(parent.items(&mut merge, 1), [7]);
}

#[test]
fn keyed_items_have_the_key_of_their_child() {
    let mut merge = Merge::new();
    let keys: Vec<Key> = (0..70).map(|n| merge.push(child(n, &[Step::Item]).0)).collect();
    let items = Parent::new().items(&mut merge.keyed(), 210);
    assert!(items.iter().all(|&(key, number)| keys[number] == key));
}

#[test]
fn the_key_of_a_reused_place_is_that_of_the_new_child() {
    let mut merge = Merge::new();
    let old = merge.push(child(0, &[Step::Item]).0);
    merge.remove(old);
    let new = merge.push(child(1, &[Step::Item]).0);
    assert_eq!(Parent::new().items(&mut merge.keyed(), 1), [(new, 1)]);
    assert_ne!(old, new);
}

#[test]
fn a_keyed_merge_forwards_size_hint_and_termination() {
    let merge: Merge<_> = (0..3).map(|n| futures::stream::iter(0..n)).collect();
    let mut keyed = merge.keyed();
    assert_eq!(futures::Stream::size_hint(&keyed), (3, Some(3)));
    assert_eq!(Parent::new().drain(&mut keyed).len(), 3);
    assert!(futures::stream::FusedStream::is_terminated(&keyed));
    assert!(keyed.into_inner().is_empty());
}
