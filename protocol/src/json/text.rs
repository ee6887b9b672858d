//! From a quoted JSON string to its text, in place.

use simd_json::BorrowedValue;

/// The text of a quoted string that was already validated. `None` when it is no Unicode: half of a surrogate pair.
pub(crate) fn unescape(quoted: &mut [u8]) -> Option<&str> {
    let end = quoted.len().checked_sub(1)?;
    if !quoted.contains(&b'\\') {
        return std::str::from_utf8(quoted.get(1..end)?).ok();
    }
    match simd_json::to_borrowed_value(quoted).ok()? {
        BorrowedValue::String(text) => match text {
            std::borrow::Cow::Borrowed(text) => Some(text),
            std::borrow::Cow::Owned(_) => None,
        },
        BorrowedValue::Static(_) | BorrowedValue::Array(_) | BorrowedValue::Object(_) => None,
    }
}

/// The same without changing the string.
pub(super) fn unescape_copy(quoted: &[u8]) -> Option<String> {
    unescape(&mut quoted.to_vec()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(quoted: &str, expected: Option<&str>) {
        assert_eq!(unescape_copy(quoted.as_bytes()).as_deref(), expected, "{quoted}");
    }

    #[test]
    fn escapes_become_what_they_stand_for() {
        check(r#""""#, Some(""));
        check(r#""käse""#, Some("käse"));
        check(r#""\"\\\/\b\f\n\r\t""#, Some("\"\\/\u{8}\u{c}\n\r\t"));
        check(r#""\u0041\u00e9\u2603\ud83d\ude00!""#, Some("Aé☃😀!"));
        check(&format!("\"{}\\n\"", "x".repeat(300)), Some(&format!("{}\n", "x".repeat(300))));
    }

    #[test]
    fn half_of_a_surrogate_pair_is_no_text() {
        check(r#""\ud800""#, None);
        check(r#""\udc00x""#, None);
        check(r#""\ud800\u0041""#, None);
    }
}
