//! Transcripts, as a reader of the documents would write them down.
//!
//! `C` a client's frame, `B` a call and its body, `G` a request line (headers behind ` + `), `>` something that happens in the
//! node; below it `=` what was understood, `!` how it was refused, or `S` what the node sends.

use protocol::auth::vendor::VendorFault;
use protocol::dialect::infrai::{self, Begin, ChannelView, Deleted, IssuedToken, Metadata, Source};
use protocol::dialect::{Dialect, Member, MessageView};
use protocol::http::{Method, Methods};
use protocol::{Capabilities, Capability, ChannelType, NameError, Rejection, Window};

use crate::transcript::{self, check_folder, frame};
use crate::understood;

const REQUEST: u128 = 0x018e_6658_27a7_7abc_8def_0123_4567_89ab;

#[test]
fn every_transcript_is_spoken_as_written() {
    let checked = check_folder("infrai", answer);
    assert!(checked >= 150, "only {checked} lines");
}

fn answer(line: &str) -> String {
    let (kind, text) = line.split_at(2);
    match kind {
        "C " => match understood::frame(&mut text.as_bytes().to_vec()) {
            Ok(meaning) => format!("= {meaning}"),
            Err(refused) => frame(|out| {
                let id = refused.id.as_ref().map(protocol::KeptId::id);
                infrai::frame_rejection(out, &refused.why, id, None);
            }),
        },
        "B " => {
            let (call, body) = text.split_once(' ').unwrap_or((text, ""));
            let body = body.as_bytes().to_vec();
            match understood::body(understood::operation(call), &mut body.clone()) {
                Ok(meaning) => format!("= {meaning}"),
                Err(why) => format!("! {}", understood::refusal(&why)),
            }
        }
        "G " => match understood::request(text) {
            Ok(meaning) => format!("= {meaning}"),
            Err(refusal) => format!("! {refusal}"),
        },
        "> " => event(text),
        other => panic!("{other:?} starts no line"),
    }
}

fn event(text: &str) -> String {
    let arguments: Vec<_> = text.split(" | ").collect();
    match arguments[..] {
        ["error", reason] => {
            body(|out| infrai::body_rejection(out, &rejection(reason), &metadata()))
        }
        ["data", ref rest @ ..] => body(|out| data(out, rest)),
        ["success", micros, vendor, ref rest @ ..] => body(|out| {
            let cost_micro_usd = micros.parse().unwrap();
            let metadata =
                Metadata { cost_micro_usd, vendor, source: Source::Stored, ..metadata() };
            infrai::body_success(out, &metadata, |out| data(out, rest));
        }),
        _ => frame(|out| sent(out, &arguments)),
    }
}

fn metadata() -> Metadata<'static> {
    Metadata {
        request_id: REQUEST,
        latency_ms: 3,
        cost_micro_usd: 0,
        vendor: infrai::VENDOR,
        source: Source::Work,
    }
}

fn data(out: &mut Vec<u8>, arguments: &[&str]) {
    let subscribe = Capabilities::SUBSCRIBE;
    match *arguments {
        ["token", token, client_id, channels] => infrai::data_token(
            out,
            IssuedToken {
                token,
                jti: 7,
                client_id,
                channels: (channels != "public").then(|| channels.split(',')),
                capabilities: subscribe.with(Capability::History),
                expires_at_ms: 1_711_111_111_000,
                endpoint: "wss://realtime.example/v1/realtime/ws",
            },
        ),
        ["revoked"] => infrai::data_revoked(out),
        ["channel", name] => infrai::data_channel(out, &channel(name, None)),
        ["channel", name, count] => {
            infrai::data_channel(out, &channel(name, Some(count.parse().unwrap())));
        }
        ["list", next, ref names @ ..] => {
            let next = (next != "-").then_some(next);
            infrai::data_channel_list(out, names.iter().map(|it| channel(it, None)), next);
        }
        ["deleted", name] => infrai::data_channel_deleted(out, name, Deleted::Deleted),
        ["not deleted", name] => infrai::data_channel_deleted(out, name, Deleted::NotFound),
        ["published", ref message @ ..] => infrai::data_published(out, &view(message)),
        ["batch", count] => {
            let count: usize = count.parse().unwrap();
            infrai::data_published_batch(out, (0..count).map(|it| it as u128 + 1));
        }
        ["presence", ref members @ ..] => {
            infrai::data_presence(out, members.iter().map(|it| member(it)));
        }
        ["disconnected", count] => infrai::data_disconnected(out, count.parse().unwrap()),
        ["types"] => infrai::data_event_types(out),
        ["signed", vendor, token, json] => {
            use protocol::dialect::infrai::SignedValue::{Json, Text};
            let fields = [("token", Text(token)), ("token_request", Json(json.as_bytes()))];
            infrai::data_signed(out, vendor, &fields);
        }
        ["discovery"] => infrai::data_discovery(out, &discovery()),
        ["discovery", id] => {
            infrai::data_capability(out, infrai::find_capability(id).unwrap(), &discovery());
        }
        _ => panic!("{arguments:?} is no data"),
    }
}

const COSTS: [(infrai::Operation, u64); 12] = [
    (infrai::Operation::TokenIssue, 10),
    (infrai::Operation::TokenRevoke, 10),
    (infrai::Operation::ChannelCreate, 10),
    (infrai::Operation::ChannelGet, 10),
    (infrai::Operation::ChannelList, 10),
    (infrai::Operation::ChannelDelete, 10),
    (infrai::Operation::Publish, 10),
    (infrai::Operation::PublishBatch, 10),
    (infrai::Operation::PresenceGet, 10),
    (infrai::Operation::UserDisconnect, 10),
    (infrai::Operation::EventTypes, 10),
    (infrai::Operation::AuthSign, 10),
];

fn discovery() -> infrai::Discovery<'static> {
    infrai::Discovery {
        version: "0.1.0",
        generated_at_ms: 1_711_111_111_000,
        region: "local",
        micro_usd: &COSTS,
    }
}

fn sent(out: &mut Vec<u8>, arguments: &[&str]) {
    match *arguments {
        ["connected", client_id, expires_at_ms] => {
            infrai::frame_connected(out, REQUEST, client_id, expires_at_ms.parse().unwrap());
        }
        ["subscribed", channel, begin, ref members @ ..] => {
            let begin = match begin {
                "fresh" => Begin::Fresh,
                "resumed" => Begin::Resumed,
                "behind" => Begin::Behind,
                "gapped" => Begin::Gapped("not_retained"),
                _ => panic!("{begin} is no begin"),
            };
            let members = (members != ["-"]).then(|| members.iter().map(|it| member(it)));
            let subscribed = infrai::Subscribed { channel, id: None, members, position: 7, begin };
            infrai::frame_subscribed(out, subscribed);
        }
        ["unsubscribed", channel] => infrai::frame_unsubscribed(out, channel, None),
        ["published", channel] => infrai::frame_published(out, 1, channel, None),
        ["message", ref message @ ..] => {
            Dialect::Infrai.encode_publication(out, &view(message));
        }
        ["join", channel, who] => infrai::frame_join(out, channel, member(who)),
        ["leave", channel, who] => infrai::frame_leave(out, channel, member(who)),
        ["channel deleted", channel] => infrai::frame_channel_deleted(out, channel),
        ["recovered", channel] => infrai::frame_recovered(out, channel, 9),
        ["pong"] => infrai::frame_pong(out, None),
        ["refused", channel, reason] => {
            infrai::frame_rejection(out, &rejection(reason), None, Some(channel));
        }
        _ => panic!("{arguments:?} is no event"),
    }
}

fn channel(name: &str, member_count: Option<u64>) -> ChannelView<'_> {
    ChannelView {
        id: 9,
        name,
        channel_type: ChannelType::Presence,
        created_at_ms: 1_711_111_111_111,
        member_count,
        last_published_at_ms: member_count.map(|_| 1_711_111_112_000),
    }
}

/// `channel | event | data | sender | milliseconds | offset`
fn view<'a>(arguments: &[&'a str]) -> MessageView<'a> {
    let [channel, event, data, sender, at_ms, offset] = *arguments else { panic!("{arguments:?}") };
    let sender = (sender != "-").then_some(sender);
    let (at_ms, offset) = (at_ms.parse().unwrap(), offset.parse().ok());
    MessageView { id: 1, channel, event, data: data.as_bytes(), sender, at_ms, offset }
}

fn member(text: &str) -> Member<'_> {
    match text.split_once('=') {
        Some((id, user_id)) => Member { id, name: Some("unseen"), user_id: Some(user_id) },
        None => Member { id: text, name: None, user_id: None },
    }
}

fn rejection(name: &str) -> Rejection {
    let item = |cause| Rejection::Item { field: "messages", index: 3, cause: Box::new(cause) };
    match name {
        "field" => Rejection::MissingField { field: "event" },
        "item" => item(Rejection::InvalidName { field: "channel", cause: NameError::Empty }),
        "item too large" => item(Rejection::PayloadTooLarge { max: 65536 }),
        "no credential" => Rejection::CredentialMissing,
        "credit" => Rejection::InsufficientCredit,
        "forbidden" => Rejection::Forbidden,
        "not provisioned" => Rejection::NotProvisioned,
        "not found" => Rejection::NotFound,
        "no channel" => Rejection::ChannelNotFound,
        "method" => Rejection::MethodNotAllowed { allow: Methods::default().with(Method::Post) },
        "key" => Rejection::IdempotencyConflict,
        "type" => Rejection::ChannelTypeConflict,
        "gone" => Rejection::Gone,
        "vendor missing" => Rejection::VendorNotConfigured { vendor: "ably" },
        "vendor silent" => Rejection::Vendor { vendor: "liveblocks", cause: VendorFault::TimedOut },
        "vendor refuses" => {
            Rejection::Vendor { vendor: "liveblocks", cause: VendorFault::Status(403) }
        }
        "rate" => Rejection::RateLimited { limit: "publishes_per_s", retry_after_s: 7 },
        "month" => Rejection::QuotaExceeded {
            quota: "messages",
            window: Window::Month,
            retry_after_s: 3600,
        },
        "lifetime" => Rejection::QuotaExceeded {
            quota: "messages",
            window: Window::Lifetime,
            retry_after_s: 60,
        },
        "unimplemented" => Rejection::Unimplemented { what: "realtimekit" },
        "storage full" => Rejection::StorageFull,
        "draining" => Rejection::Draining,
        "internal" => Rejection::Internal,
        _ => panic!("{name:?} is no rejection"),
    }
}

fn body(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let sent = transcript::body(write);
    serde_json::from_str::<serde_json::Value>(&sent[2..]).unwrap();
    sent
}
