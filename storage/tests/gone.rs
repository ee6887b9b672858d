//! What a retention takes along: nothing of it may be missed by what comes back when the journal is opened again.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod support;

use std::sync::Arc;

use storage::{
    Among, Counted, Counts, Journal, KEYED_MS, Keep, ListQuery, Offset, Retention, StatsQuery,
    TenantId, list, stats,
};
use support::{
    channel, keep_all,
    log::{open, unlink_sidecars},
    publication,
    sim_disk::{Faults, Lasting, SimDisk},
};

const SEGMENT_BYTES: u64 = 16 * 1024;
const TENANT: TenantId = TenantId(0);
/// A channel whose messages all stay.
const KEPT: u64 = 0;
/// One that keeps its last message.
const SHORT: u64 = 3;
/// The same, with messages enough to fill segments.
const FILLER: u64 = 6;

/// A log of one tenant, as it is written.
struct Log {
    disk: SimDisk,
    journal: Box<dyn Journal>,
}

impl Log {
    fn new(seed: u64) -> Self {
        let disk = SimDisk::new(seed);
        Self { journal: open(&disk, SEGMENT_BYTES), disk }
    }

    fn reopen(self) -> Self {
        drop(self.journal);
        Self { journal: open(&self.disk, SEGMENT_BYTES), disk: self.disk }
    }

    fn append(&mut self, number: u64, count: u64) {
        let key = channel(number);
        let known = self.journal.channels().into_iter().find(|it| *it.0 == *key);
        let from = known.map_or(0, |it| it.1.position.offset.0) + 1;
        let batch: Vec<_> = (from..from + count).map(|it| publication(&key, 1, it)).collect();
        self.journal.append(&batch).unwrap();
    }

    /// Appends to a channel until the next segment begins.
    fn fill(&mut self, number: u64) {
        let before = self.journal.stats().segments;
        while self.journal.stats().segments == before {
            self.append(number, 1);
        }
    }

    /// Says something about the messages of a channel up to an offset. It goes with what is appended next.
    fn count(&mut self, number: u64, until: u64) {
        let counts = |offset| Counts { ws_audience: offset, ..Counts::default() };
        let counted = (1..=until).map(|offset| Counted {
            channel: channel(number),
            epoch: storage::Epoch(1),
            offset: Offset(offset),
            counts: counts(offset),
        });
        self.journal.count(&counted.collect::<Vec<_>>()).unwrap();
    }

    fn offsets(&mut self, number: u64) -> Vec<u64> {
        let read = self.journal.read(&channel(number), Offset(0), 1_000).unwrap();
        read.iter().map(|it| it.offset().unwrap().0).collect()
    }

    /// Of every message of a channel up to an offset that is there, its counts are.
    fn check_counts(&mut self, number: u64, until: u64) {
        let among = Among::Channel(channel(number));
        let query = ListQuery { tenant: TENANT, among, event: None, limit: 1_000, offset: 0 };
        for it in list(&mut [&mut self.journal], &query).unwrap() {
            let offset = it.publication.offset().unwrap().0;
            let said = if offset <= until { offset } else { 0 };
            assert_eq!(it.counts.ws_audience, said, "of message {offset}");
        }
    }
}

fn policy() -> Retention {
    let keep = |it: &storage::ChannelKey| match it.name() == channel(KEPT).name() {
        true => Keep::ALL,
        false => Keep { messages_max: 1, ..Keep::ALL },
    };
    Retention { keep: Arc::new(keep), ..keep_all() }
}

#[test]
fn a_message_that_comes_back_has_its_counts_when_what_said_them_was_rewritten() {
    let mut log = Log::new(1);
    log.append(SHORT, 5);
    log.fill(KEPT);
    log.count(SHORT, 5);
    log.fill(FILLER);
    log.append(SHORT, 1);
    // The second segment says something of the first, and has nothing else that stays.
    let retired = log.journal.retain(&policy(), 2 * KEYED_MS).unwrap();
    assert_eq!((retired.rewritten, retired.segments), (1, 0));
    let mut log = log.reopen();
    log.check_counts(SHORT, 5);
    let query = StatsQuery { tenant: TENANT, among: Among::All, since_ms: 0 };
    let counted = stats(&mut [&mut log.journal], &query).unwrap();
    let is_back = log.offsets(SHORT).len() == 6;
    assert_eq!(counted.counts.ws_audience, if is_back { 15 } else { 0 });
}

#[test]
fn a_message_that_comes_back_has_its_counts_when_what_said_them_was_removed() {
    let mut log = Log::new(2);
    log.fill(KEPT);
    log.fill(FILLER);
    // The third segment stays for what it says of the first, and the fourth says something of the third.
    log.count(KEPT, 1);
    log.append(SHORT, 5);
    log.fill(FILLER);
    log.count(SHORT, 5);
    log.fill(FILLER);
    log.append(SHORT, 1);
    let retired = log.journal.retain(&policy(), 0).unwrap();
    assert_eq!((retired.rewritten, retired.segments), (0, 1));
    let mut log = log.reopen();
    log.check_counts(SHORT, 5);
    log.check_counts(KEPT, 1);
}

#[test]
fn what_was_dropped_stays_so_when_the_segment_that_says_it_goes() {
    // The journal is opened with sidecars, without, or not at all in between.
    for (seed, is_opened) in [(3, Some(true)), (4, Some(false)), (5, None)] {
        let mut log = Log::new(seed);
        log.append(SHORT, 5);
        log.fill(KEPT);
        log.fill(FILLER);
        log.journal.drop_channel(&channel(SHORT)).unwrap();
        log.fill(FILLER);
        log.append(SHORT, 1);
        log.fill(KEPT);
        if let Some(has_sidecars) = is_opened {
            drop(log.journal);
            if !has_sidecars {
                unlink_sidecars(&log.disk);
            }
            log.journal = open(&log.disk, SEGMENT_BYTES);
        }
        assert_eq!(log.offsets(SHORT), [6]);
        let retired = log.journal.retain(&policy(), 0).unwrap();
        assert_eq!((retired.rewritten, retired.segments), (0, 1));
        let mut log = log.reopen();
        assert_eq!(log.offsets(SHORT), [6], "with sidecars");
        unlink_sidecars(&log.disk);
        assert_eq!(log.reopen().offsets(SHORT), [6], "without");
    }
}

#[test]
fn an_error_while_segments_go_costs_no_key_whatever_comes_after_it() {
    let mut is_done = false;
    for error_in in 0.. {
        let mut log = Log::new(error_in);
        log.fill(FILLER);
        log.append(FILLER, 1);
        let keyed = log.journal.keyed_since(0, 1_000).unwrap();
        let error = Some((error_in, Lasting::Once));
        log.disk.set_faults(Faults { error_in: error, ..Faults::default() });
        let _ = log.journal.retain(&policy(), 0); // It may fail, and need not at an error that costs nothing.
        is_done |= log.disk.faults().error_in.is_some();
        log.disk.set_faults(Faults::default());
        // What the kernel takes for written serves the next process, until the power is cut.
        let mut log = log.reopen();
        log.journal.retain(&policy(), 0).unwrap();
        drop(log.journal);
        log.disk.cut();
        log.journal = open(&log.disk, SEGMENT_BYTES);
        assert_eq!(log.journal.stats().quarantined, 0, "error in call {error_in}");
        assert_eq!(log.journal.keyed_since(0, 1_000).unwrap(), keyed, "error in call {error_in}");
        if is_done {
            assert!(error_in > 6, "a retention makes some calls");
            return;
        }
    }
}
