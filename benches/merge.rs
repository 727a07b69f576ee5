//! The time per item, for this crate, its peers, and a bare loop that polls one child
//! after another.
//!
//! `cargo bench --bench merge`. Peers whose cost grows with the number of children are
//! left out where a run would take too long, and so are those that are slow to build.

mod children;
mod peers;

use std::hint::black_box;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use active_status::Merge;
use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio_stream::StreamMap;

use children::{Bare, Once, Ready, poll, shuffle, signaled, take};
use peers::{
    ActiveStatus, Bounded, Group, Map, Peer, Select, Unbounded, Unicycle, Unordered, VecMerge,
};

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
        .configure_from_args();
    every_peer::<AlwaysReady>(&mut criterion);
    always_ready_many(&mut criterion);
    every_peer::<Sparse>(&mut criterion);
    every_peer::<Burst>(&mut criterion);
    every_peer::<Build>(&mut criterion);
    every_peer::<CrossThread<1>>(&mut criterion);
    every_peer::<CrossThread<2>>(&mut criterion);
    every_peer::<Tokio>(&mut criterion);
    criterion.final_summary();
}

/// A measurement for `n` children.
trait Scenario {
    const NAME: &str;
    /// The numbers of children.
    const SIZES: &[usize] = &[1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];

    fn run<P: Peer>(group: &mut BenchmarkGroup<'_, WallTime>, n: usize);
}

fn every_peer<S: Scenario>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(S::NAME);
    let test = std::env::args().any(|argument| argument == "--test");
    for &n in S::SIZES.iter().filter(|&&n| n <= 1_000 || !test) {
        // These poll all children whenever one is woken.
        let linear = n <= 10_000;
        // A run over a million children takes long, so it has the fewest samples.
        group.sample_size(if n < 1_000_000 { 20 } else { 10 });
        S::run::<ActiveStatus>(&mut group, n);
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

/// Every child yields an item at every poll. Time per item.
struct AlwaysReady;

impl Scenario for AlwaysReady {
    const NAME: &str = "always ready";

    fn run<P: Peer>(group: &mut BenchmarkGroup<'_, WallTime>, n: usize) {
        const ITEMS: usize = 10_000;
        let mut merge = None;
        group.throughput(Throughput::Elements(ITEMS as u64));
        group.bench_function(BenchmarkId::new(P::NAME, n), |bencher| {
            let merge = merge.get_or_insert_with(|| P::merge((0..n).map(Ready).collect()));
            bencher.iter(|| take(merge, ITEMS));
        });
    }
}

/// The same, with many items per call.
fn always_ready_many(criterion: &mut Criterion) {
    const ITEMS: usize = 10_000;
    const LIMIT: usize = 128;
    let mut group = criterion.benchmark_group("always ready, next_many");
    group.throughput(Throughput::Elements(ITEMS as u64));
    let cx = &mut Context::from_waker(Waker::noop());
    for n in [1, 10, 100, 1_000, 10_000] {
        let children = || (0..n).map(Ready);
        let mut merge = Merge::from_iter(children());
        let mut buffer = Vec::new();
        group.bench_function(BenchmarkId::new(ActiveStatus::NAME, n), |bencher| {
            bencher.iter(|| {
                take_many(ITEMS, || match merge.poll_next_many(cx, &mut buffer, LIMIT) {
                    Poll::Ready(_) => black_box(&mut buffer).drain(..).count(),
                    Poll::Pending => 0,
                });
            });
        });
        let mut map = StreamMap::new();
        map.extend(children().enumerate());
        let mut buffer = Vec::new();
        group.bench_function(BenchmarkId::new(Map::NAME, n), |bencher| {
            bencher.iter(|| {
                take_many(ITEMS, || match map.poll_next_many(cx, &mut buffer, LIMIT) {
                    Poll::Ready(_) => black_box(&mut buffer).drain(..).count(),
                    Poll::Pending => 0,
                });
            });
        });
    }
    group.finish();
}

fn take_many(items: usize, mut next: impl FnMut() -> usize) {
    let mut taken = 0;
    while taken < items {
        taken += next();
    }
}

/// Signals one child, takes its item, and polls once in vain. Time per wake.
struct Sparse;

impl Scenario for Sparse {
    const NAME: &str = "sparse";

    fn run<P: Peer>(group: &mut BenchmarkGroup<'_, WallTime>, n: usize) {
        let mut children = None;
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new(P::NAME, n), |bencher| {
            let (merge, signals) = children.get_or_insert_with(|| signaled::<P>(n));
            let mut next = signals.iter().cycle();
            bencher.iter(|| {
                next.next().expect("an endless cycle").send();
                take(merge, 1);
                let _ = black_box(poll(merge));
            });
        });
    }
}

/// Signals all children in pseudorandom order, then takes all items. Time per item.
struct Burst;

impl Scenario for Burst {
    const NAME: &str = "burst";

    fn run<P: Peer>(group: &mut BenchmarkGroup<'_, WallTime>, n: usize) {
        let mut children = None;
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new(P::NAME, n), |bencher| {
            let (merge, signals) = children.get_or_insert_with(|| signaled::<P>(n));
            bencher.iter(|| {
                signals.iter().for_each(|signal| signal.send());
                take(merge, n);
                let _ = black_box(poll(merge));
            });
        });
    }
}

/// Builds, drains and drops a merge of children with one item each. Time per child.
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

/// Other threads wake the children in pseudorandom order, while this thread takes the
/// items and parks if there are none. Time per item.
struct CrossThread<const PRODUCERS: usize>;

impl<const PRODUCERS: usize> Scenario for CrossThread<PRODUCERS> {
    const NAME: &str = match PRODUCERS {
        1 => "cross-thread, 1 producer",
        _ => "cross-thread, 2 producers",
    };
    const SIZES: &[usize] = &[10, 100, 1_000, 10_000];

    fn run<P: Peer>(group: &mut BenchmarkGroup<'_, WallTime>, n: usize) {
        const ITEMS: usize = 100_000;
        group.throughput(Throughput::Elements(ITEMS as u64));
        group.bench_function(BenchmarkId::new(P::NAME, n), |bencher| {
            bencher.iter_custom(|runs| {
                (0..runs).map(|_| cross_threads::<P>(n, PRODUCERS, ITEMS)).sum()
            });
        });
    }
}

/// Measures the time from the start of the producers to the last item.
fn cross_threads<P: Peer>(n: usize, producers: usize, items: usize) -> Duration {
    let mut counters: Vec<Arc<Counter>> = (0..n).map(|_| Arc::default()).collect();
    let counting = |(number, counter): (usize, &Arc<Counter>)| Counted(number, counter.clone());
    let mut merge = P::merge(counters.iter().enumerate().map(counting).collect());
    let parked = Arc::new(Parked { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(parked.clone());
    let cx = &mut Context::from_waker(&waker);
    for counter in &counters {
        while counter.waker.lock().expect("no panic").is_none() {
            assert!(merge.poll_next_unpin(cx).is_pending());
        }
    }
    shuffle(&mut counters);
    let start = Barrier::new(producers + 1);
    thread::scope(|scope| {
        for producer in 0..producers {
            let (start, counters) = (&start, &counters);
            scope.spawn(move || {
                start.wait();
                let mine = counters.iter().skip(producer % n).step_by(producers).cycle();
                mine.take(items / producers).for_each(|counter| counter.add());
            });
        }
        start.wait();
        let since = now();
        for _ in 0..items / producers * producers {
            while merge.poll_next_unpin(cx).is_pending() {
                parked.park();
            }
        }
        since.elapsed()
    })
}

/// A child that yields as many items as were added.
struct Counted(usize, Arc<Counter>);

#[derive(Default)]
struct Counter {
    items: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

impl Counter {
    fn add(&self) {
        self.items.fetch_add(1, Ordering::SeqCst);
        if let Some(waker) = &*self.waker.lock().expect("no panic") {
            waker.wake_by_ref();
        }
    }

    fn take(&self) -> bool {
        let there = self.items.load(Ordering::SeqCst) > 0;
        if there {
            self.items.fetch_sub(1, Ordering::SeqCst);
        }
        there
    }
}

impl Stream for Counted {
    type Item = usize;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        if self.1.take() {
            return Poll::Ready(Some(self.0));
        }
        match &mut *self.1.waker.lock().expect("no panic") {
            Some(waker) => waker.clone_from(cx.waker()),
            empty => *empty = Some(cx.waker().clone()),
        }
        // The item may have been added before the waker was set.
        if self.1.take() { Poll::Ready(Some(self.0)) } else { Poll::Pending }
    }
}

/// A thread that parks until it is woken.
struct Parked {
    thread: Thread,
    woken: AtomicBool,
}

impl Parked {
    fn park(&self) {
        while !self.woken.swap(false, Ordering::SeqCst) {
            thread::park();
        }
    }
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::SeqCst) {
            self.thread.unpark();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn now() -> Instant {
    Instant::now()
}

/// Full tokio channels, on a current-thread runtime. Time per received item; sending is
/// not measured.
struct Tokio;

impl Scenario for Tokio {
    const NAME: &str = "tokio channels";
    const SIZES: &[usize] = &[100, 1_000, 10_000];

    fn run<P: Peer>(group: &mut BenchmarkGroup<'_, WallTime>, n: usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        // Half of the messages: with a fair merge, all channels stay ready to the end.
        let each = if n > 1_000 { 10 } else { 100 };
        let items = n * each;
        group.throughput(Throughput::Elements(items as u64));
        group.bench_function(BenchmarkId::new(P::NAME, n), |bencher| {
            bencher.iter_custom(|runs| {
                let run = |_| {
                    let (senders, channels): (Vec<_>, Vec<_>) =
                        (0..n).map(|number| channel(number, 2 * each)).unzip();
                    let mut merge = P::merge(channels);
                    let time = runtime.block_on(async {
                        let since = now();
                        for _ in 0..items {
                            black_box(merge.next().await);
                        }
                        since.elapsed()
                    });
                    drop(senders);
                    time
                };
                (0..runs).map(run).sum()
            });
        });
    }
}

struct Channel {
    number: usize,
    receiver: mpsc::UnboundedReceiver<()>,
}

fn channel(number: usize, messages: usize) -> (mpsc::UnboundedSender<()>, Channel) {
    let (sender, receiver) = mpsc::unbounded_channel();
    for _ in 0..messages {
        sender.send(()).expect("the receiver is here");
    }
    (sender, Channel { number, receiver })
}

impl Stream for Channel {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        self.receiver.poll_recv(cx).map(|message| message.map(|()| self.number))
    }
}
