//! A model, the time of its next event, and the frames that show it.

use std::time::Duration;

use active_status::event::{Change, Row};
use active_status::model::{Frame, Model};
use active_status::{Event, JobId, Outcome, Theme};

/// A model, the time of its next event, and the theme of its frames.
#[derive(Default)]
pub(crate) struct Board {
    pub(crate) model: Model,
    pub(crate) now: Duration,
    theme: Theme,
}

impl Board {
    /// A board with one job that has the given row.
    pub(crate) fn of(row: Row) -> Self {
        let mut board = Self::default();
        board.add(1, row);
        board
    }

    /// The board with the classic theme.
    pub(crate) fn classic(self) -> Self {
        Self { theme: Theme::classic(), ..self }
    }

    pub(crate) fn add(&mut self, job: u64, row: Row) {
        self.model.apply(&Event::Added { at: self.now, job: id(job), row });
    }

    pub(crate) fn change(&mut self, job: u64, change: Change) {
        self.model.apply(&Event::Changed { at: self.now, job: id(job), change });
    }

    pub(crate) fn end(&mut self, job: u64, outcome: Outcome) {
        self.model.apply(&Event::Ended { at: self.now, job: id(job), outcome });
    }

    pub(crate) fn print(&mut self, line: &str) {
        self.model.apply(&Event::Line { at: self.now, text: line.into() });
    }

    pub(crate) fn close(&mut self) {
        self.model.apply(&Event::Closed { at: self.now });
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    pub(crate) fn shows(&self, columns: u16, rows: u16) -> String {
        Frame::with_theme(&self.model, &self.theme, columns, rows, self.now).to_string()
    }

    #[track_caller]
    pub(crate) fn assert(&self, columns: u16, rows: &[&str]) {
        assert_eq!(self.shows(columns, 40).lines().collect::<Vec<_>>(), rows, "{columns} columns");
    }

    /// Checks on screens of many sizes that no row is too wide, and that the three running
    /// rows take the room there is. `is_live` gets each row and its place.
    pub(crate) fn assert_fits(&self, is_live: impl Fn(usize, &str) -> bool) {
        for columns in 0..80 {
            for rows in 0..8 {
                let shown = self.shows(columns, rows);
                let live = shown.lines().enumerate().filter(|(place, row)| is_live(*place, row));
                let live: Vec<&str> = live.map(|(_, row)| row).collect();
                let room = if rows == 0 { 3 } else { usize::from(rows - 1).min(3) };
                assert_eq!(live.len(), room, "{columns} × {rows}: {shown}");
                let width =
                    |line: &str| line.chars().map(|c| 1 + usize::from("漢字".contains(c))).sum();
                let widest = live.into_iter().map(width).max().unwrap_or(0_usize);
                let columns = if columns == 0 { 80 } else { usize::from(columns) };
                assert!(widest < columns, "{columns} × {rows}: {shown}");
            }
        }
    }
}

pub(crate) fn id(number: u64) -> JobId {
    JobId::new(number).expect("ids count from 1")
}
