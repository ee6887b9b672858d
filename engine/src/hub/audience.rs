//! Subscribers that get the same frames: those of one dialect, and of one view of who is there.

use protocol::dialect::Dialect;

/// See the module.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Audience {
    /// Clients that speak Cohesivity. Each is shown to the others.
    Cohesivity,
    /// Clients that speak Infrai, whose tokens say nothing of presence.
    Infrai,
    /// Those whose tokens do: they see who is there, and are seen.
    InfraiMembers,
    /// Those of [`Audience::Infrai`] who still get what they missed, and nothing live before that.
    InfraiBehind,
    /// Those of [`Audience::InfraiMembers`] who do; of who is there they hear.
    InfraiMembersBehind,
}

impl Audience {
    /// All of them, those of one dialect side by side.
    pub const ALL: [Self; 5] = [
        Self::Cohesivity,
        Self::Infrai,
        Self::InfraiMembers,
        Self::InfraiBehind,
        Self::InfraiMembersBehind,
    ];

    /// What they speak.
    #[must_use]
    pub fn dialect(self) -> Dialect {
        match self {
            Self::Cohesivity => Dialect::Cohesivity,
            Self::Infrai | Self::InfraiMembers | Self::InfraiBehind | Self::InfraiMembersBehind => {
                Dialect::Infrai
            }
        }
    }

    /// Whether they are shown who is there, and are shown themselves.
    #[must_use]
    pub fn has_members(self) -> bool {
        match self {
            Self::Cohesivity | Self::InfraiMembers | Self::InfraiMembersBehind => true,
            Self::Infrai | Self::InfraiBehind => false,
        }
    }

    /// Whether they get what is published.
    #[must_use]
    pub fn has_messages(self) -> bool {
        match self {
            Self::Cohesivity | Self::Infrai | Self::InfraiMembers => true,
            Self::InfraiBehind | Self::InfraiMembersBehind => false,
        }
    }

    /// The same subscribers, while they still get what they missed.
    #[must_use]
    pub fn behind(self) -> Self {
        match self {
            Self::Cohesivity => Self::Cohesivity, // its clients read what they missed over HTTP
            Self::Infrai | Self::InfraiBehind => Self::InfraiBehind,
            Self::InfraiMembers | Self::InfraiMembersBehind => Self::InfraiMembersBehind,
        }
    }
}
