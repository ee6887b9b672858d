//! What a node is started with, and why it does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use storage::{JournalError, JournalKind, JournalOptions, OpenError, QueueLimits, Retention};

use super::memory::MemoryBound;
use super::webhooks::WebhookSettings;
use crate::ids::ShardId;
use crate::limits::Limits;
use crate::pressure::Gauge;
use crate::reactor::ring;
use crate::reactor::{Clock, Reactor};
use crate::shard::ShardOptions;
use crate::side::SideOptions;
use crate::tenants::{TenantSpec, Tenants};

/// What a node is started with.
pub struct NodeOptions {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How many cores, at least one.
    pub shards: u16,
    /// Who runs them.
    pub reactor: Reactor,
    /// Their bounds.
    pub limits: Limits,
    /// The bounds of their sockets.
    pub ring: ring::Settings,
    /// Messages that wait between two cores.
    pub lane_capacity: usize,
    /// Inputs of one turn.
    pub inputs_per_turn_max: usize,
    /// Who may use the node.
    pub tenants: Vec<TenantSpec>,
    /// Where messages are kept.
    pub journal: JournalKind,
    /// The journals' folder; one below it a shard. Unused by the memory journal.
    pub journal_dir: PathBuf,
    /// How journals are laid out.
    pub journal_options: JournalOptions,
    /// What journals keep.
    pub retention: Retention,
    /// How many messages with an idempotency key are looked for when a journal is opened.
    pub keyed_max: usize,
    /// What runs beside the cores; without it RealtimeKit, the database and vendors are not there.
    pub side: Option<SideOptions>,
    /// What delivers webhooks; without it they are refused.
    pub webhooks: Option<WebhookSettings>,
    /// What memory it may take; without it nobody looks.
    pub memory: Option<MemoryBound>,
    /// Bytes of one part of a streamed answer.
    pub stream_part_bytes_max: usize,
    /// Random: seeds the hashers and the message ids.
    pub seed: u64,
    /// Random: hashes the keys.
    pub pepper: [u8; 32],
}

/// Why a node does not start.
#[derive(Debug)]
pub enum StartError {
    /// The ring or the listener.
    Ring(ring::StartError),
    /// A journal that does not open.
    Journal(ShardId, OpenError),
    /// The catalog, or a journal, that cannot be read.
    Kept(JournalError),
    /// A thread that does not start, or a core that broke.
    Io(io::Error),
}

impl From<io::Error> for StartError {
    fn from(cause: io::Error) -> Self {
        Self::Io(cause)
    }
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ring(why) => why.fmt(f),
            Self::Journal(shard, why) => write!(f, "journal of shard {}: {why}", shard.0),
            Self::Kept(why) => write!(f, "what is kept cannot be read: {why}"),
            Self::Io(why) => write!(f, "a core could not run: {why}"),
        }
    }
}

impl std::error::Error for StartError {}

/// Without a bound there is no pressure, and nothing to give back.
const NOTHING: fn() = || ();

impl NodeOptions {
    pub(super) fn gauge(&self) -> Arc<Gauge> {
        let give_back = self.memory.as_ref().map_or(NOTHING, |it| it.give_back);
        Arc::new(Gauge::new(give_back))
    }

    pub(super) fn queue(&self) -> QueueLimits {
        QueueLimits {
            messages_max: self.limits.journal_queue_messages_max,
            bytes_max: self.limits.journal_queue_bytes_max as u64,
            reads_max: self.limits.journal_reads_max,
        }
    }

    /// How long a sync waits for publishers that were just answered.
    pub(super) const fn commit_delay(&self) -> Duration {
        Duration::from_micros(self.limits.commit_delay_us_max)
    }

    /// How long a query waits for the journal.
    pub(super) fn read_timeout(&self) -> Duration {
        let side = self.side.as_ref();
        Duration::from_millis(side.map_or(0, |it| it.limits.database.time_ms_max))
    }

    pub(super) fn shard(&self, id: ShardId, tenants: &Arc<Tenants>, clock: Clock) -> ShardOptions {
        ShardOptions {
            id,
            shard_count: self.shards,
            limits: self.limits.clone(),
            tenants: Arc::clone(tenants),
            seed: self.seed.wrapping_add(u64::from(id.0)),
            now: clock.now(),
        }
    }
}
