//! Webhooks without a node around them: the machines in a simulated world, the way out against real servers, and all of it together on
//! real files, killed and started again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::cast_possible_truncation,
    reason = "a test may stop at the first surprise, read the clock, and share what its servers saw"
)]

mod crash;
mod deliver;
mod dns;
mod egress;
mod machine;
mod places;
mod random;
mod receiver;
mod sim;
mod targets;
mod tls;
#[path = "../server/trust.rs"]
#[allow(dead_code, reason = "it belongs to the tests of the server")]
mod trust;
mod world;
