//! Where one JSON value ends, and whether it is one. The bytes are UTF-8 already.

use super::JsonFault;
use super::plain::plain_len;

/// Deepest nesting that any limit can allow: the scan is recursive, so its stack needs a bound of its own.
const DEPTH_CEILING: usize = 128;

/// How a string is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Spelling {
    /// As it is.
    Plain,
    /// With a backslash somewhere.
    Escaped,
}

/// A place in a JSON text.
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    depth_left: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8], depth_max: usize) -> Self {
        Self { bytes, at: 0, depth_left: depth_max.min(DEPTH_CEILING) }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The bytes from an earlier place to this one.
    pub(super) fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    pub(super) fn take(&mut self, byte: u8) -> Result<(), JsonFault> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(JsonFault::Syntax)
        }
    }

    /// Skips one value.
    pub(super) fn value(&mut self) -> Result<(), JsonFault> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            Some(_) | None => Err(JsonFault::Syntax),
        }
    }

    fn nested(&mut self, body: fn(&mut Self) -> Result<(), JsonFault>) -> Result<(), JsonFault> {
        self.depth_left = self.depth_left.checked_sub(1).ok_or(JsonFault::TooDeep)?;
        self.at += 1;
        self.skip_blanks();
        body(self)?;
        self.depth_left += 1;
        Ok(())
    }

    fn object(&mut self) -> Result<(), JsonFault> {
        if self.peek() == Some(b'}') {
            return self.take(b'}');
        }
        loop {
            self.string()?;
            self.skip_blanks();
            self.take(b':')?;
            self.skip_blanks();
            self.value()?;
            self.skip_blanks();
            if self.take(b',').is_err() {
                return self.take(b'}');
            }
            self.skip_blanks();
        }
    }

    fn array(&mut self) -> Result<(), JsonFault> {
        if self.peek() == Some(b']') {
            return self.take(b']');
        }
        loop {
            self.value()?;
            self.skip_blanks();
            if self.take(b',').is_err() {
                return self.take(b']');
            }
            self.skip_blanks();
        }
    }

    /// Skips a string with its quotes.
    pub(super) fn string(&mut self) -> Result<Spelling, JsonFault> {
        self.take(b'"')?;
        let mut spelling = Spelling::Plain;
        loop {
            self.at += plain_len(self.bytes.get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(spelling);
                }
                Some(b'\\') => {
                    self.escape()?;
                    spelling = Spelling::Escaped;
                }
                Some(_) | None => return Err(JsonFault::Syntax),
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonFault> {
        let digits = match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 0,
            Some(b'u') => 4,
            Some(_) | None => return Err(JsonFault::Syntax),
        };
        self.at += 2;
        // Half of a surrogate pair is syntactically valid: it stays the payload's own business.
        let hex = self.bytes.get(self.at..self.at + digits).ok_or(JsonFault::Syntax)?;
        if !hex.iter().all(u8::is_ascii_hexdigit) {
            return Err(JsonFault::Syntax);
        }
        self.at += digits;
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonFault> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonFault> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(JsonFault::Syntax) } else { Ok(()) }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), JsonFault> {
        if self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            Ok(())
        } else {
            Err(JsonFault::Syntax)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(), JsonFault>) {
        let mut scanner = Scanner::new(text.as_bytes(), 3);
        let result = scanner.value();
        assert_eq!(result, expected, "{text}");
        if result.is_ok() {
            assert_eq!(scanner.at(), text.len(), "{text}");
        }
    }

    #[test]
    fn every_json_value_is_skipped_whole() {
        for text in [
            "null",
            "true",
            "false",
            "0",
            "-0",
            "-12.50e+7",
            "1e400",
            "12345678901234567890123456789",
            r#""""#,
            r#""a longer text than eight bytes, käse ☃""#,
            r#""\"\\\/\b\f\n\r\t\u00e9\uD800""#,
            r#""1234567\"""#,
            "[]",
            "[ ]",
            "[1,[2,[3]]]",
            "{}",
            r#"{ "a" : 1 , "a" : { "b" : [ ] } }"#,
        ] {
            check(text, Ok(()));
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            " ",
            "nul",
            "tru",
            "+1",
            "-",
            ".5",
            "1.",
            "1e",
            "1e+",
            "\"",
            "\"a",
            "\"\\\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"a\tb\"",
            "\"a\u{0}\"",
            "[",
            "[1",
            "[1,",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{",
            "{1:2}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "'a'",
            "NaN",
            "Infinity",
            "/**/1",
            "\u{feff}1",
        ] {
            check(text, Err(JsonFault::Syntax));
        }
        let mut scanner = Scanner::new(b"01", 3);
        assert_eq!(scanner.value(), Ok(()));
        assert_eq!(scanner.at(), 1, "a number ends after a leading zero");
    }

    #[test]
    fn nesting_ends_at_its_limit() {
        check("[[0]]", Ok(()));
        check("[[[0]]]", Ok(()));
        check("[[[[0]]]]", Err(JsonFault::TooDeep));
        check(r#"[{"a":[{}]}]"#, Err(JsonFault::TooDeep));
        check("[[[]],[[]],[[]]]", Ok(()));
        let deep = "[".repeat(100_000);
        assert_eq!(Scanner::new(deep.as_bytes(), usize::MAX).value(), Err(JsonFault::TooDeep));
    }
}
