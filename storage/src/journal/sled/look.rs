//! What lists and cursors look at: every message of the scope is read for it.

use super::SledJournal;
use crate::{
    ids::ChannelKey,
    journal::{
        LiveRun, Place, Scope, View,
        channel::Channel,
        lists::{Scan, Seen},
    },
};

impl SledJournal {
    pub(super) fn look(&self, scope: &Scope) -> View {
        let is_its = |it: &&Channel| match scope {
            Scope::Tenant(tenant) => it.key.tenant() == *tenant,
            Scope::Channel(channel) => it.key == *channel,
        };
        let mut scan = Scan::default();
        for channel in self.index.iter().filter(is_its) {
            self.look_at(channel, &mut scan);
        }
        let (floor, end) = (Place::new(self.mark.first, 0), Place::new(self.mark.end, 0));
        View { floor, end, ..scan.view() }
    }

    fn look_at(&self, channel: &Channel, scan: &mut Scan) {
        let first_retained = channel.state.first_retained.0;
        let messages = channel.runs.iter().flat_map(|run| {
            (run.first.max(first_retained)..run.end()).map(move |offset| (run, offset))
        });
        for (run, offset) in messages {
            let skip = u32::try_from(offset - run.first).unwrap_or(u32::MAX);
            let Some(at) = run.place(skip) else { continue };
            let place = Place::new(run.segment, at.saturating_add(1));
            // What is damaged is found out by whoever reads it.
            let _ = self.with_message(run, skip, |it| scan.take(place, &Seen::of_message(&it, 0)));
        }
    }

    pub(super) fn live_runs(&self, segment: u64, channel: &ChannelKey) -> Vec<LiveRun> {
        self.index.find(channel).map_or_else(Vec::new, |it| it.live_in(segment))
    }
}
