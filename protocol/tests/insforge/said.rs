//! What a client's line means, written down.

use protocol::auth::insforge::{BadCredential, Credential};
use protocol::dialect::insforge::Pattern;
use protocol::dialect::insforge::plain::{self, PlainCommand};
use protocol::dialect::insforge::rest::{self, RestError};
use protocol::dialect::insforge::socket::{self, Refusal, Said};
use protocol::engineio::{self, Packet};
use protocol::http::parse_head;
use protocol::{ChannelPublish, Command, FrameId, Limits, Publish};

use crate::transcript;

pub(crate) fn limits() -> Limits {
    Limits { message_bytes_max: 1_000_000, ..Limits::default() }
}

/// A text packet of Engine.IO.
pub(crate) fn packet(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    match engineio::decode_packet(&mut bytes) {
        Err(fault) => format!("! close: {fault}"),
        Ok(Packet::Message(message)) => match socket::decode_message(message, &limits()) {
            Ok(said) => format!("= {}", shown(&said)),
            Err(refusal) => refused(&refusal),
        },
        Ok(other) => format!("= {other:?}"),
    }
}

fn shown(said: &Said<'_>) -> String {
    match said {
        Said::Connect(credential) => format!("connect {}", offered(*credential)),
        Said::Command(command) => shown_command(command),
        Said::Disconnect => "disconnect".to_owned(),
        Said::Nothing => "nothing".to_owned(),
    }
}

fn shown_command(command: &Command<'_>) -> String {
    let id =
        |it: &Option<FrameId<'_>>| it.map_or_else(|| "-".to_owned(), |it| it.as_json().to_owned());
    match command {
        Command::Subscribe { channel, after: None, id: of } => {
            format!("subscribe {} id={}", channel.as_str(), id(of))
        }
        Command::Unsubscribe { channel, id: None } => format!("unsubscribe {}", channel.as_str()),
        Command::PublishTo { publish, id: None } => shown_publish(publish),
        Command::Publish(_)
        | Command::PublishTo { .. }
        | Command::Subscribe { .. }
        | Command::Unsubscribe { .. }
        | Command::Ping { .. } => panic!("{command:?} is no command of this dialect"),
    }
}

fn shown_publish(ChannelPublish { channel, publish }: &ChannelPublish<'_>) -> String {
    let Publish { event, data, keep } = publish;
    let data = std::str::from_utf8(data).unwrap();
    format!("publish {} {} {keep:?} {data}", channel.as_str(), event.as_str())
}

fn offered(credential: Credential<'_>) -> String {
    match credential {
        Credential::None => "-".to_owned(),
        Credential::ApiKey(text) => format!("api key {text}"),
        Credential::AnonKey(text) => format!("anon key {text}"),
        Credential::Token(text) => format!("token {text}"),
    }
}

fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Packet(fault) => format!("! close: {fault}"),
        Refusal::OtherNamespace => "! close: other namespace".to_owned(),
        Refusal::Namespace(name) => {
            transcript::frame(|out| protocol::socketio::frame_namespace_refused(out, name))
        }
        Refusal::Command(command) => transcript::frame(|out| socket::frame_refused(out, command)),
        Refusal::Binary { attachments, command } => match command {
            Some(command) => {
                let answer = transcript::frame(|out| socket::frame_refused(out, command));
                format!("! skip {attachments}, {answer}")
            }
            None => format!("! skip {attachments}"),
        },
    }
}

/// A frame of `/realtime`.
pub(crate) fn frame(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    match plain::decode_frame(&mut bytes, &limits()) {
        Err(why) => transcript::frame(|out| plain::frame_rejection(out, &why)),
        Ok(PlainCommand::Authenticate(credential)) => format!("= auth {}", offered(credential)),
        Ok(PlainCommand::Subscribe { channel, filter }) => {
            let filter = if filter.is_open() { String::new() } else { format!(" {filter:?}") };
            format!("= subscribe {}{filter}", channel.as_str())
        }
        Ok(PlainCommand::Unsubscribe { channel }) => format!("= unsubscribe {}", channel.as_str()),
        Ok(PlainCommand::Publish(publish)) => format!("= {}", shown_publish(&publish)),
        Ok(PlainCommand::Track { channel, state }) => {
            format!("= track {} {}", channel.as_str(), std::str::from_utf8(state).unwrap())
        }
        Ok(PlainCommand::Untrack { channel }) => format!("= untrack {}", channel.as_str()),
        Ok(PlainCommand::Ping) => "= ping".to_owned(),
    }
}

/// A call and its body.
pub(crate) fn body(text: &str) -> String {
    let (call, body) = text.split_once(' ').unwrap_or((text, ""));
    let mut bytes = body.as_bytes().to_vec();
    let limits = limits();
    let understood = match call {
        "create" => rest::decode_channel_create(&mut bytes, &limits).map(|it| {
            let enabled = it.enabled;
            let pattern = it.pattern.as_str();
            format!("{pattern} {:?} {:?} enabled={enabled}", it.description, it.webhook_urls)
        }),
        "update" => rest::decode_channel_update(&mut bytes, &limits).map(|it| {
            let pattern = it.pattern.as_ref().map(Pattern::as_str);
            format!(
                "{pattern:?} {:?} {:?} enabled={:?}",
                it.description, it.webhook_urls, it.enabled
            )
        }),
        "retention" => {
            rest::decode_retention_update(&mut bytes, &limits).map(|it| format!("{:?}", it.days))
        }
        "permissions" => rest::decode_permissions(&mut bytes, &limits).map(|policies| {
            let mut out = Vec::new();
            rest::body_permissions(&mut out, &policies);
            String::from_utf8(out).unwrap()
        }),
        other => panic!("{other} is no call"),
    };
    outcome(understood)
}

/// A request line.
pub(crate) fn request(line: &str) -> String {
    let request = format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = parse_head(request.as_bytes(), &limits()).unwrap().unwrap();
    let path = head.path();
    outcome(match path {
        "/api/realtime/messages" => rest::decode_message_list(&head).map(|it| {
            let id = it.channel_id.map(protocol::uuid_text);
            format!("{id:?} {:?} {}+{}", it.event, it.offset, it.limit)
        }),
        "/api/realtime/messages/stats" => rest::decode_stats_query(&head).map(|it| {
            let id = it.channel_id.map(protocol::uuid_text);
            format!("{id:?} since={:?}", it.since_ms)
        }),
        _ => rest::decode_channel_id(&head).map(protocol::uuid_text),
    })
}

fn outcome(understood: Result<String, RestError>) -> String {
    match understood {
        Ok(meaning) => format!("= {meaning}"),
        Err(error) => error_body(&error),
    }
}

pub(crate) fn error_body(error: &RestError) -> String {
    let mut out = Vec::new();
    rest::body_error(&mut out, error);
    format!("S {} {}", error.status(), String::from_utf8(out).unwrap())
}

pub(crate) fn bad_credential(name: &str) -> BadCredential {
    match name {
        "missing" => BadCredential::Missing,
        "api key" => BadCredential::ApiKey,
        "anon key" => BadCredential::AnonKey,
        "token" => BadCredential::Token,
        "subject" => BadCredential::Subject,
        "no admin" => BadCredential::NotAdmin,
        other => panic!("{other} is no credential"),
    }
}
