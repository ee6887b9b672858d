//! Liveblocks signs its tokens itself: here are the calls that ask for one, and the reading of the answer. Sending is elsewhere.

use std::fmt;

use super::ask::Vendor;
use super::token::VendorToken;
use crate::json::{Kind, push_string, read_object, unescape};
use crate::limits::Limits;
use crate::rejection::Rejection;

/// Most rooms of one token.
pub(super) const ROOMS_MAX: usize = 10;
const ROOM_CHARS_MAX: usize = 128;
/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Why a vendor gave no token. It names nothing that the vendor said: an answer may repeat a secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum VendorFault {
    /// Its answer had this status.
    Status(u16),
    /// Its answer holds no token.
    Answer,
    /// No connection came about, or it broke.
    Unreachable,
    /// The answer did not come in time.
    TimedOut,
}

impl fmt::Display for VendorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "answered {status}"),
            Self::Answer => f.write_str("answered without a token"),
            Self::Unreachable => f.write_str("cannot be reached"),
            Self::TimedOut => f.write_str("did not answer in time"),
        }
    }
}

/// A POST to Liveblocks, with `Content-Type: application/json` and the key's `Authorization`.
#[derive(Debug, Eq, PartialEq)]
pub struct LiveblocksCall {
    /// Goes after the base URL.
    pub path: &'static str,
    /// A JSON object.
    pub body: Vec<u8>,
}

/// What a token allows in a room, or in all rooms that start alike.
pub struct RoomPermissions<'a> {
    room: &'a str,
    permissions: &'a [&'a str],
}

impl<'a> RoomPermissions<'a> {
    /// Checks the room: `^([*]|[^*]{1,128}[*]?)$`. The permissions are Liveblocks' own names.
    ///
    /// # Errors
    /// When the room is no such pattern.
    pub fn new(room: &'a str, permissions: &'a [&'a str]) -> Result<Self, Rejection> {
        let name = room.strip_suffix('*').unwrap_or(room);
        // The SDK counts UTF-16 units.
        let is_name =
            !name.contains('*') && (1..=ROOM_CHARS_MAX).contains(&name.encode_utf16().count());
        if room != "*" && !is_name {
            let expected = "1 to 128 characters, with a * at the end or none";
            return Err(Rejection::WrongType { field: "channels", expected });
        }
        Ok(Self { room, permissions })
    }
}

/// Asks for an access token.
pub struct AuthorizeUser<'a> {
    /// Who the client is.
    pub user_id: &'a str,
    /// At most ten, each room once.
    pub permissions: &'a [RoomPermissions<'a>],
    /// A JSON object that others see, byte for byte.
    pub user_info: Option<&'a str>,
    /// The organization of the rooms.
    pub organization_id: Option<&'a str>,
}

impl AuthorizeUser<'_> {
    /// The call.
    #[must_use]
    pub fn call(&self) -> LiveblocksCall {
        let mut body = b"{\"userId\":".to_vec();
        push_string(&mut body, self.user_id);
        body.extend_from_slice(b",\"permissions\":{");
        for (index, room) in self.permissions.iter().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            push_string(&mut body, room.room);
            body.push(b':');
            push_strings(&mut body, room.permissions);
        }
        body.push(b'}');
        push_tail(&mut body, self.user_info, self.organization_id);
        LiveblocksCall { path: "/v2/authorize-user", body }
    }
}

/// Asks for an ID token: what it allows, Liveblocks decides.
pub struct IdentifyUser<'a> {
    /// Who the client is.
    pub user_id: &'a str,
    /// The client's groups, if they matter.
    pub group_ids: Option<&'a [&'a str]>,
    /// A JSON object that others see, byte for byte.
    pub user_info: Option<&'a str>,
    /// The organization of the client.
    pub organization_id: Option<&'a str>,
}

impl IdentifyUser<'_> {
    /// The call.
    #[must_use]
    pub fn call(&self) -> LiveblocksCall {
        let mut body = b"{\"userId\":".to_vec();
        push_string(&mut body, self.user_id);
        if let Some(group_ids) = self.group_ids {
            body.extend_from_slice(b",\"groupIds\":");
            push_strings(&mut body, group_ids);
        }
        push_tail(&mut body, self.user_info, self.organization_id);
        LiveblocksCall { path: "/v2/identify-user", body }
    }
}

fn push_strings(out: &mut Vec<u8>, texts: &[&str]) {
    out.push(b'[');
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_string(out, text);
    }
    out.push(b']');
}

fn push_tail(out: &mut Vec<u8>, user_info: Option<&str>, organization_id: Option<&str>) {
    if let Some(user_info) = user_info {
        out.extend_from_slice(b",\"userInfo\":");
        out.extend_from_slice(user_info.as_bytes());
    }
    if let Some(organization_id) = organization_id {
        out.extend_from_slice(b",\"organizationId\":");
        push_string(out, organization_id);
    }
    out.push(b'}');
}

/// Reads the answer to a call: 200 and an object with a `token`, or nothing is believed.
///
/// # Errors
/// When there is no token in it.
pub fn read_answer(status: u16, body: &[u8], limits: &Limits) -> Result<VendorToken, Rejection> {
    let failed = |cause| Rejection::Vendor { vendor: Vendor::Liveblocks.name(), cause };
    if status != 200 {
        return Err(failed(VendorFault::Status(normalised(status))));
    }
    let token = token_in(body, limits).ok_or_else(|| failed(VendorFault::Answer))?;
    Ok(VendorToken::new(Vendor::Liveblocks, token))
}

/// Whatever is wrong at Liveblocks is 503, as its own SDK has it.
fn normalised(status: u16) -> u16 {
    if status >= 500 { 503 } else { status }
}

fn token_in(body: &[u8], limits: &Limits) -> Option<String> {
    if body.len() > ANSWER_BYTES_MAX || std::str::from_utf8(body).is_err() {
        return None;
    }
    let [token] = read_object(body, &["token"], limits.json_depth_max).ok()?;
    let token = token.filter(|it| it.kind == Kind::String)?;
    let mut quoted = body.get(token.span)?.to_vec();
    let token = unescape(&mut quoted)?;
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    is_token.then(|| token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_a_name_or_the_start_of_names() {
        let longest = "x".repeat(128);
        let emoji = "😀".repeat(64);
        for good in ["*", "a", "a*", "org:*", "room 42", &longest, &format!("{longest}*"), &emoji] {
            assert!(RoomPermissions::new(good, &[]).is_ok(), "{good}");
        }
        for bad in ["", "**", "a**", "*a", "a*b", &format!("{longest}x"), &format!("{emoji}x")] {
            assert!(RoomPermissions::new(bad, &[]).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_answer_is_a_token_or_a_fault() {
        let limits = Limits::default();
        let token = |status, body: &str| match read_answer(status, body.as_bytes(), &limits) {
            Ok(token) => Ok(String::from_utf8(token.to_json()).unwrap()),
            Err(rejection) => Err(rejection.message()),
        };
        let good = Ok(r#"{"vendor":"liveblocks","token":"stub.token"}"#.to_owned());
        assert_eq!(token(200, r#"{"token":"stub.token"}"#), good);
        assert_eq!(token(200, r#" {"x":[1],"token":"stub.token" } "#), good);
        for (status, told) in [
            (0, 0),
            (100, 100),
            (199, 199),
            (201, 201),
            (204, 204),
            (301, 301),
            (400, 400),
            (401, 401),
            (403, 403),
            (429, 429),
            (499, 499),
            (500, 503),
            (502, 503),
            (503, 503),
            (599, 503),
        ] {
            let message = format!("liveblocks answered {told}");
            assert_eq!(token(status, r#"{"token":"stub.token"}"#), Err(message));
        }
        let too_long = format!(r#"{{"token":"{}"}}"#, "x".repeat(ANSWER_BYTES_MAX));
        for body in [
            "",
            "{}",
            "null",
            "[]",
            "stub.token",
            "\"stub.token\"",
            r#"{"token":""}"#,
            r#"{"token":null}"#,
            r#"{"token":7}"#,
            r#"{"token":["a"]}"#,
            r#"{"token":{"a":1}}"#,
            r#"{"Token":"a"}"#,
            r#"{"token":"a","token":"b"}"#,
            r#"{"token":"a"}x"#,
            r#"{"token":"a""#,
            r#"{"token":"a b"}"#,
            r#"{"token":"a\r\nX: y"}"#,
            r#"{"token":"ä"}"#,
            r#"{"token":"\ud800"}"#,
            &too_long,
        ] {
            assert_eq!(
                token(200, body),
                Err("liveblocks answered without a token".to_owned()),
                "{body}"
            );
        }
        let not_utf8 = read_answer(200, b"{\"token\":\"a\",\"x\":\"\xff\"}", &limits);
        assert!(not_utf8.is_err());
    }
}
