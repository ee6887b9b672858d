//! The key that makes a retry safe: in a header, in the body, or the same in both.

use crate::channel_name::NameError;
use crate::dialect::fields::Value;
use crate::http::Head;
use crate::rejection::Rejection;

/// Bytes of an idempotency key.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;

const HEADER: &str = "Idempotency-Key";
const FIELD: &str = "idempotency_key";

/// Reads the header.
///
/// # Errors
/// When it is no key, or came twice.
pub fn decode_idempotency_header<'a>(head: &Head<'a>) -> Result<Option<&'a str>, Rejection> {
    let mut values = head.headers(HEADER);
    let Some(key) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Rejection::DuplicateKey { field: HEADER });
    }
    match check(key) {
        Ok(()) => Ok(Some(key)),
        Err(_) => Err(Rejection::InvalidHeader { name: HEADER }),
    }
}

/// The one key of a request.
///
/// # Errors
/// When header and body differ.
pub fn one_idempotency_key<'a>(
    header: Option<&'a str>,
    body: Option<&'a str>,
) -> Result<Option<&'a str>, Rejection> {
    match (header, body) {
        (Some(header), Some(body)) if header != body => {
            Err(Rejection::Contradiction { field: FIELD, other: HEADER })
        }
        (Some(key), _) | (None, Some(key)) => Ok(Some(key)),
        (None, None) => Ok(None),
    }
}

/// Whether the body may have a key, told without reading it: letters of a name may only be escaped as `\u` and digits.
#[must_use]
pub fn may_have_idempotency_key(body: &[u8]) -> bool {
    let holds = |what: &[u8]| memchr::memmem::find(body, what).is_some();
    holds(FIELD.as_bytes()) || holds(b"\\u")
}

/// The key in a body.
pub(super) fn body_key<'a>(value: Value<'a>) -> Result<Option<&'a str>, Rejection> {
    let field = value.field;
    let Some(key) = value.text()? else { return Ok(None) };
    match check(key) {
        Ok(()) => Ok(Some(key)),
        Err(Fault::Name(cause)) => Err(Rejection::name(field, cause)),
        Err(Fault::Unprintable) => Err(Rejection::WrongType { field, expected: "printable ASCII" }),
    }
}

enum Fault {
    Name(NameError),
    Unprintable,
}

fn check(key: &str) -> Result<(), Fault> {
    let max = IDEMPOTENCY_KEY_BYTES_MAX;
    if key.is_empty() {
        Err(Fault::Name(NameError::Empty))
    } else if key.len() > max {
        Err(Fault::Name(NameError::TooLong { bytes: key.len(), max }))
    } else if !key.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        Err(Fault::Unprintable)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_in_which_a_key_can_be_read_may_have_one() {
        assert!(may_have_idempotency_key(br#"{"idempotency_key":"k"}"#));
        assert!(may_have_idempotency_key(br#"{"\u0069dempotency_key":"k"}"#));
        assert!(!may_have_idempotency_key(br#"{"channel":"a","data":"idempotency\n_key"}"#));
        assert!(!may_have_idempotency_key(b""));
    }
}
