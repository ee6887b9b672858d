//! Sessions of Engine.IO that poll.

use engine::ids::ConnId;
use engine::limits::Limits;
use protocol::engineio::POLL_PACKETS_MAX;

use super::Alone;

const PATH: &str = "/socket.io/?EIO=4&transport=polling";

pub(super) fn get(sid: &str) -> String {
    format!("GET {PATH}&sid={sid} HTTP/1.1\r\nHost: a\r\n\r\n")
}

/// The head of a post; `more` is further lines.
pub(super) fn post_head(sid: &str, bytes: usize, more: &str) -> String {
    format!("POST {PATH}&sid={sid} HTTP/1.1\r\nHost: a\r\n{more}Content-Length: {bytes}\r\n\r\n")
}

fn post(sid: &str, body: &str) -> String {
    format!("{}{body}", post_head(sid, body.len(), ""))
}

/// A session, and the connection that asked for it.
pub(super) fn open(alone: &mut Alone) -> (ConnId, String) {
    let conn = alone.connect();
    let answer = alone.say(conn, &format!("GET {PATH} HTTP/1.1\r\nHost: a\r\n\r\n"));
    let (_, sid) = answer.split_once("\"sid\":\"").expect("a session");
    (conn, sid.split('"').next().unwrap().to_owned())
}

/// The packets of one answer.
fn packets(answer: &str) -> Vec<&str> {
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
    body.split('\u{1e}').collect()
}

/// A session ends with more waiting for it than one answer holds. Whether a poll waits then, or comes later, its client gets all of
/// it, and is told of the end last.
fn check(waits: bool) {
    const REFUSED: usize = 40;
    let mut alone = Alone::new(Limits::default());
    let (conn, sid) = open(&mut alone);
    let poster = alone.connect();
    if waits {
        assert_eq!(alone.say(conn, &get(&sid)), "");
    }
    // Each is refused in a packet of its own; then it says that it ends.
    let all = [vec!["40{}"; REFUSED], vec!["1"]].concat().join("\u{1e}");
    assert!(alone.say(poster, &post(&sid, &all)).ends_with("\r\n\r\nok"));
    let mut heard = Vec::new();
    let mut answer = if waits { alone.heard(conn) } else { alone.say(conn, &get(&sid)) };
    loop {
        let some = packets(&answer);
        assert!(some.len() <= POLL_PACKETS_MAX, "{} packets in one poll", some.len());
        heard.extend(some.iter().map(|it| (*it).to_owned()));
        if some.last() == Some(&"1") {
            break;
        }
        answer = alone.say(conn, &get(&sid));
    }
    assert_eq!(heard.len(), REFUSED + 1);
    assert!(heard[..REFUSED].iter().all(|it| it.contains("No authentication")), "{heard:?}");
    assert!(alone.say(conn, &get(&sid)).contains("Session ID unknown"));
    assert_eq!(alone.shard.polled_sessions(), 0);
}

#[test]
fn a_session_that_ends_leaves_no_more_to_one_poll_than_that_may_hold() {
    check(false);
    check(true);
}

#[test]
fn what_nobody_fetches_of_a_session_that_ended_is_let_go() {
    let mut alone = Alone::new(Limits::default());
    let (conn, sid) = open(&mut alone);
    let poster = alone.connect();
    assert_eq!(alone.say(conn, &get(&sid)), "");
    let all = [vec!["40{}"; 40], vec!["1"]].concat().join("\u{1e}");
    alone.say(poster, &post(&sid, &all));
    assert_eq!(packets(&alone.heard(conn)).len(), POLL_PACKETS_MAX - 1);
    assert_eq!(alone.shard.polled_sessions(), 1);
    alone.pass(Limits::default().body_timeout_ms / 1_000 + 1);
    assert_eq!(alone.shard.polled_sessions(), 0);
}
