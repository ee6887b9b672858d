//! One server, one load: started afresh, driven, and ended.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Choice;
use super::list::PEERS;
use super::loads::{About, FIXED, Figures, Load};
use super::peers::{Kind, Peer, Place, Says, Wire};
use super::results::{Entered, KEPT, PASSED, Results};
use crate::Failure;
use crate::ratio::{Bench, IDLE_S, Server, Side, number, quiet, sends_alone};
use crate::table;

const IDLE_FIRST: u32 = 2_000;
const IDLE: u32 = 16_000;
const SENDS: &str = "a ring that sends frames of the same length to 1,000 sockets at that rate, and does nothing else";

/// Who takes part.
pub(super) enum Who {
    /// Stentor as its users run it: a journal, tokens, offsets, presence; messages are passed on, or kept.
    Stentor(Keeps),
    /// Another one.
    Peer(&'static Peer),
    /// Bare sends at a fixed rate: no server at all.
    Sends,
}

/// What Stentor does with messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Keeps {
    /// `persist:false`.
    Nothing,
    /// Each is synced before it is seen.
    All,
}

/// A server that runs, and the folder of its journal.
struct Running {
    side: Side,
    _data: Option<tempfile::TempDir>,
}

/// Stentor, and everybody who is chosen and there. The others are noted with what they lack.
pub(super) fn everybody(choice: &Choice, results: &mut Results) -> Vec<Who> {
    let mut who = Vec::new();
    if !choice.alone {
        who.extend([Who::Stentor(Keeps::Nothing), Who::Stentor(Keeps::All)]);
    }
    let is_chosen =
        |it: &&Peer| choice.only.is_empty() || choice.only.iter().any(|name| name == it.name);
    for peer in PEERS.iter().filter(is_chosen) {
        match peer.missing().or_else(|| unspoken(peer)) {
            None => who.push(Who::Peer(peer)),
            Some(lack) => {
                table::note(&format!("without {}: {lack}", peer.name));
                results.absent.push((peer.name.to_owned(), lack));
            }
        }
    }
    if choice.only.is_empty() && !choice.alone {
        who.push(Who::Sends);
    }
    results.entrants = who.iter().map(Who::entered).collect();
    who
}

impl Who {
    /// As tables name it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Stentor(Keeps::Nothing) => PASSED,
            Self::Stentor(Keeps::All) => KEPT,
            Self::Peer(peer) => peer.name,
            Self::Sends => "bare sends",
        }
    }

    /// Whether a load is for it.
    pub(super) fn takes(&self, load: &Load) -> bool {
        match (self, load.about) {
            (Self::Stentor(Keeps::All), About::Memory) => false,
            (Self::Peer(peer), About::Publishes) => !matches!(peer.wire, Wire::Socket(_)),
            (Self::Sends, _) => load.words == FIXED,
            (Self::Stentor(_) | Self::Peer(_), _) => true,
        }
    }

    fn entered(&self) -> Entered {
        let (kind, about, version) = match self {
            Self::Stentor(keeps) => (None, keeps.about().to_owned(), "of this tree".to_owned()),
            Self::Peer(peer) => (Some(peer.kind), peer.about.to_owned(), peer.version()),
            Self::Sends => (Some(Kind::Floor), SENDS.to_owned(), "of this tree".to_owned()),
        };
        Entered { name: self.name().to_owned(), kind, about, version }
    }

    /// What the generator is told besides the load.
    fn words(&self, load: &Load) -> Vec<String> {
        let publishes = load.about != About::Memory;
        let mut words: Vec<&str> = Vec::new();
        match self {
            Self::Stentor(Keeps::All) if publishes => words.extend(["--persist", "true"]),
            Self::Stentor(_) | Self::Sends => {}
            Self::Peer(peer) => match peer.wire {
                Wire::Ours => {}
                Wire::Http(options) | Wire::Socket(options) => words.extend(options),
            },
        }
        words.into_iter().map(str::to_owned).collect()
    }

    fn start(&self, bench: &Bench) -> Result<Running, Failure> {
        match self {
            Self::Stentor(_) => {
                let data = tempfile::tempdir_in(&bench.data)?;
                let path = data.path().display().to_string();
                let side = Side::start(bench, Server::Stentor(&["--data-dir", &path]))?;
                Ok(Running { side, _data: Some(data) })
            }
            Self::Peer(peer) => Ok(Running { side: start(bench, peer)?, _data: None }),
            Self::Sends => Err("bare sends are no server".into()),
        }
    }
}

impl Keeps {
    fn about(self) -> &'static str {
        match self {
            Self::Nothing => {
                "as its users run it: tokens, offsets, presence, a journal beside it; messages say `persist:false`"
            }
            Self::All => "the same; each message is synced to the journal before anyone sees it",
        }
    }
}

/// What the generator of this tree lacks to speak to a peer.
fn unspoken(peer: &Peer) -> Option<String> {
    let target = peer.wire.target()?;
    let mut generator = Command::new(std::env::current_exe().ok()?);
    generator.args(["generate", "connect", &format!("--target={target}"), "--help"]);
    let generator = generator.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let knows_it = generator.status().is_ok_and(|it| it.success());
    (!knows_it).then(|| format!("the generator has no --target {target}"))
}

/// Starts a peer and waits until it is ready.
pub(super) fn start(bench: &Bench, peer: &Peer) -> Result<Side, Failure> {
    let folder = tempfile::tempdir()?;
    let port = free_port()?;
    let command = (peer.start)(&Place { folder: folder.path(), port })?;
    match peer.says {
        Says::File => Side::start_command(bench, command, folder),
        Says::Port => {
            let side = Side::start_at(bench, command, folder, (port, peer.path))?;
            Ok(if peer.wire == Wire::Ours { side.with_any_key() } else { side })
        }
    }
}

/// Runs a load on a server of its own.
pub(super) fn run(
    bench: &Bench,
    who: &Who,
    load: &Load,
    frame_bytes: Option<f64>,
) -> Result<Figures, Failure> {
    if matches!(who, Who::Sends) {
        let bytes = frame_bytes.ok_or("nobody has said yet how long a frame is")?;
        let per_cpu = Some(1e6 / sends_alone(bench, bytes)?);
        return Ok(Figures { per_cpu, ..Figures::default() });
    }
    quiet(bench, || match load.about {
        About::Memory => idle(bench, who, load),
        About::Deliveries | About::Publishes => {
            let times = format!(" --duration {} --warmup {}", bench.seconds, warmup(bench));
            let mut words = words(&format!("{}{times}", load.words));
            words.extend(who.words(load));
            let report = who.start(bench)?.side.drive(bench, &words)?;
            Ok(Figures::of(load.about, &report))
        }
    })
}

/// Memory that more connections take once a server has its first.
fn idle(bench: &Bench, who: &Who, load: &Load) -> Result<Figures, Failure> {
    let running = who.start(bench)?;
    let scenario = |count: u32, hold: u32| {
        let mut words = words(&format!("{} --subscribers {count} --hold {hold}", load.words));
        words.extend(who.words(load));
        words
    };
    let first = running.side.hold(bench, &scenario(IDLE_FIRST, 60), IDLE_FIRST)?;
    let report = running.side.drive(bench, &scenario(IDLE, IDLE_S))?;
    first.end()?;
    let grown = number(&report, "/memory/pss_after")? - number(&report, "/memory/pss_before")?;
    let kib = grown / f64::from(IDLE) / 1024.0;
    Ok(Figures { kib: Some(kib), ..Figures::default() })
}

/// Servers on a virtual machine want to be warm; a smoke test does not.
fn warmup(bench: &Bench) -> f64 {
    bench.seconds.min(2.0) / 2.0
}

/// Takes all descriptors that are allowed: servers inherit that.
pub(super) fn raise_descriptors() -> Result<(), Failure> {
    let hard = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard })?)
}

/// A port that nobody has now.
fn free_port() -> Result<u16, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}
