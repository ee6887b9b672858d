//! What the decoders of InsForge say of the table's rows.

use protocol::Limits;
use protocol::auth::insforge::Credential;
use protocol::dialect::insforge::rest::{self, RestError};
use protocol::dialect::insforge::socket::{self, Broken, Next, Standing};
use protocol::dialect::insforge::{Call, plain};
use protocol::engineio::{self, Packet, body_open_fault, decode_ask};
use protocol::http::{Head, HttpFault, KeepAlive, Route, Routed, parse_head, route};
use protocol::socketio;
use serde_json::Value;

use crate::table::{self, Outcome};

/// What a call comes to: the refusal, or nothing.
pub(crate) fn refused(head: &Head<'_>, body: &mut [u8]) -> Result<(), String> {
    match route(head) {
        Routed::NotFound => told(&RestError::NoEndpoint { url: head.target().into() }),
        Routed::MethodNotAllowed { allow } => {
            let why = protocol::Rejection::MethodNotAllowed { allow };
            let mut out = Vec::new();
            rest::write_rejection(&mut out, &why, head.method(), KeepAlive::Keep);
            Err(error(&body_of(&out)))
        }
        Routed::Found(Route::Insforge(Call::Engine)) => {
            decode_ask(head).map(|_| ()).map_err(|it| {
                let mut out = Vec::new();
                body_open_fault(&mut out, it);
                let body: Value = serde_json::from_slice(&out).unwrap();
                format!("400 {} {}", body["code"], body["message"].as_str().unwrap())
            })
        }
        Routed::Found(Route::Insforge(call)) => read(call, head, body).or_else(|it| told(&it)),
        other @ (Routed::Found(_) | Routed::Preflight { .. }) => panic!("{other:?}"),
    }
}

fn told(why: &RestError) -> Result<(), String> {
    let mut out = Vec::new();
    rest::body_error(&mut out, why);
    let body: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(body["statusCode"], why.status());
    Err(error(&body))
}

/// What is said of a head that cannot be understood.
pub(crate) fn faulty(fault: &HttpFault) -> String {
    let mut out = Vec::new();
    rest::write_fault(&mut out, fault);
    error(&body_of(&out))
}

fn body_of(answer: &[u8]) -> Value {
    let start = answer.windows(4).position(|it| it == b"\r\n\r\n").unwrap() + 4;
    serde_json::from_slice(&answer[start..]).unwrap()
}

fn error(body: &Value) -> String {
    let text = |it: &str| body[it].as_str().unwrap().to_owned();
    format!("{} {} {}", body["statusCode"], text("error"), text("message"))
}

fn read(call: Call, head: &Head<'_>, body: &mut [u8]) -> Result<(), RestError> {
    let limits = Limits::default();
    match call {
        Call::ChannelCreate => rest::decode_channel_create(body, &limits).map(|_| ()),
        Call::ChannelGet | Call::ChannelDelete => rest::decode_channel_id(head).map(|_| ()),
        Call::ChannelUpdate => {
            rest::decode_channel_id(head)?;
            rest::decode_channel_update(body, &limits).map(|_| ())
        }
        Call::MessageList => rest::decode_message_list(head).map(|_| ()),
        Call::MessageStats => rest::decode_stats_query(head).map(|_| ()),
        Call::ConfigUpdate => rest::decode_retention_update(body, &limits).map(|_| ()),
        Call::PermissionsReplace => rest::decode_permissions(body, &limits).map(|_| ()),
        Call::Engine
        | Call::PlainSocket
        | Call::ChannelList
        | Call::MessageDelete
        | Call::ConfigGet
        | Call::PermissionsGet
        | Call::AnonKey
        | Call::AnonToken
        | Call::KeySet => panic!("{call:?} takes no values"),
    }
}

/// The text of one frame.
fn text_of(mut frame: Vec<u8>) -> String {
    let limits = Limits::default();
    let read = protocol::ws::Reader::new(protocol::ws::Role::Client).next(&mut frame, &limits);
    let protocol::ws::Step::Text(text) = read.step else { panic!("{:?}", read.step) };
    String::from_utf8(text.bytes().to_vec()).unwrap()
}

#[test]
fn every_wrong_value_of_every_plain_frame_has_its_answer() {
    let frames = table::insforge_plain_frames();
    assert!(frames.len() > 200, "only {} frames", frames.len());
    for (text, expected) in frames {
        let mut bytes = text.clone().into_bytes();
        let refused = plain::decode_frame(&mut bytes, &Limits::default());
        let why = refused.err().unwrap_or_else(|| panic!("taken: {text}"));
        let mut frame = Vec::new();
        plain::frame_rejection(&mut frame, &why);
        let told: Value = serde_json::from_str(&text_of(frame)).unwrap();
        let expected = serde_json::json!({"type": "error", "message": expected});
        assert_eq!(told, expected, "{}", &text.chars().take(200).collect::<String>());
    }
}

/// What a client that is in is told.
fn outcome(text: &str) -> Outcome {
    let limits = Limits::default();
    let mut standing = Standing::default();
    standing.take(&mut b"0".to_vec(), &limits);
    standing.let_in();
    let mut bytes = text.as_bytes().to_vec();
    let message = match engineio::decode_packet(&mut bytes) {
        Ok(Packet::Message(message)) => message,
        Ok(Packet::Ping { .. }) => return Outcome::Closed("only the server pings"),
        Ok(other) => panic!("{text}: {other:?}"),
        Err(why) => {
            assert_eq!(why.to_string(), "unknown packet type", "{text}");
            return Outcome::Closed("unknown packet type");
        }
    };
    let mut frame = Vec::new();
    match standing.take(message, &limits) {
        Next::Refuse(refused) => socket::frame_refused(&mut frame, &refused),
        Next::RefuseNamespace(name) => socketio::frame_namespace_refused(&mut frame, &name),
        Next::Close(Broken::Packet) => return Outcome::Closed("not a packet of Socket.IO"),
        Next::Close(Broken::OutOfTurn) => return Outcome::Closed("connect first, and once"),
        next @ (Next::Identify(_)
        | Next::Perform(_)
        | Next::Leave
        | Next::Nothing
        | Next::Close(Broken::Attachment)) => panic!("{text}: {next:?}"),
    }
    Outcome::Told(text_of(frame))
}

#[test]
fn every_wrong_value_of_every_packet_has_its_answer() {
    let packets = table::insforge_packets();
    assert!(packets.len() > 200, "only {} packets", packets.len());
    for (text, expected) in packets {
        assert_eq!(outcome(&text), expected, "{}", &text.chars().take(200).collect::<String>());
    }
}

#[test]
fn what_lets_nobody_in_is_told_apart_by_its_form() {
    for (auth, expected) in table::insforge_credentials() {
        let mut text = format!("0{auth}").into_bytes();
        let next = Standing::default().take(&mut text, &Limits::default());
        let Next::Identify(credential) = next else { panic!("{auth}: {next:?}") };
        let told = match credential {
            Credential::None => "No authentication provided",
            Credential::ApiKey(_) => "Invalid API key",
            Credential::AnonKey(_) => "Invalid anon key",
            Credential::Token(_) => "Invalid token",
        };
        assert_eq!(told, expected, "{auth}");
    }
}

#[test]
fn the_head_of_a_request_is_refused_in_the_shape_of_its_path() {
    for (line, expected) in [
        ("GET /api/realtime/channels HTTP/1.1\r\n\r\n", "400 INVALID_INPUT"),
        (
            "GET /api/realtime/channels HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n",
            "501 NOT_IMPLEMENTED",
        ),
    ] {
        let fault = parse_head(line.as_bytes(), &Limits::default()).unwrap_err();
        assert!(faulty(&fault).starts_with(expected), "{line}: {}", faulty(&fault));
    }
}
