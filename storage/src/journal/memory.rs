//! The journal without a disk: the model that the other backends are compared with, and `--ephemeral`.

use std::{collections::VecDeque, ops::Deref, sync::Arc};

use hashbrown::HashTable;

use super::{
    ChannelState, Counted, Cut, Journal, JournalStats, KeyedRecord, LiveRun, Place, Retired, Scope,
    View, as_much_as_is_read,
    lists::{Numbers, Scan, Seen},
    next_position,
};
use crate::{
    error::JournalError,
    ids::{ChannelKey, Epoch, Offset, Position, TenantId},
    options::{Keep, Retention},
    publication::Publication,
};

/// See the module.
#[derive(Debug)]
pub(super) struct MemoryJournal {
    channels: HashTable<Entry>,
    fresh_epoch: Epoch,
    bytes: u64,
    /// The place of the last message.
    place: u64,
    /// What lies up to here, of tenants that were dropped, was let go.
    let_go: u64,
}

#[derive(Debug)]
struct Entry {
    key: Arc<ChannelKey>,
    state: ChannelState,
    messages: VecDeque<Kept>,
    /// The place of the last message that was let go.
    let_go: u64,
}

/// A message and its place among all.
#[derive(Debug)]
struct Kept {
    place: u64,
    publication: Arc<Publication>,
    counts: Numbers,
}

impl Deref for Kept {
    type Target = Arc<Publication>;

    fn deref(&self) -> &Self::Target {
        &self.publication
    }
}

impl Default for MemoryJournal {
    fn default() -> Self {
        let channels = HashTable::new();
        Self { channels, fresh_epoch: Epoch(1), bytes: 0, place: 0, let_go: 0 }
    }
}

impl MemoryJournal {
    fn entry(&self, channel: &ChannelKey) -> Option<&Entry> {
        self.channels.find(channel.hash(), |it| *it.key == *channel)
    }

    fn position(&self, channel: &ChannelKey) -> Option<Position> {
        self.entry(channel).map(|it| it.state.position)
    }

    fn keep(&mut self, publication: &Arc<Publication>) {
        let key = publication.channel();
        let offset = publication.offset().unwrap_or_default();
        self.place += 1;
        let entry = self
            .channels
            .entry(key.hash(), |it| *it.key == **key, |it| it.key.hash())
            .or_insert_with(|| Entry {
                key: Arc::clone(key),
                state: ChannelState { first_retained: offset, ..ChannelState::default() },
                messages: VecDeque::new(),
                let_go: 0,
            })
            .into_mut();
        entry.state.position = Position { epoch: publication.epoch(), offset };
        entry.state.last_at_ms = publication.at_ms();
        entry.messages.push_back(Kept {
            place: self.place,
            publication: Arc::clone(publication),
            counts: Numbers::default(),
        });
        self.bytes += publication.text_bytes() as u64;
    }
}

impl Journal for MemoryJournal {
    fn append(&mut self, batch: &[Arc<Publication>]) -> Result<(), JournalError> {
        super::check_order(batch, |channel| self.position(channel))?;
        batch.iter().for_each(|publication| self.keep(publication));
        Ok(())
    }

    fn read(
        &mut self,
        channel: &ChannelKey,
        after: Offset,
        limit: usize,
    ) -> Result<Vec<Arc<Publication>>, JournalError> {
        let Some(entry) = self.entry(channel) else { return Ok(Vec::new()) };
        let start = entry.messages.partition_point(|it| it.offset() <= Some(after));
        let rest = entry.messages.range(start..).take(limit).map(|it| &it.publication);
        Ok(as_much_as_is_read(rest, |it| it.text_bytes()).cloned().collect())
    }

    fn channels(&self) -> Vec<(Arc<ChannelKey>, ChannelState)> {
        self.channels.iter().map(|it| (Arc::clone(&it.key), it.state)).collect()
    }

    fn channels_of(&self, tenant: TenantId) -> Vec<(Arc<ChannelKey>, ChannelState)> {
        let of_it = self.channels.iter().filter(|it| it.key.tenant() == tenant);
        of_it.map(|it| (Arc::clone(&it.key), it.state)).collect()
    }

    fn fresh_epoch(&self) -> Epoch {
        self.fresh_epoch
    }

    fn begin_epoch(&mut self, channel: &ChannelKey, epoch: Epoch) -> Result<(), JournalError> {
        if let Some(entry) = self.channels.find_mut(channel.hash(), |it| *it.key == *channel) {
            entry.state.position.epoch = entry.state.position.epoch.max(epoch);
        }
        Ok(())
    }

    fn retain(&mut self, policy: &Retention, now_ms: u64) -> Result<Retired, JournalError> {
        let mut retired = Retired::default();
        for entry in &mut self.channels {
            let excess = excess(&entry.messages, (policy.keep)(&entry.key), now_ms);
            self.bytes -= entry.pop(excess);
            retired.messages += excess as u64;
        }
        while self.bytes > policy.bytes_max {
            let oldest = self
                .channels
                .iter_mut()
                .filter(|it| !it.messages.is_empty())
                .min_by_key(|it| it.messages.front().map(|first| first.id()));
            let Some(entry) = oldest else { break };
            self.bytes -= entry.pop(1);
            retired.messages += 1;
        }
        let fresh = &mut self.fresh_epoch;
        self.channels.retain(|it| {
            let idle = now_ms.saturating_sub(it.state.last_at_ms) > policy.idle_ms_max;
            let forget = it.messages.is_empty() && idle;
            if forget {
                *fresh = Epoch(fresh.0.max(it.state.position.epoch.0 + 1));
                retired.channels += 1;
            }
            !forget
        });
        Ok(retired)
    }

    fn drop_channel(&mut self, channel: &ChannelKey) -> Result<(), JournalError> {
        if let Some(entry) = self.channels.find_mut(channel.hash(), |it| *it.key == *channel) {
            self.bytes -= entry.pop(entry.messages.len());
        }
        Ok(())
    }

    fn drop_tenant(&mut self, tenant: TenantId) -> Result<Epoch, JournalError> {
        let (fresh, bytes) = (&mut self.fresh_epoch, &mut self.bytes);
        self.let_go = self.place;
        self.channels.retain(|it| {
            let is_its = it.key.tenant() == tenant;
            if is_its {
                *fresh = Epoch(fresh.0.max(it.state.position.epoch.0 + 1));
                *bytes -= it.messages.iter().map(|it| it.text_bytes() as u64).sum::<u64>();
            }
            !is_its
        });
        Ok(self.fresh_epoch)
    }

    /// Of the messages that it still has: nobody asks a journal that was there before a crash.
    fn keyed_since(&self, at_ms: u64, max: usize) -> Result<Vec<KeyedRecord>, JournalError> {
        let messages = self.channels.iter().flat_map(|it| &it.messages);
        let mut found: Vec<_> =
            messages.filter_map(|it| KeyedRecord::of(&it.publication)).collect();
        found.retain(|it| it.at_ms >= at_ms);
        found.sort_by_key(|it| (it.at_ms, it.id));
        found.drain(..found.len().saturating_sub(max));
        Ok(found)
    }

    fn count(&mut self, counted: &[Counted]) -> Result<(), JournalError> {
        for it in counted {
            let channel =
                self.channels.find_mut(it.channel.hash(), |found| found.key == it.channel);
            let Some(entry) = channel else { continue };
            let is_it =
                |kept: &&mut Kept| (kept.offset(), kept.epoch()) == (Some(it.offset), it.epoch);
            let found = entry.messages.iter_mut().find(is_it);
            found.into_iter().for_each(|kept| kept.counts = it.counts.over(kept.counts));
        }
        Ok(())
    }

    fn drop_until(
        &mut self,
        channels: &[Arc<ChannelKey>],
        until_ms: u64,
    ) -> Result<Vec<Cut>, JournalError> {
        let mut cuts = Vec::new();
        for key in channels {
            let found = self.channels.find_mut(key.hash(), |it| it.key == *key);
            let Some(entry) = found else { continue };
            let count = entry.messages.partition_point(|it| it.at_ms() <= until_ms);
            self.bytes -= entry.pop(count);
            if count > 0 {
                let first_retained = entry.state.first_retained;
                let channel = Arc::clone(&entry.key);
                cuts.push(Cut { channel, first_retained, messages: count as u64 });
            }
        }
        Ok(cuts)
    }

    fn view(&self, scope: &Scope) -> View {
        let is_its = |it: &&Entry| match scope {
            Scope::Tenant(tenant) => it.key.tenant() == *tenant,
            Scope::Channel(channel) => it.key == *channel,
        };
        let its = || self.channels.iter().filter(is_its);
        let floor = its().map(|it| it.let_go).max().unwrap_or_default().max(self.let_go);
        let messages = its().flat_map(|it| &it.messages);
        let mut scan = Scan::default();
        for Kept { place, publication, counts } in messages {
            let place = at(*place);
            scan.take(place, &Seen::of(publication, 0));
            let channel = publication.channel();
            scan.count(channel.tenant(), place.count_key(publication), *counts);
        }
        View { floor: at(floor), end: at(self.place), ..scan.view() }
    }

    fn end(&self) -> Place {
        at(self.place)
    }

    fn live(&self, _: u64, channel: &ChannelKey) -> Vec<LiveRun> {
        let Some(entry) = self.entry(channel) else { return Vec::new() };
        let run = |it: &Kept| {
            let first = it.offset().unwrap_or_default().0;
            LiveRun { epoch: it.epoch(), first, end: first + 1 }
        };
        entry.messages.iter().map(run).collect()
    }

    fn put_list(&mut self, _: u64, _: u64, _: &[u8]) -> Result<(), JournalError> {
        Ok(()) // It has none.
    }

    fn stats(&self) -> JournalStats {
        JournalStats {
            channels: self.channels.len() as u64,
            bytes: self.bytes,
            ..JournalStats::default()
        }
    }
}

/// A place as cursors know it.
fn at(place: u64) -> Place {
    Place::new(place >> 32, u32::try_from(place & u64::from(u32::MAX)).unwrap_or(u32::MAX))
}

impl Entry {
    /// Lets go of the oldest messages; returns their bytes.
    fn pop(&mut self, count: usize) -> u64 {
        let let_go = &mut self.let_go;
        let gone = self.messages.drain(..count).inspect(|it| *let_go = it.place);
        let bytes = gone.map(|it| it.text_bytes() as u64).sum();
        self.state.first_retained = self
            .messages
            .front()
            .and_then(|it| it.offset())
            .unwrap_or_else(|| next_position(&self.state));
        bytes
    }
}

/// How many of the oldest messages the rule does not keep.
fn excess(messages: &VecDeque<Kept>, keep: Keep, now_ms: u64) -> usize {
    let count = usize::try_from(keep.messages_max).unwrap_or(usize::MAX);
    let by_count = messages.len().saturating_sub(count);
    let oldest_ms = now_ms.saturating_sub(keep.age_ms_max);
    let by_age = messages.partition_point(|it| it.at_ms() < oldest_ms);
    let mut bytes = 0;
    let kept = messages.iter().rev().take_while(|it| {
        bytes += it.text_bytes() as u64;
        bytes <= keep.bytes_max
    });
    by_count.max(by_age).max(messages.len() - kept.count())
}
