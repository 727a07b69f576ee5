//! Frames as tables: what each row shows, and what gives way on a narrow screen.

use std::time::Duration;

use active_status::event::{Change, Progress, Row};
use active_status::progress::Unit;
use active_status::{Outcome, Status};
use proptest::prelude::*;

use crate::shown::{Board, id};

const MIB: u64 = 1 << 20;

fn row(prefix: &str, text: &str) -> Row {
    Row::new(prefix).with_text(text)
}

fn text(text: &str) -> Change {
    Change::default().with_text(text)
}

fn counting(prefix: &str, text: &str, position: u64, total: u64) -> Row {
    row(prefix, text).with_progress(Progress::new(position, total))
}

fn bytes(position: f64, total: f64, rate: f64, left: u64) -> Progress {
    let of_mib = |mib: f64| (mib * MIB as f64) as u64;
    let progress = Progress::new(of_mib(position), of_mib(total)).with_unit(Unit::Bytes);
    progress.with_rate((rate * MIB as f64 * 1_000.0) as u64).with_seconds_left(left)
}

/// The board of the guide.
fn release() -> Board {
    let mut board = Board::default();
    board.add(1, row("upload 7: ", "part-07.tar.gz"));
    board.add(2, row("upload 11: ", "part-11.tar.gz"));
    board.add(7, counting("worker 4: ", "readme.md", 700, 900));
    board.add(20, Row::new("elapsed time: ").with_pinned(true).with_elapsed(true));
    board.wait(51);
    board.change(7, Change::default());
    board
        .add(3, Row::new("deploy: ").with_text("waiting for eu-west-1 to answer the health check"));
    board.wait(14);
    let add = |board: &mut Board, job, prefix, text, progress| {
        board.add(job, row(prefix, text).with_progress(progress));
    };
    add(&mut board, 4, "worker 1: ", "part-03.tar.gz", bytes(22.9, 31.5, 3.72, 3));
    add(
        &mut board,
        5,
        "worker 2: ",
        "src/console/live/terminal.rs",
        bytes(0.00293, 0.06104, 0.1143, 1),
    );
    add(
        &mut board,
        6,
        "worker 3: ",
        "「東京スカイツリー」へようこそ.md",
        bytes(112.6, 2293.8, 8.87, 245),
    );
    board.add(8, row("lint: ", "1 remark").with_status(Status::Warning));
    board.add(9, row("scan: ", "examples").with_progress(Progress::new(1_546, None)));
    let overall = Progress::new(19, 55).with_seconds_left(65);
    board.add(10, Row::new("release: ").with_pinned(true).with_progress(overall));
    let files = Progress::new(27, 27).with_unit(Unit::Named("files".into()));
    board.change(1, Change::default().with_progress(files));
    board.end(1, Outcome::Finished);
    board.end(2, Outcome::Failed("connection reset by peer after 5 of 11 parts".into()));
    board
}

// Rules 9, 10, 14, 24
#[test]
fn a_frame_is_a_table_whose_bars_start_in_one_column() {
    release().assert(
        121,
        &[
            "✓ upload 7   part-07.tar.gz  27 files in 1m 05s",
            "✗ upload 11  part-11.tar.gz  connection reset by peer after 5 of 11 parts",
            "⠴ deploy     waiting for eu-west-1 to answer the health check  quiet 14s",
            "⠋ worker 1   part-03.tar.gz                        ━━━━━━━━━━━━━━━━╾──────  72%  22.8/31.5 MiB  3.72 MiB/s       3s left",
            "⠋ worker 2   src/console/live/terminal.rs          ━──────────────────────   4%   3.0/62.5 KiB   117 KiB/s       1s left",
            "⠋ worker 3   「東京スカイツリー」へようこそ.md     ━──────────────────────   4%  0.10/2.24 GiB  8.87 MiB/s   4m 05s left",
            "⠴ worker 4   readme.md                             ━━━━━━━━━━━━━━━━━╾─────  77%        700/900                 quiet 14s",
            "! lint       1 remark",
            "⠋ scan       examples                                                                    1,546",
            "  release    1 failed                              ━━━━━━━╾───────────────  34%          19/55               1m 05s left",
            "  elapsed    1m 05s",
        ],
    );
}

// Rules 10, 14, 16
#[test]
fn rates_give_way_first_for_all_rows() {
    release().assert(
        81,
        &[
            "✓ upload 7   part-07.tar.gz  27 files in 1m 05s",
            "✗ upload 11  part-11.tar.gz  connection reset by peer after 5 of 11 parts",
            "⠴ deploy     waiting for eu-west-1 to answer the health check  quiet 14s",
            "⠋ worker 1   part-03.tar.gz        ━━━━━━━╾───  72%  22.8/31.5 MiB       3s left",
            "⠋ worker 2   src/…/terminal.rs     ╾──────────   4%   3.0/62.5 KiB       1s left",
            "⠋ worker 3   「東京ス…ようこそ.md  ╾──────────   4%  0.10/2.24 GiB   4m 05s left",
            "⠴ worker 4   readme.md             ━━━━━━━━╾──  77%        700/900     quiet 14s",
            "! lint       1 remark",
            "⠋ scan       examples                                        1,546",
            "  release    1 failed              ━━━╾───────  34%          19/55   1m 05s left",
            "  elapsed    1m 05s",
        ],
    );
}

// Rules 14, 16
#[test]
fn the_overall_time_left_stays_the_longest() {
    release().assert(
        51,
        &[
            "✓ upload 7   part-07.tar.gz  27 files in 1m 05s",
            "✗ upload 11  part-11.tar.gz  connection reset by …",
            "⠴ deploy     waiting fo…he health check  quiet 14s",
            "⠋ worker 1   part-03.tar.gz      ━━━━━━━━╾───  72%",
            "⠋ worker 2   src/…/terminal.rs   ╾───────────   4%",
            "⠋ worker 3   「東京…うこそ.md    ╾───────────   4%",
            "⠴ worker 4   readme.md    · 14s  ━━━━━━━━━───  77%",
            "! lint       1 remark",
            "⠋ scan       examples                        1,546",
            "  release    1m 05s left         ━━━━────────  34%",
            "  elapsed    1m 05s",
        ],
    );
    release().assert(
        31,
        &[
            "✓ upload 7   part-07.tar.gz",
            "✗ upload 11  connection reset…",
            "⠴ deploy     wa…eck  quiet 14s",
            "⠋ worker 1   part….tar.gz  72%",
            "⠋ worker 2   src/…inal.rs   4%",
            "⠋ worker 3   「東…こそ.md   4%",
            "⠴ worker 4   readme.md     77%",
            "! lint       1 remark",
            "⠋ scan       examples    1,546",
            "  release    1m 05s left   34%",
            "  elapsed    1m 05s",
        ],
    );
}

// Rule 16
#[test]
fn names_and_percentages_stay_on_the_narrowest_screens() {
    release().assert(
        21,
        &[
            "✓ upl… 7  part…ar.gz",
            "✗ upl…11  connectio…",
            "⠴ deploy  wait…check",
            "⠋ wor… 1  pa…gz  72%",
            "⠋ wor… 2  sr…rs   4%",
            "⠋ wor… 3  「…md   4%",
            "⠴ wor… 4  re…md  77%",
            "! lint    1 remark",
            "⠋ scan    ex…  1,546",
            "  release        34%",
            "  elapsed  1m 05s",
        ],
    );
    for (columns, shown) in [(1, ""), (2, "…"), (5, "⠋ c…"), (14, "⠋ copy    50%")] {
        Board::of(counting("copy: ", "", 1, 2)).assert(columns, &[shown]);
    }
}

// Rule 10
#[test]
fn a_bar_shows_starts_and_never_looks_full_early() {
    for (position, total, shown) in [
        (0, 7, "  0%  0/7"),
        (1, 1_000_000, "╾  0%          1/1,000,000"),
        (3, 7, "━━━━━━━━━━ 42%  3/7"),
        (999_999, 1_000_000, "━━━━━━━━━━━━━━━━━━━━━━━╾ 99%    999,999/1,000,000"),
        (7, 7, "━━━━━━━━━━━━━━━━━━━━━━━━100%  7/7"),
        (6, 5, "━━━━━━━━━━━━━━━━━━━━━━━━120%  6/5"),
        (u64::MAX, 1, "━━━━━━━━━━━━━━━━━━━━━━━━999%  18,446,744,073,709,551,615/1"),
        (3, 0, "  3/0"),
        (u64::MAX, u64::MAX, "━━━━━━━━━━━━━━━━━━━━━━━━100%  18.4/18.4E"),
    ] {
        let shows = Board::of(counting("", "", position, total)).shows(120, 24);
        let shown = shown
            .replace("━ ", "━  ")
            .replace("╾ ", "╾  ")
            .replace("━1", "━ 1")
            .replace("━9", "━ 9");
        let without_left: String = shows.chars().filter(|c| *c != '─').collect();
        let squeezed = without_left.trim_start_matches(['⠋', ' ']).trim_end().to_string();
        assert_eq!(squeezed, shown.trim_start(), "{position} of {total}");
        let bar = shows.chars().filter(|c| "━╾─".contains(*c)).count();
        assert_eq!(bar, 24);
    }
}

// Rules 10, 14
#[test]
fn a_count_without_a_total_follows_the_text() {
    let mut board = Board::of(row("scan: ", "src").with_progress(Progress::new(1_546, None)));
    board.assert(80, &["⠋ scan  src  1,546"]);
    let rate = Progress::new(1_546, None).with_rate(1_500_000);
    board.change(1, Change::default().with_progress(rate));
    board.assert(80, &["⠋ scan  src  1,546  1.50k/s"]);
    board.wait(15);
    board.assert(80, &["⠴ scan  src  1,546  quiet 15s"]);
    board.assert(26, &["⠴ scan  src  1,546  · 15s"]);
    board.assert(20, &["⠴ scan  src  1,546"]);
}

// Rule 10
#[test]
fn the_text_of_a_closure_takes_the_place_of_the_count() {
    let page = Progress::new(1, 2).with_text("page\n1");
    Board::of(row("read: ", "a").with_progress(page))
        .assert(60, &["⠋ read  a     ━━━━━━━━━━━━────────────  50%  page 1"]);
    let page = Progress::new(1, None).with_text("page 1");
    Board::of(row("read: ", "a").with_progress(page)).assert(60, &["⠋ read  a  page 1"]);
}

// Rule 9
#[test]
fn prefixes_have_a_column_and_no_separator() {
    let mut board = Board::default();
    for (job, (prefix, text)) in
        (1..).zip([("worker  1: ", "a"), ("b", "c"), ("", "d"), ("url:  ", ""), ("a::b", "e")])
    {
        board.add(job, row(prefix, text));
    }
    let rows = ["⠋ worker  1  a", "⠋ b          c", "⠋            d", "⠋ url", "⠋ a::b       e"];
    board.assert(80, &rows);
}

// Rule 11
#[test]
fn a_subtask_has_a_branch_while_it_runs() {
    let mut board = Board::default();
    board.add(1, row("docs: ", "1 broken link"));
    board.add(2, counting("images: ", "", 7, 20).with_parent(id(1)));
    board.assert(
        60,
        &["⠋ docs      1 broken link", "⠋ └ images  ━━━━━━━━────────────────  35%   7/20"],
    );
    board.end(2, Outcome::Finished);
    board.assert(60, &["✓ images  7/20", "⠋ docs    1 broken link"]);
}

// Rule 9
#[test]
fn a_state_behind_a_prefix_stands_before_the_text() {
    let mut board = Board::default();
    board.add(1, row("worker  1: (paused) (restarted 1) ", "item 1"));
    board.add(2, row("worker  2: (paused) ", ""));
    board.add(3, row("f(x): (y", "z"));
    let rows =
        ["⠋ worker  1  (paused) (restarted 1) item 1", "⠋ worker  2  (paused)", "⠋ f(x): (y   z"];
    board.assert(80, &rows);
}

// Rule 9
#[test]
fn a_prefix_that_is_pinned_or_alone_may_run_on() {
    let mut board = Board::default();
    let long = "the long name of a row: ";
    board.add(1, row("a: ", "b"));
    board.add(2, row(long, ""));
    board.add(3, row(long, "text"));
    board.add(4, row(long, "text").with_pinned(true));
    board.assert(
        40,
        &[
            "⠋ a              b",
            "⠋ the long name of a row",
            "⠋ the long… row  text",
            "  the long name of a row  text",
        ],
    );
}

// Rules 5, 12
#[test]
fn a_finished_row_is_one_line_with_what_it_did() {
    let mut board = Board::default();
    let bytes = Progress::new(47 * MIB, 47 * MIB).with_unit(Unit::Bytes);
    board.add(1, row("fetch: ", "corpus-2026.tar.zst").with_progress(bytes));
    board.add(2, counting("part: ", "a", 5, 11));
    board.add(3, row("lint: ", ""));
    board.wait(12);
    (1..=3).for_each(|job| board.end(job, Outcome::Finished));
    board.assert(
        80,
        &[
            "✓ fetch  corpus-2026.tar.zst  47.0 MiB in 12s",
            "✓ part   a  5/11 in 12s",
            "✓ lint   in 12s",
        ],
    );
    board.assert(
        40,
        &["✓ fetch  corpus-2026.tar.zst  in 12s", "✓ part   a  5/11 in 12s", "✓ lint   in 12s"],
    );
    board.assert(25, &["✓ fetch  co….zst  in 12s", "✓ part   a  5/11 in 12s", "✓ lint   in 12s"]);
    board.assert(16, &["✓ fetch  co…zst", "✓ part   a", "✓ lint   in 12s"]);
}

// Rule 12
#[test]
fn a_finished_count_without_a_unit_says_of_what() {
    let mut board = Board::default();
    let files = Progress::new(27, 27).with_unit(Unit::Named("files".into()));
    board.add(1, row("a: ", "").with_progress(files));
    board.add(2, counting("b: ", "", 27, 27));
    board.add(3, row("c: ", "").with_progress(Progress::new(1_546, None)));
    (1..=3).for_each(|job| board.end(job, Outcome::Finished));
    board.assert(80, &["✓ a  27 files", "✓ b  27/27", "✓ c  1,546"]);
}

// Rules 5, 12
#[test]
fn a_reason_is_cut_on_the_board_and_whole_above_it() {
    let mut board = Board::default();
    board.add(1, row("copy: ", "a_long_name.txt"));
    board.end(1, Outcome::Failed("there is no space left on the device".into()));
    board.assert(60, &["✗ copy  a_long_name.txt  there is no space left on the dev…"]);
    board.assert(40, &["✗ copy  a_long_name.txt  there is no s…"]);
    board.assert(36, &["✗ copy  a_lon…ame.txt  there is no…"]);
    board.assert(31, &["✗ copy  there is no space lef…"]);
    board.wait(1);
    board.assert(63, &["✗ copy  a_long_name.txt  there is no space left on the device"]);
    let below = ["✗ copy  a_long_name.txt", "    there is no space left on the device"];
    board.assert(60, &below);
    board.assert(10, &below);
}

// Rules 5, 12
#[test]
fn each_line_of_a_reason_has_a_line() {
    let mut board = Board::of(row("copy: ", "a"));
    board.end(1, Outcome::Failed("no space\ncaused by:\n  the disk".into()));
    board.assert(80, &["✗ copy  a  no space caused by:   the disk"]);
    board.wait(1);
    let rows = ["✗ copy  a", "    no space", "    caused by:", "      the disk"];
    board.assert(80, &rows);
}

// Rule 5
#[test]
fn the_close_ends_every_row() {
    let mut board = Board::default();
    board.add(1, Row::new("elapsed time: ").with_pinned(true).with_elapsed(true));
    board.add(2, row("", "works"));
    board.add(3, row("", "serves"));
    board.change(3, Change::default().with_detached(true));
    board.wait(65);
    board.close();
    board.wait(65);
    let rows = ["…          works  abandoned", "           serves", "  elapsed  1m 05s"];
    board.assert(80, &rows);
}

// Rule 13
#[test]
fn elapsed_time_follows_the_text() {
    let mut board = Board::of(row("serve: ", "port 80").with_elapsed(true));
    for (seconds, shown) in [
        (0, "  serve  port 80 · 0s"),
        (59, "  serve  port 80 · 59s"),
        (3_700, "  serve  port 80 · 1h 01m"),
        (273_600, "  serve  port 80 · 3d 04h"),
    ] {
        board.now = Duration::from_secs(seconds);
        board.assert(80, &[shown]);
    }
}

// Rule 14
#[test]
fn a_quiet_row_says_so_in_place_of_its_rate_and_time_left() {
    let numbers = Progress::new(4, 8).with_rate(1_500).with_seconds_left(3);
    let mut board = Board::of(row("copy: ", "a.txt").with_progress(numbers));
    for (seconds, end) in [
        (9, "4/8  1.50/s       3s left"),
        (10, "4/8             quiet 10s"),
        (59, "4/8             quiet 59s"),
        (60, "4/8              quiet 1m"),
        (3_599, "4/8             quiet 59m"),
        (7_800, "4/8          quiet 2h 10m"),
    ] {
        board.now = Duration::from_secs(seconds);
        let shows = board.shows(90, 24);
        let numbers = shows.split_once("50%  ").expect("a percentage").1;
        assert_eq!(numbers.trim_end(), end, "{seconds} s");
    }
    board.change(1, Change::default());
    assert!(board.shows(80, 24).ends_with("3s left\n"));
}

// Rule 14
#[test]
fn pinned_and_detached_rows_are_never_quiet() {
    let mut board = Board::default();
    board.add(1, row("detached: ", "a"));
    board.add(2, row("pinned: ", "b").with_pinned(true));
    board.change(1, Change::default().with_detached(true));
    board.wait(30);
    board.assert(80, &["  detached  a", "  pinned    b"]);
}

// Rule 11
#[test]
fn completed_running_and_pinned_rows_have_zones() {
    let mut board = Board::default();
    board.add(1, row("", "pinned").with_pinned(true));
    for (job, name) in [(2, "a"), (3, "b"), (4, "c"), (5, "d")] {
        board.add(job, row("", name));
    }
    board.end(4, Outcome::Finished);
    board.end(2, Outcome::Finished);
    board.assert(80, &["✓ c", "✓ a", "⠋ b", "⠋ d", "  pinned"]);
    board.end(1, Outcome::Finished);
    board.assert(80, &["✓ c", "✓ a", "✓ pinned", "⠋ b", "⠋ d"]);
}

// Rule 11
#[test]
fn a_pinned_row_without_a_text_counts_failures() {
    let mut board = Board::default();
    board.add(1, Row::new("all: ").with_pinned(true));
    board.add(2, row("a", ""));
    board.add(3, row("b", ""));
    board.assert(80, &["⠋ a", "⠋ b", "  all"]);
    board.end(2, Outcome::Failed("why".into()));
    board.end(3, Outcome::Panicked);
    board.wait(1);
    board.assert(80, &["✗ a  why", "✗ b  panicked", "  all  2 failed"]);
    board.change(1, text("nearly done"));
    assert!(board.shows(80, 24).ends_with("  all  nearly done\n"));
}

// Rule 12
#[test]
fn a_line_follows_the_rows_completed_before_it() {
    let mut board = Board::default();
    board.add(1, row("", "a"));
    board.add(2, row("", "b"));
    board.end(2, Outcome::Finished);
    board.print("a line");
    board.end(1, Outcome::Finished);
    board.assert(80, &["✓ b", "a line", "✓ a"]);
}

// Rule 17
#[test]
fn rows_without_room_are_counted_with_those_that_failed_or_are_quiet() {
    let mut board = Board::default();
    for job in 1..=9 {
        board.add(job, row("", &format!("job {job}")));
    }
    board.wait(10);
    for (job, status) in [(1, Status::Error), (2, Status::Normal), (3, Status::Error)] {
        board.change(job, Change::default().with_status(status));
    }
    let last = |columns, rows| board.shows(columns, rows).lines().last().unwrap_or("").to_owned();
    assert_eq!(last(80, 10), "⠋ job 9  quiet 10s");
    assert_eq!(last(80, 5), "  … 6 more: 6 quiet");
    assert_eq!(last(80, 3), "  … 8 more: 1 failed, 6 quiet");
    assert_eq!(last(25, 3), "  … 8 more: 1 failed");
    assert_eq!(last(15, 3), "  … 8 more");
    assert_eq!(last(80, 2), "  … 9 more: 2 failed, 6 quiet");
    assert_eq!(board.shows(80, 1), "");
}

// Rule 16
#[test]
fn rows_fit_every_size() {
    let mut board = Board::default();
    for job in 1..=4 {
        let row = row("漢字: ", "漢字 and text").with_pinned(job == 4);
        board.add(job, row.with_progress(Progress::new(1, 2)));
    }
    board.end(1, Outcome::Failed("a 漢字 message".into()));
    board.wait(20);
    // The failed row has left the board and may be of any width.
    board.assert_fits(|_, row| !row.contains('✗') && !row.contains("message"));
}

// Rule 16
#[test]
fn a_prefix_without_a_text_does_not_move_its_bar() {
    for pinned in [false, true] {
        let mut board = Board::default();
        for (job, prefix) in [(1, "worker 0: "), (2, "b: "), (3, "worker 12: ")] {
            let row = row(prefix, "").with_progress(Progress::new(9, 9));
            board.add(job, row.with_pinned(pinned && job != 2));
        }
        for columns in 16..40 {
            let shown = board.shows(columns, 40);
            let mut bars = shown.lines().map(|row| row.find('━').map(|at| columns_before(row, at)));
            let first = bars.next().expect("three rows");
            assert!(bars.all(|bar| bar == first), "{columns} columns:\n{shown}");
            assert!(
                shown.lines().all(|row| row.ends_with(" 100%") || row.ends_with(" 9/9")),
                "{columns} columns:\n{shown}"
            );
        }
    }
}

// Rule 16
#[test]
fn a_bar_is_not_long_at_the_cost_of_pinned_numbers() {
    let mut board = Board::default();
    let bytes = |done, total| Progress::new(done * MIB, total * MIB).with_unit(Unit::Bytes);
    board.add(1, row("worker 1: ", "corpus.tar").with_progress(bytes(170, 286)));
    let total = bytes(355, 914).with_seconds_left(2);
    board.add(2, row("total: ", "0/484").with_progress(total).with_pinned(true));
    board.assert(
        80,
        &[
            "⠋ worker 1  corpus.tar    ━━━━━━━━━━━━─────────  59%  170/286 MiB",
            "  total     0/484         ━━━━━━━━─────────────  38%  355/914 MiB       2s left",
        ],
    );
    board.assert(
        70,
        &[
            "⠋ worker 1  corpus.tar    ━━━━━━━━━━━━━━──────────  59%  170/286 MiB",
            "  total     0/484         ━━━━━━━━━───────────────  38%       2s left",
        ],
    );
}

// Rule 9
#[test]
fn a_pinned_prefix_has_the_column_if_no_row_has_a_text() {
    let mut board = Board::default();
    board.add(1, counting("link: ", "", 588, 1_232));
    board.add(2, counting("steps: ", "", 2, 4).with_pinned(true));
    board.assert(
        60,
        &[
            "⠋ link   ━━━━━━━━━━━─────────────  47%    588/1,232",
            "  steps  ━━━━━━━━━━━━────────────  50%          2/4",
        ],
    );
}

/// A row of any kind, and whether it is detached.
fn any_row() -> impl Strategy<Value = (Row, bool)> {
    let prefix = prop_oneof!["[a-z]{0,6}: ", "worker [0-9]{1,2}: ", "[a-z漢字 ]{0,30}"];
    let text = prop_oneof!["[a-z.]{0,12}", "[a-z/.]{0,60}", "[a-z漢字 ]{0,40}"];
    let status = prop::sample::select(vec![
        Status::Normal,
        Status::Normal,
        Status::Success,
        Status::Warning,
        Status::Error,
    ]);
    let total = prop::option::of(1..2_000_000_000_u64);
    let numbers =
        (total, 0..100_u64, prop::option::of(1..u64::MAX), prop::option::of(1..999_999_u64));
    (prefix, text, status, any::<[bool; 4]>(), numbers).prop_map(
        |(prefix, text, status, [counts, bytes, pinned, detached], (total, done, rate, left))| {
            let position = total.map_or(done, |total| total / 100 * done);
            let unit = if bytes { Unit::Bytes } else { Unit::Items };
            let progress = Progress::new(position, total).with_unit(unit);
            let progress = progress.with_rate(rate).with_seconds_left(left);
            let row = row(&prefix, &text).with_status(status).with_pinned(pinned);
            (row.with_progress(counts.then_some(progress)), detached && !pinned)
        },
    )
}

/// The columns of a row up to a byte.
fn columns_before(row: &str, byte: usize) -> usize {
    row[..byte].chars().map(|c| 1 + usize::from("漢字".contains(c))).sum()
}

fn board_of(rows: Vec<(Row, bool)>) -> Board {
    let mut board = Board::default();
    for (job, (row, detached)) in (1..).zip(rows) {
        board.add(job, row);
        board.change(job, Change::default().with_detached(detached));
    }
    board.wait(2);
    board
}

proptest! {
    // Rules 9, 16
    #[test]
    fn rows_fit_and_their_bars_start_in_one_column(
        rows in prop::collection::vec(any_row(), 0..12),
        columns in 20..200_u16,
    ) {
        let shown = board_of(rows).shows(columns, 40);
        let mut bars = Vec::new();
        for row in shown.lines() {
            prop_assert!(columns_before(row, row.len()) < usize::from(columns), "{}", row);
            bars.extend(row.find(['━', '╾', '─']).map(|at| columns_before(row, at)));
        }
        prop_assert!(bars.windows(2).all(|two| two[0] == two[1]), "{}", shown);
    }

    // Rules 10, 15
    #[test]
    fn a_tick_moves_nothing_and_time_changes_marks_only(
        rows in prop::collection::vec(any_row(), 1..8),
        columns in 20..200_u16,
        ticked in any::<prop::sample::Index>(),
    ) {
        let mut board = board_of(rows.clone());
        let before = board.shows(columns, 40);
        board.now += Duration::from_millis(100);
        let after = board.shows(columns, 40);
        let without_mark = |row: &str| row.chars().skip(1).collect::<String>();
        prop_assert!(before.lines().map(without_mark).eq(after.lines().map(without_mark)));

        let job = ticked.index(rows.len());
        let Some(progress) = rows[job].0.progress.clone() else { return Ok(()) };
        let Some(total) = progress.total else { return Ok(()) };
        let at = |position| Progress::new(position, total).with_unit(progress.unit.clone());
        let tick = at(total.min(progress.position + 1));
        let start = |shown: &str| {
            let bar = |row: &str| row.find(['━', '╾', '─']).map(|at| columns_before(row, at));
            shown.lines().map(bar).collect::<Vec<_>>()
        };
        let same = at(progress.position);
        board.change(job as u64 + 1, Change::default().with_progress(same));
        let before = board.shows(columns, 40);
        board.change(job as u64 + 1, Change::default().with_progress(tick));
        prop_assert_eq!(start(&board.shows(columns, 40)), start(&before));
    }
}
