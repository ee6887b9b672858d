//! The table of REST calls: a call is one row.

use super::head::Head;
use super::method::{Method, Methods};
use super::target;
use crate::dialect::infrai::{CAPABILITIES, Operation};
use crate::dialect::insforge::{CALLS, Call};

/// What a request is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Route {
    /// A short-lived bearer token for a server.
    EdgeSession,
    /// A connection token for a client.
    RealtimeToken,
    /// A WebSocket.
    RealtimeSocket,
    /// Publish.
    RealtimePublish,
    /// What was published.
    RealtimeHistory,
    /// What was published, as a table that is asked in SQL.
    EdgeDatabase,
    /// Set up the tenant's channels.
    ResourceProvision,
    /// Take them away, with everything that was published.
    ResourceDelete,
    /// Pass it on to the vendor of video calls; see `cohesivity::decode_kit_target`.
    RealtimeKit,
    /// One of the capabilities of Infrai.
    Infrai(Operation),
    /// Which capabilities there are.
    Discovery,
    /// All about one of them; [`Head::segment`] 2 is its id.
    DiscoveryOf,
    /// A WebSocket with many channels.
    InfraiSocket,
    /// One of the calls of InsForge.
    Insforge(Call),
    /// Whether the process runs.
    HealthLive,
    /// Whether it takes work.
    HealthReady,
    /// Which build it is.
    Version,
}

/// Method, path and call. `{name}` in a path is any one segment, which the call reads with [`Head::segment`]; `{name...}` at
/// its end is one or more, which the call reads with [`Head::rest`].
type Row = (Method, &'static str, Route);

const KIT: &str = "/edge/realtimekit/{rest...}";

/// The calls that no other table has.
const OWN: [Row; 19] = [
    (Method::Post, "/edge/session", Route::EdgeSession),
    (Method::Post, "/edge/realtime/token", Route::RealtimeToken),
    (Method::Get, "/edge/realtime", Route::RealtimeSocket),
    (Method::Post, "/edge/realtime", Route::RealtimePublish),
    (Method::Get, "/edge/realtime/history", Route::RealtimeHistory),
    (Method::Post, "/edge/database", Route::EdgeDatabase),
    (Method::Post, "/api/resources/realtime", Route::ResourceProvision),
    (Method::Delete, "/api/resources/realtime", Route::ResourceDelete),
    (Method::Get, KIT, Route::RealtimeKit),
    (Method::Post, KIT, Route::RealtimeKit),
    (Method::Put, KIT, Route::RealtimeKit),
    (Method::Patch, KIT, Route::RealtimeKit),
    (Method::Delete, KIT, Route::RealtimeKit),
    (Method::Get, "/v1/discovery", Route::Discovery),
    (Method::Get, "/v1/discovery/{id}", Route::DiscoveryOf),
    (Method::Get, "/v1/realtime/ws", Route::InfraiSocket),
    (Method::Get, "/health/live", Route::HealthLive),
    (Method::Get, "/health/ready", Route::HealthReady),
    (Method::Get, "/version", Route::Version),
];

/// Where a request leads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Routed {
    /// To a call.
    Found(Route),
    /// A browser asks what it may do; answer with `write_preflight`.
    Preflight {
        /// The methods of the path.
        allow: Methods,
    },
    /// The path exists, with other methods.
    MethodNotAllowed {
        /// The methods of the path.
        allow: Methods,
    },
    /// Nowhere.
    NotFound,
}

/// Finds the call of a request. HEAD finds what GET finds.
#[must_use]
pub fn route(head: &Head<'_>) -> Routed {
    find(&TABLE, head.method, head.path)
}

/// Every method and path that lead somewhere, as the rows have them.
pub fn paths() -> impl Iterator<Item = (Method, &'static str)> {
    TABLE.rows.iter().map(|(method, path, _)| (*method, *path))
}

static TABLE: Table<ROWS> = Table::new(rows());

/// How many rows there are.
const ROWS: usize = {
    let mut count = OWN.len() + CALLS.len();
    let mut rest = CAPABILITIES.as_slice();
    while let [capability, behind @ ..] = rest {
        count += capability.paths.len();
        rest = behind;
    }
    count
};

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, where a wrong index is an error"
)]
const fn rows() -> [Row; ROWS] {
    let mut rows = [OWN[0]; ROWS];
    let mut at = 0;
    while at < OWN.len() {
        rows[at] = OWN[at];
        at += 1;
    }
    let mut calls = CALLS.as_slice();
    while let [(method, path, call), behind @ ..] = calls {
        rows[at] = (*method, path, Route::Insforge(*call));
        at += 1;
        calls = behind;
    }
    let mut rest = CAPABILITIES.as_slice();
    while let [capability, behind @ ..] = rest {
        let mut paths = capability.paths;
        while let [(method, path), others @ ..] = paths {
            rows[at] = (*method, path, Route::Infrai(capability.operation));
            at += 1;
            paths = others;
        }
        rest = behind;
    }
    rows
}

/// Longest path without a variable segment.
const FIXED_BYTES_MAX: usize = 63;

/// Rows, ordered so that most requests are compared with one or two of them.
struct Table<const N: usize> {
    /// First those without a variable segment, by length; then the others.
    rows: [Row; N],
    /// Where the rows of each length start.
    starts: [usize; FIXED_BYTES_MAX + 2],
}

impl<const N: usize> Table<N> {
    #[expect(
        clippy::indexing_slicing,
        reason = "evaluated by the compiler, where a wrong index is an error"
    )]
    const fn new(mut rows: [Row; N]) -> Self {
        let mut sorted = 1;
        while sorted < N {
            let mut at = sorted;
            while at > 0 && rank(rows[at - 1].1) > rank(rows[at].1) {
                rows.swap(at - 1, at);
                at -= 1;
            }
            sorted += 1;
        }
        let mut starts = [N; FIXED_BYTES_MAX + 2];
        let mut at = N;
        while at > 0 {
            at -= 1;
            let mut length = 0;
            while length <= rank(rows[at].1) {
                starts[length] = at;
                length += 1;
            }
        }
        Self { rows, starts }
    }

    /// The rows whose path has this length and no variable segment.
    fn fixed(&self, bytes: usize) -> &[Row] {
        let bytes = bytes.min(FIXED_BYTES_MAX + 1);
        match (self.starts.get(bytes), self.starts.get(bytes + 1)) {
            (Some(start), Some(end)) => self.rows.get(*start..*end).unwrap_or_default(),
            (Some(_), None) | (None, _) => &[],
        }
    }

    /// The rows with a variable segment.
    fn patterns(&self) -> &[Row] {
        let start = self.starts.last().copied().unwrap_or_default();
        self.rows.get(start..).unwrap_or_default()
    }
}

/// The length of a path; more than any for one with a variable segment.
const fn rank(pattern: &str) -> usize {
    let mut bytes = pattern.as_bytes();
    while let [first, rest @ ..] = bytes {
        if *first == b'{' {
            return FIXED_BYTES_MAX + 1;
        }
        bytes = rest;
    }
    assert!(pattern.len() <= FIXED_BYTES_MAX, "a path longer than the table expects");
    pattern.len()
}

fn find<const N: usize>(table: &Table<N>, method: Method, path: &str) -> Routed {
    let wanted = if method == Method::Head { Method::Get } else { method };
    let mut allow = Methods::default();
    // Without a `%` a path means what it says, and most are in the table as they are.
    if path.contains('%') {
        let rows = table.rows.iter().filter(|(_, pattern, _)| matches(pattern, path));
        if let Some(route) = choose(rows, wanted, &mut allow) {
            return Routed::Found(route);
        }
    } else {
        let fixed = table.fixed(path.len()).iter().filter(|(_, pattern, _)| *pattern == path);
        if let Some(route) = choose(fixed, wanted, &mut allow) {
            return Routed::Found(route);
        }
        let patterns = table.patterns().iter().filter(|(_, pattern, _)| matches(pattern, path));
        if let Some(route) = choose(patterns, wanted, &mut allow) {
            return Routed::Found(route);
        }
    }
    match (allow.is_empty(), method) {
        (true, _) => Routed::NotFound,
        (false, Method::Options) => Routed::Preflight { allow: allow.with(Method::Options) },
        (false, _) => Routed::MethodNotAllowed { allow: allow.with(Method::Options) },
    }
}

/// The call of the wanted method; the methods that are passed over are noted.
fn choose<'r>(
    rows: impl Iterator<Item = &'r Row>,
    wanted: Method,
    allow: &mut Methods,
) -> Option<Route> {
    for (method, _, route) in rows {
        if *method == wanted {
            return Some(*route);
        }
        *allow = allow.with(*method);
        if *method == Method::Get {
            *allow = allow.with(Method::Head);
        }
    }
    None
}

fn matches(pattern: &str, path: &str) -> bool {
    let mut segments = target::segments(path);
    for expected in target::segments(pattern) {
        if expected.ends_with("...}") {
            let mut rest = segments.peekable();
            return rest.peek().is_some() && rest.all(|raw| !raw.is_empty());
        }
        let fits = segments.next().is_some_and(|raw| {
            if expected.starts_with('{') {
                !raw.is_empty()
            } else {
                target::decode_segment(raw).is_ok_and(|text| text == expected)
            }
        });
        if !fits {
            return false;
        }
    }
    segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: Method, path: &str, expected: &str) {
        let table = Table::new([
            (Method::Get, "/channels/{channel}/history", Route::RealtimeHistory),
            (Method::Get, "/edge/realtime", Route::RealtimeSocket),
            (Method::Post, "/edge/realtime", Route::RealtimePublish),
            (Method::Post, "/edge/realtime/token", Route::RealtimeToken),
            (Method::Put, "/kit/{rest...}", Route::RealtimeKit),
        ]);
        let text = match find(&table, method, path) {
            Routed::Found(route) => format!("{route:?}"),
            Routed::Preflight { allow } => format!("preflight {allow}"),
            Routed::MethodNotAllowed { allow } => format!("405 {allow}"),
            Routed::NotFound => "404".to_owned(),
        };
        assert_eq!(text, expected, "{method:?} {path}");
    }

    #[test]
    fn a_request_finds_its_row_and_no_other() {
        check(Method::Get, "/edge/realtime", "RealtimeSocket");
        check(Method::Head, "/edge/realtime", "RealtimeSocket");
        check(Method::Post, "/edge/realtime", "RealtimePublish");
        check(Method::Post, "/edge/%72ealtime", "RealtimePublish");
        check(Method::Put, "/edge/realtime", "405 GET, HEAD, POST, OPTIONS");
        check(Method::Get, "/edge/realtime/token", "405 POST, OPTIONS");
        check(Method::Options, "/edge/realtime", "preflight GET, HEAD, POST, OPTIONS");
        for path in
            ["/", "/edge", "/edge/", "/edge/realtime/", "//edge/realtime", "/Edge/realtime", "/x"]
        {
            check(Method::Get, path, "404");
            check(Method::Options, path, "404");
        }
    }

    #[test]
    fn a_name_in_a_path_is_one_segment() {
        check(Method::Get, "/channels/a%20b/history", "RealtimeHistory");
        check(Method::Get, "/channels/%252f/history", "RealtimeHistory");
        check(Method::Get, "/channels//history", "404");
        check(Method::Get, "/channels/a/b/history", "404");
    }

    #[test]
    fn the_rest_of_a_path_is_one_segment_or_more() {
        check(Method::Put, "/kit/a", "RealtimeKit");
        check(Method::Put, "/kit/a/b%20c/d", "RealtimeKit");
        check(Method::Put, "/k%69t/a/b", "RealtimeKit");
        check(Method::Get, "/kit/a/b", "405 PUT, OPTIONS");
        for path in ["/kit", "/kit/", "/kit//a", "/kit/a/", "/kit/a//b", "/kitt/a", "/kit%2fa"] {
            check(Method::Put, path, "404");
        }
    }

    #[test]
    fn every_row_of_the_table_is_found_by_its_path() {
        let mut hits = 0;
        for (method, pattern, route) in rows() {
            let path = pattern.replace("{rest...}", "a/b").replace(['{', '}'], "x");
            assert_eq!(find(&TABLE, method, &path), Routed::Found(route), "{method:?} {path}");
            // A name that needs decoding makes the path no other.
            let escaped = path.replace("realtime", "re%61ltime");
            assert_eq!(find(&TABLE, method, &escaped), Routed::Found(route), "{escaped}");
            hits += 1;
        }
        assert_eq!(hits, ROWS);
        assert!(
            TABLE.fixed("/v1/realtime/publish".len()).len() <= 6,
            "most requests compare little"
        );
        assert!(TABLE.fixed(10_000).is_empty());
    }

    #[test]
    fn no_two_rows_are_for_one_request() {
        for (index, (method, pattern, _)) in rows().iter().enumerate() {
            let path = pattern.replace("{rest...}", "a/b").replace(['{', '}'], "x");
            for (other_method, other, _) in &rows()[index + 1..] {
                let is_same = method == other_method && matches(other, &path);
                assert!(!is_same, "{method:?} {pattern} and {other}");
            }
        }
    }
}
