//! UUIDs as text, in the one form that this node writes (RFC 9562 §4): lower case, with hyphens, without anything around it.

use uuid::Uuid;

/// Characters of a UUID.
pub const UUID_CHARS: usize = uuid::fmt::Hyphenated::LENGTH;

/// The text of a UUID.
#[must_use]
pub fn uuid_text(uuid: u128) -> String {
    Uuid::from_u128(uuid).hyphenated().to_string()
}

/// The UUID of a text in the form that [`uuid_text`] gives; `None` for every other form.
#[must_use]
pub fn parse_uuid(text: &str) -> Option<u128> {
    let has_capital = text.bytes().any(|byte| byte.is_ascii_uppercase());
    if text.len() != UUID_CHARS || has_capital {
        return None;
    }
    Uuid::try_parse(text).ok().map(|it| it.as_u128())
}

/// Appends the text of a UUID, in quotes.
pub(crate) fn push_uuid(out: &mut Vec<u8>, uuid: u128) {
    let mut text = [0; UUID_CHARS];
    let text = Uuid::from_u128(uuid).hyphenated().encode_lower(&mut text);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "018e6658-27a7-7abc-8def-0123456789ab";
    const NUMBER: u128 = 0x018e_6658_27a7_7abc_8def_0123_4567_89ab;

    #[test]
    fn a_uuid_has_one_text() {
        assert_eq!(uuid_text(NUMBER), TEXT);
        assert_eq!(parse_uuid(TEXT), Some(NUMBER));
        let mut out = Vec::new();
        push_uuid(&mut out, 1);
        assert_eq!(out, b"\"00000000-0000-0000-0000-000000000001\"");
        for text in [
            "",
            "018E6658-27a7-7abc-8def-0123456789ab",
            "018e665827a77abc8def0123456789ab",
            "018e6658-27a7-7abc-8def-0123456789a",
            "018e6658-27a7-7abc-8def-0123456789abc",
            "018e6658-27a7-7abc-8def-0123456789ag",
            "018e6658027a7-7abc-8def-0123456789ab",
            "{018e6658-27a7-7abc-8def-0123456789}",
            "urn:uuid:018e665827a77abc8def0123456",
            "018e6658-27a7-7abc-8def-01234567é9a",
        ] {
            assert_eq!(parse_uuid(text), None, "{text}");
        }
    }
}
