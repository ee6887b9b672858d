//! The keys of a tenant.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use jsonwebtoken::DecodingKey;

use super::identity::{BadCredential, Credential, Identity, Role};
use super::jwks::Jwks;
use super::token::{TokenKeys, verify};
use crate::limits::Limits;

/// RFC 7518 §3.2: a secret is as long as its hash.
pub const JWT_SECRET_BYTES_MIN: usize = 32;

/// What a tenant's doors open to.
#[derive(Clone)]
pub struct InsforgeKeys {
    api_key: Box<str>,
    anon_key: Box<str>,
    secret: DecodingKey,
    jwks: Jwks,
}

impl fmt::Debug for InsforgeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InsforgeKeys").field("jwks", &self.jwks).finish_non_exhaustive()
    }
}

/// A key that is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyFault {
    /// The API key does not begin with `ik_`, or ends there.
    ApiKey,
    /// The anon key does not begin with `anon_`, or ends there.
    AnonKey,
    /// The secret is too short.
    JwtSecret {
        /// What it has.
        bytes: usize,
    },
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiKey => f.write_str("api_key must be ik_ and what is secret"),
            Self::AnonKey => f.write_str("anon_key must be anon_ and what names the project"),
            Self::JwtSecret { bytes } => {
                write!(f, "jwt_secret is too short: {bytes} of {JWT_SECRET_BYTES_MIN} bytes")
            }
        }
    }
}

impl InsforgeKeys {
    /// The keys of a tenant.
    ///
    /// # Errors
    /// When one is none.
    pub fn new(
        api_key: &str,
        anon_key: &str,
        jwt_secret: &str,
        jwks: Jwks,
    ) -> Result<Self, KeyFault> {
        let is_key = |key: &str| matches!(Credential::of_token(key), Credential::ApiKey(_));
        if !is_key(api_key) || api_key.len() <= "ik_".len() {
            return Err(KeyFault::ApiKey);
        }
        let is_anon = matches!(Credential::of_token(anon_key), Credential::AnonKey(_));
        if !is_anon || anon_key.len() <= "anon_".len() {
            return Err(KeyFault::AnonKey);
        }
        if jwt_secret.len() < JWT_SECRET_BYTES_MIN {
            return Err(KeyFault::JwtSecret { bytes: jwt_secret.len() });
        }
        let secret = DecodingKey::from_secret(jwt_secret.as_bytes());
        Ok(Self { api_key: api_key.into(), anon_key: anon_key.into(), secret, jwks })
    }

    /// The anon key, which is no secret: an administrator may read it.
    #[must_use]
    pub fn anon_key(&self) -> &str {
        &self.anon_key
    }

    /// The public keys whose tokens are accepted, for everyone to read.
    #[must_use]
    pub fn jwks(&self) -> &Jwks {
        &self.jwks
    }

    /// Who comes to a socket.
    ///
    /// # Errors
    /// When the credential is wrong, or there is none.
    pub fn identify(
        &self,
        credential: Credential<'_>,
        now_s: u64,
        limits: &Limits,
    ) -> Result<Identity, BadCredential> {
        match credential {
            Credential::None => Err(BadCredential::Missing),
            Credential::ApiKey(key) if is_same(key, &self.api_key) => Ok(Identity::Server),
            Credential::ApiKey(_) => Err(BadCredential::ApiKey),
            Credential::AnonKey(key) if is_same(key, &self.anon_key) => Ok(Identity::Anonymous),
            Credential::AnonKey(_) => Err(BadCredential::AnonKey),
            Credential::Token(token) => {
                let keys = TokenKeys { secret: &self.secret, jwks: &self.jwks };
                verify(token, &keys, now_s, limits).map(Identity::User)
            }
        }
    }

    /// The same for the calls that only an administrator may make.
    ///
    /// # Errors
    /// When it is nobody, or no administrator. An anon key is no token at this door, good or not.
    pub fn identify_admin(
        &self,
        credential: Credential<'_>,
        now_s: u64,
        limits: &Limits,
    ) -> Result<Identity, BadCredential> {
        if matches!(credential, Credential::AnonKey(_)) {
            return Err(BadCredential::Token);
        }
        let identity = self.identify(credential, now_s, limits)?;
        match identity.role() {
            Role::ProjectAdmin => Ok(identity),
            Role::Anon | Role::Authenticated => Err(BadCredential::NotAdmin),
        }
    }
}

/// In a time that does not depend on where they differ.
fn is_same(offered: &str, key: &str) -> bool {
    verify_slices_are_equal(offered.as_bytes(), key.as_bytes()).is_ok()
}
