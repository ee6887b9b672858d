//! This shard as the edge of connections: what homes deliver becomes frames and answers. Nothing here sends to a shard.

use std::cell::LazyCell;

use protocol::Rejection;
use protocol::dialect::insforge::plain::schema_of;
use protocol::dialect::{self, MessageView, cohesivity};
use protocol::ws::{self, CloseCode};
use storage::Publication;

use super::Shard;
use super::effects::Ending;
use super::input::{Delivery, Joined, PresenceChange, ReplyTo};
use super::told;
use crate::broker::{Member, Start};
use crate::hub::{Audience, GroupId};
use crate::ids::{ChannelKey, ConnId};
use crate::session::{PublishAsked, SocketSession, Stage, State};

impl Shard {
    /// Takes what a home delivers. It is not given the means to send to another shard (invariant 5).
    pub(super) fn on_delivery(&mut self, delivery: Delivery, closes: &mut Vec<(ConnId, Ending)>) {
        match delivery {
            Delivery::Joined(joined) => self.on_joined(&joined, closes),
            Delivery::NotJoined(joiner, why) => self.on_not_joined(joiner, &why, closes),
            Delivery::Publication(publication) => self.on_publication(&publication),
            Delivery::Presence(change) => self.on_presence(&change),
            Delivery::Accepted(to, publication) => self.on_accepted(to, &publication, closes),
            Delivery::Refused(to, why) => self.on_refusal(to, &why, closes),
            Delivery::EpochChanged(channel) => self.on_epoch_changed(&channel, closes),
            Delivery::History(to, publications) => {
                self.answer_history_read(to, &publications, closes);
            }
            Delivery::Step(call, came) => self.calls.on_step(call, came),
            Delivery::Ruling(ruling) => self.on_ruling(&ruling),
        }
    }

    fn on_publication(&mut self, publication: &Publication) {
        let Some(mut groups) = self.hub.listening(publication.channel()) else { return };
        let choosy = groups.of(Audience::InsforgeFiltered);
        let way = choosy.map_or(Way::Nowhere, |group| self.ask_choosy(group, publication));
        if matches!(way, Way::Aside) {
            groups = groups.with(Audience::InsforgeFiltered, self.hub.aside());
        }
        let is_wanted = !matches!(way, Way::Nowhere);
        let gets =
            |it: Audience| it.has_messages() || (it == Audience::InsforgeFiltered && is_wanted);
        self.hub.tell(&groups, gets, |dialect, out| {
            dialect.encode_publication(out, &view(publication));
        });
        let Self { hub, turn, choosy, .. } = self;
        match way {
            Way::Nowhere => {}
            Way::InGroup(group) => choosy.others.iter().for_each(|it| turn.cut(hub, *it, group)),
            Way::Aside => {
                for conn in &choosy.wanting {
                    turn.settle(hub, *conn, hub.aside());
                    turn.let_wait(*conn, choosy.wanting.len());
                }
            }
        }
    }

    /// Notes who of a group wants a message, which is read once for all of them, and gives the fewer of the two sides what comes before
    /// it: to those who want it, or to those who do not, for whom it is cut out of what the group gets.
    fn ask_choosy(&mut self, group: GroupId, publication: &Publication) -> Way {
        let schema = LazyCell::new(|| schema_of(publication.payload()));
        let Self { hub, sessions, turn, choosy, .. } = self;
        let Choosy { wanting, others } = choosy;
        wanting.clear();
        others.clear();
        for conn in hub.conns(group) {
            let client = sessions.socket(*conn).and_then(SocketSession::insforge);
            let wants = client.is_some_and(|it| it.wants(publication, || schema.as_deref()));
            if wants { wanting.push(*conn) } else { others.push(*conn) }
        }
        let are_few = wanting.len() <= others.len();
        match (wanting.is_empty(), are_few) {
            (true, _) => Way::Nowhere,
            (false, true) => {
                for conn in wanting {
                    let groups = sessions.socket(*conn).into_iter().flat_map(|it| it.groups());
                    groups.for_each(|it| turn.settle(hub, *conn, it));
                    turn.cut(hub, *conn, hub.aside());
                }
                Way::Aside
            }
            (false, false) => {
                others.iter().for_each(|it| turn.settle(hub, *it, group));
                Way::InGroup(group)
            }
        }
    }

    fn on_presence(&mut self, change: &PresenceChange) {
        let Some(groups) = self.hub.listening(&change.channel) else { return };
        self.hub.tell(&groups, Audience::sees_members, |dialect, out| {
            told::tell_presence(out, dialect, change);
        });
    }

    /// No frame says that an epoch ended, so a close does: the clients come back and read again (invariant 3). They are out
    /// of the channel at once; its home hears of it when their connections are gone, as nothing is sent from here.
    fn on_epoch_changed(&mut self, channel: &ChannelKey, closes: &mut Vec<(ConnId, Ending)>) {
        let Some(groups) = self.hub.listening(channel) else { return };
        let conns: Vec<_> = groups.iter().flat_map(|it| self.hub.conns(it)).copied().collect();
        for conn in conns {
            self.send_away(conn, closes);
        }
    }

    pub(super) fn send_away(&mut self, conn: ConnId, closes: &mut Vec<(ConnId, Ending)>) {
        let Some(slot) = self.sessions.slot(conn) else { return };
        let State::Socket(socket) = &mut slot.state else { return };
        self.turn.write(&self.hub, conn, socket.groups(), |out| {
            ws::append_close(out, CloseCode::TryAgain, "read the history again");
        });
        super::close(conn, Ending::Linger, closes);
        let all = socket.subscriptions.list_mut().iter_mut();
        let seats = all.filter_map(|it| {
            let seat = it.seat();
            it.stage = Stage::Refused;
            seat
        });
        let seats: Vec<_> = seats.collect();
        if let State::Socket(socket) = std::mem::replace(&mut slot.state, State::Ending) {
            slot.state = State::Leaving(socket);
        }
        seats.into_iter().for_each(|it| self.vacate(it));
    }

    fn on_accepted(
        &mut self,
        to: ReplyTo,
        publication: &Publication,
        closes: &mut Vec<(ConnId, Ending)>,
    ) {
        let Some(socket) = self.sessions.socket(to.conn) else {
            return self.answer_published(to, publication, closes);
        };
        socket.unanswered = socket.unanswered.saturating_sub(1);
        let asked = socket.asks().and_then(|asks| asks.published(to.ticket));
        let asked = asked.and_then(PublishAsked::told);
        let dialect = socket.dialect();
        self.turn.write(&self.hub, to.conn, socket.groups(), |out| {
            told::tell_published(out, dialect, Ok(publication), asked);
        });
    }

    fn on_refusal(&mut self, to: ReplyTo, why: &Rejection, closes: &mut Vec<(ConnId, Ending)>) {
        let Some(socket) = self.sessions.socket(to.conn) else {
            return self.answer_refused(to, why, closes);
        };
        socket.unanswered = socket.unanswered.saturating_sub(1);
        let asked = socket.asks().and_then(|asks| asks.published(to.ticket));
        let paid = asked.as_ref().map(|it| it.channel.tenant());
        let asked = asked.and_then(PublishAsked::told);
        let dialect = socket.dialect();
        self.turn.write(&self.hub, to.conn, socket.groups(), |out| {
            told::tell_published(out, dialect, Err(why), asked);
        });
        paid.into_iter().for_each(|tenant| self.owe_publish(tenant));
    }
}

/// How a message goes to those who want some messages alone.
enum Way {
    /// Nobody wants it.
    Nowhere,
    /// So few do that each is given it by itself, behind what it has so far.
    Aside,
    /// So many of this group do that it gets it, and the others do not.
    InGroup(GroupId),
}

/// Those who want some messages alone, and were asked about the last.
#[derive(Default)]
pub(super) struct Choosy {
    wanting: Vec<ConnId>,
    others: Vec<ConnId>,
}

/// A publication as the dialects write it down.
pub(super) fn view(publication: &Publication) -> MessageView<'_> {
    let sender = publication.sender();
    MessageView {
        id: publication.id().0,
        channel: publication.channel().name(),
        event: publication.event(),
        data: publication.payload(),
        sender: (!sender.is_empty()).then_some(sender),
        at_ms: publication.at_ms(),
        offset: publication.offset().map(|it| it.0),
    }
}

pub(super) fn shown(member: &Member) -> dialect::Member<'_> {
    dialect::Member {
        id: &member.id,
        name: member.name.as_deref(),
        user_id: member.user_id.as_deref(),
    }
}

pub(super) fn encode_joined(out: &mut Vec<u8>, joined: &Joined) {
    let members = joined.present.iter().map(|it| shown(&it.member));
    cohesivity::frame_subscribed(out, joined.channel.name(), members);
    match &joined.start {
        Start::Fresh { .. } | Start::Gapped { .. } => {}
        Start::Resumed { missed, .. } | Start::Behind { missed, .. } => {
            for publication in missed {
                cohesivity::frame_message(out, &view(publication));
            }
        }
    }
}
