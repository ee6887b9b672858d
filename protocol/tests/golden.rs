//! Transcripts of Cohesivity, as a reader of its document would write them down.
//!
//! `C` a client's frame, `P` `T` `Q` a publish body, token body and history query, `>` something that happens in the node;
//! below it `=` what was understood, or `S` what the node sends.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod transcript;

use protocol::dialect::cohesivity as dialect;
use protocol::dialect::{Dialect, Member, MessageView};
use protocol::http::{HttpFault, Methods, parse_head};
use protocol::{Command, Keep, Limits, Publish, Rejection};
use transcript::{body, check_folder, frame};

#[test]
fn every_transcript_is_spoken_as_written() {
    let checked = check_folder(Dialect::Cohesivity.name(), answer);
    assert!(checked >= 40, "only {checked} lines");
}

fn answer(line: &str) -> String {
    let limits = Limits::default();
    let (kind, text) = line.split_at(2);
    let mut bytes = text.as_bytes().to_vec();
    match kind {
        "C " => match dialect::decode_frame(&mut bytes, &limits) {
            Ok(Command::Publish(publish)) => meaning("", &publish),
            Ok(other) => panic!("{other:?} is no command of this dialect"),
            Err(rejection) => frame(|out| dialect::frame_rejection(out, &rejection)),
        },
        "P " => match dialect::decode_publish_body(&mut bytes, &limits) {
            Ok(it) => meaning(&format!(" channel={}", it.channel.as_str()), &it.publish),
            Err(rejection) => body(|out| dialect::body_rejection(out, &rejection)),
        },
        "T " => match dialect::decode_token_body(&mut bytes, &limits) {
            Ok(it) => format!("= user={} name={:?} ttl={}", it.user_id, it.user_name, it.ttl_s),
            Err(rejection) => body(|out| dialect::body_rejection(out, &rejection)),
        },
        "Q " => {
            let request = format!("GET /edge/realtime/history?{text} HTTP/1.1\r\nHost: a\r\n\r\n");
            let head = parse_head(request.as_bytes(), &limits).unwrap().unwrap();
            match dialect::decode_history_query(&head, &limits) {
                Ok(it) => {
                    format!("= channel={} after={} limit={}", it.channel(), it.after, it.limit)
                }
                Err(rejection) => body(|out| dialect::body_rejection(out, &rejection)),
            }
        }
        "> " => event(text),
        other => panic!("{other:?} starts no line"),
    }
}

fn meaning(channel: &str, publish: &Publish<'_>) -> String {
    let keep = match publish.keep {
        Keep::Persist => "persist",
        Keep::Pass => "pass",
    };
    let data = std::str::from_utf8(publish.data).unwrap();
    format!("= publish{channel} event={} {keep} data={data}", publish.event.as_str())
}

fn event(text: &str) -> String {
    let arguments: Vec<_> = text.split(" | ").collect();
    match arguments[..] {
        ["connected", channel] => frame(|out| dialect::frame_connected(out, channel)),
        ["subscribed", channel, ref members @ ..] => {
            let members = members.iter().map(|text| member(text));
            frame(|out| dialect::frame_subscribed(out, channel, members))
        }
        ["published", channel, at_ms, id] => frame(|out| {
            dialect::frame_published(out, channel, at_ms.parse().unwrap(), id.parse().ok());
        }),
        ["message", ref message @ ..] => {
            frame(|out| Dialect::Cohesivity.encode_publication(out, &view(message)))
        }
        ["join", channel, who] => frame(|out| dialect::frame_join(out, channel, member(who))),
        ["leave", channel, who, at_ms] => {
            frame(|out| dialect::frame_leave(out, channel, member(who), at_ms.parse().unwrap()))
        }
        ["refused", reason] => frame(|out| dialect::frame_rejection(out, &rejection(reason))),
        ["session", token] => body(|out| dialect::body_session(out, token, 60)),
        ["token", token, ttl_s] => {
            body(|out| dialect::body_token(out, token, ttl_s.parse().unwrap()))
        }
        ["answer", ref message @ ..] => body(|out| dialect::body_published(out, &view(message))),
        ["history", ref messages @ ..] => {
            let views = messages.chunks(5).map(view);
            body(|out| dialect::body_history(out, views))
        }
        ["error", reason] => body(|out| dialect::body_rejection(out, &rejection(reason))),
        ["fault", status, message] => {
            let message = String::leak(message.to_owned());
            let fault = HttpFault { status: status.parse().unwrap(), message };
            body(|out| dialect::body_fault(out, &fault))
        }
        _ => panic!("{text:?} is no event"),
    }
}

/// `channel | event | data | milliseconds | id`
fn view<'a>(arguments: &[&'a str]) -> MessageView<'a> {
    let [channel, event, data, at_ms, id] = arguments else { panic!("{arguments:?}") };
    let at_ms = at_ms.parse().unwrap();
    let offset = id.parse().ok();
    MessageView { id: 0, channel, event, data: data.as_bytes(), sender: None, at_ms, offset }
}

fn member(text: &str) -> Member<'_> {
    match text.split_once('=') {
        Some((id, name)) => Member { id, name: Some(name), user_id: None },
        None => Member { id: text, name: None, user_id: None },
    }
}

fn rejection(name: &str) -> Rejection {
    match name {
        "storage full" => Rejection::StorageFull,
        "storage unavailable" => Rejection::StorageUnavailable,
        "no credential" => Rejection::CredentialMissing,
        "bad credential" => Rejection::CredentialInvalid,
        "forbidden" => Rejection::Forbidden,
        "not found" => Rejection::NotFound,
        "method" => Rejection::MethodNotAllowed { allow: Methods::default() },
        "upgrade" => Rejection::UpgradeRequired,
        "too large" => Rejection::PayloadTooLarge { max: 65536 },
        "rate" => Rejection::RateLimited { limit: "publishes_per_s", retry_after_s: 7 },
        "sockets" => Rejection::TooManyConnections { max: 5 },
        "overload" => Rejection::Overloaded { limit: "connections_max" },
        "draining" => Rejection::Draining,
        "internal" => Rejection::Internal,
        _ => panic!("{name:?} is no rejection"),
    }
}
