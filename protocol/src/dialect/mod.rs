//! The wire languages. A dialect is one module, one variant here, and one golden folder.

pub mod cohesivity;

/// One publication, as a dialect needs it to write it down.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MessageView<'a> {
    /// Where it was published.
    pub channel: &'a str,
    /// The event name.
    pub event: &'a str,
    /// The payload, byte for byte.
    pub data: &'a [u8],
    /// When its home took it, in milliseconds since 1970.
    pub at_ms: u64,
    /// Its place in the channel; `None` for a message that is not kept.
    pub offset: Option<u64>,
}

/// A member of a channel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Member<'a> {
    /// Who it is.
    pub id: &'a str,
    /// How others see it.
    pub name: Option<&'a str>,
}

/// A wire language.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Dialect {
    /// See [`cohesivity`].
    Cohesivity,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::Cohesivity];

    /// Its place in [`Dialect::ALL`], for tables with a slot a dialect.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// Its name, as documents and metrics spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cohesivity => "cohesivity",
        }
    }

    /// Appends the WebSocket frame that brings a publication to a subscriber.
    pub fn encode_publication(self, out: &mut Vec<u8>, message: &MessageView<'_>) {
        match self {
            Self::Cohesivity => cohesivity::frame_message(out, message),
        }
    }
}
