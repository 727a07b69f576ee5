//! The ready set: which children are to be polled, and in which order.
//!
//! These are plain words that only the polling thread uses. A child that yields
//! an item stays ready, so a busy child costs no atomic operation.

use core::num::NonZeroUsize;

use crate::pool::slots::Blocks;
use crate::pool::tree::Tree;
use crate::pool::wake::Wakers;

const BITS: usize = usize::BITS as usize;

/// The ready children, and a cursor that passes over them round after round, in
/// the order of their places.
///
/// A child's index is its block's index times the number of bits in a word, plus
/// its place in the block.
pub(super) struct ReadySet<S> {
    /// The children, and which of them are ready. The present block is the one under the
    /// cursor, which only moves forward, and from the last block back to the first.
    pub(super) blocks: Blocks<S>,
    /// The ready children of that block that the cursor has not passed in this round.
    ahead: usize,
    /// How many places of that block the cursor has passed, with children or without.
    passed: u32,
    /// The other blocks with a ready child.
    others: Tree,
    /// How many blocks there were when the round began. A block added since is
    /// polled from the next round on, so that a round ends however many are added.
    round: usize,
}

/// Returns the block and the place of a child's index.
#[inline]
pub(super) fn split(index: usize) -> (usize, usize) {
    (index / BITS, index % BITS)
}

/// Returns the index of a child's block and place.
#[inline]
pub(super) fn join(block: usize, place: usize) -> usize {
    block * BITS + place
}

impl<S> ReadySet<S> {
    pub(super) fn new() -> Self {
        // As after a round, so that the first child begins one.
        let passed = usize::BITS;
        Self { blocks: Blocks::new(), ahead: 0, passed, others: Tree::new(), round: 0 }
    }

    /// Adds a block of this many slots, without children.
    pub(super) fn push(&mut self, capacity: usize, wakers: Wakers) {
        self.blocks.push(capacity, wakers);
        self.others.grow(self.blocks.len());
    }

    /// Adds children of a block to the set, except those that are gone: a waker may outlive
    /// its child.
    #[inline]
    pub(super) fn mark(&mut self, block: usize, children: usize) {
        let added = self.blocks.mark(block, children);
        if block == self.blocks.index() {
            self.ahead |= added.live & self.open();
        } else if added.first {
            self.others.insert(block);
        }
    }

    /// Returns the places of the present block that the cursor has not passed.
    #[inline]
    fn open(&self) -> usize {
        usize::MAX.checked_shl(self.passed).unwrap_or(0)
    }

    /// Removes a child from the set.
    #[inline]
    pub(super) fn unmark(&mut self, block: usize, place: usize) {
        let was_last = self.blocks.unmark(block, place);
        if block == self.blocks.index() {
            self.ahead &= !(1 << place);
        } else if was_last {
            self.others.remove(block);
        }
    }

    /// Removes all children from the set.
    pub(super) fn unmark_all(&mut self) {
        self.ahead = 0;
        self.blocks.unmark_all(self.blocks.index());
        while let Some(block) = self.others.first() {
            self.others.remove(block);
            self.blocks.unmark_all(block);
        }
    }

    /// Returns whether any child is ready.
    pub(super) fn any(&self) -> bool {
        self.blocks.ready() != 0 || !self.others.is_empty()
    }

    /// Returns the ready children of the present block that are ahead of the cursor.
    #[inline]
    pub(super) fn ahead(&self) -> Option<Ahead> {
        NonZeroUsize::new(self.ahead).map(Ahead)
    }

    /// Moves the cursor past the first child ahead, and returns its place in the present
    /// block.
    #[inline]
    pub(super) fn take(&mut self, Ahead(ahead): Ahead) -> usize {
        self.ahead = ahead.get() & (ahead.get() - 1);
        let place = ahead.trailing_zeros();
        self.passed = place + 1;
        place as usize
    }

    /// Moves the cursor back before the child that it passed last.
    pub(super) fn step_back(&mut self) {
        self.passed -= 1;
        self.ahead = self.blocks.ready() & self.open();
    }

    /// Returns the place in the present block of the child that the cursor passed last. There
    /// was one.
    #[inline]
    pub(super) fn place(&self) -> usize {
        self.passed as usize - 1
    }

    /// Returns the child that the cursor passed last. There was one.
    pub(super) fn taken(&self) -> (usize, usize) {
        (self.blocks.index(), self.place())
    }

    /// Returns whether the child that the cursor passed last is ready.
    #[inline]
    pub(super) fn is_taken_ready(&self) -> bool {
        self.blocks.ready() & (1 << self.place()) != 0
    }

    /// Begins a new round in the present block, if it alone has ready children, and returns
    /// them. No ready child is ahead of the cursor.
    #[inline]
    pub(super) fn repeat(&mut self) -> Option<Ahead> {
        let ready = NonZeroUsize::new(self.blocks.ready())?;
        if !self.others.is_empty() {
            return None;
        }
        self.begin(true);
        Some(Ahead(ready))
    }

    /// Returns where the cursor goes when no ready child of its block is ahead: to the next
    /// block with a ready child, of this round or else of a new one.
    #[inline]
    pub(super) fn next(&self) -> Option<Next> {
        if self.others.is_empty() {
            let block = self.blocks.index();
            return (self.blocks.ready() != 0).then_some(Next { block, begins_round: true });
        }
        self.next_of_many()
    }

    #[inline(never)]
    fn next_of_many(&self) -> Option<Next> {
        let present = self.blocks.index();
        if let Some(block) = self.others.next(present + 1).filter(|&block| block < self.round) {
            return Some(Next { block, begins_round: false });
        }
        let first = self.others.first()?;
        let block = if self.blocks.ready() != 0 { first.min(present) } else { first };
        Some(Next { block, begins_round: true })
    }

    /// Moves the cursor to the start of the [`next`](Self::next) block.
    #[inline]
    pub(super) fn advance(&mut self, next: Next) {
        if next.block != self.blocks.index() {
            if self.blocks.ready() != 0 {
                self.others.insert(self.blocks.index());
            }
            self.others.remove(next.block);
            self.blocks.enter(next.block);
        }
        self.begin(next.begins_round);
    }

    /// Moves the cursor to the start of the present block.
    #[inline]
    fn begin(&mut self, begins_round: bool) {
        (self.ahead, self.passed) = (self.blocks.ready(), 0);
        if begins_round {
            self.round = self.blocks.len();
        }
    }
}

/// Ready children of the present block, one bit per child.
#[derive(Clone, Copy)]
pub(super) struct Ahead(NonZeroUsize);

/// The next block under the cursor.
pub(super) struct Next {
    block: usize,
    /// Whether the cursor passed the last block of its round.
    pub(super) begins_round: bool,
}

#[cfg(all(test, not(active_status_loom)))]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::pool::wake::Inbox;

    fn set(blocks: usize) -> ReadySet<()> {
        let mut set = ReadySet::new();
        (0..blocks).for_each(|_| push(&mut set));
        set
    }

    /// Adds a block of children that are not ready.
    fn push(set: &mut ReadySet<()>) {
        let block = set.blocks.len();
        set.push(BITS, Inbox::new(1).wakers(block, 1));
        set.blocks.fill(block, (), &mut core::iter::repeat(()));
    }

    fn take(set: &mut ReadySet<()>, count: usize) -> Vec<usize> {
        let mut order = Vec::new();
        while order.len() < count {
            let Some(ahead) = set.ahead() else {
                let Some(next) = set.next() else { break };
                set.advance(next);
                continue;
            };
            let place = set.take(ahead);
            let block = set.blocks.index();
            assert_eq!(set.taken(), (block, place));
            order.push(join(block, place));
        }
        order
    }

    #[test]
    fn the_cursor_goes_round_in_order_of_place() {
        let mut set = set(2);
        set.mark(1, 0b1);
        set.mark(0, 0b101);
        assert_eq!(take(&mut set, 7), [0, 2, BITS, 0, 2, BITS, 0]);
    }

    #[test]
    fn a_child_ahead_of_the_cursor_is_polled_in_the_same_round() {
        let mut set = set(1);
        set.mark(0, 0b10010);
        assert_eq!(take(&mut set, 1), [1]);
        set.mark(0, 0b1100);
        set.mark(0, 0b1);
        assert_eq!(take(&mut set, 5), [2, 3, 4, 0, 1]);
    }

    #[test]
    fn a_block_added_in_a_round_is_polled_in_the_next() {
        let mut set = set(1);
        set.mark(0, 0b111);
        assert_eq!(take(&mut set, 1), [0]);
        push(&mut set);
        set.mark(1, 0b1);
        assert_eq!(take(&mut set, 6), [1, 2, 0, 1, 2, BITS]);
    }

    #[test]
    fn a_round_ends_even_if_each_poll_adds_a_block() {
        let mut set = set(1);
        set.mark(0, 0b11);
        let mut order = Vec::new();
        for _ in 0..9 {
            order.extend(take(&mut set, 1));
            push(&mut set);
            set.mark(set.blocks.len() - 1, 0b1);
        }
        let block = |block| join(block, 0);
        assert_eq!(order, [0, 1, 0, 1, block(1), block(2), 0, 1, block(1)]);
    }

    #[test]
    fn nothing_is_next_when_nothing_is_ready() {
        let mut set = set(3);
        set.mark(2, 0b110);
        set.mark(0, 0);
        set.unmark(2, 1);
        assert_eq!(take(&mut set, 2), [join(2, 2), join(2, 2)]);
        set.unmark(2, 2);
        assert!(take(&mut set, 1).is_empty());
        set.mark(1, usize::MAX);
        set.unmark_all();
        assert!(take(&mut set, 1).is_empty());
    }
}
