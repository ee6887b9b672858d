//! The result of comings and goings: on one screen, as JSON, and as a page.

use super::chart::Chart;
use super::figures::{Figures, amount, grouped, time};
use super::html::Page;
use super::screen::{write_times, write_use};
use super::verdict::Verdict;
use super::{Environment, json, plot};
use crate::crowd::Scene;
use crate::record::latency::Times;
use serde_json::{Map, Value, json};
use std::fmt::{self, Write as _};

/// A finished scenario.
#[derive(Debug)]
pub(crate) struct SceneReport {
    name: &'static str,
    title: String,
    settings: Value,
    scene: Scene,
    figures: Figures,
    /// Whether the result stands.
    pub(crate) verdict: Verdict,
    environment: Environment,
}

impl SceneReport {
    /// Draws the conclusions.
    pub(crate) fn new(
        (name, title): (&'static str, String),
        settings: Value,
        mut scene: Scene,
        server_cores: Option<usize>,
        environment: Environment,
    ) -> Self {
        let figures = Figures::between(scene.window, None, server_cores);
        if let Some((name, rounds)) = scene.told.rounds.take() {
            let mut all = Times::new();
            rounds.into_iter().flatten().for_each(|took_ns| all.record(took_ns));
            scene.told.times.push((name, all));
        }
        let record = &scene.record;
        let tally = &record.tally;
        let sum = |map: &std::collections::BTreeMap<String, u64>| map.values().sum();
        let mut complaints = vec![
            (tally.lost, "messages lost"),
            (tally.duplicated, "doubled or out of order"),
            (tally.foreign, "at a subscriber of another channel"),
            (tally.damaged, "damaged"),
            (sum(&record.refused), "publishes refused"),
            (sum(&record.gone), "connections ended by the server"),
        ];
        complaints.extend(scene.missing.iter().map(|(count, what)| (*count, &**what)));
        let counts: Vec<String> = scene
            .told
            .counts
            .iter()
            .map(|(name, count)| format!("{} {}", grouped(*count), words(name)))
            .collect();
        let heard = grouped(record.counts.deliveries);
        let praise = format!("{}; {heard} deliveries without a gap", counts.join(", "));
        let verdict = Verdict::of_scene(&figures, &complaints, scene.told.due, praise);
        Self { name, title, settings, scene, figures, verdict, environment }
    }

    fn times(&self) -> Vec<(&str, &Times)> {
        let told = self.scene.told.times.iter().map(|(name, times)| (&**name, times));
        told.chain([("from_due", &self.scene.record.deliveries)]).collect()
    }

    /// What the server's CPU is divided by.
    fn cost(&self) -> (&str, u64) {
        let told = self.scene.told.cost_of.as_ref().map(|(name, count)| (&**name, *count));
        told.unwrap_or(("delivery", self.scene.record.counts.deliveries))
    }

    /// On one screen.
    pub(crate) fn screen(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_screen(&mut out);
        out
    }

    fn write_screen(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "stentor bench {}: {}\n", self.name, self.title)?;
        let opened = &self.scene.opened;
        if opened.count() > 0 {
            let (p50, max) = (time(opened.quantile_ns(0.5)), time(opened.max_ns()));
            let all = grouped(opened.count());
            writeln!(
                out,
                "{:14}{all} there from the start; each p50 {p50}, max {max}",
                "connections"
            )?;
        }
        for (name, count) in &self.scene.told.counts {
            let rate = amount(self.figures.rate(*count));
            writeln!(out, "{:14}{} ({rate} /s)", words(name), grouped(*count))?;
        }
        let counts = &self.scene.record.counts;
        let (sent, heard) = (grouped(counts.sent), grouped(counts.deliveries));
        writeln!(out, "{:14}{sent}; delivered {heard}", "published")?;
        let whys = self.scene.record.gone.iter().chain(&self.scene.record.refused);
        for (why, count) in whys {
            writeln!(out, "{:14}{} x {why}", "ended", grouped(*count))?;
        }
        let rows: Vec<(String, &Times)> =
            self.times().into_iter().map(|(name, times)| (words(name), times)).collect();
        let rows: Vec<(&str, &Times)> =
            rows.iter().map(|(name, times)| (name.as_str(), *times)).collect();
        write_times(out, &rows)?;
        if let Some((_, times)) = rows.first() {
            writeln!(out, "\n{}", plot::draw(times))?;
        }
        write_use(out, &self.figures, self.cost())?;
        writeln!(out, "{:14}{}: {}", "verdict", self.verdict.name(), self.verdict.text)
    }

    /// As JSON.
    pub(crate) fn json(&self) -> Value {
        let (record, figures) = (&self.scene.record, &self.figures);
        let object = |pairs: Vec<(&str, Value)>| -> Value {
            let named = pairs.into_iter().map(|(name, value)| (name.to_owned(), value));
            Value::Object(named.collect::<Map<String, Value>>())
        };
        let counts = &self.scene.told.counts;
        let rates = counts.iter().map(|(name, count)| (&**name, figures.rate(*count).into()));
        let cost = self.cost();
        json!({
            "scenario": self.name,
            "settings": self.settings,
            "environment": json::environment(&self.environment),
            "verdict": json::verdict(&self.verdict),
            "connections": { "each_ns": json::times(&self.scene.opened) },
            "window": {
                "seconds": figures.seconds,
                "generator_use": figures.own_use(),
                "generator_wait": figures.own_wait(),
                "server_cpu_seconds": figures.server_cpu,
                "server_use": figures.server_use(),
                "server_us_per": { "what": cost.0, "us": figures.server_us_per(cost.1) },
                "per_server_second": figures.per_server_second(cost.1),
            },
            "counts": object(counts.iter().map(|(name, count)| (&**name, (*count).into())).collect()),
            "per_second": object(rates.collect()),
            "latency_of": self.times().first().map(|(name, _)| *name),
            "latency_ns": object(
                self.times().into_iter().map(|(name, times)| (name, json::times(times))).collect(),
            ),
            "checked": {
                "sent": record.counts.sent,
                "acknowledged": record.counts.acknowledged,
                "deliveries": record.counts.deliveries,
                "lost": record.tally.lost,
                "duplicated": record.tally.duplicated,
                "foreign": record.tally.foreign,
                "damaged": record.tally.damaged,
                "refused": record.refused,
                "ended": record.gone,
                "missing": object(
                    self.scene.missing.iter().map(|(count, what)| (&**what, (*count).into())).collect(),
                ),
            },
            "latency_over_time_ns": json::slices(&record.slices),
        })
    }

    /// As a page.
    pub(crate) fn html(&self) -> String {
        let mut plots = Vec::new();
        for (name, times) in self.times().into_iter().filter(|(_, times)| times.count() > 0) {
            let name = match name {
                "from_due" => "Deliveries by percentile",
                _ if plots.is_empty() => "Latency by percentile",
                _ => continue,
            };
            plots.push((name, Chart::percentiles(times)));
        }
        let slices = self.scene.record.slices.all();
        if !slices.is_empty() {
            plots.push(("Latency of deliveries over time", Chart::over_time(&slices)));
        }
        let page = Page {
            title: &format!("{}: {}", self.name, self.title),
            verdict: &self.verdict,
            environment: &self.environment,
            text: &self.screen(),
            data: &self.json(),
        };
        page.html(&plots)
    }
}

/// A name as people write it.
fn words(name: &str) -> String {
    name.replace('_', " ")
}
