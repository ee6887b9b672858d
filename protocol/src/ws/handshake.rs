//! From a request head to an open WebSocket (RFC 6455 §4.2).

use crate::http::Head;
use crate::rejection::Rejection;

/// A handshake that is in order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Handshake<'a> {
    key: &'a str,
    subprotocols: &'a str,
}

impl<'a> Handshake<'a> {
    /// The subprotocols that the client offers, most wanted first.
    pub fn subprotocols(&self) -> impl Iterator<Item = &'a str> {
        self.subprotocols.split(',').map(str::trim).filter(|name| !name.is_empty())
    }
}

/// Checks the upgrade of a request.
///
/// # Errors
/// When it is no upgrade, or not one to version 13; `UpgradeRequired` goes out with `Sec-WebSocket-Version: 13`.
pub fn check_handshake<'a>(head: &Head<'a>) -> Result<Handshake<'a>, Rejection> {
    let _ = head;
    Err(Rejection::UpgradeRequired)
}

/// Appends the `101 Switching Protocols` answer.
pub fn write_accept(out: &mut Vec<u8>, handshake: &Handshake<'_>, subprotocol: Option<&str>) {
    let _ = (out, handshake.key, subprotocol);
}

/// The answer to a key (RFC 6455 §4.2.2).
#[must_use]
pub fn accept_key(key: &str) -> String {
    key.to_owned()
}
