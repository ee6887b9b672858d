//! Connections of the load test: sockets, what goes out, and what is understood of what comes in.

pub(crate) mod conn;
pub(crate) mod dialect;
pub(crate) mod doorway;
pub(crate) mod life;
pub(crate) mod message;
pub(crate) mod mint;
pub(crate) mod native;
pub(crate) mod opening;
pub(crate) mod peer;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod socket;
pub(crate) mod socketio;
pub(crate) mod stamp;
pub(crate) mod walk;
