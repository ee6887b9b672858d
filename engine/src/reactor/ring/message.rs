//! The header and vectors of one gathering send, with the pieces they point to: one box that lives, and does not
//! move, until the send is done.

use crate::frame::{Frame, Piece};
use crate::outbox::Rest;

use super::op::Data;

/// Pieces in one send; the kernel copies so many vectors without allocating much.
pub(super) const PIECES_MAX: usize = 64;

pub(super) struct Message {
    header: libc::msghdr,
    vectors: Vec<libc::iovec>,
    /// What the vectors point to. Invariant: changed only together with them.
    pieces: Vec<Piece>,
}

impl Message {
    #[expect(unsafe_code, reason = "a C struct with hidden padding on some systems")]
    pub(super) fn new() -> Box<Self> {
        // SAFETY: all zeroes is a valid header: no name, no vectors, no control data.
        let header = unsafe { std::mem::zeroed() };
        Box::new(Self { header, vectors: Vec::new(), pieces: Vec::new() })
    }

    /// Points to these pieces, at most `PIECES_MAX` of them, and keeps them alive.
    pub(super) fn fill<'a>(&mut self, pieces: impl Iterator<Item = &'a Piece>) {
        self.clear();
        self.pieces.extend(pieces.take(PIECES_MAX).cloned());
        self.vectors.extend(self.pieces.iter().map(|piece| libc::iovec {
            iov_base: piece.bytes().as_ptr().cast_mut().cast(),
            iov_len: piece.len(),
        }));
        self.header.msg_iov = self.vectors.as_mut_ptr();
        self.header.msg_iovlen = self.vectors.len();
    }

    pub(super) fn clear(&mut self) {
        self.vectors.clear();
        self.pieces.clear();
        self.header.msg_iovlen = 0;
    }

    /// What to send. Valid as long as the box is neither changed nor dropped.
    pub(super) fn data(&self) -> Data {
        if let [only] = self.pieces.as_slice()
            && let Ok(len) = u32::try_from(only.len())
        {
            return Data::Bytes { at: only.bytes().as_ptr(), len };
        }
        Data::Message(&raw const self.header)
    }

    pub(super) fn bytes(&self) -> usize {
        self.pieces.iter().map(Piece::len).sum()
    }

    /// What is left when only the first `sent` bytes went out, in order.
    pub(super) fn rests(&self, sent: usize) -> Vec<Rest> {
        let mut left = sent;
        let mut rests = Vec::new();
        for piece in &self.pieces {
            let gone = left.min(piece.len());
            left -= gone;
            if gone < piece.len() {
                let mut piece = piece.clone();
                piece.skip(gone);
                rests.push(Rest { piece, begun: gone > 0 });
            }
        }
        rests
    }
}

/// What the inline sends of a turn point to, kept until the turn is over.
pub(super) enum Kept {
    Frame(Frame),
    Message(Box<Message>),
}

impl Kept {
    pub(super) fn rests(&self, sent: usize) -> Vec<Rest> {
        match self {
            Self::Frame(frame) => {
                let mut piece = frame.whole();
                piece.skip(sent);
                vec![Rest { piece, begun: sent > 0 }]
            }
            Self::Message(message) => message.rests(sent),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Frame(frame) => frame.len(),
            Self::Message(message) => message.bytes(),
        }
    }
}
