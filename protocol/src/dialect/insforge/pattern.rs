//! Patterns of channel names: what `LIKE` of SQL takes, with `*` for `%` as well.

use std::fmt;

/// Bytes of a pattern.
pub const PATTERN_BYTES_MAX: usize = 200;

/// A pattern, as it was written. It matches a whole name; `%` and `*` stand for any characters, or none.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Pattern(Box<str>);

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PatternError {
    /// It has another character, a wildcard in its first segment, or nothing before or behind its first colon.
    Grammar,
    /// It is over its limit.
    TooLong {
        /// What it has.
        bytes: usize,
    },
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grammar => f.write_str(
                "Invalid channel pattern. Use alphanumeric characters, colons, hyphens, and % for wildcards.",
            ),
            Self::TooLong { bytes } => write!(
                f,
                "Invalid channel pattern. It is over its limit: {bytes} of {PATTERN_BYTES_MAX} bytes"
            ),
        }
    }
}

impl Pattern {
    /// Checks a text: `^[a-zA-Z0-9-]+(:[a-zA-Z0-9%*:-]+)*$`.
    ///
    /// # Errors
    /// When the text is no pattern.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::TooLong { bytes: text.len() });
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let (first, rest) = match text.split_once(':') {
            Some((first, rest)) => (first, Some(rest)),
            None => (text, None),
        };
        // Behind the first colon anything goes, further colons too.
        let is_rest = |rest: &str| {
            !rest.is_empty() && rest.bytes().all(|it| is_plain(it) || it == b':' || is_wildcard(it))
        };
        let fits = !first.is_empty() && first.bytes().all(is_plain) && rest.is_none_or(is_rest);
        if fits { Ok(Self(text.into())) } else { Err(PatternError::Grammar) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What every name begins with that it matches.
    #[must_use]
    pub fn prefix(&self) -> &str {
        let end = self.0.bytes().position(is_wildcard).unwrap_or(self.0.len());
        self.0.get(..end).unwrap_or_default()
    }

    /// Whether it has no wildcard.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.prefix().len() == self.0.len()
    }

    /// Whether it matches a name. It takes time in proportion to the name at most once for each wildcard.
    #[must_use]
    pub fn matches(&self, channel: &str) -> bool {
        // The pattern itself matches whatever it holds: `pattern = $name`.
        *self.0 == *channel || like(self.0.as_bytes(), channel.as_bytes())
    }
}

fn is_wildcard(byte: u8) -> bool {
    matches!(byte, b'%' | b'*')
}

/// Each part between wildcards is looked for behind the part before it; the leftmost place is never worse than another.
fn like(pattern: &[u8], name: &[u8]) -> bool {
    let mut parts = pattern.split(|it| is_wildcard(*it));
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts.filter(|it| !it.is_empty()) {
        let Some(at) = memchr::memmem::find(rest, part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_a_grammar() {
        let check = |text: &str, is_pattern: bool| {
            let expected = if is_pattern { Ok(text) } else { Err(PatternError::Grammar) };
            let parsed = Pattern::parse(text);
            assert_eq!(parsed.as_ref().map(Pattern::as_str).map_err(|it| *it), expected, "{text}");
        };
        for text in
            ["orders", "order:%", "chat:%:messages", "a-b:c", "a::b", "a:b:", "order:*", "a:*:%-x"]
        {
            check(text, true);
        }
        for text in ["", "%", "*", "test-%", "test-*", "order:", ":x", "order_x", "a:_", "é", "a b"]
        {
            check(text, false);
        }
        assert!(Pattern::parse(&"n".repeat(PATTERN_BYTES_MAX)).is_ok());
        let bytes = PATTERN_BYTES_MAX + 1;
        assert_eq!(Pattern::parse(&"n".repeat(bytes)), Err(PatternError::TooLong { bytes }));
    }

    #[test]
    fn a_wildcard_is_any_run() {
        let check = |pattern: &str, name: &str, expected: bool| {
            assert_eq!(
                Pattern::parse(pattern).unwrap().matches(name),
                expected,
                "{pattern} {name}"
            );
        };
        for wildcard in ["%", "*"] {
            let pattern = |it: &str| it.replace('%', wildcard);
            check(&pattern("order:%"), "order:123", true);
            check(&pattern("order:%"), "order:", true);
            check(&pattern("order:%"), "order", false);
            check(&pattern("order:%"), "Order:1", false);
            check(&pattern("order:%"), "order:a/b c%", true);
            check(&pattern("order:%"), "order:käse:☃", true);
            check(&pattern("chat:%:messages"), "chat:a:b:messages", true);
            check(&pattern("chat:%:messages"), "chat::messages", true);
            check(&pattern("chat:%:messages"), "chat:messages", false);
            check(&pattern("a:%b%b"), "a:b", false);
            check(&pattern("a:%b%b"), "a:bb", true);
            check(&pattern("a:%ab%"), "a:aab", true);
            check(&pattern("a:%%"), "a:", true);
        }
        check("orders", "orders", true);
        check("orders", "orders2", false);
        // A name that is the pattern's own text.
        check("order:%", "order:%", true);
    }

    #[test]
    fn the_prefix_of_a_pattern_is_what_stands_before_its_wildcard() {
        let prefix = |text: &str| Pattern::parse(text).unwrap().prefix().to_owned();
        assert_eq!(prefix("order:%"), "order:");
        assert_eq!(prefix("chat:a*:%"), "chat:a");
        assert_eq!(prefix("orders"), "orders");
        assert!(Pattern::parse("orders").unwrap().is_exact());
        assert!(!Pattern::parse("order:*").unwrap().is_exact());
    }
}
