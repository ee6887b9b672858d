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

/// What a client calls one of its frames, so that it knows the answer: a JSON string or number, as it was written.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct FrameId<'a>(&'a str);

impl<'a> FrameId<'a> {
    /// Decoders alone make one, of a value that is valid JSON.
    pub(crate) fn of_json(raw: &'a str) -> Self {
        Self(raw)
    }

    /// The JSON value.
    #[must_use]
    pub fn as_json(self) -> &'a str {
        self.0
    }

    /// A copy, for as long as the answer takes.
    #[must_use]
    pub fn keep(self) -> KeptId {
        KeptId(self.0.into())
    }
}

/// A [`FrameId`] that outlives its frame.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct KeptId(Box<str>);

impl KeptId {
    /// The id.
    #[must_use]
    pub fn id(&self) -> FrameId<'_> {
        FrameId(&self.0)
    }
}

/// What a frame of a connected client asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command<'a> {
    /// Publish to the connection's one channel.
    Publish(Publish<'a>),
    /// Publish to a channel.
    PublishTo {
        /// Where and what.
        publish: ChannelPublish<'a>,
        /// What the client calls this frame.
        id: Option<FrameId<'a>>,
    },
    /// Hear what is published in a channel.
    Subscribe {
        /// Which one.
        channel: ChannelName<'a>,
        /// Begin with what came after this offset.
        after: Option<u64>,
        /// What the client calls this frame.
        id: Option<FrameId<'a>>,
    },
    /// Hear a channel no more.
    Unsubscribe {
        /// Which one.
        channel: ChannelName<'a>,
        /// What the client calls this frame.
        id: Option<FrameId<'a>>,
    },
    /// Say that the connection lives.
    Ping {
        /// What the client calls this frame.
        id: Option<FrameId<'a>>,
    },
}

impl<'a> Command<'a> {
    /// What the client calls the frame.
    #[must_use]
    pub fn id(&self) -> Option<FrameId<'a>> {
        match self {
            Self::Publish(_) => None,
            Self::PublishTo { id, .. }
            | Self::Subscribe { id, .. }
            | Self::Unsubscribe { id, .. }
            | Self::Ping { id } => *id,
        }
    }
}
