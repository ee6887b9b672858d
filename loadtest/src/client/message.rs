//! What a message of the server is to a load test, found without parsing JSON.

use super::dialect::Dialect;
use super::request::filler;
use super::stamp::{MARK, STAMP_BYTES, Stamp};

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
    /// Engine.IO is open: the client says who it is.
    Greeted,
    /// Socket.IO is connected: the client may subscribe.
    LetIn,
    /// Engine.IO asks whether the client is still there.
    Heartbeat,
    /// Anything else: other greetings, presence.
    Other,
}

/// Finds stamps. It remembers where the last one stood, because they nearly all stand there.
#[derive(Debug)]
pub(crate) struct Finder {
    dialect: Dialect,
    /// What stands between the stamp and the payload's end, closing quote included.
    filler: Vec<u8>,
    at: usize,
}

impl Finder {
    /// A finder for payloads of this length.
    pub(crate) fn new(dialect: Dialect, payload_bytes: usize) -> Self {
        Self { dialect, filler: filler(payload_bytes), at: 0 }
    }

    /// Says what a message is.
    #[inline]
    pub(crate) fn message(&mut self, text: &[u8]) -> Message {
        match stamp_at(text, self.at) {
            Some(stamp) => self.delivery(text, stamp),
            None => self.search(text),
        }
    }

    #[inline]
    fn delivery(&self, text: &[u8], stamp: Stamp) -> Message {
        let rest = text.get(self.at + MARK.len() + STAMP_BYTES..).unwrap_or_default();
        match rest.strip_prefix(self.filler.as_slice()) {
            Some([b',' | b'}', ..]) => Message::Delivery(stamp),
            _ => Message::Damaged,
        }
    }

    #[cold]
    fn search(&mut self, text: &[u8]) -> Message {
        const KEY: &[u8] = b"\"data\":";
        let starts = |text: &[u8], what: &[u8]| text.windows(what.len()).position(|at| at == what);
        if let Some(at) = starts(text, &[KEY, MARK].concat()) {
            self.at = at + KEY.len();
            return match stamp_at(text, self.at) {
                Some(stamp) => self.delivery(text, stamp),
                None => Message::Damaged,
            };
        }
        match self.dialect {
            Dialect::Cohesivity => cohesivity(text),
            Dialect::Insforge => insforge(text),
        }
    }
}

fn cohesivity(text: &[u8]) -> Message {
    match text {
        _ if text.starts_with(b"{\"action\":\"published\"") => Message::Published,
        _ if text.starts_with(b"{\"action\":\"subscribed\"") => Message::Subscribed,
        _ if text.starts_with(b"{\"error\":") => Message::Refused,
        _ => Message::Other,
    }
}

/// A publish has no answer of its own here: it is one's own message that comes back.
fn insforge(text: &[u8]) -> Message {
    match text {
        b"2" => Message::Heartbeat,
        _ if text.starts_with(b"0{") => Message::Greeted,
        _ if text.starts_with(b"40{") => Message::LetIn,
        _ if text.starts_with(b"430[{\"ok\":true,") => Message::Subscribed,
        _ if text.starts_with(b"430[") || text.starts_with(b"44{") => Message::Refused,
        _ if text.starts_with(b"42[\"realtime:error\",") => Message::Refused,
        _ => Message::Other,
    }
}

#[inline]
fn stamp_at(text: &[u8], at: usize) -> Option<Stamp> {
    let letters = text.get(at..)?.strip_prefix(MARK)?.first_chunk::<STAMP_BYTES>()?;
    Stamp::read(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("2", Message::Heartbeat),
            (r#"430[{"ok":true,"channel":"c"}]"#, Message::Subscribed),
            (r#"430[{"ok":false,"channel":"c"}]"#, Message::Refused),
            (r#"44{"message":"Invalid token"}"#, Message::Refused),
            (r#"42["realtime:error",{"code":"x"}]"#, Message::Refused),
            (r#"42["presence:join",{"member":{}}]"#, Message::Other),
            (r#"{"action":"subscribed"}"#, Message::Other),
            ("41", Message::Other),
        ] {
            assert_eq!(finder.message(text.as_bytes()), message, "{text}");
        }
    }
}
