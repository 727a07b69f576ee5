//! The merges that the benches compare.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use active_status::Merge;
use futures::stream::{self, SelectAll};
use futures::{Stream, StreamExt};
use futures_buffered::{MergeBounded, MergeUnbounded};
use futures_concurrency::stream::{Merge as _, StreamGroup};
use streamunordered::{StreamUnordered, StreamYield};
use tokio_stream::StreamMap;
use unicycle::StreamsUnordered;

/// A child that yields its number.
pub(crate) trait Child: Stream<Item = usize> + Unpin + 'static {}

impl<S: Stream<Item = usize> + Unpin + 'static> Child for S {}

/// A kind of merge.
pub(crate) trait Peer {
    const NAME: &str;
    type Merge<S: Child>: Stream<Item = usize> + Unpin;

    fn merge<S: Child>(children: Vec<S>) -> Self::Merge<S>;
}

macro_rules! peer {
    ($peer:ident, $name:literal, $merge:ty, $build:expr) => {
        pub(crate) struct $peer;

        impl Peer for $peer {
            const NAME: &str = $name;
            type Merge<S: Child> = $merge;

            fn merge<S: Child>(children: Vec<S>) -> $merge {
                $build(children)
            }
        }
    };
}

peer!(ActiveStatus, "active-status Merge", Merge<S>, Merge::from_iter);
peer!(Select, "futures SelectAll", SelectAll<S>, stream::select_all);
peer!(Bounded, "futures-buffered MergeBounded", MergeBounded<S>, MergeBounded::from_iter);
peer!(Unbounded, "futures-buffered MergeUnbounded", MergeUnbounded<S>, MergeUnbounded::from_iter);
peer!(VecMerge, "futures-concurrency Vec::merge", Pin<Box<OfVec<S>>>, of_vec);
peer!(Group, "futures-concurrency StreamGroup", StreamGroup<S>, StreamGroup::from_iter);
peer!(Unicycle, "unicycle StreamsUnordered", StreamsUnordered<S>, unordered);
peer!(Unordered, "streamunordered", Yields<S>, yields);
peer!(Map, "tokio-stream StreamMap", Values<S>, values);

type OfVec<S> = futures_concurrency::vec::Merge<S>;

fn of_vec<S: Child>(children: Vec<S>) -> Pin<Box<OfVec<S>>> {
    Box::pin(children.merge())
}

fn unordered<S: Child>(children: Vec<S>) -> StreamsUnordered<S> {
    let mut merge = StreamsUnordered::new();
    for child in children {
        merge.push(child);
    }
    merge
}

/// The items of an unordered stream. Finished children are removed, since the stream
/// would keep them.
pub(crate) struct Yields<S>(StreamUnordered<S>);

fn yields<S: Child>(children: Vec<S>) -> Yields<S> {
    Yields(children.into_iter().collect())
}

impl<S: Child> Stream for Yields<S> {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        loop {
            match ready!(self.0.poll_next_unpin(cx)) {
                Some((StreamYield::Item(item), _)) => return Poll::Ready(Some(item)),
                Some((StreamYield::Finished(end), _)) => end.remove(Pin::new(&mut self.0)),
                None => return Poll::Ready(None),
            }
        }
    }
}

/// The values of a map, without the keys.
pub(crate) struct Values<S>(StreamMap<usize, S>);

fn values<S: Child>(children: Vec<S>) -> Values<S> {
    let mut map = StreamMap::with_capacity(children.len());
    // `insert` would search all keys.
    map.extend(children.into_iter().enumerate());
    Values(map)
}

impl<S: Child> Stream for Values<S> {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        self.0.poll_next_unpin(cx).map(|entry| entry.map(|(_, item)| item))
    }
}
