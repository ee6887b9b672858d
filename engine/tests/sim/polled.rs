//! A client of Socket.IO that polls, on a connection that it changes now and then. Later it may move to a WebSocket.

use std::collections::{BTreeSet, VecDeque};

use engine::ids::ConnId;
use engine::shard::input::Input;
use protocol::Keep;
use protocol::client::{self, Target};
use protocol::engineio::POLL_PACKETS_MAX;
use protocol::ws::{self, Opcode};

use crate::checker::{DATA_END, Sender, Shown, Truth, View, field, number_of};
use crate::clients::{HttpClient, pad, payload};
use crate::handshake::{Phase, Pings, WebSocket};
use crate::insforge::Who;
use crate::journal::Key;
use crate::keys::{anon_key, host};
use crate::net::Wire;
use crate::registered::may_publish;
use crate::scene::{Client, Scene};
use crate::world::World;

const PATH: &str = "/socket.io/?EIO=4&transport=polling";

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Asked {
    Open,
    Poll,
    Post,
}

/// How far it is let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Standing {
    Outside,
    Inside,
    /// It has asked for its channel.
    Subscribing,
}

/// What carries its packets.
enum Carrier {
    Polling,
    /// A WebSocket that was asked for.
    Probing(WebSocket),
    Moved(WebSocket),
}

/// See the module.
pub struct PolledClient {
    pub publisher: usize,
    pub view: View,
    sid: Option<String>,
    carrier: Carrier,
    asked: VecDeque<Asked>,
    heard: Vec<u8>,
    /// Packets that it has still to say, in their order.
    to_say: VecDeque<String>,
    standing: Standing,
    /// Whether it goes on with another connection, once it has its answers.
    wants_to_hop: bool,
    /// It was refused, or its session ended.
    pub is_over: bool,
}

impl PolledClient {
    pub fn new(publisher: usize, key: Key, out: &mut Vec<u8>, scene: &mut Scene<'_>) -> Self {
        let mut client = Self {
            publisher,
            view: View::new(key, String::new(), scene.position),
            sid: None,
            carrier: Carrier::Polling,
            asked: VecDeque::new(),
            heard: Vec::new(),
            to_say: VecDeque::new(),
            standing: Standing::Outside,
            wants_to_hop: false,
            is_over: false,
        };
        scene.truth.insforge.insert(publisher);
        client.to_say.push_back(format!("40{{\"token\":\"{}\"}}", anon_key(client.view.key.0)));
        client.request(Asked::Open, out, "");
        client
    }

    /// Whether it listens.
    pub fn is_live(&self) -> bool {
        !self.is_over && self.view.subscribed_at.is_some()
    }

    /// Nothing is under way any more: everything was answered, and everything seen. Where one request at a time is read, a post
    /// behind a poll is not.
    pub fn check_quiescent(&self, truth: &Truth, position: u64, reads_behind: bool) {
        if self.is_live() {
            self.view.check_quiescent(truth, position, self.publisher);
        } else if !self.is_over && (reads_behind || self.asked != [Asked::Poll, Asked::Post]) {
            assert_ne!(self.standing, Standing::Subscribing, "an answer is missing");
        }
    }

    /// Whether it may go on with another connection.
    pub fn may_hop(&self) -> bool {
        let is_idle = !self.is_over && self.sid.is_some() && self.asked.is_empty();
        is_idle && matches!(self.carrier, Carrier::Polling)
    }

    fn request(&mut self, what: Asked, out: &mut Vec<u8>, body: &str) {
        let sid = self.sid.as_ref().map(|it| format!("&sid={it}")).unwrap_or_default();
        let path = format!("{PATH}{sid}");
        let host = host(self.view.key.0);
        let target = Target { host: &host, path: &path, bearer: None };
        match what {
            Asked::Open | Asked::Poll => client::write_get(out, &target),
            Asked::Post => client::write_post(out, &target, body.as_bytes()),
        }
        self.asked.push_back(what);
    }

    /// Asks for a WebSocket to move to.
    pub fn ask_to_move(&mut self, out: &mut Vec<u8>) {
        let sid = self.sid.as_deref().unwrap();
        let path = format!("/socket.io/?EIO=4&transport=websocket&sid={sid}");
        let host = host(self.view.key.0);
        let target = Target { host: &host, path: &path, bearer: None };
        self.carrier = Carrier::Probing(WebSocket::ask(&target, Pings::Answered, out));
    }

    /// Does something.
    pub fn act(&mut self, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        if self.is_over || self.sid.is_none() {
            return;
        }
        if self.standing == Standing::Inside {
            self.standing = Standing::Subscribing;
            let channel = self.view.key.1.clone();
            let user = std::mem::take(&mut self.view.user);
            self.view = View::new(self.view.key.clone(), user, scene.position);
            let text = format!("420[\"realtime:subscribe\",{{\"channel\":\"{channel}\"}}]");
            self.to_say.push_back(text);
        }
        if self.is_live() && scene.random.permille(300) {
            self.publish(scene);
        }
        self.wants_to_hop |= scene.random.permille(100);
        self.go_on(out, scene.random.permille(500));
    }

    /// It stays where it is.
    pub fn calm(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if std::mem::take(&mut self.wants_to_hop) && self.may_hop() {
            self.go_on(&mut out, true);
        }
        out
    }

    /// Says what it has to say, or asks for what there is.
    fn go_on(&mut self, out: &mut Vec<u8>, speaks_first: bool) {
        match &self.carrier {
            Carrier::Polling => {}
            Carrier::Probing(_) => return,
            Carrier::Moved(_) => {
                for text in std::mem::take(&mut self.to_say) {
                    ws::append_masked(out, Opcode::Text, text.as_bytes(), [1, 2, 3, 4]);
                }
                return;
            }
        }
        let (polls, posts) = (self.asked.contains(&Asked::Poll), self.asked.contains(&Asked::Post));
        // Behind a poll that waits a post is read at once, though its answer comes later.
        if !self.to_say.is_empty() && !posts && (speaks_first || polls) {
            let all: Vec<_> = std::mem::take(&mut self.to_say).into();
            self.request(Asked::Post, out, &all.join("\u{1e}"));
        } else if self.asked.is_empty() && !self.wants_to_hop {
            self.request(Asked::Poll, out, "");
        }
    }

    fn publish(&mut self, scene: &mut Scene<'_>) {
        let pad = pad(scene);
        let sender = Sender { key: &self.view.key, publisher: self.publisher, step: scene.step };
        let number = scene.truth.issue(&sender, Keep::Persist, |it| payload(it, pad));
        if !may_publish(self.view.key.0, &Who::Anonymous) {
            scene.truth.refuse(number);
        }
        let data = std::str::from_utf8(&scene.truth.issued[number].data).unwrap();
        let channel = &self.view.key.1;
        self.to_say.push_back(format!(
            "42[\"realtime:publish\",{{\"channel\":\"{channel}\",\"event\":\"e{number}\",\"payload\":{data}}}]"
        ));
    }

    /// Hears bytes of the node.
    pub fn hear(&mut self, bytes: &[u8], out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        match std::mem::replace(&mut self.carrier, Carrier::Polling) {
            Carrier::Polling => {
                self.heard.extend_from_slice(bytes);
                while !self.is_over && self.hear_answer(out, scene) {}
            }
            Carrier::Probing(socket) => self.hear_socket((socket, true), bytes, out, scene),
            Carrier::Moved(socket) => self.hear_socket((socket, false), bytes, out, scene),
        }
    }

    fn hear_socket(
        &mut self,
        (mut socket, mut is_probing): (WebSocket, bool),
        bytes: &[u8],
        out: &mut Vec<u8>,
        scene: &mut Scene<'_>,
    ) {
        let was_live = socket.is_live();
        socket.take(bytes, scene.seen);
        if socket.is_live() && !was_live {
            ws::append_masked(out, Opcode::Text, b"2probe", [1, 2, 3, 4]);
        }
        while let Some(text) = socket.next(out, scene.seen) {
            if is_probing {
                assert_eq!(text, "3probe", "a session speaks where it did not move");
                ws::append_masked(out, Opcode::Text, b"5", [1, 2, 3, 4]);
                scene.seen.note("session moved to a socket");
                is_probing = false;
            } else {
                self.hear_packet(&text, scene);
            }
        }
        self.is_over |= socket.phase() == Phase::Over;
        self.carrier = if is_probing { Carrier::Probing(socket) } else { Carrier::Moved(socket) };
        self.go_on(out, true);
    }

    fn hear_answer(&mut self, out: &mut Vec<u8>, scene: &mut Scene<'_>) -> bool {
        let Some(head) = client::parse_response(&self.heard).expect("an HTTP response") else {
            return false;
        };
        let end = head.head_bytes + head.content_length;
        if self.heard.len() < end {
            return false;
        }
        let body = String::from_utf8(self.heard[head.head_bytes..end].to_vec()).unwrap();
        self.heard.drain(..end);
        let asked = self.asked.pop_front();
        if head.status != 200 {
            let is_known = matches!(head.status, 400 | 403 | 404 | 408 | 413 | 429 | 503);
            assert!(is_known, "status {}: {body}", head.status);
            self.is_over = true;
            return true;
        }
        match asked {
            Some(Asked::Open) => self.sid = field(&body, "sid").map(str::to_owned),
            Some(Asked::Poll) => {
                scene.seen.note_if(body.contains('\u{1e}'), "several packets in one poll");
                let packets = body.split('\u{1e}').count();
                assert!(packets <= POLL_PACKETS_MAX, "{packets} packets in one poll: {body}");
                body.split('\u{1e}').for_each(|it| self.hear_packet(it, scene));
            }
            Some(Asked::Post) => assert_eq!(body, "ok"),
            None => panic!("an answer to nothing: {body}"),
        }
        if !self.is_over && self.asked.is_empty() {
            self.go_on(out, true);
        }
        true
    }

    fn hear_packet(&mut self, packet: &str, scene: &mut Scene<'_>) {
        let listed_max = scene.plan.limits.presence_members_max;
        if let Some(event) = packet.strip_prefix("42[\"") {
            let (name, _) = event.split_once("\",").unwrap();
            match name {
                "presence:join" => {
                    self.view.joined(field(event, "presenceId").unwrap());
                }
                "presence:leave" => {
                    self.view.left(field(event, "presenceId").unwrap());
                }
                "realtime:error" => self.hear_error(event, scene),
                "notification" => {}
                _ => self.hear_message(name, event, scene),
            }
        } else if packet.starts_with("430[") {
            if packet.contains("\"ok\":true") {
                let members: BTreeSet<String> = packet
                    .split("\"presenceId\":\"")
                    .skip(1)
                    .map(|it| it.split('"').next().unwrap().to_owned())
                    .collect();
                self.view.subscribed(members, listed_max, scene.step);
                self.view.stands_at(scene.position);
                scene.seen.note("subscribed by polling");
            } else {
                self.standing = Standing::Inside;
            }
        } else if packet.starts_with("40{") {
            self.view.user = field(packet, "sid").unwrap().to_owned();
            scene.truth.polled.insert(self.view.user.clone());
            self.standing = Standing::Inside;
        } else {
            match packet {
                "2" => self.to_say.push_back("3".to_owned()),
                "1" | "41" => self.is_over = true,
                "6" => {}
                other => panic!("a packet: {other}"),
            }
        }
    }

    fn hear_error(&mut self, event: &str, scene: &mut Scene<'_>) {
        match field(event, "code").unwrap() {
            "REALTIME_CHANNEL_NOT_FOUND" | "FORBIDDEN" => {
                // It is put out of its channel, and may come again.
                let user = std::mem::take(&mut self.view.user);
                self.view = View::new(self.view.key.clone(), user, 0);
                self.standing = Standing::Inside;
            }
            _ => scene.seen.note("answer refused over a socket"),
        }
    }

    fn hear_message(&mut self, name: &str, event: &str, scene: &mut Scene<'_>) {
        let (data, _) = event.split_once(",\"meta\":").expect("a message says what it is");
        let (_, data) = data.split_once("\",").unwrap();
        let data = format!("{data}}}");
        assert!(data.ends_with(DATA_END), "a payload ends as it was made: {data}");
        let number = number_of(name);
        let offset = scene.truth.offset_of(&self.view.key, number);
        self.view.got(scene.truth, &Shown { event: name, data: &data, offset }, scene.seen);
    }
}

impl World {
    /// A client that polls goes on with another connection, by polling or on a WebSocket.
    pub fn hop(&mut self, shard: usize, conn: ConnId) {
        let to = self.random.below(self.shards.len());
        let Some(wire) = self.nets[shard].wire_mut(conn).filter(|it| it.is_open()) else { return };
        let is_ready = matches!(&wire.client, Client::Polled(it) if it.may_hop());
        if !is_ready || !self.may_ask(to) {
            return;
        }
        let nobody = self.next_publisher;
        self.next_publisher += 1;
        let Some(wire) = self.nets[shard].wire_mut(conn) else { return };
        let nobody = Box::new(HttpClient::new(nobody, wire.client.key().clone()));
        let Client::Polled(mut client) = std::mem::replace(&mut wire.client, Client::Http(nobody))
        else {
            return;
        };
        wire.hang_up();
        client.wants_to_hop = false;
        let mut said = Vec::new();
        if self.random.permille(300) {
            client.ask_to_move(&mut said);
        } else {
            client.go_on(&mut said, true);
        }
        let next = self.nets[to].next_conn();
        let mut wire = Wire::new(next, Client::Polled(client));
        wire.said.extend(said);
        self.nets[to].plug(wire);
        self.feed(to, Input::Opened(next));
        self.seen.note("polled by another connection");
    }
}
