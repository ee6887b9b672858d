//! The small server's Socket.IO: who may come in, what a socket asks for, and what it is told.

use crate::server::{Dialect, Fault, Order, text};
use protocol::auth::insforge::sign_user;
use serde_json::{Value, json};
use std::net::TcpStream;
use std::sync::mpsc::Sender;
use tungstenite::{Message, WebSocket};

/// The keys that let in.
pub(crate) const KEYS: &str = "--api-key ik_test --anon-key anon_test --jwt-secret hush";

/// Answers POST /api/realtime/channels.
pub(crate) fn allow(api_key: &str, body: &[u8], fault: Fault) -> (u16, String) {
    let body: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(body, json!({ "pattern": "bench:%" }));
    match api_key {
        "ik_test" if fault == Fault::NoToken => (401, "no".to_owned()),
        "ik_test" => (201, json!({ "pattern": "bench:%" }).to_string()),
        _ => (401, String::new()),
    }
}

/// Serves one socket: the handshake as the reference server holds it, then publishes.
pub(crate) fn serve(stream: TcpStream, orders: &Sender<Order>) {
    let address = stream.peer_addr().unwrap();
    let writer = stream.try_clone().unwrap();
    let mut socket = tungstenite::accept(stream).unwrap();
    say(&mut socket, &format!("0{}", json!({ "sid": "e", "upgrades": [], "pingInterval": 25000 })));
    let auth = hear(&mut socket, "40").unwrap();
    if !is_known(&auth) {
        return say(&mut socket, &format!("44{}", json!({ "message": "Invalid token" })));
    }
    say(&mut socket, &format!("40{}", json!({ "sid": "s" })));
    let event = hear(&mut socket, "420").unwrap();
    assert_eq!(event[0], "realtime:subscribe");
    let channel = event[1]["channel"].as_str().unwrap().to_owned();
    assert!(channel.starts_with("bench:"), "{channel}");
    let dialect = Dialect::Insforge;
    orders.send(Order::Join { channel: channel.clone(), stream: writer, dialect }).unwrap();
    while let Ok(message) = socket.read() {
        let Ok(packet) = message.into_text() else { continue };
        if packet == "3" {
            orders.send(Order::Alive { channel: channel.clone(), address }).unwrap();
            continue;
        }
        let Some(event) = packet.strip_prefix("42") else { continue };
        let event: Value = serde_json::from_str(event).unwrap();
        assert_eq!(
            (&event[0], &event[1]["channel"]),
            (&"realtime:publish".into(), &channel.as_str().into())
        );
        assert!(auth.get("apiKey").is_some(), "who publishes has the API key: {auth}");
        let (channel, data) = (channel.clone(), event[1]["payload"]["data"].clone());
        orders.send(Order::Publish { channel, data, from: None }).unwrap();
    }
}

/// That a channel is heard; and the first half of a heartbeat.
pub(crate) fn joined() -> Vec<u8> {
    let answer = json!({ "ok": true, "channel": "c", "presence": { "members": [] } });
    // The order of the members is the reference server's; of a map it would be the alphabet's.
    let answer = format!("430[{{\"ok\":true,{}]", &answer.to_string()[1..]);
    [text(&answer), text("2")].concat()
}

/// A message.
pub(crate) fn message(channel: &str, data: &Value) -> Vec<u8> {
    let meta = json!({ "channel": format!("realtime:{channel}"), "senderType": "system" });
    text(&format!("42[\"message\",{{\"data\":{data},\"meta\":{meta}}}]"))
}

/// The anon key, the API key, or a user's token of which the signature is good.
fn is_known(auth: &Value) -> bool {
    let users = (0..8).map(|nth| format!("bench-{nth}")).chain(["bench".to_owned()]);
    let mut tokens = users.map(|user| {
        sign_user(&json!({ "sub": user, "role": "authenticated" }).to_string(), "hush")
    });
    auth == &json!({ "apiKey": "ik_test" })
        || auth == &json!({ "token": "anon_test" })
        || tokens.any(|token| auth == &json!({ "token": token }))
}

fn say(socket: &mut WebSocket<TcpStream>, packet: &str) {
    socket.send(Message::text(packet)).unwrap();
}

/// The JSON behind the next packet's type.
fn hear(socket: &mut WebSocket<TcpStream>, kind: &str) -> Option<Value> {
    let packet = socket.read().ok()?.into_text().ok()?;
    serde_json::from_str(packet.strip_prefix(kind)?).ok()
}
