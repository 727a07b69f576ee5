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
    /// Every row, from the first of the scrollback. A wide character is followed by NUL.
    rows: Vec<Vec<char>>,
    row: usize,
    column: usize,
    wraps: bool,
    /// Whether text is bold.
    bold: bool,
}

impl Emulator {
    pub(crate) fn new(columns: usize, height: usize, wide: bool) -> Self {
        let rows = vec![Vec::new()];
        Self { columns, height, wide, rows, row: 0, column: 0, wraps: true, bold: false }
    }

    /// Gives the terminal another width, and truncates its rows.
    pub(crate) fn resize(&mut self, columns: usize) {
        self.columns = columns;
        self.column = self.column.min(columns - 1);
        self.rows.iter_mut().for_each(|row| row.truncate(columns));
    }

    /// Returns whether the modes and the style are the initial ones.
    pub(crate) fn is_reset(&self) -> bool {
        self.wraps && !self.bold
    }

    /// Returns the text of every row that is not empty.
    pub(crate) fn lines(&self) -> Vec<String> {
        let text = |row: &Vec<char>| row.iter().filter(|c| **c != '\0').collect::<String>();
        let lines = self.rows.iter().map(|row| text(row).trim_end().to_string());
        lines.filter(|line| !line.is_empty()).collect()
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
        let row = &mut self.rows[self.row];
        row.resize(row.len().max(self.column + width), ' ');
        for (offset, cell) in row[self.column..][..width].iter_mut().enumerate() {
            *cell = if offset == 0 { c } else { '\0' };
        }
        self.column += width;
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
        match body.chars().last() {
            Some('A') => {
                let top = self.rows.len().saturating_sub(self.height);
                self.row = self.row.saturating_sub(number.unwrap_or(1)).max(top);
            }
            Some('B') => self.row = (self.row + number.unwrap_or(1)).min(self.rows.len() - 1),
            Some('K') => self.rows[self.row].truncate(self.column.min(self.columns - 1)),
            Some('J') => {
                self.rows[self.row].truncate(self.column.min(self.columns - 1));
                self.rows[self.row + 1..].iter_mut().for_each(Vec::clear);
            }
            Some('m') => self.bold = body == "1m" || (self.bold && body != "0m"),
            _ if body == "?7l" => self.wraps = false,
            _ if body == "?7h" => self.wraps = true,
            _ => {}
        }
    }
}
