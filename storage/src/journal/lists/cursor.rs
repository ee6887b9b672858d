//! Everything persisted of a tenant in the order of the log, from a place on: what deliverers of webhooks go along.

use std::{collections::VecDeque, sync::Arc};

use hashbrown::{HashMap, HashSet};

use super::{
    ASKED_MAX, CountKey, Data, LiveRun, Part, Scope, Source, View, Wanted, key_hash,
    rows::{Row, Series, Snapshot},
    sift::{Filter, Hit},
};
use crate::{
    error::JournalError,
    ids::{ChannelKey, Epoch, Offset, TenantId},
    journal::READ_BYTES_MAX,
    publication::Publication,
};

/// Messages of which a cursor knows ahead where they are: 40 bytes each.
const AHEAD_MAX: usize = 16 * 1024;
/// Bytes of an encoded place.
const PLACE_BYTES: usize = 12;

/// A place in the log of one journal. Later messages are at higher places; it stays the place of a message for as long as that
/// is retained.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Place {
    pub(super) segment: u64,
    pub(super) at: u32,
}

/// Messages of a tenant in the order of the log.
#[derive(Debug)]
pub struct Cursor {
    tenant: TenantId,
    channels: Option<HashSet<Arc<ChannelKey>>>,
    /// All up to here was given, or passed over.
    place: Place,
    ahead: VecDeque<(Place, Wanted)>,
}

/// What a cursor passed over since it gave something last, because it was let go before.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Passed {
    /// Messages.
    pub messages: u64,
    /// Whether there were segments of which nobody knows any more what was in them.
    pub is_unknown: bool,
}

/// The next few messages.
#[derive(Debug, Default)]
pub struct Slice {
    /// The messages, each with the place to go on from after it.
    pub messages: Vec<(Place, Arc<Publication>)>,
    /// The place to go on from after all of them.
    pub place: Place,
    /// What was let go before it was read.
    pub passed: Passed,
    /// Whether there is nothing more at present.
    pub is_end: bool,
}

impl Place {
    /// Before everything.
    pub const START: Self = Self { segment: 0, at: 0 };

    pub(crate) fn new(segment: u64, at: u32) -> Self {
        Self { segment, at }
    }

    /// What the counts of the message at this place are found by.
    pub(crate) fn count_key(self, of: &Publication) -> CountKey {
        let offset = of.offset().unwrap_or_default();
        (key_hash(of.channel(), of.epoch()), self.segment, offset.0)
    }

    /// Bytes that sort as the places do.
    #[must_use]
    pub fn to_bytes(self) -> [u8; PLACE_BYTES] {
        let mut bytes = [0; PLACE_BYTES];
        let numbers = self.segment.to_be_bytes().into_iter().chain(self.at.to_be_bytes());
        bytes.iter_mut().zip(numbers).for_each(|(to, from)| *to = from);
        bytes
    }

    /// The place that was written so.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (segment, at) = bytes.split_first_chunk()?;
        let at = u32::from_be_bytes(at.try_into().ok()?);
        Some(Self { segment: u64::from_be_bytes(*segment), at })
    }
}

impl Cursor {
    /// Goes along everything of a tenant after a place.
    #[must_use]
    pub fn new(tenant: TenantId, after: Place) -> Self {
        Self { tenant, channels: None, place: after, ahead: VecDeque::new() }
    }

    /// Goes along what comes from now on.
    ///
    /// # Errors
    /// When the journal does not answer.
    pub fn from_now(tenant: TenantId, source: &mut dyn Source) -> Result<Self, JournalError> {
        let View { parts, end, .. } = source.view(&Scope::Tenant(tenant))?;
        let last = parts.last().and_then(|part| match &part.data {
            Data::Rows(rows) => Some(Place::new(part.segment, rows.rows.last()?.place)),
            Data::Sealed(_) => None,
        });
        Ok(Self::new(tenant, last.map_or(end, |it| it.max(end))))
    }

    /// Goes along some channels only.
    #[must_use]
    pub fn only(mut self, channels: impl IntoIterator<Item = Arc<ChannelKey>>) -> Self {
        self.channels = Some(channels.into_iter().collect());
        self.ahead.clear();
        self
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// The next messages, at most `max` and about 1 MiB. None, and an end, when there are none at present.
    ///
    /// # Errors
    /// When the journal does not answer, or the disk refuses. Asked again, it goes on where it was.
    pub fn next(&mut self, source: &mut dyn Source, max: usize) -> Result<Slice, JournalError> {
        let mut slice = Slice::default();
        let mut bytes = 0;
        while slice.messages.len() < max && bytes < READ_BYTES_MAX {
            if self.ahead.is_empty() && !self.look_ahead(source, &mut slice.passed)? {
                slice.is_end = true;
                break;
            }
            let count = ASKED_MAX.min(max - slice.messages.len());
            let wanted: Vec<_> = self.ahead.iter().take(count).map(|it| it.1.clone()).collect();
            let found = source.fetch(&wanted)?;
            for ((place, _), message) in self.ahead.drain(..found.len()).zip(found) {
                self.place = place;
                bytes += message.as_ref().map_or(0, |it| it.text_bytes());
                slice.passed.messages += u64::from(message.is_none());
                slice.messages.extend(message.map(|it| (place, it)));
            }
        }
        slice.place = self.place;
        Ok(slice)
    }

    /// Finds where the next messages are. Says whether there are any.
    fn look_ahead(
        &mut self,
        source: &mut dyn Source,
        passed: &mut Passed,
    ) -> Result<bool, JournalError> {
        let View { parts, floor, holes, end } = source.view(&Scope::Tenant(self.tenant))?;
        let from = self.place;
        let is_gap = |to: u64| {
            let is_between = |it: &u64| from.segment < *it && *it < to;
            from != Place::START && (from < floor || holes.iter().any(is_between))
        };
        for mut part in parts {
            if part.segment < self.place.segment {
                continue;
            }
            while self.look_into(&mut part, source, passed)? {}
            if !self.ahead.is_empty() {
                passed.is_unknown |= is_gap(part.segment);
                return Ok(true);
            }
        }
        passed.is_unknown |= is_gap(end.segment);
        self.place = self.place.max(end);
        Ok(false)
    }

    /// Finds the next messages in a part. Says whether there are more, and none of those is retained.
    fn look_into(
        &mut self,
        part: &mut Part,
        source: &mut dyn Source,
        passed: &mut Passed,
    ) -> Result<bool, JournalError> {
        let (found, more) = self.lying_in(part, source)?;
        let (listed, last) = (found.len() as u64, found.last().map(|it| it.0));
        self.ahead = self.retained(part, source, found)?;
        passed.messages += listed - self.ahead.len() as u64;
        if self.ahead.is_empty() {
            self.place = last.map_or(self.place, |it| it.max(self.place));
        }
        Ok(more && self.ahead.is_empty())
    }

    fn wants(&self, channel: &Arc<ChannelKey>) -> bool {
        channel.tenant() == self.tenant
            && self.channels.as_ref().is_none_or(|it| it.contains(channel))
    }

    /// The next messages in a part, retained or not; and whether there are more.
    fn lying_in(
        &self,
        part: &mut Part,
        source: &mut dyn Source,
    ) -> Result<(Vec<Lying>, bool), JournalError> {
        let from = if part.segment == self.place.segment { Some(self.place.at) } else { None };
        if let Data::Rows(rows) = &part.data {
            return Ok(self.in_rows(part.segment, rows, from));
        }
        let scope = Scope::Tenant(self.tenant);
        let filter = Filter { scope, names: None, event: None, since_ms: 0 };
        let mut found = Vec::new();
        let mut more = false;
        for (channel, epoch, hits) in part.all(source, &filter)? {
            if !self.wants(&channel) {
                continue;
            }
            let later = hits.into_iter().filter(|it| from.is_none_or(|from| it.place > from));
            found.extend(later.map(|it| lying(part.segment, &channel, epoch, it)));
            if found.len() > 2 * AHEAD_MAX {
                more |= shorten(&mut found);
            }
        }
        more |= shorten(&mut found);
        found.sort_unstable_by_key(|it| it.0);
        Ok((found, more))
    }

    /// The same for rows in memory, which are in the order of the log.
    fn in_rows(&self, segment: u64, of: &Snapshot, from: Option<u32>) -> (Vec<Lying>, bool) {
        let start = from.map_or(0, |from| of.rows.partition_point(|it| it.place <= from));
        let wanted: Vec<_> = of.series.iter().map(|it| self.wants(&it.channel)).collect();
        let is_wanted = |it: &&Row| wanted.get(it.series as usize).copied().unwrap_or_default();
        let rows = of.rows.iter_from(start).filter(is_wanted).take(AHEAD_MAX + 1);
        let found = rows.filter_map(|it| {
            let series: &Series = of.series.at(it.series as usize)?;
            let hit = Hit { place: it.place, offset: it.offset, at_ms: it.at_ms };
            Some(lying(segment, &series.channel, series.epoch, hit))
        });
        let mut found: Vec<_> = found.collect();
        let more = found.len() > AHEAD_MAX;
        found.truncate(AHEAD_MAX);
        (found, more)
    }

    /// Those of them that are retained.
    fn retained(
        &self,
        part: &Part,
        source: &mut dyn Source,
        found: Vec<Lying>,
    ) -> Result<VecDeque<(Place, Wanted)>, JournalError> {
        let mut live: HashMap<Arc<ChannelKey>, Vec<LiveRun>> = HashMap::new();
        let channels: HashSet<_> = found.iter().map(|it| Arc::clone(&it.1.0)).collect();
        let channels: Vec<_> = channels.into_iter().collect();
        for some in channels.chunks(ASKED_MAX) {
            let runs = source.live(part.segment, some)?;
            live.extend(some.iter().cloned().zip(runs));
        }
        let is_live = |(_, (channel, offset), epoch): &Lying| {
            let holds = |run: &LiveRun| run.epoch == *epoch && run.holds(offset.0);
            live.get(channel).is_some_and(|it| it.iter().any(holds))
        };
        Ok(found.into_iter().filter(is_live).map(|it| (it.0, it.1)).collect())
    }
}

/// A message that may be retained.
type Lying = (Place, Wanted, Epoch);

fn lying(segment: u64, channel: &Arc<ChannelKey>, epoch: Epoch, hit: Hit) -> Lying {
    (Place::new(segment, hit.place), (Arc::clone(channel), Offset(hit.offset)), epoch)
}

/// Keeps the first few. Says whether some went.
fn shorten(found: &mut Vec<Lying>) -> bool {
    if found.len() <= AHEAD_MAX {
        return false;
    }
    found.select_nth_unstable_by_key(AHEAD_MAX - 1, |it| it.0);
    found.truncate(AHEAD_MAX);
    true
}
