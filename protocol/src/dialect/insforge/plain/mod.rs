//! The WebSocket of InsForge's documents, at `/realtime`: one JSON object a message, told apart by `type`.

mod commands;
mod filter;
mod frames;

pub use commands::{CLOSE_NOT_AUTHENTICATED, PlainCommand, STATE_BYTES_MAX, decode_frame};
pub use filter::{Filter, schema_of};
pub use frames::{
    PlainError, PresenceChange, frame_authenticated, frame_error, frame_message, frame_pong,
    frame_presence, frame_published, frame_rejection, frame_subscribed, frame_unsubscribed,
};
