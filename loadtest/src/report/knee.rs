//! The knee: a table of rates, and a plot of latency against them.

use super::chart::Chart;
use super::figures::{grouped, time};
use super::html::Page;
use super::screen::load_title;
use super::verdict::{Kind, Verdict};
use super::{Environment, json};
use crate::scenario::Plan;
use crate::scenario::knee::{Found, Search, Step, best};
use serde_json::{Value, json};
use std::fmt::{self, Write as _};

/// A finished search.
#[derive(Debug)]
pub(crate) struct KneeReport {
    plan: Plan,
    search: Search,
    found: Found,
    /// Whether the result stands.
    pub(crate) verdict: Verdict,
    environment: Environment,
}

impl KneeReport {
    /// Draws the conclusions.
    pub(crate) fn new(plan: Plan, search: Search, found: Found, environment: Environment) -> Self {
        let verdict = judge(&found);
        Self { plan, search, found, verdict, environment }
    }

    /// The steps by rising rate.
    fn rising(&self) -> Vec<&Step> {
        let mut steps: Vec<&Step> = self.found.steps.iter().collect();
        steps.sort_by_key(|step| step.rate);
        steps
    }

    /// On one screen.
    pub(crate) fn screen(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_screen(&mut out);
        out
    }

    fn write_screen(&self, out: &mut String) -> fmt::Result {
        writeln!(
            out,
            "stentor bench {}: the knee, {}\n",
            self.plan.name,
            load_title(&self.plan.load)
        )?;
        writeln!(
            out,
            "{:>14}{:>10}{:>10}{:>10}{:>11}{:>9}",
            "messages/s", "p50", "p99", "p99.9", "generator", "server"
        )?;
        for step in self.rising() {
            let [p50, p99, p999] = step.times_ns.map(time);
            let percent = |part: f64| format!("{:.0} %", part * 100.0);
            let own = percent(step.figures.own_use() + step.figures.own_wait());
            let server = step.figures.server_use().map_or_else(|| "-".to_owned(), percent);
            let rate = grouped(step.rate);
            write!(out, "{rate:>14}{p50:>10}{p99:>10}{p999:>10}{own:>11}{server:>9}")?;
            let mark = match (step.holds, step.verdict.kind) {
                (true, _) => "",
                (false, Kind::Sound) => "  p99 breaks",
                (false, _) => "  ",
            };
            let why = if step.holds || step.verdict.kind == Kind::Sound {
                ""
            } else {
                step.verdict.name()
            };
            writeln!(out, "{mark}{why}")?;
        }
        writeln!(out, "\n{:14}{}: {}", "verdict", self.verdict.name(), self.verdict.text)
    }

    /// As JSON.
    pub(crate) fn json(&self) -> Value {
        let step = |step: &Step| {
            let [p50, p99, p999] = step.times_ns;
            json!({
                "rate": step.rate,
                "p50": p50,
                "p99": p99,
                "p99.9": p999,
                "holds": step.holds,
                "verdict": json::verdict(&step.verdict),
                "generator_use": step.figures.own_use(),
                "generator_wait": step.figures.own_wait(),
                "server_use": step.figures.server_use(),
            })
        };
        let knee = best(&self.found.steps);
        let at_knee = self.found.steps.iter().find(|step| Some(step.rate) == knee && step.holds);
        json!({
            "scenario": name(&self.plan),
            "settings": settings(&self.plan, self.search),
            "environment": json::environment(&self.environment),
            "verdict": json::verdict(&self.verdict),
            "connections": { "each_ns": json::times(&self.found.opened.times) },
            "knee": {
                "rate": knee,
                "p99_ns": at_knee.map(|step| step.times_ns[1]),
                "limit_ns": self.found.limit_ns,
            },
            "steps": self.rising().into_iter().map(step).collect::<Vec<Value>>(),
        })
    }

    /// As a page.
    pub(crate) fn html(&self) -> String {
        let steps: Vec<(u64, [u64; 3])> =
            self.rising().into_iter().map(|step| (step.rate, step.times_ns)).collect();
        let page = Page {
            title: &format!("{}: the knee", self.plan.name),
            verdict: &self.verdict,
            environment: &self.environment,
            text: &self.screen(),
            data: &self.json(),
        };
        page.html(&[("Latency against rate", Chart::against_rate(&steps))])
    }
}

/// What a search is called.
pub(crate) fn name(plan: &Plan) -> String {
    format!("{} knee", plan.name)
}

/// What was to be measured: rates change on the way, settings do not.
pub(crate) fn settings(plan: &Plan, search: Search) -> Value {
    let mut settings = json::load_settings(plan);
    if let Some(settings) = settings.as_object_mut() {
        settings.insert("rate".into(), search.first.into());
        settings.insert("rate_step".into(), search.factor.into());
        settings.insert("p99_max_ns".into(), search.p99_max_ns.into());
    }
    settings
}

fn judge(found: &Found) -> Verdict {
    let limit = time(found.limit_ns);
    let Some(knee) = best(&found.steps) else {
        let why = found.steps.last().map_or("", |step| step.verdict.text.as_str());
        let kind = found.steps.last().map_or(Kind::RateNotHeld, |step| step.verdict.kind);
        let kind = if kind == Kind::Sound { Kind::RateNotHeld } else { kind };
        let text = format!("already the first rate breaks (p99 over {limit}, or: {why})");
        return Verdict { kind, text };
    };
    let broke = found.steps.iter().filter(|step| !step.holds).min_by_key(|step| step.rate);
    let knee = grouped(knee);
    let Some(broke) = broke else {
        let text = format!("{knee} messages/s held, and nothing broke in so many steps");
        return Verdict { kind: Kind::RateNotHeld, text };
    };
    let (rate, p99) = (grouped(broke.rate), time(broke.times_ns[1]));
    match broke.verdict.kind {
        Kind::GeneratorBound => {
            let why = &broke.verdict.text;
            let text = format!("at least {knee} messages/s; at {rate} the generator broke: {why}");
            Verdict { kind: Kind::GeneratorBound, text }
        }
        Kind::Wrong => {
            let why = &broke.verdict.text;
            let text = format!("{knee} messages/s held; at {rate}: {why}");
            Verdict { kind: Kind::Wrong, text }
        }
        Kind::Sound | Kind::BothSaturated | Kind::RateNotHeld => {
            let text =
                format!("{knee} messages/s; at {rate} p99 is {p99}, of {limit} that it may be");
            Verdict { kind: Kind::Sound, text }
        }
    }
}
