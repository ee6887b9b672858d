//! A client on the WebSocket of InsForge's documents: it says who it is, now and then anew, listens to many channels, and publishes to
//! any, whether it listens there or not. It sees who is there, and is not seen. Some want a part of a channel's messages alone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use protocol::Keep;
use protocol::auth::insforge::sign_user;
use protocol::client::Target;
use protocol::ws::{self, Opcode};

use crate::checker::{DATA_END, Sender, Shown, Truth, View, field, number_of};
use crate::clients::{pad, payload};
use crate::handshake::{Phase, Pings, WebSocket};
use crate::insforge::Who;
use crate::journal::Key;
use crate::keys::{anon_key, api_key, host, jwt_secret};
use crate::registered::may_publish;
use crate::scene::Scene;
use crate::wishes::Wish;

/// See the module.
pub struct PlainClient {
    publisher: usize,
    /// The channel that it likes best.
    pub key: Key,
    /// Who it is, once it was let in.
    who: Option<Who>,
    /// Who it says it is now.
    offered: Option<Who>,
    /// What it listens to, as far as it was told.
    pub views: BTreeMap<Key, View>,
    /// What it left and may still hear of.
    left: BTreeMap<Key, View>,
    /// Whether it wants a part of what there is to hear.
    is_choosy: bool,
    /// What it asked for and was not answered, and where channels stood then.
    asked: BTreeMap<Key, VecDeque<(u64, Wish)>>,
    /// Channels that it was put out of while it asked for them: nobody can say which of its questions an answer is for.
    vague: BTreeSet<Key>,
    /// How often it left a channel, and was not answered.
    leaving: BTreeMap<Key, usize>,
    /// What it published, and was not answered.
    published: usize,
    /// Its pings that were not answered.
    pings: usize,
    pub socket: WebSocket,
}

impl PlainClient {
    /// A client that asks for its socket.
    pub fn new(publisher: usize, key: Key, out: &mut Vec<u8>, scene: &mut Scene<'_>) -> Self {
        let host = host(key.0);
        let target = Target { host: &host, path: "/realtime", bearer: None };
        let socket = WebSocket::ask(&target, Pings::Answered, out).with_manners(scene);
        scene.truth.insforge.insert(publisher);
        Self {
            publisher,
            key,
            who: None,
            offered: None,
            views: BTreeMap::new(),
            left: BTreeMap::new(),
            is_choosy: scene.random.permille(600),
            asked: BTreeMap::new(),
            vague: BTreeSet::new(),
            leaving: BTreeMap::new(),
            published: 0,
            pings: 0,
            socket,
        }
    }

    /// Whether it is connected, and will stay so.
    pub fn is_live(&self) -> bool {
        self.socket.is_live()
    }

    /// Does something.
    pub fn act(&mut self, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        if !self.is_live() || self.offered.is_some() {
            return;
        }
        if self.who.is_none() {
            return self.introduce(out, scene);
        }
        let channel = scene.random.below(scene.plan.channels);
        let key = (self.key.0, format!("c{channel}"));
        match scene.random.below(40) {
            0..=12 => self.subscribe(&key, out, scene),
            13..=17 => {
                let text = format!("\"unsubscribe\",\"channel\":\"{}\"", key.1);
                self.asked.remove(&key);
                if let Some(view) = self.views.remove(&key) {
                    self.left.insert(key.clone(), view);
                }
                *self.leaving.entry(key).or_default() += 1;
                self.say(&text, out, scene);
            }
            18..=32 => self.publish(&key, out, scene),
            33 => {
                self.pings += 1;
                self.say("\"ping\"", out, scene);
            }
            34 if scene.random.permille(300) => self.introduce(out, scene),
            35 if scene.random.permille(200) => {
                self.socket.say_goodbye(out);
            }
            _ => {}
        }
    }

    /// Says who it is. Who is let in anew listens to nothing any more.
    fn introduce(&mut self, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        let tenant = self.key.0;
        let (who, token) = match scene.random.below(6) {
            0 => (Who::Server, api_key(tenant)),
            1 => (Who::Anonymous, anon_key(tenant)),
            2 => (Who::Nobody, "what".to_owned()),
            _ => {
                let name = format!("u{}", scene.random.below(6));
                let token = sign_user(&format!("{{\"sub\":\"{name}\"}}"), &jwt_secret(tenant));
                (Who::User(name), token)
            }
        };
        self.offered = Some(who);
        self.say(&format!("\"auth\",\"token\":\"{token}\""), out, scene);
    }

    fn subscribe(&mut self, key: &Key, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        let wish = if self.is_choosy { Wish::any(scene) } else { Wish::default() };
        let asked = self.asked.entry(key.clone()).or_default();
        let text = format!("\"subscribe\",\"channel\":\"{}\"{}", key.1, wish.words());
        asked.push_back((scene.position_of(key), wish.clone()));
        if let Some(view) = self.views.get_mut(key) {
            view.asks(wish);
        }
        self.say(&text, out, scene);
    }

    fn publish(&mut self, key: &Key, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        let pad = pad(scene);
        let sender = Sender { key, publisher: self.publisher, step: scene.step };
        let number = scene.truth.issue(&sender, Keep::Persist, |it| payload(it, pad));
        if !self.who.as_ref().is_some_and(|it| may_publish(key.0, it)) {
            scene.truth.refuse(number);
        }
        let data = String::from_utf8(scene.truth.issued[number].data.clone()).unwrap();
        let text = format!(
            "\"publish\",\"channel\":\"{}\",\"event\":\"e{number}\",\"payload\":{data}",
            key.1,
        );
        self.published += 1;
        self.say(&text, out, scene);
    }

    fn say(&mut self, text: &str, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        let mask = [3, 1, 4, u8::try_from(scene.random.below(256)).unwrap()];
        let text = format!("{{\"type\":{text}}}");
        ws::append_masked(out, Opcode::Text, text.as_bytes(), mask);
        self.socket.done |= text.len() > scene.plan.limits.wire.message_bytes_max;
    }

    /// Hears bytes of the node; what it answers goes to `out`.
    pub fn hear(&mut self, bytes: &[u8], out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        self.socket.take(bytes, scene.seen);
        while let Some(text) = self.socket.next(out, scene.seen) {
            self.hear_text(&text, scene);
        }
    }

    fn hear_text(&mut self, text: &str, scene: &mut Scene<'_>) {
        let key = (self.key.0, field(text, "channel").unwrap_or_default().to_owned());
        match field(text, "type").expect("every frame has a type") {
            "auth_success" => {
                self.who = self.offered.take();
                assert!(!matches!(self.who, None | Some(Who::Nobody)), "let in: {text}");
                self.views.clear();
                self.left.clear();
                self.asked.clear();
                self.vague.clear();
                self.leaving.clear();
            }
            "error" if text.contains("Invalid token") => {
                assert_eq!(self.offered.take(), Some(Who::Nobody), "not let in: {text}");
            }
            // Subscriptions to channels that everyone may hear are never refused.
            "error" => {
                let left = self.published.checked_sub(1);
                self.published = left.unwrap_or_else(|| panic!("nothing was published: {text}"));
            }
            "subscribed" => self.hear_subscribed(key, scene),
            "unsubscribed" => {
                self.left.remove(&key);
                match self.leaving.get_mut(&key).filter(|it| **it > 0) {
                    Some(leaving) => *leaving -= 1,
                    // Its server, or another dialect, has put it out.
                    None => {
                        self.views.remove(&key);
                        let asked = self.asked.remove(&key);
                        self.vague.extend(asked.map(|_| key));
                    }
                }
            }
            "published" => {
                self.published -= 1;
                scene.truth.accept_unplaced(number_of(field(text, "event").unwrap()));
                scene.seen.note("acknowledged on the documents' wire");
            }
            "message" => self.hear_message(text, &key, scene),
            "presence" => assert!(self.view(&key).is_some(), "it does not listen: {text}"),
            "pong" => {
                let left = self.pings.checked_sub(1);
                self.pings = left.unwrap_or_else(|| panic!("nothing was asked: {text}"));
            }
            other => panic!("{other}: {text}"),
        }
    }

    fn hear_subscribed(&mut self, key: Key, scene: &mut Scene<'_>) {
        let is_left = self.leaving.get(&key).is_some_and(|it| *it > 0);
        // What it asked for before it left was taken back; what it asked for since comes later.
        let mut asks = self.asked.get_mut(&key).filter(|_| !is_left);
        let ask = asks.as_mut().and_then(|it| it.pop_front());
        let more: Vec<Wish> = asks.into_iter().flatten().map(|it| it.1.clone()).collect();
        let unknown = if self.is_choosy { Wish::vague() } else { Wish::default() };
        let ask = ask.filter(|_| !self.vague.contains(&key));
        let (begun_at, wish) = ask.unwrap_or((0, unknown));
        let position = scene.position_of(&key);
        if let Some(view) = self.view(&key) {
            let is_other = view.answered(wish, more, position, scene.step);
            return scene.seen.note_if(is_other && !is_left, "filter changed while it listens");
        }
        let mut view = View::new(key.clone(), String::new(), begun_at).wanting(wish, more);
        view.subscribed(BTreeSet::new(), usize::MAX, scene.step);
        view.stands_at(position);
        let views = if is_left { &mut self.left } else { &mut self.views };
        views.insert(key, view);
    }

    /// What it sees of a channel that it listens to, or left a moment ago.
    fn view(&mut self, key: &Key) -> Option<&mut View> {
        match self.views.get_mut(key) {
            Some(view) => Some(view),
            None => self.left.get_mut(key),
        }
    }

    fn hear_message(&mut self, text: &str, key: &Key, scene: &mut Scene<'_>) {
        let rest = text.split_once(",\"payload\":").expect("a message has a payload").1;
        let end = rest.find(DATA_END).expect("a payload ends as it was made") + DATA_END.len();
        let (data, event) = (&rest[..end], field(text, "event").unwrap());
        let offset = scene.truth.offset_of(key, number_of(event));
        let view = self.view(key).unwrap_or_else(|| panic!("it does not listen: {text}"));
        view.got(scene.truth, &Shown { event, data, offset }, scene.seen);
        scene.seen.note("message on the documents' wire");
    }

    /// Nothing is under way any more: everything was answered, and everything seen.
    pub fn check_quiescent(&self, truth: &Truth, position: impl Fn(&Key) -> u64) {
        if !self.is_live() {
            return;
        }
        assert!(self.offered.is_none(), "nobody said whether it is let in");
        assert!(self.asked.values().all(VecDeque::is_empty), "answers are missing");
        assert_eq!((self.published, self.pings), (0, 0), "answers are missing");
        assert!(self.leaving.values().all(|it| *it == 0), "answers are missing");
        for (key, view) in &self.views {
            view.check_quiescent(truth, position(key), self.publisher);
        }
    }

    /// Much time passed: who was not let in is gone.
    pub fn check_waited(&self) {
        self.socket.check_waited();
        assert!(
            self.socket.phase() != Phase::Open || self.who.is_some(),
            "a stranger is still there"
        );
    }
}
