//! Letting go of messages, and of the oldest blocks that hold none.

use std::sync::Arc;

use super::{STANDS_MAX, SledJournal, failed};
use crate::{
    error::JournalError,
    ids::{ChannelKey, Epoch, Offset, TenantId},
    journal::{ChannelState, Cut, Retired, channel::Run, entry::Entry, keep},
    options::{Keep, Retention},
};

impl SledJournal {
    pub(super) fn retire(
        &mut self,
        policy: &Retention,
        now_ms: u64,
    ) -> Result<Retired, JournalError> {
        let mut retired = Retired::default();
        let mut firsts = Vec::new();
        for channel in self.index.iter().filter(|it| !it.runs.is_empty()) {
            let at_ms = |run: &Run, skip| self.at_ms(run, skip);
            let first = keep::first_kept(channel, (policy.keep)(&channel.key), now_ms, at_ms);
            firsts.push((Arc::clone(&channel.key), first.map_err(failed("read"))?));
        }
        for (key, first) in firsts {
            retired.messages += self.index.retire(&key, first);
        }
        retired.messages += self.retire_oldest(policy.bytes_max);
        retired.channels = self.forget_idle(policy.idle_ms_max, now_ms)?;
        retired.segments = self.remove_unused(now_ms)?;
        Ok(retired)
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
            let first = keep::first_kept(channel, rule, until_ms.saturating_add(1), at_ms);
            let first = first.map_err(failed("read"))?;
            let messages = channel.retained_before(first);
            if messages > 0 {
                let key = Arc::clone(&channel.key);
                stands.push((key, ChannelState { first_retained: first, ..channel.state }));
                let channel = Arc::clone(&channel.key);
                cuts.push(Cut { channel, first_retained: first, messages });
            }
        }
        self.stand(&stands)?;
        self.commit()?;
        Ok(cuts)
    }

    /// Forgets all that a tenant had.
    pub(super) fn forget_tenant(&mut self, tenant: TenantId) -> Result<Epoch, JournalError> {
        self.mark.fresh_epoch = self.mark.fresh_epoch.max(self.index.epoch_after(tenant));
        // The mark first: a channel that comes back must not come back in its old epoch.
        self.commit()?;
        self.put_marks(&[Entry::Drop { tenant }])?;
        self.commit()?;
        self.index.forget_tenant(tenant);
        Ok(self.mark.fresh_epoch)
    }

    fn retire_oldest(&mut self, bytes_max: u64) -> u64 {
        let mut runs: Vec<_> = Vec::new();
        for channel in self.index.iter() {
            let of = channel.runs.iter();
            runs.extend(of.map(|it| (it.segment, Arc::clone(&channel.key), it.end(), it.bytes)));
        }
        runs.sort_by_key(|it| it.0);
        let mut bytes: u64 = runs.iter().map(|it| it.3).sum();
        let mut messages = 0;
        for (_, key, end, size) in runs {
            if bytes <= bytes_max {
                break;
            }
            messages += self.index.retire(&key, Offset(end));
            bytes -= size;
        }
        messages
    }

    fn forget_idle(&mut self, idle_ms_max: u64, now_ms: u64) -> Result<u64, JournalError> {
        let idle = self.index.iter().filter(|it| {
            it.runs.is_empty() && now_ms.saturating_sub(it.state.last_at_ms) > idle_ms_max
        });
        let idle: Vec<_> = idle.map(|it| (Arc::clone(&it.key), it.state.position.epoch)).collect();
        for some in idle.chunks(STANDS_MAX) {
            let highest = some.iter().map(|it| it.1.0 + 1).max().unwrap_or(0);
            self.mark.fresh_epoch = self.mark.fresh_epoch.max(Epoch(highest));
            // The mark first: a channel that comes back must not come back in its old epoch.
            self.commit()?;
            let names = some.iter().map(|(key, _)| (key.tenant(), key.name()));
            let marks = names.map(|(tenant, name)| Entry::Forget { tenant, name });
            self.put_marks(&marks.collect::<Vec<_>>())?;
            some.iter().for_each(|(key, _)| self.index.forget(key));
        }
        Ok(idle.len() as u64)
    }

    /// Removes the oldest blocks, up to the first that holds a retained message, or a key that is not old enough.
    fn remove_unused(&mut self, now_ms: u64) -> Result<u64, JournalError> {
        let end = self.mark.end;
        let first = (self.mark.first..end).find(|it| self.index.uses(*it)).unwrap_or(end);
        let first = self.first_keyed(self.mark.first..first, now_ms)?.unwrap_or(first);
        let named = self.index.iter().filter(|it| it.named_in < first);
        let floors: Vec<_> = named.map(|it| (Arc::clone(&it.key), it.state)).collect();
        self.stand(&floors)?;
        self.commit()?;
        let removed = first - self.mark.first;
        let mut blocks = sled::Batch::default();
        (self.mark.first..first).for_each(|it| blocks.remove(&it.to_be_bytes()));
        self.mark.first = first;
        // The mark before the removal: no block that it counts on is ever missing.
        self.commit()?;
        self.synced.with(|db| db.apply_batch(blocks)).map_err(failed("remove"))?;
        Ok(removed)
    }
}
