//! One channel in the index: where it stands, and its runs of messages.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    ids::{ChannelKey, Epoch, Offset, Position},
    journal::{ChannelState, LiveRun},
};

/// Messages of one channel with consecutive offsets in one segment.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) segment: u64,
    pub(super) epoch: Epoch,
    pub(super) first: u64,
    pub(super) count: u32,
    pub(super) bytes: u64,
    pub(super) first_at_ms: u64,
    pub(super) last_at_ms: u64,
    pub(super) places: Places,
}

/// Where the messages of a run begin in their segment.
#[derive(Clone, Debug)]
pub(super) enum Places {
    /// Here.
    Known(Vec<u32>),
    /// In the sidecar, from this byte on.
    Sidecar(u64),
}

/// One channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) key: Arc<ChannelKey>,
    pub(super) state: ChannelState,
    pub(super) runs: VecDeque<Run>,
    /// The last segment that says where it stands: as long as that one is there, it is not forgotten.
    pub(super) named_in: u64,
    /// The last segment with a mark of where it stands: what it let go of in older ones is not gone without that.
    pub(super) marked_in: u64,
    /// How much damage recovery had seen when this channel was last seen to go on without a hole.
    pub(super) proven: usize,
    /// Whether recovery saw a hole in it that no epoch closes.
    pub(super) has_hole: bool,
    pub(super) touched: u64,
}

/// One message, as the index sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Note {
    pub(super) position: Position,
    pub(super) at_ms: u64,
    pub(super) segment: u64,
    pub(super) place: u32,
    pub(super) bytes: u64,
}

/// How a channel was before the batch that is being made.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) key: Arc<ChannelKey>,
    pub(super) state: ChannelState,
    pub(super) named_in: u64,
    pub(super) runs: usize,
    pub(super) last: Option<(u32, u64, u64)>,
}

impl Places {
    pub(super) fn truncate(&mut self, count: u32) {
        match self {
            Self::Known(places) => places.truncate(count as usize),
            Self::Sidecar(_) => {}
        }
    }
}

impl Run {
    /// Where one of its messages is, if that is known here.
    pub(super) fn place(&self, skip: u32) -> Option<u32> {
        match &self.places {
            Places::Known(places) => places.get(skip as usize).copied(),
            Places::Sidecar(_) => None,
        }
    }

    /// One past its last offset.
    pub(super) fn end(&self) -> u64 {
        self.first + u64::from(self.count)
    }
}

impl Channel {
    /// What is retained of it in a segment.
    pub(super) fn live_in(&self, segment: u64) -> Vec<LiveRun> {
        let lying = self.runs.iter().filter(|it| it.segment == segment);
        let live = lying.map(|it| LiveRun {
            epoch: it.epoch,
            first: it.first.max(self.state.first_retained.0),
            end: it.end(),
        });
        live.filter(|it| it.first < it.end).collect()
    }

    /// How many messages before an offset are retained.
    pub(super) fn retained_before(&self, first: Offset) -> u64 {
        let from = self.state.first_retained.0;
        let before =
            self.runs.iter().map(|it| first.0.min(it.end()).saturating_sub(from.max(it.first)));
        before.sum()
    }

    pub(super) fn new(key: Arc<ChannelKey>) -> Self {
        Self {
            key,
            state: ChannelState::default(),
            runs: VecDeque::new(),
            named_in: 0,
            marked_in: 0,
            proven: 0,
            has_hole: false,
            touched: 0,
        }
    }

    pub(super) fn before(&self) -> Before {
        Before {
            key: Arc::clone(&self.key),
            state: self.state,
            named_in: self.named_in,
            runs: self.runs.len(),
            last: self.runs.back().map(|it| (it.count, it.last_at_ms, it.bytes)),
        }
    }

    /// Takes a message into the last run, or begins one.
    pub(super) fn take(&mut self, note: &Note) {
        let offset = note.position.offset.0;
        self.state.position = note.position;
        self.state.last_at_ms = note.at_ms;
        self.named_in = note.segment;
        if let Some(run) = self.runs.back_mut()
            && (run.segment, run.epoch, run.end()) == (note.segment, note.position.epoch, offset)
            && let Places::Known(places) = &mut run.places
        {
            places.push(note.place);
            run.count += 1;
            run.bytes += note.bytes;
            run.last_at_ms = note.at_ms;
            return;
        }
        self.runs.push_back(Run {
            segment: note.segment,
            epoch: note.position.epoch,
            first: offset,
            count: 1,
            bytes: note.bytes,
            first_at_ms: note.at_ms,
            last_at_ms: note.at_ms,
            places: Places::Known(vec![note.place]),
        });
    }

    /// Puts runs of these messages in place of those in a segment.
    pub(super) fn move_runs(&mut self, segment: u64, notes: &[Note]) {
        let mut moved = Self::new(Arc::clone(&self.key));
        notes.iter().for_each(|it| moved.take(it));
        let at = self.runs.partition_point(|it| it.segment < segment);
        let end = self.runs.partition_point(|it| it.segment <= segment);
        let later = self.runs.split_off(end);
        self.runs.truncate(at);
        self.runs.extend(moved.runs);
        self.runs.extend(later);
    }

    /// Notes whether the message at `next` follows the last one without a hole.
    pub(super) fn join(&mut self, next: Position, damages: usize) {
        let is_known = self.state != ChannelState::default();
        if !is_known {
            self.state.first_retained = next.offset;
        } else if next.epoch > self.state.position.epoch {
            self.has_hole = false;
        } else if next.offset != self.state.position.offset.next() {
            self.has_hole = true;
        }
        self.proven = damages;
    }

    /// Whether what lies between its last message and `next` went with a segment that was let go.
    pub(super) fn skips_to(&self, next: Position, gap: u64) -> bool {
        !self.runs.is_empty()
            && next.offset > self.state.position.offset.next()
            && self.named_in < gap
    }

    /// Notes what a statement of where the channel stands says about the messages before it.
    pub(super) fn stand_at(&mut self, state: &ChannelState, damages: usize) {
        let is_known = self.state != ChannelState::default();
        let is_new_epoch = state.position.epoch > self.state.position.epoch;
        let is_empty = state.first_retained > state.position.offset;
        if is_known && (is_new_epoch || is_empty) {
            self.has_hole = false;
        } else if is_known && state.position != self.state.position {
            self.has_hole = true;
        }
        self.proven = damages;
        self.state = *state;
    }
}

/// What lies before and after one message of a run.
pub(super) fn split(run: Run, offset: u64) -> [Run; 2] {
    let before = u32::try_from(offset - run.first).unwrap_or(u32::MAX);
    let (mut head, mut tail) = (run.clone(), run);
    (head.count, tail.count, tail.first) = (before, tail.count - before - 1, offset + 1);
    match (&mut head.places, &mut tail.places) {
        (Places::Known(head), Places::Known(tail)) => {
            head.truncate(before as usize);
            tail.drain(..=before as usize);
        }
        (_, Places::Sidecar(at)) => *at += 4 * (u64::from(before) + 1),
        (Places::Sidecar(_), Places::Known(_)) => {}
    }
    [head, tail]
}
