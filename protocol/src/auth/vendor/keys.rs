//! What a tenant's operator got from a vendor. Secrets have no `Debug` and no `Display`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::ask::Vendor;

/// A text that must not reach a log. [`Secret::reveal`] is the only way to it.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text from being printed by accident.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for signing and for the header of a call.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Why a vendor's key is not accepted. It names the setting, and never shows the value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyError {
    /// The key of a Pusher app.
    PusherKey,
    /// The secret of a Pusher app.
    PusherSecret,
    /// The key that Pusher's encrypted channels derive theirs from.
    PusherMasterKey,
    /// An Ably key.
    AblyKey,
    /// A Liveblocks key.
    LiveblocksKey,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PusherKey => "pusher.key must be letters, digits, - and _",
            Self::PusherSecret => "pusher.secret must not be empty",
            Self::PusherMasterKey => {
                "pusher.encryption_master_key_base64 must be 32 bytes in base64"
            }
            Self::AblyKey => "ably.key must have the form app.id:secret",
            Self::LiveblocksKey => "liveblocks.secret_key must be sk_ and letters, digits, - and _",
        })
    }
}

impl std::error::Error for KeyError {}

/// The credentials of a Pusher app.
#[derive(Clone)]
pub struct PusherKeys {
    key: String,
    secret: Secret,
    master_key: Option<[u8; 32]>,
}

impl PusherKeys {
    /// Checks the parts. Without a master key there are no encrypted channels.
    ///
    /// # Errors
    /// Names the part that is wrong.
    pub fn new(key: &str, secret: &str, master_key_base64: Option<&str>) -> Result<Self, KeyError> {
        // `auth` is key:signature, so a key with a colon would have two readings.
        if !is_word(key) {
            return Err(KeyError::PusherKey);
        }
        if secret.is_empty() {
            return Err(KeyError::PusherSecret);
        }
        let master_key = master_key_base64
            .map(|text| {
                let bytes = STANDARD.decode(text).map_err(|_| KeyError::PusherMasterKey)?;
                <[u8; 32]>::try_from(bytes).map_err(|_| KeyError::PusherMasterKey)
            })
            .transpose()?;
        Ok(Self { key: key.to_owned(), secret: Secret::new(secret.to_owned()), master_key })
    }

    /// The public half.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn secret(&self) -> &[u8] {
        self.secret.reveal().as_bytes()
    }

    pub(super) fn master_key(&self) -> Option<&[u8; 32]> {
        self.master_key.as_ref()
    }
}

/// An Ably key: `app.id:secret`.
#[derive(Clone)]
pub struct AblyKey {
    name: String,
    secret: Secret,
}

impl AblyKey {
    /// Reads `app.id:secret`, in the grammar of Ably's own SDK.
    ///
    /// # Errors
    /// When the text has another form.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (name, secret) = text.split_once(':').ok_or(KeyError::AblyKey)?;
        let is_name = name.contains('.') && !name.contains(is_blank);
        let is_secret = !secret.is_empty()
            && !secret.contains(|it: char| it == ':' || it == '.' || is_blank(it));
        if !is_name || !is_secret {
            return Err(KeyError::AblyKey);
        }
        Ok(Self { name: name.to_owned(), secret: Secret::new(secret.to_owned()) })
    }

    /// The public half: `app.id`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn secret(&self) -> &[u8] {
        self.secret.reveal().as_bytes()
    }
}

/// A Liveblocks secret key: `sk_…`.
#[derive(Clone)]
pub struct LiveblocksKey(Secret);

impl LiveblocksKey {
    /// Reads `sk_…`.
    ///
    /// # Errors
    /// When the text has another form.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        match text.strip_prefix("sk_") {
            Some(tail) if is_word(tail) => Ok(Self(Secret::new(text.to_owned()))),
            Some(_) | None => Err(KeyError::LiveblocksKey),
        }
    }

    /// The value of the `Authorization` header of a call. It is safe in a header: the key is letters, digits, `-` and `_`.
    #[must_use]
    pub fn authorization(&self) -> Secret {
        Secret::new(format!("Bearer {}", self.0.reveal()))
    }
}

fn is_word(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.bytes().all(is_letter)
}

fn is_blank(char: char) -> bool {
    char.is_whitespace() || char.is_control()
}

/// The vendors that a tenant is configured for.
#[derive(Clone, Default)]
pub struct VendorKeys {
    /// Pusher, whose signatures this node's own Pusher dialect takes as well.
    pub pusher: Option<PusherKeys>,
    /// Ably.
    pub ably: Option<AblyKey>,
    /// Liveblocks.
    pub liveblocks: Option<LiveblocksKey>,
}

impl VendorKeys {
    /// Who signs when an ask names no vendor: the first that is configured of Pusher, Ably and Liveblocks, else Pusher.
    #[must_use]
    pub fn default_vendor(&self) -> Vendor {
        match self {
            Self { pusher: None, ably: Some(_), .. } => Vendor::Ably,
            Self { pusher: None, ably: None, liveblocks: Some(_) } => Vendor::Liveblocks,
            Self { .. } => Vendor::Pusher,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ably_key_is_two_parts_of_a_name_and_a_secret() {
        let key = AblyKey::parse("xVLyHw.3-pAYw:VERYsecret").ok().unwrap();
        assert_eq!((key.name(), key.secret()), ("xVLyHw.3-pAYw", b"VERYsecret".as_slice()));
        for bad in [
            "", ":", "a.b", "a.b:", ":c", "ab:c", "a.b:c:d", "a.b:c.d", "a b.c:d", "a.b:c d",
            "a.b:c\n",
        ] {
            assert!(AblyKey::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_liveblocks_key_is_safe_in_a_header() {
        let key = LiveblocksKey::parse("sk_test_01-x").ok().unwrap();
        assert_eq!(key.authorization().reveal(), "Bearer sk_test_01-x");
        for bad in ["", "sk_", "pk_test", "sk_a b", "sk_a\r\nX: y", "sk_ä", " sk_a"] {
            assert!(LiveblocksKey::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn pusher_keys_are_checked_part_by_part() {
        let master = STANDARD.encode([7; 32]);
        fn wrong(key: &str, secret: &str, master: Option<&str>) -> Option<KeyError> {
            PusherKeys::new(key, secret, master).err()
        }
        assert_eq!(wrong("k-1_", "s", None), None);
        assert_eq!(wrong("k", "s", Some(&master)), None);
        for key in ["", "a:b", "a b", "ä", "a\n"] {
            assert_eq!(wrong(key, "s", None), Some(KeyError::PusherKey), "{key:?}");
        }
        assert_eq!(wrong("k", "", None), Some(KeyError::PusherSecret));
        for length in [0, 16, 31, 33] {
            let text = STANDARD.encode(vec![7; length]);
            assert_eq!(wrong("k", "s", Some(&text)), Some(KeyError::PusherMasterKey), "{length}");
        }
        for text in ["=", "not base64!", &master[..43], &format!("{master}=")] {
            assert_eq!(wrong("k", "s", Some(text)), Some(KeyError::PusherMasterKey), "{text}");
        }
    }

    #[test]
    fn the_vendor_of_an_ask_without_one_is_the_first_that_is_configured() {
        let pusher = PusherKeys::new("k", "s", None).ok();
        let ably = AblyKey::parse("a.b:c").ok();
        let liveblocks = LiveblocksKey::parse("sk_x").ok();
        let check = |pusher: Option<PusherKeys>, ably, liveblocks, vendor| {
            assert_eq!(VendorKeys { pusher, ably, liveblocks }.default_vendor(), vendor);
        };
        check(None, None, None, Vendor::Pusher);
        check(pusher, ably.clone(), liveblocks.clone(), Vendor::Pusher);
        check(None, ably, liveblocks.clone(), Vendor::Ably);
        check(None, None, liveblocks, Vendor::Liveblocks);
    }
}
