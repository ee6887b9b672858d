//! A client on a WebSocket: who it is, and the channel it listens to.

use std::sync::Arc;

use protocol::dialect::Dialect;
use protocol::ws::{Reader, Role};

use crate::broker::Member;
use crate::control::TokenId;
use crate::hub::{GroupId, Seat};
use crate::ids::{ChannelKey, SubscriptionId, TenantId};

/// One client.
#[derive(Debug)]
pub struct SocketSession {
    /// Which language it speaks.
    pub dialect: Dialect,
    /// Whose client it is.
    pub tenant: TenantId,
    /// Who it is.
    pub member: Arc<Member>,
    /// What it listens to.
    pub subscription: Subscription,
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
}

/// The token that a socket was opened with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lease {
    /// Which.
    pub token: TokenId,
    /// When it expires, on the monotonic clock.
    pub ends_at_ms: u64,
}

/// A channel that a client listens to.
#[derive(Debug)]
pub struct Subscription {
    /// The channel.
    pub channel: Arc<ChannelKey>,
    /// Which subscription: a late answer to an ended one carries another id.
    pub id: SubscriptionId,
    /// Its place in the fan-out, once it is live.
    pub seat: Option<Seat>,
}

impl SocketSession {
    /// A client that just connected.
    #[must_use]
    pub fn new(dialect: Dialect, member: Arc<Member>, subscription: Subscription) -> Self {
        Self {
            dialect,
            tenant: subscription.channel.tenant(),
            member,
            subscription,
            reader: Reader::new(Role::Server),
            unanswered: 0,
            lease: None,
            is_counted: false,
            pinged_at_ms: 0,
            control: ControlRate::default(),
        }
    }

    /// The groups that it sits in.
    pub fn groups(&self) -> impl Iterator<Item = GroupId> + use<> {
        self.subscription.seat.map(|seat| seat.group).into_iter()
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
