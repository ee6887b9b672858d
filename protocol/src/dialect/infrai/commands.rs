//! What the frames of a connected client ask for.

use super::publish::message;
use crate::command::{Command, FrameId, KeptId};
use crate::dialect::fields::{Value, channel_name, either, fields, integer, values_at};
use crate::json::Kind;
use crate::limits::Limits;
use crate::rejection::Rejection;

/// Bytes of the id that a client gives a frame.
pub const FRAME_ID_BYTES_MAX: usize = 128;

/// Bytes of an unknown type that its refusal repeats.
const TYPE_ECHO_BYTES_MAX: usize = 64;

const SCHEMA: [&str; 8] = ["type", "id", "channel", "name", "event", "data", "persist", "after"];

/// A frame that is refused; the connection stays open.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RefusedFrame {
    /// What the client calls it, if that much was understood.
    pub id: Option<KeptId>,
    /// Why.
    pub why: Rejection,
}

/// Reads a text frame.
///
/// # Errors
/// When it is no command.
pub fn decode_frame<'a>(text: &'a mut [u8], limits: &Limits) -> Result<Command<'a>, RefusedFrame> {
    let nameless = |why| RefusedFrame { id: None, why };
    let found = fields(text, &SCHEMA, limits).map_err(nameless)?;
    let [kind, id, channel, name, event, data, persist, after] =
        values_at(text, &SCHEMA, &found).map_err(nameless)?;
    let id = frame_id(id).map_err(nameless)?;
    let refused = |why| RefusedFrame { id: id.map(FrameId::keep), why };
    let command = match frame_type(kind).map_err(refused)? {
        Type::Ping => Command::Ping { id },
        Type::Publish => {
            let publish = message([channel, name, event, data, persist], limits);
            Command::PublishTo { publish: publish.map_err(refused)?, id }
        }
        Type::Subscribe => {
            let after = position(&after).map_err(refused)?;
            let channel = either(channel, name).map_err(refused)?;
            let channel = channel_name("channel", channel, limits).map_err(refused)?;
            Command::Subscribe { channel, after, id }
        }
        Type::Unsubscribe => {
            let channel = either(channel, name).map_err(refused)?;
            let channel = channel_name("channel", channel, limits).map_err(refused)?;
            Command::Unsubscribe { channel, id }
        }
    };
    Ok(command)
}

enum Type {
    Subscribe,
    Unsubscribe,
    Publish,
    Ping,
}

fn frame_type(value: Value<'_>) -> Result<Type, Rejection> {
    let name = match value.kind {
        None => return Err(Rejection::MissingField { field: "type" }),
        Some(_) => value.text()?.ok_or(Rejection::MissingField { field: "type" })?,
    };
    match name {
        "subscribe" => Ok(Type::Subscribe),
        "unsubscribe" => Ok(Type::Unsubscribe),
        "publish" => Ok(Type::Publish),
        "ping" => Ok(Type::Ping),
        unknown => {
            let end = unknown.floor_char_boundary(TYPE_ECHO_BYTES_MAX);
            Err(Rejection::UnknownAction(unknown.get(..end).unwrap_or_default().into()))
        }
    }
}

/// The id goes back byte for byte, so a string stays escaped as it was.
fn frame_id(value: Value<'_>) -> Result<Option<FrameId<'_>>, Rejection> {
    let wrong = value.wrong("a string or a number of at most 128 bytes");
    let Value { kind, raw, .. } = value;
    match kind {
        None | Some(Kind::Null) => Ok(None),
        Some(Kind::String | Kind::Number) if raw.len() <= FRAME_ID_BYTES_MAX => {
            std::str::from_utf8(raw).map(|it| Some(FrameId::of_json(it))).map_err(|_| wrong)
        }
        Some(_) => Err(wrong),
    }
}

fn position(value: &Value<'_>) -> Result<Option<u64>, Rejection> {
    if !value.is_set() {
        return Ok(None);
    }
    let digits = integer(value.raw).filter(|_| value.kind == Some(Kind::Number));
    let number = digits.and_then(|it| it.parse().ok());
    number.map(Some).ok_or_else(|| value.wrong("a whole number from 0"))
}
