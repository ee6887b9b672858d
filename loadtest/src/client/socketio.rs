//! What a client of Socket.IO says, written out: Engine.IO 4, protocol 5, namespace `/`.

use super::request::Endpoint;
use protocol::client::{Target, write_upgrade};
use protocol::ws::{Opcode, append_masked};
use serde_json::json;

/// Who somebody says to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Credential<'a> {
    /// A user's token, or the anon key.
    Token(&'a str),
    /// The API key.
    ApiKey(&'a str),
}

/// The request for a WebSocket.
pub(crate) fn upgrade(to: &Endpoint, nonce: [u8; 16]) -> Vec<u8> {
    let path = "/socket.io/?EIO=4&transport=websocket";
    let mut request = Vec::new();
    write_upgrade(&mut request, &Target { host: &to.host, path, bearer: None }, nonce);
    request
}

/// The packet that connects.
pub(crate) fn connect(credential: Credential<'_>) -> Vec<u8> {
    let auth = match credential {
        Credential::Token(token) => json!({ "token": token }),
        Credential::ApiKey(key) => json!({ "apiKey": key }),
    };
    frame(&format!("40{auth}"))
}

/// The event that subscribes, to be acknowledged as number 0.
pub(crate) fn subscribe(channel: &str) -> Vec<u8> {
    let event = json!(["realtime:subscribe", { "channel": channel }]);
    frame(&format!("420{event}"))
}

/// The event that publishes: the payload becomes the member `data`, because a payload here is an object.
pub(crate) fn publish(channel: &str, event: &str, payload: &[u8]) -> Vec<u8> {
    let (channel, event) = (json!(channel), json!(event));
    let before = format!(
        "42[\"realtime:publish\",{{\"channel\":{channel},\"event\":{event},\"payload\":{{\"data\":"
    );
    let text = [before.as_bytes(), payload, b"}}]"].concat();
    let mut bytes = Vec::new();
    append_masked(&mut bytes, Opcode::Text, &text, [0; 4]);
    bytes
}

/// The packet that connects to a server that asks for nothing.
pub(crate) fn connect_plainly() -> Vec<u8> {
    frame("40")
}

/// An event of a name with a channel, to be acknowledged as number 0.
pub(crate) fn join(event: &str, channel: &str) -> Vec<u8> {
    frame(&format!("420{}", json!([event, channel])))
}

/// An event of a name with a channel and a payload.
pub(crate) fn tell(event: &str, channel: &str, payload: &[u8]) -> Vec<u8> {
    let before = format!("42[{},{},", json!(event), json!(channel));
    let text = [before.as_bytes(), payload, b"]"].concat();
    let mut bytes = Vec::new();
    append_masked(&mut bytes, Opcode::Text, &text, [0; 4]);
    bytes
}

/// A text in a frame with a mask of zeros.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    append_masked(&mut bytes, Opcode::Text, text.as_bytes(), [0; 4]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use tungstenite::protocol::{Role, WebSocket};

    fn check(bytes: Vec<u8>, expected: &str) {
        let mut socket =
            WebSocket::from_raw_socket(std::io::Cursor::new(bytes), Role::Server, None);
        assert_eq!(socket.read().unwrap().into_text().unwrap(), expected);
    }

    #[test]
    fn packets_are_those_of_the_reference_client() {
        check(connect(Credential::Token("anon_1")), r#"40{"token":"anon_1"}"#);
        check(connect(Credential::ApiKey("ik_1")), r#"40{"apiKey":"ik_1"}"#);
        check(subscribe("order:1"), r#"420["realtime:subscribe",{"channel":"order:1"}]"#);
        check(publish("order:1", "upd", b"\"x\""), {
            r#"42["realtime:publish",{"channel":"order:1","event":"upd","payload":{"data":"x"}}]"#
        });
        check(connect_plainly(), "40");
        check(join("sub", "c"), r#"420["sub","c"]"#);
        check(tell("pub", "c", b"\"x\""), r#"42["pub","c","x"]"#);
    }

    #[test]
    fn a_socket_is_asked_for_where_engine_io_listens() {
        let to = Endpoint { host: "h:1".into(), key: String::new() };
        let text = String::from_utf8(upgrade(&to, [7; 16])).unwrap();
        let start = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h:1\r\n";
        assert!(text.starts_with(start), "{text}");
    }
}
