//! What a message of a client asks for.

use crate::auth::insforge::Credential;
use crate::channel_name::{ChannelName, EventName};
use crate::command::{ChannelPublish, Command, FrameId, Keep, KeptId, Publish};
use crate::dialect::fields::{
    Value, channel_name, check_utf8, event_name, rejection, values, values_at,
};
use crate::dialect::insforge::sender::check_event;
use crate::json::{Call, JsonFault, Kind, read_call, unescape};
use crate::limits::Limits;
use crate::rejection::Rejection;
use crate::socketio::{Packet, PacketFault, ROOT, decode_packet};

const SUBSCRIBE: &str = "realtime:subscribe";
const UNSUBSCRIBE: &str = "realtime:unsubscribe";
const PUBLISH: &str = "realtime:publish";

const ARGUMENT: [&str; 3] = ["channel", "event", "payload"];

/// What a client says.
#[derive(Debug, Eq, PartialEq)]
pub enum Said<'a> {
    /// It wants in, and offers this. Only the first such message of a session is one; another ends the session.
    Connect(Credential<'a>),
    /// It asks for something. Before it is let in, this ends the session.
    Command(Command<'a>),
    /// It goes. The session stays.
    Disconnect,
    /// An event that nobody listens to, or an answer to nothing. Before it is let in, this ends the session.
    Nothing,
}

/// Why a message is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// It is no packet: the session ends, as with the reference server.
    Packet(PacketFault),
    /// It wants into a namespace that is not served: answer with `socketio::frame_namespace_refused`.
    Namespace(Box<str>),
    /// It says something in a namespace that it was never let into: the session ends.
    OtherNamespace,
    /// It asks for something in a way that is not understood: answer with [`frame_refused`](super::frame_refused).
    Command(RefusedCommand),
    /// Bytes follow, which are not taken: skip so many binary messages, and answer as the command.
    Binary {
        /// How many binary messages follow.
        attachments: u32,
        /// The answer; `None` for an answer to nothing.
        command: Option<RefusedCommand>,
    },
}

/// A command that is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RefusedCommand {
    /// The id that an answer has to carry, where one is awaited and the client wants to subscribe.
    pub id: Option<KeptId>,
    /// The channel, if that much was understood.
    pub channel: Option<Box<str>>,
    /// Why.
    pub why: Rejection,
}

/// Reads the message of an Engine.IO packet. The bytes are UTF-8.
///
/// # Errors
/// When it is refused.
pub fn decode_message<'a>(text: &'a mut [u8], limits: &Limits) -> Result<Said<'a>, Refusal> {
    match decode_packet(text).map_err(Refusal::Packet)? {
        Packet::Connect { namespace: ROOT, auth } => connect(auth, limits).map(Said::Connect),
        Packet::Connect { namespace, .. } => Err(Refusal::Namespace(namespace.into())),
        Packet::Disconnect { namespace: ROOT } => Ok(Said::Disconnect),
        Packet::Acknowledgement { namespace: ROOT } => Ok(Said::Nothing),
        Packet::Event { namespace: ROOT, id, arguments } => event(id, arguments, limits),
        Packet::Binary { namespace: ROOT, id, attachments, arguments } => {
            Err(binary(id, attachments, arguments, limits))
        }
        Packet::Disconnect { .. }
        | Packet::Acknowledgement { .. }
        | Packet::Event { .. }
        | Packet::Binary { .. } => Err(Refusal::OtherNamespace),
    }
}

/// `{"token"}` or `{"apiKey"}`. As in the reference server, what is no string and not nothing is a wrong credential.
fn connect<'a>(auth: Option<&'a mut [u8]>, limits: &Limits) -> Result<Credential<'a>, Refusal> {
    let Some(auth) = auth else { return Ok(Credential::None) };
    let broken = |_| Refusal::Packet(PacketFault::Payload);
    let [api_key, token] = values(auth, &["apiKey", "token"], limits).map_err(broken)?;
    Ok(match offered(api_key) {
        Some(key) => Credential::ApiKey(key),
        None => match offered(token) {
            Some("") => Credential::Token(""),
            Some(token) => Credential::of_token(token),
            None => Credential::None,
        },
    })
}

/// What a value offers; empty for what can be no key.
fn offered(value: Value<'_>) -> Option<&str> {
    let Value { kind, raw, .. } = value;
    match kind? {
        Kind::Null | Kind::False => None,
        Kind::Number => (!matches!(&*raw, b"0" | b"-0")).then_some(""),
        Kind::String if raw == b"\"\"" => None,
        Kind::String => Some(unescape(raw).unwrap_or_default()),
        Kind::True | Kind::Array | Kind::Object => Some(""),
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Name {
    Subscribe,
    Unsubscribe,
    Publish,
    Other,
}

/// The name of an event, and its argument.
fn call(
    arguments: &mut [u8],
    limits: &Limits,
) -> Result<(Name, Call<{ ARGUMENT.len() }>), PacketFault> {
    let broken = |_: JsonFault| PacketFault::Payload;
    check_utf8(arguments).map_err(|_| PacketFault::Payload)?;
    let call = read_call(arguments, &ARGUMENT, limits.json_depth_max).map_err(broken)?;
    let name = call.name.clone().and_then(|it| arguments.get_mut(it)).and_then(|it| unescape(it));
    let name = match name {
        Some(SUBSCRIBE) => Name::Subscribe,
        Some(UNSUBSCRIBE) => Name::Unsubscribe,
        Some(PUBLISH) => Name::Publish,
        Some(name) if crate::socketio::RESERVED_EVENTS.contains(&name) => {
            return Err(PacketFault::Payload);
        }
        Some(_) | None => Name::Other,
    };
    Ok((name, call))
}

fn event<'a>(
    id: Option<FrameId<'a>>,
    arguments: &'a mut [u8],
    limits: &Limits,
) -> Result<Said<'a>, Refusal> {
    let (name, call) = call(arguments, limits).map_err(Refusal::Packet)?;
    if name == Name::Other {
        return Ok(Said::Nothing);
    }
    let awaited = id.filter(|_| name == Name::Subscribe);
    let refused = |channel: Option<ChannelName<'_>>, why| {
        let channel = channel.map(|it| it.as_str().into());
        Refusal::Command(RefusedCommand { id: awaited.map(FrameId::keep), channel, why })
    };
    let fields = match &call.fields {
        Some(Ok(fields)) => fields,
        Some(Err(fault)) => return Err(refused(None, rejection(*fault, &ARGUMENT, limits))),
        None => return Err(refused(None, Rejection::MissingField { field: "channel" })),
    };
    let fields = values_at(arguments, &ARGUMENT, fields).map_err(|it| refused(None, it))?;
    let [channel, event, payload] = fields;
    let channel = channel.text().and_then(|it| channel_name("channel", it, limits));
    let channel = channel.map_err(|it| refused(None, it))?;
    let command = match name {
        Name::Subscribe => Command::Subscribe { channel, after: None, id },
        Name::Unsubscribe => Command::Unsubscribe { channel, id: None },
        Name::Publish | Name::Other => {
            let publish =
                publish(event, payload, limits).map_err(|it| refused(Some(channel), it))?;
            Command::PublishTo { publish: ChannelPublish { channel, publish }, id: None }
        }
    };
    Ok(Said::Command(command))
}

/// What a client publishes: an event that is not reserved, and any JSON.
pub(in crate::dialect::insforge) fn publish<'a>(
    event: Value<'a>,
    payload: Value<'a>,
    limits: &Limits,
) -> Result<Publish<'a>, Rejection> {
    let event: EventName<'a> = check_event(event_name(event.text()?, limits)?)?;
    let data = payload.required_json()?;
    if data.len() > limits.message_bytes_max {
        return Err(Rejection::PayloadTooLarge { max: limits.message_bytes_max });
    }
    Ok(Publish { event, data, keep: Keep::Persist })
}

fn binary(
    id: Option<FrameId<'_>>,
    attachments: u32,
    arguments: Option<&mut [u8]>,
    limits: &Limits,
) -> Refusal {
    let Some(arguments) = arguments else { return Refusal::Binary { attachments, command: None } };
    let name = match call(arguments, limits) {
        Ok((name, _)) => name,
        Err(fault) => return Refusal::Packet(fault),
    };
    let id = id.filter(|_| name == Name::Subscribe).map(FrameId::keep);
    let why =
        Rejection::WrongType { field: "payload", expected: "JSON without binary attachments" };
    Refusal::Binary { attachments, command: Some(RefusedCommand { id, channel: None, why }) }
}
