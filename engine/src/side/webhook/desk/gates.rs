//! What waits for its turn on the node: calls, and reads. Pure: what comes out may begin.

use std::collections::VecDeque;
use std::sync::Arc;

use storage::{Publication, TenantId};

use super::Slot;
use crate::side::webhook::limits::WebhookLimits;
use crate::side::webhook::names::{Feed, Place};

/// A call of an endpoint.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) slot: Slot,
    pub(super) call: u64,
    pub(super) message: Arc<Publication>,
    pub(super) trust: Trust,
}

/// Whether an endpoint's last call went well.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Trust {
    Sound,
    Suspect,
}

/// Calls. Suspects have half of the room at most, so dead endpoints cannot take what the others need.
#[derive(Debug, Default)]
pub(super) struct Calls {
    sound: VecDeque<Call>,
    suspect: VecDeque<Call>,
    running: usize,
    running_suspect: usize,
}

impl Calls {
    pub(super) fn push(&mut self, call: Call) {
        match call.trust {
            Trust::Sound => self.sound.push_back(call),
            Trust::Suspect => self.suspect.push_back(call),
        }
    }

    /// The next one that may begin.
    pub(super) fn next(&mut self, calls_max: usize) -> Option<Call> {
        if self.running >= calls_max {
            return None;
        }
        let suspects_max = (calls_max / 2).max(1);
        let suspect = || (self.running_suspect < suspects_max).then_some(());
        let call = match self.sound.pop_front() {
            Some(call) => call,
            None => suspect().and_then(|()| self.suspect.pop_front())?,
        };
        self.running += 1;
        self.running_suspect += usize::from(call.trust == Trust::Suspect);
        Some(call)
    }

    pub(super) fn ended(&mut self, trust: Trust) {
        self.running = self.running.saturating_sub(1);
        if trust == Trust::Suspect {
            self.running_suspect = self.running_suspect.saturating_sub(1);
        }
    }

    /// Takes back what waits for an endpoint that is no more.
    pub(super) fn forget(&mut self, slot: Slot) {
        self.sound.retain(|it| it.slot != slot);
        self.suspect.retain(|it| it.slot != slot);
    }
}

/// A question to the journal.
#[derive(Debug)]
pub(super) enum Reading {
    /// How far the feeds of a tenant reach.
    Ends(TenantId),
    /// More of a feed.
    Slice { slot: Slot, feed: Feed, after: Place },
}

/// Reads. None begins while too much of what was read is still held.
#[derive(Debug, Default)]
pub(super) struct Reads {
    waiting: VecDeque<Reading>,
    running: usize,
    /// Bytes of messages that all endpoints hold.
    pub(super) held_bytes: usize,
}

impl Reads {
    pub(super) fn push(&mut self, reading: Reading) {
        self.waiting.push_back(reading);
    }

    /// The next one that may begin.
    pub(super) fn next(&mut self, limits: &WebhookLimits) -> Option<Reading> {
        let bytes = self.held_bytes + self.running * limits.slice_bytes_max;
        if self.running >= limits.reads_max || bytes >= limits.loaded_bytes_max {
            return None;
        }
        let reading = self.waiting.pop_front()?;
        self.running += 1;
        Some(reading)
    }

    pub(super) fn ended(&mut self) {
        self.running = self.running.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use storage::{ChannelKey, Draft, Epoch, MessageId};

    use super::*;

    fn call(call: u64, trust: Trust) -> Call {
        let channel = Arc::new(ChannelKey::new(TenantId(1), "a"));
        let message = Arc::new(Publication::new(&Draft {
            channel: &channel,
            epoch: Epoch(1),
            offset: None,
            id: MessageId(1),
            at_ms: 0,
            sender: "",
            sender_kind: storage::SenderKind::System,
            event: "",
            payload: b"1",
            idempotency: None,
        }));
        Call { slot: Slot(1), call, message, trust }
    }

    #[test]
    fn dead_endpoints_leave_half_of_the_room() {
        let mut calls = Calls::default();
        (0..100).for_each(|it| calls.push(call(it, Trust::Suspect)));
        let begun = std::iter::from_fn(|| calls.next(10)).count();
        assert_eq!(begun, 5);
        (0..100).for_each(|it| calls.push(call(it, Trust::Sound)));
        let begun = std::iter::from_fn(|| calls.next(10)).count();
        assert_eq!(begun, 5);
        calls.ended(Trust::Suspect);
        assert_eq!(calls.next(10).map(|it| it.trust), Some(Trust::Sound));
    }

    #[test]
    fn reads_wait_while_too_much_is_held() {
        let limits =
            WebhookLimits { loaded_bytes_max: 1_000, slice_bytes_max: 400, ..Default::default() };
        let mut reads = Reads::default();
        (0..9).for_each(|it| reads.push(Reading::Ends(TenantId(it))));
        assert_eq!(std::iter::from_fn(|| reads.next(&limits)).count(), 3);
        (0..3).for_each(|_| reads.ended());
        reads.held_bytes = 1_000;
        assert!(reads.next(&limits).is_none());
        reads.held_bytes = 999;
        assert!(reads.next(&limits).is_some());
    }
}
