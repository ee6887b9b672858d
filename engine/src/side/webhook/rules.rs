//! Hooks as the rules of a tenant say: each enabled pattern that has receivers is one, and a channel belongs to the nearest
//! enabled pattern, with receivers or without.

use std::sync::Arc;

use hashbrown::HashMap;
use protocol::uuid_text;

use super::hooks::{Hook, Hooks, Pick};
use crate::control::{Patterns, RegisteredPattern, Registration};
use crate::hasher::seeded;
use crate::ids::MessageId;

/// Finds the hook of a channel.
struct Nearest {
    patterns: Patterns,
    /// Those with receivers.
    hooks: HashMap<MessageId, Arc<str>>,
}

impl Pick for Nearest {
    fn hook(&self, channel: &str) -> Option<&str> {
        let nearest = self.patterns.find(channel)?;
        self.hooks.get(&nearest.id).map(|it| &**it)
    }
}

impl Hooks {
    /// Those of a tenant with these patterns. `seed` seeds a hasher.
    #[must_use]
    pub fn of_patterns(version: u64, patterns: &[Arc<RegisteredPattern>], seed: u64) -> Self {
        let mut nearest = Nearest { patterns: Patterns::new(seeded(seed)), hooks: HashMap::new() };
        let mut list = Vec::new();
        for it in patterns.iter().filter(|it| it.enabled) {
            if let Some(urls) = it.webhook_urls.as_ref().filter(|it| !it.is_empty()) {
                let id: Arc<str> = uuid_text(it.id.0).into();
                nearest.hooks.insert(it.id, Arc::clone(&id));
                list.push(Hook { id, urls: urls.iter().map(|it| Arc::from(&**it)).collect() });
            }
            let pattern = it.pattern.clone();
            let registration = Registration { pattern, id: it.id, created_at_ms: it.created_at_ms };
            let added = nearest.patterns.add(registration);
            debug_assert!(added, "the seat lets in no text twice");
        }
        Self { version, list, pick: Arc::new(nearest) }
    }
}

#[cfg(test)]
mod tests {
    use protocol::dialect::insforge::Pattern;

    use super::*;

    fn pattern(id: u64, text: &str, urls: &[&str], enabled: bool) -> Arc<RegisteredPattern> {
        Arc::new(RegisteredPattern {
            id: MessageId(u128::from(id)),
            pattern: Pattern::parse(text).unwrap(),
            description: None,
            webhook_urls: Some(urls.iter().map(|it| Box::from(*it)).collect()),
            enabled,
            created_at_ms: id,
            updated_at_ms: id,
        })
    }

    #[test]
    fn a_channel_belongs_to_its_nearest_pattern_alone() {
        let patterns = vec![
            pattern(1, "chat:%", &["https://a.example/x", "https://b.example/"], true),
            pattern(2, "chat:quiet:%", &[], true),
            pattern(4, "order:%:done", &["https://c.example/x"], false),
            pattern(3, "order:%", &["https://a.example/x"], true),
        ];
        let hooks = Hooks::of_patterns(7, &patterns, 1);
        let one = "00000000-0000-0000-0000-000000000001";
        let three = "00000000-0000-0000-0000-000000000003";
        let found: Vec<_> = hooks.list.iter().map(|it| (&*it.id, it.urls.len())).collect();
        assert_eq!((hooks.version, found), (7, vec![(one, 2), (three, 1)]));
        let check = |channel: &str, hook: Option<&str>| {
            assert_eq!(hooks.pick.hook(channel), hook, "{channel}");
        };
        check("chat:1", Some(one));
        check("chat:quiet:1", None);
        check("order:7", Some(three));
        check("order:7:done", Some(three));
        check("room", None);
    }
}
