//! The dialect of InsForge: events over Socket.IO as its SDK sends them, the WebSocket of its documents at `/realtime`, and the
//! calls under `/api/realtime`.

mod calls;
mod error_code;
mod pattern;
pub mod plain;
mod present;
pub mod rest;
mod sender;
pub mod socket;
mod splice;

pub use calls::{CALLS, Call};
pub use error_code::{ErrorCode, error_code};
pub use pattern::{PATTERN_BYTES_MAX, Pattern, PatternError};
pub use present::{Present, PresentKind};
pub use sender::is_reserved_event;

/// What stands before a channel's name in the `meta` of a message. Clients know it, so it stays.
pub const ROOM_PREFIX: &str = "realtime:";
