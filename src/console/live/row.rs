//! One row of a board: what stands on it, and what of that has room.

use core::fmt;
use core::time::Duration;

use crate::board::event::{Outcome, Progress, Status, percentage};
use crate::board::model::JobRow;
use crate::console::live::theme::Theme;
use crate::console::text::{Token, tokens, width};
use crate::units::format_elapsed;

/// The columns of a bar, if there is room.
const BAR: usize = 30;
/// So many columns a text keeps until the bar is as short as it can be.
const SHORT_TEXT: usize = 8;
/// So many columns a bar keeps, or it is left out.
const SHORT_BAR: usize = 6;
/// Where a row is not cut at the edge of the screen, it is here.
const FAR: usize = u16::MAX as usize;

/// A line of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A row: text without controls.
    Row {
        text: String,
        status: Status,
        weight: Weight,
        /// From this byte on the text is faint.
        faint: usize,
    },
    /// A line as the program printed it.
    Printed(String),
}

/// How heavy a row is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// There is nothing new.
    Normal,
    /// There was news a moment ago.
    Bold,
    /// The job ended and its row has left the board.
    Italic,
}

/// Plain text.
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

/// What rows are drawn with, how wide, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pen<'a> {
    pub(crate) theme: &'a Theme,
    pub(crate) columns: usize,
    pub(crate) now: Duration,
}

impl Pen<'_> {
    /// A row that is on the board.
    pub(crate) fn live(self, row: &JobRow) -> Line {
        let bold = !row.data.elapsed && !row.is_dim(self.now);
        self.draw(row, false, if bold { Weight::Bold } else { Weight::Normal })
    }

    /// A row that leaves the board. If it tells why a job failed and that has no
    /// room, it is wider than the screen, so that nothing is cut; it has no bar
    /// then.
    pub(crate) fn committed(self, row: &JobRow) -> Line {
        let failed = matches!(outcome(row), Some(Outcome::Failed(_)));
        Self { now: row.news, ..self }.draw(row, failed, Weight::Italic)
    }

    /// The row that stands for those that have no room.
    pub(crate) fn overflow(self, hidden: usize, failed: usize) -> Line {
        let failed = if failed > 0 { format!(" ({failed} failed)") } else { String::new() };
        let text = format!("{} +{hidden} more{failed}", self.theme.ellipsis());
        let text = self.theme.cut(&text, self.columns);
        Line::Row { text, status: Status::Normal, weight: Weight::Normal, faint: 0 }
    }

    /// Prefix, text, elapsed time, progress, and either how the job ended or how
    /// long there was no news of it. Where not all has room the text is cut
    /// first, then the bar, then what stands before the mark of an end, then the
    /// end of the row. A `whole` row is rather wider than the screen.
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
            // They begin with a space of their own.
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
        // The end is not there if the row was cut before it.
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

    /// How long there has been no news of a job.
    fn silence(self, row: &JobRow) -> Option<String> {
        let time = match row.silence(self.now)?.as_secs() {
            seconds @ ..60 => format!("{seconds} s"),
            seconds @ ..3_600 => format!("{} min", seconds / 60),
            seconds if seconds % 3_600 < 60 => format!("{} h", seconds / 3_600),
            seconds => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        };
        Some(format!("{} {time}", self.theme.dot()))
    }

    /// What stands behind the bar of a progress, or alone if it has none.
    fn numbers(self, progress: &Progress, turns: usize, columns: usize) -> String {
        let position = progress.position;
        match (progress.total, &progress.text) {
            (_, Some(text)) => format!(" {}", self.theme.clean(text, columns)),
            (Some(total), None) => percentage(position, total, |count| count)
                .map_or_else(String::new, |text| format!(" {text}")),
            (None, None) => format!(" {} {position}", self.theme.spinner(turns)),
        }
    }
}

/// How many columns the text and the bar get beside `fixed` others. A bar that
/// gets none is left out, with the space before it.
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
