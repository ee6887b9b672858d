//! The calls of the Cohesivity dialect: who may make them, what they ask for, and their answers.

use std::sync::Arc;

use protocol::auth::{self, EdgeClaims, RealtimeClaims};
use protocol::dialect::cohesivity::{self, Credential, ProvisionAnswer};
use protocol::http::{Head, Route};
use protocol::ws::{check_handshake, write_accept};
use protocol::{ChannelName, Rejection};

use super::Shard;
use super::answers::{Reply, Shape};
use super::calls::{Body, keep, unplaced};
use super::effects::Effects;
use super::input::{HistoryAsk, ReplyTo, Request};
use super::side::{KitCall, StreamCall};
use super::sockets::Opening;
use super::steps;
use crate::broker::Member;
use crate::control::{Came, Enforce, Provisioning, Region, SeatAnswer, SeatOp};
use crate::ids::{CallId, ChannelKey, ConnId, MessageId, Offset, TenantId};
use crate::session::{CredentialKind, Verified};

/// Life of a server's bearer token.
const SESSION_TTL_S: u32 = 60;
/// A token is for whoever asked, and for now.
const NO_STORE: &str = "private, no-store, max-age=0";
/// Where the resource is, on this node.
const EDGE_PATH: &str = "/edge/realtime";

/// What a request of this dialect asks for, after its head was checked.
pub(super) enum Call {
    /// A bearer token for a server.
    Session(TenantId),
    /// A connection token for a client.
    Token(TenantId),
    /// To publish.
    Publish(TenantId),
    /// A part of a channel's past.
    History(Box<HistoryCall>),
    /// What RealtimeKit has to say.
    Kit(Box<KitCall>),
    /// The rows of a query.
    Database(StreamCall),
    /// A WebSocket.
    Upgrade(Box<Opening>),
    /// To have the resource.
    Provision(TenantId),
    /// To have it no more.
    Unprovision(TenantId),
}

/// What a call of this dialect does next.
#[derive(Debug)]
pub(super) enum Work {
    /// The seat decides; then every shard acts.
    Decided,
    /// Every shard has acted; then this is the answer.
    Acted(SeatAnswer),
}

/// See [`Call::History`].
pub(super) struct HistoryCall {
    channel: Arc<ChannelKey>,
    after: Offset,
    limit: usize,
}

impl Shard {
    /// Finds what a head asks for, and whether it may.
    pub(super) fn find_cohesivity(
        &mut self,
        conn: ConnId,
        head: &Head<'_>,
        route: Route,
    ) -> Result<Call, Rejection> {
        match route {
            Route::EdgeSession => {
                let key = head.query("key")?.ok_or(Rejection::CredentialMissing)?;
                self.served(self.keyed_tenant(&key)?).map(Call::Session)
            }
            Route::RealtimeToken => self.tenant(conn, head).map(Call::Token),
            Route::RealtimePublish => self.tenant(conn, head).map(Call::Publish),
            Route::RealtimeHistory => {
                let tenant = self.tenant(conn, head)?;
                let query = cohesivity::decode_history_query(head, &self.limits.wire)?;
                let channel = self.channel_key(tenant, query.channel());
                let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
                let after = Offset(query.after);
                Ok(Call::History(Box::new(HistoryCall { channel, after, limit })))
            }
            Route::RealtimeKit => {
                let call = StreamCall::of(self.tenant(conn, head)?, head);
                Ok(Call::Kit(Box::new(KitCall::of(call, head))))
            }
            Route::Database => {
                self.tenant(conn, head).map(|it| Call::Database(StreamCall::of(it, head)))
            }
            Route::RealtimeSocket => self.opening(head).map(|it| Call::Upgrade(Box::new(it))),
            Route::ResourceProvision => self.manager(head).map(Call::Provision),
            Route::ResourceDelete => self.manager(head).map(Call::Unprovision),
            Route::HealthLive | Route::HealthReady | Route::Version => Err(Rejection::NotFound),
        }
    }

    /// Does what was asked for.
    pub(super) fn perform_cohesivity(
        &mut self,
        conn: ConnId,
        call: Call,
        body: &mut Body<'_>,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        match call {
            Call::Session(tenant) => self.mint_session(conn, body.shape, tenant, effects),
            Call::Token(tenant) => self.mint_token(conn, body, tenant, effects),
            Call::Publish(tenant) => self.publish(conn, body, tenant, effects),
            Call::History(ask) => self.ask_history(conn, body.shape, *ask, effects),
            Call::Kit(call) => self.call_kit(conn, body, *call),
            Call::Database(call) => self.query(conn, body, call),
            Call::Upgrade(opening) => self.open_socket(conn, *opening, effects),
            Call::Provision(tenant) => {
                let asked = cohesivity::decode_provision_body(body.bytes, &self.limits.wire)?;
                let region = match asked.write_region {
                    None => Region::default(),
                    Some(name) => Region::named(&name).ok_or(Rejection::WrongType {
                        field: "write_region",
                        expected: "a region",
                    })?,
                };
                self.decide(conn, body.shape, tenant, SeatOp::Provision(region), effects)
            }
            Call::Unprovision(tenant) => {
                self.decide(conn, body.shape, tenant, SeatOp::Unprovision, effects)
            }
        }
    }

    fn decide(
        &mut self,
        conn: ConnId,
        shape: Shape,
        tenant: TenantId,
        op: SeatOp,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        let call = self.begin(conn, tenant, shape)?;
        self.ask_seat(call, op, steps::Work::Cohesivity(Work::Decided), effects);
        Ok(())
    }

    /// Does the next step of a call.
    pub(super) fn go_on_cohesivity(
        &mut self,
        call: CallId,
        work: Work,
        came: Vec<Came>,
        effects: &mut Effects,
    ) {
        let Some(tenant) = self.tenant_of(call) else { return };
        match work {
            Work::Decided => match came.into_iter().next() {
                Some(Came::Seat(Ok(answer))) => {
                    let SeatAnswer::Provisioning { now, .. } = &answer;
                    let order = Enforce::Provisioning(tenant, *now);
                    let then = steps::Work::Cohesivity(Work::Acted(answer));
                    self.enforce(call, &order, then, effects);
                }
                Some(Came::Seat(Err(why))) => {
                    self.finish(call, Err(why), &mut effects.closes);
                }
                Some(Came::Side(_) | Came::Enforced(_)) | None => {
                    self.finish(call, Err(Rejection::Internal), &mut effects.closes);
                }
            },
            Work::Acted(SeatAnswer::Provisioning { before, now }) => {
                let failed = came.into_iter().find_map(|it| match it {
                    Came::Enforced(result) => result.err(),
                    Came::Seat(_) | Came::Side(_) => Some(Rejection::Internal),
                });
                let result = failed.map_or_else(|| Ok(provisioned(before, now)), Err);
                self.finish(call, result, &mut effects.closes);
            }
        }
    }

    /// Whose management key a request has.
    fn manager(&self, head: &Head<'_>) -> Result<TenantId, Rejection> {
        match cohesivity::decode_credential(head)? {
            Credential::Bearer(key) => {
                self.tenants.of_management_key(key).ok_or(Rejection::CredentialInvalid)
            }
            Credential::Key(_) => Err(Rejection::CredentialMissing),
        }
    }

    /// Only who has the resource is served.
    fn served(&self, tenant: TenantId) -> Result<TenantId, Rejection> {
        if self.unprovisioned.contains(&tenant) {
            return Err(Rejection::NotProvisioned);
        }
        Ok(tenant)
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
            return self.served(tenant);
        }
        let verified = match kind {
            CredentialKind::Key => Verified::key(text, self.keyed_tenant(text)?),
            CredentialKind::Bearer => self.verify_bearer(text, now_s)?,
        };
        let tenant = verified.tenant();
        if let Some(http) = self.http(conn) {
            http.verified = Some(verified);
        }
        self.served(tenant)
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
        self.served(tenant)?;
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

fn provisioned(before: Provisioning, now: Provisioning) -> Reply {
    let mut body = Vec::new();
    match now {
        Provisioning::Implied | Provisioning::Deleted => {
            let status = if before.is_active() { "deleted" } else { "not_found" };
            cohesivity::body_unprovisioned(&mut body, status);
        }
        Provisioning::Active(region) => {
            let answer = ProvisionAnswer {
                already_provisioned: before.is_active(),
                write_region: region.name(),
                edge_url: EDGE_PATH,
            };
            cohesivity::body_provisioned(&mut body, &answer);
        }
    }
    Reply { status: 200, body, cache: None }
}
