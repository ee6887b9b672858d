//! The twelve capabilities, by name.

/// One capability: what a call does, whichever of its paths it came by.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Operation {
    /// A token for a client.
    TokenIssue,
    /// A token is accepted no more.
    TokenRevoke,
    /// Make a channel.
    ChannelCreate,
    /// One channel.
    ChannelGet,
    /// All channels, page by page.
    ChannelList,
    /// Delete a channel.
    ChannelDelete,
    /// Publish one message.
    Publish,
    /// Publish many messages.
    PublishBatch,
    /// Who is on a channel.
    PresenceGet,
    /// Disconnect a client.
    UserDisconnect,
    /// Which kinds of events there are.
    EventTypes,
    /// A signature of a vendor.
    AuthSign,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::TokenIssue,
        Self::TokenRevoke,
        Self::ChannelCreate,
        Self::ChannelGet,
        Self::ChannelList,
        Self::ChannelDelete,
        Self::Publish,
        Self::PublishBatch,
        Self::PresenceGet,
        Self::UserDisconnect,
        Self::EventTypes,
        Self::AuthSign,
    ];

    /// Its id, as documents spell it.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::TokenIssue => "realtime.token.issue",
            Self::TokenRevoke => "realtime.token.revoke",
            Self::ChannelCreate => "realtime.channel.create",
            Self::ChannelGet => "realtime.channel.get",
            Self::ChannelList => "realtime.channel.list",
            Self::ChannelDelete => "realtime.channel.delete",
            Self::Publish => "realtime.publish",
            Self::PublishBatch => "realtime.publish.batch",
            Self::PresenceGet => "realtime.presence.get",
            Self::UserDisconnect => "realtime.user.disconnect",
            Self::EventTypes => "realtime.event.types",
            Self::AuthSign => "realtime.auth.sign",
        }
    }
}
