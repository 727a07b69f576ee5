//! Keys: which child of a merge, and not the one that had its place before.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::pool::ready::split;

const BITS: usize = usize::BITS as usize;

/// A child of a [`Merge`](crate::Merge), for as long as it is there.
///
/// The key of a child that ended or was removed is refused, also when another
/// child has its place. The key of another merge is not detected: it may name
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

/// How many children each place has had before its last.
///
/// A block of places has no memory here until one of them gets its second child.
pub(super) struct Generations {
    blocks: Vec<Option<Box<Block>>>,
}

struct Block {
    generations: [u32; BITS],
    /// Places whose count is at its end: they get no other child.
    retired: usize,
}

impl Generations {
    pub(super) const fn new() -> Self {
        Self { blocks: Vec::new() }
    }

    fn block(&self, block: usize) -> Option<&Block> {
        self.blocks.get(block)?.as_deref()
    }

    /// The key of the child that has this place.
    pub(super) fn key(&self, index: usize) -> Key {
        let (block, place) = split(index);
        let generation = self.block(block).map_or(0, |block| block.generations[place]);
        Key { index, generation }
    }

    /// The places of a block that get no other child.
    pub(super) fn retired(&self, block: usize) -> usize {
        self.block(block).map_or(0, |block| block.retired)
    }

    /// The place has another child: keys of those before are refused.
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

    /// As if the place had had children until its count is one before its end.
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
    fn places_have_no_memory_until_their_second_child() {
        let mut generations = Generations::new();
        assert_eq!(generations.key(join(3, 1)), Key { index: join(3, 1), generation: 0 });
        assert!(generations.blocks.is_empty());
        generations.renew(join(3, 1));
        assert_eq!(generations.key(join(3, 1)).generation, 1);
        assert_eq!(generations.key(join(3, 2)).generation, 0);
        assert_eq!(generations.blocks.iter().flatten().count(), 1);
    }
}
