//! What the bodies of requests say.

use crate::dialect::fields::Value;
use crate::dialect::insforge::pattern::Pattern;
use crate::json::{Kind, read_members, unescape};
use crate::limits::Limits;

use super::error::RestError;
use super::issues::{Issues, at_most, expected, no_text, read_body};
use super::url::is_web_url;

/// Bytes of a channel's description.
pub const DESCRIPTION_BYTES_MAX: usize = 1024;
/// Webhooks of one channel.
pub const WEBHOOK_URLS_MAX: usize = 10;
/// Bytes of a webhook's URL.
pub const WEBHOOK_URL_BYTES_MAX: usize = 2048;
/// Days that messages can be kept for, unless they are kept for ever.
pub const RETENTION_DAYS_MAX: u32 = 36_500;

const CHANNEL: [&str; 4] = ["pattern", "description", "webhookUrls", "enabled"];

/// A channel to be made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChannelCreate<'a> {
    /// Which names it is for.
    pub pattern: Pattern,
    /// What it is for; never empty.
    pub description: Option<&'a str>,
    /// Who is told of its messages.
    pub webhook_urls: Option<Vec<String>>,
    /// Whether anyone may use it.
    pub enabled: bool,
}

/// What changes about a channel; what is `None` stays.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ChannelUpdate<'a> {
    /// Which names it is for.
    pub pattern: Option<Pattern>,
    /// What it is for.
    pub description: Option<&'a str>,
    /// Who is told of its messages.
    pub webhook_urls: Option<Vec<String>>,
    /// Whether anyone may use it.
    pub enabled: Option<bool>,
}

/// How long messages are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RetentionUpdate {
    /// Days; `None`: for ever.
    pub days: Option<u32>,
}

/// Reads the body of `POST /api/realtime/channels`.
///
/// # Errors
/// When it is no such request.
pub fn decode_channel_create<'a>(
    body: &'a mut [u8],
    limits: &Limits,
) -> Result<ChannelCreate<'a>, RestError> {
    let [pattern, description, urls, enabled] =
        read_body(body, &CHANNEL, limits, RestError::Request)?;
    let mut issues = Issues::default();
    let pattern = match pattern.kind {
        None => {
            issues.add("pattern", "Required");
            None
        }
        Some(_) => text(pattern, &mut issues),
    };
    if pattern == Some("") {
        issues.add("pattern", "Channel pattern is required");
    }
    let (description, webhook_urls, enabled) = others(description, urls, &enabled, &mut issues);
    let pattern = pattern.filter(|_| issues.is_empty()).ok_or(RestError::Request(issues))?;
    Ok(ChannelCreate {
        pattern: Pattern::parse(pattern).map_err(RestError::Pattern)?,
        description: description.filter(|it| !it.is_empty()),
        webhook_urls,
        enabled: enabled.unwrap_or(true),
    })
}

/// Reads the body of `PUT /api/realtime/channels/{id}`.
///
/// # Errors
/// When it is no such request.
pub fn decode_channel_update<'a>(
    body: &'a mut [u8],
    limits: &Limits,
) -> Result<ChannelUpdate<'a>, RestError> {
    let [pattern, description, urls, enabled] =
        read_body(body, &CHANNEL, limits, RestError::Request)?;
    let mut issues = Issues::default();
    let pattern = text(pattern, &mut issues);
    if pattern == Some("") {
        issues.add("pattern", "String must contain at least 1 character(s)");
    }
    let (description, webhook_urls, enabled) = others(description, urls, &enabled, &mut issues);
    if !issues.is_empty() {
        return Err(RestError::Request(issues));
    }
    let pattern = pattern.map(Pattern::parse).transpose().map_err(RestError::Pattern)?;
    Ok(ChannelUpdate { pattern, description, webhook_urls, enabled })
}

/// Reads the body of `PATCH /api/realtime/config`.
///
/// # Errors
/// When it is no such request.
pub fn decode_retention_update(
    body: &mut [u8],
    limits: &Limits,
) -> Result<RetentionUpdate, RestError> {
    const FIELD: &str = "retentionDays";
    let [days] = read_body(body, &[FIELD], limits, RestError::Input)?;
    let mut issues = Issues::default();
    let number = match days.kind {
        Some(Kind::Null) => return Ok(RetentionUpdate { days: None }),
        Some(Kind::Number) => std::str::from_utf8(days.raw).ok().and_then(|it| it.parse().ok()),
        kind => {
            issues.add(FIELD, &expected("number", kind));
            return Err(RestError::Input(issues));
        }
    };
    let number: f64 = number.unwrap_or(f64::INFINITY);
    if number.fract() != 0.0 {
        issues.add(FIELD, "Expected integer, received float");
    }
    if number <= 0.0 {
        issues.add(FIELD, "Number must be greater than 0");
    }
    if number > f64::from(RETENTION_DAYS_MAX) {
        let message = format!("Number must be less than or equal to {RETENTION_DAYS_MAX}");
        issues.add(FIELD, &message);
    }
    if !issues.is_empty() {
        return Err(RestError::Input(issues));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number from 1 to a u32"
    )]
    let days = number as u32;
    Ok(RetentionUpdate { days: Some(days) })
}

/// The fields that both bodies of channels have, in the order of their issues.
fn others<'a>(
    description: Value<'a>,
    urls: Value<'a>,
    enabled: &Value<'a>,
    issues: &mut Issues,
) -> (Option<&'a str>, Option<Vec<String>>, Option<bool>) {
    let description = text(description, issues);
    if description.is_some_and(|it| it.len() > DESCRIPTION_BYTES_MAX) {
        issues.add("description", &at_most(DESCRIPTION_BYTES_MAX));
    }
    let urls = webhook_urls(urls, issues);
    let enabled = match enabled.kind {
        None => None,
        Some(Kind::True) => Some(true),
        Some(Kind::False) => Some(false),
        kind => {
            issues.add(enabled.field, &expected("boolean", kind));
            None
        }
    };
    (description, urls, enabled)
}

/// The text of a field that may be absent. Here `null` is a value, of another type.
fn text<'a>(value: Value<'a>, issues: &mut Issues) -> Option<&'a str> {
    let Value { field, kind, raw } = value;
    let text = match kind {
        None => return None,
        Some(Kind::String) => unescape(raw),
        Some(_) => None,
    };
    if text.is_none() {
        issues.add(field, &no_text(kind));
    }
    text
}

fn webhook_urls(value: Value<'_>, issues: &mut Issues) -> Option<Vec<String>> {
    let Value { field, kind, raw: list } = value;
    match kind {
        None => return None,
        Some(Kind::Array) => {}
        kind => {
            issues.add(field, &expected("array", kind));
            return None;
        }
    }
    // The list was validated with its body, and its items may be anything that was.
    let members = read_members(list, WEBHOOK_URLS_MAX, usize::MAX).unwrap_or_default();
    if members.len() > WEBHOOK_URLS_MAX {
        let message = format!("Array must contain at most {WEBHOOK_URLS_MAX} element(s)");
        issues.add(field, &message);
        return None;
    }
    let mut urls = Vec::with_capacity(members.len());
    for (index, member) in members.into_iter().enumerate() {
        let path = format!("{field}.{index}");
        let raw = list.get_mut(member.value.span).unwrap_or_default();
        if member.value.kind != Kind::String {
            issues.add(&path, &expected("string", Some(member.value.kind)));
            continue;
        }
        match unescape(raw) {
            Some(text) if text.len() > WEBHOOK_URL_BYTES_MAX => {
                issues.add(&path, &at_most(WEBHOOK_URL_BYTES_MAX));
            }
            Some(text) if is_web_url(text) => urls.push(text.to_owned()),
            Some(_) | None => issues.add(&path, "Invalid url"),
        }
    }
    Some(urls)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(webhook_url: &str) -> Result<Option<Vec<String>>, RestError> {
        let body = format!(r#"{{"pattern":"a","webhookUrls":["{webhook_url}"]}}"#);
        decode_channel_create(&mut body.into_bytes(), &Limits::default()).map(|it| it.webhook_urls)
    }

    #[test]
    fn the_length_of_a_webhook_url_is_that_of_its_text() {
        let url = |bytes: usize| format!("https://a/{}", "x".repeat(bytes - 10));
        for (bytes, is_over) in [
            (WEBHOOK_URL_BYTES_MAX - 1, false),
            (WEBHOOK_URL_BYTES_MAX, false),
            (WEBHOOK_URL_BYTES_MAX + 1, true),
        ] {
            let text = url(bytes);
            let expected = if is_over {
                let message = at_most(WEBHOOK_URL_BYTES_MAX);
                Err(RestError::Request(Issues::one("webhookUrls.0", &message)))
            } else {
                Ok(Some(vec![text.clone()]))
            };
            for written in [text.clone(), text.replace('/', r"\/"), text.replace('x', r"\u0078")] {
                assert_eq!(create(&written), expected, "{bytes}: {written}");
            }
        }
    }
}
