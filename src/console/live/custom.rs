//! Rows that a closure of the program draws.

use core::fmt;
use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::Style;

use crate::board::event::{Outcome, Row};
use crate::board::model::JobRow;
use crate::console::live::line::Line;
use crate::console::live::theme::Theme;

/// A row at the time of a frame, for the closure of [`Theme::row`](crate::Theme::row).
#[derive(Clone, Copy, Debug)]
pub struct RowView<'a> {
    row: &'a JobRow,
    now: Duration,
}

/// Draws a row in the given number of columns.
type Draw = dyn Fn(&RowView<'_>, usize) -> Option<Vec<(Style, String)>> + Send + Sync;

/// The closure of a theme. Clones share it.
#[derive(Clone)]
pub(crate) struct RowClosure(Arc<Shared<Draw>>);

struct Shared<F: ?Sized> {
    /// Whether the closure has panicked. It is not called again.
    broken: AtomicBool,
    draw: F,
}

impl<'a> RowView<'a> {
    /// Returns the prefix, the text, the status and the progress of the row.
    pub fn row(&self) -> &'a Row {
        &self.row.data
    }

    /// Returns the outcome of the job; `None` while it is running.
    pub fn outcome(&self) -> Option<&'a Outcome> {
        const FINISHED: &Outcome = &Outcome::Finished;
        self.row.end.as_ref().map(|end| end.outcome.as_ref().unwrap_or(FINISHED))
    }

    /// Returns for how long the job has been running, in whole seconds, or ran until its end.
    pub fn elapsed(&self) -> Duration {
        self.row.elapsed(self.now)
    }

    /// Returns for how long the job has not been updated, in whole seconds from the tenth
    /// on.
    pub fn quiet(&self) -> Option<Duration> {
        self.row.quiet(self.now).map(Duration::from_secs)
    }

    /// Returns the time of the frame on the board's clock, which turns spinners.
    pub fn now(&self) -> Duration {
        self.now
    }
}

impl RowClosure {
    pub(crate) fn new(
        draw: impl Fn(&RowView<'_>, usize) -> Option<Vec<(Style, String)>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Shared { broken: AtomicBool::new(false), draw }))
    }

    /// Calls the closure, unless it has panicked.
    fn call(&self, view: &RowView<'_>, columns: usize) -> Option<Vec<(Style, String)>> {
        let Shared { broken, draw } = &*self.0;
        if broken.load(Ordering::Relaxed) {
            return None;
        }
        catch_unwind(AssertUnwindSafe(|| draw(view, columns))).unwrap_or_else(|_| {
            broken.store(true, Ordering::Relaxed);
            None
        })
    }
}

impl Theme {
    /// Returns the line that the closure of the theme draws, if it has one that draws the
    /// row. The row of a job that failed is not cut when it leaves the board.
    pub(crate) fn draw(
        &self,
        row: &JobRow,
        columns: usize,
        now: Duration,
        leaves: bool,
    ) -> Option<Line> {
        let view = RowView { row, now };
        let spans = self.row.as_ref()?.call(&view, columns)?;
        let whole = leaves && matches!(view.outcome(), Some(Outcome::Failed(_)));
        let most = if whole { u16::MAX.into() } else { columns };
        let clean = |(style, text): (Style, String)| (style, self.clean(&text, most));
        Some(Line::from_spans(spans.into_iter().map(clean)).finish(most, self.ellipsis))
    }
}

/// Closures are equal if they are the same.
impl PartialEq for RowClosure {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for RowClosure {}

impl fmt::Debug for RowClosure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowClosure")
    }
}
