//! Tells the journals what became of messages: the counts that lists and statistics show.

use storage::{Counted, Counter, Publication};

use super::hooks::Ledger;
use super::tally::Counts;
use crate::shard::home;

/// The storage threads of a node, by their shards.
pub struct JournalLedger(Vec<Counter>);

impl JournalLedger {
    /// Tells these.
    #[must_use]
    pub fn new(counters: Vec<Counter>) -> Self {
        Self(counters)
    }
}

impl Ledger for JournalLedger {
    fn count(&mut self, message: &Publication, counts: Counts) {
        let shards = u16::try_from(self.0.len()).unwrap_or(u16::MAX);
        let channel = message.channel();
        let Some(counter) = self.0.get(home(channel, shards).index()) else { return };
        let told = counter.try_count(Counted {
            channel: channel.clone(),
            epoch: message.epoch(),
            offset: message.offset().unwrap_or_default(),
            counts: storage::Counts {
                ws_audience: 0,
                wh_audience: counts.audience.into(),
                wh_delivered: counts.delivered.into(),
            },
        });
        if told.is_err() {
            tracing::debug!("the storage thread is busy: a message has no counts of webhooks");
        }
    }
}
