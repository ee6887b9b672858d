//! A client on a WebSocket: it listens to its channel, publishes to it, and misbehaves.

use std::collections::BTreeSet;

use protocol::client::{self, Target};
use protocol::ws::{self, Opcode};
use protocol::{Keep, auth};

use crate::checker::{Fate, Sender, Truth, View, field, read_message};
use crate::clients::{pad, payload};
use crate::faults::Fault;
use crate::handshake::{Phase, Pings, WebSocket};
use crate::journal::Key;
use crate::keys::tenant_name;
use crate::scene::Scene;

/// A client on a WebSocket.
pub struct SocketClient {
    publisher: usize,
    /// What it has seen.
    pub view: View,
    pub socket: WebSocket,
    /// Frames that it sent and that will be answered, one by one.
    sent: usize,
    kept: usize,
    passed: usize,
    refused: usize,
}

impl SocketClient {
    /// A client that asks for its socket.
    pub fn new(publisher: usize, key: Key, out: &mut Vec<u8>, scene: &mut Scene<'_>) -> Self {
        let user = format!("u{}", scene.random.below(6));
        let now_s = scene.now.wall_ms / 1000;
        let claims = auth::RealtimeClaims {
            tenant: tenant_name(&key),
            user_id: user.clone(),
            user_name: scene.random.permille(500).then(|| format!("name of {user}")),
            issued_at_s: now_s,
            expires_at_s: now_s + 3600,
            token_id: format!("{publisher}"),
        };
        let token = auth::sign_realtime(&claims, &scene.signing_key(&key));
        let path = format!("/edge/realtime?token={token}&channel={}", key.1);
        let target = Target { host: "stentor", path: &path, bearer: None };
        let socket =
            WebSocket::ask(&target, Pings::Answered, out).with_manners(scene).signed(scene);
        Self {
            publisher,
            view: View::new(key, user, scene.position),
            socket,
            sent: 0,
            kept: 0,
            passed: 0,
            refused: 0,
        }
    }

    /// Whether it is subscribed, and will stay so.
    pub fn is_live(&self) -> bool {
        self.socket.is_live() && self.view.subscribed_at.is_some()
    }

    /// Does something.
    pub fn act(&mut self, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        let phase = self.socket.phase();
        let is_early = phase == Phase::Asked && !scene.random.permille(100);
        if self.socket.done || is_early || phase == Phase::Over {
            return;
        }
        let mask = [3, 1, 4, u8::try_from(scene.random.below(256)).unwrap()];
        match scene.random.below(40) {
            0..=17 => self.publish(out, scene, Keep::Persist, mask),
            18..=29 => self.publish(out, scene, Keep::Pass, mask),
            30 => self.socket.ping(out, mask),
            31 => {
                ws::append_masked(out, Opcode::Text, b"{\"action\":\"dance\"}", mask);
                self.sent += 1;
            }
            32 if scene.random.permille(300) => {
                self.socket.say_goodbye(out);
            }
            // Too many only if they come within a second.
            33 => (0..40).for_each(|_| ws::append_masked(out, Opcode::Pong, b"", mask)),
            34 if scene.plan.has(Fault::Garbage) => {
                match scene.random.below(3) {
                    0 => ws::append_masked(out, Opcode::Binary, b"bytes", mask),
                    1 => ws::append_text(out, b"not masked"),
                    _ => ws::append_masked(out, Opcode::Text, b"\xff\xfe", mask),
                }
                self.socket.done = true;
            }
            _ => {}
        }
    }

    fn publish(&mut self, out: &mut Vec<u8>, scene: &mut Scene<'_>, keep: Keep, mask: [u8; 4]) {
        let pad = pad(scene);
        let sender = Sender { key: &self.view.key, publisher: self.publisher, step: scene.step };
        let number = scene.truth.issue(&sender, keep, |it| payload(it, pad));
        let data = &scene.truth.issued[number].data;
        let start = out.len();
        client::write_publish_frame(out, &format!("e{number}"), data, keep, mask);
        self.sent += 1;
        if out.len() - start > scene.plan.limits.wire.message_bytes_max {
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
        let listed_max = scene.plan.limits.presence_members_max;
        if text.starts_with("{\"error\":") {
            scene.seen.note("answer refused over a socket");
            self.refused += 1;
            return;
        }
        assert_eq!(field(text, "channel"), Some(self.view.key.1.as_str()), "{text}");
        match field(text, "action").expect("every frame has an action") {
            "connected" => assert_eq!(self.view.subscribed_at, None),
            "subscribed" => {
                let list = text.split_once("\"presence\":[").expect("who is there").1;
                let members: BTreeSet<_> = list
                    .split("{\"id\":\"")
                    .skip(1)
                    .map(|it| it.split('"').next().unwrap().to_owned())
                    .collect();
                assert!(members.len() <= listed_max, "listed: {}", members.len());
                let is_whole = members.len() < listed_max;
                assert!(!is_whole || members.contains(&self.view.user), "it lists the joiner");
                scene.seen.note_if(members.len() > 1, "two members in a snapshot");
                self.view.subscribed(members, listed_max, scene.step);
                self.view.stands_at(scene.position);
            }
            "published" => self.hear_accepted(text, scene),
            "join" => {
                let user = field(text, "id").unwrap();
                assert_ne!(user, self.view.user, "nobody hears of its own joining");
                self.view.joined(user);
                scene.seen.note("join of another");
            }
            "leave" => {
                let user = field(text, "id").unwrap();
                assert!(field(text, "last_seen").is_some());
                self.view.left(user);
                scene.seen.note("leave of another");
            }
            _ => self.view.got(scene.truth, &read_message(text), scene.seen),
        }
    }

    fn hear_accepted(&mut self, text: &str, scene: &mut Scene<'_>) {
        scene.seen.note("acknowledged over a socket");
        let Some(offset) = field(text, "id").map(|it| it.parse().unwrap()) else {
            self.passed += 1;
            return;
        };
        self.kept += 1;
        let number = scene.truth.durable_at(&self.view.key, offset);
        let number = number.unwrap_or_else(|| panic!("acknowledged = durable: {offset}"));
        assert_eq!(scene.truth.issued[number].publisher, self.publisher, "somebody else's answer");
        scene.truth.accept(number, Some(offset));
    }

    /// Nothing is under way any more: everything was answered, and everything seen.
    pub fn check_quiescent(&self, truth: &Truth, position: u64) {
        if !self.is_live() {
            return;
        }
        self.view.check_quiescent(truth, position, self.publisher);
        assert_eq!(self.kept + self.passed + self.refused, self.sent, "an answer is missing");
        let mine = truth.issued.iter().filter(|it| it.publisher == self.publisher);
        let kept = mine.filter(|it| it.keep == Keep::Persist && it.fate == Fate::Accepted).count();
        let numbers = truth.durable.get(&self.view.key).map_or(&[][..], Vec::as_slice);
        let durable = numbers.iter().filter(|it| truth.issued[**it].publisher == self.publisher);
        assert_eq!(durable.count(), kept, "refused, yet kept");
    }
}
