//! A segment log on a disk in memory, and what can be read of it.

use std::sync::Arc;

use storage::{
    Disk, Journal, JournalError, JournalOptions, Offset, Prepare, Publication, open_segments,
};

use super::{channel, publication, sim_disk::SimDisk};

pub(crate) fn open(disk: &SimDisk, segment_bytes: u64) -> Box<dyn Journal> {
    let options = JournalOptions { segment_bytes, prepare: Prepare::InPlace };
    open_segments(Arc::new(disk.clone()), &options).unwrap()
}

/// So many messages of each of three channels.
pub(crate) fn batch(from: u64, count: u64) -> Vec<Arc<Publication>> {
    let of = |number| (from..from + count).map(move |it| publication(&channel(number), 1, it));
    (0..3).flat_map(of).collect()
}

/// Reads everything there is, and checks every byte. Returns how many messages there were, and whether a jump or an error showed
/// a loss.
pub(crate) fn audit(journal: &mut dyn Journal) -> (u64, bool) {
    let (mut count, mut is_told) = (0, false);
    for (key, state) in journal.channels() {
        let mut after = 0;
        while after < state.position.offset.0 {
            match journal.read(&key, Offset(after), 100) {
                Ok(read) if read.is_empty() => break,
                Ok(read) => {
                    let offsets = read.iter().map(|it| it.offset().unwrap().0);
                    is_told |= !offsets.clone().eq((after + 1..).take(read.len()));
                    let right: Vec<_> = offsets.map(|it| publication(&key, 1, it)).collect();
                    assert_eq!(read, right, "never a wrong byte");
                    count += read.len() as u64;
                    after = read.last().unwrap().offset().unwrap().0;
                }
                Err(JournalError::Corrupt { .. }) => is_told = true,
                Err(other) => panic!("{other}"),
            }
        }
    }
    (count, is_told)
}

/// Appends what comes next in each channel: the log goes on, whatever became of it.
pub(crate) fn check_goes_on(journal: &mut dyn Journal, what: &str) {
    let states = journal.channels();
    let highest = states.iter().map(|it| it.1.position.epoch).max().unwrap_or_default();
    let epoch = journal.fresh_epoch().max(highest).0;
    for (key, state) in states {
        let next = publication(&key, epoch, state.position.offset.0 + 1);
        assert!(journal.append(&[next]).is_ok(), "{what}: the journal goes on");
    }
}

pub(crate) fn files(disk: &SimDisk, ending: &str) -> Vec<String> {
    disk.names().unwrap().into_iter().filter(|it| it.ends_with(ending)).collect()
}

pub(crate) fn unlink_sidecars(disk: &SimDisk) {
    files(disk, ".idx").iter().for_each(|it| disk.unlink(it).unwrap());
}
