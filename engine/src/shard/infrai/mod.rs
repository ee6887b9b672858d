//! The calls and sockets of the Infrai dialect: who may make a call, what it asks for, and how it goes on.

mod channels;
mod deeds;
mod encode;
mod frames;
mod known;
mod messages;
mod sign;
mod tokens;

use protocol::dialect::infrai::{self, ChannelList, Discovery, Operation};
use protocol::http::{Head, Route};
use protocol::{ChannelType, Rejection};

use super::Shard;
use super::answers::Shape;
use super::calls::Body;
use super::effects::Effects;
use super::steps::seat_answer;
use crate::control::{Came, Spend};
use crate::ids::{CallId, ConnId, TenantId};
pub(super) use channels::Looking;
pub(super) use deeds::{Deed, Doing};
pub(super) use encode::{encode_answer, encode_joined, encode_left, encode_not_joined};
pub(super) use frames::{Opening, Wish};
pub(super) use known::{Glance, KnownChannels};
pub(super) use messages::Answering;

/// What a request of this dialect asks for, after its head was checked.
pub(super) enum Call {
    /// One of the capabilities.
    Do(Box<Asked>),
    /// All of the capabilities.
    Discover,
    /// One of them, described.
    Describe(&'static infrai::Capability),
    /// A WebSocket.
    Upgrade(Box<Opening>),
}

/// What a call's head says.
pub(super) struct Asked {
    tenant: TenantId,
    operation: Operation,
    /// The channel in the path.
    channel: Option<Box<str>>,
    /// The page in the query.
    page: Option<ChannelList>,
    /// The idempotency key in a header.
    key: Option<Box<str>>,
    /// Where the client's WebSocket is.
    endpoint: Option<String>,
    /// The body, hashed as it came, if it may have an idempotency key: decoding changes it in place.
    request: Option<[u8; 32]>,
}

/// What a call of this dialect does next.
#[derive(Debug)]
pub(super) enum Work {
    /// The seat says what the channel of a frame is.
    Wish(ConnId, Box<Wish>, Glance),
    /// The seat counts what a frame publishes.
    PaidWish(ConnId, Box<Wish>, ChannelType),
    /// The idempotency key is the call's: now the deed is paid for.
    Buy(Box<Deed>, Option<Spend>, u32),
    /// The seat counts what a deed takes, and that it costs so much; then it is done.
    Paid(Box<Deed>, u32),
    /// It is being done.
    Doing(Doing),
    /// It is looked up.
    Looking(Looking),
    /// The seat counts a socket; then it is opened.
    Upgrade(Box<Opening>),
}

impl Shard {
    /// Finds what a head asks for, and whether it may.
    pub(super) fn find_infrai(
        &mut self,
        conn: ConnId,
        head: &Head<'_>,
        route: Route,
    ) -> Result<Call, Rejection> {
        match route {
            Route::Discovery => Ok(Call::Discover),
            Route::DiscoveryOf => {
                let id = head.segment(2).ok_or(Rejection::NotFound)?;
                let found = infrai::find_capability(&id).ok_or(Rejection::NotFound)?;
                Ok(Call::Describe(found))
            }
            Route::InfraiSocket => self.infrai_opening(head).map(|it| Call::Upgrade(Box::new(it))),
            Route::Infrai(operation) => {
                let tenant = self.project(conn, head)?;
                let limits = &self.limits.wire;
                let (mut channel, mut page, mut endpoint) = (None, None, None);
                match operation {
                    Operation::ChannelGet | Operation::ChannelDelete | Operation::PresenceGet => {
                        let found = infrai::decode_path_channel(head, limits)?;
                        channel = Some(found.as_str().into());
                    }
                    Operation::ChannelList => {
                        page = Some(infrai::decode_channel_list(head, limits)?);
                    }
                    Operation::TokenIssue => endpoint = Some(tokens::endpoint(head)),
                    Operation::TokenRevoke
                    | Operation::ChannelCreate
                    | Operation::Publish
                    | Operation::PublishBatch
                    | Operation::UserDisconnect
                    | Operation::EventTypes
                    | Operation::AuthSign => {}
                }
                let key = infrai::decode_idempotency_header(head)?.map(Box::from);
                let request = None;
                let asked = Asked { tenant, operation, channel, page, key, endpoint, request };
                Ok(Call::Do(Box::new(asked)))
            }
            Route::EdgeSession
            | Route::RealtimeToken
            | Route::RealtimeSocket
            | Route::RealtimePublish
            | Route::RealtimeHistory
            | Route::EdgeDatabase
            | Route::ResourceProvision
            | Route::ResourceDelete
            | Route::RealtimeKit
            | Route::Insforge(_)
            | Route::HealthLive
            | Route::HealthReady
            | Route::Version => Err(Rejection::NotFound),
        }
    }

    /// Does what was asked for.
    pub(super) fn perform_infrai(
        &mut self,
        conn: ConnId,
        call: Call,
        body: &mut Body<'_>,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        match call {
            Call::Do(asked) => self.perform_asked(conn, *asked, body, effects),
            Call::Discover => {
                let costs = deeds::advertised(&self.tenants.costs());
                let discovery = self.discovery(&costs);
                self.say_data(conn, body.shape, effects, |out| {
                    infrai::data_discovery(out, &discovery);
                });
                Ok(())
            }
            Call::Describe(capability) => {
                let costs = deeds::advertised(&self.tenants.costs());
                let discovery = self.discovery(&costs);
                self.say_data(conn, body.shape, effects, |out| {
                    infrai::data_capability(out, capability, &discovery);
                });
                Ok(())
            }
            Call::Upgrade(opening) => self.upgrade_infrai(conn, body.shape, *opening, effects),
        }
    }

    /// Does the next step of a call.
    pub(super) fn go_on_infrai(
        &mut self,
        call: CallId,
        work: Work,
        came: Vec<Came>,
        effects: &mut Effects,
    ) {
        match work {
            Work::Wish(conn, wish, glance) => {
                self.go_on_wish(call, (conn, *wish, glance), came, effects);
            }
            Work::PaidWish(conn, wish, of) => {
                self.go_on_paid_wish(call, (conn, *wish, of), came, effects);
            }
            Work::Doing(doing) => self.go_on_doing(call, doing, came, effects),
            Work::Looking(looking) => self.go_on_looking(call, looking, came, effects),
            Work::Buy(deed, spend, cost) => self.buy_deed(call, (*deed, cost), spend, effects),
            Work::Paid(deed, cost) => match seat_answer(came) {
                Ok(_) => self.do_paid(call, *deed, cost, effects),
                Err(why) => self.finish(call, Err(why), effects),
            },
            Work::Upgrade(opening) => match seat_answer(came) {
                Ok(_) => {
                    let who = (opening.tenant(), Some(opening.token()));
                    let open =
                        |shard: &mut Self, conn, _: &mut Effects| shard.open_infrai(conn, *opening);
                    self.open_paid(call, who, open, effects);
                }
                Err(why) => self.finish(call, Err(why), effects),
            },
        }
    }

    fn discovery<'a>(&self, costs: &'a [(Operation, u64)]) -> Discovery<'a> {
        Discovery {
            version: env!("CARGO_PKG_VERSION"),
            generated_at_ms: self.now.wall_ms,
            region: "local",
            micro_usd: costs,
        }
    }

    /// Answers at once.
    fn say_data(
        &mut self,
        conn: ConnId,
        shape: Shape,
        effects: &mut Effects,
        data: impl FnOnce(&mut Vec<u8>),
    ) {
        let metadata = shape.surface.metadata(self.now.monotonic_ms);
        self.answer_json(conn, shape, &mut effects.closes, |out| {
            infrai::body_success(out, &metadata, data);
        });
    }
}
