//! What the checker remembers of each thing that a history names.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::event::{Begin, Place};

/// A message, from its first ask on.
#[derive(Debug)]
pub(super) struct Message {
    /// What its payload says.
    pub(super) number: u64,
    /// Its channel, by number.
    pub(super) channel: usize,
    pub(super) digest: u64,
    /// The connection of its first ask.
    pub(super) by: u64,
    /// The line of its first ask.
    pub(super) line: u64,
    pub(super) is_kept: bool,
    /// Asks, and those of them that were refused.
    pub(super) asks: u32,
    pub(super) refused: u32,
    pub(super) is_accepted: bool,
    pub(super) id: Option<String>,
    pub(super) place: Option<Place>,
    /// The first line that shows it to somebody.
    pub(super) shown: Option<u64>,
    /// Which one it is in the history at the end, from 0.
    pub(super) nth: Option<usize>,
}

/// What happened in a channel that has to do with time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Moment {
    /// A message was first asked for, by its place among the messages.
    Invoked(usize),
    /// It was accepted.
    Accepted(usize),
    /// A subscription was asked for.
    Subscribing(u64),
    /// It stood.
    Subscribed(u64),
    /// A page of history was asked for.
    Reading(u64),
}

/// A channel.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// All moments, with their lines.
    pub(super) moments: Vec<(u64, Moment)>,
    /// The history at the end.
    pub(super) kept: Vec<(Place, usize)>,
    /// The latest epoch that somebody was told.
    pub(super) epoch: u64,
    /// When each member last asked to be there.
    pub(super) asked: BTreeMap<String, u64>,
    /// Who has to be there in the end.
    pub(super) expected: BTreeSet<String>,
}

impl Book {
    /// How many of the kept messages stand at a place or before it.
    pub(super) fn up_to(&self, place: Place) -> usize {
        self.kept.partition_point(|(at, _)| *at <= place)
    }
}

/// How far a subscription is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Asked,
    Stands,
    Ended,
}

/// A subscription.
#[derive(Debug)]
pub(super) struct Sub {
    pub(super) channel: usize,
    pub(super) session: u64,
    pub(super) asked: u64,
    /// When the life of the node began that it was asked in.
    pub(super) life: u64,
    pub(super) after: Option<Place>,
    pub(super) member: Option<String>,
    /// The epoch that the channel was known to be in when it was asked for.
    pub(super) epoch: u64,
    pub(super) stage: Stage,
    /// How it began, and at which line.
    pub(super) begun: Option<(u64, Begin)>,
    /// Since when what is not kept is for it.
    pub(super) live: Option<u64>,
    pub(super) members: Option<BTreeSet<String>>,
    /// Messages in their order, by their places among all.
    pub(super) got: Vec<(u64, usize)>,
    pub(super) seen: BTreeSet<usize>,
    /// The line of the latest ask of each connection that it was shown something of.
    pub(super) latest: BTreeMap<u64, u64>,
    /// Whether it still stood when all was quiet.
    pub(super) is_to_the_end: bool,
    /// The last kept message that was accepted before it was asked for.
    pub(super) low: Option<usize>,
    /// The first kept message that was asked for after it stood.
    pub(super) high: Option<usize>,
}

/// A page of history.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) channel: usize,
    pub(super) after: Place,
    /// When it came, its messages, and whether there was nothing behind them.
    pub(super) came: Option<(u64, Vec<usize>, bool)>,
    pub(super) low: Option<usize>,
}

/// A session that a token opens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    pub(super) token: u64,
    pub(super) asked: u64,
}

/// An ask to publish.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    /// Its message, by its place among all.
    pub(super) message: usize,
    /// The connection, and when.
    pub(super) by: u64,
    pub(super) line: u64,
    pub(super) is_answered: bool,
}
