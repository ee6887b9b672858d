//! Tokens that may open nothing any more, until they would have expired anyway. The seat keeps them for good, every shard for
//! its own upgrades.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::HashMap;

use super::catalog::{CatalogChange, Entry, key};
use crate::hasher::ShardHasher;
use crate::ids::TenantId;

/// Its table in the catalog.
pub const REVOKED: &str = "revoked";

/// The number of a token, as its `jti` claim spells it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TokenId(pub u128);

impl TokenId {
    /// The number of a `jti`: 32 hexadecimal digits, with or without the hyphens of a UUID.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().filter(|it| *it != b'-');
        let number = digits.clone().try_fold(0_u128, |number, byte| {
            let digit = char::from(byte).to_digit(16)?;
            Some((number << 4) | u128::from(digit))
        });
        number.filter(|_| digits.count() == 32).map(Self)
    }
}

/// See the module.
#[derive(Debug)]
pub struct Revocations {
    until_s: HashMap<(TenantId, TokenId), u64, ShardHasher>,
    expiring: BinaryHeap<Reverse<(u64, TenantId, TokenId)>>,
}

impl Revocations {
    /// None.
    #[must_use]
    pub fn new(hasher: ShardHasher) -> Self {
        Self { until_s: HashMap::with_hasher(hasher), expiring: BinaryHeap::new() }
    }

    /// Revokes a token that expires then; what is known stays known for the longer time. Returns what was known before.
    pub fn insert(&mut self, tenant: TenantId, token: TokenId, until_s: u64) -> Option<u64> {
        let before = self.until_s.get(&(tenant, token)).copied();
        if before.is_none_or(|it| it < until_s) {
            self.until_s.insert((tenant, token), until_s);
            self.expiring.push(Reverse((until_s, tenant, token)));
        }
        before
    }

    /// Takes a revocation back to what was known before it.
    pub(super) fn take_back(&mut self, tenant: TenantId, token: TokenId, before: Option<u64>) {
        match before {
            Some(until_s) => self.until_s.insert((tenant, token), until_s),
            None => self.until_s.remove(&(tenant, token)),
        };
    }

    /// Whether a token is revoked.
    #[must_use]
    pub fn contains(&self, tenant: TenantId, token: TokenId) -> bool {
        self.until_s.contains_key(&(tenant, token))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.until_s.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.until_s.is_empty()
    }

    /// Forgets up to `count` tokens that expired before `now_s`; says which.
    pub fn sweep(&mut self, now_s: u64, count: usize) -> Vec<(TenantId, TokenId)> {
        let mut gone = Vec::new();
        while gone.len() < count
            && let Some(Reverse((until_s, tenant, token))) = self.expiring.peek().copied()
            && until_s < now_s
        {
            self.expiring.pop();
            // It may have been revoked for longer since.
            if self.until_s.get(&(tenant, token)) == Some(&until_s) {
                self.until_s.remove(&(tenant, token));
                gone.push((tenant, token));
            }
        }
        gone
    }
}

/// Where a revocation stands in the catalog.
fn entry(tenant: TenantId, token: TokenId) -> Entry {
    Entry { table: REVOKED, key: key(tenant, &token.0.to_be_bytes()) }
}

/// The change that keeps a revocation.
#[must_use]
pub fn kept(tenant: TenantId, token: TokenId, until_s: u64) -> CatalogChange {
    CatalogChange::Put(entry(tenant, token), until_s.to_le_bytes().to_vec())
}

/// The change that forgets one.
pub(super) fn forgotten(tenant: TenantId, token: TokenId) -> CatalogChange {
    CatalogChange::Delete(entry(tenant, token))
}

/// What a row of the catalog says, behind its tenant.
#[must_use]
pub fn read_revocation(rest: &[u8], value: &[u8]) -> Option<(TokenId, u64)> {
    let token = TokenId(u128::from_be_bytes(rest.try_into().ok()?));
    Some((token, u64::from_le_bytes(value.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hasher;

    const ONE: TenantId = TenantId(1);
    const TWO: TenantId = TenantId(2);
    const TOKEN: TokenId = TokenId(7);

    #[test]
    fn a_token_is_revoked_for_its_tenant_alone_until_it_expires() {
        let mut revoked = Revocations::new(hasher::seeded(1));
        assert_eq!(revoked.insert(ONE, TOKEN, 100), None);
        assert!(revoked.contains(ONE, TOKEN) && !revoked.contains(TWO, TOKEN));
        assert!(revoked.sweep(100, 10).is_empty(), "it expires with the second, not before");
        assert_eq!(revoked.sweep(101, 10), [(ONE, TOKEN)]);
        assert!(!revoked.contains(ONE, TOKEN) && revoked.is_empty());
    }

    #[test]
    fn a_token_has_one_number_in_either_spelling() {
        let number = Some(TokenId(0x0190_0000_0000_7000_8000_0000_0000_00ab));
        assert_eq!(TokenId::parse("019000000000700080000000000000ab"), number);
        assert_eq!(TokenId::parse("01900000-0000-7000-8000-0000000000AB"), number);
        for text in
            ["", "19", "g19000000000700080000000000000ab", "0019000000000700080000000000000ab"]
        {
            assert_eq!(TokenId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_longer_time_counts() {
        let mut revoked = Revocations::new(hasher::seeded(1));
        revoked.insert(ONE, TOKEN, 100);
        assert_eq!(revoked.insert(ONE, TOKEN, 200), Some(100));
        assert_eq!(revoked.insert(ONE, TOKEN, 50), Some(200));
        assert!(revoked.sweep(150, 10).is_empty());
        assert!(revoked.contains(ONE, TOKEN));
        assert_eq!(revoked.sweep(201, 10), [(ONE, TOKEN)]);
    }

    #[test]
    fn what_is_taken_back_is_as_it_was() {
        let mut revoked = Revocations::new(hasher::seeded(1));
        let before = revoked.insert(ONE, TOKEN, 100);
        revoked.take_back(ONE, TOKEN, before);
        assert!(!revoked.contains(ONE, TOKEN));
        assert!(revoked.sweep(1_000, 10).is_empty());
    }

    #[test]
    fn a_row_reads_as_it_was_written() {
        let CatalogChange::Put(entry, value) = kept(ONE, TOKEN, 9) else { unreachable!() };
        let (tenant, rest) = super::super::catalog::tenant_of(&entry.key).unwrap();
        assert_eq!((tenant, read_revocation(rest, &value)), (ONE, Some((TOKEN, 9))));
    }
}
