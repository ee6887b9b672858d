//! Keys that may be read: that of browsers, for administrators, and the public ones of who signs for users, for everyone.

use protocol::Rejection;
use protocol::auth::insforge::{Jwks, decode_head_credential};
use protocol::dialect::insforge::rest::{RestError, body_anon_key, body_anon_token};
use protocol::http::Head;

use super::super::Shard;
use crate::ids::TenantId;

/// A key that is asked for.
#[derive(Debug)]
pub(in crate::shard) enum Asked {
    /// That of browsers.
    Anon(Box<str>),
    /// The same, by its older name.
    AnonToken(Box<str>),
    /// The public keys of a tenant, if it is known whose.
    Public(Option<TenantId>),
}

impl Shard {
    /// Whose administrator makes a call, from a page that their tenant takes or from none.
    pub(super) fn insforge_admin(&self, head: &Head<'_>) -> Result<TenantId, RestError> {
        let (now_s, limits) = (self.now.wall_ms / 1000, &self.limits.wire);
        let credential = decode_head_credential(head);
        let found = self.tenants.identify_admin(credential, head.host(), now_s, limits);
        let (tenant, _) = found.map_err(RestError::Credential)?;
        self.admit_page(tenant, head).map_err(RestError::Other)?;
        Ok(tenant)
    }

    /// The key of the browsers of the tenant whose administrator makes a call.
    pub(super) fn anon_key(&self, head: &Head<'_>) -> Result<Box<str>, RestError> {
        let tenant = self.insforge_admin(head)?;
        // Of a tenant that was made before there were any, none was drawn.
        let key = self.tenants.anon_key(tenant);
        key.map(Into::into).ok_or(RestError::Other(Rejection::NotFound))
    }

    /// Whose public keys a request asks for.
    pub(super) fn public_keys(&self, head: &Head<'_>) -> Asked {
        Asked::Public(self.tenants.of_host(head.host()))
    }

    /// Appends the answer.
    pub(super) fn push_key(&self, out: &mut Vec<u8>, asked: &Asked) {
        match asked {
            Asked::Anon(key) => body_anon_key(out, key),
            Asked::AnonToken(key) => body_anon_token(out, key),
            Asked::Public(tenant) => match tenant.and_then(|it| self.tenants.jwks(it)) {
                Some(jwks) => jwks.push_document(out),
                None => Jwks::default().push_document(out),
            },
        }
    }
}
