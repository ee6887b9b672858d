//! The end of a run: beside its baseline, on the screen and in files, and as an exit code.

use super::EXIT_WORSE;
use super::args::OutputArgs;
use crate::failure::Failure;
use crate::report::baseline::{self, Comparison, Rule};
use crate::report::knee::KneeReport;
use crate::report::scene::SceneReport;
use crate::report::{self, Report, html, screen};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;

/// What was measured.
pub(super) enum Finished {
    /// A run of load.
    Load(Box<Report>),
    /// Comings and goings.
    Scene(Box<SceneReport>),
    /// A knee.
    Knee(Box<KneeReport>),
}

impl Finished {
    fn screen(&self) -> String {
        match self {
            Self::Load(report) => screen::screen(report),
            Self::Scene(report) => report.screen(),
            Self::Knee(report) => report.screen(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Load(report) => report::json::json(report),
            Self::Scene(report) => report.json(),
            Self::Knee(report) => report.json(),
        }
    }

    fn html(&self) -> String {
        match self {
            Self::Load(report) => html::html(report),
            Self::Scene(report) => report.html(),
            Self::Knee(report) => report.html(),
        }
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::Load(report) => report.verdict.exit_code(),
            Self::Scene(report) => report.verdict.exit_code(),
            Self::Knee(report) => report.verdict.exit_code(),
        }
    }
}

/// Holds a result to what is asked of it. It is made first, so that a wrong baseline costs no run.
pub(super) struct Judge<'a> {
    baseline: Option<Value>,
    rules: &'a [Rule],
}

impl<'a> Judge<'a> {
    /// Reads the baseline of what is to be measured, and sees that it is one.
    pub(super) fn of(
        output: &'a OutputArgs,
        (scenario, settings): (&str, &Value),
    ) -> Result<Self, Failure> {
        let rules = &output.fail_if;
        let Some(path) = &output.baseline else {
            if let Some(rule) = rules.iter().find(|rule| rule.needs_baseline()) {
                return Err(Failure::Usage(rule.asks_for_baseline()));
            }
            return Ok(Self { baseline: None, rules });
        };
        let name = path.display();
        let text = fs::read_to_string(path)
            .map_err(|cause| Failure::Data(format!("cannot read the baseline {name}: {cause}")))?;
        let baseline = serde_json::from_str(&text)
            .map_err(|cause| Failure::Data(format!("the baseline {name} is not JSON: {cause}")))?;
        let outline = json!({ "scenario": scenario, "settings": settings });
        baseline::check(&outline, &baseline, rules)?;
        Ok(Self { baseline: Some(baseline), rules })
    }

    /// Writes the result, and says how it went. What does not stand is not compared.
    pub(super) fn finish(
        &self,
        finished: &Finished,
        output: &OutputArgs,
        out: &mut impl Write,
    ) -> Result<u8, Failure> {
        let mut json = finished.json();
        let mut text = finished.screen();
        let exit_code = match finished.exit_code() {
            0 => self.compare(&mut json, &mut text),
            code => {
                if !self.rules.is_empty() {
                    text.push_str("rule          not compared: the result does not stand\n");
                }
                Ok(code)
            }
        };
        write(finished, output, (&text, &json), out)?;
        exit_code
    }

    /// Adds the comparison to a result that stands.
    fn compare(&self, json: &mut Value, text: &mut String) -> Result<u8, Failure> {
        if self.baseline.is_none() && self.rules.is_empty() {
            return Ok(0);
        }
        let comparison = Comparison::new(json, self.baseline.as_ref(), self.rules)?;
        text.push_str(&comparison.screen());
        if let Some(json) = json.as_object_mut() {
            json.insert("compared".into(), comparison.json());
        }
        Ok(if comparison.is_worse() { EXIT_WORSE } else { 0 })
    }
}

fn write(
    finished: &Finished,
    output: &OutputArgs,
    (text, json): (&str, &Value),
    out: &mut impl Write,
) -> Result<(), Failure> {
    let cannot = || Failure::io("cannot write the report");
    let json_text = || format!("{json:#}\n");
    let on_screen = match &output.json {
        Some(path) if path.as_os_str() == "-" => json_text(),
        Some(path) => {
            fs::write(path, json_text()).map_err(cannot())?;
            text.to_owned()
        }
        None => text.to_owned(),
    };
    if let Some(path) = &output.html {
        fs::write(path, finished.html()).map_err(cannot())?;
    }
    out.write_all(on_screen.as_bytes()).map_err(cannot())
}
