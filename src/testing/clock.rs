//! A clock that a test advances.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::board::events::Events;
use crate::board::lock::ignore_poison;
use crate::board::{Board, board_with_clock};

/// A clock that stands still until it is advanced, with timers.
///
/// The clock starts at zero. Clones share the same time and timers.
///
/// # Examples
///
/// A [`Console`](crate::Console) takes the clock and its timers:
///
/// ```
/// use std::time::Duration;
///
/// use active_status::Console;
/// use active_status::testing::VirtualClock;
/// use futures::FutureExt;
///
/// let clock = VirtualClock::new();
/// let (board, events) = clock.board();
/// let console = Console::plain().output(std::io::sink()).clock(clock.reader());
/// let mut show = Box::pin(console.run(events, clock.timer()));
///
/// board.println("hello");
/// assert_eq!(show.as_mut().now_or_never(), None);
/// // It draws, and then sleeps until the next frame.
/// assert_eq!(clock.next_timer(), Some(Duration::from_millis(100)));
/// ```
#[derive(Clone, Default)]
pub struct VirtualClock {
    timers: Arc<Mutex<Timers>>,
}

#[derive(Default)]
struct Timers {
    now: Duration,
    /// The number of timers created so far.
    count: u64,
    /// The timers that were not dropped.
    sleepers: Vec<Sleeper>,
}

struct Sleeper {
    number: u64,
    until: Duration,
    waker: Option<Waker>,
}

impl VirtualClock {
    /// Creates a clock at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the time since the start of the clock.
    pub fn now(&self) -> Duration {
        self.timers().now
    }

    /// Advances the clock, and wakes the timers that expire.
    pub fn advance(&self, time: Duration) {
        self.set(self.now().saturating_add(time));
    }

    /// Sets the clock to a time since its start, and wakes the timers that expire.
    pub fn set(&self, now: Duration) {
        let wakers: Vec<Waker> = {
            let mut timers = self.timers();
            timers.now = now;
            let due = timers.sleepers.iter_mut().filter(|sleeper| sleeper.until <= now);
            due.filter_map(|sleeper| sleeper.waker.take()).collect()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Sleeps until the clock has been advanced by the given time.
    pub fn sleep(&self, time: Duration) -> Sleep {
        let mut timers = self.timers();
        timers.count += 1;
        let (number, until) = (timers.count, timers.now.saturating_add(time));
        timers.sleepers.push(Sleeper { number, until, waker: None });
        Sleep { clock: self.clone(), number, until }
    }

    /// Returns a closure that calls [`sleep`](Self::sleep), for use as the timer of
    /// [`Console::run`], [`Events::sampled`] and [`replay`].
    ///
    /// [`Console::run`]: crate::Console::run
    /// [`replay`]: crate::record::replay()
    pub fn timer(&self) -> impl FnMut(Duration) -> Sleep + use<> {
        let clock = self.clone();
        move |time| clock.sleep(time)
    }

    /// Returns the time at which the next timer expires, of those that were not dropped.
    ///
    /// A test that sets the clock to this time in a loop runs a program through all of
    /// its waits.
    pub fn next_timer(&self) -> Option<Duration> {
        self.timers().sleepers.iter().map(|sleeper| sleeper.until).min()
    }

    /// Returns the time at which the next timer expires, of those that have not expired.
    pub(super) fn next_timer_to_come(&self) -> Option<Duration> {
        let timers = self.timers();
        let ends = timers.sleepers.iter().map(|sleeper| sleeper.until);
        ends.filter(|&until| until > timers.now).min()
    }

    /// Returns a closure that reads this clock, for [`board_with_clock`] and
    /// [`Console::clock`](crate::Console::clock).
    pub fn reader(&self) -> impl Fn() -> Duration + Send + Sync + use<> {
        let clock = self.clone();
        move || clock.now()
    }

    /// Creates a board that uses this clock.
    pub fn board(&self) -> (Board, Events) {
        board_with_clock(self.reader())
    }

    fn timers(&self) -> MutexGuard<'_, Timers> {
        ignore_poison(self.timers.lock())
    }
}

impl fmt::Debug for VirtualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualClock").field("now", &self.now()).finish_non_exhaustive()
    }
}

/// The future returned by [`VirtualClock::sleep`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Sleep {
    clock: VirtualClock,
    number: u64,
    until: Duration,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Wakers are cloned and dropped while no lock is held.
        let mut waker = Some(cx.waker().clone());
        let mut timers = self.clock.timers();
        if timers.now >= self.until {
            return Poll::Ready(());
        }
        let sleeper = timers.sleepers.iter_mut().find(|sleeper| sleeper.number == self.number);
        let sleeper = sleeper.expect("a timer is listed until it is dropped");
        std::mem::swap(&mut sleeper.waker, &mut waker);
        drop(timers);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let mut timers = self.clock.timers();
        let at = timers.sleepers.iter().position(|sleeper| sleeper.number == self.number);
        let _sleeper = at.map(|at| timers.sleepers.swap_remove(at));
        drop(timers);
    }
}
