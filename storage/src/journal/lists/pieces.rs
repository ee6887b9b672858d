//! A list that only grows, and can be looked at from another thread: what is complete is shared, the rest is copied.

use std::sync::Arc;

/// Items in one piece: at most so many are copied when somebody looks.
const PIECE_ITEMS: usize = 4096;

/// The list as its owner has it.
#[derive(Debug)]
pub(crate) struct Pieces<T> {
    whole: Vec<Arc<[T]>>,
    last: Vec<T>,
}

/// The list as it was when somebody looked.
#[derive(Clone, Debug)]
pub(crate) struct Pieced<T> {
    pieces: Vec<Arc<[T]>>,
}

impl<T> Default for Pieces<T> {
    fn default() -> Self {
        Self { whole: Vec::new(), last: Vec::new() }
    }
}

impl<T> Default for Pieced<T> {
    fn default() -> Self {
        Self { pieces: Vec::new() }
    }
}

impl<T: Clone> Pieces<T> {
    pub(crate) fn push(&mut self, item: T) {
        self.last.push(item);
        if self.last.len() == PIECE_ITEMS {
            let whole = std::mem::take(&mut self.last);
            self.whole.push(whole.into());
        }
    }

    pub(crate) fn len(&self) -> u32 {
        let count = self.whole.len() * PIECE_ITEMS + self.last.len();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    pub(crate) fn at(&self, number: u32) -> Option<&T> {
        let number = number as usize;
        match self.whole.get(number / PIECE_ITEMS) {
            Some(piece) => piece.get(number % PIECE_ITEMS),
            None => self.last.get(number - self.whole.len() * PIECE_ITEMS),
        }
    }

    pub(crate) fn last(&self) -> Option<&T> {
        self.last.last().or_else(|| self.whole.last()?.last())
    }

    pub(crate) fn snapshot(&self) -> Pieced<T> {
        let mut pieces = self.whole.clone();
        if !self.last.is_empty() {
            pieces.push(self.last.as_slice().into());
        }
        Pieced { pieces }
    }
}

impl<T> Pieced<T> {
    /// The items from a number on.
    pub(crate) fn iter_from(&self, start: usize) -> impl Iterator<Item = &T> {
        let pieces = self.pieces.get(start / PIECE_ITEMS..).unwrap_or_default();
        pieces.iter().flat_map(|it| it.iter()).skip(start % PIECE_ITEMS)
    }

    /// How many items at the beginning are so: none follows one that is not.
    pub(crate) fn partition_point(&self, is_so: impl Fn(&T) -> bool) -> usize {
        let whole = self.pieces.partition_point(|it| it.last().is_some_and(&is_so));
        let rest = self.pieces.get(whole).map_or(0, |it| it.partition_point(is_so));
        whole * PIECE_ITEMS + rest
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pieces.iter().flat_map(|it| it.iter())
    }

    pub(crate) fn last(&self) -> Option<&T> {
        self.pieces.last()?.last()
    }

    pub(crate) fn len(&self) -> usize {
        self.pieces.iter().map(|it| it.len()).sum()
    }

    pub(crate) fn at(&self, number: usize) -> Option<&T> {
        self.pieces.get(number / PIECE_ITEMS)?.get(number % PIECE_ITEMS)
    }
}
