//! Who may make the calls under `/api/realtime`: administrators of a tenant alone.

use protocol::auth::insforge::decode_head_credential;
use protocol::dialect::insforge::rest::RestError;
use protocol::http::Head;

use super::super::Shard;
use crate::ids::TenantId;

impl Shard {
    /// The tenant whose administrator a request comes from.
    ///
    /// # Errors
    /// When it comes from nobody, or from anybody else.
    pub(super) fn admin(&self, head: &Head<'_>) -> Result<TenantId, RestError> {
        let (credential, now_s) = (decode_head_credential(head), self.now.wall_ms / 1000);
        let limits = &self.limits.wire;
        let found = self.tenants.identify_admin(credential, head.host(), now_s, limits);
        found.map(|it| it.0).map_err(RestError::Credential)
    }
}
