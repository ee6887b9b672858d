//! A client of Socket.IO: it says who it is, now and then wrongly, listens to many channels, leaves and comes again as somebody else.
//! Its messages have no offsets, so it learns them from the truth; nothing but the echo tells it that a message was taken.

mod heard;

use std::collections::BTreeMap;

use protocol::Keep;
use protocol::auth::insforge::sign_user;
use protocol::client::Target;
use protocol::ws::{self, Opcode};

use crate::checker::{Sender, Truth, View};
use crate::clients::{pad, payload};
use crate::faults::Fault;
use crate::handshake::{Phase, Pings, WebSocket};
use crate::journal::Key;
use crate::keys::{anon_key, api_key, host, jwt_secret};
use crate::registered::may_publish;
use crate::scene::Scene;

/// Who a client says it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Who {
    Server,
    Anonymous,
    User(String),
    /// Somebody whom nobody knows.
    Nobody,
}

/// How far a client is let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Standing {
    /// It waits for the first packet.
    Early,
    Outside,
    Asking,
    Inside,
}

/// A subscribe whose answer is due.
#[derive(Debug)]
struct Asked {
    key: Key,
    /// Where the channel stood.
    position: u64,
    /// Whether it was taken back: answers to what is asked from this number on come later than anything that this one gives.
    withdrawn: Option<u64>,
    /// Whether its client left the node since: then nobody has to answer it.
    is_dropped: bool,
}

/// What became of its publishes.
#[derive(Debug, Default)]
struct Tally {
    sent: usize,
    echoed: usize,
    refused: usize,
    /// Those whose echo may not come, because it left their channel first.
    unsure: usize,
}

impl Tally {
    /// It left a channel: of what it published before it may hear nothing.
    fn leave(&mut self) {
        self.unsure = self.due();
    }

    /// An echo came, or a refusal: at most what is due is still unsure.
    fn hear(&mut self) {
        self.unsure = self.unsure.min(self.due());
    }

    fn due(&self) -> usize {
        self.sent.saturating_sub(self.echoed + self.refused)
    }
}

/// See the module.
pub struct InsforgeClient {
    publisher: usize,
    /// The channel that it likes best.
    pub key: Key,
    who: Who,
    /// What the others know it by.
    user: String,
    standing: Standing,
    /// What it listens to, as far as it was told.
    pub views: BTreeMap<Key, View>,
    /// What it left and may still hear of, until something is answered that it asked from this number on.
    left: BTreeMap<Key, (View, u64)>,
    asked: BTreeMap<u64, Asked>,
    next_ask: u64,
    tally: Tally,
    /// The first of its publishes since it was let in: of those before it hears no more.
    first: usize,
    /// Whether it answers no pings.
    is_mute: bool,
    was_inside: bool,
    pub socket: WebSocket,
}

impl InsforgeClient {
    /// A client that asks for its socket.
    pub fn new(publisher: usize, key: Key, out: &mut Vec<u8>, scene: &mut Scene<'_>) -> Self {
        let path = "/socket.io/?EIO=4&transport=websocket";
        let host = host(key.0);
        let target = Target { host: &host, path, bearer: None };
        let socket = WebSocket::ask(&target, Pings::Foreign, out);
        scene.truth.insforge.insert(publisher);
        Self {
            publisher,
            key,
            who: Who::Nobody,
            user: String::new(),
            standing: Standing::Early,
            views: BTreeMap::new(),
            left: BTreeMap::new(),
            asked: BTreeMap::new(),
            next_ask: 0,
            tally: Tally::default(),
            first: 0,
            is_mute: false,
            was_inside: false,
            socket,
        }
    }

    /// Whether it is connected, and will stay so.
    pub fn is_live(&self) -> bool {
        self.socket.is_live()
    }

    /// Does something.
    pub fn act(&mut self, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        if !self.is_live() {
            return;
        }
        match self.standing {
            Standing::Early | Standing::Asking => {}
            Standing::Outside => self.introduce(out, scene),
            Standing::Inside => self.act_inside(out, scene),
        }
    }

    fn act_inside(&mut self, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        let channel = scene.random.below(scene.plan.channels);
        let key = (self.key.0, format!("c{channel}"));
        match scene.random.below(40) {
            0..=12 => self.subscribe(key, out, scene),
            13..=16 => self.unsubscribe(&key, out, scene),
            17..=33 => {
                let is_heard = self.views.contains_key(&key) || self.is_asked(&key);
                if is_heard || scene.random.permille(150) {
                    self.publish(&key, out, scene);
                }
            }
            34 => self.subscribe((self.key.0, "nowhere".to_owned()), out, scene),
            35 => {
                self.say("42[\"dance\",{}]", out, scene);
                self.say("42[\"realtime:publish\",{\"channel\":\"c0\"}]", out, scene);
                self.tally.sent += 1;
            }
            36 if scene.random.permille(400) => self.leave(out, scene),
            37 if scene.random.permille(200) => self.say_goodbye(out, scene),
            38 if scene.plan.has(Fault::Garbage) => {
                match scene.random.below(4) {
                    0 => self.say("2", out, scene),
                    1 => self.say("4what", out, scene),
                    2 => self.say("40", out, scene),
                    _ => ws::append_masked(out, Opcode::Binary, b"bytes", [3, 1, 4, 1]),
                }
                self.socket.done = true;
            }
            39 if scene.random.permille(50) => self.is_mute = true,
            _ => {}
        }
    }

    fn say_goodbye(&mut self, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        if scene.random.permille(500) {
            self.say("1", out, scene);
            self.socket.done = true;
        } else {
            self.socket.say_goodbye(out);
        }
    }

    /// Says who it is.
    fn introduce(&mut self, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        let tenant = self.key.0;
        let named = format!("u{}", scene.random.below(6));
        let (who, offer) = match scene.random.below(8) {
            0 => (Who::Server, format!("{{\"apiKey\":\"{}\"}}", api_key(tenant))),
            1..=2 => (Who::Anonymous, format!("{{\"token\":\"{}\"}}", anon_key(tenant))),
            3 => {
                let foreign = sign_user("{\"sub\":\"u1\"}", "of nobody's users, 32 bytes long..");
                let token = format!("{{\"token\":\"{foreign}\"}}");
                let offers = ["", "{\"token\":\"anon_0\"}", "{\"apiKey\":\"ik_0\"}", &token];
                (Who::Nobody, scene.random.one_of(&offers).to_owned())
            }
            _ => {
                let token = sign_user(&format!("{{\"sub\":\"{named}\"}}"), &jwt_secret(tenant));
                (Who::User(named), format!("{{\"token\":\"{token}\"}}"))
            }
        };
        self.who = who;
        self.standing = Standing::Asking;
        self.say(&format!("40{offer}"), out, scene);
    }

    /// Leaves, and stays connected.
    fn leave(&mut self, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        self.say("41", out, scene);
        self.standing = Standing::Outside;
        let views = std::mem::take(&mut self.views);
        self.left.extend(views.into_iter().map(|(key, view)| (key, (view, u64::MAX))));
        for it in self.asked.values_mut() {
            it.withdrawn.get_or_insert(u64::MAX);
            it.is_dropped = true;
        }
        self.tally.leave();
    }

    fn is_asked(&self, key: &Key) -> bool {
        self.asked.values().any(|it| it.key == *key && it.withdrawn.is_none())
    }

    fn subscribe(&mut self, key: Key, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        let (id, position) = (self.next_ask, scene.position_of(&key));
        self.next_ask += 1;
        if self.is_asked(&key) && !self.views.contains_key(&key) {
            // Both get the later one's answer, which may come behind what it published in between.
            self.tally.leave();
        }
        let text = format!("42{id}[\"realtime:subscribe\",{{\"channel\":\"{}\"}}]", key.1);
        self.asked.insert(id, Asked { key, position, withdrawn: None, is_dropped: false });
        self.say(&text, out, scene);
    }

    fn unsubscribe(&mut self, key: &Key, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        let text = format!("42[\"realtime:unsubscribe\",{{\"channel\":\"{}\"}}]", key.1);
        self.say(&text, out, scene);
        let until = self.next_ask;
        for it in self.asked.values_mut().filter(|it| it.key == *key) {
            it.withdrawn.get_or_insert(until);
        }
        if let Some(view) = self.views.remove(key) {
            self.left.insert(key.clone(), (view, until));
        }
        self.tally.leave();
    }

    fn publish(&mut self, key: &Key, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        let pad = pad(scene);
        let sender = Sender { key, publisher: self.publisher, step: scene.step };
        let number = scene.truth.issue(&sender, Keep::Persist, |it| payload(it, pad));
        let is_heard = self.views.contains_key(key) || self.is_asked(key);
        let data_bytes = scene.truth.issued[number].data.len();
        let is_large = data_bytes > scene.plan.limits.wire.message_bytes_max;
        scene.seen.note_if(is_large, "message over its limit");
        if !is_heard || is_large || !may_publish(key.0, &self.who) {
            // It is refused for sure, and nobody may ever see it.
            scene.truth.refuse(number);
        }
        let data = String::from_utf8(scene.truth.issued[number].data.clone()).unwrap();
        let text = format!(
            "42[\"realtime:publish\",{{\"channel\":\"{}\",\"event\":\"e{number}\",\"payload\":{data}}}]",
            key.1,
        );
        self.tally.sent += 1;
        self.say(&text, out, scene);
    }

    fn say(&mut self, text: &str, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        if self.socket.is_stuck() {
            return;
        }
        let mask = [3, 1, 4, u8::try_from(scene.random.below(256)).unwrap()];
        ws::append_masked(out, Opcode::Text, text.as_bytes(), mask);
    }

    /// Nothing is under way any more: everything was answered, and everything seen.
    pub fn check_quiescent(&self, truth: &Truth, position: impl Fn(&Key) -> u64) {
        if !self.is_live() {
            return;
        }
        let is_due = |it: &&Asked| !it.is_dropped;
        let due: Vec<_> = self.asked.values().filter(is_due).collect();
        assert!(
            due.is_empty() && self.standing != Standing::Asking,
            "answers are missing: {due:?}"
        );
        for (key, view) in &self.views {
            view.check_quiescent(truth, position(key), self.publisher);
        }
        let Tally { sent, echoed, refused, unsure } = self.tally;
        assert!(echoed + refused <= sent, "{:?}", self.tally);
        assert!(echoed + refused + unsure >= sent, "answers are missing: {:?}", self.tally);
    }

    /// Much time passed: who was not let in is gone, and who answers no pings.
    pub fn check_waited(&self) {
        let is_in = self.standing == Standing::Inside;
        let may_stay = self.socket.phase() != Phase::Open || (is_in && !self.is_mute);
        assert!(may_stay, "it is still there: {:?}, mute: {}", self.standing, self.is_mute);
    }
}
