//! Iterators over the children of a merge.

use core::fmt;
use core::iter::{Enumerate, FusedIterator};
use core::pin::Pin;

use crate::pool::key::{Generations, Key};
use crate::pool::merge::Merge;
use crate::pool::ready;
use crate::pool::slots::{BlocksIter, BlocksIterMut, SlotsIter, SlotsIterMut};

/// The iterator of [`Merge::iter`].
pub struct Iter<'a, S> {
    generations: &'a Generations,
    blocks: Enumerate<BlocksIter<'a, S>>,
    block: usize,
    slots: SlotsIter<'a, S>,
}

impl<'a, S> Iter<'a, S> {
    pub(super) fn new(generations: &'a Generations, blocks: BlocksIter<'a, S>) -> Self {
        Self { generations, blocks: blocks.enumerate(), block: 0, slots: SlotsIter::none() }
    }
}

impl<'a, S> Iterator for Iter<'a, S> {
    type Item = (Key, &'a S);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((place, child)) = self.slots.next() {
                return Some((self.generations.key(ready::join(self.block, place)), child));
            }
            let (block, children) = self.blocks.next()?;
            (self.block, self.slots) = (block, children.iter());
        }
    }
}

impl<S> FusedIterator for Iter<'_, S> {}

impl<S> fmt::Debug for Iter<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").finish_non_exhaustive()
    }
}

/// The iterator of [`Merge::iter_pin_mut`].
pub struct IterPinMut<'a, S> {
    generations: &'a Generations,
    blocks: Enumerate<BlocksIterMut<'a, S>>,
    block: usize,
    slots: SlotsIterMut<'a, S>,
}

impl<'a, S> IterPinMut<'a, S> {
    pub(super) fn new(generations: &'a Generations, blocks: BlocksIterMut<'a, S>) -> Self {
        Self { generations, blocks: blocks.enumerate(), block: 0, slots: SlotsIterMut::none() }
    }
}

impl<'a, S> Iterator for IterPinMut<'a, S> {
    type Item = (Key, Pin<&'a mut S>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((place, child)) = self.slots.next() {
                return Some((self.generations.key(ready::join(self.block, place)), child));
            }
            let (block, children) = self.blocks.next()?;
            (self.block, self.slots) = (block, children);
        }
    }
}

impl<S> FusedIterator for IterPinMut<'_, S> {}

impl<S> fmt::Debug for IterPinMut<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IterPinMut").finish_non_exhaustive()
    }
}

/// The iterator of [`Merge::iter_mut`].
pub struct IterMut<'a, S> {
    children: IterPinMut<'a, S>,
}

impl<'a, S: Unpin> IterMut<'a, S> {
    pub(super) const fn new(children: IterPinMut<'a, S>) -> Self {
        Self { children }
    }
}

impl<'a, S: Unpin> Iterator for IterMut<'a, S> {
    type Item = (Key, &'a mut S);

    fn next(&mut self) -> Option<Self::Item> {
        self.children.next().map(|(key, child)| (key, child.get_mut()))
    }
}

impl<S: Unpin> FusedIterator for IterMut<'_, S> {}

impl<S> fmt::Debug for IterMut<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IterMut").finish_non_exhaustive()
    }
}

/// The iterator of [`Merge::into_iter`](Merge#impl-IntoIterator-for-Merge<S>).
pub struct IntoIter<S> {
    merge: Merge<S>,
    block: usize,
}

impl<S: Unpin> Iterator for IntoIter<S> {
    type Item = (Key, S);

    fn next(&mut self) -> Option<Self::Item> {
        while self.block < self.merge.ready.blocks.len() {
            if let Some(taken) = self.merge.take_first(self.block) {
                return Some(taken);
            }
            self.block += 1;
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.merge.len(), Some(self.merge.len()))
    }
}

impl<S: Unpin> ExactSizeIterator for IntoIter<S> {}
impl<S: Unpin> FusedIterator for IntoIter<S> {}

impl<S> fmt::Debug for IntoIter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoIter").field("len", &self.merge.len()).finish_non_exhaustive()
    }
}

/// Returns the children with their keys, in the order of their places.
impl<S: Unpin> IntoIterator for Merge<S> {
    type Item = (Key, S);
    type IntoIter = IntoIter<S>;

    fn into_iter(self) -> IntoIter<S> {
        IntoIter { merge: self, block: 0 }
    }
}

impl<'a, S> IntoIterator for &'a Merge<S> {
    type Item = (Key, &'a S);
    type IntoIter = Iter<'a, S>;

    fn into_iter(self) -> Iter<'a, S> {
        self.iter()
    }
}

impl<'a, S: Unpin> IntoIterator for &'a mut Merge<S> {
    type Item = (Key, &'a mut S);
    type IntoIter = IterMut<'a, S>;

    fn into_iter(self) -> IterMut<'a, S> {
        self.iter_mut()
    }
}
