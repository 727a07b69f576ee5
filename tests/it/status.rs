//! Workers with a row: how the row starts, changes and ends.

use std::pin::Pin;
use std::task::{Context, Poll};

use active_status::event::{Change, ProgressChange};
use active_status::progress::Unit;
use active_status::status::OnItem;
use active_status::{
    Board, Event, Events, Job, Outcome, ProgressStyle, Status, StatusOptions, WithStatus, board,
    once, run_workers, wrap_with_status,
};
use futures::stream::{self, FusedStream};
use futures::{FutureExt, Stream, StreamExt, TryStreamExt};

use crate::snapshot::snapshot;
use crate::support::{Parent, Step, child, panic_of};

/// A board with one job, whose addition was read.
fn job() -> (Board, Job, Events) {
    let (board, mut events) = board();
    let job = board.add_job("a: ");
    assert_eq!(snapshot(&mut events), ["1 added: a: "]);
    (board, job, events)
}

/// The events of a stream with this job, up to its end.
fn events_of<S: Stream, F: OnItem<S::Item>>(
    wrap: impl FnOnce(Job) -> WithStatus<S, F>,
) -> Vec<String> {
    let (_board, job, mut events) = job();
    let parent = Parent::new();
    let mut stream = Box::pin(wrap(job));
    parent.drain(&mut stream);
    snapshot(&mut events)
}

// Rule 7
#[test]
fn each_worker_of_a_pool_has_a_row() {
    let (board, mut events) = board();
    let pool = run_workers(11, wrap_with_status(&board, |_| stream::empty::<()>()));
    let rows = snapshot(&mut events);
    assert_eq!(rows[0], "1 added: worker  1: waiting");
    assert_eq!(rows[10], "11 added: worker 11: waiting");
    assert_eq!(rows.len(), 11);
    drop(pool);
}

#[test]
fn the_style_of_the_options_formats_the_progress_of_workers() {
    let (board, mut events) = board();
    let options = StatusOptions::new().style(ProgressStyle::bytes());
    let pool = run_workers(
        2,
        options.wrap(&board, |_, job| {
            job.start_progress(4096);
            job.tick_by(1024);
            stream::pending::<()>()
        }),
    );
    let units: Vec<_> = events
        .drain()
        .filter_map(|event| match event {
            Event::Changed {
                change: Change { progress: ProgressChange::Set(progress), .. },
                ..
            } => Some(progress.unit),
            _ => None,
        })
        .collect();
    assert_eq!(units, [Unit::Bytes, Unit::Bytes]);
    drop(pool);
}

// Rule 7
#[test]
fn a_worker_that_ends_is_done() {
    let events = events_of(|job| WithStatus::new(stream::empty::<()>(), job));
    assert_eq!(events, ["1: text done", "1 finished"]);
}

// Rule 7
#[test]
fn the_end_of_the_stream_ends_the_job_despite_other_handles() {
    let (_board, job, mut events) = job();
    let parent = Parent::new();
    let mut stream = WithStatus::new(stream::empty::<()>(), job.clone());
    parent.drain(&mut stream);
    assert!(job.is_ended());
    job.set_text("late");
    drop(stream);
    assert_eq!(snapshot(&mut events), ["1: text done", "1 finished"]);
}

// Rule 8
#[test]
fn the_last_item_ends_the_job() {
    let (board, mut events) = board();
    let mut worker = Box::pin(WithStatus::new(once(async { 7 }), board.add_job("a: ")));
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut worker), Poll::Ready(Some(7)));
    assert_eq!(snapshot(&mut events), ["1 added: a: ", "1: text done", "1 finished"]);
    assert_eq!(parent.poll(&mut worker), Poll::Ready(None));
    assert_eq!(snapshot(&mut events), Vec::<String>::new());
}

// Rule 8
#[test]
fn an_item_that_may_not_be_the_last_does_not_end_the_job() {
    let (_board, job, mut events) = job();
    let (child, _) = child(0, &[Step::Item, Step::Idle]);
    let mut worker = WithStatus::new(child, job);
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut worker), Poll::Ready(Some(0)));
    assert_eq!(parent.poll(&mut worker), Poll::Pending);
    assert_eq!(snapshot(&mut events), Vec::<String>::new());
}

// Rule 8
#[test]
fn a_worker_dropped_before_its_end_is_cancelled() {
    let (_board, job, mut events) = job();
    let clone = job.clone();
    drop(WithStatus::new(stream::pending::<()>(), job));
    assert_eq!(snapshot(&mut events), ["1 cancelled"]);
    assert!(clone.is_ended());
}

// Rule 8
#[test]
fn a_worker_whose_poll_panics_panicked() {
    let (_board, job, mut events) = job();
    let (child, _) = child(0, &[Step::Panic]);
    let mut worker = WithStatus::new(child, job);
    let parent = Parent::new();
    assert_eq!(panic_of(|| parent.poll(&mut worker)), "poll");
    drop(worker);
    assert_eq!(snapshot(&mut events), ["1 panicked"]);
}

// Rule 8
#[test]
fn a_worker_that_another_panic_drops_is_cancelled() {
    let (_board, job, mut events) = job();
    panic_of(|| {
        let _worker = WithStatus::new(stream::pending::<()>(), job);
        panic!("the consumer");
    });
    assert_eq!(snapshot(&mut events), ["1 cancelled"]);
}

#[test]
fn a_worker_that_continues_after_a_panic_can_still_finish() {
    let (_board, job, mut events) = job();
    let (child, _) = child(0, &[Step::Panic, Step::Item, Step::End]);
    let mut worker = WithStatus::new(child, job);
    let parent = Parent::new();
    panic_of(|| parent.poll(&mut worker));
    assert_eq!(parent.drain(&mut worker), [0]);
    assert_eq!(snapshot(&mut events), ["1: text done", "1 finished"]);
}

#[test]
fn a_panic_in_a_pool_ends_one_row() {
    let (board, mut events) = board();
    let mut number = 0;
    let mut pool = run_workers(2, |id| {
        number += 1;
        let job = board.add_job(());
        let steps = if number == 1 { [Step::Panic] } else { [Step::Item] };
        WithStatus::new(child(id.get(), &steps).0, job)
    });
    let parent = Parent::new();
    panic_of(|| parent.drain(&mut pool));
    assert_eq!(snapshot(&mut events), ["1 added: ", "2 added: ", "1 panicked"]);
    assert_eq!(parent.poll(&mut pool), Poll::Ready(Some(2)));
}

#[test]
fn a_constructor_that_panics_leaves_a_row_that_panicked() {
    let (board, mut events) = board();
    let constructor = wrap_with_status(&board, |_| -> stream::Empty<()> { panic!("no worker") });
    assert_eq!(panic_of(|| run_workers(1, constructor)), "no worker");
    assert_eq!(snapshot(&mut events), ["1 added: worker  1: waiting", "1 panicked"]);
}

/// Ends its job when it is dropped.
struct EndOnDrop(Job, fn(&Job));

impl Stream for EndOnDrop {
    type Item = ();

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> {
        Poll::Pending
    }
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        (self.1)(&self.0);
    }
}

// Rule 8
#[test]
fn the_destructor_of_the_stream_may_end_the_job() {
    let (_board, job, mut events) = job();
    let last: fn(&Job) = |job| {
        job.set_text("rolled back");
        job.fail("no disk");
    };
    drop(WithStatus::new(EndOnDrop(job.clone(), last), job));
    assert_eq!(snapshot(&mut events), ["1: text rolled back", "1 failed: no disk"]);
}

#[test]
fn a_worker_may_end_its_job_itself() {
    let events = events_of(|job| {
        let own = job.clone();
        WithStatus::new(once(async move { own.fail("no disk") }), job)
    });
    assert_eq!(events, ["1 failed: no disk"]);
}

// Rule 8
#[test]
fn a_last_err_fails_the_job() {
    let items: [Result<u8, &str>; 2] = [Ok(1), Err("no disk")];
    let events = events_of(|job| WithStatus::new(stream::iter(items), job).fail_on_err());
    assert_eq!(events, ["1: error", "1 failed: no disk"]);
}

#[test]
fn a_last_err_fails_the_job_even_if_only_the_end_reveals_it() {
    let items: [Result<u8, &str>; 1] = [Err("no disk")];
    let vague = stream::iter(items).filter(|_| async { true });
    let events = events_of(|job| WithStatus::new(vague, job).fail_on_err());
    assert_eq!(events, ["1: error", "1 failed: no disk"]);
}

// Rule 8
#[test]
fn an_err_before_the_last_item_only_colors_the_row() {
    let items: [Result<u8, &str>; 2] = [Err("no disk"), Ok(1)];
    let events = events_of(|job| WithStatus::new(stream::iter(items), job).fail_on_err());
    assert_eq!(events, ["1: text done; error", "1 finished"]);
}

// Rule 8
#[test]
fn a_worker_dropped_after_an_err_has_failed() {
    let (board, mut events) = board();
    let options = StatusOptions::new().fail_on_err();
    let workers = options.wrap(&board, |_, _| stream::iter([Err::<(), _>("no disk"), Ok(())]));
    let failed = run_workers(1, workers).try_for_each(|()| async { Ok(()) });
    assert_eq!(failed.now_or_never(), Some(Err("no disk")));
    let expected = ["1 added: worker  1: waiting", "1: error", "1 failed: no disk"];
    assert_eq!(snapshot(&mut events), expected);
}

#[test]
fn try_join_fails_one_row_and_cancels_the_others() {
    let (board, mut events) = board();
    let options = StatusOptions::new().prefix(|_| String::new()).initial_text("").fail_on_err();
    let mut number = 0;
    let workers = options.wrap(&board, |_, _| {
        number += 1;
        let fails = number == 1;
        let item = if fails { Err("no disk") } else { Ok(()) };
        stream::iter([item; 2]).chain(stream::pending())
    });
    let joined = run_workers(2, workers).try_join();
    assert_eq!(joined.now_or_never(), Some(Err("no disk")));
    let events = snapshot(&mut events);
    assert_eq!(events, ["1 added: ", "2 added: ", "1: error", "1 failed: no disk", "2 cancelled"]);
}

// Rule 8
#[test]
fn without_fail_on_err_an_err_is_an_ordinary_item() {
    let items: [Result<u8, &str>; 1] = [Err("no disk")];
    let events = events_of(|job| WithStatus::new(stream::iter(items), job));
    assert_eq!(events, ["1: text done", "1 finished"]);
}

#[test]
fn options_set_the_prefix_and_both_texts_of_a_row() {
    let (board, mut events) = board();
    let options = StatusOptions::new()
        .prefix(|id| format!("[{id}] "))
        .initial_text("idle")
        .complete_text("gone");
    let pool = run_workers(2, options.wrap(&board, |_, _| stream::iter([()])));
    assert_eq!(pool.count().now_or_never(), Some(2));
    let expected = [
        "1 added: [1] idle",
        "2 added: [2] idle",
        "1: text gone",
        "1 finished",
        "2: text gone",
        "2 finished",
    ];
    assert_eq!(snapshot(&mut events), expected);
}

// Rule 8
#[test]
fn a_closure_turns_items_into_updates_of_the_job() {
    let (board, mut events) = board();
    let options = StatusOptions::new().prefix(|id| format!("{id}: "));
    let mut workers = options
        .wrap(&board, |id, _| stream::iter([10 * id.get() as u32, 1]).chain(stream::pending()));
    let mut pool = run_workers(2, |id| {
        let mut seen = 0;
        workers(id).on_item(move |job, item| {
            seen += 1;
            job.set_text(format_args!("{item}, number {seen}"));
        })
    });
    assert_eq!(snapshot(&mut events), ["1 added: 1: waiting", "2 added: 2: waiting"]);
    let parent = Parent::new();
    assert_eq!(parent.items(&mut pool, 2), [10, 20]);
    assert_eq!(snapshot(&mut events), ["1: text 10, number 1", "2: text 20, number 1"]);
}

// Rule 8
#[test]
fn a_closure_and_failing_on_err_combine_in_any_order() {
    let items: [Result<u8, &str>; 1] = [Err("no disk")];
    let failed = [r#"1: text Err("no disk"); error"#, "1 failed: no disk"];
    let first = events_of(|job| {
        let worker = WithStatus::new(stream::iter(items), job);
        worker.on_item(|job, item| job.set_text(format_args!("{item:?}"))).fail_on_err()
    });
    let last = events_of(|job| {
        let worker = WithStatus::new(stream::iter(items), job).fail_on_err();
        worker.on_item(|job, item| job.set_text(format_args!("{item:?}")))
    });
    assert_eq!((first, last), (failed.map(str::to_owned).into(), failed.map(str::to_owned).into()));
}

#[test]
fn the_complete_text_can_be_replaced() {
    let events =
        events_of(|job| WithStatus::new(stream::empty::<()>(), job).with_complete_text("gone"));
    assert_eq!(events, ["1: text gone", "1 finished"]);
}

// Rule 8
#[test]
fn size_hints_and_termination_are_those_of_the_stream() {
    let (_board, job, _events) = job();
    let parent = Parent::new();
    let mut worker = WithStatus::new(stream::iter([1, 2]).fuse(), job);
    assert_eq!(worker.size_hint(), (2, Some(2)));
    assert!(!worker.is_terminated());
    assert_eq!(parent.drain(&mut worker), [1, 2]);
    assert_eq!(worker.size_hint(), (0, Some(0)));
    assert!(worker.is_terminated());
}

#[test]
fn into_inner_returns_the_stream_and_releases_the_job() {
    let (_board, job, mut events) = job();
    let worker = WithStatus::new(stream::iter([1, 2]), job.clone());
    assert_eq!(worker.get_ref().size_hint(), (2, Some(2)));
    assert_eq!(worker.job().id(), job.id());
    let stream = worker.into_inner();
    assert!(!job.is_ended());
    job.end(Outcome::Finished);
    assert_eq!(stream.count().now_or_never(), Some(2));
    assert_eq!(snapshot(&mut events), ["1 finished"]);
}

#[test]
fn into_inner_cancels_a_job_without_other_handles() {
    let (_board, job, mut events) = job();
    let stream = WithStatus::new(stream::iter([1, 2]), job).into_inner();
    assert_eq!(snapshot(&mut events), ["1 cancelled"]);
    drop(stream);
}

// Rule 7
#[test]
fn the_constructor_receives_the_job_of_its_row() {
    let (board, mut events) = board();
    let workers = wrap_with_status(&board, |job| {
        job.set_status(Status::Warning);
        once(async move { job.set_text("at work") })
    });
    run_workers(1, workers).join().now_or_never().unwrap();
    let expected = ["1 added: worker  1: waiting", "1: text done; warning", "1 finished"];
    assert_eq!(snapshot(&mut events), expected);
}

#[test]
fn workers_need_not_outlive_what_they_borrow() {
    let (board, events) = board();
    let names = vec![String::from("a"), String::from("b")];
    let workers = {
        let names = &names;
        wrap_with_status(&board, move |_| stream::iter(names))
    };
    drop(board);
    assert_eq!(run_workers(2, workers).count().now_or_never(), Some(4));
    drop(events);
}
