//! Themes: marks, colors and bars, and ASCII.

use std::time::Duration;

use active_status::console::Part;
use active_status::testing::{Screen, VirtualClock};
use active_status::{Board, Console, JobOptions, Outcome, Status, Theme, board_with_clock};
use anstyle::{AnsiColor, Effects};

use crate::harness::{Show, millis, screen};

/// A board with the given theme, and its console.
fn shown(
    theme: Theme,
    color: bool,
    time: &VirtualClock,
) -> (Board, Show<impl Future<Output = ()> + use<>>) {
    let (board, events) = board_with_clock(time.reader());
    let console = Console::live().clock(time.reader()).size(40, 10).theme(theme).color(color);
    let show = Show::new(|reporter| console.output(reporter).run(events, time.timer()));
    (board, show)
}

/// The bytes that show a board after `happens` and an idle minute.
fn bytes(theme: Theme, color: bool, happens: impl FnOnce(&Board)) -> String {
    let time = VirtualClock::new();
    let (board, mut show) = shown(theme, color, &time);
    happens(&board);
    let mut bytes = show.frame();
    time.advance(millis(100));
    show.settle();
    time.advance(Duration::from_secs(60));
    bytes += &show.frame();
    board.close();
    time.advance(millis(100));
    bytes + &show.end().1
}

/// A board with a row of every kind.
fn all_kinds(board: &Board) {
    board.add_job("1: ").finish();
    board.add_job("2: ").fail("no space");
    board.add_job("3: ").end(Outcome::Panicked);
    board.add_job("4: ").end(Outcome::Cancelled);
    board.add_job(JobOptions::new().prefix("5: ").text("text").elapsed(true)).detach();
    board.add_job("6: a text that is wider than the screen is").detach();
    board.add_job("7: ").tick();
    let bar = board.add_job(JobOptions::new().prefix("8: ").total(2));
    bar.tick();
    bar.detach();
}

// Rule 16
#[test]
fn an_ascii_board_writes_only_ascii() {
    let bytes = bytes(Theme::ascii(), true, all_kinds);
    assert!(bytes.is_ascii(), "{bytes:?}");
    assert_eq!(
        screen(&bytes),
        "+ 1  in 0.0s\nx 2  no space\nx 3  panicked\no 4  cancelled\no 7  cancelled\n  \
         5  text - 1m 00s\n  6: a text that is wider ~he screen i~\n  8  1/2"
    );
}

#[test]
fn hidden_and_quiet_rows_are_ascii_as_well() {
    let time = VirtualClock::new();
    let (board, mut show) = shown(Theme::ascii(), true, &time);
    let _jobs: Vec<_> = (1..=10).map(|job| board.add_job(format!("job {job}"))).collect();
    let mut bytes = show.frame();
    while time.now() < millis(10_000) {
        time.advance(millis(100));
        bytes += &show.frame();
    }
    assert!(bytes.is_ascii(), "{bytes:?}");
    let screen = screen(&bytes);
    assert!(screen.starts_with("- job 1  quiet 10s\n"), "{screen}");
    assert!(screen.ends_with("\n  ~ 2 more: 2 quiet"), "{screen}");
}

// Rule 16
#[test]
fn no_mark_is_a_character_of_the_spinner() {
    let time = VirtualClock::new();
    let (board, mut events) = time.board();
    let mut screen = Screen::new(40, 20).with_theme(Theme::ascii());
    let ends = [
        Outcome::Finished,
        Outcome::Failed("a".into()),
        Outcome::Panicked,
        Outcome::Cancelled,
        Outcome::Abandoned,
    ];
    ends.into_iter().for_each(|outcome| board.add_job("ended").end(outcome));
    board.add_job(JobOptions::new().prefix("a").status(Status::Warning)).detach();
    let rows = screen.show(&mut events).rows();
    assert_eq!(rows.len(), 6);
    assert!(rows.iter().all(|row| !row.starts_with(['|', '/', '-', '\\'])), "{rows:#?}");
}

#[test]
fn marks_can_be_chosen_if_they_take_one_column() {
    let marks = |theme: Theme| {
        let (board, mut events) = VirtualClock::new().board();
        let row = |outcome| board.add_job("row").end(outcome);
        row(Outcome::Finished);
        row(Outcome::Failed("why".into()));
        row(Outcome::Cancelled);
        row(Outcome::Abandoned);
        board.add_job(JobOptions::new().status(Status::Warning)).detach();
        let mut screen = Screen::new(40, 10).with_theme(theme);
        let rows = screen.show(&mut events).rows().iter();
        rows.filter_map(|row| row.chars().next()).collect::<String>()
    };
    let all = |c| Theme::new().finished(c).failed(c).cancelled(c).abandoned(c).warning(c);
    assert_eq!(marks(all('*')), "*****");
    for wide in ['漢', '\u{301}', '\u{1b}', '\n'] {
        assert_eq!(marks(all(wide)), "✓✗⊘…!");
    }
}

#[test]
fn a_spinner_and_a_bar_can_be_chosen_if_they_take_one_column_each() {
    for (steps, left, drawn) in [
        ("█", ' ', "██████████████   "),
        ("▏▎▍▌▋▊▉█", '·', "██████████████▋··"),
        ("漢", ' ', "━━━━━━━━━━━━━━╾──"),
        ("█", '\u{301}', "━━━━━━━━━━━━━━╾──"),
        ("", '.', "━━━━━━━━━━━━━━╾──"),
        ("\u{1b}", ' ', "━━━━━━━━━━━━━━╾──"),
        ("█", '\n', "━━━━━━━━━━━━━━╾──"),
        ("\u{2028}", ' ', "━━━━━━━━━━━━━━╾──"),
    ] {
        let (board, mut events) = VirtualClock::new().board();
        let job = board.add_job(JobOptions::new().prefix("a").total(30));
        job.set_position(20);
        let theme = Theme::new().bar(steps, left).spinner("◐◓").spinner("漢").spinner("");
        let mut screen = Screen::new(40, 10).with_theme(theme);
        let row = &screen.show(&mut events).rows()[0];
        assert!(row.contains(drawn) && row.starts_with('◐'), "{steps:?} {left:?}: {row}");
    }
}

// Rule 22
#[test]
fn rows_are_the_same_without_color() {
    let theme =
        Theme::new().color(Status::Normal, AnsiColor::Blue.on_default() | Effects::UNDERLINE);
    let [with, without] = [true, false].map(|color| bytes(theme.clone(), color, all_kinds));
    assert_eq!(screen(&with), screen(&without));
    assert!(with.contains("\u{1b}[34m") && without.contains("\u{1b}[4m"), "effects remain");
    let colors = (30..38).chain(90..98).map(|color| format!("\u{1b}[{color}m"));
    assert!(colors.into_iter().all(|color| !without.contains(&color)), "{without:?}");
}

#[test]
fn each_part_of_a_row_has_a_style() {
    let mark = AnsiColor::Magenta.on_default();
    for (part, run) in [
        (Part::Pinned, "━━━━━"),
        (Part::Cancelled, "⊘"),
        (Part::Reason, "no space"),
        (Part::Faint, "─────"),
        (Part::Strong, "8"),
    ] {
        let bytes = bytes(Theme::new().style(part, mark), true, |board| {
            all_kinds(board);
            let pinned = board.add_job(JobOptions::new().prefix("8").pinned(true).total(2));
            pinned.tick();
            pinned.detach();
        });
        assert!(bytes.contains(&format!("\u{1b}[35m{run}")), "{part:?}: {bytes:?}");
    }
}
