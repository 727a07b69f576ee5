//! A set of small numbers, as words over words.

use alloc::vec;
use alloc::vec::Vec;

const BITS: usize = usize::BITS as usize;

/// A set of numbers that finds the next member at or after a number in
/// O(log64 n): one bit per number, and in the level above one bit per word that is
/// not zero.
///
/// Numbers below 64 fit the top word and need no allocation.
#[derive(Debug)]
pub(super) struct Tree {
    /// The top word.
    root: usize,
    /// The words below it, the lowest level first. A bit of `levels[0]` is a
    /// number, a bit of `levels[i]` is a word of `levels[i - 1]`.
    levels: Vec<Vec<usize>>,
}

impl Tree {
    pub(super) const fn new() -> Self {
        Self { root: 0, levels: Vec::new() }
    }

    /// Makes room for the numbers below `length`. Members stay members.
    #[inline]
    pub(super) fn grow(&mut self, length: usize) {
        if length > BITS {
            self.grow_levels(length);
        }
    }

    fn grow_levels(&mut self, length: usize) {
        let mut words = length.div_ceil(BITS);
        for level in &mut self.levels {
            if level.len() < words {
                level.resize(words, 0);
            }
            words = level.len().div_ceil(BITS);
        }
        while words > 1 {
            let mut level = vec![0; words];
            level[0] = self.root;
            self.root = usize::from(self.root != 0);
            self.levels.push(level);
            words = words.div_ceil(BITS);
        }
    }

    /// Inserts a number.
    #[inline]
    pub(super) fn insert(&mut self, mut number: usize) {
        for level in &mut self.levels {
            let word = &mut level[number / BITS];
            let before = *word;
            *word |= 1 << (number % BITS);
            if before != 0 {
                return;
            }
            number /= BITS;
        }
        self.root |= 1 << number;
    }

    /// Removes a number.
    #[inline]
    pub(super) fn remove(&mut self, mut number: usize) {
        for level in &mut self.levels {
            let word = &mut level[number / BITS];
            *word &= !(1 << (number % BITS));
            if *word != 0 {
                return;
            }
            number /= BITS;
        }
        self.root &= !(1 << number);
    }

    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.root == 0
    }

    /// Returns the least member.
    #[inline]
    pub(super) fn first(&self) -> Option<usize> {
        (self.root != 0)
            .then(|| self.descend(self.root.trailing_zeros() as usize, self.levels.len()))
    }

    /// Returns the least member that is not less than `from`.
    #[inline]
    pub(super) fn next(&self, from: usize) -> Option<usize> {
        let mut number = from;
        for (height, level) in self.levels.iter().enumerate() {
            let word = level.get(number / BITS).copied().unwrap_or(0);
            if let Some(found) = first_from(word, number % BITS) {
                return Some(self.descend(number / BITS * BITS + found, height));
            }
            // The next word of this level is the next bit of the one above.
            number = number / BITS + 1;
        }
        let found = first_from(self.root, Some(number).filter(|&bit| bit < BITS)?)?;
        Some(self.descend(found, self.levels.len()))
    }

    /// Returns the least member below the bit `number` of the words at `height`.
    #[inline]
    fn descend(&self, number: usize, height: usize) -> usize {
        let below = self.levels[..height].iter().rev();
        below.fold(number, |word, level| word * BITS + level[word].trailing_zeros() as usize)
    }
}

/// Returns the lowest bit of a word that is set, from this one on.
#[inline]
fn first_from(word: usize, bit: usize) -> Option<usize> {
    let ahead = word & (usize::MAX << bit);
    (ahead != 0).then(|| ahead.trailing_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    #[test]
    fn growth_carries_members_into_the_new_level() {
        for length in [65, 4_097, 262_145] {
            let mut tree = Tree::new();
            tree.grow(length - 1);
            tree.insert(0);
            tree.insert(length - 2);
            tree.grow(length);
            tree.insert(length - 1);
            let members = [tree.next(0), tree.next(1), tree.next(length - 1), tree.next(length)];
            assert_eq!(members, [Some(0), Some(length - 2), Some(length - 1), None]);
        }
    }

    #[test]
    fn an_empty_tree_stays_empty_when_it_grows() {
        let mut tree = Tree::new();
        tree.grow(10_000);
        assert_eq!(tree.next(0), None);
    }

    proptest! {
        #[test]
        fn it_is_a_set(steps in prop::collection::vec((0..9_000_usize, any::<bool>()), 0..200)) {
            let mut tree = Tree::new();
            let mut set = BTreeSet::new();
            let mut length = 0;
            for (number, insert) in steps {
                length = length.max(number + 1);
                tree.grow(length);
                if insert {
                    tree.insert(number);
                    set.insert(number);
                } else {
                    tree.remove(number);
                    set.remove(&number);
                }
                prop_assert_eq!(tree.first(), set.first().copied());
                for from in [0, number.saturating_sub(1), number, number + 1, length] {
                    prop_assert_eq!(tree.next(from), set.range(from..).next().copied());
                }
            }
        }
    }
}
