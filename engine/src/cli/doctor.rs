//! `stentor doctor`: judges what the host gives, with the reason and the exact fix for what is too little.

use std::fmt::Write as _;

use clap::ArgMatches;
use engine::config::{Config, ReactorKind};
use engine::reactor::ring::StartError;

use super::exit::{Failure, Status};
use super::host::{Host, bytes_text, count_text, features_text};
use super::room;
use super::{load, print};

/// What glommio asks of a process before it starts an executor.
const GLOMMIO_LOCKED_BYTES_MIN: u64 = 512 * 1024;
/// With fewer, a node runs but deserves a warning.
const DESCRIPTORS_ADVISED: u64 = 65_536;

/// What was looked at, and what came out.
pub(crate) struct Finding {
    subject: String,
    verdict: Verdict,
}

/// What a finding means.
enum Verdict {
    /// Nothing to do.
    Good,
    /// A node runs, with less than it could have.
    Short { reason: String, fixes: Vec<&'static str> },
    /// A node does not run.
    Fatal(Failure),
}

/// Runs the subcommand.
pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let config = load(matches)?.config;
    let findings = examine(&Host::look(), &config);
    print(&findings.iter().map(Finding::text).collect::<String>())?;
    failure(findings).map_or(Ok(()), Err)
}

impl Finding {
    fn text(&self) -> String {
        let subject = &self.subject;
        match &self.verdict {
            Verdict::Good => format!("ok     {subject}\n"),
            Verdict::Fatal(_) => format!("FATAL  {subject}\n"),
            Verdict::Short { reason, fixes } => {
                let mut text = format!("short  {subject}\n       {reason}\n");
                for fix in fixes {
                    let _ = writeln!(text, "       try: {fix}"); // a String takes everything
                }
                text
            }
        }
    }
}

/// The first reason for which a node cannot run here.
pub(crate) fn failure(findings: Vec<Finding>) -> Option<Failure> {
    findings.into_iter().find_map(|finding| match finding.verdict {
        Verdict::Fatal(failure) => Some(failure),
        Verdict::Good | Verdict::Short { .. } => None,
    })
}

/// Judges a host for a configuration.
pub(crate) fn examine(host: &Host, config: &Config) -> Vec<Finding> {
    vec![
        ring(host),
        shards(host, config),
        descriptors(host, config),
        locked_memory(host, config),
        memory(host, config),
    ]
}

fn ring(host: &Host) -> Finding {
    let (subject, verdict) = match &host.ring {
        Err(error) => ("io_uring".to_owned(), Verdict::Fatal(Failure::from(error))),
        Ok(features) => {
            let subject =
                format!("kernel {}, io_uring: {}", features.release, features_text(features));
            let lacking = features.missing().map(|missing| {
                let release = features.release.clone();
                Verdict::Fatal(Failure::from(&StartError::Kernel { release, missing }))
            });
            (subject, lacking.unwrap_or(Verdict::Good))
        }
    };
    Finding { subject, verdict }
}

fn shards(host: &Host, config: &Config) -> Finding {
    let (asked, cores) = (config.server.shards, host.cores);
    let subject = match asked {
        0 => format!("shards {cores}, one for each core"),
        asked => format!("shards {asked} on {cores} cores"),
    };
    let verdict = if asked > cores {
        let reason = "shards that share a core wait for each other".to_owned();
        Verdict::Short { reason, fixes: vec!["stentor serve --shards 0"] }
    } else {
        Verdict::Good
    };
    Finding { subject, verdict }
}

fn descriptors(host: &Host, config: &Config) -> Finding {
    let fixes = [
        "systemd: LimitNOFILE=1048576",
        "docker: --ulimit nofile=1048576:1048576",
        "shell, as root: ulimit -n 1048576",
    ];
    let subject = format!("descriptors {}", host.descriptors.text(count_text));
    let hard = host.descriptors.hard.unwrap_or(u64::MAX);
    let (needed, shards) = (room::descriptors_needed(host, config), room::shards(host, config));
    let connections = room::connections_of_shard(hard);
    let verdict = if hard < needed {
        let rule =
            format!("a node of {shards} shards needs {needed}, with the files of its journals");
        Verdict::Fatal(denied(&subject, &rule, &fixes))
    } else if connections < u64::from(config.limits.connections_max) && hard < DESCRIPTORS_ADVISED {
        let reason = format!("room for {connections} connections on each shard");
        Verdict::Short { reason, fixes: fixes.to_vec() }
    } else {
        Verdict::Good
    };
    Finding { subject, verdict }
}

fn memory(host: &Host, config: &Config) -> Finding {
    let subject = format!("memory {}", room::memory_text(&room::memory(host, config)));
    let (reasons, fixes): (Vec<_>, Vec<_>) =
        room::doubts_of_memory(host, config).into_iter().unzip();
    let verdict = match reasons.is_empty() {
        true => Verdict::Good,
        false => Verdict::Short { reason: reasons.join("\n       "), fixes: fixes.concat() },
    };
    Finding { subject, verdict }
}

fn locked_memory(host: &Host, config: &Config) -> Finding {
    let fixes = [
        "systemd: LimitMEMLOCK=infinity",
        "docker: --ulimit memlock=-1:-1",
        "shell, as root: ulimit -l unlimited",
        "stentor serve --reactor standalone   needs none",
    ];
    let subject = format!("locked memory {}", host.locked_memory.text(bytes_text));
    let is_enough = host.locked_memory.hard.is_none_or(|it| it >= GLOMMIO_LOCKED_BYTES_MIN);
    let verdict = match config.server.reactor {
        ReactorKind::Glommio if !is_enough => {
            let rule = format!("glommio needs {}", bytes_text(GLOMMIO_LOCKED_BYTES_MIN));
            Verdict::Fatal(denied(&subject, &rule, &fixes))
        }
        ReactorKind::Glommio | ReactorKind::Standalone => Verdict::Good,
    };
    Finding { subject, verdict }
}

fn denied(subject: &str, rule: &str, fixes: &[&str]) -> Failure {
    let failure = Failure::new(Status::Denied, format!("{subject}: {rule}"));
    fixes.iter().fold(failure, |failure, fix| failure.fix(*fix))
}

#[cfg(test)]
mod tests {
    use super::super::host::Bounds;
    use super::*;
    use engine::node::Memory;
    use engine::reactor::ring::Features;

    fn host(descriptors: u64, locked_bytes: u64) -> Host {
        let bounds = |limit| Bounds { soft: Some(limit), hard: Some(limit) };
        Host {
            cores: 2,
            descriptors: bounds(descriptors),
            locked_memory: bounds(locked_bytes),
            memory: Memory::look(),
            ring: Ok(Features { release: "6.6.0".to_owned(), found: vec![("send", true)] }),
        }
    }

    fn check(host: &Host, config: &Config, expected: Option<(Status, &str)>) {
        let found = failure(examine(host, config)).map(|it| (it.status, it.message));
        assert_eq!(found, expected.map(|(status, message)| (status, message.to_owned())));
    }

    #[test]
    fn a_host_is_refused_with_the_limit_and_its_value() {
        let config = Config::default();
        check(&host(128, GLOMMIO_LOCKED_BYTES_MIN), &config, None);
        let few = "descriptors 127: a node of 2 shards needs 128, with the files of its journals";
        check(&host(127, GLOMMIO_LOCKED_BYTES_MIN), &config, Some((Status::Denied, few)));
        let little = "locked memory 511 KiB: glommio needs 512 KiB";
        check(&host(1024, GLOMMIO_LOCKED_BYTES_MIN - 1), &config, Some((Status::Denied, little)));
    }

    #[test]
    fn the_standalone_reactor_locks_no_memory() {
        let mut config = Config::default();
        config.server.reactor = ReactorKind::Standalone;
        check(&host(1024, 0), &config, None);
    }

    #[test]
    fn a_kernel_that_lacks_something_is_named() {
        let mut old = host(1024, GLOMMIO_LOCKED_BYTES_MIN);
        old.ring = Ok(Features { release: "5.10.0".to_owned(), found: vec![("send", false)] });
        let message = "this kernel (5.10.0) has no send: use Linux 6.6 or newer";
        check(&old, &Config::default(), Some((Status::Configuration, message)));
    }

    #[test]
    fn a_bound_of_memory_that_is_never_reached_in_full_is_told() {
        let host = host(1_048_576, GLOMMIO_LOCKED_BYTES_MIN);
        let mut config = Config::default();
        config.limits.memory_bytes_max = host.memory.bytes();
        let texts: String = examine(&host, &config).iter().map(Finding::text).collect();
        for part in ["set memory_bytes_max to ", "limits.memory_bytes_max = 0 "] {
            assert!(texts.contains(part), "{part}: {texts}");
        }
    }

    #[test]
    fn few_descriptors_are_told_and_no_obstacle() {
        let texts: String = examine(&host(20_000, GLOMMIO_LOCKED_BYTES_MIN), &Config::default())
            .iter()
            .map(Finding::text)
            .collect();
        assert!(texts.contains("room for 19936 connections on each shard"), "{texts}");
        assert!(texts.contains("LimitNOFILE=1048576"), "{texts}");
    }
}
