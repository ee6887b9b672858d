//! What rules say, what is asked about them, and what changes.

use std::sync::Arc;

use protocol::dialect::insforge::Pattern;
use protocol::policy::Policies;

use super::super::provisioning::Provisioning;
use crate::ids::{MessageId, TenantId};

/// A pattern of channel names that a tenant registered. It never changes: a change makes another one of the same id.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RegisteredPattern {
    /// Its id; it keeps it until it is deleted.
    pub id: MessageId,
    /// Which names it is for, as it was written. No two of a tenant have the same text.
    pub pattern: Pattern,
    /// What it is for.
    pub description: Option<Box<str>>,
    /// Who is told of its messages.
    pub webhook_urls: Option<Box<[Box<str>]>>,
    /// Whether anyone may use it.
    pub enabled: bool,
    /// When it was registered.
    pub created_at_ms: u64,
    /// When it was last changed.
    pub updated_at_ms: u64,
}

/// When a pattern was registered, and which it is of those of one moment: it keeps that for as long as it is there.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct PatternAge {
    /// When.
    pub created_at_ms: u64,
    /// Which.
    pub id: MessageId,
}

impl PatternAge {
    /// Newer than any.
    pub const NEWEST: Self = Self { created_at_ms: u64::MAX, id: MessageId(u128::MAX) };
}

impl RegisteredPattern {
    /// Its place among the others.
    #[must_use]
    pub fn age(&self) -> PatternAge {
        PatternAge { created_at_ms: self.created_at_ms, id: self.id }
    }

    /// Whether it is enabled and has receivers.
    #[must_use]
    pub fn has_webhooks(&self) -> bool {
        self.enabled && self.webhook_urls.as_ref().is_some_and(|it| !it.is_empty())
    }
}

/// A pattern to be registered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PatternDraft {
    /// The id of a new one.
    pub id: MessageId,
    /// Which names it is for.
    pub pattern: Pattern,
    /// What it is for.
    pub description: Option<Box<str>>,
    /// Who is told of its messages.
    pub webhook_urls: Option<Box<[Box<str>]>>,
    /// Whether anyone may use it.
    pub enabled: bool,
}

/// What changes about a pattern; what is `None` stays.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PatternEdit {
    /// Which names it is for.
    pub pattern: Option<Pattern>,
    /// What it is for.
    pub description: Option<Box<str>>,
    /// Who is told of its messages.
    pub webhook_urls: Option<Box<[Box<str>]>>,
    /// Whether anyone may use it.
    pub enabled: Option<bool>,
}

/// What a seat is asked to change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RulesOp {
    /// Register a pattern.
    Create(Box<PatternDraft>),
    /// Change one.
    Update(MessageId, Box<PatternEdit>),
    /// Delete one.
    Delete(MessageId),
    /// Keep messages for so many days; `None`: for as long as the node keeps any.
    Retain(Option<u32>),
    /// Have these policies and no others.
    Permit(Arc<Policies>),
}

/// One change of a tenant's rules.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RuleChange {
    /// A pattern is so from now on.
    Pattern(Arc<RegisteredPattern>),
    /// A pattern is gone.
    Deleted(MessageId),
    /// Messages are kept for so many days.
    Retention(Option<u32>),
    /// These are the policies; `None`: there are none.
    Policies(Option<Arc<Policies>>),
    /// Whether the tenant has its Cohesivity resource.
    Provisioning(Provisioning),
}

impl RuleChange {
    /// Whether it is about a pattern, and so may change what webhooks are for.
    #[must_use]
    pub fn is_of_patterns(&self) -> bool {
        match self {
            Self::Pattern(_) | Self::Deleted(_) => true,
            Self::Retention(_) | Self::Policies(_) | Self::Provisioning(_) => false,
        }
    }
}

/// A change that a seat decided, with its place among those of its tenant since the node started: the first is 1.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ruling {
    /// Whose rules.
    pub tenant: TenantId,
    /// Which change.
    pub number: u64,
    /// What changes.
    pub change: RuleChange,
}
