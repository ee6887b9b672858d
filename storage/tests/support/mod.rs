//! What the tests of the journal share: publications, a seeded random source, and a disk whose power can be cut.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    clippy::indexing_slicing,
    reason = "each test crate uses its part, and may stop at the first surprise"
)]

pub(crate) mod backends;
pub(crate) mod log;
pub(crate) mod model;
pub(crate) mod mounted;
pub(crate) mod sim_disk;
pub(crate) mod trust;
pub(crate) mod worker;
pub(crate) mod written;

use std::{fs, path::Path, sync::Arc};

use storage::{
    ChannelKey, Draft, Epoch, Keep, MessageId, Offset, Publication, Retention, SenderKind, TenantId,
};

/// Splitmix64: small, seeded, the same everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }
}

pub(crate) fn channel(number: u64) -> Arc<ChannelKey> {
    let tenant = TenantId(u32::try_from(number % 3).unwrap());
    Arc::new(ChannelKey::new(tenant, &format!("room:{number}")))
}

/// Bytes of the files in a folder.
pub(crate) fn bytes_of(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    let bytes = |it: fs::DirEntry| {
        let is_dir = it.file_type().unwrap().is_dir();
        if is_dir { bytes_of(&it.path()) } else { it.metadata().unwrap().len() }
    };
    entries.map(bytes).sum()
}

/// A publication whose payload is told by its channel, epoch and offset, so that a wrong byte is seen.
pub(crate) fn publication(channel: &Arc<ChannelKey>, epoch: u32, offset: u64) -> Arc<Publication> {
    sized(channel, epoch, offset, 20 + usize::try_from(offset % 60).unwrap())
}

/// The usual kind for most; now and then a user without a name, or a server with one.
fn kind_of(offset: u64) -> SenderKind {
    let is_odd_one = offset % 100 > 95;
    if offset.is_multiple_of(2) != is_odd_one { SenderKind::User } else { SenderKind::System }
}

pub(crate) fn sized(
    channel: &Arc<ChannelKey>,
    epoch: u32,
    offset: u64,
    bytes: usize,
) -> Arc<Publication> {
    sized_at(channel, epoch, offset, bytes, 1_000 + offset)
}

/// The same, taken at a time.
pub(crate) fn sized_at(
    channel: &Arc<ChannelKey>,
    epoch: u32,
    offset: u64,
    bytes: usize,
    at_ms: u64,
) -> Arc<Publication> {
    let mut random = Random(channel.hash() ^ offset ^ (u64::from(epoch) << 40));
    let payload: Vec<u8> = (0..bytes).map(|_| random.next().to_le_bytes()[0]).collect();
    Arc::new(Publication::new(&Draft {
        channel,
        epoch: Epoch(epoch),
        offset: Some(Offset(offset)),
        id: MessageId(u128::from(random.next())),
        at_ms,
        sender: if offset.is_multiple_of(2) { "ann" } else { "" },
        sender_kind: kind_of(offset),
        event: "said",
        payload: &payload,
        idempotency: offset.is_multiple_of(3).then(|| u128::from(offset)),
    }))
}

pub(crate) fn keep_all() -> Retention {
    Retention { keep: Arc::new(|_| Keep::ALL), bytes_max: u64::MAX, idle_ms_max: u64::MAX }
}
