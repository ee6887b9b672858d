//! The token of a user: a JSON Web Token. Which key is asked for follows from `kid`; which algorithm, from that key
//! (RFC 8725 §3.1). What the header says of it has to agree, and chooses nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};

use super::super::hmac::hmac_sha256;
use super::identity::{ANONYMOUS_ID, API_KEY_ID, BadCredential, Role, User};
use super::jwks::Jwks;
use crate::json::{Field, Kind, read_object, unescape};
use crate::limits::Limits;

const HEADER: [&str; 5] = ["alg", "kid", "typ", "crit", "b64"];
const CLAIMS: [&str; 6] = ["sub", "email", "role", "exp", "nbf", "type"];

/// Tokens that another server signs, for another purpose.
const FOREIGN_TYPE: &str = "project_authorization";

/// The keys of the secrets, and the others.
pub(super) struct TokenKeys<'a> {
    pub(super) secrets: &'a [DecodingKey],
    pub(super) jwks: &'a Jwks,
}

/// A token of a user, as who shares the secret makes it. `claims` is a JSON object.
#[must_use]
pub fn sign_user(claims: &str, jwt_secret: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
    let signature = hmac_sha256(jwt_secret.as_bytes(), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Verifies a token.
pub(super) fn verify(
    token: &str,
    keys: &TokenKeys<'_>,
    now_s: u64,
    limits: &Limits,
) -> Result<User, BadCredential> {
    let claims = open(token, keys, limits).ok_or(BadCredential::Token)?;
    read(&claims, now_s, limits)
}

/// The claims of a token whose signature is good.
fn open(token: &str, keys: &TokenKeys<'_>, limits: &Limits) -> Option<String> {
    if token.len() > limits.token_bytes_max {
        return None;
    }
    let (message, signature) = token.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    let (some, algorithm, name) = choose(&mut decode(header)?, keys, limits)?;
    if name != algorithm_name(algorithm) {
        return None;
    }
    let is_of = |key| {
        let is_good = jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, algorithm);
        is_good.is_ok_and(|it| it)
    };
    if !some.iter().any(is_of) {
        return None;
    }
    String::from_utf8(decode(claims)?).ok()
}

fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

/// The keys that a header asks for, the algorithm of those keys, and what the header says of it.
fn choose<'k>(
    header: &mut [u8],
    keys: &TokenKeys<'k>,
    limits: &Limits,
) -> Option<(&'k [DecodingKey], Algorithm, String)> {
    std::str::from_utf8(header).ok()?;
    let [alg, kid, typ, crit, b64] = read_object(header, &HEADER, limits.json_depth_max).ok()?;
    // RFC 7515 §4.1.11: what has to be understood and is not, is refused. RFC 7797: so is another way to sign.
    if crit.is_some() || b64.is_some() {
        return None;
    }
    if let Some(typ) = typ
        && !text(header, &typ)?.eq_ignore_ascii_case("jwt")
    {
        return None;
    }
    let name = text(header, &alg?)?;
    let key = match kid {
        Some(kid) => keys.jwks.find(&text(header, &kid)?),
        None => None,
    };
    Some(match key {
        Some(key) => (std::slice::from_ref(key), Algorithm::RS256, name),
        None => (keys.secrets, Algorithm::HS256, name),
    })
}

fn algorithm_name(algorithm: Algorithm) -> &'static str {
    if algorithm == Algorithm::RS256 { "RS256" } else { "HS256" }
}

/// What claims say.
fn read(claims: &str, now_s: u64, limits: &Limits) -> Result<User, BadCredential> {
    let mut bytes = claims.as_bytes().to_vec();
    let fields = read_object(&bytes, &CLAIMS, limits.json_depth_max);
    let [sub, email, role, exp, nbf, kind] = fields.map_err(|_| BadCredential::Token)?;
    if !lives(&bytes, exp, nbf, now_s).unwrap_or(false) {
        return Err(BadCredential::Token);
    }
    let mut optional = |field: Option<Field>| match field {
        None | Some(Field { kind: Kind::Null, .. }) => Ok(None),
        Some(field) => text(&mut bytes, &field).map(Some).ok_or(BadCredential::Token),
    };
    if optional(kind)?.is_some_and(|it| it == FOREIGN_TYPE) {
        return Err(BadCredential::Token);
    }
    let role = match optional(role)? {
        Some(name) => Role::parse(&name).ok_or(BadCredential::Token)?,
        None => Role::Authenticated,
    };
    let email = optional(email)?.map(Into::into);
    let id = optional(sub).ok().flatten().ok_or(BadCredential::Subject)?;
    // Nobody is called what those without an account are called, and no name outgrows the tables it goes into.
    let is_name = !id.is_empty()
        && id.len() <= limits.user_id_bytes_max
        && !matches!(&*id, ANONYMOUS_ID | API_KEY_ID)
        && !id.chars().any(char::is_control);
    if !is_name {
        return Err(BadCredential::Subject);
    }
    Ok(User { id: id.into(), email, role, claims: claims.into() })
}

/// Whether a token holds now. Times are seconds, and may have a fraction.
fn lives(bytes: &[u8], exp: Option<Field>, nbf: Option<Field>, now_s: u64) -> Option<bool> {
    let seconds = |field: Option<Field>| match field {
        None => Some(None),
        Some(Field { kind: Kind::Number, span }) => {
            let text = std::str::from_utf8(bytes.get(span)?).ok()?;
            text.parse::<f64>().ok().map(Some)
        }
        Some(_) => None,
    };
    let now = now_s as f64;
    let has_ended = seconds(exp)?.is_some_and(|exp| now >= exp);
    let has_begun = seconds(nbf)?.is_none_or(|nbf| nbf <= now);
    Some(has_begun && !has_ended)
}

fn text(bytes: &mut [u8], field: &Field) -> Option<String> {
    let raw = bytes.get_mut(field.span.clone()).filter(|_| field.kind == Kind::String)?;
    unescape(raw).map(str::to_owned)
}
