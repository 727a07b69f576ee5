//! Equal shares on tokio, whatever the task spends of its cooperative budget.

use std::pin::Pin;
use std::task::{Context, Poll};

use active_status::Merge;
use futures::{Stream, StreamExt, stream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, mpsc};
use tokio::task::coop::{consume_budget, has_budget_remaining};
use tokio::task::{LocalSet, unconstrained};

use crate::support::{Parent, Step, children, within_a_minute};

/// A tokio channel that always has a message: each received message is sent again. Before
/// a message it receives from another full channel `spends` times.
struct Full {
    number: usize,
    sender: mpsc::UnboundedSender<()>,
    receiver: mpsc::UnboundedReceiver<()>,
    spends: usize,
    spent: usize,
}

fn full(number: usize, spends: usize) -> Full {
    let (sender, receiver) = mpsc::unbounded_channel();
    sender.send(()).unwrap();
    Full { number, sender, receiver, spends, spent: 0 }
}

impl Stream for Full {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        loop {
            let Poll::Ready(Some(())) = self.receiver.poll_recv(cx) else { return Poll::Pending };
            self.sender.send(()).unwrap();
            if self.spent == self.spends {
                self.spent = 0;
                return Poll::Ready(Some(self.number));
            }
            self.spent += 1;
        }
    }
}

/// A merge of full channels that asks tokio for the budget of the task.
fn merge(channels: usize, spends: usize) -> Merge<Full> {
    (0..channels)
        .map(|number| full(number, spends))
        .collect::<Merge<_>>()
        .with_coop_check(has_budget_remaining)
}

/// Takes items in rounds, and asserts that the channels alternate. The consumer itself
/// spends `spends` operations per item.
async fn alternate(
    mut items: impl Stream<Item = usize> + Unpin,
    channels: usize,
    rounds: usize,
    spends: usize,
) {
    for count in 0..channels * rounds {
        let number = items.next().await.unwrap();
        assert_eq!(number, count % channels, "{channels} channels, {spends} spent, item {count}");
        for _ in 0..spends {
            consume_budget().await;
        }
    }
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

/// Channels and rounds, for each count of operations that a consumer spends per item.
const SIZES: [(usize, usize); 4] = [(10, 40), (100, 6), (128, 5), (1_000, 2)];

async fn sweep() {
    for spends in 0..64 {
        for (channels, rounds) in SIZES {
            alternate(merge(channels, 0), channels, rounds, spends).await;
        }
    }
}

#[test]
fn any_consumer_gets_equal_shares_on_current_thread() {
    within_a_minute(|| current_thread().block_on(sweep()));
}

#[test]
fn any_consumer_gets_equal_shares_on_multi_thread() {
    within_a_minute(|| {
        let runtime = multi_thread();
        runtime.block_on(runtime.spawn(sweep())).unwrap();
    });
}

#[test]
fn any_consumer_gets_equal_shares_in_block_on() {
    within_a_minute(|| multi_thread().block_on(sweep()));
}

#[test]
fn any_consumer_gets_equal_shares_on_a_local_set() {
    within_a_minute(|| current_thread().block_on(LocalSet::new().run_until(sweep())));
}

#[test]
fn a_consumer_that_locks_a_mutex_gets_equal_shares() {
    within_a_minute(|| {
        current_thread().block_on(async {
            let (mutex, mut merge) = (Mutex::new(()), merge(300, 0));
            for count in 0..12_000 {
                assert_eq!(merge.next().await, Some(count % 300));
                for _ in 0..15 {
                    drop(mutex.lock().await);
                }
            }
        });
    });
}

#[test]
fn ten_thousand_channels_have_equal_shares() {
    within_a_minute(|| current_thread().block_on(alternate(merge(10_000, 0), 10_000, 3, 15)));
}

#[test]
fn workers_that_spend_operations_have_equal_shares() {
    within_a_minute(|| {
        current_thread().block_on(async {
            for spends in [1, 7, 16, 63, 127, 128, 300] {
                alternate(merge(100, spends), 100, 5, 0).await;
            }
        });
    });
}

#[test]
fn nested_merges_have_equal_shares_with_any_consumer() {
    within_a_minute(|| {
        current_thread().block_on(async {
            for spends in 0..64 {
                let inner = |number: usize| {
                    let channels = (0..10).map(|inner| full(10 * inner + number, 0));
                    channels.collect::<Merge<_>>().with_coop_check(has_budget_remaining)
                };
                let outer = (0..10).map(inner).collect::<Merge<_>>();
                alternate(outer.with_coop_check(has_budget_remaining), 100, 5, spends).await;
            }
        });
    });
}

/// Five merges in one task, each with its own consumer.
async fn five(spends: usize) {
    let one = || alternate(merge(100, 0), 100, 5, spends);
    tokio::join!(one(), one(), one(), one(), one());
}

#[test]
fn five_merges_in_one_task_have_equal_shares() {
    within_a_minute(|| {
        for spends in [0, 1, 3, 15, 31] {
            current_thread().block_on(five(spends));
            let runtime = multi_thread();
            runtime.block_on(runtime.spawn(five(spends))).unwrap();
            runtime.block_on(five(spends));
        }
    });
}

/// `futures::join!` polls its branches in a fixed order. The first four merges spend 32 of the
/// 128 operations per poll of the task each, and nothing is left for the fifth.
#[test]
fn a_join_in_fixed_order_serves_its_fifth_merge_last() {
    within_a_minute(|| {
        current_thread().block_on(async {
            let ended = std::cell::Cell::new(0);
            let one = || async {
                let mut merge = merge(100, 0);
                merge.next().await;
                let ended_before = ended.get();
                for _ in 1..500 {
                    merge.next().await;
                }
                ended.set(ended.get() + 1);
                ended_before
            };
            assert_eq!(futures::join!(one(), one(), one(), one(), one()), (0, 0, 0, 0, 4));
        });
    });
}

#[test]
fn an_unconstrained_task_has_equal_shares() {
    within_a_minute(|| {
        current_thread().block_on(unconstrained(alternate(merge(100, 0), 100, 50, 15)));
    });
}

#[test]
fn a_refused_child_costs_one_poll_and_keeps_its_turn() {
    use std::cell::Cell;
    thread_local!(static LEFT: Cell<usize> = const { Cell::new(0) });
    let (_, handles) = children(3, &[Step::Idle]);
    let child = |number| {
        stream::poll_fn(move |_: &mut Context<'_>| {
            if LEFT.get() == 0 {
                return Poll::Pending;
            }
            LEFT.set(LEFT.get() - 1);
            Poll::Ready(Some(number))
        })
    };
    let mut merge =
        (0..handles.len()).map(child).collect::<Merge<_>>().with_coop_check(|| LEFT.get() > 0);
    let parent = Parent::new();
    for turn in 0..12 {
        assert_eq!(parent.poll(&mut merge), Poll::Pending);
        assert_eq!(parent.take_wakes(), 1, "a refusal is followed by a wake");
        LEFT.set(1);
        assert_eq!(parent.poll(&mut merge), Poll::Ready(Some(turn % 3)));
    }
}

#[test]
fn a_child_that_is_pending_without_budget_is_polled_once_more() {
    let (children, handles) = children(3, &[Step::Idle]);
    let mut merge = children.into_iter().collect::<Merge<_>>().with_coop_check({
        use std::cell::Cell;
        thread_local!(static ASKED: Cell<usize> = const { Cell::new(0) });
        || ASKED.replace(ASKED.get() + 1) > 0
    });
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.poll(&mut merge), Poll::Pending);
    assert_eq!(parent.take_wakes(), 0, "the merge is parked");
    assert_eq!([0, 1, 2].map(|number: usize| handles[number].polls()), [2, 1, 1]);
}

#[cfg(feature = "tokio")]
#[test]
fn the_feature_tokio_installs_the_check() {
    within_a_minute(|| {
        current_thread().block_on(async {
            let merge: Merge<_> = (0..100).map(|number| full(number, 0)).collect();
            alternate(merge, 100, 20, 31).await;
        });
    });
}
