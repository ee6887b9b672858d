//! What calls cost their tenant, where a node counts that: millionths of a dollar, of the credit that its plan holds.

/// What may cost something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Priced {
    /// A token that is made for a client.
    TokenIssue,
    /// A token that is revoked.
    TokenRevoke,
    /// A channel that is asked for.
    ChannelCreate,
    /// A look at a channel.
    ChannelGet,
    /// A page of channels.
    ChannelList,
    /// A channel that is deleted.
    ChannelDelete,
    /// One message that is published, alone, in a batch or on a socket.
    Publish,
    /// A look at who is there.
    PresenceGet,
    /// A client that is disconnected.
    UserDisconnect,
    /// A signature of a vendor.
    AuthSign,
}

/// How many kinds there are.
const KINDS: usize = 10;

/// A cost for each of them, in millionths of a dollar.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Costs {
    micro_usd: [u32; KINDS],
}

impl Costs {
    /// Sets the cost of one thing.
    pub fn set(&mut self, what: Priced, micro_usd: u32) {
        if let Some(it) = self.micro_usd.get_mut(what as usize) {
            *it = micro_usd;
        }
    }

    /// What one thing costs.
    #[must_use]
    pub fn of(&self, what: Priced) -> u32 {
        self.micro_usd.get(what as usize).copied().unwrap_or_default()
    }
}
