//! Ably: JSON Web Tokens that its clients use as they are, and token requests that they redeem.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use super::keys::AblyKey;
use crate::auth::hmac_sha256;
use crate::channel_name::{NameError, check_name};
use crate::json::{push_string, push_u64};
use crate::limits::Limits;
use crate::rejection::Rejection;

/// Longest life of a token.
pub(super) const LIFE_S_MAX: u64 = 24 * 60 * 60;
const NONCE_CHARS_MIN: usize = 16;

/// What a token allows. What it does not name, Ably decides: its key's own capability, an hour, any client.
#[derive(Clone)]
pub struct AblyGrant {
    client_id: Option<String>,
    capability: Option<String>,
    life_s: Option<u64>,
}

impl AblyGrant {
    /// Checks the parts. The capability is of [`canonical_capability`].
    ///
    /// # Errors
    /// When the client is a wildcard or has control characters, or the life is over a day.
    pub fn new(
        client_id: Option<&str>,
        capability: Option<String>,
        life_s: Option<u64>,
        limits: &Limits,
    ) -> Result<Self, Rejection> {
        if let Some(client_id) = client_id {
            // The lines of what is signed end with a line feed: with one inside, the string would have two readings.
            check_name(client_id, limits.user_id_bytes_max)
                .map_err(|cause| Rejection::name("client_id", cause))?;
            if client_id == "*" {
                // To Ably a token for this client may be used as any.
                return Err(Rejection::WrongType { field: "client_id", expected: "no wildcard" });
            }
        }
        if life_s.is_some_and(|it| it == 0 || it > LIFE_S_MAX) {
            return Err(Rejection::OutOfRange { field: "ttl_seconds", min: 1, max: LIFE_S_MAX });
        }
        Ok(Self { client_id: client_id.map(str::to_owned), capability, life_s })
    }
}

/// What makes a token request usable once: at least 16 visible ASCII characters.
pub struct AblyNonce(String);

impl AblyNonce {
    /// From a text.
    ///
    /// # Errors
    /// When it is too short, or has other characters.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if let Some(at) = text.bytes().position(|byte| !byte.is_ascii_graphic()) {
            return Err(NameError::Control { at });
        }
        if text.len() < NONCE_CHARS_MIN {
            return Err(NameError::Empty);
        }
        Ok(Self(text.to_owned()))
    }

    /// From random bytes.
    #[must_use]
    pub fn of(random: u128) -> Self {
        Self(format!("{random:032x}"))
    }
}

/// What a client sends to Ably in exchange for a token.
pub struct AblyTokenRequest {
    key_name: String,
    grant: AblyGrant,
    timestamp_ms: u64,
    nonce: AblyNonce,
    mac: String,
}

impl AblyTokenRequest {
    /// The JSON object that Ably's clients take.
    pub(super) fn push_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"keyName\":");
        push_string(out, &self.key_name);
        if let Some(life_s) = self.grant.life_s {
            out.extend_from_slice(b",\"ttl\":");
            push_u64(out, life_s * 1000);
        }
        for (name, value) in [
            (",\"capability\":", &self.grant.capability),
            (",\"clientId\":", &self.grant.client_id),
        ] {
            if let Some(value) = value {
                out.extend_from_slice(name.as_bytes());
                push_string(out, value);
            }
        }
        out.extend_from_slice(b",\"timestamp\":");
        push_u64(out, self.timestamp_ms);
        out.extend_from_slice(b",\"nonce\":");
        push_string(out, &self.nonce.0);
        out.extend_from_slice(b",\"mac\":");
        push_string(out, &self.mac);
        out.push(b'}');
    }

    /// The same as a text.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.push_json(&mut out);
        out
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    iat: u64,
    exp: u64,
    #[serde(rename = "x-ably-capability", skip_serializing_if = "Option::is_none")]
    capability: Option<&'a str>,
    #[serde(rename = "x-ably-clientId", skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
}

impl AblyKey {
    /// A token request. Ably takes it within two minutes of its time, once.
    #[must_use]
    pub fn sign_request(
        &self,
        grant: AblyGrant,
        timestamp_ms: u64,
        nonce: AblyNonce,
    ) -> AblyTokenRequest {
        let message = format!(
            "{}\n{}\n{}\n{}\n{timestamp_ms}\n{}\n",
            self.name(),
            grant.life_s.map(|it| (it * 1000).to_string()).unwrap_or_default(),
            grant.capability.as_deref().unwrap_or_default(),
            grant.client_id.as_deref().unwrap_or_default(),
            nonce.0,
        );
        let mac = STANDARD.encode(hmac_sha256(self.secret(), message.as_bytes()));
        AblyTokenRequest { key_name: self.name().to_owned(), grant, timestamp_ms, nonce, mac }
    }

    /// A JSON Web Token, which a client uses as it is. Without a life in the grant it lives an hour.
    #[must_use]
    #[expect(clippy::expect_used, reason = "strings and numbers always have a JSON form")]
    pub fn sign_token(&self, grant: &AblyGrant, now_s: u64) -> String {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(self.name().to_owned());
        let claims = Claims {
            iat: now_s,
            exp: now_s.saturating_add(grant.life_s.unwrap_or(3600)),
            capability: grant.capability.as_deref(),
            client_id: grant.client_id.as_deref(),
        };
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(self.secret()))
            .expect("HMAC takes any key, and the claims are strings and numbers")
    }
}

/// A capability in the one form that is signed, as Ably's SDK makes it: operations sorted, channels sorted, no blanks.
/// A channel must not come twice.
#[must_use]
pub fn canonical_capability(channels: &[(&str, &[&str])]) -> String {
    let mut channels = channels.to_vec();
    channels.sort_by(|(left, _), (right, _)| js_key_order(left, right));
    let mut out = b"{".to_vec();
    for (index, (channel, operations)) in channels.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_string(&mut out, channel);
        out.extend_from_slice(b":[");
        let mut operations = operations.to_vec();
        operations.sort_by(|left, right| left.encode_utf16().cmp(right.encode_utf16()));
        for (index, operation) in operations.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            push_string(&mut out, operation);
        }
        out.push(b']');
    }
    out.push(b'}');
    String::from_utf8_lossy(&out).into_owned()
}

/// How the keys of a JavaScript object stand that were added in sorted order: array indexes by value, then the others by
/// their UTF-16 units (ECMA-262 §10.1.11.1, §23.1.3.30.2).
fn js_key_order(left: &str, right: &str) -> std::cmp::Ordering {
    match (array_index(left), array_index(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        (Some(_), None) => std::cmp::Ordering::Less,
        (None, Some(_)) => std::cmp::Ordering::Greater,
        (None, None) => left.encode_utf16().cmp(right.encode_utf16()),
    }
}

fn array_index(key: &str) -> Option<u32> {
    let is_plain = key == "0" || !key.starts_with(['0', '+']);
    key.parse().ok().filter(|it| is_plain && *it < u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capability_has_one_form() {
        let check = |channels: &[(&str, &[&str])], expected: &str| {
            assert_eq!(canonical_capability(channels), expected);
        };
        check(&[], "{}");
        check(&[("*", &["subscribe"])], r#"{"*":["subscribe"]}"#);
        check(
            &[("room-42", &["subscribe", "presence"]), ("a:*", &["publish"])],
            r#"{"a:*":["publish"],"room-42":["presence","subscribe"]}"#,
        );
        // As node prints JSON.stringify of an object with these keys added in sorted order.
        check(
            &[
                ("b", &[]),
                ("10", &[]),
                ("9", &[]),
                ("a", &[]),
                ("01", &[]),
                ("4294967294", &[]),
                ("4294967295", &[]),
                ("-1", &[]),
                ("+1", &[]),
                ("0", &[]),
            ],
            r#"{"0":[],"9":[],"10":[],"4294967294":[],"+1":[],"-1":[],"01":[],"4294967295":[],"a":[],"b":[]}"#,
        );
        // U+FF21 sorts after U+1F600 in UTF-16, and before it in UTF-8.
        check(&[("\u{ff21}", &[]), ("\u{1f600}", &[])], "{\"\u{1f600}\":[],\"\u{ff21}\":[]}");
        check(&[("a\"\\\u{7}\n", &[])], r#"{"a\"\\\u0007\n":[]}"#);
    }

    #[test]
    fn a_grant_is_for_one_client_and_a_day_at_most() {
        let limits = Limits::default();
        let refusal = |client_id: Option<&str>, life_s: Option<u64>| {
            AblyGrant::new(client_id, None, life_s, &limits).err().map(|it| it.message())
        };
        assert_eq!(refusal(None, None), None);
        assert_eq!(refusal(Some("a*"), Some(1)), None);
        assert_eq!(refusal(Some("a"), Some(86_400)), None);
        let range = "\"ttl_seconds\" must be from 1 to 86400";
        assert_eq!(refusal(None, Some(0)).as_deref(), Some(range));
        assert_eq!(refusal(None, Some(86_401)).as_deref(), Some(range));
        assert_eq!(refusal(None, Some(u64::MAX)).as_deref(), Some(range));
        let wildcard = "\"client_id\" must be no wildcard";
        assert_eq!(refusal(Some("*"), None).as_deref(), Some(wildcard));
        for bad in ["", "a\n1700000000000", "a\r", "\u{85}"] {
            assert!(refusal(Some(bad), None).is_some(), "{bad:?}");
        }
    }

    #[test]
    fn a_nonce_has_sixteen_visible_characters() {
        assert!(AblyNonce::parse("1234567890abcdef").is_ok());
        for bad in
            ["", "1234567890abcde", "1234567890abcde\n", "1234567890 abcdef", "1234567890abcdé"]
        {
            assert!(AblyNonce::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(AblyNonce::of(1).0.len(), 32);
    }
}
