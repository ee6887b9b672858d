//! Durable order: the journal, the catalog, and the threads that batch. Knows no subscribers and no wires.

mod catalog;
mod disk;
mod error;
mod ids;
mod journal;
mod options;
mod publication;
mod synced_sled;
mod writer;

pub use catalog::{Catalog, Change, Entries};
pub use disk::{Disk, DiskFile, Fill, RealDisk};
pub use error::{JournalError, OpenError};
pub use ids::{ChannelKey, ChannelRef, Epoch, MessageId, Offset, Position, TenantId};
pub use journal::{ChannelState, Journal, JournalStats, Retired, open, open_segments};
pub use options::{JournalKind, JournalOptions, Keep, Prepare, Retention};
pub use publication::{Draft, Publication};
pub use writer::{Answer, QueueFull, QueueLimits, Wake, Writer, WriterHandle};
