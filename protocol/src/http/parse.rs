//! From bytes to a request head: `httparse` reads it, and this layer refuses what it is lenient about (T-H).

use std::mem::MaybeUninit;

use super::fault::HttpFault;
use super::head::{Head, KeepAlive, Version};
use super::method::Method;
use super::{fields, target};
use crate::limits::Limits;

/// Header lines that a head may ever have: the most that the limit can be set to.
const HEADERS_CEILING: usize = 256;

/// Reads one request head from the start of `bytes`. `None`: more bytes are needed.
///
/// # Errors
/// When the head is not one that every reader understands alike, or is over a limit.
pub fn parse_head<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Option<Head<'a>>, HttpFault> {
    // RFC 9112 §2.2: one empty line before a request is ignored. A second one is junk.
    let skipped = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
    let rest = bytes.get(skipped..).unwrap_or_default();
    let Some(length) = head_length(rest, limits.head_bytes_max.saturating_sub(skipped))? else {
        return Ok(None);
    };
    let text = rest.get(..length).and_then(|it| simdutf8::basic::from_utf8(it).ok());
    let text = text.ok_or(HttpFault::bad("the head is not UTF-8"))?;
    check_lines(text)?;
    let mut slots = [const { MaybeUninit::uninit() }; HEADERS_CEILING];
    let headers_max = limits.headers_max.min(HEADERS_CEILING);
    let slots = slots.get_mut(..headers_max).unwrap_or_default();
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(text.as_bytes(), slots) {
        Ok(httparse::Status::Complete(end)) if end == length => {}
        Ok(_) => return Err(HttpFault::bad("invalid request head")),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(HttpFault::new(431, "too many header lines: headers_max"));
        }
        Err(httparse::Error::Version) => return Err(HttpFault::new(505, "use HTTP/1.1")),
        Err(_) => return Err(HttpFault::bad("invalid request head")),
    }
    let (Some(method), Some(raw_target), Some(version)) =
        (request.method, request.path, request.version)
    else {
        return Err(HttpFault::bad("invalid request line"));
    };
    let lines = header_lines(text);
    let (path, query) = target::split(raw_target)?;
    let mut meaning = fields::read(lines, limits)?;
    let method = Method::parse(method).ok_or(HttpFault::new(501, "unknown method"))?;
    let version = if version == 0 { Version::Http10 } else { Version::Http11 };
    // RFC 9110 §10.1.1: an older client knows no interim answer.
    meaning.expects_continue &= version == Version::Http11;
    let closes = version == Version::Http10 || meaning.closes;
    Ok(Some(Head {
        method,
        path,
        query,
        lines,
        head_bytes: skipped + length,
        keep_alive: if closes { KeepAlive::Close } else { KeepAlive::Keep },
        version,
        meaning,
    }))
}

/// Bytes up to the empty line and with it. A line feed without its carriage return is refused at once.
fn head_length(bytes: &[u8], max: usize) -> Result<Option<usize>, HttpFault> {
    let window = bytes.get(..max).unwrap_or(bytes);
    let mut line_start = 0;
    for at in memchr::memchr_iter(b'\n', window) {
        let line = window.get(line_start..at).unwrap_or_default();
        match line {
            b"\r" if line_start == 0 => return Err(HttpFault::bad("junk before the request")),
            b"\r" => return Ok(Some(at + 1)),
            _ if line.ends_with(b"\r") => line_start = at + 1,
            _ => return Err(HttpFault::bad("a line feed without a carriage return")),
        }
    }
    if bytes.len() >= max {
        return Err(HttpFault::new(431, "the request head is over its limit: head_bytes_max"));
    }
    Ok(None)
}

/// The characters and line forms that readers disagree about.
fn check_lines(text: &str) -> Result<(), HttpFault> {
    // Every line feed has its carriage return, so as many of the one as of the other means that none stands alone.
    let text = text.as_bytes();
    if has_control(text) || memchr::memchr_iter(b'\r', text).count() != lines(text) {
        return Err(HttpFault::bad("a control character in the head"));
    }
    // RFC 9112 §5.2: a folded line.
    let is_blank = |at: usize| matches!(text.get(at), Some(b' ' | b'\t'));
    if is_blank(0) || memchr::memchr_iter(b'\n', text).any(|at| is_blank(at + 1)) {
        return Err(HttpFault::bad("a header line starts with a blank"));
    }
    let line = text.get(..memchr::memchr(b'\n', text).unwrap_or(text.len())).unwrap_or_default();
    if memchr::memchr_iter(b' ', line).count() != 2 || line.contains(&b'\t') {
        return Err(HttpFault::bad("invalid request line"));
    }
    Ok(())
}

/// Whether there is a control character that no head has. Without an early end the compiler makes it a few vector instructions.
fn has_control(text: &[u8]) -> bool {
    text.iter().fold(false, |found, &byte| {
        let is_space = (byte == b'\t') | (byte == b'\r') | (byte == b'\n');
        found | ((byte < b' ') & !is_space) | (byte == 0x7f)
    })
}

fn lines(text: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', text).count()
}

fn header_lines(text: &str) -> &str {
    let without_end = text.strip_suffix("\r\n").unwrap_or(text);
    let first = memchr::memchr(b'\n', without_end.as_bytes());
    first.and_then(|at| without_end.get(at + 1..)).unwrap_or_default()
}
