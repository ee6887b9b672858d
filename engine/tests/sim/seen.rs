//! Counts how often each interesting thing happened: a simulator in which nothing happens proves nothing.

use std::collections::BTreeMap;

/// What has to happen at least once in a set of seeds. A counter by another name is a mistake in the simulator.
pub const WANTED: [&str; 120] = [
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
    "catalog far behind",
    "catalog refused",
    "catalog refused as fenced",
    "channel registered",
    "clock jumped",
    "closed behind slices",
    "closed for garbage",
    "closed mid-request",
    "connection limit",
    "connection passed",
    "core held up while something waits for it",
    "crash lost appends",
    "crash with unanswered commits",
    "crashed again at once",
    "crashed while draining",
    "cross-shard publish",
    "damage found",
    "deletion of messages asked for",
    "doorbell late",
    "doorbell lost",
    "drain with waiting answers",
    "fan-out in slices",
    "a served group rests",
    "filter changed while it listens",
    "filter kept a message back",
    "filter let a message through",
    "given up while a fan-out waited for it",
    "gone while a fan-out waited for it",
    "half closed",
    "half of something, then silence",
    "history answered empty",
    "history answered in parts",
    "history read from the journal",
    "history read from the tail",
    "idempotency key used again",
    "join of another",
    "late Joined of an ended subscription",
    "leave of another",
    "list answered out of order",
    "list broken off",
    "member disconnected",
    "message delivered",
    "message on the documents' wire",
    "memory short for connections",
    "memory short for consumers",
    "memory short for messages",
    "message over its limit",
    "messages let go",
    "messages listed",
    "missed messages after a subscribe",
    "missed messages had to wait",
    "missed messages read from the journal",
    "no room where a connection belongs",
    "operation refused",
    "outbox overrun",
    "outbox too old",
    "passed in order",
    "pattern deleted",
    "pattern taken",
    "peer vanished, and found out",
    "ping not answered",
    "pipelined requests waited",
    "policies changed",
    "polled by another connection",
    "publication not kept delivered",
    "published again after an unknown result",
    "published behind one with more steps",
    "published with a key",
    "put out of a channel",
    "quota came anew",
    "quota reached",
    "read failed once",
    "read overtook a slow one",
    "recovered in parts",
    "refused for want of memory",
    "restarted after a drain",
    "resumed",
    "rules changed",
    "session moved to a socket",
    "several packets in one poll",
    "side threads refused",
    "signing keys changed",
    "slot reused within a turn",
    "somebody silent at the end",
    "spilled",
    "started with an earlier wall clock",
    "subscribed again without a pause",
    "subscribed by polling",
    "subscribers told of damage",
    "token of an old key refused",
    "token revoked",
    "told of a gap",
    "two channels on one socket",
    "two members in a snapshot",
    "webhooks not set",
    "webhooks set",
    "webhooks set late",
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
