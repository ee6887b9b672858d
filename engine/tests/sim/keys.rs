//! The names and keys of tenants.

use engine::ids::TenantId;

use crate::journal::Key;

/// The name of a channel's tenant.
pub fn tenant_name(key: &Key) -> String {
    format!("tenant{}", key.0.0)
}

/// What signs the tenant's tokens; each generation of its keys takes the place of the one before.
pub fn signing_key(key: &Key, generation: u32) -> Vec<u8> {
    format!("signing key {generation} of tenant {}, 32 bytes long", key.0.0).into_bytes()
}

/// The tenant's application key.
pub fn application_key(key: &Key) -> String {
    format!("coh_app_{:020}", key.0.0)
}

/// The tenant's management key.
pub fn management_key(key: &Key) -> String {
    format!("coh_man_{:020}", key.0.0)
}

/// The tenant's project key.
pub fn project_key(key: &Key) -> String {
    format!("ifr_pk_proj_{:020}", key.0.0)
}

/// The key of a tenant's servers that speak InsForge.
pub fn api_key(tenant: TenantId) -> String {
    format!("ik_{:064}", tenant.0)
}

/// The key of its browsers.
pub fn anon_key(tenant: TenantId) -> String {
    format!("anon_{:064}", tenant.0)
}

/// What signs for its users.
pub fn jwt_secret(tenant: TenantId) -> String {
    format!("the users of tenant {}, 32 bytes long", tenant.0)
}

/// Where its users come to.
pub fn host(tenant: TenantId) -> String {
    format!("t{}.example", tenant.0)
}
