//! The REST calls: which dialect a request is for, and what every dialect shares. A call is one row of the router and one arm
//! in its dialect's file.

use std::sync::Arc;

use protocol::http::{Head, HeaderValue, Methods, Route, Routed, route, write_preflight};
use protocol::{Rejection, engineio, page_of};
use storage::{Draft, Publication, SenderKind};

use super::Shard;
use super::answers::Shape;
use super::effects::Effects;
use super::input::Keep;
use super::{cohesivity, infrai, insforge};
use crate::ids::{ChannelKey, ChannelRef, ConnId, Epoch, MessageId, TenantId};
use crate::pressure::Pressure;

/// What a request asks for, after its head was checked.
pub(super) enum Call {
    /// Nothing that can be done.
    Reject(Rejection),
    /// What a browser may do.
    Preflight {
        /// The methods of the path.
        allow: Methods,
        /// The page that asks, where its script may ask with credentials.
        origin: Option<Box<str>>,
    },
    /// Whether the process runs.
    Live,
    /// Whether it takes work.
    Ready,
    /// What it is.
    Version,
    /// What the Cohesivity dialect is asked for.
    Cohesivity(cohesivity::Call),
    /// What the Infrai dialect is asked for.
    Infrai(infrai::Call),
    /// What the InsForge dialect is asked for.
    Insforge(insforge::Call),
}

/// The body of a request, and the shape of its answer.
pub(super) struct Body<'a> {
    pub bytes: &'a mut [u8],
    pub shape: Shape,
}

impl Call {
    /// Whether it publishes without taking a place in line behind calls that are yet to: it is read once they have.
    pub(super) fn publishes_at_once(&self) -> bool {
        matches!(self, Self::Cohesivity(cohesivity::Call::Publish(_)))
    }
}

impl Shard {
    /// Finds what a head asks for, and whether it may.
    pub(super) fn find(&mut self, conn: ConnId, head: &Head<'_>) -> Result<Call, Rejection> {
        let found = match route(head) {
            Routed::Found(found) => found,
            Routed::Preflight { allow } => {
                let is_poll = head.path() == engineio::PATH;
                let is_asked = is_poll || self.tenants.list_origins();
                let page = is_asked.then(|| page_of(head)).flatten();
                self.tenants.admit_page_anywhere(page.as_deref())?;
                let origin = page.filter(|_| is_poll);
                return Ok(Call::Preflight { allow, origin });
            }
            Routed::MethodNotAllowed { allow } => {
                return Err(Rejection::MethodNotAllowed { allow });
            }
            Routed::NotFound => return insforge::unknown(head).ok_or(Rejection::NotFound),
        };
        match found {
            Route::HealthLive => Ok(Call::Live),
            Route::HealthReady => Ok(Call::Ready),
            Route::Version => Ok(Call::Version),
            _ if self.health.draining => Err(Rejection::Draining),
            Route::Infrai(_) | Route::Discovery | Route::DiscoveryOf | Route::InfraiSocket => {
                self.find_infrai(conn, head, found).map(Call::Infrai)
            }
            Route::Insforge(call) => self.find_insforge(head, call).map(Call::Insforge),
            Route::EdgeSession
            | Route::RealtimeToken
            | Route::RealtimeSocket
            | Route::RealtimePublish
            | Route::RealtimeHistory
            | Route::EdgeDatabase
            | Route::ResourceProvision
            | Route::ResourceDelete
            | Route::RealtimeKit => self.find_cohesivity(conn, head, found).map(Call::Cohesivity),
        }
    }

    /// The key of a channel: the one that is in use here, if there is one.
    pub(super) fn channel_key(&self, tenant: TenantId, name: &str) -> Arc<ChannelKey> {
        let channel = ChannelRef { tenant, name };
        let here = self.hub.key(&channel).or_else(|| self.broker.key(&channel));
        let known = here.or_else(|| self.known.key(&channel));
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
            Call::Preflight { allow, origin } => {
                self.answer(conn, shape.then, &mut effects.closes, |out| {
                    let origin = origin.as_deref().and_then(HeaderValue::parse);
                    write_preflight(out, allow, origin.as_ref(), shape.then);
                });
                Ok(())
            }
            Call::Live => self.say(conn, shape, r#"{"status":"ok"}"#, effects),
            Call::Ready => self.say_ready(conn, shape, effects),
            Call::Version => self.say(conn, shape, VERSION, effects),
            Call::Cohesivity(call) => self.perform_cohesivity(conn, call, &mut body, effects),
            Call::Infrai(call) => self.perform_infrai(conn, call, &mut body, effects),
            Call::Insforge(call) => self.perform_insforge(conn, call, &mut body, effects),
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
        let is_short = self.has_memory_for(Pressure::Connections).is_err();
        let text = match (self.health.draining, self.health.storage, is_short) {
            (false, true, false) => return self.say(conn, shape, r#"{"status":"ready"}"#, effects),
            (true, _, _) => r#"{"status":"draining"}"#,
            (false, false, _) => r#"{"status":"storage_unavailable"}"#,
            (false, true, true) => r#"{"status":"memory_short"}"#,
        };
        self.say(conn, Shape { status: 503, ..shape }, text, effects)
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
    draft(channel, sender, publish, None)
}

/// The same for a server, with the hash of the key that makes a retry safe.
pub(super) fn keyed(
    channel: &Arc<ChannelKey>,
    publish: &protocol::Publish<'_>,
    idempotency: Option<u128>,
) -> Arc<Publication> {
    draft(channel, "", publish, idempotency)
}

fn draft(
    channel: &Arc<ChannelKey>,
    sender: &str,
    publish: &protocol::Publish<'_>,
    idempotency: Option<u128>,
) -> Arc<Publication> {
    Arc::new(Publication::new(&Draft {
        channel,
        epoch: Epoch(0),
        offset: None,
        id: MessageId(0),
        at_ms: 0,
        sender,
        sender_kind: SenderKind::of(sender),
        event: publish.event.as_str(),
        payload: publish.data,
        idempotency,
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
