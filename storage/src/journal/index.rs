//! Which message of which channel lies where. In memory: a run of messages for each channel and segment; the place of each single
//! message only for the segment that is being written, those of sealed ones are in their sidecars.

use std::sync::Arc;

use super::{
    channel::{Before, Channel, Note, Places, Run, split},
    usage::{Usage, retained},
};
use hashbrown::{HashTable, hash_table::Entry};

use crate::{
    error::JournalError,
    ids::{ChannelKey, Epoch, Offset, Position, TenantId},
    journal::{ChannelState, next_position},
};

/// Every channel known.
#[derive(Debug, Default)]
pub(super) struct Index {
    channels: HashTable<Channel>,
    /// How many messages lie in each segment.
    pub(super) usage: Usage,
    /// What to go back to when the batch is not kept.
    before: Vec<Before>,
    batch: u64,
    /// Ranges of damage that recovery came by so far.
    pub(super) damages: usize,
    /// The segment before this one was let go, as far as recovery knows.
    pub(super) gap: u64,
}

impl Index {
    pub(super) fn find(&self, channel: &ChannelKey) -> Option<&Channel> {
        self.channels.find(channel.hash(), |it| *it.key == *channel)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Channel> {
        self.channels.iter()
    }

    /// Where each of them stands.
    pub(super) fn states(&self) -> impl Iterator<Item = (Arc<ChannelKey>, ChannelState)> + '_ {
        self.iter().map(|it| (Arc::clone(&it.key), it.state))
    }

    pub(super) fn len(&self) -> usize {
        self.channels.len()
    }

    /// Whether any retained message lies in the segment.
    pub(super) fn uses(&self, segment: u64) -> bool {
        self.usage.messages(segment) > 0
    }

    /// Begins a batch that may be taken back.
    pub(super) fn begin(&mut self) {
        self.before.clear();
        self.batch += 1;
    }

    /// Takes the next message of a batch.
    pub(super) fn append(
        &mut self,
        key: &Arc<ChannelKey>,
        note: &Note,
    ) -> Result<(), JournalError> {
        let same = |it: &Channel| Arc::ptr_eq(&it.key, key) || it.key == *key;
        let channel = match self.channels.entry(key.hash(), same, |it| it.key.hash()) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(free) => free.insert(Channel::new(Arc::clone(key))).into_mut(),
        };
        if channel.touched != self.batch {
            channel.touched = self.batch;
            self.before.push(channel.before());
        }
        let last = channel.state.position;
        // Within an epoch offsets are dense. (invariant 2)
        if note.position.offset != last.offset.next() || note.position.epoch < last.epoch {
            return Err(JournalError::OutOfOrder);
        }
        if channel.state.first_retained.0 == 0 {
            channel.state.first_retained = note.position.offset;
        }
        channel.take(note);
        self.usage.add(note.segment, key.tenant(), 1);
        Ok(())
    }

    /// Undoes what was taken since [`Index::begin`].
    pub(super) fn take_back(&mut self) {
        for before in std::mem::take(&mut self.before) {
            let same = |it: &Channel| it.key == before.key;
            let Ok(mut found) = self.channels.find_entry(before.key.hash(), same) else { continue };
            let channel = found.get_mut();
            self.usage.take_channel(channel);
            channel.runs.truncate(before.runs);
            if let (Some(run), Some((count, last_at_ms, bytes))) =
                (channel.runs.back_mut(), before.last)
            {
                (run.count, run.last_at_ms, run.bytes) = (count, last_at_ms, bytes);
                run.places.truncate(count);
            }
            (channel.state, channel.named_in) = (before.state, before.named_in);
            self.usage.add_channel(channel);
            if channel.state == ChannelState::default() {
                found.remove();
            }
        }
    }

    fn join(&mut self, tenant: TenantId, name: &str, next: Position) {
        let (damages, gap) = (self.damages, self.gap);
        let channel = recovered(&mut self.channels, tenant, name);
        if channel.skips_to(next, gap) {
            self.usage.take_channel(channel);
            channel.state = ChannelState::default();
            channel.runs.clear();
        }
        channel.join(next, damages);
    }

    /// Takes a message that recovery found.
    pub(super) fn recover(&mut self, tenant: TenantId, name: &str, note: &Note) {
        self.join(tenant, name, note.position);
        let channel = recovered(&mut self.channels, tenant, name);
        channel.take(note);
        if note.position.offset >= channel.state.first_retained {
            self.usage.add(note.segment, tenant, 1);
        }
    }

    /// Takes a run that a sidecar lists.
    pub(super) fn recover_run(&mut self, tenant: TenantId, name: &str, run: Run) {
        self.join(tenant, name, Position { epoch: run.epoch, offset: Offset(run.first) });
        let channel = recovered(&mut self.channels, tenant, name);
        let position = Position { epoch: run.epoch, offset: Offset(run.end() - 1) };
        channel.state.position = position;
        channel.state.last_at_ms = run.last_at_ms;
        channel.named_in = run.segment;
        self.usage.add(run.segment, tenant, retained(channel, &run));
        channel.runs.push_back(run);
    }

    /// Sets where a channel stands; what it no longer retains goes.
    pub(super) fn stand(
        &mut self,
        tenant: TenantId,
        name: &str,
        state: ChannelState,
        segment: u64,
    ) {
        let damages = self.damages;
        let channel = recovered(&mut self.channels, tenant, name);
        (channel.named_in, channel.marked_in) = (segment, segment);
        if state.first_retained == channel.state.first_retained {
            return channel.stand_at(&state, damages);
        }
        self.usage.take_channel(channel);
        channel.stand_at(&state, damages);
        trim(channel, state.first_retained);
        self.usage.add_channel(channel);
    }

    /// Where the last mark of a channel is, if it is not where the channel was named last.
    pub(super) fn marked(&mut self, key: &ChannelKey, segment: u64) {
        if let Some(channel) = self.channels.find_mut(key.hash(), |it| *it.key == *key) {
            channel.marked_in = segment;
        }
    }

    /// Lets go of the messages of a channel before `first`. Returns how many went.
    pub(super) fn retire(&mut self, key: &ChannelKey, first: Offset) -> u64 {
        let same = |it: &Channel| *it.key == *key;
        let Some(channel) = self.channels.find_mut(key.hash(), same) else { return 0 };
        if first <= channel.state.first_retained {
            return 0;
        }
        self.usage.take_channel(channel);
        let gone = trim(channel, first);
        self.usage.add_channel(channel);
        gone
    }

    /// Forgets a channel.
    pub(super) fn forget(&mut self, key: &ChannelKey) {
        if let Ok(found) = self.channels.find_entry(key.hash(), |it| *it.key == *key) {
            self.usage.take_channel(&found.remove().0);
        }
    }

    /// Forgets every channel of a tenant.
    pub(super) fn forget_tenant(&mut self, tenant: TenantId) {
        let usage = &mut self.usage;
        self.channels.retain(|it| {
            let is_its = it.key.tenant() == tenant;
            if is_its {
                usage.take_channel(it);
            }
            !is_its
        });
    }

    /// The epoch in which a tenant's channels would begin after they were forgotten: none of them was ever in it.
    pub(super) fn epoch_after(&self, tenant: TenantId) -> Epoch {
        let of_it = self.channels.iter().filter(|it| it.key.tenant() == tenant);
        let highest = of_it.map(|it| it.state.position.epoch.0).max();
        highest.map_or(Epoch(1), |it| Epoch(it.saturating_add(1)))
    }

    /// Where a channel stands once it is in a later epoch; `None` when it is, or is not known.
    pub(super) fn stand_in(
        &self,
        key: &ChannelKey,
        epoch: Epoch,
    ) -> Option<(Arc<ChannelKey>, ChannelState)> {
        let channel = self.find(key).filter(|it| it.state.position.epoch < epoch)?;
        let position = Position { epoch, ..channel.state.position };
        Some((Arc::clone(&channel.key), ChannelState { position, ..channel.state }))
    }

    /// Sets a damaged message aside: the run is split around it.
    pub(super) fn set_aside(&mut self, key: &ChannelKey, offset: u64) {
        let same = |it: &Channel| *it.key == *key;
        let Some(channel) = self.channels.find_mut(key.hash(), same) else { return };
        let Some(at) = channel.runs.iter().position(|it| it.first <= offset && offset < it.end())
        else {
            return;
        };
        self.usage.take_channel(channel);
        let parts = channel.runs.remove(at).map(|run| split(run, offset));
        for part in parts.into_iter().flatten().rev().filter(|it| it.count > 0) {
            channel.runs.insert(at, part);
        }
        self.usage.add_channel(channel);
    }

    /// The retained messages of a channel in a segment lie elsewhere in it now.
    pub(super) fn replace_runs(&mut self, key: &ChannelKey, segment: u64, notes: &[Note]) {
        let Some(channel) = self.channels.find_mut(key.hash(), |it| *it.key == *key) else {
            return;
        };
        self.usage.take_channel(channel);
        channel.move_runs(segment, notes);
        self.usage.add_channel(channel);
    }

    /// The channels that damage may have cost a message.
    pub(super) fn doubtful(&self) -> Vec<(Arc<ChannelKey>, ChannelState)> {
        let doubted = self.channels.iter().filter(|it| it.has_hole || it.proven < self.damages);
        doubted.map(|it| (Arc::clone(&it.key), it.state)).collect()
    }

    /// Lets go of the places of a sealed segment's messages: its sidecar has them, from these bytes on, in the order of
    /// [`Index::iter`].
    pub(super) fn unload(&mut self, segment: u64, places: &[u64]) {
        let named = self.channels.iter_mut().filter(|it| it.named_in == segment);
        let runs = named.flat_map(|it| &mut it.runs).filter(|it| it.segment == segment);
        for (run, at) in runs.zip(places) {
            run.places = Places::Sidecar(*at);
        }
    }
}

/// Finds or makes a channel during recovery.
fn recovered<'a>(
    channels: &'a mut HashTable<Channel>,
    tenant: TenantId,
    name: &str,
) -> &'a mut Channel {
    let key = ChannelKey::new(tenant, name);
    let same = |it: &Channel| *it.key == key;
    match channels.entry(key.hash(), same, |it| it.key.hash()) {
        Entry::Occupied(found) => found.into_mut(),
        Entry::Vacant(free) => free.insert(Channel::new(Arc::new(key))).into_mut(),
    }
}

/// Lets go of what lies before `first`. Returns how many messages went.
fn trim(channel: &mut Channel, first: Offset) -> u64 {
    let from = channel.state.first_retained.0;
    let first = first.0.min(next_position(&channel.state).0).max(from);
    let gone = channel.retained_before(Offset(first));
    while channel.runs.pop_front_if(|it| it.end() <= first).is_some() {}
    let readable =
        channel.runs.front().map_or_else(|| next_position(&channel.state).0, |it| it.first);
    channel.state.first_retained = Offset(readable.max(first));
    gone
}
