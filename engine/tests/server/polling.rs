//! Socket.IO over long polling: sessions, payloads, waiting, the end of each, and the move to a WebSocket.

use serde_json::Value;

use super::admin;
use super::node::Node;
use super::raw::{Raw, frame, open};

const PATH: &str = "/socket.io/?EIO=4&transport=polling";
const UNKNOWN: &str = r#"{"code":1,"message":"Session ID unknown"}"#;
const BAD: &str = r#"{"code":3,"message":"Bad request"}"#;

/// A client that polls, on two connections as browsers do.
struct Client {
    polls: Raw,
    posts: Raw,
    sid: String,
}

/// The next answer: its head and its body.
fn answer(raw: &mut Raw) -> (String, String) {
    let head = raw.read_until("\r\n\r\n");
    let length = head.split("Content-Length: ").nth(1).map(|it| it.split("\r\n").next().unwrap());
    let body = raw.read_exactly(length.map_or(0, |it| it.parse().unwrap()));
    (head, body)
}

fn get(sid: &str) -> String {
    format!("GET {PATH}&sid={sid} HTTP/1.1\r\nHost: a\r\nOrigin: https://page.example\r\n\r\n")
}

fn post(sid: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {PATH}&sid={sid} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
}

impl Client {
    fn open(node: &Node) -> Self {
        let mut polls = Raw::open(node);
        polls.send(format!("GET {PATH} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let (head, body) = answer(&mut polls);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("Content-Type: text/plain; charset=UTF-8\r\n"), "{head}");
        let packet: Value = serde_json::from_str(body.strip_prefix('0').unwrap()).unwrap();
        assert_eq!(packet["upgrades"], serde_json::json!(["websocket"]));
        let sid = packet["sid"].as_str().unwrap().to_owned();
        Self { polls, posts: Raw::open(node), sid }
    }

    /// The same, let in.
    fn connect(node: &Node) -> Self {
        let mut client = Self::open(node);
        client.say(&connect(node));
        assert!(client.hear().starts_with("40{\"sid\":\""));
        client
    }

    fn say(&mut self, packets: &str) {
        self.posts.send(post(&self.sid, packets));
        let (head, body) = answer(&mut self.posts);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && body == "ok", "{head}{body}");
    }

    fn wait(&mut self) {
        self.polls.send(get(&self.sid));
    }

    fn heard(&mut self) -> String {
        let (head, body) = answer(&mut self.polls);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}{body}");
        body
    }

    fn hear(&mut self) -> String {
        self.wait();
        self.heard()
    }

    /// Whether the session is known no more.
    fn is_unknown(&mut self, node: &Node) -> bool {
        let mut raw = Raw::open(node);
        raw.send(get(&self.sid));
        answer(&mut raw).1 == UNKNOWN
    }
}

fn connect(node: &Node) -> String {
    let key = node.ready()["tenants"][0]["anon_key"].as_str().unwrap();
    format!("40{{\"token\":\"{key}\"}}")
}

#[test]
fn a_client_that_polls_is_let_in_whichever_shard_its_connections_come_to() {
    let node = Node::ephemeral();
    for _ in 0..12 {
        let mut client = Client::connect(&node);
        client.say("40{}\u{1e}3");
        // It asked twice: the session ends.
        assert_eq!(client.hear(), "1");
        assert!(client.is_unknown(&node));
    }
    let mut client = Client::open(&node);
    client.say(r#"40{"token":"anon_wrong"}"#);
    assert_eq!(client.hear(), r#"44{"message":"Invalid anon key"}"#);
    client.say(&connect(&node));
    assert!(client.hear().starts_with("40{"));
    node.stop();
}

#[test]
fn a_poll_waits_for_what_comes() {
    let node = Node::ephemeral();
    let mut client = Client::open(&node);
    for _ in 0..3 {
        client.wait();
        client.say(r#"40{"token":"x"}"#);
        assert_eq!(client.heard(), r#"44{"message":"Invalid token"}"#);
    }
    // What comes while nobody waits comes together.
    client.say("40{}");
    client.say("40{}");
    let none = r#"44{"message":"No authentication provided"}"#;
    assert_eq!(client.hear(), format!("{none}\u{1e}{none}"));
    // A post that follows its packets closely is answered behind all of them.
    client.say(&["40{}"; 100].join("\u{1e}"));
    // Each poll gets what python-engineio takes at once, and the next one what is left.
    for count in [16, 16, 16, 16, 16, 16, 4] {
        assert_eq!(client.hear(), vec![none; count].join("\u{1e}"));
    }
    node.stop();
}

#[test]
fn a_session_is_pinged_and_ends_without_an_answer() {
    let flags = ["--limits-engineio-ping-interval-ms", "300", "--limits-engineio-ping-timeout-ms"];
    let node = Node::with(&[&["--ephemeral", "--shards", "2"], &flags[..], &["300"]].concat());
    let mut client = Client::connect(&node);
    for _ in 0..3 {
        assert_eq!(client.hear(), "2");
        client.say("3");
    }
    assert_eq!(client.hear(), "2");
    assert_eq!(client.hear(), "1");
    assert!(client.is_unknown(&node));
    // Who does not even poll is gone as well.
    let mut silent = Client::connect(&node);
    while !silent.is_over(&node) {}
    node.stop();
}

impl Client {
    /// Whether its session has ended; the last words are fetched with the question.
    fn is_over(&mut self, node: &Node) -> bool {
        super::node::pause(std::time::Duration::from_millis(700));
        let mut raw = Raw::open(node);
        raw.send(get(&self.sid));
        let (_, body) = answer(&mut raw);
        body.ends_with('1') || body == UNKNOWN
    }
}

#[test]
fn a_session_ends_by_whoever_ends_it() {
    let node = Node::ephemeral();
    // The client says so, while its poll waits.
    let mut client = Client::connect(&node);
    client.wait();
    client.say("1");
    assert_eq!(client.heard(), "1");
    assert!(client.is_unknown(&node));
    // Its poll is cut: so is it.
    let mut client = Client::connect(&node);
    client.wait();
    let sid = client.sid.clone();
    drop(client.polls);
    let mut raw = Raw::open(&node);
    loop {
        raw.send(post(&sid, "3"));
        let (_, body) = answer(&mut raw);
        if body == UNKNOWN {
            break;
        }
        assert_eq!(body, "ok");
    }
    // Two polls at once.
    let mut client = Client::connect(&node);
    client.wait();
    let mut raw = Raw::open(&node);
    raw.send(get(&client.sid));
    assert_eq!(answer(&mut raw).1, BAD);
    assert_eq!(client.heard(), "1");
    // What is no packet.
    for body in ["x", "", "2"] {
        let mut client = Client::connect(&node);
        client.posts.send(post(&client.sid, body));
        answer(&mut client.posts);
        assert_eq!(client.hear(), "1", "{body:?}");
        assert!(client.is_unknown(&node));
    }
    node.stop();
    // The node ends. It has one shard: once it answered what was said later, it has read the poll.
    let node = Node::with(&["--ephemeral", "--shards", "1"]);
    let mut client = Client::connect(&node);
    client.wait();
    client.say("3");
    node.signal(rustix::process::Signal::TERM);
    let last = client.heard();
    assert!(last.starts_with("42[\"notification\",") && last.ends_with("\u{1e}1"), "{last}");
    node.stop();
}

#[test]
fn what_engine_io_does_not_have_is_refused_in_its_words() {
    let node = Node::ephemeral();
    let mut client = Client::connect(&node);
    let mut raw = Raw::open(&node);
    let mut ask = |line: &str| {
        raw.send(format!("{line} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
        let (head, body) = answer(&mut raw);
        format!("{} {body}", &head[9..12])
    };
    let version = r#"400 {"code":5,"message":"Unsupported protocol version"}"#;
    assert_eq!(ask("GET /socket.io/?EIO=3&transport=polling"), version);
    assert_eq!(ask("GET /socket.io/?EIO=4"), r#"400 {"code":0,"message":"Transport unknown"}"#);
    let method = r#"400 {"code":2,"message":"Bad handshake method"}"#;
    assert_eq!(ask(&format!("POST {PATH}")), method);
    assert_eq!(ask(&format!("GET {PATH}&sid=nobody")), format!("400 {UNKNOWN}"));
    assert_eq!(ask(&format!("PUT {PATH}"))[..3], *"405");
    // HEAD takes nothing.
    client.say("40{}");
    raw.send(format!("HEAD {PATH}&sid={} HTTP/1.1\r\nHost: a\r\n\r\n", client.sid));
    assert!(raw.read_until("\r\n\r\n").starts_with("HTTP/1.1 400"));
    node.stop();
    let node = Node::with(&["--ephemeral", "--limits-polling-sessions-max", "0"]);
    let mut raw = Raw::open(&node);
    raw.send(format!("GET {PATH} HTTP/1.1\r\nHost: a\r\n\r\n"));
    let (head, body) = answer(&mut raw);
    assert!(head.starts_with("HTTP/1.1 503") && body.contains("polling_sessions_max"), "{body}");
    node.stop();
}

#[test]
fn pages_of_other_origins_may_poll_with_credentials() {
    let node = Node::ephemeral();
    let mut raw = Raw::open(&node);
    let origin = "Host: a\r\nOrigin: https://page.example\r\n";
    raw.send(format!("GET {PATH} HTTP/1.1\r\n{origin}\r\n"));
    let allowed = "Access-Control-Allow-Origin: https://page.example\r\n\
                   Access-Control-Allow-Credentials: true\r\nVary: Origin\r\n";
    assert!(answer(&mut raw).0.contains(allowed));
    raw.send(format!("GET {PATH}&sid=x HTTP/1.1\r\n{origin}\r\n"));
    assert!(answer(&mut raw).0.contains(allowed));
    raw.send(format!(
        "OPTIONS {PATH} HTTP/1.1\r\n{origin}Access-Control-Request-Method: POST\r\n\r\n"
    ));
    let head = raw.read_until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 204") && head.contains(allowed), "{head}");
    assert!(head.contains("X-API-Key"), "{head}");
    // Calls take no cookies: a page is told so before it makes one with them.
    let call = "/api/realtime/channels";
    raw.send(format!(
        "OPTIONS {call} HTTP/1.1\r\n{origin}Access-Control-Request-Method: POST\r\n\r\n"
    ));
    let head = raw.read_until("\r\n\r\n");
    let open = "Access-Control-Allow-Origin: *\r\n";
    assert!(head.contains(open) && !head.contains("Allow-Credentials"), "{head}");
    raw.send(format!("GET {call} HTTP/1.1\r\n{origin}\r\n"));
    let (head, _) = answer(&mut raw);
    assert!(head.contains(open) && !head.contains("Allow-Credentials"), "{head}");
    node.stop();
}

/// The handshake says how large a payload may be. What a message may have is less, and a client is told so; nothing else is lost.
#[test]
fn a_payload_over_its_limit_is_refused_and_the_session_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let node = admin::start(folder.path(), 2);
    let pattern = serde_json::json!({"pattern": "room"});
    let made = admin::call(&node, "POST", admin::CHANNELS, Some(&pattern));
    assert_eq!(made.status, 201, "{}", made.body);
    let publish = |bytes: usize| {
        let argument = format!(
            r#"{{"channel":"room","event":"e","payload":{{"x":"{}"}}}}"#,
            "x".repeat(bytes)
        );
        format!("42[\"realtime:publish\",{argument}]")
    };
    let enter = format!("40{{\"token\":\"{}\"}}", admin::ANON);
    let subscribe = r#"420["realtime:subscribe",{"channel":"room"}]"#;
    let refused = |text: &str| {
        assert!(text.starts_with("42[\"realtime:error\",{\"channel\":\"room\","), "{text}");
        assert!(text.contains("65536") && text.contains("\"code\":"), "{text}");
    };
    let echoed = |text: &str| assert!(text.starts_with("42[\"e\",{\"x\":\"xxxxx\","), "{text}");
    let mut socket = open(&node, "/socket.io/?EIO=4&transport=websocket");
    assert!(socket.read_frame().contains("\"maxPayload\":1000000"));
    socket.send([frame(&enter), frame(subscribe)].concat());
    assert!(socket.read_frame().starts_with("40{") && socket.read_frame().starts_with("430["));
    for bytes in [100_000, 999_000] {
        socket.send([frame(&publish(bytes)), frame(&publish(5))].concat());
        refused(&socket.read_frame());
        echoed(&socket.read_frame());
    }
    // The largest that it may be, and what is too large for any.
    socket.send(frame(&publish(65_536 - r#"{"x":""}"#.len())));
    assert!(socket.read_until("xxx\",\"meta\":").len() > 65_000);
    socket.read_until("}]");
    socket.send(frame(&publish(1_000_000)));
    let closed = socket.read_to_end_lossy();
    assert!(closed.contains("message over its limit: maxPayload"), "{closed:?}");
    let mut client = Client::open(&node);
    client.say(&format!("{enter}\u{1e}{subscribe}"));
    while !client.hear().contains("430[") {}
    client.say(&format!("{}\u{1e}{}", publish(100_000), publish(5)));
    let heard = client.hear();
    let (first, second) = heard.split_once('\u{1e}').unwrap_or((&heard, ""));
    refused(first);
    echoed(&if second.is_empty() { client.hear() } else { second.to_owned() });
    // One is read to its end, of the other no more than its head.
    let long = "Host: a\r\nContent-Length: 2000000\r\n\r\n";
    let long = format!("POST {PATH}&sid={} HTTP/1.1\r\n{long}", client.sid);
    for (bytes, max) in [
        (post(&client.sid, &publish(1_000_000)), "1000000"),
        (long, "the body is over its limit: body_bytes_max"),
    ] {
        client.posts.send(bytes);
        let (head, body) = answer(&mut client.posts);
        assert!(head.starts_with("HTTP/1.1 413 ") && body.contains(max), "{head}{body}");
    }
    client.posts = Raw::open(&node);
    client.say(&publish(5));
    echoed(&client.hear());
    node.stop();
}

#[test]
fn a_session_moves_to_a_websocket_with_what_waits_for_it() {
    let node = Node::ephemeral();
    for _ in 0..12 {
        let mut client = Client::connect(&node);
        let sid = client.sid.clone();
        client.wait();
        let mut socket = open(&node, &format!("/socket.io/?EIO=4&transport=websocket&sid={sid}"));
        socket.send(frame("2probe"));
        assert_eq!(socket.read_frame(), "3probe");
        assert_eq!(client.heard(), "6");
        // While it moves, polls do not wait.
        assert_eq!(client.hear(), "6");
        client.say("41\u{1e}40{}");
        socket.send([frame("5"), frame("40{}")].concat());
        let none = r#"44{"message":"No authentication provided"}"#;
        assert_eq!(socket.read_frame(), none);
        assert_eq!(socket.read_frame(), none);
        assert!(client.is_unknown(&node));
        socket.send(frame(&connect(&node)));
        assert!(socket.read_frame().starts_with("40{"));
    }
    // A WebSocket that says something else does not end the session.
    let mut client = Client::connect(&node);
    let target = format!("/socket.io/?EIO=4&transport=websocket&sid={}", client.sid);
    let mut socket = open(&node, &target);
    socket.send(frame("40{}"));
    assert!(socket.try_read_until("not a probe").is_some());
    // Nor does it keep polls from waiting.
    for _ in 0..3 {
        client.wait();
        client.say("41");
        client.say("40{}");
        assert_eq!(client.heard(), r#"44{"message":"No authentication provided"}"#);
        client.say(&connect(&node));
        assert!(client.hear().starts_with("40{"));
    }
    client.say("40{}");
    assert_eq!(client.hear(), "1");
    node.stop();
}
