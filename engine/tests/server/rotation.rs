//! Keys and secrets that change under connections that live on: what ended opens nothing, on no connection, in no burst.

use std::thread;
use std::time::Duration;

use serde_json::json;

use super::node::{Node, pause};
use super::operate::{done, start, word};
use super::raw::Raw;
use super::tools::curl;

/// What a server sends on a connection that lives on, and who it says it is.
struct Caller {
    what: &'static str,
    request: String,
    /// What it is answered once its tenant is gone.
    gone: &'static str,
}

/// A call with each credential that a connection remembers.
fn callers(node: &Node, made: &str) -> Vec<Caller> {
    let (application, project) = (word(made, "coh_app_"), word(made, "ifr_pk_proj_"));
    let session = curl(&["-X", "POST", &node.url(&format!("/edge/session?key={application}"))]);
    let session = session.json()["token"].as_str().unwrap().to_owned();
    let get = |path: &str, bearer: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {bearer}\r\n\r\n")
    };
    let history = "/edge/realtime/history?channel=a";
    let keyed = format!("GET {history}&key={application} HTTP/1.1\r\nHost: a\r\n\r\n");
    vec![
        Caller { what: "application", request: keyed, gone: "410" },
        Caller { what: "signing", request: get(history, &session), gone: "401" },
        Caller { what: "project", request: get("/v1/realtime/channels", &project), gone: "401" },
    ]
}

/// The statuses of so many answers.
fn statuses(raw: &mut Raw, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    while all.len() < count {
        let Some(head) = raw.try_read_until("\r\n\r\n") else { break };
        let head = head.split("HTTP/1.1 ").last().unwrap().to_owned();
        let length = head.split("Content-Length: ").nth(1).unwrap();
        let length: usize = length.split('\r').next().unwrap().parse().unwrap();
        raw.read_exactly(length);
        all.push(head[..3].to_owned());
    }
    all
}

/// Connections of each caller, in the middle of bursts, while `change` ends what they call with. Returns what each is answered
/// from then on.
fn change_under(node: &Node, callers: &[Caller], change: impl FnOnce()) -> Vec<Vec<String>> {
    let mut raws: Vec<Raw> = callers.iter().map(|_| Raw::open(node)).collect();
    for (raw, caller) in raws.iter_mut().zip(callers) {
        raw.send(caller.request.repeat(8));
        assert_eq!(statuses(raw, 8), ["200"; 8], "{}", caller.what);
    }
    thread::scope(|scope| {
        let mut busy = Vec::new();
        for caller in callers {
            let (mut raw, burst) = (Raw::open(node), caller.request.repeat(16));
            busy.push(scope.spawn(move || ends_within_a_burst(&mut raw, &burst)));
        }
        pause(Duration::from_millis(30));
        change();
        let answers = raws.iter_mut().zip(callers).map(|(raw, caller)| {
            raw.send(caller.request.repeat(8));
            statuses(raw, 8)
        });
        let answers = answers.collect();
        let orderly: Vec<bool> = busy.into_iter().map(|it| it.join().unwrap()).collect();
        assert!(orderly.iter().all(|it| *it), "served after it was refused: {orderly:?}");
        answers
    })
}

/// Sends bursts until one is refused in its middle: then nothing behind that is served.
fn ends_within_a_burst(raw: &mut Raw, burst: &str) -> bool {
    for _ in 0..100_000 {
        raw.send(burst);
        let answers = statuses(raw, 16);
        if let Some(first) = answers.iter().position(|it| it != "200") {
            return answers[first..].iter().all(|it| it != "200");
        }
    }
    panic!("it never ended");
}

#[test]
fn a_connection_that_lives_on_outlives_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    let callers = callers(&node, &done(folder.path(), &["tenant", "add", "shop"]));
    let answers = change_under(&node, &callers, || {
        for caller in &callers {
            done(folder.path(), &["tenant", "rotate-key", "shop", caller.what, "--now"]);
        }
    });
    assert_eq!(answers, [["401"; 8]; 3]);
    node.stop();
}

#[test]
fn a_connection_that_lives_on_outlives_no_tenant() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    let callers = callers(&node, &done(folder.path(), &["tenant", "add", "shop"]));
    let answers = change_under(&node, &callers, || {
        done(folder.path(), &["tenant", "remove", "shop", "--yes"]);
    });
    for (answers, caller) in answers.iter().zip(&callers) {
        assert_eq!(*answers, [caller.gone; 8], "{}", caller.what);
    }
    // What the keys were is known to this node as long as it runs; then they are like any other.
    node.stop();
    let node = start(folder.path());
    let mut raw = Raw::open(&node);
    raw.send(&callers[0].request);
    assert_eq!(statuses(&mut raw, 1), ["401"]);
    node.stop();
}

/// Opens an Infrai socket; the status of the answer.
fn open(node: &Node, token: &str) -> String {
    let mut raw = Raw::open(node);
    raw.send(format!(
        "GET /v1/realtime/ws?token={token} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    ));
    let head = raw.read_until("\r\n\r\n");
    head.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn an_infrai_token_of_the_old_secret_opens_sockets_until_that_ends() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    let made = done(folder.path(), &["tenant", "add", "shop"]);
    let key = format!("Authorization: Bearer {}", word(&made, "ifr_pk_proj_"));
    let call = |path: &str, body: serde_json::Value| {
        let url = node.url(&format!("/v1/realtime/{path}"));
        curl(&[&url, "-H", &key, "--json", &body.to_string()])
    };
    let issue = || {
        let answer = call("token/issue", json!({"client_id": "ada"}));
        answer.json()["data"]["token"].as_str().unwrap().to_owned()
    };
    let message = json!({"channel": "a", "event": "e", "data": 1, "idempotency_key": "once"});
    let published = call("publish", message.clone()).json()["data"]["message_id"].clone();
    let (old, revoked) = (issue(), issue());
    let rotate = |time: &[&str]| {
        done(folder.path(), &[&["tenant", "rotate-key", "shop", "signing"][..], time].concat())
    };
    rotate(&["--grace", "4s"]);
    let new = issue();
    for _ in 0..4 {
        assert_eq!((open(&node, &old), open(&node, &new)), ("101".into(), "101".into()));
    }
    let answer = call("token/revoke", json!({"token_or_jti": revoked}));
    assert_eq!(answer.status, 200, "a token of before can be revoked: {}", answer.body);
    assert_eq!(open(&node, &revoked), "401");
    let ended = (0..100).any(|_| {
        pause(Duration::from_millis(100));
        open(&node, &old) == "401"
    });
    assert!(ended, "the old secret ends by itself");
    assert_eq!(open(&node, &new), "101");
    // What was published with a key is known by it, whatever signs tokens meanwhile.
    let again = call("publish", message).json();
    assert_eq!(again["data"]["message_id"], published, "{again}");
    node.stop();
}
