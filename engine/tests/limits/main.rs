//! The built binary where something is short: descriptors, memory, origins that may come. It refuses early, by name, and recovers.
//!
//! `TRUST=1` runs what takes tens of thousands of sockets, or a group of processes with little memory, as root.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may stop at the first surprise, and looks at the clock"
)]

mod cgroup;
mod client;
mod crowd;
mod descriptors;
mod give_back;
#[path = "../chaos/http.rs"]
#[allow(dead_code, reason = "it belongs to the tests of chaos")]
mod http;
#[path = "../server/inside.rs"]
mod inside;
#[path = "../overload/kept.rs"]
mod kept;
mod long_answers;
mod memory;
#[path = "../server/node.rs"]
#[allow(dead_code, reason = "it belongs to the tests of the server")]
mod node;
mod origins;
#[path = "../server/pages.rs"]
mod pages;
#[path = "../server/raw.rs"]
#[allow(dead_code, reason = "it belongs to the tests of the server")]
mod raw;
#[path = "../chaos/socket.rs"]
#[allow(dead_code, reason = "it belongs to the tests of chaos")]
mod socket;
mod tight;
#[path = "../server/trust.rs"]
#[allow(dead_code, reason = "it belongs to the tests of the server")]
mod trust;
