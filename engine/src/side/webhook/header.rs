//! Texts of others in header lines: only in a form that cannot be anything but a value.

use reqwest::header::HeaderValue;

/// A value of a header line: visible ASCII and inner blanks as they are, everything else, and `%`, as `%` and two digits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeaderText(String);

impl HeaderText {
    /// The form of any text. Different texts have different forms.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let last = text.len().saturating_sub(1);
        let mut out = String::with_capacity(text.len());
        for (at, byte) in text.bytes().enumerate() {
            // RFC 9110 §5.5: blanks at the ends would be dropped.
            let is_inner_blank = byte == b' ' && at > 0 && at < last;
            if is_inner_blank || (byte.is_ascii_graphic() && byte != b'%') {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
        Self(out)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<HeaderText> for HeaderValue {
    fn from(text: HeaderText) -> Self {
        // It has nothing but visible ASCII and blanks: it is a value.
        Self::try_from(text.0).unwrap_or_else(|_| Self::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_its_line() {
        let check = |text: &str, expected: &str| {
            assert_eq!(HeaderText::of(text).as_str(), expected);
            assert_eq!(HeaderValue::from(HeaderText::of(text)), expected);
        };
        check("order.created", "order.created");
        check("two words", "two words");
        check("", "");
        check(" ", "%20");
        check(" a ", "%20a%20");
        check("a\r\nX-Admin: 1", "a%0D%0AX-Admin: 1");
        check("50%", "50%25");
        check("käse", "k%C3%A4se");
        check("a\tb\0\u{7f}", "a%09b%00%7F");
    }

    #[test]
    fn every_byte_has_a_form_of_its_own() {
        let forms: std::collections::BTreeSet<String> =
            (0..=0x7f_u8).map(|it| HeaderText::of(&char::from(it).to_string()).0).collect();
        assert_eq!(forms.len(), 0x80);
        assert!(forms.iter().all(|it| it.bytes().all(|it| it.is_ascii_graphic())));
    }
}
