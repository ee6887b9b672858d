//! Messages of a tenant, newest first, from any offset on: only the segments that can hold what was asked for are looked into.

use std::{cmp::Reverse, collections::VecDeque, sync::Arc};

use super::{
    ASKED_MAX, Among, CountKey, Counts, Part, Source, Wanted, key_hash, said,
    sift::{Filter, Hit},
};
use crate::{
    error::JournalError,
    ids::{ChannelKey, Epoch, Offset, TenantId},
    journal::READ_BYTES_MAX,
    publication::Publication,
};

/// A list has at most so many messages.
pub const LIST_MESSAGES_MAX: usize = 1000;

/// Which messages to list.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// Whose.
    pub tenant: TenantId,
    /// Which of its messages.
    pub among: Among,
    /// With this event name.
    pub event: Option<String>,
    /// At most so many, and never more than [`LIST_MESSAGES_MAX`].
    pub limit: usize,
    /// So many newer ones are passed over.
    pub offset: u64,
}

/// A message in a list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The message.
    pub publication: Arc<Publication>,
    /// What is known of who heard it.
    pub counts: Counts,
}

/// Messages that were chosen, the newest first, and not read yet.
#[derive(Debug)]
pub struct Listing {
    tenant: TenantId,
    picks: VecDeque<Pick>,
    /// By source, the parts that say something about messages.
    speakers: Vec<Vec<Part>>,
}

/// A part of one of the sources.
struct Lying {
    source: usize,
    part: Part,
    count: u64,
    first: Key,
    last: Key,
}

/// Where a part begins or ends in the order: when the message was taken, then its source, then its segment.
type Key = (u64, usize, u64);

/// A message that may be in the list.
#[derive(Debug)]
struct Pick {
    order: (Key, u32),
    channel: Arc<ChannelKey>,
    epoch: Epoch,
    offset: u64,
}

/// The messages of one or more journals that match, newest first. Those of one millisecond are in the order in which they were
/// appended, those of several journals one journal after the other.
///
/// # Errors
/// When a journal does not answer, or the disk refuses.
pub fn list(
    sources: &mut [&mut dyn Source],
    query: &ListQuery,
) -> Result<Vec<Listed>, JournalError> {
    let mut listing = choose(sources, query)?;
    let mut listed = Vec::new();
    while !listing.is_over() {
        listed.extend(listing.next(sources)?);
    }
    Ok(listed)
}

/// The same, before the messages themselves are read.
///
/// # Errors
/// As for [`list`].
pub fn choose(sources: &mut [&mut dyn Source], query: &ListQuery) -> Result<Listing, JournalError> {
    let limit = query.limit.min(LIST_MESSAGES_MAX);
    let filter = Filter {
        scope: query.among.scope(query.tenant),
        names: query.among.names(),
        event: query.event.as_deref().map(Arc::from),
        since_ms: 0,
    };
    let (mut lying, mut speakers) = (Vec::new(), Vec::new());
    for (number, source) in sources.iter_mut().enumerate() {
        let parts = source.view(&filter.scope)?.parts;
        speakers.push(parts.iter().filter(|it| it.speaks).cloned().collect::<Vec<_>>());
        for mut part in parts.into_iter().filter(|it| it.live > 0) {
            source.is_awaited()?;
            let summary = part.summary(&mut **source, &filter)?;
            if summary.count > 0 {
                let key = |at_ms| (at_ms, number, part.segment);
                let (first, last) = (key(summary.first_at_ms), key(summary.last_at_ms));
                lying.push(Lying { source: number, part, count: summary.count, first, last });
            }
        }
    }
    let skip = narrow(&mut lying, query.offset, limit);
    let mut picks = Vec::new();
    for Lying { source, part, .. } in &mut lying {
        let Some(from) = sources.get_mut(*source) else { continue };
        from.is_awaited()?;
        for group in part.groups(&mut **from, &filter)? {
            let hits = part.hits(&mut **from, &group, &filter)?;
            let pick = |it: Hit| Pick {
                order: ((it.at_ms, *source, part.segment), it.place),
                channel: Arc::clone(&group.key),
                epoch: group.epoch(),
                offset: it.offset,
            };
            picks.extend(hits.into_iter().map(pick));
        }
        shorten(&mut picks, skip.saturating_add(limit));
    }
    picks.sort_unstable_by_key(|it| Reverse(it.order));
    picks.drain(..skip.min(picks.len()));
    Ok(Listing { tenant: query.tenant, picks: picks.into(), speakers })
}

impl Listing {
    /// Whether all of them were read.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.picks.is_empty()
    }

    /// Reads the next few: about so much as a journal reads at once, from all of them together. One that was let go meanwhile
    /// is left out. The sources are the same as before.
    ///
    /// # Errors
    /// As for [`list`].
    pub fn next(&mut self, sources: &mut [&mut dyn Source]) -> Result<Vec<Listed>, JournalError> {
        let some = self.picks.make_contiguous();
        let some = some.get(..ASKED_MAX).unwrap_or(some);
        let mut found = read(sources, some)?;
        let some = some.get(..found.len()).unwrap_or(some);
        for (number, (source, speakers)) in sources.iter_mut().zip(&mut self.speakers).enumerate() {
            let its = some.iter().zip(&mut found).filter(|it| it.0.order.0.1 == number);
            add_counts(&mut **source, speakers, self.tenant, its.collect())?;
        }
        self.picks.drain(..found.len());
        Ok(found.into_iter().flatten().collect())
    }
}

/// Adds what is said about the messages of one source.
fn add_counts(
    source: &mut dyn Source,
    speakers: &mut [Part],
    tenant: TenantId,
    picks: Vec<(&Pick, &mut Option<Listed>)>,
) -> Result<(), JournalError> {
    let mut wanted: Vec<_> = picks.iter().map(|it| it.0.count_key()).collect();
    wanted.sort_unstable();
    let said = said::counts_of(source, speakers, tenant, &wanted)?;
    for (pick, listed) in picks {
        if let (Some(listed), Some(numbers)) = (listed, said.get(&pick.count_key())) {
            listed.counts = (*numbers).into();
        }
    }
    Ok(())
}

/// Leaves out the parts that lie wholly before or wholly after what was asked for. Returns how many messages of the others
/// come before it.
fn narrow(lying: &mut Vec<Lying>, offset: u64, limit: usize) -> usize {
    let by_last = ranked(lying.iter().map(|it| (it.last, it.count)).collect());
    let by_first = ranked(lying.iter().map(|it| (it.first, it.count)).collect());
    let end = offset.saturating_add(limit as u64);
    let mut skip = offset;
    lying.retain(|it| {
        // All that can come before its last message, and all that surely comes before its first.
        let is_before = above(&by_last, |key| key >= it.first) <= offset;
        let is_after = above(&by_first, |key| key > it.last) >= end;
        skip -= if is_before { it.count } else { 0 };
        !is_before && !is_after
    });
    usize::try_from(skip).unwrap_or(usize::MAX)
}

/// The keys from the newest on, each with how many messages there are up to it.
fn ranked(mut keys: Vec<(Key, u64)>) -> Vec<(Key, u64)> {
    keys.sort_unstable_by_key(|it| Reverse(it.0));
    let mut sum = 0;
    for (_, count) in &mut keys {
        sum += *count;
        *count = sum;
    }
    keys
}

fn above(ranked: &[(Key, u64)], is_above: impl Fn(Key) -> bool) -> u64 {
    let count = ranked.partition_point(|it| is_above(it.0));
    count.checked_sub(1).and_then(|it| ranked.get(it)).map_or(0, |it| it.1)
}

/// Keeps the newest so many.
fn shorten(picks: &mut Vec<Pick>, count: usize) {
    if count == 0 {
        picks.clear();
    } else if picks.len() > count {
        picks.select_nth_unstable_by_key(count - 1, |it| Reverse(it.order));
        picks.truncate(count);
    }
}

/// Reads the first of the messages that were chosen, at least one, and keeps their order.
fn read(
    sources: &mut [&mut dyn Source],
    picks: &[Pick],
) -> Result<Vec<Option<Listed>>, JournalError> {
    let mut found: Vec<Option<Listed>> = Vec::new();
    found.resize_with(picks.len(), || None);
    // The first of them is read in any case, whatever the others take.
    let first = picks.first().map_or(0, |it| it.order.0.1);
    let (mut bytes, mut end) = (0, picks.len());
    for number in (0..sources.len()).cycle().skip(first).take(sources.len()) {
        let of_it = picks.iter().enumerate().filter(|it| it.1.order.0.1 == number);
        let (places, wanted): (Vec<_>, Vec<_>) = of_it.map(|(at, it)| (at, it.wanted())).unzip();
        let Some(source) = sources.get_mut(number).filter(|_| !wanted.is_empty()) else { continue };
        let read = if bytes < READ_BYTES_MAX { source.fetch(&wanted)? } else { Vec::new() };
        end = places.get(read.len()).map_or(end, |it| end.min(*it));
        for (publication, at) in read.into_iter().zip(places) {
            bytes += publication.as_ref().map_or(0, |it| it.text_bytes());
            let counts = Counts::default();
            let listed = publication.map(|publication| Listed { publication, counts });
            found.get_mut(at).into_iter().for_each(|it| it.clone_from(&listed));
        }
    }
    found.truncate(end);
    Ok(found)
}

impl Pick {
    fn count_key(&self) -> CountKey {
        (key_hash(&self.channel, self.epoch), self.order.0.2, self.offset)
    }

    fn wanted(&self) -> Wanted {
        (Arc::clone(&self.channel), Offset(self.offset))
    }
}
