//! The limits of the table as each room of the house wants them.

use protocol::engineio::Heartbeat;

use super::table::LimitsConfig;
use crate::control::{Paced, Rate, Rates, SeatLimits};
use crate::limits::{Limits, REFUSED_AT_ONCE};
use crate::outbox::OutboxLimits;
use crate::reactor::ring::Settings;
use crate::side::{DatabaseLimits, ListLimits, SideLimits};

impl LimitsConfig {
    /// What the decoders accept.
    #[must_use]
    pub fn for_decoders(&self) -> protocol::Limits {
        protocol::Limits {
            head_bytes_max: self.head_bytes_max,
            headers_max: self.headers_max,
            body_bytes_max: self.body_bytes_max,
            message_bytes_max: self.message_bytes_max,
            fragments_max: self.fragments_per_message_max,
            channel_name_bytes_max: self.channel_name_bytes_max,
            event_bytes_max: self.event_name_bytes_max,
            token_bytes_max: self.token_bytes_max,
            json_depth_max: self.json_depth_max,
            user_id_bytes_max: self.user_id_bytes_max,
            user_name_bytes_max: self.user_name_bytes_max,
        }
    }

    /// What a shard keeps to.
    #[must_use]
    pub fn for_shard(&self) -> Limits {
        Limits {
            wire: self.for_decoders(),
            connections_max: self.connections_max as usize,
            newcomers_heard_max: self.newcomers_heard_max,
            polling_sessions_max: self.polling_sessions_max,
            polling_outbox_bytes_max: self.outbox_bytes_max,
            polling_total_bytes_max: self.polling_total_bytes_max,
            pipelined_requests_max: self.pipelined_requests_max,
            unread_bytes_max: self.head_bytes_max + self.body_bytes_max,
            journal_queue_messages_max: self.journal_queue_messages_max,
            journal_queue_bytes_max: self.journal_queue_bytes_max,
            journal_reads_max: self.journal_reads_max,
            commit_delay_us_max: self.commit_delay_us_max,
            control_calls_max: self.control_calls_max,
            side_calls_max: self.side_calls_max,
            side_bytes_max: self.side_bytes_max,
            side_part_bytes_max: self.side_part_bytes_max(),
            long_answers_bytes_max: self.long_answers_bytes_max,
            database_result_bytes_max: self.database_result_bytes_max,
            seat: SeatLimits {
                queue_max: self.seat_queue_max,
                channels_max: self.registered_channels_max,
                claims_max: self.idempotency_keys_max,
                claim_waiters_max: self.idempotency_waiters_max,
                revoked_max: self.revoked_tokens_max,
                patterns_max: self.patterns_max,
            },
            channels_max: self.channels_max,
            deliveries_per_turn_max: self.deliveries_per_turn_max,
            turn_us: self.turn_us,
            fan_out_bytes_max: self.fan_out_bytes_max,
            tail_total_bytes_max: self.tail_total_bytes_max,
            tail_messages_max: self.tail_messages_max,
            recovery_messages_max: self.recovery_messages_max,
            recovery_bytes_max: self.outbox_bytes_max / 8,
            presence_members_max: self.presence_members_max,
            subscriptions_per_connection_max: self.subscriptions_per_connection_max,
            connection_rates: self.connection_rates(),
            unanswered_frames_max: self.unanswered_frames_max,
            known_channels_max: self.known_channels_max,
            control_frames_per_second_max: self.control_frames_per_s_max,
            head_timeout_ms: self.head_timeout_ms,
            body_timeout_ms: self.body_timeout_ms,
            idle_timeout_ms: self.idle_timeout_ms,
            ping_interval_ms: self.ping_interval_ms,
            heartbeat: Heartbeat {
                interval_ms: self.engineio_ping_interval_ms,
                timeout_ms: self.engineio_ping_timeout_ms,
                payload_bytes_max: self.body_bytes_max.min(Heartbeat::default().payload_bytes_max),
            },
            connect_timeout_ms: self.connect_timeout_ms,
            introduction_timeout_ms: self.introduction_timeout_ms,
            pong_timeout_ms: self.pong_timeout_ms,
            #[cfg(feature = "echo")]
            echo: None,
        }
    }

    fn connection_rates(&self) -> Rates {
        let mut rates = Rates::default();
        for (what, per_second, burst) in [
            (Paced::Requests, self.connection_requests_per_s, self.connection_requests_burst),
            (Paced::Publishes, self.connection_publishes_per_s, self.connection_publishes_burst),
            (Paced::Bytes, self.connection_bytes_per_s, self.connection_bytes_burst),
        ] {
            rates.set(what, Rate { per_second, burst });
        }
        rates
    }

    /// What the side threads keep to.
    #[must_use]
    pub fn for_side(&self) -> SideLimits {
        SideLimits {
            answer_timeout_ms: self.side_answer_timeout_ms,
            idle_timeout_ms: self.side_idle_timeout_ms,
            part_bytes_max: self.side_part_bytes_max(),
            database: DatabaseLimits {
                queries_max: self.database_queries_max,
                time_ms_max: self.database_time_ms_max,
                rows_max: self.database_rows_max,
                result_bytes_max: self.database_result_bytes_max,
                memory_bytes_max: self.database_memory_bytes_max,
            },
            lists: ListLimits { calls_max: self.lists_max, time_ms_max: self.list_time_ms_max },
        }
    }

    /// A few parts always fit into an outbox, so that a stream alone never runs it over.
    #[must_use]
    pub fn side_part_bytes_max(&self) -> usize {
        (self.outbox_bytes_max / 8).min(SideLimits::default().part_bytes_max)
    }

    /// What the ring of a shard uses; `shards` of them share what is bounded for the node.
    #[must_use]
    pub fn for_driver(&self, shards: usize) -> Settings {
        Settings {
            sq_entries: self.submissions_max,
            cq_entries: self.completions_max,
            conns_max: self.connections_max.saturating_add(REFUSED_AT_ONCE),
            buffers: self.receive_buffers,
            buffer_bytes: self.receive_buffer_bytes,
            held_max: self.receive_buffers_per_connection_max,
            comings_per_turn_max: self.comings_per_turn_max,
            outbox: OutboxLimits {
                bytes_max: self.outbox_bytes_max,
                age_ms_max: self.outbox_age_ms_max,
            },
            unsent_bytes_max: self.kernel_unsent_bytes_max,
            backlog_bytes_max: self.outbox_total_bytes_max / shards.max(1),
            grace_ms: self.close_timeout_ms,
            linger_ms: self.drain_input_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::dialect::cohesivity::decode_frame;
    use protocol::http::parse_head;

    use super::*;
    use crate::config::{Config, Kind, SETTINGS};
    use crate::limits::refused_at_once;
    use crate::reactor::ring::SLOTS_MAX;

    #[test]
    fn the_defaults_of_the_table_are_those_of_the_rooms() {
        let limits = Config::default().limits;
        assert_eq!(limits.for_decoders(), protocol::Limits::default());
        assert_eq!(format!("{:?}", limits.for_shard()), format!("{:?}", Limits::default()));
        assert_eq!(format!("{:?}", limits.for_side()), format!("{:?}", SideLimits::default()));
        let conns_max = limits.connections_max + REFUSED_AT_ONCE;
        let driver = Settings { conns_max, ..Settings::default() };
        assert_eq!(format!("{:?}", limits.for_driver(1)), format!("{driver:?}"));
        assert_eq!(limits.for_driver(4).backlog_bytes_max, driver.backlog_bytes_max / 4);
    }

    #[test]
    fn as_many_connections_as_may_be_set_have_slots() {
        let row = SETTINGS.iter().find(|it| it.key == "connections_max").unwrap();
        let Kind::Number { max, .. } = row.kind else { unreachable!("it is a number") };
        assert_eq!(max, u64::from(SLOTS_MAX - refused_at_once(SLOTS_MAX)));
        let mut config = Config::default();
        (row.assign)(&mut config, &max.to_string()).unwrap();
        assert_eq!(config.limits.for_driver(1).conns_max, SLOTS_MAX);
    }

    #[test]
    fn no_setting_promises_more_than_what_reads_it_can_do() {
        let mut config = Config::default();
        for key in ["headers_max", "json_depth_max"] {
            let row = SETTINGS.iter().find(|it| it.key == key).unwrap();
            let Kind::Number { max, .. } = row.kind else { unreachable!("{key} is a number") };
            (row.assign)(&mut config, &max.to_string()).unwrap();
        }
        let limits = config.limits.for_decoders();
        let lines = "X: a\r\n".repeat(limits.headers_max - 1);
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        assert!(parse_head(head.as_bytes(), &limits).unwrap().is_some());
        let below = limits.json_depth_max - 1;
        let (open, close) = ("[".repeat(below), "]".repeat(below));
        let frame = format!(r#"{{"action":"publish","data":{open}{close}}}"#);
        assert!(decode_frame(&mut frame.into_bytes(), &limits).is_ok());
    }
}
