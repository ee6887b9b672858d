//! What the parts of a view say about the counts of messages.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};

use super::{
    Data, Part, Sealed, Source,
    counts::{CountKey, Counts, Numbers, Sums, key_hash},
    read::{self, Fault},
    sift::Filter,
    tally::{self, Tally},
};
use crate::{disk::DiskFile, error::JournalError, ids::TenantId};

/// Sums by channel hash and segment.
type SumsOf = Vec<((u64, u64), Sums)>;

impl Part {
    /// What is said here about messages, which are sorted.
    pub(in crate::journal) fn said_of(
        &mut self,
        source: &mut dyn Source,
        tenant: TenantId,
        wanted: &[CountKey],
    ) -> Result<Vec<(CountKey, Numbers)>, JournalError> {
        self.repaired(source, |it| match it.spoken(tenant)? {
            Some((list, tally)) => tally.find(list, wanted),
            None => Ok(it.last(tenant, |key| wanted.binary_search(key).is_ok())),
        })
    }

    /// What is said here about the messages of a segment.
    fn said_about(
        &mut self,
        source: &mut dyn Source,
        tenant: TenantId,
        segment: u64,
    ) -> Result<Vec<(CountKey, Numbers)>, JournalError> {
        self.repaired(source, |it| match it.spoken(tenant)? {
            Some((list, tally)) => tally.about(list, segment),
            None => Ok(it.last(tenant, |key| key.1 == segment)),
        })
    }

    /// The sums of what is said here, by channel hash and segment.
    fn sums(&mut self, source: &mut dyn Source, tenant: TenantId) -> Result<SumsOf, JournalError> {
        self.repaired(source, |it| match it.spoken(tenant)? {
            Some((_, tally)) => Ok(tally.sums),
            None => {
                let mut sums: BTreeMap<_, Sums> = BTreeMap::new();
                it.in_memory(tenant, |row| {
                    row.add_to(sums.entry((row.key.0, row.key.1)).or_default());
                });
                Ok(sums.into_iter().collect())
            }
        })
    }

    fn spoken(&self, tenant: TenantId) -> Result<Option<(&dyn DiskFile, Tally)>, Fault> {
        let Data::Sealed(Sealed { list, nonce, .. }) = &self.data else { return Ok(None) };
        let list = list.as_deref().ok_or(Fault::Damaged)?;
        let at = read::tenant(list, *nonce, tenant)?.counts;
        Ok(Some((list, tally::read(list, at)?)))
    }

    fn in_memory(&self, tenant: TenantId, mut take: impl FnMut(&super::counts::CountRow)) {
        if let Data::Rows(rows) = &self.data {
            rows.counts.iter().filter(|it| it.tenant == tenant).for_each(&mut take);
        }
    }

    fn last(
        &self,
        tenant: TenantId,
        wants: impl Fn(&CountKey) -> bool,
    ) -> Vec<(CountKey, Numbers)> {
        let mut last = BTreeMap::new();
        self.in_memory(tenant, |row| {
            if wants(&row.key) {
                last.insert(row.key, row.now);
            }
        });
        last.into_iter().collect()
    }
}

/// The counts of messages, which are sorted. Nothing was said about those that are left out.
pub(super) fn counts_of(
    source: &mut dyn Source,
    speakers: &mut [Part],
    tenant: TenantId,
    wanted: &[CountKey],
) -> Result<HashMap<CountKey, Numbers>, JournalError> {
    let mut found = HashMap::new();
    for part in speakers {
        found.extend(part.said_of(source, tenant, wanted)?);
    }
    Ok(found)
}

/// The sums of the counts of all messages that match.
pub(super) fn counts(
    source: &mut dyn Source,
    parts: &mut [Part],
    filter: &Filter,
) -> Result<Counts, JournalError> {
    let tenant = filter.scope.tenant();
    let mut speakers: Vec<_> = parts.iter().filter(|it| it.speaks).cloned().collect();
    let mut sums: BTreeMap<u64, Vec<(u64, Sums)>> = BTreeMap::new();
    for part in &mut speakers {
        for ((hash, segment), of_it) in part.sums(source, tenant)? {
            sums.entry(segment).or_default().push((hash, of_it));
        }
    }
    let mut counts = Counts::default();
    for part in parts.iter_mut().filter(|it| it.live > 0) {
        let Some(of_it) = sums.get(&part.segment) else { continue };
        source.is_awaited()?;
        if !part.is_partial && part.is_all(source, filter)? {
            let groups = match filter.is_narrow() {
                true => Some(part.groups(source, filter)?),
                false => None,
            };
            let hashes: Option<HashSet<u64>> =
                groups.map(|it| it.iter().map(|it| key_hash(&it.key, it.epoch())).collect());
            let its = of_it.iter().filter(|it| hashes.as_ref().is_none_or(|of| of.contains(&it.0)));
            counts.add_sums(total(its.map(|it| it.1)));
        } else {
            counts.join(&one_by_one(source, part, &mut speakers, filter)?);
        }
    }
    Ok(counts)
}

fn total(sums: impl Iterator<Item = Sums>) -> Sums {
    sums.fold(Sums::default(), |[a, b, c], [x, y, z]| [a + x, b + y, c + z])
}

/// The same for a part of which not all matches.
fn one_by_one(
    source: &mut dyn Source,
    part: &mut Part,
    speakers: &mut [Part],
    filter: &Filter,
) -> Result<Counts, JournalError> {
    let (tenant, segment) = (filter.scope.tenant(), part.segment);
    let mut said = HashMap::new();
    for speaker in speakers {
        said.extend(speaker.said_about(source, tenant, segment)?);
    }
    let mut counts = Counts::default();
    for group in part.groups(source, filter)? {
        let hash = key_hash(&group.key, group.epoch());
        for hit in part.hits(source, &group, filter)? {
            let numbers = said.get(&(hash, segment, hit.offset));
            numbers.into_iter().for_each(|it| counts.add(*it));
        }
    }
    Ok(counts)
}
