//! Publishing over HTTP: one message, or many that are taken together or not at all.

use std::sync::Arc;

use protocol::dialect::MessageView;
use protocol::dialect::infrai::{self, Operation};
use protocol::{ChannelPublish, Rejection, auth};

use super::super::Shard;
use super::super::answers::{Reply, Shape};
use super::super::calls::{Body, keep, keyed};
use super::super::claiming::Claim;
use super::super::effects::Effects;
use super::super::input::{ReplyTo, Request};
use super::super::publishing::{self, Publishing};
use super::Asked;
use super::deeds::first_64;
use crate::control::{ClaimKey, Placed, Priced, Spend};
use crate::ids::{ChannelKey, ChannelRef, ConnId};

/// What is answered once messages are published.
#[derive(Debug)]
pub(in crate::shard) enum Answering {
    /// Where one is.
    One(Arc<ChannelKey>),
    /// Where each of a batch is.
    Batch,
}

impl Answering {
    /// The answer.
    pub(in crate::shard) fn reply(&self, placed: &[Placed]) -> Reply {
        match (self, placed) {
            (Self::One(channel), [placed]) => Reply::data(|out| {
                let message = MessageView {
                    id: placed.id.0,
                    channel: channel.name(),
                    event: "",
                    data: b"",
                    sender: None,
                    at_ms: placed.at_ms,
                    offset: placed.offset.map(|it| it.0),
                };
                infrai::data_published(out, &message);
            }),
            (Self::One(_) | Self::Batch, _) => {
                let ids = placed.iter().map(|it| it.id.0);
                Reply::data(|out| infrai::data_published_batch(out, ids))
            }
        }
    }
}

impl Shard {
    /// Nothing but the message itself for the one channel that is known, without a key and with nobody in front who is yet to
    /// publish: no call, no trip but that to its home.
    pub(super) fn perform_publish(
        &mut self,
        conn: ConnId,
        asked: &Asked,
        body: &mut Body<'_>,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        let limits = self.limits.wire.clone();
        let shape = body.shape;
        let one = infrai::decode_publish(body.bytes, &limits)?;
        let key = infrai::one_idempotency_key(asked.key.as_deref(), one.idempotency_key)?;
        self.pace_publishes(conn, 1, one.publish.publish.data.len())?;
        let channel = self.channel_key(asked.tenant, one.publish.channel.as_str());
        let is_metered = self.tenants.plan(asked.tenant).is_metered();
        let is_known = self.known.get(&channel).is_some();
        let is_alone = !self.calls.lines.has(conn);
        let Some(http) = self.http(conn) else { return Ok(()) };
        if key.is_none() && is_known && !is_metered && is_alone {
            let keep = keep(one.publish.publish.keep, !http.tickets.is_empty());
            let publication = keyed(&channel, &one.publish.publish, None);
            let ticket = http.tickets.wait(shape.asked());
            let reply = ReplyTo { conn, ticket };
            self.request(&channel, Request::Publish(publication, keep, reply), effects);
            return Ok(());
        }
        let claim = key.map(|key| self.claim_of(asked, key)).transpose()?;
        let messages = [one.publish];
        self.publish_asked((conn, shape), (asked, claim), &messages, effects)
    }

    pub(super) fn perform_batch(
        &mut self,
        conn: ConnId,
        asked: &Asked,
        body: &mut Body<'_>,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        let limits = self.limits.wire.clone();
        let shape = body.shape;
        let batch = infrai::decode_publish_batch(body.bytes, &limits)?;
        let key = infrai::one_idempotency_key(asked.key.as_deref(), batch.idempotency_key)?;
        let claim = key.map(|key| self.claim_of(asked, key)).transpose()?;
        if batch.messages.is_empty() {
            self.say_data(conn, shape, effects, |out| {
                infrai::data_published_batch(out, std::iter::empty());
            });
            return Ok(());
        }
        let bytes = batch.messages.iter().map(|it| it.publish.data.len()).sum();
        self.pace_publishes(conn, batch.messages.len(), bytes)?;
        self.publish_asked((conn, shape), (asked, claim), &batch.messages, effects)
    }

    fn publish_asked(
        &mut self,
        (conn, shape): (ConnId, Shape),
        (asked, claim): (&Asked, Option<Claim>),
        messages: &[ChannelPublish<'_>],
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        let mut publications = Vec::with_capacity(messages.len());
        let mut items = Vec::new();
        let mut enrol: Vec<Arc<ChannelKey>> = Vec::new();
        for (place, it) in messages.iter().enumerate() {
            let name = ChannelRef { tenant: asked.tenant, name: it.channel.as_str() };
            let channel = match self.known.key(&name) {
                Some(channel) => Arc::clone(channel),
                None => self.to_enrol(&name, &mut enrol),
            };
            let item = claim.as_ref().map(|claim| self.item(asked, claim, place));
            let idempotency = item
                .zip(claim.as_ref())
                .map(|(item, claim)| u128::from(item.0) << 64 | u128::from(claim.request.0));
            items.extend(item);
            let keep = keep(it.publish.keep, true);
            publications.push((keyed(&channel, &it.publish, idempotency), keep));
        }
        let answering = match (asked.operation, publications.first()) {
            (Operation::Publish, Some((first, _))) => Answering::One(Arc::clone(first.channel())),
            (_, Some(_) | None) => Answering::Batch,
        };
        let mut work = Publishing::new(publications, publishing::Answering::Infrai(answering));
        work.enrol = enrol;
        work.claim = claim.map(|claim| (claim, items.into()));
        let plan = self.tenants.plan(asked.tenant);
        work.cost_micro_usd = plan.costs.of(Priced::Publish);
        work.entry = plan.is_metered().then(Spend::request);
        let call = self.begin(conn, asked.tenant, shape)?;
        self.calls.lines.join(call, conn);
        self.publish_by(call, Box::new(work), effects);
        Ok(())
    }

    /// A channel that has to be registered first.
    fn to_enrol(&self, name: &ChannelRef<'_>, enrol: &mut Vec<Arc<ChannelKey>>) -> Arc<ChannelKey> {
        if let Some(channel) = enrol.iter().find(|it| it.name() == name.name) {
            return Arc::clone(channel);
        }
        let channel = self.channel_key(name.tenant, name.name);
        enrol.push(Arc::clone(&channel));
        channel
    }

    /// The key of one message of a request with a key.
    fn item(&self, asked: &Asked, claim: &Claim, place: usize) -> ClaimKey {
        let text = format!("message\n{}\n{place}", claim.key.0);
        let claim_key = self.tenants.claim_key(asked.tenant);
        ClaimKey(first_64(auth::hmac_sha256(claim_key, text.as_bytes())))
    }
}
