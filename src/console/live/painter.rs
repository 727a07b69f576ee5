//! Frames as bytes for a terminal: every escape sequence of the crate.
//!
//! The sequences are relative, so the board may be anywhere on the screen. The
//! cursor rests in the first column of the empty row below the board, and every
//! frame begins by moving up. The terminal is never queried, and the cursor stays
//! visible.
//!
//! No mode outlasts a row, and no style outlasts a run of text or the column of the
//! spinners, because an interrupt may drop the rest of a frame. Wrapping is off only for
//! what may be beyond the edge of a terminal that finds the characters before it wider
//! than this crate does. Each part of a row starts in its column even on such a terminal,
//! because the cursor is moved there.
//!
//! No row above the board is touched, even when the size changes. A terminal that
//! becomes narrower may reflow the rows and push some of them off the screen, where
//! they remain unchanged. The painter moves up only to the start of a row that is
//! certainly on the screen, so no row is joined to the rest of another.

use core::mem;
use core::time::Duration;
use std::io::Write;

use anstyle::Style;

use crate::board::model::OverallProgress;
use crate::console::live::changes::Changes;
use crate::console::live::frame::{Above, Frame, screen_size};
use crate::console::live::line::{Line, Part};
use crate::console::live::theme::Theme;
use crate::console::text::{Token, is_certain, most_columns, tokens, width, wrapped_rows};

/// Synchronized output: the terminal shows everything in between at once.
const BEGIN: &str = "\x1b[?2026h";
const END: &str = "\x1b[?2026l";
/// Automatic wrapping at the edge of the screen.
const WRAP_OFF: &str = "\x1b[?7l";
const WRAP_ON: &str = "\x1b[?7h";
const ERASE_TO_END_OF_ROW: &str = "\x1b[K";
const ERASE_TO_END_OF_SCREEN: &str = "\x1b[J";
const NEXT_ROW: &str = "\r\n";
const RESET: &str = "\x1b[m";
/// Ends what a frame may leave on if the system drops the rest of it.
#[cfg(unix)]
pub(crate) const AFTER_KILL: &str = "\x1b[m\x1b[?7h";
const CLOSE_HYPERLINK: &str = "\x1b]8;;\x1b\\";

/// Overall progress in the tab or the title of the terminal, or in the taskbar. The
/// first number is the state, the second the percentage.
fn progress(share: OverallProgress, failed: bool) -> String {
    let (state, percent) = match share {
        OverallProgress::Idle => (0, 0),
        OverallProgress::Percent(percent) if failed => (2, percent),
        OverallProgress::Unknown if failed => (2, 100),
        OverallProgress::Percent(percent) => (1, percent),
        OverallProgress::Unknown => (3, 0),
    };
    format!("\x1b]9;4;{state};{percent}\x1b\\")
}

/// The time within which each row is sent whole, to repair damage by other output.
const HEAL: Duration = Duration::from_secs(1);

/// The distance between tab stops.
const TAB: usize = 8;

/// Writes frames, and remembers the rows on the screen.
///
/// Without color, rows keep bold, italic and faint; printed lines lose all their
/// sequences.
#[derive(Debug)]
pub(crate) struct Painter {
    theme: Theme,
    color: bool,
    /// Whether the terminal reflows rows when it becomes narrower. Otherwise it
    /// truncates them.
    reflows: bool,
    /// The rows of the board on the screen.
    drawn: Vec<Line>,
    /// When each of them is sent whole again, one after the other.
    due: Vec<Duration>,
    /// The size of the screen at the last frame.
    size: Option<(u16, u16)>,
    /// The least number of rows of the screen above the cursor.
    reach: usize,
    /// The progress that was reported last, and when; `None` without reports.
    reported: Option<(String, Duration)>,
}

impl Painter {
    pub(crate) fn new(theme: Theme, color: bool, reflows: bool) -> Self {
        Self {
            theme,
            color,
            reflows,
            drawn: Vec::new(),
            due: Vec::new(),
            size: None,
            reach: 0,
            reported: None,
        }
    }

    /// Reports overall progress with every frame.
    pub(crate) fn with_progress(self) -> Self {
        Self { reported: Some((progress(OverallProgress::Idle, false), Duration::ZERO)), ..self }
    }

    /// Returns the theme of the rows.
    pub(crate) fn theme(&self) -> &Theme {
        &self.theme
    }

    /// Appends the bytes that turn the previous frame into this one, if they differ.
    pub(crate) fn paint(
        &mut self,
        frame: &Frame,
        columns: u16,
        rows: u16,
        now: Duration,
        bytes: &mut Vec<u8>,
    ) {
        let size = screen_size(columns, rows);
        let resized = self.size.replace(size) != Some(size);
        let redraw = resized && !self.drawn.is_empty();
        if !redraw && frame.above().is_empty() && frame.live() == self.drawn {
            return;
        }
        let moved = !frame.above().is_empty() || frame.live().len() != self.drawn.len();
        push(bytes, BEGIN);
        if resized || moved || self.due.iter().all(|due| is_due(*due, now)) {
            self.paint_all(frame, size, resized, bytes);
            let count = frame.live().len() as u32;
            self.due.clear();
            self.due.extend((1..=count).map(|row| now.saturating_add(HEAL * row / count)));
        } else {
            self.paint_changed(frame, now, bytes);
        }
        push(bytes, END);
        self.drawn.clear();
        self.drawn.extend_from_slice(frame.live());
    }

    /// Appends the last frame, which stays on the screen.
    pub(crate) fn last(
        &mut self,
        frame: &Frame,
        columns: u16,
        rows: u16,
        now: Duration,
        bytes: &mut Vec<u8>,
    ) {
        self.paint(frame, columns, rows, now, bytes);
        self.leave();
    }

    /// Appends the overall progress, if it is reported and has changed. Other programs
    /// and some terminals clear it, so it is repeated once per second, but only together
    /// with something else.
    pub(crate) fn report(
        &mut self,
        share: OverallProgress,
        failed: bool,
        now: Duration,
        bytes: &mut Vec<u8>,
    ) {
        let Some((reported, at)) = &mut self.reported else { return };
        let current = progress(share, failed);
        let due =
            share != OverallProgress::Idle && !bytes.is_empty() && now.saturating_sub(*at) >= HEAL;
        if *reported != current || due {
            push(bytes, &current);
            (*reported, *at) = (current, now);
        }
    }

    /// Returns whether rows of the board are on the screen.
    pub(crate) fn is_drawn(&self) -> bool {
        !self.drawn.is_empty()
    }

    /// Returns the bytes that erase the rows on the screen, as long as its size does not change.
    pub(crate) fn erase(&self) -> Vec<u8> {
        match self.drawn.len().min(self.reach) {
            0 => Vec::new(),
            way => clear_up(way),
        }
    }

    /// Leaves the rows on the screen: the next frame is drawn below the cursor,
    /// wherever that is then.
    pub(crate) fn leave(&mut self) {
        self.drawn.clear();
    }

    fn paint_all(
        &mut self,
        frame: &Frame,
        (columns, rows): (u16, u16),
        resized: bool,
        bytes: &mut Vec<u8>,
    ) {
        let columns = usize::from(columns);
        let reach = self.reach.min(usize::from(rows) - 1);
        let way = self.way_up(columns, reach);
        let start = bytes.len();
        let mut clear = resized;
        for line in frame.above() {
            clear |= self.push_above(line, columns, bytes);
        }
        bytes.splice(start..start, if clear { clear_up(way) } else { up_to_start(way) });
        for line in frame.live() {
            self.push_live(line, bytes);
        }
        // This never erases the whole screen: see `clear_up`.
        push(bytes, if rows > 1 { ERASE_TO_END_OF_SCREEN } else { ERASE_TO_END_OF_ROW });
        let written = frame.above().len() + frame.live().len();
        self.reach = (reach - way + written).min(usize::from(rows) - 1);
    }

    /// Paints what has changed of the rows, and each row that is due as a whole.
    fn paint_changed(&mut self, frame: &Frame, now: Duration, bytes: &mut Vec<u8>) {
        let mut rows = Vec::new();
        let mut heals = false;
        let lines = frame.live().iter().zip(&self.drawn).zip(&mut self.due);
        for (row, ((line, drawn), due)) in lines.enumerate() {
            if is_due(*due, now) {
                *due = now.saturating_add(HEAL);
                heals = true;
                rows.push((row, Changes { parts: line.parts().collect(), erases: true }));
            } else if line != drawn {
                rows.push((row, Changes::new(line, drawn)));
            }
        }
        let rest = self.drawn.len();
        let mut at = rest;
        self.push_marks(&mut rows, &mut at, bytes);
        for (row, Changes { parts, erases }) in rows {
            if erases || !parts.is_empty() {
                to_row(bytes, &mut at, row);
                self.push_parts(parts.into_iter(), bytes);
                push(bytes, if erases { ERASE_TO_END_OF_ROW } else { "" });
            }
        }
        to_row(bytes, &mut at, rest);
        push(bytes, if heals { ERASE_TO_END_OF_SCREEN } else { "" });
    }

    /// Appends the marks of the rows, and removes them from the changes. Spinners all turn at once,
    /// and most have the same style, which is set once for all of them.
    fn push_marks(&self, rows: &mut [(usize, Changes<'_>)], at: &mut usize, bytes: &mut Vec<u8>) {
        let mut style = Style::new();
        for (row, changes) in rows {
            let Some((mark_style, mark)) = changes.take_mark() else { continue };
            to_row(bytes, at, *row);
            let mark_style = self.style(mark_style);
            if mark_style != style {
                end(style, bytes);
                start(mark_style, bytes);
                style = mark_style;
            }
            push(bytes, mark);
        }
        end(style, bytes);
    }

    /// Returns the distance to the topmost row whose start is certainly on the screen, at most
    /// `reach` rows. The terminal may have reflowed the rows.
    fn way_up(&self, columns: usize, reach: usize) -> usize {
        let mut way = 0;
        for line in self.drawn.iter().rev() {
            let further = way + if self.reflows { wrapped_rows(line.text(), columns) } else { 1 };
            if further > reach {
                break;
            }
            way = further;
        }
        way
    }

    /// Appends what leaves the board. Returns whether the terminal may wrap it, so that the
    /// rows below must be erased before. Each row is erased first: at the edge of the
    /// screen, erasing afterwards would remove the last character.
    fn push_above(&self, above: &Above, columns: usize, bytes: &mut Vec<u8>) -> bool {
        match above {
            Above::Printed(line) => {
                push(bytes, ERASE_TO_END_OF_ROW);
                let wraps = push_printed(line, self.color, bytes) > columns || !line.is_ascii();
                push(bytes, NEXT_ROW);
                wraps
            }
            Above::Row(lines) => lines.iter().fold(false, |wraps, line| {
                push(bytes, ERASE_TO_END_OF_ROW);
                let fits = line.width() <= columns;
                if fits {
                    self.push_runs(line.runs(), 0, bytes);
                } else {
                    self.push_line(line, bytes);
                }
                push(bytes, NEXT_ROW);
                wraps | !fits
            }),
        }
    }

    fn push_live(&self, line: &Line, bytes: &mut Vec<u8>) {
        self.push_parts(line.parts(), bytes);
        push(bytes, ERASE_TO_END_OF_ROW);
        push(bytes, NEXT_ROW);
    }

    /// Appends parts of a row, from the first column on.
    fn push_parts<'a>(&self, parts: impl Iterator<Item = Part<'a>>, bytes: &mut Vec<u8>) {
        // The column of the cursor, unless terminals disagree about it.
        let mut cursor = Some(0);
        for part in parts {
            match cursor {
                Some(column) if column == part.column() => {}
                Some(column) if column < part.column() => right(bytes, part.column() - column),
                _ => to_column(bytes, part.column()),
            }
            self.push_runs(part.runs(), part.column(), bytes);
            cursor = is_certain(part.text()).then_some(part.end());
        }
    }

    /// Appends runs that fit by their measured width. They start in the given column. The
    /// terminal must not wrap them, even if it finds them wider: wrapping is off for what may
    /// be beyond the edge of the screen.
    fn push_runs<'a>(
        &self,
        runs: impl Iterator<Item = (Style, &'a str)>,
        column: usize,
        bytes: &mut Vec<u8>,
    ) {
        let columns = self.size.map_or(usize::MAX, |(columns, _)| columns.into());
        let mut room = columns.saturating_sub(column);
        let mut wraps = true;
        for (style, text) in runs {
            let style = self.style(style);
            let (certain, rest) = text.split_at(bytes_within(text, &mut room));
            start(style, bytes);
            push(bytes, certain);
            if !rest.is_empty() && mem::take(&mut wraps) {
                push(bytes, WRAP_OFF);
            }
            push(bytes, rest);
            end(style, bytes);
        }
        push(bytes, if wraps { "" } else { WRAP_ON });
    }

    fn push_line(&self, line: &Line, bytes: &mut Vec<u8>) {
        for (style, text) in line.runs() {
            let style = self.style(style);
            start(style, bytes);
            push(bytes, text);
            end(style, bytes);
        }
    }

    fn style(&self, style: Style) -> Style {
        if self.color { style } else { Style::new() | style.get_effects() }
    }
}

/// Returns whether a row that is due at a time is due now. The clock may have gone back.
fn is_due(due: Duration, now: Duration) -> bool {
    now >= due || now.saturating_add(HEAL) < due
}

fn push(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(text.as_bytes());
}

fn start(style: Style, bytes: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    let _ = write!(bytes, "{style}");
}

fn end(style: Style, bytes: &mut Vec<u8>) {
    push(bytes, if style.is_plain() { "" } else { RESET });
}

/// Returns the bytes of a text that fit the room on every terminal, and takes their columns from
/// the room.
fn bytes_within(text: &str, room: &mut usize) -> usize {
    if text.is_ascii() && text.len() <= *room {
        *room -= text.len();
        return text.len();
    }
    for (at, c) in text.char_indices() {
        let Some(left) = room.checked_sub(most_columns(c)) else {
            *room = 0;
            return at;
        };
        *room = left;
    }
    text.len()
}

fn up(bytes: &mut Vec<u8>, rows: usize) {
    if rows > 0 {
        push(bytes, &format!("\x1b[{rows}A"));
    }
}

/// Moves down to rows of the board, which are on the screen.
fn down(bytes: &mut Vec<u8>, rows: usize) {
    match rows {
        0 => {}
        1 => push(bytes, "\n"),
        _ => push(bytes, &format!("\x1b[{rows}B")),
    }
}

/// Moves to the first column of a row, and notes that the cursor is there.
fn to_row(bytes: &mut Vec<u8>, at: &mut usize, row: usize) {
    push(bytes, "\r");
    up(bytes, at.saturating_sub(row));
    down(bytes, row.saturating_sub(*at));
    *at = row;
}

fn right(bytes: &mut Vec<u8>, columns: usize) {
    push(bytes, &format!("\x1b[{columns}C"));
}

fn to_column(bytes: &mut Vec<u8>, column: usize) {
    push(bytes, &format!("\x1b[{}G", column + 1));
}

/// Moves up to the start of a row.
fn up_to_start(way: usize) -> Vec<u8> {
    let mut bytes = b"\r".to_vec();
    up(&mut bytes, way);
    bytes
}

/// Moves up and erases everything from there on: for lines that the terminal wraps, and
/// where it has reflowed rows. tmux remembers that a row continues in the next one until
/// all of it is erased. The whole screen is never erased at once, because tmux would copy
/// it to the scrollback.
fn clear_up(way: usize) -> Vec<u8> {
    let mut bytes = up_to_start(way.saturating_sub(1));
    if way > 0 {
        push(&mut bytes, ERASE_TO_END_OF_SCREEN);
        up(&mut bytes, 1);
        push(&mut bytes, ERASE_TO_END_OF_ROW);
    }
    bytes
}

/// Appends a printed line and returns its width. With `styled`, styles and hyperlinks
/// are kept and end with the line. Tabs become spaces; other control characters are
/// removed.
fn push_printed(line: &str, styled: bool, bytes: &mut Vec<u8>) -> usize {
    let mut column = 0;
    let (mut style, mut link) = (false, false);
    for token in tokens(line) {
        match token {
            Token::Text(text) => {
                push(bytes, text);
                column += width(text);
            }
            Token::Control('\t') => {
                let next = (column / TAB + 1) * TAB;
                bytes.extend(core::iter::repeat_n(b' ', next - column));
                column = next;
            }
            Token::Sequence(sequence) if styled && is_style(sequence) => {
                push(bytes, sequence);
                style = true;
            }
            Token::Sequence(sequence) if styled && is_hyperlink(sequence) => {
                push(bytes, sequence);
                link = true;
            }
            Token::Control(_) | Token::Sequence(_) => {}
        }
    }
    if link {
        push(bytes, CLOSE_HYPERLINK);
    }
    if style {
        push(bytes, RESET);
    }
    column
}

/// Returns whether a sequence sets styles.
fn is_style(sequence: &str) -> bool {
    let parameters = sequence.strip_prefix("\x1b[").and_then(|rest| rest.strip_suffix('m'));
    parameters.is_some_and(|parameters| {
        parameters.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b';' | b':'))
    })
}

/// Returns whether a sequence starts or ends a hyperlink.
fn is_hyperlink(sequence: &str) -> bool {
    let ends = sequence.ends_with('\x07') || sequence.ends_with("\x1b\\");
    ends && sequence.starts_with("\x1b]8;")
}

#[cfg(test)]
mod tests {
    use anstyle::AnsiColor;

    use super::*;

    fn live(color: bool, runs: &[(Style, &str)]) -> String {
        let mut line = Line::default();
        runs.iter().for_each(|(style, text)| line.push(*style, text));
        let mut bytes = Vec::new();
        Painter::new(Theme::new(), color, true).push_live(&line, &mut bytes);
        String::from_utf8(bytes).expect("text")
    }

    fn printed(line: &str, styled: bool) -> String {
        let mut bytes = Vec::new();
        push_printed(line, styled, &mut bytes);
        String::from_utf8(bytes).expect("text")
    }

    // Rule 16
    #[test]
    fn every_run_is_closed() {
        let red = AnsiColor::Red.on_default();
        let runs = [(red.bold(), "a"), (Style::new(), " b "), (Style::new().dimmed(), "c")];
        let shown = "\x1b[1m\x1b[31ma\x1b[m b \x1b[2mc\x1b[m\x1b[K\r\n";
        assert_eq!(live(true, &runs), shown);
    }

    #[test]
    fn progress_is_a_state_and_a_percentage() {
        for (share, failed, sent) in [
            (OverallProgress::Idle, false, "\x1b]9;4;0;0\x1b\\"),
            (OverallProgress::Idle, true, "\x1b]9;4;0;0\x1b\\"),
            (OverallProgress::Percent(7), false, "\x1b]9;4;1;7\x1b\\"),
            (OverallProgress::Percent(7), true, "\x1b]9;4;2;7\x1b\\"),
            (OverallProgress::Unknown, false, "\x1b]9;4;3;0\x1b\\"),
            (OverallProgress::Unknown, true, "\x1b]9;4;2;100\x1b\\"),
        ] {
            assert_eq!(progress(share, failed), sent);
        }
    }

    #[test]
    fn without_color_effects_remain() {
        let red = AnsiColor::Red.on_default();
        assert_eq!(live(false, &[(red.bold(), "a")]), "\x1b[1ma\x1b[m\x1b[K\r\n");
        assert_eq!(live(false, &[(red, "a")]), "a\x1b[K\r\n");
    }

    // Rule 20
    #[test]
    fn printed_lines_keep_styles_and_links_and_close_them() {
        for (line, kept, plain) in [
            ("a", "a", "a"),
            ("\x1b[31ma", "\x1b[31ma\x1b[m", "a"),
            ("\x1b[38:5:1ma\x1b[m", "\x1b[38:5:1ma\x1b[m\x1b[m", "a"),
            ("\x1b]8;;u\x07a", "\x1b]8;;u\x07a\x1b]8;;\x1b\\", "a"),
            ("\x1b]8;;u\x1b\\a", "\x1b]8;;u\x1b\\a\x1b]8;;\x1b\\", "a"),
            ("\x1b]8;;never closed", "", ""),
            ("\x1b[?25la\x1b[2Jb\x1b[>4;1mc\rd\x07", "abcd", "abcd"),
            ("\x1b]0;title\x07a", "a", "a"),
            ("a\tb\tc", "a       b       c", "a       b       c"),
            ("漢字\ta", "漢字    a", "漢字    a"),
        ] {
            assert_eq!(printed(line, true), kept, "{line:?}");
            assert_eq!(printed(line, false), plain, "{line:?}");
        }
    }
}
