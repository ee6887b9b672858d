//! Calls that publish for one HTTP connection, in the order in which it asked: none sends its messages before those in front of
//! it have, however many steps each takes before that. The rest of their steps they do side by side.

use hashbrown::HashMap;

use crate::hasher::ShardHasher;
use crate::ids::{CallId, ConnId};
use crate::planted::{self, Fault};

/// The lines of all connections of a shard. A line outlives its connection, as its calls do.
#[derive(Debug)]
pub(super) struct Lines {
    places: HashMap<CallId, Place, ShardHasher>,
    /// The last of each line.
    ends: HashMap<ConnId, CallId, ShardHasher>,
}

#[derive(Debug)]
struct Place {
    conn: ConnId,
    front: Option<CallId>,
    behind: Option<CallId>,
    /// Whether it is done with everything before its messages.
    waits: bool,
}

impl Lines {
    pub(super) fn new(hasher: ShardHasher) -> Self {
        Self { places: HashMap::with_hasher(hasher.clone()), ends: HashMap::with_hasher(hasher) }
    }

    /// Whether a connection has a call that is still to send its messages.
    pub(super) fn has(&self, conn: ConnId) -> bool {
        self.ends.contains_key(&conn) && !planted::is(Fault::PublishOvertakes)
    }

    /// Lines a call up.
    pub(super) fn join(&mut self, call: CallId, conn: ConnId) {
        let front = self.ends.insert(conn, call);
        if let Some(place) = front.and_then(|it| self.places.get_mut(&it)) {
            place.behind = Some(call);
        }
        self.places.insert(call, Place { conn, front, behind: None, waits: false });
    }

    /// Whether a call may send its messages. If not it waits until [`Lines::leave`] names it.
    pub(super) fn may_send(&mut self, call: CallId) -> bool {
        let Some(place) = self.places.get_mut(&call) else { return true };
        place.waits = place.front.is_some() && !planted::is(Fault::PublishOvertakes);
        !place.waits
    }

    /// A call has sent its messages, or never will. Returns who waited for that alone.
    pub(super) fn leave(&mut self, call: CallId) -> Option<CallId> {
        let Place { conn, front, behind, .. } = self.places.remove(&call)?;
        if let Some(place) = front.and_then(|it| self.places.get_mut(&it)) {
            place.behind = behind;
        }
        let Some(behind) = behind else {
            match front {
                Some(front) => self.ends.insert(conn, front),
                None => self.ends.remove(&conn),
            };
            return None;
        };
        let place = self.places.get_mut(&behind)?;
        place.front = front;
        (place.waits && front.is_none()).then_some(behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hasher;

    fn lines() -> (Lines, ConnId) {
        let (mut lines, conn) = (Lines::new(hasher::seeded(1)), ConnId { slot: 1, generation: 0 });
        (1..=3).for_each(|it| lines.join(CallId(it), conn));
        (lines, conn)
    }

    #[test]
    fn whoever_is_behind_waits_for_all_in_front() {
        let (mut lines, conn) = lines();
        assert!(!lines.may_send(CallId(3)) && !lines.may_send(CallId(2)));
        assert!(lines.may_send(CallId(1)));
        assert_eq!(lines.leave(CallId(1)), Some(CallId(2)));
        assert!(lines.may_send(CallId(2)) && lines.has(conn));
        assert_eq!(lines.leave(CallId(2)), Some(CallId(3)));
        assert_eq!(lines.leave(CallId(3)), None);
        assert!(!lines.has(conn) && lines.places.is_empty());
    }

    #[test]
    fn who_leaves_from_the_middle_lets_nobody_overtake_the_first() {
        let (mut lines, conn) = lines();
        assert!(!lines.may_send(CallId(3)));
        assert_eq!(lines.leave(CallId(2)), None);
        assert!(!lines.may_send(CallId(3)));
        assert_eq!(lines.leave(CallId(1)), Some(CallId(3)));
        assert_eq!(lines.leave(CallId(3)), None);
        assert!(!lines.has(conn));
    }

    #[test]
    fn who_leaves_from_the_end_leaves_the_others_in_line() {
        let (mut lines, conn) = lines();
        assert_eq!(lines.leave(CallId(3)), None);
        assert!(lines.has(conn));
        lines.join(CallId(4), conn);
        assert!(!lines.may_send(CallId(4)));
        assert_eq!(lines.leave(CallId(1)), None);
        assert_eq!(lines.leave(CallId(2)), Some(CallId(4)));
        assert!(lines.may_send(CallId(9)), "who is in no line waits for nobody");
    }

    #[test]
    fn connections_do_not_wait_for_each_other() {
        let (mut lines, _) = lines();
        let other = ConnId { slot: 2, generation: 0 };
        assert!(!lines.has(other));
        lines.join(CallId(7), other);
        assert!(lines.may_send(CallId(7)));
    }
}
