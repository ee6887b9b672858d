//! A connection that sends HTTP requests: which credential it shows, and the head that it sends again and again.

use protocol::Limits;
use protocol::http::{Head, KeepAlive, KnownHead};

use super::tickets::Tickets;
use crate::ids::{ConnId, TenantId};

/// An HTTP connection.
#[derive(Debug, Default)]
pub struct HttpSession {
    /// Requests that wait for their answers, or whose answers wait for others.
    pub tickets: Tickets,
    /// The credential that was verified last: a server sends the same one with every request.
    verified: Option<Verified>,
    routine: Routine,
    /// Whether `100 Continue` went out for the request that is coming in.
    pub continued: bool,
    /// The connection without a socket for which a request of this one waits.
    pub polled: Option<ConnId>,
    /// Whether the peer sends no more: the connection ends with its last answer.
    pub half_closed: bool,
}

/// What a server sends again and again: publishes, each with the same head.
#[derive(Debug, Default)]
struct Routine {
    /// The head of the last publish that `verified` allowed, and what becomes of the connection after one.
    head: Option<(Box<KnownHead>, KeepAlive)>,
    /// Heads in a row that were not that one.
    misses: u8,
}

/// After so many heads that differ, a connection's heads are not kept any more: they never come again.
const MISSES_MAX: u8 = 8;

/// A publish that was known by its head.
#[derive(Clone, Copy, Debug)]
pub struct KnownPublish {
    /// Who publishes.
    pub tenant: TenantId,
    /// Where the body starts.
    pub head_bytes: usize,
    /// How long it is.
    pub content_length: usize,
    /// What becomes of the connection after it.
    pub then: KeepAlive,
}

impl HttpSession {
    /// The credential that was verified last.
    #[must_use]
    pub fn verified(&self) -> Option<&Verified> {
        self.verified.as_ref()
    }

    /// Another credential was verified.
    pub fn verify(&mut self, verified: Verified) {
        self.verified = Some(verified);
        self.routine.head = None;
    }

    /// The credential that was verified last allowed a publish with this head, at the start of `bytes`.
    pub fn remember_publish(&mut self, bytes: &[u8], head: &Head<'_>) {
        if self.routine.misses < MISSES_MAX {
            self.routine.misses += 1;
            let known = KnownHead::of(bytes, head);
            self.routine.head = known.map(|it| (Box::new(it), head.keep_alive()));
        }
    }

    /// Whether `bytes` start with the head of that publish, and its credential is still what it was.
    pub fn publishes_again(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
        (now_s, generation): (u64, u32),
    ) -> Option<KnownPublish> {
        let (head, then) = self.routine.head.as_ref()?;
        let verified = self.verified.as_ref().filter(|it| it.is_live(now_s, generation))?;
        let (head_bytes, content_length) = head.comes_again(bytes, limits)?;
        self.routine.misses = 0;
        Some(KnownPublish { tenant: verified.tenant, head_bytes, content_length, then: *then })
    }
}

/// A credential that was verified on this connection.
#[derive(Debug)]
pub struct Verified {
    kind: CredentialKind,
    text: Box<str>,
    tenant: TenantId,
    expires_at_s: u64,
    /// Which tenants the node had when it was verified: with others it says nothing.
    generation: u32,
}

/// How a server shows who it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CredentialKind {
    /// A token in the head.
    Bearer,
    /// An application key in the query.
    Key,
    /// A project key in the head.
    Project,
}

impl Verified {
    /// Remembers a bearer token.
    #[must_use]
    pub fn bearer(token: &str, tenant: TenantId, expires_at_s: u64, generation: u32) -> Self {
        Self { kind: CredentialKind::Bearer, text: token.into(), tenant, expires_at_s, generation }
    }

    /// Remembers a key, which ends only with its tenants.
    #[must_use]
    pub fn key(kind: CredentialKind, key: &str, tenant: TenantId, generation: u32) -> Self {
        Self { kind, text: key.into(), tenant, expires_at_s: u64::MAX, generation }
    }

    /// Whose it is.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    fn is_live(&self, now_s: u64, generation: u32) -> bool {
        self.generation == generation && now_s < self.expires_at_s
    }

    /// Whose credential it is, if it is the same one and still valid.
    #[must_use]
    pub fn tenant_of(
        &self,
        (kind, text): (CredentialKind, &str),
        now_s: u64,
        generation: u32,
    ) -> Option<TenantId> {
        let is_live = self.is_live(now_s, generation);
        (is_live && self.kind == kind && *self.text == *text).then_some(self.tenant)
    }
}
