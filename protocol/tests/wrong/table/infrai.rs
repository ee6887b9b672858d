//! Infrai: twelve calls in both styles of paths, and the frames of its WebSocket.

use super::values::{self, Takes};
use super::{Call, Caller, Frame};

/// The fields of something that is fine.
type Good<'a> = &'a [(&'a str, &'a str)];
/// A field, whether it is needed, and what it takes.
type Field = (&'static str, bool, Takes);

struct Table {
    method: &'static str,
    paths: &'static [&'static str],
    /// A body that is fine.
    good: &'static [(&'static str, &'static str)],
    fields: &'static [Field],
}

const NAME: Takes = Takes::Name(200);
const CLIENT: Takes = Takes::Name(128);
const KEY: Field = ("idempotency_key", false, Takes::Key);

const TABLES: [Table; 7] = [
    Table {
        method: "POST",
        paths: &["/v1/realtime/token/issue", "/v1/realtime/token"],
        good: &[("client_id", "\"u\"")],
        fields: &[
            ("client_id", false, CLIENT),
            ("channels", false, Takes::Channels),
            ("channel", false, NAME),
            ("capabilities", false, Takes::Capabilities),
            ("ttl_seconds", false, Takes::Ttl),
            KEY,
        ],
    },
    Table {
        method: "POST",
        paths: &["/v1/realtime/token/revoke"],
        good: &[("token_or_jti", "\"irt1.a.b\"")],
        fields: &[("token_or_jti", true, Takes::Token), KEY],
    },
    Table {
        method: "POST",
        paths: &["/v1/realtime/channel/create", "/v1/realtime/channels"],
        good: &[("name", "\"never\"")],
        fields: &[("name", true, NAME), ("type", false, Takes::Type), KEY],
    },
    Table {
        method: "DELETE",
        paths: &["/v1/realtime/channel/delete/kept", "/v1/realtime/channels/kept"],
        good: &[],
        fields: &[KEY],
    },
    Table {
        method: "POST",
        paths: &["/v1/realtime/publish"],
        good: &[("channel", "\"never\""), ("event", "\"e\""), ("data", "1")],
        fields: &[
            ("channel", true, NAME),
            ("event", true, NAME),
            ("data", true, Takes::Json),
            ("persist", false, Takes::Flag),
            KEY,
        ],
    },
    Table {
        method: "POST",
        paths: &["/v1/realtime/user/disconnect"],
        good: &[("client_id", "\"u\"")],
        fields: &[("client_id", true, CLIENT), ("channel", false, NAME), KEY],
    },
    Table {
        method: "POST",
        paths: &["/v1/realtime/auth/sign"],
        good: &[("client_id", "\"u\""), ("channels", "[\"never\"]")],
        fields: &[
            ("client_id", true, CLIENT),
            ("channels", true, Takes::Channels),
            ("vendor", false, Takes::Vendor),
            ("capabilities", false, Takes::Capabilities),
            ("socket_id", false, CLIENT),
            ("channel_data", false, Takes::Object),
            ("user_data", false, Takes::Object),
            ("ttl_seconds", false, Takes::Ttl),
            KEY,
        ],
    },
];

/// Every refused call.
pub(crate) fn infrai_calls() -> Vec<Call> {
    let mut calls = Vec::new();
    for table in &TABLES {
        for path in table.paths {
            for (body, message) in bodies(table) {
                let expected = format!("400 INVALID_REQUEST {message}");
                calls.push(call(table.method, path, Some(body), expected));
            }
        }
    }
    calls.extend(batches());
    calls.extend(paths());
    calls.extend(queries());
    calls.extend(headers());
    calls.extend(aliases());
    calls
}

fn call(method: &'static str, target: &str, body: Option<String>, expected: String) -> Call {
    let (caller, target) = (Caller::Project, target.to_owned());
    Call { caller, method, target, header: None, body, expected }
}

fn bodies(table: &Table) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (field, is_needed, takes) in table.fields {
        let wrong = values::wrong(*takes, field).into_iter().chain(values::everywhere(field));
        all.extend(wrong.map(|(value, what)| (values::with(table.good, field, &value), what)));
        all.extend(values::twice(field));
        if *is_needed {
            let absent = format!("\"{field}\" is required");
            all.push((values::without(table.good, field), absent.clone()));
            if !matches!(takes, Takes::Json) {
                all.push((values::with(table.good, field, "null"), absent));
            }
        }
    }
    for body in ["[]", "1", "\"a\"", "null", "{}{}", "{", "\u{feff}{}", "channel=a"] {
        all.push((body.to_owned(), "Invalid JSON".to_owned()));
    }
    all
}

fn batches() -> Vec<Call> {
    let good = r#"{"channel":"never","event":"e","data":1}"#;
    let mut all = vec![
        ("{}".to_owned(), "400 INVALID_REQUEST \"messages\" is required"),
        (r#"{"messages":{}}"#.to_owned(), "400 INVALID_REQUEST \"messages\" must be an array"),
        (format!(r#"{{"messages":[{good},]}}"#), "400 INVALID_REQUEST Invalid JSON"),
        (
            format!(r#"{{"messages":[{}]}}"#, vec![good; 101].join(",")),
            "400 INVALID_REQUEST \"messages\" may have 100 items",
        ),
        (
            format!(r#"{{"messages":[{good},{{"channel":"never","event":"e"}}]}}"#),
            "400 INVALID_REQUEST messages[1]: \"data\" is required",
        ),
        (
            format!(r#"{{"messages":[{good},{{"channel":"","event":"e","data":1}}]}}"#),
            "400 INVALID_REQUEST messages[1]: \"channel\" must not be empty",
        ),
        (
            format!(
                r#"{{"messages":[{good},{good},{{"channel":"never","event":"\n","data":1}}]}}"#
            ),
            "400 INVALID_REQUEST Invalid JSON",
        ),
        (
            format!(r#"{{"messages":[{good},7]}}"#),
            "400 INVALID_REQUEST messages[1]: \"message\" must be an object",
        ),
        (
            format!(r#"{{"messages":[{good}],"idempotency_key":7}}"#),
            "400 INVALID_REQUEST \"idempotency_key\" must be a string",
        ),
    ];
    // The escape is the peer's, not ours.
    if let Some((body, expected)) = all.get_mut(6) {
        *body = body.replace('\n', "\\n");
        *expected = "400 INVALID_REQUEST messages[2]: \"event\" has a control character at byte 0";
    }
    let large = "x".repeat(65_535);
    let over =
        format!(r#"{{"messages":[{good},{{"channel":"never","event":"e","data":"{large}"}}]}}"#);
    all.push((over, "413 PAYLOAD_TOO_LARGE messages[1]: Payload over limit: 65536 bytes"));
    let path = "/v1/realtime/publish/batch";
    let all = all.into_iter();
    let mut calls: Vec<_> =
        all.map(|(body, expected)| call("POST", path, Some(body), expected.to_owned())).collect();
    let over = format!(r#"{{"channel":"never","event":"e","data":"{large}"}}"#);
    let expected = "413 PAYLOAD_TOO_LARGE Payload over limit: 65536 bytes".to_owned();
    calls.push(call("POST", "/v1/realtime/publish", Some(over), expected));
    calls
}

/// Paths that name a channel. A path that can be read in two ways is refused before anybody looks whose it is.
fn paths() -> Vec<Call> {
    let places: [(&str, &str, &str); 6] = [
        ("GET", "/v1/realtime/channel/get/", ""),
        ("GET", "/v1/realtime/channels/", ""),
        ("DELETE", "/v1/realtime/channel/delete/", ""),
        ("DELETE", "/v1/realtime/channels/", ""),
        ("GET", "/v1/realtime/presence/get/", ""),
        ("GET", "/v1/realtime/channels/", "/presence"),
    ];
    let tricks = [
        "%2e",
        "%2e%2e",
        ".%2E",
        "..",
        "a%2Fb",
        "a%5Cb",
        "%00",
        "a%0d%0ab",
        "%7f",
        "%c2%85",
        "%",
        "%2",
        "%zz",
        "%ff",
        "%c0%af",
        "%ed%a0%80",
    ];
    let mut calls = Vec::new();
    for (method, before, behind) in places {
        for trick in tricks {
            let target = format!("{before}{trick}{behind}");
            calls.push(call(method, &target, None, "400 INVALID_REQUEST invalid path".to_owned()));
        }
        let long = format!("{before}{}{behind}", "n".repeat(201));
        let expected = "400 INVALID_REQUEST \"channel\" is over its limit: 201 of 200 bytes";
        calls.push(call(method, &long, None, expected.to_owned()));
    }
    for target in ["/v1/realtime/channel/get/never", "/v1/realtime/channels/never"] {
        let expected = "404 CHANNEL_NOT_FOUND Channel not found".to_owned();
        calls.push(call("GET", target, None, expected));
    }
    for target in [
        "/v1/realtime/channel/get",
        "/v1/realtime/channel/get/a/b",
        "/v1/realtime",
        "/v1/realtime/publish/",
    ] {
        calls.push(call("GET", target, None, "404 NOT_FOUND Not found".to_owned()));
    }
    for (method, target, allow) in [
        ("GET", "/v1/realtime/publish", "POST"),
        ("POST", "/v1/realtime/channel/list", "GET, HEAD"),
        ("PUT", "/v1/realtime/token/issue", "POST"),
        ("POST", "/v1/realtime/channel/delete/kept", "DELETE"),
        ("PATCH", "/v1/realtime/auth/sign", "POST"),
    ] {
        let expected = format!("405 METHOD_NOT_ALLOWED Method not allowed. Use: {allow}, OPTIONS");
        calls.push(call(method, target, None, expected));
    }
    calls
}

fn queries() -> Vec<Call> {
    let mut calls = Vec::new();
    for path in ["/v1/realtime/channel/list", "/v1/realtime/channels"] {
        for limit in [
            "0",
            "201",
            "-1",
            "%2B5",
            "1.5",
            "1e2",
            "abc",
            "",
            "NaN",
            "9223372036854775808",
            "18446744073709551616",
            "%201",
        ] {
            let expected = "400 INVALID_REQUEST \"limit\" must be from 1 to 200".to_owned();
            calls.push(call("GET", &format!("{path}?limit={limit}"), None, expected));
        }
        let long = "A".repeat(401);
        for cursor in ["", "*", "a", "%00", "AAAA====", "gA", "Cg", &long] {
            let expected =
                "400 INVALID_REQUEST \"cursor\" must be the next_cursor of an earlier page";
            calls.push(call("GET", &format!("{path}?cursor={cursor}"), None, expected.to_owned()));
        }
        for query in ["cursor=%FF", "limit=%", "limit=%zz", "cursor=%c0%af"] {
            let expected = "400 INVALID_REQUEST invalid query".to_owned();
            calls.push(call("GET", &format!("{path}?{query}"), None, expected));
        }
        let twice = "400 INVALID_REQUEST \"limit\" came more than once".to_owned();
        calls.push(call("GET", &format!("{path}?limit=1&limit=2"), None, twice));
    }
    calls
}

fn headers() -> Vec<Call> {
    let body = || Some(r#"{"channel":"never","event":"e","data":1}"#.to_owned());
    let with = |header: String, body, expected: &str| {
        let call =
            call("POST", "/v1/realtime/publish", body, format!("400 INVALID_REQUEST {expected}"));
        Call { header: Some(header), ..call }
    };
    let long = "k".repeat(129);
    let mut calls: Vec<_> = ["", "k\u{e4}se", &long]
        .map(|key| with(format!("Idempotency-Key: {key}"), body(), "Invalid Idempotency-Key"))
        .into();
    let twice = "Idempotency-Key: a\r\nIdempotency-Key: a".to_owned();
    calls.push(with(twice, body(), "\"Idempotency-Key\" came more than once"));
    let other = r#"{"channel":"never","event":"e","data":1,"idempotency_key":"b"}"#.to_owned();
    let differ = "\"idempotency_key\" and \"Idempotency-Key\" are the same field and differ";
    calls.push(with("Idempotency-Key: a".to_owned(), Some(other), differ));
    calls
}

/// Fields that have two names, with two values.
fn aliases() -> Vec<Call> {
    let check = |path: &str, body: &str, one: &str, other: &str| {
        let message = format!("\"{one}\" and \"{other}\" are the same field and differ");
        call("POST", path, Some(body.to_owned()), format!("400 INVALID_REQUEST {message}"))
    };
    vec![
        check(
            "/v1/realtime/publish",
            r#"{"channel":"never","name":"b","event":"e","data":1}"#,
            "channel",
            "name",
        ),
        check(
            "/v1/realtime/channel/create",
            r#"{"channel":"b","name":"never"}"#,
            "name",
            "channel",
        ),
        check(
            "/v1/realtime/user/disconnect",
            r#"{"client_id":"a","user_id":"b"}"#,
            "client_id",
            "user_id",
        ),
        check(
            "/v1/realtime/token/issue",
            r#"{"client_id":"a","user_id":"b"}"#,
            "client_id",
            "user_id",
        ),
        check(
            "/v1/realtime/token/issue",
            r#"{"channel":"a","channels":["b"]}"#,
            "channels",
            "channel",
        ),
        check(
            "/v1/realtime/token/revoke",
            r#"{"token_or_jti":"irt1.a.b","token":"irt1.a.c"}"#,
            "token_or_jti",
            "token",
        ),
    ]
}

/// Every refused frame: code and message.
pub(crate) fn infrai_frames() -> Vec<Frame> {
    let subscribe = [("type", "\"subscribe\""), ("channel", "\"never\"")];
    let unsubscribe = [("type", "\"unsubscribe\""), ("channel", "\"never\"")];
    let publish =
        [("type", "\"publish\""), ("channel", "\"never\""), ("event", "\"e\""), ("data", "1")];
    let ping = [("type", "\"ping\"")];
    let id: Field = ("id", false, Takes::FrameId);
    let tables: [(Good<'_>, &[Field]); 4] = [
        (&subscribe, &[("channel", true, NAME), ("after", false, Takes::Offset), id]),
        (&unsubscribe, &[("channel", true, NAME), id]),
        (
            &publish,
            &[
                ("channel", true, NAME),
                ("event", true, NAME),
                ("data", true, Takes::Json),
                ("persist", false, Takes::Flag),
                id,
            ],
        ),
        (&ping, &[id]),
    ];
    let mut frames = Vec::new();
    let mut add =
        |text: String, message: &str| frames.push((text, format!("INVALID_REQUEST {message}")));
    for (good, fields) in tables {
        for (field, is_needed, takes) in fields {
            let wrong = values::wrong(*takes, field).into_iter().chain(values::everywhere(field));
            wrong.for_each(|(value, what)| add(values::with(good, field, &value), &what));
            values::twice(field).into_iter().for_each(|(text, what)| add(text, &what));
            if *is_needed {
                add(values::without(good, field), &format!("\"{field}\" is required"));
            }
        }
    }
    add("{}".to_owned(), "\"type\" is required");
    add(r#"{"type":null}"#.to_owned(), "\"type\" is required");
    add(r#"{"type":7}"#.to_owned(), "\"type\" must be a string");
    let known = "Use: subscribe, unsubscribe, publish, ping";
    add(r#"{"type":"dance"}"#.to_owned(), &format!("Unknown type: \"dance\". {known}"));
    add(r#"{"type":""}"#.to_owned(), &format!("Unknown type: \"\". {known}"));
    add(r#"{"type":"Publish"}"#.to_owned(), &format!("Unknown type: \"Publish\". {known}"));
    for text in ["", "[]", "null", "7", "ping", "{\"type\":\"ping\"}{}"] {
        add(text.to_owned(), "Invalid JSON");
    }
    frames
}
