//! Measures how fast each journal appends, beside a bare write and sync of the same bytes.
//!
//! `cargo run --release -p storage --example append_rate -- DIR [payload bytes]`

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement: it prints, reads a clock, and stops at the first surprise"
)]

use std::{
    fs::File,
    io::Write,
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use storage::{
    ChannelKey, Draft, Epoch, JournalKind, JournalOptions, MessageId, Offset, Publication,
    SenderKind, TenantId, open,
};

const CHANNELS: usize = 10_000;
const TIME: Duration = Duration::from_millis(1500);

struct Load {
    channels: Vec<(Arc<ChannelKey>, u64)>,
    random: u64,
    payload: Vec<u8>,
}

impl Load {
    fn new(payload_bytes: usize) -> Self {
        let key = |it| Arc::new(ChannelKey::new(TenantId(1), &format!("room:{it}")));
        let channels = (0..CHANNELS).map(|it| (key(it), 0)).collect();
        Self { channels, random: 1, payload: vec![b'x'; payload_bytes] }
    }

    fn batch(&mut self, count: usize) -> Vec<Arc<Publication>> {
        (0..count).map(|_| self.next()).collect()
    }

    fn next(&mut self) -> Arc<Publication> {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let number = usize::try_from(self.random >> 33).unwrap() % CHANNELS;
        let (channel, last) = self.channels.get_mut(number).unwrap();
        *last += 1;
        Arc::new(Publication::new(&Draft {
            channel,
            epoch: Epoch(1),
            offset: Some(Offset(*last)),
            id: MessageId(self.random.into()),
            at_ms: 1,
            sender: "ann",
            sender_kind: SenderKind::User,
            event: "said",
            payload: &self.payload,
            idempotency: None,
        }))
    }
}

/// CPU seconds of this thread.
fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "seconds of one run")]
    let seconds = time.tv_sec as f64 + time.tv_nsec as f64 / 1e9;
    seconds
}

/// Appends for a while; prints messages a second, and CPU a message.
fn measure(name: &str, batch: usize, mut load: Load, mut append: impl FnMut(&[Arc<Publication>])) {
    let (mut messages, mut wall, mut used, mut longest) = (0, 0.0, 0.0, 0.0_f64);
    while wall < TIME.as_secs_f64() {
        let publications = load.batch(batch);
        let (start, cpu_before) = (Instant::now(), cpu());
        append(&publications);
        used += cpu() - cpu_before;
        let took = start.elapsed().as_secs_f64();
        (wall, longest, messages) = (wall + took, longest.max(took), messages + batch);
    }
    #[expect(clippy::cast_precision_loss, reason = "messages of one run")]
    let count = messages as f64;
    let (rate, cost) = (count / wall / 1000.0, used / count * 1e6);
    println!(
        "{name:>8} {batch:>5} {rate:>9.1} k/s {cost:>7.2} us CPU {:>7.1} ms longest",
        longest * 1e3
    );
}

fn raw(dir: &Path, batch: usize, payload_bytes: usize) {
    const BYTES: u64 = 64 * 1024 * 1024;
    std::fs::create_dir_all(dir).unwrap();
    let mut file = File::create(dir.join("raw")).unwrap();
    (0..64).for_each(|_| file.write_all(&vec![0; 1024 * 1024]).unwrap());
    file.sync_all().unwrap();
    let mut at = 0;
    let bytes = vec![1; batch * (payload_bytes + 72)];
    measure("raw", batch, Load::new(payload_bytes), |_| {
        if at + bytes.len() as u64 > BYTES {
            at = 0;
        }
        file.write_all_at(&bytes, at).unwrap();
        file.sync_data().unwrap();
        at += bytes.len() as u64;
    });
}

fn main() {
    let dir = std::env::args().nth(1).unwrap();
    let payload_bytes = std::env::args().nth(2).map_or(128, |it| it.parse().unwrap());
    for batch in [1, 16, 256, 1024] {
        let dir = Path::new(&dir);
        raw(&dir.join(format!("raw-{batch}")), batch, payload_bytes);
        for kind in [JournalKind::Segment, JournalKind::Sled, JournalKind::Memory] {
            let dir = dir.join(format!("{kind:?}-{batch}"));
            let mut journal = open(kind, &dir, &JournalOptions::default()).unwrap();
            measure(&format!("{kind:?}"), batch, Load::new(payload_bytes), |publications| {
                journal.append(publications).unwrap();
            });
        }
    }
}
