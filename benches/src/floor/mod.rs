//! Floors: the least that each kind of work can cost on this machine. They know no sessions, no channels and no journal,
//! and what they leave out is what Stentor's own figures are compared for.

mod buffers;
pub(crate) mod http;
pub(crate) mod ring;
pub(crate) mod send;
pub(crate) mod server;
