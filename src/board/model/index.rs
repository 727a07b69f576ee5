//! An index of the running rows by importance and by the time of their next change. It is
//! kept up to date, so that no frame visits all rows.

use core::cmp::Reverse;
use core::ops::Bound;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crate::board::event::{JobId, Status};
use crate::board::model::overall::{OverallProgress, ProgressSums};
use crate::board::model::row::{JobRow, QUIET, SETTLED, quiet_since};

/// The importance of a row, for when not all rows have room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Pinned rows.
    Pinned,
    /// Rows with the status warning or error.
    Alert,
    /// All other rows.
    Usual,
}

impl Class {
    /// All classes, the most important one first.
    pub(crate) const ALL: [Self; 3] = [Self::Pinned, Self::Alert, Self::Usual];

    pub(crate) fn of(row: &JobRow) -> Self {
        match row.data.status {
            _ if row.data.pinned => Self::Pinned,
            Status::Warning | Status::Error => Self::Alert,
            Status::Normal | Status::Success => Self::Usual,
        }
    }
}

/// The time for which a character of a spinner is shown while its row is not quiet.
const TURN: Duration = Duration::from_millis(100);

/// An index of rows. Adding and removing a row takes logarithmic time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    /// The running rows by class, then by the time of their last update.
    ranks: BTreeSet<(Class, Reverse<Duration>, JobId)>,
    /// The times of the last updates of rows without elapsed time.
    updates: Times,
    /// The times from which on texts are emphasized.
    emphases: Times,
    /// The times from which on completed rows are on the board.
    completed: Times,
    /// The times of the last updates of rows that can be quiet.
    silences: Times,
    /// The same times of rows with a spinner.
    spinners: Times,
    /// The number of rows that are quiet at the time `quiet_at`.
    quiet: usize,
    quiet_at: Duration,
    /// The number of rows with elapsed time.
    elapsed: usize,
    /// The number of running rows with the status error.
    errors: usize,
    sums: ProgressSums,
}

impl Index {
    pub(crate) fn add_running(&mut self, job: JobId, row: &JobRow) {
        self.ranks.insert((Class::of(row), Reverse(row.updated), job));
        self.errors += usize::from(row.data.status == Status::Error);
        self.sums.add_running(row);
        self.elapsed += usize::from(row.data.elapsed);
        if !row.data.elapsed {
            self.updates.add(row.updated);
        }
        if let Some(at) = row.emphasis() {
            self.emphases.add(at);
        }
        if row.shows_silence() {
            self.silences.add(row.updated);
            self.quiet += usize::from(row.quiet(self.quiet_at).is_some());
        }
        if has_spinner(row) {
            self.spinners.add(row.updated);
        }
    }

    pub(crate) fn remove_running(&mut self, job: JobId, row: &JobRow) {
        self.ranks.remove(&(Class::of(row), Reverse(row.updated), job));
        self.errors -= usize::from(row.data.status == Status::Error);
        self.sums.remove_running(row);
        self.elapsed -= usize::from(row.data.elapsed);
        if !row.data.elapsed {
            self.updates.remove(row.updated);
        }
        if let Some(at) = row.emphasis() {
            self.emphases.remove(at);
        }
        if row.shows_silence() {
            self.silences.remove(row.updated);
            self.quiet -= usize::from(row.quiet(self.quiet_at).is_some());
        }
        if has_spinner(row) {
            self.spinners.remove(row.updated);
        }
    }

    pub(crate) fn add_completed(&mut self, row: &JobRow) {
        self.sums.add_completed(row);
        self.completed.add(row.updated);
    }

    /// Adds a row that has completed and is not shown.
    pub(crate) fn add_vanished(&mut self, row: &JobRow) {
        self.sums.add_completed(row);
    }

    pub(crate) fn remove_completed(&mut self, row: &JobRow) {
        self.completed.remove(row.updated);
    }

    /// Counts the rows that are quiet at `now`. Afterwards counting again is quick, as long as
    /// few rows have become quiet in between.
    pub(crate) fn advance(&mut self, now: Duration) {
        if now > self.quiet_at {
            self.quiet = self.quiet(now);
            self.quiet_at = now;
        }
    }

    /// Returns the number of running rows that are quiet at `now`.
    pub(crate) fn quiet(&self, now: Duration) -> usize {
        let Some(until) = quiet_since(now) else { return 0 };
        let more = match quiet_since(self.quiet_at) {
            Some(since) if since >= until => return self.quiet,
            Some(since) => self.silences.0.range((Bound::Excluded(since), Bound::Included(until))),
            None => self.silences.0.range(..=until),
        };
        self.quiet + more.map(|(_, count)| count).sum::<usize>()
    }

    /// Returns the number of running rows with the status error.
    pub(crate) fn errors(&self) -> usize {
        self.errors
    }

    /// Returns the overall progress of all jobs.
    pub(crate) fn overall_progress(&self) -> OverallProgress {
        self.sums.overall_progress()
    }

    /// Returns the running rows of a class, most recently updated first.
    pub(crate) fn ranked(&self, class: Class) -> impl Iterator<Item = JobId> {
        let first = JobId::new(1).expect("ids count from 1");
        let newest = (class, Reverse(Duration::MAX), first);
        self.ranks.range(newest..).take_while(move |rank| rank.0 == class).map(|rank| rank.2)
    }

    /// Returns the time after `now` at which the next row changes.
    pub(crate) fn next_change(&self, now: Duration) -> Option<Duration> {
        let quiet = quiet_since(now);
        let turns = self.spinners.last().is_some_and(|last| quiet.is_none_or(|since| last > since));
        let turn = turns.then(|| now.saturating_add(TURN - remainder(now, TURN)));
        let emphasized = self.emphases.first_due(SETTLED, now);
        self.next_second(now).into_iter().chain(turn).chain(emphasized).min()
    }

    /// Returns the time after `now` at which the next row changes, if no spinner turns with
    /// time, and each update emphasizes its row.
    pub(crate) fn next_change_without_spinners(&self, now: Duration) -> Option<Duration> {
        self.next_second(now).into_iter().chain(self.updates.first_due(SETTLED, now)).min()
    }

    /// Returns the time after `now` at which the next completed row leaves, elapsed time
    /// advances, or row says for how long it has been quiet.
    fn next_second(&self, now: Duration) -> Option<Duration> {
        let second = Duration::from_secs(now.as_secs().saturating_add(1));
        let first_quiet = self.silences.first().map(|first| {
            let started = u64::from(first.subsec_nanos() > 0);
            Duration::from_secs(first.as_secs().saturating_add(started + QUIET)).max(second)
        });
        let elapsed = (self.elapsed > 0).then_some(second);
        let completed = self.completed.first_due(SETTLED, now);
        [completed, first_quiet, elapsed].into_iter().flatten().min()
    }
}

/// Returns `true` if the row has a spinner while it runs.
fn has_spinner(row: &JobRow) -> bool {
    row.shows_silence() && matches!(row.data.status, Status::Normal | Status::Success)
}

/// Returns a time modulo a period that divides a second.
fn remainder(time: Duration, period: Duration) -> Duration {
    Duration::from_nanos((u128::from(time.subsec_nanos()) % period.as_nanos()) as u64)
}

/// A multiset of times.
#[derive(Clone, Debug, Default)]
struct Times(BTreeMap<Duration, usize>);

impl Times {
    fn add(&mut self, time: Duration) {
        *self.0.entry(time).or_default() += 1;
    }

    fn remove(&mut self, time: Duration) {
        if let Some(count) = self.0.get_mut(&time) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&time);
            }
        }
    }

    /// Returns the first time after `now` that is `wait` after one of the times.
    fn first_due(&self, wait: Duration, now: Duration) -> Option<Duration> {
        let mut waiting = match now.checked_sub(wait) {
            Some(over) => self.0.range((Bound::Excluded(over), Bound::Unbounded)),
            None => self.0.range(..),
        };
        waiting.next()?.0.checked_add(wait)
    }

    fn first(&self) -> Option<Duration> {
        self.0.first_key_value().map(|(time, _)| *time)
    }

    fn last(&self) -> Option<Duration> {
        self.0.last_key_value().map(|(time, _)| *time)
    }
}
