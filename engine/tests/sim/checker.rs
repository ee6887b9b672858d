//! What a client may see, stated once. Everything published has a number, which its event name and payload carry.

use std::collections::{BTreeMap, BTreeSet};

use engine::ids::Offset;
use protocol::Keep;

use crate::dooms::Dooms;
use crate::journal::Key;
use crate::operator::FIRST_KEYED;
use crate::seen::Seen;
use crate::wishes::Wish;

/// What became of a publication, as far as its publisher was told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// Nothing was heard.
    Unknown,
    /// It was accepted.
    Accepted,
    /// It was refused.
    Refused,
}

/// One publication that a client sent.
#[derive(Debug)]
pub struct Issued {
    /// Where.
    pub key: Key,
    /// The connection that sent it.
    pub publisher: usize,
    /// Whether it is to be durable.
    pub keep: Keep,
    /// The payload, byte for byte.
    pub data: Vec<u8>,
    /// When.
    pub step: u64,
    /// What its publisher knows.
    pub fate: Fate,
    delivered: bool,
}

/// Who publishes, where and when.
#[derive(Debug)]
pub struct Sender<'a> {
    pub key: &'a Key,
    pub publisher: usize,
    pub step: u64,
}

/// All that was published, and what is durable.
#[derive(Debug, Default)]
pub struct Truth {
    /// By number.
    pub issued: Vec<Issued>,
    /// The numbers of each channel's durable publications: offset 1 first.
    pub durable: BTreeMap<Key, Vec<usize>>,
    /// What may be missing from history: it is damaged, or was let go.
    pub damaged: BTreeMap<Key, BTreeSet<Offset>>,
    /// The publishers that speak InsForge.
    pub insforge: BTreeSet<usize>,
    /// As whom clients that poll are known to the others.
    pub polled: BTreeSet<String>,
    /// What was published again with its key, because nobody heard the answer.
    pub retried: BTreeSet<usize>,
    /// What is let go, or is to be.
    pub dooms: Dooms,
}

/// A message, as a subscriber or a reader of history got it.
#[derive(Debug)]
pub struct Shown<'a> {
    pub event: &'a str,
    pub data: &'a str,
    pub offset: Option<u64>,
}

impl Truth {
    /// A client sends something. Returns its number.
    pub fn issue(
        &mut self,
        sender: &Sender<'_>,
        keep: Keep,
        data: impl Fn(usize) -> Vec<u8>,
    ) -> usize {
        let Sender { key, publisher, step } = *sender;
        let number = self.issued.len();
        self.issued.push(Issued {
            key: key.clone(),
            publisher,
            keep,
            data: data(number),
            step,
            fate: Fate::Unknown,
            delivered: false,
        });
        number
    }

    /// The journal made it durable.
    pub fn keep(&mut self, key: Key, event: &str, offset: u64) {
        let number = number_of(event);
        assert_eq!(self.issued[number].key, key, "{event} is kept in another channel");
        assert_eq!(self.issued[number].keep, Keep::Persist, "{event} was not to be kept");
        assert_ne!(self.issued[number].fate, Fate::Refused, "{event} was refused, yet is kept");
        let publisher = self.issued[number].publisher;
        if publisher >= FIRST_KEYED || self.retried.contains(&number) {
            self.dooms.revive(number);
        }
        assert!(!self.dooms.has(number), "{event} of {publisher} was let go, and is kept later");
        let log = self.durable.entry(key).or_default();
        assert!(!log.contains(&number), "{event} is kept twice");
        log.push(number);
        assert_eq!(log.len() as u64, offset, "invariant 2: offsets are dense");
    }

    /// Its publisher was told that it is accepted (invariant 4).
    pub fn accept(&mut self, number: usize, offset: Option<u64>) {
        let it = &mut self.issued[number];
        assert_eq!(it.fate, Fate::Unknown, "e{number} is answered twice");
        it.fate = Fate::Accepted;
        assert_eq!(offset.is_some(), it.keep == Keep::Persist, "e{number} is kept or not");
        if let Some(offset) = offset {
            let key = it.key.clone();
            assert_eq!(self.durable_at(&key, offset), Some(number), "acknowledged = durable");
        }
    }

    /// Its publisher was told that it is accepted, and not where it is.
    pub fn accept_unplaced(&mut self, number: usize) {
        let it = &mut self.issued[number];
        assert_eq!(it.fate, Fate::Unknown, "e{number} is answered twice");
        it.fate = Fate::Accepted;
        let is_kept = self.durable.get(&it.key).is_some_and(|log| log.contains(&number));
        assert_eq!(is_kept, it.keep == Keep::Persist, "acknowledged = durable");
    }

    /// Its publisher was told that it is refused.
    pub fn refuse(&mut self, number: usize) {
        let it = &mut self.issued[number];
        assert_eq!(it.fate, Fate::Unknown, "e{number} is answered twice");
        it.fate = Fate::Refused;
        assert!(!it.delivered, "e{number} was delivered, then refused");
        let is_kept = self.durable.get(&it.key).is_some_and(|log| log.contains(&number));
        assert!(!is_kept, "e{number} is kept, yet refused");
    }

    /// The number of the durable publication at an offset.
    pub fn durable_at(&self, key: &Key, offset: u64) -> Option<usize> {
        let place = usize::try_from(offset.checked_sub(1)?).unwrap();
        self.durable.get(key)?.get(place).copied()
    }

    /// Where a message is durable that was to be kept.
    pub fn offset_of(&self, key: &Key, number: usize) -> Option<u64> {
        let place = self.durable.get(key)?.iter().position(|it| *it == number)?;
        Some(place as u64 + 1)
    }

    /// The last of the damaged messages right behind one, before another.
    pub fn past_damage(&self, key: &Key, after: u64, before: u64) -> u64 {
        let Some(damaged) = self.damaged.get(key) else { return after };
        let behind = (after + 1..before).take_while(|it| damaged.contains(&Offset(*it)));
        behind.last().unwrap_or(after)
    }

    /// Checks a message that somebody was shown. Returns its number.
    pub fn show(&mut self, key: &Key, shown: &Shown<'_>) -> usize {
        let number = number_of(shown.event);
        let it = &mut self.issued[number];
        assert_eq!(&it.key, key, "{} is shown on another channel", shown.event);
        assert_eq!(it.data, shown.data.as_bytes(), "invariant 14: payloads are bytes");
        assert_ne!(it.fate, Fate::Refused, "{} was refused, yet is shown", shown.event);
        it.delivered = true;
        assert_eq!(shown.offset.is_some(), it.keep == Keep::Persist);
        if let Some(offset) = shown.offset {
            let durable = self.durable_at(key, offset);
            assert_eq!(durable, Some(number), "invariant 4: commit before sight");
        }
        number
    }
}

/// What one subscriber has seen.
#[derive(Debug)]
pub struct View {
    /// What it listens to.
    pub key: Key,
    /// Who it is.
    pub user: String,
    /// When it learned that it is subscribed.
    pub subscribed_at: Option<u64>,
    /// When it learned that it has everything it missed, and what follows is live. What is not kept comes only then.
    live_at: Option<u64>,
    /// Where the channel stood at the latest before it was subscribed, and at the earliest after.
    range: (u64, u64),
    last: Option<u64>,
    last_of: BTreeMap<usize, usize>,
    got: BTreeSet<usize>,
    /// Which messages it wants.
    wish: Wish,
    /// What it asked for since, and has no answer to: nobody can say whether that is in force.
    asked: Vec<Wish>,
    /// Where the channel stood when its wish changed last: up to there its wishes before count too.
    answered_at: u64,
    /// Who is there, as far as it was told.
    pub members: BTreeSet<String>,
    /// Whether it was told of everybody who was there when it came.
    knows_all: bool,
}

impl View {
    /// A client that asks to subscribe while the channel stands at `position`.
    pub fn new(key: Key, user: String, position: u64) -> Self {
        Self {
            key,
            user,
            subscribed_at: None,
            live_at: None,
            range: (position, u64::MAX),
            last: None,
            last_of: BTreeMap::new(),
            got: BTreeSet::new(),
            wish: Wish::default(),
            asked: Vec::new(),
            answered_at: 0,
            members: BTreeSet::new(),
            knows_all: true,
        }
    }

    /// The same of one who wants some messages, and asked for others since.
    pub fn wanting(mut self, wish: Wish, asked: Vec<Wish>) -> Self {
        (self.wish, self.asked) = (wish, asked);
        self
    }

    /// It asks for other messages.
    pub fn asks(&mut self, wish: Wish) {
        self.asked.push(wish);
    }

    /// It gets these now, and has yet to be answered what it `asked` for since. The channel stands at `position` or further back.
    /// Returns whether that changes anything.
    pub fn answered(&mut self, wish: Wish, asked: Vec<Wish>, position: u64, step: u64) -> bool {
        let is_other = self.wish != wish;
        if is_other {
            self.answered_at = position;
            (self.subscribed_at, self.live_at) = (Some(step), Some(step));
        }
        (self.wish, self.asked) = (wish, asked);
        is_other
    }

    /// A message between two offsets that should have come.
    fn missed(&self, truth: &Truth, (after, before): (u64, u64)) -> Option<u64> {
        let is_due =
            |it: usize| self.wish.is_due(it) && self.asked.iter().all(|ask| ask.is_due(it));
        let between = after.max(self.answered_at).saturating_add(1)..before;
        between.into_iter().find(|it| truth.durable_at(&self.key, *it).is_none_or(is_due))
    }

    /// It was told who is there; a full list may not name all.
    pub fn sees(&mut self, members: BTreeSet<String>, listed_max: usize) {
        self.knows_all = members.len() < listed_max;
        self.members = members;
    }

    /// The subscription is live.
    pub fn subscribed(&mut self, members: BTreeSet<String>, listed_max: usize, step: u64) {
        assert_eq!(self.subscribed_at, None, "subscribed twice");
        self.subscribed_at = Some(step);
        self.live_at = Some(step);
        self.sees(members, listed_max);
    }

    /// It was told that what it missed comes in parts.
    pub fn recovering(&mut self) {
        self.live_at = None;
    }

    /// It was told that it has everything up to `position`.
    pub fn recovered(&mut self, position: u64, step: u64) {
        assert_eq!(self.live_at, None, "recovered twice");
        assert_eq!(self.last, Some(position), "recovered up to another message");
        self.live_at = Some(step);
    }

    /// The channel stands at `position` or further back.
    pub fn stands_at(&mut self, position: u64) {
        self.range.1 = position;
    }

    /// It was told behind which offset it begins.
    pub fn begin_behind(&mut self, offset: u64) {
        self.last = Some(offset);
    }

    /// A message came.
    pub fn got(&mut self, truth: &mut Truth, shown: &Shown<'_>, seen: &mut Seen) {
        assert!(self.subscribed_at.is_some(), "a message before the subscription");
        let number = truth.show(&self.key, shown);
        let may_get = self.wish.may_get(number) || self.asked.iter().any(|it| it.may_get(number));
        assert!(may_get, "e{number} is not what it wants: {:?} {:?}", self.wish, self.asked);
        let publisher = truth.issued[number].publisher;
        // What is said again may come behind what its connection published after it.
        if !truth.retried.contains(&number)
            && let Some(before) = self.last_of.insert(publisher, number)
        {
            assert!(before < number, "e{number} after e{before} of the same publisher");
        }
        assert!(self.got.insert(number), "e{number} came twice");
        seen.note("message delivered");
        seen.note_if(!self.wish.is_open(), "filter let a message through");
        let Some(offset) = shown.offset else {
            assert!(self.live_at.is_some(), "e{number} overtakes what is still missing");
            return seen.note("publication not kept delivered");
        };
        match self.last {
            Some(last) => {
                assert!(offset > last, "offset {offset} behind {last}");
                assert_eq!(self.missed(truth, (last, offset)), None, "invariant 3: a gap");
                seen.note_if(offset > last + 1, "filter kept a message back");
            }
            None => {
                let (low, high) = self.range;
                assert!(offset > low, "offset {offset} is from before the subscription: {low}");
                assert_eq!(self.missed(truth, (high, offset)), None, "invariant 3: began late");
            }
        }
        self.last = Some(offset);
    }

    /// Somebody came.
    pub fn joined(&mut self, user: &str) {
        assert!(self.subscribed_at.is_some(), "a join before the subscription");
        let is_new = self.members.insert(user.to_owned());
        assert!(is_new, "{user} joined twice");
    }

    /// Somebody left.
    pub fn left(&mut self, user: &str) {
        let was_there = self.members.remove(user);
        assert!(was_there || !self.knows_all, "{user} left, but was not there");
    }

    /// Nothing is under way any more: the subscriber has everything up to `position`.
    pub fn check_quiescent(&self, truth: &Truth, position: u64, publisher: usize) {
        let Some(subscribed_at) = self.subscribed_at else { return };
        let live_at = self.live_at.expect("it still waits for what it missed");
        let last = self.last.unwrap_or(self.range.1);
        assert!(self.last.is_none_or(|it| it <= position), "{last} is behind the end {position}");
        assert_eq!(self.missed(truth, (last, position + 1)), None, "lost the tail behind {last}");
        for (number, it) in truth.issued.iter().enumerate() {
            let since = if it.keep == Keep::Persist { subscribed_at } else { live_at };
            let is_due = it.key == self.key && it.step > since;
            if is_due && self.wish.is_due(number) && it.fate == Fate::Accepted {
                assert!(self.got.contains(&number), "client {publisher} never got e{number}");
            }
        }
    }
}

/// The number of a publication by its event.
pub fn number_of(event: &str) -> usize {
    event.strip_prefix('e').and_then(|it| it.parse().ok()).unwrap_or_else(|| {
        panic!("an event that nobody published: {event:?}");
    })
}

/// Reads a JSON text that the node wrote: a value of a key that comes once.
pub fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let start = text.find(&format!("\"{key}\":"))? + key.len() + 3;
    let rest = &text[start..];
    match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => rest.split([',', '}', ']']).next(),
    }
}

/// How every payload ends.
pub const DATA_END: &str = ",\"last\":0}";

/// Splits a message into event, data and offset; in a frame and in a history the order of the fields differs.
pub fn read_message(text: &str) -> Shown<'_> {
    let (front, rest) = text.split_once(",\"data\":").expect("a message has data");
    let end = rest.find(DATA_END).expect("a payload ends as it was made") + DATA_END.len();
    let (data, back) = rest.split_at(end);
    let event = field(front, "event").unwrap();
    assert_eq!(field(front, "action"), Some(event));
    Shown { event, data, offset: field(back, "id").map(|it| it.parse().unwrap()) }
}
