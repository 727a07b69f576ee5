//! The parts of a row as clean text with its width, computed once per change of the row.

use crate::board::event::Progress;
use crate::board::model::JobRow;
use crate::console::live::theme::Theme;
use crate::console::numbers::{amount, amount_of, percent, rate, time};
use crate::console::text::{cut_text, width};

/// A clean text and its width.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) width: usize,
}

/// The parts of a row. A part that the row does not have is empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cells {
    /// The revision of the prefix and the text.
    words: u64,
    /// The revision of the row.
    revision: u64,
    pub(crate) prefix: Cell,
    pub(crate) text: Cell,
    pub(crate) percent: Cell,
    pub(crate) count: Cell,
    pub(crate) rate: Cell,
    pub(crate) left: Cell,
}

impl Cell {
    pub(crate) fn new(text: String) -> Self {
        Self { width: width(&text), text }
    }
}

impl Cells {
    /// Computes the cells of a row on a screen with rows of the given width.
    pub(crate) fn new(row: &JobRow, theme: &Theme, columns: usize) -> Self {
        let mut cells = Self { words: u64::MAX, revision: u64::MAX, ..Self::default() };
        cells.update(row, theme, columns);
        cells
    }

    /// Computes what has changed since the last time.
    pub(crate) fn update(&mut self, row: &JobRow, theme: &Theme, columns: usize) {
        if self.words != row.words {
            self.words = row.words;
            let prefix = theme.clean(&row.data.prefix, columns);
            let (prefix, state) = split_state(&prefix);
            self.prefix = Cell::new(shown_prefix(prefix, row.data.elapsed).to_owned());
            let text = theme.clean(&row.data.text, columns);
            let gap = if state.is_empty() || text.is_empty() { "" } else { " " };
            self.text = Cell::new(format!("{state}{gap}{}", text.trim_end()));
        }
        if self.revision != row.revision {
            self.revision = row.revision;
            self.set_numbers(row.data.progress.as_ref(), theme, columns);
        }
    }

    fn set_numbers(&mut self, progress: Option<&Progress>, theme: &Theme, columns: usize) {
        let cell = |text: Option<String>| text.map(Cell::new).unwrap_or_default();
        let count = |progress: &Progress| match (&progress.text, progress.total) {
            (Some(text), _) => {
                let text = theme.clean(text, columns);
                cut_text(text.trim(), columns / 3, theme.ellipsis)
            }
            (None, Some(total)) => amount_of(progress.position, total, &progress.unit),
            (None, None) => amount(progress.position, &progress.unit),
        };
        self.count = cell(progress.map(count));
        let shown = progress.and_then(percent).map(|percent| percent.min(999));
        self.percent = cell(shown.map(|percent| format!("{percent:>3}%")));
        let shown = progress.and_then(|progress| Some(rate(progress.rate?, &progress.unit)));
        self.rate = cell(shown);
        let unfinished = |progress: &&Progress| Some(progress.position) < progress.total;
        let left = progress.filter(unfinished).and_then(|progress| progress.seconds_left);
        self.left = cell(left.map(|seconds| format!("{} left", time(seconds))));
    }
}

/// Splits a prefix such as `worker  1: (paused) ` before the state in parentheses, which
/// stands in front of the text, so that it does not widen the column of prefixes.
fn split_state(prefix: &str) -> (&str, &str) {
    let state = prefix.find(": (").map(|at| prefix.split_at(at + 1));
    let state = state.filter(|(_, state)| state.trim_end().ends_with(')'));
    state.map_or((prefix, ""), |(prefix, state)| (prefix, state.trim()))
}

/// Returns the prefix as a column shows it: without the separator at its end. The value of a
/// row of elapsed time says that it is a time.
fn shown_prefix(prefix: &str, elapsed: bool) -> &str {
    let shown = prefix.trim_end().trim_end_matches(':').trim_end();
    shown.strip_suffix(" time").filter(|_| elapsed).unwrap_or(shown)
}
