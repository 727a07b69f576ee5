//! Pools that call an asynchronous function for each item.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use active_status::testing::{Screen, VirtualClock};
use active_status::{Event, Outcome, StatusOptions, WorkQueue, WorkerId, board, map_workers};
use futures::{FutureExt, StreamExt, stream};

use crate::support::{Parent, panic_of};

/// Returns `Pending` the given number of times.
async fn yields(mut count: usize) {
    poll_fn(|cx| {
        if count == 0 {
            return Poll::Ready(());
        }
        count -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn results_come_as_they_are_complete_with_their_worker() {
    let mut results = map_workers(2, [3, 0, 0], async |n| {
        yields(n).await;
        n
    });
    let results = Parent::new().drain(&mut results);
    let results: Vec<_> = results.into_iter().map(|(id, n)| (id.get(), n)).collect();
    assert_eq!(results, [(2, 0), (2, 0), (1, 3)]);
}

#[test]
fn an_endless_iterator_is_read_as_workers_are_free() {
    let read = Cell::new(0);
    let items = (0..).inspect(|_| read.set(read.get() + 1));
    let mut results = map_workers(3, items, async |n: usize| yields(n % 4).await);
    for done in 0..100 {
        assert!(read.get() <= done + 3, "{} were read, {done} are done", read.get());
        Parent::new().items(&mut results, 1);
    }
}

#[test]
fn the_function_may_borrow_and_own() {
    let name = String::from("n");
    let seen = RefCell::new(Vec::new());
    let mut borrows = map_workers(2, ["a", "b"], async |text| {
        yields(1).await;
        seen.borrow_mut().push(format!("{name}{text}"));
    });
    assert_eq!(Parent::new().drain(&mut borrows).len(), 2);
    drop(borrows);
    assert_eq!(seen.take(), ["na", "nb"]);
    let mut owns = map_workers(2, ["a", "b"], async move |text| format!("{name}{text}"));
    let results = Parent::new().drain(&mut owns);
    assert_eq!(results.into_iter().map(|(_, text)| text).collect::<Vec<_>>(), ["na", "nb"]);
}

#[test]
fn a_pool_that_owns_its_parts_can_be_spawned() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let step = String::from("x");
    let pool = map_workers(4, 0..100, async move |n| {
        tokio::task::yield_now().await;
        n + step.len()
    });
    let sum = async { pool.map(|(_, n)| n).fold(0, |sum, n| async move { sum + n }).await };
    let sum = runtime.block_on(async { tokio::spawn(sum).await.unwrap() });
    assert_eq!(sum, 4_950 + 100);
}

#[test]
fn no_workers_take_no_item() {
    let mut results =
        map_workers(0, std::iter::once_with(|| panic!("it was taken")), async |()| {});
    assert_eq!(Parent::new().poll(&mut results), Poll::Ready(None));
}

#[test]
fn no_items_end_the_pool() {
    let mut results = map_workers(4, std::iter::empty::<u8>(), async |n| n);
    assert_eq!(Parent::new().poll(&mut results), Poll::Ready(None));
}

#[test]
fn a_panic_costs_its_item_and_its_worker() {
    let mut results = map_workers(2, 0..6, async |n| {
        assert!(n != 1, "poison");
        n
    });
    let parent = Parent::new();
    let mut items = Vec::new();
    let mut panics = 0;
    loop {
        match catch_unwind(AssertUnwindSafe(|| parent.poll(&mut results))) {
            Ok(Poll::Ready(Some((_, n)))) => items.push(n),
            Ok(Poll::Ready(None)) => break,
            Ok(Poll::Pending) => assert!(parent.take_wakes() > 0),
            Err(_) => panics += 1,
        }
    }
    assert_eq!((items, panics), (vec![0, 2, 3, 4, 5], 1));
}

#[test]
fn a_panic_of_the_iterator_goes_to_the_caller_and_ends_the_pool() {
    let items = (0..3).map(|n| if n == 1 { panic!("source") } else { n });
    let mut results = map_workers(2, items, async |n| n);
    let parent = Parent::new();
    assert_eq!(parent.items(&mut results, 1).len(), 1);
    assert_eq!(panic_of(|| parent.poll(&mut results)), "source");
    assert_eq!(parent.drain(&mut results).len(), 0);
}

#[test]
fn a_queue_can_be_closed_and_filled_while_it_is_mapped() {
    let queue = WorkQueue::new(stream::iter(0..));
    let mut results = queue.map_workers(2, async |n| n);
    let parent = Parent::new();
    assert_eq!(parent.items(&mut results, 2).len(), 2);
    queue.push(100);
    assert_eq!(parent.items(&mut results, 1)[0].1, 100);
    queue.close();
    assert!(parent.drain(&mut results).is_empty());
}

// On a board.

#[test]
fn each_worker_has_a_row_and_all_items_a_pinned_one() {
    let clock = VirtualClock::new();
    let (board, mut events) = clock.board();
    let mut screen = Screen::new(70, 10);
    let options = StatusOptions::new();
    let mut results = options.map_workers(&board, 2, ["a", "b", "c"], async |job, text| {
        job.set_text(format_args!("reading {text}"));
        if text == "b" {
            std::future::pending::<()>().await;
        }
        text
    });
    let parent = Parent::new();
    let done: Vec<_> = parent.drain(&mut results).into_iter().map(|(_, text)| text).collect();
    assert_eq!(done, ["a", "c"]);
    let rows = screen.show(&mut events).rows();
    assert_eq!(rows[0], "⠋ worker  2  reading b", "worker 1 leaves no trace");
    assert!(rows[1].ends_with("66%  2/3"), "{rows:?}");
}

#[test]
fn rows_of_workers_that_just_finish_stay_if_asked_for() {
    let (board, mut events) = VirtualClock::new().board();
    let options = StatusOptions::new().transient(false);
    let mut results = options.map_workers(&board, 1, ["a"], async |_job, text| text);
    assert_eq!(Parent::new().drain(&mut results).len(), 1);
    let rows = Screen::new(70, 10).show(&mut events).rows().to_vec();
    assert!(rows.iter().any(|row| row == "✓ worker  1  done"), "{rows:?}");
}

#[test]
fn no_more_workers_start_than_there_are_items() {
    let (board, _events) = board();
    let pool = StatusOptions::new().map_workers(&board, 8, [1, 2], async |_job, n: u8| n);
    assert_eq!(pool.len(), 2);
    let many = (0..10_u8).filter(|n| n % 2 == 0);
    let pool = StatusOptions::new().map_workers(&board, 8, many, async |_job, n| n);
    assert_eq!(pool.len(), 8, "the number of items is not known");
}

#[test]
fn an_error_fails_its_row_and_the_worker_goes_on_with_another() {
    let (board, mut events) = board();
    let options = StatusOptions::new().fail_on_err();
    let mut results = options.map_workers(&board, 1, 0..4, async |_job, n| match n {
        1 | 2 => Err(format!("number {n}")),
        n => Ok(n),
    });
    let results = Parent::new().drain(&mut results);
    assert!(results.iter().all(|(id, _)| *id == WorkerId::new(1).unwrap()));
    assert_eq!(results.iter().filter(|(_, result)| result.is_ok()).count(), 2);
    let mut added = 0;
    let mut outcomes = Vec::new();
    for event in events.drain() {
        match event {
            Event::Added { .. } => added += 1,
            Event::Ended { outcome, .. } => outcomes.push(outcome),
            _ => {}
        }
    }
    let failed = |n| Outcome::Failed(format!("number {n}"));
    assert_eq!(added, 4);
    assert_eq!(outcomes, [failed(1), failed(2), Outcome::Finished, Outcome::Finished]);
}

#[test]
fn a_pool_that_is_dropped_cancels_its_rows() {
    let (board, mut events) = board();
    let mut pool = StatusOptions::new()
        .map_workers(&board, 2, [1, 2], async |_job, _n: u8| std::future::pending::<()>().await);
    assert!(pool.next().now_or_never().is_none());
    drop(pool);
    let ended = events.drain().filter_map(|event| match event {
        Event::Ended { outcome, .. } => Some(outcome),
        _ => None,
    });
    assert_eq!(ended.collect::<Vec<_>>(), [const { Outcome::Cancelled }; 3]);
}

#[test]
fn a_panic_ends_its_row_as_panicked() {
    let (board, mut events) = board();
    let mut pool = StatusOptions::new().map_workers(&board, 1, [1], async |job, _n: u8| {
        job.set_text("dividing");
        panic!("by zero")
    });
    let poll = || Parent::new().poll::<_>(&mut pool).map(|item: Option<(WorkerId, ())>| item);
    assert_eq!(panic_of(poll), "by zero");
    let ended = events.drain().find_map(|event| match event {
        Event::Ended { outcome, .. } => Some(outcome),
        _ => None,
    });
    assert_eq!(ended, Some(Outcome::Panicked));
}
