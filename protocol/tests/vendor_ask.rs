//! An ask for a vendor's signature: what it is answered with, and what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

use protocol::Limits;
use protocol::auth::vendor::{
    AblyKey, LiveblocksKey, PusherKeys, SignAsk, Signed, Vendor, VendorKeys, sign,
};
use protocol::{Capabilities, Capability, Rejection};
use serde_json::{Value, json};

const MASTER_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const NOW_MS: u64 = 1_700_000_000_999;
const NONCE: u128 = 0x1234_5678_90ab_cdef;

fn keys() -> VendorKeys {
    let pusher = PusherKeys::new("278d425bdf160c739803", "7ad3773142a6692b25b8", Some(MASTER_KEY));
    VendorKeys {
        pusher: pusher.ok(),
        ably: AblyKey::parse("xVLyHw.3-pAYw:VERYsecretKEY0123456789").ok(),
        liveblocks: LiveblocksKey::parse("sk_test_0123456789").ok(),
    }
}

fn ask<'a>(vendor: Vendor, channels: &'a [&'a str]) -> SignAsk<'a> {
    SignAsk {
        client_id: "user_42",
        channels,
        capabilities: Capabilities::default(),
        vendor: Some(vendor),
        life_s: None,
        socket_id: Some("1234.1234"),
        channel_data: None,
        user_data: None,
    }
}

fn answer(ask: &SignAsk<'_>) -> Result<Signed, Rejection> {
    sign(ask, &keys(), NOW_MS, NONCE, &Limits::default())
}

fn token(ask: &SignAsk<'_>) -> Value {
    match answer(ask) {
        Ok(Signed::Token(token)) => serde_json::from_slice(&token.to_json()).unwrap(),
        Ok(Signed::Call(call)) => panic!("{call:?}"),
        Err(rejection) => panic!("{rejection}"),
    }
}

fn call(ask: &SignAsk<'_>) -> (&'static str, Value) {
    match answer(ask) {
        Ok(Signed::Call(call)) => (call.path, serde_json::from_slice(&call.body).unwrap()),
        Ok(Signed::Token(_)) => panic!("a token"),
        Err(rejection) => panic!("{rejection}"),
    }
}

fn refused(ask: &SignAsk<'_>, status: u16, message: &str) {
    let rejection = answer(ask).err().unwrap();
    assert_eq!((rejection.status(), rejection.message().as_str()), (status, message));
}

#[test]
fn pusher_signs_the_first_channel() {
    let private = token(&ask(Vendor::Pusher, &["private-foobar", "presence-not looked at"]));
    let auth =
        "278d425bdf160c739803:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4";
    assert_eq!(private, json!({"vendor": "pusher", "token": auth}));
    let encrypted = token(&ask(Vendor::Pusher, &["private-encrypted-room"]));
    assert_eq!(encrypted["shared_secret"], "B0yLWuRCS2a8pS/wbRt9PyN9bmHg3zLl8K7N4RFXKI8=");
    let data = r#"{"user_id":10,"user_info":{"name":"Mr. Pusher"}}"#;
    let presence =
        token(&SignAsk { channel_data: Some(data), ..ask(Vendor::Pusher, &["presence-foobar"]) });
    let auth =
        "278d425bdf160c739803:afaed3695da2ffd16931f457e338e6c9f2921fa133ce7dac49f529792be6304c";
    assert_eq!(presence, json!({"vendor": "pusher", "token": auth, "channel_data": data}));
    // A member's data is nobody's business on a channel without members.
    let data_for_nothing =
        token(&SignAsk { channel_data: Some(data), ..ask(Vendor::Pusher, &["private-foobar"]) });
    assert_eq!(data_for_nothing, private);
}

#[test]
fn pusher_members_are_the_client_unless_they_say_otherwise() {
    let presence = token(&SignAsk {
        channel_data: Some(r#"{"user_info":{"a":1}}"#),
        ..ask(Vendor::Pusher, &["presence-x"])
    });
    assert_eq!(presence["channel_data"], r#"{"user_id":"user_42","user_info":{"a":1}}"#);
    let user = token(&ask(Vendor::Pusher, &[]));
    assert_eq!(user["user_data"], r#"{"id":"user_42"}"#);
    let data = r#"{"id":"user-7","user_info":{"name":"Ada"},"watchlist":["a","b"]}"#;
    let user = token(&SignAsk { user_data: Some(data), ..ask(Vendor::Pusher, &[]) });
    let auth =
        "278d425bdf160c739803:2f3e5c2b76e0d63d97d8a939ccc8675a964224065029896a49628e126297d346";
    assert_eq!(user, json!({"vendor": "pusher", "token": auth, "user_data": data}));
}

#[test]
fn pusher_asks_name_what_is_wrong() {
    let pusher = |channels: &'static [&'static str]| ask(Vendor::Pusher, channels);
    let missing = "\"socket_id\" is required";
    refused(&SignAsk { socket_id: None, ..pusher(&["private-x"]) }, 400, missing);
    let shape = "\"socket_id\" must be two numbers with a dot between them";
    refused(&SignAsk { socket_id: Some("1:private-x"), ..pusher(&["private-x"]) }, 400, shape);
    refused(&pusher(&["presence-x"]), 400, "\"channel_data\" is required");
    let no_object = SignAsk { channel_data: Some("[1]"), ..pusher(&["presence-x"]) };
    refused(&no_object, 400, "\"channel_data\" must be an object");
    let letters = "\"channels\" must be 1 to 200 of the characters A-Z a-z 0-9 _ - = @ , . ;";
    refused(&pusher(&["private-a:b"]), 400, letters);
    refused(&pusher(&["private-x", ""]), 400, "\"channels\" must not be empty");
    let both = SignAsk { user_data: Some("{}"), ..pusher(&["private-x"]) };
    refused(&both, 400, "\"user_data\" must be alone: a user signs in without channels");
    let no_user = SignAsk { user_data: Some("7"), ..pusher(&[]) };
    refused(&no_user, 400, "\"user_data\" must be an object");
    let nobody = SignAsk { client_id: "", ..pusher(&["private-x"]) };
    refused(&nobody, 400, "\"client_id\" must not be empty");
    let zero = SignAsk { life_s: Some(0), ..pusher(&["private-x"]) };
    refused(&zero, 400, "\"ttl_seconds\" must be from 1 to 86400");
    let mut keys = keys();
    keys.pusher = PusherKeys::new("k", "s", None).ok();
    let encrypted = ask(Vendor::Pusher, &["private-encrypted-x"]);
    let rejection = sign(&encrypted, &keys, NOW_MS, NONCE, &Limits::default()).err().unwrap();
    assert_eq!(rejection.status(), 422);
    assert_eq!(rejection.message(), "pusher.encryption_master_key_base64 is not configured");
}

#[test]
fn ably_signs_all_channels_twice_over() {
    let all = Capabilities::SUBSCRIBE.with(Capability::Presence);
    let answer = token(&SignAsk {
        capabilities: all,
        life_s: Some(60),
        ..ask(Vendor::Ably, &["room-42", "a:*", "room-42"])
    });
    let capability = r#"{"a:*":["presence","subscribe"],"room-42":["presence","subscribe"]}"#;
    let request = &answer["token_request"];
    assert_eq!(request["keyName"], "xVLyHw.3-pAYw");
    assert_eq!(request["capability"], capability);
    assert_eq!(request["clientId"], "user_42");
    assert_eq!(request["ttl"], 60_000);
    assert_eq!(request["timestamp"], NOW_MS);
    assert_eq!(request["nonce"], "00000000000000001234567890abcdef");
    let claims: Value =
        jsonwebtoken::dangerous::insecure_decode_claims(text(&answer["token"])).unwrap();
    let expected = json!({
        "iat": 1_700_000_000, "exp": 1_700_000_060,
        "x-ably-capability": capability, "x-ably-clientId": "user_42",
    });
    assert_eq!(claims, expected);
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn ably_tokens_live_an_hour_and_a_day_at_most() {
    for (asked, given) in
        [(None, 3600), (Some(1), 1), (Some(86_400), 86_400), (Some(86_401), 86_400)]
    {
        let answer = token(&SignAsk { life_s: asked, ..ask(Vendor::Ably, &["a"]) });
        assert_eq!(answer["token_request"]["ttl"], given * 1000, "{asked:?}");
        assert_eq!(answer["token_request"]["capability"], r#"{"a":["subscribe"]}"#);
    }
    let answer = token(&SignAsk { life_s: Some(u64::MAX), ..ask(Vendor::Ably, &["a"]) });
    assert_eq!(answer["token_request"]["ttl"], 86_400_000);
}

#[test]
fn ably_asks_name_what_is_wrong() {
    refused(&ask(Vendor::Ably, &[]), 400, "\"channels\" must be from 1 to 100");
    let wildcard = SignAsk { client_id: "*", ..ask(Vendor::Ably, &["a"]) };
    refused(&wildcard, 400, "\"client_id\" must be no wildcard");
    let line = SignAsk { client_id: "a\n1", ..ask(Vendor::Ably, &["a"]) };
    refused(&line, 400, "\"client_id\" has a control character at byte 1");
    let names: Vec<String> = (0..101).map(|it| it.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert!(answer(&ask(Vendor::Ably, &names[..100])).is_ok());
    refused(&ask(Vendor::Ably, &names), 400, "\"channels\" must be from 0 to 100");
}

#[test]
fn liveblocks_is_asked_for_the_rooms() {
    let all = Capability::ALL.into_iter().fold(Capabilities::default(), Capabilities::with);
    let (path, body) = call(&SignAsk {
        capabilities: all,
        channel_data: Some(r#"{"name":"Ada"}"#),
        ..ask(Vendor::Liveblocks, &["room-42", "org:*", "room-42"])
    });
    assert_eq!(path, "/v2/authorize-user");
    let permissions = ["room:read", "*:write", "room:presence:write"];
    let expected = json!({
        "userId": "user_42",
        "permissions": {"room-42": permissions, "org:*": permissions},
        "userInfo": {"name": "Ada"},
    });
    assert_eq!(body, expected);
    let (path, body) = call(&ask(Vendor::Liveblocks, &[]));
    assert_eq!((path, body), ("/v2/identify-user", json!({"userId": "user_42"})));
}

#[test]
fn liveblocks_asks_name_what_is_wrong() {
    let rooms = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"];
    assert!(answer(&ask(Vendor::Liveblocks, &rooms[..10])).is_ok());
    refused(&ask(Vendor::Liveblocks, &rooms), 400, "\"channels\" must be from 0 to 10");
    let pattern = "\"channels\" must be 1 to 128 characters, with a * at the end or none";
    refused(&ask(Vendor::Liveblocks, &["a*b"]), 400, pattern);
    let data = SignAsk { channel_data: Some("7"), ..ask(Vendor::Liveblocks, &["a"]) };
    refused(&data, 400, "\"channel_data\" must be an object");
}

#[test]
fn a_vendor_without_keys_signs_nothing() {
    for vendor in [Vendor::Pusher, Vendor::Ably, Vendor::Liveblocks] {
        let ask = ask(vendor, &["private-x"]);
        let none = VendorKeys::default();
        let rejection = sign(&ask, &none, NOW_MS, NONCE, &Limits::default()).err().unwrap();
        assert_eq!(rejection.status(), 422);
        assert_eq!(rejection.message(), format!("{} is not configured", vendor.name()));
    }
    let by_default = SignAsk { vendor: None, ..ask(Vendor::Ably, &["private-foobar"]) };
    assert_eq!(token(&by_default)["vendor"], "pusher");
}
