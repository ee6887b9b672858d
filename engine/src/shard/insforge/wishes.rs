//! What clients of InsForge ask of a channel, and whether they may: by the tenant's patterns and policies.

use std::sync::Arc;

use protocol::auth::insforge::{BadCredential, Credential, Identity};
use protocol::dialect::insforge::plain::Filter;
use protocol::policy::{Action, Question, Verdict};
use protocol::{KeptId, Rejection};
use storage::Publication;

use super::super::Shard;
use super::super::effects::Effects;
use super::super::input::{Keep, ReplyTo, Request};
use super::super::steps::{self, seat_answer};
use super::super::subscribe::{Frame, Wanted};
use super::super::told::{tell_not_joined, tell_published};
use super::Work;
use super::encode::encode_plain_rejection;
use crate::control::{Came, Metered, Priced, SeatOp, Spend};
use crate::hub::Audience;
use crate::ids::{CallId, ChannelKey, ConnId, TenantId};
use crate::planted::{self, Fault};
use crate::session::SocketSession;
use crate::tenants::PolicyMode;

/// What a client asks of a channel.
#[derive(Debug)]
pub(in crate::shard) enum Wish {
    /// To hear it. Without an id nobody awaits the answer.
    Subscribe { channel: Arc<ChannelKey>, id: Option<KeptId> },
    /// To hear some of it, on the documents' wire.
    PlainSubscribe { channel: Arc<ChannelKey>, filter: Filter },
    /// To publish.
    Publish { publication: Arc<Publication> },
}

impl Wish {
    fn channel(&self) -> &Arc<ChannelKey> {
        match self {
            Self::Subscribe { channel, .. } | Self::PlainSubscribe { channel, .. } => channel,
            Self::Publish { publication } => publication.channel(),
        }
    }

    fn question(&self) -> Question<'_> {
        let channel = self.channel().name();
        match self {
            Self::Subscribe { .. } | Self::PlainSubscribe { .. } => {
                Question { action: Action::Subscribe, channel, event: None }
            }
            Self::Publish { publication } => {
                Question { action: Action::Publish, channel, event: Some(publication.event()) }
            }
        }
    }

    /// What it takes of its tenant's plan, where a message costs so much.
    fn price(&self, cost: u32) -> Spend {
        match self {
            Self::Subscribe { .. } | Self::PlainSubscribe { .. } => Spend::subscription(),
            Self::Publish { publication } => {
                Spend::message(publication.payload().len()).billing(Metered::Credit, cost)
            }
        }
    }
}

impl Shard {
    /// Who a credential shows, and whose client that is.
    pub(super) fn identify(
        &self,
        credential: Credential<'_>,
        host: &str,
    ) -> Result<(TenantId, Identity), BadCredential> {
        let now_s = self.now.wall_ms / 1000;
        self.tenants.identify(credential, host, now_s, &self.limits.wire)
    }

    /// Does what a client asks of a channel, if it may.
    pub(super) fn wish_insforge(&mut self, conn: ConnId, wish: Wish, effects: &mut Effects) {
        if let Err(why) = self.grant_insforge(conn, &wish) {
            return self.refuse_insforge(conn, &wish, &why);
        }
        if self.tenants.plan(wish.channel().tenant()).is_metered() {
            return self.pay_for_insforge(conn, wish, effects);
        }
        self.fulfil_insforge(conn, wish, effects);
    }

    /// Whether a client may do what it asks for: a pattern has to match the channel, and a policy to grant it where there are
    /// any for what is asked.
    fn grant_insforge(&mut self, conn: ConnId, wish: &Wish) -> Result<(), Rejection> {
        let waiting_max = self.limits.unanswered_frames_max;
        let client = self.sessions.socket(conn).and_then(SocketSession::insforge);
        let Some(client) = client else { return Err(Rejection::Internal) };
        if client.asks.waiting() >= waiting_max {
            return Err(Rejection::Overloaded { limit: "unanswered_frames_max" });
        }
        let tenant = wish.channel().tenant();
        let rules = self.rules.of(tenant).ok_or(Rejection::ChannelNotFound)?;
        rules.find(wish.channel().name()).ok_or(Rejection::ChannelNotFound)?;
        let known = client.known.as_mut().ok_or(Rejection::Forbidden)?;
        let (policies, question) = (rules.policies(), wish.question());
        let verdict = policies.decide(&mut known.asker, &question);
        match (verdict, self.tenants.policy_mode(tenant)) {
            (Verdict::Allow, _) => Ok(()),
            (Verdict::Deny, PolicyMode::Enforced) if planted::is(Fault::DeniedPublishes) => Ok(()),
            (Verdict::Deny, PolicyMode::Enforced) => Err(Rejection::Forbidden),
            (Verdict::Deny, PolicyMode::Shadow) => {
                let now_s = self.now.wall_ms / 1000;
                let (asker, who) = (&mut known.asker, known.identity.id());
                let explain = || policies.explain(asker, &question);
                self.shadow.tell(now_s, (self.tenants.name(tenant), who), &question, explain);
                Ok(())
            }
        }
    }

    /// Publishes or subscribes once it is counted. What comes behind waits.
    fn pay_for_insforge(&mut self, conn: ConnId, wish: Wish, effects: &mut Effects) {
        let tenant = wish.channel().tenant();
        let spend = wish.price(self.tenants.plan(tenant).costs.of(Priced::Publish));
        let call = match self.begin_frame(conn, tenant) {
            Ok(call) => call,
            Err(why) => return self.refuse_insforge(conn, &wish, &why),
        };
        let then = steps::Work::Insforge(Work::PaidWish(conn, Box::new(wish)));
        self.ask_seat(call, SeatOp::Spend(spend), then, effects);
    }

    /// The seat has counted what a client asks for, or does not let it.
    pub(super) fn go_on_insforge_wish(
        &mut self,
        call: CallId,
        (conn, wish): (ConnId, Wish),
        came: Vec<Came>,
        effects: &mut Effects,
    ) {
        let is_there = self.end_frame(call, conn);
        match seat_answer(came) {
            Ok(_) if is_there => self.fulfil_insforge(conn, wish, effects),
            Ok(_) => {
                if let Wish::Publish { publication } = &wish {
                    self.owe_publish(publication.channel().tenant());
                }
            }
            Err(why) => self.refuse_insforge(conn, &wish, &why),
        }
    }

    fn fulfil_insforge(&mut self, conn: ConnId, wish: Wish, effects: &mut Effects) {
        match wish {
            Wish::Subscribe { channel, id } => {
                let shown = self.socket(conn).map(|it| Arc::clone(&it.member));
                let (audience, frame) = (Audience::Insforge, Frame::Awaited(id.clone()));
                let wanted = Wanted { audience, after: None, frame, shown };
                if let Err(why) = self.subscribe(conn, &channel, wanted, effects) {
                    self.refuse_insforge(conn, &Wish::Subscribe { channel, id }, &why);
                }
            }
            Wish::PlainSubscribe { channel, filter } => {
                let audience = match filter.is_open() {
                    true => Audience::InsforgePlain,
                    false => Audience::InsforgeFiltered,
                };
                // Who is tracked stays so.
                let shown = self.tracked(conn, &channel);
                let wanted = Wanted { audience, after: None, frame: Frame::Awaited(None), shown };
                if let Err(why) = self.subscribe(conn, &channel, wanted, effects) {
                    return self.refuse_insforge(
                        conn,
                        &Wish::PlainSubscribe { channel, filter },
                        &why,
                    );
                }
                // A filter is a subscription's: it comes and goes with it.
                if let Some(client) = self.socket(conn).and_then(SocketSession::insforge) {
                    client.set_filter(&channel, &filter);
                }
            }
            Wish::Publish { publication } => self.send_insforge(conn, publication, effects),
        }
    }

    /// The publication goes as it came: its home places it, and nobody else may hold it meanwhile.
    fn send_insforge(
        &mut self,
        conn: ConnId,
        publication: Arc<Publication>,
        effects: &mut Effects,
    ) {
        let channel = Arc::clone(publication.channel());
        let Some(socket) = self.socket(conn) else { return };
        let Some(asks) = socket.asks() else { return };
        let ticket = asks.wait_for_publish(&channel, None);
        socket.unanswered += 1;
        let reply = ReplyTo { conn, ticket };
        self.request(&channel, Request::Publish(publication, Keep::Persist, reply), effects);
    }

    pub(super) fn refuse_insforge(&mut self, conn: ConnId, wish: &Wish, why: &Rejection) {
        self.counters.rejected += 1;
        let Some(dialect) = self.socket(conn).map(|it| it.dialect()) else { return };
        self.write_to(conn, |out| match (wish, dialect) {
            (Wish::Subscribe { channel, id }, dialect) => {
                tell_not_joined(out, dialect, (channel, std::slice::from_ref(id)), why);
            }
            // The documents have one answer for what is not there and what is not allowed.
            (Wish::PlainSubscribe { .. }, _) if *why == Rejection::Forbidden => {
                encode_plain_rejection(out, &Rejection::ChannelNotFound, 1);
            }
            (Wish::PlainSubscribe { .. }, _) => encode_plain_rejection(out, why, 1),
            (Wish::Publish { publication }, dialect) => {
                // Nor has either wire one for a channel that is not there.
                let denied = Rejection::Forbidden;
                let why = if *why == Rejection::ChannelNotFound { &denied } else { why };
                let asked = (Arc::clone(publication.channel()), None);
                tell_published(out, dialect, Err(why), Some(asked));
            }
        });
    }
}
