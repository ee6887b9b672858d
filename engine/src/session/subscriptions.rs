//! The channels that one client listens to: one for most, and then without memory of their own.

use std::sync::Arc;

use crate::broker::Member;
use crate::hub::{Audience, GroupId, Seat};
use crate::ids::{ChannelKey, Offset, SubscriptionId};

/// A channel that a client listens to.
#[derive(Debug)]
pub struct Subscription {
    /// The channel.
    pub channel: Arc<ChannelKey>,
    /// Which subscription: a late answer to an ended one carries another id.
    pub id: SubscriptionId,
    /// How far it is.
    pub stage: Stage,
    /// What the client gets of it.
    pub audience: Audience,
    /// As whom its home counts it; `None` who is not shown to others.
    pub shown: Option<Arc<Member>>,
}

/// How far a subscription is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// Its channel's home was asked.
    Joining,
    /// It has a place in the fan-out.
    Live(Seat),
    /// It still gets what it missed.
    Behind {
        /// Its place among those who do.
        seat: Seat,
        /// What the next part follows; `None` while that is asked for.
        next: Option<Offset>,
    },
    /// Its home did not take it, and is told that it ended with the next request there is.
    Refused,
}

impl Subscription {
    /// The group that it sits in.
    #[must_use]
    pub fn group(&self) -> Option<GroupId> {
        self.seat().map(|seat| seat.group)
    }

    /// Its place in the fan-out.
    #[must_use]
    pub fn seat(&self) -> Option<Seat> {
        match self.stage {
            Stage::Live(seat) | Stage::Behind { seat, .. } => Some(seat),
            Stage::Joining | Stage::Refused => None,
        }
    }

    /// Its place in the fan-out has changed.
    pub fn move_to(&mut self, place: Seat) {
        match &mut self.stage {
            Stage::Live(seat) | Stage::Behind { seat, .. } => *seat = place,
            Stage::Joining | Stage::Refused => {}
        }
    }
}

/// All subscriptions of a client, in the order in which they came. At most one a channel.
#[derive(Debug, Default)]
pub struct Subscriptions(Few);

#[derive(Debug, Default)]
enum Few {
    #[default]
    None,
    One(Subscription),
    Many(Vec<Subscription>),
}

impl Subscriptions {
    /// Those that there are.
    #[must_use]
    pub fn list(&self) -> &[Subscription] {
        match &self.0 {
            Few::None => &[],
            Few::One(it) => std::slice::from_ref(it),
            Few::Many(all) => all,
        }
    }

    /// Those that there are.
    pub fn list_mut(&mut self) -> &mut [Subscription] {
        match &mut self.0 {
            Few::None => &mut [],
            Few::One(it) => std::slice::from_mut(it),
            Few::Many(all) => all,
        }
    }

    /// Adds one; its channel has none yet.
    pub fn add(&mut self, subscription: Subscription) {
        self.0 = match std::mem::take(&mut self.0) {
            Few::None => Few::One(subscription),
            Few::One(first) => Few::Many(vec![first, subscription]),
            Few::Many(mut all) => {
                all.push(subscription);
                Few::Many(all)
            }
        };
    }

    /// Takes the one of a channel out.
    pub fn remove(&mut self, channel: &ChannelKey) -> Option<Subscription> {
        let place = self.list().iter().position(|it| *it.channel == *channel)?;
        match std::mem::take(&mut self.0) {
            Few::None => None,
            Few::One(it) => Some(it),
            Few::Many(mut all) => {
                let gone = all.remove(place);
                self.0 = match all.len() {
                    1 => all.pop().map_or(Few::None, Few::One),
                    _ => Few::Many(all),
                };
                Some(gone)
            }
        }
    }

    /// The one of a channel.
    #[must_use]
    pub fn of(&self, channel: &ChannelKey) -> Option<&Subscription> {
        self.list().iter().find(|it| *it.channel == *channel)
    }

    /// The one of a channel.
    pub fn of_mut(&mut self, channel: &ChannelKey) -> Option<&mut Subscription> {
        self.list_mut().iter_mut().find(|it| *it.channel == *channel)
    }

    /// The one of an id.
    pub fn by_id(&mut self, id: SubscriptionId) -> Option<&mut Subscription> {
        self.list_mut().iter_mut().find(|it| it.id == id)
    }

    /// The one that sits in a group.
    pub fn in_group(&mut self, group: GroupId) -> Option<&mut Subscription> {
        self.list_mut().iter_mut().find(|it| it.group() == Some(group))
    }

    /// The groups that they sit in.
    pub fn groups(&self) -> impl Iterator<Item = GroupId> + '_ {
        self.list().iter().filter_map(Subscription::group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::TenantId;

    fn key(name: &str) -> Arc<ChannelKey> {
        Arc::new(ChannelKey::new(TenantId(0), name))
    }

    fn with(names: &[&str]) -> Subscriptions {
        let mut all = Subscriptions::default();
        for (id, name) in (0..).zip(names) {
            all.add(Subscription {
                channel: key(name),
                id: SubscriptionId(id),
                stage: Stage::Joining,
                audience: Audience::Cohesivity,
                shown: None,
            });
        }
        all
    }

    fn names(all: &Subscriptions) -> Vec<&str> {
        all.list().iter().map(|it| it.channel.name()).collect()
    }

    #[test]
    fn they_keep_their_order_from_none_to_many_and_back() {
        let mut all = with(&["a", "b", "c"]);
        assert_eq!(names(&all), ["a", "b", "c"]);
        assert_eq!(all.remove(&key("b")).map(|it| it.id), Some(SubscriptionId(1)));
        assert_eq!(names(&all), ["a", "c"]);
        assert!(all.remove(&key("b")).is_none());
        assert!(all.remove(&key("a")).is_some());
        assert_eq!(names(&all), ["c"]);
        assert_eq!(all.by_id(SubscriptionId(2)).map(|it| it.id), Some(SubscriptionId(2)));
        assert!(all.remove(&key("c")).is_some());
        assert!(names(&all).is_empty() && all.of(&key("c")).is_none());
    }

    #[test]
    fn one_takes_no_more_memory_than_its_fields() {
        assert!(size_of::<Subscriptions>() <= size_of::<Subscription>() + 8);
    }
}
