//! Tables of the items that each child yields, for this crate and its peers. Nothing is
//! timed.
//!
//! `cargo bench --bench fairness` writes the numbers to `target/fairness.json` as well,
//! and draws them in `target/fairness.svg`. With `-- --quick` it takes fewer children
//! and items, and writes `fairness-quick.*`.
//!
//! - *items per child*: the smallest and the largest number of items of a child.
//! - *never*: the number of children without an item.
//! - *Jain's index*: 1 for equal shares, 1/n if one child yields every item.
//! - *bypass*: the largest number of polls of other children while a child was ready,
//!   counted from its wake, or from its last poll if it stayed ready.
//! - *wasted*: polls without an item, per item.
//!
//! The last table varies the operations that the consumer spends of tokio's budget.
#![expect(clippy::print_stdout, reason = "it prints tables")]

mod budget;
mod peers;
mod plot;

use std::ops::Range;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures::{Stream, StreamExt};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::coop::consume_budget;

use peers::{
    ActiveStatus, Bounded, Child, Group, Map, Peer, Select, Unbounded, Unicycle, Unordered,
    VecMerge,
};
use plot::{Line, Panel, Plot};

/// A merge of any kind.
type Merged = Pin<Box<dyn Stream<Item = usize> + Send>>;
type Build<S> = fn(Vec<S>) -> Merged;

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick" || argument == "--test");
    let mut report = Report::default();
    hand_polled(&mut report, quick);
    let sizes: &[usize] = if quick { &[200] } else { &[200, 1_000, 10_000] };
    for &n in sizes {
        // A peer that polls every child per item needs n² polls per round.
        let each = if quick || n > 1_000 { 20 } else { 200 };
        for (threads, runtime) in
            [("one thread", one_thread as fn() -> _), ("two threads", two_threads)]
        {
            for spent in 0..=2 {
                let title = format!("tokio, {threads}, {n} ready channels, {spent} spent per item");
                report.table(Scenario::equal(title, n, each), |merge: Build<Channel>, watch| {
                    on_tokio(runtime(), merge(channels(watch)), n * each, n, spent)
                });
            }
        }
    }
    let (n, each) = if quick { (100, 20) } else { (1_000, 200) };
    let scenario = Scenario::equal(format!("smol, {n} ready channels"), n, each);
    report.table(scenario, |merge: Build<SmolChannel>, watch| {
        on_smol(merge(smol_channels(watch)), n * each, n)
    });
    budget::table(quick);
    report.save(if quick { "fairness-quick" } else { "fairness" });
}

fn hand_polled(report: &mut Report, quick: bool) {
    let (n, each) = if quick { (100, 20) } else { (1_000, 200) };
    let all = |habit: fn() -> Habit| {
        move |merge: Build<Still>, watch: &Arc<Watch>| {
            by_hand(merge(stills(watch, |_| habit())), n * each, n, |_| {})
        }
    };
    let scenario = Scenario::equal(format!("by hand, {n} ready"), n, each);
    report.table(scenario, all(|| Habit::Ready));

    let scenario = Scenario::equal(format!("by hand, {n} wake themselves"), n, each);
    report.table(scenario, all(|| Habit::WakesItself { again: true }));

    let title = format!("by hand, two ready neighbors behind {n} idle");
    let neighbors = n..n + 2;
    let scenario =
        Scenario { title, children: n + 2, each, shares: neighbors.clone(), woken: neighbors };
    report.table(scenario, |merge: Build<Still>, watch| {
        let habit = |number| if number < n { Habit::Idle } else { Habit::Ready };
        by_hand(merge(stills(watch, habit)), (n + 2) * each, n + 2, |_| {})
    });

    const HOT: usize = 32;
    let title = format!("by hand, one woken now and then behind {HOT} ready");
    let scenario = Scenario { title, children: HOT + 1, each, shares: 0..HOT, woken: HOT..HOT + 1 };
    report.table(scenario, |merge: Build<Still>, watch| {
        let signal = Arc::new(Signal::default());
        let habit = |number| {
            if number < HOT { Habit::Ready } else { Habit::Waits(signal.clone()) }
        };
        let merge = merge(stills(watch, habit));
        by_hand(merge, HOT * each, HOT + 1, |items| {
            // 97 and the number of children are coprime, so every phase of a round occurs.
            if items.is_multiple_of(97) {
                signal.send(watch, HOT);
            }
        })
    });
}

/// The setting of a table.
struct Scenario {
    title: String,
    children: usize,
    /// The number of items per child if the shares are equal.
    each: usize,
    /// The children with equal shares.
    shares: Range<usize>,
    /// The children whose bypass is measured.
    woken: Range<usize>,
}

impl Scenario {
    fn equal(title: String, children: usize, each: usize) -> Self {
        Self { title, children, each, shares: 0..children, woken: 0..children }
    }
}

/// The results, for the files.
#[derive(Default)]
struct Report {
    rows: Vec<Value>,
    panels: Vec<Panel>,
}

impl Report {
    /// Runs a scenario with each merge and prints a row per merge. A run returns the
    /// number of items per child.
    fn table<S: Child + Send>(
        &mut self,
        scenario: Scenario,
        run: impl Fn(Build<S>, &Arc<Watch>) -> Vec<usize>,
    ) {
        println!("{}: {} items per child\n", scenario.title, scenario.each);
        let heads = ["items per child", "never", "Jain's index", "bypass", "wasted"];
        let [items, never, jain, bypass, wasted] = heads;
        println!("{:32}{items:>15}{never:>8}{jain:>14}{bypass:>10}{wasted:>10}", "");
        let mut lines = Vec::new();
        for (name, merge) in builds() {
            let watch = Arc::new(Watch::new(scenario.children));
            let served = run(merge, &watch);
            lines.push(self.row(name, &scenario, &served, &watch));
        }
        println!();
        self.panels.push(Panel { title: scenario.title, lines });
    }

    fn row(
        &mut self,
        name: &'static str,
        scenario: &Scenario,
        served: &[usize],
        watch: &Watch,
    ) -> Line {
        let items: usize = served.iter().sum();
        let wasted = (watch.polls.load(Relaxed) - items) as f64 / items as f64;
        let bypass = watch.longest(scenario.woken.clone());
        let mut served = served[scenario.shares.clone()].to_vec();
        served.sort_unstable();
        let (least, most) = (served[0], served[served.len() - 1]);
        let never = served.iter().take_while(|&&items| items == 0).count();
        let jain = jain(&served);
        let range = format!("{least}–{most}");
        println!("{name:32}{range:>15}{never:>8}{jain:>14.4}{bypass:>10}{wasted:>10.2}");
        let shares = percentiles(&served);
        self.rows.push(json!({
            "scenario": scenario.title, "merge": name, "children": scenario.children,
            "items": items, "least": least, "most": most, "never": never, "jain": jain,
            "bypass": bypass, "wasted": wasted, "shares": shares,
        }));
        Line { name, shares }
    }

    fn save(self, name: &str) {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target");
        let write = |extension, text: String| {
            let file = target.join(name).with_extension(extension);
            std::fs::create_dir_all(&target).expect("a folder for the results");
            std::fs::write(&file, text).expect("a file for the results");
            println!("{}", file.display());
        };
        write("json", format!("{:#}\n", Value::Array(self.rows)));
        write("svg", Plot(self.panels).to_string());
    }
}

/// This crate first, then the peers.
fn builds<S: Child + Send>() -> [(&'static str, Build<S>); 9] {
    fn build<P: Peer, S: Child>() -> (&'static str, Build<S>)
    where
        P::Merge<S>: Send + 'static,
    {
        (P::NAME, |children| Box::pin(P::merge(children)))
    }
    [
        build::<ActiveStatus, S>(),
        build::<Select, S>(),
        build::<Bounded, S>(),
        build::<Unbounded, S>(),
        build::<VecMerge, S>(),
        build::<Group, S>(),
        build::<Unicycle, S>(),
        build::<Unordered, S>(),
        build::<Map, S>(),
    ]
}

/// Jain's fairness index: 1 for equal shares, 1/n if one child yields every item.
fn jain(served: &[usize]) -> f64 {
    let sum: f64 = served.iter().map(|&items| items as f64).sum();
    let squares: f64 = served.iter().map(|&items| (items as f64).powi(2)).sum();
    sum * sum / (served.len() as f64 * squares)
}

/// Returns the items at each percentile of the children, as multiples of an equal share.
fn percentiles(sorted: &[usize]) -> Vec<f64> {
    let equal = sorted.iter().sum::<usize>() as f64 / sorted.len() as f64;
    let last = sorted.len() - 1;
    (0..=100).map(|part| sorted[last * part / 100] as f64 / equal).collect()
}

/// Counts the polls of other children while a child waits for its own.
struct Watch {
    /// The number of polls of all children.
    polls: AtomicUsize,
    waits: Vec<Wait>,
}

struct Wait {
    /// The value of `polls` when the child became ready.
    since: AtomicUsize,
    longest: AtomicUsize,
}

/// The value of `Wait::since` of a child that is not ready.
const IDLE: usize = usize::MAX;

impl Watch {
    /// All children start as ready, since a new child has to be polled.
    fn new(children: usize) -> Self {
        let wait = |_| Wait { since: AtomicUsize::new(0), longest: AtomicUsize::new(0) };
        Self { polls: AtomicUsize::new(0), waits: (0..children).map(wait).collect() }
    }

    fn is_ready(&self, child: usize) {
        self.waits[child].since.store(self.polls.load(Relaxed), Relaxed);
    }

    fn is_polled(&self, child: usize) {
        let now = self.polls.fetch_add(1, Relaxed);
        let wait = &self.waits[child];
        let since = wait.since.swap(IDLE, Relaxed);
        wait.longest.fetch_max(now.saturating_sub(since), Relaxed);
    }

    /// Returns the longest wait of the given children, including unfinished ones.
    fn longest(&self, children: Range<usize>) -> usize {
        let now = self.polls.load(Relaxed);
        let longest = |wait: &Wait| {
            let unfinished = now.saturating_sub(wait.since.load(Relaxed));
            wait.longest.load(Relaxed).max(unfinished)
        };
        self.waits[children].iter().map(longest).max().unwrap_or(0)
    }
}

/// Counts the items per child among the first `total`, with a parent that polls again
/// after each `Pending`. Calls `after` with the number of items so far.
fn by_hand(
    mut merge: Merged,
    total: usize,
    children: usize,
    mut after: impl FnMut(usize),
) -> Vec<usize> {
    let mut served = vec![0; children];
    let mut items = 0;
    while items < total {
        match merge.as_mut().poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(item) => served[item.expect("no child ends")] += 1,
            Poll::Pending => continue,
        }
        items += 1;
        after(items);
    }
    served
}

/// Counts the items per child in a task on the given runtime. Per item, the task spends
/// the given number of operations of its budget in addition to the channel's own.
fn on_tokio(
    runtime: Runtime,
    mut merge: Merged,
    total: usize,
    children: usize,
    spent: usize,
) -> Vec<usize> {
    let served = runtime.spawn(async move {
        let mut served = vec![0; children];
        for _ in 0..total {
            served[merge.next().await.expect("no channel is closed")] += 1;
            for _ in 0..spent {
                consume_budget().await;
            }
        }
        served
    });
    runtime.block_on(served).expect("no task panics")
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

fn two_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).build().expect("a runtime")
}

/// Counts the items per child in a task on smol's executor.
fn on_smol(mut merge: Merged, total: usize, children: usize) -> Vec<usize> {
    smol::block_on(smol::LocalExecutor::new().run(async move {
        let mut served = vec![0; children];
        for _ in 0..total {
            served[merge.next().await.expect("no channel is closed")] += 1;
        }
        served
    }))
}

/// A child that is polled by hand and yields its number.
struct Still {
    number: usize,
    habit: Habit,
    watch: Arc<Watch>,
}

/// When a child yields an item.
enum Habit {
    Ready,
    Idle,
    /// At every second poll; at the others it wakes itself and is pending.
    WakesItself {
        again: bool,
    },
    /// After a signal.
    Waits(Arc<Signal>),
}

#[derive(Default)]
struct Signal {
    ready: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Signal {
    fn send(&self, watch: &Watch, child: usize) {
        if self.ready.swap(true, Relaxed) {
            return;
        }
        let waker = self.waker.lock().expect("no child panics").take();
        if let Some(waker) = waker {
            watch.is_ready(child);
            waker.wake();
        }
    }
}

fn stills(watch: &Arc<Watch>, habit: impl Fn(usize) -> Habit) -> Vec<Still> {
    let still = |number| Still { number, habit: habit(number), watch: watch.clone() };
    (0..watch.waits.len()).map(still).collect()
}

impl Stream for Still {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        let Self { number, habit, watch } = &mut *self;
        watch.is_polled(*number);
        match habit {
            Habit::Ready => watch.is_ready(*number),
            Habit::Idle => return Poll::Pending,
            Habit::WakesItself { again } => {
                watch.is_ready(*number);
                *again = !*again;
                if !*again {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            Habit::Waits(signal) => {
                if !signal.ready.swap(false, Relaxed) {
                    *signal.waker.lock().expect("no child panics") = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                // Another poll finds no item.
                watch.is_ready(*number);
            }
        }
        Poll::Ready(Some(*number))
    }
}

/// A tokio channel that always holds a message: each received message is sent again.
struct Channel {
    number: usize,
    sender: mpsc::UnboundedSender<()>,
    receiver: mpsc::UnboundedReceiver<()>,
    watch: Arc<Watch>,
}

fn channels(watch: &Arc<Watch>) -> Vec<Channel> {
    let channel = |number| {
        let (sender, receiver) = mpsc::unbounded_channel();
        sender.send(()).expect("the receiver is here");
        Channel { number, sender, receiver, watch: watch.clone() }
    };
    (0..watch.waits.len()).map(channel).collect()
}

impl Stream for Channel {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        self.watch.is_polled(self.number);
        // The message stays even if tokio's budget refuses it.
        self.watch.is_ready(self.number);
        self.receiver.poll_recv(cx).map(|message| {
            self.sender.send(message?).ok()?;
            Some(self.number)
        })
    }
}

/// The same, with a channel that is independent of the executor.
struct SmolChannel {
    number: usize,
    sender: smol::channel::Sender<()>,
    receiver: Pin<Box<smol::channel::Receiver<()>>>,
    watch: Arc<Watch>,
}

fn smol_channels(watch: &Arc<Watch>) -> Vec<SmolChannel> {
    let channel = |number| {
        let (sender, receiver) = smol::channel::unbounded();
        sender.try_send(()).expect("the receiver is here");
        SmolChannel { number, sender, receiver: Box::pin(receiver), watch: watch.clone() }
    };
    (0..watch.waits.len()).map(channel).collect()
}

impl Stream for SmolChannel {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        self.watch.is_polled(self.number);
        self.watch.is_ready(self.number);
        self.receiver.as_mut().poll_next(cx).map(|message| {
            self.sender.try_send(message?).ok()?;
            Some(self.number)
        })
    }
}
