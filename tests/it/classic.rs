//! The rows of the classic theme: tables of what they show.

use std::time::Duration;

use active_status::event::{Change, Progress, Row};
use active_status::{Outcome, Status};

use crate::shown::Board;

fn row(text: &str) -> Row {
    Row::default().with_text(text)
}

fn progress(position: u64, total: impl Into<Option<u64>>) -> Progress {
    Progress::new(position, total)
}

fn text(text: &str) -> Change {
    Change::default().with_text(text)
}

// Rules 9, 24
#[test]
fn a_row_is_its_prefix_and_its_text() {
    let board = Board::of(Row::new("copy: ").with_text("a.txt")).classic();
    assert_eq!(board.shows(80, 24), "copy: a.txt\n");
}

// Rules 6, 9, 10
#[test]
fn progress_follows_the_text() {
    let style = |progress: Progress, text: &str| progress.with_text(text);
    for (progress, shown) in [
        (progress(0, 7), " ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░"),
        (progress(1, 7), " ▓▓▓▓░░░░░░░░░░░░░░░░░░░░░░░░░░  14% - 1/7"),
        (progress(4, 7), " ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓░░░░░░░░░░░░░  57% - 4/7"),
        (progress(7, 7), " ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓ 100% - 7/7"),
        (progress(6, 5), " ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓ 120% - 6/5"),
        (progress(3, 0), " ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░"),
        (progress(u64::MAX, u64::MAX), " ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓ 100% - 18.4/18.4E"),
        (progress(12, None), " ⠋ 12"),
        (style(progress(1, 2), "1 MB"), " ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓░░░░░░░░░░░░░░░ 1 MB"),
        (style(progress(1, None), "1 MB"), " 1 MB"),
    ] {
        let board = Board::of(row("copy").with_progress(progress)).classic();
        assert_eq!(board.shows(200, 24), format!("copy{shown}\n"));
    }
}

// Rule 10
#[test]
fn a_spinner_turns_when_the_position_changes() {
    let mut board = Board::of(row("read").with_progress(progress(0, None))).classic();
    let mut shown = Vec::new();
    for position in [0, 10, 20, 20] {
        board.change(1, Change::default().with_progress(progress(position, None)));
        shown.push(board.shows(80, 24));
    }
    assert_eq!(shown, ["read ⠋ 0\n", "read ⠙ 10\n", "read ⠹ 20\n", "read ⠹ 20\n"]);
}

// Rules 5, 9
#[test]
fn an_outcome_is_readable() {
    for (outcome, shown) in [
        (Outcome::Finished, "copy ✔\n"),
        (Outcome::Failed("disk full".into()), "copy ✘ disk full\n"),
        (Outcome::Failed(String::new()), "copy ✘ failed\n"),
        (Outcome::Failed("a\nb".into()), "copy ✘ a b\n"),
        (Outcome::Cancelled, "copy ⊘ cancelled\n"),
        (Outcome::Panicked, "copy ✘ panicked\n"),
        (Outcome::Abandoned, "copy … abandoned\n"),
        (Outcome::Lost, "copy ⊘ lost\n"),
    ] {
        let mut board = Board::of(row("copy")).classic();
        board.end(1, outcome);
        assert_eq!(board.shows(80, 24), shown);
    }
}

// Rule 5
#[test]
fn a_mark_follows_after_one_space() {
    for (prefix, text, progress, shown) in [
        ("job 1: ", "", None, "job 1: ✔\n"),
        ("job 1: ", "done ", None, "job 1: done ✔\n"),
        ("", "", None, "✔\n"),
        ("n: ", "", Some(progress(2, 0)), "n: ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ ✔\n"),
        ("n", "", Some(progress(2, None)), "n ⠋ 2 ✔\n"),
    ] {
        let mut board =
            Board::of(Row::new(prefix).with_text(text).with_progress(progress)).classic();
        board.end(1, Outcome::Finished);
        assert_eq!(board.shows(80, 24), shown);
    }
}

// Rule 5
#[test]
fn the_close_ends_every_row() {
    let mut board = Board::default().classic();
    board.add(1, Row::new("time: ").with_pinned(true).with_elapsed(true));
    board.add(2, row("works"));
    board.add(3, row("serves"));
    board.change(3, Change::default().with_detached(true));
    board.wait(65);
    board.close();
    board.wait(65);
    assert_eq!(board.shows(80, 24), "works … abandoned\nserves\ntime: 1 minute, 5 seconds\n");
}

// Rule 14
#[test]
fn a_silent_row_shows_the_time_in_steps() {
    let mut board = Board::of(row("wait")).classic();
    for (seconds, shown) in [
        (0, "wait\n"),
        (9, "wait\n"),
        (10, "wait · 10 s\n"),
        (19, "wait · 10 s\n"),
        (20, "wait · 20 s\n"),
        (59, "wait · 30 s\n"),
        (60, "wait · 1 min\n"),
        (120, "wait · 2 min\n"),
        (300, "wait · 5 min\n"),
        (599, "wait · 5 min\n"),
        (600, "wait · 10 min\n"),
        (1_799, "wait · 20 min\n"),
        (3_600, "wait · 1 h\n"),
        (90_000, "wait · 25 h\n"),
        (90_600, "wait · 25 h 10 min\n"),
    ] {
        board.now = Duration::from_secs(seconds);
        assert_eq!(board.shows(80, 24), shown);
    }
    board.change(1, Change::default());
    assert_eq!(board.shows(80, 24), "wait\n");
}

// Rule 14
#[test]
fn pinned_detached_and_elapsed_rows_show_no_silence() {
    let mut board = Board::default().classic();
    board.add(1, row("detached"));
    board.add(2, row("elapsed").with_elapsed(true));
    board.add(3, row("pinned").with_pinned(true));
    board.change(1, Change::default().with_detached(true));
    board.wait(30);
    assert_eq!(board.shows(80, 24), "detached\nelapsed · 30 seconds\npinned\n");
}

// Rule 11
#[test]
fn completed_running_and_pinned_rows_have_zones() {
    let mut board = Board::default().classic();
    board.add(1, row("pinned").with_pinned(true));
    for (job, name) in [(2, "a"), (3, "b"), (4, "c"), (5, "d")] {
        board.add(job, row(name));
    }
    board.end(4, Outcome::Finished);
    board.end(2, Outcome::Finished);
    assert_eq!(board.shows(80, 24), "c ✔\na ✔\nb\nd\npinned\n");
    board.end(1, Outcome::Finished);
    assert_eq!(board.shows(80, 24), "c ✔\na ✔\npinned ✔\nb\nd\n");
}

// Rule 12
#[test]
fn a_line_follows_the_rows_completed_before_it() {
    let mut board = Board::default().classic();
    board.add(1, row("a"));
    board.add(2, row("b"));
    board.end(2, Outcome::Finished);
    board.print("a line");
    board.end(1, Outcome::Finished);
    assert_eq!(board.shows(80, 24), "b ✔\na line\na ✔\n");
}

// Rules 16, 17
#[test]
fn rows_without_room_are_counted() {
    let mut board = Board::default().classic();
    for job in 1..=9 {
        board.add(job, row(&format!("job {job}")));
    }
    assert_eq!(board.shows(80, 10).lines().count(), 9);
    assert_eq!(board.shows(80, 5), "job 1\njob 2\njob 3\n… +6 more\n");
    assert_eq!(board.shows(80, 2), "… +9 more\n");
    assert_eq!(board.shows(80, 1), "");
}

// Rule 17
#[test]
fn pinned_rows_come_first_then_errors_then_updates() {
    let mut board = Board::default().classic();
    for job in 1..=8 {
        board.add(job, row(&format!("job {job}")));
    }
    board.add(9, row("pinned").with_pinned(true));
    board.wait(1);
    for (job, status) in [(7, Status::Error), (5, Status::Error), (2, Status::Warning)] {
        board.wait(1);
        board.change(job, Change::default().with_status(status));
    }
    board.wait(1);
    board.change(6, text("update"));
    for (rows, shown) in [
        (8, "job 1\njob 2\njob 5\nupdate\njob 7\n… +3 more\npinned\n"),
        (7, "job 2\njob 5\nupdate\njob 7\n… +4 more\npinned\n"),
        (6, "job 2\njob 5\njob 7\n… +5 more\npinned\n"),
        (5, "job 2\njob 5\n… +6 more (1 failed)\npinned\n"),
        (4, "job 2\n… +7 more (2 failed)\npinned\n"),
        (3, "… +8 more (2 failed)\npinned\n"),
        (2, "… +9 more (2 failed)\n"),
    ] {
        assert_eq!(board.shows(80, rows), shown, "{rows} rows");
    }
}

// Rule 12
#[test]
fn completed_rows_leave_before_running_ones_are_hidden() {
    let mut board = Board::default().classic();
    for job in 1..=6 {
        board.add(job, row(&format!("job {job}")));
    }
    board.end(5, Outcome::Finished);
    board.end(6, Outcome::Finished);
    let shown = "job 5 ✔\njob 6 ✔\njob 1\njob 2\n… +2 more\n";
    assert_eq!(board.shows(80, 4), shown);
}

// Rule 16
#[test]
fn the_text_is_cut_first_then_the_bar_then_the_end() {
    let row = Row::new("worker 1: ").with_text("hashing a_long_name.txt");
    let mut board = Board::of(row.with_progress(progress(5, 10))).classic();
    board.wait(10);
    for (columns, shown) in [
        (95, "worker 1: hashing a_long_name.txt ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓░░░░░░░░░░░░░░░  50% - 5/10 · 10 s"),
        (84, "worker 1: hashing a_long_name.txt ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓░░░░░░░░░░░░░░░  50% - 5/10 · 10 s"),
        (83, "worker 1: hashing a_long_name.t… ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓░░░░░░░░░░░░░░░  50% - 5/10 · 10 s"),
        (69, "worker 1: hashing… ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓░░░░░░░░░░░░░░░  50% - 5/10 · 10 s"),
        (60, "worker 1: hashing… ▓▓▓▓▓▓▓▓▓▓░░░░░░░░░░░  50% - 5/10 · 10 s"),
        (45, "worker 1: hashing… ▓▓▓░░░  50% - 5/10 · 10 s"),
        (40, "worker 1: ha… ▓▓▓░░░  50% - 5/10 · 10 s"),
        (38, "worker 1: … ▓▓▓░░░  50% - 5/10 · 10 s"),
        (37, "worker 1: hashin…  50% - 5/10 · 10 s"),
        (30, "worker 1: …  50% - 5/10 · 10…"),
        (16, "worker 1: …  5…"),
        (11, "worker 1:…"),
        (2, "…"),
        (1, ""),
    ] {
        assert_eq!(board.shows(columns, 24), format!("{shown}\n"), "{columns} columns");
    }
}

// Rule 16
#[test]
fn every_row_leaves_one_column_free() {
    let mut board = Board::default().classic();
    for (job, text) in (1..).zip([
        "漢字漢字漢字漢字",
        "e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}",
        "👩‍👩‍👧‍👦 a family",
        "🇨🇭🇦🇹🇩🇪🇮🇹",
    ]) {
        board.add(job, row(text));
    }
    assert_eq!(
        board.shows(8, 24),
        "漢字漢…\ne\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}\n…\n🇨🇭🇦🇹🇩🇪…\n"
    );
    assert_eq!(board.shows(6, 24), "漢字…\ne\u{301}e\u{301}e\u{301}e\u{301}…\n…\n🇨🇭🇦🇹…\n");
}

// Rule 6
#[test]
fn rows_contain_no_control_characters() {
    let esc = '\u{1b}';
    for (text, shown) in [
        ("two\nlines".to_string(), "two lines"),
        ("a\tb\rc".into(), "a b c"),
        (format!("{esc}[1;31mred{esc}[0m"), "red"),
        (format!("{esc}]0;title\u{7}text"), "text"),
        (format!("{esc}]8;;http://x{esc}\\link{esc}]8;;{esc}\\"), "link"),
        (format!("{esc}[2J{esc}[Hcleared{esc}c"), "cleared"),
        (format!("{esc}Pq#0{esc}\\image"), "image"),
        ("bell\u{7}back\u{8}null\0".into(), "bellbacknull"),
        ("\u{9b}31mred".into(), "red"),
        ("a\u{202e}b\u{2028}c".into(), "ab c"),
        (format!("open {esc}]0;and never closed"), "open"),
        (format!("half {esc}"), "half"),
    ] {
        assert_eq!(Board::of(row(&text)).classic().shows(80, 24), format!("{shown}\n"), "{text:?}");
    }
}

#[test]
fn a_printed_line_is_plain_text_and_is_not_cut() {
    let mut board = Board::default().classic();
    board.print("\u{1b}[32ma green line that is longer than the screen\u{1b}[0m");
    assert_eq!(board.shows(10, 24), "a green line that is longer than the screen\n");
}

#[test]
fn a_failure_message_is_cut_only_on_the_board() {
    let mut board = Board::of(row("copy")).classic();
    board.add(2, row("other"));
    board.end(1, Outcome::Failed("there is no space left on the device".into()));
    assert_eq!(board.shows(20, 24), "… ✘ there is no sp…\nother\n");
    board.wait(1);
    assert_eq!(board.shows(20, 24), "copy ✘ there is no space left on the device\nother\n");
}

#[test]
fn a_failed_row_that_does_not_fit_leaves_without_its_bar() {
    let row = Row::new("copy: ").with_text("a_long_name.txt");
    let mut board = Board::of(row.with_progress(progress(5, 10))).classic();
    board.end(1, Outcome::Failed("no space".into()));
    board.wait(1);
    for (columns, shown) in [
        (51, "copy: a_long_… ▓▓▓▓▓▓░░░░░░  50% - 5/10 ✘ no space"),
        (45, "copy: a_long_… ▓▓▓░░░  50% - 5/10 ✘ no space"),
        (44, "copy: a_long_name.txt  50% - 5/10 ✘ no space"),
        (20, "copy: a_long_name.txt  50% - 5/10 ✘ no space"),
    ] {
        assert_eq!(board.shows(columns, 24), format!("{shown}\n"), "{columns} columns");
    }
}

#[test]
fn the_mark_of_an_outcome_is_cut_last() {
    let progress = progress(1, 1).with_text("100% - 49.4 MiB/49.4 MiB");
    let row = Row::new("download: ").with_text("corpus.tar").with_progress(progress);
    let mut board = Board::of(row).classic();
    board.end(1, Outcome::Finished);
    for (columns, shown) in [
        (48, "download: co… ▓▓▓▓▓▓ 100% - 49.4 MiB/49.4 MiB ✔"),
        (39, "download: … 100% - 49.4 MiB/49.4 MiB ✔"),
        (30, "download: … 100% - 49.4 Mi… ✔"),
        (14, "download: … ✔"),
        (13, "download: …"),
    ] {
        assert_eq!(board.shows(columns, 24), format!("{shown}\n"), "{columns} columns");
    }
}

// Rule 16
#[test]
fn a_screen_of_unknown_size_is_80_by_24() {
    let mut board = Board::default().classic();
    for job in 1..=30 {
        board.add(job, row(&"x".repeat(100)));
    }
    assert_eq!(board.shows(0, 0), board.shows(80, 24));
    assert_eq!(board.shows(0, 0).lines().count(), 23);
}

// Rule 16
#[test]
fn rows_fit_every_size() {
    let mut board = Board::default().classic();
    for job in 1..=4 {
        let pinned = job == 4;
        board.add(job, row("漢字 and text").with_pinned(pinned).with_progress(progress(1, 2)));
    }
    board.end(1, Outcome::Failed("a 漢字 message".into()));
    board.wait(20);
    // The failed row has left the board and may be of any width.
    board.assert_fits(|place, _| place > 0);
}
