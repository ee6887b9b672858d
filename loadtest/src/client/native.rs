//! Protocols that brokers of others speak straight over TCP: NATS, Redis and MQTT 3.1.1. Just enough of each to subscribe, to
//! publish at most once, and to find the messages in a stream of bytes.

use super::message::Message;
use super::request::{Template, payload};
use super::walk::{FRAME_BYTES_MAX, Frame, Step};

/// A protocol without WebSockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Lines and payloads of NATS.
    Nats,
    /// RESP2.
    Redis,
    /// Packets of MQTT, at QoS 0.
    Mqtt,
}

const CONNECT: u8 = 0x10;
const CONNECTED: u8 = 0x20;
const PUBLISH: u8 = 0x30;
const SUBSCRIBE: u8 = 0x82;
const SUBSCRIBED: u8 = 0x90;
const CLEAN_SESSION: u8 = 2;

impl Protocol {
    /// As reports write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nats => "nats",
            Self::Redis => "redis",
            Self::Mqtt => "mqtt",
        }
    }

    /// What a client says first. None has a name: a broker of MQTT makes one up for each.
    pub(crate) fn hello(self) -> Vec<u8> {
        match self {
            Self::Nats => {
                b"CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":true}\r\n".to_vec()
            }
            Self::Redis => Vec::new(),
            // Protocol level 4, no keep-alive.
            Self::Mqtt => {
                let head = [0, 4, b'M', b'Q', b'T', b'T', 4, CLEAN_SESSION, 0, 0];
                packet(CONNECT, &[&head, &prefixed("")])
            }
        }
    }

    /// How it subscribes; [`Protocol::message`] finds the answer to it.
    pub(crate) fn subscribe(self, channel: &str) -> Vec<u8> {
        match self {
            // The answer to a ping comes after the subscription took place, which has none.
            Self::Nats => format!("SUB {channel} 1\r\nPING\r\n").into_bytes(),
            Self::Redis => command(&[b"SUBSCRIBE", channel.as_bytes()]),
            Self::Mqtt => packet(SUBSCRIBE, &[&[0, 1], &prefixed(channel), &[0]]),
        }
    }

    /// A publish.
    pub(crate) fn publish(self, channel: &str, payload: &[u8]) -> Vec<u8> {
        match self {
            Self::Nats => {
                let head = format!("PUB {channel} {}\r\n", payload.len());
                [head.as_bytes(), payload, b"\r\n"].concat()
            }
            Self::Redis => command(&[b"PUBLISH", channel.as_bytes(), payload]),
            Self::Mqtt => packet(PUBLISH, &[&prefixed(channel), payload]),
        }
    }

    /// A publish in which only the stamp is to be filled in.
    pub(crate) fn template(self, channel: &str, payload_bytes: usize) -> Template {
        let payload = payload(payload_bytes);
        let bare = payload.strip_prefix(b"\"").and_then(|it| it.strip_suffix(b"\""));
        Template::request(self.publish(channel, bare.unwrap_or(&payload)))
    }

    /// Whether a publish is answered: where it is not, the publisher hears its own message.
    pub(crate) fn answers_publishes(self) -> bool {
        self == Self::Redis
    }

    /// Reads what the server said first: of a message its payload, of anything else its text.
    #[inline]
    pub(crate) fn step(self, bytes: &[u8]) -> Step<'_> {
        let found = match self {
            Self::Nats => nats(bytes),
            Self::Redis => redis(bytes),
            Self::Mqtt => mqtt(bytes),
        };
        match found {
            Ok(Some((text, taken))) => Step::Frame(Frame::Message(text), taken),
            Ok(None) if bytes.len() > FRAME_BYTES_MAX => Step::Bad,
            Ok(None) => Step::NeedMore,
            Err(Foreign) => Step::Bad,
        }
    }

    /// The answer to a text that asks whether the client is still there. Redis and MQTT without a keep-alive do not ask.
    pub(crate) fn pulse(self, text: &[u8]) -> Option<&'static [u8]> {
        match self {
            Self::Nats => (text == b"PING").then_some(b"PONG\r\n".as_slice()),
            Self::Redis | Self::Mqtt => None,
        }
    }

    /// What is no delivery.
    pub(crate) fn message(self, text: &[u8]) -> Message {
        match (self, text) {
            (Self::Nats, b"PONG") | (Self::Redis, b"subscribe") => Message::Subscribed,
            (Self::Nats | Self::Redis, [b'-', ..]) => Message::Refused,
            (Self::Redis, [b':', ..]) => Message::Published,
            (Self::Mqtt, [SUBSCRIBED, 3, _, _, granted]) if *granted < 0x80 => Message::Subscribed,
            (Self::Mqtt, [CONNECTED, 2, _, 0]) => Message::Other,
            (Self::Mqtt, [SUBSCRIBED | CONNECTED, ..]) => Message::Refused,
            _ => Message::Other,
        }
    }
}

/// Bytes that do not belong to the protocol.
struct Foreign;

/// A text and the bytes that it took, or `None` if it is not complete.
type Found<'a> = Result<Option<(&'a [u8], usize)>, Foreign>;

/// `MSG <subject> <sid> [reply] <bytes>`, or a line.
fn nats(bytes: &[u8]) -> Found<'_> {
    let Some((line, taken)) = line(bytes) else { return Ok(None) };
    if !line.starts_with(b"MSG ") {
        return Ok(Some((line, taken)));
    }
    let length = line.rsplit(|it| *it == b' ').next().and_then(number).ok_or(Foreign)?;
    let payload = bytes.get(taken..taken + length);
    let end = taken + length + 2;
    Ok(payload.filter(|_| bytes.len() >= end).map(|it| (it, end)))
}

/// An array whose first text says what it is, or a line.
fn redis(bytes: &[u8]) -> Found<'_> {
    let Some((head, mut at)) = line(bytes) else { return Ok(None) };
    let Some(count) = head.strip_prefix(b"*") else { return Ok(Some((head, at))) };
    let count = number(count).filter(|it| (1..=4).contains(it)).ok_or(Foreign)?;
    let (mut kind, mut last): (&[u8], &[u8]) = (b"", b"");
    for nth in 0..count {
        let Some((head, taken)) = bytes.get(at..).and_then(line) else { return Ok(None) };
        at += taken;
        let Some(length) = head.strip_prefix(b"$") else { continue };
        let length = number(length).ok_or(Foreign)?;
        let Some(text) = bytes.get(at..at + length).filter(|_| bytes.len() >= at + length + 2)
        else {
            return Ok(None);
        };
        at += length + 2;
        if nth == 0 {
            kind = text;
        }
        last = text;
    }
    Ok(Some((if kind == b"message" { last } else { kind }, at)))
}

/// A packet: of a publish what was published, of any other all of it.
fn mqtt(bytes: &[u8]) -> Found<'_> {
    let [kind, rest @ ..] = bytes else { return Ok(None) };
    let (mut length, mut digits) = (0, 0);
    loop {
        let Some(digit) = rest.get(digits) else { return Ok(None) };
        length |= usize::from(digit & 127) << (7 * digits);
        digits += 1;
        if digit & 128 == 0 {
            break;
        }
        if digits == 4 {
            return Err(Foreign);
        }
    }
    let (start, end) = (1 + digits, 1 + digits + length);
    let Some(packet) = bytes.get(..end) else { return Ok(None) };
    if *kind != PUBLISH {
        return Ok(Some((packet, end)));
    }
    let name = packet.get(start..start + 2).and_then(|it| it.first_chunk::<2>()).ok_or(Foreign)?;
    let from = start + 2 + usize::from(u16::from_be_bytes(*name));
    Ok(Some((packet.get(from..).ok_or(Foreign)?, end)))
}

/// A line without its end, and the bytes of both.
fn line(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let end = bytes.iter().position(|it| *it == b'\n')?;
    let line = bytes.get(..end)?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), end + 1))
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|it| *it <= FRAME_BYTES_MAX)
}

/// An array of bulk strings.
fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// A packet of MQTT.
fn packet(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![kind];
    let mut length: usize = parts.iter().map(|it| it.len()).sum();
    // MQTT 3.1.1 §2.2.3: seven bits in each byte, the lowest first.
    loop {
        let digit = u8::try_from(length & 127).unwrap_or_default();
        length >>= 7;
        out.push(if length > 0 { digit | 128 } else { digit });
        if length == 0 {
            break;
        }
    }
    parts.iter().for_each(|it| out.extend_from_slice(it));
    out
}

/// A text after its length.
fn prefixed(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes the texts that are whole from a place on; returns how far that came.
    fn take(protocol: Protocol, bytes: &[u8], mut at: usize, found: &mut Vec<String>) -> usize {
        while let Step::Frame(Frame::Message(text), taken) = protocol.step(&bytes[at..]) {
            found.push(String::from_utf8_lossy(text).into_owned());
            at += taken;
        }
        at
    }

    /// What stands in the bytes, wherever they are cut: texts, and what is left.
    fn texts(protocol: Protocol, bytes: &[u8]) -> Vec<String> {
        let mut whole = Vec::new();
        for cut in 0..=bytes.len() {
            let (mut found, mut at) = (Vec::new(), 0);
            for end in [cut, bytes.len()] {
                at = take(protocol, &bytes[..end], at, &mut found);
            }
            assert_eq!(at, bytes.len(), "cut at {cut}");
            assert!(cut == 0 || found == whole, "cut at {cut}: {found:?}");
            whole = found;
        }
        whole
    }

    #[test]
    fn what_nats_says_is_cut_into_its_parts() {
        let said = b"INFO {\"max\":1}\r\nPONG\r\nMSG ch 1 5\r\nhello\r\nMSG ch 1 4\r\n\r\n\r\n\r\n";
        let found = texts(Protocol::Nats, said);
        assert_eq!(found, ["INFO {\"max\":1}", "PONG", "hello", "\r\n\r\n"]);
        assert_eq!(Protocol::Nats.message(b"PONG"), Message::Subscribed);
        assert_eq!(Protocol::Nats.message(b"-ERR 'Slow Consumer'"), Message::Refused);
        assert_eq!(Protocol::Nats.step(b"MSG ch 1 x\r\n"), Step::Bad);
    }

    #[test]
    fn what_redis_says_is_cut_into_its_parts() {
        let mut said = b"*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n".to_vec();
        said.extend_from_slice(
            b"*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$5\r\nhello\r\n:12\r\n-ERR no\r\n",
        );
        assert_eq!(texts(Protocol::Redis, &said), ["subscribe", "hello", ":12", "-ERR no"]);
        assert_eq!(Protocol::Redis.message(b"subscribe"), Message::Subscribed);
        assert_eq!(Protocol::Redis.message(b":12"), Message::Published);
        assert_eq!(Protocol::Redis.message(b"-ERR no"), Message::Refused);
        assert_eq!(Protocol::Redis.step(b"*99\r\n"), Step::Bad);
    }

    #[test]
    fn what_mqtt_says_is_cut_into_its_parts() {
        let long = "x".repeat(300);
        let published = Protocol::Mqtt.publish("ch", long.as_bytes());
        assert_eq!(published[..3], [PUBLISH, 0xb0, 2], "304 bytes follow");
        let said = [&[CONNECTED, 2, 0, 0, SUBSCRIBED, 3, 0, 1, 0][..], &published].concat();
        let found = texts(Protocol::Mqtt, &said);
        assert_eq!(found.last(), Some(&long));
        assert_eq!(found.len(), 3);
        assert_eq!(Protocol::Mqtt.message(&said[..4]), Message::Other);
        assert_eq!(Protocol::Mqtt.message(&said[4..9]), Message::Subscribed);
        assert_eq!(Protocol::Mqtt.message(&[SUBSCRIBED, 3, 0, 1, 0x80]), Message::Refused);
        assert_eq!(Protocol::Mqtt.message(&[CONNECTED, 2, 0, 5]), Message::Refused);
        assert_eq!(Protocol::Mqtt.step(&[PUBLISH, 0xff, 0xff, 0xff, 0xff]), Step::Bad);
    }

    #[test]
    fn what_is_said_is_what_the_protocols_want() {
        let check = |bytes: Vec<u8>, text: &str| assert_eq!(bytes, text.as_bytes());
        check(Protocol::Nats.publish("ch", b"hi"), "PUB ch 2\r\nhi\r\n");
        check(Protocol::Nats.subscribe("ch"), "SUB ch 1\r\nPING\r\n");
        check(Protocol::Redis.subscribe("ch"), "*2\r\n$9\r\nSUBSCRIBE\r\n$2\r\nch\r\n");
        check(
            Protocol::Redis.publish("c", b"hi"),
            "*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$2\r\nhi\r\n",
        );
        let subscribe = [0x82, 7, 0, 1, 0, 2, b'c', b'h', 0];
        assert_eq!(Protocol::Mqtt.subscribe("ch"), subscribe);
    }
}
