//! The overall progress that a live console reports to the terminal.

use std::future::Future;
use std::sync::mpsc;

use active_status::console::ConsoleHandle;
use active_status::testing::VirtualClock;
use active_status::{Board, Console, Job, JobOptions, board, board_with_clock};

use crate::harness::{Reporter, Show, Signal, classic, millis, next_frame, wrote};

/// A board on a virtual clock, and its console.
fn shown(time: &VirtualClock) -> (Board, Show<impl Future<Output = ()> + use<>>) {
    let (board, events) = board_with_clock(time.reader());
    let console = classic().terminal_progress(true).clock(time.reader()).size(40, 10);
    (board, Show::new(|reporter| console.output(reporter).run(events, time.timer())))
}

/// The progress that `bytes` report, as `state;percent`.
fn reports(bytes: &str) -> Vec<&str> {
    let reports = bytes.split("\x1b]9;4;").skip(1);
    reports.map(|rest| rest.split_once("\x1b\\").expect("an end").0).collect()
}

/// The progress reported by the next frame.
fn next<F: Future>(show: &mut Show<F>, time: &VirtualClock) -> Vec<String> {
    time.advance(millis(100));
    reports(&show.frame()).into_iter().map(String::from).collect()
}

#[test]
fn progress_is_the_mean_of_the_jobs_with_a_total() {
    let time = VirtualClock::new();
    let (board, mut show) = shown(&time);
    let add = |total| board.add_job(JobOptions::new().total(total));
    let (one, two) = (add(4), add(8));
    let _neither = board.add_job("c: ");
    one.tick();
    assert_eq!(next(&mut show, &time), ["1;12"]);
    two.tick_by(2);
    assert_eq!(next(&mut show, &time), ["1;25"]);
    // A job that has ended counts as done.
    one.finish();
    assert_eq!(next(&mut show, &time), ["1;62"]);
    two.set_position(9);
    assert_eq!(next(&mut show, &time), ["1;100"]);
}

#[test]
fn pinned_jobs_with_a_total_decide_alone() {
    let time = VirtualClock::new();
    let (board, mut show) = shown(&time);
    board.show_elapsed();
    let worker = board.add_job(JobOptions::new().total(2));
    worker.tick();
    assert_eq!(next(&mut show, &time), ["1;50"]);
    let all = board.add_job(JobOptions::new().pinned(true).total(10));
    all.tick();
    assert_eq!(next(&mut show, &time), ["1;10"]);
    all.finish();
    assert_eq!(next(&mut show, &time), ["1;50"]);
}

#[test]
fn without_a_total_progress_is_indeterminate() {
    let time = VirtualClock::new();
    let (board, mut show) = shown(&time);
    board.show_elapsed();
    board.add_job("service: ").detach();
    assert_eq!(next(&mut show, &time), [""; 0], "nothing runs");
    let job = board.add_job("copy: ");
    assert_eq!(next(&mut show, &time), ["3;0"]);
    job.start_progress(2);
    assert_eq!(next(&mut show, &time), ["1;0"]);
    job.clear_progress();
    assert_eq!(next(&mut show, &time), ["3;0"]);
    job.finish();
    assert_eq!(next(&mut show, &time), ["0;0"]);
}

#[test]
fn after_a_failure_progress_is_an_error() {
    let time = VirtualClock::new();
    let (board, mut show) = shown(&time);
    let job = board.add_job(JobOptions::new().total(4));
    board.add_job("other: ").fail("no disk");
    assert_eq!(next(&mut show, &time), ["2;0"]);
    job.tick();
    assert_eq!(next(&mut show, &time), ["2;25"]);
    job.clear_progress();
    assert_eq!(next(&mut show, &time), ["2;100"]);
    job.finish();
    assert_eq!(next(&mut show, &time), ["0;0"]);
}

#[test]
fn progress_is_repeated_once_per_second_with_a_frame() {
    let time = VirtualClock::new();
    let (board, mut show) = shown(&time);
    let job = board.add_job(JobOptions::new().total(4));
    assert_eq!(reports(&show.frame()), ["1;0"]);
    let mut again = Vec::new();
    for tenth in 1..=25 {
        job.set_text(tenth);
        if !next(&mut show, &time).is_empty() {
            again.push(tenth);
        }
    }
    assert_eq!(again, [10, 20]);
    // An update that changes no character draws and reports nothing.
    for _ in 0..15 {
        job.set_text(25);
        time.advance(millis(100));
        show.settle();
    }
    job.set_text("visible");
    time.advance(millis(100));
    assert!(show.frame().contains("visible"));
    // The row dims. Then progress is not repeated, because nothing else is written.
    time.advance(millis(1_000));
    show.frame();
    time.advance(millis(5_000));
    show.settle();
    assert!(show.frames.is_empty());
}

#[test]
fn the_end_of_all_jobs_is_reported_once() {
    let time = VirtualClock::new();
    let (board, mut show) = shown(&time);
    board.println("before");
    assert_eq!(next(&mut show, &time), [""; 0]);
    board.add_job("a: ").finish();
    for line in 0..25 {
        board.println(line);
        assert_eq!(next(&mut show, &time), [""; 0]);
    }
}

// Rule 16
#[test]
fn progress_is_part_of_the_one_write_of_a_frame() {
    let time = VirtualClock::new();
    let (board, mut show) = shown(&time);
    let _job = board.add_job(JobOptions::new().prefix("copy: ").total(4));
    let frame = show.frame();
    assert!(frame.contains("copy: ") && !reports(&frame).is_empty(), "{frame:?}");
    show.settle();
    assert!(show.frames.is_empty());
}

// Rule 16
#[test]
fn the_last_frame_clears_the_progress() {
    let time = VirtualClock::new();
    let (board, mut show) = shown(&time);
    let job = board.add_job(JobOptions::new().total(4));
    show.frame();
    drop((job, board));
    time.advance(millis(100));
    assert_eq!(reports(&show.end().1), ["0;0"]);
}

#[test]
fn a_dropped_future_clears_the_progress() {
    let time = VirtualClock::new();
    let (board, mut show) = shown(&time);
    let _job = board.add_job(JobOptions::new().total(4));
    show.frame();
    assert_eq!(reports(&show.written()), ["0;0"]);
}

/// A board on a thread whose progress has been reported.
fn started() -> (Job, ConsoleHandle, mpsc::Receiver<Signal>) {
    let (sender, frames) = mpsc::channel();
    let (board, events) = board();
    let console = Console::live().terminal_progress(true).output(Reporter(sender));
    let running = console.start(events);
    let job = board.add_job(JobOptions::new().total(4));
    while reports(&next_frame(&frames)).is_empty() {}
    (job, running, frames)
}

#[test]
fn a_shutdown_clears_the_progress() {
    let (_job, running, frames) = started();
    running.shutdown();
    assert_eq!(reports(&wrote(&frames)).last(), Some(&"0;0"));
}

#[test]
fn a_panic_clears_the_progress() {
    let (_job, running, frames) = started();
    let thread = std::thread::spawn(move || {
        let _running = running;
        panic!("a panic that a test wants");
    });
    assert!(thread.join().is_err());
    assert_eq!(reports(&wrote(&frames)).last(), Some(&"0;0"));
}

// Rule 16
#[test]
fn progress_is_reported_only_where_it_is_understood() {
    let time = VirtualClock::new();
    for console in [
        Console::live().into(),
        Console::live().terminal_progress(false).into(),
        Console::from(Console::plain()).terminal_progress(true),
        Console::auto().terminal_progress(true),
    ] {
        let (board, events) = board_with_clock(time.reader());
        let mut show = Show::new(|reporter| console.output(reporter).run(events, time.timer()));
        let job = board.add_job(JobOptions::new().total(4));
        board.println("a frame");
        assert_eq!(reports(&show.frame()), [""; 0]);
        drop((board, job));
        time.advance(millis(100));
        assert_eq!(reports(&show.end().1), [""; 0]);
    }
}
