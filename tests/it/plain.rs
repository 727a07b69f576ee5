//! Plain consoles, from the handles of a board to the lines of a log. The module itself
//! has a table of lines.

use std::time::Duration;

use active_status::testing::VirtualClock;
use active_status::{Board, Console, JobOptions, Outcome, Status, board_with_clock};

use crate::harness::{Show, millis};

/// Creates a plain console on a virtual clock.
fn plain(time: &VirtualClock) -> (Board, Show<impl Future<Output = ()> + use<>>) {
    let (board, events) = board_with_clock(time.reader());
    let console = Console::plain().clock(time.reader());
    let show = Show::new(|reporter| console.output(reporter).run(events, time.timer()));
    (board, show)
}

/// Advances the clock to `at`. Returns the line that is written then; no line may be
/// written before.
#[track_caller]
fn line_at<F: Future>(time: &VirtualClock, show: &mut Show<F>, at: Duration) -> String {
    while time.now() < at {
        assert_eq!(show.settle().frames, [""; 0]);
        let next = time.next_timer().expect("a timer");
        assert!(next <= at, "the next timer ends at {next:?}");
        time.advance(next - time.now());
    }
    show.frame()
}

// Rule 23
#[test]
fn a_new_text_is_written_at_once_and_the_latest_after_5_s() {
    let time = VirtualClock::new();
    let (board, mut show) = plain(&time);
    let job = board.add_job("copy: ");
    job.set_text("a.txt");
    assert_eq!(show.frame(), "copy: a.txt\n");
    for name in ["b.txt", "c.txt", "d.txt"] {
        time.advance(millis(1_000));
        job.set_text(name);
        show.settle();
    }
    assert_eq!(line_at(&time, &mut show, millis(5_000)), "copy: d.txt\n");
}

// Rule 23
#[test]
fn after_30_s_of_silence_a_line_names_the_running_jobs() {
    let time = VirtualClock::new();
    let (board, mut show) = plain(&time);
    let _job = board.add_job(JobOptions::new().prefix("copy: ").text("a.txt"));
    board.show_elapsed();
    show.settle();
    let line = |time| format!("still running: copy: a.txt ({time})\n");
    assert_eq!(line_at(&time, &mut show, millis(30_000)), line("30s"));
    assert_eq!(line_at(&time, &mut show, millis(60_000)), line("1m 0s"));
}

#[test]
fn no_timer_ends_between_lines() {
    let time = VirtualClock::new();
    let (board, mut show) = plain(&time);
    let _job = board.add_job("copy: ");
    show.settle();
    time.advance(millis(100));
    show.settle();
    assert_eq!(time.next_timer(), Some(Duration::from_secs(30)));
}

#[test]
fn a_board_without_work_sets_no_timer() {
    let time = VirtualClock::new();
    let (board, mut show) = plain(&time);
    board.show_elapsed();
    show.settle();
    time.advance(millis(100));
    show.settle();
    assert_eq!(time.next_timer(), None);
}

#[test]
fn a_log_reports_outcomes_and_counts_them() {
    let time = VirtualClock::new();
    let (board, show) = plain(&time);
    board.show_elapsed();
    let [one, two, three, four] = [1, 2, 3, 4].map(|n| board.add_job(format!("worker {n}: ")));
    one.set_text("done");
    two.set_status(Status::Warning);
    two.start_progress(8);
    two.tick_by(6);
    board.println("two is slow");
    time.advance(millis(3_000));
    one.finish();
    two.fail("no space");
    three.end(Outcome::Cancelled);
    board.close();
    drop(four);
    time.advance(millis(100));
    let (_, log) = show.end();
    assert_eq!(
        log,
        "worker 1: done\n\
         worker 2: 75% - 6/8\n\
         two is slow\n\
         worker 1: done (finished in 3s)\n\
         worker 2: 75% - 6/8 (failed after 3s): no space\n\
         worker 3: (cancelled after 3s)\n\
         worker 4: (abandoned after 3s)\n\
         1 done, 1 failed, 1 cancelled, 1 abandoned in 3s\n"
    );
}

// Rule 23
#[test]
fn escape_sequences_of_jobs_are_removed_from_a_log() {
    let time = VirtualClock::new();
    let (board, show) = plain(&time);
    let job = board.add_job("\u{1b}[1mcopy\u{1b}[m: ");
    job.set_text("a\u{1b}[2Jb\r\nc\u{7}");
    job.fail("\u{1b}]0;title\u{7}gone\u{9b}31m");
    board.close();
    let (_, log) = show.end();
    assert_eq!(log, "copy: ab  c (failed): gone\n0 done, 1 failed in 0s\n");
}
