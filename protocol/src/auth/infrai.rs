//! The token of an Infrai client: `irt1.<payload>.<HMAC-SHA256>`, both parts in base64url. There is no header: what a token is
//! made with stands in its prefix. The payload has one form; any other spelling of the same claims is refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::hmac::{hmac_sha256, verify_hmac_sha256};
use super::jwt::{BadToken, SKEW_S_MAX};
use crate::json::{Field, Kind, items, push_string, push_u64, read_object, unescape};
use crate::limits::Limits;
use crate::permit::{Capabilities, Capability, Permit};
use crate::rejection::Rejection;
use crate::uuid_text::{parse_uuid, push_uuid};

/// What every token starts with.
pub const INFRAI_TOKEN_PREFIX: &str = "irt1.";
/// Longest life that a token can have.
const LIFE_S_MAX: u64 = 86_400;

const CLAIMS: [&str; 8] = ["jti", "acc", "sub", "uid", "ch", "cap", "iat", "exp"];

/// What the token of a client says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InfraiClaims {
    /// Names this token.
    pub jti: u128,
    /// Name of the tenant.
    pub tenant: String,
    /// Who the client is.
    pub client_id: String,
    /// Whose client it is, where that was said.
    pub user_id: Option<String>,
    /// What it may do.
    pub permit: Permit,
    /// When it was made, in seconds since 1970.
    pub issued_at_s: u64,
    /// When it ends, in seconds since 1970.
    pub expires_at_s: u64,
}

impl InfraiClaims {
    /// Whether the token opens a connection now.
    #[must_use]
    pub fn is_live(&self, now_s: u64) -> bool {
        now_s < self.expires_at_s && self.issued_at_s <= now_s.saturating_add(SKEW_S_MAX)
    }
}

/// Makes the token of a client.
///
/// # Errors
/// When it would be longer than a token may be: its channels are too many.
pub fn sign_infrai(
    claims: &InfraiClaims,
    key: &[u8],
    limits: &Limits,
) -> Result<String, Rejection> {
    let mut token = INFRAI_TOKEN_PREFIX.to_owned();
    URL_SAFE_NO_PAD.encode_string(payload(claims), &mut token);
    let signature = hmac_sha256(key, token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    if token.len() > limits.token_bytes_max {
        return Err(Rejection::TokenTooLarge { max: limits.token_bytes_max });
    }
    Ok(token)
}

/// The tenant that a token names, unverified: only good for finding the key to verify it with.
///
/// # Errors
/// When it is no token.
pub fn peek_infrai_tenant(token: &str, limits: &Limits) -> Result<String, BadToken> {
    let (signed, _) = split(token, limits)?;
    Ok(read(signed, limits)?.tenant)
}

/// Verifies the token of a client.
///
/// # Errors
/// When anything about it is wrong, or it has ended.
pub fn verify_infrai(
    token: &str,
    key: &[u8],
    now_s: u64,
    limits: &Limits,
) -> Result<InfraiClaims, BadToken> {
    let claims = open_infrai(token, key, limits)?;
    if claims.is_live(now_s) { Ok(claims) } else { Err(BadToken) }
}

/// The same for a token that may have ended: one that is to be revoked.
///
/// # Errors
/// When anything else about it is wrong.
pub fn open_infrai(token: &str, key: &[u8], limits: &Limits) -> Result<InfraiClaims, BadToken> {
    let (signed, signature) = split(token, limits)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| BadToken)?;
    if key.is_empty() || !verify_hmac_sha256(key, signed.as_bytes(), &signature) {
        return Err(BadToken);
    }
    read(signed, limits)
}

/// What is signed, and the signature.
fn split<'a>(token: &'a str, limits: &Limits) -> Result<(&'a str, &'a str), BadToken> {
    if token.len() > limits.token_bytes_max || !token.starts_with(INFRAI_TOKEN_PREFIX) {
        return Err(BadToken);
    }
    token.rsplit_once('.').ok_or(BadToken)
}

fn read(signed: &str, limits: &Limits) -> Result<InfraiClaims, BadToken> {
    let text = signed.strip_prefix(INFRAI_TOKEN_PREFIX).ok_or(BadToken)?;
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadToken)?;
    let claims = claims(&mut bytes.clone(), limits).ok_or(BadToken)?;
    // One form alone: no unknown claim, no other order, no blank, no other spelling of a string.
    if payload(&claims) != bytes {
        return Err(BadToken);
    }
    Ok(claims)
}

fn payload(claims: &InfraiClaims) -> Vec<u8> {
    let mut out = b"{\"jti\":".to_vec();
    push_uuid(&mut out, claims.jti);
    out.extend_from_slice(b",\"acc\":");
    push_string(&mut out, &claims.tenant);
    out.extend_from_slice(b",\"sub\":");
    push_string(&mut out, &claims.client_id);
    if let Some(user_id) = &claims.user_id {
        out.extend_from_slice(b",\"uid\":");
        push_string(&mut out, user_id);
    }
    if let Some(channels) = &claims.permit.channels {
        out.extend_from_slice(b",\"ch\":");
        push_strings(&mut out, channels.iter().map(|it| &**it));
    }
    out.extend_from_slice(b",\"cap\":");
    push_strings(&mut out, claims.permit.capabilities.iter().map(Capability::name));
    out.extend_from_slice(b",\"iat\":");
    push_u64(&mut out, claims.issued_at_s);
    out.extend_from_slice(b",\"exp\":");
    push_u64(&mut out, claims.expires_at_s);
    out.push(b'}');
    out
}

fn push_strings<'a>(out: &mut Vec<u8>, texts: impl Iterator<Item = &'a str>) {
    out.push(b'[');
    for (index, text) in texts.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_string(out, text);
    }
    out.push(b']');
}

fn claims(bytes: &mut [u8], limits: &Limits) -> Option<InfraiClaims> {
    std::str::from_utf8(bytes).ok()?;
    let [jti, tenant, client, user, channels, capabilities, issued_at, expires_at] =
        read_object(bytes, &CLAIMS, 1).ok()?;
    let issued_at_s = number(bytes, &issued_at?)?;
    let expires_at_s = number(bytes, &expires_at?)?;
    if expires_at_s.checked_sub(issued_at_s)? > LIFE_S_MAX {
        return None;
    }
    let jti = parse_uuid(&text(bytes, &jti?)?)?;
    let tenant = text(bytes, &tenant?)?;
    let client_id = text(bytes, &client?)?;
    if client_id.is_empty() || client_id.len() > limits.user_id_bytes_max {
        return None;
    }
    let user_id = user.map(|it| text(bytes, &it).ok_or(())).transpose().ok()?;
    let channels = match channels {
        Some(field) => Some(texts(bytes, &field)?.into_iter().map(Box::from).collect()),
        None => None,
    };
    let mut set = Capabilities::default();
    for name in texts(bytes, &capabilities?)? {
        set = set.with(Capability::parse(&name)?);
    }
    let permit = Permit { capabilities: set, channels };
    Some(InfraiClaims { jti, tenant, client_id, user_id, permit, issued_at_s, expires_at_s })
}

fn number(bytes: &[u8], field: &Field) -> Option<u64> {
    std::str::from_utf8(bytes.get(field.span.clone())?).ok()?.parse().ok()
}

fn text(bytes: &mut [u8], field: &Field) -> Option<String> {
    let raw = bytes.get_mut(field.span.clone()).filter(|_| field.kind == Kind::String)?;
    unescape(raw).map(str::to_owned)
}

fn texts(bytes: &mut [u8], field: &Field) -> Option<Vec<String>> {
    let raw = bytes.get_mut(field.span.clone()).filter(|_| field.kind == Kind::Array)?;
    items(raw).map(|item| item.map(str::to_owned)).collect()
}
