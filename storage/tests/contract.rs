//! What every journal does, whatever it is kept in.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod support;

use std::{path::Path, sync::Arc};

use storage::{
    ChannelKey, Epoch, Journal, JournalError, JournalKind, JournalOptions, KEYED_MS, Keep,
    KeyedRecord, Offset, Prepare, Publication, Retention, open,
};
use support::{
    backends::{keep, on_each},
    channel, keep_all, publication, sized,
};

fn journal(kind: JournalKind, dir: &Path) -> Box<dyn Journal> {
    let options = JournalOptions { segment_bytes: 256 * 1024, prepare: Prepare::Ahead };
    open(kind, dir, &options).unwrap()
}

/// Messages with consecutive offsets.
fn run(key: &Arc<ChannelKey>, offsets: std::ops::Range<u64>) -> Vec<Arc<Publication>> {
    offsets.map(|it| publication(key, 1, it)).collect()
}

fn offsets(read: &[Arc<Publication>]) -> Vec<u64> {
    read.iter().map(|it| it.offset().unwrap().0).collect()
}

/// What is listed of messages with a key.
fn keyed(all: &[Arc<Publication>]) -> Vec<KeyedRecord> {
    let record = |it: &Arc<Publication>| {
        Some(KeyedRecord {
            channel: Arc::clone(it.channel()),
            idempotency: it.idempotency()?,
            epoch: it.epoch(),
            offset: it.offset()?,
            id: it.id(),
            at_ms: it.at_ms(),
        })
    };
    all.iter().filter_map(record).collect()
}

fn state(journal: &dyn Journal, key: &ChannelKey) -> Option<(u32, u64, u64)> {
    let found = journal.channels().into_iter().find(|it| *it.0 == *key)?.1;
    Some((found.position.epoch.0, found.position.offset.0, found.first_retained.0))
}

#[test]
fn what_is_appended_is_read_back_byte_for_byte() {
    on_each(|kind, dir| {
        let mut journal = journal(kind, dir);
        let (a, b) = (channel(1), channel(2));
        let mut batch = run(&a, 1..30);
        batch.extend(run(&b, 1..5));
        journal.append(&batch).unwrap();
        journal.append(&run(&a, 30..40)).unwrap();
        assert_eq!(journal.read(&a, Offset(0), 100).unwrap(), run(&a, 1..40), "{kind:?}");
        assert_eq!(journal.read(&a, Offset(5), 3).unwrap(), run(&a, 6..9), "{kind:?}");
        assert_eq!(journal.read(&a, Offset(39), 3).unwrap(), [], "{kind:?}");
        assert_eq!(journal.read(&b, Offset(3), 100).unwrap(), run(&b, 4..5), "{kind:?}");
        assert_eq!(journal.read(&channel(9), Offset(0), 1).unwrap(), [], "{kind:?}");
        assert_eq!(journal.read(&a, Offset(0), 0).unwrap(), [], "{kind:?}");
    });
}

#[test]
fn a_batch_out_of_order_is_refused_as_a_whole() {
    on_each(|kind, dir| {
        let mut journal = journal(kind, dir);
        let (a, b) = (channel(1), channel(2));
        journal.append(&run(&a, 1..4)).unwrap();
        for wrong in [run(&a, 5..6), run(&a, 3..4), [run(&a, 4..6), run(&a, 4..5)].concat()] {
            let batch = [run(&b, 1..3), wrong].concat();
            let refused = journal.append(&batch);
            assert!(matches!(refused, Err(JournalError::OutOfOrder)), "{kind:?}");
        }
        assert_eq!(state(&*journal, &b), None, "{kind:?}");
        assert_eq!(offsets(&journal.read(&a, Offset(0), 9).unwrap()), [1, 2, 3], "{kind:?}");
        journal.append(&[run(&b, 1..3), run(&a, 4..6)].concat()).unwrap();
        assert_eq!(journal.read(&a, Offset(0), 9).unwrap(), run(&a, 1..6), "{kind:?}");
        assert_eq!(journal.read(&b, Offset(0), 9).unwrap(), run(&b, 1..3), "{kind:?}");
    });
}

#[test]
fn a_new_epoch_goes_on_from_the_last_offset_and_an_old_one_is_refused() {
    on_each(|kind, dir| {
        let mut journal = journal(kind, dir);
        let key = channel(1);
        journal.append(&run(&key, 1..3)).unwrap();
        journal.append(&[publication(&key, 5, 3)]).unwrap();
        assert!(journal.append(&[publication(&key, 1, 4)]).is_err(), "{kind:?}");
        assert_eq!(state(&*journal, &key), Some((5, 3, 1)), "{kind:?}");
        assert_eq!(offsets(&journal.read(&key, Offset(0), 9).unwrap()), [1, 2, 3], "{kind:?}");
        journal.begin_epoch(&key, Epoch(9)).unwrap();
        journal.begin_epoch(&key, Epoch(7)).unwrap();
        assert_eq!(state(&*journal, &key), Some((9, 3, 1)), "{kind:?}");
        assert!(journal.append(&[publication(&key, 8, 4)]).is_err(), "{kind:?}");
        journal.append(&[publication(&key, 9, 4)]).unwrap();
        assert_eq!(offsets(&journal.read(&key, Offset(0), 9).unwrap()), [1, 2, 3, 4], "{kind:?}");
    });
}

#[test]
fn what_a_rule_does_not_keep_goes_and_the_offsets_go_on() {
    on_each(|kind, dir| {
        let mut journal = journal(kind, dir);
        let key = channel(1);
        journal.append(&run(&key, 1..101)).unwrap();
        let by_count = keep(Keep { messages_max: 60, ..Keep::ALL });
        assert_eq!(journal.retain(&by_count, 0).unwrap().messages, 40, "{kind:?}");
        // They were taken at 1,000 ms + their offset.
        let by_age = keep(Keep { age_ms_max: 1_000, ..Keep::ALL });
        assert_eq!(journal.retain(&by_age, 2_050).unwrap().messages, 9, "{kind:?}");
        assert_eq!(state(&*journal, &key), Some((1, 100, 50)), "{kind:?}");
        assert_eq!(journal.read(&key, Offset(0), 99).unwrap(), run(&key, 50..101), "{kind:?}");
        assert_eq!(journal.retain(&by_age, 9_000).unwrap().messages, 51, "{kind:?}");
        assert_eq!(state(&*journal, &key), Some((1, 100, 101)), "{kind:?}");
        journal.append(&run(&key, 101..103)).unwrap();
        assert_eq!(offsets(&journal.read(&key, Offset(0), 9).unwrap()), [101, 102], "{kind:?}");
    });
}

#[test]
fn bytes_are_bounded_for_a_channel_and_for_all() {
    on_each(|kind, dir| {
        let mut journal = journal(kind, dir);
        let key = channel(1);
        let batch = |from: u64| (from..from + 10).map(|it| sized(&key, 1, it, 1000));
        for at in 0..200 {
            journal.append(&batch(at * 10 + 1).collect::<Vec<_>>()).unwrap();
        }
        let text = u64::try_from(sized(&key, 1, 1, 1000).text_bytes() + 3).unwrap();
        journal.retain(&keep(Keep { bytes_max: 500 * text, ..Keep::ALL }), 0).unwrap();
        let (_, last, first) = state(&*journal, &key).unwrap();
        assert_eq!(last, 2_000, "{kind:?}");
        assert!(
            (1_490..=1_502).contains(&first),
            "{kind:?}: about 500 of a size stay, from {first}"
        );
        let before = journal.stats();
        journal.retain(&Retention { bytes_max: 100_000, ..keep_all() }, 0).unwrap();
        assert!(state(&*journal, &key).unwrap().2 > first, "{kind:?}");
        assert!(journal.stats().segments <= before.segments, "{kind:?}");
        let read = journal.read(&key, Offset(1_999), 9).unwrap();
        assert_eq!(read, [sized(&key, 1, 2_000, 1000)], "{kind:?}");
    });
}

#[test]
fn a_dropped_channel_is_empty_and_goes_on() {
    on_each(|kind, dir| {
        let mut journal = journal(kind, dir);
        let key = channel(1);
        journal.append(&run(&key, 1..10)).unwrap();
        journal.drop_channel(&key).unwrap();
        journal.drop_channel(&channel(8)).unwrap();
        assert_eq!(journal.read(&key, Offset(0), 99).unwrap(), [], "{kind:?}");
        assert_eq!(state(&*journal, &key), Some((1, 9, 10)), "{kind:?}");
        journal.append(&run(&key, 10..12)).unwrap();
        assert_eq!(journal.read(&key, Offset(0), 99).unwrap(), run(&key, 10..12), "{kind:?}");
    });
}

#[test]
fn an_idle_channel_is_forgotten_and_comes_back_in_an_epoch_of_its_own() {
    on_each(|kind, dir| {
        let mut journal = journal(kind, dir);
        let (idle, busy) = (channel(1), channel(2));
        assert_eq!(journal.fresh_epoch(), Epoch(1), "{kind:?}");
        journal.append(&[run(&idle, 1..3), run(&busy, 1..3)].concat()).unwrap();
        journal.drop_channel(&idle).unwrap();
        let policy = Retention { idle_ms_max: 500, ..keep_all() };
        assert_eq!(journal.retain(&policy, 1_100).unwrap().channels, 0, "{kind:?}: not yet");
        assert_eq!(journal.retain(&policy, 9_000).unwrap().channels, 1, "{kind:?}");
        assert_eq!(state(&*journal, &idle), None, "{kind:?}");
        assert_eq!(state(&*journal, &busy), Some((1, 2, 1)), "{kind:?}");
        assert_eq!(journal.fresh_epoch(), Epoch(2), "{kind:?}");
        journal.append(&[publication(&idle, 2, 1)]).unwrap();
        assert_eq!(state(&*journal, &idle), Some((2, 1, 1)), "{kind:?}");
    });
}

#[test]
fn everything_is_as_it_was_after_a_restart() {
    on_each(|kind, dir| {
        if kind == JournalKind::Memory {
            return; // It keeps nothing, as it says.
        }
        let (a, b, c) = (channel(1), channel(2), channel(3));
        {
            let mut journal = journal(kind, dir);
            for at in 0..60 {
                let some =
                    |key, from: u64| (from..from + 20).map(|it| sized(key, 1, it, 500)).collect();
                let batch: [Vec<_>; 2] = [some(&a, at * 20 + 1), some(&b, at * 20 + 1)];
                journal.append(&batch.concat()).unwrap();
            }
            journal.append(&run(&c, 1..3)).unwrap();
            journal.drop_channel(&b).unwrap();
            journal.drop_channel(&c).unwrap();
            let policy = Retention { idle_ms_max: 2_000, ..keep_all() };
            assert_eq!(journal.retain(&policy, 3_500).unwrap().channels, 1, "{kind:?}");
        }
        for _ in 0..2 {
            let mut journal = journal(kind, dir);
            assert_eq!(state(&*journal, &a), Some((1, 1_200, 1)), "{kind:?}");
            assert_eq!(state(&*journal, &b), Some((1, 1_200, 1_201)), "{kind:?}");
            assert_eq!(state(&*journal, &c), None, "{kind:?}");
            assert_eq!(journal.fresh_epoch(), Epoch(2), "{kind:?}");
            assert_eq!(journal.stats().quarantined, 0, "{kind:?}");
            for after in [0, 7, 599, 1_150] {
                let read = journal.read(&a, Offset(after), 50).unwrap();
                let expected: Vec<_> =
                    (after + 1..=after + 50).map(|it| sized(&a, 1, it, 500)).collect();
                assert_eq!(read, expected, "{kind:?}");
            }
        }
    });
}

#[test]
fn a_directory_has_one_journal_at_a_time() {
    for kind in [JournalKind::Segment, JournalKind::Sled] {
        let dir = tempfile::tempdir().unwrap();
        let first = journal(kind, dir.path());
        let second = open(kind, dir.path(), &JournalOptions::default());
        assert!(matches!(second, Err(storage::OpenError::Locked { .. })), "{kind:?}");
        drop(first);
        journal(kind, dir.path());
    }
}

#[test]
fn keyed_messages_are_listed_from_a_time_on_and_the_newest_so_many() {
    on_each(|kind, dir| {
        let key = channel(1);
        let all: Vec<_> = (1..3_001).map(|it| sized(&key, 1, it, 300)).collect();
        {
            let mut journal = journal(kind, dir);
            all.chunks(50).for_each(|it| journal.append(it).unwrap());
            assert!(journal.append(&run(&key, 9_000..9_010)).is_err(), "{kind:?}");
            let listed = |at_ms, max| journal.keyed_since(at_ms, max).unwrap();
            // They were taken at 1,000 ms + their offset, and every third has a key.
            assert_eq!(listed(0, usize::MAX), keyed(&all), "{kind:?}");
            assert_eq!(listed(3_000, usize::MAX), keyed(&all[1_999..]), "{kind:?}");
            assert_eq!(listed(0, 100), keyed(&all)[900..], "{kind:?}");
            assert_eq!(listed(9_000, 100), [], "{kind:?}");
            assert_eq!(listed(0, 0), [], "{kind:?}");
        }
        if kind == JournalKind::Memory {
            return; // It keeps nothing, as it says.
        }
        for _ in 0..2 {
            let journal = journal(kind, dir);
            assert_eq!(journal.keyed_since(0, usize::MAX).unwrap(), keyed(&all), "{kind:?}");
            assert_eq!(journal.keyed_since(3_500, 10).unwrap(), keyed(&all)[990..], "{kind:?}");
        }
    });
}

#[test]
fn a_key_outlives_its_message_for_a_day() {
    for kind in [JournalKind::Segment, JournalKind::Sled] {
        let dir = tempfile::tempdir().unwrap();
        let key = channel(1);
        let all: Vec<_> = (1..2_001).map(|it| sized(&key, 1, it, 500)).collect();
        let nothing = keep(Keep { messages_max: 0, ..Keep::ALL });
        {
            let mut journal = journal(kind, dir.path());
            all.chunks(50).for_each(|it| journal.append(it).unwrap());
            assert_eq!(journal.retain(&nothing, 4_000).unwrap().messages, 2_000, "{kind:?}");
        }
        for _ in 0..2 {
            let mut journal = journal(kind, dir.path());
            journal.retain(&nothing, 5_000).unwrap();
            assert_eq!(journal.read(&key, Offset(0), 9).unwrap(), [], "{kind:?}");
            assert_eq!(journal.keyed_since(0, usize::MAX).unwrap(), keyed(&all), "{kind:?}");
        }
        let mut journal = journal(kind, dir.path());
        journal.append(&run(&key, 2_001..2_002)).unwrap();
        journal.retain(&nothing, 10_000 + KEYED_MS).unwrap();
        // Of the segment that is written nothing is let go.
        let left = journal.keyed_since(0, usize::MAX).unwrap();
        assert!(left.len() < 334, "{kind:?}: {} are left", left.len());
        let names = std::fs::read_dir(dir.path()).unwrap().flatten();
        let keys = names.filter(|it| it.file_name().to_string_lossy().ends_with(".keys"));
        assert_eq!(keys.count(), 0, "{kind:?}");
    }
}

#[test]
fn a_dropped_tenant_is_gone_and_comes_back_in_an_epoch_of_its_own() {
    on_each(|kind, dir| {
        // Channels 1, 4 and 7 are of tenant 1; 2 is of tenant 2.
        let [a, b, other] = [channel(1), channel(4), channel(2)];
        let tenant = a.tenant();
        let gone = |journal: &mut dyn Journal| {
            assert!(journal.channels().iter().all(|it| it.0.tenant() != tenant), "{kind:?}");
            assert_eq!(journal.read(&a, Offset(0), 9).unwrap(), [], "{kind:?}");
            let listed = journal.keyed_since(0, usize::MAX).unwrap();
            assert_eq!(listed, keyed(&run(&other, 1..600)), "{kind:?}");
            assert_eq!(state(journal, &other), Some((1, 599, 1)), "{kind:?}");
            assert!(journal.fresh_epoch() >= Epoch(4), "{kind:?}");
        };
        let mut journal = journal(kind, dir);
        for at in 1..600 {
            journal.append(&[run(&a, at..at + 1), run(&other, at..at + 1)].concat()).unwrap();
        }
        journal.append(&[publication(&b, 3, 1), publication(&b, 3, 2)]).unwrap();
        assert_eq!(journal.drop_tenant(tenant).unwrap(), Epoch(4), "{kind:?}");
        gone(&mut *journal);
        if kind != JournalKind::Memory {
            drop(journal);
            journal = self::journal(kind, dir);
            gone(&mut *journal);
            // What holds nothing but what was dropped goes; the drop itself is not forgotten with it.
            for _ in 0..2 {
                journal.retain(&keep_all(), 2_000).unwrap();
                drop(journal);
                journal = self::journal(kind, dir);
                gone(&mut *journal);
            }
        }
        journal.append(&[publication(&a, 4, 1), publication(&a, 4, 2)]).unwrap();
        assert_eq!(state(&*journal, &a), Some((4, 2, 1)), "{kind:?}");
        assert_eq!(journal.drop_tenant(tenant).unwrap(), Epoch(5), "{kind:?}");
        assert_eq!(state(&*journal, &a), None, "{kind:?}");
        assert_eq!(journal.drop_tenant(storage::TenantId(77)).unwrap(), Epoch(5), "{kind:?}");
    });
}
