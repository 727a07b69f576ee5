//! Many items per poll, and items with keys.

use std::task::{Context, Poll};

use active_status::merge::Key;
use active_status::{Merge, once};

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

#[test]
fn many_keyed_items_have_the_keys_of_their_children() {
    let mut merge = Merge::new();
    let keys: Vec<Key> = (0..70).map(|n| merge.push(child(n, &[Step::Item]).0)).collect();
    let (mut keyed, mut items) = (merge.with_budget(100).keyed(), Vec::new());
    assert_eq!(futures::executor::block_on(keyed.next_many(&mut items, 90)), 90);
    assert!(items.into_iter().eq((0..90).map(|n| (keys[n % 70], n % 70))));
}

/// The events of a keyed merge with ends, with the numbers of the children.
fn events(merge: Merge<Child>, keys: &[Key]) -> Vec<(usize, bool)> {
    let number = |key| keys.iter().position(|&other| other == key).unwrap();
    let events = Parent::new().drain(&mut merge.keyed().with_ends());
    events.into_iter().map(|(key, item)| (number(key), item.is_some())).collect()
}

#[test]
fn every_end_is_reported_once() {
    let mut merge = Merge::new();
    let lives: [&[Step]; 4] = [
        &[Step::End],
        &[Step::Item, Step::End],
        &[Step::Item, Step::Item, Step::End],
        &[Step::WakeEnd],
    ];
    let keys: Vec<Key> =
        lives.iter().enumerate().map(|(n, steps)| merge.push(child(n, steps).0)).collect();
    let expected =
        [(0, false), (1, true), (2, true), (3, false), (1, false), (2, true), (2, false)];
    assert_eq!(events(merge, &keys), expected);
}

#[test]
fn the_end_after_a_last_item_is_reported() {
    let mut merge = Merge::new();
    let [key, other] = [7, 8].map(|number| merge.push(once(async move { number })));
    let events = Parent::new().drain(&mut merge.keyed().with_ends());
    assert_eq!(events, [(key, Some(7)), (key, None), (other, Some(8)), (other, None)]);
}

#[test]
fn a_thousand_ends_are_reported() {
    let mut merge = Merge::new();
    let keys: Vec<Key> = (0..1_000).map(|n| merge.push(child(n, &[Step::End]).0)).collect();
    assert!(events(merge, &keys).into_iter().eq((0..1_000).map(|n| (n, false))));
}

#[test]
fn the_end_of_a_panicked_child_is_reported() {
    let mut merge = Merge::new();
    let panicking = merge.push(child(0, &[Step::Panic]).0);
    let other = merge.push(child(1, &[Step::Item, Step::End]).0);
    let (mut events, parent) = (merge.keyed().with_ends(), Parent::new());
    assert_eq!(panic_of(|| parent.poll(&mut events)), "poll");
    assert_eq!(parent.drain(&mut events), [(panicking, None), (other, Some(1)), (other, None)]);
    assert!(futures::stream::FusedStream::is_terminated(&events));
}

#[test]
fn a_removed_child_has_no_end() {
    let mut merge = Merge::new();
    let key = merge.push(child(0, &[Step::Idle]).0);
    let (mut events, parent) = (merge.keyed().with_ends(), Parent::new());
    assert_eq!(parent.poll(&mut events), Poll::Pending);
    assert!(events.get_mut().remove(key));
    assert_eq!(parent.drain(&mut events), []);
}

#[test]
fn the_merge_of_ends_can_be_polled_itself() {
    let mut merge = Merge::new();
    merge.push(child(0, &[Step::End]).0);
    merge.push(child(1, &[Step::Item, Step::End]).0);
    let (mut events, parent) = (merge.keyed().with_ends(), Parent::new());
    assert_eq!(futures::Stream::size_hint(&events), (2, None));
    assert_eq!(parent.drain(events.get_mut()), [1]);
    assert!(events.into_inner().is_empty());
}
