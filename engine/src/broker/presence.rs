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
    /// Whether it is one connection of somebody without a name of their own.
    pub is_anonymous: bool,
    /// What it says of itself: a JSON object.
    pub state: Option<Box<[u8]>>,
}

/// A member, and since when it is there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Present {
    /// Who.
    pub member: Arc<Member>,
    /// When its first subscription came, by the wall clock.
    pub joined_at_ms: u64,
}

/// How a member comes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arrival {
    /// It was not there.
    First,
    /// It was, and says something else of itself.
    Again,
}

/// The members of one channel. Ordered by id, so that a snapshot never depends on a hash.
#[derive(Debug, Default)]
pub struct Presence {
    members: BTreeMap<Box<str>, Entry>,
    /// The last snapshot, until somebody comes or goes.
    snapshot: Option<Arc<[Present]>>,
}

#[derive(Debug)]
struct Entry {
    present: Present,
    /// Invariant: never zero.
    subscriptions: u32,
}

impl Presence {
    /// Counts one more subscription of the member, at this wall time. Returns the member when it is its first, or says something
    /// else of itself than before, and which of the two it is.
    pub fn join(&mut self, member: &Arc<Member>, now_ms: u64) -> Option<(Present, Arrival)> {
        if let Some(entry) = self.members.get_mut(&member.id) {
            entry.subscriptions += 1;
            let is_new = member.state.is_some() && member.state != entry.present.member.state;
            return is_new.then(|| {
                entry.present.member = Arc::clone(member);
                self.snapshot = None;
                (entry.present.clone(), Arrival::Again)
            });
        }
        let present = Present { member: Arc::clone(member), joined_at_ms: now_ms };
        let entry = Entry { present: present.clone(), subscriptions: 1 };
        self.members.insert(member.id.clone(), entry);
        self.snapshot = None;
        Some((present, Arrival::First))
    }

    /// Counts one subscription less. Returns the member, as it was shown, when that was its last.
    pub fn leave(&mut self, id: &str) -> Option<Present> {
        let entry = self.members.get_mut(id)?;
        entry.subscriptions -= 1;
        if entry.subscriptions > 0 && !planted::is(Fault::LeaveOnAnyClose) {
            return None;
        }
        self.snapshot = None;
        self.members.remove(id).map(|it| it.present)
    }

    /// The members in order of their ids, at most `listed_max` of them.
    pub fn snapshot(&mut self, listed_max: usize) -> Arc<[Present]> {
        let members = &self.members;
        let snapshot = self.snapshot.get_or_insert_with(|| {
            members.values().take(listed_max).map(|it| it.present.clone()).collect()
        });
        Arc::clone(snapshot)
    }

    /// Everyone who is there, in order of their ids.
    pub fn members(&self) -> impl Iterator<Item = &Arc<Member>> {
        self.members.values().map(|entry| &entry.present.member)
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
#[allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;

    fn member(id: &str) -> Arc<Member> {
        Arc::new(Member {
            id: id.into(),
            name: None,
            user_id: None,
            is_anonymous: false,
            state: None,
        })
    }

    #[test]
    fn a_member_joins_with_its_first_subscription_and_leaves_with_its_last() {
        let mut presence = Presence::default();
        let ada = Present { member: member("ada"), joined_at_ms: 5 };
        assert_eq!(presence.join(&member("ada"), 5), Some((ada.clone(), Arrival::First)));
        assert_eq!(presence.join(&member("ada"), 9), None);
        assert_eq!(presence.leave("ada"), None);
        assert_eq!(presence.leave("ada"), Some(ada));
        assert_eq!(presence.leave("ada"), None);
        assert!(presence.is_empty());
    }

    #[test]
    fn a_member_that_says_something_else_of_itself_is_told_of_again() {
        let of = |state: &str| {
            let Member { id, name, user_id, is_anonymous, .. } = &*member("ada");
            let (id, name, user_id) = (id.clone(), name.clone(), user_id.clone());
            let state = Some(state.as_bytes().into());
            Arc::new(Member { id, name, user_id, is_anonymous: *is_anonymous, state })
        };
        let mut presence = Presence::default();
        assert!(presence.join(&member("ada"), 5).is_some());
        let (present, arrival) = presence.join(&of("{}"), 9).unwrap();
        assert_eq!((present.joined_at_ms, arrival), (5, Arrival::Again));
        assert_eq!(presence.join(&of("{}"), 9), None);
        assert_eq!(presence.join(&member("ada"), 9), None);
        assert_eq!(presence.snapshot(1).first(), Some(&present));
    }

    #[test]
    fn a_snapshot_is_ordered_current_and_limited() {
        let mut presence = Presence::default();
        for id in ["c", "a", "b"] {
            presence.join(&member(id), 0);
        }
        let ids =
            |it: Arc<[Present]>| it.iter().map(|m| m.member.id.to_string()).collect::<Vec<_>>();
        assert_eq!(ids(presence.snapshot(10)), ["a", "b", "c"]);
        presence.leave("a");
        assert_eq!(ids(presence.snapshot(1)), ["b"]);
    }
}
