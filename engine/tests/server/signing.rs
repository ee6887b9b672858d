//! `auth.sign` for Pusher and Ably over HTTP: what a running node answers, judged by those vendors' own SDKs.

use std::fs;

use serde_json::{Value, json};

use super::node::{Node, run, stentor};
use super::server::{Server, data};
use super::tools::judge;

const PUSHER_KEY: &str = "278d425bdf160c739803";
const PUSHER_SECRET: &str = "7ad3773142a6692b25b8";
const MASTER_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const ABLY_KEY: &str = "xVLyHw.3-pAYw:VERYsecretKEY0123456789";
const SIGN: &str = "/v1/realtime/auth/sign";

/// The tables of vendors, as a tenant has them.
fn vendors(prefix: &str) -> String {
    format!(
        "[{prefix}pusher]\napp_id = \"3\"\nkey = \"{PUSHER_KEY}\"\nsecret = \"{PUSHER_SECRET}\"\n\
         encryption_master_key_base64 = \"{MASTER_KEY}\"\n[{prefix}ably]\nkey = \"{ABLY_KEY}\"\n"
    )
}

const TENANTS: &str = r#"
[[tenant]]
name = "none"
[tenant.infrai]
project_key = "ifr_pk_proj_00000000000000000000"
[[tenant]]
name = "plain"
[tenant.infrai]
project_key = "ifr_pk_proj_11111111111111111111"
[tenant.pusher]
app_id = "4"
key = "plain"
secret = "plain"
[[tenant]]
name = "all"
[tenant.infrai]
project_key = "ifr_pk_proj_22222222222222222222"
"#;

fn node() -> (Node, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let config = format!("{TENANTS}{}", vendors("tenant."));
    fs::write(folder.path().join("stentor.toml"), config).unwrap();
    let flags = ["--config", "stentor.toml", "--ephemeral", "--shards", "2"];
    (Node::start(folder.path(), &flags), folder)
}

fn sign(server: &Server<'_>, body: &str) -> Value {
    data(&server.call("POST", SIGN, &["--json", body]))
}

/// Asks of Pusher, and the answers.
fn pusher_asks(server: &Server<'_>) -> Vec<Value> {
    let longest = format!("private-{}", "x".repeat(192));
    let odd = r#"{"user_id":"ü ✓ \"q\" \\","user_info":{"n":[1,2.5,null,true],"s":"\u0001😀"}}"#;
    let rows: [(&str, &str, Option<&str>); 12] = [
        ("1234.1234", "private-foobar", None),
        ("0.0", "private-azAZ09_-=@,.;", None),
        ("99999999999999999999.1", &longest, None),
        ("1.2", "private-cache-x", None),
        ("1.2", "room", None),
        ("1.2", "private-encrypted-room", None),
        ("1.2", "private-encrypted-cache-room", None),
        ("1.2", "presence-a", Some(r#"{"user_id":"ada"}"#)),
        ("3.4", "presence-cache-b", Some(odd)),
        ("3.4", "presence-c", Some(r#"{"user_id":10,"user_info":{"name":"Mr. Channels"}}"#)),
        ("3.4", "", Some(r#"{"id":"user-7","user_info":{"name":"Ada"},"watchlist":["a","b"]}"#)),
        ("3.4", "", Some(r#"{"id":"ü"}"#)),
    ];
    let ask = |(socket_id, channel, data): (&str, &str, Option<&str>)| {
        let mut body =
            format!(r#"{{"client_id":"somebody","vendor":"pusher","socket_id":"{socket_id}""#);
        if !channel.is_empty() {
            // Pusher signs the first.
            body.push_str(&format!(r#","channels":["{channel}","private-other"]"#));
        }
        if let Some(data) = data {
            let field = if channel.is_empty() { "user_data" } else { "channel_data" };
            body.push_str(&format!(r#","{field}":{data}"#));
        }
        let answer = sign(server, &format!("{body}}}"));
        json!({"socket_id": socket_id, "channel": channel, "data": data, "answer": answer})
    };
    rows.into_iter().map(ask).collect()
}

/// Asks of Ably, and the answers.
fn ably_answers(server: &Server<'_>) -> Vec<Value> {
    let rows = [
        (json!(["room-42", "a:*"]), json!(["history", "subscribe", "publish", "presence"]), 3600),
        (json!(["*"]), json!([]), 60),
        (json!(["10", "9", "b", "a", "01", "4294967294", "-1"]), json!(["publish"]), 86_400),
        (json!(["\u{ff21}", "\u{1f600}", "é\"\\/", "[meta]x"]), json!(["presence"]), 1),
        (json!(["__proto__", "constructor"]), json!(["subscribe"]), 90_000),
    ];
    let ask = |(channels, capabilities, ttl): (Value, Value, u32)| {
        let body = json!({
            "client_id": "user 42 ✓", "vendor": "ably", "channels": channels,
            "capabilities": capabilities, "ttl_seconds": ttl,
        });
        let answer = sign(server, &body.to_string());
        assert_eq!(answer["token_request"]["ttl"], ttl.min(86_400) * 1000);
        answer
    };
    rows.into_iter().map(ask).collect()
}

/// What the SDKs say of what a server with all vendors is answered.
fn check_signatures(server: &Server<'_>) {
    let given = json!({
        "pusher": {
            "key": PUSHER_KEY, "secret": PUSHER_SECRET, "master_key": MASTER_KEY,
            "asks": pusher_asks(server),
        },
        "ably": {"key": ABLY_KEY, "answers": ably_answers(server)},
    });
    judge("vendors.mjs", &given);
}

#[test]
fn the_vendors_sdks_agree_with_what_a_node_answers() {
    let (node, _folder) = node();
    let server = Server::of(&node, 2);
    check_signatures(&server);
    // A user who says nothing of itself is the client; two asks of Ably are never the same.
    let user = sign(&server, r#"{"client_id":"u1","user_data":{},"socket_id":"1.2"}"#);
    assert_eq!((&user["vendor"], &user["user_data"]), (&json!("pusher"), &json!(r#"{"id":"u1"}"#)));
    let member =
        r#"{"client_id":"u1","channels":["presence-x"],"channel_data":{},"socket_id":"1.2"}"#;
    assert_eq!(sign(&server, member)["channel_data"], r#"{"user_id":"u1"}"#);
    let ably = r#"{"client_id":"u1","channels":["a"],"vendor":"ably"}"#;
    let nonce = || sign(&server, ably)["token_request"]["nonce"].clone();
    assert_ne!(nonce(), nonce());
    // With a key they are: a retry is answered what was answered.
    let keyed = ["-H", "Idempotency-Key: once", "--json", ably];
    let once = || data(&server.call("POST", SIGN, &keyed));
    assert_eq!(once(), once());
    node.stop();
}

#[test]
fn a_tenant_that_was_made_at_run_time_has_its_vendors_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path(), &["--shards", "2"]);
    let (status, out, error) = run(stentor(folder.path()).args(["tenant", "add", "shop"]));
    assert!(status.success(), "{error}");
    let key = out.split_whitespace().find(|it| it.starts_with("ifr_pk_proj_")).unwrap().to_owned();
    let ask = r#"{"client_id":"u","channels":["private-a"],"socket_id":"1.2"}"#;
    let nothing = Server::with(&node, &key).call("POST", SIGN, &["--json", ask]);
    assert_eq!(super::server::refused(&nothing), (422, "VENDOR_NOT_CONFIGURED".to_owned()));
    node.stop();
    let file = folder.path().join("stentor-data/tenants/shop.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}\n{}", vendors("tenant."))).unwrap();
    let node = Node::start(folder.path(), &["--shards", "2"]);
    check_signatures(&Server::with(&node, &key));
    // Whoever writes the file again keeps what is in it.
    let rotate = ["tenant", "rotate-key", "shop", "signing"];
    let (status, _, error) = run(stentor(folder.path()).args(rotate));
    assert!(status.success(), "{error}");
    node.kill();
    let node = Node::start(folder.path(), &["--shards", "2"]);
    assert_eq!(sign(&Server::with(&node, &key), ask)["vendor"], "pusher");
    node.stop();
}

/// What is wrong with an ask, and what is said of it: status, code and message.
const WRONG: [(&str, u16, &str, &str); 30] = [
    (
        r#"{"channels":["private-a"],"socket_id":"1.2"}"#,
        400,
        "INVALID_REQUEST",
        r#""client_id" is required"#,
    ),
    (
        r#"{"client_id":"","channels":["private-a"],"socket_id":"1.2"}"#,
        400,
        "INVALID_REQUEST",
        r#""client_id" must not be empty"#,
    ),
    (
        r#"{"client_id":7,"channels":["private-a"],"socket_id":"1.2"}"#,
        400,
        "INVALID_REQUEST",
        r#""client_id" must be a string"#,
    ),
    (r#"{"client_id":"u","socket_id":"1.2"}"#, 400, "INVALID_REQUEST", r#""channels" is required"#),
    (
        r#"{"client_id":"u","channels":[],"socket_id":"1.2"}"#,
        400,
        "INVALID_REQUEST",
        r#""channels" must not be empty"#,
    ),
    (
        r#"{"client_id":"u","channels":"private-a","socket_id":"1.2"}"#,
        400,
        "INVALID_REQUEST",
        r#""channels" must be an array of strings"#,
    ),
    (
        r#"{"client_id":"u","channels":["private-a:b"],"socket_id":"1.2"}"#,
        400,
        "INVALID_REQUEST",
        r#""channels" must be 1 to 200 of the characters A-Z a-z 0-9 _ - = @ , . ;"#,
    ),
    (
        r#"{"client_id":"u","channels":["private-ä"],"socket_id":"1.2"}"#,
        400,
        "INVALID_REQUEST",
        r#""channels" must be 1 to 200 of the characters A-Z a-z 0-9 _ - = @ , . ;"#,
    ),
    (
        r#"{"client_id":"u","channels":["private-a"]}"#,
        400,
        "INVALID_REQUEST",
        r#""socket_id" is required"#,
    ),
    (
        r#"{"client_id":"u","channels":["private-a"],"socket_id":null}"#,
        400,
        "INVALID_REQUEST",
        r#""socket_id" is required"#,
    ),
    (
        r#"{"client_id":"u","channels":["private-a"],"socket_id":1.2}"#,
        400,
        "INVALID_REQUEST",
        r#""socket_id" must be a string"#,
    ),
    (
        r#"{"client_id":"u","channels":["private-a"],"socket_id":""}"#,
        400,
        "INVALID_REQUEST",
        r#""socket_id" must not be empty"#,
    ),
    (
        r#"{"client_id":"u","channels":["private-a"],"socket_id":"12"}"#,
        400,
        "INVALID_REQUEST",
        r#""socket_id" must be two numbers with a dot between them"#,
    ),
    (
        r#"{"client_id":"u","channels":["private-a"],"socket_id":"1.2.3"}"#,
        400,
        "INVALID_REQUEST",
        r#""socket_id" must be two numbers with a dot between them"#,
    ),
    (
        r#"{"client_id":"u","channels":["private-a"],"socket_id":"1.2:private-b"}"#,
        400,
        "INVALID_REQUEST",
        r#""socket_id" must be two numbers with a dot between them"#,
    ),
    (
        r#"{"client_id":"u","channels":["private-a"],"socket_id":"1.2\n"}"#,
        400,
        "INVALID_REQUEST",
        r#""socket_id" has a control character at byte 3"#,
    ),
    (
        r#"{"client_id":"u","channels":["presence-a"],"socket_id":"1.2"}"#,
        400,
        "INVALID_REQUEST",
        r#""channel_data" is required"#,
    ),
    (
        r#"{"client_id":"u","channels":["presence-a"],"socket_id":"1.2","channel_data":"{}"}"#,
        400,
        "INVALID_REQUEST",
        r#""channel_data" must be an object"#,
    ),
    (
        r#"{"client_id":"u","channels":["presence-a"],"socket_id":"1.2","channel_data":[1]}"#,
        400,
        "INVALID_REQUEST",
        r#""channel_data" must be an object"#,
    ),
    (
        r#"{"client_id":"u","channels":["private-a"],"socket_id":"1.2","user_data":{}}"#,
        400,
        "INVALID_REQUEST",
        r#""user_data" must be alone: a user signs in without channels"#,
    ),
    (
        r#"{"client_id":"u","channels":["private-a"],"socket_id":"1.2","vendor":"tencent_im"}"#,
        400,
        "INVALID_REQUEST",
        r#""vendor" must be pusher, ably or liveblocks"#,
    ),
    (
        r#"{"client_id":"u","channels":["private-a"],"socket_id":"1.2","ttl_seconds":0}"#,
        400,
        "INVALID_REQUEST",
        r#""ttl_seconds" must be a whole number above 0"#,
    ),
    (
        r#"{"client_id":"u","channels":["a"],"vendor":"ably","ttl_seconds":-5}"#,
        400,
        "INVALID_REQUEST",
        r#""ttl_seconds" must be a whole number above 0"#,
    ),
    (
        r#"{"client_id":"u","channels":["a"],"vendor":"ably","ttl_seconds":NaN}"#,
        400,
        "INVALID_REQUEST",
        "Invalid JSON",
    ),
    (
        r#"{"client_id":"u","channels":["a"],"vendor":"ably","capabilities":["admin"]}"#,
        400,
        "INVALID_REQUEST",
        r#""capabilities" must be an array of subscribe, publish, presence or history"#,
    ),
    (
        r#"{"client_id":"*","channels":["a"],"vendor":"ably"}"#,
        400,
        "INVALID_REQUEST",
        r#""client_id" must be no wildcard"#,
    ),
    (
        r#"{"client_id":"u","user_data":{},"vendor":"ably"}"#,
        400,
        "INVALID_REQUEST",
        r#""channels" must be from 1 to 100"#,
    ),
    (
        r#"{"client_id":"u","channels":["a"],"vendor":"liveblocks"}"#,
        422,
        "VENDOR_NOT_CONFIGURED",
        "liveblocks is not configured",
    ),
    (
        r#"{"client_id":"u","client_id":"v","channels":["a"]}"#,
        400,
        "INVALID_REQUEST",
        r#""client_id" came more than once"#,
    ),
    (r#"[]"#, 400, "INVALID_REQUEST", "Invalid JSON"),
];

#[test]
fn a_wrong_ask_is_told_what_is_wrong() {
    let (node, _folder) = node();
    let check = |tenant: usize, body: &str, expected: (u16, &str, &str)| {
        let answer = Server::of(&node, tenant).call("POST", SIGN, &["--json", body]);
        let envelope = answer.json();
        let text = |field: &str| envelope["error"][field].as_str().unwrap().to_owned();
        let (code, message) = (text("code"), text("message"));
        assert_eq!((answer.status, code.as_str(), message.as_str()), expected, "{body}");
        assert_eq!((&envelope["ok"], &envelope["data"]), (&json!(false), &Value::Null));
    };
    for (body, status, code, message) in WRONG {
        check(2, body, (status, code, message));
    }
    let encrypted = r#"{"client_id":"u","channels":["private-encrypted-a"],"socket_id":"1.2"}"#;
    let missing = "pusher.encryption_master_key_base64 is not configured";
    check(1, encrypted, (422, "VENDOR_NOT_CONFIGURED", missing));
    let private = r#"{"client_id":"u","channels":["private-a"],"socket_id":"1.2"}"#;
    check(0, private, (422, "VENDOR_NOT_CONFIGURED", "pusher is not configured"));
    node.stop();
}
