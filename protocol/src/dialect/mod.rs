//! The wire languages. A dialect is one module, one variant here, and one golden folder.

pub mod cohesivity;
pub mod infrai;
pub mod insforge;

mod fields;
mod refusal;
mod write;

/// One publication, as a dialect needs it to write it down.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MessageView<'a> {
    /// Its UUID.
    pub id: u128,
    /// Where it was published.
    pub channel: &'a str,
    /// The event name.
    pub event: &'a str,
    /// The payload, byte for byte.
    pub data: &'a [u8],
    /// Which client published it; `None` for a server.
    pub sender: Option<&'a str>,
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
    /// Whose client it is, where that was said as well.
    pub user_id: Option<&'a str>,
}

/// A wire language.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Dialect {
    /// See [`cohesivity`].
    Cohesivity,
    /// See [`infrai`].
    Infrai,
    /// See [`insforge::socket`]: what its SDK speaks.
    Insforge,
    /// See [`insforge::plain`]: the WebSocket of its documents.
    InsforgePlain,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Cohesivity, Self::Infrai, Self::Insforge, Self::InsforgePlain];

    /// Whose shape the answer to a request has that reaches no call.
    #[must_use]
    pub fn of_path(path: &str) -> Self {
        Self::of_target(path.as_bytes())
    }

    /// The same, of a head that cannot be read: by what stands where its target should.
    #[must_use]
    pub fn of_unread_head(head: &[u8]) -> Self {
        Self::of_target(head.split(|it| *it == b' ').nth(1).unwrap_or_default())
    }

    fn of_target(target: &[u8]) -> Self {
        // The rest below `/api` is Cohesivity's.
        const ROOTS: [(&[u8], Dialect); 8] = [
            (b"/v1", Dialect::Infrai),
            (b"/api/realtime", Dialect::Insforge),
            (b"/api/metadata", Dialect::Insforge),
            (b"/api/auth", Dialect::Insforge),
            (b"/api/.well-known", Dialect::Insforge),
            (b"/socket.io", Dialect::Insforge),
            (b"/realtime", Dialect::InsforgePlain),
            (b"/.well-known", Dialect::Insforge),
        ];
        let is_below = |root| {
            let rest = target.strip_prefix(root);
            rest.is_some_and(|it| it.first().is_none_or(|next| b"/?".contains(next)))
        };
        let found = ROOTS.into_iter().find(|(root, _)| is_below(*root));
        found.map_or(Self::Cohesivity, |(_, dialect)| dialect)
    }

    /// Its name, as documents and metrics spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cohesivity => "cohesivity",
            Self::Infrai => "infrai",
            Self::Insforge => "insforge",
            Self::InsforgePlain => "insforge-plain",
        }
    }

    /// Appends the WebSocket frame that brings a publication to a subscriber.
    pub fn encode_publication(self, out: &mut Vec<u8>, message: &MessageView<'_>) {
        match self {
            Self::Cohesivity => cohesivity::frame_message(out, message),
            Self::Infrai => infrai::frame_message(out, message),
            Self::Insforge => insforge::socket::frame_message(out, message),
            Self::InsforgePlain => insforge::plain::frame_message(out, message),
        }
    }
}
