//! The list of all patterns of a tenant. A long one goes out in parts, each once its connection has taken most of the last one,
//! so that no list is larger than an outbox. It holds no copy: each part goes on behind the last pattern that went out, so what
//! changes meanwhile is listed as it is when its turn comes, and what is made meanwhile is not.

use hashbrown::HashMap;
use protocol::dialect::insforge::rest::{ListWriter, body_channel};
use protocol::http::{
    Framing, HeaderValue, Method, StreamHead, Version, write_last_chunk, write_part,
    write_stream_head,
};

use super::super::Shard;
use super::super::answers::Reply;
use super::super::effects::Ending;
use super::super::input::ReplyTo;
use super::rules::row;
use crate::control::PatternAge;
use crate::hasher::ShardHasher;
use crate::ids::{CallId, ConnId, TenantId};
use crate::session::StreamEnd;

/// A list that goes out.
#[derive(Debug)]
struct ChannelList {
    to: ReplyTo,
    tenant: TenantId,
    /// The last pattern that was written.
    last: PatternAge,
    writer: ListWriter,
    framing: Framing,
}

/// Those of a shard: each has the place of a request that waits.
#[derive(Debug)]
pub(in crate::shard) struct ChannelLists {
    running: HashMap<CallId, ChannelList, ShardHasher>,
}

impl ChannelLists {
    pub(in crate::shard) fn new(hasher: ShardHasher) -> Self {
        Self { running: HashMap::with_hasher(hasher) }
    }

    /// Whether a call has more to list.
    pub(in crate::shard) fn has(&self, call: CallId) -> bool {
        self.running.contains_key(&call)
    }

    /// A connection is gone.
    pub(in crate::shard) fn abandon(&mut self, conn: ConnId) {
        self.running.retain(|_, it| it.to.conn != conn);
    }
}

impl Shard {
    /// Answers with all patterns of a tenant.
    pub(super) fn list_channels(
        &mut self,
        (call, to): (CallId, ReplyTo),
        tenant: TenantId,
        version: Version,
        closes: &mut Vec<(ConnId, Ending)>,
    ) {
        let mut body = Vec::new();
        let mut writer = ListWriter::begin(&mut body);
        let Some(last) = self.list_part(tenant, PatternAge::NEWEST, &mut writer, &mut body) else {
            writer.end(&mut body);
            return self.answer_reply(to, &Reply::data(|out| *out = body), closes);
        };
        let Some(http) = self.http(to.conn) else { return };
        let Some(asked) = http.tickets.asked(to.ticket) else { return };
        let then = asked.then;
        http.tickets.stream(to.ticket, call, then);
        let framing = match (asked.method, version) {
            (Method::Head, _) => Framing::Absent(None),
            (_, Version::Http10) => Framing::UntilClose,
            (_, Version::Http11) => Framing::Chunked,
        };
        let lines: Vec<_> = HeaderValue::parse("application/json")
            .map(|it| ("Content-Type", it))
            .into_iter()
            .collect();
        let head = StreamHead { status: 200, framing, lines: &lines, then };
        if asked.method == Method::Head {
            self.write_stream(to, 0, |out| write_stream_head(out, &head));
            return self.end_stream(to, StreamEnd::Whole, closes);
        }
        self.lists.running.insert(call, ChannelList { to, tenant, last, writer, framing });
        let is_out = self.write_stream(to, 1, |out| {
            write_stream_head(out, &head);
            write_part(out, framing, &body);
        });
        if is_out {
            self.arrivals.note_thirst(to.conn);
        }
    }

    /// Sends the next part of a list.
    pub(in crate::shard) fn go_on_listing(
        &mut self,
        call: CallId,
        closes: &mut Vec<(ConnId, Ending)>,
    ) {
        let Some(mut list) = self.lists.running.remove(&call) else { return };
        let (to, framing) = (list.to, list.framing);
        if !self.tenants.contains(list.tenant) {
            return self.end_stream(to, StreamEnd::Cut, closes);
        }
        let mut part = Vec::new();
        match self.list_part(list.tenant, list.last, &mut list.writer, &mut part) {
            Some(last) => {
                self.write_stream(to, 1, |out| write_part(out, framing, &part));
                self.lists.running.insert(call, ChannelList { last, ..list });
                self.arrivals.note_thirst(to.conn);
            }
            None => {
                list.writer.end(&mut part);
                self.write_stream(to, 0, |out| {
                    write_part(out, framing, &part);
                    write_last_chunk(out, framing);
                });
                self.end_stream(to, StreamEnd::Whole, closes);
            }
        }
    }

    /// Appends patterns until a part is full. Returns the last of them if more follow.
    fn list_part(
        &self,
        tenant: TenantId,
        after: PatternAge,
        writer: &mut ListWriter,
        out: &mut Vec<u8>,
    ) -> Option<PatternAge> {
        let mut rest = self.rules.of(tenant)?.older_than(after).peekable();
        while let Some(pattern) = rest.next() {
            writer.item(out, |out| body_channel(out, &row(pattern)));
            if out.len() >= self.limits.side_part_bytes_max && rest.peek().is_some() {
                return Some(pattern.age());
            }
        }
        None
    }
}
