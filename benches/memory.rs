//! Bytes and allocations per child, for this crate and its peers. Nothing is timed.
//!
//! `cargo bench --bench memory` builds a merge from a vector of children and takes items.
#![expect(clippy::print_stdout, reason = "it prints a table")]

#[path = "../tests/it/allocator.rs"]
mod allocator;
mod peers;

use std::cell::Cell;
use std::hint::black_box;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use active_status::run_workers;
use active_status::workers::Pool;
use futures::{Stream, StreamExt};

use allocator::{allocations, bytes};
use peers::{
    ActiveStatus, Bounded, Group, Map, Peer, Select, Unbounded, Unicycle, Unordered, VecMerge,
};

/// The number of workers of the pools.
const WORKERS: usize = 10_000;

fn main() {
    let test = std::env::args().any(|argument| argument == "--test");
    let sizes: &[usize] = if test { &[1_000] } else { &[10, 1_000, 100_000] };
    for &n in sizes {
        println!("{n} children\n");
        let heads = ["bytes per child", "allocations per child", "allocations per item"];
        println!("{:32}{:>17}{:>23}{:>23}", "", heads[0], heads[1], heads[2]);
        row::<ActiveStatus>(n);
        row::<Select>(n);
        row::<Bounded>(n);
        row::<Unbounded>(n);
        row::<VecMerge>(n);
        row::<Group>(n);
        row::<Unicycle>(n);
        row::<Unordered>(n);
        row::<Map>(n);
        println!();
    }
    println!("bytes held\n");
    let heads = ["one of 1 MiB", "after 100,000 of 1 KiB", "of 100,000 by a waker"];
    println!("{:32}{:>14}{:>24}{:>23}", "", heads[0], heads[1], heads[2]);
    held::<ActiveStatus>();
    held::<Select>();
    held::<Bounded>();
    held::<Unbounded>();
    held::<VecMerge>();
    held::<Group>();
    held::<Unicycle>();
    held::<Unordered>();
    held::<Map>();
    pools();
}

/// Prints the bytes and allocations per worker, for pools that have yielded as many items as
/// they have workers. The streams of the workers are not included; the task of tokio contains
/// its future.
fn pools() {
    println!("\n{WORKERS} workers\n");
    println!("{:32}{:>17}{:>23}", "", "bytes per worker", "allocations per worker");
    pool("active-status run_workers", || {
        let mut pool = run_workers(WORKERS, |worker| Ready(worker.get()));
        futures::executor::block_on(pool.by_ref().take(WORKERS).for_each(async |_| {}));
        pool
    });
    pool("active-status Pool", || {
        let mut pool = Pool::with_workers(WORKERS, |worker| Ready(worker.id().get()));
        futures::executor::block_on(pool.by_ref().take(WORKERS).for_each(async |_| {}));
        pool
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    pool("tokio JoinSet and mpsc", || {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(32);
        let mut tasks = tokio::task::JoinSet::new();
        runtime.block_on(async {
            for number in 0..WORKERS {
                let sender = sender.clone();
                tasks.spawn(async move { while sender.send(number).await.is_ok() {} });
            }
            for _ in 0..WORKERS {
                receiver.recv().await;
            }
        });
        (tasks, receiver)
    });
}

fn pool<P>(name: &str, build: impl FnOnce() -> P) {
    let (before, asked) = (bytes(), allocations());
    let pool = build();
    let held = (bytes() - before) as f64 / WORKERS as f64 - size_of::<Ready>() as f64;
    let made = (allocations() - asked) as f64 / WORKERS as f64;
    drop(pool);
    println!("{name:32}{held:>17.2}{made:>23.4}");
}

/// Prints the bytes that are held by a merge of one child of 1 MiB; by a merge whose
/// 100,000 children of 1 KiB have ended; and by a waker of one of 100,000 children after
/// the merge was dropped.
fn held<P: Peer>() {
    let before = bytes();
    let large = P::merge(vec![Sized::<{ 1 << 20 }>([0; 1 << 20])]);
    let one = bytes() - before;
    drop(large);

    let before = bytes();
    let mut merge = P::merge((0..100_000).map(|_| Sized::<1_024>([0; 1_024])).collect());
    drain(&mut merge);
    let peak = bytes() - before;
    drop(merge);

    let before = bytes();
    let waker = Rc::new(Cell::new(None));
    let child = |number| Leaves { number, waker: waker.clone() };
    let mut merge = P::merge((0..100_000).map(child).collect());
    drain(&mut merge);
    drop(merge);
    let kept = bytes() - before;
    println!("{:32}{one:>14}{peak:>24}{kept:>23}", P::NAME);
}

/// Polls until the merge ends.
fn drain<S: Stream + Unpin>(merge: &mut S) {
    let mut cx = Context::from_waker(Waker::noop());
    while !matches!(merge.poll_next_unpin(&mut cx), Poll::Ready(None)) {}
}

/// A child of a given size, which ends at once.
struct Sized<const BYTES: usize>([u8; BYTES]);

impl<const BYTES: usize> Stream for Sized<BYTES> {
    type Item = usize;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<usize>> {
        black_box(&self.0);
        Poll::Ready(None)
    }
}

/// A child that ends at once. One in the middle leaves its waker.
struct Leaves {
    number: usize,
    waker: Rc<Cell<Option<Waker>>>,
}

impl Stream for Leaves {
    type Item = usize;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        if self.number == 70_000 {
            self.waker.set(Some(cx.waker().clone()));
        }
        Poll::Ready(None)
    }
}

/// Prints a row. The bytes do not include the children themselves.
fn row<P: Peer>(n: usize) {
    let before = bytes();
    let children: Vec<Ready> = (0..n).map(Ready).collect();
    let asked = allocations();
    let mut merge = P::merge(children);
    let per_child = (allocations() - asked) as f64 / n as f64;
    let beyond = (bytes() - before) as f64 / n as f64 - size_of::<Ready>() as f64;

    let items = 4 * n;
    let asked = allocations();
    let mut left = items;
    while left > 0 {
        if merge.poll_next_unpin(&mut Context::from_waker(Waker::noop())).is_ready() {
            left -= 1;
        }
    }
    let per_item = (allocations() - asked) as f64 / items as f64;
    println!("{:32}{beyond:>17.2}{per_child:>23.4}{per_item:>23.4}", P::NAME);
}

/// A child that yields an item at every poll.
struct Ready(usize);

impl Stream for Ready {
    type Item = usize;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<usize>> {
        Poll::Ready(Some(self.0))
    }
}
