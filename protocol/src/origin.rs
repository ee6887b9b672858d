//! Origins of pages (RFC 6454), and lists of those that may use a tenant's sockets. Two origins are the same when scheme, host and
//! port are; nothing is a pattern, so no name that looks alike passes.

use crate::http::Head;

const HOST_BYTES_MAX: usize = 253;

/// Pages that may use a tenant's sockets.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Adds an origin: `scheme://host`, `scheme://host:port`, or `null`, which is what a page without one says.
    ///
    /// # Errors
    /// When the text is none.
    pub fn and(mut self, text: &str) -> Result<Self, NoOrigin> {
        let origin = read_origin(text).ok_or(NoOrigin)?;
        if !self.0.contains(&origin) {
            self.0.push(origin);
        }
        Ok(self)
    }

    /// All of them, as they are compared.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether a page may that has this origin, as its browser says it.
    #[must_use]
    pub fn admit(&self, origin: &str) -> bool {
        read_origin(origin).is_some_and(|it| self.0.contains(&it))
    }
}

/// The text is no origin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoOrigin;

/// What a request says of the page that it comes from; `None` when it comes from none. Several lines are one text that is no origin.
#[must_use]
pub fn page_of(head: &Head<'_>) -> Option<Box<str>> {
    let mut lines = head.headers("origin");
    let first = lines.next()?;
    match lines.next() {
        None => Some(first.into()),
        Some(second) => Some(format!("{first}, {second}").into()),
    }
}

/// The form in which origins are compared: small letters, and no port where it is the usual one of its scheme. `None` for a text
/// that is no origin.
#[must_use]
pub fn read_origin(text: &str) -> Option<String> {
    if text == "null" {
        return Some(text.to_owned());
    }
    let (scheme, authority) = text.split_once("://")?;
    let scheme = Some(scheme.to_ascii_lowercase()).filter(|it| is_scheme(it))?;
    let end = if authority.starts_with('[') { authority.find(']')? + 1 } else { 0 };
    let colon = authority.get(end..)?.find(':').map(|it| it + end);
    let (host, port) = match colon {
        Some(at) => (authority.get(..at)?, Some(read_port(authority.get(at + 1..)?)?)),
        None => (authority, None),
    };
    let host = Some(host.to_ascii_lowercase()).filter(|it| is_host(it))?;
    let usual = match scheme.as_str() {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    };
    Some(match port.filter(|it| Some(*it) != usual) {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}

/// RFC 3986 §3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|it: char| it.is_ascii_lowercase())
        && text.bytes().all(|it| matches!(it, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.'))
}

/// A name as a browser writes it, or an address.
fn is_host(text: &str) -> bool {
    let inner = text.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    match inner {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let is_byte = |it| matches!(it, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
            !text.starts_with('.')
                && (1..=HOST_BYTES_MAX).contains(&text.len())
                && text.bytes().all(is_byte)
        }
    }
}

fn read_port(text: &str) -> Option<u16> {
    let is_plain = !text.starts_with('0') && text.bytes().all(|it| it.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}
