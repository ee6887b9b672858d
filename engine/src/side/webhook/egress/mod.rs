//! The way out of the node, for deliveries alone: where they may go, and one attempt to get there.

mod address;
mod client;
mod guard;
mod target;

pub use address::{Scope, scope};
pub use client::Egress;
pub use guard::Nameservers;
pub use target::{EgressRules, Private, Refusal, Target};
