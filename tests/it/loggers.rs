//! Loggers that write above a board.

use std::collections::BTreeSet;
use std::thread;

use active_status::{Board, Event, Events, board};
use env_logger::{Builder, Target};
use log::{Level, Log, Record};
use tracing::{Dispatch, dispatcher, info};

const LINES: usize = 500;

/// The lines of four threads that log `LINES` lines each with `log`.
fn logged(log: impl Fn(usize, usize) + Sync, mut events: Events) -> Vec<String> {
    thread::scope(|scope| {
        for worker in 0..4 {
            let log = &log;
            scope.spawn(move || (0..LINES).for_each(|line| log(worker, line)));
        }
    });
    let line = |event| match event {
        Event::Line { text, .. } => text,
        other => panic!("not a line: {other:?}"),
    };
    events.drain().map(line).collect()
}

/// Every line is there once, and those of a worker are in order.
#[track_caller]
fn assert_whole_and_in_order(lines: &[String], line: impl Fn(usize, usize) -> String) {
    for worker in 0..4 {
        let expected: Vec<String> = (0..LINES).map(|number| line(worker, number)).collect();
        let known = BTreeSet::from_iter(&expected);
        let found: Vec<&String> = lines.iter().filter(|line| known.contains(line)).collect();
        assert_eq!(found, expected.iter().collect::<Vec<_>>());
    }
    assert_eq!(lines.len(), 4 * LINES);
}

fn subscriber(board: Board) -> Dispatch {
    let subscriber = tracing_subscriber::fmt().with_writer(move || board.writer());
    Dispatch::new(subscriber.without_time().with_target(false).finish())
}

// Rule 20
#[test]
fn events_of_tracing_are_lines_whole_and_in_order() {
    let (board, events) = board();
    let subscriber = subscriber(board);
    let log = |worker, line| {
        dispatcher::with_default(&subscriber, || info!(worker, line, "written"));
    };
    assert_whole_and_in_order(&logged(log, events), |worker, line| {
        format!(" INFO written worker={worker} line={line}")
    });
}

// Rule 20
#[test]
fn records_of_env_logger_are_lines_whole_and_in_order() {
    let (board, events) = board();
    let target = Target::Pipe(Box::new(board.writer()));
    let logger = Builder::new().filter_level(log::LevelFilter::Info).target(target).build();
    let log = |worker, line| {
        let mut record = Record::builder();
        record.level(Level::Info).target("it");
        logger.log(&record.args(format_args!("{worker} wrote {line}")).build());
    };
    assert_whole_and_in_order(&logged(log, events), |worker, line| {
        format!("[INFO  it] {worker} wrote {line}")
    });
}
