//! The way from a core to the node's catalog and back. The core never waits for it.

use std::collections::VecDeque;

use crate::control::CatalogAnswer;
use crate::shard::effects::Effects;

/// The catalog, as a core sees it.
pub struct CatalogPort {
    answers: VecDeque<CatalogAnswer>,
}

impl CatalogPort {
    /// A catalog that keeps nothing: an ephemeral node ends with its state.
    #[must_use]
    pub fn in_memory() -> Self {
        Self { answers: VecDeque::new() }
    }

    /// Hands over what an input wants kept.
    pub fn send(&mut self, effects: &mut Effects) {
        let kept = effects.catalog.drain(..);
        self.answers.extend(kept.map(|it| CatalogAnswer { token: it.token, result: Ok(()) }));
    }

    /// The next answer.
    pub fn take(&mut self) -> Option<CatalogAnswer> {
        self.answers.pop_front()
    }

    /// Whether nothing waits to be taken.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.answers.is_empty()
    }
}
