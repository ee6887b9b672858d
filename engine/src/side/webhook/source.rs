//! Where messages come from: the journals of a node's shards. Each is a feed, in the order of its log, and a place in it is a
//! place of the log.

use std::fmt;
use std::sync::Arc;

use hashbrown::HashSet;
use storage::{
    ChannelKey, Cursor, JournalError, Offset, Publication, Reader, Source as _, TenantId,
};
use tokio::sync::mpsc::WeakSender;

use super::door::Order;
use super::endpoint::Slice;
use super::names::{Feed, Place, Placed};

/// The persisted messages of tenants. Its reads block: they are made on threads that may.
pub struct Source {
    shards: Vec<Shard>,
}

struct Shard {
    feed: Feed,
    reader: Reader,
    /// To its storage thread, once that tells of appends.
    followed: Option<flume::Sender<(TenantId, Follow)>>,
}

/// Whether appends for a tenant are to be told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Follow {
    Begin,
    End,
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
    /// A cursor that is there already, or none.
    pub way: Option<Cursor>,
}

/// The journal does not say now.
#[derive(Debug)]
pub enum SourceError {
    /// The node is about to end.
    Ended,
    /// There is no such feed: the node has fewer shards than it had.
    NoFeed,
    /// The journal.
    Journal(JournalError),
    /// The thread that read.
    Panicked,
}

impl Source {
    /// Reads the journals through these, by their shards.
    #[must_use]
    pub fn new(readers: Vec<Reader>) -> Self {
        let shard = |(number, reader): (usize, Reader)| Shard {
            feed: Feed(number.to_string().into()),
            reader,
            followed: None,
        };
        Self { shards: readers.into_iter().enumerate().map(shard).collect() }
    }

    /// Has every storage thread say when something was appended for a tenant that is followed.
    pub(super) fn watch(&mut self, orders: &WeakSender<Order>) -> Result<(), SourceError> {
        for shard in &mut self.shards {
            // Changes of hooks are rare, and taken with the next append.
            let (followed, follows) = flume::unbounded();
            let mut teller = Teller { orders: orders.clone(), follows, tenants: HashSet::new() };
            shard.reader.watch(move |batch| teller.tell(batch))?;
            shard.followed = Some(followed);
        }
        Ok(())
    }

    /// Begins or ends to be told of a tenant. What is appended after a beginning is told.
    pub(super) fn follow(&self, tenant: TenantId, follow: Follow) {
        for followed in self.shards.iter().filter_map(|it| it.followed.as_ref()) {
            let _ = followed.send((tenant, follow)); // A storage thread that ended appends nothing.
        }
    }

    /// Every feed, and how far it reaches.
    ///
    /// # Errors
    /// When a journal cannot say now.
    pub fn ends(&self) -> Result<Vec<(Feed, Place)>, SourceError> {
        let end = |it: &Shard| Ok((it.feed.clone(), place_of(it.reader.clone().end()?)));
        self.shards.iter().map(end).collect()
    }

    /// The messages of a feed after a place, in order: as many as fit the question, and at least one where there is one. The
    /// cursor that found them knows more of the way.
    ///
    /// # Errors
    /// When the journal cannot say now.
    pub fn read(&self, ask: &SourceAsk<'_>) -> Result<(Slice, Cursor), SourceError> {
        let shard = self.shards.iter().find(|it| it.feed == *ask.feed);
        let mut reader = shard.ok_or(SourceError::NoFeed)?.reader.clone();
        let fresh = || Cursor::new(ask.tenant, log_place(ask.after));
        let mut cursor = ask.way.clone().unwrap_or_else(fresh);
        let wants = |it: &ChannelKey| (ask.is_wanted)(it.name());
        let found = cursor.next_of(&mut reader, ask.messages_max, &wants)?;
        let mut slice =
            Slice { seen: place_of(found.place), is_end: found.is_end, ..Slice::default() };
        let mut bytes = 0;
        for (place, message) in found.messages {
            bytes += message.text_bytes();
            if let Some(last) = slice.messages.last().filter(|_| bytes > ask.bytes_max) {
                (slice.seen, slice.is_end) = (last.place, false);
                break;
            }
            let place = place_of(place);
            let before = Place(place.0.saturating_sub(1));
            slice.messages.push(Placed { before, place, message });
        }
        let passed = found.passed;
        if passed.messages > 0 || passed.is_unknown && has_let_go(&reader, ask)? {
            let until = slice.messages.first().map_or(slice.seen, |it| it.before);
            slice.removed = Some(until);
        }
        Ok((slice, cursor))
    }
}

/// Whether any wanted message was ever let go. Where nobody knows what was in a segment that is gone, it was nothing of a
/// channel that still has all.
fn has_let_go(reader: &Reader, ask: &SourceAsk<'_>) -> Result<bool, SourceError> {
    let channels = reader.channels(ask.tenant)?;
    let mut wanted = channels.iter().filter(|it| (ask.is_wanted)(it.0.name()));
    Ok(wanted.any(|(_, state)| state.first_retained > Offset(1)))
}

/// A place of a log as a number that rises with it.
fn place_of(place: storage::Place) -> Place {
    let digit = |number: u128, byte: u8| number << 8 | u128::from(byte);
    Place(place.to_bytes().into_iter().fold(0, digit))
}

/// The other way round.
pub(super) fn log_place(place: Place) -> storage::Place {
    let [_, _, _, _, bytes @ ..] = place.0.to_be_bytes();
    storage::Place::from_bytes(&bytes).unwrap_or_default()
}

/// On a storage thread: says for which tenants there is more, once for each batch.
struct Teller {
    orders: WeakSender<Order>,
    follows: flume::Receiver<(TenantId, Follow)>,
    tenants: HashSet<TenantId>,
}

impl Teller {
    /// Says whether anybody listens.
    fn tell(&mut self, batch: &[Arc<Publication>]) -> bool {
        for (tenant, follow) in self.follows.try_iter() {
            match follow {
                Follow::Begin => self.tenants.insert(tenant),
                Follow::End => self.tenants.remove(&tenant),
            };
        }
        if self.tenants.is_empty() {
            return !self.follows.is_disconnected();
        }
        let Some(orders) = self.orders.upgrade() else { return false };
        let mut told: Vec<TenantId> = Vec::new();
        for publication in batch {
            let tenant = publication.channel().tenant();
            if !told.contains(&tenant) && self.tenants.contains(&tenant) {
                told.push(tenant);
                // One that is lost costs a wait of `poll_ms`.
                let _ = orders.try_send(Order::More(tenant));
            }
        }
        true
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("the journal has ended"),
            Self::NoFeed => f.write_str("there is no such shard"),
            Self::Journal(why) => write!(f, "read the journal: {why}"),
            Self::Panicked => f.write_str("the read panicked"),
        }
    }
}

impl std::error::Error for SourceError {}

impl From<JournalError> for SourceError {
    fn from(why: JournalError) -> Self {
        if matches!(why, JournalError::Ended) { Self::Ended } else { Self::Journal(why) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_numbers_that_rise_with_the_log() {
        let mut last = Place::START;
        for (segment, at) in [(0_u64, 1_u32), (0, u32::MAX), (1, 0), (1, 7), (1 << 40, 3)] {
            let bytes = [&segment.to_be_bytes()[..], &at.to_be_bytes()].concat();
            let place = storage::Place::from_bytes(&bytes).unwrap();
            let number = place_of(place);
            assert_eq!((log_place(number), number > last), (place, true));
            assert_eq!(number.0, u128::from(segment) << 32 | u128::from(at));
            last = number;
        }
        assert_eq!(log_place(Place::START), storage::Place::START);
    }
}
