//! A shard's journal without a disk: slow, full, broken, or fine. It refuses offsets out of order as `storage::Journal` does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use engine::ids::{ChannelKey, Epoch, Offset, Position, TenantId};
use engine::shard::input::{DropAsk, JournalAnswer, LetGo, ReadAsk, ReadTicket};
use protocol::Rejection;
use storage::Publication;

use crate::faults::{Fault, Plan};
use crate::random::Random;
use crate::seen::Seen;

/// A channel in the model.
pub type Key = (TenantId, String);

/// The key of a channel.
pub fn key(channel: &ChannelKey) -> Key {
    (channel.tenant(), channel.name().to_owned())
}

/// What the disk does now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Disk {
    /// It takes everything.
    Fine,
    /// It has no room.
    Full,
    /// It failed: nothing will ever be taken.
    Fenced,
}

/// The journal of one shard.
#[derive(Debug)]
pub struct Journal {
    /// What survives a crash.
    pub durable: BTreeMap<Key, Vec<Arc<Publication>>>,
    /// What the disk does now.
    pub disk: Disk,
    /// What cannot be read any more, and whether that was told since the last start.
    damaged: BTreeMap<(Key, Offset), bool>,
    epochs: BTreeMap<Key, Epoch>,
    waiting: VecDeque<Arc<Publication>>,
    reads: VecDeque<ReadAsk>,
    drops: VecDeque<DropAsk>,
    /// Whether the next read fails.
    pub fails_read: bool,
    /// Reads that may wait.
    pub reads_max: usize,
    /// The channel whose reads take long now.
    pub slow: Option<Key>,
    /// What was let go of each channel: up to this offset it is not read.
    pub gone: BTreeMap<Key, u64>,
    answers: VecDeque<JournalAnswer>,
    /// What it refused, for whoever keeps count.
    pub refused: Vec<Arc<Publication>>,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            durable: BTreeMap::new(),
            disk: Disk::Fine,
            damaged: BTreeMap::new(),
            epochs: BTreeMap::new(),
            waiting: VecDeque::new(),
            reads: VecDeque::new(),
            drops: VecDeque::new(),
            fails_read: false,
            reads_max: usize::MAX,
            slow: None,
            gone: BTreeMap::new(),
            answers: VecDeque::new(),
            refused: Vec::new(),
        }
    }
}

impl Journal {
    /// One of a node with this plan.
    pub fn of(plan: &Plan) -> Self {
        let reads_max = if plan.has(Fault::BusyJournals) { 1 } else { usize::MAX };
        Self { reads_max, ..Self::default() }
    }

    /// Takes an append that will be answered.
    pub fn append(&mut self, publication: Arc<Publication>) {
        self.waiting.push_back(publication);
    }

    /// Takes a question that will be answered, or has no room for it.
    pub fn read(&mut self, ask: ReadAsk, seen: &mut Seen) {
        if self.reads.len() < self.reads_max {
            return self.reads.push_back(ask);
        }
        seen.note_if(matches!(ask.ticket, ReadTicket::Arrival(..)), "missed messages had to wait");
        let busy = Rejection::Overloaded { limit: "journal_reads_max" };
        self.answers.push_back(JournalAnswer::Read(ask.ticket, Err(busy)));
    }

    /// Takes a channel whose messages are to go.
    pub fn let_go(&mut self, ask: DropAsk) {
        self.drops.push_back(ask);
    }

    /// Takes a channel to a later epoch.
    pub fn begin_epoch(&mut self, channel: &ChannelKey, epoch: Epoch) {
        let before = self.epochs.insert(key(channel), epoch).unwrap_or(FIRST_EPOCH);
        assert!(before < epoch, "epochs rise");
    }

    /// Damages a few messages of a channel. Returns which.
    pub fn damage(&mut self, random: &mut Random) -> Option<(Key, BTreeSet<Offset>)> {
        let key = self.any_channel(random)?;
        let last = self.durable[&key].len();
        let first = 1 + random.below(last);
        let offsets = (first..=last.min(first + random.below(3))).map(|it| Offset(it as u64));
        let offsets: BTreeSet<_> = offsets.collect();
        for offset in &offsets {
            self.damaged.entry((key.clone(), *offset)).or_insert(false);
        }
        Some((key, offsets))
    }

    /// Works for a moment: one batch, or one read. Returns what became durable.
    pub fn work(&mut self, random: &mut Random, seen: &mut Seen) -> Vec<Arc<Publication>> {
        let quick = self.reads.iter().position(|it| self.slow.as_ref() != Some(&key(&it.channel)));
        if let Some(place) = quick
            && (self.waiting.is_empty() || random.permille(300))
        {
            seen.note_if(place > 0, "read overtook a slow one");
            self.answer_read(place, seen);
            return Vec::new();
        }
        // The writer may do either first.
        if (self.waiting.is_empty() || random.permille(600))
            && let Some(ask) = self.drops.pop_front()
        {
            self.drop_channel(ask);
            return Vec::new();
        }
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let count = 1 + random.below(self.waiting.len().min(8));
        let batch: Vec<_> = self.waiting.drain(..count).collect();
        seen.note_if(count > 1, "batch of several");
        if let Err(why) = self.admit(&batch, seen) {
            self.answers.push_back(JournalAnswer::Refused(count, why));
            self.refused.extend(batch);
            return Vec::new();
        }
        self.keep(&batch);
        self.answers.push_back(JournalAnswer::Committed(count));
        batch
    }

    /// What it was given and has not answered.
    pub fn waiting(&self) -> impl Iterator<Item = &Arc<Publication>> {
        self.waiting.iter()
    }

    /// The next answer, in the order of the questions.
    pub fn next_answer(&mut self) -> Option<JournalAnswer> {
        self.answers.pop_front()
    }

    /// Whether everything that it was given is written, or refused.
    pub fn is_written(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether there is anything to do.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
            && self.reads.is_empty()
            && self.drops.is_empty()
            && self.answers.is_empty()
    }

    /// The power fails. What was not written is gone, a batch that was being written may have made it. Returns what did.
    pub fn crash(&mut self, random: &mut Random, seen: &mut Seen) -> Vec<Arc<Publication>> {
        seen.note_if(self.answers.iter().any(is_commit), "crash with unanswered commits");
        let mut survived = Vec::new();
        if !self.waiting.is_empty() && random.permille(500) {
            let count = 1 + random.below(self.waiting.len());
            let batch: Vec<_> = self.waiting.drain(..count).collect();
            if self.admit(&batch, seen).is_ok() {
                self.keep(&batch);
                survived = batch;
            }
        }
        seen.note_if(!self.waiting.is_empty(), "crash lost appends");
        self.waiting.clear();
        self.reads.clear();
        self.drops.clear();
        self.answers.clear();
        self.disk = Disk::Fine;
        (self.fails_read, self.slow) = (false, None);
        self.damaged.values_mut().for_each(|is_told| *is_told = false);
        survived
    }

    /// Where each channel stands.
    pub fn positions(&self) -> impl Iterator<Item = (&Key, Position)> {
        self.durable.iter().filter_map(|(key, log)| {
            let last = place(log.last()?);
            let epoch = self.epochs.get(key).copied().unwrap_or(FIRST_EPOCH);
            Some((key, Position { epoch: last.epoch.max(epoch), ..last }))
        })
    }

    fn admit(&self, batch: &[Arc<Publication>], seen: &mut Seen) -> Result<(), Rejection> {
        match self.disk {
            Disk::Fine => {}
            Disk::Full => {
                seen.note("batch refused as full");
                return Err(Rejection::StorageFull);
            }
            Disk::Fenced => {
                seen.note("batch refused as fenced");
                return Err(Rejection::StorageUnavailable);
            }
        }
        let mut next: BTreeMap<Key, Offset> = BTreeMap::new();
        for publication in batch {
            let key = key(publication.channel());
            let last = self.durable.get(&key).and_then(|log| log.last());
            let last = last.map_or(Offset(0), |it| it.offset().unwrap());
            let expected = next.entry(key).or_insert_with(|| last.next());
            if publication.offset() != Some(*expected) {
                seen.note("batch refused out of order");
                return Err(Rejection::Internal);
            }
            *expected = expected.next();
        }
        Ok(())
    }

    fn keep(&mut self, batch: &[Arc<Publication>]) {
        for publication in batch {
            let log = self.durable.entry(key(publication.channel())).or_default();
            let before = log.last().map(|it| it.epoch());
            assert!(before <= Some(publication.epoch()), "epochs rise");
            log.push(Arc::clone(publication));
        }
    }

    fn drop_channel(&mut self, ask: DropAsk) {
        if self.disk == Disk::Fenced {
            let answer = JournalAnswer::Dropped(ask, Err(Rejection::StorageUnavailable));
            return self.answers.push_back(answer);
        }
        let log = self.durable.get(&key(&ask.channel)).map_or(&[][..], Vec::as_slice);
        let is_meant =
            |it: &&Arc<Publication>| ask.until_ms.is_none_or(|until| it.at_ms() <= until);
        let last = log.iter().take_while(is_meant).last();
        let mut messages = 0;
        if let Some(last) = last.map(|it| it.offset().unwrap().0) {
            let gone = self.gone.entry(key(&ask.channel)).or_default();
            messages = last.saturating_sub(*gone);
            *gone = last.max(*gone);
        }
        let first_retained = last.map_or(Offset(0), |it| it.offset().unwrap().next());
        let let_go = match ask.until_ms {
            None => LetGo::All,
            Some(_) => LetGo::Before { first_retained, messages },
        };
        self.answers.push_back(JournalAnswer::Dropped(ask, Ok(let_go)));
    }

    /// Some channel that has messages, and that somebody reads if there is one.
    pub fn any_channel(&self, random: &mut Random) -> Option<Key> {
        if let Some(ask) = self.reads.front() {
            return Some(key(&ask.channel));
        }
        let place = random.below(self.durable.len().max(1));
        self.durable.keys().nth(place).cloned()
    }

    fn answer_read(&mut self, place: usize, seen: &mut Seen) {
        let ask = self.reads.remove(place).unwrap();
        if std::mem::take(&mut self.fails_read) {
            seen.note("read failed once");
            let answer = JournalAnswer::Read(ask.ticket, Err(Rejection::StorageUnavailable));
            return self.answers.push_back(answer);
        }
        let log = self.durable.get(&key(&ask.channel)).map_or(&[][..], Vec::as_slice);
        let (mut found, mut is_news) = (Vec::new(), false);
        let is_readable = self.disk != Disk::Fenced;
        let gone = self.gone.get(&key(&ask.channel)).copied().unwrap_or_default();
        let after = Offset(ask.after.0.max(gone));
        let log = log.iter().filter(|it| is_readable && it.offset().unwrap() > after);
        for publication in log {
            let place = (key(&ask.channel), publication.offset().unwrap());
            match self.damaged.get_mut(&place) {
                _ if found.len() == ask.limit => break,
                Some(is_told) => is_news |= !std::mem::replace(is_told, true),
                None => found.push(Arc::clone(publication)),
            }
        }
        if is_news {
            seen.note("damage found");
            self.answers.push_back(JournalAnswer::Damaged(Arc::clone(&ask.channel)));
        }
        seen.note(match ask.ticket {
            ReadTicket::History(..) => "history read from the journal",
            ReadTicket::Arrival(..) => "missed messages read from the journal",
        });
        let result =
            if self.disk == Disk::Fenced { Err(Rejection::StorageUnavailable) } else { Ok(found) };
        self.answers.push_back(JournalAnswer::Read(ask.ticket, result));
    }
}

/// The epoch in which channels begin.
pub const FIRST_EPOCH: Epoch = Epoch(1);

fn place(publication: &Arc<Publication>) -> Position {
    Position { epoch: publication.epoch(), offset: publication.offset().unwrap() }
}

fn is_commit(answer: &JournalAnswer) -> bool {
    matches!(answer, JournalAnswer::Committed(_))
}
