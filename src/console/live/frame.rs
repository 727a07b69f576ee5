//! Frames: the lines that show a board, computed from a model, a size and a time.

use core::fmt;
use core::time::Duration;
use std::collections::HashSet;

use crate::board::event::{JobId, Status};
use crate::board::model::{Class, JobRow, Model, Pending};
use crate::console::live::row::{Line, Pen};
use crate::console::live::theme::Theme;

/// A board as lines of text: the lines that leave it at the top, then its rows.
///
/// The `Display` implementation writes plain text, one line per row, without styles and
/// escape sequences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    above: Vec<Line>,
    live: Vec<Line>,
    /// The running jobs whose rows are shown.
    shown: Vec<JobId>,
}

impl Frame {
    /// Computes the frame of a board at the time `now` on a screen of the given size.
    ///
    /// No row is wider than `columns` − 1, and the board has at most `rows` − 1 rows; if
    /// more jobs are running, the last row counts those without a row. 0 columns mean 80,
    /// and 0 rows mean 24. Printed lines are never cut, and neither are the rows of
    /// failed jobs that leave the board: the terminal wraps them.
    ///
    /// A frame begins with the lines that leave the board. A console writes them once,
    /// and then removes them from its model.
    ///
    /// The cost depends on the number of lines in the frame, not on the number of jobs.
    pub fn new(model: &Model, columns: u16, rows: u16, now: Duration) -> Self {
        Self::default().next(model, &Theme::new(), columns, rows, now)
    }

    /// Computes the frame that follows this one. A row keeps its place until it is dim or
    /// a row of a higher class needs the place.
    pub(crate) fn next(
        &self,
        model: &Model,
        theme: &Theme,
        columns: u16,
        rows: u16,
        now: Duration,
    ) -> Self {
        let (columns, rows) = screen_size(columns, rows);
        let (columns, room) = (usize::from(columns) - 1, usize::from(rows) - 1);
        let pen = Pen { theme, columns, now };
        let partial = pen.partial(model.partial()).filter(|_| room > 1);
        let room = room - usize::from(partial.is_some());
        let leaving = leaving(model, room, now);
        let mut above: Vec<Line> = model.pending().iter().map(|gone| commit(gone, pen)).collect();
        above.extend(model.completed().range(..leaving).map(|row| pen.committed(row)));
        let staying = model.completed().range(leaving..);
        let mut live: Vec<Line> = staying.map(|row| pen.live(row)).collect();
        let shown = self.choose(model, room, now);
        draw_running(model, &shown, room, pen, &mut live);
        live.extend(partial);
        Self { above, live, shown }
    }

    /// Returns the lines that leave the board, from top to bottom. They are never
    /// redrawn.
    pub(crate) fn above(&self) -> &[Line] {
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
            if let Some(row) = model.running().get(job).filter(|row| !row.is_dim(now)) {
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

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.above.iter().chain(&self.live).try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Returns the number of completed rows that leave: those that are dim, and those without
/// room.
fn leaving(model: &Model, room: usize, now: Duration) -> usize {
    let completed = model.completed().len();
    let crowd = (completed + model.running().len()).saturating_sub(room).min(completed);
    let dim = model.completed().iter().take_while(|row| row.is_dim(now)).count();
    dim.max(crowd)
}

fn draw_running(model: &Model, shown: &[JobId], room: usize, pen: Pen<'_>, live: &mut Vec<Line>) {
    let rows = || shown.iter().map(|job| &model.running()[job]);
    let hidden = model.running().len() - shown.len();
    let mut spare = room.saturating_sub(live.len() + shown.len() + usize::from(hidden > 0));
    // Lines of output take the room that no row needs.
    let mut draw_zone = |pinned, live: &mut Vec<Line>| {
        for row in rows().filter(|row| row.data.pinned == pinned) {
            live.push(pen.live(row));
            let output = &row.data.output[row.data.output.len().saturating_sub(spare)..];
            spare -= output.len();
            live.extend(output.iter().map(|line| pen.output(line)));
        }
    };
    draw_zone(false, live);
    if hidden > 0 && room > 0 {
        let failed = rows().filter(|row| row.data.status == Status::Error).count();
        live.push(pen.overflow(hidden, model.errors() - failed));
    }
    draw_zone(true, live);
}

/// Returns the size of a screen, with 80 columns and 24 rows where it is unknown.
pub(crate) fn screen_size(columns: u16, rows: u16) -> (u16, u16) {
    (if columns == 0 { 80 } else { columns }, if rows == 0 { 24 } else { rows })
}

fn commit(pending: &Pending, pen: Pen<'_>) -> Line {
    match pending {
        Pending::Line(line) => Line::Printed(line.clone()),
        Pending::Row(row) => pen.committed(row),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::event::{Change, Event, Outcome, Row};
    use crate::console::live::row::Weight;

    const SECOND: Duration = Duration::from_secs(1);

    fn id(job: u64) -> JobId {
        JobId::new(job).expect("ids count from 1")
    }

    fn change(model: &mut Model, job: u64, status: Status, at: Duration) {
        let change = Change::default().with_status(status);
        model.apply(&Event::Changed { at, job: id(job), change });
    }

    /// Creates a board of six jobs with room for two, and its frame.
    fn crowd() -> (Model, Frame) {
        let mut model = Model::new();
        for job in 1..=6 {
            let row = Row::default().with_text(format!("job {job}"));
            model.apply(&Event::Added { at: Duration::ZERO, job: id(job), row });
        }
        let frame = Frame::new(&model, 80, 4, Duration::ZERO);
        assert_eq!(frame.to_string(), "job 1\njob 2\n… +4 more\n");
        (model, frame)
    }

    // Rule 17
    #[test]
    fn a_row_keeps_its_place_until_it_is_dim() {
        let (mut model, frame) = crowd();
        for job in [5, 6] {
            change(&mut model, job, Status::Normal, SECOND / 2);
        }
        let bold = frame.next(&model, &Theme::new(), 80, 4, SECOND / 2);
        assert_eq!(bold.to_string(), "job 1\njob 2\n… +4 more\n");
        let dim = bold.next(&model, &Theme::new(), 80, 4, SECOND);
        assert_eq!(dim.to_string(), "job 5\njob 6\n… +4 more\n");
    }

    // Rule 17
    #[test]
    fn an_error_takes_the_place_of_a_bold_row() {
        let (mut model, frame) = crowd();
        change(&mut model, 1, Status::Normal, SECOND / 4);
        change(&mut model, 6, Status::Error, SECOND / 2);
        let next = frame.next(&model, &Theme::new(), 80, 4, SECOND / 2);
        assert_eq!(next.to_string(), "job 1\njob 6\n… +4 more\n");
    }

    fn end(model: &mut Model, job: u64, outcome: Outcome, at: Duration) {
        model.apply(&Event::Ended { at, job: id(job), outcome });
    }

    /// Returns the colors and weights of all lines, from top to bottom.
    fn looks(model: &Model, now: Duration) -> Vec<(Status, Weight)> {
        let frame = Frame::new(model, 80, 24, now);
        let looks = frame.above.iter().chain(&frame.live).map(|line| match line {
            Line::Row { status, weight, .. } => (*status, *weight),
            Line::Printed(line) => panic!("{line}"),
        });
        looks.collect()
    }

    // Rule 5
    #[test]
    fn an_end_without_success_colors_the_row() {
        for (outcome, ended) in [
            (Outcome::Finished, Status::Success),
            (Outcome::Abandoned, Status::Success),
            (Outcome::Cancelled, Status::Warning),
            (Outcome::Failed("why".into()), Status::Error),
            (Outcome::Panicked, Status::Error),
        ] {
            let mut model = Model::new();
            let row = Row::default().with_status(Status::Success);
            model.apply(&Event::Added { at: SECOND, job: id(1), row });
            end(&mut model, 1, outcome, SECOND);
            assert_eq!(looks(&model, SECOND), [(ended, Weight::Bold)]);
        }
    }

    // Rules 9, 13
    #[test]
    fn a_row_is_bold_for_a_second_and_italic_when_it_leaves() {
        let mut model = Model::new();
        let weights = |model: &Model, millis| {
            let looks = looks(model, Duration::from_millis(millis));
            looks.into_iter().map(|(_, weight)| weight).collect::<Vec<_>>()
        };
        for (job, elapsed) in [(1, false), (2, true)] {
            let row = Row::default().with_elapsed(elapsed);
            model.apply(&Event::Added { at: Duration::ZERO, job: id(job), row });
        }
        // A row that shows its elapsed time is never bold.
        assert_eq!(weights(&model, 999), [Weight::Bold, Weight::Normal]);
        assert_eq!(weights(&model, 1_000), [Weight::Normal; 2]);
        // The silence shown by a row is no update.
        assert_eq!(weights(&model, 10_000), [Weight::Normal; 2]);
        change(&mut model, 1, Status::Normal, 11 * SECOND);
        assert_eq!(weights(&model, 11_999), [Weight::Bold, Weight::Normal]);
        end(&mut model, 1, Outcome::Finished, 20 * SECOND);
        assert_eq!(weights(&model, 20_999), [Weight::Bold, Weight::Normal]);
        assert_eq!(weights(&model, 21_000), [Weight::Italic, Weight::Normal]);
    }
}
