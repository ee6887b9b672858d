//! One HTTP response with its body, from bytes that may hold more or less than that.

use protocol::client::{BadResponse, parse_response};

/// A whole response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response<'a> {
    /// The status.
    pub(crate) status: u16,
    /// When to try again, in seconds.
    pub(crate) retry_after_s: Option<u64>,
    /// The body.
    pub(crate) body: &'a [u8],
    /// Bytes of head and body.
    pub(crate) bytes: usize,
    /// Whether the server closes the connection after it.
    pub(crate) is_last: bool,
}

/// Reads the first response of `bytes`; `None` if it is not complete.
pub(crate) fn first(bytes: &[u8]) -> Result<Option<Response<'_>>, BadResponse> {
    let Some(head) = parse_response(bytes)? else { return Ok(None) };
    let end = head.head_bytes + head.content_length;
    let body = bytes.get(head.head_bytes..end);
    let (status, retry_after_s) = (head.status, head.retry_after_s);
    let is_last = bytes.get(..head.head_bytes).is_some_and(says_close);
    Ok(body.map(|body| Response { status, retry_after_s, body, bytes: end, is_last }))
}

/// RFC 9112 §9.6: whoever says so sends nothing more.
fn says_close(head: &[u8]) -> bool {
    const LINE: &[u8] = b"\nconnection: close";
    head.windows(LINE.len()).any(|window| window.eq_ignore_ascii_case(LINE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_when_it_closes() {
        let check = |line: &str, is_last: bool| {
            let text = format!("HTTP/1.1 200 OK\r\n{line}Content-Length: 2\r\n\r\nokmore");
            let answer = first(text.as_bytes()).unwrap().unwrap();
            assert_eq!((answer.is_last, answer.body), (is_last, &b"ok"[..]), "{line}");
        };
        check("", false);
        check("Connection: keep-alive\r\n", false);
        check("connection: Close\r\n", true);
    }
}
