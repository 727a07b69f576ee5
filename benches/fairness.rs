//! Who is served how often: ours beside the peers, as tables. Nothing is timed.
//!
//! `cargo bench --bench fairness`; with `-- --quick`, fewer children and items.
#![expect(clippy::print_stdout, reason = "the tables are what it is for")]

mod peers;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use futures::{Stream, StreamExt};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

use peers::{Bounded, Child, Group, Map, Ours, Peer, Select, Unbounded, Unicycle, VecMerge};

/// How often children were polled, all together.
type Polls = Arc<AtomicUsize>;

/// A merge of any kind, and how it is made.
type Merged = Pin<Box<dyn Stream<Item = usize> + Send>>;
type Build<S> = fn(Vec<S>) -> Merged;

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick" || argument == "--test");
    let (n, each) = if quick { (100, 20) } else { (1_000, 200) };

    println!("{n} children, always ready, polled by hand, {each} items a child\n");
    table(0, |merge: Build<Still>, polls| {
        let children = (0..n).map(|number| Still { number, idle: false, polls: polls.clone() });
        by_hand(merge(children.collect()), n, n * each)
    });

    println!("{n} tokio channels, always ready, one thread, {each} items a channel\n");
    table(0, |merge: Build<Channel>, polls| on(one_thread(), merge(channels(n, polls)), n, each));

    println!("{n} tokio channels, always ready, two threads, {each} items a channel\n");
    table(0, |merge: Build<Channel>, polls| on(two_threads(), merge(channels(n, polls)), n, each));

    println!("two neighbours, always ready, behind {n} idle children, {each} items a child\n");
    table(n, |merge: Build<Still>, polls| {
        let child = |number| Still { number, idle: number < n, polls: polls.clone() };
        by_hand(merge((0..n + 2).map(child).collect()), n + 2, (n + 2) * each)
    });
}

/// Prints what the run of each peer comes to. The first `idle` children have
/// nothing to say, and are left out.
fn table<S: Child + Send>(idle: usize, run: impl Fn(Build<S>, &Polls) -> Vec<usize>) {
    let heads = ["items a child", "never served", "wasted polls an item", "Jain's index"];
    println!("{:32}{:>16}{:>14}{:>22}{:>14}", "", heads[0], heads[1], heads[2], heads[3]);
    for (name, merge) in builds() {
        let polls = Polls::default();
        let served = run(merge, &polls).split_off(idle);
        let items: usize = served.iter().sum();
        let range = format!("{}–{}", served.iter().min().unwrap(), served.iter().max().unwrap());
        let never = served.iter().filter(|&&items| items == 0).count();
        let wasted = (polls.load(Ordering::Relaxed) - items) as f64 / items as f64;
        println!("{name:32}{range:>16}{never:>14}{wasted:>22.2}{:>14.4}", jain(&served));
    }
    println!();
}

/// Ours first, then the peers.
fn builds<S: Child + Send>() -> [(&'static str, Build<S>); 8] {
    fn build<P: Peer, S: Child>() -> (&'static str, Build<S>)
    where
        P::Merge<S>: Send + 'static,
    {
        (P::NAME, |children| Box::pin(P::merge(children)))
    }
    [
        build::<Ours, S>(),
        build::<Select, S>(),
        build::<Bounded, S>(),
        build::<Unbounded, S>(),
        build::<VecMerge, S>(),
        build::<Group, S>(),
        build::<Unicycle, S>(),
        build::<Map, S>(),
    ]
}

/// Jain's fairness index: 1 for equal shares, 1/n if one has all.
fn jain(served: &[usize]) -> f64 {
    let sum: f64 = served.iter().map(|&items| items as f64).sum();
    let squares: f64 = served.iter().map(|&items| (items as f64).powi(2)).sum();
    sum * sum / (served.len() as f64 * squares)
}

/// The items of each child among the first `total`, from a parent that polls
/// again after each `Pending`.
fn by_hand(mut merge: Merged, children: usize, total: usize) -> Vec<usize> {
    let mut served = vec![0; children];
    let mut left = total;
    while left > 0 {
        match merge.as_mut().poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(item) => served[item.expect("no child ends")] += 1,
            Poll::Pending => continue,
        }
        left -= 1;
    }
    served
}

/// The items of each child, from a task on this runtime.
fn on(runtime: Runtime, mut merge: Merged, children: usize, each: usize) -> Vec<usize> {
    let served = runtime.spawn(async move {
        let mut served = vec![0; children];
        for _ in 0..children * each {
            served[merge.next().await.expect("no channel is closed")] += 1;
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

/// A child that always has an item, its number, or never.
struct Still {
    number: usize,
    idle: bool,
    polls: Polls,
}

impl Stream for Still {
    type Item = usize;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<usize>> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        if self.idle { Poll::Pending } else { Poll::Ready(Some(self.number)) }
    }
}

/// A tokio channel that always has a message: each that is taken is sent again.
struct Channel {
    number: usize,
    sender: mpsc::UnboundedSender<()>,
    receiver: mpsc::UnboundedReceiver<()>,
    polls: Polls,
}

fn channels(count: usize, polls: &Polls) -> Vec<Channel> {
    let channel = |number| {
        let (sender, receiver) = mpsc::unbounded_channel();
        sender.send(()).expect("the receiver is here");
        Channel { number, sender, receiver, polls: polls.clone() }
    };
    (0..count).map(channel).collect()
}

impl Stream for Channel {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        self.receiver.poll_recv(cx).map(|message| {
            self.sender.send(message?).ok()?;
            Some(self.number)
        })
    }
}
