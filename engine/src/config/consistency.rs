//! Rules between settings, which no single row can state.

use super::error::ConfigError;
use super::table::Config;

/// Refuses settings that contradict each other.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let (limits, storage) = (&config.limits, &config.storage);
    for (key, value) in [
        ("limits.receive_buffers", limits.receive_buffers),
        ("limits.submissions_max", limits.submissions_max),
        ("limits.completions_max", limits.completions_max),
    ] {
        if !value.is_power_of_two() {
            return Err(wrong(format!("{key} is {value}; it must be a power of two")));
        }
    }
    let at_most: [(&str, usize, &str, usize); 6] = [
        (
            "limits.message_bytes_max",
            limits.message_bytes_max,
            "limits.body_bytes_max",
            limits.body_bytes_max,
        ),
        (
            "limits.message_bytes_max",
            limits.message_bytes_max,
            "limits.outbox_bytes_max",
            limits.outbox_bytes_max,
        ),
        (
            "limits.message_bytes_max",
            limits.message_bytes_max,
            "storage.batch_bytes_max",
            storage.batch_bytes_max,
        ),
        (
            "limits.outbox_bytes_max",
            limits.outbox_bytes_max,
            "limits.outbox_total_bytes_max",
            limits.outbox_total_bytes_max,
        ),
        (
            "storage.batch_bytes_max",
            storage.batch_bytes_max,
            "storage.segment_bytes",
            storage.segment_bytes,
        ),
        (
            "limits.token_bytes_max",
            limits.token_bytes_max,
            "limits.head_bytes_max",
            limits.head_bytes_max,
        ),
    ];
    for (small, value, large, bound) in at_most {
        if value > bound {
            return Err(wrong(format!(
                "{small} is {value}; it must be at most {large}, which is {bound}"
            )));
        }
    }
    let twice = limits.submissions_max * 2;
    if limits.completions_max < twice {
        let value = limits.completions_max;
        return Err(wrong(format!(
            "limits.completions_max is {value}; it must be at least twice limits.submissions_max, which is {twice}"
        )));
    }
    Ok(())
}

fn wrong(message: String) -> ConfigError {
    ConfigError::Wrong { message }
}
