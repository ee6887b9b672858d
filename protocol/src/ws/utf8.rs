//! UTF-8 that comes in pieces. A wrong byte is found in the piece it is in, not at the end of the message.

/// What is left of an unfinished character.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Utf8 {
    tail: [u8; 3],
    tail_bytes: u8,
}

/// The bytes so far are not the start of any UTF-8.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NotUtf8;

impl Utf8 {
    /// Takes the next piece.
    pub(crate) fn feed(&mut self, piece: &[u8]) -> Result<(), NotUtf8> {
        let mut rest = piece;
        while self.tail_bytes > 0 {
            let Some((byte, after)) = rest.split_first() else { return Ok(()) };
            rest = after;
            self.finish_character(*byte)?;
        }
        match std::str::from_utf8(rest) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_none() => {
                self.keep(rest.get(error.valid_up_to()..).unwrap_or_default())
            }
            Err(_) => Err(NotUtf8),
        }
    }

    /// Whether the last character is whole.
    pub(crate) fn is_whole(self) -> bool {
        self.tail_bytes == 0
    }

    fn finish_character(&mut self, byte: u8) -> Result<(), NotUtf8> {
        let mut character = [0; 4];
        let length = usize::from(self.tail_bytes);
        for (slot, kept) in character.iter_mut().zip(self.tail.iter().take(length)) {
            *slot = *kept;
        }
        *character.get_mut(length).ok_or(NotUtf8)? = byte;
        let so_far = character.get(..=length).ok_or(NotUtf8)?;
        match std::str::from_utf8(so_far) {
            Ok(_) => {
                self.tail_bytes = 0;
                Ok(())
            }
            Err(error) if error.error_len().is_none() => self.keep(so_far),
            Err(_) => Err(NotUtf8),
        }
    }

    fn keep(&mut self, tail: &[u8]) -> Result<(), NotUtf8> {
        // An unfinished character has at most three bytes.
        self.tail_bytes = u8::try_from(tail.len()).map_err(|_| NotUtf8)?;
        self.tail.get_mut(..tail.len()).ok_or(NotUtf8)?.copy_from_slice(tail);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8]) {
        let expected = std::str::from_utf8(bytes).is_ok();
        for split in 0..=bytes.len() {
            let mut utf8 = Utf8::default();
            let (left, right) = bytes.split_at(split);
            let fed = utf8.feed(left).and_then(|()| utf8.feed(right));
            assert_eq!(fed.is_ok() && utf8.is_whole(), expected, "{bytes:x?} at {split}");
        }
    }

    #[test]
    fn any_split_gives_the_verdict_of_the_whole() {
        for text in ["", "a", "käse", "☃", "😀", "a😀b☃cäd", "\u{10ffff}\u{d7ff}\u{e000}"]
        {
            check(text.as_bytes());
        }
        for bytes in [
            &b"\x80"[..],
            b"\xc3",
            b"\xc0\xaf",
            b"\xed\xa0\x80",
            b"\xf4\x90\x80\x80",
            b"\xf8",
            b"a\xff",
            b"\xe2\x98",
            b"\xf0\x9f\x98",
            b"\xe0\x80\x80",
            b"\xce\xba\xe1\xbd\xb9\xff",
        ] {
            check(bytes);
        }
    }

    #[test]
    fn a_wrong_byte_is_found_at_once() {
        let mut utf8 = Utf8::default();
        assert_eq!(utf8.feed(b"ok \xf4"), Ok(()));
        assert_eq!(utf8.feed(b"\x90"), Err(NotUtf8), "above U+10FFFF whatever follows");
        let mut utf8 = Utf8::default();
        assert_eq!(utf8.feed(b"\xed"), Ok(()));
        assert_eq!(utf8.feed(b"\xa0"), Err(NotUtf8), "a surrogate whatever follows");
    }
}
