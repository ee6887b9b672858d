//! Which registered channel a name belongs to, among many patterns: the one that is the name, else the one with the longest
//! literal beginning, else the oldest.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;

use hashbrown::HashMap;
use protocol::dialect::insforge::Pattern;

use crate::hasher::ShardHasher;
use crate::ids::MessageId;

/// A registered channel, as far as names are matched with it. Only those are here that are enabled.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Registration {
    /// Its pattern.
    pub pattern: Pattern,
    /// Its id.
    pub id: MessageId,
    /// When it was registered.
    pub created_at_ms: u64,
}

/// The patterns of a tenant. Its seat says how many there may be.
#[derive(Clone)]
pub struct Patterns {
    hasher: ShardHasher,
    by_text: HashMap<Pattern, Registration, ShardHasher>,
    /// Those with a wildcard, by what stands before it.
    by_prefix: BTreeMap<Box<str>, Group>,
}

/// Patterns with one literal beginning, by their literal end, so that many of them are as quick as one.
#[derive(Clone)]
struct Group {
    by_suffix: HashMap<Box<str>, Vec<Registration>, ShardHasher>,
    /// The lengths of those ends, and how many ends have each.
    lengths: BTreeMap<usize, usize>,
}

impl fmt::Debug for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Patterns").field(&self.len()).finish()
    }
}

impl Patterns {
    /// None.
    #[must_use]
    pub fn new(hasher: ShardHasher) -> Self {
        let by_text = HashMap::with_hasher(hasher.clone());
        Self { hasher, by_text, by_prefix: BTreeMap::new() }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_text.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_text.is_empty()
    }

    /// Adds one, unless its text is there already. Returns whether it did.
    #[must_use]
    pub fn add(&mut self, registration: Registration) -> bool {
        if self.by_text.contains_key(&registration.pattern) {
            return false;
        }
        if !registration.pattern.is_exact() {
            let hasher = self.hasher.clone();
            let prefix = registration.pattern.prefix();
            let group = self.by_prefix.entry(prefix.into());
            group.or_insert_with(|| Group::new(hasher)).add(registration.clone());
        }
        self.by_text.insert(registration.pattern.clone(), registration);
        true
    }

    /// Takes one away.
    pub fn remove(&mut self, pattern: &Pattern) -> Option<Registration> {
        let gone = self.by_text.remove(pattern)?;
        if let Some(group) = self.by_prefix.get_mut(pattern.prefix()) {
            group.remove(pattern);
            if group.by_suffix.is_empty() {
                self.by_prefix.remove(pattern.prefix());
            }
        }
        Some(gone)
    }

    /// The registered channel that a name belongs to.
    #[must_use]
    pub fn find(&self, channel: &str) -> Option<&Registration> {
        if let Ok(pattern) = Pattern::parse(channel)
            && let Some(exact) = self.by_text.get(&pattern)
        {
            return Some(exact);
        }
        let mut key = channel;
        loop {
            // Whatever begins the name sorts before it, and the longest of those last; what stands between begins no name
            // that they do not begin.
            let range = (Bound::Unbounded, Bound::Included(key));
            let (prefix, group) = self.by_prefix.range::<str, _>(range).next_back()?;
            let rest = channel.strip_prefix(&**prefix);
            match rest.map(|rest| group.find(channel, rest)) {
                Some(Some(found)) => return Some(found),
                Some(None) => key = shorter(prefix)?,
                None => key = common(channel, prefix),
            }
        }
    }
}

/// All but the last character. `None` for nothing.
fn shorter(text: &str) -> Option<&str> {
    let mut chars = text.chars();
    chars.next_back()?;
    Some(chars.as_str())
}

/// What both begin with.
fn common<'a>(one: &'a str, other: &str) -> &'a str {
    let bytes = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    one.get(..one.floor_char_boundary(bytes)).unwrap_or_default()
}

impl Group {
    fn new(hasher: ShardHasher) -> Self {
        Self { by_suffix: HashMap::with_hasher(hasher), lengths: BTreeMap::new() }
    }

    fn add(&mut self, registration: Registration) {
        let suffix = suffix(&registration.pattern);
        if let Some(same) = self.by_suffix.get_mut(suffix) {
            let age = |it: &Registration| (it.created_at_ms, it.id.0);
            let at = same.partition_point(|it| age(it) < age(&registration));
            same.insert(at, registration);
        } else {
            *self.lengths.entry(suffix.len()).or_default() += 1;
            self.by_suffix.insert(suffix.into(), vec![registration]);
        }
    }

    fn remove(&mut self, pattern: &Pattern) {
        let suffix = suffix(pattern);
        let Some(same) = self.by_suffix.get_mut(suffix) else { return };
        same.retain(|it| it.pattern != *pattern);
        if same.is_empty() {
            self.by_suffix.remove(suffix);
            if let Some(count) = self.lengths.get_mut(&suffix.len()) {
                *count -= 1;
            }
            self.lengths.retain(|_, count| *count > 0);
        }
    }

    /// The oldest that matches a name; `rest` is the name behind the literal beginning.
    fn find(&self, channel: &str, rest: &str) -> Option<&Registration> {
        let fits = self.lengths.range(..=rest.len()).filter_map(|(length, _)| {
            let suffix = rest.get(rest.len() - length..)?;
            self.by_suffix.get(suffix)?.iter().find(|it| it.pattern.matches(channel))
        });
        fits.min_by_key(|it| (it.created_at_ms, it.id.0))
    }
}

/// What stands behind the last wildcard.
fn suffix(pattern: &Pattern) -> &str {
    pattern.as_str().rsplit(['%', '*']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hasher::seeded;

    fn registration(pattern: &str, age: u64) -> Registration {
        let pattern = Pattern::parse(pattern).unwrap();
        Registration { pattern, id: MessageId(u128::from(age)), created_at_ms: age }
    }

    fn patterns(texts: &[&str]) -> Patterns {
        let mut patterns = Patterns::new(seeded(7));
        for (age, text) in texts.iter().enumerate() {
            assert!(patterns.add(registration(text, age as u64)), "{text}");
        }
        patterns
    }

    #[test]
    fn the_nearest_pattern_is_found() {
        let patterns = patterns(&[
            "a:%",
            "a:b:%",
            "a:b:c",
            "chat:%:typing",
            "chat:%",
            "chat:*",
            "chat:%:%:typing",
            "x:%-%b",
            "x:%b",
        ]);
        let check = |channel: &str, expected: Option<&str>| {
            let found = patterns.find(channel).map(|it| it.pattern.as_str());
            assert_eq!(found, expected, "{channel}");
        };
        check("a:b:c", Some("a:b:c"));
        check("a:b:cc", Some("a:b:%"));
        check("a:b:", Some("a:b:%"));
        check("a:b", Some("a:%"));
        check("a:☃", Some("a:%"));
        check("a:%", Some("a:%"));
        check("a", None);
        check("b", None);
        check("", None);
        check("zzz", None);
        // The oldest of those with the same beginning.
        check("chat:1:typing", Some("chat:%:typing"));
        check("chat:1:2:typing", Some("chat:%:typing"));
        check("chat:1", Some("chat:%"));
        check("chat:*", Some("chat:*"));
        check("x:1-2b", Some("x:%-%b"));
        check("x:1b", Some("x:%b"));
    }

    #[test]
    fn what_is_taken_away_is_found_no_more() {
        let mut patterns = patterns(&["a:%", "a:*", "a:%:x", "a:b"]);
        assert!(!patterns.add(registration("a:%", 9)), "a text is there once");
        let find =
            |patterns: &Patterns| patterns.find("a:1:x").map(|it| it.pattern.as_str().to_owned());
        for expected in ["a:%", "a:*", "a:%:x"] {
            assert_eq!(find(&patterns).as_deref(), Some(expected));
            patterns.remove(&Pattern::parse(expected).unwrap()).unwrap();
        }
        assert_eq!(find(&patterns), None);
        assert_eq!(patterns.len(), 1);
        assert!(patterns.by_prefix.is_empty(), "nothing is kept of what is gone");
        assert_eq!(patterns.remove(&Pattern::parse("a:%").unwrap()), None);
    }

    const PARTS: [&str; 7] = ["a", "b", ":", "%", "*", "ab", "-"];

    /// Repeatable numbers.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, end: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(self.0 >> 33).unwrap() % end
        }

        fn text(&mut self) -> String {
            let parts = 1 + self.below(7);
            let tail: String = (0..parts).map(|_| PARTS[self.below(PARTS.len())]).collect();
            format!("a:{tail}")
        }
    }

    /// What a look at each of them finds.
    fn scan<'r>(all: &'r [Registration], name: &str) -> Option<&'r Registration> {
        let rank = |it: &&Registration| {
            let is_name = it.pattern.as_str() == name;
            (!is_name, usize::MAX - it.pattern.prefix().len(), it.created_at_ms)
        };
        all.iter().filter(|it| it.pattern.matches(name)).min_by_key(rank)
    }

    #[test]
    fn an_index_finds_what_a_scan_finds() {
        let mut dice = Dice(0x5eed);
        let mut found = 0;
        for _ in 0..300 {
            let mut patterns = Patterns::new(seeded(7));
            let ages = 0..dice.below(30) as u64;
            let mut all: Vec<_> = ages.map(|age| registration(&dice.text(), age)).collect();
            all.retain(|it| patterns.add(it.clone()));
            for _ in 0..30 {
                let name = dice.text();
                let expected = scan(&all, &name);
                assert_eq!(patterns.find(&name), expected, "{name}");
                found += usize::from(expected.is_some());
            }
        }
        assert!((1000..8000).contains(&found), "{found} of 9,000 names were found");
    }
}
