//! What a journal should say about its messages, by going through all of them.

use std::{collections::BTreeMap, sync::Arc};

use storage::{
    Among, ChannelKey, Counted, Counts, Draft, Epoch, Journal, ListQuery, MessageId, Offset,
    Publication, SenderKind, Source, Stats, StatsQuery, TenantId, list, stats,
};

use super::{Random, channel};

/// Most messages have the first of these, one of 400 the last.
const EVENTS: [&str; 4] = ["said", "moved", "left", "rare"];

/// What was appended and is retained, in the order of the log.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) messages: Vec<Arc<Publication>>,
    pub(crate) counts: BTreeMap<(String, u32, u64), Counts>,
    pub(crate) nexts: BTreeMap<String, (u32, u64)>,
    pub(crate) clock: u64,
    pub(crate) random: u64,
}

impl Model {
    pub(crate) fn message(&mut self, number: u64, random: &mut Random) -> Arc<Publication> {
        let key = channel(number);
        let (epoch, next) = self.nexts.entry(key.name().to_owned()).or_insert((1, 1));
        let (epoch, offset) = (*epoch, *next);
        *next += 1;
        // Now and then the clock goes back.
        self.clock =
            if random.chance(500) { self.clock - 40 } else { self.clock + random.below(3) };
        self.random += 1;
        let event = match random.below(400) {
            0 => 3,
            1..300 => 0,
            300..380 => 1,
            _ => 2,
        };
        Arc::new(Publication::new(&Draft {
            channel: &key,
            epoch: Epoch(epoch),
            offset: Some(Offset(offset)),
            id: MessageId(self.random.into()),
            at_ms: self.clock,
            sender: if random.chance(2) { "ann" } else { "" },
            sender_kind: if random.chance(2) { SenderKind::User } else { SenderKind::System },
            event: EVENTS[event],
            payload: format!("{{\"n\":{}}}", self.random).as_bytes(),
            idempotency: None,
        }))
    }

    /// Appends some batches to a journal.
    pub(crate) fn work(&mut self, journal: &mut dyn Journal, random: &mut Random, batches: usize) {
        for _ in 0..batches {
            let count = 1 + random.below(40);
            let batch: Vec<_> = (0..count).map(|_| self.message(random.below(9), random)).collect();
            journal.append(&batch).unwrap();
            self.messages.extend(batch);
            self.count(journal, random);
        }
        journal.append(&[]).unwrap();
    }

    /// Says something about some messages: mostly new ones, some of them once more, and some that are not there.
    pub(crate) fn count(&mut self, journal: &mut dyn Journal, random: &mut Random) {
        let mut counted = Vec::new();
        for _ in 0..random.below(12) {
            let back = if random.chance(4) { 1_500 } else { 60 };
            let at =
                self.messages.len() as u64 - 1 - random.below(back.min(self.messages.len() as u64));
            let of = &self.messages[usize::try_from(at).unwrap()];
            let counts = Counts {
                ws_audience: random.below(9),
                wh_audience: random.below(4),
                wh_delivered: random.below(3),
            };
            let said = self.counts.entry(count_key(of)).or_default();
            // Zeros say nothing.
            if counts.ws_audience > 0 {
                said.ws_audience = counts.ws_audience;
            }
            if counts.wh_audience + counts.wh_delivered > 0 {
                (said.wh_audience, said.wh_delivered) = (counts.wh_audience, counts.wh_delivered);
            }
            let (channel, epoch) = (Arc::clone(of.channel()), of.epoch());
            counted.push(Counted { channel, epoch, offset: of.offset().unwrap(), counts });
        }
        let nobody = Counts { ws_audience: 1_000_000, ..Counts::default() };
        let (channel, offset) = (channel(random.below(9)), Offset(1_000_000));
        counted.push(Counted { channel, epoch: Epoch(1), offset, counts: nobody });
        journal.count(&counted).unwrap();
        if random.chance(3) {
            journal.append(&[]).unwrap();
        }
    }

    pub(crate) fn counts_of(&self, of: &Publication) -> Counts {
        self.counts.get(&count_key(of)).copied().unwrap_or_default()
    }

    /// The messages that match, newest first.
    pub(crate) fn listed(&self, query: &ListQuery) -> Vec<Arc<Publication>> {
        let of_it = |it: &&Arc<Publication>| {
            it.channel().tenant() == query.tenant
                && is_among(&query.among, it.channel())
                && query.event.as_ref().is_none_or(|event| event == it.event())
        };
        let mut found: Vec<_> = self.messages.iter().filter(of_it).cloned().collect();
        found.sort_by_key(|it| it.at_ms());
        found.reverse();
        let skip = usize::try_from(query.offset).unwrap();
        found.into_iter().skip(skip).take(query.limit).collect()
    }

    pub(crate) fn stats(&self, query: &StatsQuery) -> Stats {
        let of_it = |it: &&Arc<Publication>| {
            it.channel().tenant() == query.tenant
                && is_among(&query.among, it.channel())
                && it.at_ms() >= query.since_ms
        };
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        let mut sums = Counts::default();
        for message in self.messages.iter().filter(of_it) {
            *counts.entry(message.event()).or_default() += 1;
            let its = self.counts_of(message);
            sums.ws_audience += its.ws_audience;
            sums.wh_audience += its.wh_audience;
            sums.wh_delivered += its.wh_delivered;
        }
        let mut events: Vec<_> =
            counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        events.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Stats { messages: counts.values().sum(), events, counts: sums }
    }

    /// What a channel has lost after a retention run, a drop or the like.
    pub(crate) fn follow(&mut self, journal: &dyn Journal) {
        let states: BTreeMap<_, _> = journal
            .channels()
            .into_iter()
            .map(|(key, state)| ((key.tenant(), key.name().to_owned()), state.first_retained))
            .collect();
        self.messages.retain(|it| {
            let key = (it.channel().tenant(), it.channel().name().to_owned());
            states.get(&key).is_some_and(|first| it.offset() >= Some(*first))
        });
    }

    pub(crate) fn check(&self, source: &mut dyn Source, random: &mut Random, what: &str) {
        for _ in 0..12 {
            let of = channel(random.below(9));
            let (tenant, among) = match random.below(3) {
                0 => (TenantId(1), Among::All),
                1 => (of.tenant(), Among::Channel(of)),
                _ => (of.tenant(), Among::Named(Arc::new(|it| it.ends_with(['1', '2', '5', '7'])))),
            };
            let event = random
                .chance(2)
                .then(|| EVENTS[usize::try_from(random.below(4)).unwrap()].to_owned());
            let limit = usize::try_from(random.below(60)).unwrap();
            let offset = random.below(1 + self.messages.len() as u64 / 2);
            let offset = if random.chance(2) { 0 } else { offset };
            let query = ListQuery { tenant, among: among.clone(), event, limit, offset };
            let found = list(&mut [&mut *source], &query).unwrap();
            for it in &found {
                assert_eq!(it.counts, self.counts_of(&it.publication), "{what}: {it:?}");
            }
            let found: Vec<_> = found.into_iter().map(|it| it.publication).collect();
            assert_eq!(found, self.listed(&query), "{what}: {query:?}");
            let since_ms = if random.chance(2) { 0 } else { random.below(self.clock + 2) };
            let query = StatsQuery { tenant, among, since_ms };
            let counted = stats(&mut [&mut *source], &query).unwrap();
            assert_eq!(counted, self.stats(&query), "{what}: {query:?}");
        }
    }
}

fn is_among(among: &Among, channel: &Arc<ChannelKey>) -> bool {
    match among {
        Among::All => true,
        Among::Channel(its) => its == channel,
        Among::Named(names) => names(channel.name()),
    }
}

fn count_key(of: &Publication) -> (String, u32, u64) {
    (of.channel().name().to_owned(), of.epoch().0, of.offset().unwrap().0)
}
