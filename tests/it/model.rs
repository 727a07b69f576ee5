//! Models: the state of a board, from its events.

use std::time::Duration;

use proptest::prelude::*;

use active_status::event::{Change, Place, Progress, Row};
use active_status::model::{Frame, Model};
use active_status::{Event, JobId, Outcome, Status};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn id(number: u64) -> JobId {
    JobId::new(number).expect("ids count from 1")
}

fn row(text: &str) -> Row {
    Row::default().with_text(text)
}

fn add(model: &mut Model, job: u64, row: Row, at: Duration) {
    model.apply(&Event::Added { at, job: id(job), row });
}

fn change(model: &mut Model, job: u64, change: Change, at: Duration) {
    model.apply(&Event::Changed { at, job: id(job), change });
}

fn end(model: &mut Model, job: u64, outcome: Outcome, at: Duration) {
    model.apply(&Event::Ended { at, job: id(job), outcome });
}

/// Returns the times of the next changes from now on.
fn changes(model: &Model, mut now: Duration, count: usize) -> Vec<Duration> {
    let next = || {
        now = model.next_change(now)?;
        Some(now)
    };
    std::iter::from_fn(next).take(count).collect()
}

// Rule 9
#[test]
fn a_text_is_new_for_a_second() {
    let mut model = Model::new();
    add(&mut model, 1, row("a").with_pinned(true), seconds(0));
    assert_eq!(model.next_change(seconds(0)), Some(seconds(1)));
    let tick = Change::default().with_progress(Progress::new(1, 2));
    change(&mut model, 1, tick, millis(700));
    assert_eq!(model.next_change(millis(700)), Some(seconds(1)));
    change(&mut model, 1, Change::default().with_text("b"), millis(800));
    assert_eq!(model.next_change(millis(800)), Some(millis(1_800)));
    assert_eq!(model.next_change(millis(1_800)), None);
}

// Rule 14
#[test]
fn a_spinner_turns_until_its_row_is_quiet_and_then_with_the_seconds() {
    let mut model = Model::new();
    add(&mut model, 1, row("a"), millis(5_250));
    let expected = [5_300, 5_400, 5_500].map(millis);
    assert_eq!(changes(&model, millis(5_250), 3), expected);
    let expected = [15_900, 16_000, 17_000, 18_000].map(millis);
    assert_eq!(changes(&model, millis(15_800), 4), expected);
}

// Rules 13, 14
#[test]
fn rows_that_change_with_the_seconds_change_together() {
    let mut model = Model::new();
    let elapsed = row("").with_elapsed(true);
    for (job, row) in (1..).zip([row("a"), row("b"), elapsed]) {
        add(&mut model, job, row, millis(300 * job));
    }
    assert_eq!(changes(&model, millis(20_500), 3), [21, 22, 23].map(seconds));
}

// Rule 14
#[test]
fn rows_that_do_not_work_do_not_wake() {
    let mut model = Model::new();
    add(&mut model, 1, Row::new("pinned").with_pinned(true), seconds(0));
    add(&mut model, 2, Row::new("detached"), seconds(0));
    change(&mut model, 2, Change::default().with_detached(true), seconds(0));
    assert_eq!(model.next_change(seconds(0)), None);
}

// Rule 12
#[test]
fn a_completed_row_stays_bold_as_long_as_the_one_above() {
    let mut model = Model::new();
    add(&mut model, 1, row("a"), seconds(0));
    add(&mut model, 2, row("b"), seconds(0));
    end(&mut model, 1, Outcome::Finished, seconds(5));
    end(&mut model, 2, Outcome::Finished, millis(4_500));
    assert_eq!(model.next_change(seconds(5)), Some(seconds(6)));
}

#[test]
fn a_board_without_rows_does_not_change() {
    let mut model = Model::new();
    assert_eq!(model.next_change(seconds(3)), None);
    model.apply(&Event::Line { at: seconds(4), text: "a line".into() });
    assert_eq!(model.next_change(seconds(4)), None);
}

// Rule 5
#[test]
fn counts_are_those_of_the_outcomes() {
    let mut model = Model::new();
    for job in 1..=9 {
        add(&mut model, job, row("a"), seconds(0));
    }
    end(&mut model, 1, Outcome::Finished, seconds(1));
    end(&mut model, 2, Outcome::Failed("why".into()), seconds(1));
    end(&mut model, 3, Outcome::Cancelled, seconds(1));
    end(&mut model, 4, Outcome::Panicked, seconds(1));
    end(&mut model, 5, Outcome::Abandoned, seconds(1));
    assert_eq!(model.counts().running, 4);
    change(&mut model, 6, Change::default().with_detached(true), seconds(1));
    model.apply(&Event::Closed { at: seconds(2) });
    let counts = model.counts();
    assert_eq!((counts.running, counts.finished, counts.failed), (0, 2, 1));
    assert_eq!((counts.cancelled, counts.panicked, counts.abandoned), (1, 1, 4));
}

// Rule 5
#[test]
fn a_row_that_is_added_detached_finishes_at_the_close() {
    let mut model = Model::new();
    let mut detached = row("a");
    detached.detached = true;
    add(&mut model, 1, detached, seconds(0));
    model.apply(&Event::Closed { at: seconds(1) });
    assert_eq!((model.counts().finished, model.counts().abandoned), (1, 0));
}

// Rule 6
#[test]
fn events_that_make_no_sense_change_nothing() {
    let mut model = Model::new();
    change(&mut model, 1, Change::default().with_text("b"), seconds(0));
    end(&mut model, 1, Outcome::Finished, seconds(0));
    add(&mut model, 1, row("a"), seconds(1));
    end(&mut model, 1, Outcome::Finished, seconds(1));
    end(&mut model, 1, Outcome::Panicked, seconds(1));
    change(&mut model, 1, Change::default().with_status(Status::Error), seconds(1));
    model.apply(&Event::Closed { at: seconds(2) });
    add(&mut model, 2, row("c"), seconds(2));
    model.apply(&Event::Closed { at: seconds(3) });
    assert_eq!(Frame::new(&model, 80, 24, seconds(3)).to_string(), "✓ a\n");
}

// Rule 5
#[test]
fn a_transient_row_stays_unless_its_job_finished() {
    let ends = [
        Outcome::Finished,
        Outcome::Failed("why".into()),
        Outcome::Cancelled,
        Outcome::Panicked,
        Outcome::Abandoned,
    ];
    for outcome in ends {
        let mut model = Model::new();
        add(&mut model, 1, row("a").with_transient(true), seconds(0));
        end(&mut model, 1, outcome.clone(), seconds(1));
        let shown = Frame::new(&model, 80, 24, seconds(1)).to_string();
        assert_eq!(shown.is_empty(), outcome == Outcome::Finished, "{outcome:?}: {shown}");
    }
    let mut model = Model::new();
    let mut detached = row("a").with_transient(true);
    detached.detached = true;
    add(&mut model, 1, detached, seconds(0));
    model.apply(&Event::Closed { at: seconds(1) });
    assert_eq!(Frame::new(&model, 80, 24, seconds(1)).to_string(), "");
    assert_eq!(model.counts().finished, 1);
    assert_eq!(model.next_change(seconds(1)), None);
}

/// The rows of a frame without room for others.
fn rows(model: &Model, rows: u16) -> Vec<String> {
    let frame = Frame::new(model, 80, rows, seconds(0)).to_string();
    frame
        .lines()
        .map(|line| line.trim_start_matches(['⠋', '✓', '…', '└', ' ']).to_owned())
        .collect()
}

// Rule 11
#[test]
fn rows_are_shown_where_they_were_inserted() {
    let mut model = Model::new();
    let above = |other| Place::Above(id(other));
    let below = |other| Place::Below(id(other));
    for (job, place) in [
        (1, Place::Last),
        (2, Place::Last),
        (3, above(2)),
        (4, below(1)),
        (5, above(1)),
        (6, Place::Last),
        (7, below(6)),
        (8, above(99)),
    ] {
        add(&mut model, job, row(&job.to_string()).with_place(place), seconds(0));
    }
    assert_eq!(rows(&model, 24), ["5", "1", "4", "3", "2", "6", "7", "8"]);
    end(&mut model, 1, Outcome::Finished, seconds(0));
    add(&mut model, 9, row("9").with_place(below(1)), seconds(0));
    let running = rows(&model, 24).split_off(1);
    assert_eq!(running, ["5", "4", "3", "2", "6", "7", "8", "9"], "1 has completed");
}

// Rule 11
#[test]
fn subtasks_are_below_their_job_in_order() {
    let mut model = Model::new();
    add(&mut model, 1, row("1"), seconds(0));
    add(&mut model, 2, row("2"), seconds(0));
    for (job, parent) in [(3, 1), (4, 2), (5, 1), (6, 99)] {
        add(&mut model, job, row(&job.to_string()).with_parent(id(parent)), seconds(0));
    }
    let below = Place::Below(id(1));
    add(&mut model, 7, row("7").with_place(below), seconds(0));
    assert_eq!(rows(&model, 24), ["1", "3", "5", "7", "2", "4", "6"]);
    end(&mut model, 1, Outcome::Finished, seconds(0));
    model.apply(&Event::Closed { at: seconds(0) });
    let first = |row: String| row.chars().next();
    let ended: Vec<_> = rows(&model, 24).into_iter().filter_map(first).collect();
    assert_eq!(ended, ['1', '3', '5', '7', '2', '4', '6']);
}

// Rule 11
#[test]
fn output_takes_the_room_that_rows_leave() {
    let mut model = Model::new();
    for job in 1..=2 {
        add(&mut model, job, row(&job.to_string()), seconds(0));
        change(&mut model, job, Change::default().with_output(["a", "b"]), seconds(0));
    }
    assert_eq!(rows(&model, 24), ["1", "a", "b", "2", "a", "b"]);
    assert_eq!(rows(&model, 7), ["1", "a", "b", "2", "a", "b"]);
    assert_eq!(rows(&model, 6), ["1", "a", "b", "2", "b"]);
    assert_eq!(rows(&model, 4), ["1", "b", "2"]);
    assert_eq!(rows(&model, 3), ["1", "2"]);
}

// Rule 5
#[test]
fn the_last_output_of_a_job_that_failed_is_printed() {
    for (outcome, lines) in [
        (Outcome::Finished, 0),
        (Outcome::Cancelled, 0),
        (Outcome::Abandoned, 0),
        (Outcome::Failed("why".into()), 2),
        (Outcome::Panicked, 2),
    ] {
        let mut model = Model::new();
        add(&mut model, 1, row("build").with_output(["a", "b"]), seconds(0));
        end(&mut model, 1, outcome.clone(), seconds(0));
        let shown = rows(&model, 24);
        assert_eq!(shown.len(), lines + 1, "{outcome:?}: {shown:?}");
        assert_eq!(shown[..lines], ["a", "b"][..lines]);
    }
}

proptest! {
    // Rule 5
    #[test]
    fn a_board_is_as_if_transient_jobs_that_finished_had_never_been(
        jobs in prop::collection::vec((any::<bool>(), any::<bool>(), 0..3u64), 0..12),
    ) {
        let (mut all, mut some) = (Model::new(), Model::new());
        for ((transient, finishes, wait), id) in jobs.into_iter().zip(1..) {
            let at = seconds(id + wait);
            let outcome = if finishes { Outcome::Finished } else { Outcome::Cancelled };
            let row = row(&id.to_string()).with_transient(transient);
            for model in [&mut all, &mut some].into_iter().take(2 - usize::from(transient && finishes)) {
                add(model, id, row.clone(), at);
                change(model, id, Change::default().with_status(Status::Success), at);
                end(model, id, outcome.clone(), at);
            }
            let frame = |model| Frame::new(model, 80, 24, at).to_string();
            prop_assert_eq!(frame(&all), frame(&some));
            prop_assert_eq!(all.next_change(at), some.next_change(at));
        }
    }
}

/// A step of a schedule.
#[derive(Clone, Debug)]
enum Step {
    Add { pinned: bool, elapsed: bool },
    Change { job: u64, detached: bool },
    End { job: u64 },
    Wait { millis: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let millis = prop_oneof![0..2_000u64, 2_000..60_000u64, 60_000..4_000_000u64];
    prop_oneof![
        any::<(bool, bool)>().prop_map(|(pinned, elapsed)| Step::Add { pinned, elapsed }),
        (1..8u64, any::<bool>()).prop_map(|(job, detached)| Step::Change { job, detached }),
        (1..8u64).prop_map(|job| Step::End { job }),
        millis.prop_map(|millis| Step::Wait { millis }),
    ]
}

proptest! {
    // Rule 13
    #[test]
    fn the_next_change_is_neither_early_nor_late(steps in prop::collection::vec(step(), 0..30)) {
        let (mut model, mut now, mut jobs) = (Model::new(), Duration::ZERO, 0);
        for step in steps {
            match step {
                Step::Add { pinned, elapsed } => {
                    jobs += 1;
                    add(&mut model, jobs, row("a").with_pinned(pinned).with_elapsed(elapsed), now);
                }
                Step::Change { job, detached } => {
                    change(&mut model, job, Change::default().with_detached(detached), now);
                }
                Step::End { job } => end(&mut model, job, Outcome::Finished, now),
                Step::Wait { millis } => now += Duration::from_millis(millis),
            }
        }
        for _ in 0..10 {
            let shown = Frame::new(&model, 200, 100, now);
            let Some(next) = model.next_change(now) else {
                prop_assert_eq!(&Frame::new(&model, 200, 100, now + seconds(1_000_000)), &shown);
                break;
            };
            for before in [now + (next - now) / 2, next - Duration::from_nanos(1)] {
                prop_assert_eq!(&Frame::new(&model, 200, 100, before), &shown);
            }
            // Elapsed time of hours has no seconds.
            let changed = Frame::new(&model, 200, 100, next) != shown;
            prop_assert!(changed || (next.subsec_nanos() == 0 && next > seconds(3_600)));
            now = next;
        }
    }
}
