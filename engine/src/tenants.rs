//! Who may use this node: the tenants and their keys. Made once, shared by all shards, never changed.

use hashbrown::HashMap;
use protocol::auth;

use crate::control::Plan;
use crate::ids::TenantId;

/// One tenant, as the configuration or the catalog has it.
#[derive(Clone)]
pub struct TenantSpec {
    /// The same on every start: the journal carries it.
    pub id: TenantId,
    /// Unique on the node; tokens carry it.
    pub name: String,
    /// The secret that its servers use.
    pub application_key: Option<String>,
    /// The secret that its operators use.
    pub management_key: Option<String>,
    /// Signs its tokens.
    pub signing_key: Vec<u8>,
    /// What it may do.
    pub plan: Plan,
}

/// All tenants of the node.
pub struct Tenants {
    list: HashMap<TenantId, Tenant>,
    by_name: HashMap<String, TenantId>,
    /// Application keys are looked up by a keyed hash, so that the time of a look-up says nothing about a key.
    by_key: HashMap<[u8; 32], TenantId>,
    by_management_key: HashMap<[u8; 32], TenantId>,
    pepper: [u8; 32],
    /// For a tenant that is not there.
    no_plan: Plan,
}

struct Tenant {
    name: Box<str>,
    signing_key: Box<[u8]>,
    plan: Plan,
}

impl std::fmt::Debug for Tenants {
    /// Names alone: what is secret stays so.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}

impl Tenants {
    /// All of them. `pepper` is random.
    #[must_use]
    pub fn new(specs: &[TenantSpec], pepper: [u8; 32]) -> Self {
        let mut tenants = Self {
            list: HashMap::new(),
            by_name: HashMap::new(),
            by_key: HashMap::new(),
            by_management_key: HashMap::new(),
            pepper,
            no_plan: Plan::default(),
        };
        for spec in specs {
            let id = spec.id;
            tenants.by_name.insert(spec.name.clone(), id);
            if let Some(key) = &spec.application_key {
                tenants.by_key.insert(auth::hmac_sha256(&pepper, key.as_bytes()), id);
            }
            if let Some(key) = &spec.management_key {
                let hash = auth::hmac_sha256(&pepper, key.as_bytes());
                tenants.by_management_key.insert(hash, id);
            }
            let name = spec.name.as_str().into();
            let signing_key = spec.signing_key.as_slice().into();
            let plan = spec.plan.clone();
            tenants.list.insert(id, Tenant { name, signing_key, plan });
        }
        tenants
    }

    /// Whose application key this is.
    #[must_use]
    pub fn of_application_key(&self, key: &str) -> Option<TenantId> {
        self.by_key.get(&auth::hmac_sha256(&self.pepper, key.as_bytes())).copied()
    }

    /// Whose management key this is.
    #[must_use]
    pub fn of_management_key(&self, key: &str) -> Option<TenantId> {
        let hash = auth::hmac_sha256(&self.pepper, key.as_bytes());
        self.by_management_key.get(&hash).copied()
    }

    /// The tenant of a name.
    #[must_use]
    pub fn of_name(&self, name: &str) -> Option<TenantId> {
        self.by_name.get(name).copied()
    }

    /// What signs the tenant's tokens.
    #[must_use]
    pub fn signing_key(&self, id: TenantId) -> &[u8] {
        self.list.get(&id).map_or(&[], |it| &it.signing_key)
    }

    /// What a tenant may do.
    #[must_use]
    pub fn plan(&self, id: TenantId) -> &Plan {
        self.list.get(&id).map_or(&self.no_plan, |it| &it.plan)
    }

    /// Whether there is such a tenant.
    #[must_use]
    pub fn contains(&self, id: TenantId) -> bool {
        self.list.contains_key(&id)
    }

    /// The tenant's name.
    #[must_use]
    pub fn name(&self, id: TenantId) -> &str {
        self.list.get(&id).map_or("", |it| &it.name)
    }
}
