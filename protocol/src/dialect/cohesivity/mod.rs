//! The dialect of Cohesivity: one channel a socket, chosen when it connects, and the calls under `/edge`.

mod answers;
mod bodies;
mod database;
mod decode;
mod frames;
mod provision;
mod query;
mod rows;

pub use answers::{write_fault, write_rejection};
pub use bodies::{
    body_fault, body_history, body_published, body_rejection, body_session, body_token,
};
pub use database::{
    DatabaseQuery, QUERY_PARAMS_MAX, QueryParam, QueryParams, decode_database_body,
};
pub use decode::{
    TOKEN_TTL_S_DEFAULT, TOKEN_TTL_S_MAX, TOKEN_TTL_S_MIN, TokenRequest, decode_frame,
    decode_publish_body, decode_token_body,
};
pub use frames::{
    frame_connected, frame_join, frame_leave, frame_message, frame_published, frame_rejection,
    frame_subscribed,
};
pub use provision::{
    ProvisionAnswer, ProvisionRequest, body_provisioned, body_unprovisioned, decode_provision_body,
};
pub use query::{
    ConnectQuery, Credential, HISTORY_LIMIT_DEFAULT, HISTORY_LIMIT_MAX, HistoryQuery, KitTarget,
    decode_connect_query, decode_credential, decode_history_query, decode_kit_target,
};
pub use rows::{Cell, Rows};

/// How long the bearer token of a server lives.
pub const EDGE_TOKEN_TTL_S: u32 = 60;
/// `Cache-Control` of the answers that carry a token.
pub const TOKEN_CACHE_CONTROL: &str = "private, no-store, max-age=0";
