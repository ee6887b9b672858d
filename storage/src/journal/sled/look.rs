//! What lists and cursors look at: every message of the scope is read for it.

use super::{STANDS_MAX, SledJournal};
use crate::{
    error::JournalError,
    ids::ChannelKey,
    journal::{
        Counted, LiveRun, Place, Scope, View,
        channel::{Channel, Run},
        entry::{CountsEntry, Entry},
        lists::{Numbers, Scan, Seen},
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
        self.look_at_counts(scope, &mut scan);
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

    /// What is said about messages that are retained.
    fn look_at_counts(&self, scope: &Scope, scan: &mut Scan) {
        for number in self.mark.first..self.mark.end {
            // A block that cannot be read says nothing.
            let _ = self.with_entries(number, |entry| self.take_counts(entry, scope, scan));
        }
    }

    fn take_counts(&self, entry: &Entry<'_>, scope: &Scope, scan: &mut Scan) {
        let Entry::Counts(counts) = entry else { return };
        let key = ChannelKey::new(counts.tenant, counts.name);
        let Some(channel) = self.index.find(&key).filter(|_| key.tenant() == scope.tenant()) else {
            return;
        };
        for row in counts.rows() {
            let (_, segment, offset) = row.key;
            let holds = |it: &LiveRun| it.epoch == counts.epoch && it.holds(offset);
            if channel.live_in(segment).iter().any(holds) {
                scan.count(row.tenant, row.key, row.now);
            }
        }
    }

    /// Writes down the counts of messages. The next append makes them durable.
    pub(super) fn put_counts(&mut self, counted: &[Counted]) -> Result<(), JournalError> {
        let mut entries = Vec::new();
        for it in counted {
            let Some(segment) = self.segment_of(it) else { continue };
            let message = (segment, it.offset.0, it.counts.numbers(), Numbers::default());
            entries.push(Entry::Counts(CountsEntry {
                tenant: it.channel.tenant(),
                name: it.channel.name(),
                epoch: it.epoch,
                messages: vec![message],
            }));
        }
        for some in entries.chunks(STANDS_MAX) {
            self.put_marks(some)?;
        }
        Ok(())
    }

    fn segment_of(&self, of: &Counted) -> Option<u64> {
        let channel = self.index.find(&of.channel)?;
        let offset = of.offset.0;
        let holds = |it: &&Run| it.epoch == of.epoch && it.first <= offset && offset < it.end();
        channel.runs.iter().find(holds).map(|it| it.segment)
    }

    pub(super) fn live_runs(&self, segment: u64, channel: &ChannelKey) -> Vec<LiveRun> {
        self.index.find(channel).map_or_else(Vec::new, |it| it.live_in(segment))
    }
}
