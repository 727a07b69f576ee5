//! Replaying a recorded run.

use std::fmt;
use std::iter::Fuse;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;

use crate::board::clock::{Clock, TimeSource, monotonic};
use crate::board::event::Event;
use crate::board::lock::ignore_poison;

/// Replays the events of a run with their original pauses.
///
/// The first event is yielded immediately, and each later one after the same time as in
/// the run, or faster: see [`Replay::with_speed`]. `sleep` creates a timer of the
/// executor, such as `tokio::time::sleep` or `smol::Timer::after`. A
/// [`Console`](crate::Console) shows the stream like the events of a board;
/// [`Replay::clock`] is the clock to give it.
///
/// An event whose time is earlier than that of an event before it follows that event
/// immediately. If the replay is polled late, it yields all events that are due at once,
/// and skips none.
///
/// To get the result of a run without waiting, apply its events to a
/// [`Model`](crate::model::Model).
///
/// # Cancel safety
///
/// No event is lost if a future that borrows the replay is dropped.
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
/// let events = [line(0, "one"), line(2, "two")];
/// let replay = replay(events, smol::Timer::after).with_speed(72_000.0);
/// Console::plain().clock(replay.clock()).run(replay, smol::Timer::after).await;
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

/// Like [`replay`], but with a clock that returns the time that has passed, so that tests
/// need not wait.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use active_status::Event;
/// use active_status::record::replay_with_clock;
/// use active_status::testing::VirtualClock;
/// use futures::{FutureExt, StreamExt};
///
/// let clock = VirtualClock::new();
/// let line = |at| Event::Line { at: Duration::from_secs(at), text: String::new() };
/// let sleep = |time| clock.sleep(time);
/// let mut replay = replay_with_clock([line(10), line(13)], clock.reader(), sleep);
///
/// assert_eq!(replay.next().now_or_never(), Some(Some(line(10))));
/// assert_eq!(replay.next().now_or_never(), None);
/// clock.advance(Duration::from_secs(3));
/// assert_eq!(replay.next().now_or_never(), Some(Some(line(13))));
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
    let state = PlaybackState { speed: 1.0, start: None, next: None, reached: Duration::ZERO };
    let playback = Arc::new(Playback { now: Box::new(now), state: Mutex::new(state) });
    let events = events.into_iter().fuse();
    Replay { events, next: None, timer: None, sleep, playback }
}

/// The stream returned by [`replay`].
#[must_use = "streams do nothing unless polled"]
pub struct Replay<I, F, T> {
    events: Fuse<I>,
    /// The next event; `None` before the first poll and after the last event.
    next: Option<Event>,
    /// The time until the next event, unless it is due.
    timer: Option<Pin<Box<T>>>,
    sleep: F,
    playback: Arc<Playback>,
}

/// The time in the run, shared by a replay and its clocks.
struct Playback {
    /// The real time.
    now: Box<dyn Fn() -> Duration + Send + Sync>,
    state: Mutex<PlaybackState>,
}

struct PlaybackState {
    /// The speed of the replay, as a multiple of real time.
    speed: f64,
    /// A time in the run, and the real time at which it was played. From then on, time
    /// passes at this speed.
    start: Option<(Duration, Duration)>,
    /// The time of the next event.
    next: Option<Duration>,
    /// The latest time that was read, or at which an event was yielded.
    reached: Duration,
}

impl<I, F, T> Replay<I, F, T> {
    /// Returns a clock for the time in the run, for the code that applies the events.
    ///
    /// When an event is yielded, the clock reads the time of that event; then it runs at
    /// the speed of the replay until the next event is due. It stands still while an
    /// event is due and not yielded, and after the last event. Its rate is the speed of
    /// the replay, even if the speed is set later.
    pub fn clock(&self) -> Clock {
        Clock::from_source(Arc::clone(&self.playback) as Arc<dyn TimeSource>)
    }
}

impl<I, F, T> Replay<I, F, T>
where
    I: Iterator<Item = Event>,
    F: FnMut(Duration) -> T,
    T: Future,
{
    /// Sets the speed from here on, as a multiple of real time. The default is 1.0, and
    /// [`f64::INFINITY`] replays the run without pauses.
    ///
    /// # Panics
    ///
    /// Panics if `speed` is not greater than 0.
    pub fn with_speed(mut self, speed: f64) -> Self {
        assert!(speed > 0.0, "the speed of a replay must be greater than 0");
        self.playback.set_speed(speed);
        if self.timer.is_some() {
            self.set_timer();
        }
        self
    }

    /// Fetches the next event, and sets a timer unless the event is due.
    fn fetch(&mut self) {
        self.next = self.events.next();
        self.playback.expect(self.next.as_ref().map(Event::at));
        self.set_timer();
    }

    fn set_timer(&mut self) {
        let wait = self.playback.time_left();
        self.timer = (!wait.is_zero()).then(|| Box::pin((self.sleep)(wait)));
    }
}

/// Nothing is pinned in the replay: the timer is boxed.
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
        this.playback.reach(event.at());
        this.fetch();
        Poll::Ready(Some(event))
    }
}

impl Playback {
    fn lock(&self) -> MutexGuard<'_, PlaybackState> {
        ignore_poison(self.state.lock())
    }

    fn set_speed(&self, speed: f64) {
        let now = (self.now)();
        let mut state = self.lock();
        if state.start.is_some() {
            let time = state.time(now);
            state.start = Some((state.next.map_or(time, |next| time.min(next)), now));
        }
        state.speed = speed;
    }

    /// Sets the time of the next event. The first event starts the run.
    fn expect(&self, next: Option<Duration>) {
        let now = (self.now)();
        let mut state = self.lock();
        state.next = next;
        if let Some(next) = next {
            state.start.get_or_insert((next, now));
        }
    }

    /// Returns the real time until the next event.
    fn time_left(&self) -> Duration {
        let now = (self.now)();
        let state = self.lock();
        let left = state.next.map_or(Duration::ZERO, |next| next.saturating_sub(state.time(now)));
        scaled(left, state.speed.recip())
    }

    /// Records that an event with this time is yielded.
    fn reach(&self, at: Duration) {
        let mut state = self.lock();
        state.reached = state.reached.max(at);
    }
}

impl TimeSource for Playback {
    fn now(&self) -> Duration {
        let now = (self.now)();
        let mut state = self.lock();
        let time = state.time(now);
        if state.next.is_some_and(|next| time < next) {
            state.reached = time;
        }
        state.reached
    }

    fn rate(&self) -> f64 {
        self.lock().speed
    }
}

impl PlaybackState {
    /// Returns the time in the run at this real time, even if an event is late. It never
    /// goes backwards.
    fn time(&self, now: Duration) -> Duration {
        let Some((time, start)) = self.start else { return self.reached };
        let passed = scaled(now.saturating_sub(start), self.speed);
        time.saturating_add(passed).max(self.reached)
    }
}

/// Returns a multiple of a time, which saturates at the longest time.
fn scaled(time: Duration, by: f64) -> Duration {
    Duration::try_from_secs_f64(time.as_secs_f64() * by).unwrap_or(Duration::MAX)
}

impl<I, F, T> fmt::Debug for Replay<I, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay")
            .field("clock", &self.clock())
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}
