//! What a message says of its sender, and which names no message may have.

use crate::auth::insforge::ANONYMOUS_ID;
use crate::channel_name::EventName;
use crate::rejection::Rejection;
use crate::socketio::RESERVED_EVENTS;

const PRESENCE_PREFIX: &str = "presence:";

/// What the server says itself, beside `presence:*` and what Socket.IO keeps.
pub(super) const ERROR_EVENT: &str = "realtime:error";

/// Whether an event of this name would be taken for the server's, or break the connection of a client.
#[must_use]
pub fn is_reserved_event(name: &str) -> bool {
    name == ERROR_EVENT || name.starts_with(PRESENCE_PREFIX) || RESERVED_EVENTS.contains(&name)
}

/// A name that a client may publish.
pub(super) fn check_event(event: EventName<'_>) -> Result<EventName<'_>, Rejection> {
    if is_reserved_event(event.as_str()) {
        return Err(Rejection::WrongType {
            field: "event",
            expected: "a name that is not reserved",
        });
    }
    Ok(event)
}

/// What a message says of who sent it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Sender<'a> {
    /// `user`, or `system` for a server.
    pub(super) kind: &'static str,
    /// Which user; somebody without an account has none.
    pub(super) id: Option<&'a str>,
}

impl<'a> Sender<'a> {
    /// Of [`MessageView::sender`](crate::dialect::MessageView).
    pub(super) fn of(sender: Option<&'a str>) -> Self {
        let kind = if sender.is_some() { "user" } else { "system" };
        Self { kind, id: sender.filter(|it| *it != ANONYMOUS_ID) }
    }
}
