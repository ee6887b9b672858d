//! What a configuration takes of a host's descriptors and memory.

use std::fs;

use engine::config::Config;
use engine::limits::refused_at_once;
use engine::node::MemoryBound;
use engine::pressure::Pressure;

use super::host::{Host, bytes_text};

/// Descriptors of a node, without its shards: of the catalog, webhooks, the side threads, the operator's door; about twice what it
/// begins with.
const NODE_DESCRIPTORS: u64 = 64;
/// Descriptors of a shard: of its rings, its executor and its journal, with those that this keeps back.
const SHARD_DESCRIPTORS: u64 = 32;
/// Deliveries of webhooks at once, at least.
const WEBHOOK_CALLS_MIN: usize = 2;

/// Shards that a node has here.
pub(crate) fn shards(host: &Host, config: &Config) -> u64 {
    let asked = config.server.shards;
    let shards = if asked == 0 { host.cores } else { asked };
    shards as u64
}

/// Descriptors without which a node does not start. Connections take none of them: the ring's tables hold their sockets.
pub(crate) fn descriptors_needed(host: &Host, config: &Config) -> u64 {
    NODE_DESCRIPTORS + SHARD_DESCRIPTORS * shards(host, config) + journal_files(config)
}

/// Files that the journals have, all of which are open.
fn journal_files(config: &Config) -> u64 {
    if config.server.ephemeral {
        return 0;
    }
    let folders = fs::read_dir(config.server.data_dir.join("journal"));
    let files = |it: fs::DirEntry| fs::read_dir(it.path()).map_or(0, Iterator::count);
    folders.map_or(0, |it| it.flatten().map(files).sum::<usize>()) as u64
}

/// Connections that a shard takes with so many descriptors: its table has as many slots.
pub(crate) fn connections_of_shard(descriptors: u64) -> u64 {
    let slots = u32::try_from(descriptors).unwrap_or(u32::MAX);
    u64::from(slots - refused_at_once(slots))
}

/// How many deliveries of webhooks may run at once: each has a socket of the process, and journals need some of those that are left.
pub(crate) fn webhook_calls_max(host: &Host, config: &Config, calls_max: usize) -> usize {
    let hard = host.descriptors.hard.unwrap_or(u64::MAX);
    let left = hard.saturating_sub(descriptors_needed(host, config));
    let room = usize::try_from(left / 2).unwrap_or(usize::MAX).max(WEBHOOK_CALLS_MIN);
    calls_max.min(room)
}

/// The bound of memory that holds here.
pub(crate) fn memory(host: &Host, config: &Config) -> MemoryBound {
    let give_back = crate::allocator::give_back;
    MemoryBound { give_back, ..host.memory.clone().bound(config.limits.memory_bytes_max) }
}

/// The bound in words, with what there is.
pub(crate) fn memory_text(bound: &MemoryBound) -> String {
    let of = if bound.memory.group.is_some() { "its cgroup" } else { "the host" };
    let (has, bytes) = (bytes_text(bound.memory.bytes()), bytes_text(bound.bytes));
    format!("{bytes} of the {has} of {of}")
}

/// Why the bound of memory may not do what it is for, and what to do about it.
pub(crate) fn doubts_of_memory(
    host: &Host,
    config: &Config,
) -> Vec<(String, &'static [&'static str])> {
    let bound = memory(host, config);
    let out_of_reach = out_of_reach(&bound).map(|it| (it, OUT_OF_REACH_FIXES));
    let excess = excess(&bound, &config.byte_bounds(shards(host, config)));
    out_of_reach.into_iter().chain(excess.map(|it| (it, EXCESS_FIXES))).collect()
}

const OUT_OF_REACH_FIXES: &[&str] =
    &["limits.memory_bytes_max = 0   is four fifths of what there is"];
const EXCESS_FIXES: &[&str] = &[
    "a host, or a cgroup, with more memory",
    "lower bounds: docs/decisions/memory.md lists them, and what each is for",
];

/// The bound of memory has levels, and the last one never begins: the kernel ends the node before.
fn out_of_reach(bound: &MemoryBound) -> Option<String> {
    let (last, has) = (Pressure::Consumers.begins_over(bound.bytes), bound.memory.bytes());
    (last >= has).then(|| {
        let most = has.saturating_sub(1) / 9 * 8;
        format!(
            "slow consumers are closed over {last} bytes, and there are {has}: set memory_bytes_max to {most} at most"
        )
    })
}

/// The bound of memory is reached before the others are; `None` where they fit into it together.
fn excess(bound: &MemoryBound, bounds: &[(&str, u64)]) -> Option<String> {
    let sum = bounds.iter().fold(0_u64, |sum, it| sum.saturating_add(it.1));
    (sum > bound.bytes).then(|| {
        let sum = bytes_text(sum);
        format!("other bounds of bytes allow {sum} together: memory_bytes_max is reached before")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::node::Memory;

    /// The number that is said, of a bound that is too large; `None` where it is not.
    fn said(bound_bytes: u64) -> Option<u64> {
        let why = out_of_reach(&Memory::look().bound(bound_bytes))?;
        let number = why.split("memory_bytes_max to ").nth(1).and_then(|it| it.split(' ').next());
        Some(number.expect("a number").parse().expect("a number"))
    }

    #[test]
    fn a_bound_whose_last_level_never_begins_is_told_with_the_largest_that_does() {
        let has = Memory::look().bytes();
        assert_eq!(said(0), None);
        let most = said(has).expect("it is too large");
        assert!(has / 10 * 8 < most && most < has / 9 * 8 + 8, "{most} of {has}");
        assert_eq!(said(most), None);
        assert_eq!(said(most + 16), Some(most));
    }
}
