//! Which children are ready, and whose turn it is.
//!
//! Plain words that only the merge looks at: a child that yields stays ready,
//! so that children with much to say cost no atomic operation.

use alloc::vec::Vec;

use crate::pool::tree::Tree;

const BITS: usize = usize::BITS as usize;

/// A block of children: their ready bits, and beside them what else the poll of
/// a child touches.
struct Line<T> {
    ready: usize,
    beside: T,
}

/// The turns of the children, round after round in the order of their places.
///
/// A child's index is its block's times the bits of a word, plus its place in
/// the block.
pub(super) struct Turns<T> {
    lines: Vec<Line<T>>,
    /// The blocks with a ready child.
    blocks: Tree,
    /// The block whose turn it is. Turns only go forward, and then around.
    block: usize,
    /// The places of that block whose turn in this round is to come: those from
    /// the cursor on.
    open: usize,
    /// How many blocks there were when the round began. Those added since have
    /// their turn in the next one, so a round ends however many are added.
    round: usize,
}

/// A child's block and its place there.
#[inline]
pub(super) fn split(index: usize) -> (usize, usize) {
    (index / BITS, index % BITS)
}

/// A child's index.
#[inline]
pub(super) fn join(block: usize, place: usize) -> usize {
    block * BITS + place
}

/// The places set in a word, lowest first.
pub(super) fn places(mut word: usize) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let place = (word != 0).then(|| word.trailing_zeros() as usize)?;
        word &= word - 1;
        Some(place)
    })
}

impl<T> Turns<T> {
    pub(super) const fn new() -> Self {
        Self { lines: Vec::new(), blocks: Tree::new(), block: 0, open: 0, round: 0 }
    }

    /// Makes room for exactly so many more blocks.
    pub(super) fn reserve_exact(&mut self, blocks: usize) {
        self.lines.reserve_exact(blocks);
    }

    /// Makes room for at least so many more blocks.
    pub(super) fn reserve(&mut self, blocks: usize) {
        self.lines.reserve(blocks);
    }

    /// Adds a block. None of its children is ready.
    pub(super) fn push(&mut self, beside: T) {
        self.lines.push(Line { ready: 0, beside });
        self.blocks.grow(self.lines.len());
    }

    /// How many blocks there are.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn get(&self, block: usize) -> Option<&T> {
        self.lines.get(block).map(|line| &line.beside)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, block: usize) -> Option<&mut T> {
        self.lines.get_mut(block).map(|line| &mut line.beside)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        self.lines.iter().map(|line| &line.beside)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.lines.iter_mut().map(|line| &mut line.beside)
    }

    /// Makes children of a block ready.
    #[inline]
    pub(super) fn mark(&mut self, block: usize, children: usize) {
        let ready = &mut self.lines[block].ready;
        if *ready == 0 && children != 0 {
            self.blocks.insert(block);
        }
        *ready |= children;
    }

    /// Makes a child not ready.
    #[inline]
    pub(super) fn unmark(&mut self, block: usize, place: usize) {
        let ready = &mut self.lines[block].ready;
        if *ready == 1 << place {
            self.blocks.remove(block);
        }
        *ready &= !(1 << place);
    }

    /// Makes no child ready.
    pub(super) fn unmark_all(&mut self) {
        while let Some(block) = self.blocks.first() {
            self.blocks.remove(block);
            self.lines[block].ready = 0;
        }
    }

    /// Whether a child is ready.
    pub(super) fn any(&self) -> bool {
        self.blocks.first().is_some()
    }

    /// Gives the next ready child of the block its turn: the block and the
    /// child's place there.
    #[inline]
    pub(super) fn take(&mut self) -> Option<(usize, usize)> {
        let ready = self.lines.get(self.block)?.ready;
        let ahead = ready & self.open;
        if ahead == 0 {
            return None;
        }
        // The places above the lowest of `ahead`.
        self.open = !(ahead ^ (ahead - 1));
        Some((self.block, ahead.trailing_zeros() as usize))
    }

    /// The child that had its turn last, when there was one.
    pub(super) fn taken(&self) -> (usize, usize) {
        (self.block, self.open.trailing_zeros() as usize - 1)
    }

    /// Whether a ready child of the block has its turn to come.
    pub(super) fn is_open(&self) -> bool {
        self.lines.get(self.block).is_some_and(|line| line.ready & self.open != 0)
    }

    /// Goes on to the next block with a ready child, in this round or else in the
    /// next, which begins. Whether there is one.
    ///
    /// No child of the present block has its turn to come.
    #[inline]
    pub(super) fn advance(&mut self) -> bool {
        // Most pools have one block.
        if let [only] = &self.lines[..]
            && only.ready != 0
        {
            (self.round, self.open) = (1, usize::MAX);
            return true;
        }
        self.advance_far()
    }

    #[inline(never)]
    fn advance_far(&mut self) -> bool {
        let Some(first) = self.blocks.first() else { return false };
        let ahead = self.blocks.next(self.block + 1).filter(|&block| block < self.round);
        self.block = ahead.unwrap_or_else(|| {
            self.round = self.lines.len();
            first
        });
        self.open = usize::MAX;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(blocks: usize) -> Turns<()> {
        let mut turns = Turns::new();
        (0..blocks).for_each(|_| turns.push(()));
        turns
    }

    fn take(turns: &mut Turns<()>, count: usize) -> Vec<usize> {
        let mut order = Vec::new();
        while order.len() < count {
            let Some((block, place)) = turns.take() else {
                if turns.advance() {
                    continue;
                }
                break;
            };
            order.push(join(block, place));
            assert_eq!(turns.taken(), (block, place));
        }
        order
    }

    #[test]
    fn turns_go_round_in_order_of_place() {
        let mut turns = turns(2);
        turns.mark(1, 0b1);
        turns.mark(0, 0b101);
        assert_eq!(take(&mut turns, 7), [0, 2, BITS, 0, 2, BITS, 0]);
    }

    #[test]
    fn a_child_marked_ahead_of_the_cursor_is_served_in_the_same_round() {
        let mut turns = turns(1);
        turns.mark(0, 0b10010);
        assert_eq!(take(&mut turns, 1), [1]);
        turns.mark(0, 0b1100);
        turns.mark(0, 0b1);
        assert_eq!(take(&mut turns, 5), [2, 3, 4, 0, 1]);
    }

    #[test]
    fn a_block_added_in_a_round_has_its_turn_in_the_next() {
        let mut turns = turns(1);
        turns.mark(0, 0b111);
        assert_eq!(take(&mut turns, 1), [0]);
        turns.push(());
        turns.mark(1, 0b1);
        assert_eq!(take(&mut turns, 6), [1, 2, 0, 1, 2, BITS]);
    }

    #[test]
    fn a_round_ends_although_a_block_is_added_each_turn() {
        let mut turns = turns(1);
        turns.mark(0, 0b11);
        let mut order = Vec::new();
        for _ in 0..9 {
            order.extend(take(&mut turns, 1));
            turns.push(());
            turns.mark(turns.len() - 1, 0b1);
        }
        let block = |block| join(block, 0);
        assert_eq!(order, [0, 1, 0, 1, block(1), block(2), 0, 1, block(1)]);
    }

    #[test]
    fn nothing_is_next_when_nothing_is_ready() {
        let mut turns = turns(3);
        turns.mark(2, 0b110);
        turns.mark(0, 0);
        turns.unmark(2, 1);
        assert_eq!(take(&mut turns, 2), [join(2, 2), join(2, 2)]);
        turns.unmark(2, 2);
        assert!(take(&mut turns, 1).is_empty());
        turns.mark(1, usize::MAX);
        turns.unmark_all();
        assert!(take(&mut turns, 1).is_empty());
    }
}
