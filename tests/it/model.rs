//! What a board shows, from its events.

use std::time::Duration;

use active_status::{Change, Event, JobId, Model, Outcome, Row, Status};

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
    Row { text: text.into(), ..Row::default() }
}

fn add(model: &mut Model, job: u64, row: Row, at: Duration) {
    model.apply(&Event::Added { job: id(job), at, row }, at);
}

fn change(model: &mut Model, job: u64, change: Change, at: Duration) {
    model.apply(&Event::Changed { job: id(job), change }, at);
}

fn end(model: &mut Model, job: u64, outcome: Outcome, at: Duration) {
    model.apply(&Event::Ended { job: id(job), at, outcome }, at);
}

#[test]
fn a_row_dims_a_second_after_its_last_news() {
    let mut model = Model::new();
    add(&mut model, 1, row("a"), seconds(0));
    assert_eq!(model.next_change(seconds(0)), Some(seconds(1)));
    change(&mut model, 1, Change::default(), millis(700));
    assert_eq!(model.next_change(millis(700)), Some(millis(1_700)));
    assert_eq!(model.next_change(millis(1_699)), Some(millis(1_700)));
    assert_ne!(model.next_change(millis(1_700)), Some(millis(1_700)));
}

#[test]
fn a_row_hints_at_its_silence_in_steps() {
    let mut model = Model::new();
    add(&mut model, 1, row("a"), seconds(5));
    let (mut now, mut steps) = (seconds(6), Vec::new());
    for _ in 0..10 {
        now = model.next_change(now).expect("another step");
        steps.push(now.as_secs() - 5);
    }
    assert_eq!(steps, [10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 2_400]);
}

#[test]
fn nothing_happens_to_a_board_without_rows() {
    let mut model = Model::new();
    assert_eq!(model.next_change(seconds(3)), None);
    model.apply(&Event::Line("a line".into()), seconds(4));
    assert_eq!(model.next_change(seconds(4)), None);
}

#[test]
fn counts_tell_what_became_of_the_jobs() {
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
    change(&mut model, 6, Change { detached: true, ..Change::default() }, seconds(1));
    model.apply(&Event::Closed { at: seconds(2) }, seconds(2));
    let counts = model.counts();
    assert_eq!((counts.running, counts.finished, counts.failed), (0, 2, 1));
    assert_eq!((counts.cancelled, counts.panicked, counts.abandoned), (1, 1, 4));
}

#[test]
fn events_that_make_no_sense_change_nothing() {
    let mut model = Model::new();
    change(&mut model, 1, Change { text: Some("b".into()), ..Change::default() }, seconds(0));
    end(&mut model, 1, Outcome::Finished, seconds(0));
    add(&mut model, 1, row("a"), seconds(1));
    end(&mut model, 1, Outcome::Finished, seconds(1));
    end(&mut model, 1, Outcome::Panicked, seconds(1));
    change(&mut model, 1, Change { status: Some(Status::Error), ..Change::default() }, seconds(1));
    model.apply(&Event::Closed { at: seconds(2) }, seconds(2));
    add(&mut model, 2, row("c"), seconds(2));
    model.apply(&Event::Closed { at: seconds(3) }, seconds(3));
    assert_eq!(model.frame(80, 24, seconds(3)).to_string(), "a ✔\n");
}
