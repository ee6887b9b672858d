//! Lines with their axes, as SVG that refers to nothing.

use super::figures::{amount, real, time};
use super::plot::part_at;
use crate::record::latency::Times;
use crate::record::slices::Slice;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 70.0;
const BOTTOM: f64 = 30.0;
const CURVE_POINTS: u32 = 200;
const GRID_LINES: u32 = 4;

/// One line: its name, and points from 0 to 1 on both axes.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) points: Vec<(f64, f64)>,
}

/// Lines with their axes.
pub(super) struct Chart {
    pub(super) lines: Vec<Line>,
    /// Labels of the lower axis with their places from 0 to 1.
    below: Vec<(f64, String)>,
    /// Labels of the left axis from low to high, equally spaced.
    left: Vec<String>,
}

/// An axis of times in equal ratios.
struct Ratios {
    low: f64,
    high: f64,
}

impl Ratios {
    fn over(times_ns: impl Iterator<Item = u64> + Clone) -> Self {
        let log = |ns: u64| real(ns.max(1000)).ln();
        let low = times_ns.clone().map(log).fold(f64::INFINITY, f64::min);
        let low = if low.is_finite() { low } else { log(0) };
        Self { low, high: times_ns.map(log).fold(low + 0.1, f64::max) }
    }

    fn place(&self, ns: u64) -> f64 {
        (real(ns.max(1000)).ln() - self.low) / (self.high - self.low)
    }

    fn labels(&self) -> Vec<String> {
        let label = |nth: u32| {
            let part = f64::from(nth) / f64::from(GRID_LINES);
            time(whole((self.low + (self.high - self.low) * part).exp()))
        };
        (0..=GRID_LINES).map(label).collect()
    }
}

impl Chart {
    /// Latency by percentile.
    pub(super) fn percentiles(times: &Times) -> Self {
        let axis = Ratios::over([times.quantile_ns(0.0), times.max_ns()].into_iter());
        let points = (0..=CURVE_POINTS).map(|nth| {
            let place = f64::from(nth) / f64::from(CURVE_POINTS);
            (place, axis.place(times.quantile_ns(part_at(place))))
        });
        let names = ["p0", "p90", "p99", "p99.9", "p99.99"];
        let below =
            names.iter().zip(0_u32..).map(|(name, nth)| (f64::from(nth) / 4.0, (*name).to_owned()));
        let lines = vec![Line { name: "", points: points.collect() }];
        Self { lines, below: below.collect(), left: axis.labels() }
    }

    /// Latency over the time of a run.
    pub(super) fn over_time(slices: &[Slice]) -> Self {
        let last_ns = slices.last().map_or(1, |slice| slice.at_ns.max(1));
        let axis = Ratios::over(slices.iter().flat_map(|it| [it.p50_ns, it.max_ns]));
        let line = |name: &'static str, of: fn(&Slice) -> u64| {
            let point = |it: &Slice| (real(it.at_ns) / real(last_ns), axis.place(of(it)));
            Line { name, points: slices.iter().map(point).collect() }
        };
        let lines = vec![
            line("p50", |it| it.p50_ns),
            line("p99", |it| it.p99_ns),
            line("max", |it| it.max_ns),
        ];
        let left = axis.labels();
        Self { lines, below: seconds(real(last_ns) / 1e9), left }
    }

    /// A rate over the time of a run; `seconds` from the first to the last.
    pub(super) fn rates(rates: &[f64], length_seconds: f64) -> Self {
        let highest = rates.iter().copied().fold(1.0, f64::max);
        let last = real(rates.len().saturating_sub(1).max(1) as u64);
        let point = |(rate, nth): (&f64, u64)| (real(nth) / last, rate / highest);
        let points = rates.iter().zip(0_u64..).map(point).collect();
        let left =
            (0..=GRID_LINES).map(|nth| amount(highest * f64::from(nth) / f64::from(GRID_LINES)));
        let lines = vec![Line { name: "", points }];
        Self { lines, below: seconds(length_seconds), left: left.collect() }
    }

    /// Latency against rate: for each rate, in rising order, p50, p99 and p99.9.
    pub(super) fn against_rate(steps: &[(u64, [u64; 3])]) -> Self {
        let axis = Ratios::over(steps.iter().flat_map(|(_, times)| *times));
        let lowest = real(steps.first().map_or(1, |(rate, _)| *rate)).ln();
        let highest = real(steps.last().map_or(1, |(rate, _)| *rate)).ln().max(lowest + 0.1);
        let place = |rate: u64| (real(rate).ln() - lowest) / (highest - lowest);
        let line = |name: &'static str, nth: usize| {
            let ns = |times: &[u64; 3]| times.get(nth).copied().unwrap_or(0);
            let point = |(rate, times): &(u64, [u64; 3])| (place(*rate), axis.place(ns(times)));
            Line { name, points: steps.iter().map(point).collect() }
        };
        let lines = vec![line("p50", 0), line("p99", 1), line("p99.9", 2)];
        let label = |nth: u32| {
            let part = f64::from(nth) / f64::from(GRID_LINES);
            (part, format!("{} /s", amount((lowest + (highest - lowest) * part).exp().round())))
        };
        Self { lines, below: (0..=GRID_LINES).map(label).collect(), left: axis.labels() }
    }

    /// As SVG.
    pub(super) fn svg(&self) -> String {
        let x = |place: f64| LEFT + place * (WIDTH - LEFT - 30.0);
        let y = |place: f64| HEIGHT - BOTTOM - place * (HEIGHT - BOTTOM - 12.0);
        let (right, floor) = (x(1.0), y(0.0));
        let mut out = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n");
        let steps = real(self.left.len().saturating_sub(1).max(1) as u64);
        for (label, nth) in self.left.iter().zip(0_u64..) {
            let at = y(real(nth) / steps);
            out.push_str(&format!(
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>\n",
                LEFT - 8.0,
                at + 4.0,
            ));
        }
        for (place, label) in &self.below {
            let (at, down) = (x(*place), floor + 18.0);
            out.push_str(&format!(
                "<text x=\"{at:.1}\" y=\"{down:.1}\" text-anchor=\"middle\">{label}</text>\n"
            ));
        }
        for (line, nth) in self.lines.iter().zip(0_usize..) {
            let points: Vec<String> =
                line.points.iter().map(|(px, py)| format!("{:.1},{:.1}", x(*px), y(*py))).collect();
            let points = points.join(" ");
            out.push_str(&format!("<polyline class=\"line line{nth}\" points=\"{points}\"/>\n"));
            let (at, name) = (LEFT + 10.0 + 50.0 * real(nth as u64), line.name);
            out.push_str(&format!("<text class=\"name{nth}\" x=\"{at}\" y=\"10\">{name}</text>\n"));
        }
        out.push_str("</svg>\n");
        out
    }
}

fn seconds(length: f64) -> Vec<(f64, String)> {
    let label = |nth: u32| {
        let place = f64::from(nth) / f64::from(GRID_LINES);
        (place, format!("{:.1} s", length * place))
    };
    (0..=GRID_LINES).map(label).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a label; the value is a positive time"
)]
fn whole(value: f64) -> u64 {
    value as u64
}
