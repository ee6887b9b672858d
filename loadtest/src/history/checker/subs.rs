//! Subscriptions: how they begin, and what comes to them.

use super::Checker;
use super::books::{Moment, Stage, Sub};
use crate::history::event::{Begin, Channel, Event, Place, Shown};
use crate::history::finding::Rule;
use std::collections::{BTreeMap, BTreeSet};

impl Checker {
    #[expect(clippy::wildcard_enum_match_arm, reason = "it is given its own kinds alone")]
    pub(super) fn note_subscription(&mut self, event: &Event) {
        match event {
            Event::Subscribing { sub, session, channel, after, member } => {
                self.ask_for((*sub, *session), channel, *after, member.as_deref());
            }
            Event::Subscribed { sub, begin, members } => {
                self.stand(*sub, *begin, members.as_deref());
            }
            Event::Recovered { sub } => {
                let line = self.line;
                if let Some(sub) = self.standing(*sub) {
                    sub.live = Some(line);
                }
            }
            Event::Delivered { sub, shown } => self.deliver(*sub, shown),
            Event::Joined { sub, member } => self.joined(*sub, member),
            Event::Left { sub, member } => self.left(*sub, member),
            Event::Ended { sub } => {
                if let Some(sub) = self.subs.get_mut(sub) {
                    sub.stage = Stage::Ended;
                }
            }
            _ => {}
        }
    }

    fn ask_for(
        &mut self,
        (sub, session): (u64, u64),
        channel: &Channel,
        after: Option<Place>,
        member: Option<&str>,
    ) {
        let channel = self.book(channel);
        self.moment(channel, Moment::Subscribing(sub));
        let Some((_, book)) = self.books.get_mut(channel) else { return };
        if let Some(member) = member {
            book.asked.insert(member.to_owned(), self.line);
        }
        let made = Sub {
            channel,
            session,
            asked: self.line,
            life: self.started,
            after,
            member: member.map(str::to_owned),
            epoch: book.epoch,
            stage: Stage::Asked,
            begun: None,
            live: None,
            members: None,
            got: Vec::new(),
            seen: BTreeSet::default(),
            latest: BTreeMap::default(),
            is_to_the_end: false,
            low: None,
            high: None,
        };
        self.subs.insert(sub, made);
    }

    pub(super) fn standing(&mut self, sub: u64) -> Option<&mut Sub> {
        self.subs.get_mut(&sub).filter(|it| it.stage == Stage::Stands)
    }

    fn stand(&mut self, number: u64, begin: Begin, members: Option<&[String]>) {
        let line = self.line;
        let asked = self.subs.get_mut(&number).filter(|it| it.stage == Stage::Asked);
        let Some(sub) = asked else {
            return self.find(Rule::Duplicate, format!("subscription {number} stands twice"));
        };
        sub.stage = Stage::Stands;
        sub.begun = Some((line, begin));
        sub.live = (begin != Begin::Recovering).then_some(line);
        sub.members = members.map(|it| it.iter().cloned().collect());
        let (channel, session, asked) = (sub.channel, sub.session, sub.asked);
        let is_resumed = matches!(begin, Begin::Resumed | Begin::Recovering);
        let after = sub.after.filter(|_| is_resumed);
        let is_stale = after.is_some_and(|it| it.epoch < sub.epoch);
        let has_no_past = is_resumed && after.is_none();
        self.moment(channel, Moment::Subscribed(number));
        self.verdict.subscriptions += 1;
        self.verdict.resumed += u64::from(is_resumed);
        self.verdict.gapped += u64::from(matches!(begin, Begin::Gapped(_)));
        if is_stale {
            self.find(Rule::StaleEpoch, format!("{number} goes on from an epoch that is over"));
        }
        if has_no_past {
            self.find(Rule::Log, format!("{number} goes on behind no place"));
        }
        if self.revoked_at(session).is_some_and(|revoked| revoked < asked) {
            self.find(Rule::Revoked, format!("{number} stands with a token that is revoked"));
        }
        self.welcome(number, members.unwrap_or_default());
    }

    fn deliver(&mut self, number: u64, shown: &Shown) {
        self.verdict.delivered += 1;
        let line = self.line;
        let Some(sub) = self.standing(number) else {
            let what = format!("message {} came to {number}, which does not stand", shown.message);
            return self.find(Rule::Phantom, what);
        };
        let (channel, session) = (sub.channel, sub.session);
        let Some(at) = self.show(channel, shown) else { return };
        let revoked = self.revoked_at(session);
        let Some(message) = self.messages.get(at) else { return };
        let Some(sub) = self.subs.get_mut(&number) else { return };
        let mut wrong = Vec::new();
        if !sub.seen.insert(at) {
            wrong.push((Rule::Duplicate, "came twice"));
        } else if message.is_kept {
            sub.got.push((line, at));
        } else if sub.live.is_none() {
            wrong.push((Rule::Order, "overtakes what is still missing"));
        }
        if let Some(place) = shown.place {
            if place.epoch < sub.epoch {
                wrong.push((Rule::StaleEpoch, "is of an epoch that is over"));
            }
            sub.epoch = sub.epoch.max(place.epoch);
        }
        // Of a message that was asked for again nobody knows which ask it is.
        if message.asks == 1
            && let Some(before) = sub.latest.insert(message.by, message.line)
            && before > message.line
        {
            wrong.push((Rule::Order, "came behind a later one of the same connection"));
        }
        if revoked.is_some_and(|revoked| revoked < message.line) {
            wrong.push((Rule::Revoked, "reached a session whose token was revoked before"));
        }
        for (rule, what) in wrong {
            self.find(rule, format!("message {} at {number} {what}", shown.message));
        }
    }
}
