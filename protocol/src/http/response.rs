//! Answers, each written whole into one buffer.

use std::borrow::Cow;

use super::head::KeepAlive;
use super::method::{Method, Methods};
use crate::json::push_u64;
use crate::rejection::Rejection;

/// The interim answer to `Expect: 100-continue`.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Room for the head of most answers.
const HEAD_BYTES: usize = 128;

/// What a body is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Content<'a> {
    /// No body; `Content-Length: 0`.
    Empty,
    /// `application/json`.
    Json(&'a [u8]),
    /// `text/plain`.
    Text(&'a str),
    /// Packets of Engine.IO, which are text: `text/plain`.
    Packets(&'a [u8]),
    /// The answer to HEAD: the length of a JSON body, without the body.
    JsonLength(usize),
}

impl<'a> Content<'a> {
    /// A JSON body, or its length alone when the request was HEAD.
    #[must_use]
    pub fn json(method: Method, body: &'a [u8]) -> Self {
        match method {
            Method::Head => Self::JsonLength(body.len()),
            Method::Get
            | Method::Post
            | Method::Put
            | Method::Patch
            | Method::Delete
            | Method::Options => Self::Json(body),
        }
    }
}

/// A header value without control characters, so that nobody can end the line early.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeaderValue<'a>(Cow<'a, str>);

impl<'a> HeaderValue<'a> {
    /// Checks a text: visible ASCII and blanks alone. `None` when it has anything else.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        text.bytes().all(|byte| matches!(byte, b' '..=b'~')).then_some(Self(Cow::Borrowed(text)))
    }

    /// A number.
    #[must_use]
    pub fn number(number: u64) -> Self {
        Self(Cow::Owned(number.to_string()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One header line of an answer. The length, `Connection` and the origin lines are written by themselves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HeaderLine<'a> {
    /// `Retry-After`, in seconds.
    RetryAfter(u32),
    /// `Cache-Control`.
    CacheControl(&'static str),
    /// `Allow`.
    Allow(Methods),
    /// `WWW-Authenticate`.
    Authenticate,
    /// The page whose script asks, and may read the answer even if it asks with credentials. Without it any page may, without them.
    Origin(HeaderValue<'a>),
    /// No page may read the answer.
    NoOrigin,
    /// `Upgrade` and `Sec-WebSocket-Version`: what an upgrade has to be.
    WebSocketVersion,
    /// Any other.
    Other {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: HeaderValue<'a>,
    },
}

impl HeaderLine<'_> {
    /// The line that the answer to a refused request has, if it has one.
    #[must_use]
    pub fn of_rejection(rejection: &Rejection) -> Option<Self> {
        match (rejection, rejection.retry_after_s()) {
            (_, Some(seconds)) => Some(Self::RetryAfter(seconds)),
            (Rejection::MethodNotAllowed { allow }, None) => Some(Self::Allow(*allow)),
            (Rejection::OriginDenied { .. }, None) => Some(Self::NoOrigin),
            (Rejection::UpgradeRequired, None) => Some(Self::WebSocketVersion),
            (Rejection::CredentialMissing | Rejection::CredentialInvalid, None) => {
                Some(Self::Authenticate)
            }
            (_, None) => None,
        }
    }
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Response<'a> {
    /// The status.
    pub status: u16,
    /// The body.
    pub content: Content<'a>,
    /// Further header lines.
    pub headers: &'a [HeaderLine<'a>],
    /// What becomes of the connection.
    pub then: KeepAlive,
}

/// Appends an answer. Any origin may read it.
pub fn write_response(out: &mut Vec<u8>, response: &Response<'_>) {
    const JSON: &str = "Content-Type: application/json\r\n";
    let (content_type, body, length) = match response.content {
        Content::Empty => ("", &b""[..], 0),
        Content::Json(body) => (JSON, body, body.len()),
        Content::Text(body) => {
            ("Content-Type: text/plain; charset=utf-8\r\n", body.as_bytes(), body.len())
        }
        Content::Packets(body) => ("Content-Type: text/plain; charset=UTF-8\r\n", body, body.len()),
        Content::JsonLength(length) => (JSON, &b""[..], length),
    };
    out.reserve(HEAD_BYTES + body.len());
    write_start(out, response.status);
    out.extend_from_slice(content_type.as_bytes());
    write_number_line(out, "Content-Length", length as u64);
    for header in response.headers {
        match header {
            HeaderLine::RetryAfter(seconds) => {
                write_number_line(out, "Retry-After", u64::from(*seconds));
                write_line(out, "Access-Control-Expose-Headers", "Retry-After");
            }
            HeaderLine::CacheControl(value) => write_line(out, "Cache-Control", value),
            HeaderLine::Allow(methods) => write_line(out, "Allow", &methods.to_string()),
            HeaderLine::Authenticate => write_line(out, "WWW-Authenticate", "Bearer"),
            HeaderLine::Origin(origin) => write_origin(out, origin),
            HeaderLine::NoOrigin => write_line(out, "Vary", "Origin"),
            HeaderLine::WebSocketVersion => {
                // RFC 9110 §7.8: the one line has to name the other.
                write_line(out, "Connection", "Upgrade");
                write_line(out, "Upgrade", "websocket");
                write_line(out, "Sec-WebSocket-Version", "13");
            }
            HeaderLine::Other { name, value } => write_line(out, name, value.as_str()),
        }
    }
    let is_of_origin =
        |it: &HeaderLine<'_>| matches!(it, HeaderLine::Origin(_) | HeaderLine::NoOrigin);
    let is_for_one = response.headers.iter().any(is_of_origin);
    if is_for_one {
        write_then(out, response.then);
    } else {
        write_end(out, response.then);
    }
    out.extend_from_slice(body);
}

/// Appends the answer to a browser's question before a request from another origin: from any, or from one that may ask with
/// credentials.
pub fn write_preflight(
    out: &mut Vec<u8>,
    allow: Methods,
    origin: Option<&HeaderValue<'_>>,
    then: KeepAlive,
) {
    write_start(out, 204);
    let methods = allow.to_string();
    write_line(out, "Allow", &methods);
    write_line(out, "Access-Control-Allow-Methods", &methods);
    let headers = "Authorization, Content-Type, Idempotency-Key, X-API-Key";
    write_line(out, "Access-Control-Allow-Headers", headers);
    write_line(out, "Access-Control-Max-Age", "86400");
    match origin {
        Some(origin) => {
            write_origin(out, origin);
            write_then(out, then);
        }
        None => write_end(out, then),
    }
}

fn write_origin(out: &mut Vec<u8>, origin: &HeaderValue<'_>) {
    write_line(out, "Access-Control-Allow-Origin", origin.as_str());
    write_line(out, "Access-Control-Allow-Credentials", "true");
    write_line(out, "Vary", "Origin");
}

pub(super) fn write_start(out: &mut Vec<u8>, status: u16) {
    // Nearly every answer, in one piece.
    if status == 200 {
        return out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    push_u64(out, u64::from(status));
    out.push(b' ');
    out.extend_from_slice(reason(status).as_bytes());
    out.extend_from_slice(b"\r\n");
}

pub(super) fn write_end(out: &mut Vec<u8>, then: KeepAlive) {
    out.extend_from_slice(b"Access-Control-Allow-Origin: *\r\n");
    write_then(out, then);
}

fn write_then(out: &mut Vec<u8>, then: KeepAlive) {
    match then {
        KeepAlive::Keep => {}
        KeepAlive::Close => write_line(out, "Connection", "close"),
    }
    out.extend_from_slice(b"\r\n");
}

/// Callers give constants, or values that were checked.
pub(super) fn write_line(out: &mut Vec<u8>, name: &'static str, value: &str) {
    debug_assert!(value.bytes().all(|byte| byte >= b' '), "a header value ends its line early");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

pub(super) fn write_number_line(out: &mut Vec<u8>, name: &'static str, number: u64) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    push_u64(out, number);
    out.extend_from_slice(b"\r\n");
}

fn reason(status: u16) -> &'static str {
    match status {
        201 => "Created",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        // RFC 9112 §4: the phrase may be empty.
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Method;

    fn check(response: &Response<'_>, expected: &str) {
        let mut out = Vec::new();
        write_response(&mut out, response);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_page_that_is_not_let_in_reads_nothing() {
        let why = Rejection::OriginDenied { origin: "null".into() };
        let header = HeaderLine::of_rejection(&why);
        let headers = header.as_slice();
        let response =
            Response { status: 403, content: Content::Empty, headers, then: KeepAlive::Keep };
        check(&response, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nVary: Origin\r\n\r\n");
    }

    #[test]
    fn an_answer_has_its_length_and_its_lines() {
        let mut response = Response {
            status: 200,
            content: Content::Json(b"{}"),
            headers: &[],
            then: KeepAlive::Keep,
        };
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\
                    Access-Control-Allow-Origin: *\r\n\r\n";
        check(&response, &format!("{head}{{}}"));
        response.content = Content::JsonLength(2);
        check(&response, head);
        let lines = [
            HeaderLine::RetryAfter(60),
            HeaderLine::CacheControl("no-store"),
            HeaderLine::Allow(Methods::default().with(Method::Post).with(Method::Get)),
            HeaderLine::Other { name: "X-Id", value: HeaderValue::number(7) },
        ];
        let full = Response {
            status: 429,
            content: Content::Empty,
            headers: &lines,
            then: KeepAlive::Close,
        };
        check(
            &full,
            "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nRetry-After: 60\r\n\
             Access-Control-Expose-Headers: Retry-After\r\nCache-Control: no-store\r\n\
             Allow: GET, POST\r\nX-Id: 7\r\nAccess-Control-Allow-Origin: *\r\n\
             Connection: close\r\n\r\n",
        );
    }

    #[test]
    fn an_upgrade_that_is_due_is_named_among_the_lines_of_the_connection() {
        let response = Response {
            status: 426,
            content: Content::Empty,
            headers: &[HeaderLine::WebSocketVersion],
            then: KeepAlive::Keep,
        };
        check(
            &response,
            "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Access-Control-Allow-Origin: *\r\n\r\n",
        );
    }

    #[test]
    fn a_header_value_cannot_end_its_line() {
        for text in ["a\r\nb", "a\nb", "a\0", "\u{7f}", "ä", "\t"] {
            assert_eq!(HeaderValue::parse(text), None, "{text:?}");
        }
        assert_eq!(HeaderValue::parse("a b~").unwrap().as_str(), "a b~");
    }

    #[test]
    fn a_browser_may_ask_first() {
        let mut out = Vec::new();
        write_preflight(&mut out, Methods::default().with(Method::Post), None, KeepAlive::Keep);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("HTTP/1.1 204 No Content\r\nAllow: POST\r\n"), "{text}");
        let allowed = "Authorization, Content-Type, Idempotency-Key, X-API-Key";
        assert!(text.contains(&format!("Access-Control-Allow-Headers: {allowed}\r\n")));
        assert!(!text.contains("Content-Length"), "RFC 9110 §8.6: none with 204");
        assert!(text.contains("Access-Control-Allow-Origin: *\r\n"));
        let (mut out, origin) = (Vec::new(), HeaderValue::parse("https://a.example"));
        write_preflight(&mut out, Methods::default(), origin.as_ref(), KeepAlive::Keep);
        let text = String::from_utf8(out).unwrap();
        assert!(text.ends_with(
            "Access-Control-Allow-Origin: https://a.example\r\n\
             Access-Control-Allow-Credentials: true\r\nVary: Origin\r\n\r\n"
        ));
    }

    #[test]
    fn one_page_may_read_an_answer_with_credentials() {
        let origin = [HeaderLine::Origin(HeaderValue::parse("https://a.example").unwrap())];
        let content = Content::Packets(b"2\x1e6");
        let response = Response { status: 200, content, headers: &origin, then: KeepAlive::Keep };
        check(
            &response,
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Length: 3\r\n\
             Access-Control-Allow-Origin: https://a.example\r\n\
             Access-Control-Allow-Credentials: true\r\nVary: Origin\r\n\r\n2\u{1e}6",
        );
    }
}
