//! `stentor doctor`: judges what the host gives, with the reason and the exact fix for what is too little.

use std::io;

use clap::ArgMatches;
use engine::config::{Config, ReactorKind};

use super::exit::{Failure, Status};
use super::host::{Feature, Host, Need, bytes_text, count_text};
use super::{load, print};

/// What glommio asks of a process before it starts an executor.
const GLOMMIO_LOCKED_BYTES_MIN: u64 = 512 * 1024;
/// Descriptors that a node needs beside its connections: segments, rings, the catalog.
const DESCRIPTORS_BESIDE_CONNECTIONS: u64 = 256;
/// With fewer, a node runs but deserves a warning.
const DESCRIPTORS_ADVISED: u64 = 65_536;

/// What was looked at, and what came out.
pub(crate) struct Finding {
    /// What was looked at, with its value.
    pub(crate) subject: String,
    /// What it means.
    pub(crate) verdict: Verdict,
}

/// What a finding means.
pub(crate) enum Verdict {
    /// Nothing to do.
    Good,
    /// A node runs, with less than it could have.
    Short(Advice),
    /// A node does not run.
    Fatal(Status, Advice),
}

/// Why, and what to do.
pub(crate) struct Advice {
    /// Why it matters.
    pub(crate) reason: String,
    /// What to do, a line for each way.
    pub(crate) fixes: Vec<String>,
}

/// Runs the subcommand.
pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let loaded = load(matches)?;
    let findings = examine(&Host::look(), &loaded.config);
    let mut text = String::new();
    for finding in &findings {
        let (mark, advice) = match &finding.verdict {
            Verdict::Good => ("ok   ", None),
            Verdict::Short(advice) => ("short", Some(advice)),
            Verdict::Fatal(_, advice) => ("FATAL", Some(advice)),
        };
        text.push_str(&format!("{mark}  {}\n", finding.subject));
        if let Some(advice) = advice {
            text.push_str(&format!("       {}\n", advice.reason));
            advice.fixes.iter().for_each(|fix| text.push_str(&format!("       try: {fix}\n")));
        }
    }
    print(&text)?;
    match failure(findings) {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

/// The first reason for which a node cannot run here.
pub(crate) fn failure(findings: Vec<Finding>) -> Option<Failure> {
    findings.into_iter().find_map(|finding| match finding.verdict {
        Verdict::Fatal(status, advice) => {
            let message = format!("{}: {}", finding.subject, advice.reason);
            Some(advice.fixes.into_iter().fold(Failure::new(status, message), Failure::fix))
        }
        Verdict::Good | Verdict::Short(_) => None,
    })
}

/// Judges a host for a configuration.
pub(crate) fn examine(host: &Host, config: &Config) -> Vec<Finding> {
    let mut findings = vec![Finding {
        subject: format!("kernel {}, {} cores", host.kernel, host.cores),
        verdict: Verdict::Good,
    }];
    findings.push(shards(host, config));
    findings.extend(ring(host));
    findings.push(descriptors(host, config));
    findings.push(locked_memory(host, config));
    findings
}

fn shards(host: &Host, config: &Config) -> Finding {
    let asked = config.server.shards;
    let subject = match asked {
        0 => format!("shards {} (one for each core)", host.cores),
        asked => format!("shards {asked}"),
    };
    let verdict = if asked > host.cores {
        Verdict::Short(Advice {
            reason: format!("more shards than the {} cores share cores", host.cores),
            fixes: vec!["server.shards = 0".to_owned()],
        })
    } else {
        Verdict::Good
    };
    Finding { subject, verdict }
}

fn ring(host: &Host) -> Vec<Finding> {
    match &host.ring {
        Err(cause) => vec![Finding {
            subject: "io_uring".to_owned(),
            verdict: ring_denied(cause, &host.locked_memory.text(bytes_text)),
        }],
        Ok(features) => features.iter().map(ring_feature).collect(),
    }
}

fn ring_feature(feature: &Feature) -> Finding {
    let Feature { name, is_there, need } = *feature;
    let verdict = match (is_there, need) {
        (true, Need::Required | Need::Unused) | (false, Need::Unused) => Verdict::Good,
        (false, Need::Required) => Verdict::Fatal(
            Status::Configuration,
            Advice {
                reason: "this kernel lacks it".to_owned(),
                fixes: vec!["run Linux 6.6 or newer".to_owned()],
            },
        ),
    };
    let state = match (is_there, need) {
        (true, Need::Required) => "found",
        (true, Need::Unused) => "found, not used",
        (false, Need::Required | Need::Unused) => "missing",
    };
    Finding { subject: format!("io_uring: {name} {state}"), verdict }
}

/// Tells apart the ways in which a kernel refuses a ring.
pub(crate) fn ring_denied(cause: &io::Error, locked_memory: &str) -> Verdict {
    let code = cause.raw_os_error().and_then(|it| u16::try_from(it).ok());
    let errno = code.map(|it| rustix::io::Errno::from_raw_os_error(i32::from(it)));
    match errno {
        Some(rustix::io::Errno::PERM | rustix::io::Errno::ACCESS) => Verdict::Fatal(
            Status::Denied,
            Advice {
                reason: format!("the kernel denies it ({cause})"),
                fixes: vec![
                    "sysctl kernel.io_uring_disabled=0 (1 allows it to the group in kernel.io_uring_group)".to_owned(),
                    "in a container: a seccomp profile that allows io_uring_setup, io_uring_enter and io_uring_register".to_owned(),
                ],
            },
        ),
        Some(rustix::io::Errno::NOMEM) => Verdict::Fatal(
            Status::Denied,
            Advice {
                reason: format!("no memory may be locked for it: RLIMIT_MEMLOCK is {locked_memory}"),
                fixes: locked_memory_fixes(),
            },
        ),
        Some(rustix::io::Errno::NOSYS) => Verdict::Fatal(
            Status::Configuration,
            Advice {
                reason: "the kernel was built without it, or a sandbox hides it".to_owned(),
                fixes: vec![
                    "run Linux 6.6 or newer with CONFIG_IO_URING=y".to_owned(),
                    "in a container: a seccomp profile that allows io_uring_setup, io_uring_enter and io_uring_register".to_owned(),
                ],
            },
        ),
        Some(_) | None => Verdict::Fatal(
            Status::Configuration,
            Advice {
                reason: format!("a ring does not open: {cause}"),
                fixes: vec!["run Linux 6.6 or newer".to_owned()],
            },
        ),
    }
}

fn descriptors(host: &Host, config: &Config) -> Finding {
    let subject = format!("descriptors {}", host.descriptors.text(count_text));
    let Some(hard) = host.descriptors.hard else {
        return Finding { subject, verdict: Verdict::Good };
    };
    let wanted = u64::try_from(config.limits.connections_max).unwrap_or(u64::MAX);
    let connections = hard.saturating_sub(DESCRIPTORS_BESIDE_CONNECTIONS);
    let advice = |reason| Advice {
        reason,
        fixes: vec![
            "systemd: LimitNOFILE=1048576".to_owned(),
            "docker: --ulimit nofile=1048576:1048576".to_owned(),
            "shell, as root: ulimit -n 1048576".to_owned(),
        ],
    };
    let verdict = if connections == 0 {
        let needed = DESCRIPTORS_BESIDE_CONNECTIONS;
        Verdict::Fatal(
            Status::Denied,
            advice(format!("a node needs {needed} beside its connections")),
        )
    } else if connections < wanted && hard < DESCRIPTORS_ADVISED {
        Verdict::Short(advice(format!("room for about {connections} connections")))
    } else {
        Verdict::Good
    };
    Finding { subject, verdict }
}

fn locked_memory(host: &Host, config: &Config) -> Finding {
    let subject = format!("locked memory {}", host.locked_memory.text(bytes_text));
    let is_enough = host.locked_memory.hard.is_none_or(|it| it >= GLOMMIO_LOCKED_BYTES_MIN);
    let verdict = match config.server.reactor {
        ReactorKind::Glommio if !is_enough => Verdict::Fatal(
            Status::Denied,
            Advice {
                reason: format!(
                    "RLIMIT_MEMLOCK is too low: glommio asks for {}",
                    bytes_text(GLOMMIO_LOCKED_BYTES_MIN)
                ),
                fixes: locked_memory_fixes(),
            },
        ),
        ReactorKind::Glommio | ReactorKind::Standalone => Verdict::Good,
    };
    Finding { subject, verdict }
}

fn locked_memory_fixes() -> Vec<String> {
    vec![
        "systemd: LimitMEMLOCK=infinity".to_owned(),
        "docker: --ulimit memlock=-1:-1".to_owned(),
        "shell, as root: ulimit -l unlimited".to_owned(),
    ]
}
