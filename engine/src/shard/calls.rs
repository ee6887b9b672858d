//! The REST calls: who may make them, what they ask for, and their answers. A call is one row of the router and one arm here.

use std::sync::Arc;

use protocol::auth::{self, EdgeClaims, RealtimeClaims};
use protocol::dialect::cohesivity::{self, Credential};
use protocol::http::{Head, Methods, Routed, route, write_preflight};
use protocol::ws::{check_handshake, write_accept};
use protocol::{ChannelName, Rejection};
use storage::{Draft, Publication};

use super::Shard;
use super::answers::Shape;
use super::effects::Effects;
use super::input::{HistoryAsk, Keep, ReplyTo, Request};

use super::sockets::Opening;
use crate::broker::Member;
use crate::ids::{ChannelKey, ChannelRef, ConnId, Epoch, MessageId, Offset, TenantId};
use crate::session::{CredentialKind, Verified};

/// Life of a server's bearer token.
const SESSION_TTL_S: u32 = 60;
/// A token is for whoever asked, and for now.
const NO_STORE: &str = "private, no-store, max-age=0";

/// What a request asks for, after its head was checked.
pub(super) enum Call {
    /// Nothing that can be done.
    Reject(Rejection),
    /// What a browser may do.
    Preflight(Methods),
    /// Whether the process runs.
    Live,
    /// Whether it takes work.
    Ready,
    /// What it is.
    Version,
    /// A bearer token for a server.
    Session(TenantId),
    /// A connection token for a client.
    Token(TenantId),
    /// To publish.
    Publish(TenantId),
    /// A part of a channel's past.
    History(Box<HistoryCall>),
    /// A WebSocket.
    Upgrade(Box<Opening>),
}

/// See [`Call::History`].
pub(super) struct HistoryCall {
    channel: Arc<ChannelKey>,
    after: Offset,
    limit: usize,
}

/// The body of a request, and the shape of its answer.
pub(super) struct Body<'a> {
    pub bytes: &'a mut [u8],
    pub shape: Shape,
}

impl Shard {
    /// Finds what a head asks for, and whether it may.
    pub(super) fn find(&mut self, conn: ConnId, head: &Head<'_>) -> Result<Call, Rejection> {
        use protocol::http::Route;
        let found = match route(head) {
            Routed::Found(found) => found,
            Routed::Preflight { allow } => return Ok(Call::Preflight(allow)),
            Routed::MethodNotAllowed { allow } => {
                return Err(Rejection::MethodNotAllowed { allow });
            }
            Routed::NotFound => return Err(Rejection::NotFound),
        };
        match found {
            Route::HealthLive => Ok(Call::Live),
            Route::HealthReady => Ok(Call::Ready),
            Route::Version => Ok(Call::Version),
            _ if self.health.draining => Err(Rejection::Draining),
            Route::EdgeSession => {
                let key = head.query("key")?.ok_or(Rejection::CredentialMissing)?;
                self.keyed_tenant(&key).map(Call::Session)
            }
            Route::RealtimeToken => self.tenant(conn, head).map(Call::Token),
            Route::RealtimePublish => self.tenant(conn, head).map(Call::Publish),
            Route::RealtimeHistory => {
                let tenant = self.tenant(conn, head)?;
                let query = cohesivity::decode_history_query(head, &self.limits.wire)?;
                let channel = self.channel_key(tenant, query.channel());
                let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
                Ok(Call::History(Box::new(HistoryCall {
                    channel,
                    after: Offset(query.after),
                    limit,
                })))
            }
            Route::RealtimeSocket => self.opening(head).map(|it| Call::Upgrade(Box::new(it))),
            Route::EdgeDatabase
            | Route::RealtimeProvision
            | Route::RealtimeRemove
            | Route::RealtimeKit
            | Route::Infrai(_)
            | Route::Discovery
            | Route::DiscoveryOf
            | Route::InfraiSocket => Err(Rejection::Unimplemented { what: "this call" }),
        }
    }

    /// Whose application key the query has.
    fn keyed_tenant(&self, key: &str) -> Result<TenantId, Rejection> {
        self.tenants.of_application_key(key).ok_or(Rejection::CredentialInvalid)
    }

    /// Whose bearer token, or else application key, a request has.
    fn tenant(&mut self, conn: ConnId, head: &Head<'_>) -> Result<TenantId, Rejection> {
        let credential = cohesivity::decode_credential(head)?;
        let (kind, text) = match &credential {
            Credential::Bearer(token) => (CredentialKind::Bearer, *token),
            Credential::Key(key) => (CredentialKind::Key, &**key),
        };
        let now_s = self.now.wall_ms / 1000;
        let known = self.http(conn).and_then(|it| it.verified.as_ref());
        if let Some(tenant) = known.and_then(|it| it.tenant_of(kind, text, now_s)) {
            return Ok(tenant);
        }
        let verified = match kind {
            CredentialKind::Key => Verified::key(text, self.keyed_tenant(text)?),
            CredentialKind::Bearer => self.verify_bearer(text, now_s)?,
        };
        let tenant = verified.tenant();
        if let Some(http) = self.http(conn) {
            http.verified = Some(verified);
        }
        Ok(tenant)
    }

    fn verify_bearer(&self, token: &str, now_s: u64) -> Result<Verified, Rejection> {
        let limits = &self.limits.wire;
        let name = auth::peek_tenant(token, limits).map_err(|_| Rejection::CredentialInvalid)?;
        let tenant = self.tenants.of_name(&name).ok_or(Rejection::CredentialInvalid)?;
        let claims = auth::verify_edge(token, self.tenants.signing_key(tenant), now_s, limits)
            .map_err(|_| Rejection::CredentialInvalid)?;
        Ok(Verified::bearer(token, tenant, claims.expires_at_s))
    }

    /// Who wants to open a socket to which channel.
    fn opening(&self, head: &Head<'_>) -> Result<Opening, Rejection> {
        let handshake = check_handshake(head)?;
        let limits = &self.limits.wire;
        let token = head.query("token")?.ok_or(Rejection::CredentialMissing)?;
        let name = auth::peek_tenant(&token, limits).map_err(|_| Rejection::CredentialInvalid)?;
        let tenant = self.tenants.of_name(&name).ok_or(Rejection::CredentialInvalid)?;
        let now_s = self.now.wall_ms / 1000;
        let claims = auth::verify_realtime(&token, self.tenants.signing_key(tenant), now_s, limits)
            .map_err(|_| Rejection::CredentialInvalid)?;
        let channel = head.query("channel")?.ok_or(Rejection::MissingField { field: "channel" })?;
        let channel = ChannelName::parse(&channel, limits)
            .map_err(|cause| Rejection::name("channel", cause))?;
        let channel = self.channel_key(tenant, channel.as_str());
        let id = claims.user_id.into_boxed_str();
        let name = claims.user_name.map(String::into_boxed_str);
        let mut accept = Vec::new();
        write_accept(&mut accept, &handshake, None);
        Ok(Opening { accept, channel, member: Arc::new(Member { id, name }) })
    }

    /// The key of a channel: the one that is in use here, if there is one.
    fn channel_key(&self, tenant: TenantId, name: &str) -> Arc<ChannelKey> {
        let channel = ChannelRef { tenant, name };
        let known = self.hub.key(&channel).or_else(|| self.broker.key(&channel));
        known.map_or_else(|| Arc::new(ChannelKey::new(tenant, name)), Arc::clone)
    }

    /// Does what was asked for.
    pub(super) fn perform(
        &mut self,
        conn: ConnId,
        call: Call,
        mut body: Body<'_>,
        effects: &mut Effects,
    ) {
        let shape = body.shape;
        let done = match call {
            Call::Reject(why) => Err(why),
            Call::Preflight(allow) => {
                self.answer(conn, shape.then, &mut effects.closes, |out| {
                    write_preflight(out, allow, shape.then);
                });
                Ok(())
            }
            Call::Live => self.say(conn, shape, r#"{"status":"ok"}"#, effects),
            Call::Ready => self.say_ready(conn, shape, effects),
            Call::Version => self.say(conn, shape, VERSION, effects),
            Call::Session(tenant) => self.mint_session(conn, shape, tenant, effects),
            Call::Token(tenant) => self.mint_token(conn, &mut body, tenant, effects),
            Call::Publish(tenant) => self.publish(conn, &mut body, tenant, effects),
            Call::History(ask) => self.ask_history(conn, shape, *ask, effects),
            Call::Upgrade(opening) => self.open_socket(conn, *opening, effects),
        };
        if let Err(why) = done {
            self.reject(conn, &why, shape, &mut effects.closes);
        }
    }

    fn say(
        &mut self,
        conn: ConnId,
        shape: Shape,
        text: &str,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        self.answer_json(conn, shape, &mut effects.closes, |out| {
            out.extend_from_slice(text.as_bytes());
        });
        Ok(())
    }

    fn say_ready(
        &mut self,
        conn: ConnId,
        shape: Shape,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        let text = match (self.health.draining, self.health.storage) {
            (false, true) => return self.say(conn, shape, r#"{"status":"ready"}"#, effects),
            (true, _) => r#"{"status":"draining"}"#,
            (false, false) => r#"{"status":"storage_unavailable"}"#,
        };
        self.say(conn, Shape { status: 503, ..shape }, text, effects)
    }

    fn mint_session(
        &mut self,
        conn: ConnId,
        shape: Shape,
        tenant: TenantId,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        let claims = EdgeClaims {
            tenant: self.tenants.name(tenant).to_owned(),
            expires_at_s: self.now.wall_ms / 1000 + u64::from(SESSION_TTL_S),
        };
        let token = auth::sign_edge(&claims, self.tenants.signing_key(tenant));
        let shape = Shape { cache: Some(NO_STORE), ..shape };
        self.answer_json(conn, shape, &mut effects.closes, |out| {
            cohesivity::body_session(out, &token, SESSION_TTL_S);
        });
        Ok(())
    }

    fn mint_token(
        &mut self,
        conn: ConnId,
        body: &mut Body<'_>,
        tenant: TenantId,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        let asked = cohesivity::decode_token_body(body.bytes, &self.limits.wire)?;
        let issued_at_s = self.now.wall_ms / 1000;
        let MessageId(token_id) = self.ids.next(self.now.wall_ms);
        let claims = RealtimeClaims {
            tenant: self.tenants.name(tenant).to_owned(),
            user_id: asked.user_id.to_string(),
            user_name: asked.user_name.map(str::to_owned),
            issued_at_s,
            expires_at_s: issued_at_s + u64::from(asked.ttl_s),
            token_id: format!("{token_id:032x}"),
        };
        let token = auth::sign_realtime(&claims, self.tenants.signing_key(tenant));
        let shape = Shape { cache: Some(NO_STORE), ..body.shape };
        let ttl_s = asked.ttl_s;
        self.answer_json(conn, shape, &mut effects.closes, |out| {
            cohesivity::body_token(out, &token, ttl_s);
        });
        Ok(())
    }

    fn publish(
        &mut self,
        conn: ConnId,
        body: &mut Body<'_>,
        tenant: TenantId,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        let asked = cohesivity::decode_publish_body(body.bytes, &self.limits.wire)?;
        let max = self.limits.wire.message_bytes_max;
        if asked.publish.data.len() > max {
            return Err(Rejection::PayloadTooLarge { max });
        }
        let channel = self.channel_key(tenant, asked.channel.as_str());
        let publication = unplaced(&channel, "", &asked.publish);
        let Some(http) = self.http(conn) else { return Ok(()) };
        let waits = !http.tickets.is_empty();
        let ticket = http.tickets.wait(body.shape.asked());
        let reply = ReplyTo { conn, ticket };
        let keep = keep(asked.publish.keep, waits);
        self.request(&channel, Request::Publish(publication, keep, reply), effects);
        Ok(())
    }

    fn ask_history(
        &mut self,
        conn: ConnId,
        shape: Shape,
        ask: HistoryCall,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        let HistoryCall { channel, after, limit } = ask;
        let Some(http) = self.http(conn) else { return Ok(()) };
        let reply = ReplyTo { conn, ticket: http.tickets.wait(shape.asked()) };
        let request = HistoryAsk { channel: Arc::clone(&channel), after, limit, reply };
        self.request(&channel, Request::History(Box::new(request)), effects);
        Ok(())
    }
}

/// What `GET /version` says.
const VERSION: &str =
    concat!(r#"{"name":"stentor","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);

/// A publication without a place: the only copy of the payload.
pub(super) fn unplaced(
    channel: &Arc<ChannelKey>,
    sender: &str,
    publish: &protocol::Publish<'_>,
) -> Arc<Publication> {
    Arc::new(Publication::new(&Draft {
        channel,
        epoch: Epoch(0),
        offset: None,
        id: MessageId(0),
        at_ms: 0,
        sender,
        event: publish.event.as_str(),
        payload: publish.data,
        idempotency: None,
    }))
}

/// What the client asked for, and whether it must not overtake what the same connection sent before.
pub(super) fn keep(asked: protocol::Keep, has_unanswered: bool) -> Keep {
    match (asked, has_unanswered) {
        (protocol::Keep::Persist, _) => Keep::Persist,
        (protocol::Keep::Pass, true) => Keep::PassInOrder,
        (protocol::Keep::Pass, false) => Keep::Pass,
    }
}
