//! What an operator does to a node: makes and removes tenants, rotates their keys, looks at tokens and revokes them. The same
//! asks are served by a running node, at its door (`control.sock`), and on the data directory of one that is stopped.

mod door;
mod link;
mod record;
mod roster;
mod rotating;
mod stopped;
mod tenant_asks;
mod token_asks;
mod webhook_asks;

use serde_json::{Value, json};

pub use door::{Door, SOCKET, ask_running};
pub use link::NodeLink;
pub use record::{jwt_secret_of, signing_secret_of};
pub use roster::Roster;
pub use stopped::{Stopped, finish_removals};

use crate::control::TokenId;
use crate::ids::TenantId;
use crate::side::webhook::{EndpointKey, EndpointStatus, Letter};
use crate::tenants::Tenants;

/// Why an ask is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    /// It asks for what cannot be.
    Asked,
    /// The disk, or the catalog.
    Disk,
    /// The node does not answer.
    Away,
}

impl Why {
    const ALL: [Self; 3] = [Self::Asked, Self::Disk, Self::Away];

    fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Disk => "disk",
            Self::Away => "away",
        }
    }
}

/// A refused ask.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refused {
    /// Why.
    pub why: Why,
    /// One line for the operator.
    pub message: String,
}

impl Refused {
    pub(crate) fn asked(message: impl Into<String>) -> Self {
        Self { why: Why::Asked, message: message.into() }
    }

    pub(crate) fn disk(message: impl std::fmt::Display) -> Self {
        Self { why: Why::Disk, message: message.to_string() }
    }

    pub(crate) fn away(message: impl Into<String>) -> Self {
        Self { why: Why::Away, message: message.into() }
    }
}

/// What changes a node: one that runs, or the files of one that does not.
pub trait World {
    /// Makes changes of the catalog durable, all of them or none.
    ///
    /// # Errors
    /// When they are not.
    fn apply(&mut self, changes: Vec<storage::OwnedChange>) -> Result<(), Refused>;

    /// Has every shard take these tenants. Returns once all of them have, and the sockets of those that are gone are closed.
    ///
    /// # Errors
    /// When not every shard answers.
    fn take_tenants(&mut self, tenants: Tenants) -> Result<(), Refused>;

    /// Lets go of all messages of a tenant.
    ///
    /// # Errors
    /// When the disk refuses.
    fn drop_messages(&mut self, tenant: TenantId) -> Result<(), Refused>;

    /// Revokes a token for good, on every shard.
    ///
    /// # Errors
    /// When that is not durable.
    fn revoke(&mut self, tenant: TenantId, token: TokenId, until_s: u64) -> Result<(), Refused>;

    /// Whether a token is revoked.
    ///
    /// # Errors
    /// When that cannot be found out.
    fn is_revoked(&mut self, tenant: TenantId, token: TokenId) -> Result<bool, Refused>;

    /// Looks at webhooks, or has a dead letter tried again.
    ///
    /// # Errors
    /// When there is no such thing, or nobody answers.
    fn webhooks(&mut self, ask: WebhookAsk) -> Result<WebhookSaid, Refused>;

    /// The policies of a tenant, as `/api/realtime/permissions` has them.
    ///
    /// # Errors
    /// When that cannot be found out.
    fn policies(&mut self, tenant: TenantId) -> Result<Vec<u8>, Refused>;
}

/// What is asked of webhooks.
#[derive(Clone, Debug)]
pub enum WebhookAsk {
    /// How the endpoints of a tenant are.
    Status(TenantId),
    /// Dead letters of an endpoint behind one, at most so many.
    Letters(EndpointKey, u64, usize),
    /// Try a dead letter again.
    Replay(EndpointKey, u64),
}

/// What they say.
#[derive(Clone, Debug)]
pub enum WebhookSaid {
    /// See [`WebhookAsk::Status`].
    Status(Vec<EndpointStatus>),
    /// See [`WebhookAsk::Letters`].
    Letters(Vec<Letter>),
    /// It is being tried.
    Taken,
}

/// What came of an ask, as one line.
fn answer_line(result: &Result<Value, Refused>) -> String {
    match result {
        Ok(value) => format!("{{\"ok\":{value}}}\n"),
        Err(Refused { why, message }) => {
            format!("{}\n", json!({"why": why.name(), "error": message}))
        }
    }
}

/// The same, read.
fn read_answer(line: &str) -> Result<Value, Refused> {
    let no_answer = || Refused::away("the server gave no answer that makes sense");
    let answer: Value = serde_json::from_str(line).map_err(|_| no_answer())?;
    if let Some(value) = answer.get("ok") {
        return Ok(value.clone());
    }
    let why = answer.get("why").and_then(Value::as_str);
    let why = Why::ALL.into_iter().find(|it| Some(it.name()) == why).ok_or_else(no_answer)?;
    let message = answer.get("error").and_then(Value::as_str).unwrap_or_default().to_owned();
    Err(Refused { why, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_reads_as_it_was_written() {
        for why in Why::ALL {
            let refused = Err(Refused { why, message: "a \"b\"\n".to_owned() });
            let line = answer_line(&refused);
            assert_eq!(line.matches('\n').count(), 1);
            assert_eq!(read_answer(&line), refused);
        }
        let done = Ok(serde_json::json!({"name": "a"}));
        assert_eq!(read_answer(&answer_line(&done)), done);
        assert_eq!(read_answer("").err().unwrap().why, Why::Away);
    }
}
