//! Cohesivity: the calls under `/edge` and `/api`, and the frames of its WebSocket.

use super::values::{self, Takes};
use super::{Call, Caller, Frame};

struct Table {
    caller: Caller,
    path: &'static str,
    /// A body that is fine.
    good: &'static [(&'static str, &'static str)],
    /// A field, what is said when it is absent, and what it takes.
    fields: &'static [(&'static str, bool, Takes)],
}

const TABLES: [Table; 4] = [
    Table {
        caller: Caller::Application,
        path: "/edge/realtime/token",
        good: &[("user_id", "\"u\"")],
        fields: &[
            ("user_id", true, Takes::UserId),
            ("name", false, Takes::Nickname(256)),
            ("ttl", false, Takes::Life),
        ],
    },
    Table {
        caller: Caller::Application,
        path: "/edge/realtime",
        good: &[("channel", "\"never\""), ("data", "1")],
        fields: &[
            ("channel", true, Takes::Name(200)),
            ("event", false, Takes::Name(200)),
            ("data", true, Takes::Json),
            ("persist", false, Takes::Flag),
        ],
    },
    Table {
        caller: Caller::Application,
        path: "/edge/database",
        good: &[("query", "\"SELECT 1\"")],
        fields: &[("query", true, Takes::Text), ("params", false, Takes::Params)],
    },
    Table {
        caller: Caller::Management,
        path: "/api/resources/realtime",
        good: &[],
        fields: &[("write_region", false, Takes::Region)],
    },
];

/// Every refused call.
pub(crate) fn cohesivity_calls() -> Vec<Call> {
    let mut calls = Vec::new();
    for table in &TABLES {
        for (body, message) in bodies(table) {
            let expected = format!("400 INVALID_ARGUMENT {message}");
            calls.push(call(table.caller, "POST", table.path, Some(body), expected));
        }
    }
    let over = format!(r#"{{"channel":"never","data":"{}"}}"#, "x".repeat(65_535));
    let expected = "413 INVALID_ARGUMENT Payload over limit: 65536 bytes".to_owned();
    calls.push(call(Caller::Application, "POST", "/edge/realtime", Some(over), expected));
    calls.extend(histories());
    for query in ["channel=%", "channel=%zz", "channel=%ff", "channel=%c0%af", "after=%2"] {
        let target = format!("/edge/realtime/history?{query}");
        let expected = "400 INVALID_ARGUMENT invalid query".to_owned();
        calls.push(call(Caller::Application, "GET", &target, None, expected));
    }
    for (method, target, allow) in [
        ("GET", "/edge/session", "POST"),
        ("PUT", "/edge/realtime/token", "POST"),
        ("DELETE", "/edge/database", "POST"),
        ("POST", "/edge/realtime/history", "GET, HEAD"),
        ("GET", "/api/resources/realtime", "POST, DELETE"),
    ] {
        let expected = format!("405 UNIMPLEMENTED Method not allowed. Use: {allow}, OPTIONS");
        calls.push(call(Caller::Application, method, target, None, expected));
    }
    for target in
        ["/edge", "/edge/", "/edge/realtime/", "/edge/realtime/history/a", "/api/resources"]
    {
        calls.push(call(
            Caller::Application,
            "GET",
            target,
            None,
            "404 NOT_FOUND Not found".to_owned(),
        ));
    }
    calls
}

fn call(
    caller: Caller,
    method: &'static str,
    target: &str,
    body: Option<String>,
    expected: String,
) -> Call {
    Call { caller, method, target: target.to_owned(), header: None, body, expected }
}

fn bodies(table: &Table) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (field, is_needed, takes) in table.fields {
        let wrong = values::wrong(*takes, field).into_iter().chain(values::everywhere(field));
        all.extend(wrong.map(|(value, what)| (values::with(table.good, field, &value), what)));
        all.extend(values::twice(field));
        if *is_needed {
            all.push((values::without(table.good, field), format!("\"{field}\" is required")));
        }
    }
    for body in ["[]", "1", "\"a\"", "null", "{}{}", "{", "\u{feff}{}", "channel=a"] {
        all.push((body.to_owned(), "Invalid JSON".to_owned()));
    }
    all
}

fn histories() -> Vec<Call> {
    let long = "n".repeat(201);
    let rows = [
        ("", "\"channel\" is required"),
        ("after=0", "\"channel\" is required"),
        ("channel=", "\"channel\" must not be empty"),
        ("channel=%00", "\"channel\" has a control character at byte 0"),
        ("channel=a%0Ab", "\"channel\" has a control character at byte 1"),
        ("channel=a&channel=a", "\"channel\" came more than once"),
        ("channel=a&ch%61nnel=b", "\"channel\" came more than once"),
        ("channel=kept&after=-1", "\"after\" must be a number without a sign"),
        ("channel=kept&after=%2B1", "\"after\" must be a number without a sign"),
        ("channel=kept&after=", "\"after\" must be a number without a sign"),
        ("channel=kept&after=1.5", "\"after\" must be a number without a sign"),
        ("channel=kept&after=1e3", "\"after\" must be a number without a sign"),
        ("channel=kept&after=NaN", "\"after\" must be a number without a sign"),
        ("channel=kept&after=%201", "\"after\" must be a number without a sign"),
        ("channel=kept&after=18446744073709551616", "\"after\" must be a number without a sign"),
        ("channel=kept&after=1&after=1", "\"after\" came more than once"),
        ("channel=kept&limit=0", "\"limit\" must be from 1 to 100"),
        ("channel=kept&limit=-1", "\"limit\" must be a number without a sign"),
        ("channel=kept&limit=", "\"limit\" must be a number without a sign"),
        ("channel=kept&limit=ten", "\"limit\" must be a number without a sign"),
        ("channel=kept&limit=1&limit=2", "\"limit\" came more than once"),
    ];
    let over = "\"channel\" is over its limit: 201 of 200 bytes";
    let rows = rows.map(|(query, what)| (query.to_owned(), what));
    let rows = rows.into_iter().chain([(format!("channel={long}"), over)]);
    let target = |query: String| format!("/edge/realtime/history?{query}");
    rows.map(|(query, what)| {
        let expected = format!("400 INVALID_ARGUMENT {what}");
        call(Caller::Application, "GET", &target(query), None, expected)
    })
    .collect()
}

/// Every refused frame, and its error.
pub(crate) fn cohesivity_frames() -> Vec<Frame> {
    let good = [("action", "\"publish\""), ("data", "1")];
    let mut frames = Vec::new();
    for (field, takes) in
        [("event", Takes::Name(200)), ("data", Takes::Json), ("persist", Takes::Flag)]
    {
        let wrong = values::wrong(takes, field).into_iter().chain(values::everywhere(field));
        frames.extend(wrong.map(|(value, what)| (values::with(&good, field, &value), what)));
        frames.extend(values::twice(field));
    }
    let unknown = |action: &str| format!("Unknown action: \"{action}\". Use: publish");
    for (action, told) in [
        ("\"subscribe\"", "subscribe"),
        ("\"Publish\"", "Publish"),
        ("\"\"", ""),
        ("7", "7"),
        ("null", "null"),
        ("true", "true"),
        ("{}", "{}"),
    ] {
        frames.push((values::with(&good, "action", action), unknown(told)));
    }
    frames.push(("{}".to_owned(), unknown("undefined")));
    frames.push((r#"{"action":"publish"}"#.to_owned(), "publish requires \"data\"".to_owned()));
    frames.extend(values::twice("action"));
    for text in ["", "[]", "null", "7", "hello", "{\"action\":\"publish\",\"data\":1}{}"] {
        frames.push((text.to_owned(), "Invalid JSON".to_owned()));
    }
    frames
}
