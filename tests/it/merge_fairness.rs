//! Which child is polled when, and how much work one poll does.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll};

use active_status::{Merge, once};
use futures::{StreamExt, stream};

use crate::support::{Child, Handle, NO_ITEMS, Parent, Step, child, children, within_a_minute};

const SIZES: [usize; 7] = [1, 2, 63, 64, 65, 4_096, 4_097];

/// A merge of children with these steps that never yields to the executor.
fn unbudgeted(count: usize, steps: &[Step]) -> (Merge<Child>, Vec<Handle>) {
    let (children, handles) = children(count, steps);
    (children.into_iter().collect::<Merge<_>>().with_budget(u32::MAX), handles)
}

fn polls(handles: &[Handle]) -> usize {
    handles.iter().map(Handle::polls).sum()
}

#[test]
fn always_ready_children_alternate_in_slot_order() {
    for size in SIZES {
        let mut merge: Merge<Child> = children(size, &[Step::Item]).0.into_iter().collect();
        let items = Parent::new().items(&mut merge, 3 * size);
        let expected = (0..3).flat_map(|_| 0..size);
        assert!(items.into_iter().eq(expected), "{size} children");
    }
}

#[test]
fn always_ready_children_are_polled_once_per_item() {
    let (children, handles) = children(65, &[Step::Item]);
    let mut merge: Merge<Child> = children.into_iter().collect();
    Parent::new().items(&mut merge, 650);
    assert!(handles.iter().all(|handle| handle.polls() == 10));
}

#[test]
fn shares_never_differ_by_more_than_one() {
    let mut merge: Merge<Child> = children(100, &[Step::Item]).0.into_iter().collect();
    let parent = Parent::new();
    let mut counts = [0_usize; 100];
    for _ in 0..2_345 {
        counts[parent.items(&mut merge, 1)[0]] += 1;
        let (low, high) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(high - low <= 1);
    }
}

#[test]
fn two_ready_neighbors_among_idle_children_alternate() {
    let idle = children(1_000, &[Step::Idle]).0;
    let mut merge: Merge<Child> = idle.into_iter().collect();
    merge.push(child(1_000, &[Step::Item]).0);
    merge.push(child(1_001, &[Step::Item]).0);
    merge.extend(children(1_000, &[Step::Idle]).0);
    let items = Parent::new().items(&mut merge, 100);
    assert!(items.chunks(2).all(|pair| pair == [1_000, 1_001]));
}

#[test]
fn items_do_not_depend_on_the_order_of_wakes() {
    for size in SIZES {
        let (mut merge, handles) = unbudgeted(size, &[Step::Sent]);
        let parent = Parent::new();
        assert_eq!(parent.drain(&mut merge), NO_ITEMS);
        handles.iter().rev().for_each(Handle::send);
        let items = parent.drain(&mut merge);
        assert!(items.into_iter().eq(0..size), "{size} children");
    }
}

#[test]
fn a_child_woken_ahead_of_the_cursor_is_in_the_round() {
    let (mut merge, handles) = unbudgeted(200, &[Step::Sent]);
    let parent = Parent::new();
    assert_eq!(parent.drain(&mut merge), NO_ITEMS);
    [10, 20, 150].iter().for_each(|&number| handles[number].send());
    assert_eq!(parent.items(&mut merge, 1), [10]);
    handles[11].send();
    handles[199].send();
    assert_eq!(parent.drain(&mut merge), [11, 20, 150, 199]);
}

#[test]
fn a_child_woken_behind_the_cursor_is_in_the_next_round() {
    let (mut merge, handles) = unbudgeted(200, &[Step::Sent]);
    let parent = Parent::new();
    assert_eq!(parent.drain(&mut merge), NO_ITEMS);
    [10, 20, 150].iter().for_each(|&number| handles[number].send());
    assert_eq!(parent.items(&mut merge, 2), [10, 20]);
    handles[19].send();
    handles[20].send();
    assert_eq!(parent.drain(&mut merge), [150, 19, 20]);
}

#[test]
fn bypass_is_at_most_one_poll_per_child() {
    for size in [2, 3, 64, 65, 130] {
        for cursor in 0..size {
            let (mut merge, handles) = unbudgeted(size - 1, &[Step::Item]);
            let (last, woken) = child(size - 1, &[Step::Idle, Step::Item]);
            merge.push(last);
            let parent = Parent::new();
            let _ = parent.items(&mut merge, size + cursor);
            let before: Vec<usize> = handles.iter().map(Handle::polls).collect();
            woken.wake();
            while woken.polls() == 1 {
                let _ = parent.items(&mut merge, 1);
            }
            let after = handles.iter().map(Handle::polls);
            assert!(before.iter().zip(after).all(|(before, after)| after - before <= 1));
        }
    }
}

#[test]
fn the_bypass_bound_includes_pending_children() {
    let (children, busy) = children(70, &[Step::WakeIdle]);
    let mut merge = children.into_iter().collect::<Merge<_>>().with_budget(1);
    let (woken, handle) = child(70, &[Step::Idle, Step::Item]);
    merge.push(woken);
    let parent = Parent::new();
    while handle.polls() == 0 {
        let _ = parent.poll(&mut merge);
    }
    for _ in 0..7 {
        let _ = parent.poll(&mut merge);
    }
    let before = polls(&busy);
    handle.wake();
    while parent.poll(&mut merge) != Poll::Ready(Some(70)) {}
    assert!(polls(&busy) - before <= 70);
}

#[test]
fn one_push_per_item_starves_no_child() {
    let mut merge: Merge<Child> = children(3, &[Step::Item]).0.into_iter().collect();
    let parent = Parent::new();
    let mut since_served = vec![0_usize; 3];
    for _ in 0..5_000 {
        let served = parent.items(&mut merge, 1)[0];
        let children = since_served.len();
        for since in &mut since_served {
            *since += 1;
        }
        since_served[served] = 0;
        assert!(since_served.iter().all(|&since| since < children), "a child waits too long");
        merge.push(child(children, &[Step::Item]).0);
        since_served.push(0);
    }
}

#[test]
fn replacing_the_last_polled_child_starves_no_child() {
    let (children, handles) = children(10, &[Step::Item]);
    let mut keys = Vec::new();
    let mut merge = Merge::new();
    for child in children {
        keys.push(merge.push(child));
    }
    let parent = Parent::new();
    for _ in 0..100 {
        let served = parent.items(&mut merge, 1)[0];
        if served < 9 {
            assert!(merge.remove(keys[served]));
            keys[served] = merge.push(child(served, &[Step::Item]).0);
        }
    }
    assert_eq!(handles[9].polls(), 10);
}

#[test]
fn idle_children_are_not_polled() {
    let (mut merge, handles) = unbudgeted(4_097, &[Step::Sent]);
    let parent = Parent::new();
    assert_eq!(parent.drain(&mut merge), NO_ITEMS);
    assert_eq!(polls(&handles), 4_097);
    for number in [0, 63, 64, 4_095, 4_096] {
        handles[number].send();
        assert_eq!(parent.drain(&mut merge), [number]);
        assert_eq!(handles[number].polls(), 3);
    }
    assert_eq!(polls(&handles), 4_097 + 10);
}

#[test]
fn one_poll_polls_at_most_budget_pending_children() {
    for (budget, limit) in [(0, 1), (1, 1), (2, 2), (31, 31), (99, 99)] {
        let (children, handles) = children(100, &[Step::Idle]);
        let mut merge = children.into_iter().collect::<Merge<_>>().with_budget(budget);
        let parent = Parent::new();
        for _ in 0..100 / limit {
            let before = polls(&handles);
            assert_eq!(parent.poll(&mut merge), Poll::Pending);
            assert_eq!(polls(&handles) - before, limit, "budget {budget}");
        }
    }
}

#[test]
fn one_poll_polls_at_most_budget_ending_children() {
    let (children, handles) = children(1_000, &[Step::End]);
    let mut merge = children.into_iter().collect::<Merge<_>>().with_budget(7);
    let parent = Parent::new();
    for call in 1..=142 {
        assert_eq!(parent.poll(&mut merge), Poll::Pending);
        assert_eq!(polls(&handles), 7 * call);
    }
    assert_eq!(parent.poll(&mut merge), Poll::Ready(None));
}

#[test]
fn a_merge_with_a_spent_budget_wakes_itself_once() {
    let mut merge =
        children(100, &[Step::Idle]).0.into_iter().collect::<Merge<_>>().with_budget(10);
    let parent = Parent::new();
    for _ in 0..9 {
        assert_eq!(parent.poll(&mut merge), Poll::Pending);
        assert_eq!(parent.take_wakes(), 1);
    }
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    assert_eq!(parent.take_wakes(), 0, "the last ten are waiting: so is the merge");
}

#[test]
fn a_merge_yields_once_after_budget_items() {
    for (budget, limit) in [(0, 1), (1, 1), (2, 2), (50, 50)] {
        let mut merge =
            children(3, &[Step::Item]).0.into_iter().collect::<Merge<_>>().with_budget(budget);
        let parent = Parent::new();
        let mut expected = (0..3).cycle();
        for _ in 0..4 {
            for _ in 0..limit {
                assert_eq!(parent.poll(&mut merge), Poll::Ready(expected.next()));
                assert_eq!(parent.take_wakes(), 0);
            }
            assert_eq!(parent.poll(&mut merge), Poll::Pending, "budget {budget}");
            assert_eq!(parent.take_wakes(), 1);
        }
    }
}

#[test]
fn the_budget_is_32_unless_set() {
    let mut merge: Merge<Child> = children(3, &[Step::Item]).0.into_iter().collect();
    let parent = Parent::new();
    let ready = (0..100).take_while(|_| parent.poll(&mut merge).is_ready()).count();
    assert_eq!(ready, 32);
}

#[test]
fn items_and_pending_children_share_the_budget() {
    let mut merge = Merge::new().with_budget(4);
    for number in 0..3 {
        merge.push(child(number, &[Step::Item]).0);
        merge.push(child(number + 10, &[Step::WakeIdle]).0);
    }
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut merge), Poll::Ready(Some(0)));
    assert_eq!(parent.poll(&mut merge), Poll::Ready(Some(1)));
    // 10 was pending in between: three polls so far, and the poll of 11 is the fourth.
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    assert_eq!(parent.poll(&mut merge), Poll::Ready(Some(2)));
}

#[test]
fn parking_renews_the_budget() {
    let (children, handles) = children(3, &[Step::Sent]);
    let mut merge = children.into_iter().collect::<Merge<_>>().with_budget(4);
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    assert_eq!(parent.take_wakes(), 0);
    for _ in 0..3 {
        handles[1].send();
        assert_eq!(parent.take_wakes(), 1);
        assert_eq!(parent.poll(&mut merge), Poll::Ready(Some(1)));
        assert_eq!(parent.poll(&mut merge), Poll::Pending);
        assert_eq!(parent.take_wakes(), 0, "the merge is parked and does not yield");
    }
}

#[test]
fn a_merge_with_an_unlimited_budget_never_yields() {
    let (mut merge, _) = unbudgeted(3, &[Step::Item]);
    let parent = Parent::new();
    assert!((0..100_000).all(|_| parent.poll(&mut merge).is_ready()));
    assert_eq!(parent.take_wakes(), 0);
}

#[test]
fn a_spent_budget_does_not_delay_the_end() {
    let mut merge = children(5, &[Step::End]).0.into_iter().collect::<Merge<_>>().with_budget(5);
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut merge), Poll::Ready(None));
    assert_eq!(parent.take_wakes(), 0);
}

#[test]
fn a_merge_with_a_spent_budget_parks_without_a_wake() {
    let (children, handles) = children(5, &[Step::Idle]);
    let mut merge = children.into_iter().collect::<Merge<_>>().with_budget(5);
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    assert_eq!((polls(&handles), parent.take_wakes()), (5, 0));
}

#[test]
fn a_self_waking_child_is_polled_once_per_call() {
    let (only, handle) = child(0, &[Step::WakeIdle]);
    let mut merge: Merge<Child> = [only].into_iter().collect::<Merge<_>>().with_budget(5);
    let parent = Parent::new();
    for call in 1..=3 {
        assert_eq!(parent.poll(&mut merge), Poll::Pending);
        assert_eq!((handle.polls(), parent.take_wakes()), (call, 1));
    }
}

#[test]
fn self_waking_children_alternate() {
    for size in [1, 2, 5, 64, 65] {
        let (children, handles) = children(size, &[Step::WakeIdle]);
        let mut merge = children.into_iter().collect::<Merge<_>>().with_budget(5);
        let parent = Parent::new();
        for _ in 1..=2 * size {
            let before = polls(&handles);
            assert_eq!(parent.poll(&mut merge), Poll::Pending);
            assert_eq!(parent.take_wakes(), 1);
            let all = polls(&handles);
            assert!((1..=5).contains(&(all - before)));
            let each = all / size;
            assert!(handles.iter().all(|handle| (each..=each + 1).contains(&handle.polls())));
        }
    }
}

#[test]
fn a_ready_child_is_served_beside_self_waking_ones() {
    let mut merge: Merge<Child> = children(20, &[Step::WakeIdle]).0.into_iter().collect();
    merge.push(child(20, &[Step::Item]).0);
    assert_eq!(Parent::new().items(&mut merge, 50), [20; 50]);
}

#[test]
fn a_wake_in_its_own_poll_makes_a_pending_child_ready() {
    let (only, handle) = child(0, &[Step::WakeIdle, Step::Item, Step::Idle]);
    let mut merge: Merge<Child> = [only].into_iter().collect();
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.poll(&mut merge), Poll::Ready(Some(0)));
    assert_eq!(handle.polls(), 2);
}

#[test]
fn a_wake_in_its_own_poll_costs_no_poll_after_an_item() {
    let (only, handle) = child(0, &[Step::WakeItem, Step::Idle]);
    let mut merge: Merge<Child> = [only].into_iter().collect();
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut merge), Poll::Ready(Some(0)));
    assert_eq!(parent.take_wakes(), 0);
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    assert_eq!((handle.polls(), parent.take_wakes()), (2, 0));
}

#[test]
fn a_wake_in_its_own_poll_does_not_revive_an_ended_child() {
    let (ending, handle) = child(0, &[Step::WakeEnd]);
    let mut merge: Merge<Child> = [ending, child(1, &[Step::Idle]).0].into_iter().collect();
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    assert_eq!((handle.polls(), handle.drops()), (1, 1));
}

#[test]
fn nested_merges_share_equally_and_in_order() {
    let inner = |first: usize| -> Merge<Child> {
        (first..first + 10).map(|number| child(number, &[Step::Item]).0).collect()
    };
    let mut outer: Merge<Merge<Child>> = (0..40).map(|number| inner(10 * number)).collect();
    let items = Parent::new().items(&mut outer, 2_000);
    let turn = |index: usize| 10 * (index % 40) + index / 40 % 10;
    assert!(items.into_iter().eq((0..2_000).map(turn)));
}

#[test]
fn a_nested_merge_loses_no_poll_to_its_own_budget() {
    let inner = children(3, &[Step::Item]).0.into_iter().collect::<Merge<_>>().with_budget(1);
    let plain = child(3, &[Step::Item]).0;
    let mut outer = Merge::new().with_budget(u32::MAX);
    outer.push(inner.left_stream());
    outer.push(plain.right_stream());
    let items = Parent::new().items(&mut outer, 600);
    assert!(items.chunks(6).all(|round| round == [0, 3, 1, 3, 2, 3]));
}

#[test]
fn a_nested_merge_loses_no_poll_to_a_pending_child() {
    let steps: [&[Step]; 2] = [&[Step::Item], &[Step::WakeIdle]];
    let inner: Merge<Child> = steps.into_iter().map(|steps| child(0, steps).0).collect();
    let mut outer = Merge::new();
    outer.push(inner.left_stream());
    outer.push(child(1, &[Step::Item]).0.right_stream());
    let items = Parent::new().items(&mut outer, 600);
    assert!(items.chunks(2).all(|round| round == [0, 1]), "{items:?}");
}

#[test]
fn a_child_that_drains_a_merge_in_a_loop_is_bounded() {
    let polls = within_a_minute(|| {
        let (mut merge, handles): (Merge<_>, Vec<_>) = (0..3)
            .map(|_| {
                let (children, handles) = children(8, &[Step::Item]);
                let mut endless: Merge<Child> = children.into_iter().collect();
                (once(async move { while endless.next().await.is_some() {} }), handles)
            })
            .unzip();
        assert!(Parent::new().poll(&mut merge).is_pending());
        handles.iter().map(|handles| self::polls(handles)).collect::<Vec<_>>()
    });
    assert!(polls.iter().all(|&polls| (1..=32 * 32).contains(&polls)), "{polls:?}");
}

#[test]
fn merges_nest_three_deep() {
    let inner = || children(2, &[Step::Item]).0.into_iter().collect::<Merge<_>>();
    let middle = || (0..2).map(|_| inner()).collect::<Merge<_>>();
    let mut outer: Merge<Merge<Merge<Child>>> = (0..2).map(|_| middle()).collect();
    let items = Parent::new().items(&mut outer, 800);
    assert_eq!(items.iter().filter(|&&item| item == 0).count(), 400);
}

#[test]
fn a_nested_poll_polls_at_most_budget_children() {
    let (children, handles) = children(100, &[Step::Idle]);
    let inner = children.into_iter().collect::<Merge<_>>().with_budget(10);
    let mut outer = [inner].into_iter().collect::<Merge<_>>().with_budget(1);
    let parent = Parent::new();
    for call in 1..=9 {
        assert_eq!(parent.poll(&mut outer), Poll::Pending);
        assert_eq!((polls(&handles), parent.take_wakes()), (10 * call, 1));
    }
}

#[test]
fn a_wake_propagates_through_nested_merges() {
    let (children, handles) = children(70, &[Step::Sent]);
    let inner: Merge<Child> = children.into_iter().collect();
    let idle: Merge<Child> = crate::support::children(3, &[Step::Idle]).0.into_iter().collect();
    let mut outer: Merge<Merge<Child>> = [idle, inner].into_iter().collect();
    let parent = Parent::new();
    assert_eq!(parent.drain(&mut outer), NO_ITEMS);
    handles[65].send();
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.drain(&mut outer), [65]);
}

/// Polls as an executor with other tasks does: each time the merge yields or waits, one
/// round of the other tasks passes. Returns the number of polls of a worker that wakes
/// itself until ten rounds have passed.
fn polls_of_a_yielding_worker(others: &[&[Step]]) -> usize {
    let (rounds, polls) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let worker = {
        let (rounds, polls) = (rounds.clone(), polls.clone());
        stream::poll_fn(move |cx: &mut Context<'_>| {
            polls.set(polls.get() + 1);
            if rounds.get() >= 10 {
                return Poll::Ready(Some(99));
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    };
    let mut merge = Merge::new();
    merge.push(worker.left_stream());
    for steps in others {
        merge.push(child(0, steps).0.right_stream());
    }
    let parent = Parent::new();
    while parent.poll(&mut merge).is_pending() {
        assert_eq!(parent.take_wakes(), 1, "the merge yields");
        rounds.set(rounds.get() + 1);
    }
    polls.get()
}

#[test]
fn a_worker_that_yields_reaches_the_executor_at_once() {
    assert_eq!(polls_of_a_yielding_worker(&[]), 11);
    assert_eq!(polls_of_a_yielding_worker(&[&[Step::WakeIdle]]), 11);
    assert!(polls_of_a_yielding_worker(&[&[Step::Idle], &[Step::Idle, Step::End]]) <= 13);
}

#[test]
fn a_yielding_worker_in_a_nested_merge_reaches_the_executor() {
    let (only, handle) = child(0, &[Step::WakeIdle]);
    let mut nested: Merge<Merge<Merge<Child>>> = Merge::new();
    nested.push(Merge::from_iter([Merge::from_iter([only])]));
    let parent = Parent::new();
    for call in 1..=5 {
        assert_eq!(parent.poll(&mut nested), Poll::Pending);
        assert_eq!((handle.polls(), parent.take_wakes()), (call, 1));
    }
}

#[test]
fn a_round_with_an_item_is_no_reason_to_yield() {
    let mut merge = Merge::new().with_budget(u32::MAX);
    merge.push(child(0, &[Step::Item]).0);
    merge.push(child(1, &[Step::WakeIdle]).0);
    let parent = Parent::new();
    assert!((0..1_000).all(|_| parent.poll(&mut merge) == Poll::Ready(Some(0))));
}

#[test]
fn a_round_with_a_pending_child_is_no_reason_to_yield() {
    let mut merge = Merge::new().with_budget(u32::MAX);
    merge.push(child(0, &[Step::WakeIdle, Step::Item]).0);
    merge.push(child(1, &[Step::Idle]).0);
    assert_eq!(Parent::new().poll(&mut merge), Poll::Ready(Some(0)));
}

#[test]
fn a_round_with_an_end_is_no_reason_to_yield() {
    let mut merge = Merge::new().with_budget(u32::MAX);
    merge.push(child(0, &[Step::WakeIdle, Step::Item]).0);
    merge.push(child(1, &[Step::End]).0);
    assert_eq!(Parent::new().poll(&mut merge), Poll::Ready(Some(0)));
}
