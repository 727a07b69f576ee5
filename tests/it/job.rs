//! Jobs: updates, outcomes, and the events of both.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use active_status::event::{Change, Place, Progress, ProgressChange, Row};
use active_status::progress::ProgressSnapshot;
use active_status::testing::VirtualClock;
use active_status::{
    Board, Event, Events, Job, JobId, JobOptions, Outcome, ProgressStyle, Status, board,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::allocator::{allocations, bytes};
use crate::harness::millis;
use crate::snapshot::{describe, snapshot};
use crate::support::{Parent, panic_of};

/// Creates a job whose addition was read.
fn job() -> (Job, Events) {
    let (board, mut events) = board();
    let job = board.add_job("a: ");
    assert_eq!(snapshot(&mut events), ["1 added: a: "]);
    (job, events)
}

/// Returns the last position in these events.
fn last_position(events: impl IntoIterator<Item = Event>) -> u64 {
    let positions = events.into_iter().filter_map(|event| match event {
        Event::Changed {
            change: Change { progress: ProgressChange::Set(progress), .. }, ..
        } => Some(progress.position),
        _ => None,
    });
    positions.last().unwrap_or(0)
}

// Rules 1, 6
#[test]
fn any_sequence_of_updates_arrives() {
    type Updates = fn(&Job);
    let table: [(Updates, &str); 43] = [
        (|job| job.set_text("x"), "1: text x"),
        (|job| job.set_text(""), "1: text "),
        (|job| job.set_text("a\n\tb\x1b[2J"), "1: text a\n\tb\x1b[2J"),
        (|job| job.set_prefix(7), "1: prefix 7"),
        (|job| job.set_status(Status::Warning), "1: warning"),
        (|job| job.tick(), "1: 1"),
        (|job| job.tick_by(0), "1: 0"),
        (|job| job.tick_by(5), "1: 5"),
        (|job| job.tick_by(u64::MAX), "1: 4611686018427387904"),
        (|job| (0..3).for_each(|_| job.tick_by(u64::MAX)), "1: 4611686018427387904"),
        (|job| job.set_position(0), "1: 0"),
        (|job| job.set_position(9), "1: 9"),
        (|job| job.set_position(u64::MAX), "1: 4611686018427387904"),
        (|job| job.start_progress(None), "1: 0"),
        (|job| job.start_progress(0), "1: 0/0"),
        (|job| job.start_progress(7), "1: 0/7"),
        (|job| job.start_progress(u64::MAX), "1: 0/4611686018427387904"),
        (|job| job.complete_progress(), "1: no progress"),
        (|job| job.clear_progress(), "1: no progress"),
        (
            |job| {
                job.start_progress(7);
                job.complete_progress();
            },
            "1: 7/7",
        ),
        (
            |job| {
                job.start_progress(u64::MAX);
                job.complete_progress();
            },
            "1: 4611686018427387904/4611686018427387904",
        ),
        (
            |job| {
                job.tick_by(4);
                job.complete_progress();
            },
            "1: 4",
        ),
        (
            |job| {
                job.start_progress(5);
                job.tick_by(6);
            },
            "1: 6/5",
        ),
        (
            |job| {
                job.tick_by(3);
                job.start_progress(5);
            },
            "1: 0/5",
        ),
        (
            |job| {
                job.start_progress(5);
                job.tick();
                job.clear_progress();
            },
            "1: no progress",
        ),
        (
            |job| {
                job.start_progress(5);
                job.clear_progress();
                job.tick();
            },
            "1: 1",
        ),
        (
            |job| {
                job.tick();
                job.set_position(0);
            },
            "1: 0",
        ),
        (|job| job.set_total(7), "1: 0/7"),
        (|job| job.set_total(0), "1: 0/0"),
        (|job| job.set_total(u64::MAX), "1: 0/4611686018427387904"),
        (|job| job.set_total(None), "1: 0"),
        (|job| job.inc_total(0), "1: 0/0"),
        (|job| job.inc_total(3), "1: 0/3"),
        (|job| (0..3).for_each(|_| job.inc_total(u64::MAX)), "1: 0/4611686018427387904"),
        (
            |job| {
                job.start_progress(9);
                job.tick_by(5);
                job.set_total(2);
            },
            "1: 5/2",
        ),
        (
            |job| {
                job.start_progress(9);
                job.tick_by(5);
                job.set_total(None);
                job.inc_total(4);
            },
            "1: 5/4",
        ),
        (|job| job.reset(), "1: no progress"),
        (
            |job| {
                job.start_progress(9);
                job.tick_by(5);
                job.reset();
                job.tick();
            },
            "1: 1/9",
        ),
        (|job| job.set_style(ProgressStyle::bytes()), "1: nothing new"),
        (
            |job| {
                job.tick();
                job.set_style(ProgressStyle::bytes());
            },
            "1: 1 Bytes",
        ),
        (
            |job| {
                job.set_text("x");
                job.tick();
                job.set_text("y");
                job.set_status(Status::Error);
                job.set_prefix("p: ");
            },
            "1: prefix p: ; text y; error; 1",
        ),
        (|job| job.set_text(Stubborn), "1: text so far"),
        (|job| job.set_text("m".repeat(3)), "1: text mmm"),
    ];
    for (number, (updates, expected)) in table.into_iter().enumerate() {
        let (job, mut events) = job();
        updates(&job);
        assert_eq!(snapshot(&mut events), [expected], "row {number}");
    }
}

/// A value whose `Display` implementation returns an error halfway.
struct Stubborn;

impl fmt::Display for Stubborn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("so far")?;
        Err(fmt::Error)
    }
}

// Rule 9
#[test]
fn an_update_with_the_same_value_is_an_event() {
    let (job, mut events) = job();
    job.set_position(3);
    assert_eq!(snapshot(&mut events), ["1: 3"]);
    job.set_position(3);
    assert_eq!(snapshot(&mut events), ["1: nothing new"]);
}

// Rule 2
#[test]
fn a_change_has_only_the_updated_fields() {
    let (job, mut events) = job();
    job.set_text("x");
    job.tick();
    assert_eq!(snapshot(&mut events), ["1: text x; 1"]);
    job.set_status(Status::Success);
    assert_eq!(snapshot(&mut events), ["1: success"]);
    job.tick();
    assert_eq!(snapshot(&mut events), ["1: 2"]);
}

#[test]
fn a_cleared_count_stays_cleared_until_a_tick() {
    let (job, mut events) = job();
    job.tick_by(3);
    assert_eq!(snapshot(&mut events), ["1: 3"]);
    job.clear_progress();
    assert_eq!(snapshot(&mut events), ["1: no progress"]);
    job.set_text("x");
    assert_eq!(snapshot(&mut events), ["1: text x"]);
}

#[test]
fn restarted_progress_forgets_the_old_one() {
    let (job, mut events) = job();
    job.start_progress(5);
    job.tick_by(5);
    assert_eq!(snapshot(&mut events), ["1: 5/5"]);
    job.start_progress(8);
    assert_eq!(snapshot(&mut events), ["1: 0/8"]);
}

// Rule 1
#[test]
fn a_display_may_update_its_own_job() {
    struct Meddler(Job);
    impl fmt::Display for Meddler {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.set_text("inner");
            f.write_str("outer")
        }
    }
    let (job, mut events) = job();
    job.set_text(Meddler(job.clone()));
    assert_eq!(snapshot(&mut events), ["1: text outer"]);
}

// Rule 1
#[test]
fn only_the_first_tick_allocates() {
    let (job, mut events) = job();
    job.tick();
    let before = (allocations(), bytes());
    (1..1_000).for_each(|count| job.tick_by(count));
    job.tick_by(1 << 40);
    assert_eq!((allocations(), bytes()), before);
    assert_eq!(snapshot(&mut events), ["1: 1099512127277"]);
}

// Rule 2
#[test]
fn at_most_three_messages_per_job_are_pending() {
    let (board, mut events) = board();
    for _ in 0..100 {
        let job = board.add_job("a: ");
        for number in 0..100 {
            job.tick();
            job.set_text(number);
            job.set_status(Status::Warning);
        }
        job.finish();
    }
    assert_eq!(events.drain().count(), 300);
}

// Rule 5
#[test]
fn the_first_end_wins() {
    let (job, mut events) = job();
    job.fail("no disk");
    job.finish();
    job.end(Outcome::Panicked);
    drop(job);
    assert_eq!(snapshot(&mut events), ["1 failed: no disk", "closed"]);
}

// Rule 5
#[test]
fn updates_after_the_end_do_nothing() {
    let (job, mut events) = job();
    job.tick();
    job.set_text("before");
    job.finish();
    job.tick();
    job.tick_by(u64::MAX);
    job.tick_by(0);
    job.set_position(70);
    job.set_text("after");
    job.set_prefix("after");
    job.set_status(Status::Error);
    job.start_progress(3);
    job.complete_progress();
    job.clear_progress();
    job.set_total(7);
    job.inc_total(7);
    job.reset();
    job.set_style(ProgressStyle::bytes());
    job.finish_with("after");
    job.cancel();
    job.clone().detach();
    assert_eq!(snapshot(&mut events), ["1: text before; 1", "1 finished"]);
    job.tick();
    job.set_text("after");
    assert_eq!(snapshot(&mut events), Vec::<String>::new());
}

// Rule 5
#[test]
fn ticks_after_the_end_do_nothing_before_it_is_read() {
    let (job, mut events) = job();
    job.finish();
    job.tick();
    assert_eq!(snapshot(&mut events), ["1 finished"]);
}

#[test]
fn ticks_after_the_end_do_not_wake() {
    let (job, mut events) = job();
    job.finish();
    let parent = Parent::new();
    assert_eq!(parent.drain(&mut events).len(), 1);
    job.tick();
    job.tick_by(u64::MAX);
    job.set_position(3);
    assert_eq!(parent.take_wakes(), 0);
}

// Rule 2
#[test]
fn the_last_state_comes_before_the_end() {
    let (job, mut events) = job();
    job.start_progress(9);
    job.tick_by(8);
    job.set_text("last");
    job.finish();
    assert_eq!(snapshot(&mut events), ["1: text last; 8/9", "1 finished"]);
}

// Rule 5
#[test]
fn dropping_the_last_handle_cancels_the_job() {
    let (job, mut events) = job();
    let other = job.clone();
    drop(job);
    assert_eq!(snapshot(&mut events), Vec::<String>::new());
    drop(other);
    assert_eq!(snapshot(&mut events), ["1 cancelled", "closed"]);
}

// Rule 5
#[test]
fn a_job_dropped_at_its_total_has_finished() {
    type Updates = fn(&Job);
    let table: [(Updates, &str); 11] = [
        (|_| (), "1 cancelled"),
        (|job| job.tick(), "1 cancelled"),
        (|job| job.start_progress(None), "1 cancelled"),
        (|job| job.start_progress(0), "1 finished"),
        (|job| job.start_progress(3), "1 cancelled"),
        (
            |job| {
                job.start_progress(3);
                job.tick_by(2);
            },
            "1 cancelled",
        ),
        (
            |job| {
                job.start_progress(3);
                job.tick_by(3);
            },
            "1 finished",
        ),
        (
            |job| {
                job.start_progress(3);
                job.tick_by(4);
            },
            "1 finished",
        ),
        (
            |job| {
                job.start_progress(3);
                job.tick_by(3);
                job.inc_total(1);
            },
            "1 cancelled",
        ),
        (
            |job| {
                job.start_progress(u64::MAX);
                job.set_position(u64::MAX);
            },
            "1 finished",
        ),
        (
            |job| {
                job.start_progress(3);
                job.tick_by(3);
                job.cancel();
            },
            "1 cancelled",
        ),
    ];
    for (number, (updates, expected)) in table.into_iter().enumerate() {
        let (job, mut events) = job();
        updates(&job);
        drop(job);
        assert!(snapshot(&mut events).contains(&expected.to_owned()), "row {number}");
    }
}

// Rule 5
#[test]
fn a_job_that_panics_at_its_total_has_panicked() {
    let (board, mut events) = board();
    panic_of(|| {
        let job = board.add_job(JobOptions::from("a: ").total(1));
        job.tick();
        panic!("no disk");
    });
    assert_eq!(snapshot(&mut events)[1..], ["1: 1/1", "1 panicked"]);
}

// Rule 5
#[test]
fn a_question_mark_half_way_cancels_the_job() {
    fn work(board: &Board) -> Result<(), std::num::ParseIntError> {
        let job = board.add_job(JobOptions::from("a: ").total(3));
        for number in ["1", "x", "3"] {
            number.parse::<u32>()?;
            job.tick();
        }
        Ok(())
    }
    let (board, mut events) = board();
    assert!(work(&board).is_err());
    assert_eq!(snapshot(&mut events)[1..], ["1: 1/3", "1 cancelled"]);
}

#[test]
fn getters_return_the_current_values_and_those_of_the_end() {
    let clock = VirtualClock::new();
    let (board, mut events) = clock.board();
    let job = board.add_job(JobOptions::from("a: ").text("t").total(10));
    let all =
        |job: &Job| (job.position(), job.total(), job.text(), job.elapsed(), job.rate(), job.eta());
    let seconds = Duration::from_secs;
    assert_eq!(all(&job), (0, Some(10), "t".into(), seconds(0), None, None));
    clock.set(millis(2_000));
    job.tick_by(4);
    job.set_text("u");
    let expected = (4, Some(10), "u".into(), seconds(2), Some(2.0), Some(seconds(3)));
    assert_eq!(all(&job), expected);
    assert_eq!(snapshot(&mut events), ["1 added: a: t; 0/10", "1: text u; 4/10"]);
    assert_eq!(all(&job), expected, "reading the events changes nothing");
    job.finish();
    clock.set(millis(60_000));
    job.tick();
    job.set_text("v");
    job.set_total(5);
    job.reset();
    assert_eq!(all(&job), expected, "the values of the end stay");
    drop(events);
    assert_eq!(all(&job), expected);
}

#[test]
fn a_getter_does_not_change_the_rate_of_the_reader() {
    let rates = |asks: bool| {
        let clock = VirtualClock::new();
        let (board, mut events) = clock.board();
        let options = JobOptions::from("a: ").style(ProgressStyle::bar().rate());
        let job = board.add_job(options);
        for step in 1..6 {
            clock.set(millis(step * 700));
            job.tick_by(step);
            if asks {
                assert!(job.rate().is_some());
            }
        }
        snapshot(&mut events)
    };
    assert_eq!(rates(true), rates(false));
}

#[test]
fn a_reset_restarts_the_rate_and_the_elapsed_time() {
    let clock = VirtualClock::new();
    let (board, _events) = clock.board();
    let job = board.add_job(JobOptions::from("a: ").total(10));
    clock.set(millis(5_000));
    job.tick_by(5);
    job.reset();
    assert_eq!((job.position(), job.total(), job.rate()), (0, Some(10), None));
    assert_eq!(job.elapsed(), Duration::ZERO);
    clock.set(millis(6_000));
    job.tick_by(7);
    assert_eq!(job.rate(), Some(7.0));
}

#[test]
fn a_new_total_keeps_the_rate() {
    let clock = VirtualClock::new();
    let (board, _events) = clock.board();
    let job = board.add_job(JobOptions::from("a: ").total(10));
    clock.set(millis(5_000));
    job.tick_by(5);
    job.inc_total(10);
    assert_eq!((job.rate(), job.eta()), (Some(1.0), Some(Duration::from_secs(15))));
}

#[test]
fn a_new_style_applies_to_the_present_count() {
    let (job, mut events) = job();
    job.start_progress(4);
    assert_eq!(snapshot(&mut events), ["1: 0/4"]);
    job.set_style(|it: &ProgressSnapshot| format!("page {}", it.position));
    assert_eq!(snapshot(&mut events), ["1: 0/4 'page 0'"]);
    job.tick();
    job.set_style(ProgressStyle::bytes());
    assert_eq!(snapshot(&mut events), ["1: 1/4 Bytes"]);
}

#[test]
fn a_replaced_style_may_update_its_own_job_when_it_is_dropped() {
    struct Meddler(Job);
    impl Drop for Meddler {
        fn drop(&mut self) {
            self.0.set_text("from the style");
        }
    }
    let (job, mut events) = job();
    let meddler = Meddler(job.clone());
    job.set_style(move |_: &ProgressSnapshot| {
        let _held = &meddler;
        String::new()
    });
    job.set_style(ProgressStyle::bar());
    assert_eq!(snapshot(&mut events), ["1: text from the style"]);
}

// Rule 5
#[test]
fn a_job_dropped_by_a_panic_has_panicked() {
    let (board, mut events) = board();
    panic_of(|| {
        let _job = board.add_job("a: ");
        panic!("no disk");
    });
    assert_eq!(snapshot(&mut events), ["1 added: a: ", "1 panicked"]);
}

// Rule 5
#[test]
fn a_detached_job_outlives_its_handles() {
    let (job, mut events) = job();
    job.detach();
    assert_eq!(snapshot(&mut events), ["1: detached", "closed"]);
}

#[test]
fn a_detached_job_is_updated_and_ended_by_its_other_handles() {
    let (job, mut events) = job();
    job.clone().detach();
    job.set_text("x");
    job.finish();
    drop(job);
    assert_eq!(snapshot(&mut events), ["1: text x; detached", "1 finished", "closed"]);
}

#[test]
fn a_job_keeps_its_last_lines_of_output() {
    let (board, mut events) = board();
    let silent = board.add_job("a: ");
    silent.print_output("not kept");
    let job = board.add_job(JobOptions::from("b: ").output_lines(2));
    job.print_output("1\n2\r\n3");
    job.print_output(format_args!("{}", "ä".repeat(4_000)));
    let events: Vec<Event> = events.drain().collect();
    let [Event::Added { .. }, Event::Added { .. }, Event::Changed { change, .. }] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(change.output.as_deref(), Some(&["3".to_owned(), "ä".repeat(2_048)][..]));
    let options = format!("{:?}", JobOptions::new().output_lines(usize::MAX));
    assert!(options.contains("output_lines: 64"), "{options}");
}

#[test]
fn a_subtask_of_a_subtask_is_one_of_the_same_job() {
    let (board, mut events) = board();
    let top = board.add_job("a: ");
    let task = board.add_job(JobOptions::from("b: ").subtask_of(&top));
    let other = board.add_job(JobOptions::from("c: ").subtask_of(&task).above(&task));
    let rows: Vec<Row> = events
        .drain()
        .filter_map(|event| match event {
            Event::Added { row, .. } => Some(row),
            _ => None,
        })
        .collect();
    assert_eq!([rows[1].parent, rows[2].parent], [Some(top.id()); 2]);
    assert_eq!(rows[2].place, Place::Above(task.id()));
    drop(other);
}

#[test]
fn is_ended_is_true_after_the_end() {
    let (job, _events) = job();
    assert!(!job.is_ended());
    job.finish();
    assert!(job.is_ended());
}

// Rule 4
#[test]
fn ids_count_from_one_on_each_board() {
    let (one, _one) = board();
    let (other, _other) = board();
    let jobs = [one.add_job(()), one.add_job(()), other.add_job(())];
    assert_eq!(jobs.map(|job| job.id().get()), [1, 2, 1]);
}

#[test]
fn a_string_of_any_kind_is_a_prefix() {
    let (board, mut events) = board();
    let owned = String::from("c");
    let jobs = [
        board.add_job("a"),
        board.add_job(String::from("b")),
        board.add_job(&owned),
        board.add_job(Cow::from("d")),
        board.add_job(()),
    ];
    let expected = ["1 added: a", "2 added: b", "3 added: c", "4 added: d", "5 added: "];
    assert_eq!(snapshot(&mut events), expected);
    drop(jobs);
}

// Rule 4
#[test]
fn options_are_the_first_row() {
    let (board, mut events) = board();
    let options = JobOptions::new()
        .prefix("p: ")
        .text("t")
        .status(Status::Success)
        .pinned(true)
        .elapsed(true)
        .transient(true)
        .total(3);
    let job = board.add_job(options);
    job.set_text("later");
    let Some(Event::Added { row, .. }) = events.try_recv() else { panic!("not added") };
    let expected = Row::new("p: ")
        .with_text("t")
        .with_status(Status::Success)
        .with_pinned(true)
        .with_elapsed(true)
        .with_transient(true)
        .with_progress(Progress::new(0, 3));
    assert_eq!(row, expected);
}

// Rule 6
#[test]
fn a_job_without_a_total_counts_without_one() {
    let (board, mut events) = board();
    let job = board.add_job(JobOptions::new().total(None));
    job.tick();
    assert_eq!(snapshot(&mut events), ["1 added: ; 0", "1: 1"]);
}

// Rule 3
#[test]
fn times_are_those_of_the_calls() {
    let clock = VirtualClock::new();
    let (board, mut events) = clock.board();
    clock.set(millis(10));
    let job = board.add_job(());
    clock.set(millis(20));
    job.finish();
    clock.set(millis(30));
    let times: Vec<Duration> = events
        .drain()
        .filter_map(|event| match event {
            Event::Added { at, .. } | Event::Ended { at, .. } => Some(at),
            _ => None,
        })
        .collect();
    assert_eq!(times, [Duration::from_millis(10), Duration::from_millis(20)]);
    assert_eq!(events.now(), Duration::from_millis(30));
}

// Rule 3
#[test]
fn a_style_runs_when_the_update_is_read() {
    let (board, mut events) = board();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let job = board.add_job(JobOptions::new().total(8).style(move |it: &ProgressSnapshot| {
        count.fetch_add(1, Ordering::SeqCst);
        format!("{} so far", it.position)
    }));
    job.tick();
    job.tick();
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    assert_eq!(snapshot(&mut events), ["1 added: ; 0/8 '0 so far'", "1: 2/8 '2 so far'"]);
    job.set_text("x");
    assert_eq!(snapshot(&mut events), ["1: text x"]);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

// Rule 3
#[test]
fn a_style_that_panics_is_not_called_again() {
    let (board, mut events) = board();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let job = board.add_job(JobOptions::new().style(move |_: &ProgressSnapshot| -> String {
        count.fetch_add(1, Ordering::SeqCst);
        panic!("no words")
    }));
    job.tick();
    assert_eq!(snapshot(&mut events), ["1 added: ", "1: 1"]);
    job.tick();
    assert_eq!(snapshot(&mut events), ["1: 2"]);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

// Rule 1
#[test]
fn a_style_may_update_its_own_job() {
    thread_local!(static OWN: Cell<Option<Job>> = const { Cell::new(None) });
    let (board, mut events) = board();
    let job = board.add_job(JobOptions::new().style(|it: &ProgressSnapshot| {
        if let Some(job) = OWN.take() {
            job.set_text("from the style");
        }
        it.position.to_string()
    }));
    OWN.set(Some(job.clone()));
    job.tick();
    assert_eq!(snapshot(&mut events), ["1 added: ", "1: 1 '1'"]);
    assert_eq!(snapshot(&mut events), ["1: text from the style"]);
}

#[test]
fn a_style_is_dropped_with_the_end() {
    let (board, mut events) = board();
    let held = Arc::new(());
    let style = held.clone();
    let job = board.add_job(JobOptions::new().style(move |_: &ProgressSnapshot| {
        let _held = &style;
        String::new()
    }));
    job.finish();
    assert_eq!(snapshot(&mut events), ["1 added: ", "1 finished"]);
    assert_eq!(Arc::strong_count(&held), 1);
}

// Rule 1
#[test]
fn ticks_of_eight_threads_add_up_under_a_busy_reader() {
    const TICKS: u64 = 20_000;
    let (job, mut events) = job();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let job = job.clone();
            thread::spawn(move || (0..TICKS).for_each(|_| job.tick()))
        })
        .collect();
    let mut last = 0;
    while threads.iter().any(|thread| !thread.is_finished()) {
        let position = last_position(events.drain());
        assert!(position == 0 || position >= last);
        last = last.max(position);
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    job.finish();
    last = last.max(last_position(events.drain()));
    assert_eq!(last, 8 * TICKS);
}

// Rule 2
#[test]
fn the_last_text_of_each_thread_arrives_under_a_busy_reader() {
    let (board, mut events) = board();
    let work = |board: Board| {
        move || {
            let job = board.add_job(());
            (0..=5_000).for_each(|number| job.set_text(number));
            job.finish();
        }
    };
    let threads: Vec<_> = (0..4).map(|_| thread::spawn(work(board.clone()))).collect();
    drop(board);
    let mut texts = std::collections::BTreeMap::<JobId, String>::new();
    while let Some(event) = events.recv_blocking() {
        if let Event::Changed { job, change: Change { text: Some(text), .. }, .. } = event {
            texts.insert(job, text);
        }
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(texts.into_values().eq(["5000"; 4]));
}

#[derive(Clone, Debug)]
enum Act {
    Text(u8),
    Status(Status),
    Tick(u64),
    Position(u64),
    Start(Option<u64>),
    Total(Option<u64>),
    MoreTotal(u64),
    Reset,
    Complete,
    Clear,
    End(bool),
    Take(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let count = prop_oneof![0..4u64, Just(1 << 32), Just(u64::MAX)];
    prop_oneof![
        3 => any::<u8>().prop_map(Act::Text),
        1 => Just(Act::Status(Status::Error)),
        4 => count.clone().prop_map(Act::Tick),
        1 => count.clone().prop_map(Act::Position),
        1 => proptest::option::of(count.clone()).prop_map(Act::Start),
        1 => proptest::option::of(count.clone()).prop_map(Act::Total),
        1 => count.prop_map(Act::MoreTotal),
        1 => Just(Act::Reset),
        1 => Just(Act::Complete),
        1 => Just(Act::Clear),
        1 => any::<bool>().prop_map(Act::End),
        3 => (0..4usize).prop_map(Act::Take),
    ]
}

/// The expected state of a job, in plain fields.
#[derive(Clone, Debug, Default, PartialEq)]
struct Plain {
    text: String,
    status: Status,
    counting: Option<Option<u64>>,
    position: u64,
    end: Option<String>,
}

impl Plain {
    const HIGHEST: u64 = 1 << 62;

    fn act(&mut self, act: &Act) {
        if self.end.is_some() {
            return;
        }
        match *act {
            Act::Text(text) => self.text = text.to_string(),
            Act::Status(status) => self.status = status,
            Act::Tick(ticks) => self.count(self.position.saturating_add(ticks)),
            Act::Position(position) => self.count(position),
            Act::Start(total) => {
                self.position = 0;
                self.counting = Some(total.map(|total| total.min(Self::HIGHEST)));
            }
            Act::Total(total) => {
                self.counting = Some(total.map(|total| total.min(Self::HIGHEST)));
            }
            Act::MoreTotal(more) => {
                let total = self.counting.flatten().unwrap_or(0).saturating_add(more);
                self.counting = Some(Some(total.min(Self::HIGHEST)));
            }
            Act::Reset => self.position = 0,
            Act::Complete => {
                self.position = self.counting.flatten().unwrap_or(self.position);
            }
            Act::Clear => {
                self.position = 0;
                self.counting = None;
            }
            Act::End(true) => self.end = Some("finished".into()),
            Act::End(false) => self.end = Some("failed: why".into()),
            Act::Take(_) => {}
        }
    }

    fn count(&mut self, position: u64) {
        self.position = position.min(Self::HIGHEST);
        self.counting.get_or_insert(None);
    }

    fn apply(&mut self, event: &Event) {
        assert_eq!(self.end, None, "an event after the end: {event:?}");
        match event {
            Event::Changed { change, .. } => {
                self.text = change.text.clone().unwrap_or(self.text.clone());
                self.status = change.status.unwrap_or(self.status);
                if !change.progress.is_unchanged() {
                    let mut row = Row::default();
                    row.apply(change);
                    self.counting = row.progress.as_ref().map(|progress| progress.total);
                    self.position = row.progress.map_or(0, |progress| progress.position);
                }
            }
            Event::Ended { .. } => self.end = Some(describe(event).replacen("1 ", "", 1)),
            other => panic!("{other:?}"),
        }
    }
}

fn update(job: &Job, act: &Act) {
    match *act {
        Act::Text(text) => job.set_text(text),
        Act::Status(status) => job.set_status(status),
        Act::Tick(ticks) => job.tick_by(ticks),
        Act::Position(position) => job.set_position(position),
        Act::Start(total) => job.start_progress(total),
        Act::Total(total) => job.set_total(total),
        Act::MoreTotal(more) => job.inc_total(more),
        Act::Reset => job.reset(),
        Act::Complete => job.complete_progress(),
        Act::Clear => job.clear_progress(),
        Act::End(true) => job.finish(),
        Act::End(false) => job.fail("why"),
        Act::Take(_) => {}
    }
}

proptest! {
    // Rules 2, 6
    #[test]
    fn reads_at_any_time_add_up_to_the_updates(acts in vec(act(), 0..40)) {
        let (job, mut events) = job();
        let mut updated = Plain::default();
        let mut read = Plain::default();
        for act in &acts {
            update(&job, act);
            updated.act(act);
            if let Act::Take(count) = *act {
                (0..count).map_while(|_| events.try_recv()).for_each(|event| read.apply(&event));
            }
        }
        events.drain().for_each(|event| read.apply(&event));
        prop_assert_eq!(read, updated);
    }
}
