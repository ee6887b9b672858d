//! The dialect of Infrai: twelve capabilities under `/v1/realtime`, each by one or two paths, a discovery of them, and a socket
//! with many channels.

mod bodies;
mod capabilities;
mod commands;
mod data;
mod discovery;
mod envelope;
mod error_code;
mod frames;
mod idempotency;
mod operation;
mod publish;
mod query;

pub use crate::auth::vendor::Vendor;
pub use bodies::{
    AuthSign, CHANNELS_MAX, ChannelCreate, TTL_S_DEFAULT, TTL_S_MAX, TokenIssue, TokenOrJti,
    TokenRevoke, UserDisconnect, decode_auth_sign, decode_channel_create, decode_channel_delete,
    decode_token_issue, decode_token_revoke, decode_user_disconnect,
};
pub use capabilities::{CAPABILITIES, COMMON_ERRORS, Capability, Need, Param, Place};
pub use commands::{FRAME_ID_BYTES_MAX, RefusedFrame, decode_frame};
pub use data::{
    ChannelView, Deleted, EVENT_TYPES, IssuedToken, SignedValue, VENDOR, data_channel,
    data_channel_deleted, data_channel_list, data_disconnected, data_event_types, data_presence,
    data_published, data_published_batch, data_revoked, data_signed, data_token,
};
pub use discovery::{Discovery, data_capability, data_discovery, find_capability};
pub use envelope::{Metadata, Source, body_rejection, body_success, write_fault, write_rejection};
pub use error_code::{ErrorCode, error_code, fault_code};
pub use frames::{
    Begin, Subscribed, frame_channel_deleted, frame_connected, frame_join, frame_leave,
    frame_message, frame_pong, frame_published, frame_recovered, frame_rejection, frame_subscribed,
    frame_unsubscribed,
};
pub use idempotency::{
    IDEMPOTENCY_KEY_BYTES_MAX, decode_idempotency_header, may_have_idempotency_key,
    one_idempotency_key,
};
pub use operation::Operation;
pub use publish::{
    BATCH_MESSAGES_MAX, PublishBatch, PublishOne, decode_publish, decode_publish_batch,
};
pub use query::{
    ChannelList, LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX, PathChannel, decode_channel_list,
    decode_path_channel,
};
