//! A node: a pool of workers that takes its items from the queue.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

use active_status::event::plain_text;
use active_status::relay::Outbox;
use active_status::{
    Board, Console, Event, Job, StatusOptions, WorkQueue, board_with_clock, run_workers, tee,
};
use smol::Timer;
use smol::channel::{self, Receiver, Sender};
use smol::future::{self, FutureExt};
use smol::stream::{self, Pending, Stream, StreamExt};

use crate::clock::{now, since_1970};
use crate::engine::{Engine, EngineError, Entry, Failed, MAX_PAYLOAD, Watch};

/// The longest time that a read waits for an item, which is how long an idle node takes to
/// stop.
const WAIT: Duration = Duration::from_secs(1);
/// The maximum number of items that are settled together.
const SETTLED: usize = 250;
/// The time beyond the grace in which a node gives its items back.
const RELEASE: Duration = Duration::from_secs(5);

/// The pause between two batches of events, and what all nodes may send in a second.
const LEAST_REST: Duration = Duration::from_millis(250);
const MOST_REST: Duration = Duration::from_secs(5);
const EVENTS_PER_SECOND: f64 = 8_000_000.0;
/// The pause while no board looks.
const UNWATCHED: Duration = Duration::from_secs(1);

/// The maximum number of bytes of an item's name on a row.
const NAME: usize = 256;

/// Options of [`run_node`].
#[derive(Debug)]
#[must_use]
pub struct NodeOptions {
    name: String,
    workers: usize,
    prefetch: usize,
    grace: Duration,
    console: Option<Console>,
}

impl NodeOptions {
    /// Creates the default options, with the name that the board shows.
    pub fn new(name: impl Into<String>) -> Self {
        let grace = Duration::from_secs(30);
        Self { name: name.into(), workers: 1, prefetch: 0, grace, console: None }
    }

    /// Sets the number of workers. The default is 1.
    pub const fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Sets the number of items that wait on this node for a worker. The default is 0: if
    /// the node is lost, only what it worked on is delayed. For items that take less than a
    /// millisecond, 24 are worth it.
    pub const fn prefetch(mut self, items: usize) -> Self {
        self.prefetch = items;
        self
    }

    /// Sets how long running items may go on once the node should stop. The default is
    /// 30 s.
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Shows the workers of this node, in addition to the board of the fleet.
    pub fn console(mut self, console: impl Into<Console>) -> Self {
        self.console = Some(console.into());
        self
    }
}

/// What a node has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Results that were the first of their items.
    pub results: u64,
    /// Errors.
    pub errors: u64,
}

/// Works on the items of a queue until `stop` is ready.
///
/// For each item, `work` is called with the entry and the row of its worker. It returns the
/// result, or an error. A panic is an error. The result must depend on the item alone,
/// because an item may be worked on more than once: see the [guarantee](crate#guarantee).
///
/// Once `stop` is ready, the node takes no more items. Those that run have the
/// [grace](NodeOptions::grace) to end, and the others are given back at once. If the server
/// is away then, the node ends without giving them back, and their leases run out.
///
/// # Errors
///
/// Fails if the server refuses what the node does. A server that is away is waited for.
pub async fn run_node<E: fmt::Display>(
    engine: Engine,
    options: NodeOptions,
    work: impl AsyncFn(&Entry, &Job) -> Result<Vec<u8>, E>,
    stop: impl Future<Output = ()>,
) -> Result<Summary, EngineError> {
    let clock = since_1970();
    let (board, events) = board_with_clock(clock.clone());
    let [shown, events] = tee(events);
    let console = options.console.map(|console| console.start(shown));
    let lines = board.clone();
    let engine = engine.with_report(move |message| lines.println(message));
    let node = Node {
        capacity: options.workers + options.prefetch,
        board,
        queue: WorkQueue::new(stream::pending()),
        hands: RefCell::default(),
        changed: channel::bounded(1),
        stopping: channel::bounded(1),
        summary: Cell::default(),
        engine,
    };
    let outbox = Outbox::new(&options.name);
    let mut publisher = Publisher { outbox, events, clock, watch: None, rest: UNWATCHED };

    let stopped = async {
        stop.await;
        let left = node.stop();
        let limit = async {
            Timer::after(options.grace).await;
            Ok(())
        };
        let given_back = async {
            node.engine.release(&left).await?;
            future::pending().await
        };
        limit.or(given_back).await
    };
    let work = node.work(options.workers, &work).or(stopped);
    let take = node.take_all().or(node.too_late());
    let both = async { future::try_zip(take, work).await.map(drop) };
    // The leases are renewed and the events published until all this is over.
    let result = both.or(node.renew_all()).or(publisher.run(&node.engine)).await;

    node.board.close();
    let last = async {
        result?;
        node.give_back().await?;
        publisher.publish(&node.engine).await
    };
    let too_late = async {
        Timer::after(RELEASE).await;
        Ok(())
    };
    let result = last.or(too_late).await;
    if let Some(console) = console {
        console.shutdown();
    }
    result.map(|()| node.summary.get())
}

struct Node {
    engine: Engine,
    board: Board,
    /// The items for the workers.
    queue: WorkQueue<Pending<Rc<Entry>>>,
    /// The number of items that run or wait for a worker, at most.
    capacity: usize,
    hands: RefCell<Hands>,
    /// Wakes the part that takes items.
    changed: (Sender<()>, Receiver<()>),
    /// Closed once the node should stop.
    stopping: (Sender<()>, Receiver<()>),
    summary: Cell<Summary>,
}

/// What the node has in its hands.
#[derive(Default)]
struct Hands {
    /// The entries whose leases are renewed.
    held: HashMap<String, Rc<Entry>>,
    /// The number of items that run or wait for a worker.
    busy: usize,
    /// Items that must run alone, because the node that worked on them was lost too often.
    alone: VecDeque<Rc<Entry>>,
    /// Whether such an item is the only one in hand.
    runs_alone: bool,
}

/// An item that was worked on.
struct Done {
    entry: Rc<Entry>,
    result: Result<Vec<u8>, String>,
}

impl Node {
    /// Takes items until the node should stop.
    async fn take_all(&self) -> Result<(), EngineError> {
        if let Some(warning) = self.engine.prepare().await? {
            self.board.println(warning);
        }
        let third = self.engine.options().get_lease() / 3;
        let mut look = now();
        loop {
            let free = match self.next_step().await {
                Step::Stop => return Ok(()),
                Step::Alone(entry) => {
                    self.run_alone(entry).await?;
                    continue;
                }
                Step::Take(free) => free,
            };
            if now() >= look {
                look = now() + third;
                let claimed = self.engine.claim(free).await?;
                for dead in claimed.dead {
                    self.show_dead(&dead.item, &String::from_utf8_lossy(&dead.reason));
                }
                if !claimed.entries.is_empty() {
                    self.accept(claimed.entries).await?;
                    continue;
                }
            }
            let entries = self.engine.take(free, WAIT.min(third)).await?;
            self.accept(entries).await?;
        }
    }

    /// Waits until there is something to do for the part that takes items.
    async fn next_step(&self) -> Step {
        loop {
            if self.is_stopping() {
                return Step::Stop;
            }
            if let Some(step) = self.hands.borrow_mut().next_step(self.capacity) {
                return step;
            }
            // The node holds a sender.
            let _changed = self.changed.1.recv().await;
        }
    }

    /// Runs an item that may kill the node while the node has no other, which would count as
    /// killed by it.
    async fn run_alone(&self, entry: Rc<Entry>) -> Result<(), EngineError> {
        let others: Vec<_> = {
            let mut hands = self.hands.borrow_mut();
            let others = hands.alone.drain(..).map(|entry| entry.id.clone()).collect();
            hands.held.retain(|id, _| *id == entry.id);
            others
        };
        self.engine.release(&others).await?;
        if self.is_stopping() {
            // What is held is given back in the end.
            return Ok(());
        }
        self.hands.borrow_mut().busy = 1;
        self.queue.push(entry);
        Ok(())
    }

    /// Passes entries to the workers, unless they are known. Gives them back if the node
    /// should not begin them.
    async fn accept(&self, mut entries: Vec<Entry>) -> Result<(), EngineError> {
        entries.retain(|entry| !self.hands.borrow().held.contains_key(&entry.id));
        if self.is_stopping() || self.hands.borrow().runs_alone {
            let ids: Vec<_> = entries.into_iter().map(|entry| entry.id).collect();
            return self.engine.release(&ids).await;
        }
        let mut hands = self.hands.borrow_mut();
        for entry in entries {
            let entry = Rc::new(entry);
            hands.held.insert(entry.id.clone(), Rc::clone(&entry));
            if self.engine.options().runs_alone(entry.deaths) {
                hands.alone.push_back(entry);
            } else {
                hands.busy += 1;
                self.queue.push(entry);
            }
        }
        Ok(())
    }

    /// Runs the workers until the queue is closed, and settles what they have done.
    async fn work<E: fmt::Display>(
        &self,
        workers: usize,
        work: &impl AsyncFn(&Entry, &Job) -> Result<Vec<u8>, E>,
    ) -> Result<(), EngineError> {
        let (sender, done) = channel::unbounded();
        let worker =
            |_, row: Job| self.queue.clone().then(move |entry| run(entry, row.clone(), work));
        let options = StatusOptions::new().transient(true);
        let mut pool = run_workers(workers, options.wrap(&self.board, worker));
        let pool = async {
            while let Some(item) = pool.next().await {
                self.hands.borrow_mut().busy -= 1;
                self.wake();
                // The receiver is held until the sender is dropped.
                let _sent = sender.try_send(item);
            }
            drop(sender);
            Ok(())
        };
        future::try_zip(pool, self.settle_all(done)).await.map(drop)
    }

    async fn settle_all(&self, done: Receiver<Done>) -> Result<(), EngineError> {
        while let Ok(first) = done.recv().await {
            let mut batch = vec![first];
            while batch.len() < SETTLED
                && let Ok(next) = done.try_recv()
            {
                batch.push(next);
            }
            let results: Vec<_> = batch
                .iter()
                .filter_map(|done| Some((&*done.entry, done.result.as_deref().ok()?)))
                .collect();
            let mut summary = self.summary.get();
            if !results.is_empty() {
                summary.results += self.engine.complete(results).await?;
            }
            for Done { entry, result } in &batch {
                if let Err(error) = result {
                    summary.errors += 1;
                    self.fail(entry, error).await?;
                }
            }
            self.summary.set(summary);
            let mut hands = self.hands.borrow_mut();
            for done in batch {
                hands.held.remove(&done.entry.id);
            }
            drop(hands);
            self.wake();
        }
        Ok(())
    }

    async fn fail(&self, entry: &Entry, error: &str) -> Result<(), EngineError> {
        match self.engine.fail(entry, error).await? {
            Failed::Again(pause) => {
                let seconds = pause.as_secs_f64();
                self.board
                    .println(format_args!("{}: {error}; again in {seconds} s", name(&entry.item)));
            }
            Failed::Dead(_) => self.show_dead(&entry.item, error),
            Failed::Ignored => {}
        }
        Ok(())
    }

    fn show_dead(&self, item: &[u8], reason: &str) {
        self.board.add_job(format!("{}: ", name(item))).fail(reason);
    }

    /// Renews the leases of all entries, three times per lease.
    async fn renew_all<T>(&self) -> Result<T, EngineError> {
        loop {
            Timer::after(self.engine.options().get_lease() / 3).await;
            let held: Vec<_> = self.hands.borrow().held.keys().cloned().collect();
            let renewed = self.engine.renew(&held).await?;
            for id in renewed.lost {
                // It may have been settled meanwhile.
                if let Some(entry) = self.hands.borrow_mut().held.remove(&id) {
                    let name = name(&entry.item);
                    self.board.println(format_args!("{name}: taken by another node"));
                }
            }
            self.accept(renewed.strays).await?;
        }
    }

    fn is_stopping(&self) -> bool {
        self.stopping.1.is_closed()
    }

    /// Takes no more items, and returns the entries that no worker has begun.
    fn stop(&self) -> Vec<String> {
        self.stopping.1.close();
        self.wake();
        self.queue.close();
        let mut hands = self.hands.borrow_mut();
        let mut left = self.queue.take_left();
        left.extend(hands.alone.drain(..));
        for entry in &left {
            hands.held.remove(&entry.id);
        }
        left.into_iter().map(|entry| entry.id.clone()).collect()
    }

    /// Waits until a read that was under way when the node stopped has surely ended, if the
    /// server is there.
    async fn too_late(&self) -> Result<(), EngineError> {
        // Nothing is sent.
        let _closed = self.stopping.1.recv().await;
        Timer::after(WAIT + RELEASE).await;
        Ok(())
    }

    /// Gives back what was not done in time.
    async fn give_back(&self) -> Result<(), EngineError> {
        let held: Vec<_> = self.hands.borrow_mut().held.drain().map(|(id, _)| id).collect();
        self.engine.release(&held).await
    }

    fn wake(&self) {
        // If it is full, the other side is woken already.
        let _full = self.changed.0.try_send(());
    }
}

/// What the part that takes items does next.
enum Step {
    /// Takes up to this number of items.
    Take(usize),
    /// Runs an item while the node has no other.
    Alone(Rc<Entry>),
    Stop,
}

impl Hands {
    fn next_step(&mut self, capacity: usize) -> Option<Step> {
        if self.held.is_empty() && self.busy == 0 {
            self.runs_alone = false;
        }
        if self.runs_alone {
            return None;
        }
        if !self.alone.is_empty() {
            // All others are done and settled.
            self.runs_alone = self.busy == 0 && self.held.len() == self.alone.len();
            return if self.runs_alone { self.alone.pop_front().map(Step::Alone) } else { None };
        }
        // Items that wait to be settled are no work, but must not pile up.
        let unsettled = (2 * capacity).saturating_sub(self.held.len());
        let free = capacity.saturating_sub(self.busy).min(unsettled);
        (free > 0).then_some(Step::Take(free))
    }
}

/// Works on an item, on the row of its worker.
async fn run<E: fmt::Display>(
    entry: Rc<Entry>,
    row: Job,
    work: &impl AsyncFn(&Entry, &Job) -> Result<Vec<u8>, E>,
) -> Done {
    row.set_text(name(&entry.item));
    // The call itself may panic as well.
    let call = async { work(&entry, &row).await };
    let result = match AssertUnwindSafe(call).catch_unwind().await {
        Ok(Ok(result)) if result.len() > MAX_PAYLOAD => {
            Err(format!("the result has {} bytes, at most {MAX_PAYLOAD} are stored", result.len()))
        }
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(panic) => Err(format!("panicked: {}", message(&*panic))),
    };
    row.clear_progress();
    row.set_text("waiting");
    Done { entry, result }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| Some(panic.downcast_ref::<String>()?)).unwrap_or("no message")
}

fn name(item: &[u8]) -> String {
    plain_text(&String::from_utf8_lossy(item), NAME)
}

/// Sends the events of a node's board to the boards of the fleet.
struct Publisher<S, C> {
    outbox: Outbox,
    events: S,
    clock: C,
    watch: Option<Watch>,
    /// The time until the next batch.
    rest: Duration,
}

impl<S: Stream<Item = Event> + Unpin, C: Fn() -> Duration> Publisher<S, C> {
    async fn run<T>(&mut self, engine: &Engine) -> Result<T, EngineError> {
        loop {
            self.publish(engine).await?;
            Timer::after(self.rest).await;
        }
    }

    /// Publishes the events since the last time, if a board looks.
    async fn publish(&mut self, engine: &Engine) -> Result<(), EngineError> {
        while let Some(Some(event)) = future::poll_once(self.events.next()).await {
            self.outbox.push(event);
        }
        let mut batch = Vec::new();
        match self.watch {
            Some(Watch { watched: true, .. }) => {
                // An outbox makes no batch that is too large.
                let next = self.outbox.batch((self.clock)(), self.rest).to_json();
                batch = next.unwrap_or_default();
            }
            _ => self.outbox.skip(),
        }
        let watch = engine.publish(&batch).await?;
        self.rest = if watch.watched { rest(batch.len(), watch.nodes) } else { UNWATCHED };
        self.watch = Some(watch);
        Ok(())
    }
}

/// Returns the time between two batches of this size with which this number of nodes
/// stays below what all may send.
fn rest(bytes: usize, nodes: u64) -> Duration {
    let seconds = bytes as f64 * nodes as f64 / EVENTS_PER_SECOND;
    Duration::from_secs_f64(seconds.clamp(LEAST_REST.as_secs_f64(), MOST_REST.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_share_what_all_may_send() {
        assert_eq!(rest(0, 3), LEAST_REST);
        assert_eq!(rest(80_000, 100), Duration::from_secs(1));
        assert_eq!(rest(1_000_000, 1_000), MOST_REST);
    }
}
