//! The ask for a vendor's signature, and who answers it.

use super::ably::{AblyGrant, AblyNonce, LIFE_S_MAX, canonical_capability};
use super::keys::{AblyKey, PusherKeys, VendorKeys};
use super::liveblocks::{AuthorizeUser, IdentifyUser, LiveblocksCall, ROOMS_MAX, RoomPermissions};
use super::member::{PresenceData, UserData};
use super::pusher::{PusherChannel, PusherChannelKind, SocketId};
use super::token::VendorToken;
use crate::channel_name::{ChannelName, check_name};
use crate::json::read_object;
use crate::limits::Limits;
use crate::permit::{Capabilities, Capability};
use crate::rejection::Rejection;

/// Life of a signature whose ask names none.
const LIFE_S_DEFAULT: u64 = 3600;
/// Most channels of one ask.
const CHANNELS_MAX: usize = 100;

/// Who takes the signature.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Vendor {
    /// Pusher Channels, and what speaks its protocol.
    Pusher,
    /// Ably.
    Ably,
    /// Liveblocks.
    Liveblocks,
}

impl Vendor {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pusher, Self::Ably, Self::Liveblocks];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pusher => "pusher",
            Self::Ably => "ably",
            Self::Liveblocks => "liveblocks",
        }
    }
}

/// An ask for a signature.
pub struct SignAsk<'a> {
    /// Whom the signature is for.
    pub client_id: &'a str,
    /// What it is for. Pusher signs the first; without any, Pusher signs the user in and Liveblocks gives an ID token.
    pub channels: &'a [&'a str],
    /// What it allows: to subscribe, when it is nothing. Pusher's signatures have no such thing.
    pub capabilities: Capabilities,
    /// Who takes it; otherwise [`VendorKeys::default_vendor`].
    pub vendor: Option<Vendor>,
    /// How long it is good for: an hour by default, a day at most, which a longer one becomes. Only Ably's ends by it.
    pub life_s: Option<u64>,
    /// The connection, for Pusher.
    pub socket_id: Option<&'a str>,
    /// The JSON object of a presence channel's member, or the `userInfo` of Liveblocks.
    pub channel_data: Option<&'a str>,
    /// The JSON object of a Pusher user who signs in.
    pub user_data: Option<&'a str>,
}

/// What to do about an ask.
pub enum Signed {
    /// Answer it.
    Token(Box<VendorToken>),
    /// Make this call, and read its answer with [`super::read_answer`].
    Call(LiveblocksCall),
}

/// Answers an ask. `nonce` is 128 random bits.
///
/// # Errors
/// Names the field that is wrong, or the vendor that is not configured.
pub fn sign(
    ask: &SignAsk<'_>,
    keys: &VendorKeys,
    now_ms: u64,
    nonce: u128,
    limits: &Limits,
) -> Result<Signed, Rejection> {
    check(ask, limits)?;
    match ask.vendor.unwrap_or_else(|| keys.default_vendor()) {
        Vendor::Pusher => {
            let keys = keys.pusher.as_ref().ok_or_else(|| not_configured("pusher"))?;
            sign_pusher(ask, keys, limits).map(|it| Signed::Token(Box::new(it)))
        }
        Vendor::Ably => {
            let key = keys.ably.as_ref().ok_or_else(|| not_configured("ably"))?;
            sign_ably(ask, key, now_ms, nonce, limits).map(|it| Signed::Token(Box::new(it)))
        }
        Vendor::Liveblocks => {
            keys.liveblocks.as_ref().ok_or_else(|| not_configured("liveblocks"))?;
            call_liveblocks(ask, limits).map(Signed::Call)
        }
    }
}

fn not_configured(vendor: &'static str) -> Rejection {
    Rejection::VendorNotConfigured { vendor }
}

fn check(ask: &SignAsk<'_>, limits: &Limits) -> Result<(), Rejection> {
    check_name(ask.client_id, limits.user_id_bytes_max)
        .map_err(|cause| Rejection::name("client_id", cause))?;
    if ask.channels.len() > CHANNELS_MAX {
        return Err(Rejection::OutOfRange { field: "channels", min: 0, max: CHANNELS_MAX as u64 });
    }
    for channel in ask.channels {
        ChannelName::parse(channel, limits).map_err(|cause| Rejection::name("channels", cause))?;
    }
    if ask.life_s == Some(0) {
        return Err(Rejection::OutOfRange { field: "ttl_seconds", min: 1, max: LIFE_S_MAX });
    }
    Ok(())
}

fn sign_pusher(
    ask: &SignAsk<'_>,
    keys: &PusherKeys,
    limits: &Limits,
) -> Result<VendorToken, Rejection> {
    let socket = ask.socket_id.ok_or(Rejection::MissingField { field: "socket_id" })?;
    let socket = SocketId::parse(socket)?;
    let token = |text| VendorToken::new(Vendor::Pusher, text);
    if ask.user_data.is_some() && !ask.channels.is_empty() {
        let expected = "alone: a user signs in without channels";
        return Err(Rejection::WrongType { field: "user_data", expected });
    }
    let Some(channel) = ask.channels.first() else {
        let user = UserData::parse(ask.user_data, ask.client_id, limits)?;
        let auth = keys.sign_user(socket, &user);
        return Ok(VendorToken { user_data: Some(user.as_str().to_owned()), ..token(auth) });
    };
    let channel = PusherChannel::parse(channel)?;
    match channel.kind() {
        PusherChannelKind::Public | PusherChannelKind::Private => {
            Ok(token(keys.sign_channel(socket, channel)))
        }
        PusherChannelKind::Encrypted => {
            let missing = not_configured("pusher.encryption_master_key_base64");
            let shared_secret = Some(keys.shared_secret(channel).ok_or(missing)?);
            Ok(VendorToken { shared_secret, ..token(keys.sign_channel(socket, channel)) })
        }
        PusherChannelKind::Presence => {
            let data = ask.channel_data.ok_or(Rejection::MissingField { field: "channel_data" })?;
            let member = PresenceData::parse(data, ask.client_id, limits)?;
            let auth = keys.sign_presence(socket, channel, &member);
            let channel_data = Some(member.as_str().to_owned());
            Ok(VendorToken { channel_data, ..token(auth) })
        }
    }
}

fn sign_ably(
    ask: &SignAsk<'_>,
    key: &AblyKey,
    now_ms: u64,
    nonce: u128,
    limits: &Limits,
) -> Result<VendorToken, Rejection> {
    let operations = words(ask.capabilities, Capability::name);
    let channels = distinct(required(ask.channels)?);
    let channels: Vec<(&str, &[&str])> =
        channels.iter().map(|channel| (*channel, operations.as_slice())).collect();
    let capability = canonical_capability(&channels);
    let life_s = ask.life_s.unwrap_or(LIFE_S_DEFAULT).min(LIFE_S_MAX);
    let grant = AblyGrant::new(Some(ask.client_id), Some(capability), Some(life_s), limits)?;
    let token = VendorToken::new(Vendor::Ably, key.sign_token(&grant, now_ms / 1000));
    let request = key.sign_request(grant, now_ms, AblyNonce::of(nonce));
    Ok(VendorToken { token_request: Some(request), ..token })
}

fn call_liveblocks(ask: &SignAsk<'_>, limits: &Limits) -> Result<LiveblocksCall, Rejection> {
    let (user_id, user_info) = (ask.client_id, ask.channel_data);
    if let Some(user_info) = user_info {
        let is_object = read_object(user_info.as_bytes(), &[], limits.json_depth_max).is_ok();
        if !is_object {
            return Err(Rejection::WrongType { field: "channel_data", expected: "an object" });
        }
    }
    if ask.channels.is_empty() {
        let identify = IdentifyUser { user_id, group_ids: None, user_info, organization_id: None };
        return Ok(identify.call());
    }
    let rooms = distinct(ask.channels);
    if rooms.len() > ROOMS_MAX {
        return Err(Rejection::OutOfRange { field: "channels", min: 0, max: ROOMS_MAX as u64 });
    }
    let permissions = words(ask.capabilities, liveblocks_permission);
    let rooms: Result<Vec<_>, _> =
        rooms.iter().map(|room| RoomPermissions::new(room, &permissions)).collect();
    let authorize =
        AuthorizeUser { user_id, permissions: &rooms?, user_info, organization_id: None };
    Ok(authorize.call())
}

fn required<'a, 'b>(channels: &'b [&'a str]) -> Result<&'b [&'a str], Rejection> {
    if channels.is_empty() {
        return Err(Rejection::OutOfRange { field: "channels", min: 1, max: CHANNELS_MAX as u64 });
    }
    Ok(channels)
}

/// Ably has the same words as we.
fn words(capabilities: Capabilities, word: fn(Capability) -> &'static str) -> Vec<&'static str> {
    let is_empty = capabilities == Capabilities::default();
    let asked = if is_empty { Capabilities::SUBSCRIBE } else { capabilities };
    distinct(&asked.iter().map(word).collect::<Vec<_>>())
}

fn liveblocks_permission(capability: Capability) -> &'static str {
    match capability {
        Capability::Subscribe | Capability::History => "room:read",
        Capability::Publish => "*:write",
        Capability::Presence => "room:presence:write",
    }
}

/// Each text once, in the order of first mention. There are few: see [`CHANNELS_MAX`].
fn distinct<'a>(texts: &[&'a str]) -> Vec<&'a str> {
    let mut out: Vec<&str> = Vec::with_capacity(texts.len());
    for text in texts {
        if !out.contains(text) {
            out.push(text);
        }
    }
    out
}
