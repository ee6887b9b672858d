//! Idempotency: who has a key, what came of it, and who waits to hear it. A result is known for a day; what failed is not kept.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use hashbrown::HashMap;
use protocol::Rejection;

use super::catalog::{CatalogChange, Entry, key};
use super::round::Asker;
use crate::hasher::ShardHasher;
use crate::ids::{MessageId, Offset, TenantId};

/// Their table in the catalog.
pub const CLAIMS: &str = "claims";
/// How long a result is known.
pub(super) const KNOWN_MS: u64 = 24 * 3600 * 1000;

/// A key, hashed with the node's secret together with its tenant and operation.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ClaimKey(pub u64);

/// The request that came with a key, hashed likewise.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RequestHash(pub u64);

/// What came of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Settled {
    /// This answer. It is in the catalog.
    Answer(Box<[u8]>),
    /// A message with this place. It is in the journal, with the key in its record.
    Message(Placed),
}

/// A message that was published.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Placed {
    /// Its id.
    pub id: MessageId,
    /// Its place, if it was kept.
    pub offset: Option<Offset>,
    /// When.
    pub at_ms: u64,
}

/// What a key is to whoever comes with it.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Standing {
    /// Nobody had it: it is theirs now.
    Fresh,
    /// This came of it.
    Done(Settled),
    /// It came with another request.
    Conflict,
    /// Somebody has it: they hear later.
    Waits,
    /// Too many wait for it already.
    Crowded,
}

#[derive(Debug)]
enum State {
    /// Somebody works on it; the others wait for that, oldest first.
    Held(VecDeque<Asker>),
    Settled {
        at_ms: u64,
        result: Settled,
    },
}

#[derive(Debug)]
struct Claim {
    request: RequestHash,
    state: State,
}

/// All keys of a tenant.
#[derive(Debug)]
pub(super) struct Claims {
    by_key: HashMap<ClaimKey, Claim, ShardHasher>,
    /// Settled ones, oldest first: a start tells of them in any order.
    expiring: BinaryHeap<Reverse<(u64, ClaimKey)>>,
}

/// Who hears of a claim that ended.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Released {
    pub(super) waiters: VecDeque<Asker>,
}

impl Claims {
    pub(super) fn new(hasher: ShardHasher) -> Self {
        Self { by_key: HashMap::with_hasher(hasher), expiring: BinaryHeap::new() }
    }

    /// Says what the catalog or the journal has. What is older than a day is not taken.
    pub(super) fn restore(
        &mut self,
        key: ClaimKey,
        request: RequestHash,
        (at_ms, result): (u64, Settled),
        now_ms: u64,
    ) {
        if at_ms.saturating_add(KNOWN_MS) >= now_ms {
            self.by_key.insert(key, Claim { request, state: State::Settled { at_ms, result } });
            self.expiring.push(Reverse((at_ms, key)));
        }
    }

    /// Keys that are known.
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether a key is known.
    pub(super) fn has(&self, key: ClaimKey) -> bool {
        self.by_key.contains_key(&key)
    }

    /// Somebody comes with a key.
    pub(super) fn claim(
        &mut self,
        key: ClaimKey,
        request: RequestHash,
        asker: Asker,
        waiters_max: usize,
    ) -> Standing {
        let Some(claim) = self.by_key.get_mut(&key) else {
            self.by_key.insert(key, Claim { request, state: State::Held(VecDeque::new()) });
            return Standing::Fresh;
        };
        if claim.request != request {
            return Standing::Conflict;
        }
        match &mut claim.state {
            State::Settled { result, .. } => Standing::Done(result.clone()),
            State::Held(waiters) if waiters.len() >= waiters_max => Standing::Crowded,
            State::Held(waiters) => {
                waiters.push_back(asker);
                Standing::Waits
            }
        }
    }

    /// What is known of a key, if its request is this one.
    pub(super) fn known(&self, key: ClaimKey, request: RequestHash) -> Option<&Settled> {
        let claim = self.by_key.get(&key).filter(|it| it.request == request)?;
        match &claim.state {
            State::Settled { result, .. } => Some(result),
            State::Held(_) => None,
        }
    }

    /// Whether a key came with another request.
    pub(super) fn conflicts(&self, key: ClaimKey, request: RequestHash) -> bool {
        self.by_key.get(&key).is_some_and(|it| it.request != request)
    }

    /// What came of a key, from whoever has it. Those who wait are to be told.
    pub(super) fn settle(
        &mut self,
        key: ClaimKey,
        request: RequestHash,
        result: Settled,
        at_ms: u64,
    ) -> Released {
        let state = State::Settled { at_ms, result };
        self.expiring.push(Reverse((at_ms, key)));
        match self.by_key.insert(key, Claim { request, state }) {
            Some(Claim { state: State::Held(waiters), .. }) => Released { waiters },
            Some(Claim { state: State::Settled { .. }, .. }) | None => Released::default(),
        }
    }

    /// Nothing came of a key. The first who waits has it now, if anyone does.
    pub(super) fn abandon(&mut self, key: ClaimKey) -> Option<Asker> {
        let claim = self.by_key.get_mut(&key)?;
        let State::Held(waiters) = &mut claim.state else { return None };
        let heir = waiters.pop_front();
        if heir.is_none() {
            self.by_key.remove(&key);
        }
        heir
    }

    /// Takes back that a key was settled or had: whoever waits for it hears that nothing comes of it.
    pub(super) fn take_back(&mut self, key: ClaimKey) -> Released {
        match self.by_key.remove(&key) {
            Some(Claim { state: State::Held(waiters), .. }) => Released { waiters },
            Some(Claim { state: State::Settled { .. }, .. }) | None => Released::default(),
        }
    }

    /// Forgets up to `count` results that are older than a day. Returns their keys, and whether the catalog has them.
    pub(super) fn sweep(&mut self, now_ms: u64, count: usize) -> Vec<ClaimKey> {
        let mut gone = Vec::new();
        for _ in 0..count {
            let Some(&Reverse((at_ms, key))) = self.expiring.peek() else { break };
            if at_ms.saturating_add(KNOWN_MS) >= now_ms {
                break;
            }
            self.expiring.pop();
            let Some(claim) = self.by_key.get(&key) else { continue };
            if let State::Settled { at_ms: settled_at_ms, result } = &claim.state
                && *settled_at_ms == at_ms
            {
                gone.extend(matches!(result, Settled::Answer(_)).then_some(key));
                self.by_key.remove(&key);
            }
        }
        gone
    }

    /// Forgets up to `count` results of any age, and then everything that is held. Returns the keys that the catalog has, and
    /// who waits for what is held.
    pub(super) fn forget(&mut self, count: usize) -> (Vec<ClaimKey>, Vec<Asker>) {
        let mut gone = Vec::new();
        while gone.len() < count
            && let Some(Reverse((_, key))) = self.expiring.pop()
        {
            if let Some(Claim { state: State::Settled { result, .. }, .. }) =
                self.by_key.remove(&key)
            {
                gone.extend(matches!(result, Settled::Answer(_)).then_some(key));
            }
        }
        let mut waiters = Vec::new();
        if self.expiring.is_empty() {
            let held = self.by_key.drain().filter_map(|(_, it)| match it.state {
                State::Held(waiting) => Some(waiting),
                State::Settled { .. } => None,
            });
            waiters.extend(held.flatten());
            // The order of a map must not decide what happens when.
            waiters.sort_by_key(|it| (it.edge.0, it.call.0));
        }
        (gone, waiters)
    }

    /// In how many seconds the oldest result is forgotten.
    pub(super) fn room_in_s(&self, now_ms: u64) -> u32 {
        let oldest = self.expiring.peek();
        let left_ms = oldest.map_or(1_000, |Reverse((at_ms, _))| {
            at_ms.saturating_add(KNOWN_MS).saturating_sub(now_ms)
        });
        u32::try_from(left_ms.div_ceil(1000)).unwrap_or(u32::MAX).max(1)
    }
}

/// Why a key cannot be taken.
pub(super) fn full(retry_after_s: u32) -> Rejection {
    Rejection::QuotaExceeded {
        quota: "idempotency keys",
        window: protocol::Window::Lifetime,
        retry_after_s,
    }
}

fn entry(tenant: TenantId, claim: ClaimKey) -> Entry {
    Entry { table: CLAIMS, key: key(tenant, &claim.0.to_be_bytes()) }
}

/// The change that keeps an answer.
pub(super) fn kept(
    tenant: TenantId,
    claim: ClaimKey,
    request: RequestHash,
    (at_ms, answer): (u64, &[u8]),
) -> CatalogChange {
    let mut value = at_ms.to_le_bytes().to_vec();
    value.extend_from_slice(&request.0.to_le_bytes());
    value.extend_from_slice(answer);
    CatalogChange::Put(entry(tenant, claim), value)
}

/// The change that forgets one.
pub(super) fn forgotten(tenant: TenantId, claim: ClaimKey) -> CatalogChange {
    CatalogChange::Delete(entry(tenant, claim))
}

/// A row of the catalog, behind its tenant: key, request, when, answer.
pub type KeptClaim = (ClaimKey, RequestHash, u64, Box<[u8]>);

/// What a row of the catalog says, behind its tenant.
#[must_use]
pub fn read_claim(rest: &[u8], value: &[u8]) -> Option<KeptClaim> {
    let claim = ClaimKey(u64::from_be_bytes(rest.try_into().ok()?));
    let (at_ms, value) = value.split_first_chunk()?;
    let (request, answer) = value.split_first_chunk()?;
    let request = RequestHash(u64::from_le_bytes(*request));
    Some((claim, request, u64::from_le_bytes(*at_ms), answer.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hasher;
    use crate::ids::{CallId, ShardId};

    const KEY: ClaimKey = ClaimKey(1);
    const SAME: RequestHash = RequestHash(2);
    const OTHER: RequestHash = RequestHash(3);

    fn asker(call: u64) -> Asker {
        Asker { edge: ShardId(0), call: CallId(call) }
    }

    fn claims() -> Claims {
        Claims::new(hasher::seeded(1))
    }

    fn answer(text: &str) -> Settled {
        Settled::Answer(text.as_bytes().into())
    }

    #[test]
    fn duplicates_wait_for_the_first_and_hear_what_came_of_it() {
        let mut claims = claims();
        assert_eq!(claims.claim(KEY, SAME, asker(1), 2), Standing::Fresh);
        assert_eq!(claims.claim(KEY, OTHER, asker(2), 2), Standing::Conflict);
        assert_eq!(claims.claim(KEY, SAME, asker(3), 2), Standing::Waits);
        assert_eq!(claims.claim(KEY, SAME, asker(4), 2), Standing::Waits);
        assert_eq!(claims.claim(KEY, SAME, asker(5), 2), Standing::Crowded);
        let released = claims.settle(KEY, SAME, answer("x"), 0);
        assert_eq!(released.waiters, [asker(3), asker(4)]);
        assert_eq!(claims.claim(KEY, SAME, asker(6), 2), Standing::Done(answer("x")));
        assert_eq!(claims.claim(KEY, OTHER, asker(7), 2), Standing::Conflict);
    }

    #[test]
    fn when_the_first_fails_the_next_has_the_key() {
        let mut claims = claims();
        claims.claim(KEY, SAME, asker(1), 9);
        claims.claim(KEY, SAME, asker(2), 9);
        assert_eq!(claims.abandon(KEY), Some(asker(2)));
        assert_eq!(claims.claim(KEY, SAME, asker(3), 9), Standing::Waits);
        assert_eq!(claims.abandon(KEY), Some(asker(3)));
        assert_eq!(claims.abandon(KEY), None);
        assert_eq!(claims.claim(KEY, OTHER, asker(4), 9), Standing::Fresh);
    }

    #[test]
    fn a_result_is_known_for_a_day_and_not_a_moment_less() {
        let mut claims = claims();
        claims.claim(KEY, SAME, asker(1), 9);
        claims.settle(KEY, SAME, answer("x"), 1_000);
        assert!(claims.sweep(1_000 + KNOWN_MS, 9).is_empty());
        assert_eq!(claims.len(), 1);
        assert_eq!(claims.sweep(1_001 + KNOWN_MS, 9), [KEY]);
        assert_eq!(claims.len(), 0);
    }

    #[test]
    fn what_a_start_tells_of_in_any_order_is_forgotten_oldest_first() {
        let mut claims = claims();
        for at_ms in [3, 1, 2] {
            claims.restore(ClaimKey(at_ms), SAME, (at_ms, answer("x")), 3);
        }
        assert_eq!(claims.room_in_s(KNOWN_MS), 1);
        let oldest_first = [1, 2, 3].map(ClaimKey);
        assert_eq!(claims.sweep(3 + KNOWN_MS, 9), oldest_first[..2]);
        assert_eq!(claims.sweep(4 + KNOWN_MS, 9), oldest_first[2..]);
    }

    #[test]
    fn a_row_reads_as_it_was_written() {
        let CatalogChange::Put(entry, value) = kept(TenantId(1), KEY, SAME, (7, b"{}")) else {
            unreachable!()
        };
        let (_, rest) = super::super::catalog::tenant_of(&entry.key).unwrap();
        assert_eq!(read_claim(rest, &value), Some((KEY, SAME, 7, b"{}"[..].into())));
    }
}
