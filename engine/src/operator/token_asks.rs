//! Looking at tokens, and revoking them.

use protocol::{Capability, Limits, auth};
use serde_json::{Value, json};

use super::roster::{Roster, text};
use super::{Refused, World};
use crate::control::TokenId;
use crate::tenants::TenantSpec;

/// No token lives longer.
const LIFE_S_MAX: u64 = 86_400;

/// A token whose signature is right.
struct Opened {
    /// What kind of token it is.
    what: &'static str,
    id: Option<TokenId>,
    issued_at_s: Option<u64>,
    expires_at_s: u64,
    /// The rest of what it says.
    claims: Value,
}

impl Roster {
    /// Whose token it says to be, and what it says if that is so.
    fn open(&self, token: &str, now_ms: u64) -> Result<(String, Option<Opened>), Refused> {
        let limits = self.config.limits.for_decoders();
        let name = auth::peek_infrai_tenant(token, &limits);
        let name = name.or_else(|_| auth::peek_tenant(token, &limits));
        let name = name.map_err(|_| Refused::asked("this is no token that a node makes"))?;
        let spec = self.specs(now_ms).into_iter().find(|it| it.name == name);
        let opened = spec.and_then(|spec| {
            let keys = std::iter::once(&spec.signing_key).chain(&spec.signing_keys_before);
            keys.into_iter().find_map(|key| open_with(token, key, &limits))
        });
        Ok((name, opened))
    }

    pub(super) fn inspect(
        &self,
        ask: &Value,
        world: &mut dyn World,
        now_ms: u64,
    ) -> Result<Value, Refused> {
        let (tenant, opened) = self.open(text(ask, "token")?, now_ms)?;
        let Some(it) = opened else {
            return Ok(json!({"state": "forged", "tenant": tenant}));
        };
        let now_s = now_ms / 1000;
        let revoked = match it.id {
            Some(id) => world.is_revoked(self.id_of(&tenant)?, id)?,
            None => false,
        };
        let state = if now_s >= it.expires_at_s {
            "expired"
        } else if revoked {
            "revoked"
        } else if it.issued_at_s.is_some_and(|it| it > now_s + 30) {
            "not yet valid"
        } else {
            "valid"
        };
        Ok(json!({
            "state": state,
            "kind": it.what,
            "tenant": tenant,
            "jti": it.id.map(|it| format!("{:032x}", it.0)),
            "issued_at_s": it.issued_at_s,
            "expires_at_s": it.expires_at_s,
            "claims": it.claims,
        }))
    }

    pub(super) fn revoke(
        &self,
        ask: &Value,
        world: &mut dyn World,
        now_ms: u64,
    ) -> Result<Value, Refused> {
        let token = text(ask, "token")?;
        let (tenant, id, until_s) = match TokenId::parse(token) {
            Some(id) => {
                let tenant = self.only_or(ask.get("tenant").and_then(Value::as_str), now_ms)?;
                (tenant, id, now_ms / 1000 + LIFE_S_MAX)
            }
            None => {
                let (tenant, opened) = self.open(token, now_ms)?;
                let opened = opened.ok_or_else(|| {
                    Refused::asked("this token was not made with the tenant's signing secret")
                })?;
                let id = opened.id.ok_or_else(|| {
                    Refused::asked(
                        "this kind of token has no number to revoke it by; it ends within a minute",
                    )
                })?;
                (tenant, id, opened.expires_at_s)
            }
        };
        world.revoke(self.id_of(&tenant)?, id, until_s)?;
        let jti = format!("{:032x}", id.0);
        Ok(json!({"revoked": true, "tenant": tenant, "jti": jti, "until_s": until_s}))
    }

    pub(super) fn only_or(&self, name: Option<&str>, now_ms: u64) -> Result<String, Refused> {
        let specs = self.specs(now_ms);
        match (name, specs.as_slice()) {
            (Some(name), _) => self.id_of(name).map(|_| name.to_owned()),
            (None, [TenantSpec { name, .. }]) => Ok(name.clone()),
            (None, _) => Err(Refused::asked("there are several tenants: --tenant must name one")),
        }
    }
}

fn open_with(token: &str, key: &[u8], limits: &Limits) -> Option<Opened> {
    if let Ok(it) = auth::open_infrai(token, key, limits) {
        let capabilities: Vec<_> = it.permit.capabilities.iter().map(Capability::name).collect();
        let channels = it.permit.channels.map(<[_]>::into_vec);
        return Some(Opened {
            what: "client token of Infrai",
            id: Some(TokenId(it.jti)),
            issued_at_s: Some(it.issued_at_s),
            expires_at_s: it.expires_at_s,
            claims: json!({
                "client_id": it.client_id,
                "user_id": it.user_id,
                "channels": channels,
                "capabilities": capabilities,
            }),
        });
    }
    if let Ok(it) = auth::open_realtime(token, key, limits) {
        return Some(Opened {
            what: "client token of Cohesivity",
            id: TokenId::parse(&it.token_id),
            issued_at_s: Some(it.issued_at_s),
            expires_at_s: it.expires_at_s,
            claims: json!({"user_id": it.user_id, "user_name": it.user_name}),
        });
    }
    let it = auth::open_edge(token, key, limits).ok()?;
    Some(Opened {
        what: "server session of Cohesivity",
        id: None,
        issued_at_s: None,
        expires_at_s: it.expires_at_s,
        claims: json!({}),
    })
}
