//! Instructions per item, which do not depend on the load of the machine, for this crate,
//! its peers, and a bare loop that polls one child after another.
//!
//! `cargo bench --bench instructions` runs itself under valgrind's callgrind, in the profile that
//! programs are built with by default, and in that of the benches. It runs each scenario for
//! two lengths and takes the difference, which leaves out the set-up. With `-- --test` it
//! counts this crate only.
#![expect(clippy::print_stdout, reason = "it prints a table")]

mod children;
mod peers;
mod pools;
mod profiles;

use std::env;
use std::hint::black_box;
use std::process::Command;
use std::task::Poll;

use children::{Bare, Once, Ready, poll, signaled, take};
use peers::{
    ActiveStatus, Bounded, Group, Map, Peer, Select, Unbounded, Unicycle, Unordered, VecMerge,
};
use pools::POOLS;

/// Runs a scenario for the given numbers of children and rounds, and returns the number
/// of items.
type Run = fn(usize, usize) -> usize;

/// The scenario of `POOLS`.
const POOL: &str = "pool";

/// The numbers of rounds whose difference counts.
const SHORT: usize = 10;
const LONG: usize = 30;

const SCENARIOS: [&str; 4] = ["always ready", "sparse", "burst", "build"];

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if let [_, run, rest @ ..] = &*arguments
        && run == "--run"
    {
        let [name, scenario, n, rounds] = rest else { panic!("internal arguments: {rest:?}") };
        let number = |text: &String| text.parse().expect("a number");
        if scenario == POOL {
            let (_, run) = POOLS.iter().find(|(known, _)| known == name).expect("a pool");
            run(number(n) * number(rounds));
            return;
        }
        find(name, scenario)(number(n), number(rounds));
        return;
    }
    let installed = Command::new("valgrind").arg("--version").output();
    if !installed.is_ok_and(|version| version.status.success()) {
        println!("skipped: valgrind is not installed");
        return;
    }
    if profiles::run_in_each("instructions") {
        return;
    }
    let test = arguments.iter().any(|argument| argument == "--test");
    let sizes: &[usize] = if test { &[10] } else { &[1, 10, 1_000] };
    println!("instructions per item\n");
    for &n in sizes {
        let [ready, sparse, burst, build] = SCENARIOS;
        println!("{:32}{ready:>14}{sparse:>10}{burst:>10}{build:>10}", format!("{n} children"));
        for peer in peers().iter().take(if test { 1 } else { usize::MAX }) {
            let of = |scenario| an_item(peer.name, scenario, n);
            let [ready, sparse, burst, build] = SCENARIOS.map(of);
            println!("{:32}{ready:>14.1}{sparse:>10.1}{burst:>10.1}{build:>10.1}", peer.name);
        }
        println!();
    }
    println!("{:48}{:>10}", "pools of 8 workers", "an item");
    for (name, _) in POOLS {
        // Items per round. The numbers of rounds are those of the scenarios.
        let n = 400;
        let more = instructions(name, POOL, n, LONG) - instructions(name, POOL, n, SHORT);
        println!("{name:48}{:>10.1}", more as f64 / (n * (LONG - SHORT)) as f64);
    }
}

struct Row {
    name: &'static str,
    /// In the order of `SCENARIOS`.
    runs: [Run; 4],
}

fn peers() -> [Row; 10] {
    fn row<P: Peer>() -> Row {
        Row { name: P::NAME, runs: [always_ready::<P>, sparse::<P>, burst::<P>, build::<P>] }
    }
    [
        row::<ActiveStatus>(),
        row::<Select>(),
        row::<Bounded>(),
        row::<Unbounded>(),
        row::<VecMerge>(),
        row::<Group>(),
        row::<Unicycle>(),
        row::<Unordered>(),
        row::<Map>(),
        row::<Bare>(),
    ]
}

fn find(name: &str, scenario: &str) -> Run {
    let row = peers().into_iter().find(|row| row.name == name).expect("a peer");
    let at = SCENARIOS.iter().position(|known| *known == scenario).expect("a scenario");
    row.runs[at]
}

/// Counts the instructions per item of the rounds after the first ones.
fn an_item(name: &str, scenario: &str, n: usize) -> f64 {
    let run = find(name, scenario);
    // A single child takes the budget of 32 polls several times as well.
    let [short, long] = if n == 1 { [32 * SHORT, 32 * LONG] } else { [SHORT, LONG] };
    let items = run(n, long) - run(n, short);
    let more = instructions(name, scenario, n, long) - instructions(name, scenario, n, short);
    more as f64 / items as f64
}

/// Counts the instructions of a process that runs the scenario.
fn instructions(name: &str, scenario: &str, n: usize, rounds: usize) -> i64 {
    let this = env::current_exe().expect("the path of this program");
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this)
        .args(["--run", name, scenario, &n.to_string(), &rounds.to_string()])
        .output()
        .expect("valgrind runs");
    let report = String::from_utf8_lossy(&run.stderr);
    let counted = report.lines().find_map(|line| line.split_once("Collected : "));
    let (_, counted) = counted.unwrap_or_else(|| panic!("valgrind counts nothing: {report}"));
    counted.trim().parse().expect("a number of instructions")
}

/// Every child yields an item at every poll.
fn always_ready<P: Peer>(n: usize, rounds: usize) -> usize {
    let mut merge = P::merge((0..n).map(Ready).collect());
    take(&mut merge, n * rounds);
    n * rounds
}

/// Signals one child, takes its item, and polls once in vain; each child once per round.
fn sparse<P: Peer>(n: usize, rounds: usize) -> usize {
    let (mut merge, signals) = signaled::<P>(n);
    for signal in signals.iter().cycle().take(n * rounds) {
        signal.send();
        take(&mut merge, 1);
        let _ = black_box(poll(&mut merge));
    }
    n * rounds
}

/// Signals all children, then takes all items.
fn burst<P: Peer>(n: usize, rounds: usize) -> usize {
    let (mut merge, signals) = signaled::<P>(n);
    for _ in 0..rounds {
        signals.iter().for_each(|signal| signal.send());
        take(&mut merge, n);
        let _ = black_box(poll(&mut merge));
    }
    n * rounds
}

/// Builds, drains and drops a merge of children with one item each.
fn build<P: Peer>(n: usize, rounds: usize) -> usize {
    for _ in 0..rounds {
        let mut merge = P::merge((0..n).map(|number| Once(Some(number))).collect());
        while poll(&mut merge) != Poll::Ready(None) {}
    }
    n * rounds
}
