//! Keys, and the effects of push, remove, clear and `get_pin_mut` on a waiting merge.

use std::collections::HashSet;
use std::task::Poll;

use active_status::Merge;
use active_status::merge::Key;
use futures::StreamExt;
use futures::stream;

use crate::support::{Child, Handle, NO_ITEMS, Parent, Step, child, children};

/// A merge of children with the same steps, with their keys and handles.
fn keyed(count: usize, steps: &[Step]) -> (Merge<Child>, Vec<Key>, Vec<Handle>) {
    let mut merge = Merge::new().with_budget(u32::MAX);
    let (children, handles) = children(count, steps);
    let keys = children.into_iter().map(|child| merge.push(child)).collect();
    (merge, keys, handles)
}

/// A waiting merge of idle children, and its parent.
fn waiting(count: usize) -> (Merge<Child>, Vec<Key>, Vec<Handle>, Parent) {
    let (mut merge, keys, handles) = keyed(count, &[Step::Sent]);
    let parent = Parent::new();
    assert_eq!(parent.drain(&mut merge), NO_ITEMS);
    assert_eq!(parent.take_wakes(), 0);
    (merge, keys, handles, parent)
}

#[test]
fn a_key_finds_its_child() {
    let (mut merge, keys, _) = keyed(130, &[Step::Idle]);
    for (number, &key) in keys.iter().enumerate() {
        assert!(merge.contains(key));
        assert_eq!(merge.get(key).map(Child::number), Some(number));
        assert_eq!(merge.get_pin_mut(key).map(|child| child.number()), Some(number));
    }
}

#[test]
fn a_removed_child_is_dropped_at_once() {
    let (mut merge, keys, handles) = keyed(3, &[Step::Item]);
    assert!(merge.remove(keys[1]));
    assert_eq!((handles[1].drops(), merge.len()), (1, 2));
    assert_eq!(Parent::new().items(&mut merge, 4), [0, 2, 0, 2]);
}

/// A stale key for each way in which a child can leave.
fn stale_keys() -> Vec<(&'static str, Merge<Child>, Key)> {
    let mut all = Vec::new();
    let (mut merge, keys, _) = keyed(3, &[Step::Idle]);
    merge.remove(keys[1]);
    all.push(("removed", merge, keys[1]));
    let (mut merge, keys, _) = keyed(3, &[Step::End]);
    assert_eq!(Parent::new().drain(&mut merge), NO_ITEMS);
    all.push(("ended", merge, keys[1]));
    let (mut merge, keys, _) = keyed(3, &[Step::Idle]);
    merge.clear();
    all.push(("cleared", merge, keys[1]));
    let (mut merge, keys, _) = keyed(3, &[Step::Idle]);
    merge.remove(keys[1]);
    merge.push(child(7, &[Step::Idle]).0);
    all.push(("removed, its slot taken", merge, keys[1]));
    let (mut merge, keys, _) = keyed(3, &[Step::Idle]);
    merge.clear();
    merge.extend(children(3, &[Step::Idle]).0);
    all.push(("cleared, its slot taken", merge, keys[1]));
    all
}

#[test]
fn a_stale_key_is_refused() {
    for (how, mut merge, key) in stale_keys() {
        let len = merge.len();
        assert!(!merge.contains(key), "{how}");
        assert!(merge.get(key).is_none(), "{how}");
        assert!(merge.get_pin_mut(key).is_none(), "{how}");
        assert!(!merge.remove(key), "{how}");
        assert_eq!(merge.len(), len, "{how}");
    }
}

#[test]
fn children_of_one_slot_have_different_keys() {
    let mut merge = Merge::new();
    let mut seen = HashSet::new();
    for number in 0..1_000 {
        let key = merge.push(child(number, &[Step::Idle]).0);
        assert!(seen.insert(key), "two children, one key");
        assert!(seen.iter().filter(|&&key| merge.contains(key)).eq([&key]));
        assert!(merge.remove(key));
    }
}

#[test]
fn keys_survive_growth() {
    let (mut merge, keys, _) = keyed(10, &[Step::Idle]);
    merge.extend(children(5_000, &[Step::Idle]).0);
    assert!(
        keys.iter().enumerate().all(|(number, &key)| merge.get(key).unwrap().number() == number)
    );
}

#[test]
fn keys_and_iter_go_in_slot_order() {
    let (mut merge, keys, _) = keyed(200, &[Step::Item]);
    assert!(merge.keys().eq(keys.iter().copied()));
    for &key in keys.iter().skip(1).step_by(3) {
        merge.remove(key);
    }
    let left: Vec<usize> = (0..200).filter(|number| number % 3 != 1).collect();
    assert!(merge.iter().map(|(_, child)| child.number()).eq(left.iter().copied()));
    assert!(merge.keys().eq(left.iter().map(|&number| keys[number])));
    assert_eq!(Parent::new().items(&mut merge, left.len()), left);
}

#[test]
fn a_child_in_a_reused_slot_is_polled_in_slot_order() {
    for number in [0, 10, 63, 64, 127] {
        let (mut merge, keys, _) = keyed(128, &[Step::Item]);
        merge.remove(keys[number]);
        merge.push(child(1_000, &[Step::Item]).0);
        let mut expected: Vec<usize> = (0..128).collect();
        expected[number] = 1_000;
        assert_eq!(Parent::new().items(&mut merge, 128), expected);
    }
}

#[test]
fn removing_the_next_child_moves_the_cursor_on() {
    let (mut merge, keys, _) = keyed(4, &[Step::Item]);
    let parent = Parent::new();
    assert_eq!(parent.items(&mut merge, 2), [0, 1]);
    merge.remove(keys[2]);
    assert_eq!(parent.items(&mut merge, 4), [3, 0, 1, 3]);
}

#[test]
fn removing_the_last_polled_child_keeps_the_cursor() {
    let (mut merge, keys, _) = keyed(4, &[Step::Item]);
    let parent = Parent::new();
    assert_eq!(parent.items(&mut merge, 2), [0, 1]);
    merge.remove(keys[1]);
    assert_eq!(parent.items(&mut merge, 4), [2, 3, 0, 2]);
}

#[test]
fn a_removed_child_is_not_polled_even_if_woken() {
    let (mut merge, keys, handles, parent) = waiting(3);
    handles[0].send();
    handles[1].send();
    handles[2].send();
    merge.remove(keys[1]);
    assert_eq!(parent.drain(&mut merge), [0, 2]);
    assert_eq!(handles[1].polls(), 1);
}

#[test]
fn a_merge_without_ready_children_waits() {
    let (mut merge, keys, _, parent) = waiting(1);
    let ready = merge.push(child(1, &[Step::Item]).0);
    merge.remove(ready);
    assert_eq!(parent.drain(&mut merge), NO_ITEMS);
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    assert!(merge.contains(keys[0]));
}

#[test]
fn a_push_wakes_a_waiting_merge() {
    let (mut merge, _, _, parent) = waiting(3);
    merge.push(child(3, &[Step::Item, Step::Idle]).0);
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.drain(&mut merge), [3]);
}

#[test]
fn an_extension_wakes_a_waiting_merge() {
    let (mut merge, _, _, parent) = waiting(3);
    merge.extend(children(70, &[Step::Item, Step::Idle]).0);
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.drain(&mut merge).len(), 70);
}

#[test]
fn an_empty_extension_wakes_no_task() {
    let (mut merge, _, handles, parent) = waiting(3);
    merge.extend(None::<Child>);
    assert_eq!(parent.take_wakes(), 0);
    handles[0].send();
    assert_eq!(parent.take_wakes(), 1);
}

#[test]
fn removing_the_last_child_wakes_a_waiting_merge() {
    let (mut merge, keys, _, parent) = waiting(2);
    merge.remove(keys[0]);
    assert_eq!(parent.take_wakes(), 0, "one is left, and it is idle");
    merge.remove(keys[1]);
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.poll(&mut merge), Poll::Ready(None));
}

#[test]
fn a_child_that_remains_after_a_removal_wakes() {
    let (mut merge, keys, handles, parent) = waiting(2);
    merge.remove(keys[0]);
    handles[1].send();
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.drain(&mut merge), [1]);
}

#[test]
fn clear_wakes_a_waiting_merge() {
    let (mut merge, _, handles, parent) = waiting(70);
    merge.clear();
    assert_eq!(parent.take_wakes(), 1);
    assert!(merge.is_empty() && handles.iter().all(|handle| handle.drops() == 1));
    assert_eq!(parent.poll(&mut merge), Poll::Ready(None));
}

#[test]
fn a_cleared_merge_can_be_refilled() {
    let (mut merge, _, _, parent) = waiting(70);
    merge.clear();
    merge.clear();
    merge.extend(children(100, &[Step::Item]).0);
    let items = parent.items(&mut merge, 300);
    assert!(items.windows(101).all(|round| round[0] == round[100]));
    assert_eq!(items[..100].iter().collect::<HashSet<_>>().len(), 100);
}

#[test]
fn get_pin_mut_makes_the_child_ready() {
    let (mut merge, keys, handles, parent) = waiting(3);
    merge.get_pin_mut(keys[1]).unwrap().get_mut().follow(&[Step::Item, Step::Idle]);
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.drain(&mut merge), [1]);
    assert_eq!((handles[0].polls(), handles[2].polls()), (1, 1));
}

#[test]
fn a_stale_key_wakes_no_task() {
    let (mut merge, keys, handles, parent) = waiting(2);
    merge.remove(keys[0]);
    assert!(merge.get_pin_mut(keys[0]).is_none());
    assert!(!merge.remove(keys[0]));
    assert_eq!(parent.take_wakes(), 0);
    handles[1].send();
    assert_eq!(parent.take_wakes(), 1);
}

#[test]
fn reading_wakes_no_task_and_polls_no_child() {
    let (mut merge, keys, handles, parent) = waiting(3);
    let _ = (merge.get(keys[0]), merge.keys().count(), merge.iter().count(), merge.len());
    assert_eq!(parent.take_wakes(), 0);
    assert_eq!(parent.drain(&mut merge), NO_ITEMS);
    assert!(handles.iter().all(|handle| handle.polls() == 1));
}

#[test]
fn an_awake_merge_is_not_woken() {
    let (mut merge, keys, _) = keyed(3, &[Step::Item]);
    let parent = Parent::new();
    assert!(parent.poll(&mut merge).is_ready());
    merge.push(child(3, &[Step::Item]).0);
    let _ = merge.get_pin_mut(keys[0]);
    merge.clear();
    assert_eq!(parent.take_wakes(), 0);
}

#[test]
fn a_push_in_a_round_loses_no_item() {
    for at in 0..10 {
        let mut merge: Merge<_> =
            (0..10).map(|number| stream::iter([number]).chain(stream::pending())).collect();
        let parent = Parent::new();
        let mut items = parent.items(&mut merge, at);
        merge.push(stream::iter([10]).chain(stream::pending()));
        items.extend(parent.drain(&mut merge));
        items.sort_unstable();
        assert!(items.into_iter().eq(0..=10), "pushed after {at} items");
    }
}

#[test]
fn an_extracted_child_is_returned_with_its_state() {
    let (mut merge, keys, handles) = keyed(3, &[Step::Item, Step::Idle]);
    assert_eq!(Parent::new().items(&mut merge, 3), [0, 1, 2]);
    let child = merge.extract(keys[1]).unwrap();
    assert_eq!((child.number(), handles[1].drops(), merge.len()), (1, 0, 2));
    assert!(merge.extract(keys[1]).is_none() && !merge.contains(keys[1]));
    let key = merge.push(child);
    assert!(merge.contains(key));
    drop(merge);
    assert!(handles.iter().all(|handle| handle.drops() == 1));
}

#[test]
fn extracting_the_last_child_wakes_a_waiting_merge() {
    let (mut merge, keys, _, parent) = waiting(1);
    assert!(merge.extract(keys[0]).is_some());
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.poll(&mut merge), Poll::Ready(None));
}

#[test]
fn a_boxed_child_can_be_extracted() {
    let mut merge = Merge::new();
    let key = merge.push(stream::iter([1, 2]).boxed());
    assert_eq!(Parent::new().items(&mut merge, 1), [1]);
    assert_eq!(Parent::new().drain(&mut merge.extract(key).unwrap()), [2]);
}

#[test]
fn iter_mut_makes_all_children_ready() {
    let (mut merge, keys, _, parent) = waiting(130);
    for (key, child) in &mut merge {
        assert_eq!(keys[child.number()], key);
        child.follow(&[Step::Item, Step::Idle]);
    }
    assert_eq!(parent.take_wakes(), 1);
    assert!(parent.drain(&mut merge).into_iter().eq(0..130));
}

#[test]
fn iter_pin_mut_returns_each_child_once() {
    let (mut merge, keys, _) = keyed(200, &[Step::Idle]);
    keys.iter().step_by(3).for_each(|&key| assert!(merge.remove(key)));
    let pinned: Vec<_> = merge.iter_pin_mut().collect();
    let left = (0..200).filter(|number| number % 3 != 0);
    assert!(
        pinned
            .into_iter()
            .map(|(key, child)| (key, child.number()))
            .eq(left.map(|number| (keys[number], number)))
    );
}

#[test]
fn into_iter_returns_the_children_in_slot_order() {
    let (mut merge, keys, handles) = keyed(200, &[Step::Item]);
    assert_eq!(Parent::new().items(&mut merge, 70).len(), 70);
    let mut children = merge.into_iter();
    assert_eq!(children.len(), 200);
    for (number, &expected) in keys.iter().take(100).enumerate() {
        let (key, child) = children.next().unwrap();
        assert_eq!((key, child.number()), (expected, number));
    }
    assert_eq!(children.len(), 100);
    drop(children);
    assert!(handles.iter().all(|handle| handle.drops() == 1));
}

#[test]
fn retain_drops_the_rejected_children() {
    let (mut merge, keys, handles, parent) = waiting(200);
    merge.retain(|key, child| {
        assert_eq!(keys[child.number()], key);
        child.number() % 2 == 0
    });
    assert_eq!((merge.len(), parent.take_wakes()), (100, 0));
    assert!(handles.iter().enumerate().all(|(number, handle)| handle.drops() == number % 2));
    handles[8].send();
    assert_eq!(parent.drain(&mut merge), [8]);
    assert!(handles.iter().enumerate().all(|(number, handle)| number == 8 || handle.polls() == 1));
    merge.retain(|_, _| false);
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.poll(&mut merge), Poll::Ready(None));
}

#[test]
fn an_open_merge_is_pending_while_it_is_empty() {
    let (mut merge, parent) = (Merge::new(), Parent::new());
    merge.stay_open(true);
    for number in 0..3 {
        assert_eq!(parent.poll(&mut merge), Poll::Pending);
        assert_eq!(parent.take_wakes(), 0);
        merge.push(child(number, &[Step::Item, Step::End]).0);
        assert_eq!(parent.take_wakes(), 1);
        assert_eq!(parent.poll(&mut merge), Poll::Ready(Some(number)));
    }
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    assert_eq!(merge.len(), 0);
    merge.stay_open(false);
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.poll(&mut merge), Poll::Ready(None));
}

#[test]
fn an_open_merge_in_a_merge_is_kept() {
    let mut inner = Merge::new();
    inner.stay_open(true);
    inner.push(child(1, &[Step::Item, Step::End]).0);
    let mut outer: Merge<Merge<Child>> = Merge::new();
    let key = outer.push(inner);
    let parent = Parent::new();
    assert_eq!(parent.drain(&mut outer), [1]);
    outer.get_pin_mut(key).unwrap().push(child(2, &[Step::Item, Step::End]).0);
    assert_eq!(parent.drain(&mut outer), [2]);
}
