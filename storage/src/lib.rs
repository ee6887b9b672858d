//! Durable order: the journal, the catalog, and the threads that batch. Knows no subscribers and no wires.

mod answer;
mod catalog;
mod commit_delay;
mod disk;
mod error;
mod handle;
mod ids;
mod journal;
mod options;
mod publication;
mod reader;
mod synced_sled;
mod writer;

pub use answer::{Answer, QueueFull, QueueLimits, Wake};
pub use catalog::{
    Catalog, CatalogAnswer, CatalogHandle, CatalogWriter, Change, Entries, OwnedChange,
};
pub use commit_delay::{Clock, DelayOptions};
pub use disk::{Disk, DiskFile, Fill, RealDisk};
pub use error::{JournalError, OpenError};
pub use handle::{Counter, WriterHandle};
pub use ids::{ChannelKey, ChannelRef, Epoch, MessageId, Offset, Position, TenantId};
#[doc(hidden)]
pub use journal::fuzzing;
pub use journal::{
    Among, ChannelState, Counted, Counts, Cursor, Cut, Journal, JournalStats, KeyedRecord,
    LIST_MESSAGES_MAX, ListQuery, Listed, Listing, LiveRun, Names, Passed, Place, Retired, Scope,
    Slice, Source, Stats, StatsQuery, TOP_EVENTS, View, Wanted, as_much_as_is_read, choose, list,
    open, open_segments, stats,
};
pub use options::{JournalKind, JournalOptions, KEYED_MS, Keep, Prepare, Retention};
pub use publication::{Draft, Publication, SenderKind};
pub use reader::{ChannelStates, Reader};
pub use writer::Writer;
