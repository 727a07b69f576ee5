//! A row of a frame as a line: the parts of the row in the columns of the frame.

use core::time::Duration;
use std::borrow::Cow;

use anstyle::Style;

use crate::board::event::{Outcome, Progress, Status};
use crate::board::model::JobRow;
use crate::console::live::cells::{Cell, Cells};
use crate::console::live::layout::{GAP, Layout, MARK, Need};
use crate::console::live::line::Line;
use crate::console::live::theme::{Look, Theme};
use crate::console::numbers::time;
use crate::console::text::{SHORT, cut_prefix, cut_text};

/// The seconds without an update from which on the mark and the time are prominent.
pub(crate) const LONG: u64 = 60;
/// The columns of the branch before the prefix of a subtask, with the space behind it.
const BRANCH: usize = 2;
/// The style of most words.
pub(crate) const PLAIN: Style = Style::new();

/// A row that a frame shows, and its parts.
#[derive(Clone, Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) row: &'a JobRow,
    pub(crate) cells: &'a Cells,
    /// The text, with what the board adds to it.
    pub(crate) text: Cow<'a, Cell>,
    /// The bytes at the end of the text that the board adds: a number, which is never cut.
    added: usize,
}

/// The theme, the columns and the time for drawing rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pen<'a> {
    pub(crate) theme: &'a Theme,
    /// The look of the row, or that of the theme.
    pub(crate) look: &'a Look,
    pub(crate) layout: Layout,
    pub(crate) now: Duration,
}

impl<'a> Shown<'a> {
    /// Returns a row at the time `now`. A pinned row without a text shows the number of jobs
    /// that have `failed`.
    pub(crate) fn new(
        row: &'a JobRow,
        cells: &'a Cells,
        failed: usize,
        theme: &Theme,
        now: Duration,
    ) -> Self {
        let text = &cells.text;
        let (text, added) = if row.data.elapsed {
            let elapsed = time(row.elapsed(now).as_secs());
            let added = elapsed.len();
            let text = match text.width {
                0 => elapsed,
                _ => format!("{} {} {elapsed}", text.text, theme.dot),
            };
            (Cow::Owned(Cell::new(text)), added)
        } else if row.data.pinned && text.width == 0 && failed > 0 {
            let failed = format!("{failed} failed");
            let added = failed.len();
            (Cow::Owned(Cell::new(failed)), added)
        } else {
            (Cow::Borrowed(text), 0)
        };
        Self { row, cells, text, added }
    }

    /// Returns the widths that the row needs.
    pub(crate) fn need(&self) -> Need {
        let bar = self.row.end.is_none() && self.has_total();
        Need {
            pinned: self.row.data.pinned && self.row.end.is_none(),
            bar,
            prefix: self.branch() + self.cells.prefix.width,
            text: self.text.width,
            count: self.cells.count.width,
            rate: self.cells.rate.width,
            left: self.cells.left.width > 0,
        }
    }

    /// Returns the columns of the branch before the prefix of a subtask.
    fn branch(&self) -> usize {
        if self.row.data.parent.is_some() && self.row.end.is_none() { BRANCH } else { 0 }
    }

    pub(crate) fn has_total(&self) -> bool {
        self.progress().is_some_and(|progress| progress.total.is_some())
    }

    pub(crate) fn progress(&self) -> Option<&Progress> {
        self.row.data.progress.as_ref()
    }

    pub(crate) fn status(&self) -> Status {
        self.row.data.status
    }
}

impl Pen<'_> {
    /// Returns the pen with the look of a row.
    pub(crate) fn of(self, shown: &Shown<'_>) -> Self {
        Self { look: self.theme.look_of(&shown.row.data), ..self }
    }

    /// Draws the row of a job on the board.
    pub(crate) fn live(self, shown: &Shown<'_>) -> Line {
        if let Some(line) = self.theme.draw(shown.row, self.layout.columns, self.now, false) {
            return line;
        }
        self.finish(match &shown.row.end {
            Some(_) => self.ended(shown),
            None if shown.has_total() => self.with_bar(shown),
            None => self.without_bar(shown),
        })
    }

    /// Draws the row that counts the jobs without a row, of which some have failed or are
    /// quiet.
    pub(crate) fn overflow(self, hidden: usize, failed: usize, quiet: usize) -> Line {
        let styles = &self.look.styles;
        let failed = (failed > 0).then(|| (format!("{failed} failed"), styles.reason));
        let quiet = (quiet > 0).then(|| (format!("{quiet} quiet"), styles.faint));
        let with = |parts: &[&Option<(String, Style)>]| {
            let mut line = Line::default();
            line.push(styles.faint, &format!("  {} {hidden} more", self.theme.ellipsis));
            let parts = parts.iter().filter_map(|part| part.as_ref());
            for (separator, (part, style)) in core::iter::once(": ").chain([", "]).zip(parts) {
                line.push(styles.faint, separator);
                line.push(*style, part);
            }
            line
        };
        let lines = [with(&[&failed, &quiet]), with(&[&failed])];
        let mut fitting = lines.into_iter().filter(|line| line.width() <= self.layout.columns);
        self.finish(fitting.next().unwrap_or_else(|| with(&[])))
    }

    pub(crate) fn finish(self, line: Line) -> Line {
        line.finish(self.layout.columns, self.theme.ellipsis)
    }

    /// Starts a line with the mark and the prefix, and ends it where the text starts. A prefix
    /// that does not fit its column may take up to `room` columns if the row is pinned or has
    /// no text.
    pub(crate) fn start(self, shown: &Shown<'_>, room: usize) -> Line {
        let mut line = self.start_with_mark(shown);
        let branch = shown.branch();
        line.repeat(PLAIN, self.theme.branch, branch.min(1));
        line.pad_to(MARK + branch);
        let Cell { text, width } = &shown.cells.prefix;
        let style = self.prefix_style(shown);
        let (columns, room) =
            (self.layout.prefix.saturating_sub(branch), room.saturating_sub(branch));
        if *width <= columns {
            line.push_measured(style, text, *width);
        } else if columns < room && (shown.row.data.pinned || shown.text.width == 0) {
            line.push(style, &cut_prefix(text, room, self.theme.ellipsis));
            line.pad_to(line.width() + GAP);
        } else {
            line.push(style, &cut_prefix(text, columns, self.theme.ellipsis));
        }
        line.pad_to(self.layout.text_at());
        line
    }

    /// Starts a line with the mark.
    pub(crate) fn start_with_mark(self, shown: &Shown<'_>) -> Line {
        let (mark, style) = self.mark(shown);
        let mut line = Line::default();
        line.repeat(style, mark, 1);
        line.pad_to(MARK);
        line
    }

    fn mark(self, shown: &Shown<'_>) -> (char, Style) {
        let Look { marks, styles, .. } = self.look;
        let outcome = shown.row.end.as_ref().map(|end| end.outcome.as_ref());
        match (outcome, shown.status()) {
            (Some(Some(Outcome::Cancelled | Outcome::Lost)), _) => {
                (marks.cancelled, styles.cancelled)
            }
            (Some(Some(Outcome::Abandoned)), _) => (marks.abandoned, styles.faint),
            (_, Status::Error) => (marks.failed, styles.error),
            (_, Status::Warning) => (marks.warning, styles.warning),
            (Some(Some(_)), _) => (marks.finished, styles.success),
            (Some(None), _) => (' ', PLAIN),
            (None, _) if !shown.row.shows_silence() => (' ', PLAIN),
            (None, status) => match shown.row.quiet(self.now) {
                Some(LONG..) => (self.spinner(self.now.as_secs()), styles.warning),
                Some(_) => (self.spinner(self.now.as_secs()), styles.of(status)),
                None => (self.spinner((self.now.as_millis() / 100) as u64), styles.of(status)),
            },
        }
    }

    /// Returns the character of the spinner after the given number of turns.
    fn spinner(self, turns: u64) -> char {
        let spinner = &self.look.spinner;
        spinner[(turns % spinner.len() as u64) as usize]
    }

    pub(crate) fn prefix_style(self, shown: &Shown<'_>) -> Style {
        let styles = &self.look.styles;
        let stands_out = shown.row.data.pinned || shown.status() == Status::Warning;
        match shown.status() {
            Status::Error => styles.strong_reason(),
            _ if shown.row.end.is_none() && (stands_out || shown.row.data.elapsed) => styles.strong,
            _ => PLAIN,
        }
    }

    /// Cuts the text of a row to the given width. The number that the board adds to it stays
    /// whole, or is left out where it does not fit.
    pub(crate) fn cut(self, shown: &Shown<'_>, columns: usize) -> String {
        let Cell { text, width } = &*shown.text;
        if shown.added == 0 || *width <= columns {
            return cut_text(text, columns, self.theme.ellipsis);
        }
        let (words, number) = text.split_at(text.len() - shown.added);
        match columns.checked_sub(number.len()) {
            Some(room) if room > SHORT => {
                let words = cut_text(words.trim_end(), room - 1, self.theme.ellipsis);
                format!("{words} {number}")
            }
            Some(_) => number.to_owned(),
            None => String::new(),
        }
    }
}
