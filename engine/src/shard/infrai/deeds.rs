//! What calls change: each is paid for by who is metered, claimed by who has an idempotency key, decided by the seat, and done
//! on every shard before the answer.

use std::sync::Arc;

use protocol::dialect::infrai::{self, ChannelView, Deleted, Operation};
use protocol::{ChannelType, Rejection, auth};

use super::super::Shard;
use super::super::answers::{Reply, Shape};
use super::super::calls::Body;
use super::super::claiming::Claim;
use super::super::cohesivity::enforced;
use super::super::effects::Effects;
use super::super::steps::{self, seat_answer};
use super::channels::Looking;
use super::known::Glance;
use super::{Asked, Work};
use crate::control::{
    Bill, Came, ClaimKey, Costs, Enforce, Metered, Priced, Registered, RequestHash, SeatAnswer,
    SeatOp, Spend, TokenId,
};
use crate::ids::{CallId, ChannelKey, ConnId};
use crate::side::VendorAsk;

/// What is to be done.
#[derive(Debug)]
pub(in crate::shard) enum Deed {
    /// Give an answer that was made already.
    Answer(Reply),
    /// Register a channel.
    Create(Arc<ChannelKey>, Option<ChannelType>),
    /// Delete one.
    Delete(Arc<ChannelKey>),
    /// Revoke a token that expires in that second.
    Revoke(TokenId, u64),
    /// Disconnect a client, altogether or from a channel.
    Disconnect(Box<str>, Option<Box<str>>),
    /// Ask a vendor for its signature.
    Ask(Box<VendorAsk>),
    /// Only look.
    Look(Looking),
}

/// How far it is.
#[derive(Debug)]
pub(in crate::shard) enum Doing {
    /// The seat registers.
    Create(Arc<ChannelKey>, Glance),
    /// The seat deletes; then every shard drops it.
    Delete(Arc<ChannelKey>),
    /// Every shard drops it.
    Drop(Arc<ChannelKey>),
    /// The seat revokes; then every shard does.
    Revoke(TokenId, u64),
    /// Every shard revokes.
    Forbid,
    /// Every shard disconnects.
    Disconnect,
    /// The vendor signs.
    Sign,
}

impl Shard {
    /// Does what a call asks for, or begins to.
    pub(super) fn perform_asked(
        &mut self,
        conn: ConnId,
        mut asked: Asked,
        body: &mut Body<'_>,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        if asked.key.is_some() || infrai::may_have_idempotency_key(body.bytes) {
            let claim_key = self.tenants.claim_key(asked.tenant);
            asked.request = Some(auth::hmac_sha256(claim_key, body.bytes));
        }
        match asked.operation {
            Operation::Publish => return self.perform_publish(conn, &asked, body, effects),
            Operation::PublishBatch => return self.perform_batch(conn, &asked, body, effects),
            Operation::EventTypes => {
                self.say_data(conn, body.shape, effects, infrai::data_event_types);
                return Ok(());
            }
            Operation::TokenIssue
            | Operation::TokenRevoke
            | Operation::ChannelCreate
            | Operation::ChannelGet
            | Operation::ChannelList
            | Operation::ChannelDelete
            | Operation::PresenceGet
            | Operation::UserDisconnect
            | Operation::AuthSign => {}
        }
        let shape = body.shape;
        let (deed, key) = self.deed(&asked, body)?;
        let key = infrai::one_idempotency_key(asked.key.as_deref(), key)?;
        let claim = key.map(|key| self.claim_of(&asked, key)).transpose()?;
        self.start((conn, shape), (&asked, claim), deed, effects)
    }

    /// What a call is to do, and the idempotency key in its body.
    fn deed<'b>(
        &mut self,
        asked: &Asked,
        body: &'b mut Body<'_>,
    ) -> Result<(Deed, Option<&'b str>), Rejection> {
        let tenant = asked.tenant;
        let limits = self.limits.wire.clone();
        let path = |it: &Asked| self.channel_key(tenant, it.channel.as_deref().unwrap_or_default());
        let found = match asked.operation {
            Operation::Publish | Operation::PublishBatch | Operation::EventTypes => {
                return Err(Rejection::Internal);
            }
            Operation::ChannelGet => (Deed::Look(Looking::Find(path(asked))), None),
            Operation::PresenceGet => (Deed::Look(Looking::Presence(path(asked))), None),
            Operation::ChannelList => {
                let page = asked.page.as_ref().ok_or(Rejection::Internal)?;
                let after = page.after().map(Box::from);
                (Deed::Look(Looking::List(after, page.limit)), None)
            }
            Operation::ChannelDelete => {
                let key = infrai::decode_channel_delete(body.bytes, &limits)?;
                (Deed::Delete(path(asked)), key)
            }
            Operation::ChannelCreate => {
                let create = infrai::decode_channel_create(body.bytes, &limits)?;
                let channel = self.channel_key(tenant, create.name.as_str());
                let kind = create.channel_type;
                (Deed::Create(channel, kind), create.idempotency_key)
            }
            Operation::UserDisconnect => {
                let asked = infrai::decode_user_disconnect(body.bytes, &limits)?;
                let channel = asked.channel.map(|it| it.as_str().into());
                (Deed::Disconnect(asked.client_id.into(), channel), asked.idempotency_key)
            }
            Operation::TokenRevoke => {
                let revoke = infrai::decode_token_revoke(body.bytes, &limits)?;
                let (token, until_s) = self.revocable(tenant, revoke.token)?;
                (Deed::Revoke(token, until_s), revoke.idempotency_key)
            }
            Operation::TokenIssue => {
                let issue = infrai::decode_token_issue(body.bytes, &limits)?;
                let endpoint = asked.endpoint.as_deref().unwrap_or_default();
                let reply = self.issue(tenant, &issue, endpoint)?;
                (Deed::Answer(reply), issue.idempotency_key)
            }
            Operation::AuthSign => {
                let sign = infrai::decode_auth_sign(body.bytes, &limits)?;
                (self.sign(tenant, &sign)?, sign.idempotency_key)
            }
        };
        Ok(found)
    }

    /// Names an idempotency key and the request that came with it, so that nobody can make two of them meet.
    pub(super) fn claim_of(&self, asked: &Asked, key: &str) -> Result<Claim, Rejection> {
        let claim_key = self.tenants.claim_key(asked.tenant);
        let path = asked.channel.as_deref().unwrap_or_default();
        let scope = format!("idempotency\n{}\n{key}", asked.operation.id());
        let request = asked.request.as_ref().ok_or(Rejection::Internal)?;
        let request = [request, path.as_bytes()].concat();
        Ok(Claim {
            key: ClaimKey(first_64(auth::hmac_sha256(claim_key, scope.as_bytes()))),
            request: RequestHash(first_64(auth::hmac_sha256(claim_key, &request))),
        })
    }

    fn start(
        &mut self,
        (conn, shape): (ConnId, Shape),
        (asked, claim): (&Asked, Option<Claim>),
        deed: Deed,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        let call = self.begin(conn, asked.tenant, shape)?;
        let plan = self.tenants.plan(asked.tenant);
        let entry = plan.is_metered().then(Spend::request);
        let (bill, cost) = price(&plan.costs, asked.operation);
        let bill = Spend { bill, ..Spend::default() };
        match claim {
            // Whoever has the key pays; a retry of what was answered costs nothing.
            Some(claim) => {
                let first = Work::Buy(Box::new(deed), entry.map(|_| bill), cost);
                let claim = (claim, entry.unwrap_or_default());
                self.claim(call, claim, steps::Work::Infrai(first), effects);
            }
            None => self.buy_deed(call, (deed, cost), entry.map(|it| it.and(bill)), effects),
        }
        Ok(())
    }

    /// Does a deed that costs so much, once its tenant's seat has counted what it takes.
    pub(super) fn buy_deed(
        &mut self,
        call: CallId,
        (deed, cost): (Deed, u32),
        spend: Option<Spend>,
        effects: &mut Effects,
    ) {
        match spend.filter(|it| *it != Spend::default()) {
            Some(spend) => {
                let then = steps::Work::Infrai(Work::Paid(Box::new(deed), cost));
                self.ask_seat(call, SeatOp::Spend(spend), then, effects);
            }
            None => self.do_paid(call, deed, cost, effects),
        }
    }

    pub(super) fn do_paid(&mut self, call: CallId, deed: Deed, cost: u32, effects: &mut Effects) {
        self.calls.price(call, cost);
        self.do_deed(call, deed, effects);
    }

    pub(super) fn do_deed(&mut self, call: CallId, deed: Deed, effects: &mut Effects) {
        let Some(tenant) = self.tenant_of(call) else { return };
        let doing = |it| steps::Work::Infrai(Work::Doing(it));
        match deed {
            Deed::Answer(reply) => self.finish(call, Ok(reply), effects),
            Deed::Create(channel, kind) => {
                let id = self.ids.next(self.now.wall_ms);
                let op = SeatOp::CreateChannel { name: channel.name().into(), kind, id };
                let then = Doing::Create(channel, self.known.glance());
                self.ask_seat(call, op, doing(then), effects);
            }
            Deed::Delete(channel) => {
                let op = SeatOp::DeleteChannel(channel.name().into());
                self.ask_seat(call, op, doing(Doing::Delete(channel)), effects);
            }
            Deed::Revoke(token, until_s) => {
                let op = SeatOp::Revoke { token, until_s };
                self.ask_seat(call, op, doing(Doing::Revoke(token, until_s)), effects);
            }
            Deed::Disconnect(member, channel) => {
                let order = Enforce::Disconnect { tenant, member, channel };
                self.enforce(call, &order, doing(Doing::Disconnect), effects);
            }
            Deed::Ask(ask) => {
                if let Err(why) = self.ask_vendor(call, *ask, doing(Doing::Sign)) {
                    self.finish(call, Err(why), effects);
                }
            }
            Deed::Look(looking) => self.look_up(call, looking, effects),
        }
    }

    pub(super) fn go_on_doing(
        &mut self,
        call: CallId,
        work: Doing,
        came: Vec<Came>,
        effects: &mut Effects,
    ) {
        let result = match work {
            Doing::Create(channel, glance) => match seat_answer(came) {
                Ok(SeatAnswer::Channel(found)) => {
                    self.known.learn(&channel, found, glance);
                    Ok(described(&channel, found))
                }
                Ok(_) => Err(Rejection::Internal),
                Err(why) => Err(why),
            },
            Doing::Delete(channel) => match seat_answer(came) {
                Ok(SeatAnswer::Deleted(Some(_))) => {
                    let close = Enforce::CloseChannel(Arc::clone(&channel));
                    let drop = Enforce::DropChannel(Arc::clone(&channel));
                    let then = steps::Work::Infrai(Work::Doing(Doing::Drop(channel)));
                    return self.let_go(call, (&close, drop), then, effects);
                }
                Ok(SeatAnswer::Deleted(None)) => Ok(deleted(&channel, Deleted::NotFound)),
                Ok(_) => Err(Rejection::Internal),
                Err(why) => Err(why),
            },
            Doing::Drop(channel) => enforced(came).map(|_| deleted(&channel, Deleted::Deleted)),
            Doing::Revoke(token, until_s) => match (seat_answer(came), self.tenant_of(call)) {
                (Ok(SeatAnswer::Revoked), Some(tenant)) => {
                    let order = Enforce::Revoke { tenant, token, until_s };
                    let then = steps::Work::Infrai(Work::Doing(Doing::Forbid));
                    return self.enforce(call, &order, then, effects);
                }
                (Ok(_), _) => Err(Rejection::Internal),
                (Err(why), _) => Err(why),
            },
            Doing::Forbid => enforced(came).map(|_| Reply::data(infrai::data_revoked)),
            Doing::Disconnect => enforced(came)
                .map(|done| Reply::data(|out| infrai::data_disconnected(out, done.count))),
            Doing::Sign => self.vendor_signed(came),
        };
        self.finish(call, result, effects);
    }
}

/// A registered channel, as its tenant sees it.
pub(super) fn seen(name: &str, channel: Registered) -> ChannelView<'_> {
    ChannelView {
        id: channel.id.0,
        name,
        channel_type: channel.kind,
        created_at_ms: channel.created_at_ms,
        member_count: None,
        last_published_at_ms: None,
    }
}

fn described(channel: &ChannelKey, found: Registered) -> Reply {
    Reply::data(|out| infrai::data_channel(out, &seen(channel.name(), found)))
}

fn deleted(channel: &ChannelKey, deleted: Deleted) -> Reply {
    Reply::data(|out| infrai::data_channel_deleted(out, channel.name(), deleted))
}

/// What a node says that its calls cost.
pub(super) fn advertised(costs: &Costs) -> Vec<(Operation, u64)> {
    let is_publish = |it| matches!(it, Operation::Publish | Operation::PublishBatch);
    let all = infrai::CAPABILITIES.iter().map(|it| it.operation);
    let cost = |it| if is_publish(it) { costs.of(Priced::Publish) } else { price(costs, it).1 };
    all.map(|it| (it, cost(it).into())).collect()
}

/// What a call takes beside that, what it publishes aside; and what of it is money.
fn price(costs: &Costs, operation: Operation) -> (Bill, u32) {
    let (what, bill) = match operation {
        Operation::TokenIssue => (Priced::TokenIssue, Bill::of(Metered::Mints, 1)),
        Operation::AuthSign => (Priced::AuthSign, Bill::of(Metered::Mints, 1)),
        // A channel that is new is paced where it is registered.
        Operation::ChannelCreate => (Priced::ChannelCreate, Bill::default()),
        Operation::TokenRevoke => (Priced::TokenRevoke, Bill::default()),
        Operation::ChannelGet => (Priced::ChannelGet, Bill::default()),
        Operation::ChannelList => (Priced::ChannelList, Bill::default()),
        Operation::ChannelDelete => (Priced::ChannelDelete, Bill::default()),
        Operation::PresenceGet => (Priced::PresenceGet, Bill::default()),
        Operation::UserDisconnect => (Priced::UserDisconnect, Bill::default()),
        Operation::Publish | Operation::PublishBatch | Operation::EventTypes => {
            return (Bill::default(), 0);
        }
    };
    let cost = costs.of(what);
    (bill.and(Metered::Credit, cost), cost)
}

pub(super) fn first_64(hash: [u8; 32]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = hash;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}
