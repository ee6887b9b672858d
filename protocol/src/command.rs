//! What a client asks for, whatever dialect it said it in. Borrowed from the bytes it came in.

use crate::channel_name::{ChannelName, EventName};

/// Whether a publication goes to the journal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Keep {
    /// It is journaled and stays in the channel's history.
    Persist,
    /// It goes to those who listen now, and nowhere else.
    Pass,
}

/// One message to publish.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Publish<'a> {
    /// The event name.
    pub event: EventName<'a>,
    /// One JSON text, byte for byte as it came, without the blanks around it.
    pub data: &'a [u8],
    /// Whether it is journaled.
    pub keep: Keep,
}

/// One message to publish, with its channel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChannelPublish<'a> {
    /// Where.
    pub channel: ChannelName<'a>,
    /// What.
    pub publish: Publish<'a>,
}

/// What a frame of a connected client asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command<'a> {
    /// Publish to the connection's channel.
    Publish(Publish<'a>),
}
