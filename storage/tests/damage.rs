//! A disk that lies about a sync, fills up, or flips bits; and files that are anything at all.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop at the first surprise"
)]

mod support;

use std::sync::Arc;

use storage::{
    Among, Answer, Disk, Epoch, JournalError, JournalOptions, Keep, Offset, Prepare, Publication,
    QueueLimits, Retention, StatsQuery, TenantId, Writer, WriterHandle, open_segments, stats,
};
use support::{
    Random, channel, keep_all,
    log::{audit, batch, files, open, unlink_sidecars},
    publication,
    sim_disk::{Faults, SimDisk},
};

/// Bytes of a segment of the log that is damaged byte by byte.
const SMALL_BYTES: u64 = 4 * 1024;

#[test]
fn a_failed_sync_fences_the_journal_for_good() {
    for sync_fails_in in 0..6 {
        let disk = SimDisk::new(sync_fails_in);
        let mut journal = open(&disk, 8 * 1024);
        disk.set_faults(Faults { sync_fails_in: Some(sync_fails_in), ..Faults::default() });
        let (mut acked, mut next) = (0, 1);
        let why = loop {
            match journal.append(&batch(next, 5)) {
                Ok(()) => acked = next + 4,
                Err(why) => break why,
            }
            next += 5;
        };
        assert!(matches!(why, JournalError::Io { .. }), "{why}");
        // The disk works again, and would acknowledge what it has lost.
        for _ in 0..3 {
            assert!(matches!(journal.append(&batch(next, 5)), Err(JournalError::Fenced)));
            assert!(matches!(journal.drop_channel(&channel(1)), Err(JournalError::Fenced)));
        }
        drop(journal);
        // The process starts again before the power fails: what it serves from the cache then is durable too.
        let served = audit(&mut *open(&disk.clone(), 8 * 1024)).0;
        disk.cut();
        let mut journal = open(&disk, 8 * 1024);
        let (count, is_told) = audit(&mut *journal);
        assert!(count >= 3 * acked && !is_told, "{count} of {acked} each");
        assert_eq!(count, served);
    }
}

#[test]
fn a_full_disk_refuses_and_goes_on_once_there_is_room() {
    let segment_bytes = 16 * 1024;
    let disk = SimDisk::new(1);
    let mut journal = open(&disk, segment_bytes);
    disk.set_faults(Faults { bytes_max: Some(6 * segment_bytes), ..Faults::default() });
    let mut next = 1;
    let why = loop {
        if let Err(why) = journal.append(&batch(next, 5)) {
            break why;
        }
        next += 5;
    };
    assert!(matches!(why, JournalError::Full { .. }) && why.is_passing(), "{why}");
    assert!(matches!(journal.append(&batch(next, 5)), Err(JournalError::Full { .. })), "still");
    assert_eq!(audit(&mut *journal), (3 * (next - 1), false), "what was taken is there");
    // Marks land in the reserve, and letting go makes room.
    journal.drop_channel(&channel(0)).unwrap();
    assert!(journal.append(&batch(next, 5)).is_err(), "the reserve is not for publications");
    let keep = Keep { messages_max: 10, ..Keep::ALL };
    let policy = Retention { keep: Arc::new(move |_| keep), ..keep_all() };
    assert!(journal.retain(&policy, 0).unwrap().segments > 0);
    journal.append(&batch(next, 5)).unwrap();
    drop(journal);
    let mut journal = open(&disk, segment_bytes);
    assert_eq!(journal.stats().quarantined, 0);
    let read = journal.read(&channel(1), Offset(next - 1), 9).unwrap();
    assert_eq!(read.len(), 5, "it goes on after a restart");
}

/// Three segments: two sealed, and one closed cleanly.
fn small_log() -> (SimDisk, u64) {
    let disk = SimDisk::new(7);
    let mut journal = open(&disk, SMALL_BYTES);
    let mut next = 1;
    while journal.stats().segments < 3 {
        journal.append(&batch(next, 2)).unwrap();
        next += 2;
    }
    journal.append(&batch(next, 2)).unwrap();
    (disk, 3 * (next + 1))
}

#[test]
fn a_missing_or_shortened_segment_is_told_once() {
    let (disk, all) = small_log();
    let names: Vec<_> = disk.names().unwrap();
    for name in names.iter().filter(|it| it.ends_with(".log")) {
        for keep in [None, Some(0), Some(64), Some(1_000), Some(3_000)] {
            let copy = disk.copy();
            unlink_sidecars(&copy);
            match keep {
                None => copy.unlink(name).unwrap(),
                Some(count) => copy.put(name, disk.file(name)[..count].to_vec()),
            }
            let mut journal = open(&copy, SMALL_BYTES);
            assert!(journal.stats().quarantined > 0, "{name} cut at {keep:?}");
            let epoch = journal.fresh_epoch();
            assert!(epoch.0 > 1, "{name} cut at {keep:?}");
            let used = disk.file(name).iter().rposition(|it| *it != 0).unwrap();
            let is_lossy = keep.is_none_or(|it| it < used - 200);
            assert!(audit(&mut *journal).0 < all || !is_lossy, "{name} cut at {keep:?}");
            drop(journal);
            let again = open(&copy, SMALL_BYTES);
            assert_eq!(again.fresh_epoch(), epoch, "{name} cut at {keep:?}: it is no news now");
        }
    }
}

/// Arbitrary bytes as segment files.
fn recover_anything(bytes: &[u8]) {
    let disk = SimDisk::new(3);
    let third = bytes.len() / 3;
    disk.put("segment-0000000001.log", bytes[..third].to_vec());
    disk.put("segment-0000000001.idx", bytes[third..2 * third].to_vec());
    disk.put("segment-0000000002.log", bytes[2 * third..].to_vec());
    let options = JournalOptions { segment_bytes: 8 * 1024, prepare: Prepare::InPlace };
    if let Ok(mut journal) = open_segments(Arc::new(disk), &options) {
        for (key, _) in journal.channels() {
            let _ = journal.read(&key, Offset(0), 10); // Anything but a panic.
        }
    }
}

#[test]
fn no_bytes_make_recovery_panic() {
    let (disk, _) = small_log();
    let whole: Vec<u8> = disk.names().unwrap().iter().flat_map(|it| disk.file(it)).collect();
    for seed in 0..500 {
        let mut random = Random(seed);
        let mut bytes = match seed % 3 {
            0 => (0..random.below(9_000)).map(|_| random.next().to_le_bytes()[0]).collect(),
            _ => whole.clone(),
        };
        for _ in 0..random.below(40) {
            let length = bytes.len() as u64;
            if length > 0 {
                let at = usize::try_from(random.below(length)).unwrap();
                bytes[at] = random.next().to_le_bytes()[0];
            }
        }
        recover_anything(&bytes);
    }
}

/// Flips a byte in every stored message of a channel from one offset to another, and leaves the sidecars.
fn damage(disk: &SimDisk, number: u64, offsets: std::ops::RangeInclusive<u64>) {
    for name in disk.names().unwrap().into_iter().filter(|it| it.ends_with(".log")) {
        let mut bytes = disk.file(&name);
        for offset in offsets.clone() {
            let sent = publication(&channel(number), 1, offset);
            let found = bytes.windows(sent.payload().len()).position(|it| it == sent.payload());
            bytes[found.unwrap_or(0)] ^= u8::from(found.is_some());
        }
        disk.put(&name, bytes);
    }
}

/// The answer to a read, and which channels were said to be damaged before it.
fn read(writer: &WriterHandle, number: u64, after: u64) -> (Vec<Arc<Publication>>, Vec<String>) {
    writer.try_read(1, channel(number), Offset(after), 1_000).unwrap();
    let mut damaged = Vec::new();
    loop {
        match writer.wait().unwrap() {
            Answer::Damaged { channel } => damaged.push(channel.name().to_owned()),
            Answer::Read { token: 1, result } => return (result.unwrap(), damaged),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_can_be_read_is_served_around_damage_and_the_home_is_told() {
    let disk = SimDisk::new(5);
    let mut journal = open(&disk, 16 * 1024);
    (0..60).for_each(|it| journal.append(&batch(it * 5 + 1, 5)).unwrap());
    assert!(journal.stats().segments > 2);
    drop(journal);
    damage(&disk, 1, 20..=30);
    damage(&disk, 1, 50..=50);
    let journal = open(&disk, 16 * 1024);
    let writer = Writer::spawn("test", journal, QueueLimits::default(), Box::new(|| ())).unwrap();
    let whole = |number| (1..=300).map(move |it| publication(&channel(number), 1, it));
    let rest = || whole(1).filter(|it| !matches!(it.offset(), Some(Offset(20..=30 | 50))));
    let told = vec!["room:1".to_owned()];
    assert_eq!(read(&writer, 1, 30), (rest().skip(19).collect(), told.clone()));
    assert_eq!(read(&writer, 1, 0), (rest().collect(), told), "one range is told of once");
    assert_eq!(read(&writer, 1, 0), (rest().collect(), Vec::new()), "and no more");
    for number in [0, 2] {
        assert_eq!(read(&writer, number, 0), (whole(number).collect(), Vec::new()));
    }
    // What is under way in the old epoch is not refused by the new one.
    let appends: [Vec<_>; 2] = [batch(301, 5), vec![publication(&channel(1), 2, 306)]];
    let [before, after] = appends;
    before.into_iter().for_each(|it| writer.try_queue(it).unwrap());
    writer.try_begin_epoch(channel(1), Epoch(2)).unwrap();
    after.into_iter().for_each(|it| writer.try_append(it).unwrap());
    let committed = writer.shutdown().into_iter().map(|it| match it {
        Answer::Committed { count } => count,
        other => panic!("{other:?}"),
    });
    assert_eq!(committed.sum::<usize>(), 16);
    let mut journal = open(&disk, 16 * 1024);
    for (key, state) in journal.channels() {
        let is_damaged = *key == *channel(1);
        let expected = if is_damaged { (2, 306) } else { (1, 305) };
        assert_eq!((state.position.epoch.0, state.position.offset.0), expected, "{key:?}");
    }
    journal.begin_epoch(&channel(2), Epoch(7)).unwrap();
    journal.begin_epoch(&channel(2), Epoch(3)).unwrap();
    journal.begin_epoch(&channel(9), Epoch(7)).unwrap();
    drop(journal);
    let mut journal = open(&disk, 16 * 1024);
    let states = journal.channels();
    assert_eq!(states.len(), 3, "a channel that nobody knows has no epoch");
    let state = states.iter().find(|it| *it.0 == *channel(2)).unwrap().1;
    assert_eq!((state.position.epoch, state.position.offset), (Epoch(7), Offset(305)));
    journal.append(&[publication(&channel(2), 7, 306)]).unwrap();
}

/// A segment file, if a message of the channel lies in it.
fn sealed_with(disk: &SimDisk, name: &str, offset: u64) -> Option<Vec<u8>> {
    let bytes = disk.file(name);
    let sent = publication(&channel(1), 1, offset);
    let lies = bytes.windows(sent.payload().len()).any(|it| it == sent.payload());
    lies.then_some(bytes)
}

/// What a node would do: it reads a damaged channel, and begins the next epoch. Says whether anything was told.
fn read_as_a_node(disk: &SimDisk, epoch: u32) -> bool {
    let journal = open(disk, 16 * 1024);
    let writer = Writer::spawn("test", journal, QueueLimits::default(), Box::new(|| ())).unwrap();
    let (messages, told) = read(&writer, 1, 0);
    let readable = (1..=300).filter(|it| !matches!(it, 20..=30 | 50));
    assert!(messages.iter().map(|it| it.offset().unwrap().0).eq(readable));
    if !told.is_empty() && epoch > 0 {
        writer.try_begin_epoch(channel(1), Epoch(epoch)).unwrap();
    }
    let left = writer.shutdown();
    assert!(!left.iter().any(|it| matches!(it, Answer::NotBegun { .. })), "{left:?}");
    !told.is_empty()
}

#[test]
fn damage_that_cost_an_epoch_is_known_after_a_restart_and_told_no_more() {
    let disk = SimDisk::new(5);
    let mut journal = open(&disk, 16 * 1024);
    (0..60).for_each(|it| journal.append(&batch(it * 5 + 1, 5)).unwrap());
    drop(journal);
    let whole = disk.copy();
    damage(&disk, 1, 20..=30);
    damage(&disk, 1, 50..=50);
    assert!(read_as_a_node(&disk, 0), "it is found");
    assert!(read_as_a_node(&disk, 2), "the epoch had not begun: it is told of again");
    for restart in 0..3 {
        assert!(!read_as_a_node(&disk, 3), "restart {restart}: it is no news");
        let mut journal = open(&disk, 16 * 1024);
        let state = journal.channels().into_iter().find(|it| *it.0 == *channel(1)).unwrap().1;
        assert_eq!((state.position.epoch, state.position.offset), (Epoch(2), Offset(300)));
        assert_eq!(journal.stats().quarantined, 12, "restart {restart}");
        let query = StatsQuery { tenant: TenantId(1), among: Among::All, since_ms: 0 };
        let counted = stats(&mut [&mut journal], &query).unwrap();
        assert_eq!(counted.messages, 288, "restart {restart}: what cannot be read is not counted");
    }
    // What was damaged later is news, and what can be read again is served.
    for name in files(&disk, ".log").iter().filter(|it| whole.names().unwrap().contains(it)) {
        let lies_here = sealed_with(&whole, name, 50);
        lies_here.into_iter().for_each(|bytes| disk.put(name, bytes));
    }
    damage(&disk, 1, 60..=60);
    let writer = open(&disk, 16 * 1024);
    let writer = Writer::spawn("test", writer, QueueLimits::default(), Box::new(|| ())).unwrap();
    let (messages, told) = read(&writer, 1, 30);
    let offsets = messages.iter().map(|it| it.offset().unwrap().0);
    assert!(offsets.eq((31..=300).filter(|it| *it != 60)));
    assert_eq!(told, ["room:1"]);
}
