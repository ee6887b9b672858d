//! The way of one connection into a channel: the upgrade, and what is said until the subscription stands.

use super::conn::{Conn, Stage};
use super::dialect::Dialect;
use super::message::{Finder, Heard, Message};
use super::walk::Frame;
use crate::failure::Failure;
use protocol::client::parse_response;
use std::rc::Rc;

/// What a connection says on its way, in frames.
#[derive(Clone, Debug)]
pub(crate) struct Handshake {
    /// The request for a WebSocket.
    pub(crate) upgrade: Rc<[u8]>,
    /// As soon as it is one.
    pub(crate) first: Rc<[u8]>,
    /// After the server's greeting.
    pub(crate) greeted: Rc<[u8]>,
    /// After it was let in.
    pub(crate) let_in: Rc<[u8]>,
    /// How it knows that it is in.
    pub(crate) until: Until,
}

/// When a connection is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// The server confirmed the subscription.
    Confirmed,
    /// It said what it had to say.
    Said,
}

impl Handshake {
    /// One that only asks for a WebSocket, and is subscribed by that.
    pub(crate) fn of(upgrade: impl Into<Rc<[u8]>>) -> Self {
        let nothing: Rc<[u8]> = Rc::default();
        Self {
            upgrade: upgrade.into(),
            first: Rc::clone(&nothing),
            greeted: Rc::clone(&nothing),
            let_in: nothing,
            until: Until::Confirmed,
        }
    }
}

/// What a frame changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// Nothing: it is still on its way, or was in before.
    Nothing,
    /// It is in now.
    In,
}

/// Lets connections in: what all of them have in common.
#[derive(Debug)]
pub(crate) struct Doorway {
    /// Knows the server's messages.
    pub(crate) finder: Finder,
    /// What connections speak.
    pub(crate) dialect: Dialect,
    /// The accept key that answers the nonce of the upgrades.
    pub(crate) accept: String,
}

impl Doorway {
    /// Reads the answer to an upgrade: how long it is, or `None` if it is not complete.
    pub(crate) fn upgraded(
        &self,
        conn: &mut Conn,
        handshake: &Handshake,
        bytes: &[u8],
    ) -> Result<Option<usize>, Failure> {
        let head = parse_response(bytes)
            .map_err(|_| Failure::Server("the answer to an upgrade is not HTTP".into()))?;
        let Some(head) = head else { return Ok(None) };
        let text = String::from_utf8_lossy(bytes);
        if head.status != 101 {
            return Err(Failure::Server(format!("an upgrade was refused: {text}")));
        }
        // RFC 6455 §4.1: the answer proves that it is one to this handshake.
        if !text.get(..head.head_bytes).is_some_and(|head| head.contains(&self.accept)) {
            return Err(Failure::Server("the answer to an upgrade has a wrong accept key".into()));
        }
        conn.stage = Stage::Subscribing;
        conn.out().extend_from_slice(&handshake.first);
        Ok(Some(head.head_bytes))
    }

    /// Whether a connection is in by what it said alone.
    pub(crate) fn is_in_unasked(handshake: &Handshake) -> bool {
        handshake.until == Until::Said && handshake.greeted.is_empty()
    }

    /// Takes a frame of a connection that is on its way.
    pub(crate) fn on_frame(
        &mut self,
        conn: &mut Conn,
        handshake: &Handshake,
        frame: &Frame<'_>,
    ) -> Result<Passed, Failure> {
        match self.finder.hear(frame, conn.out()) {
            Heard::Message(message, text) => match message {
                Message::Subscribed if conn.stage == Stage::Subscribing => return Ok(Passed::In),
                Message::Refused => {
                    let text = String::from_utf8_lossy(text);
                    return Err(Failure::Server(format!("a subscription was refused: {text}")));
                }
                Message::Greeted => conn.out().extend_from_slice(&handshake.greeted),
                Message::LetIn => conn.out().extend_from_slice(&handshake.let_in),
                Message::Subscribed
                | Message::Delivery(_)
                | Message::Damaged
                | Message::Published
                | Message::Joined(_)
                | Message::Left(_)
                | Message::Other => {}
            },
            Heard::Answered | Heard::Nothing => {}
            Heard::Closed(code) => {
                let code = code.map_or(String::new(), |code| format!(" with code {code}"));
                return Err(Failure::Server(format!("the server closed{code}")));
            }
        }
        Ok(Passed::Nothing)
    }
}
