//! Fields of JSON objects on their way out, for every dialect.

use std::io::Write;

use crate::json::{push_string, push_u64};

/// Appends `,"name":"text"`. Inline, as its callers know the name's length.
#[inline]
pub(super) fn push_field(out: &mut Vec<u8>, name: &'static str, text: &str) {
    push_name(out, name);
    push_string(out, text);
}

/// Appends `,"name":number`.
#[inline]
pub(super) fn push_number_field(out: &mut Vec<u8>, name: &'static str, number: u64) {
    push_name(out, name);
    push_u64(out, number);
}

/// Appends `,"name":"time"`.
pub(super) fn push_time_field(out: &mut Vec<u8>, name: &'static str, at_ms: u64) {
    push_name(out, name);
    push_time(out, at_ms);
}

/// Appends `,"name":`.
#[inline]
pub(super) fn push_name(out: &mut Vec<u8>, name: &'static str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Appends an array; `write` appends one item.
pub(super) fn push_array<T>(
    out: &mut Vec<u8>,
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

/// Appends a time as `"2024-03-22T12:38:31.111Z"`.
pub(super) fn push_time(out: &mut Vec<u8>, at_ms: u64) {
    let at_ms = i64::try_from(at_ms).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or(jiff::Timestamp::MAX);
    let written = write!(out, "\"{at:.3}\"");
    debug_assert!(written.is_ok(), "a buffer takes everything");
}
