//! A replay: the events of a run, at their times, at any speed.

use std::future::{Future, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use active_status::{
    Change, Console, Event, JobId, Model, Outcome, Progress, Record, Replay, Row, replay_with_clock,
};
use futures::stream::Stream;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::stage::{Show, Time, millis, screen};
use crate::support::{Parent, panic_of};

fn line(at: u64, text: &str) -> Record {
    Record { at: millis(at), event: Event::Line(text.into()) }
}

/// Polls a replay and lets the time pass that it waits for. What was told, with
/// the replay's time and ours.
fn play<I, F, T>(mut replay: Replay<I, F, T>, time: &Time) -> Vec<(Event, Duration, Duration)>
where
    I: Iterator<Item = Record>,
    F: FnMut(Duration) -> T,
    T: Future,
{
    let clock = replay.clock();
    let parent = Parent::new();
    let mut told = Vec::new();
    loop {
        match parent.poll(&mut replay) {
            Poll::Ready(Some(event)) => told.push((event, clock(), time.now())),
            Poll::Ready(None) => return told,
            Poll::Pending => {
                parent.take_wakes();
                time.pass(time.next().expect("a timer") - time.now());
                assert_eq!(parent.take_wakes(), 1);
            }
        }
    }
}

#[test]
fn each_event_is_told_as_long_after_the_first_as_it_was_divided_by_the_speed() {
    for (speed, passed) in [
        (1.0, [0, 0, 500, 3_600_000]),
        (2.0, [0, 0, 250, 1_800_000]),
        (0.1, [0, 0, 5_000, 36_000_000]),
        (f64::INFINITY, [0; 4]),
    ] {
        let time = Time::default();
        time.pass(millis(77));
        let records = [40, 40, 540, 3_600_040].map(|at| line(at, "x"));
        let replay = replay_with_clock(records, time.clock(), time.sleep()).speed(speed);
        let told = play(replay, &time);
        let times: Vec<_> = told.iter().map(|told| told.2 - millis(77)).collect();
        assert_eq!(times, passed.map(millis), "speed {speed}");
    }
}

#[test]
fn between_two_records_the_clock_goes_on_at_the_speed_of_the_replay() {
    let time = Time::default();
    let records = [line(1_000, "a"), line(9_000, "b")];
    let mut replay = replay_with_clock(records, time.clock(), time.sleep()).speed(4.0);
    let clock = replay.clock();
    let parent = Parent::new();
    assert_eq!(clock(), Duration::ZERO);
    assert_eq!(parent.items(&mut replay, 1).len(), 1);
    for (passed, at) in [(0, 1_000), (500, 3_000), (1_000, 7_000), (499, 8_996)] {
        time.pass(millis(passed));
        assert_eq!(clock(), millis(at));
    }
    time.pass(millis(1));
    assert_eq!(parent.items(&mut replay, 1).len(), 1);
    assert_eq!(clock(), millis(9_000));
    time.pass(millis(60_000));
    assert_eq!(clock(), millis(9_000), "after the last it stands");
}

#[test]
fn time_waits_for_events_that_are_late_to_be_taken() {
    let time = Time::default();
    let records = [0, 100, 200, 900].map(|at| line(at, "x"));
    let mut replay = replay_with_clock(records, time.clock(), time.sleep());
    let clock = replay.clock();
    let parent = Parent::new();
    assert_eq!(parent.items(&mut replay, 1).len(), 1);
    time.pass(millis(500));
    let mut times = vec![clock()];
    while parent.poll(&mut replay).is_ready() {
        times.push(clock());
    }
    // What was due comes at once; then the run is where it would be.
    assert_eq!(times, [0, 100, 500].map(millis));
    assert_eq!(time.next(), Some(millis(900)));
}

#[test]
fn records_that_go_back_in_time_are_told_at_once() {
    let records = || [500, 100, 600].map(|at| line(at, "x"));
    let time = Time::default();
    let hurried = replay_with_clock(records(), time.clock(), time.sleep()).speed(f64::INFINITY);
    let times: Vec<_> = play(hurried, &time).iter().map(|told| told.1).collect();
    assert_eq!(times, [500, 500, 600].map(millis));
    let told = play(replay_with_clock(records(), time.clock(), time.sleep()), &time);
    let times: Vec<_> = told.iter().map(|told| (told.1, told.2)).collect();
    assert_eq!(
        times,
        [(500, 0), (500, 0), (600, 100)].map(|(run, ours)| (millis(run), millis(ours)))
    );
}

#[test]
fn a_timer_that_ends_early_tells_the_event_all_the_same() {
    // A clock that stands, as where an executor's time is paused.
    let records = [0, 1_000, 3_000].map(|at| line(at, "x"));
    let mut waits = Vec::new();
    let sleep = |time| {
        waits.push(time);
        ready(())
    };
    let told = Parent::new().drain(&mut replay_with_clock(records, || Duration::ZERO, sleep));
    assert_eq!(told.len(), 3);
    assert_eq!(waits, [1_000, 2_000].map(millis));
}

#[test]
fn nothing_is_fetched_before_the_first_poll_and_nothing_after_the_end() {
    let fetched = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&fetched);
    let mut records = vec![line(0, "x")].into_iter();
    let records = std::iter::from_fn(move || {
        count.fetch_add(1, Ordering::Relaxed);
        records.next()
    });
    let mut replay = replay_with_clock(records, || Duration::ZERO, |_| ready(()));
    assert_eq!(fetched.load(Ordering::Relaxed), 0);
    let parent = Parent::new();
    assert_eq!(parent.drain(&mut replay).len(), 1);
    assert_eq!(parent.poll(&mut replay), Poll::Ready(None));
    assert_eq!(fetched.load(Ordering::Relaxed), 2);
}

#[test]
fn a_speed_that_is_none_is_refused() {
    for speed in [0.0, -1.0, f64::NAN] {
        let replay = replay_with_clock([], || Duration::ZERO, |_| ready(()));
        assert_eq!(panic_of(|| replay.speed(speed)), "a speed is greater than 0");
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    let job = || (1..4_u64).prop_map(|id| JobId::new(id).unwrap());
    let at = || (0..5_000_u64).prop_map(millis);
    let change = ("[a-c]{0,2}", 0..9_u64, any::<bool>());
    let change = change.prop_map(|(text, position, counts)| Change {
        text: Some(text),
        progress: counts.then_some(Some(Progress { position, total: None, text: None })),
        ..Change::default()
    });
    prop_oneof![
        (job(), at()).prop_map(|(job, at)| Event::Added { job, at, row: Row::default() }),
        (job(), change).prop_map(|(job, change)| Event::Changed { job, change }),
        (job(), at()).prop_map(|(job, at)| Event::Ended { job, at, outcome: Outcome::Cancelled }),
        "[a-c]{0,2}".prop_map(Event::Line),
    ]
}

proptest! {
    // Rule 3
    #[test]
    fn at_every_event_a_replay_shows_what_the_run_did(
        taken in vec((any_event(), 0..3_000_u64), 0..40),
        speed in prop_oneof![Just(1.0), 0.01..100.0, Just(f64::INFINITY)],
    ) {
        let time = Time::default();
        let mut now = Duration::ZERO;
        let records: Vec<_> = taken
            .into_iter()
            .map(|(event, later)| {
                now += millis(later);
                // An event is taken after it happened.
                let event = match event {
                    Event::Added { job, at, row } => Event::Added { job, at: at.min(now), row },
                    Event::Ended { job, at, outcome } => {
                        Event::Ended { job, at: at.min(now), outcome }
                    }
                    other => other,
                };
                Record { at: now, event }
            })
            .collect();
        let replay = replay_with_clock(records.clone(), time.clock(), time.sleep()).speed(speed);
        let told = play(replay, &time);
        prop_assert_eq!(told.len(), records.len());
        let (mut run, mut again) = (Model::new(), Model::new());
        for (record, (event, at, _)) in records.iter().zip(told) {
            // A speed is a fraction, a time is in whole nanoseconds.
            let late = at.checked_sub(record.at).expect("no earlier than it was");
            prop_assert!(late < Duration::from_micros(1), "{late:?}");
            let at = record.at;
            run.apply(&record.event, at);
            again.apply(&event, at);
            let show = |model: &Model| (model.frame(60, 20, at).to_string(), model.next_change(at));
            prop_assert_eq!(show(&run), show(&again));
        }
    }
}

/// The records of a run in which a job waits, ticks once a second, and ends.
fn run() -> Vec<Record> {
    let at = |at: u64| millis(1_000 * at);
    let job = JobId::new(1).unwrap();
    let elapsed = Row { prefix: "elapsed: ".into(), elapsed: true, ..Row::default() };
    let change = Change { text: Some("b".into()), ..Change::default() };
    vec![
        Record::new(Event::Added { job, at: at(0), row: elapsed }, at(0)),
        Record::new(Event::Changed { job, change }, at(40)),
        Record::new(Event::Closed { at: at(50) }, at(50)),
    ]
}

#[test]
fn a_console_that_follows_a_replay_shows_the_time_in_the_run_at_any_speed() {
    for (speed, second) in [(1.0, 1_000), (0.1, 10_000), (4.0, 250)] {
        let time = Time::default();
        let replay = replay_with_clock(run(), time.clock(), time.sleep()).speed(speed);
        let console = Console::live().size(40, 10).follow(&replay);
        let mut show = Show::new(|tells| console.output(tells).run(replay, time.sleep()));
        let mut bytes = show.frame();
        for (seconds, text) in [(1, "1 second"), (2, "2 seconds"), (3, "3 seconds")] {
            // Nothing is drawn before its time, and each second is.
            let before = millis(seconds * second) - time.now() - millis(1);
            for _ in 0..3 {
                time.pass(before / 3);
                show.settle();
            }
            assert!(show.frames.is_empty(), "speed {speed}, {seconds} s: {:?}", show.frames);
            time.pass(millis(seconds * second) - time.now());
            bytes += &show.frame();
            assert_eq!(screen(&bytes), format!("elapsed: {text}"), "speed {speed}");
        }
    }
}

#[test]
fn a_replay_goes_where_its_parts_go() {
    fn goes<T: Send + Unpin>(_: &T) {}
    fn streams<T: Stream<Item = Event>>(_: &T) {}
    let replay = replay_with_clock(Vec::new(), || Duration::ZERO, |_| ready(()));
    goes(&replay);
    streams(&replay);
}
