//! The shortest time per item, for this crate, its peers, and a bare loop that polls one
//! child after another.
//!
//! `cargo bench --bench minima` runs itself in the profile that programs are built with by
//! default, and in that of the benches. On a shared machine, the minima of rounds in which all
//! merges alternate are comparable where averages are not. The table says in how many rounds
//! the bare loop took 1.3 times its minimum or more: the machine was busy then.
#![expect(clippy::print_stdout, reason = "it prints tables")]

mod children;
mod peers;
mod profiles;

use std::cell::Cell;
use std::hint::black_box;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use futures::{Stream, StreamExt};

use children::{Bare, Once, Ready, poll, signaled, take};
use peers::{
    ActiveStatus, Bounded, Group, Map, Peer, Select, Unbounded, Unicycle, Unordered, VecMerge,
};

/// Runs a part of a scenario.
type Slice = Box<dyn FnMut()>;

/// A scenario for `n` children, as a function that makes a slice of a number of items.
type Prepare = fn(n: usize, items: usize) -> Slice;

/// The number of scenarios.
const SCENARIOS: usize = 8;

fn main() {
    if profiles::run_in_each("minima") {
        return;
    }
    let test = std::env::args().any(|argument| argument == "--test");
    println!("{}, nanoseconds per item\n", processor());
    let rounds = if test { 2 } else { 300 };
    let sizes: [&[usize]; SCENARIOS] = [
        &[1, 10, 64, 65, 1_000, 100_000],
        &[1_000],
        &[1, 1_000],
        &[1, 1_000],
        &[1, 1_000],
        &[1, 10, 1_000, 10_000],
        &[10, 1_000, 100_000],
        &[1, 10, 1_000],
    ];
    let names = [
        "always ready",
        "always ready, boxed children",
        "always ready, boxed merge",
        "always ready, behind &mut",
        "always ready, in a boxed future",
        "sparse",
        "burst",
        "build",
    ];
    for (scenario, (name, sizes)) in names.into_iter().zip(sizes).enumerate() {
        let sizes: Vec<usize> = sizes.iter().copied().filter(|&n| !test || n <= 1_000).collect();
        table(scenario, name, &sizes, rounds);
    }
}

/// The model of the processor, as far as the system says it.
fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let [model, family, number] = ["model name", "cpu family", "model\t"].map(field);
    let text = |field: Option<String>| field.unwrap_or_else(|| "?".into());
    format!("{} (family {}, model {})", text(model), text(family), text(number))
}

fn table(scenario: usize, name: &str, sizes: &[usize], rounds: usize) {
    let columns: Vec<(Vec<f64>, usize)> =
        sizes.iter().map(|&n| column(scenario, n, rounds)).collect();
    print!("{name:32}");
    sizes.iter().for_each(|n| print!("{n:>10}"));
    println!();
    for (row, peer) in peers().iter().enumerate() {
        print!("{:32}", peer.name);
        for (times, _) in &columns {
            let time = times[row];
            if time.is_finite() { print!("{time:>10.2}") } else { print!("{:>10}", "-") }
        }
        println!();
    }
    print!("{:32}", format!("busy, of {rounds} rounds"));
    columns.iter().for_each(|(_, busy)| print!("{busy:>10}"));
    println!("\n");
}

/// The minima of all peers, in nanoseconds per item, and the number of busy rounds.
fn column(scenario: usize, n: usize, rounds: usize) -> (Vec<f64>, usize) {
    const ITEMS: [usize; SCENARIOS] =
        [20_000, 20_000, 20_000, 20_000, 20_000, 2_000, 10_000, 2_000];
    let items = ITEMS[scenario].max(n);
    // The others would take too long.
    let linear = n <= 100 || matches!(scenario, 0..=4);
    let mut slices: Vec<Option<Slice>> = peers()
        .iter()
        .map(|peer| (linear || !peer.linear).then(|| peer.prepare[scenario](n, items)))
        .collect();
    let (mut minima, mut bare) = (vec![f64::INFINITY; slices.len()], Vec::new());
    for round in 0..=rounds {
        for (minimum, slice) in minima.iter_mut().zip(&mut slices) {
            let Some(slice) = slice else { continue };
            let start = now();
            slice();
            let time = start.elapsed().as_nanos() as f64 / (items / n * n) as f64;
            // The first round warms up.
            if round > 0 {
                *minimum = minimum.min(time);
                bare.push(time);
            }
        }
    }
    let last = slices.iter().flatten().count();
    let bare: Vec<f64> = bare.chunks(last).map(|round| round[last - 1]).collect();
    let least = bare.iter().copied().fold(f64::INFINITY, f64::min);
    (minima, bare.iter().filter(|&&time| time >= 1.3 * least).count())
}

#[expect(clippy::disallowed_methods, reason = "a bench measures")]
fn now() -> Instant {
    Instant::now()
}

struct Row {
    name: &'static str,
    /// Whether the cost of an item grows with the number of children.
    linear: bool,
    prepare: [Prepare; SCENARIOS],
}

fn peers() -> [Row; 10] {
    fn row<P: Peer>(linear: bool) -> Row
    where
        P::Merge<Ready>: 'static,
        P::Merge<Boxed>: 'static,
        P::Merge<children::Signaled>: 'static,
    {
        let prepare: [Prepare; SCENARIOS] = [
            always_ready::<P>,
            boxed_children::<P>,
            boxed_merge::<P>,
            behind_reference::<P>,
            in_future::<P>,
            sparse::<P>,
            burst::<P>,
            build::<P>,
        ];
        Row { name: P::NAME, linear, prepare }
    }
    [
        row::<ActiveStatus>(false),
        row::<Select>(false),
        row::<Bounded>(false),
        row::<Unbounded>(false),
        row::<VecMerge>(true),
        row::<Group>(true),
        row::<Unicycle>(false),
        row::<Unordered>(false),
        row::<Map>(true),
        // Last, for `column` counts its busy rounds.
        row::<Bare>(true),
    ]
}

/// Every child yields an item at every poll.
fn always_ready<P: Peer>(n: usize, items: usize) -> Slice
where
    P::Merge<Ready>: 'static,
{
    let mut merge = P::merge((0..n).map(Ready).collect());
    Box::new(move || take(&mut merge, items / n * n))
}

type Boxed = Pin<Box<dyn Stream<Item = usize>>>;

fn boxed_children<P: Peer>(n: usize, items: usize) -> Slice
where
    P::Merge<Boxed>: 'static,
{
    let mut merge = P::merge((0..n).map(|number| Box::pin(Ready(number)) as Boxed).collect());
    Box::new(move || take(&mut merge, items / n * n))
}

fn boxed_merge<P: Peer>(n: usize, items: usize) -> Slice
where
    P::Merge<Ready>: 'static,
{
    let mut merge = Box::pin(P::merge((0..n).map(Ready).collect())) as Boxed;
    Box::new(move || take(&mut merge, items / n * n))
}

fn behind_reference<P: Peer>(n: usize, items: usize) -> Slice
where
    P::Merge<Ready>: 'static,
{
    let mut merge = P::merge((0..n).map(Ready).collect());
    Box::new(move || take(black_box(&mut &mut merge), items / n * n))
}

/// Awaits items in a task, as programs do.
fn in_future<P: Peer>(n: usize, items: usize) -> Slice
where
    P::Merge<Ready>: 'static,
{
    let mut merge = P::merge((0..n).map(Ready).collect());
    let left = Rc::new(Cell::new(0));
    let counter = left.clone();
    let mut task: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move {
        while let Some(item) = merge.next().await {
            black_box(item);
            counter.set(counter.get() - 1);
            if counter.get() == 0 {
                futures::pending!();
            }
        }
    });
    Box::new(move || {
        left.set(items / n * n);
        while left.get() > 0 {
            let _ = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
    })
}

/// Signals one child, takes its item, and polls once in vain.
fn sparse<P: Peer>(n: usize, items: usize) -> Slice
where
    P::Merge<children::Signaled>: 'static,
{
    let (mut merge, signals) = signaled::<P>(n);
    let mut next = 0;
    Box::new(move || {
        for _ in 0..items / n * n {
            signals[next].send();
            next = if next + 1 == signals.len() { 0 } else { next + 1 };
            take(&mut merge, 1);
            let _ = black_box(poll(&mut merge));
        }
    })
}

/// Signals all children, then takes all items.
fn burst<P: Peer>(n: usize, items: usize) -> Slice
where
    P::Merge<children::Signaled>: 'static,
{
    let (mut merge, signals) = signaled::<P>(n);
    Box::new(move || {
        for _ in 0..items / n {
            signals.iter().for_each(|signal| signal.send());
            take(&mut merge, n);
            let _ = black_box(poll(&mut merge));
        }
    })
}

/// Builds, drains and drops a merge of children with one item each.
fn build<P: Peer>(n: usize, items: usize) -> Slice {
    Box::new(move || {
        for _ in 0..items / n {
            let mut merge = P::merge((0..n).map(|number| Once(Some(number))).collect());
            while poll(&mut merge) != Poll::Ready(None) {}
        }
    })
}
