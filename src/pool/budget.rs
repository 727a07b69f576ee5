//! How many children one poll of a merge may poll.

use core::task::Waker;

use crate::pool::wake;

/// The budget that a merge has unless another one is set.
const DEFAULT: u32 = 32;

/// The budget without a limit.
const UNLIMITED: u32 = u32::MAX;

/// Counts down the child polls that are left until the merge yields to the
/// executor.
///
/// - Each child poll takes one, whatever its result.
/// - The merge renews the budget when it yields and when it parks: in both cases
///   the executor has a turn.
/// - A merge within a merge leaves it to the outer one to yield. Its budget is
///   renewed once per poll by the outer merge, less what the present call has
///   already spent. It is not renewed more often, so that a child that loops over
///   an inner merge reaches the end of its loop.
pub(super) struct Budget {
    /// How many children are polled in a row at most.
    limit: u32,
    /// How many of them are left.
    left: u32,
    /// The pass of the outer merge in which the budget was last renewed.
    renewed: Option<usize>,
}

impl Budget {
    pub(super) const fn new() -> Self {
        Self { limit: DEFAULT, left: DEFAULT, renewed: None }
    }

    /// Sets the limit. 0 counts as 1, since a merge that polls no child makes no
    /// progress.
    pub(super) fn set_limit(&mut self, limit: u32) {
        self.limit = limit.max(1);
        self.renew();
    }

    pub(super) const fn limit(&self) -> u32 {
        self.limit
    }

    pub(super) const fn left(&self) -> u32 {
        self.left
    }

    #[inline]
    pub(super) const fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// Takes one child poll from a budget that is not spent.
    #[inline]
    pub(super) const fn spend(&mut self) {
        debug_assert!(self.left > 0, "the budget is spent");
        self.left -= 1;
    }

    pub(super) fn renew(&mut self) {
        self.left = self.limit;
    }

    /// Returns whether a call may poll more children although the budget is spent: it is
    /// renewed if the rules above say so. The call began with `before` polls left.
    #[cold]
    pub(super) fn may_go_on(&mut self, before: u32, parent: &Waker) -> bool {
        if self.limit == UNLIMITED {
            self.renew();
            return true;
        }
        let pass = wake::pass_of(parent);
        if pass.is_some() && pass != self.renewed {
            self.renewed = pass;
            self.left = self.limit.saturating_sub(before);
        }
        !self.is_spent()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(limit: u32) -> Budget {
        let mut budget = Budget::new();
        budget.set_limit(limit);
        (0..budget.limit()).for_each(|_| budget.spend());
        budget
    }

    #[test]
    fn a_budget_of_zero_is_one() {
        let mut budget = Budget::new();
        budget.set_limit(0);
        assert_eq!((budget.limit(), budget.left()), (1, 1));
    }

    #[test]
    fn a_spent_budget_ends_the_call_outside_a_merge() {
        assert!(!spent(3).may_go_on(3, Waker::noop()));
    }

    #[test]
    fn an_unlimited_budget_is_renewed() {
        let mut budget = Budget { limit: UNLIMITED, left: 0, renewed: None };
        assert!(budget.may_go_on(UNLIMITED, Waker::noop()));
        assert_eq!(budget.left(), UNLIMITED);
    }
}
