//! The calls and sockets of the InsForge dialect: who may make a call, what it asks for, and how it goes on.

mod channel_list;
mod encode;
mod entry;
mod frames;
mod keys;
mod messages;
mod moving;
mod opening;
mod polling;
mod rules;
mod shadow;
mod tracking;
mod wishes;

use protocol::Rejection;
use protocol::auth::insforge::Identity;
use protocol::dialect::Dialect;
use protocol::dialect::insforge::rest::{RestError, body_error};
use protocol::dialect::insforge::{self};
use protocol::engineio::{self, OpenFault};
use protocol::http::{Content, Head, HeaderLine, HeaderValue, Response, write_response};

use super::Shard;
use super::answers::{Reply, Shape};
use super::calls::Body;
use super::effects::Effects;
use crate::control::Came;
use crate::ids::{CallId, ConnId};
pub(super) use channel_list::ChannelLists;
pub(super) use encode::{
    encode_joined, encode_left, encode_not_joined, encode_plain_joined, encode_plain_left,
    encode_plain_presence, encode_plain_published, encode_plain_rejection, encode_presence,
    encode_publish_refused,
};
use keys::Asked;
use opening::Opening;
use polling::Poll;
use rules::{RulesCall, RulesWork};
pub(super) use shadow::Shadow;
use wishes::Wish;

/// What a request of this dialect asks for, after its head was checked.
pub(super) enum Call {
    /// Nothing that can be done.
    Refuse(RestError),
    /// Nothing that Engine.IO has.
    RefuseEngine {
        why: OpenFault,
        /// Whether a WebSocket was asked for: its refusal is plain text.
        is_upgrade: bool,
        /// The page whose script asks.
        origin: Option<Box<str>>,
    },
    /// A session without a socket.
    Poll(Box<Poll>),
    /// A WebSocket.
    Upgrade(Box<Opening>),
    /// A key that may be read.
    Key(Asked),
    /// Messages that are kept.
    Messages(Box<messages::Call>),
    /// To see or change the rules of a tenant.
    Rules(RulesCall),
}

/// What a call of this dialect does next.
#[derive(Debug)]
pub(super) enum Work {
    /// The seat counts what a client asks for.
    PaidWish(ConnId, Box<Wish>),
    /// The seat counts a client's socket.
    PaidEntry(ConnId, Box<Identity>),
    /// The seat counts a call about messages.
    PaidMessages(messages::Paid),
    /// Every home lets go of messages; then they are counted.
    LetGo,
    /// See [`RulesWork`].
    Rules(Box<RulesWork>),
}

impl Shard {
    /// Finds what a head asks for, and whether it may.
    pub(super) fn find_insforge(
        &mut self,
        head: &Head<'_>,
        call: insforge::Call,
    ) -> Result<Call, Rejection> {
        let found = match call {
            insforge::Call::Engine => self.find_engine(head),
            insforge::Call::PlainSocket => self.plain_opening(head),
            insforge::Call::AnonKey => Ok(match self.anon_key(head) {
                Ok(key) => Call::Key(Asked::Anon(key)),
                Err(why) => Call::Refuse(why),
            }),
            insforge::Call::AnonToken => Ok(match self.anon_key(head) {
                Ok(key) => Call::Key(Asked::AnonToken(key)),
                Err(why) => Call::Refuse(why),
            }),
            insforge::Call::KeySet => Ok(Call::Key(self.public_keys(head))),
            insforge::Call::MessageList => Ok(self.find_message_list(head)),
            insforge::Call::MessageStats => Ok(self.find_message_stats(head)),
            insforge::Call::MessageDelete => Ok(self.find_message_delete(head)),
            insforge::Call::ChannelList
            | insforge::Call::ChannelCreate
            | insforge::Call::ChannelGet
            | insforge::Call::ChannelUpdate
            | insforge::Call::ChannelDelete
            | insforge::Call::ConfigGet
            | insforge::Call::ConfigUpdate
            | insforge::Call::PermissionsGet
            | insforge::Call::PermissionsReplace => Ok(self.find_rules(head, call)),
        };
        match found {
            // The caller answers a denied origin, with the lines of a rejection: no page may read that, as any may the refusals here.
            Ok(Call::Refuse(RestError::Other(why @ Rejection::OriginDenied { .. }))) => Err(why),
            found => found,
        }
    }

    /// Does what was asked for.
    pub(super) fn perform_insforge(
        &mut self,
        conn: ConnId,
        call: Call,
        body: &mut Body<'_>,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        match call {
            Call::Refuse(why) => self.refuse_rest(conn, body.shape, &why, effects),
            Call::RefuseEngine { why, is_upgrade, origin } => {
                let why = (why, is_upgrade, origin.as_deref());
                self.refuse_engine(conn, body.shape, why, effects);
            }
            Call::Poll(poll) => return self.perform_poll(conn, *poll, body, effects),
            Call::Upgrade(opening) => {
                return self.open_insforge(conn, body.shape, *opening, effects);
            }
            Call::Key(asked) => {
                let mut text = Vec::new();
                self.push_key(&mut text, &asked);
                self.answer_json(conn, body.shape, &mut effects.closes, |out| {
                    out.extend_from_slice(&text);
                });
            }
            Call::Messages(call) => return self.perform_messages(conn, *call, body.shape, effects),
            Call::Rules(call) => return self.perform_rules(conn, call, body, effects),
        }
        Ok(())
    }

    /// Does the next step of a call.
    pub(super) fn go_on_insforge(
        &mut self,
        call: CallId,
        work: Work,
        came: Vec<Came>,
        effects: &mut Effects,
    ) {
        match work {
            Work::PaidWish(conn, wish) => {
                self.go_on_insforge_wish(call, (conn, *wish), came, effects);
            }
            Work::PaidEntry(conn, identity) => {
                self.go_on_entry(call, (conn, *identity), came, effects);
            }
            Work::PaidMessages(paid) => self.go_on_messages(call, paid, came, effects),
            Work::LetGo => self.finish_message_delete(call, came, effects),
            Work::Rules(work) => self.go_on_rules(call, *work, came, effects),
        }
    }

    /// Refuses a call.
    fn refuse_rest(&mut self, conn: ConnId, shape: Shape, why: &RestError, effects: &mut Effects) {
        self.counters.rejected += 1;
        let Reply { status, body, .. } = refused(why);
        let shape = Shape { status, ..shape };
        self.answer_json(conn, shape, &mut effects.closes, |out| out.extend_from_slice(&body));
    }

    fn refuse_engine(
        &mut self,
        conn: ConnId,
        shape: Shape,
        (why, is_upgrade, origin): (OpenFault, bool, Option<&str>),
        effects: &mut Effects,
    ) {
        self.counters.rejected += 1;
        let mut body = Vec::new();
        engineio::body_open_fault(&mut body, why);
        let content = match is_upgrade {
            true => Content::Text(why.message()),
            false => Content::json(shape.method, &body),
        };
        self.answer(conn, shape.then, &mut effects.closes, |out| {
            let (status, then) = (OpenFault::STATUS, shape.then);
            let headers = &origin_line(origin);
            write_response(out, &Response { status, content, headers, then });
        });
    }
}

/// The line by which a page may read an answer, even if its script asks with credentials.
fn origin_line(origin: Option<&str>) -> Vec<HeaderLine<'_>> {
    origin.and_then(HeaderValue::parse).map(HeaderLine::Origin).into_iter().collect()
}

/// The answer to a call that fails.
pub(in crate::shard) fn refused(why: &RestError) -> Reply {
    let mut body = Vec::new();
    body_error(&mut body, why);
    Reply { status: why.status(), ..Reply::data(|out| *out = body) }
}

/// What a path below the dialect's roots is answered that is no call.
pub(in crate::shard) fn unknown(head: &Head<'_>) -> Option<super::calls::Call> {
    match Dialect::of_path(head.path()) {
        Dialect::Insforge | Dialect::InsforgePlain => {
            let url = head.target().into();
            Some(super::calls::Call::Insforge(Call::Refuse(RestError::NoEndpoint { url })))
        }
        Dialect::Cohesivity | Dialect::Infrai => None,
    }
}
