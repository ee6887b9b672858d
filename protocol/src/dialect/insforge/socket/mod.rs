//! Events over Socket.IO, as the SDK of InsForge sends and awaits them.

mod commands;
mod frames;
mod standing;

pub(super) use commands::publish;
pub use commands::{Refusal, RefusedCommand, Said, decode_message};
pub use frames::{
    PublishError, SubscribeError, frame_error, frame_join, frame_leave, frame_message,
    frame_refused, frame_shutdown, frame_subscribe_refused, frame_subscribed,
};
pub use standing::{Broken, Next, Standing};
