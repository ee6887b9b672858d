//! What outlives a crash: how far each endpoint is in each feed, and its dead letters.

mod catalog;
mod memory;
mod row;
mod thread;

use std::fmt;

pub use self::catalog::CatalogPlaces;
pub use self::memory::MemoryPlaces;
pub(super) use self::thread::{PlacesThread, SaveEnd};
use super::names::{EndpointKey, Feed, Place, Reason};
use super::tally::Standing;

/// Keeps places and dead letters. Its calls block: a thread of its own makes them.
pub trait Places: Send + 'static {
    /// Everything that was saved, but for the letters themselves.
    ///
    /// # Errors
    /// When it cannot be read.
    fn load(&mut self) -> Result<Vec<Saved>, PlacesError>;

    /// Makes changes durable, in their order: after a crash the first so many of them hold. `now_ms` is the time since 1970.
    ///
    /// # Errors
    /// When not all of them were made, or it is not known. They can be made again.
    fn save(&mut self, changes: &[PlaceChange], now_ms: u64) -> Result<(), PlacesError>;

    /// A dead letter.
    ///
    /// # Errors
    /// When it cannot be read.
    fn letter(&mut self, of: &EndpointKey, id: u64) -> Result<Option<Letter>, PlacesError>;
}

/// What was saved of one endpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Saved {
    /// Which.
    pub endpoint: EndpointKey,
    /// How far it is, by feed.
    pub standings: Vec<(Feed, Standing)>,
    /// The ids of its dead letters, rising.
    pub letters: Vec<u64>,
}

/// One change.
#[derive(Clone, Debug)]
pub enum PlaceChange {
    /// How far an endpoint is in a feed.
    Stand(EndpointKey, Feed, Standing),
    /// A dead letter, new or with another reason.
    Letter(EndpointKey, Letter),
    /// A dead letter is no more.
    LetterGone(EndpointKey, u64),
    /// An endpoint is no more; these were its feeds and its dead letters.
    EndpointGone(EndpointKey, Vec<Feed>, Vec<u64>),
}

/// A delivery that did not arrive.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Letter {
    /// Names it among those of its endpoint, rising.
    pub id: u64,
    /// The feed.
    pub feed: Feed,
    /// The place before it.
    pub before: Place,
    /// The place of the message; of several, of the last.
    pub place: Place,
    /// Why.
    pub reason: Reason,
    /// Attempts that were made.
    pub attempts: u32,
    /// When it died, in milliseconds since 1970.
    pub died_at_ms: u64,
    /// The message, unless it is gone.
    pub message: Option<LetterHead>,
}

/// What a dead letter says of its message; the rest is in the journal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LetterHead {
    /// The id of the message.
    pub id: u128,
    /// When it was published, in milliseconds since 1970.
    pub at_ms: u64,
    /// Where it was published.
    pub channel: String,
    /// The event.
    pub event: String,
}

/// Places cannot be read or saved.
#[derive(Debug)]
pub struct PlacesError(pub String);

impl fmt::Display for PlacesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PlacesError {}
