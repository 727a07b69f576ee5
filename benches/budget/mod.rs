//! Shares on tokio over the operations that a consumer spends per item.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use active_status::Merge;
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::task::coop::{consume_budget, has_budget_remaining};

use crate::{Build, Merged, builds, one_thread, two_threads};

/// Where the consumer runs.
#[derive(Clone, Copy)]
enum Place {
    CurrentThread,
    MultiThread,
    /// In `block_on` of a multi-thread runtime.
    BlockOn,
    LocalSet,
}

impl Place {
    fn run<T: Send + 'static>(self, task: impl Future<Output = T> + Send + 'static) -> T {
        match self {
            Self::CurrentThread => one_thread().block_on(task),
            Self::MultiThread => {
                let runtime = two_threads();
                runtime.block_on(runtime.spawn(task)).expect("the task does not panic")
            }
            Self::BlockOn => two_threads().block_on(task),
            Self::LocalSet => one_thread().block_on(LocalSet::new().run_until(task)),
        }
    }
}

/// A column of the table.
struct Column {
    title: &'static str,
    place: Place,
    channels: usize,
    rounds: usize,
    merges: usize,
    /// The number of messages that a channel takes per item.
    messages: usize,
    /// Every how many counts of operations is run.
    step: usize,
}

const ONE: Column = Column {
    title: "10",
    place: Place::CurrentThread,
    channels: 10,
    rounds: 40,
    merges: 1,
    messages: 1,
    step: 1,
};

const COLUMNS: [Column; 9] = [
    ONE,
    Column { title: "100", channels: 100, ..ONE },
    Column { title: "1,000", channels: 1_000, rounds: 20, step: 4, ..ONE },
    Column { title: "10,000", channels: 10_000, rounds: 4, step: 16, ..ONE },
    Column { title: "multi-thread", channels: 100, place: Place::MultiThread, ..ONE },
    Column { title: "block_on", channels: 100, place: Place::BlockOn, ..ONE },
    Column { title: "LocalSet", channels: 100, place: Place::LocalSet, ..ONE },
    Column { title: "5 merges", channels: 100, merges: 5, ..ONE },
    Column { title: "16 messages", channels: 100, messages: 16, step: 4, ..ONE },
];

/// Prints the table. A cell is the largest difference between the items of two channels,
/// and behind the slash for how many counts of operations a channel yields no item.
pub(crate) fn table(quick: bool) {
    let columns = if quick { &COLUMNS[1..2] } else { &COLUMNS[..] };
    println!("tokio, 0 to 63 operations spent per item, full channels: largest difference of");
    println!("items per channel / counts at which a channel is never served\n");
    print!("{:38}", "");
    columns.iter().for_each(|column| print!("{:>16}", column.title));
    println!();
    print!("{:38}", "items per channel if shares are equal");
    columns.iter().for_each(|column| print!("{:>16}", column.rounds));
    println!();
    // The feature `tokio` installs this check.
    let checked: (&str, Build<Full>) = ("active-status Merge, feature tokio", |channels| {
        Box::pin(Merge::from_iter(channels).with_coop_check(has_budget_remaining))
    });
    let [default, peers @ ..] = builds::<Full>();
    for (name, build) in [checked, default].into_iter().chain(peers) {
        print!("{name:38}");
        for column in columns {
            let (mut difference, mut starved, mut counts) = (0, 0, 0);
            let step = if quick { 16 } else { column.step };
            for spent in (0..64).step_by(step) {
                let shares = run(column, build, spent);
                let (least, most) = shares.iter().fold((usize::MAX, 0), |(least, most), &items| {
                    (least.min(items), most.max(items))
                });
                difference = difference.max(most - least);
                starved += usize::from(least == 0);
                counts += 1;
            }
            print!("{:>16}", format!("{difference} / {starved} of {counts}"));
        }
        println!();
    }
    println!();
}

/// A tokio channel that always has a message: each received message is sent again. An item
/// takes several messages.
struct Full {
    number: usize,
    sender: mpsc::UnboundedSender<()>,
    receiver: mpsc::UnboundedReceiver<()>,
    messages: usize,
    left: usize,
}

impl Full {
    fn new(number: usize, messages: usize) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        sender.send(()).expect("the receiver is here");
        Self { number, sender, receiver, messages, left: messages }
    }
}

impl Stream for Full {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        while self.left > 0 {
            let Poll::Ready(message) = self.receiver.poll_recv(cx) else { return Poll::Pending };
            message.and_then(|()| self.sender.send(()).ok()).expect("the channel is open");
            self.left -= 1;
        }
        self.left = self.messages;
        Poll::Ready(Some(self.number))
    }
}

/// The items per channel of all merges.
fn run(column: &Column, build: Build<Full>, spent: usize) -> Vec<usize> {
    let &Column { place, channels: n, rounds, merges, messages, .. } = column;
    let channels = || (0..n).map(|number| Full::new(number, messages)).collect();
    let merges: Vec<Merged> = (0..merges).map(|_| build(channels())).collect();
    place.run(async move {
        let mut consumers: Vec<Pin<Box<dyn Future<Output = Vec<usize>> + Send>>> = Vec::new();
        for merge in merges {
            consumers.push(Box::pin(consume(merge, n, n * rounds, spent)));
        }
        match <[_; 5]>::try_from(consumers) {
            // Which of the five is polled first rotates.
            Ok([a, b, c, d, e]) => {
                let (a, b, c, d, e) = tokio::join!(a, b, c, d, e);
                [a, b, c, d, e].concat()
            }
            Err(consumers) => futures::future::join_all(consumers).await.concat(),
        }
    })
}

/// Counts the items per channel.
async fn consume(mut merge: Merged, channels: usize, items: usize, spent: usize) -> Vec<usize> {
    let mut served = vec![0; channels];
    for _ in 0..items {
        served[merge.next().await.expect("no channel is closed")] += 1;
        for _ in 0..spent {
            consume_budget().await;
        }
    }
    served
}
