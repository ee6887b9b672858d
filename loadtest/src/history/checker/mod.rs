//! Reads a history line by line. What a line alone can show is found at once, the rest in the [`end`].

mod books;
mod end;
mod ends;
mod members;
mod subs;

use super::event::{Channel, Event, Place, Shown};
use super::finding::{Rule, Verdict};
use books::{Ask, Book, Message, Moment, Page, Session, Sub};
use std::collections::BTreeMap;

/// Checks a whole history.
pub fn check<'a>(events: impl IntoIterator<Item = &'a Event>) -> Verdict {
    let mut checker = Checker::default();
    events.into_iter().for_each(|it| checker.note(it));
    checker.finish()
}

/// A check under way.
#[derive(Debug, Default)]
pub struct Checker {
    /// The line that is being read.
    line: u64,
    names: BTreeMap<Channel, usize>,
    books: Vec<(Channel, Book)>,
    numbers: BTreeMap<u64, usize>,
    messages: Vec<Message>,
    asks: BTreeMap<u64, Ask>,
    subs: BTreeMap<u64, Sub>,
    pages: BTreeMap<u64, Page>,
    sessions: BTreeMap<u64, Session>,
    revoked: BTreeMap<u64, u64>,
    /// When the node's life began.
    started: u64,
    is_quiet: bool,
    verdict: Verdict,
}

impl Checker {
    /// Reads the next line.
    pub fn note(&mut self, event: &Event) {
        self.line += 1;
        match event {
            Event::Started => {
                self.started = self.line;
                self.verdict.lives += 1;
            }
            Event::Invoked { .. }
            | Event::Accepted { .. }
            | Event::Refused { .. }
            | Event::Unknown { .. } => self.note_publish(event),
            Event::Entering { session, token } => {
                let session_of = Session { token: *token, asked: self.line };
                self.sessions.insert(*session, session_of);
            }
            Event::Entered { session } => self.enter(*session),
            Event::Revoked { token } => {
                self.verdict.revoked += 1;
                self.revoked.entry(*token).or_insert(self.line);
            }
            Event::Reading { read, channel, after } => {
                let channel = self.book(channel);
                self.moment(channel, Moment::Reading(*read));
                let page = Page { channel, after: *after, came: None, low: None };
                self.pages.insert(*read, page);
            }
            Event::Read { read, rows, is_last } => self.turn_page(*read, rows, *is_last),
            Event::Quiet => self.quieten(),
            Event::Present { channel, members } => self.present(channel, members),
            Event::Kept { channel, shown } => self.keep(channel, shown),
            Event::Subscribing { .. }
            | Event::Subscribed { .. }
            | Event::Recovered { .. }
            | Event::Delivered { .. }
            | Event::Joined { .. }
            | Event::Left { .. }
            | Event::Ended { .. } => self.note_subscription(event),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "it is given its own kinds alone")]
    fn note_publish(&mut self, event: &Event) {
        match event {
            Event::Invoked { op, by, channel, message, digest, is_kept } => {
                let channel = self.book(channel);
                let message = self.invoke((*message, *digest), (channel, *by), *is_kept);
                let ask = Ask { message, by: *by, line: self.line, is_answered: false };
                self.asks.insert(*op, ask);
            }
            Event::Accepted { op, id, place } => self.accept(*op, id.as_deref(), *place),
            Event::Refused { op } => {
                self.verdict.refused += 1;
                if let Some(message) = self.answer(*op) {
                    message.refused += 1;
                }
            }
            Event::Unknown { op } => {
                self.verdict.unknown += 1;
                self.answer(*op);
            }
            _ => {}
        }
    }

    fn find(&mut self, rule: Rule, what: String) {
        self.verdict.find(rule, self.line, what);
    }

    fn book(&mut self, channel: &Channel) -> usize {
        if let Some(at) = self.names.get(channel) {
            return *at;
        }
        let at = self.books.len();
        self.names.insert(channel.clone(), at);
        self.books.push((channel.clone(), Book::default()));
        at
    }

    fn moment(&mut self, channel: usize, moment: Moment) {
        if let Some((_, book)) = self.books.get_mut(channel) {
            book.moments.push((self.line, moment));
        }
    }

    fn invoke(
        &mut self,
        (number, digest): (u64, u64),
        (channel, by): (usize, u64),
        is_kept: bool,
    ) -> usize {
        if let Some(at) = self.numbers.get(&number).copied() {
            let line = self.line;
            let Some(known) = self.messages.get_mut(at) else { return at };
            known.asks += 1;
            if (known.digest, known.channel, known.is_kept) != (digest, channel, is_kept) {
                let what = format!("message {number} is asked for again, and is another");
                self.verdict.find(Rule::Log, line, what);
            }
            return at;
        }
        let at = self.messages.len();
        self.numbers.insert(number, at);
        let (line, asks, refused, is_accepted) = (self.line, 1, 0, false);
        let (id, place, shown, nth) = (None, None, None, None);
        self.messages.push(Message {
            number,
            channel,
            digest,
            by,
            line,
            is_kept,
            asks,
            refused,
            is_accepted,
            id,
            place,
            shown,
            nth,
        });
        self.moment(channel, Moment::Invoked(at));
        at
    }

    /// The message of an ask that is answered now.
    fn answer(&mut self, op: u64) -> Option<&mut Message> {
        let found = self.asks.get_mut(&op);
        if let Some(ask) = found.filter(|it| !it.is_answered) {
            ask.is_answered = true;
            return self.messages.get_mut(ask.message);
        }
        self.find(Rule::Duplicate, format!("ask {op} is answered twice, or was never asked"));
        None
    }

    fn accept(&mut self, op: u64, id: Option<&str>, place: Option<Place>) {
        self.verdict.accepted += 1;
        if let Some(Ask { by, line, .. }) = self.asks.get(&op).copied()
            && self.revoked_at(by).is_some_and(|revoked| revoked < line)
        {
            self.find(Rule::Revoked, format!("ask {op} was accepted after its token was revoked"));
        }
        let Some(message) = self.answer(op) else { return };
        message.is_accepted = true;
        let (number, channel) = (message.number, message.channel);
        self.agree(number, id, place);
        if let Some(at) = self.numbers.get(&number).copied() {
            self.moment(channel, Moment::Accepted(at));
        }
        if let (Some(place), Some((_, book))) = (place, self.books.get_mut(channel)) {
            book.epoch = book.epoch.max(place.epoch);
        }
    }

    /// A message has one id and one place, whoever says so.
    fn agree(&mut self, number: u64, id: Option<&str>, place: Option<Place>) {
        let at = self.numbers.get(&number).copied();
        let Some(message) = at.and_then(|at| self.messages.get_mut(at)) else { return };
        let mut wrong = None;
        match (message.id.as_deref(), id) {
            (Some(known), Some(id)) if known != id => {
                wrong = Some((Rule::Duplicate, format!("has the ids {known} and {id}")));
            }
            (None, Some(id)) => message.id = Some(id.to_owned()),
            (Some(_) | None, _) => {}
        }
        match (message.place, place) {
            (Some(known), Some(place)) if known != place => {
                let is_stale = known.offset == place.offset;
                let rule = if is_stale { Rule::StaleEpoch } else { Rule::Duplicate };
                wrong = Some((rule, format!("has the places {known:?} and {place:?}")));
            }
            (None, Some(_)) if !message.is_kept => {
                wrong = Some((Rule::Phantom, "is not to be kept, and has a place".to_owned()));
            }
            (None, Some(place)) => message.place = Some(place),
            (Some(_) | None, _) => {}
        }
        if let Some((rule, what)) = wrong {
            self.find(rule, format!("message {number} {what}"));
        }
    }

    /// Checks a message that somebody was shown. Gives its place among all messages.
    fn show(&mut self, channel: usize, shown: &Shown) -> Option<usize> {
        let number = shown.message;
        let tenant = self.books.get(channel).map(|(it, _)| it.tenant.clone()).unwrap_or_default();
        if shown.canary != tenant {
            self.find(Rule::Canary, format!("{tenant} was shown a word of {}", shown.canary));
        }
        let Some(at) = self.numbers.get(&number).copied() else {
            self.find(Rule::Phantom, format!("message {number} was never asked for"));
            return None;
        };
        let (line, message) = (self.line, self.messages.get_mut(at)?);
        message.shown.get_or_insert(line);
        let (home, is_intact) = (message.channel, message.digest == shown.digest);
        if home != channel {
            let of = self.books.get(home).map(|(it, _)| it.tenant.clone()).unwrap_or_default();
            let rule = if of == tenant { Rule::Phantom } else { Rule::Canary };
            self.find(rule, format!("message {number} of another channel, of {of}, was shown"));
            return None;
        }
        if !is_intact {
            self.find(Rule::Damaged, format!("message {number} is not what was published"));
        }
        self.agree(number, shown.id.as_deref(), shown.place);
        Some(at)
    }

    fn enter(&mut self, session: u64) {
        let Some(Session { token, asked }) = self.sessions.get(&session).copied() else { return };
        if self.revoked.get(&token).is_some_and(|revoked| *revoked < asked) {
            self.find(Rule::Revoked, format!("token {token} is revoked, and opened a session"));
        }
    }

    /// When the token of a session was revoked.
    fn revoked_at(&self, session: u64) -> Option<u64> {
        self.revoked.get(&self.sessions.get(&session)?.token).copied()
    }

    fn turn_page(&mut self, read: u64, rows: &[Shown], is_last: bool) {
        let Some(channel) = self.pages.get(&read).map(|it| it.channel) else {
            return self.find(Rule::Log, format!("page {read} was never asked for"));
        };
        let rows = rows.iter().filter_map(|it| self.show(channel, it)).collect();
        if let Some(page) = self.pages.get_mut(&read) {
            page.came = Some((self.line, rows, is_last));
        }
    }

    fn keep(&mut self, channel: &Channel, shown: &Shown) {
        self.verdict.kept += 1;
        let channel = self.book(channel);
        let (Some(at), Some(place)) = (self.show(channel, shown), shown.place) else {
            return;
        };
        let Some((_, book)) = self.books.get_mut(channel) else { return };
        let before = book.kept.last().map(|(place, _)| *place);
        let nth = book.kept.len();
        book.kept.push((place, at));
        let earlier = self.messages.get_mut(at).and_then(|it| it.nth.replace(nth));
        if earlier.is_some() {
            self.find(Rule::Duplicate, format!("message {} is kept twice", shown.message));
        }
        match before {
            Some(before) if place <= before => {
                self.find(Rule::Order, format!("{place:?} stands behind {before:?}"));
            }
            Some(before) if place.epoch == before.epoch && place.offset != before.offset + 1 => {
                self.find(Rule::Gap, format!("{place:?} follows {before:?} in the history"));
            }
            Some(_) | None => {}
        }
    }
}
