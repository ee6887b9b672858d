//! Letting go: messages by age, count and bytes; then whole segments in which nothing is left.

use std::sync::Arc;

use super::{
    SegmentJournal,
    channel::{Channel, Run},
    entry::Entry,
    shelf::{failed, sync_failed},
};
use crate::{
    error::JournalError,
    ids::{ChannelKey, Epoch, Offset, TenantId},
    journal::{ChannelState, Cut, Retired, keep, next_position},
    options::{Keep, Retention},
};

/// Channels that lose messages by their rule in one run: other work has its turn between two runs.
const RETIRED_MAX: usize = 4096;
/// Segments that are rewritten in one run.
const REWRITTEN_MAX: usize = 2;
/// Marks in one block.
const MARKS_MAX: usize = 128;

impl SegmentJournal {
    pub(super) fn retire(
        &mut self,
        policy: &Retention,
        now_ms: u64,
    ) -> Result<Retired, JournalError> {
        let mut retired = Retired::default();
        let mut firsts = Vec::new();
        for channel in self.index.iter().filter(|it| !it.runs.is_empty()) {
            let at_ms = |run: &Run, skip| self.at_ms(run, skip);
            let rule = (policy.keep)(&channel.key);
            let first = keep::first_kept(channel, rule, now_ms, at_ms)
                .map_err(|cause| failed("read", cause, 0))?;
            if first <= channel.state.first_retained {
                continue;
            }
            retired.is_partial = firsts.len() == RETIRED_MAX;
            if retired.is_partial {
                break;
            }
            firsts.push((Arc::clone(&channel.key), first));
        }
        for (key, first) in firsts {
            retired.messages += self.index.retire(&key, first);
        }
        retired.messages += self.retire_oldest(policy.bytes_max);
        retired.channels = self.forget_idle(policy.idle_ms_max, now_ms)?;
        retired.segments = self.remove_unused(now_ms)?;
        for _ in 0..REWRITTEN_MAX {
            retired.rewritten += u64::from(self.compact_one(now_ms)?);
        }
        self.shelf.expire_keys(now_ms).map_err(|cause| failed("remove keys", cause, 0))?;
        Ok(retired)
    }

    pub(super) fn drop_messages(&mut self, key: &ChannelKey) -> Result<(), JournalError> {
        let Some(channel) = self.index.find(key) else { return Ok(()) };
        let first_retained = next_position(&channel.state);
        let state = ChannelState { first_retained, ..channel.state };
        let key = Arc::clone(&channel.key);
        self.stand(&[(key, state)])
    }

    /// Lets go of what channels hold up to a time.
    pub(super) fn cut(
        &mut self,
        channels: &[Arc<ChannelKey>],
        until_ms: u64,
    ) -> Result<Vec<Cut>, JournalError> {
        let rule = Keep { age_ms_max: 0, ..Keep::ALL };
        let (mut cuts, mut stands) = (Vec::new(), Vec::new());
        for channel in channels.iter().filter_map(|it| self.index.find(it)) {
            let at_ms = |run: &Run, skip| self.at_ms(run, skip);
            let first = keep::first_kept(channel, rule, until_ms.saturating_add(1), at_ms)
                .map_err(|cause| failed("read", cause, 0))?;
            let messages = channel.retained_before(first);
            if messages > 0 {
                let key = Arc::clone(&channel.key);
                stands.push((key, ChannelState { first_retained: first, ..channel.state }));
                let channel = Arc::clone(&channel.key);
                cuts.push(Cut { channel, first_retained: first, messages });
            }
        }
        self.stand(&stands)?;
        Ok(cuts)
    }

    /// Forgets all that a tenant had. Both marks are in one block: there is no state in between.
    pub(super) fn forget_tenant(&mut self, tenant: TenantId) -> Result<Epoch, JournalError> {
        self.log.fresh_epoch = self.log.fresh_epoch.max(self.index.epoch_after(tenant));
        self.log.live = self.shelf.files.keys().copied().collect();
        self.mark(&[Entry::Log(self.log.clone()), Entry::Drop { tenant }])?;
        self.index.forget_tenant(tenant);
        if let Some(shelved) = self.shelf.files.get_mut(&self.active.id) {
            shelved.keys.drop_tenant(tenant);
        }
        Ok(self.log.fresh_epoch)
    }

    /// Writes down where channels stand.
    pub(super) fn stand(
        &mut self,
        stands: &[(Arc<ChannelKey>, ChannelState)],
    ) -> Result<(), JournalError> {
        for some in stands.chunks(MARKS_MAX) {
            let marks = some.iter().map(|(key, state)| Entry::Stand {
                tenant: key.tenant(),
                name: key.name(),
                state: *state,
            });
            self.mark(&marks.collect::<Vec<_>>())?;
            for (key, state) in some {
                self.index.stand(key.tenant(), key.name(), *state, self.active.id);
            }
        }
        Ok(())
    }

    /// Empties the oldest segments until the rest is within the limit.
    fn retire_oldest(&mut self, bytes_max: u64) -> u64 {
        let mut messages = 0;
        let mut bytes = self.shelf.bytes();
        let sealed: Vec<_> =
            self.shelf.files.range(..self.active.id).map(|(id, it)| (*id, it.bytes)).collect();
        for (id, size) in sealed {
            if bytes <= bytes_max {
                break;
            }
            bytes -= size;
            let lying = self.index.iter().filter_map(|channel| {
                let last = channel.runs.iter().rfind(|it| it.segment <= id)?;
                Some((Arc::clone(&channel.key), Offset(last.end())))
            });
            let lying: Vec<_> = lying.collect();
            for (key, first) in lying {
                messages += self.index.retire(&key, first);
            }
        }
        messages
    }

    /// Forgets channels that hold nothing and were idle for long. Should one come back, it does so in an epoch of its own.
    fn forget_idle(&mut self, idle_ms_max: u64, now_ms: u64) -> Result<u64, JournalError> {
        let idle = |it: &&Channel| {
            it.runs.is_empty() && now_ms.saturating_sub(it.state.last_at_ms) > idle_ms_max
        };
        let forgotten: Vec<_> = self
            .index
            .iter()
            .filter(idle)
            .map(|it| (Arc::clone(&it.key), it.state.position.epoch.0))
            .collect();
        let Some(epoch) = forgotten.iter().map(|it| it.1).max() else { return Ok(0) };
        self.log.fresh_epoch = self.log.fresh_epoch.max(Epoch(epoch.saturating_add(1)));
        self.log.live = self.shelf.files.keys().copied().collect();
        self.mark(&[Entry::Log(self.log.clone())])?;
        for some in forgotten.chunks(MARKS_MAX) {
            let names = some.iter().map(|(key, _)| key);
            let forget = |it: &'_ Arc<ChannelKey>| (it.tenant(), Arc::clone(it));
            let names: Vec<_> = names.map(forget).collect();
            let marks = names.iter().map(|(tenant, it)| (*tenant, it.name()));
            let marks: Vec<_> =
                marks.map(|(tenant, name)| Entry::Forget { tenant, name }).collect();
            self.mark(&marks)?;
            for (key, _) in some {
                self.index.forget(key);
                self.active.forgotten.push((**key).clone());
            }
        }
        Ok(forgotten.len() as u64)
    }

    /// Removes segments in which nothing is retained. Where channels stand that nothing else says is written down first.
    fn remove_unused(&mut self, now_ms: u64) -> Result<u64, JournalError> {
        let unused = self.unused();
        if unused.is_empty() {
            return Ok(0);
        }
        let floors = self.floors(&unused)?;
        self.stand(&floors)?;
        self.log.damages.retain(|it| !unused.contains(&it.segment));
        for some in unused.chunks(MARKS_MAX) {
            let marks: Vec<_> = some.iter().map(|id| Entry::Retire { segment: *id }).collect();
            self.mark(&marks)?;
        }
        for id in &unused {
            let keeps = self.shelf.keep_keys(*id, now_ms)?;
            let drops = self.shelf.files.get(id).is_some_and(|it| !it.keys.dropped.is_empty());
            if keeps || drops {
                // What was kept, and what a drop made void, is settled before the segment is gone.
                self.sync_names()?;
            }
            self.shelf.remove(*id).map_err(|cause| failed("remove", cause, 0))?;
        }
        self.sync_names()?;
        Ok(unused.len() as u64)
    }

    /// Sealed segments in which nothing is retained. One that drops a tenant or forgets channels stays until all that it voids
    /// is gone, and one that says something about messages until those are.
    fn unused(&self) -> Vec<u64> {
        let mut unused = Vec::new();
        // Of those before that stay: up to where nothing in them is void.
        let mut cleaned: Option<u64> = None;
        for (id, shelved) in self.shelf.files.range(..self.active.id) {
            let says = shelved.targets.iter().any(|it| self.index.uses(*it));
            let drops = !shelved.keys.dropped.is_empty();
            let has_void = cleaned.is_some_and(|it| it <= *id);
            let has_keys = self.shelf.keys.range(..id).next().is_some();
            let voids = (has_void && (drops || shelved.forgets)) || (has_keys && drops);
            if self.index.uses(*id) || says || voids {
                cleaned = Some(cleaned.map_or(shelved.cleaned, |it| it.min(shelved.cleaned)));
            } else {
                unused.push(*id);
            }
        }
        unused
    }

    fn sync_names(&self) -> Result<(), JournalError> {
        self.shelf.disk.sync_dir().map_err(|cause| sync_failed("sync directory", cause))
    }
}
