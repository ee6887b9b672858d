//! A rule as an administrator writes it.

use std::fmt;

use crate::auth::insforge::Role;
use crate::dialect::insforge::Pattern;

/// Rules that a tenant may have.
pub const POLICIES_MAX: usize = 200;
/// Bytes of a rule's name.
pub const POLICY_NAME_BYTES_MAX: usize = 128;

/// What a rule is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Action {
    /// To hear a channel.
    Subscribe,
    /// To publish in a channel.
    Publish,
}

impl Action {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Subscribe, Self::Publish];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
        }
    }
}

/// One rule. It can only grant; what no rule grants is denied, once there is a rule for the action.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PolicyRule {
    /// Its name, one for each action.
    pub name: Box<str>,
    /// What it is for.
    pub action: Action,
    /// For whom; empty: for everyone.
    pub roles: Box<[Role]>,
    /// On which channels; `None`: on all.
    pub pattern: Option<Pattern>,
    /// When: an expression that is true or false.
    pub using: Box<str>,
}

/// A rule that cannot be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PolicyFault {
    /// What the rule is for.
    pub action: Action,
    /// Its place among the rules for that; the first is 0.
    pub index: usize,
    /// The field that is at fault.
    pub field: &'static str,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, index, field, message } = self;
        write!(f, "{}.policies.{index}.{field}: {message}", action.name())
    }
}
