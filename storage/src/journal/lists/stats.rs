//! How many messages a tenant has, and with which events.

use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashMap};
use std::hash::BuildHasher;

use super::{Among, Counts, Part, Source, said, sift::Filter};
use crate::{error::JournalError, ids::TenantId};

/// So many events are named.
pub const TOP_EVENTS: usize = 10;
/// Different event names that are counted at once. Where there are more, the messages are gone through several times.
const EVENTS_MAX: usize = 1024 * 1024;

/// What to count.
#[derive(Clone, Debug)]
pub struct StatsQuery {
    /// Whose.
    pub tenant: TenantId,
    /// Which of its messages.
    pub among: Among,
    /// Only messages that were taken at or after this time.
    pub since_ms: u64,
}

/// What there is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// Messages.
    pub messages: u64,
    /// The events with most messages, at most [`TOP_EVENTS`]: the most frequent first, then by name.
    pub events: Vec<(String, u64)>,
    /// The sums of their counts.
    pub counts: Counts,
}

/// Counts the messages of one or more journals, exactly.
///
/// # Errors
/// When a journal does not answer, or the disk refuses.
pub fn stats(sources: &mut [&mut dyn Source], query: &StatsQuery) -> Result<Stats, JournalError> {
    let filter = Filter {
        scope: query.among.scope(query.tenant),
        names: query.among.names(),
        event: None,
        since_ms: query.since_ms,
    };
    let mut parts = Vec::new();
    let mut counts = Counts::default();
    for (number, source) in sources.iter_mut().enumerate() {
        let mut of_it = source.view(&filter.scope)?.parts;
        counts.join(&said::counts(&mut **source, &mut of_it, &filter)?);
        let holding = of_it.into_iter().filter(|it| it.live > 0);
        parts.extend(holding.map(|it| (number, it)));
    }
    let hasher = DefaultHashBuilder::default();
    let mut shares = 1;
    loop {
        let mut stats = Stats { counts, ..Stats::default() };
        let is_done = (0..shares).try_fold(true, |is_done, share| {
            let is_its = |it: &str| hasher.hash_one(it) % shares == share;
            let counts = count(sources, &mut parts, &filter, is_its)?;
            Ok::<_, JournalError>(is_done && counts.is_some_and(|it| stats.take(it)))
        })?;
        if is_done {
            return Ok(stats);
        }
        shares *= 16;
    }
}

/// Counts a share of the events. `None` when there are too many.
fn count(
    sources: &mut [&mut dyn Source],
    parts: &mut [(usize, Part)],
    filter: &Filter,
    is_its: impl Fn(&str) -> bool,
) -> Result<Option<HashMap<Arc<str>, u64>>, JournalError> {
    let mut counts: HashMap<Arc<str>, u64> = HashMap::new();
    for (number, part) in parts {
        let Some(source) = sources.get_mut(*number) else { continue };
        source.is_awaited()?;
        part.tally(&mut **source, filter, |event, count| {
            if count > 0 && is_its(event) && counts.len() <= EVENTS_MAX {
                *counts.entry_ref(event).or_default() += count;
            }
        })?;
        if counts.len() > EVENTS_MAX {
            return Ok(None);
        }
    }
    Ok(Some(counts))
}

impl Stats {
    fn take(&mut self, counts: HashMap<Arc<str>, u64>) -> bool {
        self.messages += counts.values().sum::<u64>();
        self.events.extend(counts.into_iter().map(|(event, count)| (event.to_string(), count)));
        self.events.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        self.events.truncate(TOP_EVENTS);
        true
    }
}
