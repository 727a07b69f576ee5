//! The state of a board, computed from its events.

use core::mem;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use crate::board::event::{Change, Counts, Event, JobId, Outcome, Place, Row};

mod index;
mod order;
mod overall;
mod row;

pub(crate) use index::Class;
use index::Index;
use order::Order;
pub(crate) use overall::OverallProgress;
pub(crate) use row::JobRow;

/// The state of a board: a pure fold of its [`Event`]s.
///
/// A model accepts any sequence of events. An event that makes no sense, such as a change
/// of a job that was never added, has no effect. A job that is added again while it is
/// running starts over. After [`Event::Closed`], only lines have an effect.
///
/// A model reads no clock: times are arguments, on the board's clock. Applying an event
/// takes logarithmic time in the number of running jobs. Memory is bounded by the running
/// jobs, and by the rows and lines that no console has written yet.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use active_status::event::Row;
/// use active_status::model::{Frame, Model};
/// use active_status::{Event, JobId};
///
/// let mut model = Model::new();
/// let (at, job) = (Duration::ZERO, JobId::new(1).expect("ids count from 1"));
/// let row = Row::new("copy: ").with_text("a.txt");
/// model.apply(&Event::Added { at, job, row });
/// assert_eq!(Frame::new(&model, 80, 24, Duration::ZERO).to_string(), "⠋ copy  a.txt\n");
/// // The spinner turns.
/// assert_eq!(model.next_change(Duration::ZERO), Some(Duration::from_millis(100)));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// The lines and rows that leave the live region with the next frame.
    pending: VecDeque<Pending>,
    /// The completed rows that are still shown, in order of completion.
    completed: VecDeque<JobRow>,
    /// The rows of running jobs in order of creation, pinned ones included.
    running: BTreeMap<JobId, JobRow>,
    /// The order in which the running rows are shown.
    order: Order,
    /// The times of `completed` and `running`, and the importance of `running`.
    index: Index,
    /// The outcomes of the jobs that ended.
    counts: Counts,
    /// The partial line of a writer; empty if there is none.
    partial: String,
    /// The number of states that rows have had.
    revisions: u64,
    closed: bool,
    /// Whether no rows are shown yet.
    hides_rows: bool,
}

/// A part of the output that leaves the live region for good.
#[derive(Clone, Debug)]
pub(crate) enum Pending {
    /// A printed line.
    Line(String),
    /// The row of a job that ended.
    Row(Box<JobRow>),
}

impl Model {
    /// Creates the model of a new board.
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies an event.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Line { text, .. } => self.print(text),
            _ if self.closed => {}
            Event::Partial { text, .. } => self.partial.clone_from(text),
            Event::Added { at, job, row } => self.add(*job, row, *at),
            Event::Changed { at, job, change } => self.change(*job, change, *at),
            Event::Ended { at, job, outcome } => self.end(*job, outcome, *at),
            Event::Closed { at } => self.close(*at),
        }
    }

    /// Returns the time at which the frame next changes without another event, because a
    /// spinner turns, a text is no longer new, a completed row leaves, an elapsed time
    /// advances, or a row shows for how long it has not been updated. Returns `None` if the
    /// frame stays the same.
    ///
    /// The time is never too late. It may be too early if the row that changes is cut or
    /// not on the screen.
    pub fn next_change(&self, now: Duration) -> Option<Duration> {
        self.index.next_change(now)
    }

    /// Returns [`next_change`](Self::next_change) for rows whose spinners do not turn with time.
    pub(crate) fn next_change_without_spinners(&self, now: Duration) -> Option<Duration> {
        self.index.next_change_without_spinners(now)
    }

    /// Returns `true` if the board has closed.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Returns the number of running jobs, and of ended jobs by outcome.
    pub fn counts(&self) -> Counts {
        Counts { running: self.running.len(), ..self.counts }
    }

    /// Sets whether no rows are shown, so that those of jobs that finish leave no trace.
    pub(crate) fn hide_rows(&mut self, hides: bool) {
        self.hides_rows = hides;
    }

    pub(crate) fn hides_rows(&self) -> bool {
        self.hides_rows
    }

    /// Removes the first `lines` lines that leave the live region, once they have been
    /// written.
    pub(crate) fn retire(&mut self, lines: usize) {
        let pending = lines.min(self.pending.len());
        self.pending.drain(..pending);
        let completed = (lines - pending).min(self.completed.len());
        for row in self.completed.drain(..completed) {
            self.index.remove_completed(&row);
        }
    }

    pub(crate) fn pending(&self) -> &VecDeque<Pending> {
        &self.pending
    }

    pub(crate) fn completed(&self) -> &VecDeque<JobRow> {
        &self.completed
    }

    pub(crate) fn running(&self) -> &BTreeMap<JobId, JobRow> {
        &self.running
    }

    /// Returns the partial line of a writer; it is empty if there is none.
    pub(crate) fn partial(&self) -> &str {
        &self.partial
    }

    /// Returns the place of a running row among the others of its zone: rows are shown in
    /// the order of these values.
    pub(crate) fn place(&self, job: JobId) -> u128 {
        self.order.label(job)
    }

    /// Returns the running rows of a class, most recently updated first.
    pub(crate) fn ranked(&self, class: Class) -> impl Iterator<Item = JobId> {
        self.index.ranked(class)
    }

    /// Returns the number of running rows with the status error.
    pub(crate) fn errors(&self) -> usize {
        self.index.errors()
    }

    /// Returns the number of running rows that are quiet at `now`.
    pub(crate) fn quiet(&self, now: Duration) -> usize {
        self.index.quiet(now)
    }

    /// Prepares for a frame at `now`, so that it counts the quiet rows quickly.
    pub(crate) fn advance(&mut self, now: Duration) {
        self.index.advance(now);
    }

    /// Returns the overall progress of all jobs.
    pub(crate) fn overall_progress(&self) -> OverallProgress {
        self.index.overall_progress()
    }

    /// Returns `true` if a job has failed or panicked.
    pub(crate) fn has_failed(&self) -> bool {
        self.counts.failed + self.counts.panicked > 0
    }

    /// Prints a line above the board, after the rows that completed before it.
    fn print(&mut self, line: &str) {
        self.retire_completed();
        self.pending.push_back(Pending::Line(line.into()));
    }

    fn add(&mut self, job: JobId, data: &Row, at: Duration) {
        self.take(job);
        self.revisions += 1;
        let row = JobRow::new(data.clone(), at, self.revisions);
        self.place_row(job, data);
        self.index.add_running(job, &row);
        self.running.insert(job, row);
    }

    /// Determines the place of a row. If it is relative to a row that is not running, the
    /// row is the last.
    fn place_row(&mut self, job: JobId, data: &Row) {
        let running = &self.running;
        let is_part_of = |parent| {
            move |row| running.get(&row).is_some_and(|row| row.data.parent == Some(parent))
        };
        match (data.place, data.parent) {
            (Place::Above(other), _) if running.contains_key(&other) => {
                self.order.add_above(job, other);
            }
            (Place::Below(other), _) | (Place::Last, Some(other))
                if running.contains_key(&other) =>
            {
                self.order.add_below(job, other, is_part_of(other));
            }
            _ => {}
        }
    }

    fn change(&mut self, job: JobId, change: &Change, at: Duration) {
        let Some(row) = self.running.get_mut(&job) else { return };
        self.index.remove_running(job, row);
        self.revisions += 1;
        row.change(change, at, self.revisions);
        self.index.add_running(job, row);
    }

    fn end(&mut self, job: JobId, outcome: &Outcome, at: Duration) {
        let Some(mut row) = self.take(job) else { return };
        let output = mem::take(&mut row.data.output);
        if outcome.keeps_output() {
            output.iter().for_each(|line| self.print(line));
        }
        self.complete(row, Some(outcome.clone()), at);
    }

    /// Ends every running job.
    fn close(&mut self, at: Duration) {
        self.closed = true;
        self.partial.clear();
        let mut in_order: Vec<JobId> = self.running.keys().copied().collect();
        in_order.sort_by_key(|job| (self.running[job].data.pinned, self.place(*job)));
        for job in in_order {
            let Some(row) = self.take(job) else { continue };
            let abandoned = !row.data.finishes_at_close();
            self.complete(row, abandoned.then_some(Outcome::Abandoned), at);
        }
        self.retire_completed();
    }

    fn take(&mut self, job: JobId) -> Option<JobRow> {
        let row = self.running.remove(&job)?;
        self.order.remove(job);
        self.index.remove_running(job, &row);
        Some(row)
    }

    /// Moves the row of a job that ends below those that completed before it.
    fn complete(&mut self, mut row: JobRow, outcome: Option<Outcome>, at: Duration) {
        let counted = outcome.as_ref().unwrap_or(&Outcome::Finished);
        self.counts.add(counted);
        row.data.transient |= self.hides_rows;
        if row.data.vanishes(counted) {
            return self.index.add_vanished(&row);
        }
        row.end(outcome, at);
        if let Some(above) = self.completed.back() {
            // Rows leave from the top, so none may be due to leave before the one above it.
            row.updated = row.updated.max(above.updated);
        }
        self.index.add_completed(&row);
        self.completed.push_back(row);
    }

    fn retire_completed(&mut self) {
        for row in self.completed.drain(..) {
            self.index.remove_completed(&row);
            self.pending.push_back(Pending::Row(Box::new(row)));
        }
    }
}
