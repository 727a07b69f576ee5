//! Workers with a status: how their rows begin, go on and end.

use std::pin::Pin;
use std::task::{Context, Poll};

use active_status::{
    Board, Event, Events, Job, OnItem, Outcome, ProgressStyle, Status, StatusOptions, WithStatus,
    board, once, run_workers, wrap_with_status, wrap_with_status_options,
};
use futures::stream::{self, FusedStream};
use futures::{FutureExt, Stream, StreamExt, TryStreamExt};

use crate::support::{Parent, Step, child, panic_of};
use crate::told::told;

/// A board with one job, that was told of.
fn job() -> (Board, Job, Events) {
    let (board, mut events) = board();
    let job = board.add_job("a: ");
    assert_eq!(told(&mut events), ["1 added: a: "]);
    (board, job, events)
}

/// What is told of a stream with this job, up to its end.
fn told_of<S: Stream, F: OnItem<S::Item>>(
    wrap: impl FnOnce(Job) -> WithStatus<S, F>,
) -> Vec<String> {
    let (_board, job, mut events) = job();
    let parent = Parent::new();
    let mut stream = Box::pin(wrap(job));
    parent.drain(&mut stream);
    told(&mut events)
}

// Rule 7
#[test]
fn each_worker_of_a_pool_has_a_row() {
    let (board, mut events) = board();
    let pool = run_workers(11, wrap_with_status(&board, |_| stream::empty::<()>()));
    let rows = told(&mut events);
    assert_eq!(rows[0], "1 added: worker  1: waiting");
    assert_eq!(rows[10], "11 added: worker 11: waiting");
    assert_eq!(rows.len(), 11);
    drop(pool);
}

#[test]
fn the_progress_of_workers_is_in_the_words_of_their_style() {
    let (board, mut events) = board();
    let options = StatusOptions::new().style(ProgressStyle::bytes());
    let pool = run_workers(
        2,
        wrap_with_status_options(&board, options, |job| {
            job.start_progress(4096);
            job.tick_by(1024);
            stream::pending::<()>()
        }),
    );
    let words: Vec<_> = events
        .drain()
        .filter_map(|event| match event {
            Event::Changed { change, .. } => change.progress??.text,
            _ => None,
        })
        .collect();
    assert_eq!(words, [" 25% - 1.0 KiB/4.0 KiB"; 2]);
    drop(pool);
}

// Rule 7
#[test]
fn a_worker_that_ends_is_done() {
    let told = told_of(|job| WithStatus::new(stream::empty::<()>(), job));
    assert_eq!(told, ["1: text done", "1 finished"]);
}

// Rule 7
#[test]
fn the_end_of_the_stream_ends_the_job_whoever_holds_it() {
    let (_board, job, mut events) = job();
    let parent = Parent::new();
    let mut stream = WithStatus::new(stream::empty::<()>(), job.clone());
    parent.drain(&mut stream);
    assert!(job.is_ended());
    job.set_text("late");
    drop(stream);
    assert_eq!(told(&mut events), ["1: text done", "1 finished"]);
}

// Rule 8
#[test]
fn the_item_that_is_the_last_ends_the_job() {
    let (board, mut events) = board();
    let mut worker = Box::pin(WithStatus::new(once(async { 7 }), board.add_job("a: ")));
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut worker), Poll::Ready(Some(7)));
    assert_eq!(told(&mut events), ["1 added: a: ", "1: text done", "1 finished"]);
    assert_eq!(parent.poll(&mut worker), Poll::Ready(None));
    assert_eq!(told(&mut events), Vec::<String>::new());
}

// Rule 8
#[test]
fn an_item_that_may_not_be_the_last_leaves_the_job_alone() {
    let (_board, job, mut events) = job();
    let (child, _) = child(0, &[Step::Item, Step::Idle]);
    let mut worker = WithStatus::new(child, job);
    let parent = Parent::new();
    assert_eq!(parent.poll(&mut worker), Poll::Ready(Some(0)));
    assert_eq!(parent.poll(&mut worker), Poll::Pending);
    assert_eq!(told(&mut events), Vec::<String>::new());
}

// Rule 8
#[test]
fn a_worker_dropped_before_its_end_is_cancelled() {
    let (_board, job, mut events) = job();
    let clone = job.clone();
    drop(WithStatus::new(stream::pending::<()>(), job));
    assert_eq!(told(&mut events), ["1 cancelled"]);
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
    assert_eq!(told(&mut events), ["1 panicked"]);
}

// Rule 8
#[test]
fn a_worker_dropped_by_anothers_panic_is_cancelled() {
    let (_board, job, mut events) = job();
    panic_of(|| {
        let _worker = WithStatus::new(stream::pending::<()>(), job);
        panic!("the consumer's");
    });
    assert_eq!(told(&mut events), ["1 cancelled"]);
}

#[test]
fn a_worker_that_goes_on_after_its_panic_ends_as_it_does() {
    let (_board, job, mut events) = job();
    let (child, _) = child(0, &[Step::Panic, Step::Item, Step::End]);
    let mut worker = WithStatus::new(child, job);
    let parent = Parent::new();
    panic_of(|| parent.poll(&mut worker));
    assert_eq!(parent.drain(&mut worker), [0]);
    assert_eq!(told(&mut events), ["1: text done", "1 finished"]);
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
    assert_eq!(told(&mut events), ["1 added: ", "2 added: ", "1 panicked"]);
    assert_eq!(parent.poll(&mut pool), Poll::Ready(Some(2)));
}

#[test]
fn a_constructor_that_panics_leaves_a_row_that_panicked() {
    let (board, mut events) = board();
    let constructor = wrap_with_status(&board, |_| -> stream::Empty<()> { panic!("no worker") });
    assert_eq!(panic_of(|| run_workers(1, constructor)), "no worker");
    assert_eq!(told(&mut events), ["1 added: worker  1: waiting", "1 panicked"]);
}

/// Says its last word when it is dropped.
struct LastWord(Job, fn(&Job));

impl Stream for LastWord {
    type Item = ();

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> {
        Poll::Pending
    }
}

impl Drop for LastWord {
    fn drop(&mut self) {
        (self.1)(&self.0);
    }
}

// Rule 8
#[test]
fn the_destructor_of_the_stream_has_the_last_word() {
    let (_board, job, mut events) = job();
    let last: fn(&Job) = |job| {
        job.set_text("rolled back");
        job.fail("no disk");
    };
    drop(WithStatus::new(LastWord(job.clone(), last), job));
    assert_eq!(told(&mut events), ["1: text rolled back", "1 failed: no disk"]);
}

#[test]
fn a_worker_may_end_its_job_itself() {
    let told = told_of(|job| {
        let own = job.clone();
        WithStatus::new(once(async move { own.fail("no disk") }), job)
    });
    assert_eq!(told, ["1 failed: no disk"]);
}

// Rule 8
#[test]
fn an_err_that_comes_last_is_the_failure() {
    let items: [Result<u8, &str>; 2] = [Ok(1), Err("no disk")];
    let told = told_of(|job| WithStatus::new(stream::iter(items), job).fail_on_err());
    assert_eq!(told, ["1: error", "1 failed: no disk"]);
}

#[test]
fn an_err_that_comes_last_is_the_failure_though_only_the_end_shows_it() {
    let items: [Result<u8, &str>; 1] = [Err("no disk")];
    let vague = stream::iter(items).filter(|_| async { true });
    let told = told_of(|job| WithStatus::new(vague, job).fail_on_err());
    assert_eq!(told, ["1: error", "1 failed: no disk"]);
}

// Rule 8
#[test]
fn an_err_that_does_not_come_last_colours_the_row() {
    let items: [Result<u8, &str>; 2] = [Err("no disk"), Ok(1)];
    let told = told_of(|job| WithStatus::new(stream::iter(items), job).fail_on_err());
    assert_eq!(told, ["1: text done; error", "1 finished"]);
}

// Rule 8
#[test]
fn a_worker_dropped_after_an_err_has_failed() {
    let (board, mut events) = board();
    let options = StatusOptions::new().fail_on_err();
    let workers = wrap_with_status_options(&board, options, |_| {
        stream::iter([Err::<(), _>("no disk"), Ok(())])
    });
    let failed = run_workers(1, workers).try_for_each(|()| async { Ok(()) });
    assert_eq!(failed.now_or_never(), Some(Err("no disk")));
    let expected = ["1 added: worker  1: waiting", "1: error", "1 failed: no disk"];
    assert_eq!(told(&mut events), expected);
}

#[test]
fn a_pool_that_gives_up_at_an_err_fails_one_row_and_cancels_the_others() {
    let (board, mut events) = board();
    let options = StatusOptions::new().prefix(|_| String::new()).initial_text("").fail_on_err();
    let mut number = 0;
    let workers = wrap_with_status_options(&board, options, |_| {
        number += 1;
        let fails = number == 1;
        let item = if fails { Err("no disk") } else { Ok(()) };
        stream::iter([item; 2]).chain(stream::pending())
    });
    let joined = run_workers(2, workers).try_join();
    assert_eq!(joined.now_or_never(), Some(Err("no disk")));
    let told = told(&mut events);
    assert_eq!(told, ["1 added: ", "2 added: ", "1: error", "1 failed: no disk", "2 cancelled"]);
}

// Rule 8
#[test]
fn an_err_is_an_item_like_others_unless_it_is_to_fail() {
    let items: [Result<u8, &str>; 1] = [Err("no disk")];
    let told = told_of(|job| WithStatus::new(stream::iter(items), job));
    assert_eq!(told, ["1: text done", "1 finished"]);
}

#[test]
fn options_say_how_a_row_begins_and_ends() {
    let (board, mut events) = board();
    let options = StatusOptions::new()
        .prefix(|id| format!("[{id}] "))
        .initial_text("idle")
        .complete_text("gone");
    let pool = run_workers(2, wrap_with_status_options(&board, options, |_| stream::iter([()])));
    assert_eq!(pool.count().now_or_never(), Some(2));
    let expected = [
        "1 added: [1] idle",
        "2 added: [2] idle",
        "1: text gone",
        "1 finished",
        "2: text gone",
        "2 finished",
    ];
    assert_eq!(told(&mut events), expected);
}

// Rule 8
#[test]
fn items_become_updates_of_their_workers_job() {
    let (board, mut events) = board();
    let mut seen = 0;
    let on_item = move |job: &Job, item: &u32| {
        seen += 1;
        job.set_text(format_args!("{item}, number {seen}"));
    };
    let options = StatusOptions::new().prefix(|id| format!("{id}: ")).on_item(on_item);
    let mut pool = run_workers(
        2,
        wrap_with_status_options(&board, options, |job| {
            stream::iter([10 * job.id().get() as u32, 1]).chain(stream::pending())
        }),
    );
    assert_eq!(told(&mut events), ["1 added: 1: waiting", "2 added: 2: waiting"]);
    let parent = Parent::new();
    assert_eq!(parent.items(&mut pool, 2), [10, 20]);
    assert_eq!(told(&mut events), ["1: text 10, number 1", "2: text 20, number 1"]);
}

#[test]
fn looking_at_items_and_failing_go_together_in_any_order() {
    let (board, mut events) = board();
    let on_item = |job: &Job, item: &Result<u8, &str>| job.set_text(format_args!("{item:?}"));
    let options = StatusOptions::new().prefix(|_| String::new());
    let items: [Result<u8, &str>; 1] = [Err("no disk")];
    let one = options.clone().on_item(on_item).fail_on_err();
    let one = run_workers(1, wrap_with_status_options(&board, one, |_| stream::iter(items)));
    let two = options.fail_on_err().on_item(on_item);
    let two = run_workers(1, wrap_with_status_options(&board, two, |_| stream::iter(items)));
    assert_eq!(one.count().now_or_never(), Some(1));
    assert_eq!(two.count().now_or_never(), Some(1));
    let expected = [
        "1 added: waiting",
        "2 added: waiting",
        r#"1: text Err("no disk"); error"#,
        "1 failed: no disk",
        r#"2: text Err("no disk"); error"#,
        "2 failed: no disk",
    ];
    assert_eq!(told(&mut events), expected);
}

#[test]
fn the_text_at_the_end_may_be_another() {
    let told = told_of(|job| WithStatus::new(stream::empty::<()>(), job).complete_text("gone"));
    assert_eq!(told, ["1: text gone", "1 finished"]);
}

// Rule 8
#[test]
fn size_hints_and_terminations_are_those_of_the_stream() {
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
fn the_stream_comes_back_without_its_job() {
    let (_board, job, mut events) = job();
    let worker = WithStatus::new(stream::iter([1, 2]), job.clone());
    assert_eq!(worker.get_ref().size_hint(), (2, Some(2)));
    assert_eq!(worker.job().id(), job.id());
    let stream = worker.into_inner();
    assert!(!job.is_ended());
    job.end(Outcome::Finished);
    assert_eq!(stream.count().now_or_never(), Some(2));
    assert_eq!(told(&mut events), ["1 finished"]);
}

#[test]
fn a_stream_that_comes_back_cancels_a_job_that_nobody_holds() {
    let (_board, job, mut events) = job();
    let stream = WithStatus::new(stream::iter([1, 2]), job).into_inner();
    assert_eq!(told(&mut events), ["1 cancelled"]);
    drop(stream);
}

// Rule 7
#[test]
fn the_constructor_is_handed_the_job_of_its_row() {
    let (board, mut events) = board();
    let workers = wrap_with_status(&board, |job| {
        job.set_status(Status::Warning);
        once(async move { job.set_text("at work") })
    });
    run_workers(1, workers).join().now_or_never().unwrap();
    let expected = ["1 added: worker  1: waiting", "1: text done; warning", "1 finished"];
    assert_eq!(told(&mut events), expected);
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
