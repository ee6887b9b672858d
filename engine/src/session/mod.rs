//! What a shard knows of each of its connections: which protocol it speaks, as whom, and what it waits for.

mod http;
mod socket;
mod table;

pub use http::{Answer, Asked, CredentialKind, HttpSession, Surface, Tickets, Verified};
pub use socket::{Lease, SocketSession, Subscription};
pub use table::{Load, Slot, State, Table};
