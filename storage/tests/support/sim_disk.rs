//! A disk in memory with a page cache: what is not synced may be lost, torn or kept when the power is cut.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use storage::{Disk, DiskFile, Fill};

use super::Random;

/// The unit that a drive writes whole.
const SECTOR: usize = 512;

/// One file: what programs see, and what would be found after a power cut.
#[derive(Clone, Debug, Default)]
struct Inode {
    cached: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors written since the last sync.
    dirty: std::collections::BTreeSet<usize>,
}

/// When calls fail.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// The sync that fails, counted from now; it fails once, and drops what it should have written.
    pub(crate) sync_fails_in: Option<u64>,
    /// The call that changes something after which everything fails, counted from now.
    pub(crate) power_fails_in: Option<u64>,
    /// Bytes that all files may have together.
    pub(crate) bytes_max: Option<u64>,
    /// The call that changes something and fails, counted from now, and whether those after it do.
    pub(crate) error_in: Option<(u64, Lasting)>,
    /// How long a sync takes.
    pub(crate) sync_takes: Duration,
}

/// How long an error lasts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lasting {
    /// The next call works again.
    Once,
    /// Nothing works any more; not even reading.
    ForEver,
}

#[derive(Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    faults: Faults,
    is_off: bool,
    random: u64,
    /// Calls that changed something.
    changes: u64,
}

/// See the module.
#[derive(Clone)]
pub(crate) struct SimDisk {
    #[expect(clippy::disallowed_types, reason = "a test disk is used from one thread at a time")]
    state: Arc<std::sync::Mutex<State>>,
    nonces: Arc<AtomicU64>,
}

struct SimFile {
    disk: SimDisk,
    inode: usize,
}

#[expect(clippy::disallowed_methods, reason = "a slow disk holds up whoever syncs")]
fn wait(time: Duration) {
    if !time.is_zero() {
        std::thread::sleep(time);
    }
}

fn eio() -> io::Error {
    io::Error::from_raw_os_error(5)
}

fn off() -> io::Error {
    io::Error::other("the power is off")
}

impl SimDisk {
    #[expect(clippy::disallowed_types, reason = "a test disk is used from one thread at a time")]
    pub(crate) fn new(seed: u64) -> Self {
        let state = State { random: seed, ..State::default() };
        Self {
            state: Arc::new(std::sync::Mutex::new(state)),
            nonces: Arc::new(AtomicU64::new(seed.wrapping_mul(77) + 1)),
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap())
    }

    pub(crate) fn set_faults(&self, faults: Faults) {
        self.with(|it| it.faults = faults);
    }

    /// What is left of them.
    pub(crate) fn faults(&self) -> Faults {
        self.with(|it| it.faults)
    }

    pub(crate) fn is_off(&self) -> bool {
        self.with(|it| it.is_off)
    }

    pub(crate) fn changes(&self) -> u64 {
        self.with(|it| it.changes)
    }

    /// Cuts the power: of what was not synced, sectors and names survive by chance. Then it is on again.
    pub(crate) fn cut(&self) {
        self.with(|it| {
            let mut random = Random(it.random);
            for inode in &mut it.inodes {
                inode.lose(&mut random);
            }
            let names = std::mem::take(&mut it.names);
            if random.chance(2) {
                it.durable_names = names; // A later directory write had reached the disk.
            }
            it.names.clone_from(&it.durable_names);
            it.random = random.next();
            it.is_off = false;
            it.faults = Faults::default();
        });
    }

    /// The bytes of a file.
    pub(crate) fn file(&self, name: &str) -> Vec<u8> {
        self.with(|it| it.inodes[it.names[name]].cached.clone())
    }

    /// Replaces the bytes of a file, durably.
    pub(crate) fn put(&self, name: &str, bytes: Vec<u8>) {
        self.with(|it| {
            let dirty = std::collections::BTreeSet::new();
            it.inodes.push(Inode { durable: bytes.clone(), cached: bytes, dirty });
            it.names.insert(name.to_owned(), it.inodes.len() - 1);
            it.durable_names.clone_from(&it.names);
        });
    }

    /// A disk that holds the same, and shares nothing.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new(self.nonces.load(Ordering::Relaxed) + 1000);
        for name in self.names().unwrap() {
            copy.put(&name, self.file(&name));
        }
        copy
    }
}

impl Inode {
    fn lose(&mut self, random: &mut Random) {
        // A run of sectors from the start, or any of them: drives do both.
        let in_order = random.chance(2);
        let mut alive = true;
        for sector in std::mem::take(&mut self.dirty) {
            let keeps = random.chance(2);
            alive &= keeps || random.chance(3);
            if if in_order { alive } else { keeps } {
                self.keep(sector);
            }
        }
        self.cached.clone_from(&self.durable);
    }

    fn keep(&mut self, sector: usize) {
        let (start, end) = (sector * SECTOR, ((sector + 1) * SECTOR).min(self.cached.len()));
        if self.durable.len() < end {
            self.durable.resize(end, 0);
        }
        if start < end {
            self.durable[start..end].copy_from_slice(&self.cached[start..end]);
        }
    }
}

impl State {
    /// Counts a call that changes something; fails once the power is off.
    fn change(&mut self) -> io::Result<()> {
        self.changes += 1;
        if let Some(left) = &mut self.faults.power_fails_in {
            self.is_off |= *left == 0;
            *left = left.saturating_sub(1);
        }
        if self.is_off {
            return Err(off());
        }
        match &mut self.faults.error_in {
            None => Ok(()),
            Some((left, _)) if *left > 0 => {
                *left -= 1;
                Ok(())
            }
            Some((_, Lasting::ForEver)) => Err(eio()),
            Some((_, Lasting::Once)) => {
                self.faults.error_in = None;
                Err(eio())
            }
        }
    }

    /// The pages of a sync that failed are taken for written. When the power went, nobody takes them for anything.
    fn drop_dirty(&mut self, inode: usize, why: &io::Error) {
        if why.raw_os_error().is_some() {
            self.inodes[inode].dirty.clear();
        }
    }

    fn read(&self) -> io::Result<()> {
        let is_broken = self.faults.error_in == Some((0, Lasting::ForEver));
        if is_broken { Err(eio()) } else { Ok(()) }
    }

    fn room(&self, more: u64) -> io::Result<()> {
        let used: usize = self.names.values().map(|it| self.inodes[*it].cached.len()).sum();
        match self.faults.bytes_max {
            Some(max) if used as u64 + more > max => Err(io::ErrorKind::StorageFull.into()),
            Some(_) | None => Ok(()),
        }
    }
}

impl Disk for SimDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        self.with(|it| Ok(it.names.keys().cloned().collect()))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let inode = self.with(|it| it.names.get(name).copied()).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(SimFile { disk: self.clone(), inode }))
    }

    fn create(&self, name: &str, bytes: u64, _: Fill) -> io::Result<Box<dyn DiskFile>> {
        let inode = self.with(|it| {
            it.change()?;
            it.room(bytes)?;
            let cached = vec![0; usize::try_from(bytes).unwrap()];
            let dirty = (0..cached.len().div_ceil(SECTOR)).collect();
            it.inodes.push(Inode { cached, durable: Vec::new(), dirty });
            it.names.insert(name.to_owned(), it.inodes.len() - 1);
            io::Result::Ok(it.inodes.len() - 1)
        })?;
        Ok(Box::new(SimFile { disk: self.clone(), inode }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.with(|it| {
            it.change()?;
            let inode = it.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
            it.names.insert(to.to_owned(), inode);
            Ok(())
        })
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        self.with(|it| {
            it.change()?;
            it.names.remove(name).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
        })
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.with(|it| {
            it.change()?;
            it.durable_names.clone_from(&it.names);
            Ok(())
        })
    }

    fn random(&self) -> io::Result<u64> {
        Ok(Random(self.nonces.fetch_add(1, Ordering::Relaxed)).next())
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        self.disk.with(|it| {
            it.read()?;
            let cached = &it.inodes[self.inode].cached;
            let start = usize::try_from(at).unwrap_or(usize::MAX).min(cached.len());
            let count = buffer.len().min(cached.len() - start);
            buffer[..count].copy_from_slice(&cached[start..start + count]);
            Ok(count)
        })
    }

    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.disk.with(|it| {
            it.change()?;
            let start = usize::try_from(at).unwrap();
            let end = start + bytes.len();
            let more = end.saturating_sub(it.inodes[self.inode].cached.len());
            it.room(more as u64)?;
            let inode = &mut it.inodes[self.inode];
            if inode.cached.len() < end {
                inode.cached.resize(end, 0);
            }
            inode.cached[start..end].copy_from_slice(bytes);
            inode.dirty.extend(start / SECTOR..end.div_ceil(SECTOR));
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        let takes = self.disk.with(|it| it.faults.sync_takes);
        wait(takes);
        self.disk.with(|it| {
            // As Linux does: the pages of a failed sync are marked clean, and the next sync succeeds.
            let changed = it.change();
            changed.inspect_err(|why| it.drop_dirty(self.inode, why))?;
            if it.faults.sync_fails_in == Some(0) {
                it.faults.sync_fails_in = None;
                it.inodes[self.inode].dirty.clear();
                return Err(io::Error::other("lost write"));
            }
            it.faults.sync_fails_in = it.faults.sync_fails_in.map(|left| left - 1);
            let inode = &mut it.inodes[self.inode];
            for sector in std::mem::take(&mut inode.dirty) {
                inode.keep(sector);
            }
            Ok(())
        })
    }

    fn bytes(&self) -> io::Result<u64> {
        self.disk.with(|it| Ok(it.inodes[self.inode].cached.len() as u64))
    }
}
