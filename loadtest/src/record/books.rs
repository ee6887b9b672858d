//! Everything a run of load counts, in one place.

use super::check::{Checker, Seen, Tally};
use super::latency::Latency;
use super::series::Series;
use super::slices::Slices;
use crate::client::stamp::Stamp;
use std::collections::BTreeMap;
use std::ops::Range;

/// Running counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Messages sent.
    pub(crate) sent: u64,
    /// Publishes acknowledged.
    pub(crate) acknowledged: u64,
    /// Messages received.
    pub(crate) deliveries: u64,
    /// Bytes received.
    pub(crate) bytes: u64,
}

/// The counts at one moment, and what was used until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The moment.
    pub(crate) at_ns: u64,
    /// The counts.
    pub(crate) counts: Counts,
    /// CPU of the generator.
    pub(crate) own_cpu_ns: u64,
    /// How long the generator waited for its core.
    pub(crate) own_wait_ns: u64,
    /// CPU of the server, if it can be seen.
    pub(crate) server_cpu_ns: Option<u64>,
}

/// Everything a run of load counts.
#[derive(Debug)]
pub(crate) struct Books {
    /// Sequence numbers.
    pub(crate) checker: Checker,
    /// Times of messages that were due within the window.
    pub(crate) latency: Latency,
    /// Rates over the whole load.
    pub(crate) series: Series,
    /// Times over the whole load: of deliveries, or of acknowledgements where nobody hears.
    pub(crate) slices: Slices,
    /// Counts over the whole load.
    pub(crate) counts: Counts,
    /// Refused publishes by what the server said.
    pub(crate) refused_by: BTreeMap<String, u64>,
    /// The refused messages.
    pub(crate) refused: Vec<(u32, u32)>,
    /// Connections that the server closed.
    pub(crate) closed: u64,
    /// Messages that were due at the end and that the generator had not even come to.
    pub(crate) untouched: u64,
    /// Times that a closed loop gave up waiting for a full window.
    pub(crate) stalls: u64,
    window_ns: Range<u64>,
}

impl Books {
    /// Empty books of a load that is measured in a part of its time.
    pub(crate) fn new(checker: Checker, start_ns: u64, window_ns: Range<u64>) -> Self {
        Self {
            checker,
            latency: Latency::new(),
            series: Series::new(start_ns),
            slices: Slices::new(start_ns, window_ns.end),
            counts: Counts::default(),
            refused_by: BTreeMap::new(),
            refused: Vec::new(),
            closed: 0,
            untouched: 0,
            stalls: 0,
            window_ns,
        }
    }

    /// Notes a delivery.
    #[inline]
    pub(crate) fn delivered(&mut self, subscriber: u32, stamp: &Stamp, now_ns: u64) -> Seen {
        self.counts.deliveries += 1;
        self.slices.record(now_ns, stamp.since_due_ns(now_ns));
        if self.window_ns.contains(&stamp.due_ns) {
            self.latency.from_due.record(stamp.since_due_ns(now_ns));
            self.latency.from_sent.record(stamp.since_sent_ns(now_ns));
        }
        self.checker.observe(subscriber, stamp.stream, stamp.seq)
    }

    /// Notes an acknowledgement.
    pub(crate) fn acknowledged(&mut self, due_ns: u64, now_ns: u64) {
        self.counts.acknowledged += 1;
        self.series.at(now_ns).acknowledged += 1;
        if !self.checker.has_subscribers() {
            self.slices.record(now_ns, now_ns.saturating_sub(due_ns));
        }
        if self.window_ns.contains(&due_ns) {
            self.latency.acknowledged.record(now_ns.saturating_sub(due_ns));
        }
    }

    /// Notes a refusal.
    pub(crate) fn refused(&mut self, why: String, message: (u32, u32)) {
        *self.refused_by.entry(why).or_default() += 1;
        self.refused.push(message);
    }

    /// What was wrong, when `sent` messages of each stream were sent.
    pub(crate) fn tally(&self, sent: &[u32]) -> Tally {
        self.checker.finish(sent, &self.refused)
    }
}
