//! The messages of the segment that is being written, as lists see them: grouped by channel, epoch and event.

use std::{hash::BuildHasher, sync::Arc};

use hashbrown::{DefaultHashBuilder, HashTable, hash_table::Entry};

use super::{
    counts::{CountLog, CountRow},
    pieces::{Pieced, Pieces},
};
use crate::{
    ids::{ChannelKey, Epoch, TenantId},
    journal::entry::Message,
    publication::Publication,
};

/// One message, in the order of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Which of the series.
    pub(crate) series: u32,
    /// Where it lies in its segment.
    pub(crate) place: u32,
    pub(crate) offset: u64,
    pub(crate) at_ms: u64,
}

/// What the messages of a group have in common.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) channel: Arc<ChannelKey>,
    pub(crate) epoch: Epoch,
    pub(crate) event: Arc<str>,
}

/// A message that goes into the rows, borrowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) tenant: TenantId,
    pub(crate) name: &'a str,
    pub(crate) epoch: Epoch,
    pub(crate) event: &'a str,
    pub(crate) offset: u64,
    pub(crate) at_ms: u64,
    pub(crate) place: u32,
}

impl<'a> Seen<'a> {
    pub(crate) fn of(publication: &'a Publication, place: u32) -> Self {
        Self {
            tenant: publication.channel().tenant(),
            name: publication.channel().name(),
            epoch: publication.epoch(),
            event: publication.event(),
            offset: publication.offset().unwrap_or_default().0,
            at_ms: publication.at_ms(),
            place,
        }
    }

    pub(crate) fn of_message(message: &Message<'a>, place: u32) -> Self {
        Self {
            tenant: message.tenant,
            name: message.name,
            epoch: message.epoch,
            event: message.event,
            offset: message.offset.0,
            at_ms: message.at_ms,
            place: message.origin.unwrap_or(place),
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    series: Pieces<Arc<Series>>,
    /// The numbers of the series, by what they have in common.
    numbers: HashTable<u32>,
    hasher: DefaultHashBuilder,
    rows: Pieces<Row>,
    pub(crate) counts: CountLog,
}

/// What the rows were when somebody looked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) series: Pieced<Arc<Series>>,
    pub(crate) rows: Pieced<Row>,
    pub(crate) counts: Pieced<CountRow>,
}

impl Rows {
    pub(crate) fn take(&mut self, seen: &Seen<'_>) {
        let row = self.row(seen);
        self.push(row);
    }

    /// A message as a row that is not among the others yet.
    pub(super) fn row(&mut self, seen: &Seen<'_>) -> Row {
        let series = self.number(seen);
        Row { series, place: seen.place, offset: seen.offset, at_ms: seen.at_ms }
    }

    pub(super) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Where the last message lies.
    pub(crate) fn last_place(&self) -> Option<u32> {
        self.rows.last().map(|it| it.place)
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let (series, rows) = (self.series.snapshot(), self.rows.snapshot());
        Snapshot { series, rows, counts: self.counts.snapshot() }
    }

    fn number(&mut self, seen: &Seen<'_>) -> u32 {
        let series = &self.series;
        let is_it = |it: &Series| {
            let channel = &it.channel;
            (it.epoch, channel.tenant()) == (seen.epoch, seen.tenant)
                && *it.event == *seen.event
                && channel.name() == seen.name
        };
        let hasher = &self.hasher;
        let hash_of = |of: (TenantId, &str, Epoch, &str)| hasher.hash_one(of);
        let rehash = |it: &u32| {
            series.at(*it).map_or(0, |it| {
                hash_of((it.channel.tenant(), it.channel.name(), it.epoch, &it.event))
            })
        };
        let hash = hash_of((seen.tenant, seen.name, seen.epoch, seen.event));
        let same = |it: &u32| series.at(*it).is_some_and(|it| is_it(it));
        match self.numbers.entry(hash, same, rehash) {
            Entry::Occupied(found) => *found.get(),
            Entry::Vacant(free) => {
                let number = self.series.len();
                free.insert(number);
                self.series.push(Arc::new(Series {
                    channel: Arc::new(ChannelKey::new(seen.tenant, seen.name)),
                    epoch: seen.epoch,
                    event: seen.event.into(),
                }));
                number
            }
        }
    }
}
