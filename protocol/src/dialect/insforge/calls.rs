//! The paths of InsForge. A call is one row.

use crate::engineio;
use crate::http::Method;

/// What a request is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Call {
    /// Engine.IO: see `engineio::decode_ask`. A post brings packets, a get fetches some, opens a session or a WebSocket.
    Engine,
    /// The WebSocket of the documents.
    PlainSocket,
    /// All channels, the newest first.
    ChannelList,
    /// Make a channel.
    ChannelCreate,
    /// One channel; see `rest::decode_channel_id`.
    ChannelGet,
    /// Change a channel.
    ChannelUpdate,
    /// Take a channel away. Its messages stay.
    ChannelDelete,
    /// Messages, the newest first.
    MessageList,
    /// Take away all messages that there are now.
    MessageDelete,
    /// What was published, counted.
    MessageStats,
    /// How long messages are kept.
    ConfigGet,
    /// Change how long messages are kept.
    ConfigUpdate,
    /// The policies.
    PermissionsGet,
    /// Replace the policies.
    PermissionsReplace,
    /// The key of browsers.
    AnonKey,
    /// The same, by its older name.
    AnonToken,
    /// The public keys whose tokens are accepted.
    KeySet,
}

/// Method, path and call, as the router's table has them.
pub const CALLS: [(Method, &str, Call); 19] = [
    (Method::Get, engineio::PATH, Call::Engine),
    (Method::Post, engineio::PATH, Call::Engine),
    (Method::Get, "/realtime", Call::PlainSocket),
    (Method::Get, "/api/realtime/channels", Call::ChannelList),
    (Method::Post, "/api/realtime/channels", Call::ChannelCreate),
    (Method::Get, "/api/realtime/channels/{id}", Call::ChannelGet),
    (Method::Put, "/api/realtime/channels/{id}", Call::ChannelUpdate),
    (Method::Delete, "/api/realtime/channels/{id}", Call::ChannelDelete),
    (Method::Get, "/api/realtime/messages", Call::MessageList),
    (Method::Delete, "/api/realtime/messages", Call::MessageDelete),
    (Method::Get, "/api/realtime/messages/stats", Call::MessageStats),
    (Method::Get, "/api/realtime/config", Call::ConfigGet),
    (Method::Patch, "/api/realtime/config", Call::ConfigUpdate),
    (Method::Get, "/api/realtime/permissions", Call::PermissionsGet),
    (Method::Put, "/api/realtime/permissions", Call::PermissionsReplace),
    (Method::Get, "/api/metadata/anon-key", Call::AnonKey),
    (Method::Post, "/api/auth/tokens/anon", Call::AnonToken),
    (Method::Get, "/.well-known/jwks.json", Call::KeySet),
    (Method::Get, "/api/.well-known/jwks.json", Call::KeySet),
];

impl Call {
    /// Whether only an administrator may make it; the others ask for credentials of their own, or for none.
    #[must_use]
    pub fn is_for_admins(self) -> bool {
        match self {
            Self::Engine | Self::PlainSocket | Self::KeySet => false,
            Self::ChannelList
            | Self::ChannelCreate
            | Self::ChannelGet
            | Self::ChannelUpdate
            | Self::ChannelDelete
            | Self::MessageList
            | Self::MessageDelete
            | Self::MessageStats
            | Self::ConfigGet
            | Self::ConfigUpdate
            | Self::PermissionsGet
            | Self::PermissionsReplace
            | Self::AnonKey
            | Self::AnonToken => true,
        }
    }
}
