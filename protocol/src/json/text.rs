//! From a quoted JSON string to its text, in place.

use simd_json::BorrowedValue;

use super::plain::plain_len;

/// The text of a quoted string that was already validated. `None` when it is no Unicode: half of a surrogate pair.
pub(crate) fn unescape(quoted: &mut [u8]) -> Option<&str> {
    let plain = inside(quoted)?.len();
    if plain_len(inside(quoted)?) == plain {
        return std::str::from_utf8(quoted.get(1..=plain)?).ok();
    }
    match simd_json::to_borrowed_value(quoted).ok()? {
        BorrowedValue::String(text) => match text {
            std::borrow::Cow::Borrowed(text) => Some(text),
            std::borrow::Cow::Owned(_) => None,
        },
        BorrowedValue::Static(_) | BorrowedValue::Array(_) | BorrowedValue::Object(_) => None,
    }
}

/// What stands between the quotes.
pub(super) fn inside(quoted: &[u8]) -> Option<&[u8]> {
    quoted.get(1..quoted.len().checked_sub(1)?)
}

/// Whether the inside of a quoted string that was already validated is this text. The text is ASCII without control
/// characters, as the names of schemas are.
pub(super) fn spells(inside: &[u8], text: &str) -> bool {
    let mut rest = inside;
    for expected in text.bytes() {
        match first_byte(rest) {
            Some((byte, behind)) if byte == expected => rest = behind,
            Some(_) | None => return false,
        }
    }
    rest.is_empty()
}

/// What stands first, and what is behind it. `None` when it is nothing, or nothing that a schema's name may have.
fn first_byte(inside: &[u8]) -> Option<(u8, &[u8])> {
    let Some(escaped) = inside.strip_prefix(b"\\") else {
        return inside.split_first().map(|(byte, behind)| (*byte, behind));
    };
    let (escape, behind) = escaped.split_first()?;
    match escape {
        b'u' => {
            let (digits, behind) = behind.split_first_chunk::<4>()?;
            let number = u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
            u8::try_from(number).ok().filter(u8::is_ascii).map(|byte| (byte, behind))
        }
        b'"' | b'\\' | b'/' => Some((*escape, behind)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(quoted: &str, expected: Option<&str>) {
        assert_eq!(unescape(&mut quoted.as_bytes().to_vec()), expected, "{quoted}");
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
    #[test]
    fn a_name_is_known_however_it_is_spelled() {
        for inside in ["a/\"b", r#"a\/\"b"#, r#"\u0061\u002f\u0022\u0062"#, r#"\u0061\u002F\"b"#] {
            assert!(spells(inside.as_bytes(), "a/\"b"), "{inside}");
        }
        for inside in
            ["", "a", "a/\"", "a/\"bb", "A/\"b", r#"a\/\"\b"#, r#"\u0161/\"b"#, r#"a/\"\"#]
        {
            assert!(!spells(inside.as_bytes(), "a/\"b"), "{inside}");
        }
        assert!(!spells("ä".as_bytes(), "a"));
        assert!(!spells(br"\u00e4", "a") && !spells(br"\ud800", "a") && !spells(br"\u0", "a"));
        assert!(spells(b"", ""));
    }
}
