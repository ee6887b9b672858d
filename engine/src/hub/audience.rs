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
    /// Clients that speak InsForge as its SDK does. Each is shown to the others.
    Insforge,
    /// Clients on the WebSocket of InsForge's documents: they see who is there, and are seen only where they say so.
    InsforgePlain,
    /// Those of [`Audience::InsforgePlain`] who want some of the messages alone: each is asked about each, and what it does not want is
    /// cut out of what it gets.
    InsforgeFiltered,
}

impl Audience {
    /// All of them, those of one dialect side by side.
    pub const ALL: [Self; 8] = [
        Self::Cohesivity,
        Self::Infrai,
        Self::InfraiMembers,
        Self::InfraiBehind,
        Self::InfraiMembersBehind,
        Self::Insforge,
        Self::InsforgePlain,
        Self::InsforgeFiltered,
    ];

    /// What they speak.
    #[must_use]
    pub fn dialect(self) -> Dialect {
        match self {
            Self::Cohesivity => Dialect::Cohesivity,
            Self::Infrai | Self::InfraiMembers | Self::InfraiBehind | Self::InfraiMembersBehind => {
                Dialect::Infrai
            }
            Self::Insforge => Dialect::Insforge,
            Self::InsforgePlain | Self::InsforgeFiltered => Dialect::InsforgePlain,
        }
    }

    /// Whether they are shown who is there.
    #[must_use]
    pub fn sees_members(self) -> bool {
        match self {
            Self::Cohesivity
            | Self::InfraiMembers
            | Self::InfraiMembersBehind
            | Self::Insforge
            | Self::InsforgePlain
            | Self::InsforgeFiltered => true,
            Self::Infrai | Self::InfraiBehind => false,
        }
    }

    /// Whether they all get what is published, in the same frames.
    #[must_use]
    pub fn has_messages(self) -> bool {
        match self {
            Self::Cohesivity
            | Self::Infrai
            | Self::InfraiMembers
            | Self::Insforge
            | Self::InsforgePlain => true,
            Self::InfraiBehind | Self::InfraiMembersBehind | Self::InsforgeFiltered => false,
        }
    }

    /// The same subscribers, while they still get what they missed.
    #[must_use]
    pub fn behind(self) -> Self {
        match self {
            // Their clients read what they missed over HTTP.
            Self::Cohesivity | Self::Insforge | Self::InsforgePlain | Self::InsforgeFiltered => {
                self
            }
            Self::Infrai | Self::InfraiBehind => Self::InfraiBehind,
            Self::InfraiMembers | Self::InfraiMembersBehind => Self::InfraiMembersBehind,
        }
    }
}
