//! A request head, as far as this node has questions about it.

use std::borrow::Cow;

use super::fields;
use super::method::Method;
use super::target;
use crate::rejection::Rejection;

/// What becomes of the connection after the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeepAlive {
    /// The next request may follow.
    Keep,
    /// The connection closes.
    Close,
}

/// The version of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// One request head, borrowed from the read buffer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Head<'a> {
    pub(super) method: Method,
    /// Starts with `/`; each segment decodes.
    pub(super) path: &'a str,
    /// Empty when there is none; it decodes.
    pub(super) query: &'a str,
    /// The header lines, each with its CRLF.
    pub(super) lines: &'a str,
    pub(super) head_bytes: usize,
    pub(super) meaning: fields::Meaning<'a>,
    pub(super) keep_alive: KeepAlive,
    pub(super) version: Version,
}

impl<'a> Head<'a> {
    /// The method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The path as it came, without the query.
    #[must_use]
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// Path and query, as they came.
    #[must_use]
    pub fn target(&self) -> String {
        if self.query.is_empty() {
            self.path.to_owned()
        } else {
            format!("{}?{}", self.path, self.query)
        }
    }

    /// One segment of the path, percent-decoded. The first is 0.
    #[must_use]
    pub fn segment(&self, index: usize) -> Option<Cow<'a, str>> {
        let raw = target::segments(self.path).nth(index)?;
        // The head was accepted, so this decodes.
        target::decode_segment(raw).ok()
    }

    /// All segments of the path, percent-decoded, in one pass.
    pub fn segments(&self) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
        // The head was accepted, so all of them decode.
        target::segments(self.path).map_while(|raw| target::decode_segment(raw).ok())
    }

    /// The path from a segment on, as it came. The first segment is 0.
    #[must_use]
    pub fn rest(&self, index: usize) -> Option<&'a str> {
        let mut rest = self.path.strip_prefix('/')?;
        for _ in 0..index {
            (_, rest) = rest.split_once('/')?;
        }
        Some(rest)
    }

    /// The query without the pairs of a key, otherwise as it came; no question mark.
    #[must_use]
    pub fn query_without(&self, key: &str) -> String {
        target::query_without(self.query, key)
    }

    /// The decoded value of a query key.
    ///
    /// # Errors
    /// When the key came twice.
    pub fn query(&self, key: &'static str) -> Result<Option<Cow<'a, str>>, Rejection> {
        target::query_value(self.query, key)
    }

    /// All header lines in their order, as names and values.
    pub fn lines(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        fields::trimmed(self.lines)
    }

    /// The value of `Host`.
    #[must_use]
    pub fn host(&self) -> &'a str {
        self.meaning.host
    }

    /// The first value of a header. Names are compared without case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        fields::values(self.lines, name).next()
    }

    /// All values of a header that may come in several lines.
    pub fn headers(&self, name: &'static str) -> impl Iterator<Item = &'a str> + use<'a> {
        fields::values(self.lines, name)
    }

    /// The token of `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(&self) -> Option<&'a str> {
        let (scheme, token) = self.meaning.authorization?.split_once(' ')?;
        let token = token.trim_start_matches(' ');
        let is_bearer = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty();
        (is_bearer && !token.contains(' ')).then_some(token)
    }

    /// Bytes of the body that follows the head.
    #[must_use]
    pub fn content_length(&self) -> usize {
        self.meaning.content_length.unwrap_or(0)
    }

    /// Bytes of this head, with the empty line: where the body starts.
    #[must_use]
    pub fn head_bytes(&self) -> usize {
        self.head_bytes
    }

    /// What becomes of the connection after the answer.
    #[must_use]
    pub fn keep_alive(&self) -> KeepAlive {
        self.keep_alive
    }

    /// Whether the client waits for `100 Continue` before it sends the body.
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        self.meaning.expects_continue
    }

    /// Whether the client asks for a WebSocket here.
    #[must_use]
    pub fn wants_upgrade(&self) -> bool {
        self.meaning.wants_upgrade
    }
}
