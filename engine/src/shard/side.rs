//! Calls that the side threads run. A streamed answer keeps its ticket's place; each part that went out lets one more come, so that
//! a slow client slows its own stream down, and a stream behind other answers is no larger than its credit.

use hashbrown::HashMap;
use protocol::Rejection;
use protocol::http::{
    Framing, HeaderValue, Method, StreamHead, Version, write_last_chunk, write_part,
    write_stream_head,
};

use super::Shard;
use super::effects::Ending;
use super::input::ReplyTo;
use super::steps::Work;
use super::streams::{StreamAsk, Streaming};
use crate::control::Came;
use crate::hasher::ShardHasher;
use crate::ids::{CallId, ConnId};
use crate::session::{Place, StreamEnd};
use crate::side::{
    PARTS_AHEAD, SideAnswer, SideAsk, UpstreamHead, VENDOR_ANSWER_BYTES_MAX, VendorAnswer,
    VendorAsk,
};

/// How a peer is gone.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Gone {
    /// It sends no more. Whoever asked for a stream of unknown length is taken to have left, as proxies do.
    HalfClosed,
    /// Wholly.
    Closed,
}

#[derive(Debug)]
struct Running {
    /// Bytes that are set aside for it.
    bytes: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Its one answer is a step of a call.
    Step,
    /// Its answer streams.
    Stream { reply: ReplyTo, passes_on: bool, is_old: bool, framing: Option<Framing> },
}

/// The calls of a shard that the side threads run.
#[derive(Debug)]
pub(super) struct Sides {
    running: HashMap<CallId, Running, ShardHasher>,
    bytes: usize,
    /// What to tell the side threads after this input.
    asks: Vec<SideAsk>,
}

impl Sides {
    pub(super) fn new(hasher: ShardHasher) -> Self {
        Self { running: HashMap::with_hasher(hasher), bytes: 0, asks: Vec::new() }
    }

    /// Hands over what the side threads are to be told.
    pub(super) fn say(&mut self, to: &mut Vec<SideAsk>) {
        to.append(&mut self.asks);
    }

    /// So many parts of a stream went out: as many may come.
    pub(super) fn went_out(&mut self, call: CallId, parts: u32) {
        self.asks.extend((0..parts).map(|_| SideAsk::More(call)));
    }

    /// Cancels what only a peer waits for that is gone.
    pub(super) fn abandon(&mut self, conn: ConnId, gone: Gone) {
        let mut calls: Vec<CallId> = Vec::new();
        for (call, running) in &self.running {
            match &running.kind {
                Kind::Stream { reply, passes_on, .. }
                    if reply.conn == conn && (*passes_on || gone == Gone::Closed) =>
                {
                    calls.push(*call);
                }
                Kind::Stream { .. } | Kind::Step => {}
            }
        }
        calls.sort_unstable();
        self.asks.extend(calls.into_iter().map(SideAsk::Cancel));
    }

    fn free(&mut self, call: CallId) -> Option<Running> {
        let running = self.running.remove(&call)?;
        self.bytes -= running.bytes;
        Some(running)
    }
}

impl Shard {
    /// Gives a call to the side threads, whose answer streams.
    ///
    /// # Errors
    /// When they have as much to do as they may. The call is then still to be finished.
    pub(super) fn stream(&mut self, call: CallId, streaming: Streaming) -> Result<(), Rejection> {
        let Streaming { version, bytes, ask, .. } = streaming;
        self.has_room_at_the_side(bytes)?;
        let reply = self.reply_of(call).ok_or(Rejection::Internal)?;
        let passes_on = matches!(ask, StreamAsk::Kit(_));
        let is_old = version == Version::Http10;
        self.sides.bytes += bytes;
        let kind = Kind::Stream { reply, passes_on, is_old, framing: None };
        self.sides.running.insert(call, Running { bytes, kind });
        self.sides.asks.push(match ask {
            StreamAsk::Kit(ask) => SideAsk::Kit(call, ask),
            StreamAsk::Database(ask) => SideAsk::Database(call, ask),
            StreamAsk::List(ask) => SideAsk::List(call, ask),
        });
        // Who left while it was paid for is not there to be missed.
        let is_awaited = self.http(reply.conn).is_some_and(|it| !(passes_on && it.half_closed));
        if !is_awaited {
            self.sides.asks.push(SideAsk::Cancel(call));
        }
        Ok(())
    }

    /// Asks a vendor for a call that takes steps; `then` goes on with its one answer, a [`Came::Side`].
    ///
    /// # Errors
    /// When the side threads have as much to do as they may. The call is then still to be finished.
    pub(super) fn ask_vendor(
        &mut self,
        call: CallId,
        ask: VendorAsk,
        then: Work,
    ) -> Result<(), Rejection> {
        let bytes = ask.body.len() + VENDOR_ANSWER_BYTES_MAX;
        self.has_room_at_the_side(bytes)?;
        self.sides.bytes += bytes;
        self.sides.running.insert(call, Running { bytes, kind: Kind::Step });
        self.calls.wait(call, 1, then);
        self.sides.asks.push(SideAsk::Vendor(call, Box::new(ask)));
        Ok(())
    }

    /// Takes what the side threads say. It sends nothing to a shard, so it can always be taken (invariant 5).
    pub(super) fn on_side(
        &mut self,
        call: CallId,
        answer: SideAnswer,
        closes: &mut Vec<(ConnId, Ending)>,
    ) {
        match answer {
            SideAnswer::Head(head) => self.on_stream_head(call, &head),
            SideAnswer::Part(part) => self.on_stream_part(call, &part),
            SideAnswer::End => self.on_stream_end(call, Ok(()), closes),
            SideAnswer::Whole(answer) => self.on_whole(call, Ok(answer)),
            SideAnswer::Failed(why) => match self.sides.running.get(&call).map(|it| &it.kind) {
                Some(Kind::Step) => self.on_whole(call, Err(why)),
                Some(Kind::Stream { .. }) => self.on_stream_end(call, Err(why), closes),
                None => {}
            },
        }
    }

    fn on_whole(&mut self, call: CallId, result: Result<VendorAnswer, Rejection>) {
        if self.sides.free(call).is_some() {
            self.calls.on_step(call, Came::Side(result));
        }
    }

    pub(super) fn window(&self) -> usize {
        self.limits.side_part_bytes_max * PARTS_AHEAD as usize
    }

    /// Whether the side threads may have one more call of so many bytes.
    pub(super) fn has_room_at_the_side(&self, bytes: usize) -> Result<(), Rejection> {
        if self.sides.running.len() >= self.limits.side_calls_max {
            return Err(Rejection::Overloaded { limit: "side_calls_max" });
        }
        if self.sides.bytes + bytes > self.limits.side_bytes_max {
            return Err(Rejection::Overloaded { limit: "side_bytes_max" });
        }
        Ok(())
    }

    fn on_stream_head(&mut self, call: CallId, head: &UpstreamHead) {
        let Some(Running { kind: Kind::Stream { reply, is_old, framing, .. }, .. }) =
            self.sides.running.get_mut(&call)
        else {
            return;
        };
        let (reply, is_old) = (*reply, *is_old);
        let Some(http) = self.sessions.http(reply.conn) else { return };
        let Some(asked) = http.tickets.asked(reply.ticket) else { return };
        let how = framed(head, asked.method, is_old);
        *framing = Some(how);
        http.tickets.stream(reply.ticket, call, asked.then);
        let lines: Vec<_> = head
            .lines
            .iter()
            .filter_map(|(name, value)| Some((*name, HeaderValue::parse(value)?)))
            .collect();
        let (status, then) = (head.status, asked.then);
        self.write_stream(reply, 0, |out| {
            write_stream_head(out, &StreamHead { status, framing: how, lines: &lines, then });
        });
    }

    fn on_stream_part(&mut self, call: CallId, part: &[u8]) {
        let Some(Running { kind: Kind::Stream { reply, framing: Some(framing), .. }, .. }) =
            self.sides.running.get(&call)
        else {
            return;
        };
        let (reply, framing) = (*reply, *framing);
        if self.write_stream(reply, 1, |out| write_part(out, framing, part)) {
            self.sides.went_out(call, 1);
        }
    }

    fn on_stream_end(
        &mut self,
        call: CallId,
        result: Result<(), Rejection>,
        closes: &mut Vec<(ConnId, Ending)>,
    ) {
        self.forget(call);
        let Some(Running { kind: Kind::Stream { reply, framing, .. }, .. }) = self.sides.free(call)
        else {
            return;
        };
        match (framing, result) {
            (None, Ok(())) => self.answer_refused(reply, &Rejection::Internal, closes),
            (None, Err(why)) => self.answer_refused(reply, &why, closes),
            (Some(framing), Ok(())) => {
                self.write_stream(reply, 0, |out| write_last_chunk(out, framing));
                self.end_stream(reply, StreamEnd::Whole, closes);
            }
            (Some(_), Err(_)) => self.end_stream(reply, StreamEnd::Cut, closes),
        }
    }

    pub(super) fn end_stream(
        &mut self,
        reply: ReplyTo,
        how: StreamEnd,
        closes: &mut Vec<(ConnId, Ending)>,
    ) {
        let Some(http) = self.http(reply.conn) else { return };
        http.tickets.end_stream(reply.ticket, how);
        self.release(reply.conn, closes);
    }

    /// Writes a piece of a streamed answer, of so many parts. Whether it went out at once.
    pub(super) fn write_stream(
        &mut self,
        reply: ReplyTo,
        parts: u32,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        let Some(http) = self.sessions.http(reply.conn) else { return false };
        match http.tickets.piece(reply.ticket, parts) {
            Place::Out => {
                self.turn.write(&self.hub, reply.conn, std::iter::empty(), encode);
                true
            }
            Place::Held(held) => {
                encode(held);
                false
            }
            Place::Nowhere => false,
        }
    }
}

fn framed(head: &UpstreamHead, method: Method, is_old: bool) -> Framing {
    match (head.length, method) {
        (length, Method::Head) => Framing::Absent(length),
        // RFC 9112 §6.3: these have no body.
        (_, _) if matches!(head.status, 204 | 304) => Framing::Absent(None),
        (Some(length), _) => Framing::Counted(length),
        (None, _) if is_old => Framing::UntilClose,
        (None, _) => Framing::Chunked,
    }
}
