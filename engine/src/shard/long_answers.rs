//! Answers that are longer than a part of a stream. Such a one goes out in parts, each once its connection has taken most of the
//! last one, so that no answer alone runs an outbox over.

use hashbrown::HashMap;
use protocol::Rejection;
use protocol::http::Method;

use super::Shard;
use super::answers::{Shape, write_json};
use super::effects::Ending;
use super::input::ReplyTo;
use crate::hasher::ShardHasher;
use crate::ids::{CallId, ConnId};
use crate::session::StreamEnd;

/// One that goes out.
#[derive(Debug)]
struct LongAnswer {
    to: ReplyTo,
    /// Head and body.
    bytes: Vec<u8>,
    /// How much of it was handed over.
    sent: usize,
}

/// Those of a shard: each has the place of a request that waits.
#[derive(Debug)]
pub(super) struct LongAnswers {
    running: HashMap<CallId, LongAnswer, ShardHasher>,
    /// What all of them take.
    bytes: usize,
}

impl LongAnswers {
    pub(super) fn new(hasher: ShardHasher) -> Self {
        Self { running: HashMap::with_hasher(hasher), bytes: 0 }
    }

    /// Whether a call has more to send.
    pub(super) fn has(&self, call: CallId) -> bool {
        self.running.contains_key(&call)
    }

    /// A connection is gone.
    pub(super) fn abandon(&mut self, conn: ConnId) {
        let gone = self.running.extract_if(|_, it| it.to.conn == conn);
        self.bytes -= gone.map(|(_, it)| it.bytes.len()).sum::<usize>();
    }

    /// Whether there is room for one more. One alone always has it: what a request may ask for is bounded elsewhere.
    fn has_room(&self, bytes: usize, bytes_max: usize) -> Result<(), Rejection> {
        if self.bytes == 0 || self.bytes + bytes <= bytes_max {
            return Ok(());
        }
        Err(Rejection::Overloaded { limit: "long_answers_bytes_max" })
    }

    fn add(&mut self, call: CallId, answer: LongAnswer) {
        self.bytes += answer.bytes.len();
        self.running.insert(call, answer);
    }

    fn take(&mut self, call: CallId) -> Option<LongAnswer> {
        let answer = self.running.remove(&call)?;
        self.bytes -= answer.bytes.len();
        Some(answer)
    }
}

impl Shard {
    /// Answers the request of a ticket with a body of any length.
    pub(super) fn answer_at_length(
        &mut self,
        to: ReplyTo,
        body: &[u8],
        closes: &mut Vec<(ConnId, Ending)>,
    ) {
        let Some(http) = self.sessions.http(to.conn) else { return };
        let Some(asked) = http.tickets.asked(to.ticket) else { return };
        if asked.method == Method::Head || body.len() <= self.limits.side_part_bytes_max {
            return self.answer_ticket(to, closes, |asked, out| {
                write_json(out, &Shape::of(asked), body);
            });
        }
        let bytes_max = self.limits.long_answers_bytes_max;
        if let Err(why) = self.long_answers.has_room(HEAD_BYTES + body.len(), bytes_max) {
            return self.answer_refused(to, &why, closes);
        }
        let mut bytes = Vec::with_capacity(HEAD_BYTES + body.len());
        write_json(&mut bytes, &Shape::of(asked), body);
        let call = self.calls.name();
        http.tickets.stream(to.ticket, call, asked.then);
        self.long_answers.add(call, LongAnswer { to, bytes, sent: 0 });
        self.go_on_answering(call, closes);
    }

    /// A connection has taken most of what waited for it: what it gets in parts goes on.
    pub(super) fn go_on_streaming(&mut self, call: CallId, closes: &mut Vec<(ConnId, Ending)>) {
        if self.long_answers.has(call) {
            self.go_on_answering(call, closes);
        } else {
            self.go_on_listing(call, closes);
        }
    }

    /// Sends the next part of an answer.
    fn go_on_answering(&mut self, call: CallId, closes: &mut Vec<(ConnId, Ending)>) {
        let Some(mut answer) = self.long_answers.take(call) else { return };
        let to = answer.to;
        let rest = answer.bytes.get(answer.sent..).unwrap_or_default();
        let part = rest.get(..self.limits.side_part_bytes_max).unwrap_or(rest);
        let is_out = self.write_stream(to, 1, |out| out.extend_from_slice(part));
        if part.len() == rest.len() {
            return self.end_stream(to, StreamEnd::Whole, closes);
        }
        answer.sent += part.len();
        self.long_answers.add(call, answer);
        if is_out {
            self.arrivals.note_thirst(to.conn);
        }
    }
}

/// About what a head takes.
const HEAD_BYTES: usize = 256;
