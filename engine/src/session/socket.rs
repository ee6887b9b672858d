//! A client on a WebSocket: who it is, and the channels it listens to.

use std::sync::Arc;

use protocol::dialect::Dialect;
use protocol::ws::{Reader, Role};

use super::asks::Asks;
use super::infrai::InfraiClient;
use super::insforge::InsforgeClient;
use super::subscriptions::Subscriptions;
use crate::broker::Member;
use crate::control::TokenId;
use crate::hub::GroupId;
use crate::ids::TenantId;
use crate::limits::Limits;

/// One client.
#[derive(Debug)]
pub struct SocketSession {
    /// Which language it speaks, and what that needs.
    pub speech: Speech,
    /// Whose client it is.
    pub tenant: TenantId,
    /// Who it is.
    pub member: Arc<Member>,
    /// What it listens to.
    pub subscriptions: Subscriptions,
    /// The reading half of its WebSocket.
    pub reader: Reader,
    /// Its publishes that the journal has not answered: what comes after them may not overtake (promise: order).
    pub unanswered: u32,
    /// What its token says, if it closes with it.
    pub lease: Option<Box<Lease>>,
    /// Whether its tenant's seat counts it.
    pub is_counted: bool,
    /// When a ping went out to which nothing has come; zero when none did.
    pub pinged_at_ms: u64,
    control: ControlRate,
    /// Whether it says again what it is told, and does nothing else.
    #[cfg(feature = "echo")]
    pub echoes: bool,
}

/// The token that a socket was opened with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lease {
    /// Which.
    pub token: TokenId,
    /// When it expires, on the monotonic clock.
    pub ends_at_ms: u64,
}

/// The language of a client.
#[derive(Debug)]
pub enum Speech {
    /// One channel, named when it connected.
    Cohesivity,
    /// Many channels, asked for one by one.
    Infrai(Box<InfraiClient>),
    /// The same; who it is comes in a frame.
    Insforge(Box<InsforgeClient>),
}

impl SocketSession {
    /// A client that just connected.
    #[must_use]
    pub fn new(speech: Speech, tenant: TenantId, member: Arc<Member>) -> Self {
        Self {
            speech,
            tenant,
            member,
            subscriptions: Subscriptions::default(),
            reader: Reader::new(Role::Server),
            unanswered: 0,
            lease: None,
            is_counted: false,
            pinged_at_ms: 0,
            control: ControlRate::default(),
            #[cfg(feature = "echo")]
            echoes: false,
        }
    }

    /// What its frames keep to: those of Engine.IO to `packets`.
    #[must_use]
    pub fn wire<'a>(
        &self,
        limits: &'a Limits,
        packets: &'a protocol::Limits,
    ) -> &'a protocol::Limits {
        #[cfg(feature = "echo")]
        if let Some(echo) = limits.echo.as_ref().filter(|_| self.echoes) {
            return echo;
        }
        match self.dialect() {
            Dialect::Insforge => packets,
            Dialect::Cohesivity | Dialect::Infrai | Dialect::InsforgePlain => &limits.wire,
        }
    }

    /// Which language it speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match &self.speech {
            Speech::Cohesivity => Dialect::Cohesivity,
            Speech::Infrai(_) => Dialect::Infrai,
            Speech::Insforge(client) => client.dialect(),
        }
    }

    /// What an Infrai client has beside.
    pub fn infrai(&mut self) -> Option<&mut InfraiClient> {
        match &mut self.speech {
            Speech::Infrai(client) => Some(client),
            Speech::Cohesivity | Speech::Insforge(_) => None,
        }
    }

    /// What an InsForge client has beside.
    pub fn insforge(&mut self) -> Option<&mut InsforgeClient> {
        match &mut self.speech {
            Speech::Insforge(client) => Some(client),
            Speech::Cohesivity | Speech::Infrai(_) => None,
        }
    }

    /// Of how many channels it wants some messages alone.
    #[must_use]
    pub fn filters(&self) -> usize {
        match &self.speech {
            Speech::Insforge(client) => client.filters(),
            Speech::Cohesivity | Speech::Infrai(_) => 0,
        }
    }

    /// Its frames that wait for their answers, where the dialect's frames have names.
    pub fn asks(&mut self) -> Option<&mut Asks> {
        match &mut self.speech {
            Speech::Infrai(client) => Some(&mut client.asks),
            Speech::Insforge(client) => Some(&mut client.asks),
            Speech::Cohesivity => None,
        }
    }

    /// Whether a frame waits, and those behind it with it.
    #[must_use]
    pub fn waits(&self) -> bool {
        match &self.speech {
            Speech::Infrai(client) => client.asks.waits,
            Speech::Insforge(client) => client.asks.waits,
            Speech::Cohesivity => false,
        }
    }

    /// The groups that it sits in.
    pub fn groups(&self) -> impl Iterator<Item = GroupId> + '_ {
        self.subscriptions.groups()
    }

    /// Counts a control frame. False when there were too many within a second.
    pub fn admit_control(&mut self, now_ms: u64, per_second_max: u8) -> bool {
        self.control.admit(now_ms, per_second_max)
    }
}

#[derive(Debug, Default)]
struct ControlRate {
    second: u32,
    count: u8,
}

impl ControlRate {
    #[expect(clippy::cast_possible_truncation, reason = "only whether the second changed matters")]
    fn admit(&mut self, now_ms: u64, per_second_max: u8) -> bool {
        let second = (now_ms / 1000) as u32;
        if second != self.second {
            *self = Self { second, count: 0 };
        }
        self.count = self.count.saturating_add(1);
        self.count <= per_second_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_frames_are_counted_by_the_second() {
        let mut rate = ControlRate::default();
        let admitted = (0..30).filter(|_| rate.admit(5_000, 20)).count();
        assert_eq!(admitted, 20);
        assert!(rate.admit(6_000, 20));
    }
}
