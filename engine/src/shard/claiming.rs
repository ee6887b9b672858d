//! Idempotency around any call: the key is claimed, the call does its work, and its answer is kept before it leaves. Whoever
//! comes with the key again gets that answer. A call that publishes keeps no answer: see `publishing.rs`.

use protocol::Rejection;

use super::Shard;
use super::answers::Reply;
use super::effects::Effects;
use super::steps::{Work, seat_answer};
use crate::control::{Came, ClaimKey, RequestHash, SeatAnswer, SeatOp, Spend};
use crate::ids::CallId;

/// An idempotency key and the request that came with it, hashed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Claim {
    pub key: ClaimKey,
    pub request: RequestHash,
}

/// What a call with a key does next.
#[derive(Debug)]
pub(super) enum Claiming {
    /// The seat says whether the key is free. If it is, this is the call's own first step; it is done with nothing that came.
    Asked(Claim, Box<Work>),
    /// The seat keeps this answer.
    Kept(Claim, Reply),
}

impl Shard {
    /// Claims a key for a call, which takes `entry` whatever comes of it. Once the key is the call's, `first` is done, and
    /// [`Shard::finish`] keeps the answer.
    pub(super) fn claim(
        &mut self,
        call: CallId,
        (claim, entry): (Claim, Spend),
        first: Work,
        effects: &mut Effects,
    ) {
        let Claim { key, request } = claim;
        let op = SeatOp::Claim { key, request, items: Box::default(), entry };
        let then = Work::Claiming(Claiming::Asked(claim, Box::new(first)));
        self.ask_seat(call, op, then, effects);
    }

    pub(super) fn go_on_claiming(
        &mut self,
        call: CallId,
        work: Claiming,
        came: Vec<Came>,
        effects: &mut Effects,
    ) {
        match (work, seat_answer(came)) {
            (Claiming::Asked(claim, first), Ok(SeatAnswer::Fresh(_))) => {
                self.calls.hold(call, claim);
                self.calls.wait(call, 0, *first);
            }
            (Claiming::Asked(..), Ok(SeatAnswer::Answered(body))) => {
                self.finish(call, Ok(Reply::stored(body.into_vec())), effects);
            }
            (Claiming::Kept(_, reply), Ok(_)) => self.finish(call, Ok(reply), effects),
            (Claiming::Kept(claim, _), Err(why)) => {
                self.abandon_claim(call, &claim, effects);
                self.finish(call, Err(why), effects);
            }
            (Claiming::Asked(..), Ok(_)) => self.finish(call, Err(Rejection::Internal), effects),
            (Claiming::Asked(..), Err(why)) => self.finish(call, Err(why), effects),
        }
    }

    pub(super) fn settle_claim(
        &mut self,
        call: CallId,
        claim: Claim,
        reply: Reply,
        effects: &mut Effects,
    ) {
        let Claim { key, request } = claim;
        let op = SeatOp::Settle { key, request, answer: reply.body.as_slice().into() };
        let then = Work::Claiming(Claiming::Kept(claim, reply));
        self.ask_seat(call, op, then, effects);
    }

    pub(super) fn abandon_claim(&mut self, call: CallId, claim: &Claim, effects: &mut Effects) {
        if let Some(tenant) = self.tenant_of(call) {
            self.tell_seat(call, tenant, SeatOp::Abandon(claim.key), effects);
        }
    }
}
