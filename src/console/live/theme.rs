//! Themes: the marks, colors and bars of live rows.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};

use crate::board::event::{Outcome, Status};
use crate::console::text::{clean, cut, width};

/// The look of live rows: the marks of outcomes, the colors of statuses, and the bar.
///
/// | | [`new`](Self::new) | [`ascii`](Self::ascii) |
/// |---|---|---|
/// | finished | `copy: a.txt ✔` | `copy: a.txt ok` |
/// | failed | `copy: a.txt ✘ no space` | `copy: a.txt x no space` |
/// | panicked | `copy: a.txt ✘ panicked` | `copy: a.txt x panicked` |
/// | cancelled | `copy: a.txt ⊘ cancelled` | `copy: a.txt - cancelled` |
/// | lost | `copy: a.txt ⊘ lost` | `copy: a.txt - lost` |
/// | abandoned | `copy: a.txt … abandoned` | `copy: a.txt ~ abandoned` |
/// | bar | `copy ▓▓▓▓▓░░░░░  50% - 1/2` | `copy #####.....  50% - 1/2` |
/// | spinner | `copy ⠹ 12` | `copy - 12` |
/// | cut | `copy: a_long_na…` | `copy: a_long_na~` |
///
/// The default of a console is [`new`](Self::new), or [`ascii`](Self::ascii) if the
/// locale is not UTF-8; [`Console::theme`](crate::Console::theme) sets another theme. A
/// theme does not change the texts of jobs.
///
/// # Examples
///
/// ```
/// use active_status::{Console, Status, Theme};
/// use anstyle::{AnsiColor, Effects};
///
/// let theme = Theme::new()
///     .bar('█', '·')
///     .finished("done")
///     .color(Status::Success, AnsiColor::Cyan.on_default())
///     .color(Status::Error, AnsiColor::BrightRed.on_default() | Effects::BOLD);
/// let board = Console::auto().theme(theme).open();
/// board.shutdown();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a theme does nothing until a console has it"]
pub struct Theme {
    finished: Cow<'static, str>,
    failed: Cow<'static, str>,
    cancelled: Cow<'static, str>,
    abandoned: Cow<'static, str>,
    normal: Style,
    success: Style,
    warning: Style,
    error: Style,
    /// The characters of the filled and the empty part of a bar.
    bar: [char; 2],
    spinner: &'static [char],
    /// The character that replaces text that was cut.
    ellipsis: char,
    /// The character between a text and what the board adds to it.
    dot: char,
}

impl Theme {
    /// Creates the default theme, in Unicode.
    pub const fn new() -> Self {
        Self {
            finished: Cow::Borrowed("✔"),
            failed: Cow::Borrowed("✘"),
            cancelled: Cow::Borrowed("⊘"),
            abandoned: Cow::Borrowed("…"),
            normal: Style::new(),
            success: AnsiColor::Green.on_default(),
            warning: AnsiColor::Yellow.on_default(),
            error: AnsiColor::Red.on_default(),
            bar: ['▓', '░'],
            spinner: &['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'],
            ellipsis: '…',
            dot: '·',
        }
    }

    /// Creates a theme in ASCII.
    pub fn ascii() -> Self {
        Self {
            finished: Cow::Borrowed("ok"),
            failed: Cow::Borrowed("x"),
            cancelled: Cow::Borrowed("-"),
            abandoned: Cow::Borrowed("~"),
            bar: ['#', '.'],
            spinner: &['|', '/', '-', '\\'],
            ellipsis: '~',
            dot: '-',
            ..Self::new()
        }
    }

    /// Sets the mark of a job that [finished](Outcome::Finished).
    pub fn finished(mut self, mark: impl Into<Cow<'static, str>>) -> Self {
        self.finished = mark.into();
        self
    }

    /// Sets the mark of a job that [failed](Outcome::Failed) or
    /// [panicked](Outcome::Panicked).
    pub fn failed(mut self, mark: impl Into<Cow<'static, str>>) -> Self {
        self.failed = mark.into();
        self
    }

    /// Sets the mark of a job that was [cancelled](Outcome::Cancelled) or
    /// [lost](Outcome::Lost).
    pub fn cancelled(mut self, mark: impl Into<Cow<'static, str>>) -> Self {
        self.cancelled = mark.into();
        self
    }

    /// Sets the mark of a job that was [abandoned](Outcome::Abandoned).
    pub fn abandoned(mut self, mark: impl Into<Cow<'static, str>>) -> Self {
        self.abandoned = mark.into();
        self
    }

    /// Sets the style of rows with a status. The board adds bold, italic and faint to it.
    /// Without color, only the effects of the style apply.
    pub const fn color(mut self, status: Status, style: Style) -> Self {
        *match status {
            Status::Normal => &mut self.normal,
            Status::Success => &mut self.success,
            Status::Warning => &mut self.warning,
            Status::Error => &mut self.error,
        } = style;
        self
    }

    /// Sets the characters of the filled and the empty part of a bar. This has no effect
    /// unless each of them is exactly one column wide.
    pub fn bar(mut self, done: char, left: char) -> Self {
        let is_one_column = |c: char| {
            let text = String::from(c);
            self.clean(&text, 1) == text && width(&text) == 1
        };
        if is_one_column(done) && is_one_column(left) {
            self.bar = [done, left];
        }
        self
    }
}

impl Default for Theme {
    fn default() -> Self {
        Self::new()
    }
}

impl Theme {
    /// Formats the outcome of a job, readable without color, for a row of the given
    /// width.
    pub(crate) fn outcome(&self, outcome: &Outcome, columns: usize) -> String {
        let (mark, message) = match outcome {
            Outcome::Finished => (&self.finished, ""),
            Outcome::Failed(message) if message.is_empty() => (&self.failed, "failed"),
            Outcome::Failed(message) => (&self.failed, message.as_str()),
            Outcome::Cancelled => (&self.cancelled, "cancelled"),
            Outcome::Panicked => (&self.failed, "panicked"),
            Outcome::Abandoned => (&self.abandoned, "abandoned"),
            Outcome::Lost => (&self.cancelled, "lost"),
        };
        let (mark, message) = (self.clean(mark, columns), self.clean(message, columns));
        let space = if mark.is_empty() || message.is_empty() { "" } else { " " };
        format!("{mark}{space}{message}")
    }

    /// Appends a bar of the given width, of which `done` columns are filled.
    pub(crate) fn push_bar(&self, line: &mut String, done: usize, columns: usize) {
        line.extend(core::iter::repeat_n(self.bar[0], done));
        line.extend(core::iter::repeat_n(self.bar[1], columns - done));
    }

    /// Returns the character of the spinner after the given number of turns.
    pub(crate) fn spinner(&self, turns: usize) -> char {
        self.spinner[turns % self.spinner.len()]
    }

    /// Returns the character between a text and what the board adds to it.
    pub(crate) fn dot(&self) -> char {
        self.dot
    }

    /// Returns the character that replaces text that was cut.
    pub(crate) fn ellipsis(&self) -> char {
        self.ellipsis
    }

    /// Cleans a text, as [`text::clean`](crate::console::text::clean) does.
    pub(crate) fn clean(&self, text: &str, columns: usize) -> String {
        clean(text, columns, self.ellipsis)
    }

    /// Cuts a text, as [`text::cut`](crate::console::text::cut) does.
    pub(crate) fn cut(&self, text: &str, columns: usize) -> String {
        cut(text, columns, self.ellipsis)
    }

    pub(crate) fn style(&self, status: Status) -> Style {
        match status {
            Status::Normal => self.normal,
            Status::Success => self.success,
            Status::Warning => self.warning,
            Status::Error => self.error,
        }
    }
}
