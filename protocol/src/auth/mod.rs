//! Tokens and signatures. Pure: the time is an argument.

mod hmac;
mod jwt;
pub mod vendor;

pub use hmac::{hmac_sha256, verify_hmac_sha256};
pub use jwt::{
    BadToken, EdgeClaims, RealtimeClaims, peek_tenant, sign_edge, sign_realtime, verify_edge,
    verify_realtime,
};
