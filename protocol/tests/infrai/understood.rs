//! What the decoders understand, as one line of text.

use protocol::dialect::infrai::{self, Operation, TokenOrJti};
use protocol::http::{Head, Route, Routed, parse_head, route};
use protocol::{
    Capabilities, ChannelName, ChannelPublish, Command, FrameId, Keep, Limits, Rejection, uuid_text,
};

/// A call by its id, without `realtime.`.
pub(crate) fn operation(name: &str) -> Operation {
    let found =
        Operation::ALL.into_iter().find(|it| it.id().strip_prefix("realtime.") == Some(name));
    found.unwrap_or_else(|| panic!("{name:?} is no operation"))
}

/// What a body means.
pub(crate) fn body(of: Operation, bytes: &mut [u8]) -> Result<String, Rejection> {
    let limits = Limits::default();
    Ok(match of {
        Operation::TokenIssue => token_issue(bytes, &limits)?,
        Operation::TokenRevoke => {
            let it = infrai::decode_token_revoke(bytes, &limits)?;
            let token = match it.token {
                TokenOrJti::Token(token) => format!("token={token}"),
                TokenOrJti::Jti(jti) => format!("jti={}", uuid_text(jti)),
            };
            format!("{token} key={:?}", it.idempotency_key)
        }
        Operation::ChannelCreate => {
            let it = infrai::decode_channel_create(bytes, &limits)?;
            let name = it.name.as_str();
            format!("name={name} type={:?} key={:?}", it.channel_type, it.idempotency_key)
        }
        Operation::ChannelDelete => {
            format!("key={:?}", infrai::decode_channel_delete(bytes, &limits)?)
        }
        Operation::Publish => {
            let it = infrai::decode_publish(bytes, &limits)?;
            format!("{} key={:?}", message(&it.publish), it.idempotency_key)
        }
        Operation::PublishBatch => {
            let it = infrai::decode_publish_batch(bytes, &limits)?;
            let messages: Vec<_> = it.messages.iter().map(message).collect();
            format!("[{}] key={:?}", messages.join("; "), it.idempotency_key)
        }
        Operation::UserDisconnect => {
            let it = infrai::decode_user_disconnect(bytes, &limits)?;
            let channel = it.channel.map(ChannelName::as_str);
            format!("client={} channel={channel:?} key={:?}", it.client_id, it.idempotency_key)
        }
        Operation::AuthSign => auth_sign(bytes, &limits)?,
        Operation::ChannelGet
        | Operation::ChannelList
        | Operation::PresenceGet
        | Operation::EventTypes => panic!("{of:?} has no body"),
    })
}

fn token_issue(bytes: &mut [u8], limits: &Limits) -> Result<String, Rejection> {
    let it = infrai::decode_token_issue(bytes, limits)?;
    let channels = it.channels.as_ref().map(|it| names(it));
    Ok(format!(
        "client={:?} user={:?} channels={} can={} ttl={} key={:?}",
        it.client_id,
        it.user_id,
        channels.unwrap_or_else(|| "public".to_owned()),
        abilities(it.capabilities),
        it.ttl_s,
        it.idempotency_key
    ))
}

fn auth_sign(bytes: &mut [u8], limits: &Limits) -> Result<String, Rejection> {
    let it = infrai::decode_auth_sign(bytes, limits)?;
    let text = |data: Option<&[u8]>| data.map(|it| String::from_utf8_lossy(it).into_owned());
    Ok(format!(
        "vendor={:?} client={} channels={} can={} socket={:?} data={:?} user={:?} ttl={} key={:?}",
        it.vendor,
        it.client_id,
        names(&it.channels),
        abilities(it.capabilities),
        it.socket_id,
        text(it.channel_data),
        text(it.user_data),
        it.ttl_s,
        it.idempotency_key
    ))
}

/// Where a request leads, and what its path, query and headers mean. The first line is method and target.
pub(crate) fn request(lines: &str) -> Result<String, String> {
    let limits = Limits::default();
    let (first, headers) = lines.split_once(" + ").unwrap_or((lines, ""));
    let headers = if headers.is_empty() { String::new() } else { format!("{headers}\r\n") };
    let text = format!("{first} HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
    let head = match parse_head(text.as_bytes(), &limits) {
        Ok(Some(head)) => head,
        Ok(None) => panic!("{lines}: no whole head"),
        Err(fault) => return Err(format!("{} {}", fault.status, fault.message)),
    };
    let found = match route(&head) {
        Routed::Found(Route::Infrai(of)) => of,
        Routed::Found(other) => return Ok(format!("{other:?}")),
        Routed::Preflight { allow } => return Ok(format!("preflight {allow}")),
        Routed::MethodNotAllowed { allow } => return Ok(format!("405 {allow}")),
        Routed::NotFound => return Ok("404".to_owned()),
    };
    let meaning = target(found, &head, &limits).map_err(|why| refusal(&why))?;
    let key = infrai::decode_idempotency_header(&head).map_err(|why| refusal(&why))?;
    let key = key.map(|it| format!(" key={it}")).unwrap_or_default();
    Ok(format!("{}{meaning}{key}", found.id()))
}

fn target(of: Operation, head: &Head<'_>, limits: &Limits) -> Result<String, Rejection> {
    Ok(match of {
        Operation::ChannelGet | Operation::ChannelDelete | Operation::PresenceGet => {
            format!(" channel={}", infrai::decode_path_channel(head, limits)?.as_str())
        }
        Operation::ChannelList => {
            let it = infrai::decode_channel_list(head, limits)?;
            format!(" after={:?} limit={}", it.after(), it.limit)
        }
        Operation::TokenIssue
        | Operation::TokenRevoke
        | Operation::ChannelCreate
        | Operation::Publish
        | Operation::PublishBatch
        | Operation::UserDisconnect
        | Operation::EventTypes
        | Operation::AuthSign => String::new(),
    })
}

/// What a frame means.
pub(crate) fn frame(bytes: &mut [u8]) -> Result<String, infrai::RefusedFrame> {
    let command = infrai::decode_frame(bytes, &Limits::default())?;
    let named = |id: Option<FrameId<'_>>| id.map_or("-", FrameId::as_json).to_owned();
    Ok(match command {
        Command::PublishTo { publish, id } => format!("{} id={}", message(&publish), named(id)),
        Command::Subscribe { channel, after, id } => {
            format!("subscribe channel={} after={after:?} id={}", channel.as_str(), named(id))
        }
        Command::Unsubscribe { channel, id } => {
            format!("unsubscribe channel={} id={}", channel.as_str(), named(id))
        }
        Command::Ping { id } => format!("ping id={}", named(id)),
        Command::Publish(_) => panic!("a frame of this dialect names its channel"),
    })
}

/// Status, code and message.
pub(crate) fn refusal(why: &Rejection) -> String {
    format!("{} {} {why}", why.status(), infrai::error_code(why).name())
}

fn message(it: &ChannelPublish<'_>) -> String {
    let keep = match it.publish.keep {
        Keep::Persist => "persist",
        Keep::Pass => "pass",
    };
    let data = std::str::from_utf8(it.publish.data).unwrap();
    let event = it.publish.event.as_str();
    format!("publish channel={} event={event} {keep} data={data}", it.channel.as_str())
}

fn names(channels: &[ChannelName<'_>]) -> String {
    channels.iter().map(|it| it.as_str()).collect::<Vec<_>>().join(",")
}

fn abilities(set: Capabilities) -> String {
    set.iter().map(protocol::Capability::name).collect::<Vec<_>>().join("+")
}
