//! Pusher Channels: what is signed has one reading, because a socket id has no colon, a channel name neither, and the data that may
//! follow starts with a brace.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_secretbox::aead::Aead as _;
use crypto_secretbox::{KeyInit as _, XSalsa20Poly1305};
use md5::{Digest as _, Md5};

use super::keys::PusherKeys;
use super::member::{PresenceData, UserData};
use crate::auth::hmac_sha256;
use crate::rejection::Rejection;

/// Largest `channel_data` of a presence channel.
pub(super) const PRESENCE_DATA_BYTES_MAX: usize = 1024;
/// Largest `user_data` of a sign-in: what one client message can carry.
pub(super) const USER_DATA_BYTES_MAX: usize = 10 * 1024;
const CHANNEL_CHARS_MAX: usize = 200;

/// The id that a Pusher server gave a connection: digits, a dot, digits.
#[derive(Clone, Copy)]
pub struct SocketId<'a>(&'a str);

impl<'a> SocketId<'a> {
    /// Checks a text.
    ///
    /// # Errors
    /// When it is no socket id.
    pub fn parse(text: &'a str) -> Result<Self, Rejection> {
        let is_number = |it: &str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit());
        match text.split_once('.') {
            Some((left, right)) if is_number(left) && is_number(right) => Ok(Self(text)),
            Some(_) | None => Err(Rejection::WrongType {
                field: "socket_id",
                expected: "two numbers with a dot between them",
            }),
        }
    }
}

/// What a Pusher channel's prefix makes of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PusherChannelKind {
    /// Needs no signature, and takes one.
    Public,
    /// `private-`.
    Private,
    /// `private-encrypted-`: its clients need the channel's key as well.
    Encrypted,
    /// `presence-`: its clients say who they are.
    Presence,
}

/// The name of a Pusher channel: 1 to 200 of `A-Za-z0-9_-=@,.;`.
#[derive(Clone, Copy)]
pub struct PusherChannel<'a>(&'a str);

impl<'a> PusherChannel<'a> {
    /// Checks a text.
    ///
    /// # Errors
    /// When it is no such name.
    pub fn parse(text: &'a str) -> Result<Self, Rejection> {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_-=@,.;".contains(&byte);
        if text.is_empty() || text.len() > CHANNEL_CHARS_MAX || !text.bytes().all(is_letter) {
            let expected = "1 to 200 of the characters A-Z a-z 0-9 _ - = @ , . ;";
            return Err(Rejection::WrongType { field: "channels", expected });
        }
        Ok(Self(text))
    }

    /// What its prefix says.
    #[must_use]
    pub fn kind(self) -> PusherChannelKind {
        if self.0.starts_with("private-encrypted-") {
            PusherChannelKind::Encrypted
        } else if self.0.starts_with("private-") {
            PusherChannelKind::Private
        } else if self.0.starts_with("presence-") {
            PusherChannelKind::Presence
        } else {
            PusherChannelKind::Public
        }
    }
}

impl PusherKeys {
    /// The `auth` that lets a connection subscribe to a channel that is not a presence channel.
    #[must_use]
    pub fn sign_channel(&self, socket: SocketId<'_>, channel: PusherChannel<'_>) -> String {
        self.auth(&channel_text(socket, channel))
    }

    /// The `auth` that lets a connection subscribe to a presence channel as this member.
    #[must_use]
    pub fn sign_presence(
        &self,
        socket: SocketId<'_>,
        channel: PusherChannel<'_>,
        member: &PresenceData,
    ) -> String {
        self.auth(&presence_text(socket, channel, member))
    }

    /// The `auth` that signs a connection in as this user.
    #[must_use]
    pub fn sign_user(&self, socket: SocketId<'_>, user: &UserData) -> String {
        self.auth(&user_text(socket, user))
    }

    /// The key of an encrypted channel, as its clients get it. `None` without a master key.
    #[must_use]
    pub fn shared_secret(&self, channel: PusherChannel<'_>) -> Option<String> {
        Some(STANDARD.encode(channel_key(self.master_key()?, channel)))
    }

    /// The signature of a webhook's body, for the header `X-Pusher-Signature`.
    #[must_use]
    pub fn sign_webhook(&self, body: &[u8]) -> String {
        hex(&hmac_sha256(self.secret(), body))
    }

    /// The query of a call to the HTTP API, with its signature at the end. The values stand as they are signed: not escaped.
    #[must_use]
    pub fn sign_rest(&self, call: &RestCall<'_>) -> String {
        let timestamp = call.timestamp_s.to_string();
        let md5 = (!call.body.is_empty()).then(|| body_md5(call.body));
        let mut params = call.params.to_vec();
        params.extend([
            ("auth_key", self.key()),
            ("auth_timestamp", &timestamp),
            ("auth_version", "1.0"),
        ]);
        params.extend(md5.as_deref().map(|md5| ("body_md5", md5)));
        params.sort_unstable();
        let pairs: Vec<String> =
            params.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let query = pairs.join("&");
        let message = format!("{}\n{}\n{query}", call.method, call.path);
        let signature = hex(&hmac_sha256(self.secret(), message.as_bytes()));
        format!("{query}&auth_signature={signature}")
    }

    fn auth(&self, message: &str) -> String {
        format!("{}:{}", self.key(), hex(&hmac_sha256(self.secret(), message.as_bytes())))
    }
}

/// A call to Pusher's HTTP API.
pub struct RestCall<'a> {
    /// In capitals.
    pub method: &'a str,
    /// Without a query.
    pub path: &'a str,
    /// The query, unescaped, names in lower case, without the parts of the signature.
    pub params: &'a [(&'a str, &'a str)],
    /// The body, or nothing.
    pub body: &'a [u8],
    /// When it is made, in seconds since 1970.
    pub timestamp_s: u64,
}

/// The MD5 of a body, as the HTTP API's signature takes it in. The signature is what protects the body.
#[must_use]
pub fn body_md5(body: &[u8]) -> String {
    hex(&Md5::digest(body))
}

/// The `data` of an event on an encrypted channel. `None` without a master key. A nonce must never come twice for one channel.
#[must_use]
pub fn encrypt_event(
    keys: &PusherKeys,
    channel: PusherChannel<'_>,
    plaintext: &[u8],
    nonce: &[u8; 24],
) -> Option<String> {
    let key = channel_key(keys.master_key()?, channel);
    let cipher = XSalsa20Poly1305::new(&key.into());
    let ciphertext = cipher.encrypt(&(*nonce).into(), plaintext).ok()?;
    let (nonce, ciphertext) = (STANDARD.encode(nonce), STANDARD.encode(ciphertext));
    Some(format!(r#"{{"nonce":"{nonce}","ciphertext":"{ciphertext}"}}"#))
}

fn channel_key(master_key: &[u8; 32], channel: PusherChannel<'_>) -> [u8; 32] {
    let mut key = [0; 32];
    // SHA-256 gives 32 bytes, so both have one length.
    key.copy_from_slice(digest(&SHA256, &[channel.0.as_bytes(), master_key].concat()).as_ref());
    key
}

fn channel_text(socket: SocketId<'_>, channel: PusherChannel<'_>) -> String {
    format!("{}:{}", socket.0, channel.0)
}

fn presence_text(
    socket: SocketId<'_>,
    channel: PusherChannel<'_>,
    member: &PresenceData,
) -> String {
    format!("{}:{}:{}", socket.0, channel.0, member.as_str())
}

fn user_text(socket: SocketId<'_>, user: &UserData) -> String {
    format!("{}::user::{}", socket.0, user.as_str())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a String takes everything
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::Limits;

    #[test]
    fn a_socket_id_is_two_numbers_and_a_dot() {
        for good in ["1234.1234", "0.0", "1.2", "123456789012345678901234567890.1"] {
            assert!(SocketId::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "1",
            "1.",
            ".1",
            "1.2.3",
            "1,2",
            "a.1",
            "1.a",
            " 1.2",
            "1.2 ",
            "1.2\n",
            "\n1.2",
            "-1.2",
            "+1.2",
            "1.2:private-x",
            "1.2::user::",
            "١.٢",
            "1.2\0",
            "0x1.2",
            "1e3.2",
        ] {
            let refusal = SocketId::parse(bad).err().map(|it| it.message());
            let expected = "\"socket_id\" must be two numbers with a dot between them";
            assert_eq!(refusal.as_deref(), Some(expected), "{bad:?}");
        }
    }

    #[test]
    fn a_channel_has_pushers_own_letters() {
        use PusherChannelKind::{Encrypted, Presence, Private, Public};
        let check = |name: &str, kind: PusherChannelKind| {
            assert_eq!(
                PusherChannel::parse(name).ok().map(PusherChannel::kind),
                Some(kind),
                "{name}"
            );
        };
        check("room", Public);
        check("a", Public);
        check("cache-x", Public);
        check("private", Public);
        check("Private-x", Public);
        check("private-", Private);
        check("private-azAZ9_-=@,.;", Private);
        check("private-cache-x", Private);
        check("private-encrypted", Private);
        check("private-encrypted-room", Encrypted);
        check("private-encrypted-cache-room", Encrypted);
        check("presence-x", Presence);
        check("presence-cache-x", Presence);
        check(&"x".repeat(199), Public);
        check(&"x".repeat(200), Public);
        let too_long = "x".repeat(201);
        for bad in [
            "",
            &too_long,
            "private-a:b",
            "presence-a:{}",
            "private-a b",
            "private-{",
            "private-\"",
            "private-ä",
            "private-a\n",
            "#server-to-user-1",
            "private-a/b",
            "private-a\0",
            "a+b",
            "a%b",
            "a*",
            ":user:",
            ":",
        ] {
            assert!(PusherChannel::parse(bad).is_err(), "{bad:?}");
        }
    }

    /// What a reader of a signed string sees in it.
    fn read(text: &str) -> (&str, &str, Option<&str>) {
        let (socket, rest) = text.split_once(':').unwrap();
        match rest.strip_prefix(":user::") {
            Some(data) => (socket, "", Some(data)),
            None => match rest.split_once(':') {
                Some((channel, data)) => (socket, channel, Some(data)),
                None => (socket, rest, None),
            },
        }
    }

    proptest! {
        // T-A7: no two asks have one string to sign.
        #[test]
        fn a_signed_string_has_one_reading(
            socket in "[0-9]{1,5}\\.[0-9]{1,5}",
            channel in "[A-Za-z0-9_=@,.;-]{1,200}",
            info in "[ -~]{0,30}",
        ) {
            let limits = Limits::default();
            let mut quoted = Vec::new();
            crate::json::push_string(&mut quoted, &info);
            let data = format!("{{\"x\":{}}}", String::from_utf8(quoted).unwrap());
            let socket_id = SocketId::parse(&socket).ok().unwrap();
            let name = PusherChannel::parse(&channel).ok().unwrap();
            let member = PresenceData::parse(&data, "me", &limits).ok().unwrap();
            let user = UserData::parse(Some(&data), "me", &limits).ok().unwrap();
            let text = channel_text(socket_id, name);
            prop_assert_eq!(read(&text), (socket.as_str(), channel.as_str(), None));
            let text = presence_text(socket_id, name, &member);
            prop_assert_eq!(read(&text), (socket.as_str(), channel.as_str(), Some(member.as_str())));
            let text = user_text(socket_id, &user);
            prop_assert_eq!(read(&text), (socket.as_str(), "", Some(user.as_str())));
        }
    }
}
