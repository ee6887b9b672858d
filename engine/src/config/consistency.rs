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
