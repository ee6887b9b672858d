//! Everything persisted of a tenant in the order of the log, from a place on: what deliverers of webhooks go along.

use std::sync::Arc;

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

/// Messages of which a cursor knows ahead where they are: 48 bytes each.
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
#[derive(Clone, Debug)]
pub struct Cursor {
    tenant: TenantId,
    /// All up to here was given, or passed over.
    place: Place,
    ahead: Arc<Ahead>,
    /// How many of those that lie ahead are behind it by now.
    behind: usize,
}

/// The next few messages after a place. Cursors that come by there share it.
#[derive(Debug, Default)]
struct Ahead {
    after: Place,
    messages: Vec<Lying>,
    /// Whether a segment between that place and the first of them is gone.
    is_gap: bool,
}

/// One of them.
#[derive(Debug)]
struct Lying {
    place: Place,
    wanted: Wanted,
    epoch: Epoch,
    is_retained: bool,
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
        Self { tenant, place: after, ahead: Arc::default(), behind: 0 }
    }

    /// Goes along what comes from now on.
    ///
    /// # Errors
    /// When the journal does not answer.
    pub fn from_now(tenant: TenantId, source: &mut dyn Source) -> Result<Self, JournalError> {
        Ok(Self::new(tenant, source.end()?))
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// Whether it knows nothing of what lies ahead.
    #[must_use]
    pub fn is_blind(&self) -> bool {
        self.ahead.messages.is_empty()
    }

    /// Whether both know the same way.
    #[must_use]
    pub fn shares_way(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.ahead, &other.ahead)
    }

    /// One at another place, if it lies on the way that this one knows: what a second reader has to find out less.
    #[must_use]
    pub fn at(&self, place: Place) -> Option<Self> {
        let Ahead { after, messages, .. } = &*self.ahead;
        let is_within = messages.first().is_some_and(|it| it.place <= place)
            && messages.last().is_some_and(|it| place < it.place);
        let behind = messages.partition_point(|it| it.place <= place);
        let is_known = is_within || (place == *after && !messages.is_empty());
        is_known.then(|| Self { place, behind, ahead: Arc::clone(&self.ahead), ..*self })
    }

    /// The next messages, at most `max` and about 1 MiB. None, and an end, when there are none at present.
    ///
    /// # Errors
    /// When the journal does not answer, or the disk refuses. Asked again, it goes on where it was.
    pub fn next(&mut self, source: &mut dyn Source, max: usize) -> Result<Slice, JournalError> {
        self.next_of(source, max, &|_| true)
    }

    /// The same, of the channels that are wanted; the others are passed over, and not counted as let go.
    ///
    /// # Errors
    /// As for [`Cursor::next`].
    pub fn next_of(
        &mut self,
        source: &mut dyn Source,
        max: usize,
        wants: &dyn Fn(&ChannelKey) -> bool,
    ) -> Result<Slice, JournalError> {
        let mut slice = Slice::default();
        let mut bytes = 0;
        while slice.messages.len() < max && bytes < READ_BYTES_MAX {
            if self.behind == self.ahead.messages.len() && !self.look_ahead(source)? {
                slice.is_end = true;
            }
            slice.passed.is_unknown |= self.behind == 0 && self.ahead.is_gap;
            if slice.is_end {
                break;
            }
            bytes += self.take(source, max, wants, &mut slice)?;
        }
        slice.place = self.place;
        Ok(slice)
    }

    /// Takes what is wanted of what lies ahead, about as much as is read at once; returns its bytes.
    fn take(
        &mut self,
        source: &mut dyn Source,
        max: usize,
        wants: &dyn Fn(&ChannelKey) -> bool,
        slice: &mut Slice,
    ) -> Result<usize, JournalError> {
        let count = ASKED_MAX.min(max - slice.messages.len());
        let ahead = Arc::clone(&self.ahead);
        let (mut chosen, mut wanted) = (Vec::new(), Vec::new());
        let mut until = self.behind;
        for lying in ahead.messages.iter().skip(self.behind) {
            if wanted.len() == count {
                break;
            }
            if wants(&lying.wanted.0) {
                wanted.extend(lying.is_retained.then(|| lying.wanted.clone()));
                chosen.push((until, lying));
            }
            until += 1;
        }
        let found = if wanted.is_empty() { Vec::new() } else { source.fetch(&wanted)? };
        let (mut found, mut bytes) = (found.into_iter(), 0);
        for (number, lying) in chosen {
            let message = match lying.is_retained.then(|| found.next()) {
                // As much was read as may be: it is for the next time.
                Some(None) => {
                    until = number;
                    break;
                }
                Some(Some(message)) => message.filter(|it| it.epoch() == lying.epoch),
                None => None,
            };
            bytes += message.as_ref().map_or(0, |it| it.text_bytes());
            slice.passed.messages += u64::from(message.is_none());
            slice.messages.extend(message.map(|it| (lying.place, it)));
        }
        let last = until.checked_sub(1).and_then(|it| ahead.messages.get(it));
        self.place = last.map_or(self.place, |it| it.place);
        self.behind = until;
        Ok(bytes)
    }

    /// Finds where the next messages are. Says whether there are any.
    fn look_ahead(&mut self, source: &mut dyn Source) -> Result<bool, JournalError> {
        let View { parts, floor, holes, end } = source.view(&Scope::Tenant(self.tenant))?;
        let from = self.place;
        let is_gap = |to: u64| {
            let is_between = |it: &u64| from.segment < *it && *it < to;
            from != Place::START && (from < floor || holes.iter().any(is_between))
        };
        let mut end = end;
        for mut part in parts {
            if part.segment < from.segment {
                continue;
            }
            let found = self.lying_in(&mut part, source)?;
            if !found.is_empty() {
                let messages = retained(&part, source, found)?;
                self.set(Ahead { after: from, messages, is_gap: is_gap(part.segment) });
                return Ok(true);
            }
            // What else was written so far is of others.
            if let Data::Rows(rows) = &part.data
                && let Some(last) = rows.rows.last()
            {
                end = end.max(Place::new(part.segment, last.place));
            }
        }
        self.set(Ahead { after: from, messages: Vec::new(), is_gap: is_gap(end.segment) });
        self.place = from.max(end);
        Ok(false)
    }

    fn set(&mut self, ahead: Ahead) {
        self.ahead = Arc::new(ahead);
        self.behind = 0;
    }

    /// The next messages in a part, retained or not.
    fn lying_in(
        &self,
        part: &mut Part,
        source: &mut dyn Source,
    ) -> Result<Vec<Lying>, JournalError> {
        let from = if part.segment == self.place.segment { Some(self.place.at) } else { None };
        if let Data::Rows(rows) = &part.data {
            return Ok(self.in_rows(part.segment, rows, from));
        }
        let scope = Scope::Tenant(self.tenant);
        let filter = Filter { scope, names: None, event: None, since_ms: 0 };
        let mut found = Vec::new();
        for (channel, epoch, hits) in part.all(source, &filter)? {
            let later = hits.into_iter().filter(|it| from.is_none_or(|from| it.place > from));
            found.extend(later.map(|it| lying(part.segment, &channel, epoch, it)));
            if found.len() > 2 * AHEAD_MAX {
                shorten(&mut found);
            }
        }
        shorten(&mut found);
        found.sort_unstable_by_key(|it| it.place);
        Ok(found)
    }

    /// The same for rows in memory, which are in the order of the log.
    fn in_rows(&self, segment: u64, of: &Snapshot, from: Option<u32>) -> Vec<Lying> {
        let start = from.map_or(0, |from| of.rows.partition_point(|it| it.place <= from));
        let is_its = |it: &Series| it.channel.tenant() == self.tenant;
        let its: Vec<_> = of.series.iter().map(|it| is_its(it)).collect();
        let is_wanted = |it: &&Row| its.get(it.series as usize).copied().unwrap_or_default();
        let rows = of.rows.iter_from(start).filter(is_wanted).take(AHEAD_MAX);
        let found = rows.filter_map(|it| {
            let series: &Series = of.series.at(it.series as usize)?;
            let hit = Hit { place: it.place, offset: it.offset, at_ms: it.at_ms };
            Some(lying(segment, &series.channel, series.epoch, hit))
        });
        found.collect()
    }
}

/// Notes which of them are retained.
fn retained(
    part: &Part,
    source: &mut dyn Source,
    mut found: Vec<Lying>,
) -> Result<Vec<Lying>, JournalError> {
    let mut live: HashMap<Arc<ChannelKey>, Vec<LiveRun>> = HashMap::new();
    let channels: HashSet<_> = found.iter().map(|it| Arc::clone(&it.wanted.0)).collect();
    let channels: Vec<_> = channels.into_iter().collect();
    for some in channels.chunks(ASKED_MAX) {
        let runs = source.live(part.segment, some)?;
        live.extend(some.iter().cloned().zip(runs));
    }
    for it in &mut found {
        let (channel, offset) = &it.wanted;
        // Offsets rise from run to run.
        let run = live.get(channel).and_then(|runs| {
            let at = runs.partition_point(|run| run.first <= offset.0);
            runs.get(at.checked_sub(1)?)
        });
        it.is_retained = run.is_some_and(|run| run.epoch == it.epoch && run.holds(offset.0));
    }
    Ok(found)
}

fn lying(segment: u64, channel: &Arc<ChannelKey>, epoch: Epoch, hit: Hit) -> Lying {
    let wanted = (Arc::clone(channel), Offset(hit.offset));
    Lying { place: Place::new(segment, hit.place), wanted, epoch, is_retained: false }
}

/// Keeps the first few.
fn shorten(found: &mut Vec<Lying>) {
    if found.len() > AHEAD_MAX {
        found.select_nth_unstable_by_key(AHEAD_MAX - 1, |it| it.place);
        found.truncate(AHEAD_MAX);
    }
}
