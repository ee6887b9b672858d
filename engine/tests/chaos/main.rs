//! The built binary under chaos: killed, stopped, frozen, on a disk that pauses, with clients of three dialects that are cut,
//! slow, put out, and come back. Whatever they ask and hear goes into a history, which has to keep every promise.
//!
//! `TRUST=1` runs it for ten minutes, `TRUST_SCALE=0.1` for a tenth of that.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test may stop at the first surprise, and this one takes as long as it is told"
)]

mod cohesivity;
mod disk;
mod end;
mod faults;
mod http;
mod infrai;
#[path = "../server/node.rs"]
#[allow(dead_code, reason = "it belongs to the tests of the server")]
mod node;
mod operator;
mod plain;
#[expect(clippy::wildcard_enum_match_arm, reason = "an edit is about one kind of line")]
mod planted;
mod publishers;
mod session;
mod socket;
mod tenant;
#[path = "../server/trust.rs"]
#[allow(dead_code, reason = "it belongs to the tests of the server")]
mod trust;
mod world;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use loadtest::history::{Event, Recorder, check, read_log};

use faults::Faults;
use tenant::TENANTS;
use world::{Phase, World};

/// How long it works after the last fault.
const LAST_LIFE: Duration = Duration::from_millis(800);
/// How long it works, in the tests of every day and otherwise.
const WORK: Duration = Duration::from_millis(4_500);
const WORK_TRUST: Duration = Duration::from_mins(10);

#[test]
fn a_history_of_chaos_keeps_every_promise() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("history.jsonl");
    let seed = std::env::var("SEED").ok().and_then(|it| it.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    node::tell(&format!("seed {seed}"));
    let began = Instant::now();
    let (recorder, writer) = Recorder::begin(&log).unwrap();
    let faults = run(folder.path(), recorder, seed);
    writer.join().unwrap().unwrap();
    let took = began.elapsed().as_secs_f64();

    let events: Vec<Event> = read_log(&log).unwrap().map(Result::unwrap).collect();
    let verdict = check(&events);
    if !verdict.is_whole() {
        let kept = std::env::temp_dir().join(format!("history-{seed}.jsonl"));
        std::fs::copy(&log, &kept).unwrap();
        panic!("{verdict}\nthe history is {}", kept.display());
    }
    let it = &verdict;
    println!(
        "\ntrust {{\"what\":\"history\",\"seed\":{seed},\"seconds\":{took:.1},\"lives\":{},{faults},\"lines\":{},\"accepted\":{},\
         \"refused\":{},\"unknown\":{},\"delivered\":{},\"subscriptions\":{},\"resumed\":{},\"gapped\":{},\"moves\":{},\
         \"revoked\":{},\"kept\":{},\"findings\":{}}}",
        it.lives,
        it.lines,
        it.accepted,
        it.refused,
        it.unknown,
        it.delivered,
        it.subscriptions,
        it.resumed,
        it.gapped,
        it.moves,
        it.revoked,
        it.kept,
        it.wrong
    );
    assert!(it.lives > 1 && it.accepted > 100 && it.delivered > 300, "little happened: {it:?}");
    assert!(it.resumed > 5 && it.moves > 5 && it.revoked > 0, "not all of it happened: {it:?}");
    planted::each_is_found(&events);
}

/// Records a history. Returns what was done to the node.
fn run(folder: &Path, recorder: Recorder, seed: u64) -> String {
    let world = Arc::new(World::new(recorder));
    let mut faults = Faults::begin(folder, &world, seed);
    faults.set_up();
    let clients = clients(&world, seed);
    let until = Instant::now() + trust::length(WORK, WORK_TRUST);
    while Instant::now() < until {
        faults.next();
    }
    // Whoever came back hears something in the last life too.
    node::pause(LAST_LIFE);
    world.enter(Phase::Drain);
    world.wait_until_quiet();
    end::record(&world);
    world.enter(Phase::Done);
    for client in clients {
        client.join().unwrap();
    }
    faults.end();
    faults.to_string()
}

fn clients(world: &Arc<World>, seed: u64) -> Vec<JoinHandle<()>> {
    let mut threads = Vec::new();
    let mut number = seed << 8;
    let mut spawn = |run: Box<dyn FnOnce(Arc<World>, u64) + Send>| {
        let world = Arc::clone(world);
        number += 1;
        let seed = number;
        threads.push(thread::spawn(move || run(world, seed)));
    };
    for tenant in &TENANTS {
        let (tokens, issued) = channel();
        for user in 0..2 {
            spawn(Box::new(move |world, seed| {
                session::run(&world, cohesivity::Client::new(tenant, user), seed);
            }));
            let tokens = tokens.clone();
            spawn(Box::new(move |world, seed| {
                session::run(&world, infrai::Client::new(tenant, user, tokens), seed);
            }));
        }
        let tokens = tokens.clone();
        spawn(Box::new(move |world, seed| {
            session::run(&world, infrai::Client::slow(tenant, 2, tokens), seed);
        }));
        spawn(Box::new(move |world, seed| {
            session::run(&world, plain::Client::new(tenant), seed);
        }));
        spawn(Box::new(move |world, seed| publishers::cohesivity(&world, tenant, seed)));
        spawn(Box::new(move |world, seed| publishers::infrai(&world, tenant, seed)));
        spawn(Box::new(move |world, seed| operator::run(&world, tenant, &issued, seed)));
    }
    threads
}
