//! The built binary, driven by clients that are not ours: curl, node's `ws`, Python's `websockets`, the SDK of InsForge, the clients
//! of Socket.IO, Chromium, the Autobahn test suite, haproxy, raw sockets.
//! Every test has a node of its own, and every wait an end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod admin;
mod autobahn;
mod bench;
mod bench_line;
mod calls;
mod canary;
mod clients;
mod crash;
mod credit;
mod damage;
mod database;
mod deploy;
mod disk;
mod ends;
mod h1;
mod infrai;
mod insforge;
mod insforge_audience;
mod insforge_crash;
mod insforge_keys;
mod insforge_messages;
mod insforge_policies;
mod insforge_presence;
mod insforge_rules;
mod insforge_tokens;
mod inside;
mod kit;
mod liveblocks;
mod metered;
mod node;
mod operate;
mod pace;
mod pages;
mod passing;
#[path = "../../../loadtest/tests/peers/server.rs"]
mod peer;
mod policy;
mod polling;
mod proxy;
mod publish;
mod raw;
mod readme;
#[path = "../webhook/receiver.rs"]
#[allow(
    dead_code,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "see the tests of webhooks"
)]
mod receiver;
mod refusals;
mod removal;
mod resources;
mod rotation;
mod server;
mod signing;
mod strict;
mod tenants;
mod tiers;
mod tools;
#[allow(dead_code, reason = "other tests of the binary use it too")]
mod trust;
mod twins;
mod upstream;
mod vendors;
mod webhooks;
mod weigh;
mod wrong;
