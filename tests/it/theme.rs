//! Themes: marks, colors and bars, and ASCII.

use std::time::Duration;

use active_status::console::{Part, RowView};
use active_status::testing::{Screen, VirtualClock};
use active_status::{Board, Console, JobOptions, Outcome, Status, Theme, board_with_clock};
use anstyle::{AnsiColor, Effects, Style};

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
        "+ 1\nx 2  no space\nx 3  panicked\no 4  cancelled\no 7  cancelled\n  \
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

#[test]
fn a_look_changes_only_the_rows_that_name_it() {
    let other = Theme::ascii().finished('*').color(Status::Normal, AnsiColor::Blue.on_default());
    for (theme, rows, mark) in [
        (
            Theme::new(),
            [
                "⠋ a  text  ━━━━╾──────────────  25%  1/4",
                "| b  text  ####...............  25%  1/4",
                "⠋ c  text  ━━━━╾──────────────  25%  1/4",
            ],
            '✓',
        ),
        (
            Theme::classic(),
            [
                "a: text ▓▓▓▓▓░░░░░░░░░░░░░░░░  25% - 1/4",
                "b: text #####................  25% - 1/4",
                "c: text ▓▓▓▓▓░░░░░░░░░░░░░░░░  25% - 1/4",
            ],
            '✔',
        ),
    ] {
        let (board, mut events) = VirtualClock::new().board();
        let mut screen = Screen::new(41, 10).with_theme(theme.look("other", other.clone()));
        let jobs = [("a: ", ""), ("b: ", "other"), ("c: ", "unknown")].map(|(prefix, look)| {
            let job = board.add_job(JobOptions::from(prefix).text("text").total(4).look(look));
            job.tick();
            job
        });
        assert_eq!(screen.show(&mut events).rows(), rows);
        jobs.into_iter().for_each(|job| job.finish());
        for (row, mark) in screen.show(&mut events).rows().iter().zip([mark, '*', mark]) {
            assert!(row.contains(mark), "{row}");
        }
    }
}

// Rule 9
#[test]
fn a_look_has_its_own_colors() {
    let blue = Theme::new().color(Status::Normal, AnsiColor::Blue.on_default());
    let time = VirtualClock::new();
    let (board, mut show) = shown(Theme::new().look("blue", blue), true, &time);
    let jobs = ["blue", ""].map(|look| {
        let job = board.add_job(JobOptions::new().total(2).look(look));
        job.tick();
        job
    });
    let bytes = show.frame();
    for color in ["\u{1b}[34m━", "\u{1b}[36m━"] {
        assert_eq!(bytes.matches(color).count(), 1, "{bytes:?}");
    }
    drop(jobs);
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

/// A theme whose closure returns one text for each row.
fn drawn(theme: Theme, text: impl Fn(&RowView<'_>) -> String + Send + Sync + 'static) -> Theme {
    theme.row(move |view, _| Some(vec![(Style::new(), text(view))]))
}

// Rule 9
#[test]
fn a_closure_draws_running_and_ended_rows_of_every_theme() {
    for theme in [Theme::new(), Theme::ascii(), Theme::classic()] {
        let theme = drawn(theme, |view| {
            let (row, seconds) = (view.row(), view.elapsed().as_secs());
            format!("{} {seconds} {:?} {:?}", row.prefix, view.quiet(), view.outcome())
        });
        let time = VirtualClock::new();
        let (board, mut events) = time.board();
        let mut screen = Screen::new(40, 10).with_theme(theme);
        let jobs = ["a", "b"].map(|prefix| board.add_job(prefix));
        screen.show(&mut events);
        time.advance(Duration::from_secs(12));
        let [a, _b] = jobs;
        a.finish();
        let rows = screen.show(&mut events).rows();
        assert_eq!(rows, ["a 12 None Some(Finished)", "b 12 Some(12s) None"]);
        time.advance(Duration::from_secs(1));
        assert_eq!(screen.show(&mut events).scrollback(), ["a 12 None Some(Finished)"]);
    }
}

#[test]
fn a_row_that_the_closure_does_not_draw_is_that_of_the_theme() {
    let theme = Theme::new().row(|view, _| {
        view.row().pinned.then(|| vec![(Style::new(), "all".into()), (Style::new(), "".into())])
    });
    let (board, mut events) = VirtualClock::new().board();
    let mut screen = Screen::new(40, 4).with_theme(theme);
    let _pinned = board.add_job(JobOptions::new().prefix("p").pinned(true));
    let _jobs: Vec<_> = (1..=4).map(|job| board.add_job(format!("job {job}"))).collect();
    assert_eq!(screen.show(&mut events).rows(), ["⠋ job 1", "  … 3 more", "all"]);
}

// Rule 16
#[test]
fn a_drawn_row_has_no_controls_and_is_cut_to_the_columns() {
    for (spans, expected) in [
        (&["a\u{1b}[2Jb\n", "c\u{7}\td\u{202e}"][..], "ab c d"),
        (&["0123456", "78901"], "01234567…"),
        (&["0123456漢字"], "0123456…"),
        // A variation selector makes the heart of the text before it two columns wide.
        (&["01234567\u{2764}", "\u{fe0f}"], "01234567…"),
        (&["0\u{1b}", "[1m"], "0[1m"),
        (&[" ", "  "], ""),
        (&[], ""),
    ] {
        for theme in [Theme::new(), Theme::classic()] {
            let theme = theme.row(move |_, columns| {
                assert_eq!(columns, 9);
                Some(spans.iter().map(|span| (Style::new(), (*span).to_owned())).collect())
            });
            let (board, mut events) = VirtualClock::new().board();
            let _job = board.add_job("row");
            let mut screen = Screen::new(10, 10).with_theme(theme);
            assert_eq!(screen.show(&mut events).rows(), [expected], "{spans:?}");
        }
    }
}

// Rule 12
#[test]
fn the_drawn_row_of_a_failed_job_leaves_whole() {
    for theme in [Theme::new(), Theme::classic()] {
        let theme = drawn(theme, |view| match view.outcome() {
            Some(Outcome::Failed(reason)) => format!("failed, because {reason}"),
            _ => "finished, with a long text".into(),
        });
        let (board, mut events) = VirtualClock::new().board();
        let mut screen = Screen::new(16, 10).with_theme(theme);
        board.add_job("a").fail("there is\nno space");
        board.add_job("b").finish();
        assert_eq!(screen.show(&mut events).rows(), ["failed, becaus…", "finished, with…"]);
        board.close();
        let left = ["failed, because there is no space", "finished, with…"];
        assert_eq!(screen.show(&mut events).scrollback(), left);
    }
}

#[test]
fn after_a_panic_of_its_closure_the_theme_draws_all_rows() {
    let theme = drawn(Theme::new(), |view| match view.row().prefix.as_str() {
        "bad" => panic!("a closure that panics"),
        prefix => prefix.to_uppercase(),
    });
    let (board, mut events) = VirtualClock::new().board();
    let mut screen = Screen::new(40, 10).with_theme(theme);
    let _good = board.add_job("good");
    assert_eq!(screen.show(&mut events).rows(), ["GOOD"]);
    let _bad = board.add_job("bad");
    assert_eq!(screen.show(&mut events).rows(), ["GOOD", "⠋ bad"]);
    assert_eq!(screen.show(&mut events).rows(), ["⠋ good", "⠋ bad"]);
}

// Rule 22
#[test]
fn a_drawn_row_without_color_keeps_its_effects() {
    let style = AnsiColor::Magenta.on_default() | Effects::UNDERLINE;
    let theme = Theme::new().row(move |_, _| Some(vec![(style, "drawn".into())]));
    let [with, without] = [true, false].map(|color| bytes(theme.clone(), color, all_kinds));
    assert!(with.contains("\u{1b}[35mdrawn"), "{with:?}");
    assert!(without.contains("\u{1b}[4mdrawn") && !without.contains("[35m"), "{without:?}");
}
