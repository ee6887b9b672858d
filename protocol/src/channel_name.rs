//! Names that were checked once, where they came in: of channels and of events.

use crate::limits::Limits;

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NameError {
    /// It has no bytes.
    Empty,
    /// It is over its limit.
    TooLong {
        /// What it has.
        bytes: usize,
        /// What it may have.
        max: usize,
    },
    /// It has a control character (U+0000 to U+001F, U+007F to U+009F).
    Control {
        /// Byte index of the character.
        at: usize,
    },
}

/// The name of a channel: any UTF-8 within its limit, without control characters.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ChannelName<'a>(&'a str);

impl<'a> ChannelName<'a> {
    /// Checks a text.
    ///
    /// # Errors
    /// When the text is not a name.
    pub fn parse(text: &'a str, limits: &Limits) -> Result<Self, NameError> {
        check_name(text, limits.channel_name_bytes_max).map(Self)
    }

    /// The text.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

/// The name of an event, with the same grammar as a channel's.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct EventName<'a>(&'a str);

impl<'a> EventName<'a> {
    /// What a publish without an event is called.
    pub const MESSAGE: Self = Self("message");

    /// Checks a text.
    ///
    /// # Errors
    /// When the text is not a name.
    pub fn parse(text: &'a str, limits: &Limits) -> Result<Self, NameError> {
        check_name(text, limits.event_bytes_max).map(Self)
    }

    /// The text.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

/// The grammar of every name.
pub(crate) fn check_name(text: &str, max: usize) -> Result<&str, NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > max {
        return Err(NameError::TooLong { bytes: text.len(), max });
    }
    // Most names are ASCII, which needs no decoding.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(text);
    }
    match text.char_indices().find(|(_, char)| char.is_control()) {
        Some((at, _)) => Err(NameError::Control { at }),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(), NameError>) {
        let limits = Limits::default();
        assert_eq!(ChannelName::parse(text, &limits).map(|_| ()), expected, "channel {text:?}");
        assert_eq!(EventName::parse(text, &limits).map(|_| ()), expected, "event {text:?}");
    }

    #[test]
    fn names_have_a_grammar() {
        check("chat:room-1", Ok(()));
        check("käse/☃ {\"}", Ok(()));
        check("", Err(NameError::Empty));
        check("a\0b", Err(NameError::Control { at: 1 }));
        check("a\r\n", Err(NameError::Control { at: 1 }));
        check("é\u{7f}", Err(NameError::Control { at: 2 }));
        check("a\u{85}", Err(NameError::Control { at: 1 }));
    }

    #[test]
    fn names_end_at_their_limit() {
        check(&"n".repeat(199), Ok(()));
        check(&"n".repeat(200), Ok(()));
        check(&"n".repeat(201), Err(NameError::TooLong { bytes: 201, max: 200 }));
    }
}
