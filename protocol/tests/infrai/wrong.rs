//! What is refused that is no wrong value of one field; those are in `tests/wrong`.

use protocol::dialect::infrai::Operation;
use serde_json::json;

use crate::understood;

const WITH_BODIES: [Operation; 7] = [
    Operation::TokenIssue,
    Operation::TokenRevoke,
    Operation::ChannelCreate,
    Operation::ChannelDelete,
    Operation::Publish,
    Operation::UserDisconnect,
    Operation::AuthSign,
];

fn refused(of: Operation, body: &str) -> Option<String> {
    understood::body(of, &mut body.as_bytes().to_vec()).err().map(|why| understood::refusal(&why))
}

fn check(of: Operation, body: &str, message: &str) {
    let expected = format!("400 INVALID_REQUEST {message}");
    let start = &body[..body.len().min(200)];
    assert_eq!(refused(of, body), Some(expected), "{of:?} {start}");
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
        let longest = "n".repeat(bytes);
        let body = json!({"channel": "a", "event": "e", "data": 1, name: longest}).to_string();
        assert_eq!(refused(Operation::Publish, &body), None, "{name}");
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
    for of in WITH_BODIES {
        for body in ["[]", "1", "\"a\"", "null", "{}{}", "{", "\u{feff}{}", "channel=a"] {
            check(of, body, "Invalid JSON");
        }
        let latin = &mut b"{\"x\":\"\xe9\"}".to_vec();
        let refused = understood::body(of, latin).unwrap_err();
        assert_eq!(refused, protocol::Rejection::InvalidJson, "{of:?}");
    }
    for of in [Operation::Publish, Operation::ChannelCreate, Operation::UserDisconnect] {
        check(of, "", "Invalid JSON");
    }
}
