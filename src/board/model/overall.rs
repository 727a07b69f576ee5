//! The overall progress of all jobs, kept up to date with each change.

use crate::board::model::row::JobRow;

/// The overall progress of all jobs of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OverallProgress {
    /// No job is running.
    Idle,
    /// Jobs without a total are running.
    Unknown,
    /// The mean progress of the jobs in percent, rounded down.
    Percent(u8),
}

/// The counts and sums behind the overall progress.
///
/// The pinned jobs with a total count if one of them is running, otherwise all other jobs
/// with a total. Jobs that ended count as done.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProgressSums {
    pinned: Sum,
    others: Sum,
    /// The number of running jobs that are work: neither detached nor a row of elapsed
    /// time.
    working: usize,
}

#[derive(Clone, Debug, Default)]
struct Sum {
    /// The number of jobs with a total.
    jobs: u64,
    /// The number of those that are running.
    running: u64,
    /// The sum of their progress, in thousandths of a job.
    done: u64,
}

/// A whole job, in thousandths.
const WHOLE: u64 = 1_000;

impl ProgressSums {
    pub(crate) fn add_running(&mut self, row: &JobRow) {
        self.working += usize::from(works(row));
        if let Some(done) = done(row) {
            let sum = self.sum_of(row);
            sum.jobs += 1;
            sum.running += 1;
            sum.done += done;
        }
    }

    pub(crate) fn remove_running(&mut self, row: &JobRow) {
        self.working -= usize::from(works(row));
        if let Some(done) = done(row) {
            let sum = self.sum_of(row);
            sum.jobs -= 1;
            sum.running -= 1;
            sum.done -= done;
        }
    }

    pub(crate) fn add_completed(&mut self, row: &JobRow) {
        if done(row).is_some() {
            let sum = self.sum_of(row);
            sum.jobs += 1;
            sum.done += WHOLE;
        }
    }

    fn sum_of(&mut self, row: &JobRow) -> &mut Sum {
        if row.data.pinned { &mut self.pinned } else { &mut self.others }
    }

    pub(crate) fn overall_progress(&self) -> OverallProgress {
        let mut sums = [&self.pinned, &self.others].into_iter();
        match sums.find(|sum| sum.running > 0) {
            Some(sum) => OverallProgress::Percent((sum.done * 100 / WHOLE / sum.jobs) as u8),
            None if self.working > 0 => OverallProgress::Unknown,
            None => OverallProgress::Idle,
        }
    }
}

/// Returns how much of a job is done, in thousandths of a job; `None` without a total.
fn done(row: &JobRow) -> Option<u64> {
    let progress = row.data.progress.as_ref().filter(|progress| progress.total.is_some())?;
    Some(progress.done_of(WHOLE).unwrap_or(WHOLE))
}

/// Returns `true` if the job is work.
fn works(row: &JobRow) -> bool {
    !row.data.finishes_at_close()
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::board::event::{Progress, Row};

    fn row(pinned: bool, progress: Option<(u64, Option<u64>)>) -> JobRow {
        let progress = progress.map(|(position, total)| Progress::new(position, total));
        JobRow::new(Row { pinned, progress, ..Row::default() }, Duration::ZERO, 0)
    }

    #[test]
    fn a_job_with_a_total_of_zero_is_done() {
        assert_eq!(done(&row(false, Some((0, Some(0))))), Some(WHOLE));
        assert_eq!(done(&row(false, Some((0, None)))), None);
    }

    /// Computes the overall progress from all rows.
    fn expected_progress(running: &[JobRow], ended: &[JobRow]) -> OverallProgress {
        let parts = |rows: &[JobRow], pinned| -> Vec<u64> {
            let rows = rows.iter().filter(|row| row.data.pinned == pinned);
            rows.filter_map(done).collect()
        };
        for pinned in [true, false] {
            let of_running = parts(running, pinned);
            if !of_running.is_empty() {
                let ended = parts(ended, pinned).len() as u64;
                let done = of_running.iter().sum::<u64>() + ended * WHOLE;
                let jobs = of_running.len() as u64 + ended;
                return OverallProgress::Percent((done / (10 * jobs)) as u8);
            }
        }
        if running.iter().any(works) { OverallProgress::Unknown } else { OverallProgress::Idle }
    }

    proptest! {
        #[test]
        fn sums_are_those_of_all_rows(
            steps in vec((any::<u8>(), any::<bool>(), proptest::option::of((0..9_u64, proptest::option::of(0..9_u64)))), 0..60),
        ) {
            let (mut running, mut ended) = (Vec::new(), Vec::new());
            let mut sums = ProgressSums::default();
            for (choice, flag, progress) in steps {
                let place = usize::from(choice / 4) % running.len().max(1);
                match choice % 4 {
                    1 if !running.is_empty() => {
                        let row: &mut JobRow = &mut running[place];
                        sums.remove_running(row);
                        row.data.progress = self::row(flag, progress).data.progress;
                        row.data.detached |= flag;
                        sums.add_running(row);
                    }
                    2 if !running.is_empty() => {
                        let row = running.remove(place);
                        sums.remove_running(&row);
                        sums.add_completed(&row);
                        ended.push(row);
                    }
                    _ => {
                        let mut row = row(flag, progress);
                        row.data.elapsed = choice % 16 == 0;
                        sums.add_running(&row);
                        running.push(row);
                    }
                }
                prop_assert_eq!(sums.overall_progress(), expected_progress(&running, &ended));
            }
        }
    }
}
