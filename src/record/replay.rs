//! What happened on a board, once more.

use std::fmt;
use std::iter::Fuse;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;

use crate::board::event::Event;
use crate::board::monotonic;

/// The events of a run once more, each at its time: the first at once, the others
/// as long after it as they were then.
///
/// `sleep` makes a future that waits for a time: the timer of your executor, such
/// as `tokio::time::sleep` or `smol::Timer::after`. What comes out is as good as
/// the events of a board: a [`Console`](crate::Console) of any kind and
/// [size](crate::Console::size) shows it, told to [`follow`](crate::Console::follow)
/// its time.
///
/// An event that is earlier than one before it comes right after that. Who is
/// late to poll gets what is due at once; nothing is left out.
///
/// To look at a run without waiting, fold its events into a
/// [`Model`](crate::model::Model).
///
/// # Cancel safety
///
/// No event is lost when a future that borrows the replay is dropped.
///
/// # Examples
///
/// Two hours in a tenth of a second:
///
/// ```
/// use std::time::Duration;
///
/// use active_status::record::replay;
/// use active_status::{Console, Event};
///
/// # smol::block_on(async {
/// let line = |hours: u64, text: &str| {
///     let at = Duration::from_secs(hours * 3_600);
///     Event::Line { at, text: text.into() }
/// };
/// let replay = replay([line(0, "one"), line(2, "two")], smol::Timer::after).speed(72_000.0);
/// Console::plain().follow(&replay).run(replay, smol::Timer::after).await;
/// # });
/// ```
pub fn replay<I, F, T>(events: I, sleep: F) -> Replay<I::IntoIter, F, T>
where
    I: IntoIterator<Item = Event>,
    F: FnMut(Duration) -> T,
    T: Future,
{
    replay_with_clock(events, monotonic(), sleep)
}

/// A replay whose clock is yours as well, so that a test need not wait for time.
/// It tells how much time passed, as `sleep` lets it pass.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// use std::{future::ready, sync::Arc, time::Duration};
///
/// use active_status::Event;
/// use active_status::record::replay_with_clock;
/// use futures::StreamExt;
///
/// let now = Arc::new(AtomicU64::new(0));
/// let read = Arc::clone(&now);
/// let clock = move || Duration::from_millis(read.load(Relaxed));
/// let sleep = |time: Duration| {
///     now.fetch_add(time.as_millis() as u64, Relaxed);
///     ready(())
/// };
///
/// let line = |at| Event::Line { at: Duration::from_secs(at), text: String::new() };
/// let replay = replay_with_clock([line(10), line(13)], clock, sleep).speed(2.0);
/// let told = futures::executor::block_on(replay.count());
/// assert_eq!((told, now.load(Relaxed)), (2, 1_500));
/// ```
pub fn replay_with_clock<I, F, T>(
    events: I,
    now: impl Fn() -> Duration + Send + Sync + 'static,
    sleep: F,
) -> Replay<I::IntoIter, F, T>
where
    I: IntoIterator<Item = Event>,
    F: FnMut(Duration) -> T,
    T: Future,
{
    let way = Way { start: None, next: None, reached: Duration::ZERO };
    let tape = Arc::new(Tape { now: Box::new(now), speed: 1.0, way: Mutex::new(way) });
    let events = events.into_iter().fuse();
    Replay { events, next: None, timer: None, sleep, tape }
}

/// The stream of [`replay`].
#[must_use = "streams do nothing unless polled"]
pub struct Replay<I, F, T> {
    events: Fuse<I>,
    /// What is told next; `None` before the first poll and after the last event.
    next: Option<Event>,
    /// The time until then.
    timer: Option<Pin<Box<T>>>,
    sleep: F,
    tape: Arc<Tape>,
}

/// How far the replay is.
struct Tape {
    now: Box<dyn Fn() -> Duration + Send + Sync>,
    speed: f64,
    way: Mutex<Way>,
}

struct Way {
    /// The time of the first event, and what the clock said then.
    start: Option<(Duration, Duration)>,
    /// The time of the next event.
    next: Option<Duration>,
    /// The time in the run, when it was asked for last or an event was told.
    reached: Duration,
}

impl<I, F, T> Replay<I, F, T> {
    /// So many times as fast as it was; [`f64::INFINITY`] is without waiting.
    ///
    /// # Panics
    ///
    /// If it is not greater than 0, or if the replay has a [clock](Self::clock)
    /// already.
    pub fn speed(mut self, speed: f64) -> Self {
        assert!(speed > 0.0, "a speed is greater than 0");
        let tape = Arc::get_mut(&mut self.tape).expect("the speed is set before the clock");
        tape.speed = speed;
        self
    }

    /// The time in the run, for who folds the events: right after one it is the
    /// time of that, and goes on at the speed of the replay until the next is due.
    /// It does not pass an event that was not taken, and stands after the last.
    ///
    /// A [`Console`](crate::Console) that [follows](crate::Console::follow) the
    /// replay goes by it.
    pub fn clock(&self) -> impl Fn() -> Duration + Send + Sync + use<I, F, T> + 'static {
        let tape = Arc::clone(&self.tape);
        move || tape.time()
    }

    /// How many times as fast as it was.
    pub(crate) fn rate(&self) -> f64 {
        self.tape.speed
    }
}

impl<I, F, T> Replay<I, F, T>
where
    I: Iterator<Item = Event>,
    F: FnMut(Duration) -> T,
    T: Future,
{
    /// Gets the next event, and a timer if it is not due.
    fn fetch(&mut self) {
        self.next = self.events.next();
        let wait = self.tape.expect(self.next.as_ref().map(Event::at));
        self.timer = (!wait.is_zero()).then(|| Box::pin((self.sleep)(wait)));
    }
}

/// Nothing is pinned in here: the timer is in a box.
impl<I, F, T> Unpin for Replay<I, F, T> {}

impl<I, F, T> Stream for Replay<I, F, T>
where
    I: Iterator<Item = Event>,
    F: FnMut(Duration) -> T,
    T: Future,
{
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let this = &mut *self;
        if this.next.is_none() {
            this.fetch();
        }
        if let Some(timer) = &mut this.timer {
            ready!(timer.as_mut().poll(cx));
            this.timer = None;
        }
        let Some(event) = this.next.take() else { return Poll::Ready(None) };
        this.tape.tell(event.at());
        this.fetch();
        Poll::Ready(Some(event))
    }
}

impl Tape {
    fn way(&self) -> MutexGuard<'_, Way> {
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time in the run. An event that is due and was not told holds it up.
    fn time(&self) -> Duration {
        let now = (self.now)();
        let mut way = self.way();
        let time = way.time(now, self.speed);
        if way.next.is_some_and(|next| time < next) {
            way.reached = time;
        }
        way.reached
    }

    /// An event of this time was told.
    fn tell(&self, at: Duration) {
        let mut way = self.way();
        way.reached = way.reached.max(at);
    }

    /// This is the time of the next event; how long it is until then. The first
    /// one starts the run.
    fn expect(&self, at: Option<Duration>) -> Duration {
        let now = (self.now)();
        let mut way = self.way();
        way.next = at;
        let Some(at) = at else { return Duration::ZERO };
        way.start.get_or_insert((at, now));
        scaled(at.saturating_sub(way.time(now, self.speed)), self.speed.recip())
    }
}

impl Way {
    /// The time in the run when the clock says this, if nothing holds it up. It
    /// never goes back.
    fn time(&self, now: Duration, speed: f64) -> Duration {
        let Some((first, start)) = self.start else { return self.reached };
        let passed = scaled(now.saturating_sub(start), speed);
        first.saturating_add(passed).max(self.reached)
    }
}

/// A time, multiplied. Too long a time is the longest.
fn scaled(time: Duration, by: f64) -> Duration {
    Duration::try_from_secs_f64(time.as_secs_f64() * by).unwrap_or(Duration::MAX)
}

impl<I, F, T> fmt::Debug for Replay<I, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay")
            .field("time", &self.tape.time())
            .field("speed", &self.tape.speed)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}
