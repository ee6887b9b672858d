//! Connections that get the next part of something once they have taken most of what waits for them.

use crate::ids::ConnId;

/// Those of a core, in the order in which they were named. Each is a connection, and stands here at most once for a subscription.
#[derive(Debug, Default)]
pub(super) struct Thirst(Vec<ConnId>);

impl Thirst {
    /// These got a part in the turn that was handed out.
    pub(super) fn note(&mut self, conns: &mut Vec<ConnId>) {
        self.0.append(conns);
    }

    /// The first that has room. One that is gone has, and nobody misses it.
    pub(super) fn next(&mut self, has_room: impl Fn(ConnId) -> bool) -> Option<ConnId> {
        let place = self.0.iter().position(|it| has_room(*it))?;
        Some(self.0.remove(place))
    }

    /// Whether none has. Room comes with a completion, which wakes the core.
    pub(super) fn is_quiet(&self, has_room: impl Fn(ConnId) -> bool) -> bool {
        !self.0.iter().any(|it| has_room(*it))
    }
}
