//! Publishing over HTTP: one message, or many that are accepted together or not at all.

use super::idempotency::body_key;
use crate::command::{ChannelPublish, Publish};
use crate::dialect::fields::{
    Value, channel_name, check_utf8, either, event_name, rejection, values, values_at,
};
use crate::json::{Kind, Listed, read_list};
use crate::limits::Limits;
use crate::rejection::Rejection;

/// Most messages in one batch.
pub const BATCH_MESSAGES_MAX: usize = 100;

const MESSAGE: [&str; 5] = ["channel", "name", "event", "data", "persist"];
const MESSAGES: &str = "messages";

/// One message to publish, with the key of its request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PublishOne<'a> {
    /// Where and what.
    pub publish: ChannelPublish<'a>,
    /// Makes a retry safe.
    pub idempotency_key: Option<&'a str>,
}

/// Messages to publish together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublishBatch<'a> {
    /// In the order in which they came.
    pub messages: Vec<ChannelPublish<'a>>,
    /// Makes a retry safe.
    pub idempotency_key: Option<&'a str>,
}

/// Reads the body of `realtime.publish`.
///
/// # Errors
/// When it is no such request.
pub fn decode_publish<'a>(
    body: &'a mut [u8],
    limits: &Limits,
) -> Result<PublishOne<'a>, Rejection> {
    const SCHEMA: [&str; 6] = ["channel", "name", "event", "data", "persist", "idempotency_key"];
    let [channel, name, event, data, persist, key] = values(body, &SCHEMA, limits)?;
    let publish = message([channel, name, event, data, persist], limits)?;
    Ok(PublishOne { publish, idempotency_key: body_key(key)? })
}

/// Reads the body of `realtime.publish.batch`, in one pass over its bytes.
///
/// # Errors
/// When it is no such request, or one of its messages is none: [`Rejection::Item`] says which.
pub fn decode_publish_batch<'a>(
    body: &'a mut [u8],
    limits: &Limits,
) -> Result<PublishBatch<'a>, Rejection> {
    const SCHEMA: [&str; 2] = [MESSAGES, "idempotency_key"];
    check_utf8(body)?;
    let list = read_list(body, &SCHEMA, &MESSAGE, limits.json_depth_max, BATCH_MESSAGES_MAX)
        .map_err(|fault| rejection(fault, &SCHEMA, limits))?;
    let [messages, key] = values_at(body, &SCHEMA, &list.fields)?;
    match messages.kind {
        Some(Kind::Array) => {}
        None | Some(Kind::Null) => return Err(Rejection::MissingField { field: MESSAGES }),
        Some(_) => return Err(messages.wrong("an array")),
    }
    if list.total > BATCH_MESSAGES_MAX {
        return Err(Rejection::TooMany { field: MESSAGES, max: BATCH_MESSAGES_MAX });
    }
    let mut read = Vec::with_capacity(list.items.len());
    let mut rest = messages.raw;
    for (index, item) in list.items.iter().enumerate() {
        let (bytes, behind) = rest.split_at_mut_checked(item.bytes).ok_or(Rejection::Internal)?;
        rest = behind;
        let one = batch_message(bytes, item, limits);
        read.push(one.map_err(|why| Rejection::Item {
            field: MESSAGES,
            index,
            cause: Box::new(why),
        })?);
    }
    Ok(PublishBatch { messages: read, idempotency_key: body_key(key)? })
}

fn batch_message<'a>(
    bytes: &'a mut [u8],
    item: &Listed<{ MESSAGE.len() }>,
    limits: &Limits,
) -> Result<ChannelPublish<'a>, Rejection> {
    let found = match &item.fields {
        Some(Ok(found)) => found,
        Some(Err(fault)) => return Err(rejection(*fault, &MESSAGE, limits)),
        None => return Err(Rejection::WrongType { field: "message", expected: "an object" }),
    };
    message(values_at(bytes, &MESSAGE, found)?, limits)
}

/// The message of its fields, in the order of [`MESSAGE`].
pub(super) fn message<'a>(
    fields: [Value<'a>; MESSAGE.len()],
    limits: &Limits,
) -> Result<ChannelPublish<'a>, Rejection> {
    let [channel, name, event, data, persist] = fields;
    let channel = channel_name("channel", either(channel, name)?, limits)?;
    let event = event_name(event.text()?, limits)?;
    let keep = persist.keep()?;
    let data = data.required_json()?;
    if data.len() > limits.message_bytes_max {
        return Err(Rejection::PayloadTooLarge { max: limits.message_bytes_max });
    }
    Ok(ChannelPublish { channel, publish: Publish { event, data, keep } })
}
