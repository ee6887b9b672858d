//! The calls under `/api/realtime`, for administrators alone.

mod answers;
mod bodies;
mod data;
mod date;
mod error;
mod issues;
mod permissions;
mod query;
mod url;

pub use answers::{write_fault, write_rejection};
pub use bodies::{
    ChannelCreate, ChannelUpdate, DESCRIPTION_BYTES_MAX, RETENTION_DAYS_MAX, RetentionUpdate,
    WEBHOOK_URL_BYTES_MAX, WEBHOOK_URLS_MAX, decode_channel_create, decode_channel_update,
    decode_retention_update,
};
pub use data::{
    ChannelRow, ListWriter, MessageRow, Stats, body_anon_key, body_anon_token, body_channel,
    body_channel_deleted, body_config, body_config_updated, body_message, body_messages_deleted,
    body_stats,
};
pub use date::parse_date_ms;
pub use error::{RestError, body_error};
pub use issues::Issues;
pub use permissions::{body_permissions, decode_permissions};
pub use query::{
    LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX, MessageList, StatsQuery, decode_channel_id,
    decode_message_list, decode_stats_query,
};
