//! The table of the capabilities. The router's rows and the discovery both come from it.

use super::error_code::ErrorCode;
use super::operation::Operation;
use crate::http::Method;

/// One capability, as its readers need it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Capability {
    /// Which one.
    pub operation: Operation,
    /// What it does.
    pub summary: &'static str,
    /// Its methods and paths: today's first, then those of older documents. `{channel}` is any one segment.
    pub paths: &'static [(Method, &'static str)],
    /// What it takes.
    pub params: &'static [Param],
    /// What it answers.
    pub returns: &'static str,
    /// The errors of its own, beside [`COMMON_ERRORS`].
    pub errors: &'static [ErrorCode],
    /// Whether doing it twice is doing it once, without an idempotency key.
    pub idempotent: bool,
    /// Whose keys it needs.
    pub vendors: &'static [&'static str],
    /// A request: its body as JSON, or nothing.
    pub example: Option<&'static str>,
}

/// One parameter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// Where it stands.
    pub place: Place,
    /// Its type.
    pub json_type: &'static str,
    /// Whether it has to be there.
    pub need: Need,
    /// What it is.
    pub description: &'static str,
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// In the JSON body.
    Body,
}

/// Whether a parameter has to be there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Need {
    /// It has.
    Required,
    /// It has not.
    Optional,
}

/// Errors of every capability.
pub const COMMON_ERRORS: [ErrorCode; 6] = [
    ErrorCode::InvalidRequest,
    ErrorCode::Unauthorized,
    ErrorCode::InsufficientCredit,
    ErrorCode::RateLimited,
    ErrorCode::Internal,
    ErrorCode::Unavailable,
];

const fn required(name: &'static str, json_type: &'static str, description: &'static str) -> Param {
    Param { name, place: Place::Body, json_type, need: Need::Required, description }
}

const fn optional(name: &'static str, json_type: &'static str, description: &'static str) -> Param {
    Param { name, place: Place::Body, json_type, need: Need::Optional, description }
}

const fn query(name: &'static str, json_type: &'static str, description: &'static str) -> Param {
    Param { name, place: Place::Query, json_type, need: Need::Optional, description }
}

const PATH_CHANNEL: Param = Param {
    name: "channel",
    place: Place::Path,
    json_type: "string",
    need: Need::Required,
    description: "Channel name, percent-encoded",
};
const KEY: Param =
    optional("idempotency_key", "string", "Makes a retry safe; the header Idempotency-Key too");
const CAPABILITIES_PARAM: Param = optional(
    "capabilities",
    "string[]",
    "Of subscribe, publish, presence and history; subscribe when absent",
);
const TTL: Param =
    optional("ttl_seconds", "number", "Lifetime in seconds; 3600 when absent, at most 86400");
const CLIENT: Param = required("client_id", "string", "Who the client is; user_id is the same");
const OWN: &[&str] = &[super::data::VENDOR];

/// All of them.
pub const CAPABILITIES: [Capability; 12] = [
    Capability {
        operation: Operation::TokenIssue,
        summary: "Issue a client token scoped to channels and capabilities",
        paths: &[(Method::Post, "/v1/realtime/token/issue"), (Method::Post, "/v1/realtime/token")],
        params: &[
            optional("client_id", "string", "Who the client is; user_id is the same"),
            optional("user_id", "string", "Who the client is; client_id is the same"),
            optional("channels", "string[]", "Names, or beginnings with *; absent: all public"),
            CAPABILITIES_PARAM,
            TTL,
            KEY,
        ],
        returns: "{ token, jti, client_id, channels, capabilities, expires_at, endpoint }",
        errors: &[ErrorCode::IdempotencyConflict],
        idempotent: false,
        vendors: OWN,
        example: Some(
            r#"{"client_id":"user_42","channels":["room-42"],"capabilities":["subscribe","presence"],"ttl_seconds":3600}"#,
        ),
    },
    Capability {
        operation: Operation::TokenRevoke,
        summary: "Revoke a token; connections that it opened stay",
        paths: &[(Method::Post, "/v1/realtime/token/revoke")],
        params: &[required("token_or_jti", "string", "The token, or its jti"), KEY],
        returns: "{ revoked }",
        errors: &[ErrorCode::IdempotencyConflict],
        idempotent: true,
        vendors: OWN,
        example: Some(r#"{"token_or_jti":"018e6658-27a7-7abc-8def-0123456789ab"}"#),
    },
    Capability {
        operation: Operation::ChannelCreate,
        summary: "Create a channel",
        paths: &[
            (Method::Post, "/v1/realtime/channel/create"),
            (Method::Post, "/v1/realtime/channels"),
        ],
        params: &[
            required("name", "string", "Channel name; channel is the same"),
            optional("type", "string", "public, private or presence; public when absent"),
            KEY,
        ],
        returns: "{ channel_id, name, type, vendor, created_at }",
        errors: &[ErrorCode::ChannelTypeConflict, ErrorCode::IdempotencyConflict],
        idempotent: true,
        vendors: OWN,
        example: Some(r#"{"name":"room-42","type":"presence"}"#),
    },
    Capability {
        operation: Operation::ChannelGet,
        summary: "Get one channel",
        paths: &[
            (Method::Get, "/v1/realtime/channel/get/{channel}"),
            (Method::Get, "/v1/realtime/channels/{channel}"),
        ],
        params: &[PATH_CHANNEL],
        returns: "{ channel_id, name, type, vendor, created_at, member_count?, last_published_at? }",
        errors: &[ErrorCode::ChannelNotFound],
        idempotent: true,
        vendors: OWN,
        example: None,
    },
    Capability {
        operation: Operation::ChannelList,
        summary: "List the channels, page by page",
        paths: &[
            (Method::Get, "/v1/realtime/channel/list"),
            (Method::Get, "/v1/realtime/channels"),
        ],
        params: &[
            query("cursor", "string", "The next_cursor of the page before"),
            query("limit", "number", "Channels in a page, from 1 to 200; 50 when absent"),
        ],
        returns: "{ channels, next_cursor? }",
        errors: &[],
        idempotent: true,
        vendors: OWN,
        example: None,
    },
    Capability {
        operation: Operation::ChannelDelete,
        summary: "Delete a channel and disconnect its subscribers",
        paths: &[
            (Method::Delete, "/v1/realtime/channel/delete/{channel}"),
            (Method::Delete, "/v1/realtime/channels/{channel}"),
        ],
        params: &[PATH_CHANNEL, KEY],
        returns: "{ channel, deleted, status }",
        errors: &[ErrorCode::IdempotencyConflict],
        idempotent: true,
        vendors: OWN,
        example: None,
    },
    Capability {
        operation: Operation::Publish,
        summary: "Publish an event to a channel",
        paths: &[(Method::Post, "/v1/realtime/publish")],
        params: &[
            required("channel", "string", "Channel name; name is the same"),
            required("event", "string", "Event name"),
            required("data", "unknown", "Payload: any JSON value"),
            optional("persist", "boolean", "Whether the message is kept; true when absent"),
            KEY,
        ],
        returns: "{ message_id, delivered?, status, channel, published_at }",
        errors: &[
            ErrorCode::IdempotencyConflict,
            ErrorCode::PayloadTooLarge,
            ErrorCode::StorageFull,
        ],
        idempotent: false,
        vendors: OWN,
        example: Some(r#"{"channel":"room-42","event":"message","data":{"text":"hi"}}"#),
    },
    Capability {
        operation: Operation::PublishBatch,
        summary: "Publish up to 100 messages, all or none",
        paths: &[(Method::Post, "/v1/realtime/publish/batch")],
        params: &[
            required("messages", "object[]", "Each with channel, event, data and persist?"),
            KEY,
        ],
        returns: "{ published, message_ids }",
        errors: &[
            ErrorCode::IdempotencyConflict,
            ErrorCode::PayloadTooLarge,
            ErrorCode::StorageFull,
        ],
        idempotent: false,
        vendors: OWN,
        example: Some(
            r#"{"messages":[{"channel":"room-42","event":"message","data":{"text":"hi"}}]}"#,
        ),
    },
    Capability {
        operation: Operation::PresenceGet,
        summary: "Get the members who are on a channel",
        paths: &[
            (Method::Get, "/v1/realtime/presence/get/{channel}"),
            (Method::Get, "/v1/realtime/channels/{channel}/presence"),
        ],
        params: &[PATH_CHANNEL],
        returns: "{ members: { client_id, user_id? }[] }",
        errors: &[],
        idempotent: true,
        vendors: OWN,
        example: None,
    },
    Capability {
        operation: Operation::UserDisconnect,
        summary: "Disconnect a client, altogether or from one channel",
        paths: &[(Method::Post, "/v1/realtime/user/disconnect")],
        params: &[CLIENT, optional("channel", "string", "Absent: altogether"), KEY],
        returns: "{ disconnected }",
        errors: &[ErrorCode::IdempotencyConflict],
        idempotent: true,
        vendors: OWN,
        example: Some(r#"{"client_id":"user_42","channel":"room-42"}"#),
    },
    Capability {
        operation: Operation::EventTypes,
        summary: "List the kinds of events",
        paths: &[(Method::Get, "/v1/realtime/event/types")],
        params: &[],
        returns: "{ types }",
        errors: &[],
        idempotent: true,
        vendors: OWN,
        example: None,
    },
    Capability {
        operation: Operation::AuthSign,
        summary: "Issue a channel signature of a vendor: Pusher, Ably or Liveblocks",
        paths: &[(Method::Post, "/v1/realtime/auth/sign")],
        params: &[
            CLIENT,
            required("channels", "string[]", "Pusher signs the first, Ably all of them"),
            CAPABILITIES_PARAM,
            optional("vendor", "string", "pusher, ably or liveblocks"),
            TTL,
            optional("socket_id", "string", "Pusher needs it"),
            optional("channel_data", "object", "Who the client is on a presence channel"),
            optional("user_data", "object", "Who the client is on the whole connection"),
            KEY,
        ],
        returns: "{ vendor, token }",
        errors: &[
            ErrorCode::IdempotencyConflict,
            ErrorCode::VendorNotConfigured,
            ErrorCode::VendorError,
        ],
        idempotent: false,
        vendors: &["pusher", "ably", "liveblocks"],
        example: Some(
            r#"{"client_id":"user_42","channels":["private-room-42"],"socket_id":"1234.1234","vendor":"pusher"}"#,
        ),
    },
];

impl Operation {
    /// Its row in the table.
    #[must_use]
    pub fn capability(self) -> &'static Capability {
        // The table has the order of the operations; a test holds it to that.
        let index = self as usize;
        CAPABILITIES.get(index).unwrap_or(&CAPABILITIES[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_its_row() {
        assert_eq!(CAPABILITIES.map(|it| it.operation), Operation::ALL);
        for operation in Operation::ALL {
            assert_eq!(operation.capability().operation, operation);
            assert!(operation.id().starts_with("realtime."));
        }
    }
}
