//! What the tokens of a tenant's users are verified with.

use std::fmt;

use jsonwebtoken::DecodingKey;

use super::identity::{BadCredential, User};
use super::jwks::Jwks;
use super::token::{TokenKeys, verify};
use crate::limits::Limits;

/// RFC 7518 §3.2: a secret is as long as its hash.
pub const JWT_SECRET_BYTES_MIN: usize = 32;

/// The keys of a tenant's users: secrets that it shares with who signs for them, and the public keys of others who do.
/// Without any, nobody is a user.
#[derive(Clone, Default)]
pub struct UserKeys {
    /// The newest first. During a rotation there are several.
    secrets: Vec<DecodingKey>,
    jwks: Jwks,
}

impl fmt::Debug for UserKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserKeys").field("jwks", &self.jwks).finish_non_exhaustive()
    }
}

/// A secret that anybody could guess.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ShortSecret {
    /// What it has.
    pub bytes: usize,
}

impl fmt::Display for ShortSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the secret is too short: {} of {JWT_SECRET_BYTES_MIN} bytes", self.bytes)
    }
}

impl UserKeys {
    /// The keys of a tenant.
    ///
    /// # Errors
    /// When the secret is too short.
    pub fn new(jwt_secret: &str, jwks: Jwks) -> Result<Self, ShortSecret> {
        Self { secrets: Vec::new(), jwks }.and(jwt_secret)
    }

    /// The same with a secret that signed before, and is still taken.
    ///
    /// # Errors
    /// When the secret is too short.
    pub fn and(mut self, jwt_secret: &str) -> Result<Self, ShortSecret> {
        let bytes = jwt_secret.len();
        if bytes < JWT_SECRET_BYTES_MIN {
            return Err(ShortSecret { bytes });
        }
        self.secrets.push(DecodingKey::from_secret(jwt_secret.as_bytes()));
        Ok(self)
    }

    /// The public keys whose tokens are accepted, for everyone to read.
    #[must_use]
    pub fn jwks(&self) -> &Jwks {
        &self.jwks
    }

    /// Whose token it is.
    ///
    /// # Errors
    /// When it was signed by somebody else, has ended, or names no user.
    pub fn verify(&self, token: &str, now_s: u64, limits: &Limits) -> Result<User, BadCredential> {
        let keys = TokenKeys { secrets: &self.secrets, jwks: &self.jwks };
        verify(token, &keys, now_s, limits)
    }
}
