//! Sessions of Engine.IO that poll.

use engine::ids::ConnId;

use super::Alone;

const PATH: &str = "/socket.io/?EIO=4&transport=polling";

pub(super) fn get(sid: &str) -> String {
    format!("GET {PATH}&sid={sid} HTTP/1.1\r\nHost: a\r\n\r\n")
}

/// The head of a post; `more` is further lines.
pub(super) fn post_head(sid: &str, bytes: usize, more: &str) -> String {
    format!("POST {PATH}&sid={sid} HTTP/1.1\r\nHost: a\r\n{more}Content-Length: {bytes}\r\n\r\n")
}

/// A session, and the connection that asked for it.
pub(super) fn open(alone: &mut Alone) -> (ConnId, String) {
    let conn = alone.connect();
    let answer = alone.say(conn, &format!("GET {PATH} HTTP/1.1\r\nHost: a\r\n\r\n"));
    let (_, sid) = answer.split_once("\"sid\":\"").expect("a session");
    (conn, sid.split('"').next().unwrap().to_owned())
}
