//! Numbers in rows are whole: a screen shows a number as the widest screen does, or not at all.

use std::collections::BTreeSet;
use std::time::Duration;

use active_status::event::{Change, Progress, Row};
use active_status::progress::Unit;
use active_status::testing::Screen;
use active_status::{Event, Outcome, Status};
use proptest::prelude::*;

use crate::shown::{Board, id};

/// A screen on which everything has room.
const WIDEST: u16 = 1_000;

/// What becomes of a job, besides the progress in its row.
#[derive(Clone, Debug)]
enum Act {
    Works,
    /// The job gets no update for the time of the board.
    IsQuiet,
    Finishes,
    Fails,
}

/// A row of any kind whose names have no letter of ASCII, so that each digit and each letter
/// in the drawn row belongs to a number.
fn any_job() -> impl Strategy<Value = (Row, Act)> {
    let prefix = prop_oneof!["[α-ω]{1,6}: ", "[α-ω漢字]{1,30}: "];
    let text = prop_oneof!["[α-ω]{0,12}", "[α-ω/]{0,60}", "[α-ω漢字]{0,40}"];
    let act =
        prop_oneof![Just(Act::Works), Just(Act::IsQuiet), Just(Act::Finishes), Just(Act::Fails)];
    let status = prop::sample::select(vec![Status::Normal, Status::Warning, Status::Error]);
    (prefix, text, any_progress(), status, any::<[bool; 3]>(), act).prop_map(
        |(prefix, text, progress, status, [pinned, elapsed, subtask], act)| {
            let row = Row::new(prefix).with_text(text).with_progress(progress);
            let row = row.with_status(status).with_parent(subtask.then_some(id(1)));
            (row.with_pinned(pinned).with_elapsed(elapsed && pinned), act)
        },
    )
}

fn any_progress() -> impl Strategy<Value = Option<Progress>> {
    let magnitude = |most: u32| (0..most).prop_flat_map(|bits| 0..=(1_u64 << bits));
    let unit = prop::sample::select(vec![
        Unit::Items,
        Unit::Bytes,
        Unit::DecimalBytes,
        Unit::Named("files".into()),
    ]);
    let total = prop::option::of(magnitude(62));
    let rate = prop::option::of(magnitude(64));
    let left = prop::option::of(magnitude(30));
    let progress =
        (magnitude(62), total, unit, rate, left).prop_map(|(position, total, unit, rate, left)| {
            let progress = Progress::new(position, total).with_unit(unit);
            progress.with_rate(rate).with_seconds_left(left)
        });
    prop::option::of(progress)
}

fn board_of(jobs: Vec<(Row, Act)>, quiet: Duration) -> Board {
    let mut board = Board::default();
    for (job, (row, _)) in (1..).zip(&jobs) {
        board.add(job, row.clone());
    }
    board.now += quiet;
    for (job, (_, act)) in (1..).zip(jobs) {
        match act {
            Act::Works => board.change(job, Change::default()),
            Act::IsQuiet => {}
            Act::Finishes => board.end(job, Outcome::Finished),
            Act::Fails => board.end(job, Outcome::Failed("ΩΩΩ ΩΩΩ ΩΩΩ ΩΩΩ ΩΩΩ".into())),
        }
    }
    board
}

/// Returns the numbers of a row: what stands between names, bars and gaps.
fn numbers(row: &str) -> BTreeSet<&str> {
    let parts = row.split(|c: char| !c.is_ascii()).flat_map(|part| part.split("  "));
    let parts = parts.flat_map(|part| part.split(": ")).flat_map(|part| part.split(", "));
    let parts = parts.flat_map(|part| part.split(" in ")).flat_map(split_percentage);
    let words = |part: &'static str| move |text| str::trim_start_matches(text, part);
    let parts = parts.map(str::trim).map(words("in ")).map(words("quiet "));
    parts.filter(|part| part.contains(|c: char| c.is_ascii_alphanumeric())).collect()
}

/// Splits a number from the percentage in the next column.
fn split_percentage(part: &str) -> [&str; 2] {
    part.rsplit_once(' ').filter(|(_, last)| last.ends_with('%')).map_or([part, ""], <[_; 2]>::from)
}

/// Returns the rows of a board, without the lines below a row that left it.
fn rows(shown: &str) -> Vec<&str> {
    shown.lines().filter(|line| !line.starts_with("    ")).collect()
}

/// Checks that each number that a screen shows is one of those that the widest shows.
fn check(widest: &str, shown: &str) -> Result<(), TestCaseError> {
    let (whole, rows) = (rows(widest), rows(shown));
    prop_assert_eq!(whole.len(), rows.len(), "{}{}", widest, shown);
    for (whole, row) in whole.into_iter().zip(rows) {
        let cut: Vec<_> = numbers(row).difference(&numbers(whole)).copied().collect();
        prop_assert!(cut.is_empty(), "{:?} in\n{}\nof\n{}", cut, shown, widest);
    }
    Ok(())
}

// Rules 13, 16
#[test]
fn an_elapsed_time_is_never_cut() {
    let row = Row::new("serve: ").with_text("port 80").with_pinned(true).with_elapsed(true);
    let mut board = Board::of(row);
    board.wait(65);
    board.assert(40, &["  serve  port 80 · 1m 05s"]);
    board.assert(25, &["  serve  por…80 · 1m 05s"]);
    board.assert(22, &["  serve  po… · 1m 05s"]);
    board.assert(18, &["  serve  1m 05s"]);
    board.assert(13, &["  serve"]);
}

// Rules 9, 16
#[test]
fn a_number_of_failures_is_never_cut() {
    let mut board = Board::of(Row::new("release: ").with_pinned(true));
    for job in 2..=13 {
        board.add(job, Row::new("upload: "));
        board.end(job, Outcome::Failed("why".into()));
    }
    board.wait(2);
    let assert_last = |board: &Board, columns, row| {
        assert_eq!(board.shows(columns, 40).lines().last(), Some(row), "{columns} columns");
    };
    assert_last(&board, 21, "  release  12 failed");
    assert_last(&board, 20, "  release");
    let progress = Progress::new(7, 55).with_seconds_left(20);
    board.change(1, Change::default().with_progress(progress.clone()));
    board.add(20, Row::new("worker: ").with_text("compiling libc").with_progress(progress));
    assert_last(&board, 50, "  release  20s left         ━━──────────────  12%");
}

// Rules 10, 16
#[test]
fn a_rate_wider_than_its_column_stands_behind_the_text() {
    let mut board = Board::default();
    let bytes = Progress::new(700, None).with_unit(Unit::Bytes).with_rate(3_900_000_000);
    board.add(1, Row::new("read: ").with_text("a").with_progress(bytes));
    let items = Progress::new(7, 20).with_rate(1_500);
    board.add(2, Row::new("hash: ").with_text("b").with_progress(items));
    board.assert(
        80,
        &[
            "⠋ read  a  3.71 MiB/s                        700 B",
            "⠋ hash  b     ━━━━━━━━────────────────  35%   7/20  1.50/s",
        ],
    );
}

// Rules 14, 16
#[test]
fn a_count_leaves_its_column_before_the_time_of_silence_is_dropped() {
    let mut board = Board::default();
    let prefix = "the long name of a row without a text: ";
    board.add(1, Row::new(prefix).with_progress(Progress::new(1_000, None)));
    board.add(2, Row::new("copy: ").with_text("a").with_progress(Progress::new(1, 2)));
    let first = |board: &Board| board.shows(120, 40).lines().next().map(str::to_owned);
    let name = prefix.trim_end_matches(": ");
    assert_eq!(first(&board), Some(format!("⠋ {name}    1,000")));
    board.wait(14);
    assert_eq!(first(&board), Some(format!("⠼ {name}  1,000  quiet 14s")));
}

proptest! {
    // Rules 10, 14, 16, 17
    #[test]
    fn each_number_of_a_row_is_whole_or_absent(
        jobs in prop::collection::vec(any_job(), 1..10),
        quiet in 0..200_000_u64,
        after in 0..1_500_u64,
        columns in 20..200_u16,
        screen_rows in 2..16_u16,
    ) {
        let mut board = board_of(jobs, Duration::from_millis(quiet));
        board.now += Duration::from_millis(after);
        let widest = board.shows(WIDEST, screen_rows);
        let shown = board.shows(columns, screen_rows);
        check(&widest, &shown)?;
    }

    // Rules 10, 16
    #[test]
    fn columns_that_keep_their_width_cut_no_number(
        jobs in prop::collection::vec(any_job(), 1..8),
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), any_progress(), 0..3_000_u64),
            1..12,
        ),
        columns in 20..200_u16,
    ) {
        let mut screens = [WIDEST, columns].map(|columns| Screen::new(columns, 24));
        let apply = |screens: &mut [Screen; 2], event| {
            screens.iter_mut().for_each(|screen| screen.apply(&event));
        };
        let mut at = Duration::ZERO;
        for (job, (row, _)) in (1..).zip(&jobs) {
            apply(&mut screens, Event::Added { at, job: id(job), row: row.clone() });
        }
        for (job, progress, wait) in changes {
            at += Duration::from_millis(wait);
            let job = id(job.index(jobs.len()) as u64 + 1);
            let change = Change::default().with_progress(progress);
            apply(&mut screens, Event::Changed { at, job, change });
            let [widest, shown] = screens.each_mut().map(|screen| screen.draw(at).to_string());
            check(&widest, &shown)?;
        }
    }
}
