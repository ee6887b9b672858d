//! The channels this shard is home to: order, history, presence, and the line in front of the journal.

mod channel;
mod presence;

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::sync::Arc;

use channel::Tail;
pub use channel::{Gap, HomeChannel, Rest, Start};
use hashbrown::HashMap;
pub use presence::{Arrival, Member, Present};
use protocol::Rejection;
use storage::Publication;

use crate::control::Peek;
use crate::hasher::ShardHasher;
use crate::ids::{ChannelKey, ChannelRef, Epoch, MessageId, Offset, Position, ShardId, TenantId};
use crate::limits::Limits;
use crate::planted::{self, Fault};
use crate::shard::BatchId;
use crate::shard::input::{Keep, ReplyTo};

/// All channels homed on one shard.
#[derive(Debug)]
pub struct Broker {
    channels: HashMap<Arc<ChannelKey>, Box<HomeChannel>, ShardHasher>,
    /// Where channels stand that nobody uses now.
    resting: HashMap<Arc<ChannelKey>, Rest, ShardHasher>,
    /// What is with the journal, in the order in which it will answer, and what may not overtake it.
    line: VecDeque<InLine>,
    /// How many of `line` are with the journal.
    appended: usize,
    /// Why the journal refused, while it still has appends from before: what is given it now could only be out of order.
    refusing: Option<Rejection>,
    /// Channels that nobody used when last seen, each once, oldest first.
    vacated: VecDeque<Arc<ChannelKey>>,
    /// Bytes of what is with the journal.
    appended_bytes: usize,
    epoch: Epoch,
    /// Bytes of all tails.
    tail_bytes: usize,
    channels_max: usize,
    tail_max: usize,
    tail_bytes_max: usize,
    line_max: usize,
    line_bytes_max: usize,
}

/// A publication that waits for the journal, itself or behind others.
#[derive(Debug)]
struct InLine {
    publication: Arc<Publication>,
    waits: Waits,
    publisher: Publisher,
}

#[derive(Clone, Copy, Debug)]
enum Waits {
    /// Until it is durable; the run of its offset.
    Journal(u32),
    /// Only until those before it are.
    Turn,
}

/// Who published, and where the answer goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Publisher {
    /// The shard of its connection.
    pub edge: ShardId,
    /// Who waits.
    pub waiter: Waiter,
}

/// Who waits for the answer to a publish.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Waiter {
    /// A connection of that shard.
    Connection(ReplyTo),
    /// A batch of this home, and the place in it.
    Batch(BatchId, u16),
}

/// What becomes of a publication that a home was asked to order.
#[derive(Debug)]
pub enum Sequenced {
    /// The journal has to take it first.
    Append(Arc<Publication>),
    /// It is visible at once.
    Visible(Arc<Publication>),
    /// It waits for others before it.
    InLine,
    /// It is not taken.
    Refused(Rejection),
}

/// What the journal's answer made of one publication in line.
#[derive(Debug)]
pub enum Settled {
    /// It is visible now.
    Visible(Arc<Publication>, Publisher),
    /// It never will be, for this reason.
    Refused(Publisher, Rejection),
}

impl Broker {
    /// A broker without channels.
    #[must_use]
    pub fn new(hasher: ShardHasher, limits: &Limits) -> Self {
        Self {
            channels: HashMap::with_hasher(hasher.clone()),
            resting: HashMap::with_hasher(hasher),
            line: VecDeque::new(),
            appended: 0,
            refusing: None,
            vacated: VecDeque::new(),
            appended_bytes: 0,
            epoch: Epoch::default(),
            tail_bytes: 0,
            channels_max: limits.channels_max,
            tail_max: limits.tail_messages_max,
            tail_bytes_max: limits.tail_total_bytes_max,
            line_max: limits.journal_queue_messages_max,
            line_bytes_max: limits.journal_queue_bytes_max,
        }
    }

    /// Says where a channel stood when the journal was opened.
    pub fn restore(&mut self, channel: Arc<ChannelKey>, rest: Rest) {
        self.resting.insert(channel, rest);
    }

    /// Says in which epoch channels begin that the journal does not know.
    pub fn begin_epoch(&mut self, epoch: Epoch) {
        self.epoch = epoch;
    }

    /// The channel, made if it is new.
    pub fn channel(&mut self, key: &Arc<ChannelKey>) -> &mut HomeChannel {
        if !self.channels.contains_key(key) {
            let fresh = Position { epoch: self.epoch, offset: Offset(0) };
            let rest = self.resting.remove(key);
            let rest = rest.unwrap_or(Rest { position: fresh, last_at_ms: None });
            let channel = Box::new(HomeChannel::resting_at(rest));
            self.channels.insert(Arc::clone(key), channel);
        }
        self.channels.entry(Arc::clone(key)).or_default()
    }

    /// The key of a channel that is in memory.
    #[must_use]
    pub fn key(&self, channel: &ChannelRef<'_>) -> Option<&Arc<ChannelKey>> {
        self.channels.get_key_value(channel).map(|(key, _)| key)
    }

    /// Whether the channel is in memory, or has room there.
    #[must_use]
    pub fn has_room_for(&self, key: &ChannelKey) -> bool {
        self.channels.len() < self.channels_max || self.channels.contains_key(key)
    }

    /// Whether so many more messages with so many bytes may wait for the journal.
    ///
    /// # Errors
    /// Names the limit that they would exceed.
    pub fn admit(&self, count: usize, bytes: usize) -> Result<(), Rejection> {
        let limit = if self.line.len() + count > self.line_max {
            "journal_queue_messages_max"
        } else if self.appended_bytes + bytes > self.line_bytes_max {
            "journal_queue_bytes_max"
        } else {
            return Ok(());
        };
        Err(Rejection::Overloaded { limit })
    }

    /// The tenant's channels that have ever kept a message, or are used now. It looks at all channels: for rare calls.
    #[must_use]
    pub fn channels_of(&self, tenant: TenantId) -> Vec<Arc<ChannelKey>> {
        let all = self.channels.keys().chain(self.resting.keys());
        let mut found: Vec<_> = all.filter(|it| it.tenant() == tenant).map(Arc::clone).collect();
        // The order of a map must not decide what happens when (a seed replays a run).
        found.sort_by(|one, other| one.name().cmp(other.name()));
        found
    }

    /// The journal let a channel's messages go: so does its tail. Offsets go on.
    pub fn forget_tail(&mut self, key: &ChannelKey) {
        if let Some(channel) = self.channels.get_mut(key) {
            self.tail_bytes -= channel.forget_tail();
        } else if let Some(rest) = self.resting.get_mut(key) {
            rest.last_at_ms = None;
        }
    }

    /// The journal let go of what a channel had before an offset: so does its tail.
    pub fn cut_tail(&mut self, key: &ChannelKey, first_retained: Offset) {
        if first_retained > self.position(key).offset {
            self.forget_tail(key);
        } else if let Some(channel) = self.channels.get_mut(key) {
            self.tail_bytes -= channel.cut_tail(first_retained);
        }
    }

    /// What there is to see of a channel. To look makes no channel.
    pub fn peek(&mut self, key: &ChannelKey, listed_max: usize) -> Peek {
        let Some(channel) = self.channels.get_mut(key) else {
            let rest = self.resting.get(key).copied().unwrap_or_default();
            let last_at_ms = rest.last_at_ms.map(NonZeroU64::get);
            return Peek { present: Arc::default(), member_count: 0, last_at_ms };
        };
        Peek {
            present: channel.presence.snapshot(listed_max),
            member_count: channel.presence.count(),
            last_at_ms: channel.rest().last_at_ms.map(NonZeroU64::get),
        }
    }

    /// Has the channel forgotten soon, if nobody uses it.
    pub fn note_vacancy(&mut self, key: &Arc<ChannelKey>) {
        let Some(channel) = self.channels.get_mut(key) else { return };
        if channel.is_vacant() && !channel.is_listed {
            channel.is_listed = true;
            self.vacated.push_back(Arc::clone(key));
        }
    }

    /// The channel, if anything is known of it in memory.
    #[must_use]
    pub fn known(&self, key: &ChannelKey) -> Option<&HomeChannel> {
        self.channels.get(key).map(|it| &**it)
    }

    /// The last visible place of a channel.
    #[must_use]
    pub fn position(&self, key: &ChannelKey) -> Position {
        let resting = || self.resting.get(key).map(|it| it.position).unwrap_or_default();
        self.known(key).map_or_else(resting, HomeChannel::position)
    }

    /// Has a channel go on in its next epoch. `None` when nothing is known of it.
    pub fn begin_next_epoch(&mut self, key: &ChannelKey) -> Option<Epoch> {
        if let Some(channel) = self.channels.get_mut(key) {
            return Some(channel.begin_next_epoch());
        }
        let position = &mut self.resting.get_mut(key)?.position;
        position.epoch = Epoch(position.epoch.0 + 1);
        Some(position.epoch)
    }

    /// Gives a publication its place in its channel.
    ///
    /// # Panics
    /// When somebody else holds the publication: it was made for this call.
    #[expect(clippy::expect_used, reason = "the edge made the publication for this request alone")]
    pub fn sequence(
        &mut self,
        mut publication: Arc<Publication>,
        keep: Keep,
        publisher: Publisher,
        stamp: Stamp,
    ) -> Sequenced {
        let key = Arc::clone(publication.channel());
        let persist = keep == Keep::Persist;
        let overtakes = self.line.is_empty() || planted::is(Fault::PassOvertakes);
        let waits_in_turn = keep == Keep::PassInOrder && !overtakes;
        if (persist || waits_in_turn) && self.line.len() >= self.line_max {
            let limit = "journal_queue_messages_max";
            return Sequenced::Refused(Rejection::Overloaded { limit });
        }
        let bytes = publication.text_bytes();
        if persist && self.appended_bytes + bytes > self.line_bytes_max {
            let limit = "journal_queue_bytes_max";
            return Sequenced::Refused(Rejection::Overloaded { limit });
        }
        if let Some(why) = self.refusing.as_ref().filter(|_| persist) {
            return Sequenced::Refused(why.clone());
        }
        if persist && !self.has_room_for(&key) {
            return Sequenced::Refused(Rejection::Overloaded { limit: "channels_max" });
        }
        // What is not kept leaves no trace: it makes no channel.
        let epoch = self.position(&key).epoch;
        let (offset, run) = if persist {
            let (offset, run) = self.channel(&key).sequence();
            (Some(offset), run)
        } else {
            (None, 0)
        };
        Arc::get_mut(&mut publication).expect("an unplaced publication has one holder").place(
            epoch,
            offset,
            stamp.id,
            stamp.at_ms,
        );
        if persist {
            self.appended += 1;
            self.appended_bytes += bytes;
            let waits = Waits::Journal(run);
            self.line.push_back(InLine { publication: Arc::clone(&publication), waits, publisher });
            Sequenced::Append(publication)
        } else if waits_in_turn {
            self.line.push_back(InLine { publication, waits: Waits::Turn, publisher });
            Sequenced::InLine
        } else {
            Sequenced::Visible(publication)
        }
    }

    /// The next in line after the journal took (or refused) it, until its answer of `answers` is used up.
    ///
    /// # Panics
    /// When the journal answers more than it was asked.
    pub fn settle(&mut self, answers: &mut usize, verdict: Verdict<'_>) -> Option<Settled> {
        let front = self.line.front()?;
        match front.waits {
            Waits::Journal(_) if *answers == 0 => return None,
            Waits::Journal(_) | Waits::Turn => {}
        }
        let InLine { publication, waits, publisher } = self.line.pop_front()?;
        let Waits::Journal(run) = waits else {
            return Some(Settled::Visible(publication, publisher));
        };
        *answers -= 1;
        self.appended -= 1;
        self.appended_bytes -= publication.text_bytes();
        let tail = Tail {
            messages_max: self.tail_max,
            bytes_spare: self.tail_bytes_max.saturating_sub(self.tail_bytes),
        };
        let key = Arc::clone(publication.channel());
        let channel = self.channel(&key);
        let settled = match verdict {
            Verdict::Durable => {
                let (added, dropped) = channel.commit(&publication, tail);
                self.tail_bytes = self.tail_bytes + added - dropped;
                Settled::Visible(publication, publisher)
            }
            Verdict::Refused(why) => {
                channel.roll_back(run);
                self.refusing = Some(why.clone());
                Settled::Refused(publisher, why.clone())
            }
        };
        if self.appended == 0 {
            self.refusing = None;
        }
        self.note_vacancy(&key);
        Some(settled)
    }

    /// Publications that the journal has not answered.
    #[must_use]
    pub fn appended(&self) -> usize {
        self.appended
    }

    /// Forgets up to `count` channels that nobody uses; where they stand stays known.
    pub fn sweep(&mut self, count: usize) {
        for _ in 0..count.min(self.vacated.len()) {
            let Some(key) = self.vacated.pop_front() else { return };
            let Some(channel) = self.channels.get_mut(&key) else { continue };
            channel.is_listed = false;
            if !channel.is_vacant() {
                continue;
            }
            self.tail_bytes -= channel.tail_bytes();
            let rest = channel.rest();
            self.channels.remove(&key);
            if rest.position.offset > Offset(0) {
                self.resting.insert(key, rest);
            }
        }
    }

    /// Bytes of all tails in memory.
    #[must_use]
    pub fn tail_bytes(&self) -> usize {
        self.tail_bytes
    }
}

/// What the journal did with appends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict<'a> {
    /// They are on disk.
    Durable,
    /// They are not, and never will be.
    Refused(&'a Rejection),
}

/// What a home adds to a publication.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// Its id.
    pub id: MessageId,
    /// When it was taken.
    pub at_ms: u64,
}
