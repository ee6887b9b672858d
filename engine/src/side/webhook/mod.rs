//! Webhooks: every persisted message of a hook's channels goes to each of its endpoints, at least once and in order, from a cursor over
//! the journal. See docs/decisions/webhooks.md.
//!
//! `endpoint` is the pure machine of one endpoint; `desk` runs all of them; `egress` is the only way out; `source` and `places` are
//! what the deliveries stand on: the journal, and how far they are.

mod delivery;
mod desk;
mod door;
mod egress;
mod endpoint;
mod header;
mod hooks;
mod ledger;
mod limits;
mod link;
mod names;
mod places;
mod rules;
mod source;
mod start;
mod tally;

pub use delivery::{BodyFormat, DeliveryForm, SigningSecrets, time_text};
pub use door::{Busy, Reply, WeakWebhookDoor, WebhookDoor};
pub use egress::{Egress, EgressRules, Nameservers, Private, Refusal, Scope, Target, scope};
pub use endpoint::{Effect, Endpoint, ReplayRefused, Slice};
pub use header::HeaderText;
pub use hooks::{EndpointStatus, Hook, Hooks, HooksRefused, Ledger, Pick, ReplayFault};
pub use ledger::JournalLedger;
pub use limits::{Retry, WebhookLimits};
pub use link::{Hooked, HooksAsk, WebhookLink};
pub use names::{EndpointKey, Fault, Feed, Outcome, Place, Placed, Reason, Verdict};
pub use places::{
    CatalogPlaces, Letter, LetterHead, MemoryPlaces, PlaceChange, Places, PlacesError, Saved,
};
pub use source::{Source, SourceAsk, SourceError};
pub use start::{WebhookOptions, WebhookParts, Webhooks};
pub use tally::{Counts, Standing, counts};
