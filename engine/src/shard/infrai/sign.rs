//! The signatures of vendors: made here, or by the vendor itself, who is asked beside the cores.

use protocol::auth::vendor::{self, LiveblocksCall, SignAsk, Signed, Vendor, VendorToken};
use protocol::dialect::infrai::AuthSign;
use protocol::{Rejection, auth};

use super::super::Shard;
use super::super::answers::Reply;
use super::deeds::{Deed, first_64};
use crate::control::Came;
use crate::ids::{MessageId, TenantId};
use crate::side::VendorAsk;

impl Shard {
    /// What is to be done for a signature.
    pub(super) fn sign(
        &mut self,
        tenant: TenantId,
        asked: &AuthSign<'_>,
    ) -> Result<Deed, Rejection> {
        let MessageId(id) = self.ids.next(self.now.wall_ms);
        let signing_key = self.tenants.signing_key(tenant);
        let keys = self.tenants.vendors(tenant);
        let channels: Vec<_> = asked.channels.iter().map(|it| it.as_str()).collect();
        let ask = SignAsk {
            client_id: asked.client_id,
            channels: &channels,
            capabilities: asked.capabilities,
            vendor: asked.vendor,
            life_s: Some(asked.ttl_s.into()),
            socket_id: asked.socket_id,
            channel_data: asked.channel_data.map(str_of).transpose()?,
            user_data: asked.user_data.map(str_of).transpose()?,
        };
        // An id has few random bits: what it is hashed with has enough.
        let nonce = u128::from(first_64(auth::hmac_sha256(signing_key, &id.to_be_bytes())));
        let nonce = id ^ (nonce << 64) ^ nonce;
        match vendor::sign(&ask, keys, self.now.wall_ms, nonce, &self.limits.wire)? {
            Signed::Token(token) => Ok(Deed::Answer(signed(&token))),
            Signed::Call(call) => self.vendor_ask(tenant, call).map(|it| Deed::Ask(Box::new(it))),
        }
    }

    fn vendor_ask(&self, tenant: TenantId, call: LiveblocksCall) -> Result<VendorAsk, Rejection> {
        let vendor = Vendor::Liveblocks.name();
        let key = self.tenants.vendors(tenant).liveblocks.as_ref();
        let key = key.ok_or(Rejection::VendorNotConfigured { vendor })?;
        let url = format!("{}{}", self.tenants.liveblocks_base_url(tenant), call.path);
        Ok(VendorAsk { vendor, url, authorization: key.authorization(), body: call.body })
    }

    /// The vendor has answered, or there is no answer.
    pub(super) fn vendor_signed(&self, came: Vec<Came>) -> Result<Reply, Rejection> {
        match came.into_iter().next() {
            Some(Came::Side(answer)) => {
                let answer = answer?;
                vendor::read_answer(answer.status, &answer.body, &self.limits.wire)
                    .map(|token| signed(&token))
            }
            Some(_) | None => Err(Rejection::Internal),
        }
    }
}

fn signed(token: &VendorToken) -> Reply {
    Reply::data(|out| out.extend_from_slice(&token.to_json()))
}

fn str_of(json: &[u8]) -> Result<&str, Rejection> {
    std::str::from_utf8(json).map_err(|_| Rejection::InvalidJson)
}
