//! What a client or a server of this dialect asks for.

use std::borrow::Cow;

use crate::channel_name::ChannelName;
use crate::command::{ChannelPublish, Command};
use crate::http::Head;
use crate::limits::Limits;
use crate::rejection::Rejection;

/// Shortest life of a connection token.
pub const TOKEN_TTL_S_MIN: u32 = 60;
/// Longest life of a connection token.
pub const TOKEN_TTL_S_MAX: u32 = 3600;
/// Life of a connection token whose request names none.
pub const TOKEN_TTL_S_DEFAULT: u32 = 300;

/// What a connection token is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenRequest<'a> {
    /// Who the client is; a number came as its text.
    pub user_id: &'a str,
    /// How others see the client.
    pub user_name: Option<&'a str>,
    /// How long the token lives.
    pub ttl_s: u32,
}

/// Which part of a channel's history is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HistoryQuery<'a> {
    channel: Cow<'a, str>,
    /// Only publications with a larger offset.
    pub after: u64,
    /// At most so many.
    pub limit: u32,
}

/// Reads a text frame of a connected client.
///
/// # Errors
/// When it is no command; the connection stays open.
pub fn decode_frame<'a>(text: &'a mut [u8], limits: &Limits) -> Result<Command<'a>, Rejection> {
    let _ = (text, limits);
    Err(Rejection::InvalidJson)
}

/// Reads the body of POST /edge/realtime.
///
/// # Errors
/// When it is no publish.
pub fn decode_publish_body<'a>(
    body: &'a mut [u8],
    limits: &Limits,
) -> Result<ChannelPublish<'a>, Rejection> {
    let _ = (body, limits);
    Err(Rejection::InvalidJson)
}

/// Reads the body of POST /edge/realtime/token.
///
/// # Errors
/// When it is no request for a token.
pub fn decode_token_body<'a>(
    body: &'a mut [u8],
    limits: &Limits,
) -> Result<TokenRequest<'a>, Rejection> {
    let _ = (body, limits);
    Err(Rejection::InvalidJson)
}

/// Reads the query of GET /edge/realtime/history.
///
/// # Errors
/// When the channel is absent or no name, or a number is none.
pub fn decode_history_query<'a>(
    head: &Head<'a>,
    limits: &Limits,
) -> Result<HistoryQuery<'a>, Rejection> {
    let channel = head.query("channel")?.ok_or(Rejection::MissingField { field: "channel" })?;
    ChannelName::parse(&channel, limits).map_err(|cause| Rejection::name("channel", cause))?;
    Ok(HistoryQuery { channel, after: 0, limit: 50 })
}

impl HistoryQuery<'_> {
    /// Which channel: a valid name.
    #[must_use]
    pub fn channel(&self) -> &str {
        &self.channel
    }
}
