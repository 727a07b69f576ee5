//! Bytes and allocations per child, for this crate and its peers. Nothing is timed.
//!
//! `cargo bench --bench memory` builds a merge from a vector of children and takes items.
#![expect(clippy::print_stdout, reason = "it prints a table")]

#[path = "../tests/it/allocator.rs"]
mod allocator;
mod peers;

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures::{Stream, StreamExt};

use allocator::{allocations, bytes};
use peers::{
    ActiveStatus, Bounded, Group, Map, Peer, Select, Unbounded, Unicycle, Unordered, VecMerge,
};

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
