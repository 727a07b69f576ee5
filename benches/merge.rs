//! What an item costs: ours beside the peers, above a bare loop that polls one
//! child after the other.
//!
//! `cargo bench --bench merge`. Peers that cost more the more children there
//! are stop where a run would take too long.

mod peers;

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;

use peers::{
    Bounded, Child, Group, Map, Ours, Peer, Select, Unbounded, Unicycle, Unordered, VecMerge,
};

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
        .configure_from_args();
    every_peer::<AlwaysReady>(&mut criterion);
    every_peer::<Sparse>(&mut criterion);
    every_peer::<Burst>(&mut criterion);
    every_peer::<Build>(&mut criterion);
    every_peer::<Tokio>(&mut criterion);
    criterion.final_summary();
}

/// What is measured, for `n` children.
trait Scenario {
    const NAME: &str;
    /// The numbers of children.
    const SIZES: &[usize] = &[1, 10, 100, 1_000, 10_000, 100_000];

    fn run<P: Peer>(group: &mut BenchmarkGroup<'_, WallTime>, n: usize);
}

fn every_peer<S: Scenario>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(S::NAME);
    for &n in S::SIZES {
        // Those that look at all children whenever one is woken.
        let linear = n <= 10_000;
        S::run::<Ours>(&mut group, n);
        S::run::<Select>(&mut group, n);
        S::run::<Bounded>(&mut group, n);
        S::run::<Unbounded>(&mut group, n);
        S::run::<Unicycle>(&mut group, n);
        S::run::<Unordered>(&mut group, n);
        if linear {
            S::run::<VecMerge>(&mut group, n);
            S::run::<Group>(&mut group, n);
            S::run::<Map>(&mut group, n);
            S::run::<Bare>(&mut group, n);
        }
    }
    group.finish();
}

/// The floor: a loop over the children, without readiness, panics or pushes.
struct Bare;

struct Loop<S> {
    children: Vec<Option<S>>,
    cursor: usize,
    left: usize,
}

impl Peer for Bare {
    const NAME: &str = "bare loop";
    type Merge<S: Child> = Loop<S>;

    fn merge<S: Child>(children: Vec<S>) -> Loop<S> {
        let left = children.len();
        Loop { children: children.into_iter().map(Some).collect(), cursor: 0, left }
    }
}

impl<S: Child> Stream for Loop<S> {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        for _ in 0..self.children.len() {
            let at = self.cursor;
            self.cursor = if at + 1 == self.children.len() { 0 } else { at + 1 };
            match self.children[at].as_mut().map(|child| child.poll_next_unpin(cx)) {
                Some(Poll::Ready(Some(item))) => return Poll::Ready(Some(item)),
                Some(Poll::Ready(None)) => {
                    self.children[at] = None;
                    self.left -= 1;
                }
                Some(Poll::Pending) | None => {}
            }
        }
        if self.left == 0 { Poll::Ready(None) } else { Poll::Pending }
    }
}

fn poll<S: Stream + Unpin>(merge: &mut S) -> Poll<Option<S::Item>> {
    merge.poll_next_unpin(&mut Context::from_waker(Waker::noop()))
}

/// The next items, polling again after each `Pending`.
fn take<S: Stream + Unpin>(merge: &mut S, mut items: usize) {
    while items > 0 {
        if let Poll::Ready(item) = poll(merge) {
            black_box(item);
            items -= 1;
        }
    }
}

/// Every child has an item at every poll. Time an item.
struct AlwaysReady;

impl Scenario for AlwaysReady {
    const NAME: &str = "always ready";

    fn run<P: Peer>(group: &mut BenchmarkGroup<'_, WallTime>, n: usize) {
        const ITEMS: usize = 10_000;
        let mut merge = P::merge((0..n).map(Ready).collect());
        group.throughput(Throughput::Elements(ITEMS as u64));
        group.bench_function(BenchmarkId::new(P::NAME, n), |bencher| {
            bencher.iter(|| take(&mut merge, ITEMS));
        });
    }
}

struct Ready(usize);

impl Stream for Ready {
    type Item = usize;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<usize>> {
        Poll::Ready(Some(self.0))
    }
}

/// A child that has an item when it is told so.
struct Told(usize, Rc<Signal>);

#[derive(Default)]
struct Signal {
    ready: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Signal {
    fn tell(&self) {
        self.ready.set(true);
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}

impl Stream for Told {
    type Item = usize;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        if self.1.ready.take() {
            return Poll::Ready(Some(self.0));
        }
        match &mut *self.1.waker.borrow_mut() {
            Some(waker) => waker.clone_from(cx.waker()),
            empty => *empty = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

/// Children that wait to be told, and whom to tell, in an order of no pattern.
fn told<P: Peer>(n: usize) -> (P::Merge<Told>, Vec<Rc<Signal>>) {
    let mut signals: Vec<Rc<Signal>> = (0..n).map(|_| Rc::default()).collect();
    let mut merge =
        P::merge(signals.iter().cloned().enumerate().map(|(i, s)| Told(i, s)).collect());
    while signals.iter().any(|signal| signal.waker.borrow().is_none()) {
        assert!(poll(&mut merge).is_pending());
    }
    let mut random = 1_u64;
    for last in (1..n).rev() {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        signals.swap(last, (random >> 33) as usize % (last + 1));
    }
    (merge, signals)
}

/// All wait; one is told, its item is taken, and then there is nothing. Time a
/// wake.
struct Sparse;

impl Scenario for Sparse {
    const NAME: &str = "sparse";

    fn run<P: Peer>(group: &mut BenchmarkGroup<'_, WallTime>, n: usize) {
        let (mut merge, signals) = told::<P>(n);
        let mut next = signals.iter().cycle();
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new(P::NAME, n), |bencher| {
            bencher.iter(|| {
                next.next().expect("it goes round").tell();
                take(&mut merge, 1);
                let _ = black_box(poll(&mut merge));
            });
        });
    }
}

/// All are told, in an order of no pattern; then all items are taken. Time an
/// item.
struct Burst;

impl Scenario for Burst {
    const NAME: &str = "burst";

    fn run<P: Peer>(group: &mut BenchmarkGroup<'_, WallTime>, n: usize) {
        let (mut merge, signals) = told::<P>(n);
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new(P::NAME, n), |bencher| {
            bencher.iter(|| {
                signals.iter().for_each(|signal| signal.tell());
                take(&mut merge, n);
                let _ = black_box(poll(&mut merge));
            });
        });
    }
}

/// A merge of children with one item each is made, drained and dropped. Time a
/// child.
struct Build;

impl Scenario for Build {
    const NAME: &str = "build";

    fn run<P: Peer>(group: &mut BenchmarkGroup<'_, WallTime>, n: usize) {
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new(P::NAME, n), |bencher| {
            let children = || (0..n).map(|number| Once(Some(number))).collect();
            let drain = |children: Vec<Once>| {
                let mut merge = P::merge(children);
                while poll(&mut merge) != Poll::Ready(None) {}
            };
            bencher.iter_batched(children, drain, BatchSize::SmallInput);
        });
    }
}

struct Once(Option<usize>);

impl Stream for Once {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<usize>> {
        Poll::Ready(self.0.take())
    }
}

/// Tokio channels that always have a message, on one of tokio's threads. Time
/// an item.
struct Tokio;

impl Scenario for Tokio {
    const NAME: &str = "tokio channels";
    const SIZES: &[usize] = &[100, 1_000, 10_000];

    fn run<P: Peer>(group: &mut BenchmarkGroup<'_, WallTime>, n: usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut merge = P::merge((0..n).map(channel).collect());
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new(P::NAME, n), |bencher| {
            bencher.iter(|| {
                runtime.block_on(async {
                    for _ in 0..n {
                        black_box(merge.next().await);
                    }
                });
            });
        });
    }
}

/// A channel whose messages are sent again as they are taken.
struct Channel {
    number: usize,
    sender: mpsc::UnboundedSender<()>,
    receiver: mpsc::UnboundedReceiver<()>,
}

fn channel(number: usize) -> Channel {
    let (sender, receiver) = mpsc::unbounded_channel();
    sender.send(()).expect("the receiver is here");
    Channel { number, sender, receiver }
}

impl Stream for Channel {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        self.receiver.poll_recv(cx).map(|message| {
            self.sender.send(message?).ok()?;
            Some(self.number)
        })
    }
}
