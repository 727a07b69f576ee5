//! The ready set: which children are to be polled, and in which order.
//!
//! These are plain words that only the polling thread uses. A child that yields
//! an item stays ready, so a busy child costs no atomic operation.

use alloc::vec::Vec;
use core::num::NonZeroUsize;
use core::slice;

use crate::pool::tree::Tree;

const BITS: usize = usize::BITS as usize;

/// The ready bits of a block of children, next to what else a child poll uses.
struct Entry<T> {
    ready: usize,
    block: T,
}

/// The ready children, and a cursor that passes over them round after round, in
/// the order of their places.
///
/// A child's index is its block's index times the number of bits in a word, plus
/// its place in the block.
pub(super) struct ReadySet<T> {
    entries: Vec<Entry<T>>,
    /// The blocks with a ready child.
    blocks: Tree,
    /// The block under the cursor. The cursor only moves forward, and from the
    /// last block back to the first.
    block: usize,
    /// The places of that block that the cursor has not passed in this round.
    open: usize,
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

impl<T> ReadySet<T> {
    pub(super) const fn new() -> Self {
        Self { entries: Vec::new(), blocks: Tree::new(), block: 0, open: 0, round: 0 }
    }

    /// Reserves memory for exactly this many more blocks.
    pub(super) fn reserve_exact(&mut self, blocks: usize) {
        self.entries.reserve_exact(blocks);
    }

    /// Reserves memory for at least this many more blocks.
    pub(super) fn reserve(&mut self, blocks: usize) {
        self.entries.reserve(blocks);
    }

    pub(super) fn shrink_to_fit(&mut self) {
        self.entries.shrink_to_fit();
    }

    /// Adds a block without ready children.
    pub(super) fn push(&mut self, block: T) {
        self.entries.push(Entry { ready: 0, block });
        self.blocks.grow(self.entries.len());
    }

    /// Returns how many blocks there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, block: usize) -> Option<&T> {
        self.entries.get(block).map(|entry| &entry.block)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, block: usize) -> Option<&mut T> {
        self.entries.get_mut(block).map(|entry| &mut entry.block)
    }

    pub(super) fn iter(&self) -> Blocks<'_, T> {
        Blocks(self.entries.iter())
    }

    pub(super) fn iter_mut(&mut self) -> BlocksMut<'_, T> {
        BlocksMut(self.entries.iter_mut())
    }

    /// Adds children of a block to the set.
    #[inline]
    pub(super) fn mark(&mut self, block: usize, children: usize) {
        let ready = &mut self.entries[block].ready;
        if *ready == 0 && children != 0 {
            self.blocks.insert(block);
        }
        *ready |= children;
    }

    /// Removes a child from the set.
    #[inline]
    pub(super) fn unmark(&mut self, block: usize, place: usize) {
        let ready = &mut self.entries[block].ready;
        if *ready == 1 << place {
            self.blocks.remove(block);
        }
        *ready &= !(1 << place);
    }

    /// Returns whether a child is ready.
    #[inline]
    pub(super) fn contains(&self, (block, place): (usize, usize)) -> bool {
        self.entries.get(block).is_some_and(|entry| entry.ready & (1 << place) != 0)
    }

    /// Removes all children from the set.
    pub(super) fn unmark_all(&mut self) {
        while let Some(block) = self.blocks.first() {
            self.blocks.remove(block);
            self.entries[block].ready = 0;
        }
    }

    /// Returns whether any child is ready.
    pub(super) fn any(&self) -> bool {
        !self.blocks.is_empty()
    }

    /// Returns the ready children of the present block that are ahead of the cursor.
    #[inline]
    pub(super) fn ahead(&self) -> Option<Ahead> {
        let ready = self.entries.get(self.block)?.ready;
        NonZeroUsize::new(ready & self.open).map(Ahead)
    }

    /// Moves the cursor past the first child ahead, and returns its block and place.
    #[inline]
    pub(super) fn take(&mut self, Ahead(ahead): Ahead) -> (usize, usize) {
        // The places above the lowest of `ahead`.
        self.open = !(ahead.get() ^ (ahead.get() - 1));
        (self.block, ahead.trailing_zeros() as usize)
    }

    /// Moves the cursor back before a child of its block that it passed.
    pub(super) fn step_back(&mut self, place: usize) {
        self.open = usize::MAX << place;
    }

    /// Returns the child that the cursor passed last. There was one.
    pub(super) fn taken(&self) -> (usize, usize) {
        (self.block, self.open.trailing_zeros() as usize - 1)
    }

    /// Returns where the cursor goes when no ready child of its block is ahead: to the next
    /// block with a ready child, of this round or else of a new one.
    #[inline]
    pub(super) fn next(&self) -> Option<Next> {
        // Most pools have one block.
        if let [only] = &self.entries[..] {
            return (only.ready != 0).then_some(Next { block: 0, begins_round: true });
        }
        if self.blocks.is_empty() { None } else { self.next_of_many() }
    }

    #[inline(never)]
    fn next_of_many(&self) -> Option<Next> {
        let first = self.blocks.first()?;
        let ahead = self.blocks.next(self.block + 1).filter(|&block| block < self.round);
        Some(Next { block: ahead.unwrap_or(first), begins_round: ahead.is_none() })
    }

    /// Moves the cursor to the start of the [`next`](Self::next) block.
    #[inline]
    pub(super) fn advance(&mut self, next: Next) {
        self.block = next.block;
        self.open = usize::MAX;
        if next.begins_round {
            self.round = self.entries.len();
        }
    }
}

/// The blocks of a set.
pub(super) struct Blocks<'a, T>(slice::Iter<'a, Entry<T>>);

impl<'a, T> Iterator for Blocks<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        self.0.next().map(|entry| &entry.block)
    }
}

/// The blocks of a set, mutably.
pub(super) struct BlocksMut<'a, T>(slice::IterMut<'a, Entry<T>>);

impl<'a, T> Iterator for BlocksMut<'a, T> {
    type Item = &'a mut T;

    fn next(&mut self) -> Option<&'a mut T> {
        self.0.next().map(|entry| &mut entry.block)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn set(blocks: usize) -> ReadySet<()> {
        let mut set = ReadySet::new();
        (0..blocks).for_each(|_| set.push(()));
        set
    }

    fn take(set: &mut ReadySet<()>, count: usize) -> Vec<usize> {
        let mut order = Vec::new();
        while order.len() < count {
            let Some(ahead) = set.ahead() else {
                let Some(next) = set.next() else { break };
                set.advance(next);
                continue;
            };
            let (block, place) = set.take(ahead);
            order.push(join(block, place));
            assert_eq!(set.taken(), (block, place));
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
        set.push(());
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
            set.push(());
            set.mark(set.len() - 1, 0b1);
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
