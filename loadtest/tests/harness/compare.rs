//! Results beside each other: several rates in one run, and a run beside an earlier one.

use crate::server::{self, Fault};
use crate::{Line, SMALL, bench};
use clap::Parser;
use loadtest::cli::{
    EXIT_DATA, EXIT_GENERATOR, EXIT_SERVER, EXIT_USAGE, EXIT_WORSE, EXIT_WRONG, run,
};
use serde_json::Value;
use std::path::Path;
use std::process::ExitCode;

#[test]
fn rates_rise_until_the_percentile_breaks() {
    // A limit that no machine keeps: the first rate breaks, and that is said.
    let line = "fanout --subscribers 1 --find-knee --rate 100 --warmup 0 --duration 0.1";
    let (code, result) = bench(Fault::None, &format!("{line} --p99-max 0.001"));
    assert_eq!(code, ExitCode::from(EXIT_GENERATOR), "{}", result["verdict"]);
    assert_eq!(result["steps"].as_array().unwrap().len(), 1);
    assert!(result["knee"]["rate"].is_null());
    // One that everybody keeps: it rises until the rate itself is not held.
    let (code, result) = bench(Fault::None, &format!("{line} --p99-max 60000 --rate-step 10"));
    let told = [0, EXIT_GENERATOR, EXIT_WRONG].map(ExitCode::from);
    assert!(told.contains(&code), "{}", result["verdict"]);
    let rates: Vec<u64> =
        result["steps"].as_array().unwrap().iter().map(|it| it["rate"].as_u64().unwrap()).collect();
    assert!(rates.len() > 1 && rates.is_sorted(), "{rates:?}");
    let knee = result["knee"]["rate"].as_u64().unwrap();
    assert!(knee >= 100 && knee < *rates.last().unwrap(), "{result}");
}

#[test]
fn what_was_lost_at_a_rate_is_no_knee() {
    let line = "fanout --subscribers 4 --find-knee --rate 300 --warmup 0 --duration 0.4";
    let (code, result) = bench(Fault::Drop, line);
    assert_eq!(code, ExitCode::from(EXIT_WRONG), "{}", result["verdict"]);
    assert!(result["verdict"]["text"].as_str().unwrap().contains("lost"), "{result}");
}

#[test]
fn a_result_that_became_worse_ends_with_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("before.json");
    let load = format!("{SMALL} --rate 50");
    let (code, before) = bench(Fault::None, &load);
    assert_eq!(code, ExitCode::SUCCESS, "{}", before["verdict"]);
    std::fs::write(&path, before.to_string()).unwrap();
    let beside =
        |more: &str| bench(Fault::None, &format!("{load} --baseline {} {more}", path.display()));
    let (code, result) = beside("--fail-if p99>+1000000% --fail-if deliveries_per_second<-90%");
    assert_eq!(code, ExitCode::SUCCESS, "{}", result["compared"]);
    assert_eq!(result["compared"]["rules"].as_array().unwrap().len(), 2);
    let (code, result) = beside("--fail-if p99>+1000000% --fail-if p99>1ns");
    assert_eq!(code, ExitCode::from(EXIT_WORSE), "{}", result["compared"]);
    assert_eq!(result["compared"]["rules"][1]["fails"], true);
    assert_eq!(beside("--fail-if nothing>1").0, ExitCode::from(EXIT_USAGE));
    // A fixed bound needs nothing of what was before.
    let mut bare = before.clone();
    bare["latency_ns"] = Value::Null;
    std::fs::write(&path, bare.to_string()).unwrap();
    let (code, result) = beside("--fail-if p99>600s");
    assert_eq!(code, ExitCode::SUCCESS, "{}", result["compared"]);
}

#[test]
fn a_wrong_baseline_costs_no_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("before.json");
    let (_, mut before) = bench(Fault::None, &format!("{SMALL} --rate 50"));
    // How it went is another test's affair.
    before["verdict"]["exit_code"] = 0.into();
    let mut broken = before.clone();
    broken["verdict"]["exit_code"] = EXIT_WRONG.into();
    // A run would end with this server's fault: it lets nobody in.
    let check = |baseline: &str, line: &str, expected: u8| {
        std::fs::write(&path, baseline).unwrap();
        let line = format!("{line} --baseline {}", path.display());
        assert_eq!(bench(Fault::NoToken, &line).0, ExitCode::from(expected), "{line}");
    };
    let (sound, load) = (before.to_string(), format!("{SMALL} --rate 50"));
    check(&sound, &load, EXIT_SERVER);
    check(&sound, &format!("{load} --fail-if p99>+1%"), EXIT_SERVER);
    check(&sound, &format!("{load} --fail-if nothing>+1%"), EXIT_USAGE);
    check(&sound, &format!("{SMALL} --rate 60"), EXIT_DATA);
    check(&sound, &format!("{load} --find-knee"), EXIT_DATA);
    check(&sound, "storm --subscribers 4", EXIT_DATA);
    check(&broken.to_string(), &load, EXIT_DATA);
    check("{", &load, EXIT_DATA);
    let line = format!("{load} --baseline {}/no.json", dir.path().display());
    assert_eq!(bench(Fault::NoToken, &line).0, ExitCode::from(EXIT_DATA));
}

#[test]
fn rules_and_options_that_make_no_sense_are_refused_with_a_hint() {
    let (code, _) = bench(Fault::None, &format!("{SMALL} --fail-if p99>+10%"));
    assert_eq!(code, ExitCode::from(EXIT_USAGE), "there is no baseline");
    for (wrong, hint) in [
        ("fanout --fail-if p99>10%", "say +10% or -10%"),
        ("fanout --fail-if p99", "p99>+10%"),
        ("fanout --find-knee --window 3", "--window"),
        ("fanout --p99-max 3", "--find-knee"),
        ("fanout --find-kne", "--find-knee"),
        ("stormy", "storm"),
    ] {
        let line = format!("bench {wrong}");
        let why = Line::try_parse_from(line.split(' ')).err().unwrap().to_string();
        assert!(why.contains(hint), "{wrong}: {why}");
    }
    for wrong in [
        "fanout --find-knee --rate-step 1",
        "fanout --find-knee --p99-max 0",
        "soak --find-knee",
        "presence --dialect insforge",
        "presence --residents 0",
        "resume --cut-every 0",
        "resume --via ws",
        "churn --rate 0",
        "storm --rounds 0",
        "fanout --generators 0",
        "fanout --generators 3 --publishers 3 --window 2",
        "publish --generators 4 --window 3",
        "churn --channels 300 --rate 300 --publish-rate 300 --generators 257",
        "churn --generators 2",
        "storm --payload 3",
        "churn --rate 900000",
    ] {
        assert_eq!(bench(Fault::None, wrong).0, ExitCode::from(EXIT_USAGE), "{wrong}");
    }
}

#[test]
fn a_page_of_comings_and_goings_refers_to_nothing_outside() {
    let address = server::start(Fault::None);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("page.html");
    let line = format!(
        "bench storm --subscribers 10 --rounds 1 --url ws://{address} --key coh_app_test \
         --no-progress --html {}",
        path.display()
    );
    let args = Line::try_parse_from(line.split_whitespace()).unwrap();
    let code = run(args.bench, Path::new("/bin/false"));
    let told = [0, EXIT_GENERATOR].map(ExitCode::from);
    assert!(told.contains(&code), "{code:?}");
    let page = std::fs::read_to_string(path).unwrap();
    assert_eq!(page.matches("<svg").count(), 3);
    assert!(page.contains("everybody back"), "{page}");
    for outside in ["http://", "https://", "src=", "href=", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn what_a_storm_does_not_hear_is_found_and_named() {
    let line = "storm --subscribers 4 --rounds 1 --publish-rate 100";
    for (fault, field) in [
        (Fault::Drop, "lost"),
        (Fault::Double, "duplicated"),
        (Fault::Damage, "damaged"),
        (Fault::Close, "ended"),
        (Fault::Refuse, "refused"),
    ] {
        let (code, result) = bench(fault, line);
        assert_eq!(code, ExitCode::from(EXIT_WRONG), "{fault:?}: {}", result["verdict"]);
        let found = &result["checked"][field];
        let whys = found.as_object().map(|whys| whys.values().filter_map(Value::as_u64).sum());
        let count: u64 = found.as_u64().or(whys).unwrap();
        assert!(count >= 1, "{fault:?}: {}", result["checked"]);
    }
}
