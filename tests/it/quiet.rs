//! Consoles that show less: none at all, and none of a short command.

use active_status::testing::VirtualClock;
use active_status::{Board, Console, JobOptions, board_with_clock};

use crate::harness::{Reporter, Show, millis, wrote};

/// Opens a console that shows rows after half a second.
fn after_half_a_second(
    time: &VirtualClock,
    live: bool,
) -> (Board, Show<impl Future<Output = ()> + use<>>) {
    let (board, events) = board_with_clock(time.reader());
    let console =
        if live { Console::live().size(40, 10).color(false).into() } else { Console::auto() };
    let console = console.clock(time.reader()).show_after(millis(500));
    let show = Show::new(|reporter| console.output(reporter).run(events, time.timer()));
    (board, show)
}

// Rule 15
#[test]
fn a_short_command_writes_nothing() {
    for live in [true, false] {
        let time = VirtualClock::new();
        let (board, mut show) = after_half_a_second(&time, live);
        board.show_elapsed();
        let job = board.add_job("copy: ");
        job.set_text("a.txt");
        show.settle();
        time.advance(millis(400));
        show.settle();
        job.finish();
        board.close();
        assert_eq!(show.end().1, "", "live: {live}");
    }
}

// Rule 15
#[test]
fn lines_and_failures_of_a_short_command_are_written() {
    for live in [true, false] {
        let time = VirtualClock::new();
        let (board, show) = after_half_a_second(&time, live);
        board.add_job("good: ").finish();
        board.println("a line");
        board.add_job("bad: ").fail("no disk");
        drop(board.add_job("left: "));
        board.close();
        let written = show.end().1;
        let shown = |words| written.contains(words);
        assert!(
            shown("a line") && shown("bad") && shown("no disk") && shown("left"),
            "{written:?}"
        );
        assert!(!shown("good"), "{written:?}");
    }
}

// Rule 15
#[test]
fn rows_appear_once_the_time_has_passed() {
    for live in [true, false] {
        let time = VirtualClock::new();
        let (board, mut show) = after_half_a_second(&time, live);
        let job = board.add_job("copy: ");
        job.set_text("a.txt");
        board.add_job(JobOptions::from("gone: ")).finish();
        show.settle();
        time.advance(millis(499));
        assert_eq!(show.settle().frames, [""; 0], "live: {live}");
        time.advance(millis(1));
        let frame = show.frame();
        assert!(frame.contains("copy"), "{frame:?}");
        assert!(!frame.contains("gone"), "{frame:?}");
        job.finish();
        board.close();
        time.advance(millis(100));
        assert!(show.end().1.contains("copy"), "a job that finishes later leaves its row");
    }
}

#[test]
fn a_console_that_is_off_writes_nothing_and_ends() {
    let (sender, signals) = std::sync::mpsc::channel();
    let board = Console::off().output(Reporter(sender)).open();
    board.add_job("copy: ").fail("no disk");
    board.println("a line");
    board.flush();
    board.shutdown();
    assert_eq!(wrote(&signals), "");
}

#[test]
fn a_board_that_is_off_is_read() {
    let time = VirtualClock::new();
    let (board, events) = board_with_clock(time.reader());
    let mut show = Show::new(|_| Console::off().run(events, time.timer()));
    for number in 0..100_000 {
        board.println(number);
        if number % 1_000 == 0 {
            time.advance(millis(100));
            show.settle();
        }
    }
    board.close();
    time.advance(millis(100));
    assert_eq!(show.end().1, "");
}
