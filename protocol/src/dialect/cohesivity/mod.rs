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
    ConnectQuery, Credential, HISTORY_LIMIT_DEFAULT, HISTORY_LIMIT_MAX, HistoryQuery,
    decode_connect_query, decode_credential, decode_history_query,
};
pub use rows::{Cell, Rows};

use crate::json::{push_string, push_u64};

/// How long the bearer token of a server lives.
pub const EDGE_TOKEN_TTL_S: u32 = 60;
/// `Cache-Control` of the answers that carry a token.
pub const TOKEN_CACHE_CONTROL: &str = "private, no-store, max-age=0";

/// Appends `,"name":"text"`.
fn push_field(out: &mut Vec<u8>, name: &'static str, text: &str) {
    push_name(out, name);
    push_string(out, text);
}

/// Appends `,"name":number`.
fn push_number_field(out: &mut Vec<u8>, name: &'static str, number: u64) {
    push_name(out, name);
    push_u64(out, number);
}

fn push_name(out: &mut Vec<u8>, name: &'static str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}
