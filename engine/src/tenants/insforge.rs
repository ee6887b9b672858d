//! Who may speak InsForge. Keys name their tenant; the token of a user names none, so the host of its request does.

use hashbrown::HashMap;
use protocol::Limits;
use protocol::auth::insforge::{BadCredential, Credential, Identity, Jwks, UserKeys};

use super::{KeyKind, TenantSpec, Tenants};
use crate::ids::TenantId;

/// What a tenant that speaks InsForge has for it.
#[derive(Clone, Default)]
pub struct InsforgeSpec {
    /// The secret that its servers use; `None` where only its hash is known.
    pub api_key: Option<String>,
    /// What its browsers use. It is no secret: it stands in pages.
    pub anon_key: Option<String>,
    /// What the tokens of its users are verified with.
    pub users: UserKeys,
    /// Names of hosts, as [`host_name`] has them: tokens that come there are of its users.
    pub hosts: Vec<String>,
    /// What a policy's word is worth.
    pub policy_mode: PolicyMode,
}

/// What a policy's word is worth.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PolicyMode {
    /// What it denies is denied.
    #[default]
    Enforced,
    /// What it would deny is logged, and done.
    Shadow,
}

/// The same, as shards have it.
pub(super) struct Door {
    anon_key: Option<Box<str>>,
    users: UserKeys,
    policy_mode: PolicyMode,
}

impl Door {
    pub(super) fn of(spec: &InsforgeSpec) -> Self {
        Self {
            anon_key: spec.anon_key.as_deref().map(Into::into),
            users: spec.users.clone(),
            policy_mode: spec.policy_mode,
        }
    }
}

/// Whose users come to which host.
#[derive(Default)]
pub(super) struct Hosts {
    by_name: HashMap<Box<str>, TenantId>,
    /// Whose come to all others.
    elsewhere: Option<TenantId>,
}

impl Hosts {
    pub(super) fn of(specs: &[TenantSpec]) -> Self {
        let speakers = || specs.iter().filter_map(|it| Some((it.id, it.insforge.as_ref()?)));
        let named = speakers().flat_map(|(id, it)| it.hosts.iter().map(move |host| (host, id)));
        let by_name = named.map(|(host, id)| (host.as_str().into(), id)).collect();
        let nameless = speakers().filter(|(_, it)| it.hosts.is_empty()).map(|(id, _)| id);
        // The oldest: who comes later takes no users from who was there.
        let elsewhere = nameless.min().or_else(|| only(speakers().map(|(id, _)| id)));
        Self { by_name, elsewhere }
    }

    fn find(&self, host: &str) -> Option<TenantId> {
        let named = self.by_name.get(host_name(host).as_str());
        named.copied().or(self.elsewhere)
    }
}

/// The item, if there is no other.
fn only(mut items: impl Iterator<Item = TenantId>) -> Option<TenantId> {
    let first = items.next()?;
    items.next().is_none().then_some(first)
}

/// The name in a `Host`: in small letters, without its port and the dot of the root.
#[must_use]
pub fn host_name(host: &str) -> String {
    let end = host.rfind(']').map_or(0, |it| it + 1);
    let (address, rest) = host.split_at(end);
    let name = if end > 0 { address } else { rest.split(':').next().unwrap_or_default() };
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

impl Tenants {
    /// Who comes to a socket. `host` is the `Host` of the request.
    ///
    /// # Errors
    /// When the credential is wrong, or there is none.
    pub fn identify(
        &self,
        credential: Credential<'_>,
        host: &str,
        now_s: u64,
        limits: &Limits,
    ) -> Result<(TenantId, Identity), BadCredential> {
        let of_key = |kind, key| self.of_key(kind, key);
        match credential {
            Credential::None => Err(BadCredential::Missing),
            Credential::ApiKey(key) => {
                let id = of_key(KeyKind::InsforgeApi, key).ok_or(BadCredential::ApiKey)?;
                Ok((id, Identity::Server))
            }
            Credential::AnonKey(key) => {
                let id = of_key(KeyKind::InsforgeAnon, key).ok_or(BadCredential::AnonKey)?;
                Ok((id, Identity::Anonymous))
            }
            Credential::Token(token) => {
                let id = self.of_host(host).ok_or(BadCredential::Token)?;
                let door = self.tenant(id).insforge.as_ref().ok_or(BadCredential::Token)?;
                Ok((id, Identity::User(door.users.verify(token, now_s, limits)?)))
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
        host: &str,
        now_s: u64,
        limits: &Limits,
    ) -> Result<(TenantId, Identity), BadCredential> {
        if matches!(credential, Credential::AnonKey(_)) {
            return Err(BadCredential::Token);
        }
        let (id, identity) = self.identify(credential, host, now_s, limits)?;
        Ok((id, identity.admin()?))
    }

    /// Whose users come to a host: the tenant's that names it, else of the oldest that names none, else of the only one.
    #[must_use]
    pub fn of_host(&self, host: &str) -> Option<TenantId> {
        self.hosts.find(host)
    }

    /// The key of the tenant's browsers; `None` where it has none.
    #[must_use]
    pub fn anon_key(&self, id: TenantId) -> Option<&str> {
        self.tenant(id).insforge.as_ref().and_then(|it| it.anon_key.as_deref())
    }

    /// The public keys of those who sign for the tenant's users; `None` where it does not speak InsForge.
    #[must_use]
    pub fn jwks(&self, id: TenantId) -> Option<&Jwks> {
        self.tenant(id).insforge.as_ref().map(|it| it.users.jwks())
    }

    /// What the word of the tenant's policies is worth.
    #[must_use]
    pub fn policy_mode(&self, id: TenantId) -> PolicyMode {
        self.tenant(id).insforge.as_ref().map(|it| it.policy_mode).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use protocol::auth::insforge::{Role, sign_user};

    use super::super::hash_key;
    use super::*;

    const PEPPER: [u8; 32] = [3; 32];
    const NOW_S: u64 = 1_800_000_000;

    fn secret(id: u32) -> String {
        format!("the secret of tenant {id} that is long enough")
    }

    fn spec(id: u32, hosts: &[&str]) -> TenantSpec {
        let insforge = InsforgeSpec {
            api_key: Some(format!("ik_{id}")),
            anon_key: Some(format!("anon_{id}")),
            users: UserKeys::new(&secret(id), Jwks::default()).unwrap(),
            hosts: hosts.iter().map(|it| (*it).to_owned()).collect(),
            policy_mode: if id == 1 { PolicyMode::Shadow } else { PolicyMode::Enforced },
        };
        TenantSpec {
            id: TenantId(id),
            name: format!("t{id}"),
            insforge: Some(insforge),
            ..TenantSpec::default()
        }
    }

    fn token(id: u32, claims: &str) -> String {
        sign_user(claims, &secret(id))
    }

    /// The tenant's number and the role, or what the client reads.
    fn seen(found: Result<(TenantId, Identity), BadCredential>) -> Result<(u32, Role), String> {
        found.map(|(id, who)| (id.0, who.role())).map_err(|it| it.to_string())
    }

    #[test]
    fn a_key_names_its_tenant_and_any_other_is_told_so() {
        let mut one = spec(1, &[]);
        one.hashed_keys = vec![
            (KeyKind::InsforgeApi, hash_key(&PEPPER, "ik_old")),
            (KeyKind::InsforgeAnon, hash_key(&PEPPER, "anon_old")),
        ];
        one.project_key = Some("ik_project".into());
        let tenants = Tenants::new(&[one, spec(2, &[])], PEPPER);
        let check = |offered: Credential<'_>, expected: Result<(u32, Role), &str>| {
            let found = tenants.identify(offered, "localhost", NOW_S, &Limits::default());
            assert_eq!(seen(found), expected.map_err(str::to_owned), "{offered:?}");
        };
        check(Credential::of_token("ik_1"), Ok((1, Role::ProjectAdmin)));
        check(Credential::ApiKey("ik_2"), Ok((2, Role::ProjectAdmin)));
        check(Credential::of_token("ik_old"), Ok((1, Role::ProjectAdmin)));
        check(Credential::of_token("anon_2"), Ok((2, Role::Anon)));
        check(Credential::of_token("anon_old"), Ok((1, Role::Anon)));
        check(Credential::of_token(""), Err("No authentication provided"));
        for wrong in ["ik_", "ik_12", "ik_3", "ik_project", "anon_1", "what", ""] {
            check(Credential::ApiKey(wrong), Err("Invalid API key"));
        }
        for wrong in ["anon_", "anon_3", "anon_11", "anon_Old"] {
            check(Credential::of_token(wrong), Err("Invalid anon key"));
        }
        assert_eq!(tenants.anon_key(TenantId(2)), Some("anon_2"));
        assert_eq!(tenants.anon_key(TenantId(3)), None);
        assert_eq!(tenants.policy_mode(TenantId(1)), PolicyMode::Shadow);
        assert_eq!(tenants.policy_mode(TenantId(3)), PolicyMode::Enforced);
    }

    #[test]
    fn a_token_is_of_the_tenant_whose_host_it_comes_to() {
        let check = |specs: &[TenantSpec], host: &str, of: u32, expected: Option<u32>| {
            let tenants = Tenants::new(specs, PEPPER);
            let offered = token(of, r#"{"sub":"ada"}"#);
            let offered = Credential::Token(&offered);
            let found = tenants.identify(offered, host, NOW_S, &Limits::default());
            let expected = expected.map(|id| (id, Role::Authenticated));
            assert_eq!(
                seen(found),
                expected.ok_or_else(|| "Invalid token".to_owned()),
                "{host} {of}"
            );
        };
        let alone = [TenantSpec::default(), spec(1, &["a.example"])];
        check(&alone, "a.example", 1, Some(1));
        check(&alone, "127.0.0.1:8080", 1, Some(1));
        check(&alone, "", 1, Some(1));
        let mixed = [spec(1, &["a.example", "[::1]"]), spec(2, &[]), spec(3, &["c.example"])];
        check(&mixed, "A.example.:443", 1, Some(1));
        check(&mixed, "[::1]:8080", 1, Some(1));
        check(&mixed, "c.example", 3, Some(3));
        check(&mixed, "c.example", 1, None);
        check(&mixed, "localhost", 2, Some(2));
        check(&mixed, "localhost", 1, None);
        let nameless = [spec(2, &[]), spec(1, &[])];
        check(&nameless, "localhost", 1, Some(1));
        check(&nameless, "localhost", 2, None);
        let named = [spec(1, &["a.example"]), spec(2, &["b.example"])];
        check(&named, "localhost", 1, None);
        check(&named, "b.example", 2, Some(2));
        check(&[TenantSpec::default()], "localhost", 1, None);
    }

    #[test]
    fn the_calls_are_for_administrators() {
        let tenants = Tenants::new(&[spec(1, &[])], PEPPER);
        let check = |offered: &str, expected: Result<(u32, Role), &str>| {
            let offered = Credential::of_token(offered);
            let found = tenants.identify_admin(offered, "localhost", NOW_S, &Limits::default());
            assert_eq!(seen(found), expected.map_err(str::to_owned), "{offered:?}");
        };
        check("ik_1", Ok((1, Role::ProjectAdmin)));
        check("ik_2", Err("Invalid API key"));
        check("", Err("No authentication provided"));
        check("anon_1", Err("Invalid token"));
        check("anon_2", Err("Invalid token"));
        check("x", Err("Invalid token"));
        check(&token(1, r#"{"sub":"a"}"#), Err("Admin access required"));
        let admin = token(1, r#"{"sub":"a","role":"project_admin"}"#);
        check(&admin, Ok((1, Role::ProjectAdmin)));
        check(&token(1, r#"{"sub":"a","exp":1}"#), Err("Invalid token"));
        check(&token(1, "{}"), Err("Invalid token subject"));
    }

    #[test]
    fn a_host_is_known_by_its_name() {
        for (host, name) in [
            ("a.example", "a.example"),
            ("A.Example:8080", "a.example"),
            ("a.example.", "a.example"),
            ("127.0.0.1:1", "127.0.0.1"),
            ("[::1]", "[::1]"),
            ("[::A]:80", "[::a]"),
            ("", ""),
            (":80", ""),
            ("é:1", "é"),
        ] {
            assert_eq!(host_name(host), name, "{host}");
        }
    }
}
