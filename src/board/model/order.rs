//! The order of rows that are above, below or within the group of another.

use std::collections::BTreeMap;

use crate::board::event::JobId;

/// The order of running rows: a label per row.
///
/// A row that is the last when it is added has a label that depends on its id alone, and
/// takes no memory here. Each has a region of labels behind it for rows that are placed
/// there. Adding a row takes logarithmic time, except when it finds no label between its
/// neighbors: then the labels of its region are spread anew.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    /// The rows that were placed.
    rows: BTreeMap<u128, JobId>,
    /// Their labels.
    labels: BTreeMap<JobId, u128>,
}

/// The number of labels in a region.
const REGION: u128 = 1 << 64;

impl Order {
    /// Returns the label of a row. Rows are ordered by their labels.
    pub(crate) fn label(&self, job: JobId) -> u128 {
        self.labels.get(&job).copied().unwrap_or_else(|| u128::from(job.get()) * REGION)
    }

    /// Places a row directly above another.
    pub(crate) fn add_above(&mut self, job: JobId, other: JobId) {
        let label = self.free_label(|order| {
            let upper = order.label(other);
            let start = region(upper - 1);
            let lower = order.rows.range(start..upper).next_back();
            (lower.map_or(start, |(label, _)| *label), upper)
        });
        self.insert(job, label);
    }

    /// Places a row directly below another and the rows that follow it which `skipped`
    /// contains.
    pub(crate) fn add_below(&mut self, job: JobId, other: JobId, skipped: impl Fn(JobId) -> bool) {
        let label = self.free_label(|order| {
            let mut lower = order.label(other);
            let end = region(lower).saturating_add(REGION);
            for (label, row) in order.rows.range(lower + 1..end) {
                if !skipped(*row) {
                    return (lower, *label);
                }
                lower = *label;
            }
            (lower, end)
        });
        self.insert(job, label);
    }

    pub(crate) fn remove(&mut self, job: JobId) {
        if let Some(label) = self.labels.remove(&job) {
            self.rows.remove(&label);
        }
    }

    fn insert(&mut self, job: JobId, label: u128) {
        self.labels.insert(job, label);
        self.rows.insert(label, job);
    }

    /// Returns a label between two neighbors, which have one in the second attempt.
    fn free_label(&mut self, neighbors: impl Fn(&Self) -> (u128, u128)) -> u128 {
        let (mut lower, mut upper) = neighbors(self);
        if upper - lower < 2 {
            self.spread(region(lower));
            (lower, upper) = neighbors(self);
        }
        lower + (upper - lower) / 2
    }

    /// Spreads the labels of a region evenly.
    fn spread(&mut self, start: u128) {
        let rows: Vec<(u128, JobId)> = self
            .rows
            .range(start..start.saturating_add(REGION))
            .map(|(label, job)| (*label, *job))
            .collect();
        let step = REGION / (rows.len() as u128 + 1);
        for (label, _) in &rows {
            self.rows.remove(label);
        }
        for ((_, job), place) in rows.into_iter().zip(1..) {
            self.insert(job, start + place * step);
        }
    }
}

/// Returns the start of the region of a label.
fn region(label: u128) -> u128 {
    label / REGION * REGION
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{JobId, Order};

    fn id(job: u64) -> JobId {
        JobId::new(job).expect("ids count from 1")
    }

    fn sorted(order: &Order, mut jobs: Vec<JobId>) -> Vec<u64> {
        jobs.sort_by_key(|job| order.label(*job));
        jobs.into_iter().map(JobId::get).collect()
    }

    #[test]
    fn the_highest_id_has_room_around_it() {
        let (mut order, last) = (Order::default(), id(u64::MAX));
        order.add_below(id(1), last, |_| false);
        order.add_above(id(2), last);
        order.add_above(id(3), id(1));
        assert_eq!(sorted(&order, vec![id(1), id(2), id(3), last]), [2, u64::MAX, 3, 1]);
    }

    #[test]
    fn any_number_of_rows_have_room_at_one_place() {
        let mut order = Order::default();
        for job in 12..1_000 {
            match job % 4 {
                0 => order.add_below(id(job), id(1), |_| false),
                1 => order.add_above(id(job), id(2)),
                2 => order.add_below(id(job), id(job - 1), |_| false),
                _ => order.add_above(id(job), id(job - 1)),
            }
            let (first, last) = (order.label(id(1)), order.label(id(2)));
            assert!((first + 1..last).contains(&order.label(id(job))), "{job}");
        }
        assert_eq!(order.rows.len(), 988);
    }

    proptest! {
        #[test]
        fn rows_are_where_they_were_placed(steps in prop::collection::vec(any::<(u8, u16)>(), 0..150)) {
            let (mut order, mut expected) = (Order::default(), Vec::<JobId>::new());
            for ((step, choice), job) in steps.into_iter().zip(1..) {
                let place = usize::from(choice) % expected.len().max(1);
                match step % 5 {
                    1 | 2 if !expected.is_empty() => {
                        order.add_above(id(job), expected[place]);
                        expected.insert(place, id(job));
                    }
                    3 if !expected.is_empty() => {
                        order.add_below(id(job), expected[place], |_| false);
                        expected.insert(place + 1, id(job));
                    }
                    4 if !expected.is_empty() => order.remove(expected.remove(place)),
                    _ => expected.push(id(job)),
                }
                let jobs: Vec<u64> = expected.iter().map(|job| job.get()).collect();
                prop_assert_eq!(sorted(&order, expected.clone()), jobs);
            }
        }
    }
}
