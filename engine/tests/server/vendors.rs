//! What this project signs for other vendors, judged by those vendors' own SDKs.

use protocol::auth::vendor::{
    AblyKey, PusherChannel, PusherKeys, RestCall, SignAsk, Signed, Vendor, VendorKeys,
    encrypt_event, sign,
};
use protocol::{Capabilities, Capability, Limits};
use serde_json::{Value, json};

use super::tools::judge;

const PUSHER_KEY: &str = "278d425bdf160c739803";
const PUSHER_SECRET: &str = "7ad3773142a6692b25b8";
const MASTER_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const ABLY_KEY: &str = "xVLyHw.3-pAYw:VERYsecretKEY0123456789";
const NOW_MS: u64 = 1_711_111_111_222;

fn keys() -> VendorKeys {
    VendorKeys {
        pusher: PusherKeys::new(PUSHER_KEY, PUSHER_SECRET, Some(MASTER_KEY)).ok(),
        ably: AblyKey::parse(ABLY_KEY).ok(),
        liveblocks: None,
    }
}

fn token(ask: &SignAsk<'_>, nonce: u128) -> Value {
    match sign(ask, &keys(), NOW_MS, nonce, &Limits::default()) {
        Ok(Signed::Token(token)) => serde_json::from_slice(&token.to_json()).unwrap(),
        Ok(Signed::Call(call)) => panic!("{call:?}"),
        Err(rejection) => panic!("{rejection}"),
    }
}

/// Asks of Pusher, and the answers.
fn pusher_cases() -> Vec<Value> {
    let longest = format!("private-{}", "x".repeat(192));
    let plain = r#"{"user_id":"ada"}"#;
    let odd = r#"{"user_id":"ü ✓ \"q\" \\","user_info":{"n":[1,2.5,null,true],"s":"\u0001😀"}}"#;
    let user = r#"{"id":"user-7","user_info":{"name":"Ada"},"watchlist":["a","b"]}"#;
    let rows: [(&str, &str, Option<&str>); 12] = [
        ("1234.1234", "private-foobar", None),
        ("0.0", "private-azAZ09_-=@,.;", None),
        ("99999999999999999999.1", &longest, None),
        ("1.2", "private-cache-x", None),
        ("1.2", "room", None),
        ("1.2", "private-encrypted-room", None),
        ("1.2", "private-encrypted-cache-room", None),
        ("1.2", "presence-a", Some(plain)),
        ("3.4", "presence-cache-b", Some(odd)),
        ("3.4", "presence-c", Some(r#"{"user_id":10,"user_info":{"name":"Mr. Channels"}}"#)),
        ("3.4", "", Some(user)),
        ("3.4", "", Some(r#"{"id":"ü"}"#)),
    ];
    rows.map(|(socket_id, channel, data)| {
        let channels = [channel];
        let ask = SignAsk {
            client_id: "somebody",
            channels: if channel.is_empty() { &[] } else { &channels },
            capabilities: Capabilities::default(),
            vendor: Some(Vendor::Pusher),
            life_s: None,
            socket_id: Some(socket_id),
            channel_data: data.filter(|_| !channel.is_empty()),
            user_data: data.filter(|_| channel.is_empty()),
        };
        let answer = token(&ask, 0);
        json!({"socket_id": socket_id, "channel": channel, "data": data, "answer": answer})
    })
    .into()
}

/// Asks of Ably, and the answers.
fn ably_cases() -> Vec<Value> {
    let of = |some: &[Capability]| {
        some.iter().copied().fold(Capabilities::default(), Capabilities::with)
    };
    let all = Capability::ALL;
    let rows: [(&[&str], Capabilities, u64); 5] = [
        (&["room-42", "a:*"], of(&all), 3600),
        (&["*"], of(&[]), 60),
        (&["10", "9", "b", "a", "01", "4294967294", "4294967295", "-1"], of(&all[..2]), 86_400),
        (&["\u{ff21}", "\u{1f600}", "é\"\\/", "[meta]x"], of(&all[2..]), 1),
        (&["__proto__", "constructor"], of(&all[..1]), 7),
    ];
    let answer = |(index, (channels, capabilities, life_s)): (usize, _)| {
        let client_id = "user 42 ✓";
        let ask = SignAsk {
            client_id,
            channels,
            capabilities,
            vendor: Some(Vendor::Ably),
            life_s: Some(life_s),
            socket_id: None,
            channel_data: None,
            user_data: None,
        };
        token(&ask, u128::MAX / (index as u128 + 1))
    };
    rows.into_iter().enumerate().map(answer).collect()
}

#[test]
fn the_vendors_sdks_agree_with_what_is_signed_for_them() {
    let keys = keys().pusher.unwrap();
    let params = [("info", "user_count"), ("filter_by_prefix", "presence-")];
    let body = r#"{"name":"foo","channels":["a"],"data":"ü"}"#;
    let rest = |method, path, params, body: &str| {
        let timestamp_s = NOW_MS / 1000;
        keys.sign_rest(&RestCall { method, path, params, body: body.as_bytes(), timestamp_s })
    };
    let webhook =
        r#"{"time_ms":1711111111222,"events":[{"name":"channel_occupied","channel":"ü"}]}"#;
    let channel =
        PusherChannel::parse("private-encrypted-room").unwrap_or_else(|it| panic!("{it}"));
    let plaintext = r#"{"text":"secret ✓"}"#;
    let event = encrypt_event(&keys, channel, plaintext.as_bytes(), &[7; 24]).unwrap();
    judge(
        "vendors.mjs",
        &json!({
            "now_ms": NOW_MS,
            "pusher": {
                "key": PUSHER_KEY, "secret": PUSHER_SECRET, "master_key": MASTER_KEY,
                "asks": pusher_cases(),
                "rest": [
                    {"method": "GET", "path": "/apps/3/channels", "params": {"info": "user_count", "filter_by_prefix": "presence-"},
                     "query": rest("GET", "/apps/3/channels", &params, "")},
                    {"method": "POST", "path": "/apps/3/events", "params": {}, "body": body,
                     "query": rest("POST", "/apps/3/events", &[], body)},
                ],
                "webhook": {"body": webhook, "signature": keys.sign_webhook(webhook.as_bytes())},
                "event": {"channel": "private-encrypted-room", "plaintext": plaintext, "data": event},
            },
            "ably": {"key": ABLY_KEY, "answers": ably_cases()},
        }),
    );
}
