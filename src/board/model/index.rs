//! An index of the running rows by importance and by the time of their next change. It is
//! kept up to date, so that no frame visits all rows.

use core::cmp::Reverse;
use core::ops::Bound;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crate::board::event::{JobId, Status};
use crate::board::model::overall::{OverallProgress, ProgressSums};
use crate::board::model::row::{BOLD, JobRow, LONG, SECOND, STEPS, modulo};

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

/// An index of rows. Adding and removing a row takes logarithmic time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    /// The running rows by class, then by the time of their last update.
    ranks: BTreeSet<(Class, Reverse<Duration>, JobId)>,
    /// The times of the last updates of rows that can be bold, including completed ones.
    updates: Times,
    /// The times of the last updates of rows that show their silence.
    silences: Times,
    /// The same times, modulo [`LONG`].
    long_silences: Times,
    /// The times at which rows with elapsed time were added, modulo [`SECOND`].
    seconds: Times,
    /// The number of running rows with the status error.
    errors: usize,
    sums: ProgressSums,
}

impl Index {
    pub(crate) fn add_running(&mut self, job: JobId, row: &JobRow) {
        self.ranks.insert((Class::of(row), Reverse(row.updated), job));
        self.errors += usize::from(row.data.status == Status::Error);
        self.sums.add_running(row);
        if row.data.elapsed {
            self.seconds.add(modulo(row.added, SECOND));
        } else {
            self.updates.add(row.updated);
        }
        if row.shows_silence() {
            self.silences.add(row.updated);
            self.long_silences.add(modulo(row.updated, LONG));
        }
    }

    pub(crate) fn remove_running(&mut self, job: JobId, row: &JobRow) {
        self.ranks.remove(&(Class::of(row), Reverse(row.updated), job));
        self.errors -= usize::from(row.data.status == Status::Error);
        self.sums.remove_running(row);
        if row.data.elapsed {
            self.seconds.remove(modulo(row.added, SECOND));
        } else {
            self.updates.remove(row.updated);
        }
        if row.shows_silence() {
            self.silences.remove(row.updated);
            self.long_silences.remove(modulo(row.updated, LONG));
        }
    }

    pub(crate) fn add_completed(&mut self, row: &JobRow) {
        self.sums.add_completed(row);
        self.updates.add(row.updated);
    }

    /// Adds a row that has completed and is not shown.
    pub(crate) fn add_vanished(&mut self, row: &JobRow) {
        self.sums.add_completed(row);
    }

    pub(crate) fn remove_completed(&mut self, row: &JobRow) {
        self.updates.remove(row.updated);
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
        let dims = self.updates.first_due(BOLD, now);
        let silences = STEPS.into_iter().filter_map(|step| self.silences.first_due(step, now));
        let repeated =
            [self.long_silences.next_pass(LONG, now), self.seconds.next_pass(SECOND, now)];
        repeated.into_iter().flatten().chain(dims).chain(silences).min()
    }
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

    /// Returns the first time after `now` that is one of the times modulo `period`.
    fn next_pass(&self, period: Duration, now: Duration) -> Option<Duration> {
        let phase = modulo(now, period);
        let start = now - phase;
        let mut later = self.0.range((Bound::Excluded(phase), Bound::Unbounded));
        match later.next() {
            Some((&time, _)) => start.checked_add(time),
            None => start.checked_add(period)?.checked_add(*self.0.first_key_value()?.0),
        }
    }
}
