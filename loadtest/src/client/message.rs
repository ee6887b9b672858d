//! What a message of the server is to a load test, found without parsing JSON.

use super::dialect::Dialect;
use super::request::filler;
use super::stamp::{SIGN, STAMP_BYTES, Stamp};
use super::walk::Frame;
use protocol::ws::{Opcode, append_masked};

/// One message of the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// A message of this run.
    Delivery(Stamp),
    /// A delivery whose payload is not what was published.
    Damaged,
    /// The acknowledgement of a publish.
    Published,
    /// The subscription stands.
    Subscribed,
    /// A publish, or a way in, was refused.
    Refused,
    /// A user of this run came.
    Joined(u32),
    /// A user of this run left.
    Left(u32),
    /// The server greeted: the client says who it is, or subscribes.
    Greeted,
    /// Socket.IO is connected: the client may subscribe.
    LetIn,
    /// Anything else: other greetings, presence.
    Other,
}

/// What a frame is to who reads it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard<'a> {
    /// A message, and its text.
    Message(Message, &'a [u8]),
    /// It asked whether the client is still there: the answer waits to be sent.
    Answered,
    /// Nothing to do.
    Nothing,
    /// The server closes, with this code.
    Closed(Option<u16>),
}

/// Finds stamps. It remembers where the last one stood, because they nearly all stand there.
#[derive(Clone, Debug)]
pub(crate) struct Finder {
    dialect: Dialect,
    /// What stands before a stamp's sign.
    before: &'static [u8],
    /// What stands between the stamp and the payload's end, closing quote included.
    filler: Vec<u8>,
    /// What may follow.
    ends: &'static [u8],
    /// What confirms a subscription on a server that has a template.
    subscribed: Option<String>,
    at: usize,
}

impl Finder {
    /// A finder for payloads of this length.
    pub(crate) fn new(dialect: Dialect, payload_bytes: usize) -> Self {
        let mut filler = filler(payload_bytes);
        let (before, ends): (&'static [u8], &'static [u8]) = match dialect {
            Dialect::Cohesivity | Dialect::Infrai | Dialect::Insforge | Dialect::Pusher => {
                (b"\"data\":\"", b",}")
            }
            Dialect::SocketIo => (b"\"", b",}]"),
            // In a template the payload stands bare: what it stands in is the template's affair.
            Dialect::Raw | Dialect::Native(_) => {
                filler.pop();
                (b"", b"")
            }
        };
        Self { dialect, before, filler, ends, subscribed: None, at: 0 }
    }

    /// The same for a server of which messages with this text confirm subscriptions.
    pub(crate) fn confirmed_by(self, subscribed: Option<String>) -> Self {
        Self { subscribed, ..self }
    }

    /// Says what a frame is. Whatever asks whether the client is still there is answered here, and nowhere else.
    #[inline]
    pub(crate) fn hear<'a>(&mut self, frame: &Frame<'a>, out: &mut Vec<u8>) -> Heard<'a> {
        match frame {
            Frame::Message(text) => {
                let message = self.message(text);
                if message == Message::Other {
                    return self.answer(text, out);
                }
                Heard::Message(message, text)
            }
            Frame::Ping(payload) => {
                append_masked(out, Opcode::Pong, payload, [0; 4]);
                Heard::Answered
            }
            Frame::Pong => Heard::Nothing,
            Frame::Close(code) => Heard::Closed(*code),
        }
    }

    #[cold]
    fn answer<'a>(&self, text: &'a [u8], out: &mut Vec<u8>) -> Heard<'a> {
        let Some(answer) = self.dialect.pulse(text) else {
            return Heard::Message(Message::Other, text);
        };
        self.dialect.say(out, answer);
        Heard::Answered
    }

    /// Says what a message is.
    #[inline]
    fn message(&mut self, text: &[u8]) -> Message {
        match stamp_at(text, self.at) {
            Some(stamp) => self.delivery(text, stamp),
            None => self.search(text),
        }
    }

    #[inline]
    fn delivery(&self, text: &[u8], stamp: Stamp) -> Message {
        let rest = text.get(self.at + SIGN.len() + STAMP_BYTES..).unwrap_or_default();
        let is_whole = match rest.strip_prefix(self.filler.as_slice()) {
            Some([next, ..]) if self.ends.is_empty() => *next != b'.',
            Some([next, ..]) => self.ends.contains(next),
            Some([]) => self.ends.is_empty(),
            None => false,
        };
        if is_whole { Message::Delivery(stamp) } else { Message::Damaged }
    }

    #[cold]
    fn search(&mut self, text: &[u8]) -> Message {
        let key = [self.before, SIGN].concat();
        let found = text.windows(key.len()).enumerate().filter(|(_, window)| *window == key);
        // Where texts are anybody's, the sign alone may stand in any of them.
        let is_ours = !self.before.is_empty();
        let at = found
            .map(|(at, _)| at + self.before.len())
            .find(|at| is_ours || stamp_at(text, *at).is_some());
        if let Some(at) = at {
            self.at = at;
            return match stamp_at(text, at) {
                Some(stamp) => self.delivery(text, stamp),
                None => Message::Damaged,
            };
        }
        match self.dialect {
            Dialect::Cohesivity => cohesivity(text),
            Dialect::Infrai => infrai(text),
            Dialect::Insforge | Dialect::SocketIo => socketio(text),
            Dialect::Pusher => pusher(text),
            Dialect::Native(protocol) => protocol.message(text),
            Dialect::Raw => {
                let confirms = |sign: &String| holds(text, sign.as_bytes());
                if self.subscribed.as_ref().is_some_and(confirms) {
                    return Message::Subscribed;
                }
                Message::Other
            }
        }
    }
}

/// Whether a text has another in it.
pub(crate) fn holds(text: &[u8], what: &[u8]) -> bool {
    !what.is_empty() && text.windows(what.len()).any(|window| window == what)
}

/// The number of a user of ours whom a message names, `bench-7`.
fn user_in(text: &[u8]) -> Option<u32> {
    const NAME: &[u8] = b"\"bench-";
    let at = text.windows(NAME.len()).position(|window| window == NAME)? + NAME.len();
    let digits = text.get(at..)?.split(|byte| !byte.is_ascii_digit()).next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn cohesivity(text: &[u8]) -> Message {
    match text {
        _ if text.starts_with(b"{\"action\":\"published\"") => Message::Published,
        _ if text.starts_with(b"{\"action\":\"subscribed\"") => Message::Subscribed,
        _ if text.starts_with(b"{\"error\":") => Message::Refused,
        _ if text.starts_with(b"{\"action\":\"join\"") => {
            user_in(text).map_or(Message::Other, Message::Joined)
        }
        _ if text.starts_with(b"{\"action\":\"leave\"") => {
            user_in(text).map_or(Message::Other, Message::Left)
        }
        _ => Message::Other,
    }
}

fn infrai(text: &[u8]) -> Message {
    match text {
        _ if text.starts_with(b"{\"type\":\"connected\"") => Message::Greeted,
        _ if text.starts_with(b"{\"type\":\"subscribed\"") => Message::Subscribed,
        _ if text.starts_with(b"{\"type\":\"error\"") => Message::Refused,
        _ => Message::Other,
    }
}

fn pusher(text: &[u8]) -> Message {
    match text {
        _ if holds(text, b"\"pusher:connection_established\"") => Message::Greeted,
        _ if holds(text, b"\"pusher_internal:subscription_succeeded\"") => Message::Subscribed,
        _ if holds(text, b"\"pusher:error\"") => Message::Refused,
        _ if holds(text, b"\"pusher:subscription_error\"") => Message::Refused,
        _ => Message::Other,
    }
}

/// A publish has no answer of its own here: it is one's own message that comes back.
fn socketio(text: &[u8]) -> Message {
    match text {
        _ if text.starts_with(b"0{") => Message::Greeted,
        _ if text.starts_with(b"40{") => Message::LetIn,
        _ if text.starts_with(b"430[{\"ok\":false") => Message::Refused,
        _ if text.starts_with(b"430[") => Message::Subscribed,
        _ if text.starts_with(b"44{") => Message::Refused,
        _ if text.starts_with(b"42[\"realtime:error\",") => Message::Refused,
        _ => Message::Other,
    }
}

#[inline]
fn stamp_at(text: &[u8], at: usize) -> Option<Stamp> {
    let letters = text.get(at..)?.strip_prefix(SIGN)?.first_chunk::<STAMP_BYTES>()?;
    Stamp::read(letters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::native::Protocol;

    fn payload(seq: u32, filler: &str) -> (String, Stamp) {
        let stamp = Stamp { stream: 3, seq, due_ns: 99, lag_us: 1 };
        let mut letters = [0; STAMP_BYTES];
        stamp.write(&mut letters);
        (format!("\"S:{}{filler}\"", std::str::from_utf8(&letters).unwrap()), stamp)
    }

    #[test]
    fn stamps_are_found_wherever_they_stand() {
        let (data, stamp) = payload(5, "....");
        let mut finder = Finder::new(Dialect::Cohesivity, data.len());
        for before in ["{\"action\":\"m\",\"id\":1,", "{\"action\":\"m\",\"id\":22,", "{"] {
            let text = format!("{before}\"data\":{data},\"created_at_ms\":1}}");
            for _ in 0..2 {
                assert_eq!(finder.message(text.as_bytes()), Message::Delivery(stamp));
            }
        }
        assert_eq!(
            finder.message(format!("{{\"data\":{data}}}").as_bytes()),
            Message::Delivery(stamp)
        );
    }

    #[test]
    fn a_changed_payload_is_damaged() {
        let (data, _) = payload(5, "....");
        let mut finder = Finder::new(Dialect::Cohesivity, data.len());
        for wrong in [
            data.replace("....", "..."),
            data.replace("....", "....."),
            data.replace("....", ".x.."),
            "\"S:x\"".into(),
        ] {
            let text = format!("{{\"data\":{wrong}}}");
            assert_eq!(finder.message(text.as_bytes()), Message::Damaged, "{text}");
        }
    }

    #[test]
    fn other_messages_are_told_apart() {
        let mut finder = Finder::new(Dialect::Cohesivity, 40);
        for (text, message) in [
            ("{\"action\":\"published\",\"event\":\"published\"}", Message::Published),
            ("{\"action\":\"subscribed\",\"channel\":\"c\"}", Message::Subscribed),
            ("{\"error\":\"Invalid JSON\"}", Message::Refused),
            ("{\"action\":\"connected\",\"channel\":\"c\"}", Message::Other),
            ("{\"action\":\"join\",\"channel\":\"c\"}", Message::Other),
            ("", Message::Other),
        ] {
            assert_eq!(finder.message(text.as_bytes()), message, "{text}");
        }
    }

    #[test]
    fn packets_of_socket_io_are_told_apart() {
        let (data, stamp) = payload(5, "....");
        let mut finder = Finder::new(Dialect::Insforge, data.len());
        let delivery = format!(r#"42["message",{{"data":{data},"meta":{{"channel":"c"}}}}]"#);
        let damaged = delivery.replace("....", "...x");
        for (text, message) in [
            (delivery.as_str(), Message::Delivery(stamp)),
            (&damaged, Message::Damaged),
            (r#"0{"sid":"a"}"#, Message::Greeted),
            (r#"40{"sid":"b"}"#, Message::LetIn),
            (r#"430[{"ok":true,"channel":"c"}]"#, Message::Subscribed),
            (r#"430[{"ok":false,"channel":"c"}]"#, Message::Refused),
            (r#"430[]"#, Message::Subscribed),
            (r#"44{"message":"Invalid token"}"#, Message::Refused),
            (r#"42["realtime:error",{"code":"x"}]"#, Message::Refused),
            (r#"42["presence:join",{"member":{}}]"#, Message::Other),
            (r#"{"action":"subscribed"}"#, Message::Other),
            ("41", Message::Other),
        ] {
            assert_eq!(finder.message(text.as_bytes()), message, "{text}");
        }
    }

    #[test]
    fn messages_of_other_servers_are_told_apart() {
        let (data, stamp) = payload(5, "....");
        let bare = data.trim_matches('"');
        let check = |dialect, text: String, message: Message| {
            let mut finder =
                Finder::new(dialect, data.len()).confirmed_by(Some("joined".to_owned()));
            assert_eq!(finder.message(text.as_bytes()), message, "{text}");
        };
        let (pusher, events, raw) = (Dialect::Pusher, Dialect::SocketIo, Dialect::Raw);
        let found = || Message::Delivery(stamp);
        check(pusher, format!(r#"{{"event":"m","channel":"c","data":{data}}}"#), found());
        check(pusher, r#"{"event":"pusher:error","data":{}}"#.into(), Message::Refused);
        check(events, format!(r#"42["message",{data}]"#), found());
        check(events, format!(r#"42["message",{{"x":{data}}}]"#), found());
        check(events, format!(r#"42["message",{}]"#, data.replace("....", "..")), Message::Damaged);
        check(raw, bare.to_owned(), found());
        check(raw, format!("MSG S:no {bare} end"), found());
        check(raw, format!("{bare}."), Message::Damaged);
        check(raw, "you joined".into(), Message::Subscribed);
        check(raw, "S:".into(), Message::Other);
    }

    #[test]
    fn every_server_that_asks_is_answered_as_it_wants_to_be() {
        let check = |dialect, frame: Frame<'_>, answer: Option<&[u8]>| {
            let mut out = Vec::new();
            let heard = Finder::new(dialect, 40).hear(&frame, &mut out);
            assert_eq!(heard == Heard::Answered, answer.is_some(), "{dialect:?}: {heard:?}");
            assert_eq!(out, answer.unwrap_or_default(), "{dialect:?}");
        };
        let masked = |opcode, text: &[u8]| {
            let mut out = Vec::new();
            append_masked(&mut out, opcode, text, [0; 4]);
            out
        };
        let native = [Protocol::Nats, Protocol::Redis, Protocol::Mqtt].map(Dialect::Native);
        let ours = [Dialect::Cohesivity, Dialect::Infrai, Dialect::Insforge];
        let others = [Dialect::Pusher, Dialect::SocketIo, Dialect::Raw];
        for dialect in ours.into_iter().chain(others) {
            check(dialect, Frame::Ping(b"7"), Some(&masked(Opcode::Pong, b"7")));
        }
        for dialect in [Dialect::Insforge, Dialect::SocketIo] {
            check(dialect, Frame::Message(b"2"), Some(&masked(Opcode::Text, b"3")));
        }
        let pong = masked(Opcode::Text, br#"{"event":"pusher:pong","data":{}}"#);
        check(Dialect::Pusher, Frame::Message(br#"{"event":"pusher:ping"}"#), Some(&pong));
        check(native[0], Frame::Message(b"PING"), Some(b"PONG\r\n"));
        for dialect in [Dialect::Cohesivity, Dialect::Raw, native[1], native[2]] {
            check(dialect, Frame::Message(b"PING"), None);
            check(dialect, Frame::Message(b"2"), None);
        }
    }

    #[test]
    fn who_came_and_left_is_known_by_number() {
        let mut finder = Finder::new(Dialect::Cohesivity, 40);
        let join = br#"{"action":"join","channel":"c","user":{"id":"bench-17"}}"#;
        let leave = br#"{"action":"leave","channel":"c","user":{"id":"bench-4"},"last_seen":"x"}"#;
        assert_eq!(finder.message(join), Message::Joined(17));
        assert_eq!(finder.message(leave), Message::Left(4));
    }
}
