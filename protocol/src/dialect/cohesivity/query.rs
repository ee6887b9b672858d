//! What the query and the headers of a request say.

use std::borrow::Cow;

use crate::channel_name::ChannelName;
use crate::http::Head;
use crate::limits::Limits;
use crate::rejection::Rejection;

/// Messages in an answer of history whose request names no limit.
pub const HISTORY_LIMIT_DEFAULT: u64 = 50;
/// Most messages in one answer of history.
pub const HISTORY_LIMIT_MAX: u64 = 100;

/// How a server says who it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Credential<'a> {
    /// A token of POST /edge/session.
    Bearer(&'a str),
    /// The application key itself.
    Key(Cow<'a, str>),
}

/// Reads the credential of a server. With both, the token counts.
///
/// # Errors
/// When there is none, or two keys.
pub fn decode_credential<'a>(head: &Head<'a>) -> Result<Credential<'a>, Rejection> {
    if let Some(token) = head.bearer() {
        return Ok(Credential::Bearer(token));
    }
    match head.query("key")? {
        Some(key) if !key.is_empty() => Ok(Credential::Key(key)),
        Some(_) | None => Err(Rejection::CredentialMissing),
    }
}

/// What a client says when it connects.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConnectQuery<'a> {
    channel: Cow<'a, str>,
    /// Its connection token, unverified.
    pub token: Cow<'a, str>,
}

/// Reads the query of GET /edge/realtime.
///
/// # Errors
/// When the token is absent, or the channel is absent or no name.
pub fn decode_connect_query<'a>(
    head: &Head<'a>,
    limits: &Limits,
) -> Result<ConnectQuery<'a>, Rejection> {
    let token = head.query("token")?.filter(|token| !token.is_empty());
    let token = token.ok_or(Rejection::CredentialMissing)?;
    Ok(ConnectQuery { channel: channel(head, limits)?, token })
}

impl ConnectQuery<'_> {
    /// Which channel: a valid name.
    #[must_use]
    pub fn channel(&self) -> &str {
        &self.channel
    }
}

/// Which part of a channel's history is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HistoryQuery<'a> {
    channel: Cow<'a, str>,
    /// Only publications with a larger offset.
    pub after: u64,
    /// At most so many.
    pub limit: u64,
}

/// Reads the query of GET /edge/realtime/history.
///
/// # Errors
/// When the channel is absent or no name, or a number is none.
pub fn decode_history_query<'a>(
    head: &Head<'a>,
    limits: &Limits,
) -> Result<HistoryQuery<'a>, Rejection> {
    let channel = channel(head, limits)?;
    let after = number(head, "after")?.unwrap_or(0);
    let limit = number(head, "limit")?.unwrap_or(HISTORY_LIMIT_DEFAULT);
    if limit == 0 {
        return Err(Rejection::OutOfRange { field: "limit", min: 1, max: HISTORY_LIMIT_MAX });
    }
    Ok(HistoryQuery { channel, after, limit: limit.min(HISTORY_LIMIT_MAX) })
}

impl HistoryQuery<'_> {
    /// Which channel: a valid name.
    #[must_use]
    pub fn channel(&self) -> &str {
        &self.channel
    }
}

fn channel<'a>(head: &Head<'a>, limits: &Limits) -> Result<Cow<'a, str>, Rejection> {
    let channel = head.query("channel")?.ok_or(Rejection::MissingField { field: "channel" })?;
    ChannelName::parse(&channel, limits).map_err(|cause| Rejection::name("channel", cause))?;
    Ok(channel)
}

fn number(head: &Head<'_>, field: &'static str) -> Result<Option<u64>, Rejection> {
    let Some(text) = head.query(field)? else { return Ok(None) };
    // `parse` alone would take a sign.
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_number);
    number.map(Some).ok_or(Rejection::WrongType { field, expected: "a number without a sign" })
}

/// What is passed on to the vendor of video calls.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KitTarget<'a> {
    /// The path behind `/edge/realtimekit/`: segments of letters, digits and `-._~:@`, none of them empty or a step.
    pub path: &'a str,
    /// The query, without the application key.
    pub query: String,
}

/// Reads the target of a request to `/edge/realtimekit/`. Nothing in it is encoded, so nobody behind this node can decode it
/// into another path.
///
/// # Errors
/// When a segment has any other character.
pub fn decode_kit_target<'a>(head: &Head<'a>) -> Result<KitTarget<'a>, Rejection> {
    let path = head.rest(2).unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:@".contains(&byte);
    let is_step = |segment: &str| segment.is_empty() || segment.bytes().all(|byte| byte == b'.');
    if path.split('/').any(|segment| is_step(segment) || !segment.bytes().all(is_plain)) {
        return Err(Rejection::WrongType {
            field: "path",
            expected: "segments of letters, digits and -._~:@",
        });
    }
    Ok(KitTarget { path, query: head.query_without("key") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::parse_head;

    fn check(target: &str, expected: Option<(&str, &str)>) {
        let request = format!("GET /edge/realtimekit/{target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let head = parse_head(request.as_bytes(), &Limits::default()).unwrap().unwrap();
        let read = decode_kit_target(&head);
        let read = read.as_ref().ok().map(|it| (it.path, &*it.query));
        assert_eq!(read, expected, "{target}");
    }

    #[test]
    fn what_is_passed_on_cannot_become_another_path() {
        check("meetings", Some(("meetings", "")));
        check("meetings/a-1_b.c~d/participants", Some(("meetings/a-1_b.c~d/participants", "")));
        check("meetings?page_no=2&search=a%20b", Some(("meetings", "page_no=2&search=a%20b")));
        check("meetings?key=coh_app_x&page_no=2", Some(("meetings", "page_no=2")));
        check("meetings?k%65y=coh_app_x", Some(("meetings", "")));
        for target in [
            "",
            "meetings/",
            "meetings//a",
            "/meetings",
            "...",
            "a/.../b",
            "%6deetings",
            "a/%252e%252e/b",
            "a%20b",
            "..;/a",
            "a;b",
            "a+b",
            "a'b",
        ] {
            check(target, None);
        }
    }
}
