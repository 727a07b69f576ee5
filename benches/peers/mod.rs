//! The merges that the benches put beside ours, one name and one constructor
//! each.

use std::pin::Pin;

use active_status::Merge;
use futures::{Stream, StreamExt, stream};
use futures_buffered::{MergeBounded, MergeUnbounded};
use futures_concurrency::stream::{Merge as _, StreamGroup};
use tokio_stream::StreamMap;
use unicycle::StreamsUnordered;

/// A merge of whatever kind.
pub(crate) type Merged = Pin<Box<dyn Stream<Item = usize> + Send>>;

/// A merge's name, and how it is made from its children.
pub(crate) struct Peer<S> {
    pub(crate) name: &'static str,
    pub(crate) merge: fn(Vec<S>) -> Merged,
}

/// Ours first, then the peers.
pub(crate) fn peers<S: Stream<Item = usize> + Unpin + Send + 'static>() -> [Peer<S>; 8] {
    [
        Peer {
            name: "active-status Merge",
            merge: |children| Box::pin(Merge::from_iter(children)),
        },
        Peer {
            name: "futures SelectAll",
            merge: |children| Box::pin(stream::select_all(children)),
        },
        Peer {
            name: "futures-buffered MergeBounded",
            merge: |children| Box::pin(MergeBounded::from_iter(children)),
        },
        Peer {
            name: "futures-buffered MergeUnbounded",
            merge: |children| Box::pin(MergeUnbounded::from_iter(children)),
        },
        Peer {
            name: "futures-concurrency Vec::merge",
            merge: |children| Box::pin(children.merge()),
        },
        Peer {
            name: "futures-concurrency StreamGroup",
            merge: |children| Box::pin(StreamGroup::from_iter(children)),
        },
        Peer {
            name: "unicycle StreamsUnordered",
            merge: |children| {
                let mut merge = StreamsUnordered::new();
                for child in children {
                    merge.push(child);
                }
                Box::pin(merge)
            },
        },
        Peer {
            name: "tokio-stream StreamMap",
            merge: |children| {
                let map: StreamMap<usize, S> = children.into_iter().enumerate().collect();
                Box::pin(map.map(|(_, item)| item))
            },
        },
    ]
}
