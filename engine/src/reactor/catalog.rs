//! The way from a core to the node's catalog and back. The core never waits for it.

use std::collections::VecDeque;

use protocol::Rejection;
use storage::{CatalogHandle, JournalError, OwnedChange};

use crate::control::{CatalogAnswer, CatalogChange};
use crate::shard::effects::Effects;

/// The catalog, as a core sees it.
pub struct CatalogPort {
    /// `None` keeps nothing: an ephemeral node ends with its state.
    handle: Option<CatalogHandle>,
    /// Every ask, oldest first, with its answer once there is one: answers leave in the order of the asks.
    line: VecDeque<(u64, Option<Result<(), Rejection>>)>,
}

impl CatalogPort {
    /// Talks to the catalog's thread, or to nobody.
    #[must_use]
    pub fn new(handle: Option<CatalogHandle>) -> Self {
        Self { handle, line: VecDeque::new() }
    }

    /// Hands over what an input wants kept.
    pub fn send(&mut self, effects: &mut Effects) {
        for ask in effects.catalog.drain(..) {
            let answer = match &self.handle {
                None => Some(Ok(())),
                Some(handle) => {
                    let changes = ask.changes.into_iter().map(owned).collect();
                    let limit = "catalog_asks_max";
                    let taken = handle.try_apply(ask.token, changes);
                    taken.err().map(|_| Err(Rejection::Overloaded { limit }))
                }
            };
            self.line.push_back((ask.token, answer));
        }
    }

    /// The next answer.
    pub fn take(&mut self) -> Option<CatalogAnswer> {
        if let Some(handle) = self.handle.as_ref().filter(|it| it.has_answers()) {
            for (token, result) in handle.answers() {
                let waiting = self.line.iter_mut().find(|(it, _)| *it == token);
                let Some((_, answer)) = waiting else { continue };
                *answer = Some(result.map_err(|why| rejection(&why)));
            }
        }
        match self.line.pop_front()? {
            (token, Some(result)) => Some(CatalogAnswer { token, result }),
            waiting @ (_, None) => {
                self.line.push_front(waiting);
                None
            }
        }
    }

    /// Whether nothing waits to be taken.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let is_answered = self.line.front().is_some_and(|(_, answer)| answer.is_some());
        !is_answered && self.handle.as_ref().is_none_or(|it| !it.has_answers())
    }
}

fn owned(change: CatalogChange) -> OwnedChange {
    match change {
        CatalogChange::Put(entry, value) => {
            OwnedChange::Put { table: entry.table.to_owned(), key: entry.key, value }
        }
        CatalogChange::Delete(entry) => {
            OwnedChange::Delete { table: entry.table.to_owned(), key: entry.key }
        }
    }
}

fn rejection(why: &JournalError) -> Rejection {
    if why.is_passing() {
        return Rejection::StorageFull;
    }
    tracing::error!(%why, "changes of the control plane are refused until a restart");
    Rejection::StorageUnavailable
}
