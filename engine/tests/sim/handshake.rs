//! A client's end of a WebSocket: how it opens, what is heard on it, how its pings are answered, and how it ends.

use protocol::client::{self, Target};
use protocol::ws::{self, Opcode, Reader, Role, Step};

use crate::faults::Fault;
use crate::scene::Scene;
use crate::seen::Seen;

/// How far a connection is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    Asked,
    Open,
    /// It was refused, or closed.
    Over,
}

/// Whether pings come over the wire, and get their pongs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pings {
    Answered,
    /// The dialect has its own.
    Foreign,
}

/// What a client's own pings say.
const PING: &[u8] = b"there?";

/// See the module.
#[expect(clippy::struct_excessive_bools, reason = "what can be wrong with a peer is independent")]
pub struct WebSocket {
    phase: Phase,
    pings: Pings,
    reader: Reader,
    heard: Vec<u8>,
    /// Whether its client broke the protocol, or said goodbye.
    pub done: bool,
    /// Whether it answers no pings.
    is_mute: bool,
    /// Whether its client said half a frame, and nothing since.
    is_stuck: bool,
    /// Whether its token opens nothing, because of the key that signed it.
    is_stale: bool,
}

impl WebSocket {
    /// Asks for a socket.
    pub fn ask(target: &Target<'_>, pings: Pings, out: &mut Vec<u8>) -> Self {
        client::write_upgrade(out, target, [7; 16]);
        Self {
            phase: Phase::Asked,
            pings,
            reader: Reader::new(Role::Client),
            heard: Vec::new(),
            done: false,
            is_mute: false,
            is_stuck: false,
            is_stale: false,
        }
    }

    /// The same of a client that may answer no pings.
    pub fn with_manners(mut self, scene: &mut Scene<'_>) -> Self {
        self.is_mute = scene.plan.has(Fault::MutePeers) && scene.random.permille(300);
        self
    }

    /// The same with a token that the scene's keys sign.
    pub fn signed(mut self, scene: &Scene<'_>) -> Self {
        self.is_stale = scene.signing.is_stale;
        self
    }

    /// How far it is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether it is open, and will stay so.
    pub fn is_live(&self) -> bool {
        self.phase == Phase::Open && !self.done
    }

    /// Asks whether the node is there.
    pub fn ping(&self, out: &mut Vec<u8>, mask: [u8; 4]) {
        ws::append_masked(out, Opcode::Ping, PING, mask);
    }

    /// Says goodbye.
    pub fn say_goodbye(&mut self, out: &mut Vec<u8>) {
        ws::append_masked(out, Opcode::Close, &1000_u16.to_be_bytes(), [3, 1, 4, 1]);
        self.done = true;
    }

    /// Says half of a frame. Returns whether it is one that says so.
    pub fn say_half(&mut self, out: &mut Vec<u8>) -> bool {
        if !self.is_live() {
            return false;
        }
        let start = out.len();
        ws::append_masked(out, Opcode::Text, b"{\"type\":\"nothing\"}", [3, 1, 4, 1]);
        out.truncate(start + (out.len() - start) / 2);
        (self.done, self.is_stuck) = (true, true);
        true
    }

    /// Whether its client says nothing any more, and the node has to find out.
    pub fn is_stuck(&self) -> bool {
        self.is_stuck && self.phase == Phase::Open
    }

    /// Much time passed, in which its client said nothing by itself.
    pub fn check_waited(&self) {
        let is_silent = self.is_mute || self.is_stuck;
        assert!(self.phase != Phase::Open || !is_silent, "somebody silent is still there");
    }

    /// Bytes of the node came.
    pub fn take(&mut self, bytes: &[u8], seen: &mut Seen) {
        self.heard.extend_from_slice(bytes);
        if self.phase == Phase::Asked {
            self.take_answer(seen);
        }
    }

    /// Takes the answer to the handshake out of what was heard, once it is whole.
    fn take_answer(&mut self, seen: &mut Seen) {
        // Shed before it read anything: all it gets is the close frame.
        if self.heard.first() == Some(&0x88) {
            self.phase = Phase::Over;
            return;
        }
        let heard = &self.heard;
        let Some(head) = client::parse_response(heard).expect("an HTTP response") else { return };
        self.phase = if head.status == 101 { Phase::Open } else { Phase::Over };
        assert!(!self.is_stale || self.phase == Phase::Over, "an old key still opens the node");
        seen.note_if(self.is_stale && head.status == 401, "token of an old key refused");
        let text = String::from_utf8_lossy(heard);
        seen.note_if(text.contains("connections_max"), "connection limit");
        self.heard.drain(..head.head_bytes);
    }

    /// The next text of the node. Pongs go to `out`.
    pub fn next(&mut self, out: &mut Vec<u8>, seen: &mut Seen) -> Option<String> {
        let limits = protocol::Limits::default();
        while self.phase == Phase::Open {
            let read = self.reader.next(&mut self.heard, &limits);
            let (consumed, mut text) = (read.consumed, None);
            match read.step {
                Step::Need => return None,
                Step::Text(payload) => {
                    text = Some(std::str::from_utf8(payload.bytes()).unwrap().to_owned());
                }
                Step::Ping(_) if self.is_mute || self.is_stuck => {
                    seen.note_if(self.is_mute, "ping not answered");
                }
                Step::Ping(payload) => {
                    assert_eq!(self.pings, Pings::Answered, "the dialect has its own pings");
                    ws::append_masked(out, Opcode::Pong, payload, [9, 8, 7, 6]);
                }
                Step::Pong(payload) => assert_eq!(payload, PING),
                Step::Close { code, .. } => {
                    assert!(code.is_some(), "the node says why");
                    seen.note_if(code == Some(1009), "message over its limit");
                    self.phase = Phase::Over;
                }
                Step::Part | Step::Binary(_) | Step::Fault(_) => panic!("a frame: {:?}", read.step),
            }
            self.heard.drain(..consumed);
            if text.is_some() {
                return text;
            }
        }
        None
    }
}
