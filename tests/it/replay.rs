//! Replays: the events of a run at their original times, at any speed.

use std::future::{Future, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use active_status::event::{Change, Progress, Row};
use active_status::model::{Frame, Model};
use active_status::record::{Replay, replay_with_clock};
use active_status::testing::VirtualClock;
use active_status::{Console, Event, JobId, Outcome};
use futures::stream::Stream;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::harness::{Show, millis, screen};
use crate::support::{Parent, panic_of};

fn line(at: u64, text: &str) -> Event {
    Event::Line { at: millis(at), text: text.into() }
}

/// Runs a replay to its end by advancing the clock to each of its timers. Returns the
/// events, each with the time in the run and the real time.
fn play<I, F, T>(
    mut replay: Replay<I, F, T>,
    time: &VirtualClock,
) -> Vec<(Event, Duration, Duration)>
where
    I: Iterator<Item = Event>,
    F: FnMut(Duration) -> T,
    T: Future,
{
    let clock = replay.clock();
    let parent = Parent::new();
    let mut played = Vec::new();
    loop {
        match parent.poll(&mut replay) {
            Poll::Ready(Some(event)) => played.push((event, clock.now(), time.now())),
            Poll::Ready(None) => return played,
            Poll::Pending => {
                parent.take_wakes();
                time.advance(time.next_timer().expect("a timer") - time.now());
                assert_eq!(parent.take_wakes(), 1);
            }
        }
    }
}

#[test]
fn pauses_are_those_of_the_run_divided_by_the_speed() {
    for (speed, passed) in [
        (1.0, [0, 0, 500, 3_600_000]),
        (2.0, [0, 0, 250, 1_800_000]),
        (0.1, [0, 0, 5_000, 36_000_000]),
        (f64::INFINITY, [0; 4]),
    ] {
        let time = VirtualClock::new();
        time.advance(millis(77));
        let events = [40, 40, 540, 3_600_040].map(|at| line(at, "x"));
        let replay = replay_with_clock(events, time.reader(), time.timer()).with_speed(speed);
        let played = play(replay, &time);
        let times: Vec<_> = played.iter().map(|event| event.2 - millis(77)).collect();
        assert_eq!(times, passed.map(millis), "speed {speed}");
    }
}

#[test]
fn between_events_the_clock_runs_at_the_speed_of_the_replay() {
    let time = VirtualClock::new();
    let events = [line(1_000, "a"), line(9_000, "b")];
    let mut replay = replay_with_clock(events, time.reader(), time.timer()).with_speed(4.0);
    let clock = replay.clock();
    let parent = Parent::new();
    assert_eq!(clock.now(), Duration::ZERO);
    assert_eq!(parent.items(&mut replay, 1).len(), 1);
    for (passed, at) in [(0, 1_000), (500, 3_000), (1_000, 7_000), (499, 8_996)] {
        time.advance(millis(passed));
        assert_eq!(clock.now(), millis(at));
    }
    time.advance(millis(1));
    assert_eq!(parent.items(&mut replay, 1).len(), 1);
    assert_eq!(clock.now(), millis(9_000));
    time.advance(millis(60_000));
    assert_eq!(clock.now(), millis(9_000), "after the last it stands");
}

#[test]
fn a_speed_set_during_the_run_holds_from_there_on() {
    let time = VirtualClock::new();
    let events = [line(0, "a"), line(8_000, "b"), line(10_000, "c")];
    let mut replay = replay_with_clock(events, time.reader(), time.timer());
    let clock = replay.clock();
    let parent = Parent::new();
    assert_eq!(parent.items(&mut replay, 1).len(), 1);
    time.advance(millis(2_000));
    let mut replay = replay.with_speed(4.0);
    assert_eq!((clock.now(), clock.rate()), (millis(2_000), 4.0));
    assert_eq!(parent.poll(&mut replay), Poll::Pending);
    time.advance(millis(1_500));
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.items(&mut replay, 1), [line(8_000, "b")]);
    assert_eq!(time.next_timer(), Some(millis(4_000)));
}

#[test]
fn a_replay_without_pauses_can_be_slowed_down() {
    let time = VirtualClock::new();
    let events = [line(1_000, "a"), line(2_000, "b"), line(3_000, "c")];
    let replay = replay_with_clock(events, time.reader(), time.timer());
    let mut replay = replay.with_speed(f64::INFINITY);
    let parent = Parent::new();
    assert_eq!(parent.items(&mut replay, 1).len(), 1);
    let mut replay = replay.with_speed(1.0);
    assert_eq!(parent.items(&mut replay, 1), [line(2_000, "b")]);
    assert_eq!(parent.poll(&mut replay), Poll::Pending);
    assert_eq!(time.next_timer(), Some(millis(1_000)));
}

#[test]
fn the_clock_waits_for_events_that_were_not_yielded() {
    let time = VirtualClock::new();
    let events = [0, 100, 200, 900].map(|at| line(at, "x"));
    let mut replay = replay_with_clock(events, time.reader(), time.timer());
    let clock = replay.clock();
    let parent = Parent::new();
    assert_eq!(parent.items(&mut replay, 1).len(), 1);
    time.advance(millis(500));
    let mut times = vec![clock.now()];
    while parent.poll(&mut replay).is_ready() {
        times.push(clock.now());
    }
    // The events that are due are yielded at once; then the clock has caught up.
    assert_eq!(times, [0, 100, 500].map(millis));
    assert_eq!(time.next_timer(), Some(millis(900)));
}

#[test]
fn events_that_go_back_in_time_follow_at_once() {
    let events = || [500, 100, 600].map(|at| line(at, "x"));
    let time = VirtualClock::new();
    let hurried =
        replay_with_clock(events(), time.reader(), time.timer()).with_speed(f64::INFINITY);
    let times: Vec<_> = play(hurried, &time).iter().map(|event| event.1).collect();
    assert_eq!(times, [500, 500, 600].map(millis));
    let played = play(replay_with_clock(events(), time.reader(), time.timer()), &time);
    let times: Vec<_> = played.iter().map(|event| (event.1, event.2)).collect();
    assert_eq!(
        times,
        [(500, 0), (500, 0), (600, 100)].map(|(run, real)| (millis(run), millis(real)))
    );
}

#[test]
fn an_event_follows_even_if_its_timer_ends_early() {
    // The clock stands still, as on an executor whose time is paused.
    let events = [0, 1_000, 3_000].map(|at| line(at, "x"));
    let mut waits = Vec::new();
    let sleep = |time| {
        waits.push(time);
        ready(())
    };
    let played = Parent::new().drain(&mut replay_with_clock(events, || Duration::ZERO, sleep));
    assert_eq!(played.len(), 3);
    assert_eq!(waits, [1_000, 2_000].map(millis));
}

#[test]
fn no_event_is_fetched_before_the_first_poll_or_after_the_end() {
    let fetched = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&fetched);
    let mut events = vec![line(0, "x")].into_iter();
    let events = std::iter::from_fn(move || {
        count.fetch_add(1, Ordering::Relaxed);
        events.next()
    });
    let mut replay = replay_with_clock(events, || Duration::ZERO, |_| ready(()));
    assert_eq!(fetched.load(Ordering::Relaxed), 0);
    let parent = Parent::new();
    assert_eq!(parent.drain(&mut replay).len(), 1);
    assert_eq!(parent.poll(&mut replay), Poll::Ready(None));
    assert_eq!(fetched.load(Ordering::Relaxed), 2);
}

#[test]
fn a_speed_that_is_not_positive_panics() {
    for speed in [0.0, -1.0, f64::NAN] {
        let replay = replay_with_clock([], || Duration::ZERO, |_| ready(()));
        assert_eq!(
            panic_of(|| replay.with_speed(speed)),
            "the speed of a replay must be greater than 0"
        );
    }
}

/// Generates an event at time zero.
fn any_event() -> impl Strategy<Value = Event> {
    let at = Duration::ZERO;
    let job = || (1..4_u64).prop_map(|id| JobId::new(id).unwrap());
    let change = ("[a-c]{0,2}", 0..9_u64, any::<bool>());
    let change = change.prop_map(|(text, position, counts)| {
        let change = Change::default().with_text(text);
        if counts { change.with_progress(Progress::new(position, None)) } else { change }
    });
    prop_oneof![
        job().prop_map(move |job| Event::Added { at, job, row: Row::default() }),
        (job(), change).prop_map(move |(job, change)| Event::Changed { at, job, change }),
        job().prop_map(move |job| Event::Ended { at, job, outcome: Outcome::Cancelled }),
        "[a-c]{0,2}".prop_map(move |text| Event::Line { at, text }),
    ]
}

/// Moves the event to another time.
fn at_time(mut event: Event, time: Duration) -> Event {
    match &mut event {
        Event::Added { at, .. }
        | Event::Changed { at, .. }
        | Event::Ended { at, .. }
        | Event::Line { at, .. } => *at = time,
        other => panic!("{other:?}"),
    }
    event
}

proptest! {
    // Rule 3
    #[test]
    fn a_replay_shows_what_the_run_did_at_every_event(
        events in vec((any_event(), 0..3_000_u64), 0..40),
        speed in prop_oneof![Just(1.0), 0.01..100.0, Just(f64::INFINITY)],
    ) {
        let time = VirtualClock::new();
        let mut now = Duration::ZERO;
        let timed = |(event, later)| {
            now += millis(later);
            at_time(event, now)
        };
        let events: Vec<_> = events.into_iter().map(timed).collect();
        let replay = replay_with_clock(events.clone(), time.reader(), time.timer()).with_speed(speed);
        let played = play(replay, &time);
        prop_assert_eq!(played.len(), events.len());
        let (mut run, mut replayed) = (Model::new(), Model::new());
        for (event, (again, at, _)) in events.iter().zip(played) {
            // Dividing by the speed rounds to whole nanoseconds.
            let late = at.checked_sub(event.at()).expect("no earlier than it was");
            prop_assert!(late < Duration::from_micros(1), "{late:?}");
            let at = event.at();
            run.apply(event);
            replayed.apply(&again);
            let show = |model: &Model| (Frame::new(model, 60, 20, at).to_string(), model.next_change(at));
            prop_assert_eq!(show(&run), show(&replayed));
        }
    }
}

/// Returns the events of a run that shows the elapsed time.
fn run() -> Vec<Event> {
    let at = |at: u64| millis(1_000 * at);
    let job = JobId::new(1).unwrap();
    let change = Change::default().with_text("b");
    vec![
        Event::Added { at: at(0), job, row: Row::new("elapsed: ").with_elapsed(true) },
        Event::Changed { at: at(40), job, change },
        Event::Closed { at: at(50) },
    ]
}

#[test]
fn a_console_shows_the_time_of_a_replay_at_any_speed() {
    for (speed, second) in [(1.0, 1_000), (0.1, 10_000), (4.0, 250)] {
        let time = VirtualClock::new();
        let replay = replay_with_clock(run(), time.reader(), time.timer()).with_speed(speed);
        let console = Console::live().size(40, 10).clock(replay.clock());
        let mut show = Show::new(|reporter| console.output(reporter).run(replay, time.timer()));
        let mut bytes = show.frame();
        for (seconds, text) in [(1, "1s"), (2, "2s"), (3, "3s")] {
            // Each second is drawn, and nothing is drawn before it.
            let before = millis(seconds * second) - time.now() - millis(1);
            for _ in 0..3 {
                time.advance(before / 3);
                show.settle();
            }
            assert!(show.frames.is_empty(), "speed {speed}, {seconds} s: {:?}", show.frames);
            time.advance(millis(seconds * second) - time.now());
            bytes += &show.frame();
            assert_eq!(screen(&bytes), format!("  elapsed  {text}"), "speed {speed}");
        }
    }
}

#[test]
fn a_replay_is_send_and_unpin() {
    fn goes<T: Send + Unpin>(_: &T) {}
    fn streams<T: Stream<Item = Event>>(_: &T) {}
    let replay = replay_with_clock(Vec::new(), || Duration::ZERO, |_| ready(()));
    goes(&replay);
    streams(&replay);
}
