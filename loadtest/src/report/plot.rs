//! Latency by percentile as columns of block characters.

use super::figures::{real, time};
use crate::record::latency::Times;

const ROWS: usize = 7;
const COLUMNS: u32 = 64;
const DECADES: f64 = 4.0;
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The part of all, 0 to 1, that stands at a place from 0 to 1: each nine takes as much room as the one before.
pub(super) fn part_at(place: f64) -> f64 {
    1.0 - 10_f64.powf(-place * DECADES)
}

/// Draws the times; the axis goes from the fastest to the slowest in equal ratios.
pub(super) fn draw(times: &Times) -> String {
    let low = real(times.quantile_ns(0.0).max(1000)).ln();
    let high = real(times.max_ns().max(1000)).ln().max(low + 0.1);
    let height = |column: u32| {
        let part = part_at(f64::from(column) / f64::from(COLUMNS - 1));
        let value = real(times.quantile_ns(part).max(1000)).ln();
        (value - low) / (high - low) * (real(ROWS as u64) - 0.125) + 0.125
    };
    let heights: Vec<f64> = (0..COLUMNS).map(height).collect();
    let mut out = String::new();
    for row in (0..ROWS).rev() {
        let at = row_ns(low, high, row);
        out.push_str(&format!("{:>11} ┤", if row % 2 == 0 { time(at) } else { String::new() }));
        out.extend(heights.iter().map(|height| block(*height - real(row as u64))));
        out.push('\n');
    }
    out.push_str(&format!("{:>11} └{}\n", "", "─".repeat(COLUMNS as usize)));
    out.push_str(&format!(
        "{:13}{:<16}{:<16}{:<16}{:<12}p99.99\n",
        "", "p0", "p90", "p99", "p99.9"
    ));
    out
}

fn row_ns(low: f64, high: f64, row: usize) -> u64 {
    let value = (low + (high - low) * real(row as u64) / real(ROWS as u64 - 1)).exp();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a label; between the fastest and the slowest time"
    )]
    let nanoseconds = value as u64;
    nanoseconds
}

fn block(filled: f64) -> char {
    let eighths = (filled * 8.0).round().clamp(0.0, 8.0);
    let level = (0..=8_u8).find(|level| f64::from(*level) >= eighths).unwrap_or(8);
    EIGHTHS.get(usize::from(level)).copied().unwrap_or('█')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slower_parts_stand_higher() {
        let mut times = Times::new();
        for micros in 1..=10_000 {
            times.record(micros * 1000);
        }
        let text = draw(&times);
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows.len(), ROWS + 2);
        let filled = |row: &str| row.chars().filter(|c| EIGHTHS[1..].contains(c)).count();
        assert!(filled(rows[0]) > 0);
        assert!(rows[..ROWS].windows(2).all(|two| filled(two[0]) <= filled(two[1])), "{text}");
        assert_eq!(filled(rows[ROWS - 1]), COLUMNS as usize, "{text}");
        assert_eq!(block(0.5), '▄');
    }

    #[test]
    fn nothing_and_equal_times_can_be_drawn() {
        let mut times = Times::new();
        assert_eq!(draw(&times).lines().count(), ROWS + 2);
        times.record(5_000_000);
        assert_eq!(draw(&times).lines().count(), ROWS + 2);
    }
}
