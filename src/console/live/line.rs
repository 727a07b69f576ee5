//! A line of a frame: text in runs of one style each.

use core::fmt;

use anstyle::Style;

use crate::console::text::{columns_of, cut, width};

/// A line of text without control characters, with the style of each part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    text: String,
    /// The style of each run, and the byte at which it ends.
    runs: Vec<(usize, Style)>,
    /// The stops: bytes, and the columns in which they stand whatever is before them.
    stops: Vec<(usize, usize)>,
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

    /// Returns the parts between stops.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let ends = self.stops.iter().copied().chain([(self.text.len(), self.width)]);
        let mut from = (0, 0);
        ends.filter_map(move |to| {
            let start = core::mem::replace(&mut from, to);
            (start.0 < to.0).then_some(Part { line: self, start, end: to })
        })
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

    /// Appends a character that takes one column a number of times, and a stop.
    pub(crate) fn repeat(&mut self, style: Style, c: char, times: usize) {
        if times > 0 {
            self.text.extend(core::iter::repeat_n(c, times));
            self.width += times;
            self.end_run(style);
            self.stops.push((self.text.len(), self.width));
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
        self.stops.retain(|(stop, _)| *stop < byte);
    }
}

/// A part of a line that starts in the same column on every terminal, even if they disagree
/// about the width of what is before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    line: &'a Line,
    /// The first byte and its column.
    start: (usize, usize),
    /// The byte and the column after the part.
    end: (usize, usize),
}

impl<'a> Part<'a> {
    /// Returns the first column.
    pub(crate) fn column(&self) -> usize {
        self.start.1
    }

    /// Returns the column after the part.
    pub(crate) fn end(&self) -> usize {
        self.end.1
    }

    /// Returns the text without styles.
    pub(crate) fn text(&self) -> &'a str {
        &self.line.text[self.start.0..self.end.0]
    }

    /// Returns the text of each run with its style.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (Style, &'a str)> + use<'a> {
        let Self { line, start: (mut start, _), end: (end, _) } = *self;
        let first = line.runs.partition_point(|(run_end, _)| *run_end <= start);
        line.runs[first..].iter().map_while(move |&(run_end, style)| {
            let run = line.text.get(start..run_end.min(end)).filter(|run| !run.is_empty());
            start = run_end;
            run.map(|run| (style, run))
        })
    }

    /// Returns what differs from another part with the same start: without the first characters
    /// that are the same and, if the ends are the same, without the last ones. Each character
    /// must have a certain width.
    pub(crate) fn without_same(&self, other: &Part<'_>) -> Self {
        let both = self.characters().zip(other.characters());
        let same = both.take_while(|(this, other)| this == other);
        let head = same.fold(self.start, |at, ((_, c), _)| after(at, c));
        let mut end = self.end;
        if let (Some((style, last)), Some((other_style, other_last))) =
            (self.runs().last(), other.runs().last())
            && self.end() == other.end()
            && style == other_style
        {
            let room =
                (self.end.0 - head.0).min(other.end.0 - other.start.0 + self.start.0 - head.0);
            let both = last.chars().rev().zip(other_last.chars().rev());
            let same = both.take_while(|(this, other)| this == other);
            let tails = same.scan((0, 0), |tail, (c, _)| {
                *tail = after(*tail, c);
                Some(*tail)
            });
            let tail = tails.take_while(|(bytes, _)| *bytes <= room).last().unwrap_or_default();
            end = (end.0 - tail.0, end.1 - tail.1);
        }
        Self { line: self.line, start: head, end }
    }

    /// Returns each character with its style.
    fn characters(&self) -> impl Iterator<Item = (Style, char)> {
        self.runs().flat_map(|(style, run)| run.chars().map(move |c| (style, c)))
    }
}

/// Returns the byte and the column after a character.
fn after((byte, column): (usize, usize), c: char) -> (usize, usize) {
    (byte + c.len_utf8(), column + columns_of(c))
}

/// Parts are equal if they look the same in the same column.
impl PartialEq for Part<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.column(), self.text()) == (other.column(), other.text())
            && self.runs().eq(other.runs())
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
