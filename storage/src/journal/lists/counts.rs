//! Numbers of a message that are known only later: how many heard it, and how many webhooks were to be called and were.
//!
//! They follow in the log, each with what was known before: so sums of a segment's messages add up over the segments that say
//! something about them, and what is said twice counts once.

use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable, hash_table::Entry};

use super::pieces::{Pieced, Pieces};
use crate::ids::{ChannelKey, Epoch, Offset, TenantId};

/// The numbers of a message, or sums of them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Sockets that it was sent to.
    pub ws_audience: u64,
    /// Webhooks that were to be called.
    pub wh_audience: u64,
    /// Webhooks that answered well.
    pub wh_delivered: u64,
}

/// The numbers of one message. Those that were said before are void; but sockets, or webhooks, of which nothing is said (their
/// numbers are zero) stay as they were: the two are told apart in time, by different threads.
#[derive(Clone, Debug)]
pub struct Counted {
    /// Where it was published.
    pub channel: Arc<ChannelKey>,
    /// Its epoch.
    pub epoch: Epoch,
    /// Its offset.
    pub offset: Offset,
    /// Its numbers, at most `u32::MAX` each.
    pub counts: Counts,
}

/// Numbers as they are written.
pub(crate) type Numbers = [u32; 3];
/// Sums of what changed.
pub(crate) type Sums = [i64; 3];

/// What a message is found by: channel hash, segment, offset.
pub(crate) type CountKey = (u64, u64, u64);

/// What the log says about one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CountRow {
    pub(crate) tenant: TenantId,
    pub(crate) key: CountKey,
    pub(crate) now: Numbers,
    pub(crate) before: Numbers,
}

/// What is said in the segment that is being written.
#[derive(Debug, Default)]
pub(crate) struct CountLog {
    rows: Pieces<CountRow>,
    /// The last row of each message.
    last: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

/// What stands for a channel, as it was in an epoch.
pub(crate) fn key_hash(channel: &ChannelKey, epoch: Epoch) -> u64 {
    let mixed = u64::from(epoch.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    channel.hash() ^ mixed
}

impl Counts {
    pub(crate) fn numbers(&self) -> Numbers {
        let number = |it: u64| u32::try_from(it).unwrap_or(u32::MAX);
        [number(self.ws_audience), number(self.wh_audience), number(self.wh_delivered)]
    }

    /// What holds of a message once this is said after `before`.
    pub(crate) fn over(&self, before: Numbers) -> Numbers {
        over(self.numbers(), before)
    }

    pub(crate) fn add(&mut self, numbers: Numbers) {
        let [ws, wh, delivered] = numbers.map(u64::from);
        self.ws_audience += ws;
        self.wh_audience += wh;
        self.wh_delivered += delivered;
    }

    pub(crate) fn add_sums(&mut self, sums: Sums) {
        let [ws, wh, delivered] = sums;
        self.ws_audience = self.ws_audience.saturating_add_signed(ws);
        self.wh_audience = self.wh_audience.saturating_add_signed(wh);
        self.wh_delivered = self.wh_delivered.saturating_add_signed(delivered);
    }

    pub(crate) fn join(&mut self, other: &Self) {
        self.ws_audience += other.ws_audience;
        self.wh_audience += other.wh_audience;
        self.wh_delivered += other.wh_delivered;
    }
}

/// What holds of a message of which `before` was said, and then `now`.
pub(super) fn over(now: Numbers, before: Numbers) -> Numbers {
    let ([sockets, webhooks @ ..], [sockets_before, webhooks_before @ ..]) = (now, before);
    let sockets = if sockets == 0 { sockets_before } else { sockets };
    let [audience, delivered] = if webhooks == [0; 2] { webhooks_before } else { webhooks };
    [sockets, audience, delivered]
}

impl From<Numbers> for Counts {
    fn from(numbers: Numbers) -> Self {
        let mut counts = Self::default();
        counts.add(numbers);
        counts
    }
}

impl CountRow {
    /// What it adds to the sums of its segment.
    pub(super) fn add_to(&self, sums: &mut Sums) {
        for ((sum, now), before) in sums.iter_mut().zip(self.now).zip(self.before) {
            *sum += i64::from(now) - i64::from(before);
        }
    }
}

impl CountLog {
    pub(crate) fn take(&mut self, row: CountRow) {
        let (rows, hasher) = (&self.rows, &self.hasher);
        let key = |it: &u32| rows.at(*it).map(|it| it.key);
        let hash_of = |key: CountKey| std::hash::BuildHasher::hash_one(hasher, key);
        let same = |it: &u32| key(it) == Some(row.key);
        let rehash = |it: &u32| hash_of(key(it).unwrap_or_default());
        let number = rows.len();
        match self.last.entry(hash_of(row.key), same, rehash) {
            Entry::Occupied(mut found) => *found.get_mut() = number,
            Entry::Vacant(free) => drop(free.insert(number)),
        }
        self.rows.push(row);
    }

    /// What was said last about a message.
    pub(crate) fn find(&self, key: CountKey) -> Option<Numbers> {
        let same = |it: &u32| self.rows.at(*it).is_some_and(|it| it.key == key);
        let found = self.last.find(std::hash::BuildHasher::hash_one(&self.hasher, key), same)?;
        self.rows.at(*found).map(|it| it.now)
    }

    pub(crate) fn snapshot(&self) -> Pieced<CountRow> {
        self.rows.snapshot()
    }
}
