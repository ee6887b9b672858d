//! What a shard knows of each of its connections: which protocol it speaks, as whom, and what it waits for.

mod asks;
mod http;
mod infrai;
mod insforge;
mod socket;
mod subscriptions;
mod surface;
mod table;
mod tickets;

pub use asks::{Asks, PublishAsked};
pub use http::{CredentialKind, HttpSession, KnownPublish, Verified};
pub use infrai::InfraiClient;
pub use insforge::{InsforgeClient, Known, Whence, Wire};
pub use socket::{Lease, SocketSession, Speech};
pub use subscriptions::{Stage, Subscription, Subscriptions};
pub use surface::Surface;
pub use table::{Load, Slot, State, Table};
pub use tickets::{Answer, Asked, Next, Place, StreamEnd, Tickets};
