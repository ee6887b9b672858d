//! From a part of a view to the messages that match and are retained: by the counts that are kept, where they say enough.

use std::sync::Arc;

use hashbrown::HashMap;

use super::{
    ASKED_MAX, Data, LiveRun, Names, Part, Scope, Sealed, Source,
    file::{Extent, Summary},
    read::{self, Fault, TenantList},
    rebuild,
    rows::Snapshot,
};
use crate::{
    error::JournalError,
    ids::{ChannelKey, Epoch},
};

/// Which messages.
#[derive(Clone)]
pub(super) struct Filter {
    pub(super) scope: Scope,
    /// Of the scope only what is in channels with such names.
    pub(super) names: Option<Names>,
    pub(super) event: Option<Arc<str>>,
    /// None that was taken before.
    pub(super) since_ms: u64,
}

/// One message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    pub(super) place: u32,
    pub(super) offset: u64,
    pub(super) at_ms: u64,
}

/// A channel in a part.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) key: Arc<ChannelKey>,
    pub(super) entries: Vec<Entry>,
}

/// Messages of one channel with one event in one epoch.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) event: Arc<str>,
    pub(super) epoch: Epoch,
    pub(super) summary: Summary,
    pub(super) rows: Rows,
}

/// Where the messages of an entry are.
#[derive(Debug)]
pub(super) enum Rows {
    Here(Vec<Hit>),
    Stored(Extent),
}

/// Every listed message of a channel with one event in one epoch.
pub(super) type AllOf = (Arc<ChannelKey>, Epoch, Vec<Hit>);

/// An entry that matches, with what is retained of it.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) key: Arc<ChannelKey>,
    entry: Entry,
    /// `None` when all of it is.
    live: Option<Vec<LiveRun>>,
}

impl Filter {
    fn wants(&self, event: &str) -> bool {
        self.event.as_ref().is_none_or(|it| **it == *event)
    }

    fn wants_channel(&self, channel: &ChannelKey) -> bool {
        self.names.as_ref().is_none_or(|it| it(channel.name()))
    }

    /// Whether it leaves out channels of the tenant.
    pub(super) fn is_narrow(&self) -> bool {
        self.names.is_some() || self.scope.channel().is_some()
    }
}

impl Part {
    /// How many messages match, and when the first and last of them were taken.
    pub(super) fn summary(
        &mut self,
        source: &mut dyn Source,
        filter: &Filter,
    ) -> Result<Summary, JournalError> {
        let kept = self.repaired(source, |it| it.kept(filter))?;
        if let Some(summary) = kept.filter(|it| it.count == 0 || it.first_at_ms >= filter.since_ms)
        {
            return Ok(summary);
        }
        let mut summary = Summary::default();
        for group in self.groups(source, filter)? {
            summary.join(&self.group_summary(source, &group, filter)?);
        }
        Ok(summary)
    }

    /// How many messages with each event match.
    pub(super) fn tally(
        &mut self,
        source: &mut dyn Source,
        filter: &Filter,
        mut take: impl FnMut(&Arc<str>, u64),
    ) -> Result<(), JournalError> {
        let whole = self.repaired(source, |it| it.whole(filter))?;
        if let Some(list) = whole.filter(|it| it.total.first_at_ms >= filter.since_ms) {
            list.events.iter().for_each(|it| take(&it.name, it.summary.count));
            return Ok(());
        }
        for group in self.groups(source, filter)? {
            let summary = self.group_summary(source, &group, filter)?;
            take(&group.entry.event, summary.count);
        }
        Ok(())
    }

    /// Whether all messages of the scope match, and are retained.
    pub(super) fn is_all(
        &mut self,
        source: &mut dyn Source,
        filter: &Filter,
    ) -> Result<bool, JournalError> {
        if let Some(list) = self.repaired(source, |it| it.whole(filter))? {
            return Ok(list.total.first_at_ms >= filter.since_ms);
        }
        let groups = self.groups(source, filter)?;
        let is_all =
            |it: &Group| it.live.is_none() && it.entry.summary.first_at_ms >= filter.since_ms;
        Ok(groups.iter().all(is_all))
    }

    /// The groups that match.
    pub(super) fn groups(
        &mut self,
        source: &mut dyn Source,
        filter: &Filter,
    ) -> Result<Vec<Group>, JournalError> {
        let (total, mut found) = self.repaired(source, |it| it.found(filter))?;
        found.retain(|it| filter.wants_channel(&it.key));
        let mut groups = Vec::new();
        if total == self.live {
            found.into_iter().for_each(|it| it.into_groups(filter, None, &mut groups));
            return Ok(groups);
        }
        let mut found = found.into_iter().peekable();
        while found.peek().is_some() {
            let some: Vec<_> = found.by_ref().take(ASKED_MAX).collect();
            let keys: Vec<_> = some.iter().map(|it| Arc::clone(&it.key)).collect();
            for (found, live) in some.into_iter().zip(source.live(self.segment, &keys)?) {
                let retained: u64 = live.iter().map(|it| it.end - it.first).sum();
                let live = (retained != found.total()).then_some(live);
                found.into_groups(filter, live.as_ref(), &mut groups);
            }
        }
        Ok(groups)
    }

    /// The messages of a group that match.
    pub(super) fn hits(
        &mut self,
        source: &mut dyn Source,
        group: &Group,
        filter: &Filter,
    ) -> Result<Vec<Hit>, JournalError> {
        let extent = match &group.entry.rows {
            Rows::Here(hits) => return Ok(group.retained(hits.clone(), filter)),
            Rows::Stored(extent) => *extent,
        };
        let hits = self.repaired(source, |part| match &part.data {
            Data::Sealed(Sealed { list: Some(list), .. }) => read::rows(&**list, extent).map(Some),
            Data::Sealed(_) | Data::Rows(_) => Ok(None),
        })?;
        if let Some(hits) = hits {
            return Ok(group.retained(hits, filter));
        }
        // The list was damaged just here, and is made anew: the group is in it under its names.
        let (_, found) = self.repaired(source, |it| it.found(filter))?;
        let mut groups = Vec::new();
        let same = found.into_iter().filter(|it| it.key == group.key);
        same.for_each(|it| it.into_groups(filter, group.live.as_ref(), &mut groups));
        let is_it = |it: &&Group| {
            (&it.entry.event, it.entry.epoch) == (&group.entry.event, group.entry.epoch)
        };
        let hits = groups.iter().find(is_it).map(|it| match &it.entry.rows {
            Rows::Here(hits) => hits.clone(),
            Rows::Stored(_) => Vec::new(),
        });
        Ok(group.retained(hits.unwrap_or_default(), filter))
    }

    /// Every message that is listed, retained or not, by channel and epoch.
    pub(super) fn all(
        &mut self,
        source: &mut dyn Source,
        filter: &Filter,
    ) -> Result<Vec<AllOf>, JournalError> {
        let (_, found) = self.repaired(source, |it| it.found(filter))?;
        let mut groups = Vec::new();
        found.into_iter().for_each(|it| it.into_groups(filter, None, &mut groups));
        let mut all = Vec::new();
        for group in groups {
            let hits = self.hits(source, &group, filter)?;
            all.push((group.key, group.entry.epoch, hits));
        }
        Ok(all)
    }

    fn group_summary(
        &mut self,
        source: &mut dyn Source,
        group: &Group,
        filter: &Filter,
    ) -> Result<Summary, JournalError> {
        let kept = group.entry.summary;
        if kept.last_at_ms < filter.since_ms {
            return Ok(Summary::default());
        }
        if group.live.is_none() && kept.first_at_ms >= filter.since_ms {
            return Ok(kept);
        }
        let mut summary = Summary::default();
        self.hits(source, group, filter)?.iter().for_each(|it| summary.take(it.at_ms));
        Ok(summary)
    }

    /// Does the work; on damage once more, with a list that was made anew.
    pub(super) fn repaired<T>(
        &mut self,
        source: &mut dyn Source,
        work: impl Fn(&Self) -> Result<T, Fault>,
    ) -> Result<T, JournalError> {
        match work(self) {
            Ok(done) => return Ok(done),
            Err(Fault::Damaged) => {}
            Err(fault @ Fault::Io(_)) => return Err(fault.into()),
        }
        if let Data::Sealed(sealed) = &self.data {
            let rows = rebuild::rows(sealed)?;
            source.put_list(self.segment, sealed.nonce, super::encode(sealed.nonce, &rows))?;
            self.data = Data::Rows(rows);
        }
        Ok(work(self)?)
    }

    /// What the list says about the tenant, if all of that is retained.
    fn whole(&self, filter: &Filter) -> Result<Option<TenantList>, Fault> {
        if filter.is_narrow() {
            return Ok(None);
        }
        let Data::Sealed(sealed) = &self.data else { return Ok(None) };
        let list = sealed.list.as_deref().ok_or(Fault::Damaged)?;
        let listed = read::tenant(list, sealed.nonce, filter.scope.tenant())?;
        Ok((listed.total.count == self.live).then_some(listed))
    }

    /// What is kept about all that matches, if all of that is retained.
    fn kept(&self, filter: &Filter) -> Result<Option<Summary>, Fault> {
        let Some(list) = self.whole(filter)? else { return Ok(None) };
        let Some(event) = &filter.event else { return Ok(Some(list.total)) };
        let listed = list.events.iter().find(|it| *it.name == **event);
        Ok(Some(listed.map_or_else(Summary::default, |it| it.summary)))
    }

    /// The channels that may match; and how many messages of the scope are listed, retained or not.
    fn found(&self, filter: &Filter) -> Result<(u64, Vec<Found>), Fault> {
        let (tenant, channel) = (filter.scope.tenant(), filter.scope.channel());
        let sealed = match &self.data {
            Data::Rows(rows) => return Ok(in_rows(rows, filter)),
            Data::Sealed(sealed) => sealed,
        };
        let list = sealed.list.as_deref().ok_or(Fault::Damaged)?;
        let listed = read::tenant(list, sealed.nonce, tenant)?;
        let of = (tenant, channel.map(|it| &**it));
        let found = listed.channels(list, of, filter.event.as_deref())?;
        let of_channel = || found.iter().map(Found::total).sum();
        let total = channel.map_or(listed.total.count, |_| of_channel());
        Ok((total, found))
    }
}

/// The same for rows in memory.
fn in_rows(of: &Snapshot, filter: &Filter) -> (u64, Vec<Found>) {
    let (tenant, channel) = (filter.scope.tenant(), filter.scope.channel());
    let is_its = |it: &ChannelKey| it.tenant() == tenant && channel.is_none_or(|its| **its == *it);
    let mut found: Vec<Found> = Vec::new();
    let mut numbers: HashMap<&ChannelKey, usize> = HashMap::new();
    // Where the rows of each series go.
    let mut places = Vec::with_capacity(of.series.len());
    for series in of.series.iter() {
        if !is_its(&series.channel) {
            places.push(None);
            continue;
        }
        let number = *numbers.entry(&series.channel).or_insert(found.len());
        if number == found.len() {
            found.push(Found { key: Arc::clone(&series.channel), entries: Vec::new() });
        }
        let is_wanted = filter.wants(&series.event) && filter.wants_channel(&series.channel);
        places.push(found.get_mut(number).map(|it| {
            it.entries.push(Entry {
                event: Arc::clone(&series.event),
                epoch: series.epoch,
                summary: Summary::default(),
                rows: Rows::Here(Vec::new()),
            });
            (number, it.entries.len() - 1, is_wanted)
        }));
    }
    let mut total = 0;
    for row in of.rows.iter() {
        let Some(Some((number, at, is_wanted))) = places.get(row.series as usize) else { continue };
        let entry = found.get_mut(*number).and_then(|it| it.entries.get_mut(*at));
        let Some(entry) = entry else { continue };
        total += 1;
        entry.summary.take(row.at_ms);
        if let Rows::Here(hits) = &mut entry.rows
            && *is_wanted
        {
            hits.push(Hit { place: row.place, offset: row.offset, at_ms: row.at_ms });
        }
    }
    (total, found)
}

impl Found {
    /// How many of its messages are listed.
    fn total(&self) -> u64 {
        self.entries.iter().map(|it| it.summary.count).sum()
    }

    fn into_groups(self, filter: &Filter, live: Option<&Vec<LiveRun>>, groups: &mut Vec<Group>) {
        for entry in self.entries.into_iter().filter(|it| filter.wants(&it.event)) {
            groups.push(Group { key: Arc::clone(&self.key), entry, live: live.cloned() });
        }
    }
}

impl Group {
    pub(super) fn epoch(&self) -> Epoch {
        self.entry.epoch
    }

    fn retained(&self, mut hits: Vec<Hit>, filter: &Filter) -> Vec<Hit> {
        let epoch = self.entry.epoch;
        hits.retain(|it| {
            let holds = |run: &LiveRun| run.epoch == epoch && run.holds(it.offset);
            let is_live = self.live.as_ref().is_none_or(|live| live.iter().any(holds));
            is_live && it.at_ms >= filter.since_ms
        });
        hits
    }
}
