//! The cooperative budget of the executor.

/// Checks whether the task has budget left in an executor that limits the operations of a
/// task, as tokio does: without budget, its channels are pending even if they have a
/// message.
///
/// The merge checks after a child was pending. If no budget is left, the executor may have
/// refused the child, so that the child stays ready, the cursor stays before it, and the merge
/// yields.
pub(super) struct Coop {
    has_budget: Option<fn() -> bool>,
}

impl Coop {
    /// Checks the budget of tokio with the feature `tokio`, and none without it.
    pub(super) const fn new() -> Self {
        #[cfg(feature = "tokio")]
        let has_budget = Some(tokio::task::coop::has_budget_remaining as fn() -> bool);
        #[cfg(not(feature = "tokio"))]
        let has_budget = None;
        Self { has_budget }
    }

    pub(super) const fn ask(has_budget: fn() -> bool) -> Self {
        Self { has_budget: Some(has_budget) }
    }

    /// Returns whether a child that is pending may have been refused.
    #[inline]
    pub(super) fn may_have_refused(&self) -> bool {
        self.has_budget.is_some_and(|has_budget| !has_budget())
    }
}
