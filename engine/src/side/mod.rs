//! What a core must not do itself: calls to other servers, SQL, and lists of messages. One thread of its own runs them on tokio, with a few more for
//! what blocks; shards ask with an effect and are answered with an input. Nothing else of the engine waits for them.

mod answers;
mod ask;
mod client;
mod database;
mod journals;
mod kit;
mod limits;
mod link;
mod lists;
mod overdue;
mod runtime;
mod vendor;
pub mod webhook;

pub use answers::{SideAnswer, UpstreamHead, VendorAnswer};
pub use ask::{DatabaseAsk, KitAsk, ListAsk, Listed, SideAsk, VendorAsk};
pub use client::Authorities;
pub use kit::KitOptions;
pub use limits::{DatabaseLimits, ListLimits, SideLimits};
pub(crate) use limits::{LIST_STEP_BYTES, PARTS_AHEAD, VENDOR_ANSWER_BYTES_MAX};
pub use link::{SideDoor, SideLink, Wake};
pub use runtime::{Side, SideOptions};
