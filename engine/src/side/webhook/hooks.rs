//! What a tenant has of hooks, and what is told of them.

use std::fmt;
use std::sync::Arc;

use storage::Publication;

use super::endpoint::ReplayRefused;
use super::names::EndpointKey;
use super::tally::Counts;

/// The hooks of a tenant.
#[derive(Clone)]
pub struct Hooks {
    /// Which of the tenant's settings of hooks this is. One that comes behind a higher changes nothing.
    pub version: u64,
    /// Each of them.
    pub list: Vec<Hook>,
    /// Which of them a message is for.
    pub pick: Arc<dyn Pick>,
}

/// One hook: a channel pattern with receivers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hook {
    /// The id of the pattern.
    pub id: Arc<str>,
    /// Its receivers.
    pub urls: Vec<Arc<str>>,
}

/// Says which hook a channel belongs to.
pub trait Pick: Send + Sync {
    /// The id of the one hook, if there is one.
    fn hook(&self, channel: &str) -> Option<&str>;
}

/// Is told what became of each message that was for at least one endpoint.
pub trait Ledger: Send + 'static {
    /// Every endpoint has ended with the message. After a crash a message may be told of again; the last telling holds.
    fn count(&mut self, message: &Publication, counts: Counts);
}

/// How an endpoint is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EndpointStatus {
    /// Which.
    pub endpoint: EndpointKey,
    /// Whether it is left alone after failures.
    pub is_open: bool,
    /// Deliveries under way.
    pub in_flight: usize,
    /// Dead letters.
    pub letters: usize,
    /// Those that were let go because there were too many, since the start.
    pub letters_dropped: u64,
}

/// Why hooks were not set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HooksRefused {
    /// There would be too many endpoints on the node.
    TooMany {
        /// How many there may be.
        max: usize,
    },
    /// The journal or the disk does not answer now.
    Unavailable,
}

/// Why a dead letter is not tried again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ReplayFault {
    /// There is no such endpoint or letter.
    Unknown,
    /// Its message is no longer in the journal.
    Gone,
    /// The journal or the disk does not answer now.
    Unavailable,
    /// Too much waits.
    Refused(ReplayRefused),
}

impl fmt::Display for HooksRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { max } => write!(f, "more than {max} webhook endpoints on this node"),
            Self::Unavailable => f.write_str("the journal does not answer now"),
        }
    }
}

impl fmt::Display for ReplayFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("no such dead letter"),
            Self::Gone => f.write_str("the message is no longer in the journal"),
            Self::Unavailable => f.write_str("the journal does not answer now"),
            Self::Refused(why) => why.fmt(f),
        }
    }
}
