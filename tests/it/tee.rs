//! Tees: every reader sees what a single reader would, at any pace.

use std::cell::Cell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use active_status::event::{Change, Place, Progress, Row, Tee};
use active_status::model::{Frame, Model};
use active_status::{Event, Events, JobId, Outcome, Status, board, tee};
use futures::StreamExt;
use futures::stream::{self, FusedStream, Stream};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::snapshot::{change_of, describe, printed};
use crate::support::{Parent, panic_of, within_a_minute};

fn texts(events: &[Event]) -> Vec<String> {
    events.iter().map(describe).collect()
}

/// Returns the backlog of a reader, and the events that follow it.
fn backlog<S: Stream<Item = Event>>(reader: &mut Tee<S>) -> Vec<String> {
    texts(&Parent::new().drain(reader))
}

/// Creates a stream that yields these events; for `None`, it is pending and wakes itself.
fn script(steps: Vec<Option<Event>>) -> impl Stream<Item = Event> + Unpin {
    let mut steps = VecDeque::from(steps);
    stream::poll_fn(move |cx| match steps.pop_front() {
        Some(Some(event)) => Poll::Ready(Some(event)),
        Some(None) => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        None => Poll::Ready(None),
    })
}

/// Returns everything that is visible of these events.
fn fold(events: &[Event]) -> String {
    let mut model = Model::new();
    events.iter().for_each(|event| model.apply(event));
    let (frame, counts) = (Frame::new(&model, 200, 10_000, Duration::ZERO), model.counts());
    format!("{frame}{counts:?}")
}

/// Generates any event, sensible or not. Totals are known, because a spinner depends on
/// how often its change was read.
fn any_event() -> impl Strategy<Value = Event> {
    let job = || (1..4_u64).prop_map(|id| JobId::new(id).unwrap());
    let text = || option::of("[a-c]{0,2}".prop_map(String::from));
    let progress =
        (0..5_u64, 0..5_u64).prop_map(|(position, total)| Progress::new(position, total));
    let progress = option::of(option::of(progress));
    let statuses = [Status::Normal, Status::Success, Status::Warning, Status::Error];
    let status = option::of(proptest::sample::select(statuses.to_vec()));
    let output = option::of(vec("[a-c]{0,2}", 0..3));
    let change = (text(), text(), status, progress, any::<bool>(), output);
    let change = change.prop_map(|(prefix, text, status, progress, detached, output)| {
        let mut change = change_of(prefix, text, status, progress, detached);
        change.output = output;
        change
    });
    let outcomes = [Outcome::Finished, Outcome::Failed("x".into()), Outcome::Cancelled];
    let outcome = proptest::sample::select(outcomes.to_vec());
    let at = Duration::ZERO;
    let row = (any::<(bool, bool, bool)>(), option::of(job()), 0..5u64);
    let row = row.prop_map(|((pinned, elapsed, transient), parent, place)| {
        let row = Row::default().with_pinned(pinned).with_elapsed(elapsed);
        let place = match JobId::new(place % 4) {
            Some(other) if place > 3 => Place::Above(other),
            Some(other) => Place::Below(other),
            None => Place::Last,
        };
        row.with_transient(transient).with_parent(parent).with_place(place)
    });
    prop_oneof![
        4 => (job(), row).prop_map(move |(job, row)| Event::Added { at, job, row }),
        12 => (job(), change).prop_map(move |(job, change)| Event::Changed { at, job, change }),
        3 => (job(), outcome).prop_map(move |(job, outcome)| Event::Ended { at, job, outcome }),
        3 => "[a-c]{0,2}".prop_map(printed),
        2 => "[a-c]{0,2}".prop_map(move |text| Event::Partial { at, text }),
        1 => Just(Event::Closed { at }),
    ]
}

proptest! {
    // Rule 3
    #[test]
    fn every_reader_folds_to_the_model_of_a_sole_reader(
        steps in vec(option::weighted(0.9, any_event()), 0..60),
        polls in vec(0..3_usize, 0..200),
    ) {
        let all: Vec<Event> = steps.iter().flatten().cloned().collect();
        let parent = Parent::new();
        let mut readers: [_; 3] = tee(script(steps));
        let mut seen: [Vec<Event>; 3] = Default::default();
        for number in polls {
            if let Poll::Ready(Some(event)) = parent.poll(&mut readers[number]) {
                seen[number].push(event);
            }
        }
        for (reader, mut seen) in readers.iter_mut().zip(seen) {
            seen.extend(parent.drain(reader));
            prop_assert_eq!(fold(&seen), fold(&all));
            prop_assert!(reader.is_terminated());
        }
    }
}

#[test]
fn an_event_taken_by_one_reader_is_queued_for_the_others() {
    let (board, events) = board();
    let [mut one, mut two] = tee(events);
    board.println("a");
    board.close();
    assert_eq!(backlog(&mut one), ["| a", "closed"]);
    board.println("after the close");
    assert_eq!(backlog(&mut two), ["| a", "closed"]);
}

#[test]
fn at_most_three_events_per_job_are_queued() {
    let (board, events) = board();
    let [mut eager, mut lazy] = tee(events);
    let job = board.add_job("a: ");
    for count in 1..=100 {
        job.tick();
        job.set_text(count);
        let _taken = backlog(&mut eager);
    }
    job.fail("no");
    let _taken = backlog(&mut eager);
    assert_eq!(format!("{lazy:?}"), "Tee { pending: 3, ended: false, .. }");
    assert_eq!(backlog(&mut lazy), ["1 added: a: ", "1: text 100; 100", "1 failed: no"]);
}

#[test]
fn partial_lines_that_follow_each_other_merge() {
    let partial = |text: &str| Some(Event::Partial { at: Duration::ZERO, text: text.into() });
    let steps = vec![partial("a"), partial("ab"), Some(printed("abc")), partial(""), partial("d")];
    let [mut eager, mut lazy] = tee(script(steps));
    assert_eq!(backlog(&mut eager), ["~ a", "~ ab", "| abc", "~ ", "~ d"]);
    assert_eq!(backlog(&mut lazy), ["~ ab", "| abc", "~ d"]);
}

#[test]
fn a_merged_change_has_the_latest_time() {
    let job = JobId::new(1).unwrap();
    let change = |seconds, change| Event::Changed { at: Duration::from_secs(seconds), job, change };
    let text = Change::default().with_text("a");
    let steps = vec![Some(change(1, text.clone())), Some(change(2, Change::default()))];
    let [mut eager, mut lazy] = tee(script(steps));
    let _taken = backlog(&mut eager);
    assert_eq!(Parent::new().drain(&mut lazy), [change(2, text)]);
}

#[test]
fn changes_before_and_after_a_second_addition_do_not_merge() {
    let job = JobId::new(1).unwrap();
    let at = Duration::ZERO;
    let added = Event::Added { at, job, row: Row::default() };
    let change =
        |text: &str| Some(Event::Changed { at, job, change: Change::default().with_text(text) });
    let ended = Event::Ended { at, job, outcome: Outcome::Finished };
    let steps = vec![Some(added.clone()), change("a"), Some(ended), Some(added), change("b")];
    let [mut eager, mut lazy] = tee(script(steps));
    let _taken = backlog(&mut eager);
    let events = ["1 added: ", "1: text a", "1 finished", "1 added: ", "1: text b"];
    assert_eq!(backlog(&mut lazy), events);
}

#[test]
fn lines_beyond_the_limit_are_omitted_for_the_slow_reader() {
    let (board, events) = board();
    let [mut eager, mut lazy] = tee(events);
    let count = 65_536 + 3;
    for number in 0..count {
        board.println(number);
        assert_eq!(backlog(&mut eager), [format!("| {number}")]);
    }
    let events = backlog(&mut lazy);
    assert_eq!(events.len(), 65_536 + 1);
    assert_eq!(events[65_535..], ["| 65535", "| … 3 lines not shown"]);
    board.println("there is room again");
    let _taken = backlog(&mut eager);
    assert_eq!(backlog(&mut lazy), ["| there is room again"]);
}

#[test]
fn every_waiting_reader_is_woken_and_no_other() {
    let (board, events) = board();
    let [mut one, mut two, mut three] = tee(events);
    let parents = [Parent::new(), Parent::new(), Parent::new()];
    let wakes = || parents.each_ref().map(Parent::take_wakes);
    assert_eq!(parents[0].poll(&mut one), Poll::Pending);
    assert_eq!(parents[1].poll(&mut two), Poll::Pending);
    board.println("a");
    assert_eq!(wakes(), [1, 1, 0]);
    // The second reader waits again, and the third takes the next line as well.
    assert_eq!(texts(&parents[1].items(&mut two, 1)), ["| a"]);
    assert_eq!(parents[1].poll(&mut two), Poll::Pending);
    board.println("b");
    assert_eq!(wakes(), [0, 1, 0]);
    assert_eq!(texts(&parents[1].items(&mut two, 1)), ["| b"]);
    assert_eq!(texts(&parents[2].drain(&mut three)), ["| a", "| b"]);
    assert_eq!(texts(&parents[0].drain(&mut one)), ["| a", "| b"]);
}

#[test]
fn a_reader_is_woken_for_what_another_took() {
    let (board, events) = board();
    let [mut one, mut two] = tee(events);
    let parents = [Parent::new(), Parent::new()];
    assert_eq!(parents[0].poll(&mut one), Poll::Pending);
    board.println("a");
    assert_eq!(parents[0].take_wakes(), 1);
    // The other reader has taken the line, so the wake finds a copy in the backlog.
    assert_eq!(parents[1].drain(&mut two).len(), 1);
    assert_eq!(texts(&parents[0].drain(&mut one)), ["| a"]);
    board.println("b");
    assert_eq!(parents[1].take_wakes(), 1);
    assert_eq!(parents[0].take_wakes(), 1);
    drop(board);
    assert_eq!(texts(&parents[1].drain(&mut two)), ["| b", "closed"]);
    assert_eq!(texts(&parents[0].drain(&mut one)), ["| b", "closed"]);
}

#[test]
fn only_the_latest_waker_of_a_reader_is_woken() {
    let (board, events) = board();
    let [mut reader, _other] = tee(events);
    let (old, new) = (Parent::new(), Parent::new());
    assert_eq!(old.poll(&mut reader), Poll::Pending);
    assert_eq!(new.poll(&mut reader), Poll::Pending);
    board.println("x");
    assert_eq!((old.take_wakes(), new.take_wakes()), (0, 1));
    assert!(new.poll(&mut reader).is_ready());
    assert_eq!((old.held(), new.held()), (0, 0));
}

#[test]
fn the_stream_is_dropped_at_its_end_or_with_the_last_reader() {
    let alive = Rc::new(());
    let events = || {
        let alive = Rc::clone(&alive);
        script(vec![Some(printed("a"))]).inspect(move |_| _ = Rc::strong_count(&alive))
    };
    let dropped = || Rc::strong_count(&alive) == 1;
    let [one, mut two] = tee(events());
    drop(one);
    assert_eq!(backlog(&mut two), ["| a"]);
    assert!(dropped());

    let [one, two] = tee(events());
    drop(one);
    assert!(!dropped());
    drop(two);
    assert!(dropped());

    let [] = tee(events());
    assert!(dropped());
}

#[test]
fn a_dropped_reader_drops_its_waker() {
    let (_board, events) = board();
    let [mut one, _two] = tee(events);
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut one), Poll::Pending);
    assert_eq!(parent.held(), 1);
    drop(one);
    assert_eq!(parent.held(), 0);
}

/// A waker that polls a reader immediately, as in an executor without a queue.
struct PollsAtOnce(Arc<Mutex<(Tee<Events>, Vec<String>)>>);

impl Wake for PollsAtOnce {
    fn wake(self: Arc<Self>) {
        let (reader, seen) = &mut *self.0.lock().unwrap();
        let parent = Parent::new();
        seen.extend(texts(&parent.drain(reader)));
    }
}

#[test]
fn a_waker_that_polls_another_reader_does_not_deadlock() {
    within_a_minute(|| {
        let (board, events) = board();
        let [mut one, two] = tee(events);
        let two = Arc::new(Mutex::new((two, Vec::new())));
        let waker = Waker::from(Arc::new(PollsAtOnce(Arc::clone(&two))));
        let polled = two.lock().unwrap().0.poll_next_unpin(&mut Context::from_waker(&waker));
        assert_eq!(polled, Poll::Pending);
        board.println("a");
        assert_eq!(two.lock().unwrap().1, ["| a"]);
        assert_eq!(backlog(&mut one), ["| a"]);
    });
}

#[test]
fn a_reader_that_waits_for_the_poll_of_another_is_woken() {
    // The stream polls the other reader while it is polled.
    let other: Rc<Cell<Option<Tee<_>>>> = Rc::default();
    let parents = Rc::new([Parent::new(), Parent::new()]);
    let inside = (Rc::clone(&other), Rc::clone(&parents));
    let mut polls = 0;
    let events = stream::poll_fn(move |_| {
        polls += 1;
        if let Some(mut reader) = inside.0.take() {
            assert_eq!(inside.1[1].poll(&mut reader), Poll::Pending);
            inside.0.set(Some(reader));
        }
        if polls > 1 { Poll::Ready(Some(printed("a"))) } else { Poll::Pending }
    });
    let events: Pin<Box<dyn Stream<Item = Event>>> = Box::pin(events);
    let [mut one, two] = tee(events);
    other.set(Some(two));
    assert_eq!(parents[0].poll(&mut one), Poll::Pending);
    assert_eq!(parents[1].take_wakes(), 1, "the waiting reader is woken");
    let mut two = other.take().unwrap();
    assert!(parents[1].poll(&mut two).is_ready());
    assert_eq!(parents[0].take_wakes(), 1);
}

#[test]
fn a_panic_of_the_stream_ends_the_other_readers() {
    let mut polls = 0;
    let events = stream::poll_fn(move |_| {
        polls += 1;
        match polls {
            1 => Poll::Pending,
            2 => Poll::Ready(Some(printed("a"))),
            3 => Poll::Pending,
            _ => panic!("poll"),
        }
    });
    let [mut one, mut two] = tee(events);
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut two), Poll::Pending);
    assert_eq!(texts(&Parent::new().items(&mut one, 1)), ["| a"]);
    assert_eq!(texts(&parent.drain(&mut two)), ["| a"]);
    assert_eq!(panic_of(|| Parent::new().poll(&mut one)), "poll");
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.poll(&mut two), Poll::Ready(None));
    assert_eq!(Parent::new().poll(&mut one), Poll::Ready(None));
}

#[test]
fn readers_on_threads_all_reach_the_last_state() {
    within_a_minute(|| {
        let (board, events) = board();
        let readers: [Tee<Events>; 4] = tee(events);
        let readers = readers.map(|reader| {
            thread::spawn(move || futures::executor::block_on(reader.collect::<Vec<Event>>()))
        });
        let job = board.add_job("a: ");
        for count in 1..=10_000 {
            job.tick();
            if count % 100 == 0 {
                board.println(count);
            }
        }
        job.finish();
        drop((board, job));
        for reader in readers {
            let events = texts(&reader.join().unwrap());
            assert_eq!(events.iter().rfind(|text| text.starts_with("1: ")).unwrap(), "1: 10000");
            assert_eq!(events[events.len() - 2..], ["1 finished", "closed"]);
            assert_eq!(events.iter().filter(|text| text.starts_with('|')).count(), 100);
        }
    });
}

#[test]
fn a_reader_is_send_sync_and_unpin() {
    fn goes<T: Send + Sync + Unpin>() {}
    goes::<Tee<Events>>();
}
