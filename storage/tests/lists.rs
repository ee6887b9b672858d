//! Lists, statistics and cursors over a tenant's messages: what every backend answers, compared with a plain model.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod support;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use storage::{
    Cursor, Draft, Epoch, Journal, JournalKind, JournalOptions, Keep, ListQuery, MessageId, Offset,
    Place, Prepare, Publication, Retention, SenderKind, Source, Stats, StatsQuery, TenantId, list,
    open, stats,
};
use support::{Random, channel, keep_all};

const KINDS: [JournalKind; 3] = [JournalKind::Memory, JournalKind::Segment, JournalKind::Sled];
/// Most messages have the first of these, one of 400 the last.
const EVENTS: [&str; 4] = ["said", "moved", "left", "rare"];

fn journal(kind: JournalKind, dir: &Path) -> Box<dyn Journal> {
    let options = JournalOptions { segment_bytes: 32 * 1024, prepare: Prepare::InPlace };
    open(kind, dir, &options).unwrap()
}

/// Runs the same steps on every backend.
fn on_each(steps: impl Fn(JournalKind, &Path)) {
    for kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        steps(kind, &dir.path().join("journal"));
    }
}

/// What was appended and is retained, in the order of the log.
#[derive(Default)]
struct Model {
    messages: Vec<Arc<Publication>>,
    nexts: BTreeMap<String, (u32, u64)>,
    clock: u64,
    random: u64,
}

impl Model {
    fn message(&mut self, number: u64, random: &mut Random) -> Arc<Publication> {
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
    fn work(&mut self, journal: &mut dyn Journal, random: &mut Random, batches: usize) {
        for _ in 0..batches {
            let count = 1 + random.below(40);
            let batch: Vec<_> = (0..count).map(|_| self.message(random.below(9), random)).collect();
            journal.append(&batch).unwrap();
            self.messages.extend(batch);
        }
    }

    /// The messages that match, newest first.
    fn listed(&self, query: &ListQuery) -> Vec<Arc<Publication>> {
        let of_it = |it: &&Arc<Publication>| {
            it.channel().tenant() == query.tenant
                && query.channel.as_ref().is_none_or(|channel| channel == it.channel())
                && query.event.as_ref().is_none_or(|event| event == it.event())
        };
        let mut found: Vec<_> = self.messages.iter().filter(of_it).cloned().collect();
        found.sort_by_key(|it| it.at_ms());
        found.reverse();
        let skip = usize::try_from(query.offset).unwrap();
        found.into_iter().skip(skip).take(query.limit).collect()
    }

    fn stats(&self, query: &StatsQuery) -> Stats {
        let of_it = |it: &&Arc<Publication>| {
            it.channel().tenant() == query.tenant
                && query.channel.as_ref().is_none_or(|channel| channel == it.channel())
                && it.at_ms() >= query.since_ms
        };
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for message in self.messages.iter().filter(of_it) {
            *counts.entry(message.event()).or_default() += 1;
        }
        let mut events: Vec<_> =
            counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        events.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Stats { messages: counts.values().sum(), events }
    }

    /// What a channel has lost after a retention run, a drop or the like.
    fn follow(&mut self, journal: &dyn Journal) {
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

    fn check(&self, source: &mut dyn Source, random: &mut Random, what: &str) {
        for _ in 0..12 {
            let of_channel = random.chance(2).then(|| channel(random.below(9)));
            let tenant = of_channel.as_ref().map_or(TenantId(1), |it| it.tenant());
            let event = random
                .chance(2)
                .then(|| EVENTS[usize::try_from(random.below(4)).unwrap()].to_owned());
            let limit = usize::try_from(random.below(60)).unwrap();
            let offset = random.below(1 + self.messages.len() as u64 / 2);
            let offset = if random.chance(2) { 0 } else { offset };
            let query = ListQuery { tenant, channel: of_channel.clone(), event, limit, offset };
            let found = list(&mut [&mut *source], &query).unwrap();
            let found: Vec<_> = found.into_iter().map(|it| it.publication).collect();
            assert_eq!(found, self.listed(&query), "{what}: {query:?}");
            let since_ms = if random.chance(2) { 0 } else { random.below(self.clock + 2) };
            let query = StatsQuery { tenant, channel: of_channel, since_ms };
            let counted = stats(&mut [&mut *source], &query).unwrap();
            assert_eq!(counted, self.stats(&query), "{what}: {query:?}");
        }
    }
}

fn keep(keep: Keep) -> Retention {
    Retention { keep: Arc::new(move |_| keep), ..keep_all() }
}

#[test]
fn lists_and_statistics_are_those_of_a_plain_model() {
    on_each(|kind, dir| {
        let mut random = Random(7);
        let mut model = Model { clock: 1_000, ..Model::default() };
        let mut journal = journal(kind, dir);
        model.work(&mut *journal, &mut random, 150);
        model.check(&mut journal, &mut random, "full");
        let by_count = keep(Keep { messages_max: 250, ..Keep::ALL });
        journal.retain(&by_count, model.clock).unwrap();
        model.follow(&*journal);
        model.check(&mut journal, &mut random, "retained by count");
        journal.drop_channel(&channel(4)).unwrap();
        model.follow(&*journal);
        model.check(&mut journal, &mut random, "a channel dropped");
        let floor = journal.drop_tenant(TenantId(2)).unwrap();
        model.follow(&*journal);
        for number in [2, 5, 8] {
            model.nexts.insert(channel(number).name().to_owned(), (floor.0, 1));
        }
        model.work(&mut *journal, &mut random, 60);
        model.check(&mut journal, &mut random, "a tenant dropped, and back");
        if kind == JournalKind::Memory {
            return; // It keeps nothing, as it says.
        }
        for _ in 0..2 {
            drop(journal);
            journal = self::journal(kind, dir);
            // What a rule let go may be back until the next run.
            journal.retain(&by_count, model.clock).unwrap();
            model.follow(&*journal);
            model.check(&mut journal, &mut random, "opened again");
            model.work(&mut *journal, &mut random, 20);
            model.check(&mut journal, &mut random, "gone on");
        }
    });
}

#[test]
fn lists_of_several_journals_are_merged_by_time() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(3);
    let mut model = Model { clock: 1_000, ..Model::default() };
    let mut journals: Vec<_> =
        (0..3).map(|it| journal(JournalKind::Segment, &dir.path().join(it.to_string()))).collect();
    // Times that are all different, so that there is one right order.
    for _ in 0..4_000 {
        let number = random.below(9);
        model.clock += 1 + random.below(5);
        let (message, home) = (model.message(number, &mut Random(number + 8)), number % 3);
        journals[usize::try_from(home).unwrap()].append(&[Arc::clone(&message)]).unwrap();
        model.messages.push(message);
    }
    for offset in [0, 1, 700, 1_290, 1_400, 9_000] {
        for event in [None, Some("said".to_owned())] {
            let query = ListQuery { tenant: TenantId(1), channel: None, event, limit: 100, offset };
            let mut sources: Vec<_> = journals.iter_mut().map(|it| it as &mut dyn Source).collect();
            let found = list(&mut sources, &query).unwrap();
            let found: Vec<_> = found.into_iter().map(|it| it.publication).collect();
            assert_eq!(found, model.listed(&query), "{query:?}");
        }
    }
}

/// Goes along a cursor to its end; checks that places rise, and that each can be written and read.
fn go_along(cursor: &mut Cursor, source: &mut dyn Source, max: usize) -> Vec<Arc<Publication>> {
    let mut all = Vec::new();
    loop {
        let before = cursor.place();
        let slice = cursor.next(source, max).unwrap();
        assert!(slice.messages.len() <= max);
        let mut last = before;
        for (place, message) in slice.messages {
            assert!(place > last);
            assert_eq!(Place::from_bytes(&place.to_bytes()), Some(place));
            assert!(place.to_bytes() > last.to_bytes(), "bytes sort as places do");
            last = place;
            all.push(message);
        }
        assert_eq!(slice.place, cursor.place());
        if slice.is_end {
            return all;
        }
    }
}

fn of_tenant(messages: &[Arc<Publication>], tenant: TenantId) -> Vec<Arc<Publication>> {
    messages.iter().filter(|it| it.channel().tenant() == tenant).cloned().collect()
}

#[test]
fn a_cursor_sees_everything_of_a_tenant_once_and_in_order() {
    on_each(|kind, dir| {
        let mut random = Random(11);
        let mut model = Model { clock: 1_000, ..Model::default() };
        let mut journal = journal(kind, dir);
        let mut cursor = Cursor::new(TenantId(1), Place::START);
        let mut all = Vec::new();
        for round in 0..30 {
            model.work(&mut *journal, &mut random, 6);
            let max = 1 + usize::try_from(random.below(90)).unwrap();
            if round % 3 == 0 {
                all.extend(go_along(&mut cursor, &mut journal, max));
            } else {
                let slice = cursor.next(&mut journal, max).unwrap();
                assert_eq!((slice.passed.messages, slice.passed.is_unknown), (0, false));
                all.extend(slice.messages.into_iter().map(|it| it.1));
            }
            // Whoever kept the place goes on from it, also after a restart.
            let place = Place::from_bytes(&cursor.place().to_bytes()).unwrap();
            if round % 5 == 4 {
                cursor = Cursor::new(TenantId(1), place);
            }
            if round % 5 == 4 && kind != JournalKind::Memory {
                drop(journal);
                journal = self::journal(kind, dir);
            }
        }
        all.extend(go_along(&mut cursor, &mut journal, 50));
        assert_eq!(all, of_tenant(&model.messages, TenantId(1)), "{kind:?}");
        let some = [channel(1), channel(7)];
        let mut cursor = Cursor::new(TenantId(1), Place::START).only(some.clone());
        let mut expected = of_tenant(&model.messages, TenantId(1));
        expected.retain(|it| some.contains(it.channel()));
        assert_eq!(go_along(&mut cursor, &mut journal, 70), expected, "{kind:?}");
        let mut now = Cursor::from_now(TenantId(1), &mut journal).unwrap();
        assert_eq!(go_along(&mut now, &mut journal, 9), [], "{kind:?}");
        let before = model.messages.len();
        model.work(&mut *journal, &mut random, 5);
        let expected = of_tenant(&model.messages[before..], TenantId(1));
        assert_eq!(go_along(&mut now, &mut journal, 9), expected, "{kind:?}");
    });
}

#[test]
fn a_cursor_is_told_what_was_let_go_before_it_came() {
    on_each(|kind, dir| {
        let mut random = Random(5);
        let mut model = Model { clock: 1_000, ..Model::default() };
        let mut journal = journal(kind, dir);
        model.work(&mut *journal, &mut random, 100);
        let mut cursor = Cursor::new(TenantId(1), Place::START);
        assert_eq!(cursor.next(&mut journal, 10).unwrap().messages.len(), 10);
        let mut cursor = Cursor::new(TenantId(1), cursor.place());
        journal.retain(&keep(Keep { messages_max: 20, ..Keep::ALL }), model.clock).unwrap();
        model.follow(&*journal);
        let mut expected = of_tenant(&model.messages, TenantId(1));
        let slice = cursor.next(&mut journal, 10).unwrap();
        assert!(slice.passed.is_unknown || slice.passed.messages > 0, "{kind:?}");
        let rest = expected.split_off(10);
        let given: Vec<_> = slice.messages.into_iter().map(|it| it.1).collect();
        assert_eq!(given, expected, "{kind:?}");
        assert_eq!(go_along(&mut cursor, &mut journal, 50), rest, "{kind:?}");
        let slice = cursor.next(&mut journal, 10).unwrap();
        assert!(!slice.passed.is_unknown, "{kind:?}: it is told once");
    });
}
