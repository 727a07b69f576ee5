//! How far all jobs are together, without looking at all of them.

use crate::board::model::row::JobRow;

/// How far the jobs of a board are together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// Nothing runs.
    Idle,
    /// Something runs, and nobody knows how much there is to do.
    Unknown,
    /// The mean of what is done, in percent, rounded down.
    Percent(u8),
}

/// Counts and sums, kept as rows come, change and go. The jobs that count are the
/// pinned ones with a total, if one of them runs, else all others with a total.
/// Jobs that ended count as done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shares {
    pinned: Sum,
    others: Sum,
    /// Jobs that run and have somebody who works on them.
    working: usize,
}

#[derive(Clone, Debug, Default)]
struct Sum {
    /// Jobs with a total.
    jobs: u64,
    /// Those that run.
    running: u64,
    /// What of them is done, in thousandths of a job.
    done: u64,
}

/// All of a job, in thousandths.
const WHOLE: u64 = 1_000;

impl Shares {
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

    pub(crate) fn share(&self) -> Share {
        let mut sums = [&self.pinned, &self.others].into_iter();
        match sums.find(|sum| sum.running > 0) {
            Some(sum) => Share::Percent((sum.done * 100 / WHOLE / sum.jobs) as u8),
            None if self.working > 0 => Share::Unknown,
            None => Share::Idle,
        }
    }
}

/// What of a job is done, if it has a total.
fn done(row: &JobRow) -> Option<u64> {
    let progress = row.data.progress.as_ref().filter(|progress| progress.total.is_some())?;
    Some(progress.done_of(WHOLE).unwrap_or(WHOLE))
}

/// Whether it runs for another reason than to show the time.
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
        JobRow::new(Row { pinned, progress, ..Row::default() }, Duration::ZERO)
    }

    #[test]
    fn a_job_with_a_total_of_zero_is_done() {
        assert_eq!(done(&row(false, Some((0, Some(0))))), Some(WHOLE));
        assert_eq!(done(&row(false, Some((0, None)))), None);
    }

    /// The share of these, each looked at.
    fn share_of(running: &[JobRow], ended: &[JobRow]) -> Share {
        let parts = |rows: &[JobRow], pinned| -> Vec<u64> {
            let rows = rows.iter().filter(|row| row.data.pinned == pinned);
            rows.filter_map(done).collect()
        };
        for pinned in [true, false] {
            let parts_of_running = parts(running, pinned);
            if !parts_of_running.is_empty() {
                let ended = parts(ended, pinned).len() as u64;
                let done = parts_of_running.iter().sum::<u64>() + ended * WHOLE;
                let jobs = parts_of_running.len() as u64 + ended;
                return Share::Percent((done / (10 * jobs)) as u8);
            }
        }
        if running.iter().any(works) { Share::Unknown } else { Share::Idle }
    }

    proptest! {
        #[test]
        fn sums_that_are_kept_are_those_of_all_rows(
            steps in vec((any::<u8>(), any::<bool>(), proptest::option::of((0..9_u64, proptest::option::of(0..9_u64)))), 0..60),
        ) {
            let (mut running, mut ended) = (Vec::new(), Vec::new());
            let mut shares = Shares::default();
            for (choice, flag, progress) in steps {
                let place = usize::from(choice / 4) % running.len().max(1);
                match choice % 4 {
                    1 if !running.is_empty() => {
                        let row: &mut JobRow = &mut running[place];
                        shares.remove_running(row);
                        row.data.progress = self::row(flag, progress).data.progress;
                        row.data.detached |= flag;
                        shares.add_running(row);
                    }
                    2 if !running.is_empty() => {
                        let row = running.remove(place);
                        shares.remove_running(&row);
                        shares.add_completed(&row);
                        ended.push(row);
                    }
                    _ => {
                        let mut row = row(flag, progress);
                        row.data.elapsed = choice % 16 == 0;
                        shares.add_running(&row);
                        running.push(row);
                    }
                }
                prop_assert_eq!(shares.share(), share_of(&running, &ended));
            }
        }
    }
}
