//! InsForge: the bodies of the calls under `/api/realtime`.

use super::{Call, Caller, insforge_paths, values};

/// A value, and what is said of it.
pub(super) type Wrong = (String, String);

pub(super) const CHANNELS: &str = "/api/realtime/channels";
pub(super) const ONE: &str = "/api/realtime/channels/018e6658-27a7-7abc-8def-0123456789ab";
pub(super) const CONFIG: &str = "/api/realtime/config";
pub(super) const PERMISSIONS: &str = "/api/realtime/permissions";

const REQUEST: &str = "REALTIME_INVALID_CHANNEL_REQUEST";
const PATTERN: &str = "REALTIME_INVALID_CHANNEL_PATTERN";
pub(super) const INPUT: &str = "INVALID_INPUT";

const GRAMMAR: &str =
    "Invalid channel pattern. Use alphanumeric characters, colons, hyphens, and % for wildcards.";
const NO_PATTERNS: [&str; 11] =
    ["%", "*", "test-%", "order:", ":x", "a_b", "a:_", "é", "a b", "a/b", "a\\u0000"];

/// Every refused call.
pub(crate) fn insforge_calls() -> Vec<Call> {
    let mut calls = Vec::new();
    for (method, path) in [("POST", CHANNELS), ("PUT", ONE)] {
        calls.extend(channels(method, path));
    }
    calls.extend(retention());
    calls.extend(permissions());
    calls.extend(insforge_paths::calls());
    calls
}

/// A call of an administrator.
pub(super) fn call(
    method: &'static str,
    target: &str,
    body: Option<String>,
    expected: String,
) -> Call {
    let (caller, target) = (Caller::Administrator, target.to_owned());
    Call { caller, method, target, header: None, body, expected }
}

/// What is said of every value of another type than this, at a place.
fn other_types(place: &str, wanted: &str) -> Vec<Wrong> {
    let all = [
        ("7", "number"),
        ("true", "boolean"),
        ("null", "null"),
        ("[\"x\"]", "array"),
        ("{\"x\":1}", "object"),
        ("\"x\"", "string"),
    ];
    let wrong = all.into_iter().filter(|(_, kind)| *kind != wanted);
    let told = |(value, kind): (&str, &str)| {
        (value.to_owned(), format!("{place}: Expected {wanted}, received {kind}"))
    };
    wrong.map(told).collect()
}

fn no_text(place: &str) -> Vec<Wrong> {
    let mut values = other_types(place, "string");
    let half = format!("{place}: String must be valid Unicode");
    values.extend(["\"\\ud800\"", "\"a\\udc00b\""].map(|it| (it.to_owned(), half.clone())));
    values
}

/// What no body of JSON is, and a field that comes twice.
fn no_object(field: &str, list: &str) -> Vec<Wrong> {
    let broken = "Invalid JSON in request body";
    let mut all: Vec<Wrong> =
        ["1", "\"a\"", "null", "{}{}", "{", "\u{feff}{}", "pattern=a", "[1", "{\"a\":}"]
            .map(|it| (it.to_owned(), format!("{INPUT} {broken}")))
            .into();
    all.push(("[]".to_owned(), format!("{list} : Expected object, received array")));
    for (value, what) in values::everywhere(field) {
        let what = if what == "Invalid JSON" { broken } else { &what };
        all.push((format!("{{\"{field}\":{value}}}"), format!("{INPUT} {what}")));
    }
    all.extend(values::twice(field).into_iter().map(|(it, what)| (it, format!("{INPUT} {what}"))));
    all
}

fn channels(method: &'static str, path: &'static str) -> Vec<Call> {
    let (is_new, good) = (method == "POST", [("pattern", "\"never:%\"")]);
    let mut all = Vec::new();
    let mut add = |field: &str, value: &str, what: String| {
        all.push((values::with(&good, field, value), what));
    };
    let text = |length: usize| format!("\"{}\"", "n".repeat(length));
    for (value, what) in no_text("pattern") {
        add("pattern", &value, format!("{REQUEST} {what}"));
    }
    let empty = match is_new {
        true => "Channel pattern is required",
        false => "String must contain at least 1 character(s)",
    };
    add("pattern", "\"\"", format!("{REQUEST} pattern: {empty}"));
    for text in NO_PATTERNS {
        add("pattern", &format!("\"{text}\""), format!("{PATTERN} {GRAMMAR}"));
    }
    let long = "Invalid channel pattern. It is over its limit: 201 of 200 bytes";
    add("pattern", &text(201), format!("{PATTERN} {long}"));
    for (value, what) in no_text("description") {
        add("description", &value, format!("{REQUEST} {what}"));
    }
    let long = "description: String must contain at most 1024 character(s)";
    add("description", &text(1025), format!("{REQUEST} {long}"));
    for (value, what) in no_urls() {
        add("webhookUrls", &value, format!("{REQUEST} {what}"));
    }
    for (value, what) in other_types("enabled", "boolean") {
        add("enabled", &value, format!("{REQUEST} {what}"));
    }
    for field in ["pattern", "description", "webhookUrls", "enabled"] {
        all.extend(no_object(field, REQUEST));
    }
    if is_new {
        let absent = format!("{REQUEST} pattern: Required");
        all.push(("{}".to_owned(), absent.clone()));
        all.push(("{\"description\":\"x\",\"patern\":\"a\"}".to_owned(), absent));
    }
    // All that is wrong is said at once.
    let wrong = r#"{"enabled":0,"webhookUrls":7,"description":[],"pattern":{}}"#;
    let told = "pattern: Expected string, received object, description: Expected string, received array, \
         webhookUrls: Expected array, received number, enabled: Expected boolean, received number";
    all.push((wrong.to_owned(), format!("{REQUEST} {told}")));
    let told = |(body, what): Wrong| call(method, path, Some(body), format!("400 {what}"));
    all.into_iter().map(told).collect()
}

fn no_urls() -> Vec<Wrong> {
    let mut all = other_types("webhookUrls", "array");
    let fine = "\"https://a.example/x\"";
    for (value, what) in other_types("webhookUrls.1", "string") {
        all.push((format!("[{fine},{value}]"), what));
    }
    for url in [
        "",
        "a.example",
        "ftp://a.example",
        "https://",
        "https://u@a.example",
        "https://u:p@a.example/",
        "https://a.example:65536",
        "https://a b",
        "https://a\\u000ab",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "\\ud800",
    ] {
        all.push((format!("[{fine},\"{url}\"]"), "webhookUrls.1: Invalid url".to_owned()));
    }
    let many = format!("[{}]", [fine; 11].join(","));
    all.push((many, "webhookUrls: Array must contain at most 10 element(s)".to_owned()));
    let long = format!("[\"https://a.example/{}\"]", "x".repeat(2048 - 17));
    let told = "webhookUrls.0: String must contain at most 2048 character(s)";
    all.push((long, told.to_owned()));
    all
}

fn retention() -> Vec<Call> {
    const FIELD: &str = "retentionDays";
    let told = |it: &str| format!("{FIELD}: {it}");
    let (float, over) =
        ("Expected integer, received float", "Number must be less than or equal to 36500");
    let mut all = other_types(FIELD, "number");
    all.retain(|(value, _)| value != "null");
    for value in ["0", "-0", "-1", "-9223372036854775809", "0.0"] {
        all.push((value.to_owned(), told("Number must be greater than 0")));
    }
    for value in ["1.5", "36499.5", "1e-1"] {
        all.push((value.to_owned(), told(float)));
    }
    for value in ["36501", "1e5", "18446744073709551616"] {
        all.push((value.to_owned(), told(over)));
    }
    all.push((
        "-0.5".to_owned(),
        format!("{}, {}", told(float), told("Number must be greater than 0")),
    ));
    all.push(("1e999".to_owned(), format!("{}, {}", told(float), told(over))));
    let field =
        |(value, what): Wrong| (format!("{{\"{FIELD}\":{value}}}"), format!("{INPUT} {what}"));
    let mut bodies = no_object(FIELD, INPUT);
    bodies.extend(all.into_iter().map(field));
    for body in ["{}", "{\"retention_days\":1}"] {
        bodies.push((body.to_owned(), format!("{INPUT} {}", told("Required"))));
    }
    let told = |(body, what): Wrong| call("PATCH", CONFIG, Some(body), format!("400 {what}"));
    bodies.into_iter().map(told).collect()
}

fn permissions() -> Vec<Call> {
    let mut all = Vec::new();
    for section in ["subscribe", "publish"] {
        all.extend(no_object(section, INPUT));
        let mut add = |value: &str, what: String| {
            all.push((format!("{{\"{section}\":{value}}}"), format!("{INPUT} {what}")));
        };
        other_types(section, "object").into_iter().for_each(|(value, what)| add(&value, what));
        let list = format!("{section}.policies");
        for (value, what) in other_types(&list, "array") {
            add(&format!("{{\"policies\":{value}}}"), what);
        }
        let twice = "\"policies\" came more than once";
        add("{\"policies\":[],\"policies\":[]}", twice.to_owned());
        for (policy, what) in no_policies(&format!("{list}.1")) {
            let fine = r#"{"policyName":"fine","using":"true"}"#;
            add(&format!("{{\"policies\":[{fine},{policy}]}}"), what);
        }
        let policy = |name: usize| format!(r#"{{"policyName":"p{name}","using":"true"}}"#);
        let many: Vec<_> = (0..201).map(policy).collect();
        let told = format!("{list}: Array must contain at most 200 element(s)");
        add(&format!("{{\"policies\":[{}]}}", many.join(",")), told);
    }
    let policies = |from: usize| {
        let policy = |name: usize| format!(r#"{{"policyName":"p{name}","using":"true"}}"#);
        format!(
            "{{\"policies\":[{}]}}",
            (from..from + 101).map(policy).collect::<Vec<_>>().join(",")
        )
    };
    let both = format!("{{\"subscribe\":{},\"publish\":{}}}", policies(0), policies(101));
    all.push((both, format!("{INPUT} publish.policies.99.policyName: more than 200 policies")));
    let told = |(body, what): Wrong| call("PUT", PERMISSIONS, Some(body), format!("400 {what}"));
    all.into_iter().map(told).collect()
}

/// Policies that are none, where a fine one stands before them.
fn no_policies(place: &str) -> Vec<Wrong> {
    let good = [("policyName", "\"never\""), ("using", "\"true\"")];
    let mut all: Vec<Wrong> = ["7", "null", "[]", "\"x\"", "true"]
        .map(|it| (it.to_owned(), format!("{place}: Expected object")))
        .into();
    for field in ["policyName", "pattern", "using"] {
        let mut values = no_text(&format!("{place}.{field}"));
        values.retain(|(value, _)| value != "null");
        let whole = |(value, what): Wrong| (values::with(&good, field, &value), what);
        all.extend(values.into_iter().map(whole));
        let twice = format!("{{\"{field}\":\"a\",\"{field}\":\"b\"}}");
        all.push((twice, format!("{place}: A key came more than once")));
    }
    let mut add = |field: &str, value: &str, what: &str| {
        all.push((values::with(&good, field, value), format!("{place}.{field}: {what}")));
    };
    add("policyName", "null", "Required");
    add("policyName", "\"\"", "has 0 of 1 to 128 bytes");
    add("policyName", &format!("\"{}\"", "n".repeat(129)), "has 129 of 1 to 128 bytes");
    add("policyName", "\"fine\"", "\"fine\" came before");
    add("using", "null", "Required");
    add("using", &format!("\"{}\"", "t".repeat(1025)), "is over its limit: 1025 of 1024 bytes");
    add("withCheck", "\"false\"", "Differs from using");
    for text in NO_PATTERNS {
        add("pattern", &format!("\"{text}\""), GRAMMAR);
    }
    let long = "Invalid channel pattern. It is over its limit: 201 of 200 bytes";
    add("pattern", &format!("\"{}\"", "n".repeat(201)), long);
    for value in ["[\"root\"]", "[\"\"]", "[\"anon\",\"Anon\"]"] {
        add("roles", value, "Use anon, authenticated, project_admin or public");
    }
    for value in ["[7]", "[null]", "[\"anon\",{}]", "[\"\\ud800\"]"] {
        add("roles", value, "Expected strings");
    }
    let mut roles = other_types(&format!("{place}.roles"), "array");
    roles.retain(|(value, _)| value != "null");
    all.extend(roles.into_iter().map(|(value, what)| (values::with(&good, "roles", &value), what)));
    all
}
