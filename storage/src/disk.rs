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
        Ok(Some(Self { dir: dir.to_owned(), handle: File::open(dir)?, _lock: lock }))
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
        let file = OpenOptions::new().read(true).write(true).open(self.dir.join(name))?;
        Ok(Box::new(RealFile(file)))
    }

    fn create(&self, name: &str, bytes: u64, fill: Fill) -> io::Result<Box<dyn DiskFile>> {
        let path = self.dir.join(name);
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
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
        io::Read::read_exact(&mut File::open("/dev/urandom")?, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
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
