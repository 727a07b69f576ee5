//! Models of a remote worker whose driver and stream are on two threads.
//! `../wake/models.rs` explains how they are run. A lost wake fails as a deadlock.
//!
//! Each of these bugs was seeded, and fails the model beside it, or the test in
//! `tests/it/remote.rs`:
//!
//! | bug | model |
//! |---|---|
//! | an item does not wake the stream | `items_reach_…` |
//! | an item that is taken does not wake the driver | `items_reach_…` |
//! | the driver's waker is stored in another lock than the check for room | `a_stream_that_is_dropped_…` |
//! | the end does not wake the stream | `a_driver_that_is_dropped_…` |
//! | the drop of the stream does not wake the driver | `a_stream_that_is_dropped_…` |
//! | no check for the drop after a pending poll | the test `a_stream_that_is_dropped_in_…` |

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use loom::future::block_on;
use loom::model::Builder;
use loom::thread;

use crate::pool::remote::remote;

/// Runs a model under every interleaving with at most two preemptions.
fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(run);
}

/// Yields the numbers below its own, then ends or waits for ever.
struct Numbers {
    left: u32,
    ends: bool,
}

impl Stream for Numbers {
    type Item = u32;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
        if self.left == 0 {
            return if self.ends { Poll::Ready(None) } else { Poll::Pending };
        }
        self.left -= 1;
        Poll::Ready(Some(self.left))
    }
}

fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    block_on(std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)))
}

#[test]
fn items_reach_the_stream_and_make_room() {
    model(|| {
        let (driver, mut items) = remote(Numbers { left: 3, ends: true }, 0);
        let thread = thread::spawn(move || block_on(driver));
        assert_eq!([next(&mut items), next(&mut items)], [Some(2), Some(1)]);
        assert_eq!([next(&mut items), next(&mut items)], [Some(0), None]);
        thread.join().unwrap();
    });
}

#[test]
fn a_driver_that_is_dropped_ends_the_stream() {
    model(|| {
        let (driver, mut items) = remote(Numbers { left: 0, ends: false }, 0);
        let thread = thread::spawn(move || drop(driver));
        assert_eq!(next(&mut items), None);
        thread.join().unwrap();
    });
}

#[test]
fn a_stream_that_is_dropped_ends_the_driver() {
    for left in [0, 1] {
        model(move || {
            let (driver, items) = remote(Numbers { left, ends: false }, 0);
            let thread = thread::spawn(move || block_on(driver));
            drop(items);
            thread.join().unwrap();
        });
    }
}
