//! The signatures of other vendors, judged by vectors that their own SDKs made (`golden/vendor/vectors.json`).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

use protocol::Limits;
use protocol::auth::vendor::{
    AblyGrant, AblyKey, AblyNonce, AuthorizeUser, IdentifyUser, LiveblocksCall, LiveblocksKey,
    PresenceData, PusherChannel, PusherKeys, RestCall, RoomPermissions, SocketId, UserData,
    body_md5, canonical_capability, encrypt_event, read_answer,
};
use serde_json::{Value, json};

fn vectors() -> Value {
    serde_json::from_str(include_str!("golden/vendor/vectors.json")).unwrap()
}

fn named<'a>(rows: &'a Value, name: &str) -> &'a Value {
    rows.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn pusher_keys(all: &Value, master_key: Option<&str>) -> PusherKeys {
    let credentials = &all["pusher"]["credentials"];
    PusherKeys::new(text(&credentials["key"]), text(&credentials["secret"]), master_key)
        .ok()
        .unwrap()
}

/// Signs what a row of the vectors names, and compares with what the SDK made of it.
fn check_channel_auth(name: &str) {
    let all = vectors();
    let row = named(&all["pusher"]["channel_auth"], name);
    let (input, output) = (&row["input"], &row["output"]);
    let keys = pusher_keys(&all, input["encryption_master_key_base64"].as_str());
    let socket = SocketId::parse(text(&input["socket_id"])).ok().unwrap();
    let limits = Limits::default();
    // Only the name of this member is missing from the texts: they carry their own.
    let client_id = "somebody else";
    let auth = if let Some(data) = output["user_data"].as_str() {
        let user = UserData::parse(Some(data), client_id, &limits).ok().unwrap();
        assert_eq!(user.as_str(), data);
        keys.sign_user(socket, &user)
    } else {
        let channel = PusherChannel::parse(text(&input["channel"])).ok().unwrap();
        if let Some(secret) = output["shared_secret"].as_str() {
            assert_eq!(keys.shared_secret(channel).as_deref(), Some(secret));
        }
        match output["channel_data"].as_str() {
            Some(data) => {
                let member = PresenceData::parse(data, client_id, &limits).ok().unwrap();
                assert_eq!(member.as_str(), data);
                keys.sign_presence(socket, channel, &member)
            }
            None => keys.sign_channel(socket, channel),
        }
    };
    assert_eq!(auth, text(&output["auth"]));
    if let Some(published) = row["published_expected"].as_str() {
        assert!(published.contains(&auth), "{published}");
    }
}

#[test]
fn pusher_private() {
    check_channel_auth("private");
}

#[test]
fn pusher_private_charset() {
    check_channel_auth("private-charset");
}

#[test]
fn pusher_presence_mr_channels() {
    check_channel_auth("presence-mr-channels");
}

#[test]
fn pusher_presence_mr_pusher() {
    check_channel_auth("presence-mr-pusher");
}

#[test]
fn pusher_presence_utf8_escapes() {
    check_channel_auth("presence-utf8-escapes");
}

#[test]
fn pusher_private_encrypted() {
    check_channel_auth("private-encrypted");
}

#[test]
fn pusher_presence_cache() {
    check_channel_auth("presence-cache");
}

#[test]
fn pusher_user_auth() {
    check_channel_auth("user-auth");
}

fn check_rest(path: &str) {
    let all = vectors();
    let rows = all["pusher"]["http_api"].as_array().unwrap();
    let row = rows.iter().find(|row| row["path"] == path).unwrap();
    let params = row["params"].as_object().unwrap();
    let params: Vec<(&str, &str)> =
        params.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
    let call = RestCall {
        method: text(&row["method"]),
        path,
        params: &params,
        body: row["body"].as_str().unwrap_or_default().as_bytes(),
        timestamp_s: row["timestamp"].as_u64().unwrap(),
    };
    assert_eq!(pusher_keys(&all, None).sign_rest(&call), text(&row["signed_query"]));
}

#[test]
fn pusher_http_events() {
    check_rest("/apps/3/events");
}

#[test]
fn pusher_http_channels() {
    check_rest("/apps/3/channels");
}

#[test]
fn pusher_http_users() {
    check_rest("/apps/3/channels/presence-foobar/users");
}

#[test]
fn pusher_http_batch_events() {
    check_rest("/apps/3/batch_events");
}

#[test]
fn pusher_http_terminate_connections() {
    check_rest("/apps/3/users/user-7/terminate_connections");
}

#[test]
fn pusher_http_published() {
    let all = vectors();
    let (published, row) = (&all["pusher"]["http_api_published"], &all["pusher"]["http_api"][0]);
    assert_eq!(body_md5(text(&row["body"]).as_bytes()), text(&published["body_md5"]));
    check_rest("/apps/3/events");
    let signature = format!("&auth_signature={}", text(&published["auth_signature"]));
    assert!(text(&row["signed_query"]).ends_with(&signature));
}

#[test]
fn pusher_webhook() {
    let all = vectors();
    let webhook = &all["pusher"]["webhook"];
    let keys = pusher_keys(&all, None);
    let signature = keys.sign_webhook(text(&webhook["body"]).as_bytes());
    assert_eq!(signature, text(&webhook["headers"]["X-Pusher-Signature"]));
    assert_eq!(keys.key(), text(&webhook["headers"]["X-Pusher-Key"]));
}

#[test]
fn pusher_encrypted_event() {
    let all = vectors();
    let event = &all["pusher"]["encrypted_event"];
    let master_key = &named(&all["pusher"]["channel_auth"], "private-encrypted")["input"];
    let keys = pusher_keys(&all, master_key["encryption_master_key_base64"].as_str());
    let channel = PusherChannel::parse(text(&event["channel"])).ok().unwrap();
    // The vector's nonce is the bytes from 0 to 23.
    let nonce: [u8; 24] = std::array::from_fn(|index| u8::try_from(index).unwrap());
    let data = encrypt_event(&keys, channel, text(&event["plaintext"]).as_bytes(), &nonce);
    assert_eq!(data.as_deref(), Some(text(&event["data"])));
    assert!(encrypt_event(&pusher_keys(&all, None), channel, b"x", &nonce).is_none());
}

/// The canonical form of a capability that the SDK was given: an object, or a text with one.
fn canonical(capability: &Value) -> Option<String> {
    if capability.is_null() {
        return None;
    }
    let parsed: Value = match capability.as_str() {
        Some(text) => serde_json::from_str(text).unwrap(),
        None => capability.clone(),
    };
    let rows: Vec<(&str, Vec<&str>)> = parsed
        .as_object()
        .unwrap()
        .iter()
        .map(|(channel, words)| {
            (channel.as_str(), words.as_array().unwrap().iter().map(text).collect())
        })
        .collect();
    let rows: Vec<(&str, &[&str])> =
        rows.iter().map(|(name, words)| (*name, words.as_slice())).collect();
    Some(canonical_capability(&rows))
}

fn check_token_request(name: &str) {
    let all = vectors();
    let row = named(&all["ably"]["token_requests"], name);
    let input = &row["input"];
    let life_s = input["ttl"].as_u64().map(|it| it / 1000);
    let capability = canonical(&input["capability"]);
    let client_id = input["clientId"].as_str();
    let grant = AblyGrant::new(client_id, capability, life_s, &Limits::default()).ok().unwrap();
    let nonce = AblyNonce::parse(text(&input["nonce"])).ok().unwrap();
    let key = AblyKey::parse(text(&all["ably"]["key"])).ok().unwrap();
    let request = key.sign_request(grant, input["timestamp"].as_u64().unwrap(), nonce);
    let request: Value = serde_json::from_slice(&request.to_json()).unwrap();
    assert_eq!(request, row["token_request"]);
}

#[test]
fn ably_token_request_all_fields() {
    check_token_request("all-fields");
}

#[test]
fn ably_token_request_no_ttl_no_cap() {
    check_token_request("no-ttl-no-cap");
}

#[test]
fn ably_token_request_anonymous() {
    check_token_request("anonymous");
}

#[test]
fn ably_token_request_capability_string_uncanonical() {
    check_token_request("capability-string-uncanonical");
}

#[test]
fn ably_token_request_bare() {
    check_token_request("bare");
}

#[test]
fn ably_jwt() {
    let all = vectors();
    let jwt = &all["ably"]["jwt"];
    let claims = &jwt["claims"];
    let (iat, exp) = (claims["iat"].as_u64().unwrap(), claims["exp"].as_u64().unwrap());
    let capability = canonical(&claims["x-ably-capability"]);
    let client_id = claims["x-ably-clientId"].as_str();
    let grant = AblyGrant::new(client_id, capability, Some(exp - iat), &Limits::default()).ok();
    let key = AblyKey::parse(text(&all["ably"]["key"])).ok().unwrap();
    assert_eq!(key.sign_token(&grant.unwrap(), iat), text(&jwt["token"]));
}

fn check_liveblocks(index: usize, make: impl FnOnce(&Value) -> LiveblocksCall) {
    let all = vectors();
    let row = &all["liveblocks"]["requests"][index];
    let call = make(&row["body"]);
    assert_eq!(call.path, text(&row["path"]));
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body, row["body"]);
    let key = LiveblocksKey::parse(text(&all["liveblocks"]["secret"])).ok().unwrap();
    assert_eq!(key.authorization().reveal(), text(&row["headers"]["authorization"]));
}

fn authorize(body: &Value) -> LiveblocksCall {
    let rows: Vec<(&str, Vec<&str>)> = body["permissions"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(room, words)| (room.as_str(), words.as_array().unwrap().iter().map(text).collect()))
        .collect();
    let rooms = rows.iter().map(|(room, words)| RoomPermissions::new(room, words).ok().unwrap());
    let user_info = (!body["userInfo"].is_null()).then(|| body["userInfo"].to_string());
    let ask = AuthorizeUser {
        user_id: text(&body["userId"]),
        permissions: &rooms.collect::<Vec<_>>(),
        user_info: user_info.as_deref(),
        organization_id: body["organizationId"].as_str(),
    };
    ask.call()
}

#[test]
fn liveblocks_authorize_user() {
    check_liveblocks(0, authorize);
}

#[test]
fn liveblocks_authorize_user_of_an_organization() {
    check_liveblocks(1, authorize);
}

#[test]
fn liveblocks_identify_user() {
    check_liveblocks(2, |body| {
        let group_ids: Vec<&str> = body["groupIds"].as_array().unwrap().iter().map(text).collect();
        let user_info = body["userInfo"].to_string();
        let ask = IdentifyUser {
            user_id: text(&body["userId"]),
            group_ids: Some(&group_ids),
            user_info: Some(&user_info),
            organization_id: None,
        };
        ask.call()
    });
}

#[test]
fn liveblocks_answers() {
    let all = vectors();
    for answer in all["liveblocks"]["sdk_returns"].as_array().unwrap() {
        let status = u16::try_from(answer["status"].as_u64().unwrap()).unwrap();
        let token = read_answer(status, text(&answer["body"]).as_bytes(), &Limits::default());
        let token: Value = serde_json::from_slice(&token.ok().unwrap().to_json()).unwrap();
        assert_eq!(token, json!({"vendor": "liveblocks", "token": "stub.token"}));
    }
}
