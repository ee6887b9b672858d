//! Which messages of a channel a subscriber wants. Every payload names a schema, and every event is that of one message.

use crate::clients::SCHEMAS;
use crate::scene::Scene;

/// See the module.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Wish {
    schema: Option<usize>,
    /// The number of the one message that has the event.
    event: Option<usize>,
    /// Nobody can say what was asked for last.
    is_vague: bool,
}

impl Wish {
    /// Any: all messages, those of a schema, or one alone.
    pub fn any(scene: &mut Scene<'_>) -> Self {
        let schema = scene.random.permille(600).then(|| scene.random.below(SCHEMAS + 1));
        // One of the next, or one of the last.
        let soon = scene.truth.issued.len() + scene.random.below(40);
        let event = scene.random.permille(150).then(|| soon.saturating_sub(10));
        Self { schema, event, is_vague: false }
    }

    /// One that is not known.
    pub fn vague() -> Self {
        Self { is_vague: true, ..Self::default() }
    }

    /// Whether it is for all messages.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// What a frame says of it, behind something else.
    pub fn words(&self) -> String {
        if self.is_open() {
            return String::new();
        }
        let name = |it: Option<usize>, mark: char| match it {
            Some(number) => format!("\"{mark}{number}\""),
            None => "\"*\"".to_owned(),
        };
        let (event, schema) = (name(self.event, 'e'), name(self.schema, 's'));
        format!(",\"filter\":{{\"event\":{event},\"schema\":{schema}}}")
    }

    /// Whether a message may come.
    pub fn may_get(&self, number: usize) -> bool {
        let fits = |wanted: Option<usize>, it: usize| wanted.is_none_or(|wanted| wanted == it);
        fits(self.schema, number % SCHEMAS) && fits(self.event, number)
    }

    /// Whether a message has to come.
    pub fn is_due(&self, number: usize) -> bool {
        !self.is_vague && self.may_get(number)
    }
}
