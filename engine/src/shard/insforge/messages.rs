//! Messages that are kept, as administrators see them: listed, counted, and let go. The side threads read them, and the homes of
//! their channels let go of them.

use std::sync::Arc;

use protocol::Rejection;
use protocol::dialect::insforge::rest::{
    self, ListWriter, RestError, body_messages_deleted, body_stats, decode_message_list,
    decode_stats_query,
};
use protocol::http::{Head, Version};

use super::super::Shard;
use super::super::answers::{Reply, Shape};
use super::super::cohesivity::enforced;
use super::super::effects::Effects;
use super::super::steps::{self, seat_answer};
use super::super::streams::Streaming;
use super::Work;
use crate::control::{Came, Enforce, Registration, SeatOp, Spend, TenantRules};
use crate::ids::{CallId, ConnId, MessageId, TenantId};
use crate::side::{ListAsk, Listed};

/// What is asked about messages.
#[derive(Debug)]
pub(in crate::shard) enum Call {
    /// To see or count them.
    List(Listing),
    /// To let them go.
    Delete(TenantId),
}

/// See [`Call::List`].
#[derive(Debug)]
pub(in crate::shard) struct Listing {
    tenant: TenantId,
    version: Version,
    /// Those of this pattern.
    of: Option<MessageId>,
    what: Listed,
}

/// What is done once it is paid for.
#[derive(Debug)]
pub(in crate::shard) enum Paid {
    /// To list or count messages.
    List(Box<Streaming>),
    /// To let those go that were taken up to this time.
    Delete(u64),
}

impl Shard {
    pub(super) fn find_message_list(&self, head: &Head<'_>) -> super::Call {
        let found = self.insforge_admin(head).and_then(|tenant| {
            let asked = decode_message_list(head)?;
            let event = asked.event.map(|it| it.into_owned().into_boxed_str());
            let what = Listed::Messages { event, limit: asked.limit, offset: asked.offset };
            Ok(listing(tenant, head, asked.channel_id, what))
        });
        call(found)
    }

    pub(super) fn find_message_stats(&self, head: &Head<'_>) -> super::Call {
        let found = self.insforge_admin(head).and_then(|tenant| {
            let asked = decode_stats_query(head)?;
            let since_ms = asked.since_ms.unwrap_or_default();
            let retention_days = self.rules.of(tenant).and_then(TenantRules::retention_days);
            let what = Listed::Statistics { since_ms, retention_days };
            Ok(listing(tenant, head, asked.channel_id, what))
        });
        call(found)
    }

    pub(super) fn find_message_delete(&self, head: &Head<'_>) -> super::Call {
        call(self.insforge_admin(head).map(Call::Delete))
    }

    pub(super) fn perform_messages(
        &mut self,
        conn: ConnId,
        call: Call,
        shape: Shape,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        match call {
            Call::List(listing) => self.list_messages(conn, listing, shape, effects),
            Call::Delete(tenant) => {
                let call = self.begin(conn, tenant, shape)?;
                self.buy_messages(call, tenant, Paid::Delete(self.now.wall_ms), effects);
                Ok(())
            }
        }
    }

    /// A call of a metered tenant is counted at its seat first.
    fn buy_messages(&mut self, call: CallId, tenant: TenantId, paid: Paid, effects: &mut Effects) {
        if !self.tenants.plan(tenant).is_metered() {
            return self.do_paid_messages(call, paid, effects);
        }
        let then = steps::Work::Insforge(Work::PaidMessages(paid));
        self.ask_seat(call, SeatOp::Spend(Spend::request()), then, effects);
    }

    pub(super) fn go_on_messages(
        &mut self,
        call: CallId,
        paid: Paid,
        came: Vec<Came>,
        effects: &mut Effects,
    ) {
        match seat_answer(came) {
            Ok(_) => self.do_paid_messages(call, paid, effects),
            Err(why) => self.finish(call, Err(why), effects),
        }
    }

    fn do_paid_messages(&mut self, call: CallId, paid: Paid, effects: &mut Effects) {
        match paid {
            Paid::List(streaming) => {
                if let Err(why) = self.stream(call, *streaming) {
                    self.finish(call, Err(why), effects);
                }
            }
            Paid::Delete(until_ms) => {
                let Some(tenant) = self.tenant_of(call) else { return };
                let order = Enforce::DropUntil(tenant, until_ms);
                self.enforce(call, &order, steps::Work::Insforge(Work::LetGo), effects);
            }
        }
    }

    pub(super) fn finish_message_delete(
        &mut self,
        call: CallId,
        came: Vec<Came>,
        effects: &mut Effects,
    ) {
        let deleted = |count| Reply::data(|out| body_messages_deleted(out, count));
        let result = enforced(came).map(|done| deleted(done.count));
        self.finish(call, result, effects);
    }

    fn list_messages(
        &mut self,
        conn: ConnId,
        listing: Listing,
        shape: Shape,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        let Listing { tenant, version, of, what } = listing;
        let Ok(of) = of.map(|id| self.enabled(tenant, id).ok_or(())).transpose() else {
            // No message is of a pattern that there is not.
            self.answer_json(conn, shape, &mut effects.closes, |out| encode_nothing(out, &what));
            return Ok(());
        };
        let patterns = Arc::clone(self.rules.enabled(tenant));
        let streaming = self.list(version, ListAsk { conn, tenant, patterns, of, what });
        self.has_room_for(&streaming)?;
        let call = self.begin(conn, tenant, streaming.shape(shape))?;
        self.buy_messages(call, tenant, Paid::List(Box::new(streaming)), effects);
        Ok(())
    }

    /// The enabled pattern of an id.
    fn enabled(&self, tenant: TenantId, id: MessageId) -> Option<Registration> {
        let found = self.rules.of(tenant)?.get(id).filter(|it| it.enabled)?;
        let (pattern, created_at_ms) = (found.pattern.clone(), found.created_at_ms);
        Some(Registration { pattern, id, created_at_ms })
    }
}

fn listing(tenant: TenantId, head: &Head<'_>, of: Option<u128>, what: Listed) -> Call {
    Call::List(Listing { tenant, version: head.version(), of: of.map(MessageId), what })
}

fn call(found: Result<Call, RestError>) -> super::Call {
    match found {
        Ok(call) => super::Call::Messages(Box::new(call)),
        Err(why) => super::Call::Refuse(why),
    }
}

fn encode_nothing(out: &mut Vec<u8>, what: &Listed) {
    match *what {
        Listed::Messages { .. } => ListWriter::begin(out).end(out),
        Listed::Statistics { retention_days, .. } => {
            let (messages, wh_audience, wh_delivered) = (0, 0, 0);
            let top_events = std::iter::empty();
            let stats =
                rest::Stats { messages, wh_audience, wh_delivered, top_events, retention_days };
            body_stats(out, stats);
        }
    }
}
