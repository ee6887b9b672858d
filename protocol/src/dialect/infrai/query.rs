//! What the path and the query of a request say.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::channel_name::ChannelName;
use crate::http::Head;
use crate::limits::Limits;
use crate::rejection::Rejection;

/// Channels in a page whose request names no limit.
pub const LIST_LIMIT_DEFAULT: u32 = 50;
/// Most channels in one page.
pub const LIST_LIMIT_MAX: u32 = 200;

/// The channel that a path names: a valid name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PathChannel<'a>(Cow<'a, str>);

impl PathChannel<'_> {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads the channel of `…/channel/get/{channel}`, `…/channels/{channel}` and their like.
///
/// # Errors
/// When it is no name.
pub fn decode_path_channel<'a>(
    head: &Head<'a>,
    limits: &Limits,
) -> Result<PathChannel<'a>, Rejection> {
    let is_short = head.segment(2).is_some_and(|it| it == "channels");
    let name = head.segment(if is_short { 3 } else { 4 });
    let name = name.ok_or(Rejection::MissingField { field: "channel" })?;
    ChannelName::parse(&name, limits).map_err(|cause| Rejection::name("channel", cause))?;
    Ok(PathChannel(name))
}

/// Which page of the channels is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChannelList {
    after: Option<String>,
    /// At most so many.
    pub limit: u32,
}

impl ChannelList {
    /// Only channels whose names sort behind this one, byte by byte.
    #[must_use]
    pub fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }
}

/// Reads the query of `realtime.channel.list`.
///
/// # Errors
/// When the cursor is none of ours, or the limit is out of range.
pub fn decode_channel_list(head: &Head<'_>, limits: &Limits) -> Result<ChannelList, Rejection> {
    const RANGE: Rejection =
        Rejection::OutOfRange { field: "limit", min: 1, max: LIST_LIMIT_MAX as u64 };
    const CURSOR: Rejection =
        Rejection::WrongType { field: "cursor", expected: "the next_cursor of an earlier page" };
    let after = match head.query("cursor")? {
        Some(cursor) => Some(read_cursor(&cursor, limits).ok_or(CURSOR)?),
        None => None,
    };
    let limit = match head.query("limit")? {
        // `parse` alone would take a sign.
        Some(text) if !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit()) => {
            text.parse().ok().filter(|it| (1..=LIST_LIMIT_MAX).contains(it)).ok_or(RANGE)?
        }
        Some(_) => return Err(RANGE),
        None => LIST_LIMIT_DEFAULT,
    };
    Ok(ChannelList { after, limit })
}

fn read_cursor(cursor: &str, limits: &Limits) -> Option<String> {
    // A byte of the name takes four thirds of one of the cursor.
    if cursor.len() > limits.channel_name_bytes_max * 2 {
        return None;
    }
    let name = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    ChannelName::parse(&name, limits).ok()?;
    Some(name)
}

/// The cursor behind a channel.
pub(super) fn cursor_behind(channel: &str) -> String {
    URL_SAFE_NO_PAD.encode(channel)
}
