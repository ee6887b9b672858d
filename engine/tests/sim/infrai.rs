//! A client that speaks Infrai: it listens to many channels, leaves them and comes back, and publishes to any.

use std::collections::{BTreeMap, BTreeSet};

use protocol::auth::{self, InfraiClaims};
use protocol::client::Target;
use protocol::ws::{self, Opcode};
use protocol::{Capabilities, Capability, Keep, Limits, Permit};

use crate::checker::{DATA_END, Sender, Shown, Truth, View, field, number_of};
use crate::clients::{pad, payload};
use crate::faults::Fault;
use crate::handshake::{Phase, Pings, WebSocket};
use crate::journal::Key;
use crate::keys::tenant_name;
use crate::scene::Scene;

/// A frame whose answer is due.
#[derive(Clone, Debug)]
enum Asked {
    Subscribe {
        key: Key,
        after: Option<u64>,
    },
    Unsubscribe(Key),
    Publish(usize),
    Ping,
    /// Something that will be refused.
    Nonsense,
}

/// A client with many channels.
pub struct InfraiClient {
    publisher: usize,
    /// Who it is.
    user: String,
    /// Whether it sees who is there, and is seen.
    pub is_member: bool,
    /// The channel that it likes best.
    pub key: Key,
    /// What it listens to, as far as it was told.
    pub views: BTreeMap<Key, View>,
    /// The last offset that it saw of each channel.
    last: BTreeMap<Key, u64>,
    asked: BTreeMap<u64, Asked>,
    next_frame: u64,
    pub socket: WebSocket,
}

impl InfraiClient {
    /// A client that asks for its socket.
    pub fn new(publisher: usize, key: Key, out: &mut Vec<u8>, scene: &mut Scene<'_>) -> Self {
        let user = format!("u{}", scene.random.below(6));
        let is_member = scene.random.permille(600);
        let capabilities = [Capability::Publish, Capability::History];
        let mut set = capabilities.into_iter().fold(Capabilities::SUBSCRIBE, Capabilities::with);
        if is_member {
            set = set.with(Capability::Presence);
        }
        let issued_at_s = scene.now.wall_ms / 1000;
        let named = scene.random.permille(500);
        let claims = InfraiClaims {
            jti: publisher as u128,
            tenant: tenant_name(&key),
            client_id: user.clone(),
            user_id: None,
            permit: Permit { capabilities: set, channels: named.then(|| Box::from(["c*".into()])) },
            issued_at_s,
            expires_at_s: issued_at_s + 3600,
        };
        let token =
            auth::sign_infrai(&claims, &scene.signing_key(&key), &Limits::default()).unwrap();
        let path = format!("/v1/realtime/ws?token={token}");
        let target = Target { host: "stentor", path: &path, bearer: None };
        let socket =
            WebSocket::ask(&target, Pings::Answered, out).with_manners(scene).signed(scene);
        Self {
            publisher,
            user,
            is_member,
            key,
            views: BTreeMap::new(),
            last: BTreeMap::new(),
            asked: BTreeMap::new(),
            next_frame: 0,
            socket,
        }
    }

    /// Whether it is connected, and will stay so.
    pub fn is_live(&self) -> bool {
        self.socket.is_live()
    }

    /// Does something.
    pub fn act(&mut self, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        let phase = self.socket.phase();
        let is_early = phase == Phase::Asked && !scene.random.permille(100);
        if self.socket.done || is_early || phase == Phase::Over {
            return;
        }
        let channel = scene.random.below(scene.plan.channels);
        let key = (self.key.0, format!("c{channel}"));
        match scene.random.below(40) {
            0..=11 => self.subscribe(key, out, scene),
            12..=18 => {
                let text = format!("\"type\":\"unsubscribe\",\"channel\":\"{}\"", key.1);
                self.say(&text, Asked::Unsubscribe(key), out, scene);
            }
            19..=29 => self.publish(&key, out, scene, Keep::Persist),
            30..=34 => self.publish(&key, out, scene, Keep::Pass),
            35 => self.say("\"type\":\"ping\"", Asked::Ping, out, scene),
            36 => self.say("\"type\":\"dance\"", Asked::Nonsense, out, scene),
            37 if scene.random.permille(200) => {
                self.socket.say_goodbye(out);
            }
            38 if scene.plan.has(Fault::Garbage) => {
                let mask = mask(scene);
                ws::append_masked(out, Opcode::Binary, b"bytes", mask);
                self.socket.done = true;
            }
            _ => {}
        }
    }

    fn subscribe(&mut self, key: Key, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        let known = self.last.get(&key).copied().unwrap_or_default();
        let after = scene.random.permille(600).then_some(known);
        let back = scene.random.one_of(&[0, 0, 1, 4, 100]);
        let ahead = scene.random.one_of(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1_000]);
        let after = after.map(|it| it.saturating_sub(back) + ahead);
        let tail = after.map(|it| format!(",\"after\":{it}")).unwrap_or_default();
        let text = format!("\"type\":\"subscribe\",\"channel\":\"{}\"{tail}", key.1);
        self.say(&text, Asked::Subscribe { key, after }, out, scene);
    }

    fn publish(&mut self, key: &Key, out: &mut Vec<u8>, scene: &mut Scene<'_>, keep: Keep) {
        let pad = pad(scene);
        let sender = Sender { key, publisher: self.publisher, step: scene.step };
        let number = scene.truth.issue(&sender, keep, |it| payload(it, pad));
        let data = String::from_utf8(scene.truth.issued[number].data.clone()).unwrap();
        let persist = keep == Keep::Persist;
        let text = format!(
            "\"type\":\"publish\",\"channel\":\"{}\",\"event\":\"e{number}\",\"persist\":{persist},\"data\":{data}",
            key.1,
        );
        self.say(&text, Asked::Publish(number), out, scene);
    }

    fn say(&mut self, text: &str, asked: Asked, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        let id = self.next_frame;
        self.next_frame += 1;
        let mask = mask(scene);
        let text = format!("{{\"id\":{id},{text}}}");
        ws::append_masked(out, Opcode::Text, text.as_bytes(), mask);
        self.asked.insert(id, asked);
        if text.len() > scene.plan.limits.wire.message_bytes_max {
            self.socket.done = true;
        }
    }

    /// Hears bytes of the node; what it answers goes to `out`.
    pub fn hear(&mut self, bytes: &[u8], out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        self.socket.take(bytes, scene.seen);
        while let Some(text) = self.socket.next(out, scene.seen) {
            self.hear_text(&text, scene);
        }
    }

    fn hear_text(&mut self, text: &str, scene: &mut Scene<'_>) {
        let kind = field(text, "type").expect("every frame has a type");
        match kind {
            "connected" => assert_eq!(field(text, "client_id"), Some(self.user.as_str())),
            "message" => self.hear_message(text, scene),
            "recovered" => {
                let key = (self.key.0, field(text, "channel").unwrap().to_owned());
                let position = field(text, "position").unwrap().parse().unwrap();
                let view = self.views.get_mut(&key).expect("it listens");
                view.recovered(position, scene.step);
                scene.seen.note("recovered in parts");
            }
            "presence" => self.hear_presence(text),
            "channel_deleted" => self.put_out(text, scene),
            "unsubscribed" if field(text, "id").is_none() => self.put_out(text, scene),
            _ => self.hear_answer(kind, text, scene),
        }
    }

    fn hear_answer(&mut self, kind: &str, text: &str, scene: &mut Scene<'_>) {
        let id: u64 = field(text, "id").expect("an answer has the frame's id").parse().unwrap();
        let asked = self.asked.remove(&id).unwrap_or_else(|| panic!("answered twice: {text}"));
        match (asked, kind) {
            (Asked::Subscribe { key, after }, "subscribed") => {
                self.subscribed(&key, after, text, scene);
            }
            (Asked::Unsubscribe(key), "unsubscribed") => _ = self.views.remove(&key),
            // It was asked for, and taken back before there was an answer.
            (Asked::Subscribe { .. }, "unsubscribed") => {}
            (Asked::Publish(number), "published") => {
                scene.truth.accept_unplaced(number);
                scene.seen.note("acknowledged to a client of many channels");
            }
            (Asked::Publish(number), "error") => scene.truth.refuse(number),
            (Asked::Ping, "pong") | (Asked::Nonsense, "error") => {}
            (Asked::Subscribe { key, .. }, "error") => {
                // One more subscription to a channel that was deleted meanwhile is registered first. A catalog that
                // does not take that leaves the old one as it is.
                let is_fenced =
                    scene.plan.has(Fault::FencedCatalog) && text.contains("\"UNAVAILABLE\"");
                let is_unregistered = text.contains("STORAGE_FULL") || is_fenced;
                let is_out = is_unregistered || !self.views.contains_key(&key);
                assert!(is_out, "refused, yet it listens: {text}");
            }
            (asked, _) => panic!("{text} answers {asked:?}"),
        }
    }

    fn subscribed(&mut self, key: &Key, after: Option<u64>, text: &str, scene: &mut Scene<'_>) {
        let position: u64 = field(text, "position").unwrap().parse().unwrap();
        let is_superseded = self.asked.values().any(|it| match it {
            Asked::Subscribe { key: other, .. } => other == key,
            Asked::Unsubscribe(_) | Asked::Publish(_) | Asked::Ping | Asked::Nonsense => false,
        });
        let start = match (field(text, "recovered"), after) {
            (Some("true"), Some(after)) => {
                scene.seen.note_if(position > after, "missed messages after a subscribe");
                after
            }
            (Some("false"), Some(_)) => {
                let is_excused = match field(text, "reason") {
                    Some("not_retained") => {
                        let let_go = scene.truth.dooms.let_go.get(key).copied();
                        scene.plan.has(Fault::Damage) || after < let_go
                    }
                    Some("ahead") => after > Some(position),
                    Some("unreadable") => {
                        let plan = scene.plan;
                        plan.has(Fault::FencedJournal) || plan.has(Fault::FailingReads)
                    }
                    Some(_) | None => false,
                };
                let is_excused = is_excused || is_superseded;
                assert!(is_excused, "nothing is missing in the journal: {text}");
                scene.seen.note("told of a gap");
                position
            }
            (None, None) => position,
            // One answer for both, in the later one's terms; its frame follows at once.
            _ if is_superseded => position,
            other => panic!("{other:?}: {text}"),
        };
        let members: Option<BTreeSet<_>> = text.split_once("\"members\":[").map(|(_, list)| {
            let names = list.split("{\"client_id\":\"").skip(1);
            names.map(|it| it.split('"').next().unwrap().to_owned()).collect()
        });
        assert_eq!(members.is_some(), self.is_member, "who sees who is there: {text}");
        let mut view = View::new(key.clone(), self.user.clone(), 0);
        let listed_max = scene.plan.limits.presence_members_max;
        view.subscribed(members.unwrap_or_default(), listed_max, scene.step);
        view.begin_behind(start);
        if field(text, "recovering").is_some() {
            view.recovering();
        }
        let again = self.views.insert(key.clone(), view).is_some();
        scene.seen.note_if(again, "subscribed again without a pause");
        scene.seen.note_if(self.views.len() > 1, "two channels on one socket");
    }

    /// It listens no more, though it did not ask for that.
    fn put_out(&mut self, text: &str, scene: &mut Scene<'_>) {
        let key = (self.key.0, field(text, "channel").unwrap().to_owned());
        self.views.remove(&key);
        scene.seen.note("put out of a channel");
    }

    fn hear_message(&mut self, text: &str, scene: &mut Scene<'_>) {
        let (front, rest) = text.split_once(",\"data\":").expect("a message has data");
        let end = rest.find(DATA_END).expect("a payload ends as it was made") + DATA_END.len();
        let (data, back) = rest.split_at(end);
        let event = field(front, "event").unwrap();
        let offset = field(back, "offset").map(|it| it.parse().unwrap());
        let key = (self.key.0, field(front, "channel").unwrap().to_owned());
        let view = self.views.get_mut(&key);
        let view = view.unwrap_or_else(|| panic!("it does not listen: {text}"));
        view.got(scene.truth, &Shown { event, data, offset }, scene.seen);
        if let Some(offset) = offset {
            self.last.insert(key, offset);
        }
        let sender = scene.truth.issued[number_of(event)].publisher;
        let is_foreign = scene.truth.insforge.contains(&sender);
        scene.seen.note_if(is_foreign, "InsForge message in another dialect");
        let is_own = sender == self.publisher;
        assert!(!is_own || field(back, "client_id") == Some(self.user.as_str()), "{text}");
    }

    fn hear_presence(&mut self, text: &str) {
        assert!(self.is_member, "it may not see who is there: {text}");
        let key = (self.key.0, field(text, "channel").unwrap().to_owned());
        let user = field(text, "client_id").unwrap();
        let view = self.views.get_mut(&key);
        let view = view.unwrap_or_else(|| panic!("it does not listen: {text}"));
        match field(text, "action") {
            Some("join") => view.joined(user),
            Some("leave") => view.left(user),
            other => panic!("{other:?}: {text}"),
        }
    }

    /// Nothing is under way any more: everything was answered, and everything seen.
    pub fn check_quiescent(&self, truth: &Truth, position: impl Fn(&Key) -> u64) {
        if !self.is_live() {
            return;
        }
        assert!(self.asked.is_empty(), "answers are missing: {:?}", self.asked);
        for (key, view) in &self.views {
            view.check_quiescent(truth, position(key), self.publisher);
        }
    }
}

fn mask(scene: &mut Scene<'_>) -> [u8; 4] {
    [3, 1, 4, u8::try_from(scene.random.below(256)).unwrap()]
}
