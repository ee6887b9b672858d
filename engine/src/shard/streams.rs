//! What is asked of the side threads and answered with a stream: RealtimeKit, the database, and lists of messages.

use protocol::Rejection;
use protocol::dialect::cohesivity;
use protocol::http::{Head, KeepAlive, Method, Version};

use super::Shard;
use super::answers::Shape;
use super::calls::Body;
use crate::ids::{ConnId, TenantId};
use crate::side::{DatabaseAsk, KitAsk, LIST_STEP_BYTES, ListAsk};

/// Headers of a request that are not passed on: those of this connection (RFC 9110 §7.6.1), and whatever says who asks.
const KEPT_BACK: [&str; 17] = [
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-auth-email",
    "x-auth-key",
    "x-auth-user-service-key",
];

/// A call whose answer streams, after its head was checked.
#[derive(Clone, Copy)]
pub(super) struct StreamCall {
    tenant: TenantId,
    version: Version,
}

/// A call whose answer streams, and what it asks of the side threads.
#[derive(Debug)]
pub(super) struct Streaming {
    pub version: Version,
    /// Bytes that are set aside for it.
    pub bytes: usize,
    pub ask: StreamAsk,
    /// Whether it asks for the token of a participant.
    pub is_for_participant: bool,
}

/// See [`Streaming`].
#[derive(Debug)]
pub(super) enum StreamAsk {
    Kit(Box<KitAsk>),
    Database(Box<DatabaseAsk>),
    List(Box<ListAsk>),
}

impl Streaming {
    /// HTTP/1.0 knows no chunks: a body of unknown length ends with the connection.
    pub(super) fn shape(&self, shape: Shape) -> Shape {
        let is_old = self.version == Version::Http10;
        Shape { then: if is_old { KeepAlive::Close } else { shape.then }, ..shape }
    }
}

/// A request for RealtimeKit, after its head was checked.
pub(super) struct KitCall {
    call: StreamCall,
    target: String,
    headers: Vec<(Box<str>, Box<str>)>,
    is_for_participant: bool,
}

impl StreamCall {
    pub(super) fn of(tenant: TenantId, head: &Head<'_>) -> Self {
        Self { tenant, version: head.version() }
    }

    pub(super) fn tenant(&self) -> TenantId {
        self.tenant
    }
}

impl KitCall {
    pub(super) fn tenant(&self) -> TenantId {
        self.call.tenant
    }

    pub(super) fn of(call: StreamCall, head: &Head<'_>) -> Self {
        let mut target = head.rest(2).unwrap_or_default().to_owned();
        let query = head.query_without("key");
        if !query.is_empty() {
            target.push('?');
            target.push_str(&query);
        }
        let named: Vec<&str> =
            head.headers("connection").flat_map(|it| it.split(',')).map(str::trim).collect();
        let is_passed = |name: &str| {
            let mut kept_back = KEPT_BACK.iter().chain(&named);
            !kept_back.any(|it| it.eq_ignore_ascii_case(name))
        };
        let lines = head.lines().filter(|(name, _)| is_passed(name));
        let headers = lines.map(|(name, value)| (name.into(), value.into())).collect();
        let is_for_participant = head.method() == Method::Post && names_participants(head);
        Self { call, target, headers, is_for_participant }
    }
}

/// Whether a path leads to participants, however it is written.
fn names_participants(head: &Head<'_>) -> bool {
    head.segments().any(|it| it.split('/').any(|it| it.eq_ignore_ascii_case("participants")))
}

impl Shard {
    /// What passes a request on to RealtimeKit.
    pub(super) fn kit(&self, conn: ConnId, body: &Body<'_>, kit: KitCall) -> Streaming {
        let KitCall { call: StreamCall { version, .. }, target, headers, is_for_participant } = kit;
        let bytes = body.bytes.len() + self.window();
        let (method, body) = (body.shape.method, body.bytes.to_vec());
        let ask = StreamAsk::Kit(Box::new(KitAsk { conn, method, target, headers, body }));
        Streaming { version, bytes, ask, is_for_participant }
    }

    /// What runs a query.
    pub(super) fn query(
        &self,
        conn: ConnId,
        body: &mut Body<'_>,
        StreamCall { tenant, version }: StreamCall,
    ) -> Result<Streaming, Rejection> {
        let query = cohesivity::decode_database_body(body.bytes, &self.limits.wire)?;
        let bytes = body.bytes.len() + self.limits.database_result_bytes_max + self.window();
        let ask = StreamAsk::Database(Box::new(DatabaseAsk { conn, tenant, query }));
        Ok(Streaming { version, bytes, ask, is_for_participant: false })
    }

    /// What lists messages, or counts them.
    pub(super) fn list(&self, version: Version, ask: ListAsk) -> Streaming {
        // What is read at once is a megabyte and a message more, from one journal and the last of the others.
        let bytes = LIST_STEP_BYTES + 4 * self.limits.wire.message_bytes_max + self.window();
        let ask = StreamAsk::List(Box::new(ask));
        Streaming { version, bytes, ask, is_for_participant: false }
    }

    /// Whether a call that streams may begin.
    pub(super) fn has_room_for(&self, streaming: &Streaming) -> Result<(), Rejection> {
        self.has_room_at_the_side(streaming.bytes)
    }
}
