//! One row of a board: its parts, and the cutting of them to the width of the screen.

use core::fmt;
use core::time::Duration;

use crate::board::event::{Outcome, Progress, Status};
use crate::board::model::JobRow;
use crate::console::live::theme::Theme;
use crate::console::numbers;
use crate::console::text::{Token, tokens, width};
use crate::units::format_elapsed;

/// The number of columns of a bar that has enough room.
const BAR: usize = 30;
/// The number of columns that a text keeps while the bar can still shrink.
const SHORT_TEXT: usize = 8;
/// The minimum number of columns of a bar. A row without room for them has no bar.
const SHORT_BAR: usize = 6;
/// The width of a row that is not cut.
const FAR: usize = u16::MAX as usize;

/// A line of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A row of a job: text without control characters.
    Row {
        text: String,
        status: Status,
        weight: Weight,
        /// The byte at which faint text begins.
        faint: usize,
    },
    /// A line exactly as the program printed it.
    Printed(String),
}

/// The weight in which a row is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// The job was not updated within the last second.
    Normal,
    /// The job was updated within the last second.
    Bold,
    /// The row has left the board.
    Italic,
}

/// Writes plain text.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row { text, .. } => f.write_str(text),
            Self::Printed(line) => tokens(line).try_for_each(|token| match token {
                Token::Text(text) => f.write_str(text),
                Token::Control('\t') => f.write_str("\t"),
                Token::Control(_) | Token::Sequence(_) => Ok(()),
            }),
        }
    }
}

/// The theme, the width and the time for drawing rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pen<'a> {
    pub(crate) theme: &'a Theme,
    pub(crate) columns: usize,
    pub(crate) now: Duration,
}

impl Pen<'_> {
    /// Draws the row of a job on the board.
    pub(crate) fn live(self, row: &JobRow) -> Line {
        let bold = !row.data.elapsed && !row.is_dim(self.now);
        self.draw(row, false, if bold { Weight::Bold } else { Weight::Normal })
    }

    /// Draws the row of a job that leaves the board. If a failure message does not fit,
    /// the row is wider than the screen, so that the message is complete, and has no bar.
    pub(crate) fn committed(self, row: &JobRow) -> Line {
        let failed = matches!(outcome(row), Some(Outcome::Failed(_)));
        Self { now: row.updated, ..self }.draw(row, failed, Weight::Italic)
    }

    /// Draws the row that counts the jobs without a row.
    pub(crate) fn overflow(self, hidden: usize, failed: usize) -> Line {
        let failed = if failed > 0 { format!(" ({failed} failed)") } else { String::new() };
        let text = format!("{} +{hidden} more{failed}", self.theme.ellipsis());
        let text = self.theme.cut(&text, self.columns);
        Line::Row { text, status: Status::Normal, weight: Weight::Normal, faint: 0 }
    }

    /// Draws the partial line of a writer, if there is one.
    pub(crate) fn partial(self, line: &str) -> Option<Line> {
        let text = self.theme.cut(&self.theme.clean(line, self.columns), self.columns);
        let faint = text.len();
        (!text.is_empty()).then_some(Line::Row {
            text,
            status: Status::Normal,
            weight: Weight::Normal,
            faint,
        })
    }

    /// Draws a line of output below the row of its job.
    pub(crate) fn output(self, line: &str) -> Line {
        let text = format!("    {}", self.theme.clean(line, self.columns));
        let text = self.theme.cut(&text, self.columns);
        Line::Row { text, status: Status::Normal, weight: Weight::Normal, faint: 0 }
    }

    /// Draws prefix, text, elapsed time, progress, and either the outcome or the time
    /// since the last update. If these parts do not fit, the text is cut first, then the
    /// bar, then everything before the outcome, then the end of the row. A `whole` row
    /// may be wider than the screen.
    fn draw(self, row: &JobRow, whole: bool, weight: Weight) -> Line {
        let Self { theme, columns, .. } = self;
        let far = if whole { FAR } else { columns };
        let mut line = theme.clean(&row.data.prefix, far);
        let text = theme.clean(&row.data.text, far);
        let elapsed = self.elapsed(row, &text);
        let progress = row.data.progress.as_ref();
        let bar = progress.filter(|progress| progress.total.is_some());
        let numbers = progress.map(|progress| self.numbers(progress, row.turns, far));
        let numbers = numbers.unwrap_or_default();
        if (bar.is_some() || !numbers.is_empty()) && text.is_empty() && elapsed.is_empty() {
            // The numbers begin with a space.
            line.truncate(line.strip_suffix(' ').unwrap_or(&line).len());
        }
        let mark = outcome(row).map(|outcome| theme.outcome(outcome, far));
        let mut end = mark.or_else(|| self.silence(row)).unwrap_or_default();
        let before = [&numbers, &elapsed, &text, &line].into_iter().find(|part| !part.is_empty());
        let gap = bar.is_some() || before.is_some_and(|part| !part.ends_with(' '));
        if gap && !end.is_empty() {
            end.insert(0, ' ');
        }

        let fixed = [&line, &elapsed, &numbers, &end].into_iter().map(|part| width(part)).sum();
        let all = width(&text) + fixed;
        let (columns, bar) = if whole && all > columns { (all, None) } else { (columns, bar) };
        let (text_columns, bar_columns) = fit(columns, fixed, width(&text), bar.is_some());
        let least = width(&line) + 1;
        line.push_str(&theme.cut(&text, text_columns));
        line.push_str(&elapsed);
        if let Some(progress) = bar.filter(|_| bar_columns > 0) {
            line.push(' ');
            let done = progress.done_of(bar_columns as u64).unwrap_or(0);
            theme.push_bar(&mut line, done as usize, bar_columns);
        }
        line.push_str(&numbers);
        if row.end.is_some() {
            line = theme.cut(&line, columns.saturating_sub(width(&end)).max(least));
        }
        let end_at = line.len();
        line.push_str(&end);

        let mut text = theme.cut(&line, columns);
        text.truncate(text.trim_end().len());
        // A row that was cut before its end has no faint part.
        let faint = row.end.is_none() && text.is_char_boundary(end_at);
        let faint = if faint { end_at } else { text.len() };
        Line::Row { text, status: row.data.status, weight, faint }
    }

    fn elapsed(self, row: &JobRow, text: &str) -> String {
        if !row.data.elapsed {
            return String::new();
        }
        let time = format_elapsed(row.elapsed(self.now));
        if text.is_empty() { time } else { format!(" {} {time}", self.theme.dot()) }
    }

    /// Formats the time since the last update of a job, if the row shows it.
    fn silence(self, row: &JobRow) -> Option<String> {
        let time = match row.silence(self.now)?.as_secs() {
            seconds @ ..60 => format!("{seconds} s"),
            seconds @ ..3_600 => format!("{} min", seconds / 60),
            seconds if seconds % 3_600 < 60 => format!("{} h", seconds / 3_600),
            seconds => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        };
        Some(format!("{} {time}", self.theme.dot()))
    }

    /// Formats the text that follows the bar, or that replaces it.
    fn numbers(self, progress: &Progress, turns: usize, columns: usize) -> String {
        let words = numbers::words(progress).map(|words| self.theme.clean(&words, columns));
        match (progress.total, &progress.text, words) {
            (None, None, words) => {
                format!(" {} {}", self.theme.spinner(turns), words.unwrap_or_default())
            }
            (_, _, words) => words.map_or_else(String::new, |words| format!(" {words}")),
        }
    }
}

/// Returns the number of columns for the text and for the bar, if the other parts need
/// `fixed` columns. A bar of 0 columns is left out, together with the space before it.
fn fit(columns: usize, fixed: usize, all_text: usize, bar: bool) -> (usize, usize) {
    let left = columns.saturating_sub(fixed);
    let without_bar = (all_text.min(left.max(1)), 0);
    if !bar {
        return without_bar;
    }
    let (mut text, mut bar) = (all_text, BAR);
    let too_wide = |text: usize, bar: usize| (text + 1 + bar).saturating_sub(left);
    text -= too_wide(text, bar).min(text.saturating_sub(SHORT_TEXT));
    bar -= too_wide(text, bar).min(bar - SHORT_BAR);
    text -= too_wide(text, bar).min(text.saturating_sub(1));
    if too_wide(text, bar) > 0 { without_bar } else { (text, bar) }
}

fn outcome(row: &JobRow) -> Option<&Outcome> {
    row.end.as_ref()?.outcome.as_ref()
}
