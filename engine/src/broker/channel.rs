//! One channel at its home: its offsets, the tail of its history, and which shards want it.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::sync::Arc;

use storage::Publication;

use super::presence::Presence;
use crate::ids::{Epoch, Offset, Position, ShardId};
use crate::planted::{self, Fault};

/// Where a new subscriber starts. `position` is the last publication that it does not get live.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Start {
    /// It asked for nothing older.
    Fresh {
        /// See the type.
        position: Position,
    },
    /// It continues where it left off.
    Resumed {
        /// See the type.
        position: Position,
        /// Everything between what it asked for and `position`, oldest first.
        missed: Vec<Arc<Publication>>,
    },
    /// It continues where it left off, and there is more between this and `position` than it has room for: it asks again.
    Behind {
        /// See the type.
        position: Position,
        /// What comes first of that, oldest first; at least one.
        missed: Vec<Arc<Publication>>,
    },
    /// What it missed is not there.
    Gapped {
        /// See the type.
        position: Position,
        /// Why.
        gap: Gap,
    },
}

/// Why nobody can say what a subscriber missed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Gap {
    /// The journal has let it go, or it was damaged.
    NotRetained,
    /// The journal cannot be read now.
    Unreadable,
    /// It asked for what follows an offset that the channel has not come to.
    Ahead,
}

/// One channel homed here.
///
/// Invariant 2: `tail` holds consecutive offsets ending at `position`, and of the `unanswered` publications that are with
/// the journal the `last_sequenced - position` youngest are valid.
#[derive(Debug, Default)]
pub struct HomeChannel {
    epoch: Epoch,
    last_sequenced: Offset,
    position: Offset,
    /// When the last one was taken.
    last_at_ms: Option<NonZeroU64>,
    tail: VecDeque<Arc<Publication>>,
    tail_bytes: usize,
    /// Changes when the journal refused: what was sequenced before then is void.
    run: u32,
    /// Publications that the journal has not answered, void ones included.
    unanswered: u32,
    /// Subscribers per shard, in the order of first interest. A shard without subscribers is absent, never zero.
    interest: Vec<(ShardId, u32)>,
    /// Who is there.
    pub presence: Presence,
    /// Whether the broker has it listed as unused.
    pub(super) is_listed: bool,
}

/// Where a channel stands that is not in memory.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rest {
    /// The last visible place.
    pub position: Position,
    /// When that message was taken; `None` when no message is kept that says so.
    pub last_at_ms: Option<NonZeroU64>,
}

/// What a tail may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    /// Publications.
    pub(super) messages_max: usize,
    /// Bytes that all tails together may still grow by.
    pub(super) bytes_spare: usize,
}

impl HomeChannel {
    /// A channel whose journal ends there.
    #[must_use]
    pub fn resting_at(rest: Rest) -> Self {
        let Rest { position: Position { epoch, offset }, last_at_ms } = rest;
        Self { epoch, last_sequenced: offset, position: offset, last_at_ms, ..Self::default() }
    }

    /// What is kept of a channel that nobody uses.
    #[must_use]
    pub fn rest(&self) -> Rest {
        Rest { position: self.position(), last_at_ms: self.last_at_ms }
    }

    /// The next offset, and the run it is valid in. It is invisible until it is committed.
    pub fn sequence(&mut self) -> (Offset, u32) {
        self.last_sequenced = self.last_sequenced.next();
        self.unanswered += 1;
        (self.last_sequenced, self.run)
    }

    /// Makes the next publication visible and keeps it in the tail. Returns the bytes that came into the tail and those
    /// that went.
    ///
    /// # Panics
    /// When offsets are not dense (invariant 2).
    pub(super) fn commit(
        &mut self,
        publication: &Arc<Publication>,
        limits: Tail,
    ) -> (usize, usize) {
        let offset = publication.offset().unwrap_or_default();
        assert_eq!(offset, self.position.next(), "invariant 2: offsets are dense");
        self.position = offset;
        self.last_at_ms = NonZeroU64::new(publication.at_ms());
        self.unanswered -= 1;
        self.tail.push_back(Arc::clone(publication));
        let added = publication.text_bytes();
        let mut dropped = 0;
        while self.tail.len() > limits.messages_max || added > limits.bytes_spare + dropped {
            let Some(oldest) = self.tail.pop_front() else { break };
            dropped += oldest.text_bytes();
        }
        self.tail_bytes = self.tail_bytes + added - dropped;
        (added, dropped)
    }

    /// Lets the tail go with everything that the journal had. Returns the bytes that it had.
    pub(super) fn forget_tail(&mut self) -> usize {
        self.tail.clear();
        self.last_at_ms = None;
        std::mem::take(&mut self.tail_bytes)
    }

    /// Lets go of what the tail has before an offset. Returns the bytes that it had.
    pub(super) fn cut_tail(&mut self, first_retained: Offset) -> usize {
        let gone = self.tail.partition_point(|it| it.offset() < Some(first_retained));
        let bytes = self.tail.drain(..gone).map(|it| it.text_bytes()).sum();
        self.tail_bytes -= bytes;
        bytes
    }

    /// Bytes of the tail.
    #[must_use]
    pub fn tail_bytes(&self) -> usize {
        self.tail_bytes
    }

    /// Takes back the offsets of a run of which the journal refused one. The next publication gets the first of them again.
    pub fn roll_back(&mut self, run: u32) {
        self.unanswered -= 1;
        if run == self.run && !planted::is(Fault::NoRollBack) {
            self.run = self.run.wrapping_add(1);
            self.last_sequenced = self.position;
        }
    }

    /// Counts one more subscriber on `shard`.
    pub fn count_in(&mut self, shard: ShardId) {
        match self.interest.iter_mut().find(|(it, _)| *it == shard) {
            Some((_, count)) => *count += 1,
            None => self.interest.push((shard, 1)),
        }
    }

    /// Counts one subscriber less on `shard`.
    pub fn count_out(&mut self, shard: ShardId) {
        let Some(place) = self.interest.iter().position(|(it, _)| *it == shard) else { return };
        if let Some((_, count)) = self.interest.get_mut(place) {
            *count -= 1;
            if *count == 0 {
                self.interest.remove(place);
            }
        }
    }

    /// How many subscribers it has.
    #[must_use]
    pub fn subscribers(&self) -> u64 {
        self.interest.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// The shard at `place` in the list of those that want this channel.
    #[must_use]
    pub fn interested(&self, place: usize) -> Option<ShardId> {
        self.interest.get(place).map(|(shard, _)| *shard)
    }

    /// The last visible offset.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { epoch: self.epoch, offset: self.position }
    }

    /// What is sequenced from now on is in the next epoch; what is with the journal stays in its own.
    pub fn begin_next_epoch(&mut self) -> Epoch {
        self.epoch = Epoch(self.epoch.0 + 1);
        self.epoch
    }

    /// Whether nothing but the position would be lost if it were forgotten. A late refusal needs the run.
    #[must_use]
    pub fn is_vacant(&self) -> bool {
        self.interest.is_empty() && self.unanswered == 0 && self.presence.is_empty()
    }

    /// What came after `after`, oldest first. `None` when the tail does not reach back so far.
    pub fn tail_after(&self, after: Offset) -> Option<impl Iterator<Item = &Arc<Publication>>> {
        let missing = self.position.0.checked_sub(after.0)?;
        let missing = usize::try_from(missing).ok()?;
        let skip = self.tail.len().checked_sub(missing)?;
        Some(self.tail.iter().skip(skip))
    }
}

#[cfg(test)]
mod tests {
    use storage::{Draft, SenderKind, TenantId};

    use super::*;
    use crate::ids::{ChannelKey, MessageId};

    fn publication(offset: u64) -> Arc<Publication> {
        let channel = Arc::new(ChannelKey::new(TenantId(0), "c"));
        let draft = Draft {
            channel: &channel,
            epoch: Epoch(0),
            offset: Some(Offset(offset)),
            id: MessageId(0),
            at_ms: 0,
            sender: "",
            sender_kind: SenderKind::System,
            event: "e",
            payload: b"1",
            idempotency: None,
        };
        Arc::new(Publication::new(&draft))
    }

    fn at(offset: u64) -> Position {
        Position { epoch: Epoch(0), offset: Offset(offset) }
    }

    #[test]
    fn a_tail_says_what_was_missed_or_that_it_does_not_reach_back() {
        let mut channel = HomeChannel::resting_at(Rest { position: at(2), last_at_ms: None });
        for offset in 3..=7 {
            assert_eq!(channel.sequence().0, Offset(offset));
            channel.commit(&publication(offset), Tail { messages_max: 3, bytes_spare: 100 });
        }
        let check = |after: u64, expected: Option<Vec<Arc<Publication>>>| {
            let tail = channel.tail_after(Offset(after));
            assert_eq!(tail.map(|it| it.cloned().collect()), expected, "after {after}");
        };
        check(7, Some(vec![]));
        check(5, Some(vec![publication(6), publication(7)]));
        check(4, Some((5..=7).map(publication).collect()));
        check(3, None);
        check(8, None);
    }

    #[test]
    fn a_tail_shrinks_where_there_is_no_room_for_it() {
        let mut channel = HomeChannel::resting_at(Rest::default());
        let bytes = publication(1).text_bytes();
        for (offset, bytes_spare) in [(1, bytes), (2, bytes - 1), (3, bytes)] {
            channel.sequence();
            channel.commit(&publication(offset), Tail { messages_max: 9, bytes_spare });
        }
        assert_eq!(channel.tail_bytes(), 2 * bytes);
        assert_eq!(channel.tail_after(Offset(1)).map(Iterator::count), Some(2));
        assert!(channel.tail_after(Offset(0)).is_none());
    }

    #[test]
    fn refused_offsets_are_given_again_once() {
        let mut channel = HomeChannel::default();
        let (first, run) = channel.sequence();
        channel.sequence();
        channel.roll_back(run);
        assert!(!channel.is_vacant(), "the journal still has one of the old run");
        assert_eq!(channel.sequence().0, first);
        channel.roll_back(run);
        assert_eq!(
            channel.sequence().0,
            first.next(),
            "a late refusal of the old run changes nothing"
        );
    }

    #[test]
    fn a_shard_without_subscribers_is_absent() {
        let mut channel = HomeChannel::default();
        channel.count_in(ShardId(3));
        channel.count_in(ShardId(1));
        channel.count_in(ShardId(3));
        channel.count_out(ShardId(3));
        assert_eq!(
            (channel.interested(0), channel.interested(1)),
            (Some(ShardId(3)), Some(ShardId(1)))
        );
        channel.count_out(ShardId(3));
        channel.count_out(ShardId(9));
        assert_eq!((channel.interested(0), channel.interested(1)), (Some(ShardId(1)), None));
    }
}
