//! From a request head to an open WebSocket (RFC 6455 §4.2).

use tungstenite::handshake::derive_accept_key;

use crate::http::{Head, Method, Version};
use crate::rejection::Rejection;

/// A handshake that is in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Handshake<'a> {
    head: Head<'a>,
    key: &'a str,
}

impl<'a> Handshake<'a> {
    /// The subprotocols that the client offers, most wanted first.
    pub fn subprotocols(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let lines = self.head.headers("sec-websocket-protocol");
        lines.flat_map(|line| line.split(',')).map(str::trim).filter(|name| !name.is_empty())
    }
}

/// Checks the upgrade of a request.
///
/// # Errors
/// When it is no upgrade, or not one to version 13.
pub fn check_handshake<'a>(head: &Head<'a>) -> Result<Handshake<'a>, Rejection> {
    let is_upgrade = head.method() == Method::Get
        && head.version() == Version::Http11
        && head.wants_upgrade()
        && single(head, "sec-websocket-version") == Some("13");
    if !is_upgrade {
        return Err(Rejection::UpgradeRequired);
    }
    match single(head, "sec-websocket-key") {
        Some(key) if is_key(key) => Ok(Handshake { head: head.clone(), key }),
        Some(_) | None => Err(Rejection::InvalidHeader { name: "Sec-WebSocket-Key" }),
    }
}

/// Appends the `101 Switching Protocols` answer.
pub fn write_accept(out: &mut Vec<u8>, handshake: &Handshake<'_>, subprotocol: Option<&str>) {
    out.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: ",
    );
    out.extend_from_slice(accept_key(handshake.key).as_bytes());
    if let Some(name) = subprotocol {
        out.extend_from_slice(b"\r\nSec-WebSocket-Protocol: ");
        out.extend_from_slice(name.as_bytes());
    }
    out.extend_from_slice(b"\r\n\r\n");
}

/// The answer to a key (RFC 6455 §4.2.2).
#[must_use]
pub fn accept_key(key: &str) -> String {
    derive_accept_key(key.as_bytes())
}

fn single<'a>(head: &Head<'a>, name: &'static str) -> Option<&'a str> {
    let mut values = head.headers(name);
    let first = values.next();
    if values.next().is_some() { None } else { first }
}

/// 16 bytes in base64: 22 digits and two pads.
fn is_key(key: &str) -> bool {
    let digits = key.strip_suffix("==").unwrap_or_default();
    digits.len() == 22 && digits.bytes().all(|it| it.is_ascii_alphanumeric() || b"+/".contains(&it))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::parse_head;
    use crate::limits::Limits;

    const GOOD: &str = "GET /edge/realtime HTTP/1.1\r\nHost: a\r\nUpgrade: h2c, WebSocket\r\n\
        Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    fn check(from: &str, to: &str, expected: &Result<(), Rejection>) {
        assert!(GOOD.contains(from), "{from}");
        let text = GOOD.replacen(from, to, 1);
        let head = parse_head(text.as_bytes(), &Limits::default()).unwrap().unwrap();
        assert_eq!(&check_handshake(&head).map(|_| ()), expected, "{to}");
    }

    #[test]
    fn a_handshake_is_complete_or_refused() {
        let key = Err(Rejection::InvalidHeader { name: "Sec-WebSocket-Key" });
        let upgrade = Err(Rejection::UpgradeRequired);
        check("", "", &Ok(()));
        check("h2c, WebSocket", "websocket", &Ok(()));
        check("GET", "POST", &upgrade);
        check("GET", "HEAD", &upgrade);
        check("HTTP/1.1", "HTTP/1.0", &upgrade);
        check("h2c, WebSocket", "h2c", &upgrade);
        check("WebSocket", "WebSocket/13", &upgrade);
        check("keep-alive, Upgrade", "keep-alive", &upgrade);
        check("Version: 13", "Version: 12", &upgrade);
        check("Version: 13", "Version: 13, 8", &upgrade);
        check("Version: 13", "Version: 13\r\nSec-WebSocket-Version: 13", &upgrade);
        check("Sec-WebSocket-Version: 13\r\n", "", &upgrade);
        check("ZQ==", "ZQ=", &key);
        check("dGhl", "", &key);
        check("dGhl", "d-hl", &key);
        check("Key: d", "Key: dd", &key);
        check("Sec-WebSocket-Key", "X-Key", &key);
        check("Version: 13", "Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", &key);
    }

    #[test]
    fn the_answer_to_a_key_is_that_of_the_standard() {
        let head = parse_head(GOOD.as_bytes(), &Limits::default()).unwrap().unwrap();
        let handshake = check_handshake(&head).unwrap();
        let mut out = Vec::new();
        write_accept(&mut out, &handshake, Some("chat"));
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        assert!(text.ends_with("\r\nSec-WebSocket-Protocol: chat\r\n\r\n"), "{text}");
    }

    #[test]
    fn subprotocols_are_listed_in_their_order() {
        let text = GOOD.replace(
            "Host: a",
            "Host: a\r\nSec-WebSocket-Protocol: a, b ,\r\nSec-WebSocket-Protocol: c",
        );
        let head = parse_head(text.as_bytes(), &Limits::default()).unwrap().unwrap();
        let handshake = check_handshake(&head).unwrap();
        assert_eq!(handshake.subprotocols().collect::<Vec<_>>(), ["a", "b", "c"]);
    }
}
