//! The recipes of the guide as programs on tokio alone.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, sleep_until};

pub(crate) async fn map() {
    let mut inputs = ["a", "bc"].into_iter();
    let mut tasks = JoinSet::new();
    let mut lengths: Vec<usize> = Vec::new();
    loop {
        while tasks.len() < 8
            && let Some(text) = inputs.next()
        {
            tasks.spawn(async move { text.len() });
        }
        let Some(length) = tasks.join_next().await else { break };
        lengths.push(length.unwrap());
    }
    assert_eq!(lengths.iter().sum::<usize>(), 3);
}

pub(crate) async fn million() {
    let mut inputs = 0..1_000_000_u64;
    let mut tasks = JoinSet::new();
    let mut sum = 0;
    loop {
        while tasks.len() < 8
            && let Some(n) = inputs.next()
        {
            tasks.spawn(async move { n % 2 });
        }
        let Some(n) = tasks.join_next().await else { break };
        sum += n.unwrap();
    }
    assert_eq!(sum, 500_000);
}

async fn links(page: u32) -> Vec<u32> {
    (2 * page..=2 * page + 1).filter(|&page| page < 1_000).collect()
}

/// A panic loses its page.
pub(crate) async fn crawler() {
    let mut pages = vec![1];
    let mut seen = HashSet::from([1]);
    let mut tasks = JoinSet::new();
    let mut visited = 0;
    loop {
        while tasks.len() < 8
            && let Some(page) = pages.pop()
        {
            tasks.spawn(links(page));
        }
        let Some(found) = tasks.join_next().await else { break };
        visited += 1;
        for link in found.unwrap() {
            if seen.insert(link) {
                pages.push(link);
            }
        }
    }
    assert_eq!(visited, 999);
}

pub(crate) async fn poison() {
    let mut queue: VecDeque<(i32, u32)> = (0..10).map(|number| (number, 1)).collect();
    let mut tasks = JoinSet::new();
    let mut in_hand = HashMap::new();
    let mut results = Vec::new();
    loop {
        while tasks.len() < 4
            && let Some((number, attempt)) = queue.pop_front()
        {
            if attempt > 3 {
                results.push(Err(number));
                continue;
            }
            let task = tasks.spawn(async move { 100 / number });
            in_hand.insert(task.id(), (number, attempt));
        }
        match tasks.join_next_with_id().await {
            Some(Ok((id, quotient))) => {
                in_hand.remove(&id);
                results.push(Ok(quotient));
            }
            Some(Err(error)) => {
                let (number, attempt) = in_hand.remove(&error.id()).unwrap();
                queue.push_back((number, attempt + 1));
            }
            None => break,
        }
    }
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 9);
    assert_eq!(results.iter().find_map(|result| result.err()), Some(0));
}

struct Connection {
    sent: Cell<u32>,
}

impl Connection {
    async fn open() -> Result<Self, &'static str> {
        Ok(Self { sent: Cell::new(0) })
    }

    async fn send(&mut self, message: u32) -> Result<u32, &'static str> {
        self.sent.set(self.sent.get() + 1);
        if self.sent.get() > 5 { Err("reset") } else { Ok(message) }
    }
}

/// A panic ends its worker, and loses its message.
pub(crate) async fn connection() {
    let messages = Arc::new(Mutex::new(VecDeque::from_iter(0..100)));
    let (sender, mut receiver) = mpsc::channel(1);
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        let (messages, sender) = (Arc::clone(&messages), sender.clone());
        tasks.spawn(async move {
            let mut failures = 0;
            'lives: loop {
                if failures > 0 {
                    let rest = Duration::from_micros(10) * (1 << (failures - 1));
                    sleep(rest.min(Duration::from_millis(1))).await;
                }
                failures += 1;
                let mut connection = match Connection::open().await {
                    Ok(connection) => connection,
                    Err(error) if failures == 10 => return Err(error),
                    Err(_) => continue,
                };
                loop {
                    let message = messages.lock().unwrap().pop_front();
                    let Some(message) = message else { break 'lives };
                    match connection.send(message).await {
                        Ok(reply) => {
                            failures = 0;
                            sender.send(reply).await.unwrap();
                        }
                        Err(error) => {
                            messages.lock().unwrap().push_back(message);
                            if failures == 10 {
                                return Err(error);
                            }
                            continue 'lives;
                        }
                    }
                }
            }
            Ok(())
        });
    }
    drop(sender);
    let mut replies = Vec::new();
    while let Some(reply) = receiver.recv().await {
        replies.push(reply);
    }
    while let Some(end) = tasks.join_next().await {
        end.unwrap().unwrap();
    }
    replies.sort_unstable();
    assert_eq!(replies, Vec::from_iter(0..100));
}

/// Without rows on a board.
pub(crate) async fn services() {
    let (sender, mut receiver) = mpsc::channel(1);
    let mut tasks = JoinSet::new();
    let service = |sender: mpsc::Sender<_>| async move {
        let _closed = sender.send("request").await;
    };
    tasks.spawn(service(sender.clone()));
    tasks.spawn(service(sender.clone()));
    let mut served = 0;
    while served < 100 {
        tokio::select! {
            Some(_request) = receiver.recv() => served += 1,
            Some(_end) = tasks.join_next() => {
                tasks.spawn(service(sender.clone()));
            }
        }
    }
    assert_eq!(served, 100);
}

pub(crate) async fn resize() {
    let mut jobs = VecDeque::from_iter(0..100);
    let mut tasks = JoinSet::new();
    let (mut size, mut sizes) = (1, Vec::new());
    loop {
        while tasks.len() < size
            && let Some(job) = jobs.pop_front()
        {
            tasks.spawn(async move { job });
        }
        let Some(job) = tasks.join_next().await else { break };
        let _job: i32 = job.unwrap();
        size = 1 + jobs.len() / 10;
        sizes.push(size);
    }
    assert_eq!((sizes.len(), sizes[0], sizes[99]), (100, 10, 1));
}

pub(crate) async fn ordered() {
    let mut inputs = (0..100).enumerate();
    let mut tasks = JoinSet::new();
    let (mut early, mut squares) = (BTreeMap::new(), Vec::new());
    loop {
        while tasks.len() < 8
            && tasks.len() + early.len() < 32
            && let Some((number, n)) = inputs.next()
        {
            tasks.spawn(async move { (number, n * n) });
        }
        let Some(square) = tasks.join_next().await else { break };
        let (number, square) = square.unwrap();
        early.insert(number, square);
        while let Some(square) = early.remove(&squares.len()) {
            squares.push(square);
        }
    }
    assert_eq!(squares, Vec::from_iter((0..100).map(|n| n * n)));
}

pub(crate) async fn first_error() {
    let mut inputs = 0..;
    let mut tasks = JoinSet::new();
    let mut first_error = None;
    loop {
        while first_error.is_none()
            && tasks.len() < 4
            && let Some(n) = inputs.next()
        {
            tasks.spawn(async move { if n == 10 { Err("ten") } else { Ok(n) } });
        }
        let Some(check) = tasks.join_next().await else { break };
        if let Err(error) = check.unwrap() {
            first_error.get_or_insert(error);
        }
    }
    assert_eq!(first_error, Some("ten"));
}

pub(crate) async fn first_success() {
    let mut tasks = JoinSet::new();
    for mirror in ["a.example", "b.example", "c.example"] {
        tasks.spawn(async move { mirror.starts_with('b').then_some(mirror) });
    }
    let mut success = None;
    while success.is_none()
        && let Some(answer) = tasks.join_next().await
    {
        success = answer.unwrap();
    }
    assert_eq!(success, Some("b.example"));
}

pub(crate) async fn ctrl_c() {
    let (signal, mut signals) = mpsc::channel(1);
    let mut items = VecDeque::from_iter(0..100);
    let mut tasks = JoinSet::new();
    let mut in_hand = HashMap::new();
    let mut done = Vec::new();
    let mut deadline = None;
    loop {
        while deadline.is_none()
            && tasks.len() < 4
            && let Some(n) = items.pop_front()
        {
            let signal = signal.clone();
            let task = tasks.spawn(async move {
                if n == 20 {
                    signal.try_send(()).unwrap();
                }
                if n == 9 { pending().await } else { n }
            });
            in_hand.insert(task.id(), n);
        }
        let until_deadline = async {
            match deadline {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        };
        tokio::select! {
            Some(end) = tasks.join_next_with_id() => {
                let (id, n) = end.unwrap();
                in_hand.remove(&id);
                done.push(n);
            }
            Some(()) = signals.recv() => {
                deadline = Some(Instant::now() + Duration::from_millis(10));
            }
            () = until_deadline => break,
        }
    }
    tasks.shutdown().await;
    let left: Vec<u32> = in_hand.into_values().chain(items).collect();
    assert!(left.contains(&9));
    assert_eq!(done.len() + left.len(), 100);
}

pub(crate) async fn rate_limit() {
    let mut ticks = interval(Duration::from_micros(50));
    let mut requests = (0..20).peekable();
    let mut tasks = JoinSet::new();
    let mut replies = 0;
    while requests.peek().is_some() || !tasks.is_empty() {
        tokio::select! {
            _ = ticks.tick(), if tasks.len() < 4 && requests.peek().is_some() => {
                let request: Option<i32> = requests.next();
                tasks.spawn(async move { request });
            }
            Some(reply) = tasks.join_next() => {
                reply.unwrap();
                replies += 1;
            }
        }
    }
    assert_eq!(replies, 20);
}

pub(crate) async fn priorities() {
    let (mut urgent, mut usual) = (VecDeque::from(["u1", "u2"]), VecDeque::from(["n1", "n2"]));
    let mut tasks = JoinSet::new();
    let mut done = Vec::new();
    while let Some(item) = urgent.pop_front().or_else(|| usual.pop_front()) {
        tasks.spawn(async move { item });
        done.push(tasks.join_next().await.unwrap().unwrap());
    }
    assert_eq!(done, ["u1", "u2", "n1", "n2"]);
}

pub(crate) async fn cores() {
    let mut inputs = 0..100_u64;
    let mut tasks = JoinSet::new();
    let mut sum = 0;
    loop {
        while tasks.len() < 4
            && let Some(n) = inputs.next()
        {
            tasks.spawn(async move { n * n });
        }
        let Some(square) = tasks.join_next().await else { break };
        sum += square.unwrap();
    }
    assert_eq!(sum, 328_350);
}
