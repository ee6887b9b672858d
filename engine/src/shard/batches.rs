//! Messages that came together at their home: the call that sent them hears once, when all of them have an answer.

use protocol::Rejection;
use storage::Publication;

use crate::control::{Placed, Published};
use crate::ids::{CallId, ShardId};

/// One batch of this home, while it is open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BatchId(u32);

/// All open batches. Each belongs to a running call of some shard, so they are at most `control_calls_max` a shard.
#[derive(Debug, Default)]
pub(super) struct Batches {
    open: Vec<Option<Batch>>,
    free: Vec<BatchId>,
}

#[derive(Debug)]
struct Batch {
    edge: ShardId,
    call: CallId,
    left: usize,
    published: Published,
}

/// A batch of which every message has its answer.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) edge: ShardId,
    pub(super) call: CallId,
    pub(super) published: Published,
}

impl Batches {
    /// Opens a batch of so many messages, at least one.
    pub(super) fn open(&mut self, edge: ShardId, call: CallId, count: usize) -> BatchId {
        let batch = Batch { edge, call, left: count, published: Vec::with_capacity(count) };
        let id = self.free.pop().unwrap_or_else(|| {
            self.open.push(None);
            BatchId(u32::try_from(self.open.len() - 1).unwrap_or(u32::MAX))
        });
        if let Some(slot) = self.open.get_mut(id.0 as usize) {
            *slot = Some(batch);
        }
        id
    }

    /// One message has its answer. Returns the batch with its last one.
    pub(super) fn note(
        &mut self,
        id: BatchId,
        place: u16,
        result: Result<&Publication, Rejection>,
    ) -> Option<Whole> {
        let slot = self.open.get_mut(id.0 as usize)?;
        let batch = slot.as_mut()?;
        batch.published.push((place, result.map(placed)));
        batch.left -= 1;
        if batch.left > 0 {
            return None;
        }
        let Batch { edge, call, published, .. } = slot.take()?;
        self.free.push(id);
        Some(Whole { edge, call, published })
    }
}

fn placed(publication: &Publication) -> Placed {
    Placed { id: publication.id(), offset: publication.offset(), at_ms: publication.at_ms() }
}
