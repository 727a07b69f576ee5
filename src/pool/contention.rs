//! Whether other threads wake children as fast as the merge polls them.

/// After how many blocks contention is over, unless it is found again.
const BLOCKS: u8 = 64;

/// Decides how often the merge takes the list of woken blocks.
///
/// - Without contention the merge takes the list before each child poll, so that
///   a child woken ahead of the cursor is polled in the same round.
/// - If a block is pushed while the merge takes the list, another thread is
///   waking children. Each take then moves cache lines between cores, so the merge
///   takes the list once per block instead.
/// - After 64 blocks the contention is over, whether wakes came or not: they may
///   have come from the polling thread itself.
pub(super) struct Contention {
    /// How many more blocks are polled under contention; 0 if there is none.
    blocks: u8,
}

impl Contention {
    pub(super) const fn new() -> Self {
        Self { blocks: 0 }
    }

    #[inline]
    pub(super) const fn is_found(&self) -> bool {
        self.blocks > 0
    }

    /// Notes that a block was pushed while the list was taken.
    pub(super) const fn find(&mut self) {
        self.blocks = BLOCKS;
    }

    /// Counts a block that was polled under contention.
    pub(super) const fn count_block(&mut self) {
        self.blocks -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contention_is_over_after_64_blocks() {
        let mut contention = Contention::new();
        assert!(!contention.is_found());
        contention.find();
        (0..BLOCKS - 1).for_each(|_| contention.count_block());
        assert!(contention.is_found());
        contention.count_block();
        assert!(!contention.is_found());
    }
}
