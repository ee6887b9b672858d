//! A head that comes again. A server that publishes sends the same one with every request, but for the length of its body; to
//! see that it is the same is several times cheaper than to read it.

use super::fields;
use super::head::Head;
use crate::limits::Limits;

/// Longer heads are read each time.
const BYTES_MAX: usize = 1024;

/// A head that was accepted, as it came. The digits of its `Content-Length` are the only part that may differ.
#[derive(Debug)]
pub struct KnownHead {
    /// All of it but those digits.
    bytes: Box<[u8]>,
    /// Where they stood.
    digits_at: usize,
}

impl KnownHead {
    /// Remembers a head that stands at the start of `bytes`. `None`: it means something that depends on more than its bytes, or
    /// has no `Content-Length`, or is long.
    #[must_use]
    pub fn of(bytes: &[u8], head: &Head<'_>) -> Option<Self> {
        let bytes = bytes.get(..head.head_bytes()).filter(|it| it.len() <= BYTES_MAX)?;
        if head.header("expect").is_some() {
            return None;
        }
        let digits = head.header("content-length")?;
        let digits_at = digits.as_ptr().addr().checked_sub(bytes.as_ptr().addr())?;
        let before = bytes.get(..digits_at)?;
        let after = bytes.get(digits_at + digits.len()..)?;
        Some(Self { bytes: [before, after].concat().into(), digits_at })
    }

    /// Whether `bytes` start with this head: then so many bytes are the head, and so many follow as its body. `None`: they have
    /// to be read, whatever they are.
    #[must_use]
    pub fn comes_again(&self, bytes: &[u8], limits: &Limits) -> Option<(usize, usize)> {
        let (before, after) = self.bytes.split_at_checked(self.digits_at)?;
        let rest = bytes.strip_prefix(before)?;
        let count = rest.iter().take_while(|it| it.is_ascii_digit()).count();
        let (digits, rest) = rest.split_at_checked(count)?;
        if !rest.starts_with(after) || self.bytes.len() + count > limits.head_bytes_max {
            return None;
        }
        let digits = std::str::from_utf8(digits).ok()?;
        let content_length = fields::content_length(digits, limits).ok()?;
        Some((self.bytes.len() + count, content_length))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::super::parse_head;
    use super::*;

    const HEAD: &str =
        "POST /edge/realtime?key=k HTTP/1.1\r\nHost: a\r\ncontent-length: 12\r\nX: y\r\n\r\n";

    fn known(text: &str) -> Option<KnownHead> {
        let limits = Limits::default();
        let head = parse_head(text.as_bytes(), &limits).unwrap().unwrap();
        KnownHead::of(text.as_bytes(), &head)
    }

    fn again(text: &str) -> Option<(usize, usize)> {
        known(HEAD).unwrap().comes_again(text.as_bytes(), &Limits::default())
    }

    #[test]
    fn the_same_head_is_known_whatever_the_length_of_its_body() {
        assert_eq!(again(HEAD), Some((HEAD.len(), 12)));
        assert_eq!(again(&format!("{HEAD}123456789012POST")), Some((HEAD.len(), 12)));
        assert_eq!(again(&HEAD.replace("12", "3")), Some((HEAD.len() - 1, 3)));
        assert_eq!(again(&HEAD.replace("12", "1048576")), Some((HEAD.len() + 5, 1_048_576)));
    }

    #[test]
    fn whatever_differs_is_read() {
        for other in ["", "-1", "+1", "1 ", "1,2", "1048577", "99999999999999999999", "0x10", "1\n"]
        {
            assert_eq!(again(&HEAD.replace("12", other)), None, "{other}");
        }
        assert_eq!(again(&HEAD.replace("key=k", "key=l")), None);
        assert_eq!(again(&HEAD.replace("X: y", "X: z")), None);
        assert_eq!(again(&HEAD.replace("\r\n\r\n", "\r\nA: b\r\n\r\n")), None);
        for end in 0..HEAD.len() {
            assert_eq!(again(&HEAD[..end]), None, "{end} bytes are no head");
        }
    }

    #[test]
    fn some_heads_are_not_for_keeping() {
        assert!(known(&HEAD.replace("X: y", "Expect: 100-continue")).is_none());
        assert!(known(&HEAD.replace("content-length: 12\r\n", "")).is_none());
        assert!(known(&HEAD.replace("X: y", &format!("X: {}", "y".repeat(BYTES_MAX)))).is_none());
    }
}
