//! Which messages of a channel a rule keeps, by the runs of the index.

use std::io;

use super::{
    channel::{Channel, Run},
    next_position,
};
use crate::{ids::Offset, options::Keep};

/// The first offset that the rule keeps. `at_ms` reads when the message at a place of a run was taken.
pub(super) fn first_kept(
    channel: &Channel,
    keep: Keep,
    now_ms: u64,
    at_ms: impl Fn(&Run, u32) -> io::Result<u64>,
) -> io::Result<Offset> {
    let by_count = next_position(&channel.state).0.saturating_sub(keep.messages_max);
    let by_bytes = by_bytes(channel, keep.bytes_max);
    let oldest_ms = now_ms.saturating_sub(keep.age_ms_max);
    let mut by_age = 0;
    for run in channel.runs.iter().take_while(|it| it.first_at_ms < oldest_ms) {
        by_age = run.first + u64::from(older(run, oldest_ms, &at_ms)?);
    }
    Ok(Offset(by_count.max(by_bytes).max(by_age)))
}

/// How many messages at the start of a run are older.
fn older(
    run: &Run,
    oldest_ms: u64,
    at_ms: impl Fn(&Run, u32) -> io::Result<u64>,
) -> io::Result<u32> {
    if run.last_at_ms < oldest_ms {
        return Ok(run.count);
    }
    let (mut low, mut high) = (0, run.count);
    while low < high {
        let middle = low + (high - low) / 2;
        if at_ms(run, middle)? < oldest_ms {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// The first offset so that what follows has at most so many bytes. Within a run messages count by their mean size.
fn by_bytes(channel: &Channel, bytes_max: u64) -> u64 {
    let mut left = bytes_max;
    for run in channel.runs.iter().rev() {
        if run.bytes > left {
            let mean = run.bytes.div_ceil(u64::from(run.count)).max(1);
            return run.end() - (left / mean).min(u64::from(run.count));
        }
        left -= run.bytes;
    }
    0
}
