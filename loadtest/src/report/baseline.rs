//! A result beside an earlier one: what may not have become worse, and by how much.

use super::figures::{amount, real, time};
use crate::failure::Failure;
use serde_json::{Value, json};

/// Where a word of a rule is looked for.
const ROOMS: [&str; 6] = ["window", "counts", "per_second", "knee", "drift", "memory"];

/// What may not be, such as `p99>+10%`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    text: String,
    figure: String,
    side: Side,
    bound: Bound,
}

/// On which side of the bound it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Above,
    Below,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    /// So many parts of a hundred more or less than before.
    Percent(f64),
    /// So much more or less than before.
    Change(f64),
    /// So much, whatever was before.
    Fixed(f64),
}

impl Rule {
    /// Reads a rule.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let at = compact.find(['>', '<']);
        let Some((figure, rest)) = at.map(|at| compact.split_at(at)) else {
            return Err("no `>` or `<`: say it as p99>+10% or deliveries_per_second<-5%".into());
        };
        let known = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        if figure.is_empty() || !figure.chars().all(known) {
            return Err(format!("`{figure}` is not the name of a figure: try p99"));
        }
        let side = if rest.starts_with('>') { Side::Above } else { Side::Below };
        let bound = Bound::parse(rest.get(1..).unwrap_or_default())?;
        Ok(Self { text: text.to_owned(), figure: figure.to_owned(), side, bound })
    }

    fn figure_of(&self, of: &Value, whose: &str) -> Result<f64, Failure> {
        figure(of, &self.figure).ok_or_else(|| {
            let what = format!("{whose} has no figure `{}`", self.figure);
            Failure::Usage(format!("--fail-if '{}': {what}", self.text))
        })
    }

    /// What is missing where there is nothing to compare with.
    pub(crate) fn asks_for_baseline(&self) -> String {
        format!("--fail-if '{}' compares: --baseline FILE is needed", self.text)
    }

    /// Whether it compares.
    pub(crate) fn needs_baseline(&self) -> bool {
        match self.bound {
            Bound::Percent(_) | Bound::Change(_) => true,
            Bound::Fixed(_) => false,
        }
    }
}

impl Bound {
    fn parse(text: &str) -> Result<Self, String> {
        let end = text.find(|c: char| !c.is_ascii_digit() && !"+-.".contains(c));
        let (number, unit) = text.split_at(end.unwrap_or(text.len()));
        let value: f64 = number
            .parse()
            .map_err(|_| format!("`{text}` is not a number with a unit: try +10%, +2ms or 5ms"))?;
        let is_change = number.starts_with(['+', '-']);
        let factor = match unit {
            "%" if is_change => return Ok(Self::Percent(value)),
            "%" => {
                return Err(format!("`{text}`: more or less than before? say +{text} or -{text}"));
            }
            "" | "ns" => 1.0,
            "us" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "k" => 1e3,
            "M" => 1e6,
            _ => return Err(format!("`{unit}` is not one of %, ns, us, ms, s, k and M")),
        };
        let value = value * factor;
        Ok(if is_change { Self::Change(value) } else { Self::Fixed(value) })
    }
}

/// A rule beside what was measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Compared {
    rule: Rule,
    now: f64,
    before: Option<f64>,
    limit: f64,
}

impl Compared {
    fn is_worse(&self) -> bool {
        match self.rule.side {
            Side::Above => self.now > self.limit,
            Side::Below => self.now < self.limit,
        }
    }

    fn line(&self) -> String {
        let is_time = is_time(&self.rule.figure);
        let write = |value: f64| if is_time { time(whole(value)) } else { amount(value) };
        let before = self.before.map_or(String::new(), |before| format!(", was {}", write(before)));
        let side = match self.rule.side {
            Side::Above => "above",
            Side::Below => "below",
        };
        let end = if self.is_worse() { "fails" } else { "holds" };
        let (now, limit) = (write(self.now), write(self.limit));
        format!("{:14}{}: {now}{before}; fails {side} {limit}: {end}\n", "rule", self.rule.text)
    }
}

/// All rules beside what was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Comparison {
    compared: Vec<Compared>,
    /// What makes the two hard to compare.
    doubts: Vec<String>,
}

impl Comparison {
    /// Compares. Both sides are results as JSON.
    pub(crate) fn new(
        now: &Value,
        before: Option<&Value>,
        rules: &[Rule],
    ) -> Result<Self, Failure> {
        if let Some(before) = before {
            check(now, before, rules)?;
        }
        let doubts = before.map_or(Vec::new(), |before| doubts(now, before));
        let mut compared = Vec::new();
        for rule in rules {
            let new = rule.figure_of(now, "the result")?;
            let old = before.and_then(|before| figure(before, &rule.figure));
            let base = old.ok_or_else(|| Failure::Usage(rule.asks_for_baseline()));
            let limit = match rule.bound {
                Bound::Percent(percent) => base? * (1.0 + percent / 100.0),
                Bound::Change(change) => base? + change,
                Bound::Fixed(value) => value,
            };
            compared.push(Compared { rule: rule.clone(), now: new, before: old, limit });
        }
        Ok(Self { compared, doubts })
    }

    /// Whether any rule fails.
    pub(crate) fn is_worse(&self) -> bool {
        self.compared.iter().any(Compared::is_worse)
    }

    /// Lines for the screen.
    pub(crate) fn screen(&self) -> String {
        let doubts = self.doubts.iter().map(|doubt| format!("{:14}{doubt}\n", "not alike"));
        doubts.chain(self.compared.iter().map(Compared::line)).collect()
    }

    /// As JSON.
    pub(crate) fn json(&self) -> Value {
        let rule = |it: &Compared| {
            json!({
                "rule": it.rule.text,
                "now": it.now,
                "baseline": it.before,
                "limit": it.limit,
                "fails": it.is_worse(),
            })
        };
        let rules: Vec<Value> = self.compared.iter().map(rule).collect();
        json!({ "rules": rules, "not_alike": self.doubts })
    }
}

/// Refuses a baseline that cannot be compared with a result of this scenario and these settings. It needs no more of the
/// result, so that it can be asked before there is one.
pub(crate) fn check(now: &Value, before: &Value, rules: &[Rule]) -> Result<(), Failure> {
    if of(before, "/verdict/exit_code") != 0 {
        let kind = of(before, "/verdict/kind");
        return Err(Failure::Data(format!("the baseline does not stand itself: {kind}")));
    }
    for pointer in ["/scenario", "/settings"] {
        let (now, before) = (of(now, pointer), of(before, pointer));
        if now == before {
            continue;
        }
        let fields = now.as_object().into_iter().flatten();
        let other = fields.filter(|(name, value)| before.get(name) != Some(value));
        let names: Vec<String> = other
            .map(|(name, value)| {
                let before = before.get(name).cloned().unwrap_or_default();
                format!("{name} {value}, there {before}")
            })
            .collect();
        let what =
            if names.is_empty() { format!("{now}, there {before}") } else { names.join("; ") };
        return Err(Failure::Data(format!("the baseline measured something else: {what}")));
    }
    let mut compares = rules.iter().filter(|rule| rule.needs_baseline());
    compares.try_for_each(|rule| rule.figure_of(before, "the baseline").map(drop))
}

fn of(value: &Value, pointer: &str) -> Value {
    value.pointer(pointer).cloned().unwrap_or_default()
}

/// What makes a comparison doubtful.
fn doubts(now: &Value, before: &Value) -> Vec<String> {
    let pointers = ["/environment/processor", "/environment/cores", "/environment/kernel"];
    let differ = pointers.into_iter().filter(|pointer| of(now, pointer) != of(before, pointer));
    differ
        .map(|pointer| {
            let name = pointer.rsplit('/').next().unwrap_or_default();
            format!("{name} {}, was {}", of(now, pointer), of(before, pointer))
        })
        .collect()
}

/// A figure by its name: a percentile of what the scenario is about, a word, or a path with dots.
fn figure(of: &Value, name: &str) -> Option<f64> {
    // The only name of a figure with a dot in it.
    let parts = name.replace("p99.9", "p99_9");
    let parts: Vec<String> = parts.split('.').map(|part| part.replace("p99_9", "p99.9")).collect();
    let number = |pointer: String| of.pointer(&pointer).and_then(Value::as_f64);
    if let [word] = parts.as_slice() {
        let main = of.get("latency_of").and_then(Value::as_str).unwrap_or_default();
        let rooms = ROOMS.iter().map(|room| format!("/{room}/{word}"));
        return [format!("/latency_ns/{main}/{word}")].into_iter().chain(rooms).find_map(number);
    }
    number(format!("/{}", parts.join("/")))
}

fn is_time(name: &str) -> bool {
    let last = name.replace("p99.9", "p99");
    let last = last.rsplit('.').next().unwrap_or_default().to_owned();
    ["p50", "p90", "p99", "max"].contains(&last.as_str()) || last.ends_with("_ns")
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a label; negative times do not occur"
)]
fn whole(value: f64) -> u64 {
    value.clamp(0.0, real(1 << 53)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(p99: u64, rate: f64, exit_code: u8) -> Value {
        json!({
            "scenario": "fanout",
            "settings": { "subscribers": 8, "payload_bytes": 128 },
            "environment": { "processor": "p", "cores": 2, "kernel": "6.18" },
            "verdict": { "kind": "sound", "exit_code": exit_code },
            "latency_of": "from_due",
            "latency_ns": { "from_due": { "p99": p99, "p99.9": 2 * p99 } },
            "window": { "deliveries_per_second": rate },
        })
    }

    fn is_worse(rule: &str, p99: u64, rate: f64) -> bool {
        let rules = [Rule::parse(rule).unwrap()];
        let before = result(1_000_000, 1000.0, 0);
        Comparison::new(&result(p99, rate, 0), Some(&before), &rules).unwrap().is_worse()
    }

    #[test]
    fn rules_fail_beyond_their_bound_and_not_at_it() {
        let check = |rule: &str, p99, rate, expected| {
            assert_eq!(is_worse(rule, p99, rate), expected, "{rule} {p99} {rate}");
        };
        check("p99>+10%", 1_100_000, 1000.0, false);
        check("p99>+10%", 1_100_001, 1000.0, true);
        check("p99 > +1ms", 2_000_000, 1000.0, false);
        check("p99>+1ms", 2_000_001, 1000.0, true);
        check("p99>5ms", 5_000_000, 1000.0, false);
        check("p99>5ms", 5_000_001, 1000.0, true);
        check("latency_ns.from_due.p99.9>+10%", 1_200_000, 1000.0, true);
        check("p99.9>+10%", 1_100_000, 1000.0, false);
        check("deliveries_per_second<-5%", 1, 950.0, false);
        check("deliveries_per_second<-5%", 1, 949.9, true);
        check("window.deliveries_per_second<1k", 1, 999.0, true);
    }

    #[test]
    fn what_is_no_rule_says_what_one_is() {
        let check = |rule: &str, hint: &str| {
            let why = Rule::parse(rule).unwrap_err();
            assert!(why.contains(hint), "{rule}: {why}");
        };
        check("p99", "no `>` or `<`");
        check(">+10%", "not the name of a figure");
        check("p 99;>1", "not the name of a figure");
        check("p99>10%", "say +10% or -10%");
        check("p99>+ten%", "not a number");
        check("p99>", "not a number");
        check("p99>+1h", "`h` is not one of");
    }

    #[test]
    fn what_cannot_be_compared_is_not() {
        let rules = [Rule::parse("p99>+10%").unwrap()];
        let now = result(1, 1.0, 0);
        let refused = |before: Option<&Value>, rules: &[Rule]| {
            Comparison::new(&now, before, rules).unwrap_err().to_string()
        };
        assert!(refused(None, &rules).contains("--baseline"));
        let mut other = now.clone();
        other["settings"]["subscribers"] = 9.into();
        assert!(refused(Some(&other), &rules).contains("subscribers 8, there 9"));
        assert!(refused(Some(&result(1, 1.0, 2)), &rules).contains("does not stand itself"));
        let unknown = [Rule::parse("nothing>+1%").unwrap()];
        assert!(refused(Some(&now), &unknown).contains("no figure `nothing`"));
        // A fixed bound is held whatever was before, and asks for nothing of it.
        let mut bare = now.clone();
        bare["latency_ns"] = json!({});
        assert!(refused(Some(&bare), &rules).contains("the baseline has no figure `p99`"));
        let fixed = [Rule::parse("p99>10ms").unwrap()];
        let comparison = Comparison::new(&now, Some(&bare), &fixed).unwrap();
        assert!(!comparison.is_worse() && !comparison.screen().contains("was"));
        let mut elsewhere = now.clone();
        elsewhere["environment"]["processor"] = "q".into();
        let comparison = Comparison::new(&now, Some(&elsewhere), &rules).unwrap();
        assert!(comparison.screen().contains("processor \"p\", was \"q\""));
    }
}
