//! The result as one self-contained page with plots.

use super::figures::{amount, real, time};
use super::plot::part_at;
use super::screen::{main_times, screen, title};
use super::{Report, json};
use crate::record::series::BUCKET_NS;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 70.0;
const BOTTOM: f64 = 30.0;
const CURVE_POINTS: u32 = 200;
const GRID_LINES: u32 = 4;
const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:800px;margin:2rem auto;\
padding:0 1rem;color:#222;background:#fff}h1{font-size:1.3rem}h2{font-size:1rem;margin-top:2rem}\
pre{background:#f6f6f4;padding:1rem;overflow:auto;font-size:13px;line-height:1.35}\
svg{width:100%;height:auto}text{font-size:11px;fill:#555}.grid{stroke:#ddd}\
.line{fill:none;stroke:#1f6feb;stroke-width:1.5}.ok{color:#176639}.bad{color:#b3261e}";

/// A curve with its axes.
struct Plot {
    /// Points from 0 to 1 on both axes.
    points: Vec<(f64, f64)>,
    /// Labels of the lower axis with their places from 0 to 1.
    below: Vec<(f64, String)>,
    /// Labels of the left axis from low to high, equally spaced.
    left: Vec<String>,
}

/// The page.
pub(crate) fn html(report: &Report) -> String {
    let title = escape(&title(report));
    let class = if report.verdict.exit_code() == 0 { "ok" } else { "bad" };
    let verdict = escape(&format!("{}: {}", report.verdict.name(), report.verdict.text));
    let environment = &report.environment;
    let place = escape(&format!(
        "{}, {} cores, Linux {}; {}; server {}",
        environment.processor,
        environment.cores,
        environment.kernel,
        environment.command,
        environment.server,
    ));
    let mut plots = String::new();
    if report.plan.load.layout.publishers > 0 {
        plots.push_str("<h2>Latency by percentile</h2>\n");
        plots.push_str(&svg(&latency_plot(report)));
        plots.push_str("<h2>Throughput a second, over time</h2>\n");
        plots.push_str(&svg(&throughput_plot(report)));
    }
    let data = escape(&format!("{:#}", json::json(report)));
    let text = escape(&screen(report));
    format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>stentor bench {title}</title>\n<style>{STYLE}</style>\n\
         <h1>stentor bench {title}</h1>\n<p class=\"{class}\"><b>{verdict}</b></p>\n\
         {plots}<h2>Figures</h2>\n<pre>{text}</pre>\n<p>{place}</p>\n\
         <details><summary>All data</summary><pre>{data}</pre></details>\n</html>\n"
    )
}

fn latency_plot(report: &Report) -> Plot {
    let times = main_times(report);
    let low = real(times.quantile_ns(0.0).max(1000)).ln();
    let high = real(times.max_ns().max(1000)).ln().max(low + 0.1);
    let points = (0..=CURVE_POINTS).map(|nth| {
        let place = f64::from(nth) / f64::from(CURVE_POINTS);
        let value = real(times.quantile_ns(part_at(place)).max(1000)).ln();
        (place, (value - low) / (high - low))
    });
    let names = ["p0", "p90", "p99", "p99.9", "p99.99"];
    let below =
        names.iter().zip(0_u32..).map(|(name, nth)| (f64::from(nth) / 4.0, (*name).to_owned()));
    let left = (0..=GRID_LINES).map(|nth| {
        let value = (low + (high - low) * f64::from(nth) / f64::from(GRID_LINES)).exp();
        time(whole(value))
    });
    Plot { points: points.collect(), below: below.collect(), left: left.collect() }
}

fn throughput_plot(report: &Report) -> Plot {
    let books = &report.measured.outcome.books;
    let is_delivered = books.counts.deliveries > 0;
    let per_second = 1e9 / real(BUCKET_NS);
    let rates = books.series.buckets().iter().map(|bucket| {
        let count = if is_delivered { bucket.deliveries } else { bucket.acknowledged };
        real(count) * per_second
    });
    let rates: Vec<f64> = rates.collect();
    let highest = rates.iter().copied().fold(1.0, f64::max);
    let last = real(rates.len().saturating_sub(1).max(1) as u64);
    let points = rates.iter().zip(0_u64..).map(|(rate, nth)| (real(nth) / last, rate / highest));
    let seconds = last / per_second;
    let below = (0..=GRID_LINES).map(|nth| {
        let place = f64::from(nth) / f64::from(GRID_LINES);
        (place, format!("{:.1} s", seconds * place))
    });
    let left = (0..=GRID_LINES).map(|nth| amount(highest * f64::from(nth) / f64::from(GRID_LINES)));
    Plot { points: points.collect(), below: below.collect(), left: left.collect() }
}

fn svg(plot: &Plot) -> String {
    let x = |place: f64| LEFT + place * (WIDTH - LEFT - 30.0);
    let y = |place: f64| HEIGHT - BOTTOM - place * (HEIGHT - BOTTOM - 12.0);
    let (right, floor) = (x(1.0), y(0.0));
    let mut out = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n");
    let steps = real(plot.left.len().saturating_sub(1).max(1) as u64);
    for (label, nth) in plot.left.iter().zip(0_u64..) {
        let at = y(real(nth) / steps);
        out.push_str(&format!(
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>\n",
            LEFT - 8.0,
            at + 4.0,
        ));
    }
    for (place, label) in &plot.below {
        let (at, down) = (x(*place), floor + 18.0);
        out.push_str(&format!(
            "<text x=\"{at:.1}\" y=\"{down:.1}\" text-anchor=\"middle\">{label}</text>\n"
        ));
    }
    let points: Vec<String> =
        plot.points.iter().map(|(px, py)| format!("{:.1},{:.1}", x(*px), y(*py))).collect();
    out.push_str(&format!("<polyline class=\"line\" points=\"{}\"/>\n</svg>\n", points.join(" ")));
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a label; the value is a positive time"
)]
fn whole(value: f64) -> u64 {
    value as u64
}
