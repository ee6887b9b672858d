//! What waits for one slow connection: pieces in order, their bytes and the age of the oldest. Pure bookkeeping:
//! it sends nothing and reads no clock, so the simulator models slow readers with it.

use std::collections::VecDeque;

use crate::frame::Piece;

/// What one connection may have waiting.
#[derive(Clone, Copy, Debug)]
pub struct OutboxLimits {
    /// Most bytes that wait.
    pub bytes_max: usize,
    /// Longest that the oldest of them waits.
    pub age_ms_max: u64,
}

impl Default for OutboxLimits {
    fn default() -> Self {
        Self { bytes_max: 1024 * 1024, age_ms_max: 10_000 }
    }
}

/// The bound that a connection was over when it was found too slow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OutboxBound {
    /// Its own bytes.
    Bytes,
    /// The age of the oldest of them.
    Age,
    /// The bytes of all connections together; for it something waited longest.
    TotalBytes,
    /// The memory of the node.
    Memory,
}

impl OutboxBound {
    /// The name of the setting.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bytes => "outbox_bytes_max",
            Self::Age => "outbox_age_ms_max",
            Self::TotalBytes => "outbox_total_bytes_max",
            Self::Memory => "memory_bytes_max",
        }
    }
}

/// What became of a piece.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "at the limit somebody has to close the connection"]
pub enum Push {
    /// It waits, and will be sent after everything before it.
    Queued,
    /// It does not wait, nor will any after it: a stream with a hole in it is worth nothing.
    Full,
}

/// Frames waiting for one connection.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// Refused a piece once: takes nothing but the last words.
    sealed: bool,
}

#[derive(Debug)]
struct Waiting {
    piece: Piece,
    since_ms: u64,
    /// Some of it reached the socket, so the rest must follow or the stream is broken.
    begun: bool,
}

impl Outbox {
    /// Queues a piece behind the others, unless that would exceed `bytes_max` or something was refused before.
    pub fn push(&mut self, piece: Piece, now_ms: u64, bytes_max: usize) -> Push {
        if self.sealed || self.bytes + piece.len() > bytes_max {
            self.sealed = true;
            return Push::Full;
        }
        self.append(piece, now_ms);
        Push::Queued
    }

    /// Queues what ends the stream, whatever the limit says, and refuses everything after it.
    pub fn push_last(&mut self, piece: Piece, now_ms: u64) {
        self.append(piece, now_ms);
        self.sealed = true;
    }

    /// Puts back what a send did not get rid of, before everything that came later. It is kept even over the
    /// limit, because the stream may not lose it; the answer then is `Full`.
    pub fn push_front(&mut self, rest: Rest, now_ms: u64, bytes_max: usize) -> Push {
        let Rest { piece, begun } = rest;
        if !piece.is_empty() {
            self.bytes += piece.len();
            self.waiting.push_front(Waiting { piece, since_ms: now_ms, begun });
        }
        if self.sealed || self.bytes > bytes_max {
            self.sealed = true;
            return Push::Full;
        }
        Push::Queued
    }

    /// Takes `count` sent bytes off the front.
    ///
    /// # Panics
    ///
    /// When more was sent than waits here.
    pub fn advance(&mut self, count: usize) {
        assert!(count <= self.bytes, "sent {count} of {} waiting bytes", self.bytes);
        self.bytes -= count;
        let mut left = count;
        while left > 0 {
            let Some(first) = self.waiting.front_mut() else { return };
            let len = first.piece.len();
            if left < len {
                first.piece.skip(left);
                first.begun = true;
                return;
            }
            left -= len;
            self.waiting.pop_front();
        }
    }

    /// Drops every piece of which nothing was sent yet. Returns how many bytes that were.
    pub fn drop_unbegun(&mut self) -> usize {
        let keep = usize::from(self.waiting.front().is_some_and(|first| first.begun));
        let dropped = self.waiting.drain(keep..).map(|waiting| waiting.piece.len()).sum();
        self.bytes -= dropped;
        dropped
    }

    /// The pieces in order, oldest first.
    pub fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.waiting.iter().map(|waiting| &waiting.piece)
    }

    /// Bytes that wait.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of pieces of which nothing was sent yet.
    #[must_use]
    pub fn unbegun_bytes(&self) -> usize {
        let begun = self.waiting.front().filter(|first| first.begun);
        self.bytes - begun.map_or(0, |first| first.piece.len())
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether a piece was refused, or the last one is in.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// When the oldest waiting piece was queued.
    #[must_use]
    pub fn oldest_at(&self) -> Option<u64> {
        self.waiting.front().map(|waiting| waiting.since_ms)
    }

    /// Whether the oldest piece waits for longer than `age_ms_max`.
    #[must_use]
    pub fn is_stale(&self, now_ms: u64, age_ms_max: u64) -> bool {
        self.oldest_at().is_some_and(|since_ms| now_ms.saturating_sub(since_ms) > age_ms_max)
    }

    /// Refuses everything from now on.
    pub fn seal(&mut self) {
        self.sealed = true;
    }

    fn append(&mut self, piece: Piece, since_ms: u64) {
        if !piece.is_empty() {
            self.bytes += piece.len();
            self.waiting.push_back(Waiting { piece, since_ms, begun: false });
        }
    }
}

/// What a short send left over.
#[derive(Debug)]
pub struct Rest {
    /// The bytes still to be sent.
    pub piece: Piece,
    /// Whether bytes before them, of the same piece, were sent.
    pub begun: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Frame;

    fn piece(len: usize) -> Piece {
        Frame::new(vec![7; len]).whole()
    }

    fn filled(bytes: usize) -> Outbox {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.push(piece(bytes), 1, bytes), Push::Queued);
        outbox
    }

    #[test]
    fn the_limit_is_the_last_byte_that_waits() {
        assert_eq!(filled(9).push(piece(0), 2, 9), Push::Queued);
        assert_eq!(filled(9).push(piece(1), 2, 10), Push::Queued);
        assert_eq!(filled(9).push(piece(2), 2, 10), Push::Full);
    }

    #[test]
    fn nothing_is_queued_behind_a_refused_piece() {
        let mut outbox = filled(9);
        assert_eq!(outbox.push(piece(9), 2, 10), Push::Full);
        assert_eq!(outbox.push(piece(1), 2, 10), Push::Full);
        assert_eq!(outbox.bytes(), 9);
    }

    #[test]
    fn what_was_begun_is_kept_and_the_rest_is_dropped() {
        let mut outbox = filled(4);
        assert_eq!(outbox.push(piece(5), 2, 100), Push::Queued);
        assert_eq!(outbox.unbegun_bytes(), 9);
        outbox.advance(3);
        assert_eq!(outbox.unbegun_bytes(), 5);
        assert_eq!(outbox.drop_unbegun(), 5);
        outbox.push_last(piece(2), 3);
        assert_eq!(outbox.pieces().map(Piece::len).collect::<Vec<_>>(), [1, 2]);
        outbox.advance(3);
        assert!(outbox.is_empty());
        assert_eq!(outbox.push(piece(1), 3, 100), Push::Full);
    }

    #[test]
    fn a_rest_is_kept_in_front_even_over_the_limit() {
        let mut outbox = filled(4);
        let rest = Rest { piece: piece(8), begun: true };
        assert_eq!(outbox.push_front(rest, 2, 10), Push::Full);
        assert_eq!(outbox.pieces().map(Piece::len).collect::<Vec<_>>(), [8, 4]);
        assert_eq!(outbox.drop_unbegun(), 4);
    }

    #[test]
    fn age_is_that_of_the_oldest_piece() {
        let mut outbox = filled(4);
        assert_eq!(outbox.push(piece(1), 5, 10), Push::Queued);
        assert!(!outbox.is_stale(11, 10));
        assert!(outbox.is_stale(12, 10));
        outbox.advance(4);
        assert_eq!(outbox.oldest_at(), Some(5));
        outbox.advance(1);
        assert_eq!(outbox.oldest_at(), None);
    }
}
