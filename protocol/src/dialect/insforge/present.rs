//! Who is in a channel.

use crate::auth::insforge::Identity;
use crate::dialect::write::{push_field, push_time_field};

/// What a member is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PresentKind {
    /// A user, once however many sockets they have.
    User,
    /// One socket of somebody without an account, or of a server.
    Anonymous,
}

impl PresentKind {
    /// What somebody is in a channel: a user by their token, whatever their role, and anyone else a socket.
    #[must_use]
    pub fn of(identity: &Identity) -> Self {
        match identity {
            Identity::User(_) => Self::User,
            Identity::Server | Identity::Anonymous => Self::Anonymous,
        }
    }

    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Anonymous => "anonymous",
        }
    }
}

/// One member of a channel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Present<'a> {
    /// What it is.
    pub kind: PresentKind,
    /// The id of the user, or of the socket.
    pub id: &'a str,
    /// When their first socket came, in milliseconds since 1970.
    pub joined_at_ms: u64,
}

/// Appends `{"type","presenceId","joinedAt"}`.
pub(super) fn push_present(out: &mut Vec<u8>, present: Present<'_>) {
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(present.kind.name().as_bytes());
    out.push(b'"');
    push_field(out, "presenceId", present.id);
    push_time_field(out, "joinedAt", present.joined_at_ms);
    out.push(b'}');
}
