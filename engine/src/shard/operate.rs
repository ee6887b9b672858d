//! What the operator asks of the node: calls without a connection, answered through
//! [`Effects::operated`](super::effects::Effects::operated).

use std::sync::Arc;

use protocol::dialect::insforge::rest::body_permissions;
use protocol::policy::Policies;
use storage::{Draft, Publication, SenderKind};

use super::Shard;
use super::answers::Reply;
use super::claiming::Claim;
use super::cohesivity::enforced;
use super::effects::Effects;
use super::input::Keep;
use super::publishing::{Answering, Publishing};
use super::steps::{For, Work, seat_answer};
use crate::control::{
    Acted, Came, ClaimKey, Enforce, Operate, Operation, OperatorMessage, Placed, ROWS_PER_COMMIT,
    RequestHash, SeatAnswer, SeatOp, Spend,
};
use crate::ids::{CallId, ChannelKey, Epoch, MessageId};

/// What an operation does next.
#[derive(Debug)]
pub(super) enum Operating {
    /// Begin.
    Start(Operate),
    /// The seat's answer is the answer.
    Seat,
    /// The seat has decided: then every shard is told.
    Decided(Enforce),
    /// The seat has changed the rules: then every shard says when it has heard of it.
    Ruled,
    /// The seat has deleted a channel: then its messages go.
    Deleted(Arc<ChannelKey>),
    /// The messages of a tenant are gone: then its seat forgets it, a part at a time.
    Forgotten,
    /// Every shard has acted.
    Acted,
}

impl Shard {
    pub(super) fn on_operation(&mut self, operation: Operation, effects: &mut Effects) {
        let Operation { number, tenant, claim, what } = operation;
        let call = match self.begin_for(For::Operator(number), tenant) {
            Ok(call) => call,
            Err(why) => return effects.operated.push((number, Err(why))),
        };
        match (what, claim) {
            (Operate::Publish(messages, items), claim) => {
                self.operate_publish(call, &messages, (claim, items), effects);
            }
            (what, None) => self.operate(call, what, effects),
            (what, Some((key, request))) => {
                let first = Work::Operating(Operating::Start(what));
                let claim = Claim { key, request };
                self.claim(call, (claim, Spend::default()), first, effects);
            }
        }
    }

    fn operate(&mut self, call: CallId, what: Operate, effects: &mut Effects) {
        let Some(tenant) = self.tenant_of(call) else { return };
        match what {
            Operate::Seat(op) => {
                self.ask_seat(call, op, Work::Operating(Operating::Seat), effects);
            }
            Operate::Revoke(token, until_s) => {
                let order = Enforce::Revoke { tenant, token, until_s };
                let then = Work::Operating(Operating::Decided(order));
                self.ask_seat(call, SeatOp::Revoke { token, until_s }, then, effects);
            }
            Operate::Rules(op) => {
                let then = Work::Operating(Operating::Ruled);
                self.ask_seat(call, SeatOp::Rules(op), then, effects);
            }
            Operate::DeleteChannel(name) => {
                let then = Operating::Deleted(self.channel_key(tenant, &name));
                let then = Work::Operating(then);
                self.ask_seat(call, SeatOp::DeleteChannel(name), then, effects);
            }
            Operate::Disconnect(member, channel) => {
                let order = Enforce::Disconnect { tenant, member, channel };
                self.enforce(call, &order, Work::Operating(Operating::Acted), effects);
            }
            Operate::Tenants(tenants) => {
                let order = Enforce::Tenants(tenants);
                self.enforce(call, &order, Work::Operating(Operating::Acted), effects);
            }
            Operate::Forget => {
                let then = Box::new(Work::Operating(Operating::Forgotten));
                self.arrive(call, Enforce::DropTenant(tenant), then, effects);
            }
            Operate::IsRevoked(token) => {
                let is_revoked = self.revoked.contains(tenant, token);
                self.finish(call, Ok(reply(Acted(is_revoked.into()))), effects);
            }
            Operate::Policies => {
                let rules = self.rules.of(tenant);
                let reply = match rules {
                    Some(rules) => Reply::data(|out| body_permissions(out, rules.policies())),
                    None => Reply::data(|out| body_permissions(out, &Policies::default())),
                };
                self.finish(call, Ok(reply), effects);
            }
            Operate::Publish(messages, items) => {
                self.operate_publish(call, &messages, (None, items), effects);
            }
        }
    }

    pub(super) fn go_on_operating(
        &mut self,
        call: CallId,
        work: Operating,
        came: Vec<Came>,
        effects: &mut Effects,
    ) {
        match work {
            Operating::Start(what) => self.operate(call, what, effects),
            Operating::Acted => {
                let result = enforced(came).map(|done| reply(Acted(done.count)));
                self.finish(call, result, effects);
            }
            Operating::Seat => {
                let result = seat_answer(came).map(|it| reply_of(&it));
                self.finish(call, result, effects);
            }
            Operating::Ruled => match seat_answer(came) {
                Ok(SeatAnswer::Ruling(ruling)) => {
                    let then = Work::Operating(Operating::Acted);
                    self.enforce(call, &Enforce::Rules(ruling), then, effects);
                }
                Ok(answer) => self.finish(call, Ok(reply_of(&answer)), effects),
                Err(why) => self.finish(call, Err(why), effects),
            },
            Operating::Deleted(channel) => match seat_answer(came) {
                Ok(_) => {
                    let close = Enforce::CloseChannel(Arc::clone(&channel));
                    let then = Work::Operating(Operating::Acted);
                    self.let_go(call, (&close, Enforce::DropChannel(channel)), then, effects);
                }
                Err(why) => self.finish(call, Err(why), effects),
            },
            Operating::Forgotten => self.forget_seat(call, &came, effects),
            Operating::Decided(order) => match seat_answer(came) {
                Ok(_) => self.enforce(call, &order, Work::Operating(Operating::Acted), effects),
                Err(why) => self.finish(call, Err(why), effects),
            },
        }
    }

    /// Its seat forgets a tenant that is gone: a part of its rows with each commit.
    fn forget_seat(&mut self, call: CallId, came: &[Came], effects: &mut Effects) {
        let failed = came.iter().find_map(|it| match it {
            Came::Seat(Err(why)) | Came::Enforced(Err(why)) => Some(why.clone()),
            Came::Seat(Ok(_))
            | Came::Enforced(Ok(_))
            | Came::Side(_)
            | Came::Published(_)
            | Came::Peeked(_) => None,
        });
        let is_over = came.iter().any(|it| matches!(it, Came::Seat(Ok(SeatAnswer::Forgotten))));
        match failed {
            Some(why) => self.finish(call, Err(why), effects),
            None if is_over => self.finish(call, Ok(reply(Acted(1))), effects),
            None => {
                let op = SeatOp::Forget { rows_max: ROWS_PER_COMMIT };
                self.ask_seat(call, op, Work::Operating(Operating::Forgotten), effects);
            }
        }
    }

    fn operate_publish(
        &mut self,
        call: CallId,
        messages: &[OperatorMessage],
        (claim, items): (Option<(ClaimKey, RequestHash)>, Box<[ClaimKey]>),
        effects: &mut Effects,
    ) {
        let Some(tenant) = self.tenant_of(call) else { return };
        let idempotency = |place: usize| {
            let (_, RequestHash(request)) = claim?;
            let ClaimKey(key) = items.get(place)?;
            Some((u128::from(*key) << 64) | u128::from(request))
        };
        let publications = messages.iter().enumerate().map(|(place, message)| {
            let channel = self.channel_key(tenant, &message.channel);
            keyed(&channel, message, idempotency(place))
        });
        let publications = publications.map(|it| (it, Keep::Persist)).collect();
        let mut work = Publishing::new(publications, Answering::Operator);
        work.claim = claim.map(|(key, request)| (Claim { key, request }, items));
        self.publish_by(call, Box::new(work), effects);
    }
}

/// A publication without a place that carries the hash of its idempotency key.
fn keyed(
    channel: &Arc<ChannelKey>,
    message: &OperatorMessage,
    idempotency: Option<u128>,
) -> Arc<Publication> {
    Arc::new(Publication::new(&Draft {
        channel,
        epoch: Epoch(0),
        offset: None,
        id: MessageId(0),
        at_ms: 0,
        sender: "",
        sender_kind: SenderKind::System,
        event: &message.event,
        payload: &message.data,
        idempotency,
    }))
}

fn reply(acted: Acted) -> Reply {
    json(acted.text())
}

/// Names and numbers of ours need no escapes.
fn json(text: String) -> Reply {
    Reply::data(|out| *out = text.into_bytes())
}

fn reply_of(answer: &SeatAnswer) -> Reply {
    match answer {
        SeatAnswer::Channel(channel) => json(format!("{{\"id\":\"{:032x}\"}}", channel.id.0)),
        SeatAnswer::Channels(page) => reply(Acted(page.channels.len() as u64)),
        SeatAnswer::PatternTaken => json("{\"taken\":1}".to_owned()),
        SeatAnswer::Provisioning { .. }
        | SeatAnswer::Deleted(_)
        | SeatAnswer::Revoked
        | SeatAnswer::Fresh(_)
        | SeatAnswer::Answered(_)
        | SeatAnswer::Published(_)
        | SeatAnswer::Settled
        | SeatAnswer::Granted
        | SeatAnswer::Ruling(_)
        | SeatAnswer::Forgetting
        | SeatAnswer::Forgotten => reply(Acted(1)),
    }
}

/// The ids of what was published, in the order of the batch.
pub(super) fn published(all: &[Placed]) -> Reply {
    let ids: Vec<_> = all.iter().map(|it| format!("\"{:032x}\"", it.id.0)).collect();
    json(format!("{{\"ids\":[{}]}}", ids.join(",")))
}
