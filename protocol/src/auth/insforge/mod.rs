//! Who comes to the doors of InsForge: a server with the API key, a browser with the anon key, or a user with a token.

mod identity;
mod jwks;
mod keys;
mod token;

pub use identity::{
    ANONYMOUS_ID, API_KEY_ID, BadCredential, Credential, Identity, Role, User,
    decode_head_credential,
};
pub use jwks::{JWKS_KEYS_MAX, Jwks, JwksFault};
pub use keys::{JWT_SECRET_BYTES_MIN, ShortSecret, UserKeys};
pub use token::sign_user;
