//! What the header fields mean for the message: its length, its connection, its upgrade.

use super::fault::HttpFault;
use crate::limits::Limits;

/// What the fields of one head say.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Meaning<'a> {
    pub(super) host: &'a str,
    pub(super) authorization: Option<&'a str>,
    pub(super) content_length: Option<usize>,
    pub(super) expects_continue: bool,
    pub(super) wants_upgrade: bool,
    pub(super) closes: bool,
}

/// Fields that no message has twice: two readers could each take another.
const SINGLE: [&str; 7] = [
    "host",
    "content-length",
    "authorization",
    "content-encoding",
    "expect",
    "content-type",
    "transfer-encoding",
];

/// Reads the lines in one pass; each ends with CRLF and has a name and a colon.
pub(super) fn read<'a>(lines: &'a str, limits: &Limits) -> Result<Meaning<'a>, HttpFault> {
    let mut single = [None; SINGLE.len()];
    let (mut closes, mut upgrades, mut to_websocket) = (false, false, false);
    for (name, value) in pairs(lines) {
        if let Some(slot) = position(name).and_then(|index| single.get_mut(index)) {
            if slot.replace(value).is_some() {
                return Err(HttpFault::bad("a header that may come once came twice"));
            }
        } else if name.eq_ignore_ascii_case("connection") {
            closes |= has_token(value, "close");
            upgrades |= has_token(value, "upgrade");
        } else if name.eq_ignore_ascii_case("upgrade") {
            to_websocket |= has_token(value, "websocket");
        }
    }
    let [host, length, authorization, coding, expectation, _, transfer] = single;
    let content_length = length.map(|raw| content_length(raw, limits)).transpose()?;
    let wants_upgrade = upgrades && to_websocket;
    if wants_upgrade && (content_length.is_some() || transfer.is_some()) {
        return Err(HttpFault::bad("an upgrade has no body"));
    }
    if transfer.is_some() {
        // T-H2: without chunked bodies a whole class of request smuggling is gone.
        return Err(match content_length {
            Some(_) => HttpFault::bad("both Content-Length and Transfer-Encoding"),
            None => HttpFault::new(501, "Transfer-Encoding is not supported"),
        });
    }
    if coding.is_some_and(|coding| !trim(coding).eq_ignore_ascii_case("identity")) {
        return Err(HttpFault::new(415, "Content-Encoding is not supported"));
    }
    if expectation.is_some_and(|it| !trim(it).eq_ignore_ascii_case("100-continue")) {
        return Err(HttpFault::new(417, "only 100-continue can be expected"));
    }
    Ok(Meaning {
        host: check_host(trim(host.ok_or(HttpFault::bad("Host is missing"))?))?,
        authorization: authorization.map(trim),
        content_length,
        expects_continue: expectation.is_some() && content_length.unwrap_or(0) > 0,
        wants_upgrade,
        closes,
    })
}

fn position(name: &str) -> Option<usize> {
    SINGLE.iter().position(|it| it.eq_ignore_ascii_case(name))
}

pub(super) fn content_length(raw: &str, limits: &Limits) -> Result<usize, HttpFault> {
    const BAD: HttpFault = HttpFault::bad("invalid Content-Length");
    // T-H1: digits behind at most one blank; no sign, no list, no other blanks.
    let digits = raw.strip_prefix(' ').unwrap_or(raw);
    if digits.is_empty() || digits.len() > 19 || !digits.bytes().all(|it| it.is_ascii_digit()) {
        return Err(BAD);
    }
    let length = digits.parse().map_err(|_| BAD)?;
    if length > limits.body_bytes_max {
        return Err(HttpFault::new(413, "the body is over its limit: body_bytes_max"));
    }
    Ok(length)
}

/// `Host`: a name or an address, and perhaps a port (RFC 9112 §3.2).
fn check_host(host: &str) -> Result<&str, HttpFault> {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            let fits = address.bytes().all(|it| it.is_ascii_hexdigit() || b":.".contains(&it));
            (if fits { address } else { "" }, port)
        }
        None => {
            let (name, port) = host.split_at(host.find(':').unwrap_or(host.len()));
            let fits = name.bytes().all(|it| it.is_ascii_alphanumeric() || b"-._~".contains(&it));
            (if fits { name } else { "" }, port)
        }
    };
    let port_fits = match port.strip_prefix(':') {
        Some(digits) => {
            digits.bytes().all(|it| it.is_ascii_digit()) && digits.parse::<u16>().is_ok()
        }
        None => port.is_empty(),
    };
    if name.is_empty() || !port_fits {
        return Err(HttpFault::bad("invalid Host"));
    }
    Ok(host)
}

/// Whether a comma-separated value has a token.
fn has_token(value: &str, token: &str) -> bool {
    value.split(',').any(|item| trim(item).eq_ignore_ascii_case(token))
}

/// All lines, the values without the blanks around them.
pub(super) fn trimmed(lines: &str) -> impl Iterator<Item = (&str, &str)> {
    pairs(lines).map(|(name, value)| (name, trim(value)))
}

/// The values of a field, without the blanks around them.
pub(super) fn values<'a, 'n>(
    lines: &'a str,
    name: &'n str,
) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
    pairs(lines)
        .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| trim(value))
}

fn pairs(lines: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = lines;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
            let line = rest.get(..end).unwrap_or_default();
            rest = rest.get(end + 1..).unwrap_or_default();
            let line = line.strip_suffix('\r').unwrap_or(line);
            if let Some(colon) = memchr::memchr(b':', line.as_bytes()) {
                return Some((line.get(..colon)?, line.get(colon + 1..)?));
            }
        }
        None
    })
}

fn trim(value: &str) -> &str {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let bytes = value.as_bytes();
    let start = bytes.iter().take_while(|it| is_blank(it)).count();
    let end = bytes.len() - bytes.iter().rev().take_while(|it| is_blank(it)).count();
    value.get(start..end).unwrap_or_default()
}
