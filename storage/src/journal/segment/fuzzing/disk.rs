//! Files in memory, on which nothing fails.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use flume::{Receiver, Sender};

use crate::disk::{Disk, DiskFile, Fill};

/// What is in nobody's hands, or in one's: it waits in a channel that has room for it alone.
struct Held<T>(Sender<T>, Receiver<T>);

impl<T: Default> Held<T> {
    fn new(it: T) -> Self {
        let (sender, receiver) = flume::bounded(1);
        let held = Self(sender, receiver);
        held.lay_down(it);
        held
    }

    fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let mut it = self.1.recv().unwrap_or_default();
        let result = work(&mut it);
        self.lay_down(it);
        result
    }

    fn lay_down(&self, it: T) {
        let _ = self.0.send(it); // both ends are here
    }
}

type Bytes = Arc<Held<Vec<u8>>>;

/// See the module.
pub(super) struct MemoryDisk {
    files: Held<BTreeMap<String, Bytes>>,
    nonces: AtomicU64,
}

impl Default for MemoryDisk {
    fn default() -> Self {
        Self { files: Held::new(BTreeMap::new()), nonces: AtomicU64::new(0) }
    }
}

struct MemoryFile(Bytes);

impl MemoryDisk {
    /// Makes a file.
    pub(super) fn put(&self, name: &str, bytes: Vec<u8>) {
        drop(self.made(name, bytes));
    }

    fn made(&self, name: &str, bytes: Vec<u8>) -> Bytes {
        let file = Arc::new(Held::new(bytes));
        self.files.with(|files| files.insert(name.to_owned(), Arc::clone(&file)));
        file
    }
}

impl Disk for MemoryDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.files.with(|files| files.keys().cloned().collect()))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file =
            self.files.with(|files| files.get(name).cloned()).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(MemoryFile(file)))
    }

    fn create(&self, name: &str, bytes: u64, _: Fill) -> io::Result<Box<dyn DiskFile>> {
        let bytes = usize::try_from(bytes).map_err(|_| io::ErrorKind::StorageFull)?;
        Ok(Box::new(MemoryFile(self.made(name, vec![0; bytes]))))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.files.with(|files| {
            let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
            files.insert(to.to_owned(), file);
            Ok(())
        })
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        self.files.with(|files| files.remove(name)).ok_or(io::ErrorKind::NotFound)?;
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        Ok(())
    }

    fn random(&self) -> io::Result<u64> {
        Ok(self.nonces.fetch_add(1, Ordering::Relaxed).wrapping_mul(0xd134_2543_de82_ef95) + 1)
    }
}

impl DiskFile for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        Ok(self.0.with(|bytes| {
            let rest = bytes.get(at..).unwrap_or_default();
            let count = rest.len().min(buffer.len());
            buffer.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            count
        }))
    }

    fn write_all_at(&self, from: &[u8], at: u64) -> io::Result<()> {
        let at = usize::try_from(at).map_err(|_| io::ErrorKind::StorageFull)?;
        let end = at.checked_add(from.len()).ok_or(io::ErrorKind::StorageFull)?;
        self.0.with(|bytes| {
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes.iter_mut().skip(at).zip(from).for_each(|(to, from)| *to = *from);
        });
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.0.with(|bytes| bytes.len() as u64))
    }
}
