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
}

impl Audience {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cohesivity, Self::Infrai, Self::InfraiMembers];

    /// What they speak.
    #[must_use]
    pub fn dialect(self) -> Dialect {
        match self {
            Self::Cohesivity => Dialect::Cohesivity,
            Self::Infrai | Self::InfraiMembers => Dialect::Infrai,
        }
    }

    /// Whether they are shown who is there, and are shown themselves.
    #[must_use]
    pub fn has_members(self) -> bool {
        match self {
            Self::Cohesivity | Self::InfraiMembers => true,
            Self::Infrai => false,
        }
    }
}
