//! JSON Web Tokens with HS256 (RFC 7519). The key decides the algorithm, never the token (RFC 8725 §3.1): this node accepts
//! only what it made itself, so a header that differs in one byte is refused before anything in it is believed.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::limits::Limits;

/// `{"typ":"JWT","alg":"HS256"}`.
const HEADER: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9";
/// Longest life that a token can have.
const LIFE_S_MAX: u64 = 3600;
/// How far the clocks of two nodes may be apart.
pub(super) const SKEW_S_MAX: u64 = 30;

/// A token that is not accepted: deliberately one answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BadToken;

/// What the bearer token of a server says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EdgeClaims {
    /// Name of the tenant.
    pub tenant: String,
    /// When it ends, in seconds since 1970.
    pub expires_at_s: u64,
}

/// What the connection token of a client says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RealtimeClaims {
    /// Name of the tenant.
    pub tenant: String,
    /// Who the client is.
    pub user_id: String,
    /// How others see the client.
    pub user_name: Option<String>,
    /// When it was made, in seconds since 1970.
    pub issued_at_s: u64,
    /// When it ends, in seconds since 1970.
    pub expires_at_s: u64,
    /// Names this token.
    pub token_id: String,
}

/// Which door a token opens. A token for one does not open the other.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
enum Door {
    #[serde(rename = "edge")]
    Edge,
    #[serde(rename = "rt")]
    Realtime,
}

#[derive(Deserialize)]
struct TenantOnly {
    tid: String,
}

#[derive(Deserialize, Serialize)]
struct EdgePayload {
    tid: String,
    typ: Door,
    exp: u64,
    #[serde(default, skip_serializing)]
    nbf: Option<u64>,
}

#[derive(Deserialize, Serialize)]
struct RealtimePayload {
    tid: String,
    typ: Door,
    sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    iat: u64,
    exp: u64,
    jti: String,
    #[serde(default, skip_serializing)]
    nbf: Option<u64>,
}

/// The tenant that a token names, unverified: only good for finding the key to verify it with.
///
/// # Errors
/// When it is no token.
pub fn peek_tenant(token: &str, limits: &Limits) -> Result<String, BadToken> {
    check_shape(token, limits)?;
    let claims: TenantOnly =
        jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|_| BadToken)?;
    Ok(claims.tid)
}

/// Makes the bearer token of a server.
#[must_use]
pub fn sign_edge(claims: &EdgeClaims, key: &[u8]) -> String {
    let (tid, exp) = (claims.tenant.clone(), claims.expires_at_s);
    let payload = EdgePayload { tid, typ: Door::Edge, exp, nbf: None };
    sign(&payload, key)
}

/// Makes the connection token of a client.
#[must_use]
pub fn sign_realtime(claims: &RealtimeClaims, key: &[u8]) -> String {
    let payload = RealtimePayload {
        tid: claims.tenant.clone(),
        typ: Door::Realtime,
        sub: claims.user_id.clone(),
        name: claims.user_name.clone(),
        iat: claims.issued_at_s,
        exp: claims.expires_at_s,
        jti: claims.token_id.clone(),
        nbf: None,
    };
    sign(&payload, key)
}

/// Verifies the bearer token of a server.
///
/// # Errors
/// When anything about it is wrong.
pub fn verify_edge(
    token: &str,
    key: &[u8],
    now_s: u64,
    limits: &Limits,
) -> Result<EdgeClaims, BadToken> {
    let payload: EdgePayload = verify(token, key, limits)?;
    let lives = now_s < payload.exp
        && has_begun(payload.nbf, now_s)
        && payload.exp.saturating_sub(now_s) <= LIFE_S_MAX;
    if payload.typ != Door::Edge || !lives {
        return Err(BadToken);
    }
    Ok(EdgeClaims { tenant: payload.tid, expires_at_s: payload.exp })
}

/// Verifies the connection token of a client.
///
/// # Errors
/// When anything about it is wrong.
pub fn verify_realtime(
    token: &str,
    key: &[u8],
    now_s: u64,
    limits: &Limits,
) -> Result<RealtimeClaims, BadToken> {
    let payload: RealtimePayload = verify(token, key, limits)?;
    let lives = now_s < payload.exp
        && has_begun(payload.nbf, now_s)
        && has_begun(Some(payload.iat), now_s)
        && payload.exp.saturating_sub(payload.iat) <= LIFE_S_MAX;
    let has_names = !payload.sub.is_empty() && !payload.jti.is_empty();
    if payload.typ != Door::Realtime || !lives || !has_names {
        return Err(BadToken);
    }
    Ok(RealtimeClaims {
        tenant: payload.tid,
        user_id: payload.sub,
        user_name: payload.name,
        issued_at_s: payload.iat,
        expires_at_s: payload.exp,
        token_id: payload.jti,
    })
}

/// The same for a token that may have ended: one that is looked at, or to be revoked.
///
/// # Errors
/// When anything else about it is wrong.
pub fn open_realtime(token: &str, key: &[u8], limits: &Limits) -> Result<RealtimeClaims, BadToken> {
    let payload: RealtimePayload = verify(token, key, limits)?;
    if payload.typ != Door::Realtime {
        return Err(BadToken);
    }
    Ok(RealtimeClaims {
        tenant: payload.tid,
        user_id: payload.sub,
        user_name: payload.name,
        issued_at_s: payload.iat,
        expires_at_s: payload.exp,
        token_id: payload.jti,
    })
}

/// The bearer token of a server, which may have ended.
///
/// # Errors
/// When anything else about it is wrong.
pub fn open_edge(token: &str, key: &[u8], limits: &Limits) -> Result<EdgeClaims, BadToken> {
    let payload: EdgePayload = verify(token, key, limits)?;
    if payload.typ != Door::Edge {
        return Err(BadToken);
    }
    Ok(EdgeClaims { tenant: payload.tid, expires_at_s: payload.exp })
}

fn has_begun(from_s: Option<u64>, now_s: u64) -> bool {
    from_s.is_none_or(|from_s| from_s <= now_s.saturating_add(SKEW_S_MAX))
}

#[expect(clippy::expect_used, reason = "strings and numbers always have a JSON form")]
fn sign<T: Serialize>(payload: &T, key: &[u8]) -> String {
    let header = Header::new(Algorithm::HS256);
    jsonwebtoken::encode(&header, payload, &EncodingKey::from_secret(key))
        .expect("HMAC takes any key, and the claims are strings and numbers")
}

fn verify<T: DeserializeOwned>(token: &str, key: &[u8], limits: &Limits) -> Result<T, BadToken> {
    check_shape(token, limits)?;
    if key.is_empty() {
        return Err(BadToken);
    }
    let mut validation = Validation::new(Algorithm::HS256);
    // The crate would read a clock; the callers compare `exp` with the time that they are given.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let token = jsonwebtoken::decode(token, &DecodingKey::from_secret(key), &validation);
    Ok(token.map_err(|_| BadToken)?.claims)
}

fn check_shape(token: &str, limits: &Limits) -> Result<(), BadToken> {
    let rest = token.strip_prefix(HEADER).and_then(|it| it.strip_prefix('.')).ok_or(BadToken)?;
    if token.len() > limits.token_bytes_max || rest.split('.').count() != 2 {
        return Err(BadToken);
    }
    Ok(())
}
