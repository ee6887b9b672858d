//! The dialect of InsForge: transcripts of both sockets and of the calls, credentials, policies, and vectors of its own server.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod credentials;
mod policies;
mod policy_bounds;
mod polling;
mod said;
mod sent;
mod spread;
#[path = "../transcript/mod.rs"]
mod transcript;
mod transcripts;
mod vectors;
