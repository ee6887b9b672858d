//! Every bound a decoder keeps, by name. What is over a bound is refused, never truncated.

/// The bounds of what a peer may send.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Bytes of an HTTP request head, with the empty line that ends it.
    pub head_bytes_max: usize,
    /// Header lines of a request.
    pub headers_max: usize,
    /// Bytes of an HTTP request body.
    pub body_bytes_max: usize,
    /// Payload bytes of a WebSocket message, whole or in fragments.
    pub message_bytes_max: usize,
    /// Frames that one WebSocket message may come in.
    pub fragments_max: usize,
    /// Bytes of a channel name.
    pub channel_name_bytes_max: usize,
    /// Bytes of an event name.
    pub event_bytes_max: usize,
    /// Bytes of a token.
    pub token_bytes_max: usize,
    /// Arrays and objects inside one another in a JSON text.
    pub json_depth_max: usize,
    /// Bytes of a user id.
    pub user_id_bytes_max: usize,
    /// Bytes of a user's display name.
    pub user_name_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes_max: 16 * 1024,
            headers_max: 64,
            body_bytes_max: 1024 * 1024,
            message_bytes_max: 64 * 1024,
            fragments_max: 64,
            channel_name_bytes_max: 200,
            event_bytes_max: 200,
            token_bytes_max: 4096,
            json_depth_max: 32,
            user_id_bytes_max: 128,
            user_name_bytes_max: 256,
        }
    }
}
