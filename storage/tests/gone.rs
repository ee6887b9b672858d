//! What a retention takes along: nothing of it may be missed by what comes back when the journal is opened again.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use std::sync::Arc;

use storage::{Journal, Keep, Retention};
use support::{
    channel, keep_all,
    log::open,
    publication,
    sim_disk::{Faults, Lasting, SimDisk},
};

const SEGMENT_BYTES: u64 = 16 * 1024;
/// A channel whose messages all stay.
const KEPT: u64 = 0;
/// One that keeps its last message.
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
}

fn policy() -> Retention {
    let keep = |it: &storage::ChannelKey| match it.name() == channel(KEPT).name() {
        true => Keep::ALL,
        false => Keep { messages_max: 1, ..Keep::ALL },
    };
    Retention { keep: Arc::new(keep), ..keep_all() }
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
