//! Ids of sessions and sockets: 20 characters that may stand in a URL.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const CHARS: usize = 20;
const BYTES: usize = 15;

/// An id. Whoever knows the id of a polling session speaks for it, so its bytes have to be random.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Sid([u8; CHARS]);

impl Sid {
    /// The id of 15 random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; BYTES]) -> Self {
        let mut chars = [b'A'; CHARS];
        let written = URL_SAFE_NO_PAD.encode_slice(bytes, &mut chars);
        debug_assert_eq!(written, Ok(CHARS), "15 bytes are 20 characters");
        Self(chars)
    }

    /// The id of a text; `None` for what this node never gave.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let chars: [u8; CHARS] = text.as_bytes().try_into().ok()?;
        let is_url_safe = |it: &u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_');
        chars.iter().all(is_url_safe).then_some(Self(chars))
    }

    /// The bytes that it was made of: a node may have put into them which of its shards it belongs to.
    #[must_use]
    pub fn bytes(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        // 20 characters of the alphabet are 15 bytes, without loose bits.
        let written = URL_SAFE_NO_PAD.decode_slice(self.0, &mut bytes);
        debug_assert_eq!(written, Ok(BYTES), "an id has these characters alone");
        bytes
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Both ways to make one give ASCII alone.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_was_written() {
        for byte in [0, 1, 0x7f, 0xff] {
            let sid = Sid::from_random([byte; 15]);
            assert_eq!(sid.as_str().len(), CHARS);
            assert_eq!(Sid::parse(sid.as_str()), Some(sid));
            assert_eq!(sid.bytes(), [byte; 15]);
        }
        assert_eq!(Sid::from_random([0xff; 15]).as_str(), "____________________");
        for text in
            ["", "short", "r3KZAAAAAAAAAAAAAAAAA", "r3KZAAAAAAAAAAAAAAA ", "r3KZAAAAAAAAAAAAAAAä"]
        {
            assert_eq!(Sid::parse(text), None, "{text}");
        }
    }
}
