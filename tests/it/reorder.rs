//! Results in the order of their items.

use std::cell::Cell;
use std::task::Poll;

use active_status::WorkQueue;
use active_status::workers::{Numbered, reorder};
use futures::stream::FusedStream;
use futures::{Stream, StreamExt, stream};

use crate::support::{NO_ITEMS, Parent, within_a_minute};

/// The numbers that a stream hands out at once.
fn handed_out<S: Stream<Item = usize> + Unpin>(numbered: &mut Numbered<S>) -> Vec<u64> {
    Parent::new().drain(numbered).into_iter().map(|(number, _)| number).collect()
}

#[test]
fn results_come_in_the_order_of_their_items() {
    let (numbered, order) = reorder(stream::iter(0..6_u64), 8);
    let mut items = Parent::new().drain(&mut Box::pin(numbered));
    items.reverse();
    let mut results = order.in_order(stream::iter(items));
    assert_eq!(Parent::new().drain(&mut results), [0, 1, 2, 3, 4, 5]);
    assert!(results.is_terminated());
}

#[test]
fn at_most_width_items_are_out() {
    for width in [1, 2, 7] {
        let (mut numbered, order) = reorder(stream::iter(0..100), width);
        assert_eq!(handed_out(&mut numbered), Vec::from_iter(0..width as u64));
        let (sender, results) = async_channel::unbounded::<(u64, ())>();
        let mut results = Box::pin(order.in_order(results));
        let parent = Parent::new();
        // Results of later items make no room.
        for number in 1..width as u64 {
            sender.try_send((number, ())).unwrap();
        }
        assert!(parent.drain(&mut results).is_empty());
        assert!(handed_out(&mut numbered).is_empty());
        sender.try_send((0, ())).unwrap();
        assert_eq!(parent.drain(&mut results).len(), width);
        assert_eq!(handed_out(&mut numbered).len(), width);
    }
}

#[test]
fn a_width_of_0_counts_as_1() {
    let (mut numbered, _order) = reorder(stream::iter(0..9), 0);
    assert_eq!(handed_out(&mut numbered), [0]);
}

#[test]
fn a_result_wakes_the_items_that_it_makes_room_for() {
    let (mut numbered, order) = reorder(stream::iter(0..9), 1);
    let items = Parent::new();
    assert!(items.poll(&mut numbered).is_ready());
    assert!(items.poll(&mut numbered).is_pending());
    let mut results = order.in_order(stream::iter([(0, ())]));
    assert!(Parent::new().poll(&mut results).is_ready());
    assert_eq!(items.take_wakes(), 1);
    assert_eq!(items.poll(&mut numbered), Poll::Ready(Some((1, 1))));
}

#[test]
fn an_order_that_is_dropped_holds_nothing_back() {
    let (mut numbered, order) = reorder(stream::iter(0..9), 1);
    let items = Parent::new();
    assert_eq!(items.drain(&mut numbered), [(0, 0)]);
    drop(order);
    assert_eq!(items.take_wakes(), 1);
    assert_eq!(items.drain(&mut numbered).len(), 8);
}

#[test]
fn results_after_a_missing_number_come_at_the_end_in_order() {
    let (_numbered, order) = reorder(stream::iter(NO_ITEMS), 8);
    let mut results = order.in_order(stream::iter([(4, 'e'), (0, 'a'), (3, 'd'), (2, 'c')]));
    assert_eq!(results.size_hint(), (0, Some(4)));
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut results), Poll::Ready(Some('a')));
    assert_eq!(parent.drain(&mut results), ['c', 'd', 'e']);
}

#[test]
fn of_two_results_with_one_number_the_first_counts() {
    let (_numbered, order) = reorder(stream::iter(NO_ITEMS), 8);
    let mut results =
        order.in_order(stream::iter([(0, 1), (0, 2), (2, 3), (2, 4), (1, 5), (1, 6)]));
    assert_eq!(Parent::new().drain(&mut results), [1, 5, 3]);
}

#[test]
fn a_pool_of_unequal_workers_yields_results_in_order() {
    let out = Cell::new(0_usize);
    let taken = stream::iter(0..500_usize).inspect(|_| out.set(out.get() + 1));
    let (numbered, order) = reorder(taken, 16);
    // Each item takes another number of polls.
    let results = WorkQueue::new(numbered).map_workers(5, async |(number, item)| {
        let mut polls = item * 7 % 13;
        std::future::poll_fn(|cx| {
            if polls == 0 {
                return Poll::Ready(());
            }
            polls -= 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        (number, item)
    });
    let mut results = order.in_order(results.map(|(_, result)| result)).boxed_local();
    let parent = Parent::new();
    for item in 0..500 {
        assert_eq!(parent.items(&mut results, 1), [item]);
        assert!(out.get() <= item + 1 + 16, "{} items are out", out.get() - item);
    }
}

#[test]
fn items_and_results_may_be_on_two_threads() {
    let count = within_a_minute(|| {
        let (numbered, order) = reorder(stream::iter(0..2_000), 3);
        let (sender, receiver) = async_channel::unbounded();
        let thread = std::thread::spawn(move || {
            let mut numbered = Box::pin(numbered);
            futures::executor::block_on(async {
                while let Some(item) = numbered.next().await {
                    sender.try_send(item).unwrap();
                }
            });
        });
        let results = Box::pin(order.in_order(receiver));
        let count = futures::executor::block_on(results.count());
        thread.join().unwrap();
        count
    });
    assert_eq!(count, 2_000);
}
