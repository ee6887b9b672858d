//! Wrong values of every field of every body and frame, with the exact status, code and message.

use protocol::dialect::infrai::Operation;

use crate::understood;

/// What a field takes.
#[derive(Clone, Copy)]
enum Takes {
    /// A name of so many bytes.
    Name(usize),
    /// An idempotency key.
    Key,
    Token,
    Ttl,
    Flag,
    Json,
    Object,
    Channels,
    Capabilities,
    Type,
    Vendor,
}

/// A field, the field that reports it when it is absent, and what it takes.
type Field = (&'static str, Option<&'static str>, Takes);

struct Table {
    of: Operation,
    /// A body that is fine: each field with its value.
    good: &'static [(&'static str, &'static str)],
    fields: &'static [Field],
}

const NAME: Takes = Takes::Name(200);
const CLIENT: Takes = Takes::Name(128);
const KEY: Field = ("idempotency_key", None, Takes::Key);

const TABLES: [Table; 7] = [
    Table {
        of: Operation::TokenIssue,
        good: &[("client_id", "\"u\"")],
        fields: &[
            ("client_id", None, CLIENT),
            ("channels", None, Takes::Channels),
            ("channel", None, NAME),
            ("capabilities", None, Takes::Capabilities),
            ("ttl_seconds", None, Takes::Ttl),
            KEY,
        ],
    },
    Table {
        of: Operation::TokenRevoke,
        good: &[("token_or_jti", "\"irt1.a.b\"")],
        fields: &[("token_or_jti", Some("token_or_jti"), Takes::Token), KEY],
    },
    Table {
        of: Operation::ChannelCreate,
        good: &[("name", "\"room\"")],
        fields: &[("name", Some("name"), NAME), ("type", None, Takes::Type), KEY],
    },
    Table { of: Operation::ChannelDelete, good: &[], fields: &[KEY] },
    Table {
        of: Operation::Publish,
        good: &[("channel", "\"room\""), ("event", "\"e\""), ("data", "1")],
        fields: &[
            ("channel", Some("channel"), NAME),
            ("event", Some("event"), NAME),
            ("data", Some("data"), Takes::Json),
            ("persist", None, Takes::Flag),
            KEY,
        ],
    },
    Table {
        of: Operation::UserDisconnect,
        good: &[("client_id", "\"u\"")],
        fields: &[("client_id", Some("client_id"), CLIENT), ("channel", None, NAME), KEY],
    },
    Table {
        of: Operation::AuthSign,
        good: &[("client_id", "\"u\""), ("channels", "[\"room\"]")],
        fields: &[
            ("client_id", Some("client_id"), CLIENT),
            ("channels", Some("channels"), Takes::Channels),
            ("vendor", None, Takes::Vendor),
            ("capabilities", None, Takes::Capabilities),
            ("socket_id", None, CLIENT),
            ("channel_data", None, Takes::Object),
            ("user_data", None, Takes::Object),
            ("ttl_seconds", None, Takes::Ttl),
            KEY,
        ],
    },
];

#[test]
fn every_wrong_value_of_every_field_has_its_answer() {
    let mut checked = 0;
    for table in TABLES {
        for field in table.fields {
            checked += check_field(&table, field);
        }
    }
    assert!(checked >= 250, "only {checked} values");
}

fn check_field(table: &Table, (field, needed, takes): &Field) -> usize {
    let fine = object(table.good);
    assert_eq!(refused(table.of, &fine), None, "{:?} {fine}", table.of);
    let mut checked = 0;
    for (value, expected) in wrong(*takes, field).into_iter().chain(everywhere(field)) {
        check(table.of, &with(table.good, field, &value), &expected);
        checked += 1;
    }
    for (value, behind) in [("null", "\"x\""), ("\"x\"", "\"x\"")] {
        let twice = format!("{{\"{field}\":{value},\"{field}\":{behind}}}");
        check(table.of, &twice, &format!("\"{field}\" came more than once"));
        let disguised = format!("{{\"{field}\":{value},\"{}\":{behind}}}", escaped(field));
        check(table.of, &disguised, &format!("\"{field}\" came more than once"));
        checked += 2;
    }
    if let Some(reported) = needed {
        check(table.of, &without(table.good, field), &format!("\"{reported}\" is required"));
        checked += 1;
    }
    checked
}

/// What no field takes.
fn everywhere(field: &str) -> Vec<(String, String)> {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let mut values = vec![(deep, "JSON nests deeper than 32 levels".to_owned())];
    let broken =
        ["NaN", "Infinity", "-", "'a'", "\"a", "\"\\x\"", "\"a\tb\"", "01", "undefined", "{]", ""];
    values.extend(broken.map(|it| (it.to_owned(), "Invalid JSON".to_owned())));
    assert!(!field.is_empty());
    values
}

/// Values that are refused with one message.
fn must(field: &str, values: &[&str], what: &str) -> Vec<(String, String)> {
    let message = format!("\"{field}\" must be {what}");
    values.iter().map(|it| ((*it).to_owned(), message.clone())).collect()
}

/// What no name is.
fn no_name(field: &str, max: usize) -> Vec<(String, String)> {
    let mut values = must(field, &["1", "true", "{}", "[\"a\"]", "\"\\ud800\""], "a string");
    values.push(("\"\"".to_owned(), format!("\"{field}\" must not be empty")));
    let long = format!("\"{}\"", "n".repeat(max + 1));
    values.push((long, format!("\"{field}\" is over its limit: {} of {max} bytes", max + 1)));
    for (value, at) in [("a\\u0000b", 1), ("\\r\\n", 0), ("é\\u007f", 2), ("a\\u0085", 1)] {
        let message = format!("\"{field}\" has a control character at byte {at}");
        values.push((format!("\"{value}\""), message));
    }
    values
}

fn wrong(takes: Takes, field: &str) -> Vec<(String, String)> {
    match takes {
        Takes::Name(max) => no_name(field, max),
        Takes::Key => {
            let mut values = must(field, &["1", "false", "[]", "\"\\udc00\""], "a string");
            values.extend(must(field, &["\"a\\n\"", "\"käse\"", "\"\\u007f\""], "printable ASCII"));
            values.push(("\"\"".to_owned(), format!("\"{field}\" must not be empty")));
            let long = format!("\"{}\"", "k".repeat(129));
            values.push((long, format!("\"{field}\" is over its limit: 129 of 128 bytes")));
            values
        }
        Takes::Token => {
            let mut values = no_name(field, 4096);
            values.extend(must(
                field,
                &[
                    "\"x\"",
                    "\"018e6658\"",
                    "\"IRT1.a.b\"",
                    "\"018E6658-27A7-7ABC-8DEF-0123456789AB\"",
                ],
                "a token or its jti",
            ));
            values
        }
        Takes::Ttl => must(
            field,
            &["0", "-1", "-0", "1.5", "1.0", "1e3", "\"60\"", "true", "{}", "-9223372036854775808"],
            "a whole number above 0",
        ),
        Takes::Flag => must(field, &["0", "\"true\"", "[]", "{}"], "a boolean"),
        Takes::Json => Vec::new(),
        Takes::Object => must(field, &["1", "\"{}\"", "[]", "true"], "an object"),
        Takes::Type => must(
            field,
            &["\"Public\"", "\"\"", "1", "[]", "\"secret\""],
            "public, private or presence",
        ),
        Takes::Vendor => must(
            field,
            &["\"Pusher\"", "\"tencent_im\"", "\"\"", "3", "{}"],
            "pusher, ably or liveblocks",
        ),
        Takes::Capabilities => must(
            field,
            &["\"subscribe\"", "[\"admin\"]", "[1]", "[null]", "{}", "[\"\"]", "[[\"publish\"]]"],
            "an array of subscribe, publish, presence or history",
        ),
        Takes::Channels => channels(
            field,
            must(
                field,
                &["\"room\"", "{}", "1", "[1]", "[null]", "[\"a\",{}]", "[\"\\ud800\"]"],
                "an array of strings",
            ),
        ),
    }
}

fn channels(field: &str, mut values: Vec<(String, String)>) -> Vec<(String, String)> {
    values.push(("[\"a\",\"\"]".to_owned(), format!("{field}[1]: \"channel\" must not be empty")));
    let long = format!("[\"{}\"]", "n".repeat(201));
    let too_long = format!("{field}[0]: \"channel\" is over its limit: 201 of 200 bytes");
    values.push((long, too_long));
    let control = "has a control character at byte 0";
    values.push(("[\"\\n\"]".to_owned(), format!("{field}[0]: \"channel\" {control}")));
    let many = format!("[{}]", vec!["\"a\""; 101].join(","));
    values.push((many, format!("\"{field}\" may have 100 items")));
    values
}

fn check(of: Operation, body: &str, message: &str) {
    let expected = format!("400 INVALID_REQUEST {message}");
    let start = &body[..body.len().min(200)];
    assert_eq!(refused(of, body), Some(expected), "{of:?} {start}");
}

fn refused(of: Operation, body: &str) -> Option<String> {
    understood::body(of, &mut body.as_bytes().to_vec()).err().map(|why| understood::refusal(&why))
}

fn object(fields: &[(&str, &str)]) -> String {
    let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

fn with(good: &[(&str, &str)], field: &str, value: &str) -> String {
    let mut fields: Vec<_> = good.iter().copied().filter(|(name, _)| *name != field).collect();
    fields.push((field, value));
    object(&fields)
}

fn without(good: &[(&str, &str)], field: &str) -> String {
    let fields: Vec<_> = good.iter().copied().filter(|(name, _)| *name != field).collect();
    object(&fields)
}

/// The same key, spelled with an escape.
fn escaped(field: &str) -> String {
    format!("\\u{:04x}{}", field.as_bytes()[0], &field[1..])
}

#[test]
fn a_batch_is_all_or_nothing_and_says_which() {
    let of = Operation::PublishBatch;
    let check = |messages: &str, expected: &str| {
        let body = format!("{{\"messages\":{messages}}}");
        assert_eq!(
            refused(of, &body).as_deref(),
            Some(expected),
            "{}",
            &body[..body.len().min(99)]
        );
    };
    let good = r#"{"channel":"a","event":"e","data":1}"#;
    for (value, what) in [
        (r#"{"event":"e","data":1}"#, r#""channel" is required"#),
        (r#"{"channel":null,"event":"e","data":1}"#, r#""channel" is required"#),
        (r#"{"channel":"a","data":1}"#, r#""event" is required"#),
        (r#"{"channel":"a","event":"e"}"#, r#""data" is required"#),
        (r#"{"channel":7,"event":"e","data":1}"#, r#""channel" must be a string"#),
        (r#"{"channel":"","event":"e","data":1}"#, r#""channel" must not be empty"#),
        (
            r#"{"channel":"a","event":"\n","data":1}"#,
            r#""event" has a control character at byte 0"#,
        ),
        (r#"{"channel":"a","event":"e","data":1,"persist":1}"#, r#""persist" must be a boolean"#),
        (r#"{"channel":"a","event":"e","data":1,"data":2}"#, r#""data" came more than once"#),
        (
            r#"{"channel":"a","name":"b","event":"e","data":1}"#,
            r#""channel" and "name" are the same field and differ"#,
        ),
        ("1", r#""message" must be an object"#),
        ("null", r#""message" must be an object"#),
        ("[]", r#""message" must be an object"#),
    ] {
        for at in [0, 1, 99] {
            let mut messages = vec![good; 100];
            messages[at] = value;
            let expected = format!("400 INVALID_REQUEST messages[{at}]: {what}");
            check(&format!("[{}]", messages.join(",")), &expected);
        }
    }
    check(
        &format!(
            "[{good},{{\"channel\":\"a\",\"event\":\"e\",\"data\":\"{}\"}}]",
            "x".repeat(65_535)
        ),
        "413 PAYLOAD_TOO_LARGE messages[1]: Payload over limit: 65536 bytes",
    );
    check(
        &format!("[{}]", vec![good; 101].join(",")),
        "400 INVALID_REQUEST \"messages\" may have 100 items",
    );
    check("{}", "400 INVALID_REQUEST \"messages\" must be an array");
    check("\"[]\"", "400 INVALID_REQUEST \"messages\" must be an array");
    check("null", "400 INVALID_REQUEST \"messages\" is required");
    check(&format!("[{good},]"), "400 INVALID_REQUEST Invalid JSON");
    check(&format!("[{good}"), "400 INVALID_REQUEST Invalid JSON");
    let deep = format!("[{{\"data\":{}}}]", "[".repeat(10_000));
    check(&deep, "400 INVALID_REQUEST JSON nests deeper than 32 levels");
    let all = format!("{{\"messages\":[{}]}}", vec![good; 100].join(","));
    assert_eq!(refused(of, &all), None);
}

#[test]
fn limits_end_where_they_say() {
    let publish = |bytes: usize| {
        format!(r#"{{"channel":"a","event":"e","data":"{}"}}"#, "x".repeat(bytes - 2))
    };
    for bytes in [65_535, 65_536] {
        assert_eq!(refused(Operation::Publish, &publish(bytes)), None);
    }
    let expected = "413 PAYLOAD_TOO_LARGE Payload over limit: 65536 bytes";
    assert_eq!(refused(Operation::Publish, &publish(65_537)).as_deref(), Some(expected));
    for (name, bytes) in [("channel", 200), ("event", 200), ("idempotency_key", 128)] {
        let good = [("channel", "\"a\""), ("event", "\"e\""), ("data", "1")];
        let longest = format!("\"{}\"", "n".repeat(bytes));
        assert_eq!(refused(Operation::Publish, &with(&good, name, &longest)), None, "{name}");
    }
    for (ttl, expected) in [
        ("1", "ttl=1 "),
        ("86399", "ttl=86399 "),
        ("86400", "ttl=86400 "),
        ("86401", "ttl=86400 "),
        ("9223372036854775808", "ttl=86400 "),
        ("99999999999999999999999999", "ttl=86400 "),
        ("null", "ttl=3600 "),
    ] {
        let mut body = format!("{{\"ttl_seconds\":{ttl}}}").into_bytes();
        let meaning = understood::body(Operation::TokenIssue, &mut body).unwrap();
        assert!(meaning.contains(expected), "{ttl}: {meaning}");
    }
    let hundred = format!("{{\"channels\":[{}]}}", vec!["\"a\""; 100].join(","));
    assert_eq!(refused(Operation::TokenIssue, &hundred), None);
}

#[test]
fn what_is_no_object_is_refused_by_every_call() {
    for table in TABLES {
        for body in ["[]", "1", "\"a\"", "null", "{}{}", "{", "\u{feff}{}", "channel=a"] {
            check(table.of, body, "Invalid JSON");
        }
        let latin = &mut b"{\"x\":\"\xe9\"}".to_vec();
        let refused = understood::body(table.of, latin).unwrap_err();
        assert_eq!(refused, protocol::Rejection::InvalidJson, "{:?}", table.of);
    }
    for of in [Operation::Publish, Operation::ChannelCreate, Operation::UserDisconnect] {
        check(of, "", "Invalid JSON");
    }
}
