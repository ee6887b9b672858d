//! Power cuts and full disks on a real file system: ext4 on a loop device, stopped by `FS_IOC_SHUTDOWN`. Where that cannot be had
//! the tests say that they were skipped.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod support;

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use storage::{
    Catalog, Change, ChannelKey, Journal, JournalError, JournalKind, JournalOptions, KEYED_MS,
    Keep, Offset, Prepare, Publication, open,
};
use support::{
    Random, backends, channel,
    mounted::Mounted,
    sized_at, trust,
    worker::{self, Kind, Worker},
    written,
};

#[test]
fn child_whose_power_is_cut() {
    written::write_if_asked();
}

#[test]
fn child_that_looks() {
    written::look_if_asked();
}

/// Cuts the power at random moments under load, again and again, and looks for what was acknowledged. The same file system goes
/// through a few cuts.
fn cut(kind: Kind, mib: u64, cuts: u64) {
    let name = format!("power cuts of {}", kind.name());
    let Some(mut disk) = Mounted::new(&name, mib) else { return };
    let mut random = Random(cuts);
    let (mut looked_at, mut acknowledged) = (0, 0);
    for round in 0..cuts {
        if round % 8 == 7 {
            disk.renew(mib);
        }
        let dir = disk.path().join("data");
        let worker = Worker::start("child_whose_power_is_cut", kind, &dir);
        worker.work_for(Duration::from_millis(random.below(250)));
        disk.cut();
        // Every call fails now: it was refused what came later, and ends.
        let said = worker.end();
        acknowledged += written::acked(&said).values().sum::<u64>();
        disk.restart();
        looked_at += worker::look("child_that_looks", kind, &dir, &said);
    }
    assert!(looked_at > cuts, "{looked_at} messages were looked at");
    let figures = [
        ("cuts", cuts),
        ("acknowledged", acknowledged),
        ("looked_at", looked_at),
        ("acknowledged_lost", 0),
        ("taken_for_damage", 0),
    ];
    trust::tell(&format!("power cut of ext4, {}", kind.name()), &figures);
}

#[test]
fn a_segment_log_whose_power_is_cut_has_every_acknowledged_message() {
    cut(Kind::Segment, 48, trust::rounds(20, 1_000));
}

#[test]
fn a_sled_journal_whose_power_is_cut_has_every_acknowledged_message() {
    cut(Kind::Sled, 192, trust::rounds(3, 1_000));
}

#[test]
fn a_catalog_whose_power_is_cut_has_every_acknowledged_change() {
    cut(Kind::Catalog, 48, trust::rounds(3, 1_000));
}

/// Fills what is left of a disk, but for so many bytes.
fn fill(disk: &Mounted, but: u64) -> std::path::PathBuf {
    let path = disk.path().join("ballast");
    let file = std::fs::File::create(&path).unwrap();
    let free = rustix::fs::statvfs(disk.path()).unwrap();
    let bytes = (free.f_bavail * free.f_frsize).saturating_sub(but);
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes).unwrap();
    path
}

/// When a message is taken: a full disk is worth some hours of messages, whatever its idempotency keys take for a day.
fn at_ms(offset: u64) -> u64 {
    offset * 5_000
}

fn message(key: &Arc<ChannelKey>, offset: u64) -> Arc<Publication> {
    sized_at(key, 1, offset, 900, at_ms(offset))
}

fn batch(from: u64) -> Vec<Arc<Publication>> {
    (0..3).flat_map(|it| (from..from + 5).map(move |at| message(&channel(it), at))).collect()
}

/// Appends until there is no room; returns what comes next.
fn append_all(journal: &mut dyn Journal, mut next: u64) -> u64 {
    loop {
        match journal.append(&batch(next)) {
            Ok(()) => next += 5,
            Err(why) => {
                assert!(matches!(why, JournalError::Full { .. }) && why.is_passing(), "{why}");
                return next;
            }
        }
    }
}

/// Every message from one on is there, byte for byte.
fn check_from(journal: &mut dyn Journal, first: u64, next: u64) {
    for number in 0..3 {
        let key = channel(number);
        let mut at = first;
        while at < next {
            let read = journal.read(&key, Offset(at - 1), 1_000).unwrap();
            assert!(!read.is_empty(), "{key:?}: nothing at {at} of {next}");
            for it in read {
                assert_eq!(*it, *message(&key, at));
                at += 1;
            }
        }
        assert_eq!(at, next, "{key:?}");
    }
}

/// The keys of the last day are known, though most of the messages are not any more.
fn check_keys_of_a_day(journal: &dyn Journal, next: u64) {
    let since_ms = at_ms(next).saturating_sub(KEYED_MS);
    let known = journal.keyed_since(since_ms, usize::MAX).unwrap();
    for number in 0..3 {
        let key = channel(number);
        let known = known.iter().filter(|it| it.channel == key).map(|it| it.offset.0);
        let keyed = (1..next).filter(|it| it.is_multiple_of(3) && at_ms(*it) >= since_ms);
        assert!(known.eq(keyed), "{key:?} up to {next}");
    }
}

fn open_journal(kind: JournalKind, dir: &Path) -> Box<dyn Journal> {
    let options = JournalOptions { segment_bytes: 512 * 1024, prepare: Prepare::Ahead };
    worker::unlocked(|| open(kind, dir, &options))
}

#[test]
fn a_segment_log_on_a_full_disk_refuses_and_goes_on_once_there_is_room() {
    let Some(disk) = Mounted::new("a full disk under the segment log", 16) else { return };
    let dir = disk.path().join("data");
    let (mut next, mut first, mut refusals) = (1, 1, 0);
    for round in 0..trust::rounds(3, 100) {
        let mut journal = open_journal(JournalKind::Segment, &dir);
        next = append_all(&mut *journal, next);
        for _ in 0..20 {
            let refused = journal.append(&batch(next));
            assert!(
                matches!(refused, Err(JournalError::Full { .. })),
                "round {round}: {refused:?}"
            );
            refusals += 1;
        }
        check_from(&mut *journal, first, next);
        // Letting go makes room, without a restart.
        let keep = Keep { messages_max: 100, ..Keep::ALL };
        let retired = journal.retain(&backends::keep(keep), at_ms(next)).unwrap();
        // As much as at first, but for the keys of a day.
        assert!(retired.segments > 15, "round {round}: {retired:?}");
        first = next - 100;
        journal.append(&batch(next)).unwrap();
        next += 5;
        check_from(&mut *journal, first, next);
        drop(journal);
        let mut journal = open_journal(JournalKind::Segment, &dir);
        assert_eq!(journal.stats().quarantined, 0, "round {round}");
        check_from(&mut *journal, first, next);
        check_keys_of_a_day(&*journal, next);
    }
    let figures = [("disk_mib", 16), ("refusals", refusals), ("acknowledged_lost", 0)];
    trust::tell("ENOSPC of ext4, segment", &figures);
}

#[test]
fn a_sled_journal_on_a_full_disk_refuses_and_goes_on_once_there_is_room() {
    // It lets nothing go, and refuses what would leave less than 64 MiB: room for all rounds, but for the ballast.
    let Some(disk) = Mounted::new("a full disk under the sled journal", 512) else { return };
    let dir = disk.path().join("data");
    let (mut next, mut refusals) = (1, 0);
    for _ in 0..trust::rounds(2, 20) {
        let mut journal = open_journal(JournalKind::Sled, &dir);
        journal.append(&batch(next)).unwrap();
        next += 5;
        let ballast = fill(&disk, 66 * 1024 * 1024);
        next = append_all(&mut *journal, next);
        for _ in 0..20 {
            assert!(matches!(journal.append(&batch(next)), Err(JournalError::Full { .. })));
            refusals += 1;
        }
        std::fs::remove_file(ballast).unwrap();
        journal.append(&batch(next)).unwrap();
        next += 5;
        check_from(&mut *journal, 1, next);
        drop(journal);
        let mut journal = open_journal(JournalKind::Sled, &dir);
        assert_eq!(journal.stats().quarantined, 0);
        check_from(&mut *journal, 1, next);
    }
    let figures = [("disk_mib", 512), ("refusals", refusals), ("acknowledged_lost", 0)];
    trust::tell("ENOSPC of ext4, sled", &figures);
}

/// Sets a value of some length. Says whether there was room for it.
fn change(
    catalog: &mut Catalog,
    known: &mut BTreeMap<[u8; 8], Vec<u8>>,
    random: &mut Random,
) -> bool {
    let key = random.below(40).to_be_bytes();
    let length = 1 + usize::try_from(random.below(30_000)).unwrap();
    let value = vec![random.next().to_le_bytes()[0]; length];
    match catalog.apply(&[Change::Put { table: "t", key: &key, value: &value }], 0) {
        Ok(()) => drop(known.insert(key, value)),
        Err(JournalError::Full { .. }) => return false,
        Err(why) => panic!("{why}"),
    }
    true
}

/// What a catalog of a megabyte may have: 16 MiB in its journal, and in its view what sled takes beside four times the entries.
const CATALOG_BYTES_MAX: u64 = 28 * 1024 * 1024;

#[test]
fn a_catalog_on_a_full_disk_refuses_and_goes_on_once_there_is_room() {
    // Of 48 MiB ext4 leaves room for what such a catalog may have by itself, and for a copy of its view.
    let Some(disk) = Mounted::new("a full disk under the catalog", 48) else { return };
    let dir = disk.path().join("data");
    let mut random = Random(16);
    let mut known = BTreeMap::new();
    let (mut taken, mut refusals) = (0, 0);
    // The first round finds an empty disk, and only the next ones a view and a journal that were full before.
    let rounds = trust::rounds(2, 50).max(2);
    for round in 0..rounds {
        let mut catalog = worker::catalog(&dir);
        // A part of this is the margin of sled: with less than that nothing is taken.
        let ballast = fill(&disk, 3 * 1024 * 1024);
        // Small changes and large ones, until some were refused.
        let mut refused = 0;
        while refused < 20 {
            let is_taken = change(&mut catalog, &mut known, &mut random);
            taken += u64::from(is_taken);
            refused += u64::from(!is_taken);
        }
        refusals += refused;
        std::fs::remove_file(ballast).unwrap();
        let (key, value) = ([9; 8], round.to_be_bytes());
        let put = Change::Put { table: "t", key: &key, value: &value };
        catalog.apply(&[put], 0).unwrap();
        known.insert(key, value.to_vec());
        for _ in 0..2 {
            for (key, value) in &known {
                assert_eq!(catalog.get("t", key).unwrap().as_ref(), Some(value), "round {round}");
            }
            assert_eq!(catalog.quarantined(), 0);
            drop(catalog);
            catalog = worker::catalog(&dir);
        }
        let bytes = support::bytes_of(&dir);
        assert!(bytes < CATALOG_BYTES_MAX, "round {round}: {bytes} bytes");
    }
    assert!(taken > rounds, "{taken} changes were taken");
    let figures =
        [("disk_mib", 48), ("taken", taken), ("refusals", refusals), ("acknowledged_lost", 0)];
    trust::tell("ENOSPC of ext4, catalog", &figures);
}

/// A new segment of the journal may leave the view too little, and sled does not survive that.
#[test]
fn a_catalog_begins_no_segment_that_leaves_its_view_no_room() {
    let Some(disk) = Mounted::new("a segment of the catalog on a full disk", 48) else { return };
    let mut catalog = worker::catalog(&disk.path().join("data"));
    let ballast = fill(&disk, 4 * 1024 * 1024 + 350 * 1024);
    let value = vec![7; 400_000];
    let put = Change::Put { table: "t", key: b"key", value: &value };
    let refused = catalog.apply(&[put], 0);
    assert!(matches!(refused, Err(JournalError::Full { .. })), "{refused:?}");
    std::fs::remove_file(ballast).unwrap();
    catalog.apply(&[put], 0).unwrap();
    assert_eq!(catalog.get("t", b"key").unwrap(), Some(value.clone()));
}
