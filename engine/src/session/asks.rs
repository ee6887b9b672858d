//! Frames of a client that wait for their answers. What a client calls them stays here: homes and seats answer with numbers.

use std::collections::VecDeque;
use std::sync::Arc;

use protocol::KeptId;

use crate::ids::{ChannelKey, SubscriptionId};

/// See the module.
#[derive(Debug, Default)]
pub struct Asks {
    /// Whether a frame waits for what the seat says: those behind it stay unread, so that none overtakes.
    pub waits: bool,
    list: VecDeque<Ask>,
    next_ticket: u32,
}

/// A frame that waits for its answer.
#[derive(Debug)]
struct Ask {
    /// What it asks for.
    about: About,
    /// What the client calls it.
    id: Option<KeptId>,
    /// Whether the client is still told.
    is_told: bool,
}

/// A publish whose answer came.
#[derive(Debug, Eq, PartialEq)]
pub struct PublishAsked {
    /// Where.
    pub channel: Arc<ChannelKey>,
    id: Option<KeptId>,
    is_told: bool,
}

impl PublishAsked {
    /// Where, and what the client calls it; `None` when it is told no more.
    #[must_use]
    pub fn told(self) -> Option<(Arc<ChannelKey>, Option<KeptId>)> {
        self.is_told.then_some((self.channel, self.id))
    }
}

/// What a frame asks for.
#[derive(Debug)]
enum About {
    /// To publish in a channel. The home's answer has the number.
    Publish(u32, Arc<ChannelKey>),
    /// To listen to a channel.
    Subscribe(SubscriptionId),
}

impl Asks {
    /// How many frames wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.list.len()
    }

    /// A publish waits. Returns the number of its answer.
    pub fn wait_for_publish(&mut self, channel: &Arc<ChannelKey>, id: Option<KeptId>) -> u32 {
        let ticket = self.next_ticket;
        self.next_ticket = ticket.wrapping_add(1);
        let about = About::Publish(ticket, Arc::clone(channel));
        self.list.push_back(Ask { about, id, is_told: true });
        ticket
    }

    /// A subscribe waits.
    pub fn wait_for_join(&mut self, subscription: SubscriptionId, id: Option<KeptId>) {
        self.list.push_back(Ask { about: About::Subscribe(subscription), id, is_told: true });
    }

    /// The client hears no answers to what it asked so far.
    pub fn hush(&mut self) {
        self.list.iter_mut().for_each(|it| it.is_told = false);
    }

    /// The answer to a publish came.
    pub fn published(&mut self, answered: u32) -> Option<PublishAsked> {
        let place = self.list.iter().position(|it| match it.about {
            About::Publish(ticket, _) => ticket == answered,
            About::Subscribe(_) => false,
        })?;
        let Ask { about, id, is_told } = self.list.remove(place)?;
        match about {
            About::Publish(_, channel) => Some(PublishAsked { channel, id, is_told }),
            About::Subscribe(_) => None,
        }
    }

    /// The answer to a subscription came, or none will: what the clients calls its frames for it, oldest first.
    pub fn joined(&mut self, subscription: SubscriptionId) -> Vec<Option<KeptId>> {
        let mut ids = Vec::new();
        self.list.retain_mut(|it| match it.about {
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
        for it in &mut self.list {
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
    use super::*;
    use crate::ids::TenantId;

    #[test]
    fn every_answer_finds_its_frames_in_any_order() {
        let mut client = Asks::default();
        let key = |name| Arc::new(ChannelKey::new(TenantId(0), name));
        let (old, new) = (SubscriptionId(1), SubscriptionId(2));
        client.wait_for_join(old, None);
        let first = client.wait_for_publish(&key("a"), None);
        let second = client.wait_for_publish(&key("b"), None);
        client.rejoin(old, new);
        client.wait_for_join(new, None);
        assert_eq!(client.waiting(), 4);
        assert_eq!(client.published(second).map(|it| it.channel), Some(key("b")));
        assert!(client.joined(old).is_empty());
        assert_eq!(client.joined(new).len(), 2);
        client.hush();
        let third = client.wait_for_publish(&key("c"), None);
        assert_eq!(client.published(first).map(PublishAsked::told), Some(None));
        assert_eq!(client.published(third).map(PublishAsked::told), Some(Some((key("c"), None))));

        assert!(client.published(first).is_none());
        assert_eq!(client.waiting(), 0);
    }
}
