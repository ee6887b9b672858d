//! Publishing by a call: paid for by who is metered, claimed by who has an idempotency key, one request a home.
//!
//! A keyed message carries the hash of its key in its own record, so the journal knows what was published, also after a crash:
//! of a batch of which a part was kept, only the rest is published by the retry.

use std::sync::Arc;

use protocol::Rejection;
use protocol::dialect::infrai::Source;
use storage::Publication;

use super::Shard;
use super::answers::Reply;
use super::claiming::Claim;
use super::effects::Effects;
use super::input::{Keep, Placing};
use super::steps::Work;
use super::{infrai, operate};
use crate::control::{
    Bill, Came, ClaimKey, Metered, Pace, Paced, Placed, Published, Registered, SeatAnswer, SeatOp,
    Spend,
};
use crate::ids::{CallId, ChannelKey};

/// What a call publishes, and how far it is.
#[derive(Debug)]
pub(super) struct Publishing {
    /// By place in the batch; `None` once it was handed to its home, or if it is there already.
    pub publications: Vec<Option<(Arc<Publication>, Keep)>>,
    /// Channels that have to be registered first.
    pub enrol: Vec<Arc<ChannelKey>>,
    /// What the call takes of its tenant's plan, its messages aside, if that is metered.
    pub entry: Option<Spend>,
    /// What each message costs.
    pub cost_micro_usd: u32,
    /// Its idempotency key, and that of each message.
    pub claim: Option<(Claim, Box<[ClaimKey]>)>,
    /// Where each message is.
    pub placed: Vec<Option<Placed>>,
    /// Whether nothing was left to publish: an earlier request of its key had done all.
    pub is_stored: bool,
    /// Why one was refused.
    pub refused: Option<Rejection>,
    pub progress: Progress,
    /// What the dialect answers, once all of them are published.
    pub reply: Answering,
}

/// What a dialect answers.
#[derive(Debug)]
pub(super) enum Answering {
    /// The ids of what was published, for an operator.
    Operator,
    /// See [`infrai::Answering`].
    Infrai(infrai::Answering),
}

impl Answering {
    fn reply(&self, placed: &[Placed]) -> Reply {
        match self {
            Self::Operator => operate::published(placed),
            Self::Infrai(answering) => answering.reply(placed),
        }
    }
}

/// What a publishing call waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Progress {
    Payment,
    Claim,
    /// The seat registers channels; their order is that of `enrol`.
    Enrolment(infrai::Glance),
    /// Those go first that the connection asked for first.
    Line,
    Homes,
    Settlement,
}

impl Publishing {
    /// Messages that nobody has published yet.
    pub(super) fn new(publications: Vec<(Arc<Publication>, Keep)>, reply: Answering) -> Self {
        Self {
            placed: vec![None; publications.len()],
            publications: publications.into_iter().map(Some).collect(),
            enrol: Vec::new(),
            entry: None,
            cost_micro_usd: 0,
            claim: None,
            is_stored: false,
            refused: None,
            progress: Progress::Claim,
            reply,
        }
    }

    /// What the messages take that are not there yet.
    fn price(&self) -> Spend {
        let missing = self.publications.iter().zip(&self.placed).filter(|it| it.1.is_none());
        let missing = missing.filter_map(|(it, _)| it.as_ref());
        let (count, bytes) = missing.fold((0_u32, 0), |(count, bytes), (it, _)| {
            (count.saturating_add(1), bytes + it.payload().len())
        });
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let cost = self.cost_micro_usd.saturating_mul(count);
        let bill = Bill::of(Metered::Messages, count).and(Metered::Credit, cost);
        let pace = Pace::of(Paced::Publishes, count).and(Paced::Bytes, bytes);
        Spend { bill, pace, sockets: 0 }
    }

    fn note(&mut self, published: Published) {
        for (place, result) in published {
            match (result, self.placed.get_mut(usize::from(place))) {
                (Ok(placed), Some(slot)) => *slot = Some(placed),
                (Ok(_), None) => {}
                (Err(why), _) => self.refused = Some(why),
            }
        }
    }

    /// What is still to be published.
    fn missing(&mut self) -> Vec<Placing> {
        let there = self.placed.iter();
        let missing = (0..).zip(&mut self.publications).zip(there);
        let missing = missing.filter(|(_, placed)| placed.is_none());
        let missing = missing.filter_map(|((place, it), _)| Some((place, it.take()?)));
        missing.map(|(place, (publication, keep))| Placing { place, publication, keep }).collect()
    }
}

impl Shard {
    /// Begins to publish.
    pub(super) fn publish_by(
        &mut self,
        call: CallId,
        mut work: Box<Publishing>,
        effects: &mut Effects,
    ) {
        let Some((Claim { key, request }, items)) = &work.claim else {
            return self.pay_for_messages(call, work, effects);
        };
        let (key, request, items) = (*key, *request, items.clone());
        // Whoever has the key pays for the messages; a retry pays for none that is there.
        let entry = work.entry.replace(Spend::default()).unwrap_or_default();
        if entry == Spend::default() {
            work.entry = None;
        }
        work.progress = Progress::Claim;
        let op = SeatOp::Claim { key, request, items, entry };
        self.ask_seat(call, op, Work::Publishing(work), effects);
    }

    fn pay_for_messages(&mut self, call: CallId, mut work: Box<Publishing>, effects: &mut Effects) {
        let spend = work.price();
        self.calls
            .price(call, u32::try_from(spend.bill.count(Metered::Credit)).unwrap_or(u32::MAX));
        match work.entry.take() {
            Some(entry) => {
                work.progress = Progress::Payment;
                let op = SeatOp::Spend(spend.and(entry));
                self.ask_seat(call, op, Work::Publishing(work), effects);
            }
            None => self.send_messages(call, work, effects),
        }
    }

    fn send_messages(&mut self, call: CallId, mut work: Box<Publishing>, effects: &mut Effects) {
        if !work.enrol.is_empty() {
            return self.enrol_channels(call, work, effects);
        }
        if !self.calls.lines.may_send(call) {
            work.progress = Progress::Line;
            return self.calls.wait(call, 1, Work::Publishing(work));
        }
        let missing = work.missing();
        work.progress = Progress::Homes;
        self.publish_many(call, missing, Work::Publishing(work), effects);
        self.calls.leave_line(call);
    }

    fn enrol_channels(&mut self, call: CallId, mut work: Box<Publishing>, effects: &mut Effects) {
        let Some(tenant) = self.tenant_of(call) else { return };
        work.progress = Progress::Enrolment(self.known.glance());
        let names: Vec<_> = work.enrol.iter().map(Arc::clone).collect();
        self.calls.wait(call, names.len(), Work::Publishing(work));
        for channel in names {
            let op = self.enrol(channel.name());
            self.tell_seat(call, tenant, op, effects);
        }
    }

    /// The channels are registered, or one of them cannot be: then nothing is published.
    fn enrolled(
        &mut self,
        call: CallId,
        mut work: Box<Publishing>,
        (glance, came): (infrai::Glance, Vec<Came>),
        effects: &mut Effects,
    ) {
        match registered(came) {
            Ok(found) => {
                for (channel, it) in std::mem::take(&mut work.enrol).iter().zip(found) {
                    self.known.learn(channel, it, glance);
                }
                self.send_messages(call, work, effects);
            }
            Err(why) => {
                work.refused = Some(why);
                self.settle_messages(call, work, effects);
            }
        }
    }

    pub(super) fn go_on_publishing(
        &mut self,
        call: CallId,
        mut work: Box<Publishing>,
        came: Vec<Came>,
        effects: &mut Effects,
    ) {
        if let Progress::Enrolment(glance) = work.progress {
            return self.enrolled(call, work, (glance, came), effects);
        }
        let mut answer = None;
        for it in came {
            match it {
                Came::Seat(it) => answer = Some(it),
                Came::Published(published) => work.note(published),
                Came::Side(_) | Came::Enforced(_) | Came::Peeked(_) => {}
            }
        }
        match (work.progress, answer) {
            (Progress::Payment, Some(Ok(_))) => self.send_messages(call, work, effects),
            (Progress::Claim, Some(Ok(SeatAnswer::Fresh(known)))) => {
                work.placed.iter_mut().zip(known).for_each(|(slot, placed)| *slot = placed);
                work.is_stored = work.placed.iter().all(Option::is_some);
                self.pay_for_messages(call, work, effects);
            }
            (Progress::Claim, Some(Ok(SeatAnswer::Published(all)))) => {
                let reply = Reply { source: Source::Stored, ..work.reply.reply(&all) };
                self.finish(call, Ok(reply), effects);
            }
            (Progress::Claim, Some(Err(why))) => self.finish(call, Err(why), effects),
            (Progress::Claim, Some(Ok(_)) | None) => {
                self.finish(call, Err(Rejection::Internal), effects);
            }
            // It has the key, if there is one: somebody else may pay for it.
            (Progress::Payment, Some(Err(why))) => {
                self.calls.price(call, 0);
                work.refused = Some(why);
                self.settle_messages(call, work, effects);
            }
            (Progress::Payment, None) => self.finish(call, Err(Rejection::Internal), effects),
            (Progress::Line, _) => self.send_messages(call, work, effects),
            (Progress::Homes | Progress::Enrolment(_), _) => {
                self.settle_messages(call, work, effects);
            }
            // What the journal has is published, whatever the seat says.
            (Progress::Settlement, _) => self.answer_messages(call, *work, effects),
        }
    }

    fn settle_messages(&mut self, call: CallId, mut work: Box<Publishing>, effects: &mut Effects) {
        let Some((Claim { key, request }, items)) = &work.claim else {
            return self.answer_messages(call, *work, effects);
        };
        let items = items.iter().copied().zip(work.placed.iter().copied()).collect();
        let op = SeatOp::SettleMessages { key: *key, request: *request, items };
        work.progress = Progress::Settlement;
        self.ask_seat(call, op, Work::Publishing(work), effects);
    }

    fn answer_messages(&mut self, call: CallId, work: Publishing, effects: &mut Effects) {
        let all: Option<Vec<Placed>> = work.placed.iter().copied().collect();
        let sent = work.publications.iter().zip(&work.placed);
        let sent = sent.filter(|(it, placed)| it.is_none() && placed.is_some()).count();
        let spent = work.cost_micro_usd.saturating_mul(u32::try_from(sent).unwrap_or(u32::MAX));
        self.calls.spend(call, spent);
        let result = match (all, work.refused) {
            (Some(all), None) => {
                let source = if work.is_stored { Source::Stored } else { Source::Work };
                Ok(Reply { source, ..work.reply.reply(&all) })
            }
            (_, Some(why)) => Err(why),
            (None, None) => Err(Rejection::Internal),
        };
        self.finish(call, result, effects);
    }
}

/// What a seat says of all channels that it was asked to register, in the order of the asks. A refusal overtakes what waits for
/// the disk, so with one of them no place says which channel an answer is about.
fn registered(came: Vec<Came>) -> Result<Vec<Registered>, Rejection> {
    let one = |it| match it {
        Came::Seat(Ok(SeatAnswer::Channel(found))) => Ok(found),
        Came::Seat(Err(why)) => Err(why),
        Came::Seat(Ok(_))
        | Came::Side(_)
        | Came::Published(_)
        | Came::Enforced(_)
        | Came::Peeked(_) => Err(Rejection::Internal),
    };
    came.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use protocol::ChannelType;

    use super::*;
    use crate::ids::MessageId;

    #[test]
    fn a_refusal_that_overtook_the_other_answers_leaves_all_channels_unknown() {
        let channel = |kind| Registered { id: MessageId(1), kind, created_at_ms: 0 };
        let (open, closed) = (channel(ChannelType::Public), channel(ChannelType::Private));
        let came = |it| Came::Seat(Ok(SeatAnswer::Channel(it)));
        let refused = Rejection::Overloaded { limit: "seat_queue_max" };
        assert_eq!(registered(vec![came(open), came(closed)]), Ok(vec![open, closed]));
        let overtaken = vec![Came::Seat(Err(refused.clone())), came(open), came(closed)];
        assert_eq!(registered(overtaken), Err(refused));
        assert_eq!(registered(vec![came(open), Came::Published(vec![])]), Err(Rejection::Internal));
    }
}
