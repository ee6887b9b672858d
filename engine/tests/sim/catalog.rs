//! The node's catalog without a disk: slow, failing for a while, or fine. It answers in the order of the asks.

use std::collections::{BTreeMap, VecDeque};

use engine::control::{CatalogAnswer, CatalogAsk, CatalogChange};
use protocol::Rejection;

use crate::random::Random;
use crate::seen::Seen;

/// The catalog as one shard sees it.
#[derive(Debug, Default)]
pub struct Catalog {
    /// What survives a crash.
    pub durable: BTreeMap<(&'static str, Vec<u8>), Vec<u8>>,
    /// Whether it refuses now.
    pub is_failing: bool,
    /// Whether it refuses until the next start.
    pub is_fenced: bool,
    waiting: VecDeque<CatalogAsk>,
    answers: VecDeque<CatalogAnswer>,
}

impl Catalog {
    /// Takes an ask that will be answered.
    pub fn ask(&mut self, ask: CatalogAsk) {
        assert!(!ask.changes.is_empty(), "an ask for nothing");
        self.waiting.push_back(ask);
    }

    /// How much waits.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Works for a moment.
    pub fn work(&mut self, random: &mut Random, seen: &mut Seen) {
        let count = random.below(self.waiting.len() + 1);
        for _ in 0..count {
            let Some(ask) = self.waiting.pop_front() else { return };
            let token = ask.token;
            seen.note_if(self.is_failing, "catalog refused");
            seen.note_if(self.is_fenced, "catalog refused as fenced");
            let result = match (self.is_fenced, self.is_failing) {
                (true, _) => Err(Rejection::StorageUnavailable),
                (false, true) => Err(Rejection::StorageFull),
                (false, false) => Ok(()),
            };
            if result.is_ok() {
                self.keep(ask);
            }
            self.answers.push_back(CatalogAnswer { token, result });
        }
    }

    /// The next answer.
    pub fn next_answer(&mut self) -> Option<CatalogAnswer> {
        self.answers.pop_front()
    }

    /// Whether there is anything to do.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.answers.is_empty()
    }

    /// The power fails: of what was not answered, some may have been kept.
    pub fn crash(&mut self, random: &mut Random) {
        let survivors = random.below(self.waiting.len() + 1);
        let waiting = std::mem::take(&mut self.waiting);
        if !self.is_failing && !self.is_fenced {
            waiting.into_iter().take(survivors).for_each(|it| self.keep(it));
        }
        self.answers.clear();
        (self.is_failing, self.is_fenced) = (false, false);
    }

    fn keep(&mut self, ask: CatalogAsk) {
        for change in ask.changes {
            match change {
                CatalogChange::Put(entry, value) => {
                    self.durable.insert((entry.table, entry.key), value);
                }
                CatalogChange::Delete(entry) => {
                    self.durable.remove(&(entry.table, entry.key));
                }
            }
        }
    }
}
