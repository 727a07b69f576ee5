//! Pools of eight workers, whose items cost nothing, and what users of `futures` write.

use std::future::{Ready, ready};
use std::hint::black_box;
use std::task::Poll;

use active_status::workers::{
    Pool as Resizable, Worker, reorder, supervise, try_supervise, with_events,
};
use active_status::{Merge, WorkQueue, WorkerId, map_workers, run_workers};
use futures::{Stream, StreamExt, stream};

use crate::children::poll;

const WORKERS: usize = 8;

/// A pool and the function that runs it for the given number of items.
pub(crate) type Pool = (&'static str, fn(usize));

pub(crate) const POOLS: [Pool; 16] = [
    ("run_workers", |items| {
        let each = items / WORKERS;
        drain(run_workers(WORKERS, |id| stream::iter(each * id.index()..each * (id.index() + 1))));
    }),
    ("run_workers, with_events", |items| {
        let each = items / WORKERS;
        drain(run_workers(WORKERS, with_events(move |_: WorkerId| stream::iter(0..each))));
    }),
    ("run_workers, supervise without failures", |items| {
        let each = items / WORKERS;
        drain(run_workers(
            WORKERS,
            supervise(move |_| stream::iter(0..each), |_| None::<Ready<()>>),
        ));
    }),
    ("run_workers, try_supervise, each item fails", |items| {
        let each = (items / WORKERS) as u32;
        let fails = |_| stream::iter([Err::<usize, usize>(1)]);
        let workers =
            try_supervise(fails, move |failure| (failure.failures < each).then(|| ready(())));
        drain(run_workers(WORKERS, workers));
    }),
    ("Pool", |items| {
        let each = items / WORKERS;
        drain(Resizable::with_workers(WORKERS, |worker: Worker| {
            let index = worker.id().index();
            stream::iter(each * index..each * (index + 1))
        }));
    }),
    ("Pool, with_events", |items| {
        let each = items / WORKERS;
        let workers = with_events(move |_: Worker| stream::iter(0..each));
        drain(Resizable::with_workers(WORKERS, workers));
    }),
    ("Pool, with_events by id", |items| {
        let each = items / WORKERS;
        let mut workers = with_events(move |_: WorkerId| stream::iter(0..each));
        drain(Resizable::with_workers(WORKERS, |worker: Worker| workers(worker.id())));
    }),
    ("WorkQueue, weighted seats 3 : 1", |items| {
        // One clone per seat: the first worker has three turns per round.
        let queue = WorkQueue::new(source(items));
        let seats = (0..WORKERS / 4).flat_map(|_| {
            let (heavy, light) = (WorkQueue::new(queue.clone()), WorkQueue::new(queue.clone()));
            [heavy.clone(), heavy.clone(), heavy, light]
        });
        drain(seats.collect::<Merge<_>>());
    }),
    ("WorkQueue", |items| {
        let queue = WorkQueue::new(source(items));
        drain(run_workers(WORKERS, |_| queue.clone()));
    }),
    ("WorkQueue, then", |items| {
        let queue = WorkQueue::new(source(items));
        drain(run_workers(WORKERS, |_| queue.clone().then(ready)));
    }),
    ("WorkQueue::tasks, then", |items| {
        let queue = WorkQueue::new(source(items));
        drain(run_workers(WORKERS, |_| queue.tasks().then(async |task| task.done())));
    }),
    ("map_workers", |items| drain(map_workers(WORKERS, 0..items, async |n| n))),
    ("reorder, map_workers, in_order", |items| {
        let (numbered, order) = reorder(source(items), 4 * WORKERS);
        let results = WorkQueue::new(numbered).map_workers(WORKERS, async |numbered| numbered);
        drain(order.in_order(results.map(|(_, result)| result)));
    }),
    ("async-channel, with the sends", |items| {
        let queue = channel(items);
        let worker = |_| {
            stream::unfold(queue.clone(), async |queue| Some((queue.recv().await.ok()?, queue)))
        };
        drain(run_workers(WORKERS, worker));
    }),
    ("futures buffer_unordered", |items| {
        drain(source(items).map(ready).buffer_unordered(WORKERS));
    }),
    ("futures buffered", |items| drain(source(items).map(ready).buffered(WORKERS))),
];

fn source(items: usize) -> impl Stream<Item = usize> {
    stream::iter(0..items)
}

fn channel(items: usize) -> async_channel::Receiver<usize> {
    let (sender, receiver) = async_channel::unbounded();
    (0..items).for_each(|item| sender.try_send(item).expect("the channel is open"));
    receiver
}

fn drain<S: Stream>(pool: S) {
    let mut pool = std::pin::pin!(pool);
    loop {
        match black_box(poll(&mut pool)) {
            Poll::Ready(None) => break,
            Poll::Ready(Some(_)) | Poll::Pending => {}
        }
    }
}
