//! Workers that are built again when they fail.

use std::cell::{Cell, RefCell};
use std::future::{Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use active_status::status::report_restarts;
use active_status::testing::VirtualClock;
use active_status::workers::{Cause, Failure, WorkerEvent, supervise, try_supervise, with_events};
use active_status::{
    Event, Events, Job, Merge, Outcome, Status, StatusOptions, WithStatus, WorkerId, board,
    run_workers, wrap_with_status,
};
use futures::stream::FusedStream;
use futures::{FutureExt, Stream, StreamExt, stream};

use crate::support::{Child, Parent, Step, child, panic_of};

/// Restarts at once.
fn at_once<A, E>(_: Failure<'_, A, E>) -> Option<Ready<()>> {
    Some(ready(()))
}

/// Never restarts.
fn never<A, E>(_: Failure<'_, A, E>) -> Option<Ready<()>> {
    None
}

/// Restarts at once until the given number of failures.
fn until<A, E>(most: u32) -> impl Fn(Failure<'_, A, E>) -> Option<Ready<()>> + Clone {
    move |failure| (failure.failures < most).then(|| ready(()))
}

/// Builds the children with these scripts, one per life, numbered from 0.
fn lives(scripts: &[&'static [Step]]) -> impl Fn(WorkerId) -> Child + Clone {
    let (scripts, life) = (scripts.to_vec(), Rc::new(Cell::new(0)));
    move |_| {
        let number = life.replace(life.get() + 1);
        child(number, scripts[number]).0
    }
}

fn first() -> WorkerId {
    WorkerId::new(1).unwrap()
}

// The constructor.

#[test]
fn the_constructor_is_first_called_in_the_first_turn() {
    let built = Cell::new(0);
    let constructor = |_: WorkerId| {
        built.set(built.get() + 1);
        stream::iter([built.get()])
    };
    let mut pool = run_workers(2, supervise(constructor, never));
    assert_eq!(built.get(), 0);
    assert_eq!(Parent::new().items(&mut pool, 1), [1]);
    assert_eq!(built.get(), 1);
    assert_eq!(Parent::new().drain(&mut pool), [2]);
}

#[test]
fn a_panic_of_the_constructor_is_a_failure() {
    let built = Cell::new(0);
    let constructor = |_: WorkerId| {
        built.set(built.get() + 1);
        assert!(built.get() == 3, "attempt {}", built.get());
        stream::iter([7])
    };
    let causes = RefCell::new(Vec::new());
    let policy = |failure: Failure<'_, WorkerId>| {
        causes.borrow_mut().push(failure.cause.to_string());
        (failure.failures < 3).then(|| ready(()))
    };
    let mut pool = run_workers(1, supervise(constructor, policy));
    assert_eq!(Parent::new().drain(&mut pool), [7]);
    drop(pool);
    assert_eq!(causes.into_inner(), ["panicked: attempt 1", "panicked: attempt 2", "ended"]);
}

// Restarts and ends.

#[test]
fn a_failed_worker_is_dropped_before_the_policy_is_asked() {
    let (worker, handle) = child(0, &[Step::Item, Step::Panic]);
    let worker = Rc::new(RefCell::new(Some(worker)));
    let asked = Rc::new(Cell::new(0));
    let policy = {
        let asked = asked.clone();
        move |_: Failure<'_, WorkerId>| {
            asked.set(asked.get() + 1);
            assert_eq!(handle.drops(), 1);
            None::<Ready<()>>
        }
    };
    let mut wrapped = supervise(move |_| worker.take().unwrap(), policy)(first());
    let parent = Parent::new();
    assert_eq!(parent.items(&mut wrapped, 1), [0]);
    assert_eq!(panic_of(|| parent.poll(&mut wrapped)), "poll");
    assert_eq!(asked.get(), 1);
}

#[test]
fn a_worker_is_built_again_in_its_place_when_its_rest_is_over() {
    let clock = VirtualClock::new();
    let policy = |_: Failure<'_, WorkerId>| Some(clock.sleep(Duration::from_secs(1)));
    let workers = supervise(lives(&[&[Step::Item, Step::End], &[Step::Item, Step::Idle]]), policy);
    let mut pool = run_workers(1, workers);
    let key = pool.keys().next().unwrap();
    let parent = Parent::new();
    assert_eq!(parent.drain(&mut pool), [0]);
    assert_eq!(parent.take_wakes(), 0);
    clock.advance(Duration::from_secs(1));
    assert_eq!(parent.take_wakes(), 1);
    assert_eq!(parent.drain(&mut pool), [1]);
    assert!(pool.contains(key));
}

#[test]
fn a_worker_without_a_restart_ends_as_it_failed() {
    let ended = supervise(lives(&[&[Step::Item, Step::End]]), never)(first());
    let mut ended = ended;
    assert_eq!(Parent::new().drain(&mut ended), [0]);
    assert!(ended.is_terminated());
    assert_eq!(Parent::new().poll(&mut ended), Poll::Ready(None));

    let mut panicked = supervise(lives(&[&[Step::Panic]]), never)(first());
    assert_eq!(panic_of(|| Parent::new().poll(&mut panicked)), "poll");
    assert_eq!(Parent::new().poll(&mut panicked), Poll::Ready(None));

    let constructor = |_: WorkerId| stream::iter([Ok(1), Err("no"), Ok(2)]);
    let mut failed = try_supervise(constructor, never)(first());
    assert_eq!(Parent::new().drain(&mut failed), [Ok(1), Err("no")]);
    assert!(failed.is_terminated());
}

#[test]
fn errors_are_items_without_try() {
    let constructor = |_: WorkerId| stream::iter([Ok(1), Err("no"), Ok(2)]);
    let mut worker = supervise(constructor, never)(first());
    assert_eq!(Parent::new().drain(&mut worker), [Ok(1), Err("no"), Ok(2)]);
}

#[test]
fn an_error_that_is_followed_by_a_restart_is_not_yielded() {
    let constructor = |_: WorkerId| stream::iter([Ok(1), Err("reset"), Ok(2)]);
    let mut worker = try_supervise(constructor, until(3))(first());
    assert_eq!(Parent::new().drain(&mut worker), [Ok(1), Ok(1), Ok(1), Err("reset")]);
}

#[test]
fn an_end_is_a_failure_of_a_service() {
    let mut worker = try_supervise(|_: WorkerId| stream::iter([Ok::<_, ()>(1)]), until(3))(first());
    assert_eq!(Parent::new().drain(&mut worker), [Ok(1), Ok(1), Ok(1)]);
}

// Turns.

#[test]
fn a_worker_fails_once_per_turn_and_wakes_itself() {
    let built = Cell::new(0);
    let constructor = |_: WorkerId| {
        built.set(built.get() + 1);
        stream::empty::<()>()
    };
    let mut worker = supervise(constructor, at_once)(first());
    let parent = Parent::new();
    for turn in 1..100 {
        assert_eq!(parent.poll(&mut worker), Poll::Pending);
        assert_eq!((built.get(), parent.take_wakes()), (turn, 1));
    }
}

#[test]
fn workers_that_always_fail_take_no_turns_of_others() {
    let mut pool: Merge<Pin<Box<dyn Stream<Item = usize>>>> = Merge::new();
    for _ in 0..2 {
        pool.push(Box::pin(supervise(|_| stream::empty(), at_once)(first())));
    }
    for number in 0..4 {
        pool.push(Box::pin(stream::repeat(number)));
    }
    let mut counts = [0; 4];
    Parent::new().items(&mut pool, 4_000).into_iter().for_each(|number| counts[number] += 1);
    assert_eq!(counts, [1_000; 4]);
}

// Counts.

#[test]
fn failures_count_all_and_consecutive_ones_since_the_last_item() {
    let counts = Rc::new(RefCell::new(Vec::new()));
    let policy = {
        let counts = counts.clone();
        move |failure: Failure<'_, WorkerId>| {
            counts.borrow_mut().push((failure.failures, failure.consecutive));
            (failure.failures < 5).then(|| ready(()))
        }
    };
    let scripts: [&[Step]; 5] = [
        &[Step::End],
        &[Step::End],
        &[Step::Item, Step::End],
        &[Step::End],
        &[Step::Item, Step::Item, Step::End],
    ];
    let mut worker = supervise(lives(&scripts), policy)(first());
    assert_eq!(Parent::new().drain(&mut worker), [2, 4, 4]);
    assert_eq!(*counts.borrow(), [(1, 1), (2, 2), (3, 1), (4, 2), (5, 1)]);
}

#[test]
fn a_backoff_doubles_up_to_its_limit() {
    let pauses = Rc::new(RefCell::new(Vec::new()));
    let policy = {
        let pauses = pauses.clone();
        move |failure: Failure<'_, WorkerId>| {
            let pause = failure.backoff(Duration::from_millis(100), Duration::from_secs(1));
            pauses.borrow_mut().push(pause.as_millis());
            (failure.consecutive < 40).then(|| ready(()))
        }
    };
    let mut worker = supervise(|_| stream::empty::<()>(), policy)(first());
    assert!(Parent::new().drain(&mut worker).is_empty());
    assert_eq!(pauses.borrow()[..6], [100, 200, 400, 800, 1_000, 1_000]);
    assert!(pauses.borrow()[4..].iter().all(|&pause| pause == 1_000));
}

#[test]
fn each_worker_has_separate_counts() {
    let starts = AtomicUsize::new(0);
    let constructor = |id: WorkerId| {
        starts.fetch_add(1, Relaxed);
        stream::iter([id.get()])
    };
    let mut pool = run_workers(3, supervise(constructor, until(4)));
    assert_eq!(Parent::new().drain(&mut pool).len(), 12);
    assert_eq!(starts.load(Relaxed), 12);
}

// Policies that panic.

#[test]
fn a_panic_of_the_policy_is_the_workers_own() {
    let policy = |_: Failure<'_, WorkerId>| -> Option<Ready<()>> { panic!("policy") };
    let mut worker = supervise(lives(&[&[Step::Item, Step::End]]), policy)(first());
    let parent = Parent::new();
    assert_eq!(parent.items(&mut worker, 1), [0]);
    assert_eq!(panic_of(|| parent.poll(&mut worker)), "policy");
    assert_eq!(parent.poll(&mut worker), Poll::Ready(None));
}

#[test]
fn a_panic_of_a_rest_is_the_workers_own() {
    let policy = |_: Failure<'_, WorkerId>| {
        Some(std::future::poll_fn(|_: &mut Context<'_>| -> Poll<()> { panic!("rest") }))
    };
    let mut worker = supervise(lives(&[&[Step::End]]), policy)(first());
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut worker), Poll::Pending);
    assert_eq!(panic_of(|| parent.poll(&mut worker)), "rest");
    assert_eq!(parent.poll(&mut worker), Poll::Ready(None));
}

// Drops that panic.

#[test]
fn a_drop_that_panics_after_an_end_is_a_panic() {
    let constructor = |_: WorkerId| child(0, &[Step::End]).0.panics_on_drop();
    let mut worker = supervise(constructor, never)(first());
    assert_eq!(panic_of(|| Parent::new().poll(&mut worker)), "drop");
}

#[test]
fn after_a_panic_or_an_error_the_panic_of_the_drop_does_not_count() {
    let constructor = |_: WorkerId| child(0, &[Step::Panic]).0.panics_on_drop();
    let mut worker = supervise(constructor, never)(first());
    assert_eq!(panic_of(|| Parent::new().poll(&mut worker)), "poll");

    let constructor =
        |_: WorkerId| child(5, &[Step::Item]).0.panics_on_drop().map(Err::<(), usize>);
    let mut worker = try_supervise(constructor, never)(first());
    assert_eq!(Parent::new().drain(&mut worker), [Err(5)]);
}

#[test]
fn a_cause_reads_as_a_reason() {
    let reasons = Rc::new(RefCell::new(Vec::new()));
    let policy = {
        let reasons = reasons.clone();
        move |failure: Failure<'_, u8, &str>| {
            reasons.borrow_mut().push(failure.cause.to_string());
            assert!(!matches!(failure.cause, Cause::Failed(error) if *error != "reset"));
            (failure.failures < 3).then(|| ready(()))
        }
    };
    let life = Rc::new(Cell::new(0));
    let constructor = move |_| match life.replace(life.get() + 1) {
        0 => stream::empty().boxed_local(),
        1 => stream::iter([Err("reset")]).boxed_local(),
        _ => stream::poll_fn(|_| -> Poll<Option<Result<(), &str>>> { panic!("bug") }).boxed_local(),
    };
    let mut worker = try_supervise(constructor, policy)(0);
    assert_eq!(panic_of(|| Parent::new().drain(&mut worker)), "bug");
    assert_eq!(*reasons.borrow(), ["ended", "reset", "panicked: bug"]);
}

#[test]
fn nothing_is_left_behind() {
    let token = Rc::new(());
    let (built, asked) = (token.clone(), token.clone());
    let constructor = move |_: WorkerId| stream::iter([built.clone()]);
    let policy = move |failure: Failure<'_, WorkerId>| {
        let asked = asked.clone();
        (failure.failures < 3).then(|| ready(asked))
    };
    let mut pool = run_workers(2, supervise(constructor, policy));
    assert_eq!(Parent::new().drain(&mut pool).len(), 6);
    drop(pool);
    assert_eq!(Rc::strong_count(&token), 1);
}

// The board.

#[test]
fn a_row_shows_a_restart_and_its_reason_in_the_color_of_a_warning() {
    let (board, mut events) = board();
    let clock = VirtualClock::new();
    let policy = report_restarts(|failure: Failure<'_, Job, &str>| {
        (failure.failures < 3).then(|| clock.sleep(Duration::from_secs(1)))
    });
    let constructor = |_: Job| stream::iter([Err::<(), _>("reset")]);
    let mut pool = run_workers(1, wrap_with_status(&board, try_supervise(constructor, policy)));
    let parent = Parent::new();
    let mut row = None;
    let mut show = || {
        for event in events.drain() {
            match event {
                Event::Added { row: added, .. } => row = Some(added),
                Event::Changed { change, .. } => row.as_mut().unwrap().apply(&change),
                Event::Ended { outcome, .. } => return format!("{outcome:?}"),
                _ => {}
            }
        }
        let row = row.as_ref().unwrap();
        format!("{} {:?}", row.text, row.status)
    };
    assert_eq!(show(), "waiting Normal");
    assert!(parent.drain(&mut pool).is_empty());
    assert_eq!(show(), "restarting (1): reset Warning");
    clock.advance(Duration::from_secs(1));
    assert!(parent.drain(&mut pool).is_empty());
    assert_eq!(show(), "restarting (2): reset Warning");
    clock.advance(Duration::from_secs(1));
    assert_eq!(parent.drain(&mut pool), [Err("reset")]);
    assert_eq!(show(), "Finished");
}

/// The texts and the statuses of the changes since the last call.
fn changes(events: &mut Events) -> Vec<(Option<String>, Option<Status>)> {
    let changes = events.drain().filter_map(|event| match event {
        Event::Changed { change, .. } => Some((change.text, change.status)),
        _ => None,
    });
    changes.collect()
}

#[test]
fn the_color_of_a_warning_goes_with_the_next_item() {
    let (board, mut events) = board();
    let (handles, lives) = (RefCell::new(Vec::new()), Cell::new(0));
    let mut worker = supervise(
        |_: (WorkerId, Job)| {
            lives.set(lives.get() + 1);
            let steps: &[Step] =
                if lives.get() == 1 { &[Step::End] } else { &[Step::Idle, Step::Item, Step::Idle] };
            let (worker, handle) = child(0, steps);
            handles.borrow_mut().push(handle);
            worker
        },
        report_restarts(|_: Failure<'_, (WorkerId, Job)>| Some(ready(()))),
    );
    let workers = StatusOptions::new().wrap(&board, |id, job| worker((id, job)));
    let mut pool = run_workers(1, workers);
    let parent = Parent::new();
    assert!(parent.drain(&mut pool).is_empty());
    let waiting = (Some("waiting".into()), Some(Status::Warning));
    assert_eq!(changes(&mut events).pop(), Some(waiting));
    handles.borrow()[1].wake();
    assert_eq!(parent.drain(&mut pool), [0]);
    assert_eq!(changes(&mut events).pop(), Some((None, Some(Status::Normal))));
}

#[test]
fn a_row_that_no_options_added_has_the_restart_as_its_text() {
    let (board, mut events) = board();
    let lives = lives(&[&[Step::End], &[Step::Idle]]);
    let mut worker = supervise(
        move |_: Job| lives(first()),
        report_restarts(|_: Failure<'_, Job>| Some(ready(()))),
    );
    let job = board.add_job("own: ");
    let mut pool: Merge<_> = [WithStatus::new(worker(job.clone()), job)].into_iter().collect();
    assert!(Parent::new().drain(&mut pool).is_empty());
    let (text, _) = changes(&mut events).pop().unwrap();
    assert_eq!(text.as_deref(), Some("restarted (1)"));
}

#[test]
fn a_rest_is_dropped_with_the_next_item() {
    let token = Rc::new(());
    let mut worker =
        supervise(lives(&[&[Step::End], &[Step::Idle, Step::Item, Step::Idle]]), |_| {
            let token = Rc::clone(&token);
            Some(async move { drop(Rc::clone(&token)) }.map(move |()| ()))
        });
    let mut pool = run_workers(1, &mut worker);
    let parent = Parent::new();
    assert!(parent.drain(&mut pool).is_empty());
    pool.iter_pin_mut().for_each(drop);
    assert_eq!(parent.drain(&mut pool), [1]);
    assert_eq!(Rc::strong_count(&token), 1);
}

#[test]
fn a_worker_that_is_given_up_leaves_its_row_to_its_end() {
    let (board, mut events) = board();
    let policy = report_restarts(|_: Failure<'_, Job>| None::<Ready<()>>);
    let constructor = |_: Job| child(0, &[Step::Panic]).0;
    let mut pool =
        run_workers(1, with_events(wrap_with_status(&board, supervise(constructor, policy))));
    assert!(matches!(Parent::new().drain(&mut pool)[..], [(_, WorkerEvent::Panicked(_))]));
    let events: Vec<_> = events.drain().collect();
    let [Event::Added { .. }, Event::Ended { outcome, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(outcome, &Outcome::Panicked);
}
