//! Paths and queries. A path is split first and each segment is decoded once, so that no name can reach another route.

use std::borrow::Cow;

use super::fault::HttpFault;
use crate::rejection::Rejection;

const BAD_PATH: HttpFault = HttpFault::bad("invalid path");
const BAD_QUERY: HttpFault = HttpFault::bad("invalid query");

/// Splits a request target into path and query, and makes sure that both decode.
pub(super) fn split(target: &str) -> Result<(&str, &str), HttpFault> {
    if !target.starts_with('/') {
        return Err(HttpFault::bad("only targets that start with / are served"));
    }
    let (path, query) = match memchr::memchr(b'?', target.as_bytes()) {
        Some(at) => (target.get(..at).ok_or(BAD_PATH)?, target.get(at + 1..).ok_or(BAD_QUERY)?),
        None => (target, ""),
    };
    if memchr::memchr(b'%', target.as_bytes()).is_none() {
        return split_plain(path, query);
    }
    for segment in segments(path) {
        decode_segment(segment)?;
    }
    if !query.bytes().all(|byte| has_class(byte, QUERY)) {
        return Err(BAD_QUERY);
    }
    for pair in query.split('&') {
        decode(pair, Plus::Blank).ok_or(BAD_QUERY)?;
    }
    Ok((path, query))
}

/// As [`split`] goes on where nothing is encoded, as in most targets: what has the right characters decodes to itself.
fn split_plain<'a>(path: &'a str, query: &'a str) -> Result<(&'a str, &'a str), HttpFault> {
    if !path.bytes().all(|byte| byte == b'/' || is_path_byte(byte)) {
        return Err(BAD_PATH);
    }
    if memchr::memchr(b'.', path.as_bytes()).is_some()
        && segments(path).any(|it| matches!(it, "." | ".."))
    {
        return Err(BAD_PATH);
    }
    if !query.bytes().all(|byte| has_class(byte, QUERY)) {
        return Err(BAD_QUERY);
    }
    Ok((path, query))
}

/// The raw segments of a path.
pub(super) fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

/// Decodes one segment. What a file system or a proxy could take for a step in the path is refused (T-H5).
pub(super) fn decode_segment(raw: &str) -> Result<Cow<'_, str>, HttpFault> {
    if !raw.bytes().all(is_path_byte) {
        return Err(BAD_PATH);
    }
    let text = decode(raw, Plus::Itself).ok_or(BAD_PATH)?;
    let is_step = matches!(&*text, "." | "..");
    if is_step || text.chars().any(|char| char.is_control() || char == '/' || char == '\\') {
        return Err(BAD_PATH);
    }
    Ok(text)
}

/// RFC 3986 `pchar`, with `%`.
fn is_path_byte(byte: u8) -> bool {
    has_class(byte, PATH)
}

fn has_class(byte: u8, class: u8) -> bool {
    CLASSES.get(usize::from(byte)).is_some_and(|it| it & class != 0)
}

const PATH: u8 = 1;
const QUERY: u8 = 2;

/// What each byte may stand in: looked up for every byte of every target.
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, where a wrong index is an error"
)]
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let path = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:@%";
    let query_too = b"/?[]\\^`{|}";
    let mut at = 0;
    while at < path.len() {
        classes[path[at] as usize] = PATH | QUERY;
        at += 1;
    }
    at = 0;
    while at < query_too.len() {
        classes[query_too[at] as usize] = QUERY;
        at += 1;
    }
    classes
};

/// The decoded value of a key; the query was checked by [`split`].
pub(super) fn query_value<'a>(
    query: &'a str,
    key: &'static str,
) -> Result<Option<Cow<'a, str>>, Rejection> {
    let mut found = None;
    for pair in query.split('&') {
        let (raw_key, raw_value) = pair.split_once('=').unwrap_or((pair, ""));
        if decode(raw_key, Plus::Blank).is_none_or(|it| it != key) {
            continue;
        }
        if found.is_some() {
            return Err(Rejection::DuplicateKey { field: key });
        }
        found = decode(raw_value, Plus::Blank);
    }
    Ok(found)
}

/// The query without the pairs of a key, otherwise as it came.
pub(super) fn query_without(query: &str, key: &str) -> String {
    let is_kept = |pair: &&str| {
        let (raw_key, _) = pair.split_once('=').unwrap_or((pair, ""));
        decode(raw_key, Plus::Blank).is_some_and(|it| it != key)
    };
    let mut kept = String::new();
    for pair in query.split('&').filter(is_kept).filter(|pair| !pair.is_empty()) {
        if !kept.is_empty() {
            kept.push('&');
        }
        kept.push_str(pair);
    }
    kept
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Plus {
    Itself,
    Blank,
}

/// Percent-decodes once. `None` when a `%` has no two digits behind it, or the result is no UTF-8.
fn decode(raw: &str, plus: Plus) -> Option<Cow<'_, str>> {
    let is_plain = |byte: u8| byte != b'%' && (byte != b'+' || plus == Plus::Itself);
    if raw.bytes().all(is_plain) {
        return Some(Cow::Borrowed(raw));
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'%' => {
                let (digits, tail) = tail.split_first_chunk::<2>()?;
                let [high, low] = digits.map(|it| char::from(it).to_digit(16));
                bytes.push(u8::try_from(high? * 16 + low?).ok()?);
                rest = tail;
            }
            b'+' if plus == Plus::Blank => bytes.push(b' '),
            byte => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_decoded_once() {
        let check = |raw: &str, expected: Option<&str>| {
            assert_eq!(decode_segment(raw).ok().as_deref(), expected, "{raw}");
        };
        check("", Some(""));
        check("chat:room-1", Some("chat:room-1"));
        check("a+b", Some("a+b"));
        check("a%20b", Some("a b"));
        check("k%C3%A4se", Some("käse"));
        check("%252f", Some("%2f"));
        check("%2525", Some("%25"));
        check("...", Some("..."));
        for raw in [
            ".",
            "..",
            "%2e",
            "%2E%2e",
            ".%2e",
            "a%2fb",
            "a%2Fb",
            "a%5cb",
            "a\\b",
            "%00",
            "%0d%0a",
            "%7f",
            "%",
            "%2",
            "%zz",
            "%+1",
            "%c3",
            "%ff",
            "%c0%af",
            "%ed%a0%80",
            "käse",
            "a b",
            "a\"b",
            "<",
            "{",
            "|",
            "^",
            "`",
            "#",
        ] {
            check(raw, None);
        }
    }

    #[test]
    fn a_query_key_can_be_taken_out() {
        let check = |query: &str, expected: &str| {
            assert_eq!(query_without(query, "key"), expected, "{query}");
        };
        check("", "");
        check("key=a", "");
        check("a=1&key=secret&b=%20+&key", "a=1&b=%20+");
        check("k%65y=secret&keys=1&&Key=2", "keys=1&Key=2");
    }

    #[test]
    fn a_query_key_comes_once() {
        let check = |query: &'static str, expected: Result<Option<&str>, Rejection>| {
            let value = query_value(query, "channel");
            assert_eq!(
                value.map(|it| it.as_deref().map(str::to_owned)),
                expected.map(|it| it.map(str::to_owned)),
                "{query}"
            );
        };
        let twice = || Err(Rejection::DuplicateKey { field: "channel" });
        check("", Ok(None));
        check("channel", Ok(Some("")));
        check("channel=", Ok(Some("")));
        check("a=1&channel=chat%3aroom+1%2B1&b=2", Ok(Some("chat:room 1+1")));
        check("channel=a=b", Ok(Some("a=b")));
        check("Channel=a&channels=b", Ok(None));
        check("%63hannel=a", Ok(Some("a")));
        check("channel=a&channel=a", twice());
        check("channel=a&%63hannel=b", twice());
    }
}
