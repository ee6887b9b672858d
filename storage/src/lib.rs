//! Durable order: the journal, the catalog, and the threads that batch. Knows no subscribers and no wires.

mod ids;
mod publication;

pub use ids::{ChannelKey, ChannelRef, Epoch, MessageId, Offset, Position, TenantId};
pub use publication::{Draft, Publication};
