//! Keys, which tell a child from earlier ones in the same place.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::pool::ready::split;

const BITS: usize = usize::BITS as usize;

/// Identifies a child of a [`Merge`](crate::Merge).
///
/// The key of a child that ended or was removed is refused, even if another child
/// has taken its place. The key of another merge is not detected and may identify
/// any child.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    pub(super) index: usize,
    pub(super) generation: u32,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}.{})", self.index, self.generation)
    }
}

/// How many children each place had before its latest one.
///
/// A block of places needs no memory here until one of them is reused.
pub(super) struct Generations {
    blocks: Vec<Block>,
}

enum Block {
    /// All places have this generation.
    Uniform(u32),
    Each(Box<Each>),
    /// The generations of a place are exhausted. The block is not reused.
    Exhausted,
}

struct Each {
    generations: [u32; BITS],
}

impl Generations {
    pub(super) const fn new() -> Self {
        Self { blocks: Vec::new() }
    }

    /// Returns the key of the child in this place.
    pub(super) fn key(&self, index: usize) -> Key {
        let (block, place) = split(index);
        let generation = match self.blocks.get(block) {
            None => 0,
            Some(Block::Uniform(generation)) => *generation,
            Some(Block::Each(each)) => each.generations[place],
            Some(Block::Exhausted) => u32::MAX,
        };
        Key { index, generation }
    }

    /// Returns whether a block is not reused.
    pub(super) fn is_exhausted(&self, block: usize) -> bool {
        matches!(self.blocks.get(block), Some(Block::Exhausted))
    }

    fn block(&mut self, block: usize) -> &mut Block {
        if self.blocks.len() <= block {
            self.blocks.resize_with(block + 1, || Block::Uniform(0));
        }
        &mut self.blocks[block]
    }

    /// Notes that a place is reused: keys of its earlier children become stale. Returns
    /// whether the place may be reused again.
    pub(super) fn renew(&mut self, index: usize) -> bool {
        let (block, place) = split(index);
        let block = self.block(block);
        if let Block::Uniform(generation) = *block {
            *block = Block::Each(Box::new(Each { generations: [generation; BITS] }));
        }
        let Block::Each(each) = block else { return false };
        each.generations[place] += 1;
        each.generations[place] < u32::MAX
    }

    /// Notes that a block without children forgets which of its places were used: all
    /// earlier keys become stale.
    pub(super) fn restart(&mut self, block: usize) {
        let block = self.block(block);
        let latest = match block {
            Block::Uniform(generation) => *generation,
            Block::Each(each) => each.generations.into_iter().fold(0, u32::max),
            Block::Exhausted => u32::MAX,
        };
        *block = latest.checked_add(1).map_or(Block::Exhausted, Block::Uniform);
    }

    pub(super) fn shrink_to_fit(&mut self) {
        self.blocks.shrink_to_fit();
    }

    /// Advances the count of a place to one before its end.
    #[cfg(all(test, not(active_status_loom)))]
    pub(super) fn wear_out(&mut self, index: usize) {
        let _ = self.renew(index);
        let (block, place) = split(index);
        if let Block::Each(each) = &mut self.blocks[block] {
            each.generations[place] = u32::MAX - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::ready::join;

    fn key(place: usize, generation: u32) -> Key {
        Key { index: join(3, place), generation }
    }

    #[test]
    fn a_place_needs_no_memory_until_it_is_reused() {
        let mut generations = Generations::new();
        assert_eq!(generations.key(join(3, 1)), key(1, 0));
        assert!(generations.blocks.is_empty());
        generations.renew(join(3, 1));
        assert_eq!([1, 2].map(|place| generations.key(join(3, place))), [key(1, 1), key(2, 0)]);
        let each = generations.blocks.iter().filter(|block| matches!(block, Block::Each(_)));
        assert_eq!(each.count(), 1);
    }

    #[test]
    fn a_restart_makes_all_keys_stale() {
        let mut generations = Generations::new();
        generations.restart(3);
        assert_eq!(generations.key(join(3, 1)), key(1, 1));
        generations.renew(join(3, 1));
        generations.renew(join(3, 1));
        generations.restart(3);
        assert_eq!([1, 2].map(|place| generations.key(join(3, place))), [key(1, 4), key(2, 4)]);
        assert!(!generations.is_exhausted(3));
    }

    #[test]
    fn a_block_with_exhausted_generations_is_not_reused() {
        let mut generations = Generations { blocks: Vec::from([Block::Uniform(u32::MAX)]) };
        assert!(!generations.is_exhausted(0));
        generations.restart(0);
        assert!(generations.is_exhausted(0));
        generations.restart(0);
        assert!(generations.is_exhausted(0));
    }
}
