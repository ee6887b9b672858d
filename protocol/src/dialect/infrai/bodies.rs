//! What the bodies of the calls ask for, publishing aside.

use super::idempotency::body_key;
use crate::auth::vendor::Vendor;
use crate::channel_name::{ChannelName, check_name};
use crate::dialect::fields::{Value, channel_name, either, integer, values};
use crate::json::Kind;
use crate::limits::Limits;
use crate::permit::{Capabilities, Capability, ChannelType};
use crate::rejection::Rejection;
use crate::uuid_text::parse_uuid;

/// Longest life of a client token, in seconds; more is cut to it.
pub const TTL_S_MAX: u32 = 86_400;
/// Life of a client token whose request names none.
pub const TTL_S_DEFAULT: u32 = 3600;
/// Most channels that one request may list.
pub const CHANNELS_MAX: usize = 100;

/// What a client token is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenIssue<'a> {
    /// Who the client is; the node invents a name where there is none.
    pub client_id: Option<&'a str>,
    /// The same, when it was given as `user_id`.
    pub user_id: Option<&'a str>,
    /// Names, and beginnings of names with a `*` behind them. `None`: every public channel.
    pub channels: Option<Vec<ChannelName<'a>>>,
    /// What the client may do there.
    pub capabilities: Capabilities,
    /// How long the token lives.
    pub ttl_s: u32,
    /// Makes a retry safe.
    pub idempotency_key: Option<&'a str>,
}

/// Which token is to be accepted no more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TokenOrJti<'a> {
    /// The token itself, unverified.
    Token(&'a str),
    /// Its id.
    Jti(u128),
}

/// What is to be revoked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TokenRevoke<'a> {
    /// Which token.
    pub token: TokenOrJti<'a>,
    /// Makes a retry safe.
    pub idempotency_key: Option<&'a str>,
}

/// Which channel is to be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChannelCreate<'a> {
    /// Its name.
    pub name: ChannelName<'a>,
    /// Its type; `None` when the request leaves it open.
    pub channel_type: Option<ChannelType>,
    /// Makes a retry safe.
    pub idempotency_key: Option<&'a str>,
}

/// Who is to be disconnected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UserDisconnect<'a> {
    /// Which client.
    pub client_id: &'a str,
    /// From which channel; `None`: altogether.
    pub channel: Option<ChannelName<'a>>,
    /// Makes a retry safe.
    pub idempotency_key: Option<&'a str>,
}

/// Which signature of a vendor is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuthSign<'a> {
    /// Whose; `None`: what the tenant has.
    pub vendor: Option<Vendor>,
    /// Who the client is.
    pub client_id: &'a str,
    /// For which channels. Empty only where `user_data` is given.
    pub channels: Vec<ChannelName<'a>>,
    /// What the client may do there.
    pub capabilities: Capabilities,
    /// The vendor's name of the connection.
    pub socket_id: Option<&'a str>,
    /// One JSON object, byte for byte: who the client is among the channel's members.
    pub channel_data: Option<&'a [u8]>,
    /// One JSON object, byte for byte: who the client is on the whole connection.
    pub user_data: Option<&'a [u8]>,
    /// How long the signature lives, where it ends at all.
    pub ttl_s: u32,
    /// Makes a retry safe.
    pub idempotency_key: Option<&'a str>,
}

/// Reads the body of `realtime.token.issue`. No body asks for what is usual.
///
/// # Errors
/// When it is no such request.
pub fn decode_token_issue<'a>(
    body: &'a mut [u8],
    limits: &Limits,
) -> Result<TokenIssue<'a>, Rejection> {
    const SCHEMA: [&str; 7] = [
        "client_id",
        "user_id",
        "channels",
        "channel",
        "capabilities",
        "ttl_seconds",
        "idempotency_key",
    ];
    if body.is_empty() {
        return Ok(TokenIssue {
            client_id: None,
            user_id: None,
            channels: None,
            capabilities: Capabilities::SUBSCRIBE,
            ttl_s: TTL_S_DEFAULT,
            idempotency_key: None,
        });
    }
    let [client_id, user_id, channels, channel, capabilities, ttl, key] =
        values(body, &SCHEMA, limits)?;
    let is_user = user_id.is_set();
    let client_id = client(client_id, user_id, limits)?;
    Ok(TokenIssue {
        client_id,
        user_id: client_id.filter(|_| is_user),
        channels: channel_list(channels, channel, limits)?,
        capabilities: capability_set(capabilities)?,
        ttl_s: ttl_s(&ttl)?,
        idempotency_key: body_key(key)?,
    })
}

/// Reads the body of `realtime.token.revoke`.
///
/// # Errors
/// When it is no such request.
pub fn decode_token_revoke<'a>(
    body: &'a mut [u8],
    limits: &Limits,
) -> Result<TokenRevoke<'a>, Rejection> {
    const SCHEMA: [&str; 4] = ["token_or_jti", "token", "jti", "idempotency_key"];
    let [documented, token, jti, key] = values(body, &SCHEMA, limits)?;
    let mut text = None;
    let mut text_field = documented.field;
    for value in [documented, token, jti] {
        let field = value.field;
        match (text, value.text()?) {
            (_, None) => {}
            (None, Some(value)) => (text, text_field) = (Some(value), field),
            (Some(first), Some(value)) if first == value => {}
            (Some(_), Some(_)) => {
                return Err(Rejection::Contradiction { field: text_field, other: field });
            }
        }
    }
    let text = text.ok_or(Rejection::MissingField { field: "token_or_jti" })?;
    check_name(text, limits.token_bytes_max).map_err(|cause| Rejection::name(text_field, cause))?;
    let token = match parse_uuid(text) {
        Some(jti) => TokenOrJti::Jti(jti),
        None if text.starts_with("irt1.") => TokenOrJti::Token(text),
        None => {
            return Err(Rejection::WrongType { field: text_field, expected: "a token or its jti" });
        }
    };
    Ok(TokenRevoke { token, idempotency_key: body_key(key)? })
}

/// Reads the body of `realtime.channel.create`.
///
/// # Errors
/// When it is no such request.
pub fn decode_channel_create<'a>(
    body: &'a mut [u8],
    limits: &Limits,
) -> Result<ChannelCreate<'a>, Rejection> {
    const WRONG: Rejection =
        Rejection::WrongType { field: "type", expected: "public, private or presence" };
    let [name, channel, of, key] =
        values(body, &["name", "channel", "type", "idempotency_key"], limits)?;
    let name = channel_name("name", either(name, channel)?, limits)?;
    let of = of.text().map_err(|_| WRONG)?;
    let channel_type = of.map(|it| ChannelType::parse(it).ok_or(WRONG)).transpose()?;
    Ok(ChannelCreate { name, channel_type, idempotency_key: body_key(key)? })
}

/// Reads the body of `realtime.channel.delete`, which most requests have not: it holds an idempotency key, and nothing else.
///
/// # Errors
/// When it is no JSON object, or the key is none.
pub fn decode_channel_delete<'a>(
    body: &'a mut [u8],
    limits: &Limits,
) -> Result<Option<&'a str>, Rejection> {
    if body.is_empty() {
        return Ok(None);
    }
    let [key] = values(body, &["idempotency_key"], limits)?;
    body_key(key)
}

/// Reads the body of `realtime.user.disconnect`.
///
/// # Errors
/// When it is no such request.
pub fn decode_user_disconnect<'a>(
    body: &'a mut [u8],
    limits: &Limits,
) -> Result<UserDisconnect<'a>, Rejection> {
    const SCHEMA: [&str; 5] = ["client_id", "user_id", "channel", "name", "idempotency_key"];
    let [client_id, user_id, channel, name, key] = values(body, &SCHEMA, limits)?;
    let client_id = client(client_id, user_id, limits)?;
    let channel = match either(channel, name)? {
        Some(text) => Some(channel_name("channel", Some(text), limits)?),
        None => None,
    };
    Ok(UserDisconnect {
        client_id: client_id.ok_or(Rejection::MissingField { field: "client_id" })?,
        channel,
        idempotency_key: body_key(key)?,
    })
}

/// Reads the body of `realtime.auth.sign`.
///
/// # Errors
/// When it is no such request.
pub fn decode_auth_sign<'a>(
    body: &'a mut [u8],
    limits: &Limits,
) -> Result<AuthSign<'a>, Rejection> {
    const SCHEMA: [&str; 11] = [
        "vendor",
        "client_id",
        "user_id",
        "channels",
        "channel",
        "capabilities",
        "socket_id",
        "channel_data",
        "user_data",
        "ttl_seconds",
        "idempotency_key",
    ];
    let [vendor, client_id, user_id, channels, channel, abilities, socket, data, user, ttl, key] =
        values(body, &SCHEMA, limits)?;
    let vendor = vendor_name(vendor)?;
    let client_id = client(client_id, user_id, limits)?;
    let client_id = client_id.ok_or(Rejection::MissingField { field: "client_id" })?;
    let user_data = user.object()?;
    let channels = match channel_list(channels, channel, limits)? {
        Some(channels) if !channels.is_empty() || user_data.is_some() => channels,
        None if user_data.is_some() => Vec::new(),
        Some(_) => return Err(Rejection::name("channels", crate::NameError::Empty)),
        None => return Err(Rejection::MissingField { field: "channels" }),
    };
    Ok(AuthSign {
        vendor,
        client_id,
        channels,
        capabilities: capability_set(abilities)?,
        socket_id: socket.name(limits.user_id_bytes_max)?,
        channel_data: data.object()?,
        user_data,
        ttl_s: ttl_s(&ttl)?,
        idempotency_key: body_key(key)?,
    })
}

fn vendor_name(value: Value<'_>) -> Result<Option<Vendor>, Rejection> {
    let wrong = value.wrong("pusher, ably or liveblocks");
    match value.text() {
        // Clients send `auto` for the same.
        Ok(None | Some("auto")) => Ok(None),
        Ok(Some(name)) => {
            Vendor::ALL.into_iter().find(|it| it.name() == name).map(Some).ok_or(wrong)
        }
        Err(_) => Err(wrong),
    }
}

fn client<'a>(
    client_id: Value<'a>,
    user_id: Value<'a>,
    limits: &Limits,
) -> Result<Option<&'a str>, Rejection> {
    let field = if client_id.is_set() { client_id.field } else { user_id.field };
    let Some(text) = either(client_id, user_id)? else { return Ok(None) };
    let checked = check_name(text, limits.user_id_bytes_max);
    checked.map(Some).map_err(|cause| Rejection::name(field, cause))
}

/// A list under one name, or one channel under another.
fn channel_list<'a>(
    list: Value<'a>,
    single: Value<'a>,
    limits: &Limits,
) -> Result<Option<Vec<ChannelName<'a>>>, Rejection> {
    let (field, single_field) = (list.field, single.field);
    let single = match single.text()? {
        Some(text) => Some(channel_name(single_field, Some(text), limits)?),
        None => None,
    };
    let wrong = list.wrong("an array of strings");
    let Ok(items) = list.items() else { return Err(wrong) };
    let Some(items) = items else { return Ok(single.map(|it| vec![it])) };
    let mut channels = Vec::new();
    for (index, item) in items.enumerate() {
        if index == CHANNELS_MAX {
            return Err(Rejection::TooMany { field, max: CHANNELS_MAX });
        }
        let Some(name) = item else { return Err(wrong) };
        let channel = ChannelName::parse(name, limits).map_err(|cause| Rejection::Item {
            field,
            index,
            cause: Box::new(Rejection::name("channel", cause)),
        })?;
        channels.push(channel);
    }
    match single {
        Some(single) if channels != [single] => {
            Err(Rejection::Contradiction { field, other: single_field })
        }
        Some(_) | None => Ok(Some(channels)),
    }
}

fn capability_set(value: Value<'_>) -> Result<Capabilities, Rejection> {
    const EXPECTED: &str = "an array of subscribe, publish, presence or history";
    let wrong = value.wrong(EXPECTED);
    let Ok(items) = value.items() else { return Err(wrong) };
    let Some(items) = items else { return Ok(Capabilities::SUBSCRIBE) };
    let mut capabilities = Capabilities::default();
    for item in items {
        match item.and_then(Capability::parse) {
            Some(capability) => capabilities = capabilities.with(capability),
            None => return Err(wrong),
        }
    }
    Ok(capabilities)
}

/// A life in seconds: cut to the longest, and more than nothing.
fn ttl_s(value: &Value<'_>) -> Result<u32, Rejection> {
    if !value.is_set() {
        return Ok(TTL_S_DEFAULT);
    }
    let wrong = value.wrong("a whole number above 0");
    let digits = integer(value.raw).filter(|_| value.kind == Some(Kind::Number));
    match digits {
        Some(digits) if !digits.starts_with('-') && digits != "0" => {
            // What does not fit into the type is over the longest life too.
            Ok(digits.parse().unwrap_or(TTL_S_MAX).min(TTL_S_MAX))
        }
        Some(_) | None => Err(wrong),
    }
}
