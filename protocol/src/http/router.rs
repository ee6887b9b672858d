//! The table of REST calls: a call is one row.

use super::head::Head;

/// What a request is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Route {
    /// POST /edge/session: a short-lived bearer token for a server.
    EdgeSession,
    /// POST /edge/realtime/token: a connection token for a client.
    RealtimeToken,
    /// GET /edge/realtime: a WebSocket.
    RealtimeSocket,
    /// POST /edge/realtime: publish.
    RealtimePublish,
    /// GET /edge/realtime/history.
    RealtimeHistory,
    /// GET /health/live: the process runs.
    HealthLive,
    /// GET /health/ready: it takes work.
    HealthReady,
    /// GET /version.
    Version,
}

/// Where a request leads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Routed {
    /// To a call.
    Found(Route),
    /// A browser asks what it may do; answer with `write_preflight`.
    Preflight {
        /// The methods of the path, as the value of `Allow`.
        allow: &'static str,
    },
    /// The path exists, with other methods.
    MethodNotAllowed {
        /// The methods of the path, as the value of `Allow`.
        allow: &'static str,
    },
    /// Nowhere.
    NotFound,
}

/// Finds the call of a request. HEAD finds what GET finds.
#[must_use]
pub fn route(head: &Head<'_>) -> Routed {
    let _ = head;
    Routed::NotFound
}
