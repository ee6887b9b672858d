//! A load test as a library: a client that speaks to a server only over the wire. It publishes streams of lines as well.
//!
//! The load test checks every sequence number at every subscriber, measures latency from the moment a message
//! was due, and says when it was itself the bottleneck. It shares no code with the server but the codecs.
//!
//! [`history`] is for tests of one's own: a log of what clients asked, were answered and were shown, and its checker.
#![forbid(unsafe_code)]

pub mod cli;
mod client;
mod crowd;
mod failure;
mod fleet;
pub mod history;
mod pace;
mod publish;
mod record;
mod report;
mod scenario;
mod server;
