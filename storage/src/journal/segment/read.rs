//! History: from the index to the bytes of single messages, each checked against its place, channel and offset.

use std::{io, sync::Arc};

use super::{
    SegmentJournal,
    channel::{Channel, Places, Run},
    entry::{self, Entry, Message, Place},
    shelf::Shelved,
};
use crate::{
    error::JournalError,
    ids::{ChannelKey, Offset},
    journal::{READ_BYTES_MAX, SET_ASIDE_MAX},
    publication::{Draft, Publication},
};

/// What is read at once, in the hope that the next message is in it.
const WINDOW_BYTES: usize = 16 * 1024;

/// Why a read ended early.
pub(super) enum Stop {
    Damaged(Lost),
    Io(io::Error),
}

/// A message that is damaged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Lost {
    pub(super) segment: u64,
    pub(super) offset: u64,
    /// Where it lies; `None` when that is what cannot be read.
    pub(super) place: Option<u32>,
}

/// Messages as they are read.
struct Reading {
    publications: Vec<Arc<Publication>>,
    window: Window,
    limit: usize,
    bytes: usize,
}

/// A part of a segment that was read.
#[derive(Default)]
struct Window {
    segment: u64,
    at: u64,
    bytes: Vec<u8>,
}

impl SegmentJournal {
    pub(super) fn history(
        &mut self,
        channel: &ChannelKey,
        after: Offset,
        limit: usize,
    ) -> Result<Vec<Arc<Publication>>, JournalError> {
        let Some(channel) = self.index.find(channel) else { return Ok(Vec::new()) };
        let window = Window::default();
        let mut reading = Reading { publications: Vec::new(), window, limit, bytes: 0 };
        match self.read_runs(channel, after, &mut reading) {
            Ok(()) => Ok(reading.publications),
            Err(Stop::Io(cause)) => Err(JournalError::Io { operation: "read", cause }),
            Err(Stop::Damaged(first)) => {
                let key = Arc::clone(&channel.key);
                let damaged = self.damaged_from(channel, first);
                damaged.iter().for_each(|it| self.index.set_aside(&key, it.offset));
                self.remember(&key, &damaged);
                self.quarantined += 1;
                let at = first.place.unwrap_or_default().into();
                Err(JournalError::Corrupt { segment: first.segment, at })
            }
        }
    }

    /// The damaged messages of a channel from this one up to the next that can be read.
    fn damaged_from(&self, channel: &Channel, first: Lost) -> Vec<Lost> {
        let mut damaged = vec![first];
        while let Some(last) = damaged.last().filter(|_| damaged.len() < SET_ASIDE_MAX) {
            match self.try_one(channel, Offset(last.offset)) {
                Err(Stop::Damaged(next)) => damaged.push(next),
                Ok(()) | Err(Stop::Io(_)) => break,
            }
        }
        damaged
    }

    /// Whether the next message after an offset can be read.
    pub(super) fn try_one(&self, channel: &Channel, after: Offset) -> Result<(), Stop> {
        let window = Window::default();
        let mut next = Reading { publications: Vec::new(), window, limit: 1, bytes: 0 };
        self.read_runs(channel, after, &mut next)
    }

    fn read_runs(
        &self,
        channel: &Channel,
        after: Offset,
        reading: &mut Reading,
    ) -> Result<(), Stop> {
        let from = after.next().0.max(channel.state.first_retained.0);
        let start = channel.runs.partition_point(|it| it.end() <= from);
        for run in channel.runs.range(start..) {
            let Some(shelved) = self.shelf.files.get(&run.segment) else { continue };
            let skip = u32::try_from(from.saturating_sub(run.first)).unwrap_or(u32::MAX);
            let count = reading.room().min(run.count.saturating_sub(skip) as usize);
            let places = places(run, skip, count, shelved)?;
            for message in (run.first + u64::from(skip)..).zip(places) {
                reading.take(&channel.key, run, message, shelved)?;
            }
        }
        Ok(())
    }

    /// When the message at `offset` of a run was taken.
    pub(super) fn at_ms(&self, run: &Run, skip: u32) -> io::Result<u64> {
        let Some(shelved) = self.shelf.files.get(&run.segment) else { return Ok(run.last_at_ms) };
        let place = match places(run, skip, 1, shelved) {
            Ok(places) => places.first().copied(),
            Err(Stop::Io(cause)) => return Err(cause),
            Err(Stop::Damaged(_)) => None,
        };
        let mut window = Window::default();
        match place.map(|it| window.entry(run.segment, it, shelved)) {
            Some(Ok(Some(message))) => Ok(message.at_ms),
            Some(Err(cause)) => Err(cause),
            // A damaged message goes when its run goes.
            None | Some(Ok(None)) => Ok(run.last_at_ms),
        }
    }
}

/// The places of `count` messages of a run, after the first `skip`.
pub(super) fn places(
    run: &Run,
    skip: u32,
    count: usize,
    shelved: &Shelved,
) -> Result<Vec<u32>, Stop> {
    let at = match &run.places {
        Places::Known(places) => {
            return Ok(places.iter().skip(skip as usize).take(count).copied().collect());
        }
        Places::Sidecar(at) => at + 4 * u64::from(skip),
    };
    let offset = run.first + u64::from(skip);
    let unknown = Stop::Damaged(Lost { segment: run.segment, offset, place: None });
    let Some(sidecar) = &shelved.sidecar else { return Err(unknown) };
    let mut bytes = vec![0; 4 * count];
    if sidecar.read_at(&mut bytes, at).map_err(Stop::Io)? < bytes.len() {
        return Err(unknown);
    }
    let (chunks, _) = bytes.as_chunks::<4>();
    Ok(chunks.iter().map(|it| u32::from_le_bytes(*it)).collect())
}

impl Reading {
    fn room(&self) -> usize {
        if self.bytes >= READ_BYTES_MAX { 0 } else { self.limit - self.publications.len() }
    }

    fn take(
        &mut self,
        key: &Arc<ChannelKey>,
        run: &Run,
        (offset, place): (u64, u32),
        shelved: &Shelved,
    ) -> Result<(), Stop> {
        if self.room() == 0 {
            return Ok(());
        }
        let found = self.window.entry(run.segment, place, shelved).map_err(Stop::Io)?;
        let expected = (key.tenant(), key.name(), run.epoch, Offset(offset));
        let message = found.filter(|it| (it.tenant, it.name, it.epoch, it.offset) == expected);
        let Some(message) = message else {
            return Err(Stop::Damaged(Lost { segment: run.segment, offset, place: Some(place) }));
        };
        let publication = Publication::new(&Draft {
            channel: key,
            epoch: message.epoch,
            offset: Some(message.offset),
            id: message.id,
            at_ms: message.at_ms,
            sender: message.sender,
            sender_kind: message.sender_kind,
            event: message.event,
            payload: message.payload,
            idempotency: message.idempotency,
        });
        self.bytes += publication.text_bytes();
        self.publications.push(Arc::new(publication));
        Ok(())
    }
}

impl Window {
    /// The message at a place; `None` when there is no whole one.
    fn entry(
        &mut self,
        segment: u64,
        place: u32,
        shelved: &Shelved,
    ) -> io::Result<Option<Message<'_>>> {
        let place = u64::from(place);
        let head = if self.segment == segment { self.count_at(place) } else { None };
        if head.is_none() {
            self.segment = segment;
            self.fill(place, WINDOW_BYTES, shelved)?;
        }
        let Some(count) = self.count_at(place) else { return Ok(None) };
        if place + count as u64 > self.at + self.bytes.len() as u64 {
            self.fill(place, count.max(WINDOW_BYTES), shelved)?;
        }
        let Ok(at) = u32::try_from(self.at) else { return Ok(None) };
        let start = usize::try_from(place - self.at).unwrap_or(usize::MAX);
        let found = entry::decode(&self.bytes, start, Place { nonce: shelved.nonce, at });
        Ok(match found {
            Some((Entry::Message(message), _)) => Some(message),
            _ => None,
        })
    }

    /// How many bytes the entry at a place says it has, if its beginning is here.
    fn count_at(&self, place: u64) -> Option<usize> {
        let start = usize::try_from(place.checked_sub(self.at)?).ok()?;
        entry::bytes_of(self.bytes.get(start..)?)
    }

    fn fill(&mut self, at: u64, bytes: usize, shelved: &Shelved) -> io::Result<()> {
        self.at = at;
        self.bytes.resize(bytes, 0);
        let read = shelved.file.read_at(&mut self.bytes, at)?;
        self.bytes.truncate(read);
        Ok(())
    }
}
