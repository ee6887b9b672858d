//! Who may call, and who may connect: project keys and client tokens.

use protocol::auth::{self, InfraiClaims};
use protocol::dialect::infrai::{self, IssuedToken, TTL_S_MAX, TokenIssue, TokenOrJti};
use protocol::http::Head;
use protocol::{Permit, Rejection, uuid_text};

use super::super::Shard;
use super::super::answers::{Reply, Shape};
use super::super::effects::Effects;
use super::super::steps;
use super::{Opening, Work};
use crate::control::{SeatOp, Spend, TokenId};
use crate::ids::{ConnId, MessageId, TenantId};
use crate::session::{CredentialKind, Verified};

/// Where clients connect.
const SOCKET_PATH: &str = "/v1/realtime/ws";

impl Shard {
    /// Whose project key a request has.
    pub(super) fn project(&mut self, conn: ConnId, head: &Head<'_>) -> Result<TenantId, Rejection> {
        let key = head.bearer().ok_or(Rejection::CredentialMissing)?;
        let (now_s, generation) = (self.now.wall_ms / 1000, self.tenants_generation);
        let known = self.http(conn).and_then(|it| it.verified());
        let offered = (CredentialKind::Project, key);
        if let Some(tenant) = known.and_then(|it| it.tenant_of(offered, now_s, generation)) {
            return self.admit_page(tenant, head).map(|()| tenant);
        }
        let tenant = self.tenants.of_project_key(key).ok_or(Rejection::CredentialInvalid)?;
        if let Some(http) = self.http(conn) {
            http.verify(Verified::key(CredentialKind::Project, key, tenant, generation));
        }
        self.admit_page(tenant, head).map(|()| tenant)
    }

    /// What a client's token says, if it opens a connection now.
    pub(super) fn infrai_claims(&self, token: &str) -> Result<InfraiClaims, Rejection> {
        let limits = &self.limits.wire;
        let invalid = |_| Rejection::CredentialInvalid;
        let name = auth::peek_infrai_tenant(token, limits).map_err(invalid)?;
        let tenant = self.tenants.of_name(&name).ok_or(Rejection::CredentialInvalid)?;
        let now_s = self.now.wall_ms / 1000;
        let verify = |key: &[u8]| auth::verify_infrai(token, key, now_s, limits);
        self.tenants.verify(tenant, verify).map_err(invalid)
    }

    pub(super) fn is_revoked(&self, tenant: TenantId, token: TokenId) -> bool {
        self.revoked.contains(tenant, token)
    }

    /// Makes a token for a client.
    pub(super) fn issue(
        &mut self,
        tenant: TenantId,
        asked: &TokenIssue<'_>,
        endpoint: &str,
    ) -> Result<Reply, Rejection> {
        let MessageId(jti) = self.ids.next(self.now.wall_ms);
        let issued_at_s = self.now.wall_ms / 1000;
        let client_id = match asked.client_id {
            Some(client_id) => client_id.to_owned(),
            None => format!("anon_{}", uuid_text(self.ids.next(self.now.wall_ms).0)),
        };
        let names = asked.channels.as_ref();
        let channels = names.map(|all| all.iter().map(|it| it.as_str().into()).collect());
        let claims = InfraiClaims {
            jti,
            tenant: self.tenants.name(tenant).to_owned(),
            client_id,
            user_id: asked.user_id.map(str::to_owned),
            permit: Permit { capabilities: asked.capabilities, channels },
            issued_at_s,
            expires_at_s: issued_at_s + u64::from(asked.ttl_s),
        };
        let signing_key = self.tenants.signing_key(tenant);
        let token = auth::sign_infrai(&claims, signing_key, &self.limits.wire)?;
        let issued = IssuedToken {
            token: &token,
            jti,
            client_id: &claims.client_id,
            channels: claims.permit.channels.as_ref().map(|all| all.iter().map(|it| &**it)),
            capabilities: asked.capabilities,
            expires_at_ms: claims.expires_at_s * 1000,
            endpoint,
        };
        Ok(Reply::data(|out| infrai::data_token(out, issued)))
    }

    /// Which token is to be revoked, and the second in which it expires.
    pub(super) fn revocable(
        &self,
        tenant: TenantId,
        token: TokenOrJti<'_>,
    ) -> Result<(TokenId, u64), Rejection> {
        let expected = "a token of this project, or its jti";
        let foreign = || Rejection::WrongType { field: "token_or_jti", expected };
        match token {
            // It expires no later than a token that is made now.
            TokenOrJti::Jti(jti) => {
                Ok((TokenId(jti), self.now.wall_ms / 1000 + u64::from(TTL_S_MAX) + 60))
            }
            TokenOrJti::Token(token) => {
                let open = |key: &[u8]| auth::open_infrai(token, key, &self.limits.wire);
                let claims = self.tenants.verify(tenant, open).map_err(|_| foreign())?;
                if claims.tenant != self.tenants.name(tenant) {
                    return Err(foreign());
                }
                Ok((TokenId(claims.jti), claims.expires_at_s))
            }
        }
    }

    /// Opens a client's socket, once it is counted.
    pub(super) fn upgrade_infrai(
        &mut self,
        conn: ConnId,
        shape: Shape,
        opening: Opening,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        if !self.tenants.plan(opening.tenant()).is_metered() {
            return self.open_infrai(conn, opening);
        }
        if self.http(conn).is_some_and(|it| !it.tickets.is_empty()) {
            return Err(Rejection::UpgradeRequired);
        }
        let op = SeatOp::Spend(Spend::upgrade());
        let call = self.begin(conn, opening.tenant(), shape)?;
        let then = steps::Work::Infrai(Work::Upgrade(Box::new(opening)));
        self.ask_seat(call, op, then, effects);
        Ok(())
    }
}

/// Where the client's WebSocket is, by the name under which the server was called.
pub(super) fn endpoint(head: &Head<'_>) -> String {
    let scheme = match head.header("x-forwarded-proto") {
        Some(proto) if proto.eq_ignore_ascii_case("https") => "wss",
        Some(_) | None => "ws",
    };
    match head.header("host") {
        Some(host) => format!("{scheme}://{host}{SOCKET_PATH}"),
        None => SOCKET_PATH.to_owned(),
    }
}
