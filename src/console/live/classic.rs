//! The rows of [`Theme::classic`], which have no columns: prefix, text and bar follow one
//! another, and the status has the whole row.

use core::time::Duration;

use anstyle::{Effects, Style};

use crate::board::event::{Outcome, Progress};
use crate::board::model::JobRow;
use crate::console::live::line::Line;
use crate::console::live::theme::{Marks, Theme};
use crate::console::numbers;
use crate::console::text::{cut, width};
use crate::units::format_elapsed;

/// The number of columns of a bar that has enough room.
const BAR: usize = 30;
/// The number of columns that a text keeps while the bar can still shrink.
const SHORT_TEXT: usize = 8;
/// The minimum number of columns of a bar. A row without room for them has no bar.
const SHORT_BAR: usize = 6;
/// The width of a row that is not cut.
const FAR: usize = u16::MAX as usize;
/// The seconds without an update after which a row shows them.
const STEPS: [u64; 6] = [300, 120, 60, 30, 20, 10];
/// From this time on, a row shows each multiple of it.
const LONG: u64 = 600;

/// The theme, the width and the time for drawing rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClassicPen<'a> {
    pub(crate) theme: &'a Theme,
    pub(crate) columns: usize,
    pub(crate) now: Duration,
}

impl ClassicPen<'_> {
    /// Draws the row of a job on the board.
    pub(crate) fn live(self, row: &JobRow) -> Line {
        if let Some(line) = self.theme.draw(row, self.columns, self.now, false) {
            return line;
        }
        let bold = !row.data.elapsed && !row.is_settled(self.now);
        self.draw(row, false, if bold { Effects::BOLD } else { Effects::new() })
    }

    /// Draws the row of a job that leaves the board. If a failure message does not fit,
    /// the row is wider than the screen, so that the message is complete, and has no bar.
    pub(crate) fn committed(self, row: &JobRow) -> Line {
        if let Some(line) = self.theme.draw(row, self.columns, self.now, true) {
            return line;
        }
        let failed = matches!(outcome(row), Some(Outcome::Failed(_)));
        Self { now: row.updated, ..self }.draw(row, failed, Effects::ITALIC)
    }

    /// Draws the row that counts the jobs without a row.
    pub(crate) fn overflow(self, hidden: usize, failed: usize) -> Line {
        let failed = if failed > 0 { format!(" ({failed} failed)") } else { String::new() };
        let mut line = Line::default();
        line.push(Style::new(), &format!("{} +{hidden} more{failed}", self.theme.ellipsis));
        line.finish(self.columns, self.theme.ellipsis)
    }

    /// Draws prefix, text, elapsed time, progress, and either the outcome or the time
    /// since the last update. If these parts do not fit, the text is cut first, then the
    /// bar, then everything before the outcome, then the end of the row. A `whole` row
    /// may be wider than the screen.
    fn draw(self, row: &JobRow, whole: bool, effects: Effects) -> Line {
        let Self { theme, columns, .. } = self;
        let look = theme.look_of(&row.data);
        let far = if whole { FAR } else { columns };
        let mut line = theme.clean(&row.data.prefix, far);
        let text = theme.clean(&row.data.text, far);
        let elapsed = self.elapsed(row, &text);
        let progress = row.data.progress.as_ref();
        let bar = progress.filter(|progress| progress.total.is_some());
        let spinner = look.spinner[row.turns % look.spinner.len()];
        let numbers = progress.map(|progress| self.numbers(progress, spinner, far));
        let numbers = numbers.unwrap_or_default();
        if (bar.is_some() || !numbers.is_empty()) && text.is_empty() && elapsed.is_empty() {
            // The numbers begin with a space.
            line.truncate(line.strip_suffix(' ').unwrap_or(&line).len());
        }
        let mark = outcome(row).map(|outcome| self.outcome(outcome, &look.marks, far));
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
        line.push_str(&cut(&text, text_columns, theme.ellipsis));
        line.push_str(&elapsed);
        if let Some(progress) = bar.filter(|_| bar_columns > 0) {
            line.push(' ');
            let done = progress.done_of(bar_columns as u64).unwrap_or(0);
            line.extend(core::iter::repeat_n(look.bar.full(), done as usize));
            line.extend(core::iter::repeat_n(look.bar.left, bar_columns - done as usize));
        }
        line.push_str(&numbers);
        if row.end.is_some() {
            line = cut(&line, columns.saturating_sub(width(&end)).max(least), theme.ellipsis);
        }
        let end_at = line.len();
        line.push_str(&end);

        let mut text = cut(&line, columns, theme.ellipsis);
        text.truncate(text.trim_end().len());
        // A row that was cut before its end has no faint part.
        let faint = row.end.is_none() && text.is_char_boundary(end_at);
        let faint = if faint { end_at } else { text.len() };
        let style = look.styles.of(row.data.status);
        let style = style.effects(style.get_effects() | effects);
        let mut line = Line::default();
        line.push(style, &text[..faint]);
        line.push(style.dimmed(), &text[faint..]);
        line
    }

    fn elapsed(self, row: &JobRow, text: &str) -> String {
        if !row.data.elapsed {
            return String::new();
        }
        let time = format_elapsed(row.elapsed(self.now));
        if text.is_empty() { time } else { format!(" {} {time}", self.theme.dot) }
    }

    /// Formats the time since the last update of a job, if the row shows it.
    fn silence(self, row: &JobRow) -> Option<String> {
        let seconds = row.quiet(self.now)?;
        let step = STEPS.into_iter().find(|step| *step <= seconds);
        let step = if seconds >= LONG { Some(seconds - seconds % LONG) } else { step };
        let time = match step? {
            seconds @ ..60 => format!("{seconds} s"),
            seconds @ 60..3_600 => format!("{} min", seconds / 60),
            seconds if seconds % 3_600 < 60 => format!("{} h", seconds / 3_600),
            seconds => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        };
        Some(format!("{} {time}", self.theme.dot))
    }

    /// Formats the outcome of a job, readable without color, for a row of the given
    /// width.
    fn outcome(self, outcome: &Outcome, marks: &Marks, columns: usize) -> String {
        let (mark, message) = match outcome {
            Outcome::Finished => (marks.finished, ""),
            Outcome::Failed(message) if message.is_empty() => (marks.failed, "failed"),
            Outcome::Failed(message) => (marks.failed, message.as_str()),
            Outcome::Cancelled => (marks.cancelled, "cancelled"),
            Outcome::Panicked => (marks.failed, "panicked"),
            Outcome::Abandoned => (marks.abandoned, "abandoned"),
            Outcome::Lost => (marks.cancelled, "lost"),
        };
        let message = self.theme.clean(message, columns);
        let space = if message.is_empty() { "" } else { " " };
        format!("{mark}{space}{message}")
    }

    /// Formats the text that follows the bar, or that replaces it.
    fn numbers(self, progress: &Progress, spinner: char, columns: usize) -> String {
        let words = numbers::words(progress).map(|words| self.theme.clean(&words, columns));
        match (progress.total, &progress.text, words) {
            (None, None, words) => {
                format!(" {spinner} {}", words.unwrap_or_default())
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
