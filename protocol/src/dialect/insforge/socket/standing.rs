//! What a client may say when: in, out, or between. Pure state of one session, the same over polling and over a WebSocket.

use crate::auth::insforge::Credential;
use crate::command::Command;
use crate::limits::Limits;

use super::commands::{Refusal, RefusedCommand, Said, decode_message};

/// Where a client stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Standing {
    phase: Phase,
    /// Binary messages that follow a refused packet.
    attachments_left: u32,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Phase {
    /// It is not in, and may ask.
    #[default]
    Outside,
    /// It asked, and waits for the answer.
    Asking,
    /// It is in.
    Inside,
}

/// What follows from a message.
#[derive(Debug, Eq, PartialEq)]
pub enum Next<'a> {
    /// Find out who it is, then call [`Standing::let_in`] or [`Standing::keep_out`].
    Identify(Credential<'a>),
    /// Do it.
    Perform(Command<'a>),
    /// Answer with [`frame_refused`](super::frame_refused).
    Refuse(RefusedCommand),
    /// Answer with `socketio::frame_namespace_refused`.
    RefuseNamespace(Box<str>),
    /// It goes: end its subscriptions. The session stays, and it may ask again.
    Leave,
    /// Nothing.
    Nothing,
    /// Close the session, as the reference server does.
    Close(Broken),
}

/// Why a session ends.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Broken {
    /// A message is no packet.
    Packet,
    /// It says something before it is in, or asks while it is.
    OutOfTurn,
    /// Bytes come where text is due, or text where bytes are due.
    Attachment,
}

impl Standing {
    /// Whether it is in.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        self.phase == Phase::Inside
    }

    /// Whether it has neither asked nor been let in: 45 s of that end a session.
    #[must_use]
    pub fn is_outside(&self) -> bool {
        self.phase == Phase::Outside
    }

    /// Takes the message of an Engine.IO packet.
    pub fn take<'a>(&mut self, text: &'a mut [u8], limits: &Limits) -> Next<'a> {
        if self.attachments_left > 0 {
            return Next::Close(Broken::Attachment);
        }
        match (decode_message(text, limits), self.phase) {
            (Ok(Said::Connect(credential)), Phase::Outside) => {
                self.phase = Phase::Asking;
                Next::Identify(credential)
            }
            (Ok(Said::Command(command)), Phase::Inside) => Next::Perform(command),
            (Ok(Said::Disconnect), Phase::Inside) => {
                self.phase = Phase::Outside;
                Next::Leave
            }
            (Ok(Said::Nothing), Phase::Inside) => Next::Nothing,
            (Err(Refusal::Namespace(name)), _) => Next::RefuseNamespace(name),
            (Err(Refusal::Command(refused)), Phase::Inside) => Next::Refuse(refused),
            (Err(Refusal::Binary { attachments, command }), Phase::Inside) => {
                self.attachments_left = attachments;
                command.map_or(Next::Nothing, Next::Refuse)
            }
            (Err(Refusal::Packet(_)), _) => Next::Close(Broken::Packet),
            (
                Ok(Said::Connect(_) | Said::Command(_) | Said::Disconnect | Said::Nothing)
                | Err(Refusal::OtherNamespace | Refusal::Command(_) | Refusal::Binary { .. }),
                Phase::Outside | Phase::Asking | Phase::Inside,
            ) => Next::Close(Broken::OutOfTurn),
        }
    }

    /// Takes a binary message, whatever is in it.
    pub fn take_binary(&mut self) -> Next<'static> {
        match self.attachments_left.checked_sub(1) {
            Some(left) => {
                self.attachments_left = left;
                Next::Nothing
            }
            None => Next::Close(Broken::Attachment),
        }
    }

    /// It is known: it gets `socketio::frame_connected`.
    pub fn let_in(&mut self) {
        debug_assert_eq!(self.phase, Phase::Asking, "only who asked is let in");
        self.phase = Phase::Inside;
    }

    /// It is not: it gets `socketio::frame_connect_error`, and may ask again.
    pub fn keep_out(&mut self) {
        debug_assert_eq!(self.phase, Phase::Asking, "only who asked is kept out");
        self.phase = Phase::Outside;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECT: &str = r#"0{"token":"anon_1"}"#;
    const SUBSCRIBE: &str = r#"20["realtime:subscribe",{"channel":"c"}]"#;
    const OTHER: &str = r#"2["hello"]"#;
    const BINARY: &str = r#"52-["realtime:publish",{"channel":"c","event":"e","payload":{"_placeholder":true,"num":0}}]"#;

    /// `+` lets in, `-` keeps out, `b` is a binary message; anything else is one of text.
    fn check(said: &[&str], expected: &[&str]) {
        let mut standing = Standing::default();
        let mut found = Vec::new();
        for text in said {
            let mut bytes = text.as_bytes().to_vec();
            let next = match *text {
                "+" => {
                    standing.let_in();
                    continue;
                }
                "-" => {
                    standing.keep_out();
                    continue;
                }
                "b" => standing.take_binary(),
                _ => standing.take(&mut bytes, &Limits::default()),
            };
            found.push(match next {
                Next::Identify(_) => "identify",
                Next::Perform(_) => "perform",
                Next::Refuse(_) => "refuse",
                Next::RefuseNamespace(_) => "namespace",
                Next::Leave => "leave",
                Next::Nothing => "nothing",
                Next::Close(Broken::Packet) => "no packet",
                Next::Close(Broken::OutOfTurn) => "out of turn",
                Next::Close(Broken::Attachment) => "attachment",
            });
        }
        assert_eq!(found, expected, "{said:?}");
    }

    #[test]
    fn a_client_is_let_in_before_it_asks_for_anything() {
        check(&[CONNECT, "+", SUBSCRIBE, OTHER], &["identify", "perform", "nothing"]);
        check(&[CONNECT, "-", CONNECT], &["identify", "identify"]);
        check(&[CONNECT, "+", "1", CONNECT], &["identify", "leave", "identify"]);
        for text in [SUBSCRIBE, OTHER, "1", "30[]", r#"2["realtime:subscribe"]"#, BINARY] {
            check(&[text], &["out of turn"]);
            check(&[CONNECT, text], &["identify", "out of turn"]);
        }
        check(&[CONNECT, CONNECT], &["identify", "out of turn"]);
        check(&[CONNECT, "+", CONNECT], &["identify", "out of turn"]);
        check(&["0/admin,", CONNECT], &["namespace", "identify"]);
        check(
            &[CONNECT, "+", "0/admin,", "2/admin,[\"x\"]"],
            &["identify", "namespace", "out of turn"],
        );
        check(&["x"], &["no packet"]);
        check(&[CONNECT, "+", "2[\"connect\"]"], &["identify", "no packet"]);
    }

    #[test]
    fn bytes_are_skipped_where_they_were_announced_and_nowhere_else() {
        let inside = |said: &[&'static str], expected: &[&'static str]| {
            check(&[&[CONNECT, "+"], said].concat(), &[&["identify"], expected].concat());
        };
        inside(&[BINARY, "b", "b", SUBSCRIBE], &["refuse", "nothing", "nothing", "perform"]);
        inside(&[BINARY, "b", SUBSCRIBE], &["refuse", "nothing", "attachment"]);
        inside(&[BINARY, "b", "b", "b"], &["refuse", "nothing", "nothing", "attachment"]);
        inside(&["61-0[1]", "b", SUBSCRIBE], &["nothing", "nothing", "perform"]);
        inside(&["b"], &["attachment"]);
        check(&["b"], &["attachment"]);
    }
}
