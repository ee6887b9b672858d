//! What the node sends when something happens.

use protocol::auth::insforge::ANONYMOUS_ID;
use protocol::dialect::MessageView;
use protocol::dialect::insforge::plain::{self, PlainError, PresenceChange};
use protocol::dialect::insforge::rest::{
    self, ChannelRow, ListWriter, MessageRow, RestError, Stats,
};
use protocol::dialect::insforge::socket::{self, PublishError, RefusedCommand, SubscribeError};
use protocol::dialect::insforge::{Present, PresentKind};
use protocol::engineio::{self, Heartbeat, OpenFault, Sid, Transport};
use protocol::{Command, KeptId, Limits, Rejection, socketio};

use crate::said;
use crate::transcript::{body, frame};

const ID: u128 = 0x018e_6658_27a7_7abc_8def_0123_4567_89ab;
const AT_MS: u64 = 1_711_111_111_111;

fn sid() -> Sid {
    Sid::parse("o4V6-_AAAAAAAAAAAAAA").unwrap()
}

pub(crate) fn event(text: &str) -> String {
    let arguments: Vec<_> = text.split(" | ").collect();
    match arguments[0] {
        "rest" => rest_body(&arguments[1..]),
        "failed" => said::error_body(&failed(arguments[1], arguments.get(2).copied())),
        "engine" => engine(&arguments[1..]),
        "plain" => frame(|out| plain_frame(out, &arguments[1..])),
        _ => frame(|out| socket_frame(out, &arguments)),
    }
}

fn engine(arguments: &[&str]) -> String {
    match *arguments {
        ["open", "polling"] => {
            body(|out| engineio::push_open(out, sid(), Transport::Polling, &Heartbeat::default()))
        }
        ["open", _] => frame(|out| engineio::frame_open(out, sid(), &Heartbeat::default())),
        ["ping"] => frame(engineio::frame_ping),
        ["probed"] => frame(engineio::frame_pong_probe),
        ["noop"] => frame(engineio::frame_noop),
        ["close"] => frame(engineio::frame_close),
        ["refused", code] => body(|out| {
            let is_it = |it: &OpenFault| it.code().to_string() == code;
            engineio::body_open_fault(out, OpenFault::ALL.into_iter().find(is_it).unwrap());
        }),
        _ => panic!("{arguments:?}"),
    }
}

fn socket_frame(out: &mut Vec<u8>, arguments: &[&str]) {
    match *arguments {
        ["connected"] => socketio::frame_connected(out, sid()),
        ["not let in", why] => {
            socketio::frame_connect_error(out, &said::bad_credential(why).to_string());
        }
        ["disconnect"] => socketio::frame_disconnect(out),
        ["subscribed", id, channel, ref members @ ..] => {
            let id = kept(id);
            let members = members.iter().map(|it| present(it));
            socket::frame_subscribed(out, id.id(), channel, members);
        }
        ["not subscribed", id, channel, why] => {
            let error = match why {
                "unauthorized" => SubscribeError::Unauthorized,
                _ => SubscribeError::Internal,
            };
            socket::frame_subscribe_refused(out, kept(id).id(), channel, error);
        }
        ["not published", channel, why] => {
            let error = match why {
                "not subscribed" => PublishError::NotSubscribed,
                "unauthorized" => PublishError::Unauthorized,
                _ => PublishError::Internal,
            };
            socket::frame_error(out, channel, error);
        }
        ["overloaded", id, channel] => {
            let id = (id != "-").then(|| kept(id));
            let why = Rejection::RateLimited { limit: "requests", retry_after_s: 7 };
            let refused = RefusedCommand { id, channel: Some(channel.into()), why };
            socket::frame_refused(out, &refused);
        }
        ["message", ref message @ ..] => socket::frame_message(out, &view(message)),
        ["join", channel, who] => socket::frame_join(out, channel, present(who), ID, AT_MS),
        ["leave", channel, who] => socket::frame_leave(out, channel, present(who), ID, AT_MS),
        ["shutdown"] => socket::frame_shutdown(out, ID, AT_MS),
        _ => panic!("{arguments:?}"),
    }
}

fn plain_frame(out: &mut Vec<u8>, arguments: &[&str]) {
    match *arguments {
        ["authenticated", id] => plain::frame_authenticated(out, id),
        ["subscribed", channel, id] => plain::frame_subscribed(out, channel, id),
        ["unsubscribed", channel] => plain::frame_unsubscribed(out, channel),
        ["published", channel, event] => plain::frame_published(out, ID, channel, event),
        ["message", ref message @ ..] => plain::frame_message(out, &view(message)),
        ["pong"] => plain::frame_pong(out),
        ["presence", change, channel, who, state] => {
            let change = match change {
                "join" => PresenceChange::Join,
                "leave" => PresenceChange::Leave,
                _ => PresenceChange::Update,
            };
            plain::frame_presence(out, channel, change, present(who), state.as_bytes());
        }
        ["error", "not authenticated"] => plain::frame_error(out, PlainError::NotAuthenticated),
        ["error", "not accessible"] => plain::frame_error(out, PlainError::NotAccessible),
        ["error", "not publishable"] => plain::frame_error(out, PlainError::NotPublishable),
        ["error", why] => {
            plain::frame_error(out, PlainError::Credential(said::bad_credential(why)));
        }
        _ => panic!("{arguments:?}"),
    }
}

fn rest_body(arguments: &[&str]) -> String {
    body(|out| match *arguments {
        ["channel", pattern, description, urls] => {
            let urls: Vec<Box<str>> = urls.split(',').map(Into::into).collect();
            let is_set = |it: &str| it != "-";
            rest::body_channel(
                out,
                &ChannelRow {
                    id: ID,
                    pattern,
                    description: Some(description).filter(|it| is_set(it)),
                    webhook_urls: Some(&urls[..]).filter(|it| is_set(&it[0])),
                    enabled: is_set(description),
                    created_at_ms: AT_MS,
                    updated_at_ms: AT_MS + 1,
                },
            );
        }
        ["channel deleted"] => rest::body_channel_deleted(out),
        ["messages", ref messages @ ..] => {
            let mut list = ListWriter::begin(out);
            for message in messages.chunks(4) {
                let view = view(message);
                let counts = [view.at_ms - AT_MS; 3];
                let row = row(&view, counts);
                list.item(out, |out| rest::body_message(out, &row));
            }
            list.end(out);
        }
        ["deleted", count] => rest::body_messages_deleted(out, count.parse().unwrap()),
        ["stats", delivered, audience, days, ref events @ ..] => {
            let number = |it: &str| it.parse::<u64>().unwrap();
            rest::body_stats(
                out,
                Stats {
                    messages: 1250,
                    wh_audience: number(audience),
                    wh_delivered: number(delivered),
                    top_events: events.iter().map(|it| (*it, 450)),
                    retention_days: days.parse().ok(),
                },
            );
        }
        ["config", days] => rest::body_config(out, days.parse().ok()),
        ["config updated"] => rest::body_config_updated(out),
        ["anon key", key] => rest::body_anon_key(out, key),
        ["anon token", key] => rest::body_anon_token(out, key),
        _ => panic!("{arguments:?}"),
    })
}

fn row<'a>(view: &MessageView<'a>, [ws, hooks, delivered]: [u64; 3]) -> MessageRow<'a> {
    MessageRow {
        id: view.id,
        event: view.event,
        channel_id: view.sender.map(|_| ID),
        channel: view.channel,
        payload: view.data,
        sender: view.sender,
        ws_audience: ws,
        wh_audience: hooks,
        wh_delivered: delivered,
        created_at_ms: view.at_ms,
    }
}

fn failed(what: &str, detail: Option<&str>) -> RestError {
    match (what, detail) {
        ("credential", Some(name)) => RestError::Credential(said::bad_credential(name)),
        ("duplicate", _) => RestError::Duplicate,
        ("no channel", _) => RestError::ChannelNotFound,
        ("no endpoint", Some(url)) => RestError::NoEndpoint { url: url.into() },
        ("rate", _) => {
            RestError::Other(Rejection::RateLimited { limit: "requests", retry_after_s: 7 })
        }
        ("large", _) => RestError::Other(Rejection::PayloadTooLarge { max: 7 }),
        ("internal", _) => RestError::Other(Rejection::Internal),
        other => panic!("{other:?}"),
    }
}

/// `channel | event | data | sender`
fn view<'a>(arguments: &[&'a str]) -> MessageView<'a> {
    let [channel, event, data, sender] = arguments else { panic!("{arguments:?}") };
    let sender = match *sender {
        "server" => None,
        "nobody" => Some(ANONYMOUS_ID),
        user => Some(user),
    };
    let data = data.as_bytes();
    MessageView { id: ID, channel, event, data, sender, at_ms: AT_MS, offset: Some(7) }
}

fn present(text: &str) -> Present<'_> {
    let (kind, id) = match text.strip_prefix('~') {
        Some(id) => (PresentKind::Anonymous, id),
        None => (PresentKind::User, text),
    };
    Present { kind, id, joined_at_ms: AT_MS }
}

fn kept(id: &str) -> KeptId {
    let mut text = format!("2{id}[\"realtime:subscribe\",{{\"channel\":\"c\"}}]").into_bytes();
    let said = socket::decode_message(&mut text, &Limits::default());
    match said {
        Ok(socket::Said::Command(Command::Subscribe { id: Some(id), .. })) => id.keep(),
        other => panic!("{other:?}"),
    }
}
