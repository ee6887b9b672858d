//! Just enough HTTP: where a request ends.

/// One request.
pub(crate) struct Request<'a> {
    /// The head, up to the empty line.
    pub(crate) head: &'a [u8],
    /// The body.
    pub(crate) body: &'a [u8],
    /// Bytes of both.
    pub(crate) bytes: usize,
}

/// The first request of the bytes, if all of it is there.
pub(crate) fn first(bytes: &[u8]) -> Option<Request<'_>> {
    let end = find(bytes, b"\r\n\r\n")?;
    let head = bytes.get(..end)?;
    let length = find(head, b"\r\nContent-Length: ").map_or(0, |at| number(head, at + 18));
    let total = end + 4 + length;
    let body = bytes.get(end + 4..total)?;
    Some(Request { head, body, bytes: total })
}

/// Where the first `what` is.
pub(crate) fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    let (first, _) = what.split_first()?;
    let mut from = 0;
    loop {
        let at = from + bytes.get(from..)?.iter().position(|byte| byte == first)?;
        if bytes.get(at..)?.starts_with(what) {
            return Some(at);
        }
        from = at + 1;
    }
}

fn number(head: &[u8], from: usize) -> usize {
    let digits = head.get(from..).unwrap_or_default().iter().take_while(|it| it.is_ascii_digit());
    digits.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_ends_where_its_body_does() {
        let bytes = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /";
        let request = first(bytes).map(|it| (it.head.len(), it.body.to_vec(), it.bytes));
        assert_eq!(request, Some((43, b"abc".to_vec(), 50)));
        assert!(first(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab").is_none());
        assert!(first(b"GET / HTTP/1.1\r\n").is_none());
    }
}
