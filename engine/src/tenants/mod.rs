//! Who may use this node: the tenants and their keys. Made once, shared by all shards, never changed.

mod insforge;
mod origins;

use hashbrown::{HashMap, HashSet};
use protocol::auth;
use protocol::auth::vendor::VendorKeys;

use insforge::{Door, Hosts};
pub use insforge::{InsforgeSpec, PolicyMode, host_name};
use origins::Pages;

use crate::config::LIVEBLOCKS_URL;
use crate::control::{Costs, Plan};
use crate::ids::TenantId;

/// What a key of a server opens.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum KeyKind {
    /// Cohesivity's key of servers that publish.
    Application,
    /// Cohesivity's key of operators.
    Management,
    /// Infrai's key.
    Project,
    /// InsForge's key of servers and operators.
    InsforgeApi,
    /// InsForge's key of browsers.
    InsforgeAnon,
}

impl KeyKind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Application, Self::Management, Self::Project, Self::InsforgeApi, Self::InsforgeAnon];

    /// Its name in commands.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Management => "management",
            Self::Project => "project",
            Self::InsforgeApi => "api",
            Self::InsforgeAnon => "anon",
        }
    }
}

/// A key as it is kept: HMAC-SHA256 with the secret of the node.
pub type KeyHash = [u8; 32];

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
    /// The secret that its servers speak Infrai with.
    pub project_key: Option<String>,
    /// What it has to speak InsForge, if it does.
    pub insforge: Option<InsforgeSpec>,
    /// Keys of which only the hash is known: see [`hash_key`].
    pub hashed_keys: Vec<(KeyKind, KeyHash)>,
    /// Signs its tokens.
    pub signing_key: Vec<u8>,
    /// What signed its tokens before, and is still taken.
    pub signing_keys_before: Vec<Vec<u8>>,
    /// What it has of other vendors.
    pub vendors: VendorKeys,
    /// Where Liveblocks is.
    pub liveblocks_base_url: String,
    /// What it may do.
    pub plan: Plan,
}

impl Default for TenantSpec {
    /// A tenant without a name, that no key opens.
    fn default() -> Self {
        Self {
            id: TenantId(0),
            name: String::new(),
            application_key: None,
            management_key: None,
            project_key: None,
            insforge: None,
            hashed_keys: Vec::new(),
            signing_key: Vec::new(),
            signing_keys_before: Vec::new(),
            vendors: VendorKeys::default(),
            liveblocks_base_url: LIVEBLOCKS_URL.to_owned(),
            plan: Plan::default(),
        }
    }
}

impl TenantSpec {
    /// The keys that are known in clear.
    pub fn keys(&self) -> impl Iterator<Item = (KeyKind, &str)> {
        let insforge = self.insforge.as_ref();
        let given = [
            (KeyKind::Application, self.application_key.as_deref()),
            (KeyKind::Management, self.management_key.as_deref()),
            (KeyKind::Project, self.project_key.as_deref()),
            (KeyKind::InsforgeApi, insforge.and_then(|it| it.api_key.as_deref())),
            (KeyKind::InsforgeAnon, insforge.and_then(|it| it.anon_key.as_deref())),
        ];
        given.into_iter().filter_map(|(kind, key)| Some((kind, key?)))
    }
}

/// All tenants of the node.
pub struct Tenants {
    list: HashMap<TenantId, Tenant>,
    by_name: HashMap<String, TenantId>,
    /// Keys are looked up by a keyed hash, so that the time of a look-up says nothing about a key.
    by_key: HashMap<(KeyKind, KeyHash), TenantId>,
    /// The last keys of tenants that were removed.
    gone: HashSet<(KeyKind, KeyHash)>,
    hosts: Hosts,
    pages: Pages,
    pepper: [u8; 32],
    /// Makes session ids that nobody can guess.
    sid_key: [u8; 32],
    /// For a tenant that is not there.
    nobody: Tenant,
}

#[derive(Default)]
struct Tenant {
    name: Box<str>,
    claim_key: [u8; 32],
    signing_key: Box<[u8]>,
    signing_keys_before: Vec<Box<[u8]>>,
    insforge: Option<Door>,
    vendors: VendorKeys,
    liveblocks_base_url: Box<str>,
    plan: Plan,
}

impl std::fmt::Debug for Tenants {
    /// Names alone: what is secret stays so.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}

/// What is kept of a key.
#[must_use]
pub fn hash_key(pepper: &[u8; 32], key: &str) -> KeyHash {
    auth::hmac_sha256(pepper, key.as_bytes())
}

/// Idempotency keys outlive the signing secrets, so they are hashed with the secret of the node.
fn claim_key(pepper: &[u8; 32], id: TenantId) -> [u8; 32] {
    auth::hmac_sha256(pepper, format!("claims of tenant {}", id.0).as_bytes())
}

impl Tenants {
    /// All of them. `pepper` is random, and the same as long as hashes are kept.
    #[must_use]
    pub fn new(specs: &[TenantSpec], pepper: [u8; 32]) -> Self {
        let mut tenants = Self {
            list: HashMap::new(),
            by_name: HashMap::new(),
            by_key: HashMap::new(),
            gone: HashSet::new(),
            hosts: Hosts::of(specs),
            pages: Pages::of(specs),
            pepper,
            sid_key: auth::hmac_sha256(&pepper, b"session ids"),
            nobody: Tenant::default(),
        };
        for spec in specs {
            let id = spec.id;
            tenants.by_name.insert(spec.name.clone(), id);
            let given = spec.keys().map(|(kind, key)| ((kind, hash_key(&pepper, key)), id));
            tenants.by_key.extend(given);
            tenants.by_key.extend(spec.hashed_keys.iter().map(|it| (*it, id)));
            let before = spec.signing_keys_before.iter().map(|it| it.as_slice().into());
            let tenant = Tenant {
                name: spec.name.as_str().into(),
                claim_key: claim_key(&pepper, id),
                signing_key: spec.signing_key.as_slice().into(),
                signing_keys_before: before.collect(),
                insforge: spec.insforge.as_ref().map(Door::of),
                vendors: spec.vendors.clone(),
                liveblocks_base_url: spec.liveblocks_base_url.as_str().into(),
                plan: spec.plan.clone(),
            };
            tenants.list.insert(id, tenant);
        }
        tenants
    }

    /// What makes session ids unguessable.
    #[must_use]
    pub fn sid_key(&self) -> &[u8; 32] {
        &self.sid_key
    }

    /// The same with keys that opened something until their tenants were removed.
    #[must_use]
    pub fn with_gone(mut self, keys: impl IntoIterator<Item = (KeyKind, KeyHash)>) -> Self {
        self.gone = keys.into_iter().collect();
        self
    }

    /// Whether a key opened something until its tenant was removed.
    #[must_use]
    pub fn is_gone(&self, kind: KeyKind, key: &str) -> bool {
        self.gone.contains(&(kind, hash_key(&self.pepper, key)))
    }

    /// Whose application key this is.
    #[must_use]
    pub fn of_application_key(&self, key: &str) -> Option<TenantId> {
        self.of_key(KeyKind::Application, key)
    }

    /// Whose management key this is.
    #[must_use]
    pub fn of_management_key(&self, key: &str) -> Option<TenantId> {
        self.of_key(KeyKind::Management, key)
    }

    /// Whose project key this is.
    #[must_use]
    pub fn of_project_key(&self, key: &str) -> Option<TenantId> {
        self.of_key(KeyKind::Project, key)
    }

    fn of_key(&self, kind: KeyKind, key: &str) -> Option<TenantId> {
        self.by_key.get(&(kind, hash_key(&self.pepper, key))).copied()
    }

    /// The tenant of a name.
    #[must_use]
    pub fn of_name(&self, name: &str) -> Option<TenantId> {
        self.by_name.get(name).copied()
    }

    /// What signs the tenant's tokens.
    #[must_use]
    pub fn signing_key(&self, id: TenantId) -> &[u8] {
        &self.tenant(id).signing_key
    }

    /// What the tenant's idempotency keys are hashed with: the same whatever becomes of its other keys.
    #[must_use]
    pub fn claim_key(&self, id: TenantId) -> &[u8] {
        &self.tenant(id).claim_key
    }

    /// What is found with the newest of the tenant's signing keys that finds anything: during a rotation there are several.
    ///
    /// # Errors
    /// When none does: what the last one said.
    pub fn verify<T, E>(
        &self,
        id: TenantId,
        mut with: impl FnMut(&[u8]) -> Result<T, E>,
    ) -> Result<T, E> {
        let tenant = self.tenant(id);
        let first = with(&tenant.signing_key);
        tenant.signing_keys_before.iter().fold(first, |found, key| found.or_else(|_| with(key)))
    }

    /// What the tenant has of other vendors.
    #[must_use]
    pub fn vendors(&self, id: TenantId) -> &VendorKeys {
        &self.tenant(id).vendors
    }

    /// Where Liveblocks is for this tenant; no slash at the end.
    #[must_use]
    pub fn liveblocks_base_url(&self, id: TenantId) -> &str {
        &self.tenant(id).liveblocks_base_url
    }

    /// What a tenant may do.
    #[must_use]
    pub fn plan(&self, id: TenantId) -> &Plan {
        &self.tenant(id).plan
    }

    /// What calls cost: the same for all tenants of a node.
    #[must_use]
    pub fn costs(&self) -> Costs {
        self.list.values().next().map(|it| it.plan.costs).unwrap_or_default()
    }

    /// Whether there is such a tenant.
    #[must_use]
    pub fn contains(&self, id: TenantId) -> bool {
        self.list.contains_key(&id)
    }

    /// The tenant's name.
    #[must_use]
    pub fn name(&self, id: TenantId) -> &str {
        &self.tenant(id).name
    }

    fn tenant(&self, id: TenantId) -> &Tenant {
        self.list.get(&id).unwrap_or(&self.nobody)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEPPER: [u8; 32] = [3; 32];

    fn tenants() -> Tenants {
        let spec = TenantSpec {
            id: TenantId(1),
            name: "one".into(),
            application_key: Some("coh_app_a".into()),
            project_key: Some("ifr_a".into()),
            hashed_keys: vec![(KeyKind::Project, hash_key(&PEPPER, "ifr_old"))],
            signing_key: b"new".to_vec(),
            signing_keys_before: vec![b"old".to_vec()],
            ..TenantSpec::default()
        };
        Tenants::new(&[spec], PEPPER)
    }

    #[test]
    fn a_key_opens_the_door_of_its_kind_alone() {
        let tenants = tenants();
        assert_eq!(tenants.of_application_key("coh_app_a"), Some(TenantId(1)));
        assert_eq!(tenants.of_management_key("coh_app_a"), None);
        assert_eq!(tenants.of_project_key("coh_app_a"), None);
        assert_eq!(tenants.of_project_key("ifr_old"), Some(TenantId(1)));
        assert_eq!(tenants.of_project_key("ifr_a"), Some(TenantId(1)));
        assert_eq!(tenants.of_project_key(""), None);
    }

    #[test]
    fn what_either_signing_key_made_is_taken() {
        let tenants = tenants();
        for key in [b"new", b"old"] {
            let found = tenants.verify(TenantId(1), |it| if it == key { Ok(()) } else { Err(()) });
            assert_eq!(found, Ok(()));
        }
        assert_eq!(tenants.verify(TenantId(1), |_| Err::<(), _>("no")), Err("no"));
        assert!(tenants.signing_key(TenantId(2)).is_empty());
    }

    #[test]
    fn the_key_of_a_removed_tenant_is_known_for_what_it_was() {
        let old = (KeyKind::Application, hash_key(&PEPPER, "coh_app_b"));
        let tenants = tenants().with_gone([old]);
        assert_eq!(tenants.of_application_key("coh_app_b"), None);
        assert!(tenants.is_gone(KeyKind::Application, "coh_app_b"));
        assert!(!tenants.is_gone(KeyKind::Management, "coh_app_b"));
        assert!(!tenants.is_gone(KeyKind::Application, "coh_app_c"));
    }

    #[test]
    fn what_claims_are_hashed_with_is_each_tenant_s_own_and_outlives_its_secrets() {
        let spec = |id, secret: &[u8]| TenantSpec {
            id: TenantId(id),
            signing_key: secret.to_vec(),
            ..TenantSpec::default()
        };
        let before = Tenants::new(&[spec(1, b"a"), spec(2, b"a")], PEPPER);
        let after = Tenants::new(&[spec(1, b"b")], PEPPER);
        assert_eq!(before.claim_key(TenantId(1)), after.claim_key(TenantId(1)));
        assert_ne!(before.claim_key(TenantId(1)), before.claim_key(TenantId(2)));
    }

    #[test]
    fn nothing_of_a_tenant_but_its_name_is_written() {
        assert_eq!(format!("{:?}", tenants()), "{\"one\"}");
    }
}
