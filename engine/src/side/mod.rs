//! What a core must not do itself: calls to other servers, and SQL. One thread of its own runs them on tokio, with a few more for
//! what blocks; shards ask with an effect and are answered with an input. Nothing else of the engine waits for them.

mod answers;
mod ask;
mod client;
mod database;
mod kit;
mod limits;
mod link;
mod runtime;
mod vendor;

pub use answers::{SideAnswer, UpstreamHead, VendorAnswer};
pub use ask::{DatabaseAsk, KitAsk, SideAsk, VendorAsk};
pub use client::Authorities;
pub use kit::KitOptions;
pub use limits::{DatabaseLimits, SideLimits};
pub(crate) use limits::{PARTS_AHEAD, VENDOR_ANSWER_BYTES_MAX};
pub use link::{SideDoor, SideLink, Wake};
pub use runtime::{Side, SideOptions};
