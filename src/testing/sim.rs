//! Running programs in an order that a seed determines.

use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use crate::testing::clock::VirtualClock;

/// Runs tasks on a virtual clock, in an order determined by a seed.
///
/// Each step polls a random task among those that were woken or, in every eighth step,
/// any task, as an executor may do. When no task is woken, the clock advances to the next
/// timer. A test that runs with many seeds therefore sees many orders of wakes and polls,
/// and a seed that fails always fails.
///
/// [`run`](Self::run) returns the number of tasks that wait for something that never
/// happens, so a lost wake fails a test instead of hanging it.
///
/// # Examples
///
/// ```
/// use std::cell::RefCell;
/// use std::time::Duration;
///
/// use active_status::testing::Sim;
///
/// let order = |seed| {
///     let log = RefCell::new(String::new());
///     let mut sim = Sim::new(seed);
///     for name in ['a', 'b', 'c'] {
///         let (log, chance) = (&log, sim.chance());
///         sim.spawn(async move {
///             chance.hesitate(Duration::from_secs(1)).await;
///             log.borrow_mut().push(name);
///         });
///     }
///     assert_eq!(sim.run(), 0);
///     drop(sim);
///     log.into_inner()
/// };
/// assert_eq!(order(1), order(1));
/// assert!((0..100).any(|seed| order(seed) == "cab"));
///
/// let mut stuck = Sim::new(1);
/// stuck.spawn(std::future::pending());
/// assert_eq!(stuck.run(), 1);
/// ```
pub struct Sim<'a> {
    /// `None` once a task has ended.
    tasks: Vec<Option<Task<'a>>>,
    chance: Chance,
    steps: u64,
}

struct Task<'a> {
    future: Pin<Box<dyn Future<Output = ()> + 'a>>,
    woken: Arc<Woken>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

impl<'a> Sim<'a> {
    /// Creates a simulation without tasks. Equal seeds give equal orders.
    pub fn new(seed: u64) -> Self {
        let chance = Chance { state: Rc::new(Cell::new(seed)), clock: VirtualClock::new() };
        Self { tasks: Vec::new(), chance, steps: 0 }
    }

    /// Returns the clock of the simulation.
    pub fn clock(&self) -> &VirtualClock {
        &self.chance.clock
    }

    /// Returns the source of the simulation's random choices, for use in its tasks.
    pub fn chance(&self) -> Chance {
        self.chance.clone()
    }

    /// Adds a task, which is polled by [`run`](Self::run).
    pub fn spawn(&mut self, task: impl Future<Output = ()> + 'a) {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        self.tasks.push(Some(Task { future: Box::pin(task), woken }));
    }

    /// Runs until every task has ended or waits without a timer. Returns the number of
    /// tasks that still wait.
    pub fn run(&mut self) -> usize {
        loop {
            let woken: Vec<usize> = self.indexes(|task| task.woken.0.load(Relaxed));
            if woken.is_empty() {
                let Some(next) = self.chance.clock.next_timer_to_come() else { break };
                self.chance.clock.set(next);
                continue;
            }
            self.steps += 1;
            let any = if self.steps.is_multiple_of(8) { self.indexes(|_| true) } else { woken };
            self.poll(any[self.chance.index(any.len())]);
        }
        self.tasks.retain(Option::is_some);
        self.tasks.len()
    }

    fn indexes(&self, which: impl Fn(&Task<'a>) -> bool) -> Vec<usize> {
        let tasks = self.tasks.iter().enumerate();
        tasks.filter(|(_, task)| task.as_ref().is_some_and(&which)).map(|(at, _)| at).collect()
    }

    fn poll(&mut self, index: usize) {
        let Some(task) = &mut self.tasks[index] else { return };
        task.woken.0.store(false, Relaxed);
        let waker = Waker::from(Arc::clone(&task.woken));
        if task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            self.tasks[index] = None;
        }
    }
}

impl fmt::Debug for Sim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim")
            .field("tasks", &self.tasks.iter().flatten().count())
            .field("clock", &self.chance.clock)
            .finish_non_exhaustive()
    }
}

/// The source of a [`Sim`]'s random choices. Clones share one sequence.
#[derive(Clone)]
pub struct Chance {
    state: Rc<Cell<u64>>,
    clock: VirtualClock,
}

impl Chance {
    /// Returns a random number less than `limit`, or 0 if `limit` is 0.
    pub fn random(&self, limit: u64) -> u64 {
        // SplitMix64.
        let state = self.state.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.state.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)).checked_rem(limit).unwrap_or(0)
    }

    /// Returns `true` in one of `times` calls, on average.
    pub fn one_in(&self, times: u64) -> bool {
        self.random(times) == 0
    }

    /// Waits for a random time on the clock of at most `most`, in whole milliseconds. One
    /// in four waits ends immediately.
    pub fn hesitate(&self, most: Duration) -> impl Future<Output = ()> + use<> {
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        let time = if self.one_in(4) { 0 } else { self.random(most.saturating_add(1)) };
        self.clock.sleep(Duration::from_millis(time))
    }

    fn index(&self, len: usize) -> usize {
        usize::try_from(self.random(len as u64)).unwrap_or(0)
    }
}

impl fmt::Debug for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chance").finish_non_exhaustive()
    }
}
