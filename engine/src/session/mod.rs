//! What a shard knows of each of its connections: which protocol it speaks, as whom, and what it waits for.

mod http;
mod infrai;
mod socket;
mod subscriptions;
mod table;
mod tickets;

pub use http::{CredentialKind, HttpSession, KnownPublish, Verified};
pub use infrai::{About, Ask, InfraiClient};
pub use socket::{Lease, SocketSession, Speech};
pub use subscriptions::{Stage, Subscription, Subscriptions};
pub use table::{Load, Slot, State, Table};
pub use tickets::{Answer, Asked, Next, Place, StreamEnd, Surface, Tickets};
