//! What an operation is tagged with: its kind, the connection it serves, and where its bytes are kept this turn.

use crate::ids::ConnId;

const SLOT_BITS: u32 = 24;
const PLACE_BITS: u32 = 24;
const GENERATION_BITS: u32 = 12;
const GENERATION_MASK: u32 = (1 << GENERATION_BITS) - 1;

/// Slots that a tag can name.
pub const SLOTS_MAX: u32 = 1 << SLOT_BITS;
/// Places in one turn that a tag can name.
pub(super) const PLACES_MAX: usize = 1 << PLACE_BITS;
/// The largest number of a connection that is passed.
pub(super) const NUMBER_MAX: u64 = (1 << 60) - 1;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Accept = 1,
    Receive = 2,
    Inline = 3,
    Armed = 4,
    Shutdown = 5,
    Bell = 6,
    Listen = 7,
    Quiet = 8,
    Pass = 9,
    Arrive = 10,
    Interval = 11,
}

/// Kind in the highest 4 bits, then 12 of the generation, 24 of the place, 24 of the slot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Tag(pub(super) u64);

impl Tag {
    pub(super) fn of(kind: Kind) -> Self {
        Self((kind as u64) << 60)
    }

    pub(super) fn conn(kind: Kind, conn: ConnId) -> Self {
        let generation = u64::from(conn.generation & GENERATION_MASK);
        Self((kind as u64) << 60 | generation << 48 | u64::from(conn.slot))
    }

    pub(super) fn placed(self, place: usize) -> Self {
        Self(self.0 | (place as u64) << SLOT_BITS)
    }

    /// With a number instead of a connection.
    pub(super) fn numbered(self, number: u64) -> Self {
        Self(self.0 | (number & NUMBER_MAX))
    }

    pub(super) fn number(self) -> u64 {
        self.0 & NUMBER_MAX
    }

    pub(super) fn kind(self) -> Option<Kind> {
        Some(match self.0 >> 60 {
            1 => Kind::Accept,
            2 => Kind::Receive,
            3 => Kind::Inline,
            4 => Kind::Armed,
            5 => Kind::Shutdown,
            6 => Kind::Bell,
            7 => Kind::Listen,
            8 => Kind::Quiet,
            9 => Kind::Pass,
            10 => Kind::Arrive,
            11 => Kind::Interval,
            _ => return None,
        })
    }

    #[expect(clippy::cast_possible_truncation, reason = "masked to 24 bits")]
    pub(super) fn slot(self) -> u32 {
        (self.0 & u64::from(SLOTS_MAX - 1)) as u32
    }

    pub(super) fn place(self) -> usize {
        (self.0 >> SLOT_BITS) as usize & (PLACES_MAX - 1)
    }

    /// Whether the tag was made for this generation of its slot.
    pub(super) fn is_of(self, generation: u32) -> bool {
        (self.0 >> 48) & u64::from(GENERATION_MASK) == u64::from(generation & GENERATION_MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_gives_back_what_was_put_in() {
        let conn = ConnId { slot: SLOTS_MAX - 1, generation: 0xABC_DEF };
        let tag = Tag::conn(Kind::Quiet, conn).placed(PLACES_MAX - 1);
        assert_eq!(tag.kind(), Some(Kind::Quiet));
        assert_eq!((tag.slot(), tag.place()), (SLOTS_MAX - 1, PLACES_MAX - 1));
        assert!(tag.is_of(0xABC_DEF) && !tag.is_of(0xABC_DEE));
        assert_eq!(Tag(0).kind(), None);
        let tag = Tag::of(Kind::Arrive).numbered(NUMBER_MAX);
        assert_eq!((tag.kind(), tag.number()), (Some(Kind::Arrive), NUMBER_MAX));
    }
}
