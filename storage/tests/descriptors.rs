//! A log whose process has no descriptor left: what it kept back lasts for a while, then it refuses by name, and it goes on as soon as
//! there are some again. One test, as the limit is that of the process.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod support;

use std::fs::File;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use storage::{Journal, JournalError, JournalKind, JournalOptions, Offset, Prepare, open};
use support::{channel, sized, trust};

const MESSAGE_BYTES: usize = 16 * 1024;
/// Enough for a dozen segments.
const ROUNDS: u64 = 400;

#[test]
fn a_log_without_descriptors_refuses_by_name_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let options = JournalOptions { segment_bytes: 512 * 1024, prepare: Prepare::InPlace };
    let mut journal = open(JournalKind::Segment, folder.path(), &options).unwrap();
    let key = channel(7);
    let (epoch, mut kept) = (journal.fresh_epoch().0, 0);
    let mut append = |journal: &mut Box<dyn Journal>| {
        let batch = [sized(&key, epoch, kept + 1, MESSAGE_BYTES)];
        journal.append(&batch).inspect(|()| kept += 1).map(|()| kept)
    };
    append(&mut journal).unwrap();
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(200), maximum: before.maximum }).unwrap();
    let mut hogs: Vec<File> = Vec::new();
    while let Ok(hog) = File::open("/dev/null") {
        hogs.push(hog);
    }
    let first = journal.stats().segments;
    let refused = (0..ROUNDS).find_map(|_| append(&mut journal).err());
    assert!(matches!(refused, Some(JournalError::Descriptors)), "{refused:?}");
    assert!(journal.stats().segments > first, "what was kept back made a segment");
    assert!(matches!(append(&mut journal), Err(JournalError::Descriptors)));

    drop(hogs);
    let segments = journal.stats().segments;
    let mut last = 0;
    for _ in 0..ROUNDS {
        last = append(&mut journal).unwrap();
    }
    assert!(journal.stats().segments > segments);
    setrlimit(Resource::Nofile, before).unwrap();
    drop(journal);
    let mut journal = open(JournalKind::Segment, folder.path(), &options).unwrap();
    assert_eq!(journal.stats().quarantined, 0);
    let mut seen = 0;
    while seen < last {
        let found = journal.read(&key, Offset(seen), 64).unwrap();
        for (it, due) in found.iter().zip(seen + 1..) {
            assert_eq!(it.offset(), Some(Offset(due)));
        }
        assert!(!found.is_empty(), "{seen} of {last}");
        seen += found.len() as u64;
    }
    let figures = [("descriptors", 200), ("acknowledged", last), ("acknowledged_lost", 0)];
    trust::tell("log without descriptors", &figures);
}
