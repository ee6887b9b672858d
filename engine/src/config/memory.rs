//! What the bounds of a configuration allow of memory, all of them reached at once.

use super::table::Config;

impl Config {
    /// Every bound that counts bytes of more than one connection, by its name, for a node of so many shards.
    #[must_use]
    pub fn byte_bounds(&self, shards: u64) -> [(&'static str, u64); 10] {
        let limits = &self.limits;
        let of_node = |bytes: usize| bytes as u64;
        let of_shards = |bytes: usize| (bytes as u64).saturating_mul(shards);
        let buffers = usize::from(limits.receive_buffers);
        let buffer_bytes = usize::try_from(limits.receive_buffer_bytes).unwrap_or(usize::MAX);
        [
            ("limits.outbox_total_bytes_max", of_node(limits.outbox_total_bytes_max)),
            ("limits.polling_total_bytes_max", of_shards(limits.polling_total_bytes_max)),
            ("limits.long_answers_bytes_max", of_shards(limits.long_answers_bytes_max)),
            ("limits.tail_total_bytes_max", of_shards(limits.tail_total_bytes_max)),
            ("limits.fan_out_bytes_max", of_shards(limits.fan_out_bytes_max)),
            ("limits.journal_queue_bytes_max", of_shards(limits.journal_queue_bytes_max)),
            ("limits.side_bytes_max", of_shards(limits.side_bytes_max)),
            ("limits.database_memory_bytes_max", of_node(limits.database_memory_bytes_max)),
            ("limits.receive_buffers", of_shards(buffers.saturating_mul(buffer_bytes))),
            ("webhooks.loaded_bytes_max", of_node(self.webhooks.loaded_bytes_max)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SETTINGS;

    /// docs/decisions/memory.md has these numbers.
    #[test]
    fn the_defaults_add_up_to_what_the_decision_says() {
        let sum = |shards| {
            let bounds = Config::default().byte_bounds(shards);
            bounds.iter().map(|it| it.1).sum::<u64>() >> 20
        };
        assert_eq!([sum(1), sum(2), sum(8)], [902, 1_228, 3_184]);
    }

    #[test]
    fn a_bound_is_a_setting() {
        for (name, _) in Config::default().byte_bounds(1) {
            assert!(SETTINGS.iter().any(|it| it.path() == name), "{name}");
        }
    }
}
