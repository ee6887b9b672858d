//! The built binary under more than it wants: sockets that nobody reads, requests that never end, floods of pings, everyone coming
//! back at once, one channel with everybody, a tenant over its quota. Beside each, others go on as if nothing had happened.
//!
//! The short form asserts what holds on any machine. `TRUST=1` asks for the full numbers, on a core for the node and one for
//! everything else; `TRUST_SCALE=0.1` for a tenth of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may stop at the first surprise, and this one takes as long as it is told"
)]

mod bare;
mod big_channel;
mod client;
mod crowd;
#[path = "../chaos/http.rs"]
#[allow(dead_code, reason = "it belongs to the tests of chaos")]
mod http;
mod kept;
mod listeners;
mod mute;
#[path = "../server/node.rs"]
#[allow(dead_code, reason = "it belongs to the tests of the server")]
mod node;
#[path = "../server/pages.rs"]
mod pages;
mod pings;
mod probe;
mod publisher;
mod quota;
mod slow_heads;
#[path = "../chaos/socket.rs"]
#[allow(dead_code, reason = "it belongs to the tests of chaos")]
mod socket;
mod stolen;
mod storm;
#[path = "../server/trust.rs"]
#[allow(dead_code, reason = "it belongs to the tests of the server")]
mod trust;
mod turns;
mod world;

/// The system's has locks that threads share: a probe would wait for a client that was interrupted while it held one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
