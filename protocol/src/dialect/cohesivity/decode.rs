//! What the JSON of a client or a server asks for. It is decoded where it lies.

use crate::channel_name::{ChannelName, EventName, check_name};
use crate::command::{ChannelPublish, Command, Keep, Publish};
use crate::dialect::fields::{disjoint, fields, integer, is_set, span, text};
use crate::json::{Field, Kind, unescape};
use crate::limits::Limits;
use crate::rejection::Rejection;

/// Shortest life of a connection token.
pub const TOKEN_TTL_S_MIN: u32 = 60;
/// Longest life of a connection token.
pub const TOKEN_TTL_S_MAX: u32 = 3600;
/// Life of a connection token whose request names none.
pub const TOKEN_TTL_S_DEFAULT: u32 = 300;

/// Bytes of an unknown action that its refusal repeats.
const ACTION_ECHO_BYTES_MAX: usize = 64;

/// What a connection token is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenRequest<'a> {
    /// Who the client is; a number came as its text.
    pub user_id: &'a str,
    /// How others see the client.
    pub user_name: Option<&'a str>,
    /// How long the token lives.
    pub ttl_s: u32,
}

/// Reads a text frame of a connected client.
///
/// # Errors
/// When it is no command; the connection stays open.
pub fn decode_frame<'a>(text: &'a mut [u8], limits: &Limits) -> Result<Command<'a>, Rejection> {
    let [action, event, data, persist] =
        fields(text, &["action", "event", "data", "persist"], limits)?;
    check_action(text, action)?;
    let data = data.ok_or(Rejection::MissingField { field: "data" })?;
    let keep = keep(persist)?;
    let event = event.filter(is_set);
    let [event_bytes, data] = disjoint(text, [span(event.as_ref()), data.span])?;
    let event = event_name(event, event_bytes, limits)?;
    Ok(Command::Publish(Publish { event, data, keep }))
}

/// Reads the body of POST /edge/realtime.
///
/// # Errors
/// When it is no publish.
pub fn decode_publish_body<'a>(
    body: &'a mut [u8],
    limits: &Limits,
) -> Result<ChannelPublish<'a>, Rejection> {
    let [channel, event, data, persist] =
        fields(body, &["channel", "event", "data", "persist"], limits)?;
    let channel = channel.ok_or(Rejection::MissingField { field: "channel" })?;
    let data = data.ok_or(Rejection::MissingField { field: "data" })?;
    let keep = keep(persist)?;
    if data.span.len() > limits.message_bytes_max {
        return Err(Rejection::PayloadTooLarge { max: limits.message_bytes_max });
    }
    let event = event.filter(is_set);
    let spans = [channel.span, span(event.as_ref()), data.span];
    let [channel_bytes, event_bytes, data] = disjoint(body, spans)?;
    let channel = text("channel", channel.kind, channel_bytes)?;
    let channel =
        ChannelName::parse(channel, limits).map_err(|cause| Rejection::name("channel", cause))?;
    let event = event_name(event, event_bytes, limits)?;
    Ok(ChannelPublish { channel, publish: Publish { event, data, keep } })
}

/// Reads the body of POST /edge/realtime/token.
///
/// # Errors
/// When it is no request for a token.
pub fn decode_token_body<'a>(
    body: &'a mut [u8],
    limits: &Limits,
) -> Result<TokenRequest<'a>, Rejection> {
    let [user_id, name, ttl] = fields(body, &["user_id", "name", "ttl"], limits)?;
    let user_id = user_id.ok_or(Rejection::MissingField { field: "user_id" })?;
    let (name, ttl) = (name.filter(is_set), ttl.filter(is_set));
    let spans = [user_id.span, span(name.as_ref()), span(ttl.as_ref())];
    let [user_id_bytes, name_bytes, ttl_bytes] = disjoint(body, spans)?;
    let ttl_s = match ttl {
        Some(field) => token_ttl_s(field.kind, ttl_bytes)?,
        None => TOKEN_TTL_S_DEFAULT,
    };
    let user_id = user_id_text(user_id.kind, user_id_bytes)?;
    check_name(user_id, limits.user_id_bytes_max)
        .map_err(|cause| Rejection::name("user_id", cause))?;
    let user_name = match name {
        Some(field) => Some(text("name", field.kind, name_bytes)?).filter(|it| !it.is_empty()),
        None => None,
    };
    if let Some(user_name) = user_name {
        check_name(user_name, limits.user_name_bytes_max)
            .map_err(|cause| Rejection::name("name", cause))?;
    }
    Ok(TokenRequest { user_id, user_name, ttl_s })
}

fn check_action(bytes: &mut [u8], action: Option<Field>) -> Result<(), Rejection> {
    // What JavaScript makes of an absent field.
    let Some(field) = action else { return Err(Rejection::UnknownAction("undefined".into())) };
    let raw = bytes.get_mut(field.span).unwrap_or_default();
    if raw == b"\"publish\"" {
        return Ok(());
    }
    let action = match field.kind {
        Kind::String => unescape(raw).unwrap_or_default(),
        Kind::Number | Kind::True | Kind::False | Kind::Null | Kind::Array | Kind::Object => {
            std::str::from_utf8(raw).unwrap_or_default()
        }
    };
    if field.kind == Kind::String && action == "publish" {
        return Ok(());
    }
    let end = action.floor_char_boundary(ACTION_ECHO_BYTES_MAX);
    Err(Rejection::UnknownAction(action.get(..end).unwrap_or_default().into()))
}

fn keep(persist: Option<Field>) -> Result<Keep, Rejection> {
    match persist.map_or(Kind::Null, |it| it.kind) {
        Kind::True | Kind::Null => Ok(Keep::Persist),
        Kind::False => Ok(Keep::Pass),
        Kind::String | Kind::Number | Kind::Array | Kind::Object => {
            Err(Rejection::WrongType { field: "persist", expected: "a boolean" })
        }
    }
}

fn event_name<'a>(
    field: Option<Field>,
    quoted: &'a mut [u8],
    limits: &Limits,
) -> Result<EventName<'a>, Rejection> {
    let Some(field) = field else { return Ok(EventName::MESSAGE) };
    let event = text("event", field.kind, quoted)?;
    EventName::parse(event, limits).map_err(|cause| Rejection::name("event", cause))
}

fn user_id_text(kind: Kind, bytes: &mut [u8]) -> Result<&str, Rejection> {
    const WRONG: Rejection =
        Rejection::WrongType { field: "user_id", expected: "a string or an integer" };
    match kind {
        Kind::String => unescape(bytes).ok_or(WRONG),
        // `30` and `"30"` are one user, so a number with several spellings (`3e1`, `30.0`, `-0`) is none.
        Kind::Number if bytes != b"-0" => integer(bytes).ok_or(WRONG),
        Kind::Number | Kind::True | Kind::False | Kind::Null | Kind::Array | Kind::Object => {
            Err(WRONG)
        }
    }
}

fn token_ttl_s(kind: Kind, bytes: &[u8]) -> Result<u32, Rejection> {
    let digits = integer(bytes).filter(|_| kind == Kind::Number);
    let digits = digits.ok_or(Rejection::WrongType { field: "ttl", expected: "an integer" })?;
    digits.parse().ok().filter(|it| (TOKEN_TTL_S_MIN..=TOKEN_TTL_S_MAX).contains(it)).ok_or(
        Rejection::OutOfRange {
            field: "ttl",
            min: TOKEN_TTL_S_MIN as u64,
            max: TOKEN_TTL_S_MAX as u64,
        },
    )
}
