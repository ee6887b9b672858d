//! The result as one self-contained page with plots.

use super::chart::Chart;
use super::figures::real;
use super::screen::{main_times, screen, title};
use super::verdict::Verdict;
use super::{Environment, Report, json};
use crate::record::series::BUCKET_NS;
use serde_json::Value;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:800px;margin:2rem auto;\
padding:0 1rem;color:#222;background:#fff}h1{font-size:1.3rem}h2{font-size:1rem;margin-top:2rem}\
pre{background:#f6f6f4;padding:1rem;overflow:auto;font-size:13px;line-height:1.35}\
svg{width:100%;height:auto}text{font-size:11px;fill:#555}.grid{stroke:#ddd}\
.line{fill:none;stroke:#1f6feb;stroke-width:1.5}.line1{stroke:#b35900}.line2{stroke:#999}\
.name0{fill:#1f6feb}.name1{fill:#b35900}.name2{fill:#999}\
.ok{color:#176639}.bad{color:#b3261e}";

/// What a page says besides its plots.
pub(super) struct Page<'a> {
    pub(super) title: &'a str,
    pub(super) verdict: &'a Verdict,
    pub(super) environment: &'a Environment,
    pub(super) text: &'a str,
    pub(super) data: &'a Value,
}

/// The page of a run of load.
pub(crate) fn html(report: &Report) -> String {
    let mut plots = Vec::new();
    if report.plan.load.layout.publishers > 0 {
        let books = &report.measured.outcome.books;
        plots.push(("Latency by percentile", Chart::percentiles(main_times(report))));
        let slices = books.slices.all();
        if !slices.is_empty() {
            plots.push(("Latency over time", Chart::over_time(&slices)));
        }
        plots.push(("Throughput a second, over time", throughput(report)));
        let resident = &report.measured.outcome.resident;
        if let (true, Some((last_ns, _))) = (report.drift().is_some(), resident.last()) {
            let bytes: Vec<f64> = resident.iter().map(|(_, bytes)| real(*bytes)).collect();
            let chart = Chart::rates(&bytes, real(*last_ns) / 1e9);
            plots.push(("Resident bytes of the server, over time", chart));
        }
    }
    let page = Page {
        title: &title(report),
        verdict: &report.verdict,
        environment: &report.environment,
        text: &screen(report),
        data: &json::json(report),
    };
    page.html(&plots)
}

fn throughput(report: &Report) -> Chart {
    let books = &report.measured.outcome.books;
    let is_delivered = books.counts.deliveries > 0;
    let per_second = 1e9 / real(BUCKET_NS);
    let rates = books.series.buckets().iter().map(|bucket| {
        let count = if is_delivered { bucket.deliveries } else { bucket.acknowledged };
        real(count) * per_second
    });
    let rates: Vec<f64> = rates.collect();
    let seconds = real(rates.len().saturating_sub(1).max(1) as u64) / per_second;
    Chart::rates(&rates, seconds)
}

impl Page<'_> {
    /// The page with its plots, each under its heading.
    pub(super) fn html(&self, plots: &[(&str, Chart)]) -> String {
        let title = escape(self.title);
        let class = if self.verdict.exit_code() == 0 { "ok" } else { "bad" };
        let verdict = escape(&format!("{}: {}", self.verdict.name(), self.verdict.text));
        let environment = self.environment;
        let place = escape(&format!(
            "{}, {} cores, Linux {}; {}; server {}",
            environment.processor,
            environment.cores,
            environment.kernel,
            environment.command,
            environment.server,
        ));
        let plot = |(name, chart): &(&str, Chart)| format!("<h2>{name}</h2>\n{}", chart.svg());
        let plots: String = plots.iter().map(plot).collect();
        let data = escape(&format!("{:#}", self.data));
        let text = escape(self.text);
        format!(
            "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>stentor bench {title}</title>\n<style>{STYLE}</style>\n\
             <h1>stentor bench {title}</h1>\n<p class=\"{class}\"><b>{verdict}</b></p>\n\
             {plots}<h2>Figures</h2>\n<pre>{text}</pre>\n<p>{place}</p>\n\
             <details><summary>All data</summary><pre>{data}</pre></details>\n</html>\n"
        )
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
