//! Rows, a size and a time in, lines out.

use core::fmt;
use core::time::Duration;
use std::collections::HashSet;

use super::text::{Token, clean, cut, tokens, width};
use crate::board::duration::format_elapsed;
use crate::board::event::{JobId, Outcome, Progress, Status};
use crate::board::model::{Class, JobRow, Model, Pending};

/// The columns of a bar, if there is room.
const BAR: usize = 30;
/// So many columns a text keeps until the bar is as short as it can be.
const SHORT_TEXT: usize = 8;
/// So many columns a bar keeps until the text is gone.
const SHORT_BAR: usize = 6;
/// Where a committed row is not cut at the edge of the screen, it is here.
const FAR: usize = u16::MAX as usize;
/// How a spinner turns.
const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// A board as lines: what leaves it upwards, and its rows.
///
/// `Display` writes it as plain text, one line a row, without styles and
/// escape sequences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    above: Vec<Line>,
    live: Vec<Line>,
    /// The running jobs whose rows are there.
    shown: Vec<JobId>,
}

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
    /// Nothing new.
    Normal,
    /// There was news a moment ago.
    Bold,
    /// The job ended.
    Italic,
}

impl Frame {
    /// What leaves the board now, the first one first: it is never drawn again.
    pub(crate) fn above(&self) -> &[Line] {
        &self.above
    }

    /// The rows of the board, from top to bottom.
    pub(crate) fn live(&self) -> &[Line] {
        &self.live
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.above.iter().chain(&self.live).try_for_each(|line| writeln!(f, "{line}"))
    }
}

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

impl Model {
    /// The board as it looks at `now` on a screen of this size.
    ///
    /// No row is wider than `columns` − 1, and at most `rows` − 1 rows stay on
    /// the board; a last one says how many running jobs have no room. 0 columns
    /// are 80, 0 rows are 24. A printed line is not cut, and neither is the row
    /// of a failed job when it leaves the board: the terminal wraps them.
    ///
    /// It costs what is on the screen and what leaves it, not what exists.
    pub fn frame(&self, columns: u16, rows: u16, now: Duration) -> Frame {
        self.frame_after(&Frame::default(), columns, rows, now)
    }

    /// Like `frame`, but a row that `previous` shows gives its place to one of
    /// the same class only when it is dim.
    pub(crate) fn frame_after(
        &self,
        previous: &Frame,
        columns: u16,
        rows: u16,
        now: Duration,
    ) -> Frame {
        let (columns, rows) = size(columns, rows);
        let (columns, room) = (usize::from(columns) - 1, usize::from(rows) - 1);
        let leaving = self.leaving(room, now);
        let mut above: Vec<Line> =
            self.pending().iter().map(|gone| commit(gone, columns)).collect();
        above.extend(self.cooling().range(..leaving).map(|row| committed_row(row, columns)));
        let staying = self.cooling().range(leaving..);
        let mut live: Vec<Line> = staying.map(|row| live_row(row, now, columns)).collect();
        let shown = self.choose(previous, room, now);
        self.draw_running(&shown, room, now, columns, &mut live);
        Frame { above, live, shown }
    }

    /// How many completed rows leave: those that are dim, and those that have
    /// no room.
    fn leaving(&self, room: usize, now: Duration) -> usize {
        let completed = self.cooling().len();
        let crowd = (completed + self.running().len()).saturating_sub(room).min(completed);
        let dim = self.cooling().iter().take_while(|row| row.is_dim(now)).count();
        dim.max(crowd)
    }

    /// The running jobs that are shown, pinned ones last, else in order of
    /// creation.
    fn choose(&self, previous: &Frame, room: usize, now: Duration) -> Vec<JobId> {
        let running = self.running();
        let mut shown: Vec<JobId> = if running.len() <= room {
            running.keys().copied().collect()
        } else {
            self.choose_some(previous, room.saturating_sub(1), now)
        };
        shown.sort_unstable_by_key(|job| (running[job].data.pinned, *job));
        shown
    }

    /// The `room` most important running jobs.
    fn choose_some(&self, previous: &Frame, room: usize, now: Duration) -> Vec<JobId> {
        let mut chosen = Vec::with_capacity(room);
        let mut staying: Vec<(JobId, &JobRow)> = Vec::new();
        for job in &previous.shown {
            if let Some(row) = self.running().get(job).filter(|row| !row.is_dim(now)) {
                staying.push((*job, row));
            }
        }
        staying.sort_by_key(|(_, row)| core::cmp::Reverse(row.news));
        for class in Class::ALL {
            let first = chosen.len();
            let of_class = staying.iter().filter(|(_, row)| Class::of(row) == class);
            chosen.extend(of_class.map(|(job, _)| *job).take(room - first));
            let kept: HashSet<JobId> = chosen[first..].iter().copied().collect();
            let others = self.ranked(class).filter(|job| !kept.contains(job));
            chosen.extend(others.take(room - chosen.len()));
        }
        chosen
    }

    fn draw_running(
        &self,
        shown: &[JobId],
        room: usize,
        now: Duration,
        columns: usize,
        live: &mut Vec<Line>,
    ) {
        let rows = || shown.iter().map(|job| &self.running()[job]);
        let lines = |pinned| {
            let of_zone = rows().filter(move |row| row.data.pinned == pinned);
            of_zone.map(move |row| live_row(row, now, columns))
        };
        live.extend(lines(false));
        let hidden = self.running().len() - shown.len();
        if hidden > 0 && room > 0 {
            let failed = rows().filter(|row| row.data.status == Status::Error).count();
            live.push(overflow_row(hidden, self.errors() - failed, columns));
        }
        live.extend(lines(true));
    }
}

/// The size of a screen; what is not known is as on most.
pub(crate) fn size(columns: u16, rows: u16) -> (u16, u16) {
    (if columns == 0 { 80 } else { columns }, if rows == 0 { 24 } else { rows })
}

fn overflow_row(hidden: usize, failed: usize, columns: usize) -> Line {
    let failed = if failed > 0 { format!(" ({failed} failed)") } else { String::new() };
    let text = cut(&format!("… +{hidden} more{failed}"), columns);
    Line::Row { text, status: Status::Normal, weight: Weight::Normal, faint: 0 }
}

fn commit(pending: &Pending, columns: usize) -> Line {
    match pending {
        Pending::Line(line) => Line::Printed(line.clone()),
        Pending::Row(row) => committed_row(row, columns),
    }
}

/// A row as it is left behind. Why a job failed is never cut.
fn committed_row(row: &JobRow, columns: usize) -> Line {
    let failed = matches!(outcome(row), Some(Outcome::Failed(_)));
    draw(row, row.news, if failed { FAR } else { columns }, Weight::Italic)
}

fn live_row(row: &JobRow, now: Duration, columns: usize) -> Line {
    let bold = !row.data.elapsed && !row.is_dim(now);
    draw(row, now, columns, if bold { Weight::Bold } else { Weight::Normal })
}

fn outcome(row: &JobRow) -> Option<&Outcome> {
    row.end.as_ref()?.outcome.as_ref()
}

/// A row: prefix, text, elapsed time, progress, outcome, silence. Where not all
/// has room the text is cut first, then the bar, then the end of the row.
fn draw(row: &JobRow, now: Duration, columns: usize, weight: Weight) -> Line {
    let mut line = clean(&row.data.prefix, columns);
    let text = clean(&row.data.text, columns);
    let elapsed = elapsed(row, now, !text.is_empty());
    let progress = row.data.progress.as_ref();
    let numbers =
        progress.map_or_else(String::new, |progress| numbers(progress, row.turns, columns));
    let bar = progress.is_some_and(|progress| progress.total.is_some());
    let gap = bar
        || [&numbers, &elapsed, &text, &line]
            .into_iter()
            .find(|part| !part.is_empty())
            .is_some_and(|part| !part.ends_with(' '));
    let mark = spaced(gap, mark(row, columns));
    let silence = spaced(gap, silence(row, now));

    let fixed: usize =
        [&line, &elapsed, &numbers, &mark, &silence].into_iter().map(|part| width(part)).sum();
    let (text_columns, bar_columns) = fit(columns, fixed, width(&text), bar);

    line.push_str(&cut(&text, text_columns));
    line.push_str(&elapsed);
    if let Some(progress) = progress.filter(|_| bar_columns > 0) {
        line.push(' ');
        push_bar(&mut line, progress, bar_columns);
    }
    line.push_str(&numbers);
    line.push_str(&mark);
    let faint = line.len();
    line.push_str(&silence);
    let mut text = cut(&line, columns);
    text.truncate(text.trim_end().len());
    // Where it is not in the text, it was cut off.
    let faint = if text.is_char_boundary(faint) { faint } else { text.len() };
    Line::Row { text, status: row.data.status, weight, faint }
}

/// How many columns the text and the bar get beside `fixed` others. A bar of 0
/// columns is left out, with the space before it.
fn fit(columns: usize, fixed: usize, text: usize, bar: bool) -> (usize, usize) {
    let (mut text, mut bar) = (text, if bar { BAR } else { 0 });
    let space = usize::from(bar > 0);
    let too_wide = |text: usize, bar: usize| (fixed + text + space + bar).saturating_sub(columns);
    text -= too_wide(text, bar).min(text.saturating_sub(SHORT_TEXT));
    bar -= too_wide(text, bar).min(bar.saturating_sub(SHORT_BAR));
    text -= too_wide(text, bar).min(text.saturating_sub(1));
    if too_wide(text, bar) > 0 {
        bar = 0;
    }
    (text, bar)
}

fn spaced(gap: bool, text: String) -> String {
    if gap && !text.is_empty() { format!(" {text}") } else { text }
}

fn elapsed(row: &JobRow, now: Duration, behind_text: bool) -> String {
    if !row.data.elapsed {
        return String::new();
    }
    let separator = if behind_text { " · " } else { "" };
    format!("{separator}{}", format_elapsed(row.elapsed(now)))
}

/// How a job ended: readable without colour.
fn mark(row: &JobRow, columns: usize) -> String {
    match outcome(row) {
        None => String::new(),
        Some(Outcome::Finished) => "✔".into(),
        Some(Outcome::Failed(message)) if message.is_empty() => "✘ failed".into(),
        Some(Outcome::Failed(message)) => format!("✘ {}", clean(message, columns)),
        Some(Outcome::Cancelled) => "⊘ cancelled".into(),
        Some(Outcome::Panicked) => "✘ panicked".into(),
        Some(Outcome::Abandoned) => "… abandoned".into(),
    }
}

fn silence(row: &JobRow, now: Duration) -> String {
    row.silence(now).map_or_else(String::new, |silence| match silence.as_secs() {
        seconds @ ..60 => format!("· {seconds} s"),
        seconds @ ..3_600 => format!("· {} min", seconds / 60),
        seconds if seconds % 3_600 < 60 => format!("· {} h", seconds / 3_600),
        seconds => format!("· {} h {} min", seconds / 3_600, seconds / 60 % 60),
    })
}

/// What stands behind the bar of a progress, or alone if it has none.
fn numbers(progress: &Progress, turns: usize, columns: usize) -> String {
    let position = progress.position;
    match (progress.total, &progress.text) {
        (_, Some(text)) => format!(" {}", clean(text, columns)),
        (Some(total), None) if total > 0 && position > 0 => {
            let percent = u128::from(position) * 100 / u128::from(total);
            format!(" {percent:>3}% - {position}/{total}")
        }
        (Some(_), None) => String::new(),
        (None, None) => format!(" {} {position}", SPINNER[turns % SPINNER.len()]),
    }
}

fn push_bar(line: &mut String, progress: &Progress, columns: usize) {
    let done = match progress.total {
        Some(total) if total > 0 => {
            let done = u128::from(progress.position) * columns as u128 / u128::from(total);
            done.min(columns as u128) as usize
        }
        _ => 0,
    };
    line.extend(core::iter::repeat_n('▓', done));
    line.extend(core::iter::repeat_n('░', columns - done));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::event::{Change, Event, Row};

    const SECOND: Duration = Duration::from_secs(1);

    fn id(job: u64) -> JobId {
        JobId::new(job).expect("ids count from 1")
    }

    fn change(model: &mut Model, job: u64, status: Status, now: Duration) {
        let change = Change { status: Some(status), ..Change::default() };
        model.apply(&Event::Changed { job: id(job), change }, now);
    }

    /// A board of six jobs on which two have room, and its frame.
    fn crowd() -> (Model, Frame) {
        let mut model = Model::new();
        for job in 1..=6 {
            let row = Row { text: format!("job {job}"), ..Row::default() };
            model.apply(&Event::Added { job: id(job), at: Duration::ZERO, row }, Duration::ZERO);
        }
        let frame = model.frame(80, 4, Duration::ZERO);
        assert_eq!(frame.to_string(), "job 1\njob 2\n… +4 more\n");
        (model, frame)
    }

    #[test]
    fn a_row_keeps_its_place_until_it_is_dim() {
        let (mut model, frame) = crowd();
        for job in [5, 6] {
            change(&mut model, job, Status::Normal, SECOND / 2);
        }
        let bold = model.frame_after(&frame, 80, 4, SECOND / 2);
        assert_eq!(bold.to_string(), "job 1\njob 2\n… +4 more\n");
        let dim = model.frame_after(&bold, 80, 4, SECOND);
        assert_eq!(dim.to_string(), "job 5\njob 6\n… +4 more\n");
    }

    #[test]
    fn an_error_takes_the_place_of_a_bold_row() {
        let (mut model, frame) = crowd();
        change(&mut model, 1, Status::Normal, SECOND / 4);
        change(&mut model, 6, Status::Error, SECOND / 2);
        let next = model.frame_after(&frame, 80, 4, SECOND / 2);
        assert_eq!(next.to_string(), "job 1\njob 6\n… +4 more\n");
    }
}
