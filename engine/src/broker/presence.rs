//! Who is on a channel: one member per user id, counted over its subscriptions.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::planted::{self, Fault};

/// One user, as the others see it.
#[derive(Debug, Eq, PartialEq)]
pub struct Member {
    /// Unique within the tenant.
    pub id: Box<str>,
    /// What to show.
    pub name: Option<Box<str>>,
    /// Whose client it is, where that was said as well.
    pub user_id: Option<Box<str>>,
}

/// The members of one channel. Ordered by id, so that a snapshot never depends on a hash.
#[derive(Debug, Default)]
pub struct Presence {
    members: BTreeMap<Box<str>, Entry>,
    /// The last snapshot, until somebody comes or goes.
    snapshot: Option<Arc<[Arc<Member>]>>,
}

#[derive(Debug)]
struct Entry {
    member: Arc<Member>,
    /// Invariant: never zero.
    subscriptions: u32,
}

impl Presence {
    /// Counts one more subscription of the member. True when it is the member's first.
    pub fn join(&mut self, member: &Arc<Member>) -> bool {
        if let Some(entry) = self.members.get_mut(&member.id) {
            entry.subscriptions += 1;
            return false;
        }
        let entry = Entry { member: Arc::clone(member), subscriptions: 1 };
        self.members.insert(member.id.clone(), entry);
        self.snapshot = None;
        true
    }

    /// Counts one subscription less. Returns the member, as it was shown, when that was its last.
    pub fn leave(&mut self, id: &str) -> Option<Arc<Member>> {
        let entry = self.members.get_mut(id)?;
        entry.subscriptions -= 1;
        if entry.subscriptions > 0 && !planted::is(Fault::LeaveOnAnyClose) {
            return None;
        }
        self.snapshot = None;
        self.members.remove(id).map(|it| it.member)
    }

    /// The members in order of their ids, at most `listed_max` of them.
    pub fn snapshot(&mut self, listed_max: usize) -> Arc<[Arc<Member>]> {
        let members = &self.members;
        let snapshot = self.snapshot.get_or_insert_with(|| {
            members.values().take(listed_max).map(|it| Arc::clone(&it.member)).collect()
        });
        Arc::clone(snapshot)
    }

    /// Everyone who is there, in order of their ids.
    pub fn members(&self) -> impl Iterator<Item = &Arc<Member>> {
        self.members.values().map(|entry| &entry.member)
    }

    /// How many are there.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.members.len() as u64
    }

    /// Whether nobody is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str) -> Arc<Member> {
        Arc::new(Member { id: id.into(), name: None, user_id: None })
    }

    #[test]
    fn a_member_joins_with_its_first_subscription_and_leaves_with_its_last() {
        let mut presence = Presence::default();
        assert!(presence.join(&member("ada")));
        assert!(!presence.join(&member("ada")));
        assert_eq!(presence.leave("ada"), None);
        assert_eq!(presence.leave("ada"), Some(member("ada")));
        assert_eq!(presence.leave("ada"), None);
        assert!(presence.is_empty());
    }

    #[test]
    fn a_snapshot_is_ordered_current_and_limited() {
        let mut presence = Presence::default();
        for id in ["c", "a", "b"] {
            presence.join(&member(id));
        }
        let ids = |it: Arc<[Arc<Member>]>| it.iter().map(|m| m.id.to_string()).collect::<Vec<_>>();
        assert_eq!(ids(presence.snapshot(10)), ["a", "b", "c"]);
        presence.leave("a");
        assert_eq!(ids(presence.snapshot(1)), ["b"]);
    }
}
