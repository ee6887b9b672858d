//! Encoded bytes that many connections of one core share. A frame never changes once it is made, and the last
//! owner's drop gives its memory back to the pool it came from.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

/// Immutable bytes, cheap to clone within a core.
#[derive(Clone)]
pub struct Frame(Rc<Bytes>);

struct Bytes {
    bytes: Vec<u8>,
    home: Option<Rc<Shelf>>,
}

impl Frame {
    /// Makes a frame that frees its memory when the last owner drops it.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Rc::new(Bytes { bytes, home: None }))
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.bytes.len()
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.bytes.is_empty()
    }

    /// Whether both are the same memory.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// All of it, as a piece.
    #[must_use]
    pub fn whole(&self) -> Piece {
        Piece { frame: self.clone(), start: 0, end: self.len() }
    }

    /// A part of it. `None` when the range does not lie within the frame.
    #[must_use]
    pub fn piece(&self, range: Range<usize>) -> Option<Piece> {
        self.0.bytes.get(range.clone())?;
        Some(Piece { frame: self.clone(), start: range.start, end: range.end })
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Frame({} bytes)", self.len())
    }
}

/// A part of a frame, to be sent in order with others.
#[derive(Clone, Debug)]
pub struct Piece {
    frame: Frame,
    /// Invariant: `start <= end <= frame.len()`.
    start: usize,
    end: usize,
}

impl Piece {
    /// The bytes of this part.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.frame.bytes().get(self.start..self.end).unwrap_or_default()
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Drops `count` bytes from the front, at most all of them.
    pub fn skip(&mut self, count: usize) {
        self.start += count.min(self.len());
    }
}

/// Keeps the memory of dropped frames for the next ones.
#[derive(Clone)]
pub struct FramePool(Rc<Shelf>);

struct Shelf {
    spare: RefCell<Vec<Vec<u8>>>,
    spare_max: usize,
    capacity_max: usize,
}

impl FramePool {
    /// Keeps at most `spare_max` buffers, none of them larger than `capacity_max` bytes.
    #[must_use]
    pub fn new(spare_max: usize, capacity_max: usize) -> Self {
        Self(Rc::new(Shelf { spare: RefCell::default(), spare_max, capacity_max }))
    }

    /// An empty buffer to encode into, reused when there is one.
    #[must_use]
    pub fn blank(&self) -> Vec<u8> {
        self.0.spare.borrow_mut().pop().unwrap_or_default()
    }

    /// Makes a frame whose memory returns to this pool.
    #[must_use]
    pub fn frame(&self, bytes: Vec<u8>) -> Frame {
        Frame(Rc::new(Bytes { bytes, home: Some(Rc::clone(&self.0)) }))
    }

    /// How many buffers wait for reuse.
    #[must_use]
    pub fn spare(&self) -> usize {
        self.0.spare.borrow().len()
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        let Some(home) = self.home.take() else { return };
        let mut bytes = std::mem::take(&mut self.bytes);
        let mut spare = home.spare.borrow_mut();
        if spare.len() < home.spare_max && bytes.capacity() <= home.capacity_max {
            // A reader that comes too late must not see what it hoped for.
            if cfg!(debug_assertions) {
                bytes.fill(0xDD);
            }
            bytes.clear();
            spare.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_returns_to_its_pool_with_the_last_owner() {
        let pool = FramePool::new(1, 64);
        let frame = pool.frame(b"abc".to_vec());
        let piece = frame.piece(1..3).unwrap();
        drop(frame);
        assert_eq!((piece.bytes(), pool.spare()), (&b"bc"[..], 0));
        drop(piece);
        assert_eq!(pool.spare(), 1);
        assert!(pool.blank().is_empty());
    }

    #[test]
    fn the_pool_keeps_no_more_and_no_larger_than_it_was_told() {
        let pool = FramePool::new(1, 64);
        drop(pool.frame(Vec::with_capacity(65)));
        assert_eq!(pool.spare(), 0);
        drop((pool.frame(Vec::with_capacity(64)), pool.frame(Vec::with_capacity(64))));
        assert_eq!(pool.spare(), 1);
    }

    #[test]
    fn a_piece_lies_within_its_frame() {
        let frame = Frame::new(b"abcd".to_vec());
        assert!(frame.piece(2..5).is_none());
        let mut piece = frame.piece(1..4).unwrap();
        piece.skip(2);
        assert_eq!(piece.bytes(), b"d");
        piece.skip(9);
        assert!(piece.is_empty());
    }
}
