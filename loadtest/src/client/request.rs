//! What the load test sends: publishes from templates, in which only the stamp changes.

use super::peer::Signer;
use super::socketio;
use super::stamp::{PAYLOAD_BYTES_MIN, SIGN, STAMP_BYTES, Stamp};
use protocol::Keep;
use protocol::client::{Target, write_percent_encoded, write_post, write_publish_body};
use protocol::client::{write_publish_frame, write_upgrade};

/// What publishes are called.
const EVENT: &str = "message";

/// Where requests go and how they are authorised.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    /// Value of `Host`.
    pub(crate) host: String,
    /// The application key.
    pub(crate) key: String,
}

impl Endpoint {
    /// A path with the key in its query.
    pub(crate) fn path_with_key(&self, path: &str) -> String {
        let mut path = format!("{path}?key=");
        write_percent_encoded(&mut path, &self.key);
        path
    }

    /// A request to open a WebSocket on a channel.
    pub(crate) fn upgrade(&self, channel: &str, token: &str, nonce: [u8; 16]) -> Vec<u8> {
        let mut path = "/edge/realtime?token=".to_owned();
        write_percent_encoded(&mut path, token);
        path.push_str("&channel=");
        write_percent_encoded(&mut path, channel);
        let mut request = Vec::new();
        let target = Target { host: &self.host, path: &path, bearer: None };
        write_upgrade(&mut request, &target, nonce);
        request
    }
}

/// A publish in which only the stamp is to be filled in.
#[derive(Debug)]
pub(crate) struct Template {
    bytes: Vec<u8>,
    stamp_at: usize,
    /// Where the mask stands in a WebSocket frame.
    mask_at: Option<usize>,
    /// Signs each request anew.
    signer: Option<Signer>,
}

impl Template {
    /// A publish over HTTP.
    pub(crate) fn http(to: &Endpoint, channel: &str, payload_bytes: usize, keep: Keep) -> Self {
        let mut body = Vec::new();
        write_publish_body(&mut body, channel, EVENT, &payload(payload_bytes), keep);
        let mut bytes = Vec::new();
        let path = to.path_with_key("/edge/realtime");
        write_post(&mut bytes, &Target { host: &to.host, path: &path, bearer: None }, &body);
        Self::request(bytes)
    }

    /// Any request with a blank stamp in its body.
    pub(crate) fn request(bytes: Vec<u8>) -> Self {
        Self { stamp_at: stamp_place(&bytes), bytes, mask_at: None, signer: None }
    }

    /// Any request that is signed anew for each stamp.
    pub(crate) fn signed(bytes: Vec<u8>, signer: Signer) -> Self {
        Self { signer: Some(signer), ..Self::request(bytes) }
    }

    /// A publish on a WebSocket.
    pub(crate) fn websocket(payload_bytes: usize, keep: Keep) -> Self {
        let mut bytes = Vec::new();
        write_publish_frame(&mut bytes, EVENT, &payload(payload_bytes), keep, [0; 4]);
        Self::frame(bytes)
    }

    /// A publish on a connection of Socket.IO.
    pub(crate) fn socketio(channel: &str, payload_bytes: usize) -> Self {
        Self::frame(socketio::publish(channel, EVENT, &payload(payload_bytes)))
    }

    /// A frame with a blank stamp and a mask of zeros, which is no mask.
    pub(crate) fn frame(bytes: Vec<u8>) -> Self {
        // RFC 6455 §5.2: the mask follows the length, which takes 0, 2 or 8 bytes more than the header.
        let mask_at = match bytes.get(1).map_or(0, |length| length & 127) {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        Self { stamp_at: stamp_place(&bytes), bytes, mask_at: Some(mask_at), signer: None }
    }

    /// Appends the publish with a stamp; `mask` is for frames.
    pub(crate) fn append(&self, out: &mut Vec<u8>, stamp: &Stamp, mask: [u8; 4]) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let Some(letters) = out.get_mut(start + self.stamp_at..) else { return };
        if let Some(letters) = letters.first_chunk_mut() {
            stamp.write(letters);
        }
        if let (Some(signer), Some(request)) = (&self.signer, out.get_mut(start..)) {
            signer.sign(request);
        }
        let Some(mask_at) = self.mask_at else { return };
        let Some(masked) = out.get_mut(start + mask_at..) else { return };
        let Some((place, payload)) = masked.split_first_chunk_mut::<4>() else { return };
        *place = mask;
        for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= key;
        }
    }
}

/// A payload with blank stamp: a JSON string of exactly so many bytes.
pub(crate) fn payload(bytes: usize) -> Vec<u8> {
    [b"\"", SIGN, &[b'_'; STAMP_BYTES], &filler(bytes)].concat()
}

/// What follows the stamp in a payload of so many bytes, the closing quote included.
pub(crate) fn filler(payload_bytes: usize) -> Vec<u8> {
    [&vec![b'.'; payload_bytes.saturating_sub(PAYLOAD_BYTES_MIN)], &b"\""[..]].concat()
}

fn stamp_place(bytes: &[u8]) -> usize {
    let blank = [SIGN, &[b'_'; STAMP_BYTES]].concat();
    let at = bytes.windows(blank.len()).position(|window| window == blank);
    at.unwrap_or(0) + SIGN.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::dialect::Dialect;
    use crate::client::message::{Finder, Heard, Message};
    use crate::client::walk::Frame;
    use tungstenite::protocol::{Role, WebSocket};

    const STAMP: Stamp = Stamp { stream: 9, seq: 8, due_ns: 7, lag_us: 6 };

    fn endpoint() -> Endpoint {
        Endpoint { host: "127.0.0.1:1".into(), key: "coh_app_k".into() }
    }

    fn found(body: &[u8], payload_bytes: usize) -> Message {
        let mut finder = Finder::new(Dialect::Cohesivity, payload_bytes);
        let Heard::Message(message, _) = finder.hear(&Frame::Message(body), &mut Vec::new()) else {
            panic!("a message asks for nothing")
        };
        message
    }

    #[test]
    fn a_frame_is_what_another_implementation_reads() {
        for payload_bytes in [PAYLOAD_BYTES_MIN, 128, 4000, 70_000] {
            let mut out = b"before".to_vec();
            let template = Template::websocket(payload_bytes, Keep::Pass);
            template.append(&mut out, &STAMP, [1, 2, 3, 250]);
            let stream = std::io::Cursor::new(out[6..].to_vec());
            let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
            let text = socket.read().unwrap().into_text().unwrap();
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value["data"].as_str().unwrap().len(), payload_bytes - 2);
            assert_eq!((&value["persist"], &value["action"]), (&false.into(), &"publish".into()));
            assert_eq!(found(text.as_bytes(), payload_bytes), Message::Delivery(STAMP));
        }
    }

    #[test]
    fn an_event_carries_its_stamp_in_an_object() {
        for payload_bytes in [PAYLOAD_BYTES_MIN, 4000, 70_000] {
            let mut out = Vec::new();
            let template = Template::socketio("bench:1", payload_bytes);
            template.append(&mut out, &STAMP, [9, 2, 3, 250]);
            let stream = std::io::Cursor::new(out);
            let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
            let text = socket.read().unwrap().into_text().unwrap();
            let event = text.strip_prefix("42").unwrap();
            let value: serde_json::Value = serde_json::from_str(event).unwrap();
            assert_eq!(value[0], "realtime:publish");
            assert_eq!(value[1]["channel"], "bench:1");
            let data = value[1]["payload"]["data"].as_str().unwrap();
            assert_eq!(data.len(), payload_bytes - 2);
            assert_eq!(found(text.as_bytes(), payload_bytes), Message::Delivery(STAMP));
        }
    }

    #[test]
    fn a_request_carries_its_stamp_and_length() {
        let mut out = Vec::new();
        let template = Template::http(&endpoint(), "room a", 64, Keep::Persist);
        template.append(&mut out, &STAMP, [0; 4]);
        let text = String::from_utf8(out).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /edge/realtime?key=coh_app_k HTTP/1.1\r\n"), "{head}");
        assert!(head.to_lowercase().contains(&format!("content-length: {}", body.len())), "{head}");
        let value: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(value["channel"], "room a");
        assert_eq!(found(body.as_bytes(), 64), Message::Delivery(STAMP));
    }

    #[test]
    fn names_and_tokens_are_percent_encoded() {
        let request = endpoint().upgrade("a&b c", "t+/=", [7; 16]);
        let text = String::from_utf8(request).unwrap();
        let path = text.split(' ').nth(1).unwrap();
        assert_eq!(path, "/edge/realtime?token=t%2B%2F%3D&channel=a%26b%20c");
    }
}
