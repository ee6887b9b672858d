//! Bytes to meaning and back. No I/O, no async, no clock, no threads.
#![forbid(unsafe_code)]

pub mod auth;
pub mod client;
pub mod dialect;
pub mod engineio;
pub mod http;
pub mod policy;
pub mod socketio;
pub mod ws;

#[doc(hidden)]
pub mod fuzzing;

mod channel_name;
mod command;
mod json;
mod limits;
mod origin;
mod permit;
mod rejection;
mod uuid_text;

pub use channel_name::{ChannelName, EventName, NameError};
pub use command::{ChannelPublish, Command, FrameId, Keep, KeptId, Publish};
pub use limits::Limits;
pub use origin::{NoOrigin, Origins, page_of, read_origin};
pub use permit::{Capabilities, Capability, ChannelType, Permit};
pub use rejection::{Rejection, Window};
pub use uuid_text::{UUID_CHARS, parse_uuid, uuid_text};
