//! What an Infrai client has beside what every client has: what its token allows, and its frames that wait for an answer.

use std::collections::VecDeque;
use std::sync::Arc;

use protocol::dialect::infrai::{Metadata, Source, VENDOR};
use protocol::{KeptId, Permit};

use super::tickets::Surface;
use crate::ids::{ChannelKey, SubscriptionId};

/// See the module.
#[derive(Debug)]
pub struct InfraiClient {
    /// What its token allows.
    pub permit: Permit,
    /// Whether a frame waits for what the seat says of its channel: those behind it stay unread, so that none overtakes.
    pub waits: bool,
    asks: VecDeque<Ask>,
    next_ticket: u32,
}

/// A frame that waits for its answer.
#[derive(Debug)]
pub struct Ask {
    /// What it asks for.
    pub about: About,
    /// What the client calls it.
    pub id: Option<KeptId>,
}

/// What a frame asks for.
#[derive(Debug)]
pub enum About {
    /// To publish in a channel. The home's answer has the number.
    Publish(u32, Arc<ChannelKey>),
    /// To listen to a channel.
    Subscribe(SubscriptionId),
}

impl Surface {
    /// The same of a request that costs so much.
    #[must_use]
    pub fn costing(self, micro_usd: u32) -> Self {
        match self {
            Self::Infrai { request_id, began_ms, .. } => {
                Self::Infrai { request_id, began_ms, cost_micro_usd: micro_usd }
            }
            Self::Cohesivity => self,
        }
    }

    /// What an envelope says beside its result, when this request was worked on.
    #[must_use]
    pub fn metadata(self, now_ms: u64) -> Metadata<'static> {
        let (request_id, latency_ms, cost_micro_usd) = match self {
            Self::Infrai { request_id, began_ms, cost_micro_usd } => {
                (request_id.0, now_ms.saturating_sub(began_ms), cost_micro_usd.into())
            }
            Self::Cohesivity => (0, 0, 0),
        };
        let source = Source::Work;
        Metadata { request_id, latency_ms, cost_micro_usd, vendor: VENDOR, source }
    }
}

impl InfraiClient {
    /// A client that has asked for nothing.
    #[must_use]
    pub fn new(permit: Permit) -> Self {
        Self { permit, waits: false, asks: VecDeque::new(), next_ticket: 0 }
    }

    /// How many frames wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.asks.len()
    }

    /// A publish waits. Returns the number of its answer.
    pub fn wait_for_publish(&mut self, channel: &Arc<ChannelKey>, id: Option<KeptId>) -> u32 {
        let ticket = self.next_ticket;
        self.next_ticket = ticket.wrapping_add(1);
        let about = About::Publish(ticket, Arc::clone(channel));
        self.asks.push_back(Ask { about, id });
        ticket
    }

    /// A subscribe waits.
    pub fn wait_for_join(&mut self, subscription: SubscriptionId, id: Option<KeptId>) {
        self.asks.push_back(Ask { about: About::Subscribe(subscription), id });
    }

    /// The answer to a publish came.
    pub fn published(&mut self, answered: u32) -> Option<(Arc<ChannelKey>, Option<KeptId>)> {
        let place = self.asks.iter().position(|it| match it.about {
            About::Publish(ticket, _) => ticket == answered,
            About::Subscribe(_) => false,
        })?;
        let Ask { about, id } = self.asks.remove(place)?;
        match about {
            About::Publish(_, channel) => Some((channel, id)),
            About::Subscribe(_) => None,
        }
    }

    /// The answer to a subscription came, or none will: what the clients calls its frames for it, oldest first.
    pub fn joined(&mut self, subscription: SubscriptionId) -> Vec<Option<KeptId>> {
        let mut ids = Vec::new();
        self.asks.retain_mut(|it| match it.about {
            About::Subscribe(id) if id == subscription => {
                ids.push(it.id.take());
                false
            }
            About::Subscribe(_) | About::Publish(..) => true,
        });
        ids
    }

    /// A subscription took the place of another: its answer is for the frames of both.
    pub fn rejoin(&mut self, old: SubscriptionId, new: SubscriptionId) {
        for it in &mut self.asks {
            if let About::Subscribe(id) = &mut it.about
                && *id == old
            {
                *id = new;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::Capabilities;

    use super::*;
    use crate::ids::TenantId;

    #[test]
    fn every_answer_finds_its_frames_in_any_order() {
        let permit = Permit { capabilities: Capabilities::SUBSCRIBE, channels: None };
        let mut client = InfraiClient::new(permit);
        let key = |name| Arc::new(ChannelKey::new(TenantId(0), name));
        let (old, new) = (SubscriptionId(1), SubscriptionId(2));
        client.wait_for_join(old, None);
        let first = client.wait_for_publish(&key("a"), None);
        let second = client.wait_for_publish(&key("b"), None);
        client.rejoin(old, new);
        client.wait_for_join(new, None);
        assert_eq!(client.waiting(), 4);
        assert_eq!(client.published(second).map(|it| it.0), Some(key("b")));
        assert!(client.joined(old).is_empty());
        assert_eq!(client.joined(new).len(), 2);
        assert_eq!(client.published(first).map(|it| it.0), Some(key("a")));
        assert!(client.published(first).is_none());
        assert_eq!(client.waiting(), 0);
    }
}
