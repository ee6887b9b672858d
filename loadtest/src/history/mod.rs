//! Histories: what clients asked, were answered and were shown, in a log that only grows, and whether all of it keeps the promises.
//!
//! Clients that record write an [`Event`] before they ask and after they were answered, so the order of the log is an order in
//! time, whoever wrote a line. [`check`] reads such a log once, and knows nothing of the server that was asked:
//! what it finds wrong is wrong for a client.
//!
//! | rule | holds when |
//! |---|---|
//! | [`Rule::Lost`] | what was accepted to be kept is in the history at the end, and whoever listened to the end was shown all of it |
//! | [`Rule::Duplicate`] | a message has one place, one id and one record, however often it was asked for, and comes once |
//! | [`Rule::Order`] | places rise: for a subscriber, for one connection that publishes, and for an ask that began after an answer |
//! | [`Rule::Gap`] | a subscriber misses nothing between where it began and where it is, and a reader nothing of a page |
//! | [`Rule::Phantom`] | nobody is shown what nobody asked for, what was refused, or what is not in the history |
//! | [`Rule::StaleEpoch`] | who is in an epoch is shown nothing of an earlier one, and no resume leads across |
//! | [`Rule::Damaged`] | payloads are those that were published |
//! | [`Rule::Presence`] | the members first told and all that came and went are those at the end, and those are who listens |
//! | [`Rule::Revoked`] | behind the answer to a revocation nobody gets in with the token, and no later message reaches who did |
//! | [`Rule::Canary`] | nobody is shown a word of another tenant |

mod checker;
mod event;
mod fields;
mod finding;
mod log;

pub use checker::{Checker, check};
pub use event::{Begin, Channel, Event, Place, Shown, digest};
pub use finding::{FINDINGS_MAX, Finding, Rule, Verdict};
pub use log::{Recorder, read_log};
