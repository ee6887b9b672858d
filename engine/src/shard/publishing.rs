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
use crate::control::{Came, ClaimKey, Placed, Published, SeatAnswer, SeatOp, Spend};
use crate::ids::{CallId, ChannelKey};

/// What a call publishes, and how far it is.
#[derive(Debug)]
pub(super) struct Publishing {
    /// By place in the batch; `None` once it was handed to its home, or if it is there already.
    pub publications: Vec<Option<(Arc<Publication>, Keep)>>,
    /// Channels that have to be registered first.
    pub enrol: Vec<Arc<ChannelKey>>,
    /// What it takes of its tenant's plan, if that is metered.
    pub spend: Option<Spend>,
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
            spend: None,
            claim: None,
            is_stored: false,
            refused: None,
            progress: Progress::Payment,
            reply,
        }
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
        match work.spend.take() {
            Some(spend) => {
                work.progress = Progress::Payment;
                self.ask_seat(call, SeatOp::Spend(spend), Work::Publishing(work), effects);
            }
            None => self.claim_messages(call, work, effects),
        }
    }

    fn claim_messages(&mut self, call: CallId, mut work: Box<Publishing>, effects: &mut Effects) {
        let Some((Claim { key, request }, items)) = &work.claim else {
            return self.send_messages(call, work, effects);
        };
        let op = SeatOp::Claim { key: *key, request: *request, items: items.clone() };
        work.progress = Progress::Claim;
        self.ask_seat(call, op, Work::Publishing(work), effects);
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
        for (channel, it) in std::mem::take(&mut work.enrol).iter().zip(came) {
            match it {
                Came::Seat(Ok(SeatAnswer::Channel(found))) => {
                    self.known.learn(channel, found, glance);
                }
                Came::Seat(Err(why)) => work.refused = Some(why),
                Came::Seat(Ok(_))
                | Came::Side(_)
                | Came::Published(_)
                | Came::Enforced(_)
                | Came::Peeked(_) => {
                    work.refused = Some(Rejection::Internal);
                }
            }
        }
        match work.refused {
            None => self.send_messages(call, work, effects),
            Some(_) => self.settle_messages(call, work, effects),
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
            (Progress::Payment, Some(Ok(_))) => self.claim_messages(call, work, effects),
            (Progress::Claim, Some(Ok(SeatAnswer::Fresh(known)))) => {
                work.placed.iter_mut().zip(known).for_each(|(slot, placed)| *slot = placed);
                work.is_stored = work.placed.iter().all(Option::is_some);
                self.send_messages(call, work, effects);
            }
            (Progress::Claim, Some(Ok(SeatAnswer::Published(all)))) => {
                let reply = Reply { source: Source::Stored, ..work.reply.reply(&all) };
                self.finish(call, Ok(reply), effects);
            }
            (Progress::Payment | Progress::Claim, Some(Err(why))) => {
                self.finish(call, Err(why), effects);
            }
            (Progress::Payment | Progress::Claim, Some(Ok(_)) | None) => {
                self.finish(call, Err(Rejection::Internal), effects);
            }
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
