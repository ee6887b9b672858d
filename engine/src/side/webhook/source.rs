//! Where messages come from: a cursor over the journal. The one here reads the journals of a node channel by channel.

use std::fmt;
use std::sync::Arc;

use storage::{
    ChannelKey, ChannelState, Epoch, JournalError, Offset, Publication, Reader, TenantId,
};

use super::endpoint::Slice;
use super::names::{Feed, Place, Placed};
use crate::shard::home;

/// A tenant's persisted messages, as feeds with an order of their own. Its calls block: they are made on threads that may.
pub trait Source: Send + Sync + 'static {
    /// Every feed of a tenant that has or had a message, and how far each reaches.
    ///
    /// # Errors
    /// When it cannot say now.
    fn ends(&self, tenant: TenantId) -> Result<Vec<(Feed, Place)>, SourceError>;

    /// The messages of a feed after a place, in order: as many as fit the question, and at least one where there is one.
    ///
    /// # Errors
    /// When it cannot say now.
    fn read(&self, ask: &SourceAsk<'_>) -> Result<Slice, SourceError>;
}

/// What is read.
pub struct SourceAsk<'a> {
    /// Whose messages.
    pub tenant: TenantId,
    /// The feed.
    pub feed: &'a Feed,
    /// The place after which to read.
    pub after: Place,
    /// Whether messages of a channel are wanted. The others are passed over.
    pub is_wanted: &'a dyn Fn(&str) -> bool,
    /// At most so many messages.
    pub messages_max: usize,
    /// About so many bytes; the first message is given in any case.
    pub bytes_max: usize,
}

/// The journal does not say now.
#[derive(Debug)]
pub struct SourceError(pub String);

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SourceError {}

impl From<JournalError> for SourceError {
    fn from(why: JournalError) -> Self {
        Self(format!("read the journal: {why}"))
    }
}

/// The journals of a node's shards. Each channel is a feed, and a place in it is an epoch and an offset.
pub struct ChannelSource {
    readers: Vec<Reader>,
}

impl ChannelSource {
    /// Reads through these, by their shards.
    #[must_use]
    pub fn new(readers: Vec<Reader>) -> Self {
        Self { readers }
    }

    fn reader(&self, channel: &ChannelKey) -> Result<&Reader, SourceError> {
        let shards = u16::try_from(self.readers.len()).unwrap_or(u16::MAX);
        let reader = self.readers.get(home(channel, shards).index());
        reader.ok_or_else(|| SourceError("there is no shard".to_owned()))
    }
}

impl ChannelSource {
    /// Where the messages after a place end that are gone, if nothing can be read after it.
    fn emptied(&self, key: &ChannelKey, after: Place) -> Result<Option<Place>, SourceError> {
        let channels = self.reader(key)?.channels(key.tenant())?;
        let state = channels.into_iter().find(|it| it.0.name() == key.name()).map(|it| it.1);
        // One that came since the read is retained: it is not counted as gone.
        Ok(state.and_then(|it| gap(after, place_of(it.position.epoch, it.first_retained))))
    }
}

impl Source for ChannelSource {
    fn ends(&self, tenant: TenantId) -> Result<Vec<(Feed, Place)>, SourceError> {
        let mut ends = Vec::new();
        for reader in &self.readers {
            let channels = reader.channels(tenant)?.into_iter();
            ends.extend(channels.map(|(key, state)| (Feed(key.name().into()), end(&state))));
        }
        Ok(ends)
    }

    fn read(&self, ask: &SourceAsk<'_>) -> Result<Slice, SourceError> {
        let name = &*ask.feed.0;
        if !(ask.is_wanted)(name) {
            return Ok(Slice { seen: ask.after, is_end: true, ..Slice::default() });
        }
        let key = Arc::new(ChannelKey::new(ask.tenant, name));
        let found = self.reader(&key)?.read(&key, offset(ask.after), ask.messages_max)?;
        let is_short = found.len() < ask.messages_max;
        let mut slice = Slice { seen: ask.after, ..Slice::default() };
        let mut bytes = 0;
        for message in found {
            let place = place(&message);
            bytes += message.text_bytes();
            if bytes > ask.bytes_max && !slice.messages.is_empty() {
                return Ok(slice);
            }
            if slice.messages.is_empty() {
                slice.removed = gap(ask.after, place);
            }
            slice.messages.push(Placed { before: slice.seen, place, message });
            slice.seen = place;
        }
        slice.is_end = is_short;
        if slice.messages.is_empty() {
            slice.removed = self.emptied(&key, ask.after)?;
            slice.seen = slice.removed.unwrap_or(slice.seen);
        }
        Ok(slice)
    }
}

/// Where the messages end that are missing before one, if there are any. Offsets have no holes (invariant 2).
fn gap(after: Place, first: Place) -> Option<Place> {
    let before = offset(first).0.saturating_sub(1);
    (before > offset(after).0).then(|| Place(first.0 - 1))
}

fn end(state: &ChannelState) -> Place {
    place_of(state.position.epoch, state.position.offset)
}

fn place(message: &Publication) -> Place {
    place_of(message.epoch(), message.offset().unwrap_or_default())
}

fn place_of(epoch: Epoch, offset: Offset) -> Place {
    Place(u128::from(epoch.0) << 64 | u128::from(offset.0))
}

fn offset(place: Place) -> Offset {
    Offset(u64::try_from(place.0 & u128::from(u64::MAX)).unwrap_or_default())
}
