//! Lines in, bytes for the terminal out: every escape sequence of the crate.
//!
//! The sequences are relative, so that it does not matter where on the screen
//! the board is: the cursor rests in the first column of the empty row below
//! it, and each frame begins with the way up. Nothing is asked of the terminal,
//! the cursor stays visible, and no row above the board's own is touched.

use core::time::Duration;

use anstyle::{AnsiColor, Style};

use super::frame::{Frame, Line, Weight, size};
use super::text::{Token, least_width, tokens, width};
use crate::board::event::Status;

/// Synchronized output: the terminal shows what is between all at once.
const BEGIN: &str = "\x1b[?2026h";
const END: &str = "\x1b[?2026l";
/// Automatic wrapping at the edge of the screen.
const WRAP_OFF: &str = "\x1b[?7l";
const WRAP_ON: &str = "\x1b[?7h";
const ERASE_TO_END_OF_ROW: &str = "\x1b[K";
const ERASE_TO_END_OF_SCREEN: &str = "\x1b[J";
const NEXT_ROW: &str = "\r\n";
const RESET: &str = "\x1b[0m";
const CLOSE_HYPERLINK: &str = "\x1b]8;;\x1b\\";

/// How long a frame may send only the rows that changed before all are sent
/// again, so that what others wrote over the board goes away.
const HEAL: Duration = Duration::from_secs(1);

/// How far apart tab stops are.
const TAB: usize = 8;

/// Writes frames, and remembers what is on the screen.
///
/// Without colour, rows keep bold, italic and faint, which are no colours;
/// printed lines lose all their sequences.
#[derive(Debug)]
pub(crate) struct Painter {
    colour: bool,
    /// The rows of the board that are on the screen.
    drawn: Vec<Line>,
    /// The size of the screen at the last frame.
    size: Option<(u16, u16)>,
    /// When all rows were sent for the last time.
    full: Duration,
}

impl Painter {
    pub(crate) fn new(colour: bool) -> Self {
        Self { colour, drawn: Vec::new(), size: None, full: Duration::ZERO }
    }

    /// Appends what turns the last frame into this one; nothing if they look
    /// the same.
    pub(crate) fn paint(
        &mut self,
        frame: &Frame,
        columns: u16,
        rows: u16,
        now: Duration,
        bytes: &mut Vec<u8>,
    ) {
        let size = size(columns, rows);
        let resized = self.size.replace(size) != Some(size);
        let redraw = resized && !self.drawn.is_empty();
        if !redraw && frame.above().is_empty() && frame.live() == self.drawn {
            return;
        }
        let due = now.checked_sub(self.full).is_none_or(|since| since >= HEAL);
        let moved = !frame.above().is_empty() || frame.live().len() != self.drawn.len();
        push(bytes, BEGIN);
        if resized || due || moved {
            self.paint_all(frame, size, bytes);
            self.full = now;
        } else {
            self.paint_changed(frame, bytes);
        }
        push(bytes, END);
        self.drawn.clear();
        self.drawn.extend_from_slice(frame.live());
    }

    /// Appends the last frame. It stays on the screen, whatever comes after.
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

    /// Leaves what is on the screen where it is: the next frame is drawn below
    /// the place where the cursor is then.
    pub(crate) fn leave(&mut self) {
        self.drawn.clear();
    }

    fn paint_all(&self, frame: &Frame, (columns, rows): (u16, u16), bytes: &mut Vec<u8>) {
        up(bytes, self.height(columns).min(usize::from(rows) - 1));
        push(bytes, "\r");
        for line in frame.above() {
            self.push_above(line, usize::from(columns), bytes);
        }
        push(bytes, WRAP_OFF);
        for line in frame.live() {
            self.push_live(line, bytes);
        }
        push(bytes, ERASE_TO_END_OF_SCREEN);
        push(bytes, WRAP_ON);
    }

    fn paint_changed(&self, frame: &Frame, bytes: &mut Vec<u8>) {
        let rest = self.drawn.len();
        let mut at = rest;
        push(bytes, "\r");
        push(bytes, WRAP_OFF);
        for (row, (line, drawn)) in frame.live().iter().zip(&self.drawn).enumerate() {
            if line != drawn {
                up(bytes, at.saturating_sub(row));
                down(bytes, row.saturating_sub(at));
                self.push_live(line, bytes);
                at = row + 1;
            }
        }
        down(bytes, rest - at);
        push(bytes, WRAP_ON);
    }

    /// How many rows of the screen the board has on a terminal that wraps its
    /// rows anew when it gets narrower.
    fn height(&self, columns: u16) -> usize {
        let rows = |line: &Line| match line {
            Line::Row { text, .. } => least_width(text).div_ceil(usize::from(columns)).max(1),
            Line::Printed(_) => 1,
        };
        self.drawn.iter().map(rows).sum()
    }

    /// A line that the terminal may wrap. The place is cleared first: at the
    /// edge of the screen clearing would take the last character with it.
    fn push_above(&self, line: &Line, columns: usize, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        push(bytes, ERASE_TO_END_OF_ROW);
        let columns_needed = match line {
            Line::Row { text, .. } => {
                self.push_row(line, bytes);
                width(text)
            }
            Line::Printed(line) => push_printed(line, self.colour, bytes),
        };
        if columns_needed > columns {
            bytes.splice(start..start + ERASE_TO_END_OF_ROW.len(), ERASE_TO_END_OF_SCREEN.bytes());
        }
        push(bytes, NEXT_ROW);
    }

    fn push_live(&self, line: &Line, bytes: &mut Vec<u8>) {
        self.push_row(line, bytes);
        push(bytes, ERASE_TO_END_OF_ROW);
        push(bytes, NEXT_ROW);
    }

    fn push_row(&self, line: &Line, bytes: &mut Vec<u8>) {
        let Line::Row { text, status, weight, faint } = line else { return };
        let style = self.style(*status, *weight);
        let (text, faint) = text.split_at(*faint);
        push_styled(style, text, bytes);
        push_styled(style.dimmed(), faint, bytes);
    }

    fn style(&self, status: Status, weight: Weight) -> Style {
        let colour = match status {
            Status::Normal => None,
            Status::Success => Some(AnsiColor::Green),
            Status::Warning => Some(AnsiColor::Yellow),
            Status::Error => Some(AnsiColor::Red),
        };
        let colour = colour.filter(|_| self.colour).map(Into::into);
        let style = Style::new().fg_color(colour);
        match weight {
            Weight::Normal => style,
            Weight::Bold => style.bold(),
            Weight::Italic => style.italic(),
        }
    }
}

fn push(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(text.as_bytes());
}

fn push_styled(style: Style, text: &str, bytes: &mut Vec<u8>) {
    if !text.is_empty() {
        push(bytes, &format!("{style}{text}{style:#}"));
    }
}

fn up(bytes: &mut Vec<u8>, rows: usize) {
    if rows > 0 {
        push(bytes, &format!("\x1b[{rows}A"));
    }
}

fn down(bytes: &mut Vec<u8>, rows: usize) {
    if rows > 0 {
        push(bytes, &format!("\x1b[{rows}B"));
    }
}

/// Appends a printed line and returns its columns. Colours, weights and
/// hyperlinks are kept if `styled`, and end with the line; tabs become spaces;
/// other controls are left out.
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

/// Whether a sequence sets colours and weights.
fn is_style(sequence: &str) -> bool {
    let parameters = sequence.strip_prefix("\x1b[").and_then(|rest| rest.strip_suffix('m'));
    parameters.is_some_and(|parameters| {
        parameters.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b';' | b':'))
    })
}

/// Whether a sequence starts or ends a hyperlink.
fn is_hyperlink(sequence: &str) -> bool {
    let ends = sequence.ends_with('\x07') || sequence.ends_with("\x1b\\");
    ends && sequence.starts_with("\x1b]8;")
}
