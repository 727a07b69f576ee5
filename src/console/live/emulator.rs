//! A terminal for tests that differs from the one in `screen`: it truncates rows when it
//! becomes narrower, and may give ambiguous characters two columns.

use unicode_width::UnicodeWidthChar;

use crate::console::text::{Token, tokens};

/// An emulated terminal with a scrollback.
pub(crate) struct Emulator {
    columns: usize,
    height: usize,
    /// Whether ambiguous characters take two columns, as in East Asian settings.
    wide: bool,
    /// Every row, from the first of the scrollback.
    rows: Vec<Vec<Cell>>,
    row: usize,
    column: usize,
    wraps: bool,
    /// The sequences since the last reset that set the style.
    style: String,
}

/// A character on the screen and its style. The second half of a wide character is NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    c: char,
    style: String,
}

const BLANK: Cell = Cell { c: ' ', style: String::new() };

impl Emulator {
    pub(crate) fn new(columns: usize, height: usize, wide: bool) -> Self {
        let (rows, style) = (vec![Vec::new()], String::new());
        Self { columns, height, wide, rows, row: 0, column: 0, wraps: true, style }
    }

    /// Gives the terminal another width, and truncates its rows.
    pub(crate) fn resize(&mut self, columns: usize) {
        self.columns = columns;
        self.column = self.column.min(columns - 1);
        self.rows.iter_mut().for_each(|row| row.truncate(columns));
    }

    /// Returns whether the modes and the style are the initial ones.
    pub(crate) fn is_reset(&self) -> bool {
        self.wraps && self.style.is_empty()
    }

    /// Returns the text of every row that is not empty.
    pub(crate) fn lines(&self) -> Vec<String> {
        let text = |row: &Vec<Cell>| row.iter().map(|cell| cell.c).collect::<String>();
        let lines = self.rows.iter().map(|row| text(row).replace('\0', "").trim_end().to_string());
        lines.filter(|line| !line.is_empty()).collect()
    }

    /// Returns the rows without blanks at their ends.
    pub(crate) fn cells(&self) -> Vec<&[Cell]> {
        let end = |row: &[Cell]| row.iter().rposition(|cell| *cell != BLANK).map_or(0, |at| at + 1);
        self.rows.iter().map(|row| &row[..end(row)]).collect()
    }

    pub(crate) fn feed(&mut self, bytes: &str) {
        for token in tokens(bytes) {
            match token {
                Token::Text(text) => text.chars().for_each(|c| self.put(c)),
                Token::Control('\r') => self.column = 0,
                Token::Control('\n') => self.line_feed(),
                Token::Control(_) => {}
                Token::Sequence(sequence) => self.obey(sequence),
            }
        }
    }

    fn put(&mut self, c: char) {
        let width = if self.wide { c.width_cjk() } else { c.width() }.unwrap_or(0);
        if self.column + width > self.columns {
            if self.wraps {
                self.column = 0;
                self.line_feed();
            } else {
                self.column = self.columns.saturating_sub(width);
            }
        }
        let (row, after) = (&mut self.rows[self.row], self.column + width);
        row.resize(row.len().max(after), BLANK);
        let is_rest = |row: &[Cell], at: usize| row.get(at).is_some_and(|cell| cell.c == '\0');
        // The other half of a wide character that is overwritten disappears.
        if width > 0 && is_rest(row, self.column) {
            row[self.column - 1].c = ' ';
        }
        if width > 0 && is_rest(row, after) {
            row[after].c = ' ';
        }
        for (offset, cell) in row[self.column..after].iter_mut().enumerate() {
            *cell = Cell { c: if offset == 0 { c } else { '\0' }, style: self.style.clone() };
        }
        self.column = after;
    }

    fn line_feed(&mut self) {
        self.row += 1;
        if self.row == self.rows.len() {
            self.rows.push(Vec::new());
        }
    }

    fn obey(&mut self, sequence: &str) {
        let body = sequence.get(2..).unwrap_or_default();
        let number = body.get(..body.len() - 1).and_then(|number| number.parse().ok());
        let last = self.columns - 1;
        match body.chars().last() {
            Some('A') => {
                let top = self.rows.len().saturating_sub(self.height);
                self.row = self.row.saturating_sub(number.unwrap_or(1)).max(top);
            }
            Some('B') => self.row = (self.row + number.unwrap_or(1)).min(self.rows.len() - 1),
            Some('C') => self.column = (self.column + number.unwrap_or(1)).min(last),
            Some('G') => self.column = (number.unwrap_or(1) - 1).min(last),
            Some('K') => self.rows[self.row].truncate(self.column.min(last)),
            Some('J') => {
                self.rows[self.row].truncate(self.column.min(last));
                self.rows[self.row + 1..].iter_mut().for_each(Vec::clear);
            }
            Some('m') if body == "m" => self.style.clear(),
            Some('m') => self.style.push_str(body),
            _ if body == "?7l" => self.wraps = false,
            _ if body == "?7h" => self.wraps = true,
            _ => {}
        }
    }
}
