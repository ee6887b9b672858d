//! Counts how often each interesting thing happened: a simulator in which nothing happens proves nothing.

use std::collections::BTreeMap;

/// What has to happen at least once in a set of seeds. A counter by another name is a mistake in the simulator.
pub const WANTED: [&str; 81] = [
    "InsForge client came again",
    "InsForge client hears another dialect",
    "InsForge client kept out",
    "InsForge client put out",
    "InsForge message in another dialect",
    "InsForge presence",
    "InsForge publish denied",
    "InsForge publish echoed",
    "InsForge publish refused",
    "InsForge subscription denied",
    "acknowledged in an envelope",
    "acknowledged on the documents' wire",
    "acknowledged over HTTP",
    "acknowledged over a socket",
    "acknowledged to a client of many channels",
    "answer refused over HTTP",
    "answer refused over a socket",
    "asked for the next part",
    "batch of several",
    "batch refused as fenced",
    "batch refused as full",
    "batch refused out of order",
    "bytes in pieces",
    "catalog refused",
    "channel registered",
    "clock jumped",
    "closed for garbage",
    "closed mid-request",
    "connection limit",
    "connection passed",
    "crash lost appends",
    "crash with unanswered commits",
    "cross-shard publish",
    "damage found",
    "deletion of messages asked for",
    "drain with waiting answers",
    "half closed",
    "history answered empty",
    "history read from the journal",
    "history read from the tail",
    "idempotency key used again",
    "join of another",
    "late Joined of an ended subscription",
    "leave of another",
    "member disconnected",
    "message delivered",
    "message on the documents' wire",
    "message over its limit",
    "messages let go",
    "missed messages after a subscribe",
    "missed messages read from the journal",
    "no room where a connection belongs",
    "operation refused",
    "outbox overrun",
    "passed in order",
    "pattern deleted",
    "pattern taken",
    "pipelined requests waited",
    "polled by another connection",
    "publication not kept delivered",
    "published behind one with more steps",
    "published with a key",
    "put out of a channel",
    "quota came anew",
    "quota reached",
    "recovered in parts",
    "resumed",
    "rules changed",
    "session moved to a socket",
    "several packets in one poll",
    "slot reused within a turn",
    "spilled",
    "subscribed again without a pause",
    "subscribed by polling",
    "subscribers told of damage",
    "token revoked",
    "told of a gap",
    "two channels on one socket",
    "two members in a snapshot",
    "webhooks not set",
    "webhooks set",
];

/// The counters.
#[derive(Debug, Default)]
pub struct Seen(BTreeMap<&'static str, u64>);

impl Seen {
    /// It happened.
    pub fn note(&mut self, what: &'static str) {
        self.note_if(true, what);
    }

    /// It happened, if `it` is true.
    pub fn note_if(&mut self, it: bool, what: &'static str) {
        assert!(WANTED.contains(&what), "no such counter: {what}");
        if it {
            *self.0.entry(what).or_default() += 1;
        }
    }

    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(what).or_default() += count;
        }
    }

    /// What never happened.
    pub fn missing(&self) -> Vec<&'static str> {
        WANTED.into_iter().filter(|what| !self.0.contains_key(what)).collect()
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        WANTED.iter().try_for_each(|what| {
            writeln!(f, "{:>10}  {what}", self.0.get(what).copied().unwrap_or_default())
        })
    }
}
