//! A node in the process of a test.

use std::sync::Arc;

use engine::config::LimitsConfig;
use engine::node::NodeOptions;
use engine::reactor::Reactor;
use storage::{JournalKind, JournalOptions, Keep, Retention};

/// What one is started with that has two shards, a port of its own, a journal in memory, and nothing beside its cores.
pub(crate) fn options(limits: &LimitsConfig) -> NodeOptions {
    let keep = Arc::new(|_: &_| Keep::ALL);
    NodeOptions {
        listen: "127.0.0.1:0".parse().unwrap(),
        shards: 2,
        reactor: Reactor::Standalone,
        limits: limits.for_shard(),
        ring: limits.for_driver(2),
        lane_capacity: limits.lane_capacity,
        inputs_per_turn_max: limits.inputs_per_turn_max,
        tenants: Vec::new(),
        journal: JournalKind::Memory,
        journal_dir: "unused".into(),
        journal_options: JournalOptions::default(),
        retention: Retention { keep, bytes_max: u64::MAX, idle_ms_max: u64::MAX },
        keyed_max: 0,
        side: None,
        webhooks: None,
        memory: None,
        stream_part_bytes_max: limits.side_part_bytes_max(),
        seed: 1,
        pepper: [0; 32],
    }
}
