//! The built binary, driven by clients that are not ours: curl, node's `ws`, Python's `websockets`, Chromium, raw sockets.
//! Every test has a node of its own, and every wait an end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod calls;
mod canary;
mod clients;
mod crash;
mod credit;
mod damage;
mod database;
mod disk;
mod ends;
mod infrai;
mod insforge_audience;
mod insforge_keys;
mod insforge_messages;
mod kit;
mod liveblocks;
mod metered;
mod node;
mod operate;
mod pace;
mod passing;
mod policy;
mod polling;
mod publish;
mod raw;
mod readme;
mod refusals;
mod removal;
mod resources;
mod rotation;
mod server;
mod signing;
mod tenants;
mod tiers;
mod tools;
mod twins;
mod upstream;
mod vendors;
mod wrong;
