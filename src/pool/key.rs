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
    blocks: Vec<Option<Box<Block>>>,
}

struct Block {
    generations: [u32; BITS],
    /// Places whose count is exhausted. They are not reused.
    retired: usize,
}

impl Generations {
    pub(super) const fn new() -> Self {
        Self { blocks: Vec::new() }
    }

    fn block(&self, block: usize) -> Option<&Block> {
        self.blocks.get(block)?.as_deref()
    }

    /// The key of the child in this place.
    pub(super) fn key(&self, index: usize) -> Key {
        let (block, place) = split(index);
        let generation = self.block(block).map_or(0, |block| block.generations[place]);
        Key { index, generation }
    }

    /// The places of a block that are not reused.
    pub(super) fn retired(&self, block: usize) -> usize {
        self.block(block).map_or(0, |block| block.retired)
    }

    /// Notes that a place is reused: keys of its earlier children become stale.
    pub(super) fn renew(&mut self, index: usize) {
        let (block, place) = split(index);
        if self.blocks.len() <= block {
            self.blocks.resize_with(block + 1, || None);
        }
        let block = self.blocks[block]
            .get_or_insert_with(|| Box::new(Block { generations: [0; BITS], retired: 0 }));
        block.generations[place] += 1;
        if block.generations[place] == u32::MAX {
            block.retired |= 1 << place;
        }
    }

    /// Advances the count of a place to one before its end.
    #[cfg(all(test, not(active_status_loom)))]
    pub(super) fn wear_out(&mut self, index: usize) {
        self.renew(index);
        let (block, place) = split(index);
        if let Some(block) = &mut self.blocks[block] {
            block.generations[place] = u32::MAX - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::ready::join;

    #[test]
    fn a_place_needs_no_memory_until_it_is_reused() {
        let mut generations = Generations::new();
        assert_eq!(generations.key(join(3, 1)), Key { index: join(3, 1), generation: 0 });
        assert!(generations.blocks.is_empty());
        generations.renew(join(3, 1));
        assert_eq!(generations.key(join(3, 1)).generation, 1);
        assert_eq!(generations.key(join(3, 2)).generation, 0);
        assert_eq!(generations.blocks.iter().flatten().count(), 1);
    }
}
