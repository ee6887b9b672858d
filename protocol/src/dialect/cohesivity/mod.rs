//! The dialect of Cohesivity: one channel a socket, chosen when it connects, and the calls under `/edge`.

mod bodies;
mod decode;
mod frames;

pub use bodies::{
    body_fault, body_history, body_published, body_rejection, body_session, body_token,
};
pub use decode::{
    HistoryQuery, TOKEN_TTL_S_DEFAULT, TOKEN_TTL_S_MAX, TOKEN_TTL_S_MIN, TokenRequest,
    decode_frame, decode_history_query, decode_publish_body, decode_token_body,
};
pub use frames::{
    frame_connected, frame_join, frame_leave, frame_message, frame_published, frame_rejection,
    frame_subscribed,
};
