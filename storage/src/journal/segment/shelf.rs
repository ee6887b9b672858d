//! The files of a segment log: one that is written, sealed ones with their sidecars, a spare for the next, and a reserve
//! that only marks may use.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
    thread::{self, JoinHandle},
};

use super::{
    block::SegmentHeader,
    keys::{KeysFile, Records, SegmentKeys},
    sidecar::Sidecar,
};
use crate::{
    disk::{Disk, DiskFile, Fill, wants_descriptors},
    error::JournalError,
    journal::entry::NUMBER_MAX,
    options::Prepare,
};

const SPARE: &str = "spare";
const RESERVE: &str = "reserve";

/// What a new segment is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    /// Publications: refused when the disk is full.
    Publications,
    /// Deletes and other marks: they may use the reserve.
    Marks,
}

/// One segment file.
pub(super) struct Shelved {
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) sidecar: Option<Box<dyn DiskFile>>,
    /// What lists need of it, unless it is not sealed.
    pub(super) list: Option<Arc<dyn DiskFile>>,
    pub(super) nonce: u64,
    pub(super) bytes: u64,
    pub(super) keys: SegmentKeys,
    /// The segments about whose messages it says something.
    pub(super) targets: BTreeSet<u64>,
    /// Whether it forgets channels: what older segments say about them is void.
    pub(super) forgets: bool,
    /// When it was rewritten, the segment that was written then: nothing is left in it that an earlier one voids.
    pub(super) cleaned: u64,
}

impl Shelved {
    /// All of its bytes.
    pub(super) fn read(&self) -> io::Result<Vec<u8>> {
        let mut data = vec![0; usize::try_from(self.bytes).unwrap_or(usize::MAX)];
        let read = self.file.read_at(&mut data, 0)?;
        data.truncate(read);
        Ok(data)
    }
}

/// See the module.
pub(super) struct Shelf {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) files: BTreeMap<u64, Shelved>,
    /// What is left of segments that were let go.
    pub(super) keys: BTreeMap<u64, KeysFile>,
    pub(super) segment_bytes: u64,
    has_spare: bool,
    has_reserve: bool,
    preparer: Option<Preparer>,
}

/// A thread that makes spares.
struct Preparer {
    /// Dropped to end the thread.
    orders: Option<flume::Sender<()>>,
    done: flume::Receiver<io::Result<()>>,
    is_ordered: bool,
    join: Option<JoinHandle<()>>,
}

/// The file of a segment.
pub(super) fn segment_name(id: u64) -> String {
    format!("segment-{id:010}.log")
}

/// The sidecar of a segment.
pub(super) fn sidecar_name(id: u64) -> String {
    format!("segment-{id:010}.idx")
}

/// The list of a segment.
pub(super) fn list_name(id: u64) -> String {
    format!("segment-{id:010}.list")
}

/// The segment that a file name names. A number that no journal comes to is not one.
pub(super) fn segment_id(name: &str) -> Option<u64> {
    let id = name.strip_prefix("segment-")?.strip_suffix(".log")?.parse().ok();
    id.filter(|it| *it < NUMBER_MAX)
}

/// What an error of the disk means.
pub(super) fn failed(operation: &'static str, cause: io::Error, needed_bytes: u64) -> JournalError {
    if matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        JournalError::Full { needed_bytes }
    } else if wants_descriptors(&cause) {
        JournalError::Descriptors
    } else {
        JournalError::Io { operation, cause }
    }
}

/// A sync that fails says nothing about what is durable: never a matter of room.
pub(super) fn sync_failed(operation: &'static str, cause: io::Error) -> JournalError {
    JournalError::Io { operation, cause }
}

impl Shelf {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        segment_bytes: u64,
        prepare: Prepare,
    ) -> io::Result<Self> {
        let names = disk.names()?;
        let preparer = match prepare {
            Prepare::Ahead => Some(Preparer::spawn(Arc::clone(&disk), segment_bytes)?),
            Prepare::InPlace => None,
        };
        let mut shelf = Self {
            files: BTreeMap::new(),
            keys: BTreeMap::new(),
            segment_bytes,
            has_spare: false,
            has_reserve: false,
            preparer,
            disk,
        };
        for name in names.iter().filter(|it| it.ends_with(".tmp")) {
            shelf.disk.unlink(name)?;
        }
        shelf.has_spare = shelf.keeps(&names, SPARE)?;
        shelf.has_reserve = shelf.keeps(&names, RESERVE)?;
        Ok(shelf)
    }

    /// Whether a file prepared earlier is there and of the right size.
    fn keeps(&self, names: &[String], name: &str) -> io::Result<bool> {
        if !names.iter().any(|it| it == name) {
            return Ok(false);
        }
        let fits = self.disk.open(name)?.bytes()? == self.segment_bytes;
        if !fits {
            self.disk.unlink(name)?;
        }
        Ok(fits)
    }

    /// Bytes of all segments and what is kept ready.
    pub(super) fn bytes(&self) -> u64 {
        let ready = u64::from(self.has_spare) + u64::from(self.has_reserve);
        self.files.values().map(|it| it.bytes).sum::<u64>() + ready * self.segment_bytes
    }

    /// What the disk has to give for so many new segments, at most one, and the reserve: what is ready takes nothing.
    pub(super) fn wanted_bytes(&self, segments: u64) -> u64 {
        let segments = segments.saturating_sub(self.has_spare.into());
        (segments + u64::from(!self.has_reserve)) * self.segment_bytes
    }

    /// Sets the reserve aside, unless it is there.
    pub(super) fn ensure_reserve(&mut self) -> Result<(), JournalError> {
        if !self.has_reserve {
            make(&*self.disk, RESERVE, self.segment_bytes, Fill::Room)
                .map_err(|cause| failed("reserve", cause, self.segment_bytes))?;
            self.has_reserve = true;
        }
        Ok(())
    }

    /// Has a spare made while there is time.
    pub(super) fn prepare(&mut self) {
        if let Some(preparer) =
            self.preparer.as_mut().filter(|it| !it.is_ordered && !self.has_spare)
            && let Some(orders) = &preparer.orders
        {
            preparer.is_ordered = orders.try_send(()).is_ok();
        }
    }

    /// Makes the file of a new segment, durable with its name.
    pub(super) fn begin(&mut self, id: u64, purpose: Purpose) -> Result<(), JournalError> {
        if self.files.contains_key(&id) {
            return Ok(()); // It was made by an attempt that failed later.
        }
        let name = self.ready(purpose)?;
        let nonce = self.disk.random().map_err(|cause| failed("random", cause, 0))?;
        let header = SegmentHeader { nonce, id, bytes: self.segment_bytes };
        let file = self.disk.open(name).map_err(|cause| failed("open", cause, 0))?;
        file.write_all_at(&header.encode(), 0).map_err(|cause| failed("write", cause, 64))?;
        file.sync_data().map_err(|cause| sync_failed("sync", cause))?;
        let renamed = self.disk.rename(name, &segment_name(id));
        renamed.map_err(|cause| failed("rename", cause, 0))?;
        if name == SPARE {
            self.has_spare = false;
        } else {
            self.has_reserve = false;
        }
        self.disk.sync_dir().map_err(|cause| sync_failed("sync directory", cause))?;
        let (bytes, keys) = (self.segment_bytes, SegmentKeys::default());
        let (file, targets) = (Arc::from(file), BTreeSet::new());
        let (sidecar, list, forgets, cleaned) = (None, None, false, 0);
        let shelved =
            Shelved { file, sidecar, list, nonce, bytes, keys, targets, forgets, cleaned };
        self.files.insert(id, shelved);
        Ok(())
    }

    /// The name of a file that can become a segment.
    fn ready(&mut self, purpose: Purpose) -> Result<&'static str, JournalError> {
        self.collect();
        if self.has_spare {
            return Ok(SPARE);
        }
        if let Err(cause) = make(&*self.disk, SPARE, self.segment_bytes, Fill::Zeros) {
            let why = failed("prepare", cause, self.segment_bytes);
            let is_full = matches!(why, JournalError::Full { .. });
            let may_use_reserve = purpose == Purpose::Marks && self.has_reserve;
            return if is_full && may_use_reserve { Ok(RESERVE) } else { Err(why) };
        }
        self.has_spare = true;
        Ok(SPARE)
    }

    /// Waits for the spare that was ordered.
    fn collect(&mut self) {
        if let Some(preparer) = self.preparer.as_mut().filter(|it| it.is_ordered) {
            preparer.is_ordered = false;
            // If it failed, making one here says why.
            self.has_spare |= matches!(preparer.done.recv(), Ok(Ok(())));
        }
    }

    /// Removes a segment; its file becomes the spare if there is none.
    pub(super) fn remove(&mut self, id: u64) -> io::Result<()> {
        let Some(shelved) = self.files.remove(&id) else { return Ok(()) };
        if shelved.sidecar.is_some() {
            self.disk.unlink(&sidecar_name(id))?;
        }
        if shelved.list.is_some() {
            self.disk.unlink(&list_name(id))?;
        }
        let is_ordered = self.preparer.as_ref().is_some_and(|it| it.is_ordered);
        if self.has_spare || is_ordered || shelved.bytes != self.segment_bytes {
            return self.disk.unlink(&segment_name(id));
        }
        self.disk.rename(&segment_name(id), SPARE)?;
        self.has_spare = true;
        Ok(())
    }

    /// Puts a file in the place of a segment. The one that was there can be read on by whoever has it open.
    pub(super) fn replace(
        &mut self,
        id: u64,
        header: &SegmentHeader,
        bytes: &[u8],
    ) -> Result<(), JournalError> {
        let unfinished = "rewritten.tmp";
        let room = bytes.len() as u64;
        let written = self.write_new(unfinished, bytes);
        let file = written.map_err(|cause| failed("rewrite", cause, room))?;
        file.sync_data().map_err(|cause| sync_failed("sync", cause))?;
        let Some(shelved) = self.files.get_mut(&id) else { return Ok(()) };
        let stale = shelved.sidecar.take().map(|_| sidecar_name(id));
        (shelved.file, shelved.nonce, shelved.bytes) = (Arc::from(file), header.nonce, room);
        let renamed = self.disk.rename(unfinished, &segment_name(id));
        renamed.map_err(|cause| failed("rename", cause, 0))?;
        self.disk.sync_dir().map_err(|cause| sync_failed("sync directory", cause))?;
        // It would be known for that of another file; so it is only a matter of room.
        let gone = stale.map_or(Ok(()), |it| self.disk.unlink(&it));
        gone.map_err(|cause| failed("remove", cause, 0))
    }

    /// Writes a file that is not synced yet, or none.
    pub(super) fn write_new(&self, name: &str, bytes: &[u8]) -> io::Result<Box<dyn DiskFile>> {
        let file = self.disk.create(name, 0, Fill::Room);
        let written = file.and_then(|file| file.write_all_at(bytes, 0).map(|()| file));
        if written.is_err() {
            let _ = self.disk.unlink(name); // The first error tells more.
        }
        written
    }

    /// Writes a sidecar. It is not synced: what is wrong with it later is seen by its checksum.
    pub(super) fn put_sidecar(&mut self, id: u64, sidecar: &Sidecar) -> io::Result<()> {
        let name = sidecar_name(id);
        let file = self.disk.create(&name, 0, Fill::Room)?;
        if let Err(cause) = file.write_all_at(&sidecar.bytes, 0) {
            self.disk.unlink(&name)?;
            return Err(cause);
        }
        if let Some(shelved) = self.files.get_mut(&id) {
            shelved.sidecar = Some(file);
            shelved.keys.records = Records::Stored(sidecar.keyed);
        }
        Ok(())
    }

    /// Writes the list of a segment. It is not synced either. Whoever reads the one that was there goes on with that.
    pub(super) fn put_list(&mut self, id: u64, list: &[u8]) -> io::Result<()> {
        let name = list_name(id);
        if let Some(shelved) = self.files.get_mut(&id)
            && shelved.list.take().is_some()
        {
            self.disk.unlink(&name)?;
        }
        let file = self.disk.create(&name, 0, Fill::Room)?;
        if let Err(cause) = file.write_all_at(list, 0) {
            self.disk.unlink(&name)?;
            return Err(cause);
        }
        if let Some(shelved) = self.files.get_mut(&id) {
            shelved.list = Some(Arc::from(file));
        }
        Ok(())
    }

    /// Finds the lists of the segments that are there, and removes others.
    pub(super) fn find_lists(&mut self) -> io::Result<()> {
        for name in self.disk.names()?.iter().filter(|it| it.ends_with(".list")) {
            let id = name.strip_prefix("segment-").and_then(|it| it.strip_suffix(".list"));
            match id.and_then(|it| it.parse().ok()).and_then(|it| self.files.get_mut(&it)) {
                Some(shelved) => shelved.list = Some(Arc::from(self.disk.open(name)?)),
                None => self.disk.unlink(name)?,
            }
        }
        Ok(())
    }
}

/// Makes a file under its own name only once it is complete.
fn make(disk: &dyn Disk, name: &str, bytes: u64, fill: Fill) -> io::Result<()> {
    let unfinished = format!("{name}.tmp");
    let made = disk.create(&unfinished, bytes, fill).and_then(|file| file.sync_data());
    if let Err(cause) = made {
        let _ = disk.unlink(&unfinished); // The first error tells more.
        return Err(cause);
    }
    disk.rename(&unfinished, name)
}

impl Preparer {
    fn spawn(disk: Arc<dyn Disk>, bytes: u64) -> io::Result<Self> {
        let (orders, ordered) = flume::bounded::<()>(1);
        let (report, done) = flume::bounded(1);
        let work = move || {
            while ordered.recv().is_ok() {
                let made = make(&*disk, SPARE, bytes, Fill::Zeros);
                let _ = report.send(made); // Nobody asks once the journal is closed.
            }
        };
        let join = thread::Builder::new().name("stentor-segments".to_owned()).spawn(work)?;
        Ok(Self { orders: Some(orders), done, is_ordered: false, join: Some(join) })
    }
}

impl Drop for Preparer {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(join) = self.join.take() {
            let _ = join.join(); // A panic there has been printed.
        }
    }
}
