//! What a frame of a client asks for.

use super::filter::Filter;
use crate::auth::insforge::Credential;
use crate::channel_name::ChannelName;
use crate::command::ChannelPublish;
use crate::dialect::fields::{Value, channel_name, values};
use crate::dialect::insforge::socket::publish;
use crate::limits::Limits;
use crate::rejection::Rejection;

/// Bytes of what a client says of itself in a channel.
pub const STATE_BYTES_MAX: usize = 4096;
/// The code that a connection closes with whose client does not say in time who it is.
pub const CLOSE_NOT_AUTHENTICATED: u16 = 4401;

/// Bytes of an unknown type that its refusal repeats.
const TYPE_ECHO_BYTES_MAX: usize = 64;

const SCHEMA: [&str; 7] = ["type", "token", "channel", "event", "payload", "filter", "state"];

/// What a client asks for. Before it is known, everything but the first is refused.
#[derive(Debug, Eq, PartialEq)]
pub enum PlainCommand<'a> {
    /// To be known by this.
    Authenticate(Credential<'a>),
    /// To hear a channel.
    Subscribe {
        /// Which one.
        channel: ChannelName<'a>,
        /// Which of its messages.
        filter: Filter,
    },
    /// To hear it no more.
    Unsubscribe {
        /// Which one.
        channel: ChannelName<'a>,
    },
    /// To publish.
    Publish(ChannelPublish<'a>),
    /// To be seen in a channel.
    Track {
        /// Which one.
        channel: ChannelName<'a>,
        /// What others see: a JSON object.
        state: &'a [u8],
    },
    /// To be seen no more.
    Untrack {
        /// Which one.
        channel: ChannelName<'a>,
    },
    /// A sign of life.
    Ping,
}

/// Reads a text frame.
///
/// # Errors
/// When it is no command. The connection stays open.
pub fn decode_frame<'a>(
    text: &'a mut [u8],
    limits: &Limits,
) -> Result<PlainCommand<'a>, Rejection> {
    let [kind, token, channel, event, payload, filter, state] = values(text, &SCHEMA, limits)?;
    let name = |channel: Value<'a>| channel_name("channel", channel.text()?, limits);
    Ok(match frame_type(kind)? {
        Type::Auth => PlainCommand::Authenticate(credential(token)?),
        Type::Subscribe => PlainCommand::Subscribe {
            channel: name(channel)?,
            filter: Filter::read(filter, limits)?,
        },
        Type::Unsubscribe => PlainCommand::Unsubscribe { channel: name(channel)? },
        Type::Publish => {
            let channel = name(channel)?;
            let publish = publish(event, payload, limits)?;
            PlainCommand::Publish(ChannelPublish { channel, publish })
        }
        Type::Track => PlainCommand::Track { channel: name(channel)?, state: read_state(state)? },
        Type::Untrack => PlainCommand::Untrack { channel: name(channel)? },
        Type::Ping => PlainCommand::Ping,
    })
}

enum Type {
    Auth,
    Subscribe,
    Unsubscribe,
    Publish,
    Track,
    Untrack,
    Ping,
}

fn frame_type(value: Value<'_>) -> Result<Type, Rejection> {
    let name = value.text()?.ok_or(Rejection::MissingField { field: "type" })?;
    match name {
        "auth" => Ok(Type::Auth),
        "subscribe" => Ok(Type::Subscribe),
        "unsubscribe" => Ok(Type::Unsubscribe),
        "publish" => Ok(Type::Publish),
        "track" => Ok(Type::Track),
        "untrack" => Ok(Type::Untrack),
        "ping" => Ok(Type::Ping),
        unknown => {
            let end = unknown.floor_char_boundary(TYPE_ECHO_BYTES_MAX);
            Err(Rejection::UnknownAction(unknown.get(..end).unwrap_or_default().into()))
        }
    }
}

fn credential(token: Value<'_>) -> Result<Credential<'_>, Rejection> {
    let token = token.text()?.ok_or(Rejection::MissingField { field: "token" })?;
    Ok(match Credential::of_token(token) {
        // Something came, so it is wrong, and not missing.
        Credential::None => Credential::Token(""),
        credential @ (Credential::ApiKey(_) | Credential::AnonKey(_) | Credential::Token(_)) => {
            credential
        }
    })
}

fn read_state(state: Value<'_>) -> Result<&[u8], Rejection> {
    let state = state.object()?.ok_or(Rejection::MissingField { field: "state" })?;
    if state.len() > STATE_BYTES_MAX {
        return Err(Rejection::PayloadTooLarge { max: STATE_BYTES_MAX });
    }
    Ok(state)
}
