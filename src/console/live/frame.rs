//! Frames: the lines that show a board, computed from a model, a size and a time.

use core::fmt;
use core::time::Duration;
use std::collections::{HashMap, HashSet};

use anstyle::Style;

use crate::board::event::{JobId, Status};
use crate::board::model::{Class, JobRow, Model, Pending};
use crate::console::live::cells::Cells;
use crate::console::live::classic::ClassicPen;
use crate::console::live::layout::History;
use crate::console::live::line::Line;
use crate::console::live::row::{Pen, Shown};
use crate::console::live::theme::Theme;
use crate::console::text::{Token, tokens};

/// A board as lines of text: the lines that leave it at the top, then its rows.
///
/// The `Display` implementation writes plain text, one line per row, without styles and
/// escape sequences.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    above: Vec<Above>,
    live: Vec<Line>,
    /// The running jobs whose rows are shown.
    shown: Vec<JobId>,
    /// The widths of the last frames.
    history: History,
    /// The cells of the rows of this frame, by the revision of their words.
    cells: HashMap<u64, Cells>,
    /// The width of the rows of this frame.
    columns: usize,
}

/// What leaves the board at the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Above {
    /// A line exactly as the program printed it.
    Printed(String),
    /// The row of a job that ended, in one line or several.
    Row(Vec<Line>),
}

impl Frame {
    /// Computes the frame of a board at the time `now` on a screen of the given size.
    ///
    /// No row is wider than `columns` − 1, and the board has at most `rows` − 1 rows; if
    /// more jobs are running, the last row counts those without a row. 0 columns mean 80,
    /// and 0 rows mean 24. Printed lines are never cut, and neither are the rows of
    /// jobs that failed and leave the board: the terminal wraps them.
    ///
    /// A frame begins with the lines that leave the board. A console writes them once,
    /// and then removes them from its model.
    ///
    /// The columns are those of a first frame. A console keeps the width of a column for
    /// five seconds after no row needs it any more.
    ///
    /// The cost depends on the number of lines in the frame, not on the number of jobs.
    pub fn new(model: &Model, columns: u16, rows: u16, now: Duration) -> Self {
        Self::with_theme(model, &Theme::new(), columns, rows, now)
    }

    /// Computes the frame of a board with the given theme, as [`new`](Self::new) does with
    /// the default theme.
    pub fn with_theme(
        model: &Model,
        theme: &Theme,
        columns: u16,
        rows: u16,
        now: Duration,
    ) -> Self {
        let mut frame = Self::default();
        frame.advance(model, theme, columns, rows, now);
        frame
    }

    /// Turns the frame into the one that follows it. A row keeps its place until it has
    /// settled or a row of a higher class needs the place.
    pub(crate) fn advance(
        &mut self,
        model: &Model,
        theme: &Theme,
        columns: u16,
        rows: u16,
        now: Duration,
    ) {
        let (columns, rows) = screen_size(columns, rows);
        let (columns, room) = (usize::from(columns) - 1, usize::from(rows) - 1);
        let partial = partial(model, theme, columns).filter(|_| room > 1);
        let room = room - usize::from(partial.is_some());
        self.shown = self.choose(model, room, now);
        let rows = Rows::new(model, &self.shown, room, now);
        if theme.table {
            self.draw_table(model, &rows, theme, columns, now);
        } else {
            self.draw_classic(&rows, ClassicPen { theme, columns, now });
        }
        self.live.extend(partial);
    }

    fn draw_table(
        &mut self,
        model: &Model,
        rows: &Rows<'_>,
        theme: &Theme,
        columns: usize,
        now: Duration,
    ) {
        if core::mem::replace(&mut self.columns, columns) != columns {
            self.cells.clear();
        }
        self.cells = rows.cells(&mut self.cells, theme, columns);
        let failed = model.counts().failed + model.counts().panicked;
        let shown = |row| Shown::new(row, &self.cells[&row.words], failed, theme, now);
        let all: Vec<Shown<'_>> = rows.all().map(shown).collect();
        let needs = all.iter().map(Shown::need);
        let layout = self.history.next(needs, columns, now);
        let pen = Pen { theme, look: &theme.look, layout, now };

        let mut all = all.iter();
        self.above.clear();
        self.above.extend(rows.above.iter().map(|above| match above {
            Leaving::Printed(line) => Above::Printed((*line).to_owned()),
            Leaving::Row(_) => {
                Above::Row(all.next().map(|row| pen.of(row).committed(row)).unwrap_or_default())
            }
        }));
        let mut spare = rows.spare;
        let mut push = |live: &mut Vec<Line>, row: &Shown<'_>| {
            live.push(pen.of(row).live(row));
            push_output(live, row.row, &mut spare, theme, columns);
        };
        self.live.clear();
        for row in all.by_ref().take(rows.staying.len() + rows.running.len()) {
            push(&mut self.live, row);
        }
        if let Some(hidden) = &rows.hidden {
            self.live.push(pen.overflow(hidden.jobs, hidden.failed, hidden.quiet));
        }
        all.for_each(|row| push(&mut self.live, row));
    }

    fn draw_classic(&mut self, rows: &Rows<'_>, pen: ClassicPen<'_>) {
        self.above = rows
            .above
            .iter()
            .map(|above| match above {
                Leaving::Printed(line) => Above::Printed((*line).to_owned()),
                Leaving::Row(row) => Above::Row(vec![pen.committed(row)]),
            })
            .collect();
        let mut spare = rows.spare;
        let mut push = |live: &mut Vec<Line>, row: &JobRow| {
            live.push(pen.live(row));
            push_output(live, row, &mut spare, pen.theme, pen.columns);
        };
        self.live.clear();
        rows.staying.iter().chain(&rows.running).for_each(|row| push(&mut self.live, row));
        if let Some(hidden) = &rows.hidden {
            self.live.push(pen.overflow(hidden.jobs, hidden.failed));
        }
        rows.pinned.iter().for_each(|row| push(&mut self.live, row));
    }

    #[cfg(test)]
    pub(crate) fn of_rows(live: Vec<Line>) -> Self {
        Self { live, ..Self::default() }
    }

    /// Returns the lines that leave the board, from top to bottom. They are never
    /// redrawn.
    pub(crate) fn above(&self) -> &[Above] {
        &self.above
    }

    /// Returns the rows of the board, from top to bottom.
    pub(crate) fn live(&self) -> &[Line] {
        &self.live
    }

    /// Chooses the running jobs to show next: in their order, pinned ones last.
    fn choose(&self, model: &Model, room: usize, now: Duration) -> Vec<JobId> {
        let running = model.running();
        let mut shown: Vec<JobId> = if running.len() <= room {
            running.keys().copied().collect()
        } else {
            self.choose_some(model, room.saturating_sub(1), now)
        };
        shown.sort_unstable_by_key(|job| (running[job].data.pinned, model.place(*job)));
        shown
    }

    /// Chooses the `room` most important running jobs.
    fn choose_some(&self, model: &Model, room: usize, now: Duration) -> Vec<JobId> {
        let mut chosen = Vec::with_capacity(room);
        let mut staying: Vec<(JobId, &JobRow)> = Vec::new();
        for job in &self.shown {
            if let Some(row) = model.running().get(job).filter(|row| !row.is_settled(now)) {
                staying.push((*job, row));
            }
        }
        staying.sort_by_key(|(_, row)| core::cmp::Reverse(row.updated));
        for class in Class::ALL {
            let first = chosen.len();
            let of_class = staying.iter().filter(|(_, row)| Class::of(row) == class);
            chosen.extend(of_class.map(|(job, _)| *job).take(room - first));
            let kept: HashSet<JobId> = chosen[first..].iter().copied().collect();
            let others = model.ranked(class).filter(|job| !kept.contains(job));
            chosen.extend(others.take(room - chosen.len()));
        }
        chosen
    }
}

/// Frames are equal if they show the same.
impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        (&self.above, &self.live) == (&other.above, &other.live)
    }
}

impl Eq for Frame {}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.above.iter().try_for_each(|above| writeln!(f, "{above}"))?;
        self.live.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Writes plain text, without a newline at the end.
impl fmt::Display for Above {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(lines) => {
                let (last, others) = lines.split_last().ok_or(fmt::Error)?;
                others.iter().try_for_each(|line| writeln!(f, "{line}"))?;
                last.fmt(f)
            }
            Self::Printed(line) => tokens(line).try_for_each(|token| match token {
                Token::Text(text) => f.write_str(text),
                Token::Control('\t') => f.write_str("\t"),
                Token::Control(_) | Token::Sequence(_) => Ok(()),
            }),
        }
    }
}

/// The rows of a frame, from top to bottom.
struct Rows<'a> {
    above: Vec<Leaving<'a>>,
    /// The completed rows that stay on the board.
    staying: Vec<&'a JobRow>,
    running: Vec<&'a JobRow>,
    /// The jobs without a row, if there is a row that counts them.
    hidden: Option<Hidden>,
    pinned: Vec<&'a JobRow>,
    /// The room that no row needs, for lines of output.
    spare: usize,
}

/// A line or a row that leaves the board.
enum Leaving<'a> {
    Printed(&'a str),
    Row(&'a JobRow),
}

/// The number of jobs without a row, and of those that have failed or are quiet.
struct Hidden {
    jobs: usize,
    failed: usize,
    quiet: usize,
}

impl<'a> Rows<'a> {
    fn new(model: &'a Model, shown: &[JobId], room: usize, now: Duration) -> Self {
        let leaving = leaving(model, room, now);
        let pending = model.pending().iter().map(|pending| match pending {
            Pending::Line(line) => Leaving::Printed(line),
            Pending::Row(row) => Leaving::Row(row),
        });
        let completed = model.completed().range(..leaving).map(Leaving::Row);
        let rows = shown.iter().map(|job| &model.running()[job]);
        let (pinned, running) = rows.partition::<Vec<_>, _>(|row| row.data.pinned);
        let jobs = model.running().len() - shown.len();
        let both = || running.iter().chain(&pinned);
        let hidden = (jobs > 0 && room > 0).then(|| Hidden {
            jobs,
            failed: model.errors() - both().filter(|row| row.data.status == Status::Error).count(),
            quiet: model.quiet(now) - both().filter(|row| row.quiet(now).is_some()).count(),
        });
        let staying: Vec<&JobRow> = model.completed().range(leaving..).collect();
        let taken = staying.len() + shown.len() + usize::from(hidden.is_some());
        Self {
            above: pending.chain(completed).collect(),
            staying,
            hidden,
            running,
            pinned,
            spare: room.saturating_sub(taken),
        }
    }

    /// Returns all rows of jobs, from top to bottom.
    fn all(&self) -> impl Iterator<Item = &'a JobRow> {
        let above = self.above.iter().filter_map(|above| match above {
            Leaving::Row(row) => Some(*row),
            Leaving::Printed(_) => None,
        });
        above.chain(self.staying.iter().chain(&self.running).chain(&self.pinned).copied())
    }

    /// Returns the cells of all rows, by the revision of their words. Those of the last frame
    /// are used again.
    fn cells(
        &self,
        last: &mut HashMap<u64, Cells>,
        theme: &Theme,
        columns: usize,
    ) -> HashMap<u64, Cells> {
        let cells = |row: &JobRow| match last.remove(&row.words) {
            Some(mut cells) => {
                cells.update(row, theme, columns);
                (row.words, cells)
            }
            None => (row.words, Cells::new(row, theme, columns)),
        };
        self.all().map(cells).collect()
    }
}

/// Returns the number of completed rows that leave: those that have been on the board
/// for a second, and those without room.
fn leaving(model: &Model, room: usize, now: Duration) -> usize {
    let completed = model.completed().len();
    let crowd = (completed + model.running().len()).saturating_sub(room).min(completed);
    let settled = model.completed().iter().take_while(|row| row.is_settled(now)).count();
    settled.max(crowd)
}

/// Appends the last lines of output of a job, as far as there is room to spare.
fn push_output(
    live: &mut Vec<Line>,
    row: &JobRow,
    spare: &mut usize,
    theme: &Theme,
    columns: usize,
) {
    let output = &row.data.output;
    let output = &output[output.len().saturating_sub(*spare)..];
    *spare -= output.len();
    for text in output {
        let mut line = Line::default();
        line.push(Style::new(), &format!("    {}", theme.clean(text, columns)));
        live.push(line.finish(columns, theme.ellipsis));
    }
}

/// Returns the partial line of a writer, if there is one.
fn partial(model: &Model, theme: &Theme, columns: usize) -> Option<Line> {
    let text = theme.clean(model.partial(), columns);
    let mut line = Line::default();
    line.push(Style::new(), &text);
    (!text.is_empty()).then(|| line.finish(columns, theme.ellipsis))
}

/// Returns the size of a screen, with 80 columns and 24 rows where it is unknown.
pub(crate) fn screen_size(columns: u16, rows: u16) -> (u16, u16) {
    (if columns == 0 { 80 } else { columns }, if rows == 0 { 24 } else { rows })
}

#[cfg(test)]
mod tests {
    use anstyle::AnsiColor;

    use super::*;
    use crate::board::event::{Change, Event, Outcome, Progress, Row};

    const SECOND: Duration = Duration::from_secs(1);
    const PLAIN: Style = Style::new();
    const BOLD: Style = PLAIN.bold();
    const FAINT: Style = PLAIN.dimmed();
    const RED: Style = AnsiColor::Red.on_default();
    const GREEN: Style = AnsiColor::Green.on_default();
    const YELLOW: Style = AnsiColor::Yellow.on_default();
    const CYAN: Style = AnsiColor::Cyan.on_default();

    fn id(job: u64) -> JobId {
        JobId::new(job).expect("ids count from 1")
    }

    fn add(model: &mut Model, job: u64, row: Row) {
        model.apply(&Event::Added { at: Duration::ZERO, job: id(job), row });
    }

    fn change(model: &mut Model, job: u64, change: Change, at: Duration) {
        model.apply(&Event::Changed { at, job: id(job), change });
    }

    fn set_status(model: &mut Model, job: u64, status: Status, at: Duration) {
        change(model, job, Change::default().with_status(status), at);
    }

    fn end(model: &mut Model, job: u64, outcome: Outcome, at: Duration) {
        model.apply(&Event::Ended { at, job: id(job), outcome });
    }

    fn next(frame: &mut Frame, model: &Model, at: Duration) -> String {
        frame.advance(model, &Theme::new(), 80, 4, at);
        frame.to_string()
    }

    /// Creates a board of six jobs with room for two, and its frame.
    fn crowd() -> (Model, Frame) {
        let mut model = Model::new();
        for job in 1..=6 {
            add(&mut model, job, Row::default().with_text(format!("job {job}")));
        }
        let frame = Frame::new(&model, 80, 4, Duration::ZERO);
        assert_eq!(frame.to_string(), "⠋ job 1\n⠋ job 2\n  … 4 more\n");
        (model, frame)
    }

    // Rule 17
    #[test]
    fn a_row_keeps_its_place_until_it_has_settled() {
        let (mut model, mut frame) = crowd();
        for job in [5, 6] {
            set_status(&mut model, job, Status::Normal, SECOND / 2);
        }
        assert_eq!(next(&mut frame, &model, SECOND / 2), "⠴ job 1\n⠴ job 2\n  … 4 more\n");
        assert_eq!(next(&mut frame, &model, SECOND), "⠋ job 5\n⠋ job 6\n  … 4 more\n");
    }

    // Rule 17
    #[test]
    fn an_error_takes_the_place_of_a_row_without_one() {
        let (mut model, mut frame) = crowd();
        set_status(&mut model, 1, Status::Normal, SECOND / 4);
        set_status(&mut model, 6, Status::Error, SECOND / 2);
        assert_eq!(next(&mut frame, &model, SECOND / 2), "⠴ job 1\n✗ job 6\n  … 4 more\n");
    }

    /// Returns the styled runs of all lines, from top to bottom, without blanks.
    fn styles(model: &Model, now: Duration) -> Vec<(Style, String)> {
        let frame = Frame::new(model, 80, 24, now);
        let above = frame.above.iter().flat_map(|above| match above {
            Above::Row(lines) => lines.iter(),
            Above::Printed(line) => panic!("{line}"),
        });
        let runs = above.chain(&frame.live).flat_map(Line::runs);
        let trimmed = runs.map(|(style, run)| (style, run.trim().to_owned()));
        trimmed.filter(|(_, run)| !run.is_empty()).collect()
    }

    fn assert_styles(model: &Model, now: Duration, expected: &[(Style, &str)]) {
        let styles = styles(model, now);
        let styles: Vec<_> = styles.iter().map(|(style, run)| (*style, run.as_str())).collect();
        assert_eq!(styles, expected);
    }

    // Rules 5, 9
    #[test]
    fn only_marks_and_bars_have_the_color_of_a_status() {
        let row = |pinned| {
            let row = Row::new("copy: ").with_text("a.txt").with_pinned(pinned);
            row.with_progress(Progress::new(1, 2))
        };
        for (status, pinned, mark, mark_style, bar, prefix) in [
            (Status::Normal, false, "⠋", CYAN, CYAN, PLAIN),
            (Status::Success, false, "⠋", GREEN, GREEN, PLAIN),
            (Status::Warning, false, "!", YELLOW, YELLOW, BOLD),
            (Status::Error, false, "✗", RED, RED, RED.bold()),
            (Status::Normal, true, "", PLAIN, GREEN, BOLD),
            (Status::Warning, true, "!", YELLOW, YELLOW, BOLD),
        ] {
            let mut model = Model::new();
            add(&mut model, 1, row(pinned).with_status(status));
            let bar_of = "━".repeat(12);
            let left = "─".repeat(12);
            let words = match prefix {
                PLAIN => vec![(PLAIN, "copy  a.txt")],
                _ => vec![(prefix, "copy"), (PLAIN, "a.txt")],
            };
            let bar = [(bar, bar_of.as_str()), (FAINT, left.as_str()), (PLAIN, "50%  1/2")];
            let mark = Some((mark_style, mark)).filter(|(_, mark)| !mark.is_empty());
            let expected: Vec<_> = mark.into_iter().chain(words).chain(bar).collect();
            assert_styles(&model, SECOND, &expected);
        }
    }

    // Rule 5
    #[test]
    fn an_end_has_a_mark_and_words() {
        for (outcome, mark, mark_style, prefix, words, style) in [
            (Outcome::Finished, "✓", GREEN, PLAIN, "in 3.2s", FAINT),
            (Outcome::Failed("no space".into()), "✗", RED, RED.bold(), "no space", RED),
            (Outcome::Failed(String::new()), "✗", RED, RED.bold(), "failed", RED),
            (Outcome::Panicked, "✗", RED, RED.bold(), "panicked", RED),
            (Outcome::Cancelled, "⊘", YELLOW, PLAIN, "cancelled", PLAIN),
            (Outcome::Lost, "⊘", YELLOW, PLAIN, "lost", PLAIN),
            (Outcome::Abandoned, "…", FAINT, PLAIN, "abandoned", PLAIN),
        ] {
            let mut model = Model::new();
            add(&mut model, 1, Row::new("copy: ").with_text("a"));
            let at = Duration::from_millis(3_250);
            end(&mut model, 1, outcome, at);
            let mut expected =
                vec![(mark_style, mark), (prefix, "copy"), (PLAIN, "a"), (style, words)];
            if style == PLAIN {
                let both =
                    if prefix == PLAIN { format!("copy  a  {words}") } else { String::new() };
                expected = vec![(mark_style, mark), (PLAIN, both.leak())];
            } else if prefix == PLAIN {
                expected = vec![(mark_style, mark), (PLAIN, "copy  a"), (style, words)];
            }
            assert_styles(&model, at, &expected);
            // It leaves as it was.
            assert_styles(&model, at + SECOND, &expected);
        }
    }

    // Rule 9
    #[test]
    fn a_new_text_is_bold_for_a_second_and_a_tick_is_not() {
        let mut model = Model::new();
        add(&mut model, 1, Row::new("copy: "));
        let text_at = |model: &Model, millis| {
            let styles = styles(model, Duration::from_millis(millis));
            styles.into_iter().any(|(style, run)| style == BOLD && run == "a.txt")
        };
        change(&mut model, 1, Change::default().with_text("a.txt"), 2 * SECOND);
        assert!(text_at(&model, 2_999) && !text_at(&model, 3_000));
        let tick = Change::default().with_progress(Progress::new(1, None));
        change(&mut model, 1, tick.with_text("a.txt"), 4 * SECOND);
        assert!(!text_at(&model, 4_000));
        set_status(&mut model, 1, Status::Success, 5 * SECOND);
        assert!(text_at(&model, 5_999));
        end(&mut model, 1, Outcome::Finished, 6 * SECOND);
        assert!(!text_at(&model, 6_000));
    }

    // Rule 14
    #[test]
    fn a_row_that_is_quiet_for_a_minute_stands_out() {
        let mut model = Model::new();
        add(&mut model, 1, Row::new("deploy: ").with_text("waiting"));
        for (seconds, mark_style, words, style) in [
            (10, CYAN, "quiet 10s", FAINT),
            (59, CYAN, "quiet 59s", FAINT),
            (60, YELLOW, "quiet 1m", BOLD),
            (7_800, YELLOW, "quiet 2h 10m", BOLD),
        ] {
            let now = Duration::from_secs(seconds);
            let mark = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
            let mark = mark[seconds as usize % 10];
            let expected = [(mark_style, mark), (PLAIN, "deploy  waiting"), (style, words)];
            assert_styles(&model, now, &expected);
        }
    }
}
