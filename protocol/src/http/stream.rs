//! Answers whose body comes in parts, of a length that may not be known.

use super::head::KeepAlive;
use super::response::{HeaderValue, write_end, write_line, write_number_line, write_start};

/// How a peer learns where a body ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Framing {
    /// The head has its length.
    Counted(u64),
    /// Each part has its own (RFC 9112 §7.1).
    Chunked,
    /// It ends with the connection: all that HTTP/1.0 knows.
    UntilClose,
    /// There is none: the answer to HEAD, 204 or 304. A length is that of the body that GET would have got.
    Absent(Option<u64>),
}

/// The head of such an answer.
#[derive(Clone, Debug)]
pub struct StreamHead<'a> {
    /// The status.
    pub status: u16,
    /// How the body ends.
    pub framing: Framing,
    /// Header lines of whoever the answer comes from.
    pub lines: &'a [(&'static str, HeaderValue<'a>)],
    /// What becomes of the connection.
    pub then: KeepAlive,
}

/// Appends a head. Any origin may read the answer.
pub fn write_stream_head(out: &mut Vec<u8>, head: &StreamHead<'_>) {
    write_start(out, head.status);
    for (name, value) in head.lines {
        write_line(out, name, value.as_str());
    }
    match head.framing {
        Framing::Counted(length) | Framing::Absent(Some(length)) => {
            write_number_line(out, "Content-Length", length);
        }
        Framing::Chunked => write_line(out, "Transfer-Encoding", "chunked"),
        Framing::UntilClose | Framing::Absent(None) => {}
    }
    write_end(out, head.then);
}

/// Appends a part of a body. An empty one is nothing.
pub fn write_part(out: &mut Vec<u8>, framing: Framing, part: &[u8]) {
    match framing {
        Framing::Chunked if part.is_empty() => {}
        Framing::Chunked => {
            out.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
            out.extend_from_slice(part);
            out.extend_from_slice(b"\r\n");
        }
        Framing::Counted(_) | Framing::UntilClose => out.extend_from_slice(part),
        Framing::Absent(_) => {}
    }
}

/// Appends what ends a body.
pub fn write_last_chunk(out: &mut Vec<u8>, framing: Framing) {
    match framing {
        Framing::Chunked => out.extend_from_slice(b"0\r\n\r\n"),
        Framing::Counted(_) | Framing::UntilClose | Framing::Absent(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(framing: Framing, expected_line: &str, expected_body: &str) {
        let mut out = Vec::new();
        let value = HeaderValue::parse("text/plain").unwrap();
        let lines = [("Content-Type", value)];
        let then = KeepAlive::Keep;
        write_stream_head(&mut out, &StreamHead { status: 200, framing, lines: &lines, then });
        for part in ["0123456789abcdefg", "", "h"] {
            write_part(&mut out, framing, part.as_bytes());
        }
        write_last_chunk(&mut out, framing);
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{expected_line}\
             Access-Control-Allow-Origin: *\r\n\r\n"
        );
        assert_eq!(String::from_utf8(out).unwrap(), head + expected_body, "{framing:?}");
    }

    #[test]
    fn a_body_says_where_it_ends() {
        check(Framing::Counted(18), "Content-Length: 18\r\n", "0123456789abcdefgh");
        let chunks = "11\r\n0123456789abcdefg\r\n1\r\nh\r\n0\r\n\r\n";
        check(Framing::Chunked, "Transfer-Encoding: chunked\r\n", chunks);
        check(Framing::UntilClose, "", "0123456789abcdefgh");
        check(Framing::Absent(Some(9)), "Content-Length: 9\r\n", "");
        check(Framing::Absent(None), "", "");
    }
}
