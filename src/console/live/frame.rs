//! Rows, a size and a time in, lines out.

use core::fmt;
use core::time::Duration;
use std::collections::HashSet;

use crate::board::event::{JobId, Status};
use crate::board::model::{Class, JobRow, Model, Pending};
use crate::console::live::row::{Line, Pen};
use crate::console::live::theme::Theme;

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

impl Model {
    /// The board as it looks at `now` on a screen of this size.
    ///
    /// No row is wider than `columns` − 1, and at most `rows` − 1 rows stay on
    /// the board; a last one says how many running jobs have no room. 0 columns
    /// are 80, 0 rows are 24. A printed line is not cut, and neither is the row
    /// of a failed job when it leaves the board: the terminal wraps them.
    ///
    /// A frame begins with all that has left the board. A console writes that, and
    /// has the model forget it.
    ///
    /// It costs what is on the screen and what leaves it, not what exists.
    pub fn frame(&self, columns: u16, rows: u16, now: Duration) -> Frame {
        self.frame_after(&Frame::default(), &Theme::new(), columns, rows, now)
    }

    /// Like `frame`, but with this theme, and a row that `previous` shows gives
    /// its place to one of the same class only when it is dim.
    pub(crate) fn frame_after(
        &self,
        previous: &Frame,
        theme: &Theme,
        columns: u16,
        rows: u16,
        now: Duration,
    ) -> Frame {
        let (columns, rows) = size(columns, rows);
        let (columns, room) = (usize::from(columns) - 1, usize::from(rows) - 1);
        let pen = Pen { theme, columns, now };
        let leaving = self.leaving(room, now);
        let mut above: Vec<Line> = self.pending().iter().map(|gone| commit(gone, pen)).collect();
        above.extend(self.cooling().range(..leaving).map(|row| pen.committed(row)));
        let staying = self.cooling().range(leaving..);
        let mut live: Vec<Line> = staying.map(|row| pen.live(row)).collect();
        let shown = self.choose(previous, room, now);
        self.draw_running(&shown, room, pen, &mut live);
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

    fn draw_running(&self, shown: &[JobId], room: usize, pen: Pen<'_>, live: &mut Vec<Line>) {
        let rows = || shown.iter().map(|job| &self.running()[job]);
        let lines = |pinned| {
            let of_zone = rows().filter(move |row| row.data.pinned == pinned);
            of_zone.map(move |row| pen.live(row))
        };
        live.extend(lines(false));
        let hidden = self.running().len() - shown.len();
        if hidden > 0 && room > 0 {
            let failed = rows().filter(|row| row.data.status == Status::Error).count();
            live.push(pen.overflow(hidden, self.errors() - failed));
        }
        live.extend(lines(true));
    }
}

/// The size of a screen; what is not known is as on most.
pub(crate) fn size(columns: u16, rows: u16) -> (u16, u16) {
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

    /// A board of six jobs on which two have room, and its frame.
    fn crowd() -> (Model, Frame) {
        let mut model = Model::new();
        for job in 1..=6 {
            let row = Row::default().with_text(format!("job {job}"));
            model.apply(&Event::Added { at: Duration::ZERO, job: id(job), row });
        }
        let frame = model.frame(80, 4, Duration::ZERO);
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
        let bold = model.frame_after(&frame, &Theme::new(), 80, 4, SECOND / 2);
        assert_eq!(bold.to_string(), "job 1\njob 2\n… +4 more\n");
        let dim = model.frame_after(&bold, &Theme::new(), 80, 4, SECOND);
        assert_eq!(dim.to_string(), "job 5\njob 6\n… +4 more\n");
    }

    // Rule 17
    #[test]
    fn an_error_takes_the_place_of_a_bold_row() {
        let (mut model, frame) = crowd();
        change(&mut model, 1, Status::Normal, SECOND / 4);
        change(&mut model, 6, Status::Error, SECOND / 2);
        let next = model.frame_after(&frame, &Theme::new(), 80, 4, SECOND / 2);
        assert_eq!(next.to_string(), "job 1\njob 6\n… +4 more\n");
    }

    fn end(model: &mut Model, job: u64, outcome: Outcome, at: Duration) {
        model.apply(&Event::Ended { at, job: id(job), outcome });
    }

    /// The colors and weights of the rows, those that leave first.
    fn looks(model: &Model, now: Duration) -> Vec<(Status, Weight)> {
        let frame = model.frame(80, 24, now);
        let looks = frame.above.iter().chain(&frame.live).map(|line| match line {
            Line::Row { status, weight, .. } => (*status, *weight),
            Line::Printed(line) => panic!("{line}"),
        });
        looks.collect()
    }

    // Rule 5
    #[test]
    fn an_end_that_is_no_success_colors_the_row() {
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
    fn a_row_is_bold_for_a_second_after_its_news_and_italic_when_it_leaves() {
        let mut model = Model::new();
        let weights = |model: &Model, millis| {
            let looks = looks(model, Duration::from_millis(millis));
            looks.into_iter().map(|(_, weight)| weight).collect::<Vec<_>>()
        };
        for (job, elapsed) in [(1, false), (2, true)] {
            let row = Row::default().with_elapsed(elapsed);
            model.apply(&Event::Added { at: Duration::ZERO, job: id(job), row });
        }
        // A row with the time since it was added is never bold.
        assert_eq!(weights(&model, 999), [Weight::Bold, Weight::Normal]);
        assert_eq!(weights(&model, 1_000), [Weight::Normal; 2]);
        // That there is no news is no news.
        assert_eq!(weights(&model, 10_000), [Weight::Normal; 2]);
        change(&mut model, 1, Status::Normal, 11 * SECOND);
        assert_eq!(weights(&model, 11_999), [Weight::Bold, Weight::Normal]);
        end(&mut model, 1, Outcome::Finished, 20 * SECOND);
        assert_eq!(weights(&model, 20_999), [Weight::Bold, Weight::Normal]);
        assert_eq!(weights(&model, 21_000), [Weight::Italic, Weight::Normal]);
    }
}
