//! Bytes to meaning and back. No I/O, no async, no clock, no threads.
#![forbid(unsafe_code)]

pub mod auth;
pub mod client;
pub mod dialect;
pub mod http;
pub mod ws;

#[doc(hidden)]
pub mod fuzzing;

mod channel_name;
mod command;
mod json;
mod limits;
mod rejection;
mod window;

pub use channel_name::{ChannelName, EventName, NameError};
pub use command::{ChannelPublish, Command, Keep, Publish};
pub use limits::Limits;
pub use rejection::Rejection;
pub use window::Window;
