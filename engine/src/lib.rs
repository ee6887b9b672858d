//! Everything one core owns: a synchronous state machine (`shard`) with one door, and the reactor that feeds it.
//!
//! Read `shard` first: inputs come in, effects come out. `session` is the protocol state of a connection, `hub` the local
//! fan-out, `broker` the ordering home of channels, `control` what a tenant's seat knows.

pub mod broker;
pub mod config;
pub mod control;
pub mod frame;
pub mod hasher;
pub mod hub;
pub mod ids;
pub mod layout;
pub mod limits;
pub mod message_ids;
pub mod node;
pub mod operator;
pub mod outbox;
pub mod planted;
pub mod pressure;
pub mod reactor;
pub mod session;
pub mod shard;
pub mod side;
pub mod tenants;
