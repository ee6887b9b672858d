//! From one shard to another: through the lane within one thread, and as a stream between two.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use engine::ids::{ChannelKey, ConnId, Epoch, MessageId, ShardId, TenantId};
use engine::reactor::{Lanes, between};
use engine::shard::effects::Effects;
use engine::shard::input::{Keep, ReplyTo, Request};
use storage::{Draft, Publication, SenderKind};

use super::decode::payload;
use super::{row, time};
use crate::Failure;
use crate::table::Table;

const CAPACITY: usize = 4096;
/// Requests of one turn.
const TURN: usize = 64;
const REPLY: ReplyTo = ReplyTo { conn: ConnId { slot: 0, generation: 0 }, ticket: 0 };

/// Measures the room.
pub(super) fn measure(table: &mut Table) -> Result<(), Failure> {
    let publication = publication();
    let (mut from, mut to) = pair()?;
    let mut effects = Effects::default();
    let nanoseconds = time(|| {
        send(&mut from, &mut effects, &publication, 1);
        black_box(to.next_request()).ok_or("a request was lost")?;
        Ok(())
    })?;
    table.row(row("lanes", "a publish, there and taken, one thread", nanoseconds));
    table.row(row("lanes", "a publish, 64 in a turn, between two threads", stream(&publication)?));
    Ok(())
}

fn stream(publication: &Arc<Publication>) -> Result<f64, Failure> {
    let (mut from, mut to) = pair()?;
    let over = AtomicBool::new(false);
    let result = thread::scope(|scope| {
        let taker = scope.spawn(|| {
            while black_box(to.next_request()).is_some() || !over.load(Ordering::Relaxed) {}
        });
        let mut effects = Effects::default();
        let result = time(|| {
            send(&mut from, &mut effects, publication, TURN);
            while !from.has_room() {
                std::hint::spin_loop();
            }
            Ok(())
        });
        over.store(true, Ordering::Relaxed);
        taker.join().map_err(|_| "the taking thread panicked")?;
        result
    });
    Ok(result? / TURN as f64)
}

fn send(lanes: &mut Lanes, effects: &mut Effects, publication: &Arc<Publication>, count: usize) {
    for _ in 0..count {
        let request = Request::Publish(Arc::clone(publication), Keep::Pass, REPLY);
        effects.requests.push((ShardId(1), request));
    }
    lanes.send(effects);
    lanes.take_touched().for_each(|shard| {
        black_box(shard);
    });
}

fn pair() -> Result<(Lanes, Lanes), Failure> {
    let mut lanes = between(2, CAPACITY).into_iter();
    lanes.next().zip(lanes.next()).ok_or_else(|| "two shards have lanes".into())
}

fn publication() -> Arc<Publication> {
    let channel = Arc::new(ChannelKey::new(TenantId(1), "bench-0"));
    Arc::new(Publication::new(&Draft {
        channel: &channel,
        epoch: Epoch(1),
        offset: None,
        id: MessageId(1),
        at_ms: 1_700_000_000_000,
        sender: "",
        sender_kind: SenderKind::System,
        event: "message",
        payload: &payload(128),
        idempotency: None,
    }))
}
