//! Durable order: the journal, the catalog, and the threads that batch. Knows no subscribers and no wires.

mod disk;
mod error;
mod ids;
mod journal;
mod options;
mod publication;
mod writer;

pub use disk::{Disk, DiskFile, Fill, RealDisk};
pub use error::{JournalError, OpenError};
pub use ids::{ChannelKey, ChannelRef, Epoch, MessageId, Offset, Position, TenantId};
pub use journal::{ChannelState, Journal, JournalStats, Retired, open, open_segments};
pub use options::{JournalKind, JournalOptions, Keep, Prepare, Retention};
pub use publication::{Draft, Publication};
pub use writer::{Answer, QueueFull, QueueLimits, Wake, Writer, WriterHandle};
