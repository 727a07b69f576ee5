//! What a merge keeps a child, and how often it asks for memory: ours beside
//! the peers. Nothing is timed.
//!
//! `cargo bench --bench memory`. A merge is built from a vector of children and
//! then gives items.
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

#[path = "../tests/it/allocator.rs"]
mod allocator;
mod peers;

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures::{Stream, StreamExt};

use allocator::{allocations, bytes};
use peers::{Bounded, Group, Map, Ours, Peer, Select, Unbounded, Unicycle, Unordered, VecMerge};

fn main() {
    let test = std::env::args().any(|argument| argument == "--test");
    let sizes: &[usize] = if test { &[1_000] } else { &[10, 1_000, 100_000] };
    for &n in sizes {
        println!("{n} children\n");
        let heads = ["bytes a child", "allocations a child", "allocations an item"];
        println!("{:32}{:>15}{:>21}{:>21}", "", heads[0], heads[1], heads[2]);
        row::<Ours>(n);
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

/// The bytes are those beyond the children themselves.
fn row<P: Peer>(n: usize) {
    let before = bytes();
    let children: Vec<Ready> = (0..n).map(Ready).collect();
    let asked = allocations();
    let mut merge = P::merge(children);
    let a_child = (allocations() - asked) as f64 / n as f64;
    let beyond = (bytes() - before) as f64 / n as f64 - size_of::<Ready>() as f64;

    let items = 4 * n;
    let asked = allocations();
    let mut left = items;
    while left > 0 {
        if merge.poll_next_unpin(&mut Context::from_waker(Waker::noop())).is_ready() {
            left -= 1;
        }
    }
    let an_item = (allocations() - asked) as f64 / items as f64;
    println!("{:32}{beyond:>15.2}{a_child:>21.4}{an_item:>21.4}", P::NAME);
}

/// A child that has an item at every poll.
struct Ready(usize);

impl Stream for Ready {
    type Item = usize;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<usize>> {
        Poll::Ready(Some(self.0))
    }
}
