//! A line of a frame: text in runs of one style each.

use core::fmt;

use anstyle::Style;

use crate::console::text::{cut, width};

/// A line of text without control characters, with the style of each part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    text: String,
    /// The style of each run, and the byte at which it ends.
    runs: Vec<(usize, Style)>,
    /// The columns of the text.
    width: usize,
}

impl Line {
    /// Creates a line of clean texts. Characters of different texts may join.
    pub(crate) fn from_spans(spans: impl Iterator<Item = (Style, String)>) -> Self {
        let mut line = Self::default();
        spans.for_each(|(style, text)| line.push_measured(style, &text, 0));
        line.width = width(&line.text);
        line
    }

    /// Returns the text without styles.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the number of columns.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Returns the text of each run with its style.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (Style, &str)> {
        let mut start = 0;
        self.runs.iter().map(move |&(end, style)| {
            let run = &self.text[start..end];
            start = end;
            (style, run)
        })
    }

    /// Returns each character with its style.
    fn characters(&self) -> impl Iterator<Item = (Style, char)> {
        self.runs().flat_map(|(style, run)| run.chars().map(move |c| (style, c)))
    }

    /// Returns the first character with its style, if it is all that differs from another
    /// line, takes one column on every terminal, and is followed by a space.
    pub(crate) fn changed_mark(&self, other: &Self) -> Option<(Style, char)> {
        let is_narrow = |c: char| c.is_ascii() || ('\u{2800}'..='\u{28ff}').contains(&c);
        let (mut line, mut other) = (self.characters(), other.characters());
        let (mark, before) = (line.next()?, other.next()?);
        let (second, rest) = (line.next()?, other.next()?);
        let same = second.1 == ' ' && second == rest && line.eq(other);
        (same && is_narrow(mark.1) && is_narrow(before.1)).then_some(mark)
    }

    /// Appends a clean text.
    pub(crate) fn push(&mut self, style: Style, text: &str) {
        self.push_measured(style, text, width(text));
    }

    /// Appends a clean text of the given width.
    pub(crate) fn push_measured(&mut self, style: Style, text: &str, columns: usize) {
        if text.is_empty() {
            return;
        }
        self.text.push_str(text);
        self.width += columns;
        self.end_run(style);
    }

    /// Appends a character that takes one column a number of times.
    pub(crate) fn repeat(&mut self, style: Style, c: char, times: usize) {
        if times > 0 {
            self.text.extend(core::iter::repeat_n(c, times));
            self.width += times;
            self.end_run(style);
        }
    }

    /// Appends spaces up to a column.
    pub(crate) fn pad_to(&mut self, column: usize) {
        self.repeat(Style::new(), ' ', column.saturating_sub(self.width));
    }

    fn end_run(&mut self, style: Style) {
        let end = self.text.len();
        match self.runs.last_mut() {
            Some((last, same)) if *same == style => *last = end,
            _ => self.runs.push((end, style)),
        }
    }

    /// Cuts the line to the given width, and removes blanks at its end.
    pub(crate) fn finish(mut self, columns: usize, ellipsis: char) -> Self {
        if self.width > columns {
            self.text = cut(&self.text, columns, ellipsis);
            self.width = width(&self.text);
            let kept = self.text.strip_suffix(ellipsis).unwrap_or(&self.text).len();
            self.end_at(kept);
        }
        let end = self.text.trim_end().len();
        self.width -= self.text.len() - end;
        self.text.truncate(end);
        self.end_at(end);
        self
    }

    /// Removes the runs that begin at or after a byte, and lets the last one reach the end of
    /// the text.
    fn end_at(&mut self, byte: usize) {
        while let [.., (before, _), _] = self.runs[..]
            && before >= byte
        {
            self.runs.pop();
        }
        if self.text.is_empty() {
            self.runs.clear();
        }
        if let Some((last, _)) = self.runs.last_mut() {
            *last = self.text.len();
        }
    }
}

/// Writes plain text.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_with_its_runs() {
        let mut line = Line::default();
        line.push(Style::new(), "ab");
        line.push(Style::new().bold(), "cd");
        line.push(Style::new().dimmed(), "ef");
        line.pad_to(9);
        for (columns, runs) in [
            (
                9,
                &[(Style::new(), "ab"), (Style::new().bold(), "cd"), (Style::new().dimmed(), "ef")]
                    [..],
            ),
            (4, &[(Style::new(), "ab"), (Style::new().bold(), "c…")]),
            (2, &[(Style::new(), "a…")]),
            (0, &[]),
        ] {
            let line = line.clone().finish(columns, '…');
            assert_eq!(line.runs().collect::<Vec<_>>(), runs, "{columns}");
        }
    }
}
