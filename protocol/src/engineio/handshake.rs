//! What the query of a request to `/socket.io/` asks for.

use super::sid::Sid;
use crate::http::{Head, Method};
use crate::json::{push_string, push_u64};

/// What carries the packets.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Transport {
    /// Requests: GET fetches packets, POST brings some.
    Polling,
    /// A WebSocket, each packet a message.
    WebSocket,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ask {
    /// A new session.
    Open(Transport),
    /// A session that exists: a poll, a post, or the WebSocket that it moves to.
    Session {
        /// What this request carries packets by.
        transport: Transport,
        /// Which session.
        sid: Sid,
    },
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum OpenFault {
    /// `transport` is neither `polling` nor `websocket`.
    TransportUnknown,
    /// There is no session of this `sid`.
    SessionUnknown,
    /// A session is opened by GET.
    BadMethod,
    /// The request does not fit its transport.
    BadRequest,
    /// `EIO` is not 4.
    VersionUnsupported,
}

impl OpenFault {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::TransportUnknown,
        Self::SessionUnknown,
        Self::BadMethod,
        Self::BadRequest,
        Self::VersionUnsupported,
    ];

    /// The status of the answer.
    pub const STATUS: u16 = 400;

    /// Its number on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::TransportUnknown => 0,
            Self::SessionUnknown => 1,
            Self::BadMethod => 2,
            Self::BadRequest => 3,
            Self::VersionUnsupported => 5,
        }
    }

    /// Its text: all that the answer to a refused upgrade holds.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::TransportUnknown => "Transport unknown",
            Self::SessionUnknown => "Session ID unknown",
            Self::BadMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::VersionUnsupported => "Unsupported protocol version",
        }
    }
}

/// Appends the body of the answer to a refused request that is no upgrade.
pub fn body_open_fault(out: &mut Vec<u8>, fault: OpenFault) {
    out.extend_from_slice(b"{\"code\":");
    push_u64(out, u64::from(fault.code()));
    out.extend_from_slice(b",\"message\":");
    push_string(out, fault.message());
    out.push(b'}');
}

/// Reads the query of a request.
///
/// # Errors
/// When it asks for nothing that there is. Whether a session lives, and by what, the node has to see itself.
pub fn decode_ask(head: &Head<'_>) -> Result<Ask, OpenFault> {
    let value = |key| head.query(key).map_err(|_| OpenFault::BadRequest);
    let transport = match value("transport")?.as_deref() {
        Some("polling") => Transport::Polling,
        Some("websocket") => Transport::WebSocket,
        Some(_) | None => return Err(OpenFault::TransportUnknown),
    };
    let fits = match transport {
        Transport::Polling => !head.wants_upgrade(),
        Transport::WebSocket => head.wants_upgrade(),
    };
    if let Some(sid) = value("sid")?.filter(|it| !it.is_empty()) {
        let sid = Sid::parse(&sid).ok_or(OpenFault::SessionUnknown)?;
        return if fits { Ok(Ask::Session { transport, sid }) } else { Err(OpenFault::BadRequest) };
    }
    if head.method() != Method::Get {
        return Err(OpenFault::BadMethod);
    }
    if !fits {
        return Err(OpenFault::BadRequest);
    }
    match value("EIO")?.as_deref() {
        Some("4") => Ok(Ask::Open(transport)),
        Some(_) | None => Err(OpenFault::VersionUnsupported),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::parse_head;
    use crate::limits::Limits;

    const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    const SID: &str = "r3KZ-_AAAAAAAAAAAAAA";

    fn check(line: &str, lines: &str, expected: Result<Ask, OpenFault>) {
        let request = format!("{line} HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        let head = parse_head(request.as_bytes(), &Limits::default()).unwrap().unwrap();
        assert_eq!(decode_ask(&head), expected, "{line}");
    }

    #[test]
    fn a_session_is_opened_or_gone_on_with() {
        let sid = Sid::parse(SID).unwrap();
        let session = |transport| Ok(Ask::Session { transport, sid });
        check("GET /socket.io/?EIO=4&transport=polling&t=x", "", Ok(Ask::Open(Transport::Polling)));
        check("GET /socket.io/?EIO=4&transport=websocket", UPGRADE, {
            Ok(Ask::Open(Transport::WebSocket))
        });
        check(
            "GET /socket.io/?EIO=4&transport=polling&sid=",
            "",
            Ok(Ask::Open(Transport::Polling)),
        );
        let polled = format!("/socket.io/?EIO=4&transport=polling&sid={SID}");
        check(&format!("GET {polled}"), "", session(Transport::Polling));
        check(&format!("POST {polled}"), "", session(Transport::Polling));
        let moved = format!("GET /socket.io/?EIO=4&transport=websocket&sid={SID}");
        check(&moved, UPGRADE, session(Transport::WebSocket));
    }

    #[test]
    fn what_asks_for_nothing_is_refused() {
        let at = "GET /socket.io/";
        check(&format!("{at}?EIO=4"), "", Err(OpenFault::TransportUnknown));
        check(&format!("{at}?EIO=4&transport=webtransport"), "", Err(OpenFault::TransportUnknown));
        check(&format!("{at}?transport=polling"), "", Err(OpenFault::VersionUnsupported));
        check(&format!("{at}?EIO=3&transport=polling"), "", Err(OpenFault::VersionUnsupported));
        check(&format!("{at}?EIO=3&transport=websocket"), UPGRADE, {
            Err(OpenFault::VersionUnsupported)
        });
        check(&format!("{at}?EIO=4&transport=polling&sid=x"), "", Err(OpenFault::SessionUnknown));
        check(&format!("{at}?EIO=4&transport=websocket"), "", Err(OpenFault::BadRequest));
        check(&format!("{at}?EIO=4&transport=polling"), UPGRADE, Err(OpenFault::BadRequest));
        check(&format!("{at}?EIO=4&EIO=4&transport=polling"), "", Err(OpenFault::BadRequest));
        check(&format!("{at}?EIO=4&transport=websocket&sid={SID}"), "", Err(OpenFault::BadRequest));
        check("POST /socket.io/?EIO=4&transport=polling", "", Err(OpenFault::BadMethod));
    }

    #[test]
    fn a_refusal_has_the_body_of_the_reference_server() {
        let bodies = [
            r#"{"code":0,"message":"Transport unknown"}"#,
            r#"{"code":1,"message":"Session ID unknown"}"#,
            r#"{"code":2,"message":"Bad handshake method"}"#,
            r#"{"code":3,"message":"Bad request"}"#,
            r#"{"code":5,"message":"Unsupported protocol version"}"#,
        ];
        for (fault, expected) in OpenFault::ALL.into_iter().zip(bodies) {
            let mut out = Vec::new();
            body_open_fault(&mut out, fault);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
