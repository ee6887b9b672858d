//! The journal's backends beside what the disk itself does: one write and one sync a batch.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use storage::{
    ChannelKey, Draft, Epoch, Journal, JournalKind, JournalOptions, MessageId, Offset, Publication,
    SenderKind, TenantId, open,
};

use super::decode::payload;
use super::row;
use crate::Failure;
use crate::machine::now;
use crate::table::{Table, note};

const TIME: Duration = Duration::from_secs(1);
const BATCHES: [usize; 3] = [16, 256, 1024];
const PAYLOADS: [usize; 2] = [128, 1024];
const BACKENDS: [(&str, JournalKind); 3] = [
    ("segment log", JournalKind::Segment),
    ("sled", JournalKind::Sled),
    ("memory", JournalKind::Memory),
];
/// What the raw writer's file holds: as a segment does, it is written with zeros before it is used.
const FILE_BYTES: usize = 64 * 1024 * 1024;

/// Measures the room.
pub(super) fn measure(data: &Path, table: &mut Table) -> Result<(), Failure> {
    for bytes in PAYLOADS {
        for batch in BATCHES {
            let what = |name: &str| format!("{name}, {batch} x {bytes} B a batch: one message");
            for (name, kind) in BACKENDS {
                let folder = tempfile::tempdir_in(data)?;
                match rate(kind, folder.path(), batch, bytes, TIME) {
                    Ok(rate) => table.row(row("journal", &what(name), 1e9 / rate)),
                    Err(why) => note(&format!("  {name}: {why}")),
                }
            }
            let rate = raw(data, batch, bytes)?;
            table.row(row("journal", &what("bare write and sync"), 1e9 / rate));
        }
    }
    Ok(())
}

/// Messages a second that the segment log alone makes durable, in batches of one size.
pub(crate) fn synced_rate(
    folder: &Path,
    batch: usize,
    bytes: usize,
    time: Duration,
) -> Result<f64, Failure> {
    let folder = tempfile::tempdir_in(folder)?;
    rate(JournalKind::Segment, folder.path(), batch, bytes, time)
}

fn rate(
    kind: JournalKind,
    folder: &Path,
    batch: usize,
    bytes: usize,
    time: Duration,
) -> Result<f64, Failure> {
    let mut journal = open(kind, folder, &JournalOptions::default())?;
    let mut writer = Source::new(&*journal, batch, bytes);
    let (start, mut count) = (now(), 0_usize);
    while start.elapsed() < time {
        let messages = writer.next();
        journal.append(&messages)?;
        count += messages.len();
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

fn raw(folder: &Path, batch: usize, bytes: usize) -> Result<f64, Failure> {
    let folder = tempfile::tempdir_in(folder)?;
    let file = File::options().create_new(true).write(true).open(folder.path().join("raw"))?;
    file.write_all_at(&vec![0; FILE_BYTES], 0)?;
    file.sync_all()?;
    let block = vec![b'x'; batch * bytes];
    let (start, mut count, mut at) = (now(), 0_usize, 0);
    while start.elapsed() < TIME {
        if at + block.len() > FILE_BYTES {
            at = 0;
        }
        file.write_all_at(&block, at as u64)?;
        file.sync_data()?;
        at += block.len();
        count += batch;
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

/// Makes batches of publications to one channel.
struct Source {
    channel: Arc<ChannelKey>,
    epoch: Epoch,
    offset: Offset,
    payload: Vec<u8>,
    batch: usize,
}

impl Source {
    fn new(journal: &dyn Journal, batch: usize, bytes: usize) -> Self {
        Self {
            channel: Arc::new(ChannelKey::new(TenantId(1), "bench-0")),
            epoch: journal.fresh_epoch(),
            offset: Offset::default(),
            payload: payload(bytes),
            batch,
        }
    }

    fn next(&mut self) -> Vec<Arc<Publication>> {
        let one = |_| {
            self.offset = self.offset.next();
            Arc::new(Publication::new(&Draft {
                channel: &self.channel,
                epoch: self.epoch,
                offset: Some(self.offset),
                id: MessageId(u128::from(self.offset.0)),
                at_ms: 1_700_000_000_000,
                sender: "",
                sender_kind: SenderKind::System,
                event: "message",
                payload: &self.payload,
                idempotency: None,
            }))
        };
        (0..self.batch).map(one).collect()
    }
}
