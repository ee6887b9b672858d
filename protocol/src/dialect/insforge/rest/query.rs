//! What the path and the query of a request say.

use std::borrow::Cow;

use crate::http::Head;
use crate::uuid_text::parse_uuid;

use super::date::parse_date_ms;
use super::error::RestError;
use super::issues::Issues;

/// Messages in a list whose request names no limit.
pub const LIST_LIMIT_DEFAULT: u32 = 100;
/// Most messages in one list.
pub const LIST_LIMIT_MAX: u32 = 1000;

/// The largest whole number that a client counts to exactly.
const OFFSET_MAX: f64 = 9_007_199_254_740_991.0;

/// Which messages are asked for, the newest first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MessageList<'a> {
    /// Those of this channel's pattern.
    pub channel_id: Option<u128>,
    /// Those of this name.
    pub event: Option<Cow<'a, str>>,
    /// At most so many.
    pub limit: u32,
    /// Behind so many.
    pub offset: u64,
}

/// Which messages are counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StatsQuery {
    /// Those of this channel's pattern.
    pub channel_id: Option<u128>,
    /// Those from then on, in milliseconds since 1970.
    pub since_ms: Option<u64>,
}

/// Reads the id of `/api/realtime/channels/{id}`. What is no UUID is the id of nothing.
///
/// # Errors
/// When it is none.
pub fn decode_channel_id(head: &Head<'_>) -> Result<u128, RestError> {
    let id = head.segment(3).and_then(|it| uuid(&it));
    id.ok_or(RestError::ChannelNotFound)
}

/// Reads the query of `GET /api/realtime/messages`.
///
/// # Errors
/// When a value is none that it may be.
pub fn decode_message_list<'a>(head: &Head<'a>) -> Result<MessageList<'a>, RestError> {
    let mut issues = Issues::default();
    let channel_id = channel_id(head, &mut issues);
    let event = text(head, "eventName", &mut issues);
    let bounds = (1.0, f64::from(LIST_LIMIT_MAX));
    let limit =
        whole(head, "limit", bounds, &mut issues).unwrap_or_else(|| LIST_LIMIT_DEFAULT.into());
    let offset = whole(head, "offset", (0.0, OFFSET_MAX), &mut issues).unwrap_or(0);
    if !issues.is_empty() {
        return Err(RestError::Input(issues));
    }
    // An empty filter filters nothing.
    let event = event.filter(|it| !it.is_empty());
    let limit = u32::try_from(limit).unwrap_or(LIST_LIMIT_MAX);
    Ok(MessageList { channel_id, event, limit, offset })
}

/// Reads the query of `GET /api/realtime/messages/stats`.
///
/// # Errors
/// When a value is none that it may be.
pub fn decode_stats_query(head: &Head<'_>) -> Result<StatsQuery, RestError> {
    let mut issues = Issues::default();
    let channel_id = channel_id(head, &mut issues);
    let since_ms = match head.query("since") {
        Ok(None) => None,
        Ok(Some(text)) => {
            let since = parse_date_ms(&text);
            if since.is_none() {
                issues.add("since", "Invalid date");
            }
            since
        }
        Err(_) => {
            issues.add("since", "Invalid date");
            None
        }
    };
    if issues.is_empty() {
        Ok(StatsQuery { channel_id, since_ms })
    } else {
        Err(RestError::Input(issues))
    }
}

fn text<'a>(head: &Head<'a>, key: &'static str, issues: &mut Issues) -> Option<Cow<'a, str>> {
    head.query(key).unwrap_or_else(|_| {
        issues.add(key, "Expected string, received array");
        None
    })
}

fn channel_id(head: &Head<'_>, issues: &mut Issues) -> Option<u128> {
    const KEY: &str = "channelId";
    let text = text(head, KEY, issues)?;
    let id = uuid(&text);
    if id.is_none() {
        issues.add(KEY, "Invalid uuid");
    }
    id
}

/// A UUID, in capitals too.
fn uuid(text: &str) -> Option<u128> {
    parse_uuid(&text.to_ascii_lowercase())
}

/// A number as JavaScript reads a text, which has to be whole and within its bounds.
fn whole(
    head: &Head<'_>,
    key: &'static str,
    (min, max): (f64, f64),
    issues: &mut Issues,
) -> Option<u64> {
    let number = match head.query(key) {
        Ok(None) => return None,
        Ok(Some(text)) => number(&text),
        Err(_) => None,
    };
    let Some(number) = number else {
        issues.add(key, "Expected number, received nan");
        return None;
    };
    let before = issues.count();
    if number.fract() != 0.0 || number.is_infinite() {
        issues.add(key, "Expected integer, received float");
    }
    if number < min {
        issues.add(key, &format!("Number must be greater than or equal to {min}"));
    }
    if number > max {
        issues.add(key, &format!("Number must be less than or equal to {max}"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number from 0 to 2^53"
    )]
    let number = number as u64;
    (issues.count() == before).then_some(number)
}

fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let radix = |digits: &str, radix| {
        let is_number = !digits.is_empty() && !digits.starts_with(['+', '-']);
        u64::from_str_radix(digits, radix).ok().filter(|_| is_number).map(|it| it as f64)
    };
    let prefix = text.get(..2).unwrap_or_default().to_ascii_lowercase();
    let digits = text.get(2..).unwrap_or_default();
    match (prefix.as_str(), text) {
        (_, "") => Some(0.0),
        ("0x", _) => radix(digits, 16),
        ("0o", _) => radix(digits, 8),
        ("0b", _) => radix(digits, 2),
        (_, "Infinity" | "+Infinity") => Some(f64::INFINITY),
        (_, "-Infinity") => Some(f64::NEG_INFINITY),
        // What Rust reads beside decimals: `inf`, `nan` and their like.
        (_, text) if text.bytes().all(|it| it.is_ascii_digit() || b"+-.eE".contains(&it)) => {
            text.parse().ok()
        }
        (_, _) => None,
    }
}
