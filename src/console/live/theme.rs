//! Themes: the marks, bars, spinners and styles of live rows.

use std::borrow::Cow;

use anstyle::{AnsiColor, Effects, Style};

use crate::board::event::{Progress, Row, Status};
use crate::console::live::custom::{RowClosure, RowView};
use crate::console::text::{clean, width};

/// The look of live rows: the marks, the bar, the spinner and the styles.
///
/// | | [`new`](Self::new) | [`ascii`](Self::ascii) | [`classic`](Self::classic) |
/// |---|---|---|---|
/// | running | `⠹ copy  a.txt` | `\| copy  a.txt` | `copy: a.txt` |
/// | warning | `! copy  a.txt` | `! copy  a.txt` | `copy: a.txt` in yellow |
/// | finished | `✓ copy  a.txt  in 3.2s` | `+ copy  a.txt  in 3.2s` | `copy: a.txt ✔` |
/// | failed | `✗ copy  a.txt  no space` | `x copy  a.txt  no space` | `copy: a.txt ✘ no space` |
/// | cancelled | `⊘ copy  a.txt  cancelled` | `o copy  a.txt  cancelled` | `copy: a.txt ⊘ cancelled` |
/// | lost | `⊘ copy  a.txt  lost` | `o copy  a.txt  lost` | `copy: a.txt ⊘ lost` |
/// | abandoned | `… copy  a.txt  abandoned` | `~ copy  a.txt  abandoned` | `copy: a.txt … abandoned` |
/// | bar | `━━━╾────` | `####....` | `▓▓▓▓░░░░` |
/// | cut | `a_lo…ame` | `a_lo~ame` | `a_long_…` |
///
/// In a theme other than `classic`, a frame is a table: the parts of all rows have columns,
/// and only marks and bars have a color. The rows of `classic` are those of the Clojure
/// library that this crate follows: no columns, a bar of 30 columns, the outcome at the end,
/// the color of the status over the whole row, bold after any update.
///
/// The default of a console is [`new`](Self::new), or [`ascii`](Self::ascii) if the
/// locale is not UTF-8 or the terminal is the console of Linux, whose font lacks most of
/// the characters. [`Console::theme`](crate::Console::theme) sets another theme. A theme
/// does not change the texts of jobs.
///
/// # Examples
///
/// ```
/// use active_status::console::Part;
/// use active_status::testing::{Screen, VirtualClock};
/// use active_status::{JobOptions, Status, Theme};
/// use anstyle::{AnsiColor, Style};
///
/// let theme = Theme::new()
///     .bar("▏▎▍▌▋▊▉█", '·')
///     .spinner("◐◓◑◒")
///     .color(Status::Normal, AnsiColor::Magenta.on_default())
///     .style(Part::Faint, Style::new());
///
/// let (board, mut events) = VirtualClock::new().board();
/// let job = board.add_job(JobOptions::new().prefix("copy: ").total(4));
/// job.tick();
/// let mut screen = Screen::new(30, 10).with_theme(theme);
/// assert_eq!(screen.show(&mut events).rows(), ["◐ copy  ██▊········  25%  1/4"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a theme does nothing until a console has it"]
pub struct Theme {
    /// Whether rows have columns.
    pub(crate) table: bool,
    /// The look of rows without one of `looks`.
    pub(crate) look: Look,
    /// The looks of rows by name.
    looks: Vec<(Cow<'static, str>, Look)>,
    /// The character that replaces text that was cut.
    pub(crate) ellipsis: char,
    /// The character between a text and what the board adds to it.
    pub(crate) dot: char,
    /// The character before the prefix of a row below another.
    pub(crate) branch: char,
    /// What draws the rows instead.
    pub(crate) row: Option<RowClosure>,
}

/// The characters and styles that may differ from row to row, because no column depends on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) marks: Marks,
    pub(crate) bar: Bar,
    /// The characters that a spinner shows in turn.
    pub(crate) spinner: Cow<'static, [char]>,
    pub(crate) styles: Styles,
}

/// The characters before the prefixes of rows, each one column wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) finished: char,
    pub(crate) failed: char,
    pub(crate) cancelled: char,
    pub(crate) abandoned: char,
    pub(crate) warning: char,
}

/// The characters of a bar, each one column wide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bar {
    /// A column that is partly done, from the least part on, up to a column that is done.
    pub(crate) steps: Cow<'static, [char]>,
    /// A column that is left.
    pub(crate) left: char,
}

/// The styles of the parts of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Styles {
    pub(crate) normal: Style,
    pub(crate) success: Style,
    pub(crate) warning: Style,
    pub(crate) error: Style,
    pub(crate) pinned: Style,
    pub(crate) cancelled: Style,
    pub(crate) reason: Style,
    pub(crate) faint: Style,
    pub(crate) strong: Style,
}

/// A part of a row that has a style, beside the marks and bars that have the color of a
/// [`Status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// The bars of pinned rows. Green by default.
    Pinned,
    /// The marks of cancelled and lost jobs. Yellow by default.
    Cancelled,
    /// The prefix of a failed job and the reason why it failed. Red by default.
    Reason,
    /// What matters least: the rest of a bar, rates, times taken. Faint by default.
    Faint,
    /// What matters most: the prefixes of pinned rows and of rows with a warning, texts
    /// that are new. Bold by default. Other styles are added to it.
    Strong,
}

impl Theme {
    /// Creates the default theme, in Unicode.
    pub const fn new() -> Self {
        Self {
            table: true,
            look: Look {
                marks: Marks {
                    finished: '✓',
                    failed: '✗',
                    cancelled: '⊘',
                    abandoned: '…',
                    warning: '!',
                },
                bar: Bar { steps: Cow::Borrowed(&['╾', '━']), left: '─' },
                spinner: Cow::Borrowed(&['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']),
                styles: Styles {
                    normal: AnsiColor::Cyan.on_default(),
                    success: AnsiColor::Green.on_default(),
                    warning: AnsiColor::Yellow.on_default(),
                    error: AnsiColor::Red.on_default(),
                    pinned: AnsiColor::Green.on_default(),
                    cancelled: AnsiColor::Yellow.on_default(),
                    reason: AnsiColor::Red.on_default(),
                    faint: Style::new().effects(Effects::DIMMED),
                    strong: Style::new().effects(Effects::BOLD),
                },
            },
            looks: Vec::new(),
            ellipsis: '…',
            dot: '·',
            branch: '└',
            row: None,
        }
    }

    /// Creates a theme in ASCII.
    pub fn ascii() -> Self {
        let table = Self::new();
        Self {
            look: Look {
                marks: Marks {
                    finished: '+',
                    failed: 'x',
                    cancelled: 'o',
                    abandoned: '~',
                    warning: '!',
                },
                bar: Bar { steps: Cow::Borrowed(&['#']), left: '.' },
                spinner: Cow::Borrowed(&['|', '/', '-', '\\']),
                ..table.look
            },
            ellipsis: '~',
            dot: '-',
            branch: '`',
            ..table
        }
    }

    /// Creates the theme of the original library, without columns. A row that is too wide is
    /// cut at its end, even within a number.
    pub fn classic() -> Self {
        let table = Self::new();
        let Look { marks, spinner, styles, .. } = table.look;
        Self {
            table: false,
            look: Look {
                marks: Marks { finished: '✔', failed: '✘', ..marks },
                bar: Bar { steps: Cow::Borrowed(&['▓']), left: '░' },
                spinner,
                styles: Styles { normal: Style::new(), ..styles },
            },
            ..table
        }
    }

    /// Sets the mark of a job that [finished](crate::Outcome::Finished).
    ///
    /// This and the other characters of a theme have no effect unless each of them is
    /// exactly one column wide.
    pub fn finished(mut self, mark: char) -> Self {
        set(&mut self.look.marks.finished, mark);
        self
    }

    /// Sets the mark of a job that [failed](crate::Outcome::Failed) or
    /// [panicked](crate::Outcome::Panicked), and of a row with the status
    /// [error](Status::Error).
    pub fn failed(mut self, mark: char) -> Self {
        set(&mut self.look.marks.failed, mark);
        self
    }

    /// Sets the mark of a job that was [cancelled](crate::Outcome::Cancelled) or
    /// [lost](crate::Outcome::Lost).
    pub fn cancelled(mut self, mark: char) -> Self {
        set(&mut self.look.marks.cancelled, mark);
        self
    }

    /// Sets the mark of a job that was [abandoned](crate::Outcome::Abandoned).
    pub fn abandoned(mut self, mark: char) -> Self {
        set(&mut self.look.marks.abandoned, mark);
        self
    }

    /// Sets the mark of a row with the status [warning](Status::Warning).
    pub fn warning(mut self, mark: char) -> Self {
        set(&mut self.look.marks.warning, mark);
        self
    }

    /// Sets the characters of a bar: those of a column that is partly done, from the least
    /// part on and up to a column that is done, and that of a column that is left.
    ///
    /// `bar("#", '.')` has steps of a column, `bar("▏▎▍▌▋▊▉█", ' ')` of an eighth.
    pub fn bar(mut self, steps: &str, left: char) -> Self {
        if let Some(steps) = columns(steps).filter(|_| is_one_column(left)) {
            self.look.bar = Bar { steps, left };
        }
        self
    }

    /// Sets the characters that a spinner shows in turn.
    pub fn spinner(mut self, characters: &str) -> Self {
        if let Some(characters) = columns(characters) {
            self.look.spinner = characters;
        }
        self
    }

    /// Sets the style of the mark and the bar of running rows with a status, and of the mark
    /// of finished jobs for [`Status::Success`]. In [`classic`](Self::classic) it is the
    /// style of the whole row. Without color, only the effects of the style apply.
    pub const fn color(mut self, status: Status, style: Style) -> Self {
        *match status {
            Status::Normal => &mut self.look.styles.normal,
            Status::Success => &mut self.look.styles.success,
            Status::Warning => &mut self.look.styles.warning,
            Status::Error => &mut self.look.styles.error,
        } = style;
        self
    }

    /// Sets the style of a part of rows. Without color, only its effects apply.
    pub const fn style(mut self, part: Part, style: Style) -> Self {
        *match part {
            Part::Pinned => &mut self.look.styles.pinned,
            Part::Cancelled => &mut self.look.styles.cancelled,
            Part::Reason => &mut self.look.styles.reason,
            Part::Faint => &mut self.look.styles.faint,
            Part::Strong => &mut self.look.styles.strong,
        } = style;
        self
    }

    /// Gives the rows of jobs with the [look](crate::JobOptions::look) of this name the marks, the
    /// bar, the spinner and the styles of another theme. The columns stay those of all rows.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::testing::{Screen, VirtualClock};
    /// use active_status::{JobOptions, Status, Theme};
    /// use anstyle::AnsiColor;
    ///
    /// let download = Theme::new()
    ///     .spinner("↓⇣")
    ///     .bar("=", '.')
    ///     .color(Status::Normal, AnsiColor::Magenta.on_default());
    /// let theme = Theme::new().look("download", download);
    ///
    /// let (board, mut events) = VirtualClock::new().board();
    /// let options = JobOptions::new().total(4);
    /// let build = board.add_job(options.clone().prefix("build"));
    /// let fetch = board.add_job(options.prefix("fetch").look("download"));
    /// build.set_position(2);
    /// fetch.set_position(1);
    ///
    /// let mut screen = Screen::new(40, 10).with_theme(theme);
    /// assert_eq!(
    ///     screen.show(&mut events).rows(),
    ///     [
    ///         "⠋ build  ━━━━━━━━━━──────────  50%  2/4",
    ///         "↓ fetch  =====...............  25%  1/4",
    ///     ]
    /// );
    /// # drop((build, fetch));
    /// ```
    pub fn look(mut self, name: impl Into<Cow<'static, str>>, theme: Self) -> Self {
        let name = name.into();
        self.looks.retain(|(other, _)| *other != name);
        self.looks.push((name, theme.look));
        self
    }

    /// Sets a closure that draws rows in the given number of columns, as texts with their
    /// styles.
    ///
    /// The theme draws the rows for which the closure returns `None`, and the row that counts
    /// hidden jobs. Control characters and escape sequences are removed from the texts, and
    /// the row is cut to the columns, except that the row of a job that
    /// [failed](crate::Outcome::Failed) is whole when it leaves the board. Without color, only
    /// the effects of the styles apply. Characters that are not ASCII are kept in every theme.
    ///
    /// The closure is called for each shown row of each frame, so it must be fast. A frame is
    /// drawn when the board changes or when time changes a row of the theme, as the spinner
    /// does: nothing else that the closure reads leads to a frame. If the closure panics, it
    /// is not called again, and the theme draws all rows.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::testing::{Screen, VirtualClock};
    /// use active_status::{JobOptions, Theme};
    /// use anstyle::{AnsiColor, Style};
    ///
    /// let theme = Theme::new().row(|view, columns| {
    ///     let row = view.row();
    ///     // Ended jobs, and jobs without a total, keep the row of the theme.
    ///     let progress = row.progress.as_ref().filter(|_| view.outcome().is_none())?;
    ///     let (position, total) = (progress.position, progress.total?);
    ///     let bar = columns.saturating_sub(row.prefix.len() + 2) as u64;
    ///     let done = (position.min(total) * bar).checked_div(total)?;
    ///     Some(vec![
    ///         (Style::new().bold(), row.prefix.clone()),
    ///         (AnsiColor::Blue.on_default(), "=".repeat(done as usize)),
    ///         (Style::new(), format!(">{}|", " ".repeat((bar - done) as usize))),
    ///     ])
    /// });
    ///
    /// let (board, mut events) = VirtualClock::new().board();
    /// let mut screen = Screen::new(20, 10).with_theme(theme);
    /// let copy = board.add_job(JobOptions::new().prefix("copy ").total(4));
    /// let scan = board.add_job("scan");
    /// copy.set_position(2);
    /// assert_eq!(screen.show(&mut events).rows(), ["copy ======>      |", "⠋ scan"]);
    /// copy.set_position(4);
    /// copy.finish();
    /// assert_eq!(screen.show(&mut events).rows(), ["✓ copy  4/4", "⠋ scan"]);
    /// # drop(scan);
    /// ```
    pub fn row(
        mut self,
        draw: impl Fn(&RowView<'_>, usize) -> Option<Vec<(Style, String)>> + Send + Sync + 'static,
    ) -> Self {
        self.row = Some(RowClosure::new(draw));
        self
    }
}

impl Default for Theme {
    fn default() -> Self {
        Self::new()
    }
}

impl Theme {
    /// Cleans a text, as [`text::clean`](crate::console::text::clean) does.
    pub(crate) fn clean(&self, text: &str, columns: usize) -> String {
        clean(text, columns, self.ellipsis)
    }

    /// Returns the look of a row.
    pub(crate) fn look_of(&self, row: &Row) -> &Look {
        let named = self.looks.iter().find(|(name, _)| *name == row.look);
        named.filter(|_| !row.look.is_empty()).map_or(&self.look, |(_, look)| look)
    }
}

impl Styles {
    /// Returns the style of the marks and bars of a status.
    pub(crate) const fn of(&self, status: Status) -> Style {
        match status {
            Status::Normal => self.normal,
            Status::Success => self.success,
            Status::Warning => self.warning,
            Status::Error => self.error,
        }
    }

    /// Returns the style of the prefix of a failed job.
    pub(crate) fn strong_reason(&self) -> Style {
        self.reason.effects(self.reason.get_effects() | self.strong.get_effects())
    }
}

impl Bar {
    /// Returns the character of a column that is done.
    pub(crate) fn full(&self) -> char {
        self.steps.last().copied().unwrap_or(self.left)
    }

    /// Returns the number of whole columns that are done, and the character of one that is
    /// partly done. What is not done never looks done, and a start is visible.
    pub(crate) fn done(&self, progress: &Progress, columns: usize) -> (usize, Option<char>) {
        let Some(full) = self.steps.len().checked_mul(columns).filter(|full| *full > 0) else {
            return (0, None);
        };
        let done = progress.done_of(full as u64).unwrap_or(0) as usize;
        let done = done.max(usize::from(progress.position > 0 && progress.total > Some(0)));
        let (whole, part) = (done / self.steps.len(), done % self.steps.len());
        (whole, part.checked_sub(1).map(|part| self.steps[part]))
    }
}

fn set(of: &mut char, mark: char) {
    if is_one_column(mark) {
        *of = mark;
    }
}

/// Returns the characters of a text that is not empty, if each of them is one column wide.
fn columns(text: &str) -> Option<Cow<'static, [char]>> {
    let valid = !text.is_empty() && text.chars().all(is_one_column);
    valid.then(|| text.chars().collect::<Vec<_>>().into())
}

fn is_one_column(c: char) -> bool {
    let text = String::from(c);
    clean(&text, 1, c) == text && width(&text) == 1
}
