//! Opening: from files that may be torn, damaged or missing to an index that tells the truth about them.
//!
//! The end of the last segment is cut where nothing whole follows. Damage anywhere else is set aside: every channel that
//! may have lost a message to it goes on in a new epoch, and the rest is served.

use std::{collections::BTreeSet, io, ops::Range, sync::Arc};

use super::{
    Active, SegmentJournal,
    block::{Block, HEADER_BYTES, SegmentHeader},
    channel::Note,
    entry::{self, Damage, Entry, LogState},
    found::{Found, find, is_blank, next_block, read, torn},
    index::Index,
    keys::SegmentKeys,
    lists::{self, Rows, Seen},
    shelf::{Shelf, Shelved, sidecar_name},
    sidecar::{self, End},
};
use crate::{
    disk::{Disk, DiskFile},
    error::{JournalError, OpenError},
    ids::{ChannelKey, Epoch, Position},
    journal::keyed::KeyedRecord,
    options::JournalOptions,
};

/// What was learnt from the segments so far.
#[derive(Default)]
struct Recovery {
    index: Index,
    log: LogState,
    live: BTreeSet<u64>,
    damages: Vec<Damage>,
    /// What the next block must go on from; `None` after damage, or a segment that is gone.
    end: Option<End>,
    last_id: u64,
    state: SegmentEnd,
    /// Where the whole blocks of the segment end.
    at: usize,
    /// The last whole block that was scanned: its segment, where it begins and ends.
    last_block: Option<(u64, Range<usize>)>,
    torn_bytes: u64,
    forgotten: Vec<ChannelKey>,
    /// Of the segment that is being scanned.
    keys: SegmentKeys,
    rows: Rows,
    targets: BTreeSet<u64>,
    /// What the segment that was rewritten says about its end, and when that was.
    resume: Option<End>,
    cleaned: u64,
}

/// A sidecar that fits, what it says about keys, and about the messages of which segments something is said.
type Loaded = (Box<dyn DiskFile>, SegmentKeys, BTreeSet<u64>);

/// How the segment that was read last ends.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum SegmentEnd {
    /// The next one goes on from it.
    Sealed,
    /// It can be written on.
    #[default]
    Open,
    /// What it held last is not known.
    Lost,
}

pub(super) fn io_error(operation: &'static str) -> impl Fn(io::Error) -> OpenError {
    move |cause| OpenError::Io { operation, cause }
}

pub(super) fn refused(why: JournalError) -> OpenError {
    if let JournalError::Io { operation, cause } = why {
        return OpenError::Io { operation, cause };
    }
    OpenError::Unreadable { why: why.to_string() }
}

pub(super) fn open(
    disk: Arc<dyn Disk>,
    options: &JournalOptions,
) -> Result<SegmentJournal, OpenError> {
    let mut shelf = Shelf::new(disk, options.segment_bytes, options.prepare)
        .map_err(io_error("read directory"))?;
    let mut recovery = Recovery::default();
    let found = find(&*shelf.disk)?;
    let mut rest = found.into_iter().peekable();
    while let Some(segment) = rest.next() {
        let data = recovery.segment(&mut shelf, segment, rest.peek().is_none())?;
        let Some((id, is_scanned)) = data else { continue };
        // A segment that was begun, while the one before was not sealed yet.
        if recovery.state == SegmentEnd::Open
            && let Some(next) = rest.next_if(is_blank)
        {
            shelf.disk.unlink(&super::shelf::segment_name(next.id)).map_err(io_error("unlink"))?;
        }
        if rest.peek().is_some() {
            recovery.close(&mut shelf, id, is_scanned);
        }
    }
    shelf.find_lists().map_err(io_error("read lists"))?;
    let damaged = shelf.find_keys().map_err(io_error("read keys"))?;
    let mut journal = recovery.finish(shelf)?;
    journal.quarantined += damaged;
    Ok(journal)
}

impl Recovery {
    /// Takes a segment in. Answers its id and whether it was scanned, unless it cannot be read at all.
    fn segment(
        &mut self,
        shelf: &mut Shelf,
        segment: Found,
        is_last: bool,
    ) -> Result<Option<(u64, bool)>, OpenError> {
        let id = segment.id;
        if id != self.last_id + 1 {
            // Those between were let go; or they are missed at the end.
            (self.end, self.index.gap) = (None, id);
        }
        self.last_id = id;
        self.forgotten.clear();
        (self.resume, self.cleaned) = (None, 0);
        let Some(header) = segment.header else {
            self.damage(id, 0, u64::MAX);
            (self.state, self.end) = (SegmentEnd::Lost, None);
            self.live.insert(id);
            return Ok(None);
        };
        self.live.insert(id);
        let is_cut = segment.bytes < header.bytes;
        let sidecar = match is_last || is_cut {
            true => None,
            false => self.load_sidecar(shelf, &header)?,
        };
        let is_scanned = sidecar.is_none();
        (self.keys, self.rows) = (SegmentKeys::default(), Rows::default());
        self.targets.clear();
        if is_scanned {
            let data = read(&segment)?;
            self.scan(&data, &header, is_last);
            if is_cut && self.state != SegmentEnd::Sealed {
                self.damage(id, segment.bytes, header.bytes);
                (self.state, self.end) = (SegmentEnd::Lost, None);
            }
        }
        let (sidecar, keys, targets) = match sidecar {
            Some((file, keys, targets)) => (Some(file), keys, targets),
            None => (None, std::mem::take(&mut self.keys), std::mem::take(&mut self.targets)),
        };
        let (nonce, bytes, list) = (header.nonce, segment.bytes, None);
        let file = Arc::from(segment.file);
        let (forgets, cleaned) = (!self.forgotten.is_empty(), self.cleaned);
        let shelved =
            Shelved { file, sidecar, list, nonce, bytes, keys, targets, forgets, cleaned };
        shelf.files.insert(id, shelved);
        Ok(Some((id, is_scanned)))
    }

    fn load_sidecar(
        &mut self,
        shelf: &Shelf,
        header: &SegmentHeader,
    ) -> Result<Option<Loaded>, OpenError> {
        let file = match shelf.disk.open(&sidecar_name(header.id)) {
            Ok(file) => file,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(OpenError::Io { operation: "open", cause }),
        };
        let size = file.bytes().map_err(io_error("open"))?;
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        let read = file.read_at(&mut bytes, 0).map_err(io_error("read"))?;
        bytes.truncate(read);
        let found = sidecar::decode(&bytes, header.id, header.nonce, &mut self.index);
        let Some((head, keys)) = found else { return Ok(None) };
        self.learn(head.log);
        (self.state, self.end) = (SegmentEnd::Sealed, Some(head.end));
        (self.forgotten, self.cleaned) = (head.forgotten, head.cleaned);
        Ok(Some((file, keys, head.targets)))
    }

    /// Reads a segment block by block.
    fn scan(&mut self, data: &[u8], header: &SegmentHeader, is_last: bool) {
        self.state = SegmentEnd::Open;
        self.at = HEADER_BYTES;
        loop {
            match self.expected(data, header.nonce) {
                Some(block) => self.block(&block, header),
                None if self.state == SegmentEnd::Sealed => return,
                None => match self.resume(data, header.nonce) {
                    Some(at) => {
                        self.damage(header.id, self.at as u64, at as u64);
                        (self.at, self.end) = (at, None);
                    }
                    None => break,
                },
            }
        }
        if is_last {
            self.torn_bytes = torn(data, header.nonce, self.at);
        }
    }

    /// The block that goes on from the last one.
    fn expected<'a>(&self, data: &'a [u8], nonce: u64) -> Option<Block<'a>> {
        let block = Block::at(data, nonce, self.at)?;
        let follows =
            |end: End| (block.header.sequence, block.header.chain) == (end.sequence, end.chain);
        let is_whole =
            self.end.is_none_or(follows) && entry::all(block.body, block.body_place()).is_some();
        is_whole.then_some(block)
    }

    /// Where the next whole block after damage begins.
    fn resume(&self, data: &[u8], nonce: u64) -> Option<usize> {
        let sequence = self.end.map_or(0, |it| it.sequence);
        let mut at = self.at;
        loop {
            // The block at `at` may be whole, yet not the one that was due: then what was due is lost.
            let block = next_block(data, nonce, at)?;
            let found = block.header.at as usize;
            let place = block.body_place();
            if block.header.sequence >= sequence && entry::all(block.body, place).is_some() {
                return Some(found);
            }
            at = found + HEADER_BYTES;
        }
    }

    fn block(&mut self, block: &Block<'_>, header: &SegmentHeader) {
        let place = block.body_place();
        for (entry, at) in entry::all(block.body, place).unwrap_or_default() {
            let at = place.at + u32::try_from(at).unwrap_or(u32::MAX);
            self.entry(entry, at, header.id);
        }
        self.at = block.end;
        self.last_block = Some((header.id, block.header.at as usize..block.end));
        let end = End { sequence: block.header.sequence + 1, chain: block.crc };
        self.end = Some(self.resume.take().unwrap_or(end));
    }

    fn entry(&mut self, entry: Entry<'_>, place: u32, segment: u64) {
        match entry {
            Entry::Message(it) => {
                let note = Note {
                    position: Position { epoch: it.epoch, offset: it.offset },
                    at_ms: it.at_ms,
                    segment,
                    place,
                    bytes: (it.sender.len() + it.event.len() + it.payload.len()) as u64,
                };
                self.index.recover(it.tenant, it.name, &note);
                self.keys.take(KeyedRecord::of_message(&it));
                self.rows.take(&Seen::of_message(&it, place));
            }
            Entry::Stand { tenant, name, state } => self.index.stand(tenant, name, state, segment),
            Entry::Forget { tenant, name } => {
                let key = ChannelKey::new(tenant, name);
                self.index.forget(&key);
                self.forgotten.push(key);
            }
            Entry::Log(log) => self.learn(log),
            Entry::Retire { segment } => {
                self.live.remove(&segment);
            }
            Entry::Drop { tenant } => {
                self.index.forget_tenant(tenant);
                self.keys.drop_tenant(tenant);
            }
            Entry::Counts(counts) => {
                self.targets.extend(counts.messages.iter().map(|it| it.0));
                counts.rows().for_each(|it| self.rows.counts.take(it));
            }
            Entry::Resume { sequence, chain, cleaned } => {
                (self.resume, self.cleaned) = (Some(End { sequence, chain }), cleaned);
            }
            Entry::Seal => self.state = SegmentEnd::Sealed,
            Entry::Close => {}
        }
    }

    fn learn(&mut self, log: LogState) {
        self.live = log.live.iter().copied().collect();
        self.log = log;
    }

    fn damage(&mut self, segment: u64, from: u64, to: u64) {
        self.damages.push(Damage { segment, from, to });
        self.index.damages += 1;
    }

    /// Ends a segment that another one follows.
    fn close(&mut self, shelf: &mut Shelf, id: u64, is_scanned: bool) {
        if self.state == SegmentEnd::Open {
            self.damage(id, self.at as u64, u64::MAX);
            self.end = None;
        }
        if !is_scanned {
            return;
        }
        let Some(shelved) = shelf.files.get(&id) else { return };
        let nonce = shelved.nonce;
        let Some(end) = self.end.filter(|_| self.state == SegmentEnd::Sealed) else { return };
        let (forgotten, targets) = (std::mem::take(&mut self.forgotten), shelved.targets.clone());
        let log = LogState { live: self.live.iter().copied().collect(), ..self.log.clone() };
        let head = sidecar::Head { nonce, end, log, forgotten, targets, cleaned: self.cleaned };
        let sidecar = sidecar::encode(&head, id, &self.index, &shelved.keys);
        if shelf.put_sidecar(id, &sidecar).is_ok() {
            self.index.unload(id, &sidecar.places);
        }
        // Made again when it is needed, should there be no room for it.
        let _ = shelf.put_list(id, &lists::encode(nonce, &self.rows.snapshot()));
    }

    /// Sets new damage aside, and goes on writing.
    fn finish(mut self, shelf: Shelf) -> Result<SegmentJournal, OpenError> {
        let missing = self.live.iter().filter(|it| {
            let is_known = self.damages.iter().any(|damage| damage.segment == **it);
            !shelf.files.contains_key(*it) && !is_known
        });
        let mut missing: Vec<_> = missing.copied().collect();
        if self.state == SegmentEnd::Sealed && !missing.contains(&(self.last_id + 1)) {
            missing.push(self.last_id + 1);
        }
        for segment in missing {
            let damage = Damage { segment, from: 0, to: u64::MAX };
            if self.log.damages.contains(&damage) {
                self.damages.push(damage);
            } else {
                self.damage(segment, 0, u64::MAX);
            }
        }
        let news = self.damages.iter().filter(|it| !self.log.damages.contains(it));
        let news: Vec<_> = news.copied().collect();
        let active = self.active(&shelf);
        let mut journal = SegmentJournal {
            quarantined: self.damages.len() as u64,
            torn_bytes: self.torn_bytes,
            log: LogState { fresh_epoch: self.log.fresh_epoch.max(Epoch(1)), ..self.log },
            index: self.index,
            shelf,
            active,
            buffer: Vec::new(),
            batch_at: 0,
            said: Vec::new(),
            found: Vec::new(),
            incompressible: BTreeSet::new(),
            is_fenced: false,
        };
        if let Some((segment, block)) = self.last_block {
            journal.write_again(segment, block).map_err(io_error("write"))?;
        }
        journal.settle(self.last_id, &self.live)?;
        journal.set_noted_aside();
        if !news.is_empty() {
            journal.set_aside(news).map_err(refused)?;
        }
        Ok(journal)
    }

    fn active(&mut self, shelf: &Shelf) -> Active {
        let end = self.end.unwrap_or_else(|| End { sequence: self.fresh_sequence(), chain: 0 });
        match shelf.files.get(&self.last_id).filter(|_| self.state == SegmentEnd::Open) {
            Some(shelved) => Active {
                id: self.last_id,
                nonce: shelved.nonce,
                at: self.at,
                end,
                forgotten: std::mem::take(&mut self.forgotten),
                rows: std::mem::take(&mut self.rows),
            },
            None => Active { end, ..Active::default() },
        }
    }

    /// A sequence number after all that may have been given out, when the last one is lost.
    fn fresh_sequence(&self) -> u64 {
        1 + (self.last_id << 32)
    }
}
