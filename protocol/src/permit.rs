//! What a token allows: to do what, on which channels.

/// Who may use a channel without being named for it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum ChannelType {
    /// Every token of the tenant that names no channels.
    #[default]
    Public,
    /// Tokens that name it.
    Private,
    /// Tokens that name it; who is there is part of it.
    Presence,
}

impl ChannelType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Public, Self::Private, Self::Presence];

    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Presence => "presence",
        }
    }

    /// The type of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

/// One thing that a client may do on a channel.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Capability {
    /// Hear what is published.
    Subscribe,
    /// Publish.
    Publish,
    /// See who is there, and be seen.
    Presence,
    /// Read what was published before.
    History,
}

impl Capability {
    /// All of them, in the order in which sets are written down.
    pub const ALL: [Self; 4] = [Self::Subscribe, Self::Publish, Self::Presence, Self::History];

    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
            Self::Presence => "presence",
            Self::History => "history",
        }
    }

    /// The capability of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Capabilities(u8);

impl Capabilities {
    /// What a token has whose request names none.
    pub const SUBSCRIBE: Self = Self(1 << Capability::Subscribe as u8);

    /// The set with one more.
    #[must_use]
    pub const fn with(self, capability: Capability) -> Self {
        Self(self.0 | 1 << capability as u8)
    }

    /// Whether it has this one.
    #[must_use]
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & (1 << capability as u8) != 0
    }

    /// Its capabilities, each once.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |it| self.has(*it))
    }
}

/// What a token allows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Permit {
    /// What may be done.
    pub capabilities: Capabilities,
    /// On which channels: names, and beginnings of names with a `*` behind them. `None`: on every public channel.
    pub channels: Option<Box<[Box<str>]>>,
}

impl Permit {
    /// Whether this may be done on a channel of that type.
    #[must_use]
    pub fn allows(&self, capability: Capability, channel: &str, of: ChannelType) -> bool {
        if !self.capabilities.has(capability) {
            return false;
        }
        match &self.channels {
            None => of == ChannelType::Public,
            Some(patterns) => patterns.iter().any(|pattern| covers(pattern, channel)),
        }
    }
}

/// Whether a name is the pattern, or begins like one that ends with `*`.
fn covers(pattern: &str, channel: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => channel.starts_with(beginning),
        None => pattern == channel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permit(channels: Option<&[&str]>) -> Permit {
        let channels = channels.map(|it| it.iter().map(|name| Box::from(*name)).collect());
        Permit { capabilities: Capabilities::SUBSCRIBE.with(Capability::History), channels }
    }

    fn check(channels: Option<&[&str]>, channel: &str, of: ChannelType, expected: bool) {
        let permit = permit(channels);
        let text = format!("{channels:?} on {of:?} {channel}");
        assert_eq!(permit.allows(Capability::Subscribe, channel, of), expected, "{text}");
        assert_eq!(permit.allows(Capability::History, channel, of), expected, "{text}");
        assert!(!permit.allows(Capability::Publish, channel, of), "{text}");
        assert!(!permit.allows(Capability::Presence, channel, of), "{text}");
    }

    #[test]
    fn a_token_without_channels_has_the_public_ones() {
        check(None, "room", ChannelType::Public, true);
        check(None, "room", ChannelType::Private, false);
        check(None, "room", ChannelType::Presence, false);
        check(Some(&[]), "room", ChannelType::Public, false);
    }

    #[test]
    fn a_channel_is_named_or_begins_like_a_name_with_a_star() {
        for of in ChannelType::ALL {
            check(Some(&["a", "room-42"]), "room-42", of, true);
            check(Some(&["room-42"]), "room-421", of, false);
            check(Some(&["room-42"]), "room-4", of, false);
            check(Some(&["Room-42"]), "room-42", of, false);
            check(Some(&["room-*"]), "room-", of, true);
            check(Some(&["room-*"]), "room-42:x", of, true);
            check(Some(&["room-*"]), "room", of, false);
            check(Some(&["*"]), "anything", of, true);
            check(Some(&["a*b"]), "axb", of, false);
            check(Some(&["a*b"]), "a*b", of, true);
            check(Some(&["a**"]), "a*x", of, true);
            check(Some(&["a**"]), "ax", of, false);
        }
    }

    #[test]
    fn names_come_back() {
        for each in ChannelType::ALL {
            assert_eq!(ChannelType::parse(each.name()), Some(each));
        }
        for each in Capability::ALL {
            assert_eq!(Capability::parse(each.name()), Some(each));
            assert_eq!(Capabilities::default().with(each).iter().collect::<Vec<_>>(), [each]);
        }
        assert_eq!(ChannelType::parse("Public"), None);
        assert_eq!(Capability::parse(""), None);
    }
}
