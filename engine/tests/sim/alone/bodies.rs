//! How long a request may take to come, and how large a message may be.

use engine::limits::Limits;
use protocol::ws::Opcode;

use super::polls::{get, open, post_head};
use super::{Alone, ENGINE, OPEN};

/// Two pongs.
const BODY: &str = "3\u{1e}3";

/// A body that is asked for late has its time from then on: its client kept it back only because it was not asked for.
#[test]
fn a_body_that_is_asked_for_late_has_its_whole_time() {
    let mut alone = Alone::new(Limits::default());
    let (conn, sid) = open(&mut alone);
    let waits = format!("{}{}", get(&sid), post_head(&sid, BODY.len(), "Expect: 100-continue\r\n"));
    assert_eq!(alone.say(conn, &waits), "");
    // The poll is answered by a ping, long after a body that nobody asked for would have had to be there.
    alone.pass(24);
    assert_eq!(alone.heard(conn), "");
    alone.pass(2);
    let heard = alone.heard(conn);
    assert!(heard.contains("\r\n\r\n2HTTP/1.1 100 Continue\r\n\r\n"), "{heard}");
    alone.pass(8);
    assert_eq!(alone.heard(conn), "", "it is told to go on, and given up");
    assert!(alone.say(conn, BODY).ends_with("\r\n\r\nok"));
    // Nor has it more than that.
    let late = post_head(&sid, BODY.len(), "Expect: 100-continue\r\n");
    assert_eq!(alone.say(conn, &late), "HTTP/1.1 100 Continue\r\n\r\n");
    alone.pass(9);
    assert_eq!(alone.heard(conn), "");
    alone.pass(2);
    let heard = alone.heard(conn);
    assert!(heard.starts_with("HTTP/1.1 408 "), "{heard}");
}

/// However little of it is missing, it is a body that is late, and has a body's time.
#[test]
fn a_body_without_its_last_byte_is_no_head() {
    for (missing, timeout_s, limit) in
        [(0, 5, "head_timeout_ms"), (1, 10, "body_timeout_ms"), (2, 10, "body_timeout_ms")]
    {
        let mut alone = Alone::new(Limits::default());
        let (_, sid) = open(&mut alone);
        let conn = alone.connect();
        let head = post_head(&sid, BODY.len(), "");
        let body = &BODY[..BODY.len() - missing];
        let text = if missing == 0 { &head[..head.len() - 1] } else { &format!("{head}{body}") };
        assert_eq!(alone.say(conn, text), "");
        alone.pass(timeout_s - 1);
        assert_eq!(alone.heard(conn), "", "{missing}");
        alone.pass(2);
        let heard = alone.heard(conn);
        assert!(heard.starts_with("HTTP/1.1 408 ") && heard.contains(limit), "{missing}: {heard}");
    }
}

#[test]
fn who_sends_too_much_at_once_is_told_by_which_limit() {
    for (path, bytes, limit) in
        [("/realtime", 65_537, "message_bytes_max"), (ENGINE, 1_000_001, "maxPayload")]
    {
        let mut alone = Alone::new(Limits::default());
        let conn = alone.open(OPEN, path);
        alone.heard(conn);
        alone.send(conn, Opcode::Text, &"x".repeat(bytes));
        alone.settle();
        let heard = alone.heard(conn);
        assert!(heard.contains(&format!("message over its limit: {limit}")), "{path}: {heard}");
    }
}
