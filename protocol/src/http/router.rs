//! The table of REST calls: a call is one row.

use super::head::Head;
use super::method::{Method, Methods};
use super::target;

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
    /// What a `SELECT` finds in what was published.
    Database,
    /// Whatever RealtimeKit has at the rest of the path.
    RealtimeKit,
    /// To have the resource `realtime`.
    ResourceProvision,
    /// To have it no more.
    ResourceDelete,
    /// Whether the process runs.
    HealthLive,
    /// Whether it takes work.
    HealthReady,
    /// Which build it is.
    Version,
}

/// Method, path and call. `{}` in a path is any one segment; the call reads it with [`Head::segment`]. `{*}` at the end is all
/// that follows, which the call reads with [`Head::rest`].
const ROWS: [(Method, &str, Route); 16] = [
    (Method::Post, "/edge/session", Route::EdgeSession),
    (Method::Post, "/edge/realtime/token", Route::RealtimeToken),
    (Method::Get, "/edge/realtime", Route::RealtimeSocket),
    (Method::Post, "/edge/realtime", Route::RealtimePublish),
    (Method::Get, "/edge/realtime/history", Route::RealtimeHistory),
    (Method::Post, "/edge/database", Route::Database),
    (Method::Get, "/edge/realtimekit/{*}", Route::RealtimeKit),
    (Method::Post, "/edge/realtimekit/{*}", Route::RealtimeKit),
    (Method::Put, "/edge/realtimekit/{*}", Route::RealtimeKit),
    (Method::Patch, "/edge/realtimekit/{*}", Route::RealtimeKit),
    (Method::Delete, "/edge/realtimekit/{*}", Route::RealtimeKit),
    (Method::Post, "/api/resources/realtime", Route::ResourceProvision),
    (Method::Delete, "/api/resources/realtime", Route::ResourceDelete),
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
    find(&ROWS, head.method, head.path)
}

fn find(rows: &[(Method, &str, Route)], method: Method, path: &str) -> Routed {
    let wanted = if method == Method::Head { Method::Get } else { method };
    let mut allow = Methods::default();
    // Without a `%` a path means what it says, and most are in the table as they are.
    let is_plain = !path.contains('%');
    for (row_method, pattern, route) in rows {
        let is_fixed = is_plain && !pattern.contains('{');
        if *pattern != path && (is_fixed || !matches(pattern, path)) {
            continue;
        }
        if *row_method == wanted {
            return Routed::Found(*route);
        }
        allow = allow.with(*row_method);
        if *row_method == Method::Get {
            allow = allow.with(Method::Head);
        }
    }
    match (allow.is_empty(), method) {
        (true, _) => Routed::NotFound,
        (false, Method::Options) => Routed::Preflight { allow: allow.with(Method::Options) },
        (false, _) => Routed::MethodNotAllowed { allow: allow.with(Method::Options) },
    }
}

fn matches(pattern: &str, path: &str) -> bool {
    let mut segments = target::segments(path);
    for expected in target::segments(pattern) {
        let Some(raw) = segments.next() else { return false };
        let fits = match expected {
            "{*}" => return true,
            "{}" => !raw.is_empty(),
            name => target::decode_segment(raw).is_ok_and(|text| text == name),
        };
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
        let rows = [
            (Method::Get, "/edge/realtime", Route::RealtimeSocket),
            (Method::Post, "/edge/realtime", Route::RealtimePublish),
            (Method::Post, "/edge/realtime/token", Route::RealtimeToken),
            (Method::Get, "/channels/{}/history", Route::RealtimeHistory),
            (Method::Put, "/kit/{*}", Route::RealtimeKit),
        ];
        let text = match find(&rows, method, path) {
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
    fn a_row_may_own_all_that_follows() {
        for path in ["/kit/", "/kit/a", "/kit/a/", "/kit//", "/k%69t/a/b/c", "/kit/a%20b"] {
            check(Method::Put, path, "RealtimeKit");
        }
        check(Method::Post, "/kit/a", "405 PUT, OPTIONS");
        for path in ["/kit", "/kits/a", "/Kit/a"] {
            check(Method::Put, path, "404");
        }
    }
}
