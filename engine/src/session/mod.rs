//! What a shard knows of each of its connections: which protocol it speaks, as whom, and what it waits for.

mod http;
mod infrai;
mod socket;
mod subscriptions;
mod table;

pub use http::{
    Answer, Asked, CredentialKind, HttpSession, Next, Place, StreamEnd, Surface, Tickets, Verified,
};
pub use infrai::{About, Ask, InfraiClient};
pub use socket::{Lease, SocketSession, Speech};
pub use subscriptions::{Stage, Subscription, Subscriptions};
pub use table::{Load, Slot, State, Table};
