//! Tokens and signatures. Pure: the time is an argument.

mod hmac;
mod infrai;
pub mod insforge;
mod jwt;
pub mod vendor;

pub use hmac::{hmac_sha256, verify_hmac_sha256};
pub use infrai::{
    INFRAI_TOKEN_PREFIX, InfraiClaims, open_infrai, peek_infrai_tenant, sign_infrai, verify_infrai,
};
pub use jwt::{
    BadToken, EdgeClaims, RealtimeClaims, open_edge, open_realtime, peek_tenant, sign_edge,
    sign_realtime, verify_edge, verify_realtime,
};
