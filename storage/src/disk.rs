//! The file calls of the segment log, and nothing more: the seam at which tests cut the power.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// What a new file consists of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fill {
    /// Zeros that were written, so that later writes change no metadata.
    Zeros,
    /// Room that is only set aside.
    Room,
}

/// One directory of files.
pub trait Disk: Send + Sync {
    /// The names of the files there.
    ///
    /// # Errors
    /// What the system says.
    fn names(&self) -> io::Result<Vec<String>>;
    /// Opens a file that is there.
    ///
    /// # Errors
    /// What the system says.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Makes a file of so many bytes, or empties the one that is there. Nothing of it is durable yet.
    ///
    /// # Errors
    /// What the system says.
    fn create(&self, name: &str, bytes: u64, fill: Fill) -> io::Result<Box<dyn DiskFile>>;
    /// Renames a file, over another if need be.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// What the system says.
    fn unlink(&self, name: &str) -> io::Result<()>;
    /// Makes names, renames and removals durable.
    ///
    /// # Errors
    /// What the system says.
    fn sync_dir(&self) -> io::Result<()>;
    /// A number that nobody can guess.
    ///
    /// # Errors
    /// What the system says.
    fn random(&self) -> io::Result<u64>;
}

/// One open file.
pub trait DiskFile: Send + Sync {
    /// Reads until the buffer is full or the file ends; says how much it read.
    ///
    /// # Errors
    /// What the system says.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize>;
    /// Writes all of it.
    ///
    /// # Errors
    /// What the system says.
    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Makes what was written durable.
    ///
    /// # Errors
    /// What the system says.
    fn sync_data(&self) -> io::Result<()>;
    /// Its size.
    ///
    /// # Errors
    /// What the system says.
    fn bytes(&self) -> io::Result<u64>;
}

/// A directory of the real disk, held by one process at a time.
#[derive(Debug)]
pub struct RealDisk {
    dir: PathBuf,
    handle: File,
    spares: Spares,
    /// Locked for as long as this lives.
    _lock: File,
}

impl RealDisk {
    /// Opens the directory, and makes it if it is not there. `None` when another process holds it.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(dir: &Path) -> io::Result<Option<Self>> {
        fs::create_dir_all(dir)?;
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(dir.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(None),
            Err(fs::TryLockError::Error(cause)) => return Err(cause),
        }
        if let Some(parent) = dir.parent().filter(|it| !it.as_os_str().is_empty()) {
            File::open(parent)?.sync_all()?;
        }
        let handle = File::open(dir)?;
        let spares = Spares::new(&handle)?;
        Ok(Some(Self { dir: dir.to_owned(), handle, spares, _lock: lock }))
    }
}

impl Disk for RealDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            names.extend(entry?.file_name().into_string().ok());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let path = self.dir.join(name);
        let open = || OpenOptions::new().read(true).write(true).open(&path);
        Ok(Box::new(RealFile(self.spares.open(name, &self.handle, open)?)))
    }

    fn create(&self, name: &str, bytes: u64, fill: Fill) -> io::Result<Box<dyn DiskFile>> {
        let path = self.dir.join(name);
        let open =
            || OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
        let file = self.spares.open(name, &self.handle, open)?;
        if bytes > 0 {
            allocate(&file, bytes)?;
        }
        if fill == Fill::Zeros {
            write_zeros(&file, bytes)?;
        }
        Ok(Box::new(RealFile(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.dir.join(from), self.dir.join(to))
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.dir.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    fn random(&self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        // So few bytes come at once, and without a descriptor.
        rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
        Ok(u64::from_le_bytes(bytes))
    }
}

/// Descriptors that a disk keeps back.
const SPARES_MAX: usize = 4;

/// Descriptors that are kept back, so that files which the log cannot do without are opened when the process has none left. They
/// last for a few files; then the log refuses, until there are some again.
#[derive(Debug)]
struct Spares {
    give: flume::Sender<File>,
    take: flume::Receiver<File>,
}

impl Spares {
    fn new(of: &File) -> io::Result<Self> {
        let (give, take) = flume::bounded(SPARES_MAX);
        let spares = Self { give, take };
        for _ in 0..SPARES_MAX {
            let _ = spares.give.try_send(of.try_clone()?); // There is room for so many.
        }
        Ok(spares)
    }

    /// Opens a file, at the expense of a spare if need be. Of a sealed segment the log can do without index and list.
    fn open(&self, name: &str, of: &File, open: impl Fn() -> io::Result<File>) -> io::Result<File> {
        let is_needed = !name.ends_with(".idx") && !name.ends_with(".list");
        let mut opened = open();
        while is_needed
            && opened.as_ref().is_err_and(wants_descriptors)
            && let Ok(spare) = self.take.try_recv()
        {
            drop(spare);
            opened = open();
        }
        if opened.is_ok()
            && !self.give.is_full()
            && let Ok(spare) = of.try_clone()
        {
            let _ = self.give.try_send(spare); // Another thread was faster.
        }
        opened
    }
}

/// Whether a file could not be opened because the process, or the system, has no descriptor left.
pub(crate) fn wants_descriptors(cause: &io::Error) -> bool {
    let errno = rustix::io::Errno::from_io_error(cause);
    matches!(errno, Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE))
}

fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
        // A file system that cannot set room aside finds out on the way.
        Err(rustix::io::Errno::OPNOTSUPP) => file.set_len(bytes),
        other => Ok(other?),
    }
}

/// In steps, each of them synced: one large sync would hold up those of the storage thread.
fn write_zeros(file: &File, bytes: u64) -> io::Result<()> {
    const STEP: usize = 1024 * 1024;
    let zeros = vec![0; STEP];
    let mut at = 0;
    while at < bytes {
        let count = usize::try_from(bytes - at).unwrap_or(STEP).min(STEP);
        file.write_all_at(zeros.get(..count).unwrap_or_default(), at)?;
        file.sync_data()?;
        at += count as u64;
    }
    Ok(())
}

struct RealFile(File);

impl DiskFile for RealFile {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let mut read = 0;
        while let Some(rest) = buffer.get_mut(read..).filter(|it| !it.is_empty()) {
            match FileExt::read_at(&self.0, rest, at + read as u64) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(cause),
            }
        }
        Ok(read)
    }

    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        FileExt::write_all_at(&self.0, bytes, at)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}
