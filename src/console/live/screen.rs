//! Tests of the painter on an emulated terminal that reflows lines when its width
//! changes and keeps a scrollback.

use core::time::Duration;
use std::collections::BTreeMap;

use anstyle::{Effects, Style};
use avt::Terminal;
use proptest::prelude::*;

use crate::board::event::{Change, Event, JobId, Outcome, Progress, Row, Status};
use crate::board::model::Model;
use crate::console::live::emulator::Emulator;
use crate::console::live::frame::Frame;
use crate::console::live::painter::Painter;
use crate::console::live::theme::Theme;
use crate::console::text::{ESCAPE, Token, tokens, width};

/// The lines on the screen before the board.
const BEFORE: [&str; 3] = ["$ make", "before the board", "above"];

/// A board on a terminal.
struct Screen {
    terminal: Terminal,
    painter: Painter,
    model: Model,
    frame: Frame,
    now: Duration,
    /// Every line that has left the board.
    committed: Vec<String>,
}

impl Screen {
    /// A board without columns, whose rows change only with their jobs, and are italic once
    /// they have left it.
    fn new(columns: usize, rows: usize) -> Self {
        Self::with_theme(Theme::classic(), columns, rows)
    }

    /// A board whose rows have columns.
    fn table(columns: usize, rows: usize) -> Self {
        Self::with_theme(Theme::new(), columns, rows)
    }

    fn with_theme(theme: Theme, columns: usize, rows: usize) -> Self {
        let mut terminal = Terminal::with_scrollback(columns, rows, None).expect("a size");
        for line in BEFORE {
            terminal.feed(format!("{line}\r\n").as_str());
        }
        Self {
            terminal,
            painter: Painter::new(theme, true, true),
            model: Model::new(),
            frame: Frame::default(),
            now: Duration::ZERO,
            committed: Vec::new(),
        }
    }

    fn apply(&mut self, event: &Event) {
        self.model.apply(event);
    }

    fn add(&mut self, number: u64, row: Row) {
        self.apply(&Event::Added { at: self.now, job: id(number), row });
    }

    fn set_text(&mut self, number: u64, text: &str) {
        self.change(number, Change::default().with_text(text));
    }

    fn change(&mut self, number: u64, change: Change) {
        self.apply(&Event::Changed { at: self.now, job: id(number), change });
    }

    fn print(&mut self, line: &str) {
        self.apply(&Event::Line { at: self.now, text: line.into() });
    }

    fn end(&mut self, number: u64, outcome: Outcome) {
        self.apply(&Event::Ended { at: self.now, job: id(number), outcome });
    }

    fn wait(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }

    /// Draws a frame and returns its bytes.
    fn paint(&mut self) -> String {
        let (columns, rows) = self.terminal.size();
        let (columns, rows) = (columns as u16, rows as u16);
        let mut bytes = Vec::new();
        let theme = self.painter.theme();
        self.frame.advance(&self.model, theme, columns, rows, self.now);
        self.painter.paint(&self.frame, columns, rows, self.now, &mut bytes);
        self.model.retire(self.frame.above().len());
        self.committed.extend(self.frame.above().iter().map(|line| line.to_string()));
        let bytes = String::from_utf8(bytes).expect("text");
        self.feed(&bytes);
        bytes
    }

    /// Feeds the terminal. Some terminals copy a screen that is erased as a whole into
    /// the scrollback, so that must never happen.
    fn feed(&mut self, bytes: &str) {
        harmless(bytes);
        let erase = format!("{ESCAPE}[J");
        for part in bytes.split_inclusive(&erase) {
            let start = part.strip_suffix(&erase);
            self.terminal.feed(start.unwrap_or_default());
            assert!(start.is_none() || self.terminal.cursor().position() != Some((0, 0)));
            self.terminal.feed(if start.is_some() { &erase } else { part });
        }
    }

    /// Returns the text of the scrollback and the screen below `BEFORE`, with wrapped lines
    /// joined.
    fn text(&self) -> String {
        let lines = self.terminal.screen().text();
        assert_eq!(lines[..BEFORE.len()], BEFORE, "the lines above the board have changed");
        lines[BEFORE.len()..].join("\n").trim_end().to_string()
    }

    /// Returns the lines of that text that look as if they had left the board.
    fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        let (mut text, mut italic) = (String::new(), false);
        for line in self.terminal.screen().all_lines() {
            italic |= text.is_empty() && line.cells()[0].pen().is_italic();
            text.push_str(&line.text());
            if !line.is_wrapped() {
                text.truncate(text.trim_end().len());
                if italic || text.starts_with("line ") || text.starts_with("others ") {
                    left.push(text.clone());
                }
                text.clear();
                italic = false;
            }
        }
        left
    }

    /// Compares the screen with the frame and the lines that have left.
    fn check(&self) {
        let cursor = self.terminal.cursor();
        assert_eq!(
            cursor.position(),
            Some((0, cursor.row)),
            "the cursor rests in the first column"
        );
        let live = self.frame.live();
        let top = cursor.row - live.len();
        let away = self.terminal.screen().all_lines().count() - self.terminal.size().1;
        let above = self.terminal.screen().all_lines().take(away + top).last();
        assert!(above.is_none_or(|line| !line.is_wrapped()), "joined to the line above");
        for (row, line) in live.iter().enumerate() {
            let shown = self.terminal.screen().line(top + row).expect("a row");
            assert!(!shown.is_wrapped());
            assert_eq!(shown.text().trim_end(), line.to_string());
            let mut cells = shown.cells().iter();
            for (style, run) in line.runs() {
                for cell in cells.by_ref().take(width(run)) {
                    let (pen, effects) = (cell.pen(), style.get_effects());
                    assert_eq!(pen.is_bold(), effects.contains(Effects::BOLD));
                    assert_eq!(pen.is_faint(), effects.contains(Effects::DIMMED));
                    assert_eq!(pen.foreground(), color(style));
                }
            }
        }
        for line in self.terminal.screen().visible_lines().skip(cursor.row) {
            assert_eq!(line.text().trim_end(), "", "nothing below the board");
        }
        if !self.painter.theme().table {
            let left = self.committed.iter().filter(|line| !line.is_empty());
            let shown = self.left();
            assert!(shown.iter().map(|line| narrow(line)).eq(left.map(|line| narrow(line))));
        }
    }
}

fn color(style: Style) -> Option<avt::Color> {
    match style.get_fg_color()? {
        anstyle::Color::Ansi(color) => Some(avt::Color::Indexed(color as u8)),
        other => panic!("{other:?}"),
    }
}

/// Checks that every sequence moves up, down or within a row, erases after the cursor, or sets
/// a style, wrapping or synchronized output. None queries, hides or addresses a row.
fn harmless(bytes: &str) {
    for token in tokens(bytes) {
        let Token::Sequence(sequence) = token else { continue };
        let rest = sequence.strip_prefix(&format!("{ESCAPE}[")).expect("a short sequence");
        let numbers = rest.trim_end_matches(['A', 'B', 'C', 'G', 'm']);
        let relative = numbers.len() + 1 == rest.len()
            && numbers.bytes().all(|byte| byte.is_ascii_digit() || byte == b';');
        let known = ["K", "J", "?7l", "?7h", "?2026h", "?2026l"].contains(&rest);
        assert!(relative || known, "{sequence:?}");
    }
}

fn id(number: u64) -> JobId {
    JobId::new(number).expect("ids count from 1")
}

fn row(text: &str) -> Row {
    Row::default().with_text(text)
}

#[test]
fn rows_are_above_the_cursor() {
    let mut screen = Screen::new(20, 8);
    screen.add(1, row("one"));
    screen.add(2, row("two"));
    screen.paint();
    screen.check();
    assert_eq!(screen.text(), "one\ntwo");
    assert_eq!(screen.terminal.cursor().position(), Some((0, BEFORE.len() + 2)));
}

// Rule 21
#[test]
fn later_output_is_below_the_last_frame() {
    let mut screen = Screen::new(20, 5);
    screen.add(1, row("one"));
    screen.paint();
    let mut bytes = Vec::new();
    screen.apply(&Event::Closed { at: screen.now });
    screen.frame = Frame::with_theme(&screen.model, &Theme::classic(), 20, 5, screen.now);
    screen.painter.last(&screen.frame, 20, 5, screen.now, &mut bytes);
    screen.terminal.feed(String::from_utf8(bytes).expect("text").as_str());
    screen.terminal.feed("after");
    assert_eq!(screen.text(), "one … abandoned\nafter");
}

// Rule 15
#[test]
fn nothing_is_written_while_nothing_changes() {
    let mut screen = Screen::new(20, 8);
    assert_eq!(screen.paint(), "");
    screen.add(1, row("one"));
    assert_ne!(screen.paint(), "");
    screen.wait(999);
    assert_eq!(screen.paint(), "");
    screen.wait(1);
    assert_ne!(screen.paint(), "");
    screen.wait(8_000);
    assert_eq!(screen.paint(), "");
}

// Rule 16
#[test]
fn only_rows_that_changed_are_sent() {
    let mut screen = Screen::new(20, 12);
    for job in 1..=5 {
        screen.add(job, row(&format!("job {job}")));
    }
    screen.paint();
    screen.wait(100);
    screen.set_text(2, "two");
    screen.set_text(4, "four");
    let bytes = screen.paint();
    screen.check();
    assert!(!["job 1", "job 3", "job 5"].iter().any(|row| bytes.contains(row)), "{bytes:?}");
}

#[test]
fn a_row_that_waits_sends_only_its_spinner() {
    let mut screen = Screen::table(80, 24);
    for number in 1..=20 {
        let progress = Progress::new(number, 9);
        screen.add(number, row("copies a file").with_progress(progress));
    }
    screen.paint();
    screen.wait(100);
    let bytes = screen.paint();
    screen.check();
    assert_eq!(bytes.matches("copies").count(), 2, "a tenth of the rows is sent whole");
    let marks = bytes.chars().filter(|c| ('\u{2800}'..='\u{28ff}').contains(c));
    assert_eq!(marks.count(), 20, "{bytes:?}");
    assert!(bytes.len() < 600, "{} bytes", bytes.len());

    screen.set_text(2, "moved a file!");
    screen.wait(100);
    let bytes = screen.paint();
    screen.check();
    assert_eq!(bytes.matches("moved a file!").count(), 1, "{bytes:?}");
    assert_eq!(bytes.matches("copies").count(), 2, "{bytes:?}");
}

// Rule 16
#[test]
fn damage_by_other_output_is_repaired_after_a_second() {
    let mut screen = Screen::new(20, 12);
    screen.add(1, row("one"));
    screen.add(2, row("two"));
    screen.paint();
    screen.terminal.feed(format!("{ESCAPE}[2A{ESCAPE}[Jsome noise\r\n\r\n").as_str());
    screen.wait(500);
    screen.set_text(1, "one");
    screen.set_text(2, "too");
    screen.paint();
    assert_eq!(screen.text(), "one\n o", "half of the rows is sent whole after half of a second");
    screen.wait(500);
    screen.set_text(2, "two");
    screen.paint();
    screen.check();
    assert_eq!(screen.text(), "one\ntwo");
}

#[test]
fn rows_are_drawn_until_the_end_of_the_clock() {
    let mut screen = Screen::new(20, 8);
    screen.now = Duration::MAX - Duration::from_millis(500);
    for text in ["one", "two", "three"] {
        screen.add(1, row(text));
        screen.paint();
        screen.check();
        screen.wait(100);
    }
}

// Rule 12
#[test]
fn running_rows_are_below_those_that_have_left() {
    let mut screen = Screen::new(20, 8);
    for (job, text) in [(1, "one"), (2, "two"), (3, "three")] {
        screen.add(job, row(text));
    }
    screen.paint();
    screen.end(2, Outcome::Finished);
    screen.paint();
    assert_eq!(screen.text(), "two ✔\none\nthree");
    screen.wait(1_000);
    screen.end(1, Outcome::Failed("why".into()));
    screen.paint();
    screen.check();
    assert_eq!(screen.text(), "two ✔\none ✘ why\nthree");
}

#[test]
fn a_printed_line_may_be_wider_than_the_screen() {
    let mut screen = Screen::new(20, 8);
    screen.add(1, row("an old row of text"));
    screen.paint();
    for width in [19, 20, 21, 40, 41] {
        screen.print(&format!("line {}", "x".repeat(width - 5)));
        screen.paint();
        screen.check();
    }
}

// Rule 16
#[test]
fn a_line_above_a_full_screen_does_not_erase_all_of_it() {
    let mut screen = Screen::new(20, 4);
    for job in 1..=3 {
        screen.add(job, row("a row of the board"));
    }
    screen.paint();
    screen.print("line 1 is wider than the screen");
    let bytes = screen.paint();
    assert!(bytes.contains(&format!("{ESCAPE}[2A{ESCAPE}[J{ESCAPE}[1A")), "{bytes:?}");
    screen.check();
}

#[test]
fn wide_characters_at_the_edge_overwrite_old_rows() {
    let mut screen = Screen::new(21, 8);
    screen.add(1, row("=".repeat(20).as_str()));
    screen.paint();
    screen.print(&format!("line {}", "漢".repeat(9)));
    screen.paint();
    let shown = screen.terminal.screen();
    let top = shown.line(BEFORE.len()).expect("a row").text();
    assert_eq!(top.trim_end(), format!("line {}", "漢".repeat(8)));
}

#[test]
fn a_row_that_the_terminal_draws_wider_stays_one_row() {
    let mut screen = Screen::new(20, 8);
    // This terminal gives each accent a column.
    screen.add(1, row("e\u{301}".repeat(15).as_str()));
    screen.add(2, row("two"));
    screen.paint();
    let second = screen.terminal.screen().line(BEFORE.len() + 1).expect("a row").text();
    assert_eq!(second.trim_end(), "two");
}

// Rule 16
#[test]
fn a_frame_is_synchronized_and_restores_the_modes() {
    let mut screen = Screen::new(20, 8);
    screen.print("line");
    screen.add(1, row("one"));
    let full = screen.paint();
    screen.wait(100);
    screen.set_text(1, "two");
    for bytes in [full, screen.paint()] {
        let modes: Vec<&str> = bytes.split(&format!("{ESCAPE}[?")).skip(1).collect();
        let modes: Vec<&str> =
            modes.iter().map(|mode| &mode[..mode.find(['h', 'l']).unwrap() + 1]).collect();
        assert_eq!(modes, ["2026h", "2026l"], "no mode for rows of known width");
        assert!(bytes.starts_with(ESCAPE) && bytes.ends_with("[?2026l"));
    }
}

#[test]
fn foreign_output_stays_if_the_board_leaves_its_rows() {
    let mut screen = Screen::new(40, 8);
    screen.add(1, row("one"));
    screen.paint();
    screen.terminal.feed("thread panicked\r\n");
    screen.painter.leave();
    screen.apply(&Event::Closed { at: screen.now });
    screen.paint();
    assert_eq!(screen.text(), "one\nthread panicked\none … abandoned");
}

// Rule 20
#[test]
fn a_printed_line_keeps_only_its_styles() {
    let mut screen = Screen::new(40, 8);
    let line = format!("line {ESCAPE}[31mred{ESCAPE}[2J{ESCAPE}[1;1H\u{7} still\tred");
    screen.print(&line);
    screen.add(1, row("one"));
    screen.paint();
    assert_eq!(screen.text(), "line red still  red\none");
    let line = screen.terminal.screen().line(BEFORE.len()).expect("a row");
    assert_eq!(line.cells()[5].pen().foreground(), Some(avt::Color::Indexed(1)));
    let below = screen.terminal.screen().line(BEFORE.len() + 1).expect("a row");
    assert_eq!(below.cells()[0].pen().foreground(), None);
}

// Rule 18
#[test]
fn a_resize_and_back_leaves_the_rows_unchanged() {
    let mut screen = Screen::new(80, 24);
    for line in 1..=30 {
        screen.print(&format!("line {line}"));
    }
    for job in 1..=4 {
        screen.add(job, row(&format!("job {job} {}", "x".repeat(70))));
    }
    screen.paint();
    screen.end(2, Outcome::Finished);
    for columns in [60, 30, 15, 40, 80] {
        screen.terminal.resize(columns, 24);
        screen.paint();
        screen.check();
    }
    let text = screen.text();
    assert_eq!(text.lines().filter(|line| line.starts_with("job")).count(), 4, "{text}");
}

#[test]
fn rows_pushed_off_the_screen_are_not_joined_to_others() {
    let mut screen = Screen::new(80, 24);
    for job in 1..=4 {
        screen.add(job, row(&format!("job {job} {}", "x".repeat(70))));
    }
    for _ in 0..10 {
        screen.wait(1_000);
        screen.set_text(4, &format!("job 4 {}", "x".repeat(screen.now.as_secs() as usize)));
        screen.paint();
    }
    screen.terminal.resize(23, 24);
    for job in 1..=4 {
        screen.end(job, Outcome::Finished);
    }
    screen.print("line 1");
    screen.paint();
    screen.check();
}

#[test]
fn reflowed_rows_of_wide_characters_are_found_again() {
    let mut screen = Screen::new(81, 24);
    for line in 1..=30 {
        screen.print(&format!("line {line}"));
    }
    for job in 1..=3 {
        screen.add(job, row(&format!("job {job} {}", "漢字".repeat(15))));
    }
    screen.paint();
    for columns in [20, 11, 41, 81] {
        screen.terminal.resize(columns, 24);
        screen.paint();
        screen.check();
    }
    assert_eq!(screen.text().lines().filter(|line| line.starts_with("job")).count(), 3);
}

#[test]
fn a_truncating_terminal_has_one_line_per_row() {
    for (reflows, way) in [(true, 3), (false, 2)] {
        let mut screen = Screen::new(80, 24);
        screen.painter = Painter::new(Theme::new(), true, reflows);
        screen.print("line");
        screen.paint();
        for job in 1..=2 {
            screen.add(job, row(&"x".repeat(70)));
        }
        screen.paint();
        screen.terminal.resize(30, 24);
        let bytes = screen.paint();
        let up = format!("\r{ESCAPE}[{}A{ESCAPE}[J{ESCAPE}[1A", way - 1);
        assert!(bytes.contains(&up), "{bytes:?}");
    }
}

#[test]
fn reflowed_rows_are_erased_before_they_are_drawn() {
    let mut screen = Screen::new(80, 24);
    screen.print("line");
    screen.add(1, row(&"x".repeat(58)));
    screen.paint();
    screen.terminal.resize(30, 24);
    let bytes = screen.paint();
    let erased = format!("\r{ESCAPE}[1A{ESCAPE}[J{ESCAPE}[1A{ESCAPE}[K");
    assert!(bytes.contains(&erased), "{bytes:?}");
}

// Rule 18
#[test]
fn one_cell_and_back_leaves_the_lines_above_unchanged() {
    let mut screen = Screen::new(80, 24);
    for job in 1..=4 {
        screen.add(job, row(&format!("job {job} {}", "x".repeat(70))));
    }
    screen.paint();
    screen.end(1, Outcome::Finished);
    for (columns, rows) in [(1, 1), (80, 24), (1, 24), (80, 1), (80, 24)] {
        screen.terminal.resize(columns, rows);
        screen.paint();
        screen.check();
    }
    screen.text();
}

/// A board whose bytes go to another terminal as well.
struct Painted {
    screen: Screen,
    emulator: Emulator,
}

impl Painted {
    fn new(wide: bool) -> Self {
        Self { screen: Screen::new(20, 8), emulator: Emulator::new(20, 8, wide) }
    }

    fn paint(&mut self) -> String {
        let bytes = self.screen.paint();
        self.emulator.feed(&bytes);
        bytes
    }
}

// Rule 18
#[test]
fn a_row_that_the_terminal_finds_wider_is_joined_to_no_other() {
    // The second row holds soft hyphens, which some terminals show.
    for text in ["·".repeat(12), format!("{}\u{ad}\u{ad}\u{ad}", "·".repeat(9)), "x".repeat(12)] {
        let mut painted = Painted::new(true);
        for job in 1..=4 {
            painted.screen.add(job, row(&format!("job {job} {text}")));
        }
        painted.paint();
        for job in 1..=3 {
            painted.screen.end(job, Outcome::Finished);
            painted.paint();
            painted.screen.wait(1_000);
            painted.paint();
        }
        let lines = painted.emulator.lines();
        let jobs = |line: &String| line.matches("job").count();
        assert_eq!(lines.iter().map(jobs).collect::<Vec<_>>(), [1; 4], "{lines:#?}");
    }
}

// Rule 18
#[test]
fn a_printed_line_that_the_terminal_finds_wider_leaves_no_rest() {
    let mut painted = Painted::new(true);
    for job in 1..=3 {
        painted.screen.add(job, row(&format!("job {job} {}", "x".repeat(12))));
    }
    painted.paint();
    painted.screen.print(&format!("line {}", "·".repeat(12)));
    painted.paint();
    let lines = painted.emulator.lines();
    assert!(lines[..2].iter().all(|line| !line.contains(['j', 'x'])), "{lines:#?}");
    assert_eq!(lines.len(), 5, "{lines:#?}");
}

// Rules 16, 21
#[test]
fn an_interrupted_frame_leaves_at_most_the_state_of_one_row() {
    let mut painted = Painted::new(false);
    for job in 1..=5 {
        painted.screen.add(job, row(&format!("job {job} · x")));
    }
    let bytes = painted.paint();
    let mut emulator = Emulator::new(20, 8, false);
    for line in bytes.split_inclusive('\n') {
        emulator.feed(line);
        assert!(emulator.is_reset(), "{line:?}");
    }
}

/// A text of any kind of character, some of which terminals disagree about.
fn any_text() -> impl Strategy<Value = String> {
    let kinds = prop_oneof!["[a-z ]{0,12}", "[0-9a-f漢字 ]{0,12}", "[a-zéЖ·…✓❤👍 ]{0,12}"];
    prop_oneof![4 => kinds, 1 => "[a-z漢é]{30,50}"]
}

/// A change of one of the jobs before the next frame, or of the time.
#[derive(Clone, Debug)]
enum Act {
    Text(u64, String),
    Prefix(u64, String),
    Count(u64, u64),
    Status(u64, Status),
    End(u64, Outcome),
    Wait,
}

fn act() -> impl Strategy<Value = Act> {
    let job = 1..=6_u64;
    prop_oneof![
        4 => (job.clone(), any_text()).prop_map(|(job, text)| Act::Text(job, text)),
        1 => (job.clone(), any_text()).prop_map(|(job, text)| Act::Prefix(job, text)),
        4 => (job.clone(), 0..1_200_u64).prop_map(|(job, position)| Act::Count(job, position)),
        1 => (job.clone(), status()).prop_map(|(job, status)| Act::Status(job, status)),
        1 => (job, outcome()).prop_map(|(job, outcome)| Act::End(job, outcome)),
        3 => Just(Act::Wait),
    ]
}

proptest! {
    // Rule 16
    #[test]
    fn changes_of_rows_show_what_whole_rows_show(
        columns in 1..120_usize,
        wide: bool,
        table in prop::bool::weighted(0.8),
        frames in prop::collection::vec(prop::collection::vec(act(), 1..6), 1..20),
    ) {
        let theme = if table { Theme::new() } else { Theme::classic() };
        let mut painted = Painted {
            screen: Screen::with_theme(theme.clone(), columns, 12),
            emulator: Emulator::new(columns, 12, wide),
        };
        for job in 1..=6 {
            let progress = (job % 2 == 0).then(|| Progress::new(0, 1_000).with_rate(1_500));
            let data = Row { pinned: job == 6, progress, ..row("text") };
            painted.screen.add(job, data);
        }
        let mut running = [true; 6];
        painted.paint();
        for acts in frames {
            for act in acts {
                let change = Change::default();
                let (job, change) = match act {
                    Act::Text(job, text) => (job, change.with_text(text)),
                    Act::Prefix(job, prefix) => (job, change.with_prefix(prefix)),
                    Act::Count(job, position) => {
                        (job, change.with_progress(Progress::new(position, 1_000)))
                    }
                    Act::Status(job, status) => (job, change.with_status(status)),
                    Act::End(job, outcome) => {
                        if core::mem::take(&mut running[job as usize - 1]) {
                            painted.screen.end(job, outcome);
                        }
                        continue;
                    }
                    Act::Wait => {
                        painted.screen.wait(100);
                        continue;
                    }
                };
                if running[job as usize - 1] {
                    painted.screen.change(job, change);
                }
            }
            painted.paint();
            let live = painted.screen.frame.live();
            let mut whole = Painted {
                screen: Screen::with_theme(theme.clone(), columns, 12),
                emulator: Emulator::new(columns, 12, wide),
            };
            let mut bytes = Vec::new();
            let frame = Frame::of_rows(live.to_vec());
            whole.screen.painter.paint(&frame, columns as u16, 12, Duration::ZERO, &mut bytes);
            whole.emulator.feed(&String::from_utf8(bytes).expect("text"));
            let (shown, expected) = (painted.emulator.cells(), whole.emulator.cells());
            let rows = shown.len() - 1 - live.len()..shown.len() - 1;
            prop_assert_eq!(&shown[rows], &expected[..live.len()]);
        }
    }
}

/// A step of a schedule.
#[derive(Clone, Debug)]
enum Step {
    Add {
        pinned: bool,
        detached: bool,
        status: Status,
        text: String,
    },
    Change {
        job: usize,
        text: String,
    },
    Count {
        job: usize,
        position: u64,
        total: u64,
    },
    End {
        job: usize,
        outcome: Outcome,
    },
    Line {
        width: usize,
    },
    /// Foreign output below the board, which the painter knows about.
    Others,
    Wait {
        millis: u64,
    },
    Resize {
        columns: usize,
        rows: usize,
    },
    Paint,
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![
        4 => Just(Status::Normal),
        1 => Just(Status::Success),
        1 => Just(Status::Warning),
        1 => Just(Status::Error)
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        3 => Just(Outcome::Finished),
        2 => "[a-z ]{0,50}".prop_map(Outcome::Failed),
        1 => Just(Outcome::Cancelled),
        1 => Just(Outcome::Panicked),
    ]
}

/// Texts of any width. Without `resizes` they contain wide characters, too: this
/// terminal splits those in a resize.
fn text(resizes: u32) -> impl Strategy<Value = String> {
    let wide = u32::from(resizes == 0);
    prop_oneof![3 => (0..60usize).prop_map(|width| "x".repeat(width)), wide => "[a-z漢字 ]{0,30}"]
}

fn step(resizes: u32) -> impl Strategy<Value = Step> {
    let columns = prop_oneof![1..6usize, 6..40usize, 40..100usize];
    let rows = prop_oneof![1..6usize, 6..30usize];
    prop_oneof![
        4 => (any::<bool>(), any::<bool>(), status(), text(resizes)).prop_map(
            |(pinned, detached, status, text)| Step::Add { pinned, detached, status, text }
        ),
        4 => (any::<usize>(), text(resizes)).prop_map(|(job, text)| Step::Change { job, text }),
        2 => (any::<usize>(), 0..30u64, 0..20u64).prop_map(
            |(job, position, total)| Step::Count { job, position, total }
        ),
        4 => (any::<usize>(), outcome()).prop_map(|(job, outcome)| Step::End { job, outcome }),
        2 => (0..150usize).prop_map(|width| Step::Line { width }),
        3 => (1..1_500u64).prop_map(|millis| Step::Wait { millis }),
        6 => Just(Step::Paint),
        resizes / 3 => Just(Step::Others),
        resizes => (columns, rows).prop_map(|(columns, rows)| Step::Resize { columns, rows }),
    ]
}

/// The state of the jobs and the lines that must leave the board.
#[derive(Default)]
struct Oracle {
    running: BTreeMap<u64, Seen>,
    added: u64,
    left: Vec<Left>,
    others: usize,
}

/// What is known of a line that has left the board.
struct Left {
    /// The row of the classic theme, or the line.
    classic: String,
    /// Texts that it holds whole in any theme.
    whole: Vec<String>,
}

/// The state of a job.
#[derive(Default)]
struct Seen {
    text: String,
    numbers: String,
    pinned: bool,
    detached: bool,
}

impl Oracle {
    /// Returns one of the running jobs.
    fn pick(&self, any: usize) -> Option<u64> {
        let count = self.running.len().max(1);
        self.running.keys().nth(any % count).copied()
    }

    fn end(&mut self, job: u64, mark: &str) {
        let Seen { text, numbers, .. } = self.running.remove(&job).expect("it runs");
        let classic = format!("{text}{numbers}{mark}").trim_end().to_string();
        // Only a job that did not finish has words behind its mark.
        let reason = mark.trim().split_once(' ').map(|(_, reason)| reason.trim().to_string());
        let whole = reason.map_or(Vec::new(), |reason| vec![text, reason]);
        self.left.push(Left { classic, whole });
    }

    fn close(&mut self) {
        for zone in [false, true] {
            let jobs: Vec<u64> = self.running.keys().copied().collect();
            for job in jobs {
                let Seen { pinned, detached, .. } = self.running[&job];
                if pinned == zone {
                    self.end(job, if detached { "" } else { " … abandoned" });
                }
            }
        }
    }
}

fn job_text(job: u64, text: &str) -> String {
    format!("job {job} {text}").trim_end().to_string()
}

fn numbers(position: u64, total: u64) -> String {
    if position == 0 || total == 0 {
        return String::new();
    }
    format!(" {:>3}% - {position}/{total}", position * 100 / total)
}

fn mark(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Finished => " ✔".into(),
        Outcome::Failed(message) if message.is_empty() => " ✘ failed".into(),
        Outcome::Failed(message) => format!(" ✘ {message}").trim_end().into(),
        Outcome::Cancelled => " ⊘ cancelled".into(),
        Outcome::Panicked => " ✘ panicked".into(),
        Outcome::Abandoned => " … abandoned".into(),
        Outcome::Lost => " ⊘ lost".into(),
    }
}

fn take(screen: &mut Screen, oracle: &mut Oracle, step: &Step) {
    match *step {
        Step::Add { pinned, detached, status, ref text } => {
            oracle.added += 1;
            let text = job_text(oracle.added, text);
            screen.add(oracle.added, Row { pinned, status, ..row(&text) });
            if detached {
                screen.change(oracle.added, Change::default().with_detached(true));
            }
            let seen = Seen { text, pinned, detached, ..Seen::default() };
            oracle.running.insert(oracle.added, seen);
        }
        Step::Change { job, ref text } => {
            let Some(job) = oracle.pick(job) else { return };
            let text = job_text(job, text);
            screen.set_text(job, &text);
            oracle.running.get_mut(&job).expect("it runs").text = text;
        }
        Step::Count { job, position, total } => {
            let Some(job) = oracle.pick(job) else { return };
            let progress = Progress::new(position, total);
            screen.change(job, Change::default().with_progress(progress));
            oracle.running.get_mut(&job).expect("it runs").numbers = numbers(position, total);
        }
        Step::End { job, ref outcome } => {
            let Some(job) = oracle.pick(job) else { return };
            screen.end(job, outcome.clone());
            oracle.end(job, &mark(outcome));
        }
        Step::Line { width } => {
            let line = format!("line {} {}y", oracle.left.len(), "y".repeat(width));
            screen.print(&line);
            oracle.left.push(Left { classic: line.clone(), whole: vec![line] });
        }
        Step::Others => {
            oracle.others += 1;
            let line = format!("others {}", oracle.others);
            screen.feed(&format!("{line}\r\n"));
            screen.painter.leave();
            screen.committed.push(line);
        }
        Step::Wait { millis } => screen.wait(millis),
        // There may be another resize before the next frame.
        Step::Resize { columns, rows } => screen.terminal.resize(columns, rows),
        Step::Paint => {
            screen.paint();
            screen.check();
        }
    }
}

/// Returns a text without the characters that a terminal moves or drops where two columns do
/// not fit.
fn narrow(text: &str) -> String {
    text.chars().filter(|c| *c == '\n' || !(*c == ' ' || matches!(c, '漢' | '字'))).collect()
}

/// Returns a row without its bar and the space before the bar.
fn without_bar(row: &str) -> String {
    let is_bar = |c| matches!(c, '▓' | '░');
    let Some((before, _)) = row.split_once(is_bar) else { return row.into() };
    let after = row.rsplit(is_bar).next().expect("a bar");
    format!("{}{after}", &before[..before.len() - 1])
}

/// Returns whether `short` is `full` with some parts replaced by `…`.
fn abbreviates(short: &str, full: &str) -> bool {
    let Some((start, end)) = short.split_once('…') else { return short == full };
    let Some(rest) = full.strip_prefix(start) else { return false };
    (0..=rest.len()).any(|at| rest.is_char_boundary(at) && abbreviates(end, &rest[at..]))
}

/// Plays the steps and a close. Every end and every printed line appears once, in
/// order.
fn play(mut screen: Screen, steps: &[Step]) -> Screen {
    let mut oracle = Oracle::default();
    for step in steps {
        take(&mut screen, &mut oracle, step);
    }
    screen.apply(&Event::Closed { at: screen.now });
    oracle.close();
    screen.paint();
    screen.check();
    assert!(screen.frame.live().is_empty());
    let by_board = |line: &&String| !line.starts_with("others ");
    let committed: Vec<&String> = screen.committed.iter().filter(by_board).collect();
    assert_eq!(committed.len(), oracle.left.len(), "{committed:?}");
    for (short, full) in committed.into_iter().zip(&oracle.left) {
        if screen.painter.theme().table {
            let holds = |part: &String| short.contains(part.as_str());
            assert!(full.whole.iter().all(holds), "{short:?} holds {:?}", full.whole);
            continue;
        }
        let short = without_bar(short);
        // A screen of one column has no room for text.
        let stands_for = short.is_empty() || abbreviates(short.trim_end(), &full.classic);
        assert!(stands_for, "{short:?} stands for {:?}", full.classic);
    }
    screen
}

proptest! {
    // Rules 12, 16
    #[test]
    fn each_classic_row_and_line_appears_once_in_order(
        columns in 1..100usize,
        rows in 1..30usize,
        steps in prop::collection::vec(step(0), 0..80),
    ) {
        let screen = play(Screen::new(columns, rows), &steps);
        let left = screen.committed.join("\n");
        prop_assert_eq!(narrow(&screen.text()), narrow(left.trim_end()));
    }

    // Rules 12, 16
    #[test]
    fn each_job_and_line_appears_once_in_order(
        columns in 1..100usize,
        rows in 1..30usize,
        steps in prop::collection::vec(step(0), 0..80),
    ) {
        let screen = play(Screen::table(columns, rows), &steps);
        let left = screen.committed.join("\n");
        prop_assert_eq!(narrow(&screen.text()), narrow(left.trim_end()));
    }

    // Rule 18
    #[test]
    fn resizes_lose_repeat_and_change_nothing(
        columns in 1..100usize,
        rows in 1..30usize,
        steps in prop::collection::vec(step(3), 0..80),
    ) {
        play(Screen::new(columns, rows), &steps).text();
    }
}
