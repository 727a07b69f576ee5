//! A merge of `once` streams as a bounded pool of futures.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use active_status::{Merge, once};
use futures::executor::block_on;
use futures::stream::{self, FusedStream};
use futures::{Stream, StreamExt};

use crate::support::{NO_ITEMS, Parent, Step, child, panic_of, within_a_minute};

/// Runs 100 jobs in a pool that is refilled up to `limit`. Returns the finished jobs
/// and the largest number of jobs that ran at a time.
async fn refill(limit: usize) -> (Vec<usize>, usize) {
    let (running, most) = (Cell::new(0), Cell::new(0));
    let job = |number: usize| {
        let (running, most) = (&running, &most);
        once(async move {
            running.set(running.get() + 1);
            most.set(running.get().max(most.get()));
            tokio::task::yield_now().await;
            running.set(running.get() - 1);
            number
        })
    };
    let (mut pool, mut jobs, mut done) = (Merge::new(), (0..100).map(job), Vec::new());
    loop {
        while pool.len() < limit {
            let Some(job) = jobs.next() else { break };
            pool.push(job);
        }
        let Some(number) = pool.next().await else { break };
        done.push(number);
    }
    (done, most.get())
}

#[test]
fn a_refilled_pool_finishes_all_jobs_at_full_concurrency() {
    within_a_minute(|| {
        for limit in 1..=10 {
            let (mut done, most) = block_on(refill(limit));
            done.sort_unstable();
            assert!(done.into_iter().eq(0..100), "limit {limit}");
            assert_eq!(most, limit);
        }
    });
}

#[test]
fn a_pool_is_empty_once_every_output_was_taken() {
    within_a_minute(|| {
        let mut pool: Merge<_> = (0..10).map(|number| once(async move { number })).collect();
        let mut outputs = Vec::new();
        block_on(async {
            while !pool.is_empty() {
                assert_eq!(pool.len(), 10 - outputs.len());
                outputs.push(pool.next().await.expect("an output per future"));
            }
        });
        assert!(outputs.into_iter().eq(0..10));
        assert!(!pool.is_terminated(), "`None` was not returned yet");
    });
}

#[test]
fn a_child_without_further_items_is_dropped_with_its_last() {
    let mut merge: Merge<_> = [stream::iter(0..2), stream::iter(5..6)].into_iter().collect();
    let parent = Parent::new();
    assert_eq!(parent.items(&mut merge, 2), [0, 5]);
    assert_eq!(merge.len(), 1);
    assert_eq!(parent.items(&mut merge, 1), [1]);
    assert!(merge.is_empty());
    assert_eq!(parent.poll(&mut merge), Poll::Ready(None));
}

#[test]
fn a_child_with_unknown_further_items_is_polled_again() {
    let (unknown, handle) = child(0, &[Step::Item, Step::End]);
    let mut merge: Merge<_> = [unknown].into_iter().collect();
    let parent = Parent::new();
    assert_eq!(parent.items(&mut merge, 1), [0]);
    assert_eq!((merge.len(), handle.drops()), (1, 0));
    assert_eq!(parent.drain(&mut merge), NO_ITEMS);
    assert_eq!((handle.polls(), handle.drops()), (2, 1));
}

#[test]
fn the_key_of_a_last_item_is_stale() {
    let mut merge = Merge::new();
    let key = merge.push(once(async { 7 }));
    let mut keyed = merge.keyed();
    assert_eq!(Parent::new().items(&mut keyed, 1), [(key, 7)]);
    assert!(!keyed.get_ref().contains(key));
}

#[test]
fn poll_next_many_drops_children_without_further_items() {
    let mut pool: Merge<_> = (0..5).map(|number| once(async move { number })).collect();
    let mut outputs = Vec::new();
    assert_eq!(block_on(pool.next_many(&mut outputs, 3)), 3);
    assert_eq!(pool.len(), 2);
}

/// A child whose size hint panics after its first item.
struct BadHint {
    yielded: bool,
}

impl Stream for BadHint {
    type Item = ();

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> {
        self.yielded = true;
        Poll::Ready(Some(()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        assert!(!self.yielded, "hint");
        (0, None)
    }
}

#[test]
fn a_child_whose_hint_panics_after_an_item_is_dropped() {
    let mut merge: Merge<BadHint> = (0..3).map(|_| BadHint { yielded: false }).collect();
    let parent = Parent::new();
    for left in (0..3).rev() {
        assert_eq!(panic_of(|| parent.poll(&mut merge)), "hint");
        assert_eq!(merge.len(), left);
    }
    assert_eq!(parent.poll(&mut merge), Poll::Ready(None));
}

#[test]
fn an_item_of_a_nested_merge_asks_few_children_for_a_hint() {
    struct Counted<'a>(&'a Cell<usize>);
    impl Stream for Counted<'_> {
        type Item = ();
        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> {
            Poll::Ready(Some(()))
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            self.0.set(self.0.get() + 1);
            (1, Some(1))
        }
    }
    let asked = Cell::new(0);
    let inner = || (0..1_000).map(|_| Counted(&asked)).collect::<Merge<_>>();
    let mut outer: Merge<_> = [inner(), inner()].into_iter().collect();
    Parent::new().items(&mut outer, 100);
    assert!(asked.get() <= 100 * 65, "{} hints for 100 items", asked.get());
}
