//! What holds of the dialect of InsForge for any bytes.

use crate::auth::insforge::{Identity, Jwks, Role, User, UserKeys};
use crate::command::{ChannelPublish, Command};
use crate::dialect::MessageView;
use crate::dialect::insforge::plain::PlainCommand;
use crate::dialect::insforge::rest;
use crate::dialect::insforge::socket::{self, Refusal, Said};
use crate::dialect::insforge::{Pattern, is_reserved_event, plain};
use crate::engineio::{self, PAYLOAD_PACKETS_MAX, Packet};
use crate::http::parse_head;
use crate::limits::Limits;
use crate::policy::{Action, Asker, Policies, PolicyRule, Question};
use crate::ws::{Reader, Role as Side, Step};

/// A payload is its packets: each means alone what it means among others, and written down again they are the same bytes.
pub fn engineio_payload(bytes: &[u8]) {
    let mut whole = bytes.to_vec();
    let Ok(packets) = engineio::decode_payload(&mut whole) else {
        assert!(std::str::from_utf8(bytes).is_err(), "text was refused");
        return;
    };
    let mut texts = bytes.split(|it| *it == 0x1e);
    let mut again = Vec::new();
    let mut has_fault = false;
    let mut count = 0;
    for packet in packets {
        assert!(!has_fault, "a fault did not end the payload");
        count += 1;
        let text = texts.next().unwrap_or_default();
        if count <= PAYLOAD_PACKETS_MAX {
            let mut alone = text.to_vec();
            assert_eq!(packet, engineio::decode_packet(&mut alone), "a packet changed");
        }
        if let Ok(Packet::Message(message)) = &packet {
            assert_eq!(text.get(1..), Some(&**message), "a message changed");
        }
        if count > 1 {
            again.push(0x1e);
        }
        again.extend_from_slice(text);
        has_fault = packet.is_err();
    }
    assert!(count <= PAYLOAD_PACKETS_MAX + 1, "more packets than may come");
    assert!(has_fault || again == bytes, "bytes of a payload were lost");
}

/// A message is understood within its limits, what is published is in it as it was, and every refusal has an answer.
pub fn socketio_message(bytes: &[u8]) {
    // Whatever carries it has made sure of this.
    if std::str::from_utf8(bytes).is_err() {
        return;
    }
    let limits = Limits::default();
    let mut out = Vec::new();
    match socket::decode_message(&mut bytes.to_vec(), &limits) {
        Ok(Said::Command(Command::PublishTo { publish, id: None })) => {
            check_publish(bytes, &publish);
        }
        Ok(Said::Command(Command::Subscribe { channel, after: None, id })) => {
            if let Some(id) = id {
                socket::frame_subscribed(&mut out, id, channel.as_str(), std::iter::empty());
                check_frame(&mut out);
            }
        }
        Ok(Said::Command(Command::Unsubscribe { id: None, .. })) => {}
        Ok(Said::Command(other)) => unreachable!("{other:?} is no command of this dialect"),
        Ok(Said::Connect(_) | Said::Disconnect | Said::Nothing) => {}
        Err(Refusal::Command(refused) | Refusal::Binary { command: Some(refused), .. }) => {
            socket::frame_refused(&mut out, &refused);
            check_frame(&mut out);
        }
        Err(Refusal::Namespace(name)) => {
            crate::socketio::frame_namespace_refused(&mut out, &name);
            check_frame(&mut out);
        }
        Err(Refusal::Packet(_) | Refusal::OtherNamespace | Refusal::Binary { .. }) => {}
    }
}

/// The same for the frames of `/realtime`.
pub fn insforge_plain(bytes: &[u8]) {
    let limits = Limits::default();
    let mut out = Vec::new();
    match plain::decode_frame(&mut bytes.to_vec(), &limits) {
        Ok(PlainCommand::Publish(publish)) => check_publish(bytes, &publish),
        Ok(PlainCommand::Track { state, .. }) => {
            assert!(state.len() <= plain::STATE_BYTES_MAX, "a state over its limit");
            assert!(bytes.windows(state.len()).any(|it| it == state), "a state changed");
        }
        Ok(PlainCommand::Subscribe { filter, .. }) => {
            let schema = plain::schema_of(bytes);
            let _ = filter.admits("e", || schema.as_deref()); // only its panics are of interest
        }
        Ok(
            PlainCommand::Authenticate(_)
            | PlainCommand::Unsubscribe { .. }
            | PlainCommand::Untrack { .. }
            | PlainCommand::Ping,
        ) => {}
        Err(rejection) => {
            plain::frame_rejection(&mut out, &rejection);
            check_frame(&mut out);
        }
    }
}

/// No body and no query makes a decoder panic; what is accepted is within its limits, and what is refused has a body.
pub fn insforge_rest(bytes: &[u8]) {
    let limits = Limits::default();
    let copy = || bytes.to_vec();
    let mut errors = Vec::new();
    match rest::decode_channel_create(&mut copy(), &limits) {
        Ok(it) => {
            let urls = it.webhook_urls.as_ref().map_or(0, Vec::len);
            assert!(urls <= rest::WEBHOOK_URLS_MAX, "a list over its limit");
            assert!(it.description.is_none_or(|it| it.len() <= rest::DESCRIPTION_BYTES_MAX));
        }
        Err(error) => errors.push(error),
    }
    errors.extend(rest::decode_channel_update(&mut copy(), &limits).err());
    errors.extend(rest::decode_retention_update(&mut copy(), &limits).err());
    match rest::decode_permissions(&mut copy(), &limits) {
        Ok(policies) => {
            let mut out = Vec::new();
            rest::body_permissions(&mut out, &policies);
            let again = rest::decode_permissions(&mut out, &Limits::default());
            assert!(again.is_ok_and(|it| it.rules().eq(policies.rules())), "policies changed");
        }
        Err(error) => errors.push(error),
    }
    let query: String =
        bytes.iter().map(|it| char::from(*it)).filter(char::is_ascii_graphic).collect();
    for path in ["messages", "messages/stats"] {
        let request = format!("GET /api/realtime/{path}?{query} HTTP/1.1\r\nHost: a\r\n\r\n");
        if let Ok(Some(head)) = parse_head(request.as_bytes(), &limits) {
            match rest::decode_message_list(&head) {
                Ok(it) => assert!((1..=rest::LIST_LIMIT_MAX).contains(&it.limit)),
                Err(error) => errors.push(error),
            }
            errors.extend(rest::decode_stats_query(&head).err());
        }
    }
    for error in errors {
        let mut out = Vec::new();
        rest::body_error(&mut out, &error);
        assert!((400..600).contains(&error.status()), "a refusal with status {}", error.status());
        assert!(std::str::from_utf8(&out).is_ok(), "a body is not UTF-8");
    }
}

/// A pattern matches itself and what its wildcards can stand for. The first line is a pattern, the second a name.
pub fn insforge_pattern(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (pattern, name) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(pattern) = Pattern::parse(pattern) else { return };
    assert!(pattern.matches(pattern.as_str()), "a pattern does not match its own text");
    for filling in ["", "x", "a:b", "%"] {
        let filled = pattern.as_str().replace(['%', '*'], filling);
        assert!(pattern.matches(&filled), "{pattern:?} does not match {filled:?}");
        assert!(filled.starts_with(pattern.prefix()), "a prefix is none");
    }
    if pattern.matches(name) {
        assert!(name.starts_with(pattern.prefix()), "{pattern:?} matches {name:?}");
        assert!(!pattern.is_exact() || name == pattern.as_str(), "{pattern:?} matches {name:?}");
    }
    let expected =
        name == pattern.as_str() || slow_like(pattern.as_str().as_bytes(), name.as_bytes());
    assert_eq!(pattern.matches(name), expected, "{pattern:?} and {name:?}");
}

/// Matches by trying every place, one character after the other.
fn slow_like(pattern: &[u8], name: &[u8]) -> bool {
    let mut reached = vec![false; name.len() + 1];
    if let Some(first) = reached.first_mut() {
        *first = true;
    }
    for byte in pattern {
        let mut next = vec![false; name.len() + 1];
        let is_wildcard = matches!(byte, b'%' | b'*');
        for at in 0..=name.len() {
            let is_reached = |it: &[bool], at: Option<usize>| {
                at.and_then(|at| it.get(at)).copied().unwrap_or(false)
            };
            let before = at.checked_sub(1);
            let fits = if is_wildcard {
                is_reached(&reached, Some(at)) || is_reached(&next, before)
            } else {
                is_reached(&reached, before) && before.and_then(|it| name.get(it)) == Some(byte)
            };
            if let Some(slot) = next.get_mut(at) {
                *slot = fits;
            }
        }
        reached = next;
    }
    reached.last() == Some(&true)
}

/// No expression makes the language panic, and the short answer is the long one's.
pub fn insforge_policy(bytes: &[u8]) {
    let Ok(using) = std::str::from_utf8(bytes) else { return };
    let rule = PolicyRule {
        name: "p".into(),
        action: Action::Publish,
        roles: Box::default(),
        pattern: None,
        using: using.into(),
    };
    let Ok(policies) = Policies::compile(vec![rule]) else { return };
    let user = User {
        id: "ada".into(),
        email: None,
        role: Role::Authenticated,
        claims: r#"{"team":"red","level":3,"flags":["a","b"],"org":{"id":"o1"}}"#.into(),
    };
    for identity in [Identity::Anonymous, Identity::User(user)] {
        let mut asker = Asker::of(&identity, &Limits::default());
        let question =
            Question { action: Action::Publish, channel: "user:ada", event: Some("upd") };
        let explained = policies.explain(&mut asker, &question).verdict;
        assert_eq!(policies.decide(&mut asker, &question), explained, "two answers");
    }
}

/// No token is accepted with a secret that no token was made with, and no key set makes its reader panic.
pub fn insforge_token(bytes: &[u8]) {
    const SECRET: &str = "a secret of thirty-two bytes that signs nothing";
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let jwks = Jwks::parse(text).unwrap_or_default();
    let keys = UserKeys::new(SECRET, jwks).unwrap_or_else(|fault| unreachable!("{fault}"));
    let found = keys.verify(text, 0, &Limits::default());
    assert!(found.is_err(), "a forged token was accepted");
}

fn check_publish(bytes: &[u8], publish: &ChannelPublish<'_>) {
    super::check_publish(bytes, publish);
    let event = publish.publish.event.as_str();
    assert!(!is_reserved_event(event), "a reserved name");
    let mut out = Vec::new();
    let data = publish.publish.data;
    let channel = publish.channel.as_str();
    let message = MessageView { id: 0, channel, event, data, sender: None, at_ms: 0, offset: None };
    socket::frame_message(&mut out, &message);
    check_frame(&mut out);
    out.clear();
    plain::frame_message(&mut out, &message);
    assert!(out.windows(data.len()).any(|it| it == data), "data changed");
    check_frame(&mut out);
}

/// A frame is one text frame, and a message of JSON behind its digits.
fn check_frame(out: &mut [u8]) {
    let length = out.len();
    let limits = Limits { message_bytes_max: length, ..Limits::default() };
    let read = Reader::new(Side::Client).next(out, &limits);
    assert_eq!(read.consumed, length, "not one frame");
    let Step::Text(text) = read.step else { unreachable!("no text frame") };
    let text = text.bytes();
    // A namespace may hold anything but a comma.
    let skipped =
        if text.starts_with(b"44/") { text.iter().position(|it| *it == b',') } else { None };
    let is_start = |(at, it): (usize, &u8)| {
        (at >= skipped.unwrap_or_default() && matches!(it, b'{' | b'[')).then_some(at)
    };
    let json = text.iter().enumerate().find_map(is_start).unwrap_or_default();
    let json = text.get(json..).unwrap_or_default();
    let members = crate::json::read_members(json, usize::MAX, 128);
    assert!(members.is_ok(), "a frame is no JSON: {}", String::from_utf8_lossy(text));
}
