//! What holds for any bytes, as plain functions: the fuzzer calls them, and ordinary tests replay its corpus.
//! Not an interface.

mod insforge;

pub use insforge::{
    engineio_payload, insforge_pattern, insforge_plain, insforge_policy, insforge_rest,
    insforge_token, socketio_message,
};

use crate::auth::insforge::decode_head_credential;
use crate::auth::{
    open_infrai, peek_infrai_tenant, peek_tenant, sign_infrai, verify_edge, verify_infrai,
    verify_realtime,
};
use crate::command::{ChannelPublish, Command, KeptId};
use crate::dialect::cohesivity::{
    decode_connect_query, decode_credential, decode_frame, decode_history_query,
    decode_publish_body, decode_token_body, frame_rejection,
};
use crate::dialect::{Dialect, MessageView, infrai};
use crate::engineio::decode_ask;
use crate::http::{KnownHead, Routed, parse_head, route};
use crate::limits::Limits;
use crate::ws::{Reader, Role, Step};

/// A target and its name, which is also the folder of its corpus.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 17] = [
    ("http_head", http_head),
    ("path_router", path_router),
    ("ws_stream", ws_stream),
    ("utf8_stream", utf8_stream),
    ("cohesivity_frame", cohesivity_frame),
    ("cohesivity_publish_body", cohesivity_publish_body),
    ("infrai_frame", infrai_frame),
    ("infrai_bodies", infrai_bodies),
    ("infrai_token", infrai_token),
    ("token", token),
    ("engineio_payload", engineio_payload),
    ("socketio_message", socketio_message),
    ("insforge_plain", insforge_plain),
    ("insforge_rest", insforge_rest),
    ("insforge_pattern", insforge_pattern),
    ("insforge_policy", insforge_policy),
    ("insforge_token", insforge_token),
];

/// A head that is understood lies within its bytes, and was not understood before it was whole.
pub fn http_head(bytes: &[u8]) {
    let limits = Limits::default();
    let Ok(Some(head)) = parse_head(bytes, &limits) else { return };
    let (whole, _) = bytes.split_at(head.head_bytes());
    assert!(whole.ends_with(b"\r\n\r\n"), "a head ends with an empty line");
    assert_eq!(parse_head(whole, &limits), Ok(Some(head.clone())), "what follows changed the head");
    if let Some(known) = KnownHead::of(whole, &head) {
        let again = Some((head.head_bytes(), head.content_length()));
        assert_eq!(known.comes_again(bytes, &limits), again, "a head is not known again");
    }
    let (short, _) = whole.split_at(whole.len() - 1);
    assert_eq!(parse_head(short, &limits), Ok(None), "a head was taken before its end");
    assert!(head.content_length() <= limits.body_bytes_max, "a body over its limit");
    for segment in head.segments() {
        assert!(!segment.contains(['/', '\\', '\0']), "a segment holds a separator");
    }
    let _ = (route(&head), decode_credential(&head)); // only their panics are of interest
    let _ = decode_connect_query(&head, &limits); // likewise
    let _ = (decode_ask(&head), decode_head_credential(&head)); // likewise
    if let Ok(query) = decode_history_query(&head, &limits) {
        assert!((1..=100).contains(&query.limit), "a limit over its limit");
    }
}

/// A name in a path comes out as it went in, and reaches no other call.
pub fn path_router(bytes: &[u8]) {
    let mut request = b"GET /x/".to_vec();
    for byte in bytes {
        request.extend_from_slice(format!("%{byte:02x}").as_bytes());
    }
    request.extend_from_slice(b" HTTP/1.1\r\nHost: a\r\n\r\n");
    let limits = Limits { head_bytes_max: request.len() + 1, ..Limits::default() };
    let name = std::str::from_utf8(bytes).ok().filter(|name| {
        let is_step = matches!(*name, "." | "..");
        !is_step && !name.chars().any(|it| it.is_control() || it == '/' || it == '\\')
    });
    match (parse_head(&request, &limits), name) {
        (Ok(Some(head)), Some(name)) => {
            assert_eq!(head.segment(1).as_deref(), Some(name), "a name changed on its way");
            assert_eq!(route(&head), Routed::NotFound, "a name reached a call");
        }
        (Err(fault), None) => assert_eq!(fault.status, 400, "a bad name has another status"),
        (parsed, name) => {
            assert_eq!(parsed.is_ok(), name.is_some(), "a name and its verdict differ");
        }
    }
}

/// Frames mean the same however they are cut. The first byte chooses the cut.
pub fn ws_stream(bytes: &[u8]) {
    let Some((cut, stream)) = bytes.split_first() else { return };
    for role in [Role::Server, Role::Client] {
        let whole = steps(role, stream, stream.len().max(1));
        assert_eq!(steps(role, stream, usize::from(*cut).max(1)), whole, "a cut changed a message");
    }
}

/// Text messages are exactly those that are UTF-8.
pub fn utf8_stream(bytes: &[u8]) {
    let limits = Limits { message_bytes_max: 200, fragments_max: 300, ..Limits::default() };
    let text = bytes.get(..bytes.len().min(limits.message_bytes_max)).unwrap_or_default();
    let mut stream = Vec::new();
    let mut opcode = 1;
    for byte in text {
        stream.extend_from_slice(&[opcode, 1, *byte]);
        opcode = 0;
    }
    stream.extend_from_slice(&[0x80 | opcode, 0]);
    let mut reader = Reader::new(Role::Client);
    let mut rest = &mut stream[..];
    loop {
        let read = reader.next(rest, &limits);
        let consumed = read.consumed;
        match read.step {
            Step::Part => {}
            Step::Text(payload) => {
                assert_eq!(payload.bytes(), text, "a message changed");
                assert!(std::str::from_utf8(text).is_ok(), "what is not UTF-8 was accepted");
                return;
            }
            Step::Fault(fault) => {
                assert_eq!(fault.code.number(), 1007, "{}", fault.reason);
                assert!(std::str::from_utf8(text).is_err(), "UTF-8 was refused");
                return;
            }
            Step::Need | Step::Binary(_) | Step::Ping(_) | Step::Pong(_) | Step::Close { .. } => {
                unreachable!("the stream is one text message")
            }
        }
        rest = rest.get_mut(consumed..).unwrap_or_default();
    }
}

/// Data that is accepted is in the input as it was, and its publication is one frame around it.
pub fn cohesivity_frame(bytes: &[u8]) {
    let limits = Limits::default();
    let mut text = bytes.to_vec();
    match decode_frame(&mut text, &limits) {
        Ok(Command::Publish(publish)) => {
            check_data(bytes, publish.data);
            check_delivery(publish.event.as_str(), publish.data);
        }
        Ok(other) => unreachable!("{other:?} is no command of this dialect"),
        Err(rejection) => {
            let mut out = Vec::new();
            frame_rejection(&mut out, &rejection);
            let read = Reader::new(Role::Client).next(&mut out, &limits);
            assert!(matches!(read.step, Step::Text(_)), "a refusal is no text frame");
        }
    }
}

/// The same over HTTP, where no reader has checked the bytes before; and the other body.
pub fn cohesivity_publish_body(bytes: &[u8]) {
    let limits = Limits::default();
    if let Ok(publish) = decode_publish_body(&mut bytes.to_vec(), &limits) {
        assert!(publish.channel.as_str().len() <= 200, "a channel over its limit");
        check_data(bytes, publish.publish.data);
    }
    if let Ok(request) = decode_token_body(&mut bytes.to_vec(), &limits) {
        assert!((60..=3600).contains(&request.ttl_s), "a token lives too long");
        assert!((1..=128).contains(&request.user_id.len()), "a user id over its limit");
    }
}

/// The same for a dialect whose frames name their channel, and whose ids come back as they were.
pub fn infrai_frame(bytes: &[u8]) {
    let limits = Limits::default();
    let mut out = Vec::new();
    match infrai::decode_frame(&mut bytes.to_vec(), &limits) {
        Ok(Command::PublishTo { publish, id }) => {
            check_publish(bytes, &publish);
            infrai::frame_published(&mut out, 0, publish.channel.as_str(), id);
        }
        Ok(Command::Subscribe { channel, id, .. } | Command::Unsubscribe { channel, id }) => {
            infrai::frame_unsubscribed(&mut out, channel.as_str(), id);
        }
        Ok(Command::Ping { id }) => infrai::frame_pong(&mut out, id),
        Ok(other) => unreachable!("{other:?} is no command of this dialect"),
        Err(refused) => {
            let id = refused.id.as_ref().map(KeptId::id);
            infrai::frame_rejection(&mut out, &refused.why, id, None);
        }
    }
    let read = Reader::new(Role::Client).next(&mut out, &limits);
    assert!(matches!(read.step, Step::Text(_)), "an answer is no text frame");
}

/// No body makes a decoder panic; what it accepts is within its limits, and a batch is what its messages are.
pub fn infrai_bodies(bytes: &[u8]) {
    let limits = Limits::default();
    let copy = || bytes.to_vec();
    if let Ok(it) = infrai::decode_publish(&mut copy(), &limits) {
        check_publish(bytes, &it.publish);
    }
    if let Ok(it) = infrai::decode_publish_batch(&mut copy(), &limits) {
        assert!(it.messages.len() <= infrai::BATCH_MESSAGES_MAX, "a batch over its limit");
        for message in &it.messages {
            check_publish(bytes, message);
        }
    }
    if let Ok(it) = infrai::decode_token_issue(&mut copy(), &limits) {
        assert!((1..=infrai::TTL_S_MAX).contains(&it.ttl_s), "a token lives too long");
        let channels = it.channels.map_or(0, |it| it.len());
        assert!(channels <= infrai::CHANNELS_MAX, "a list over its limit");
    }
    if let Ok(it) = infrai::decode_auth_sign(&mut copy(), &limits) {
        assert!(!it.channels.is_empty() || it.user_data.is_some(), "nothing to sign");
        for data in it.channel_data.iter().chain(&it.user_data) {
            check_data(bytes, data);
        }
    }
    // Only their panics are of interest.
    let _ = infrai::decode_token_revoke(&mut copy(), &limits);
    let _ = infrai::decode_channel_create(&mut copy(), &limits); // likewise
    let _ = infrai::decode_channel_delete(&mut copy(), &limits); // likewise
    let _ = infrai::decode_user_disconnect(&mut copy(), &limits); // likewise
}

/// A client token that is understood is written down again as it came, and none is accepted with a key that made none.
pub fn infrai_token(bytes: &[u8]) {
    const KEY: &[u8] = b"a key of thirty-two bytes, or so";
    let limits = Limits::default();
    let Ok(token) = std::str::from_utf8(bytes) else { return };
    let other = b"a key that signs nothing";
    assert!(verify_infrai(token, other, 0, &limits).is_err(), "a forged token was accepted");
    let peeked = peek_infrai_tenant(token, &limits);
    if let Ok(claims) = open_infrai(token, KEY, &limits) {
        assert_eq!(peeked.as_ref(), Ok(&claims.tenant), "another tenant's key would be asked for");
        let again = sign_infrai(&claims, KEY, &limits);
        assert_eq!(again.as_deref(), Ok(token), "a token has two spellings");
    }
}

/// No token is accepted with a key that no token was made with.
pub fn token(bytes: &[u8]) {
    let limits = Limits::default();
    let Ok(token) = std::str::from_utf8(bytes) else { return };
    let key = b"a key that signs nothing";
    assert!(verify_edge(token, key, 0, &limits).is_err(), "a forged token was accepted");
    assert!(verify_realtime(token, key, 0, &limits).is_err(), "a forged token was accepted");
    if let Ok(tenant) = peek_tenant(token, &limits) {
        assert!(tenant.len() <= limits.token_bytes_max, "a tenant longer than its token");
    }
}

fn check_publish(bytes: &[u8], publish: &ChannelPublish<'_>) {
    assert!(publish.channel.as_str().len() <= 200, "a channel over its limit");
    check_data(bytes, publish.publish.data);
    check_delivery(publish.publish.event.as_str(), publish.publish.data);
}

fn check_data(bytes: &[u8], data: &[u8]) {
    assert!(std::str::from_utf8(data).is_ok(), "data is not UTF-8");
    assert!(bytes.windows(data.len()).any(|it| it == data), "data changed");
    let mut wrapped = [b"{\"action\":\"publish\",\"data\":", data, b"}"].concat();
    let Ok(Command::Publish(again)) = decode_frame(&mut wrapped, &Limits::default()) else {
        unreachable!("data that was accepted is refused alone")
    };
    assert_eq!(again.data, data, "data is not one value");
}

fn check_delivery(event: &str, data: &[u8]) {
    let mut out = Vec::new();
    let message =
        MessageView { id: 0, channel: "c", event, data, sender: None, at_ms: 0, offset: None };
    for dialect in Dialect::ALL {
        out.clear();
        dialect.encode_publication(&mut out, &message);
        let length = out.len();
        let limits = Limits { message_bytes_max: length, ..Limits::default() };
        let read = Reader::new(Role::Client).next(&mut out, &limits);
        assert_eq!(read.consumed, length, "a publication is one frame");
        assert!(matches!(read.step, Step::Text(_)), "a publication is no text frame");
    }
}

/// What the stream means, cut into pieces of `size`.
fn steps(role: Role, stream: &[u8], size: usize) -> Vec<String> {
    let limits = Limits { message_bytes_max: 100, fragments_max: 4, ..Limits::default() };
    let mut reader = Reader::new(role);
    let mut buffer = Vec::new();
    let mut seen = Vec::new();
    for chunk in stream.chunks(size) {
        buffer.extend_from_slice(chunk);
        loop {
            let read = reader.next(&mut buffer, &limits);
            let consumed = read.consumed;
            match read.step {
                Step::Need => break,
                Step::Part => {}
                Step::Text(payload) => {
                    assert!(std::str::from_utf8(payload.bytes()).is_ok(), "text is not UTF-8");
                    assert!(payload.bytes().len() <= limits.message_bytes_max, "over its limit");
                    seen.push(format!("text {:?}", payload.bytes()));
                }
                Step::Binary(payload) => seen.push(format!("binary {:?}", payload.bytes())),
                step @ (Step::Ping(_) | Step::Pong(_)) => seen.push(format!("{step:?}")),
                step @ (Step::Close { .. } | Step::Fault(_)) => {
                    seen.push(format!("{step:?}"));
                    return seen;
                }
            }
            assert!(consumed > 0, "a step without progress");
            buffer.drain(..consumed);
        }
    }
    seen
}
