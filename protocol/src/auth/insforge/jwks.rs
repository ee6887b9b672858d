//! A JSON Web Key Set (RFC 7517): the public keys whose tokens are accepted beside those of the secret.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;

use crate::json::{Field, Kind, Listed, push_string, read_list, unescape};

/// Keys in one set.
pub const JWKS_KEYS_MAX: usize = 16;
/// RFC 7518 §3.3: a key has at least 2048 bits.
const MODULUS_BYTES_MIN: usize = 256;
/// Longer keys cost more than they give.
const MODULUS_BYTES_MAX: usize = 1024;
const DEPTH_MAX: usize = 4;

const SCHEMA: [&str; 1] = ["keys"];
const KEY: [&str; 7] = ["kty", "kid", "n", "e", "alg", "use", "d"];

/// Public keys by their `kid`.
#[derive(Clone, Default)]
pub struct Jwks(Vec<PublicKey>);

#[derive(Clone)]
struct PublicKey {
    kid: Box<str>,
    n: Box<str>,
    e: Box<str>,
    decoding: DecodingKey,
}

impl fmt::Debug for Jwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|it| &it.kid)).finish()
    }
}

/// Why a set is not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum JwksFault {
    /// It is no JSON, or no object with `keys`.
    Syntax,
    /// It has too many keys.
    TooMany,
    /// One of its keys cannot be used.
    Key {
        /// Which one; the first is 0.
        index: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl fmt::Display for JwksFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax => f.write_str("is no JSON object with an array \"keys\""),
            Self::TooMany => write!(f, "\"keys\" may have {JWKS_KEYS_MAX} items"),
            Self::Key { index, what } => write!(f, "keys[{index}] {what}"),
        }
    }
}

impl Jwks {
    /// Reads a set. Every key in it has to be one that RS256 can be verified with.
    ///
    /// # Errors
    /// When one is not.
    pub fn parse(text: &str) -> Result<Self, JwksFault> {
        let mut bytes = text.as_bytes().to_vec();
        let list = read_list(&bytes, &SCHEMA, &KEY, DEPTH_MAX, JWKS_KEYS_MAX)
            .map_err(|_| JwksFault::Syntax)?;
        let [keys] = list.fields;
        let keys = keys.filter(|it| it.kind == Kind::Array).ok_or(JwksFault::Syntax)?;
        if list.total > JWKS_KEYS_MAX {
            return Err(JwksFault::TooMany);
        }
        let mut rest = bytes.get_mut(keys.span).unwrap_or_default();
        let mut set = Self::default();
        for (index, item) in list.items.iter().enumerate() {
            let (bytes, behind) = rest.split_at_mut_checked(item.bytes).ok_or(JwksFault::Syntax)?;
            rest = behind;
            let key = |what| JwksFault::Key { index, what };
            let public = read_key(bytes, item).map_err(key)?;
            if set.find(&public.kid).is_some() {
                return Err(key("has the \"kid\" of another key"));
            }
            set.0.push(public);
        }
        Ok(set)
    }

    /// The key of an id.
    pub(super) fn find(&self, kid: &str) -> Option<&DecodingKey> {
        self.0.iter().find(|it| *it.kid == *kid).map(|it| &it.decoding)
    }

    /// Appends the set, for everyone to read: what was in its file beside the keys stays there.
    pub fn push_document(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"keys\":[");
        for (index, key) in self.0.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(b"{\"kty\":\"RSA\",\"use\":\"sig\",\"alg\":\"RS256\",\"kid\":");
            push_string(out, &key.kid);
            out.extend_from_slice(b",\"n\":");
            push_string(out, &key.n);
            out.extend_from_slice(b",\"e\":");
            push_string(out, &key.e);
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
    }
}

fn read_key(bytes: &mut [u8], item: &Listed<{ KEY.len() }>) -> Result<PublicKey, &'static str> {
    let fields = match &item.fields {
        Some(Ok(fields)) => fields,
        Some(Err(_)) => return Err("has a field twice"),
        None => return Err("is no object"),
    };
    let [kty, kid, n, e, alg, usage, private] =
        fields.each_ref().map(|it| text(bytes, it.as_ref()));
    if kty?.as_deref() != Some("RSA") {
        return Err("is no RSA key");
    }
    // A file with it is read by more than one process, and one of them answers strangers.
    if private?.is_some() {
        return Err("is a private key");
    }
    // Whoever holds a key for something else has not agreed to this use of it.
    if alg?.is_some_and(|it| it != "RS256") {
        return Err("is not for RS256");
    }
    if usage?.is_some_and(|it| it != "sig") {
        return Err("is not for signatures");
    }
    let kid = kid?.filter(|it| !it.is_empty()).ok_or("has no \"kid\"")?;
    let (n, e) = (n?.ok_or("has no \"n\"")?, e?.ok_or("has no \"e\"")?);
    let modulus = URL_SAFE_NO_PAD.decode(&n).map_err(|_| "has an \"n\" that is no base64url")?;
    let bytes = modulus.len() - modulus.iter().take_while(|it| **it == 0).count();
    if !(MODULUS_BYTES_MIN..=MODULUS_BYTES_MAX).contains(&bytes) {
        return Err("is of less than 2048 or more than 8192 bits");
    }
    let decoding = DecodingKey::from_rsa_components(&n, &e);
    let decoding = decoding.map_err(|_| "has an \"e\" that is no base64url")?;
    Ok(PublicKey { kid: kid.into(), n: n.into(), e: e.into(), decoding })
}

/// The text of a field, if it is there.
fn text(bytes: &mut [u8], field: Option<&Field>) -> Result<Option<String>, &'static str> {
    let Some(Field { kind: Kind::String, span }) = field else {
        return if field.is_none() { Ok(None) } else { Err("has a field that is no string") };
    };
    // `unescape` changes what it reads, and a key's text is read once.
    let text = bytes.get_mut(span.clone()).and_then(|it| unescape(it));
    text.map(|it| Some(it.to_owned())).ok_or("has a field that is no text")
}
