//! The durable order of one shard's channels: one trait, three backends, one contract (`tests/contract.rs`).

mod bytes;
mod channel;
mod entry;
mod fence;
mod index;
mod keep;
mod keyed;
mod lists;
mod memory;
mod said;
mod segment;
mod sled;
mod stored;
mod usage;

use std::{path::Path, sync::Arc};

pub use self::segment::fuzzing;
pub use self::{
    keyed::KeyedRecord,
    lists::{
        Among, Counted, Counts, Cursor, LIST_MESSAGES_MAX, ListQuery, Listed, Listing, LiveRun,
        Names, Passed, Place, Scope, Slice, Source, Stats, StatsQuery, TOP_EVENTS, View, Wanted,
        choose, list, stats,
    },
};
pub(crate) use self::{lists::fetch, segment::SegmentJournal};
use crate::{
    disk::{Disk, RealDisk},
    error::{JournalError, OpenError},
    ids::{ChannelKey, Epoch, Offset, Position, TenantId},
    options::{JournalKind, JournalOptions, Retention},
    publication::Publication,
};

/// Where one channel stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ChannelState {
    /// Its last offset. The next one follows it, also when nothing is retained.
    pub position: Position,
    /// The oldest message that can be read; one past the last offset when there is none.
    pub first_retained: Offset,
    /// When its last message was taken, in milliseconds since 1970.
    pub last_at_ms: u64,
}

/// What a retention run did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Retired {
    /// Messages that can no longer be read.
    pub messages: u64,
    /// Files (or blocks) given back.
    pub segments: u64,
    /// Segments of which little was retained, and that were rewritten without the rest.
    pub rewritten: u64,
    /// Channels forgotten.
    pub channels: u64,
    /// Whether there is more that the policy does not keep: a run looks after a bounded number of channels.
    pub is_partial: bool,
}

/// What went of a channel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cut {
    /// Which.
    pub channel: Arc<ChannelKey>,
    /// The oldest message that is left; one past the last offset when there is none.
    pub first_retained: Offset,
    /// How many went.
    pub messages: u64,
}

/// Sizes of a journal, for the metrics.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct JournalStats {
    /// Channels known.
    pub channels: u64,
    /// Segment files (or blocks).
    pub segments: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Damaged ranges that recovery set aside, ever.
    pub quarantined: u64,
    /// Bytes of an unfinished last batch that the last open cut off.
    pub torn_bytes: u64,
}

/// About so many bytes of text are read at once; one message more than that is always given.
pub(crate) const READ_BYTES_MAX: usize = 1024 * 1024;

/// Of messages in memory, those that one read gives: of each is told how many bytes of text it has.
pub fn as_much_as_is_read<T>(
    messages: impl Iterator<Item = T>,
    text_bytes: impl Fn(&T) -> usize,
) -> impl Iterator<Item = T> {
    let mut bytes = 0;
    messages.take_while(move |it| {
        let has_room = bytes < READ_BYTES_MAX;
        bytes += text_bytes(it);
        has_room
    })
}

/// At most so many damaged messages are set aside at once.
const SET_ASIDE_MAX: usize = 1024;

/// A blocking, durable log of publications. It lives on a storage thread, one to a shard.
pub trait Journal: Send {
    /// Appends the batch in order and makes it durable: all of it or nothing. Every publication has an offset.
    ///
    /// # Errors
    /// Nothing of the batch is kept. After [`JournalError::Io`] nothing is ever taken again.
    fn append(&mut self, batch: &[Arc<Publication>]) -> Result<(), JournalError>;

    /// The retained publications with an offset over `after`, rising, at most `limit` and about 1 MiB.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] when one of them is damaged. It is set aside with those after it that are: asked again, the
    /// read goes past them. The channel's home must begin the next epoch: [`Journal::begin_epoch`].
    fn read(
        &mut self,
        channel: &ChannelKey,
        after: Offset,
        limit: usize,
    ) -> Result<Vec<Arc<Publication>>, JournalError>;

    /// Every channel known, and where it stands, in no particular order.
    fn channels(&self) -> Vec<(Arc<ChannelKey>, ChannelState)>;

    /// Those of one tenant.
    fn channels_of(&self, tenant: TenantId) -> Vec<(Arc<ChannelKey>, ChannelState)>;

    /// The epoch in which a channel starts that the journal does not know. It rises when continuity may have been lost.
    fn fresh_epoch(&self) -> Epoch;

    /// Takes a channel to a later epoch, durably, unless it is there. Its offsets go on. The segment log keeps with it what a read
    /// found damaged: after a restart that is no news.
    ///
    /// # Errors
    /// As for [`Journal::append`].
    fn begin_epoch(&mut self, channel: &ChannelKey, epoch: Epoch) -> Result<(), JournalError>;

    /// Lets go of what the policy does not keep.
    ///
    /// # Errors
    /// As for [`Journal::append`]: marks are written before files go.
    fn retain(&mut self, policy: &Retention, now_ms: u64) -> Result<Retired, JournalError>;

    /// Lets go of every message of the channel. Its offsets go on from where they are.
    ///
    /// # Errors
    /// As for [`Journal::append`].
    fn drop_channel(&mut self, channel: &ChannelKey) -> Result<(), JournalError>;

    /// Lets go of all that a tenant had: messages, channels and keys. Should one of its channels come back, it does so from
    /// the first offset in an epoch that none of them was in: at least the one that is returned. What is appended for it
    /// later must begin so too.
    ///
    /// # Errors
    /// As for [`Journal::append`].
    fn drop_tenant(&mut self, tenant: TenantId) -> Result<Epoch, JournalError>;

    /// The publications with an idempotency key that were taken at or after a time, oldest first; the newest `max` of them.
    /// For at least [`KEYED_MS`](crate::KEYED_MS) they are known, also when the messages themselves were let go.
    ///
    /// # Errors
    /// When the disk refuses.
    fn keyed_since(&self, at_ms: u64, max: usize) -> Result<Vec<KeyedRecord>, JournalError>;

    /// Writes down the counts of messages, in place of what was said about them before. Of messages that are not retained nothing is
    /// said. They are written with the next append, be it of nothing, and are lost at most with what was not acknowledged.
    ///
    /// # Errors
    /// As for [`Journal::append`].
    fn count(&mut self, counted: &[Counted]) -> Result<(), JournalError>;

    /// Lets go of what channels hold that was taken up to a time, durably. Offsets go on. Says what went of each that
    /// lost something.
    ///
    /// # Errors
    /// As for [`Journal::append`].
    fn drop_until(
        &mut self,
        channels: &[Arc<ChannelKey>],
        until_ms: u64,
    ) -> Result<Vec<Cut>, JournalError>;

    /// What lists and cursors look at: see [`Source`]. Backends other than the segment log go through all messages of the
    /// tenant for it.
    fn view(&self, scope: &Scope) -> View;

    /// A place that nothing lies behind yet: whatever is appended later comes after it.
    fn end(&self) -> Place;

    /// What is retained of a channel in a segment of a view.
    fn live(&self, segment: u64, channel: &ChannelKey) -> Vec<LiveRun>;

    /// Puts the list of a sealed segment in place of one that is damaged or missing, if the segment is still that one.
    ///
    /// # Errors
    /// As for [`Journal::append`].
    fn put_list(&mut self, segment: u64, nonce: u64, list: &[u8]) -> Result<(), JournalError>;

    /// Its sizes.
    fn stats(&self) -> JournalStats;
}

/// Opens the journal in `dir`, which is made if it is not there.
///
/// # Errors
/// When the disk refuses, or the files are of another version. Damaged files are not an error: see [`JournalStats`].
pub fn open(
    kind: JournalKind,
    dir: &Path,
    options: &JournalOptions,
) -> Result<Box<dyn Journal>, OpenError> {
    match kind {
        JournalKind::Memory => Ok(Box::new(memory::MemoryJournal::default())),
        JournalKind::Segment => Ok(Box::new(open_segment_log(dir, options)?)),
        JournalKind::Sled => Ok(Box::new(sled::SledJournal::open(dir)?)),
    }
}

/// Opens the segment log in `dir`, which is made if it is not there.
pub(crate) fn open_segment_log(
    dir: &Path,
    options: &JournalOptions,
) -> Result<SegmentJournal, OpenError> {
    let disk = RealDisk::open(dir)
        .map_err(|cause| OpenError::Io { operation: "open directory", cause })?
        .ok_or_else(|| OpenError::Locked { dir: dir.to_owned() })?;
    SegmentJournal::open(Arc::new(disk), options)
}

/// Opens a segment log on any disk: the door for tests that cut the power.
///
/// # Errors
/// As for [`open`].
pub fn open_segments(
    disk: Arc<dyn Disk>,
    options: &JournalOptions,
) -> Result<Box<dyn Journal>, OpenError> {
    Ok(Box::new(SegmentJournal::open(disk, options)?))
}

/// The offset that follows a channel's last.
fn next_position(state: &ChannelState) -> Offset {
    state.position.offset.next()
}

/// Refuses a batch in which an offset does not follow the last of its channel. (invariant 2)
fn check_order(
    batch: &[Arc<Publication>],
    position: impl Fn(&ChannelKey) -> Option<Position>,
) -> Result<(), JournalError> {
    let mut seen: hashbrown::HashTable<(&ChannelKey, Position)> = hashbrown::HashTable::new();
    for publication in batch {
        let channel: &ChannelKey = publication.channel();
        let offset = publication.offset().ok_or(JournalError::OutOfOrder)?;
        let now = Position { epoch: publication.epoch(), offset };
        let slot = seen
            .entry(channel.hash(), |it| it.0 == channel, |it| it.0.hash())
            .or_insert_with(|| (channel, position(channel).unwrap_or_default()))
            .into_mut();
        if offset != slot.1.offset.next() || now.epoch < slot.1.epoch {
            return Err(JournalError::OutOfOrder);
        }
        slot.1 = now;
    }
    Ok(())
}
