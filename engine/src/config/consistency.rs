//! Rules between settings, which no single row can state.

use super::error::ConfigError;
use super::table::{Config, SETTINGS};
use super::text::Secrets;

/// What the kernel's rings take only in this form.
const POWERS_OF_TWO: [&str; 3] =
    ["limits.receive_buffers", "limits.submissions_max", "limits.completions_max"];

/// The first may be at most the second.
const AT_MOST: [(&str, &str); 7] = [
    ("limits.database_result_bytes_max", "limits.side_bytes_max"),
    ("limits.message_bytes_max", "limits.body_bytes_max"),
    ("limits.message_bytes_max", "limits.outbox_bytes_max"),
    ("limits.outbox_bytes_max", "limits.outbox_total_bytes_max"),
    ("limits.token_bytes_max", "limits.head_bytes_max"),
    ("limits.submissions_max", "limits.completions_max"),
    ("webhooks.breaker_wait_ms", "webhooks.breaker_wait_ms_max"),
];

/// The first says nothing without the second.
const BURSTS: [(&str, &str); 3] = [
    ("limits.connection_requests_burst", "limits.connection_requests_per_s"),
    ("limits.connection_publishes_burst", "limits.connection_publishes_per_s"),
    ("limits.connection_bytes_burst", "limits.connection_bytes_per_s"),
];

/// Refuses settings that contradict each other.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    for path in POWERS_OF_TWO {
        let value = number(config, path);
        if !value.is_power_of_two() {
            return Err(wrong(format!("{path} is {value}; it must be a power of two")));
        }
    }
    for (small, large) in AT_MOST {
        let (value, bound) = (number(config, small), number(config, large));
        if value > bound {
            let rule = format!("it must be at most {large}, which is {bound}");
            return Err(wrong(format!("{small} is {value}; {rule}")));
        }
    }
    for (burst, rate) in BURSTS {
        if number(config, burst) > 0 && number(config, rate) == 0 {
            return Err(wrong(format!("{burst} is set, and {rate} is not; it must be too")));
        }
    }
    Ok(())
}

#[expect(clippy::expect_used, reason = "the names are literals above; every load reads them")]
fn number(config: &Config, path: &str) -> u64 {
    let setting = SETTINGS.iter().find(|it| it.path() == path);
    setting
        .and_then(|it| (it.show)(config, Secrets::Masked).parse().ok())
        .expect("a setting that is a number")
}

fn wrong(message: String) -> ConfigError {
    ConfigError::Wrong { message }
}
