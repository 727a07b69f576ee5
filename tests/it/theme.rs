//! Themes: marks, colors and bars, and ASCII.

use std::time::Duration;

use active_status::testing::VirtualClock;
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

#[test]
fn an_ascii_board_writes_only_ascii() {
    let bytes = bytes(Theme::ascii(), true, all_kinds);
    assert!(bytes.is_ascii(), "{bytes:?}");
    assert_eq!(
        screen(&bytes),
        "1: ok\n2: x no space\n3: x panicked\n4: - cancelled\n7: / 1 - cancelled\n\
         5: text - 1 minute\n6: a text that is wider than the scree~\n\
         8: ############.............  50% - 1/2"
    );
}

#[test]
fn hidden_and_silent_rows_are_ascii_as_well() {
    let time = VirtualClock::new();
    let (board, mut show) = shown(Theme::ascii(), true, &time);
    let _jobs: Vec<_> = (1..=10).map(|job| board.add_job(format!("job {job}"))).collect();
    let mut bytes = show.frame();
    time.advance(millis(100));
    show.settle();
    time.advance(millis(9_900));
    bytes += &show.frame();
    let screen = screen(&bytes);
    assert!(screen.starts_with("job 1 - 10 s\n") && screen.ends_with("\n~ +2 more"), "{screen}");
}

#[test]
fn marks_can_be_chosen() {
    let theme = Theme::new().finished("done").failed("").cancelled("🚫").abandoned("");
    let bytes = bytes(theme, true, |board| {
        board.add_job("1: ").finish();
        board.add_job("2: ").fail("no space");
        board.add_job("3: ").end(Outcome::Panicked);
        board.add_job("4: ").end(Outcome::Cancelled);
        board.add_job("5: ").end(Outcome::Abandoned);
    });
    assert_eq!(screen(&bytes), "1: done\n2: no space\n3: panicked\n4: 🚫 cancelled\n5: abandoned");
}

#[test]
fn a_mark_holds_no_escapes() {
    let theme = Theme::new().finished("\u{1b}[2Jdone\u{7}");
    let bytes = bytes(theme, true, |board| board.add_job("1: ").finish());
    assert!(!bytes.contains("[2J") && bytes.contains("1: done"), "{bytes:?}");
}

#[test]
fn characters_of_a_bar_must_take_one_column_each() {
    for (done, left, drawn) in [
        ('█', ' ', "█ "),
        ('漢', ' ', "▓░"),
        ('█', '\u{301}', "▓░"),
        ('\u{1b}', ' ', "▓░"),
        ('█', '\n', "▓░"),
        ('\u{2028}', ' ', "▓░"),
    ] {
        let bytes = bytes(Theme::new().bar(done, left), true, |board| {
            let job = board.add_job(JobOptions::new().total(3));
            job.set_position(2);
            job.detach();
        });
        assert!(bytes.contains(drawn), "{done:?} {left:?}: {bytes:?}");
    }
}

#[test]
fn without_color_the_effects_of_styles_remain() {
    let theme = Theme::new()
        .color(Status::Normal, AnsiColor::Blue.on_default())
        .color(Status::Success, AnsiColor::Cyan.on_default() | Effects::UNDERLINE);
    for (color, normal, success) in [
        (true, "\u{1b}[34mnormal", "\u{1b}[4m\u{1b}[36msuccess"),
        (false, "normal", "\u{1b}[4msuccess"),
    ] {
        let bytes = bytes(theme.clone(), color, |board| {
            board.add_job(JobOptions::new().text("normal")).detach();
            let status = JobOptions::new().text("success").status(Status::Success);
            board.add_job(status).detach();
        });
        assert!(bytes.contains(normal) && bytes.contains(success), "{bytes:?}");
        assert_eq!(bytes.contains("\u{1b}[34m") || bytes.contains("\u{1b}[36m"), color);
    }
}
