//! InsForge: the frames of `/realtime`, and the messages of Socket.IO.

use super::Frame;
use super::values::{self, Takes};

/// A field, whether it is needed, and what it takes.
type Field = (&'static str, bool, Takes);
/// The fields of something that is fine.
type Good<'a> = &'a [(&'a str, &'a str)];

const CHANNEL: Field = ("channel", true, Takes::Name(200));
const EVENT: Field = ("event", true, Takes::Name(200));

/// What only the server says, or Socket.IO keeps for itself.
const RESERVED: [&str; 9] = [
    "presence:join",
    "presence:",
    "realtime:error",
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];

/// Every refused frame of the documents' wire: what is said.
pub(crate) fn insforge_plain_frames() -> Vec<Frame> {
    let good = |kind: &'static str| [("type", kind), ("channel", "\"never\"")];
    let publish =
        [("type", "\"publish\""), ("channel", "\"never\""), ("event", "\"e\""), ("payload", "1")];
    let track = [("type", "\"track\""), ("channel", "\"never\""), ("state", "{}")];
    let (subscribe, unsubscribe) = (good("\"subscribe\""), good("\"unsubscribe\""));
    let untrack = good("\"untrack\"");
    let auth = [("type", "\"auth\""), ("token", "\"x\"")];
    let tables: [(Good<'_>, &[Field]); 6] = [
        (&auth, &[("token", true, Takes::Credential)]),
        (&subscribe, &[CHANNEL, ("filter", false, Takes::Object)]),
        (&unsubscribe, &[CHANNEL]),
        (&publish, &[CHANNEL, EVENT, ("payload", true, Takes::Json)]),
        (&track, &[CHANNEL, ("state", true, Takes::Object)]),
        (&untrack, &[CHANNEL]),
    ];
    let mut frames = Vec::new();
    for (good, fields) in tables {
        for (field, is_needed, takes) in fields {
            let wrong = values::wrong(*takes, field).into_iter().chain(values::everywhere(field));
            frames.extend(wrong.map(|(value, what)| (values::with(good, field, &value), what)));
            frames.extend(values::twice(field));
            if *is_needed {
                let absent = format!("\"{field}\" is required");
                frames.push((values::without(good, field), absent.clone()));
                let takes_null = matches!(takes, Takes::Json);
                frames.extend((!takes_null).then(|| (values::with(good, field, "null"), absent)));
            }
        }
    }
    for (field, takes) in [("event", Takes::Name(200)), ("schema", Takes::Name(200))] {
        for (value, what) in values::wrong(takes, field) {
            let filter = values::object(&[(field, &value)]);
            frames.push((values::with(&subscribe, "filter", &filter), what));
        }
        let twice = format!("{{\"{field}\":\"a\",\"{field}\":\"b\"}}");
        let what = format!("\"{field}\" came more than once");
        frames.push((values::with(&subscribe, "filter", &twice), what));
    }
    frames.extend(odd_plain_frames());
    frames
}

/// What is wrong with the name of an event, the size of a state, and the kind of a frame.
fn odd_plain_frames() -> Vec<Frame> {
    let publish =
        [("type", "\"publish\""), ("channel", "\"never\""), ("event", "\"e\""), ("payload", "1")];
    let track = [("type", "\"track\""), ("channel", "\"never\""), ("state", "{}")];
    let mut frames = Vec::new();
    let mut add = |text: String, what: &str| frames.push((text, what.to_owned()));
    for name in RESERVED {
        let text = values::with(&publish, "event", &format!("\"{name}\""));
        add(text, "\"event\" must be a name that is not reserved");
    }
    let state = format!("{{\"a\":\"{}\"}}", "x".repeat(4096 - 7));
    add(values::with(&track, "state", &state), "Payload over limit: 4096 bytes");
    add("{}".to_owned(), "\"type\" is required");
    add("{\"type\":null}".to_owned(), "\"type\" is required");
    for value in ["7", "true", "[\"ping\"]", "{}", "\"\\ud800\""] {
        add(format!("{{\"type\":{value}}}"), "\"type\" must be a string");
    }
    for unknown in ["dance", "", "Ping", "auth_success", " ping"] {
        let what = format!("Unknown message type: \"{unknown}\"");
        add(format!("{{\"type\":\"{unknown}\"}}"), &what);
    }
    let long = "t".repeat(65);
    add(format!("{{\"type\":\"{long}\"}}"), &format!("Unknown message type: \"{}\"", &long[..64]));
    for text in ["", "[]", "null", "7", "ping", "{\"type\":\"ping\"}{}", "{\"type\":\"ping\"", "2"]
    {
        add(text.to_owned(), "Invalid JSON");
    }
    frames
}

/// What a wrong message comes to, once its client is in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// This is said, and the session goes on.
    Told(String),
    /// The session ends, for this.
    Closed(&'static str),
}

const NO_PACKET: Outcome = Outcome::Closed("not a packet of Socket.IO");
const OUT_OF_TURN: Outcome = Outcome::Closed("connect first, and once");

/// The answer to a subscribe with this id.
fn not_subscribed(id: &str, what: &str) -> Outcome {
    let what = what.replace('"', "\\\"");
    Outcome::Told(format!(
        "43{id}[{{\"ok\":false,\"channel\":\"\",\"error\":{{\"code\":\"INVALID_INPUT\",\"message\":\"{what}\"}}}}]"
    ))
}

/// What is said of a message that awaits no answer.
fn error(channel: &str, what: &str) -> Outcome {
    let what = what.replace('"', "\\\"");
    Outcome::Told(format!(
        "42[\"realtime:error\",{{\"channel\":\"{channel}\",\"code\":\"INVALID_INPUT\",\"message\":\"{what}\"}}]"
    ))
}

/// Every refused packet of a client that is in.
pub(crate) fn insforge_packets() -> Vec<(String, Outcome)> {
    let mut all = Vec::new();
    let named = [("channel", "\"never\"")];
    let publish = [("channel", "\"never\""), ("event", "\"e\""), ("payload", "1")];
    let events: [(&str, Good<'_>, &[Field]); 3] = [
        ("realtime:subscribe", &named, &[CHANNEL]),
        ("realtime:unsubscribe", &named, &[CHANNEL]),
        ("realtime:publish", &publish, &[CHANNEL, EVENT, ("payload", true, Takes::Json)]),
    ];
    for (name, good, fields) in events {
        // Only a subscribe is answered by its id.
        for id in ["", "7"] {
            let is_awaited = name == "realtime:subscribe" && !id.is_empty();
            let told = |channel: &str, what: &str| match is_awaited {
                true => not_subscribed(id, what),
                false => error(channel, what),
            };
            let mut refused = Vec::new();
            fields.iter().for_each(|it| refused.extend(no_arguments(good, it, &told)));
            for argument in ["null", "\"never\"", "7", "[]", "[{\"channel\":\"never\"}]"] {
                refused.push((argument.to_owned(), told("", "\"channel\" is required")));
            }
            let packet =
                |(it, outcome): (String, Outcome)| (format!("42{id}[\"{name}\",{it}]"), outcome);
            all.extend(refused.into_iter().map(packet));
            all.push((format!("42{id}[\"{name}\"]"), told("", "\"channel\" is required")));
        }
        let bytes = "\"payload\" must be JSON without binary attachments";
        all.push((format!("450-[\"{name}\",{{\"channel\":\"never\"}}]"), error("", bytes)));
    }
    for name in RESERVED {
        let argument = values::with(&publish, "event", &format!("\"{name}\""));
        let what = "\"event\" must be a name that is not reserved";
        all.push((format!("42[\"realtime:publish\",{argument}]"), error("never", what)));
    }
    all.extend(other_packets());
    all
}

/// What an argument may not say in a field, and what that comes to.
fn no_arguments(
    good: Good<'_>,
    (field, _, takes): &Field,
    told: &dyn Fn(&str, &str) -> Outcome,
) -> Vec<(String, Outcome)> {
    let heard = if *field == "channel" { "" } else { "never" };
    let mut all = Vec::new();
    for (value, what) in values::wrong(*takes, field) {
        all.push((values::with(good, field, &value), told(heard, &what)));
    }
    for (value, what) in values::everywhere(field) {
        let is_json = what != "Invalid JSON";
        let outcome = if is_json { told("", &what) } else { NO_PACKET };
        all.push((values::with(good, field, &value), outcome));
    }
    for (argument, what) in values::twice(field) {
        all.push((argument, told("", &what)));
    }
    let absent = format!("\"{field}\" is required");
    all.push((values::without(good, field), told(heard, &absent)));
    if !matches!(takes, Takes::Json) {
        all.push((values::with(good, field, "null"), told(heard, &absent)));
    }
    all
}

/// What is no event of a client.
fn other_packets() -> Vec<(String, Outcome)> {
    let long = format!("40/{},", "n".repeat(128));
    let digits = format!("42{}[\"x\"]", "1".repeat(16));
    let broken = [
        "4",
        "42",
        "42{}",
        "42[]",
        "42[null]",
        "42[\"x\"",
        "42[\"x\"]]",
        "42[\"x\",]",
        "42[\"connect\"]",
        "42[\"disconnecting\"]",
        "44{\"message\":\"no\"}",
        "45[\"x\"]",
        "4511-[\"x\"]",
        "45x-[\"x\"]",
        "47",
        "4x",
        "41{}",
        "40[]",
        "40\"x\"",
        "40{\"token\":\"a\",\"token\":\"b\"}",
        "40{\"token\"}",
        &long,
        &digits,
    ];
    let mut all: Vec<_> = broken.map(|it| (it.to_owned(), NO_PACKET)).into();
    for text in
        ["40", "40{}", "40{\"token\":\"x\"}", "41/admin,", "42/admin,[\"x\"]", "43/admin,1[]"]
    {
        all.push((text.to_owned(), OUT_OF_TURN));
    }
    for text in ["", "0", "7", "x", "[]", "{\"type\":\"ping\"}"] {
        all.push((text.to_owned(), Outcome::Closed("unknown packet type")));
    }
    all.push(("2".to_owned(), Outcome::Closed("only the server pings")));
    for name in ["/admin", "/a?x=1"] {
        let told = format!("44{name},{{\"message\":\"Invalid namespace\"}}");
        all.push((format!("40{name},{{}}"), Outcome::Told(told)));
    }
    all
}

/// What nobody is let in with: the argument of the connect, and what is said.
pub(crate) fn insforge_credentials() -> Vec<Frame> {
    let (nothing, token) = ("No authentication provided", "Invalid token");
    let (api, anon) = ("Invalid API key", "Invalid anon key");
    let all = [
        ("", nothing),
        ("{}", nothing),
        ("{\"token\":null}", nothing),
        ("{\"token\":\"\",\"apiKey\":\"\"}", nothing),
        ("{\"token\":false,\"apiKey\":0}", nothing),
        ("{\"Token\":\"x\"}", nothing),
        ("{\"token\":7}", token),
        ("{\"token\":true}", token),
        ("{\"token\":[]}", token),
        ("{\"token\":{}}", token),
        ("{\"token\":\"\\ud800\"}", token),
        ("{\"token\":\"x\"}", token),
        ("{\"token\":\"a.b.c\"}", token),
        ("{\"token\":\"anon_\"}", anon),
        ("{\"token\":\"anon_x\",\"apiKey\":null}", anon),
        ("{\"token\":\"ik_x\"}", api),
        ("{\"apiKey\":\"x\"}", api),
        ("{\"apiKey\":7,\"token\":\"x\"}", api),
        ("{\"apiKey\":{}}", api),
        ("{\"apiKey\":true}", api),
        ("{\"apiKey\":\"anon_x\",\"token\":\"x\"}", api),
    ];
    all.map(|(auth, what)| (auth.to_owned(), what.to_owned())).into()
}
