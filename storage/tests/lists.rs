//! Lists, statistics and cursors over a tenant's messages: what every backend answers, compared with a plain model.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod support;

use std::sync::Arc;

use storage::{
    Among, Counted, Counts, JournalKind, Keep, ListQuery, Offset, Publication, Retention, Source,
    TenantId, list,
};
use support::{
    Random,
    backends::{journal, keep, on_each},
    channel, keep_all,
    model::Model,
};

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
            let query =
                ListQuery { tenant: TenantId(1), among: Among::All, event, limit: 100, offset };
            let mut sources: Vec<_> = journals.iter_mut().map(|it| it as &mut dyn Source).collect();
            let found = list(&mut sources, &query).unwrap();
            let found: Vec<_> = found.into_iter().map(|it| it.publication).collect();
            assert_eq!(found, model.listed(&query), "{query:?}");
        }
    }
}

#[test]
fn large_messages_are_read_a_few_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let mut journals: Vec<_> =
        (0..3).map(|it| journal(JournalKind::Memory, &dir.path().join(it.to_string()))).collect();
    let payload = vec![b'1'; 700_000];
    let mut appended = Vec::new();
    for number in 0..30_u64 {
        let key = Arc::new(storage::ChannelKey::new(TenantId(1), &format!("c{}", number % 3)));
        let offset = Offset(number / 3 + 1);
        let message = Arc::new(Publication::new(&storage::Draft {
            channel: &key,
            epoch: storage::Epoch(1),
            offset: Some(offset),
            id: storage::MessageId(number.into()),
            at_ms: number,
            sender: "",
            sender_kind: storage::SenderKind::System,
            event: "e",
            // A run of large ones, then one of small ones.
            payload: if number < 20 { &payload } else { b"1" },
            idempotency: None,
        }));
        journals[usize::try_from(number % 3).unwrap()].append(&[Arc::clone(&message)]).unwrap();
        appended.push(message);
    }
    appended.reverse();
    let mut sources: Vec<_> = journals.iter_mut().map(|it| it as &mut dyn Source).collect();
    let query =
        ListQuery { tenant: TenantId(1), among: Among::All, event: None, limit: 100, offset: 0 };
    let (mut listing, mut found) = (storage::choose(&mut sources, &query).unwrap(), Vec::new());
    while !listing.is_over() {
        let some = listing.next(&mut sources).unwrap();
        let bytes: usize = some.iter().map(|it| it.publication.text_bytes()).sum();
        assert!((1..=3_000_000).contains(&bytes), "{bytes} bytes at once");
        found.extend(some.into_iter().map(|it| it.publication));
    }
    assert_eq!(found, appended);
}

#[test]
fn what_was_taken_up_to_a_time_is_let_go_for_good_and_counted_exactly() {
    on_each(|kind, dir| {
        let mut random = Random(21);
        let mut model = Model { clock: 1_000, ..Model::default() };
        let mut journal = journal(kind, dir);
        // A clock that does not go back: what goes of a channel is always its beginning.
        for _ in 0..1_500 {
            let (number, seed) = (random.below(9), random.next() | 1);
            let before = model.clock;
            let message = model.message(number, &mut Random(seed));
            model.clock = model.clock.max(before);
            if message.at_ms() < before {
                model.nexts.get_mut(message.channel().name()).unwrap().1 -= 1;
                continue;
            }
            journal.append(&[Arc::clone(&message)]).unwrap();
            model.messages.push(message);
        }
        let until_ms = model.messages[900].at_ms();
        let of_it = |it: &Arc<Publication>| it.channel().tenant() == TenantId(1);
        let gone = |it: &Arc<Publication>| of_it(it) && it.at_ms() <= until_ms;
        let expected = model.messages.iter().filter(|it| gone(it)).count();
        assert!(expected > 100);
        let channels = [1, 4, 7, 100].map(channel);
        let cuts = journal.drop_until(&channels, until_ms).unwrap();
        assert_eq!(cuts.iter().map(|it| it.messages).sum::<u64>(), expected as u64, "{kind:?}");
        for cut in &cuts {
            let read = journal.read(&cut.channel, Offset(0), 1).unwrap();
            let first = read.first().and_then(|it| it.offset());
            assert_eq!(first.unwrap_or(cut.first_retained), cut.first_retained, "{kind:?}");
        }
        assert_eq!(journal.drop_until(&channels, until_ms).unwrap(), [], "{kind:?}");
        model.messages.retain(|it| !gone(it));
        model.check(&mut journal, &mut random, "cut");
        if kind != JournalKind::Memory {
            drop(journal);
            journal = self::journal(kind, dir);
            model.check(&mut journal, &mut random, "cut, and opened again");
        }
        let cuts = journal.drop_until(&channels, u64::MAX).unwrap();
        let rest = model.messages.iter().filter(|it| of_it(it)).count() as u64;
        assert_eq!(cuts.iter().map(|it| it.messages).sum::<u64>(), rest, "{kind:?}");
        model.messages.retain(|it| !of_it(it));
        model.check(&mut journal, &mut random, "emptied");
    });
}

#[test]
fn counts_of_sockets_and_of_webhooks_come_apart() {
    on_each(|kind, dir| {
        let mut model = Model { clock: 1_000, ..Model::default() };
        let mut journal = journal(kind, dir);
        let message = model.message(1, &mut Random(9));
        journal.append(&[Arc::clone(&message)]).unwrap();
        let mut say = |counts: Counts| {
            let (channel, epoch) = (Arc::clone(message.channel()), message.epoch());
            journal.count(&[Counted { channel, epoch, offset: Offset(1), counts }]).unwrap();
            journal.append(&[]).unwrap();
            let query = ListQuery {
                tenant: TenantId(1),
                among: Among::All,
                event: None,
                limit: 1,
                offset: 0,
            };
            let listed = list(&mut [&mut journal], &query).unwrap();
            (
                listed[0].counts.ws_audience,
                listed[0].counts.wh_audience,
                listed[0].counts.wh_delivered,
            )
        };
        assert_eq!(say(Counts { ws_audience: 7, ..Counts::default() }), (7, 0, 0), "{kind:?}");
        let told = Counts { wh_audience: 2, wh_delivered: 2, ..Counts::default() };
        assert_eq!(say(told), (7, 2, 2), "{kind:?}");
        assert_eq!(say(Counts { ws_audience: 8, ..Counts::default() }), (8, 2, 2), "{kind:?}");
        // The same webhooks once more, after a crash: the last telling holds.
        let told = Counts { wh_audience: 2, wh_delivered: 0, ..Counts::default() };
        assert_eq!(say(told), (8, 2, 0), "{kind:?}");
    });
}

#[test]
fn counts_stay_for_as_long_as_their_messages() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(9);
    let mut model = Model { clock: 1_000, ..Model::default() };
    let mut journal = journal(JournalKind::Segment, dir.path());
    let first = model.message(1, &mut random);
    journal.append(&[Arc::clone(&first)]).unwrap();
    // Much later something is said about it, in a segment in which nothing else is retained.
    model.work(&mut *journal, &mut random, 60);
    let counts = Counts { ws_audience: 7, wh_audience: 2, wh_delivered: 1 };
    let (channel, epoch, offset) = (Arc::clone(first.channel()), first.epoch(), Offset(1));
    journal.count(&[Counted { channel, epoch, offset, counts }]).unwrap();
    model.work(&mut *journal, &mut random, 60);
    let first_alone = Retention {
        keep: Arc::new(|key| match key.name() {
            "room:1" => Keep::ALL,
            _ => Keep { messages_max: 0, ..Keep::ALL },
        }),
        ..keep_all()
    };
    assert!(journal.retain(&first_alone, model.clock).unwrap().messages > 100);
    for _ in 0..2 {
        let query = ListQuery {
            tenant: TenantId(1),
            among: Among::All,
            event: None,
            limit: 1000,
            offset: 0,
        };
        let listed = list(&mut [&mut journal], &query).unwrap();
        let oldest = listed.last().unwrap();
        assert_eq!((&oldest.publication, oldest.counts), (&first, counts));
        drop(journal);
        journal = self::journal(JournalKind::Segment, dir.path());
        journal.retain(&first_alone, model.clock).unwrap();
    }
}

#[test]
fn a_run_of_retention_looks_after_so_many_channels_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = journal(JournalKind::Segment, dir.path());
    let one = |number: u64| {
        let key = Arc::new(storage::ChannelKey::new(TenantId(1), &format!("c{number}")));
        support::publication(&key, 1, 1)
    };
    for some in (0..5_000).collect::<Vec<_>>().chunks(100) {
        let batch: Vec<_> = some.iter().copied().map(one).collect();
        journal.append(&batch).unwrap();
    }
    let nothing = Keep { messages_max: 0, ..Keep::ALL };
    let policy = Retention { keep: Arc::new(move |_| nothing), ..keep_all() };
    let mut runs = Vec::new();
    for _ in 0..3 {
        let run = journal.retain(&policy, 0).unwrap();
        runs.push((run.messages, run.is_partial));
    }
    assert_eq!(runs, [(4096, true), (904, false), (0, false)]);
}
