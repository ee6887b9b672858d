//! A request head.

use std::borrow::Cow;

use super::fault::HttpFault;
use crate::limits::Limits;
use crate::rejection::Rejection;

/// A request method.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
    /// OPTIONS.
    Options,
}

/// What becomes of the connection after the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeepAlive {
    /// The next request may follow.
    Keep,
    /// The connection closes.
    Close,
}

/// One request head, borrowed from the read buffer.
#[derive(Clone, Debug)]
pub struct Head<'a> {
    method: Method,
    target: &'a str,
}

/// Reads one request head from the start of `bytes`. `None`: more bytes are needed.
///
/// # Errors
/// When the head is not one that every reader understands alike, or is over a limit.
pub fn parse_head<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Option<Head<'a>>, HttpFault> {
    let _ = (bytes, limits);
    Ok(None)
}

impl<'a> Head<'a> {
    /// The method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// The path as it came, without the query.
    #[must_use]
    pub fn path(&self) -> &'a str {
        self.target
    }

    /// One segment of the path, percent-decoded. The first is 0.
    #[must_use]
    pub fn segment(&self, index: usize) -> Option<Cow<'a, str>> {
        let _ = index;
        None
    }

    /// The decoded value of a query key.
    ///
    /// # Errors
    /// When the key came twice, or its value is no UTF-8.
    pub fn query(&self, key: &'static str) -> Result<Option<Cow<'a, str>>, Rejection> {
        let _ = key;
        Ok(None)
    }

    /// The value of `Host`.
    #[must_use]
    pub fn host(&self) -> &'a str {
        ""
    }

    /// The first value of a header. Names are compared without case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let _ = name;
        None
    }

    /// The token of `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(&self) -> Option<&'a str> {
        None
    }

    /// Bytes of the body that follows the head.
    #[must_use]
    pub fn content_length(&self) -> usize {
        0
    }

    /// Bytes of this head, with the empty line: where the body starts.
    #[must_use]
    pub fn head_bytes(&self) -> usize {
        0
    }

    /// What becomes of the connection after the answer.
    #[must_use]
    pub fn keep_alive(&self) -> KeepAlive {
        KeepAlive::Close
    }

    /// Whether the client waits for `100 Continue` before it sends the body.
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        false
    }

    /// Whether the client asks for a WebSocket here.
    #[must_use]
    pub fn wants_upgrade(&self) -> bool {
        false
    }
}
