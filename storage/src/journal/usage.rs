//! How many messages are retained in each segment, of all tenants and of each.

use std::collections::BTreeMap;

use super::channel::{Channel, Run};
use crate::ids::TenantId;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Usage {
    segments: BTreeMap<u64, Used>,
}

#[derive(Debug, Default)]
struct Used {
    messages: u64,
    tenants: BTreeMap<TenantId, u64>,
}

impl Usage {
    /// Retained messages in a segment.
    pub(super) fn messages(&self, segment: u64) -> u64 {
        self.segments.get(&segment).map_or(0, |it| it.messages)
    }

    /// The segments in which a tenant has messages, and how many.
    pub(super) fn segments_of(&self, tenant: TenantId) -> impl Iterator<Item = (u64, u64)> + '_ {
        let of_it = move |(id, used): (&u64, &Used)| Some((*id, *used.tenants.get(&tenant)?));
        self.segments.iter().filter_map(of_it)
    }

    pub(super) fn add(&mut self, segment: u64, tenant: TenantId, messages: u64) {
        if messages == 0 {
            return;
        }
        let used = self.segments.entry(segment).or_default();
        used.messages += messages;
        *used.tenants.entry(tenant).or_default() += messages;
    }

    /// Counts a channel's messages in.
    pub(super) fn add_channel(&mut self, channel: &Channel) {
        for run in &channel.runs {
            self.add(run.segment, channel.key.tenant(), retained(channel, run));
        }
    }

    /// Counts a channel's messages out.
    pub(super) fn take_channel(&mut self, channel: &Channel) {
        for run in &channel.runs {
            self.take(run.segment, channel.key.tenant(), retained(channel, run));
        }
    }

    fn take(&mut self, segment: u64, tenant: TenantId, messages: u64) {
        let Some(used) = self.segments.get_mut(&segment) else { return };
        used.messages = used.messages.saturating_sub(messages);
        if let Some(of_it) = used.tenants.get_mut(&tenant) {
            *of_it = of_it.saturating_sub(messages);
            if *of_it == 0 {
                used.tenants.remove(&tenant);
            }
        }
        if used.messages == 0 {
            self.segments.remove(&segment);
        }
    }
}

/// How many messages of a run are retained.
pub(super) fn retained(channel: &Channel, run: &Run) -> u64 {
    run.end().saturating_sub(run.first.max(channel.state.first_retained.0))
}
