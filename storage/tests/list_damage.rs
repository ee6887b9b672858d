//! The lists of sealed segments, flipped bit by bit, cut short, or missing: they are made anew, and nobody is told anything wrong.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod support;

use std::sync::Arc;

use storage::{
    Among, Counted, Counts, Cursor, Disk, Journal, JournalOptions, ListQuery, Place, Prepare,
    Publication, Stats, StatsQuery, TenantId, list, open_segments, stats,
};
use support::{channel, sim_disk::SimDisk, sized, trust};

const SEGMENT_BYTES: u64 = 4 * 1024;
const TENANTS: [TenantId; 3] = [TenantId(0), TenantId(1), TenantId(2)];

fn open(disk: &SimDisk) -> Box<dyn Journal> {
    let options = JournalOptions { segment_bytes: SEGMENT_BYTES, prepare: Prepare::InPlace };
    open_segments(Arc::new(disk.clone()), &options).unwrap()
}

/// Three segments: two sealed, and one closed cleanly.
fn small_log() -> SimDisk {
    let disk = SimDisk::new(7);
    let mut journal = open(&disk);
    let mut next = 1;
    while journal.stats().segments < 3 {
        let of = |number| sized(&channel(number), 1, next, 150);
        let batch = [of(0), of(1), of(2), of(4)];
        journal.append(&batch).unwrap();
        let counted = batch.each_ref().map(|it| Counted {
            channel: Arc::clone(it.channel()),
            epoch: it.epoch(),
            offset: it.offset().unwrap(),
            counts: Counts { ws_audience: next, wh_audience: 2, wh_delivered: 1 },
        });
        journal.count(&counted).unwrap();
        next += 1;
    }
    disk
}

/// What is said about a tenant.
#[derive(Debug, PartialEq)]
struct Said {
    all: Vec<Arc<Publication>>,
    counts: Vec<Counts>,
    late: Stats,
    of_event: Vec<Arc<Publication>>,
    given: Vec<Arc<Publication>>,
    stats: Stats,
}

/// All that lists, cursors and statistics say.
fn said(disk: &SimDisk) -> Vec<Said> {
    let mut journal = open(disk);
    let said = TENANTS.map(|tenant| {
        let mut listed = |event: Option<&str>| {
            let event = event.map(str::to_owned);
            let query = ListQuery { tenant, among: Among::All, event, limit: 1000, offset: 0 };
            let listed = list(&mut [&mut journal], &query).unwrap();
            listed.into_iter().map(|it| (it.publication, it.counts)).collect::<Vec<_>>()
        };
        let (all, of_event) = (listed(None), listed(Some("said")));
        let (all, counts) = all.into_iter().unzip();
        let of_event = of_event.into_iter().map(|it| it.0).collect();
        let slice = Cursor::new(tenant, Place::START).next(&mut journal, 1000).unwrap();
        let given = slice.messages.into_iter().map(|it| it.1).collect();
        let query = StatsQuery { tenant, among: Among::All, since_ms: 0 };
        let whole = stats(&mut [&mut journal], &query).unwrap();
        // From the middle of the first segment on: message by message.
        let query = StatsQuery { since_ms: 1_003, ..query };
        let late = stats(&mut [&mut journal], &query).unwrap();
        Said { all, counts, late, of_event, given, stats: whole }
    });
    said.into()
}

fn lists(disk: &SimDisk) -> Vec<String> {
    disk.names().unwrap().into_iter().filter(|it| it.ends_with(".list")).collect()
}

#[test]
fn a_flipped_bit_anywhere_in_a_list_changes_no_answer_and_is_mended() {
    let disk = small_log();
    let right = said(&disk);
    assert!(right.iter().all(|it| it.all.len() > 5 && it.stats.messages == it.all.len() as u64));
    let names = lists(&disk);
    assert_eq!(names.len(), 2, "a list for each sealed segment");
    let mut flips = 0;
    for name in names {
        let whole = disk.file(&name);
        for bit in (0..whole.len() * 8).step_by(trust::step(19)) {
            let copy = disk.copy();
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            copy.put(&name, bytes);
            assert_eq!(said(&copy), right, "{name} at bit {bit}");
            assert_eq!(copy.file(&name), whole, "{name} at bit {bit}: it is made anew");
            flips += 1;
        }
    }
    trust::tell(
        "flipped bits of lists",
        &[("flips", flips), ("wrong_answers", 0), ("not_mended", 0)],
    );
}

#[test]
fn a_list_that_is_missing_or_cut_short_is_made_anew() {
    let disk = small_log();
    let right = said(&disk);
    for name in lists(&disk) {
        let whole = disk.file(&name);
        let shorter = [0, 10, 30, whole.len() / 2, whole.len() - 1].map(Some);
        for keep in shorter.into_iter().chain([None]) {
            let copy = disk.copy();
            match keep {
                None => copy.unlink(&name).unwrap(),
                Some(count) => copy.put(&name, whole[..count].to_vec()),
            }
            assert_eq!(said(&copy), right, "{name} cut at {keep:?}");
            assert_eq!(copy.file(&name), whole, "{name} cut at {keep:?}");
        }
    }
}

#[test]
fn a_list_of_a_segment_that_is_gone_goes_too() {
    let disk = small_log();
    disk.put("segment-0000000077.list", vec![1, 2, 3]);
    drop(open(&disk));
    assert_eq!(lists(&disk).len(), 2);
}

#[test]
fn a_list_stands_in_for_its_own_segment_alone() {
    let disk = small_log();
    let right = said(&disk);
    let names = lists(&disk);
    let (first, second) = (disk.file(&names[0]), disk.file(&names[1]));
    disk.put(&names[0], second);
    disk.put(&names[1], first);
    assert_eq!(said(&disk), right);
}
