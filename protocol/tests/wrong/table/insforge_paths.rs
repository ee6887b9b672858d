//! InsForge: the paths and queries of its calls, and the requests that open a session of Engine.IO.

use super::Call;
use super::insforge::{CHANNELS, CONFIG, INPUT, ONE, PERMISSIONS, Wrong, call};

const MESSAGES: &str = "/api/realtime/messages";
const STATISTICS: &str = "/api/realtime/messages/stats";

/// Every call that is refused for its head.
pub(super) fn calls() -> Vec<Call> {
    [lists(), statistics(), paths(), engine()].concat()
}

fn lists() -> Vec<Call> {
    let mut all = channel_ids(MESSAGES);
    let mut add =
        |query: &str, what: &str| all.push((format!("{MESSAGES}?{query}"), what.to_owned()));
    add("eventName=a&eventName=b", "eventName: Expected string, received array");
    for key in ["eventName", "limit", "offset", "channelId", "x"] {
        add(&format!("{key}=%ff"), "invalid query");
    }
    for (key, min, max) in [("limit", "1", "1000"), ("offset", "0", "9007199254740991")] {
        let nan = format!("{key}: Expected number, received nan");
        for value in ["many", "1,5", "NaN", "inf", "1x", "0x", "--1"] {
            add(&format!("{key}={value}"), &nan);
        }
        add(&format!("{key}=1&{key}=1"), &nan);
        let float = format!("{key}: Expected integer, received float");
        add(&format!("{key}=1.5"), &float);
        let under = format!("{key}: Number must be greater than or equal to {min}");
        add(&format!("{key}=-1"), &under);
        add(&format!("{key}=-1.5"), &format!("{float}, {under}"));
        let over = format!("{key}: Number must be less than or equal to {max}");
        for value in ["9007199254740992", "1e300"] {
            add(&format!("{key}={value}"), &over);
        }
        add(&format!("{key}=Infinity"), &format!("{float}, {over}"));
    }
    for value in ["0", "", "%20", "-0"] {
        add(&format!("limit={value}"), "limit: Number must be greater than or equal to 1");
    }
    add("limit=1001", "limit: Number must be less than or equal to 1000");
    let both =
        "limit: Expected number, received nan, offset: Number must be greater than or equal to 0";
    add("offset=-1&limit=x", both);
    queries(all)
}

fn statistics() -> Vec<Call> {
    let mut all = channel_ids(STATISTICS);
    for value in [
        "",
        "yesterday",
        "2024-13-01",
        "2024-02-30",
        "2024-03-22T25:00",
        "1711111111",
        "2024&since=2024",
    ] {
        all.push((format!("{STATISTICS}?since={value}"), "since: Invalid date".to_owned()));
    }
    let both = "channelId: Invalid uuid, since: Invalid date";
    all.push((format!("{STATISTICS}?since=x&channelId=x"), both.to_owned()));
    queries(all)
}

fn channel_ids(path: &str) -> Vec<Wrong> {
    let wrong = [
        "",
        "7",
        "018e6658",
        "018e665827a77abc8def0123456789ab",
        "x%00",
        "%7b018e6658-27a7-7abc-8def-0123456789ab%7d",
    ];
    let told = |it: &str| (format!("{path}?channelId={it}"), "channelId: Invalid uuid".to_owned());
    let mut all: Vec<Wrong> = wrong.map(told).into();
    let array = "channelId: Expected string, received array".to_owned();
    all.push((format!("{path}?channelId=a&channelId=b"), array));
    all
}

fn queries(all: Vec<Wrong>) -> Vec<Call> {
    let told = |(target, what): Wrong| call("GET", &target, None, format!("400 {INPUT} {what}"));
    all.into_iter().map(told).collect()
}

fn paths() -> Vec<Call> {
    let mut calls = Vec::new();
    let missing = "404 REALTIME_CHANNEL_NOT_FOUND Channel not found";
    for id in
        ["17", "x", "018e6658-27a7-7abc-8def-0123456789ag", "018e665827a77abc8def0123456789ab", "-"]
    {
        for (method, body) in [("GET", None), ("PUT", Some("{}".to_owned())), ("DELETE", None)] {
            calls.push(call(method, &format!("{CHANNELS}/{id}"), body, missing.to_owned()));
        }
    }
    for trick in ["%2e", "%2e%2e", "..", "a%2Fb", "a%5Cb", "%00", "a%0d%0ab", "%", "%zz", "%ff"] {
        let expected = format!("400 {INPUT} invalid path");
        calls.push(call("GET", &format!("{CHANNELS}/{trick}"), None, expected));
    }
    for (method, target) in [
        ("GET", "/api/realtime"),
        ("GET", "/api/realtime/nothing?a=b"),
        ("GET", "/api/realtime/channels/a/b"),
        ("GET", "/api/realtime/channels/"),
        ("POST", "/api/realtime/messages/stats/x"),
        ("GET", "/api/metadata"),
        ("GET", "/realtime/x"),
        ("POST", "/api/auth/tokens"),
    ] {
        let expected = format!("404 NOT_FOUND Endpoint {target} not found");
        calls.push(call(method, target, None, expected));
    }
    for (method, target, allow) in [
        ("PATCH", CHANNELS, "GET, HEAD, POST"),
        ("POST", ONE, "GET, HEAD, PUT, DELETE"),
        ("POST", MESSAGES, "GET, HEAD, DELETE"),
        ("DELETE", STATISTICS, "GET, HEAD"),
        ("PUT", CONFIG, "GET, HEAD, PATCH"),
        ("PATCH", PERMISSIONS, "GET, HEAD, PUT"),
        ("DELETE", "/api/metadata/anon-key", "GET, HEAD"),
    ] {
        let expected = format!("405 METHOD_NOT_ALLOWED Method not allowed. Use: {allow}, OPTIONS");
        calls.push(call(method, target, None, expected));
    }
    calls
}

/// Number and text, as the reference server has them.
fn engine() -> Vec<Call> {
    let check = |method, query: &str, expected: &str| {
        call(method, &format!("/socket.io/{query}"), None, format!("400 {expected}"))
    };
    vec![
        check("GET", "", "0 Transport unknown"),
        check("GET", "?EIO=4", "0 Transport unknown"),
        check("GET", "?EIO=4&transport=webtransport", "0 Transport unknown"),
        check("GET", "?EIO=4&transport=polling&transport=polling", "3 Bad request"),
        check("GET", "?EIO=3&transport=polling", "5 Unsupported protocol version"),
        check("GET", "?transport=polling", "5 Unsupported protocol version"),
        check("GET", "?EIO=4&transport=polling&sid=x", "1 Session ID unknown"),
        check("GET", "?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAA", "1 Session ID unknown"),
        check("POST", "?EIO=4&transport=polling", "2 Bad handshake method"),
        check("GET", "?EIO=4&transport=websocket", "3 Bad request"),
    ]
}
