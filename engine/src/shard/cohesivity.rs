//! The calls of the Cohesivity dialect: who may make them, what they ask for, and their answers.

use std::sync::Arc;

use protocol::auth;
use protocol::dialect::cohesivity::{self, Credential, ProvisionAnswer};
use protocol::http::{Head, Route};
use protocol::ws::{check_handshake, write_accept};
use protocol::{ChannelName, Rejection};

use super::Shard;
use super::answers::{Reply, Shape};
use super::calls::{Body, keep, unplaced};
use super::effects::Effects;
use super::paid::Paid;
use super::sockets::Opening;
use super::steps;
use super::streams::{KitCall, StreamCall};
use crate::broker::Member;
use crate::control::{Came, Enforce, Enforced, Provisioning, Region, SeatAnswer, SeatOp, TokenId};
use crate::ids::{CallId, ChannelKey, ConnId, Offset, TenantId};
use crate::session::{CredentialKind, Verified};
use crate::tenants::KeyKind;

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
    Acted { before: Provisioning, now: Provisioning },
    /// The seat has counted what a metered tenant does.
    Paid(Box<Paid>),
}

/// See [`Call::History`].
#[derive(Debug)]
pub(super) struct HistoryCall {
    pub channel: Arc<ChannelKey>,
    pub after: Offset,
    pub limit: usize,
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
                let tenant = self.keyed_tenant(&key)?;
                self.admit_page(tenant, head)?;
                self.served(tenant).map(Call::Session)
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
            Route::EdgeDatabase => {
                self.tenant(conn, head).map(|it| Call::Database(StreamCall::of(it, head)))
            }
            Route::RealtimeSocket => self.opening(head).map(|it| Call::Upgrade(Box::new(it))),
            Route::ResourceProvision => self.manager(head).map(Call::Provision),
            Route::ResourceDelete => self.manager(head).map(Call::Unprovision),
            Route::Infrai(_)
            | Route::Discovery
            | Route::DiscoveryOf
            | Route::InfraiSocket
            | Route::Insforge(_) => Err(Rejection::Unimplemented { what: "this call" }),
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
            Call::Kit(call) => {
                let tenant = call.tenant();
                let paid = Paid::Stream(Box::new(self.kit(conn, body, *call)));
                self.buy(conn, body.shape, (tenant, paid), effects)
            }
            Call::Database(call) => {
                let paid = Paid::Stream(Box::new(self.query(conn, body, call)?));
                self.buy(conn, body.shape, (call.tenant(), paid), effects)
            }
            Call::Session(tenant) => self.buy(conn, body.shape, (tenant, Paid::Session), effects),
            Call::Token(tenant) => {
                let asked = cohesivity::decode_token_body(body.bytes, &self.limits.wire)?;
                let paid = Paid::Token {
                    user_id: asked.user_id.into(),
                    user_name: asked.user_name.map(Into::into),
                    ttl_s: asked.ttl_s,
                };
                self.buy(conn, body.shape, (tenant, paid), effects)
            }
            Call::Publish(tenant) => {
                let asked = cohesivity::decode_publish_body(body.bytes, &self.limits.wire)?;
                let max = self.limits.wire.message_bytes_max;
                if asked.publish.data.len() > max {
                    return Err(Rejection::PayloadTooLarge { max });
                }
                self.pace_publishes(conn, 1, asked.publish.data.len())?;
                let channel = self.channel_key(tenant, asked.channel.as_str());
                let publication = unplaced(&channel, "", &asked.publish);
                let Some(http) = self.http(conn) else { return Ok(()) };
                let keep = keep(asked.publish.keep, !http.tickets.is_empty());
                self.buy(conn, body.shape, (tenant, Paid::Publish(publication, keep)), effects)
            }
            Call::History(ask) => {
                let tenant = ask.channel.tenant();
                self.buy(conn, body.shape, (tenant, Paid::History(*ask)), effects)
            }
            Call::Upgrade(opening) => {
                let tenant = opening.channel.tenant();
                self.buy(conn, body.shape, (tenant, Paid::Upgrade(opening)), effects)
            }
            Call::Provision(tenant) => {
                let asked = cohesivity::decode_provision_body(body.bytes, &self.limits.wire)?;
                let region = match asked.write_region {
                    None => Region::default(),
                    Some(name) => Region::named(&name).ok_or(Rejection::WrongType {
                        field: "write_region",
                        expected: "a region",
                    })?,
                };
                self.decide(conn, body.shape, (tenant, SeatOp::Provision(region)), effects)
            }
            Call::Unprovision(tenant) => {
                self.decide(conn, body.shape, (tenant, SeatOp::Unprovision), effects)
            }
        }
    }

    fn decide(
        &mut self,
        conn: ConnId,
        shape: Shape,
        (tenant, op): (TenantId, SeatOp),
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
                Some(Came::Seat(Ok(SeatAnswer::Provisioning { before, now, ruling }))) => {
                    let order = Enforce::Rules(ruling);
                    let then = steps::Work::Cohesivity(Work::Acted { before, now });
                    if now.is_active() {
                        self.enforce(call, &order, then, effects);
                    } else {
                        let drop = Enforce::DropTenant(tenant);
                        self.let_go(call, (&order, drop), then, effects);
                    }
                }
                Some(Came::Seat(Err(why))) => self.finish(call, Err(why), effects),
                Some(_) | None => self.finish(call, Err(Rejection::Internal), effects),
            },
            Work::Acted { before, now } => {
                let result = enforced(came).map(|_| provisioned(before, now));
                self.finish(call, result, effects);
            }
            Work::Paid(paid) => match came.into_iter().next() {
                Some(Came::Seat(Ok(_))) => self.go_on_paid(call, *paid, effects),
                Some(Came::Seat(Err(why))) => self.refuse_paid(call, &paid, why, effects),
                Some(_) | None => self.refuse_paid(call, &paid, Rejection::Internal, effects),
            },
        }
    }

    /// Whose management key a request has.
    fn manager(&self, head: &Head<'_>) -> Result<TenantId, Rejection> {
        match cohesivity::decode_credential(head)? {
            Credential::Bearer(key) => {
                let found = self.tenants.of_management_key(key);
                let tenant = found.ok_or_else(|| self.unknown_key(KeyKind::Management, key))?;
                self.admit_page(tenant, head).map(|()| tenant)
            }
            Credential::Key(_) => Err(Rejection::CredentialMissing),
        }
    }

    /// Only who has the resource is served.
    pub(super) fn served(&self, tenant: TenantId) -> Result<TenantId, Rejection> {
        if self.rules.is_provisioned(tenant) { Ok(tenant) } else { Err(Rejection::NotProvisioned) }
    }

    /// Whose application key the query has.
    fn keyed_tenant(&self, key: &str) -> Result<TenantId, Rejection> {
        let found = self.tenants.of_application_key(key);
        found.ok_or_else(|| self.unknown_key(KeyKind::Application, key))
    }

    /// Who had a key of a tenant that was removed is told so; others learn nothing.
    fn unknown_key(&self, kind: KeyKind, key: &str) -> Rejection {
        if self.tenants.is_gone(kind, key) { Rejection::Gone } else { Rejection::CredentialInvalid }
    }

    /// Whose bearer token, or else application key, a request has.
    fn tenant(&mut self, conn: ConnId, head: &Head<'_>) -> Result<TenantId, Rejection> {
        let credential = cohesivity::decode_credential(head)?;
        let (kind, text) = match &credential {
            Credential::Bearer(token) => (CredentialKind::Bearer, *token),
            Credential::Key(key) => (CredentialKind::Key, &**key),
        };
        let (now_s, generation) = (self.now.wall_ms / 1000, self.tenants_generation);
        let known = self.http(conn).and_then(|it| it.verified());
        if let Some(tenant) = known.and_then(|it| it.tenant_of((kind, text), now_s, generation)) {
            self.admit_page(tenant, head)?;
            return self.served(tenant);
        }
        let verified = match kind {
            CredentialKind::Key | CredentialKind::Project => {
                Verified::key(kind, text, self.keyed_tenant(text)?, generation)
            }
            CredentialKind::Bearer => self.verify_bearer(text, now_s)?,
        };
        let tenant = verified.tenant();
        if let Some(http) = self.http(conn) {
            http.verify(verified);
        }
        self.admit_page(tenant, head)?;
        self.served(tenant)
    }

    fn verify_bearer(&self, token: &str, now_s: u64) -> Result<Verified, Rejection> {
        let limits = &self.limits.wire;
        let name = auth::peek_tenant(token, limits).map_err(|_| Rejection::CredentialInvalid)?;
        let tenant = self.tenants.of_name(&name).ok_or(Rejection::CredentialInvalid)?;
        let claims =
            self.tenants.verify(tenant, |key| auth::verify_edge(token, key, now_s, limits));
        let claims = claims.map_err(|_| Rejection::CredentialInvalid)?;
        Ok(Verified::bearer(token, tenant, claims.expires_at_s, self.tenants_generation))
    }

    /// Who wants to open a socket to which channel.
    fn opening(&self, head: &Head<'_>) -> Result<Opening, Rejection> {
        let handshake = check_handshake(head)?;
        let limits = &self.limits.wire;
        let token = head.query("token")?.ok_or(Rejection::CredentialMissing)?;
        let name = auth::peek_tenant(&token, limits).map_err(|_| Rejection::CredentialInvalid)?;
        let tenant = self.tenants.of_name(&name).ok_or(Rejection::CredentialInvalid)?;
        let now_s = self.now.wall_ms / 1000;
        let verify = |key: &[u8]| auth::verify_realtime(&token, key, now_s, limits);
        let claims =
            self.tenants.verify(tenant, verify).map_err(|_| Rejection::CredentialInvalid)?;
        self.admit_page(tenant, head)?;
        self.served(tenant)?;
        let token_id = TokenId::parse(&claims.token_id);
        if token_id.is_some_and(|it| self.revoked.contains(tenant, it)) {
            return Err(Rejection::CredentialInvalid);
        }
        let channel = head.query("channel")?.ok_or(Rejection::MissingField { field: "channel" })?;
        let channel = ChannelName::parse(&channel, limits)
            .map_err(|cause| Rejection::name("channel", cause))?;
        let channel = self.channel_key(tenant, channel.as_str());
        let id = claims.user_id.into_boxed_str();
        let name = claims.user_name.map(String::into_boxed_str);
        let mut accept = Vec::new();
        write_accept(&mut accept, &handshake, None);
        let member = Arc::new(Member { id, name, user_id: None, is_anonymous: false, state: None });
        let expires_at_s = claims.expires_at_s;
        Ok(Opening { accept, channel, member, token: token_id, expires_at_s })
    }
}

/// What all shards did together, or why one could not.
pub(super) fn enforced(came: Vec<Came>) -> Result<Enforced, Rejection> {
    came.into_iter().try_fold(Enforced::default(), |sum, it| match it {
        Came::Enforced(done) => Ok(Enforced { count: sum.count + done?.count }),
        Came::Seat(_) | Came::Side(_) | Came::Published(_) | Came::Peeked(_) => {
            Err(Rejection::Internal)
        }
    })
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
    Reply::data(|out| *out = body)
}
